//! Why a topology was not submitted.

use super::{ArchiveError, BinaryError, DescribedError};
use crate::TopologyNameError;
use crate::client::ClientError;

/// Why a topology was not submitted, or why nobody knows.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Its name is none.
    #[error(transparent)]
    Name(#[from] TopologyNameError),
    /// Its binary cannot run.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// Its binary does not describe it.
    #[error(transparent)]
    Described(#[from] DescribedError),
    /// Its archive cannot be made.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// It has components that no worker could make.
    #[error(
        "{name} cannot be submitted, since workers make components from the register: {}; register \
         them with App::register, and use them by their names",
        problems.join("; ")
    )]
    Unregistered {
        /// The topology.
        name: String,
        /// What is not registered.
        problems: Vec<String>,
    },
    /// Nothing would ever happen in it.
    #[error("{name} has no spout: a topology begins with at least one")]
    NoSpout {
        /// The topology.
        name: String,
    },
    /// A topology of its name is alive.
    #[error(
        "a topology named {name} is alive, as {id} ({status}): kill it first, or submit under another name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The id of the topology that has it.
        id: String,
        /// Its status, as `ACTIVE`.
        status: String,
    },
    /// Nimbus refuses its name.
    #[error("the cluster does not allow the name {name}: submit under another one")]
    NameRefused {
        /// The name.
        name: String,
    },
    /// Nimbus could not be asked, or refuses.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The answer to the submission was lost, and the topology does not live (yet).
    #[error(
        "nobody knows whether {name} was submitted: {why}; it is not alive at the moment: list the \
         topologies before you submit it again"
    )]
    Unknown {
        /// The topology.
        name: String,
        /// How the answer was lost.
        why: ClientError,
    },
    /// The secret of the topology's own nodes cannot be made.
    #[error("no random numbers can be had from the system: {source}")]
    NoRandom {
        /// What the system says.
        source: std::io::Error,
    },
}
