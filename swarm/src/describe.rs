//! Asking a topology binary about a topology: `<binary> describe <topology> … --format submit`.

use std::path::{Path, PathBuf};

use nimbus_client::submit::{Described, DescribedError};

use crate::clock::Deadline;
use crate::program::{self, ProgramError};

/// Most that a description may have, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Why a binary does not describe a topology.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The binary does not run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The binary refuses.
    #[error("{} does not describe the topology: {why}", binary.display())]
    Refused {
        /// The binary.
        binary: PathBuf,
        /// Its own words, or how it ended.
        why: String,
        /// Its own advice.
        hint: Option<String>,
    },
    /// What the binary prints is not understood.
    #[error(transparent)]
    Described(#[from] DescribedError),
}

impl DescribeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Program(ProgramError::NotStarted { .. }) => {
                "name a topology binary that was built for this machine".to_owned()
            }
            Self::Program(_) => "--timeout 2m gives it more time".to_owned(),
            Self::Refused { hint: Some(hint), .. } => hint.clone(),
            Self::Refused { binary, .. } => {
                format!("{} list shows the topologies of a topology binary", binary.display())
            }
            Self::Described(_) => "build the binary and stormdeploy from one version".to_owned(),
        }
    }
}

/// Lets a binary describe a topology.
///
/// # Errors
/// A binary that does not run, refuses, or says something else.
pub fn describe(
    binary: &Path,
    words: &[String],
    deadline: Deadline,
) -> Result<Described, DescribeError> {
    let mut arguments = vec!["describe".to_owned()];
    arguments.extend(words.iter().cloned());
    arguments.extend(["--format".to_owned(), "submit".to_owned()]);
    // A name without a folder means this folder, not PATH.
    let path = std::path::absolute(binary).unwrap_or_else(|_| binary.to_owned());
    let said = program::run(&path, &arguments, deadline, MAX_BYTES)?;
    if !said.status.success() {
        let (why, hint) = own_words(&said.stderr);
        let why = if why.is_empty() { program::ended_with(said.status) } else { why };
        return Err(DescribeError::Refused { binary: binary.to_owned(), why, hint });
    }
    Ok(Described::parse(&said.stdout)?)
}

/// The line of the error, without the program's name, and the hint.
fn own_words(stderr: &str) -> (String, Option<String>) {
    let mut lines = stderr.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let why = first.split_once(": ").map_or(first, |(_, why)| why).to_owned();
    let hint = lines.find_map(|line| line.strip_prefix("hint: ")).map(str::to_owned);
    (why, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binarys_own_error_and_hint_are_passed_on() {
        let told = own_words("orders: no topology 'wc'\n\nhint: orders list\n");
        assert_eq!(told, ("no topology 'wc'".to_owned(), Some("orders list".to_owned())));
        assert_eq!(own_words(""), (String::new(), None));
    }
}
