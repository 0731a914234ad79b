//! What can go wrong in the shared state.

use std::io;
use std::path::PathBuf;

use super::PathFault;

/// Why an operation on the shared state failed.
///
/// Each text says what failed, why, and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no such node, or no folder for the node that was to be made.
    #[error("there is no node {path} in the shared state: create it, or its folder, first")]
    NoNode {
        /// The node that is missing.
        path: String,
    },
    /// The node is there already.
    #[error("node {path} exists already: set its data, or choose another name")]
    NodeExists {
        /// The node.
        path: String,
    },
    /// Somebody else changed the node.
    #[error(
        "node {path} no longer has version {expected}: somebody changed it; read it again and decide anew"
    )]
    BadVersion {
        /// The node.
        path: String,
        /// The version that the caller had seen.
        expected: i32,
    },
    /// A node with children cannot be deleted.
    #[error("node {path} has children: delete them first")]
    NotEmpty {
        /// The node.
        path: String,
    },
    /// An ephemeral node cannot have children.
    #[error("node {path} is ephemeral and cannot have children: put them beside it")]
    NoChildrenForEphemerals {
        /// The ephemeral node.
        path: String,
    },
    /// The root can neither be made nor deleted.
    #[error(
        "the root of the shared state can neither be created nor deleted: name a node below it"
    )]
    Root,
    /// The path breaks ZooKeeper's rules.
    #[error("{path:?} cannot be the path of a node because {fault}: choose another name")]
    InvalidPath {
        /// The text.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// The request is larger than ZooKeeper would take.
    #[error(
        "a write of {bytes} bytes at {path} is over the limit of {limit} bytes for one request: \
         store less, or put it in the blob store"
    )]
    TooLarge {
        /// The node, or the first of several.
        path: String,
        /// Size of the request: paths, data and a fixed part for each operation.
        bytes: usize,
        /// [`MAX_REQUEST_BYTES`](super::MAX_REQUEST_BYTES).
        limit: usize,
    },
    /// The session is over, and its ephemeral nodes are gone.
    #[error(
        "the session with the shared state has ended and its ephemeral nodes are gone: open a new \
         session, then make the nodes and watches again"
    )]
    SessionExpired,
    /// The connection broke during the call, which may have taken effect.
    #[error(
        "the connection to the shared state broke while accessing {path}, which may have taken \
         effect: read the node, then try again"
    )]
    ConnectionLoss {
        /// The node.
        path: String,
    },
    /// No server of the ensemble answers.
    #[error("no ZooKeeper server answers at {servers}: check that one runs there, then try again")]
    Unreachable {
        /// The servers, as they are configured.
        servers: String,
        /// What the client says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server refused a request for a reason that is none of the shared state's.
    #[error("ZooKeeper refuses access to {path}: see its log and the rights of the node")]
    Server {
        /// The node.
        path: String,
        /// What the server said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process has the file open.
    #[error(
        "the state file {} is in use by another process: stop that one, or choose another folder",
        file.display()
    )]
    Locked {
        /// The file.
        file: PathBuf,
    },
    /// The file is none of ours.
    #[error(
        "{} is not a state file of this program ({reason}): choose another folder, or move the \
         file away",
        file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
        /// What was found in its place.
        reason: &'static str,
    },
    /// The file was written by a newer or older program.
    #[error(
        "the state file {} has format {found}, and this program reads format {known}: use the \
         program that wrote it, or move the file away",
        file.display()
    )]
    Format {
        /// The file.
        file: PathBuf,
        /// Format of the file.
        found: u64,
        /// Format that this program reads and writes.
        known: u64,
    },
    /// The file is damaged.
    #[error(
        "the state file {} is damaged: restore it from a copy, or move it away to begin with an \
         empty state",
        file.display()
    )]
    Corrupted {
        /// The file.
        file: PathBuf,
        /// What the database says.
        source: Option<Box<redb::Error>>,
    },
    /// There is no room on the disk.
    #[error(
        "there is no room on the disk for the state file {}: make room; all sessions have ended, \
         and the next one tries again",
        file.display()
    )]
    DiskFull {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: Box<redb::Error>,
    },
    /// The file cannot be read or written.
    #[error(
        "the state file {} cannot be read or written: check the disk and the permissions of the \
         folder; the next session tries again",
        file.display()
    )]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database failed in another way.
    #[error(
        "the state file {} cannot be used: the next session opens it anew",
        file.display()
    )]
    Database {
        /// The file.
        file: PathBuf,
        /// What the database says.
        source: Box<redb::Error>,
    },
}

impl StateError {
    /// Whether the same call may succeed later without anything else being changed.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::ConnectionLoss { .. } | Self::Unreachable { .. })
    }

    /// Whether a write that failed like this may be there all the same.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::ConnectionLoss { .. })
    }

    /// Whether the session is of no further use: a new one has to be opened.
    pub fn ends_session(&self) -> bool {
        matches!(
            self,
            Self::SessionExpired
                | Self::DiskFull { .. }
                | Self::File { .. }
                | Self::Database { .. }
                | Self::Corrupted { .. }
        )
    }

    /// Whether a node was missing.
    pub fn is_no_node(&self) -> bool {
        matches!(self, Self::NoNode { .. })
    }
}

/// Why none of several operations took effect.
#[derive(Debug, thiserror::Error)]
#[error("{}{source}", index.map_or(String::new(), |index| format!("operation {index} of several failed: ")))]
pub struct MultiError {
    /// Which operation failed, from zero; absent if the request failed as a whole.
    pub index: Option<usize>,
    /// Why.
    pub source: StateError,
}

impl From<StateError> for MultiError {
    fn from(source: StateError) -> Self {
        Self { index: None, source }
    }
}
