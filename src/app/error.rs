//! What can go wrong between the command line and the summary, and how it is told.

use std::io;

use crate::child::ChildError;
use crate::component::{ComponentError, error_chain};
use crate::conf::ConfErrors;
use crate::flux::FluxErrors;
use crate::local::SubmitError;
use crate::topology::TopologyErrors;
use crate::worker::WorkerError;

/// Why a program could not do what its arguments ask for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// The arguments cannot be understood.
    #[error("{what}")]
    Arguments {
        /// What is wrong with them.
        what: String,
        /// What to type instead.
        hint: Option<String>,
    },
    /// `-c` sets a key to something that it cannot be.
    #[error("cannot use what -c sets: {0}")]
    Conf(#[from] ConfErrors),
    /// The code that builds the topology answered an error.
    #[error("cannot build topology {name}: {}", error_chain(&**source))]
    Build {
        /// The topology.
        name: String,
        /// What its code answered; a [`Hinted`] one says what to do.
        source: ComponentError,
    },
    /// The topology cannot work.
    #[error("topology {name} cannot work: {source}")]
    Invalid {
        /// The topology.
        name: String,
        /// All its mistakes.
        source: TopologyErrors,
    },
    /// The topology in YAML cannot be read or built.
    #[error(transparent)]
    Flux(#[from] FluxErrors),
    /// The topology could not be started.
    #[error("cannot start topology {name}: {source}")]
    Submit {
        /// The topology.
        name: String,
        /// Why.
        source: SubmitError,
    },
    /// The operating system refused to tell of signals.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// A worker could not run.
    #[error("the worker ends: {0}")]
    Worker(#[from] WorkerError),
    /// A component could not run as a child.
    #[error("the component ends: {0}")]
    Component(#[from] ChildError),
    /// Nothing can be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl AppError {
    /// The code with which the program ends: 2 for what was typed, 1 for all else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments { .. } | Self::Conf(_) => 2,
            _ => 1,
        }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Arguments { hint, .. } => hint.as_deref(),
            Self::Build { source, .. } => source.downcast_ref().map(Hinted::hint),
            _ => None,
        }
    }

    /// Whether the reader of our output has gone, which is its good right.
    pub(super) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// An error that says what to do about it; [`App`](super::App) prints both.
///
/// ```
/// use storm_runtime::app::Hinted;
///
/// let error = Hinted::new("cannot read words.txt: no such file", "name a text that exists");
/// assert_eq!(error.hint(), "name a text that exists");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Hinted {
    what: String,
    hint: String,
}

impl Hinted {
    /// An error in one line, and in another what to do about it.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topology_that_cannot_be_built_says_why_and_what_to_do() {
        let source = Hinted::new("cannot read a.txt", "name another");
        let error = AppError::Build { name: "words".to_owned(), source: source.into() };
        assert_eq!(error.to_string(), "cannot build topology words: cannot read a.txt");
        assert_eq!((error.hint(), error.exit_code()), (Some("name another"), 1));
    }

    #[test]
    fn a_reader_that_has_gone_is_told_from_a_full_disk() {
        let gone = AppError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        let full = AppError::from(io::Error::from(io::ErrorKind::StorageFull));
        assert!(gone.is_closed_pipe() && !full.is_closed_pipe());
    }
}
