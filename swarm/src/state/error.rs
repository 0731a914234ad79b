//! What can be wrong with a state directory.

use std::io;
use std::path::PathBuf;

/// Why a state directory cannot be used; nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be made or looked into.
    #[error("cannot use the state directory {}: {source}", path.display())]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds files, none of which is ours.
    #[error("{} is not a state directory: it has files of somebody else", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The control socket's path does not fit into an address.
    #[error("the path {} is longer than the {limit} bytes that a socket may have", path.display())]
    PathTooLong {
        /// The socket.
        path: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// The disk has hardly any space left.
    #[error(
        "the disk of {} is full: {} MiB are free, {} MiB are needed",
        path.display(), free_bytes >> 20, needed_bytes >> 20
    )]
    Full {
        /// The directory.
        path: PathBuf,
        /// What is free.
        free_bytes: u64,
        /// What is needed.
        needed_bytes: u64,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was written by a program of another format.
    #[error(
        "the state in {} is of format {found}, written by version {version}; this program knows format {}",
        path.display(), super::FORMAT
    )]
    OtherFormat {
        /// The directory.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The program that wrote it.
        version: String,
    },
    /// Another `up` or `down` is at work.
    #[error(
        "another stormdeploy{} is changing the cluster in {}",
        pid.map_or(String::new(), |pid| format!(" (pid {pid})")), path.display()
    )]
    Busy {
        /// The directory.
        path: PathBuf,
        /// Who, if it says so.
        pid: Option<u32>,
    },
}

impl StateError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unusable { .. } => "name a directory that you may write: --state DIR".to_owned(),
            Self::Foreign { .. } => "name an empty or a new directory: --state DIR".to_owned(),
            Self::PathTooLong { .. } => "name a shorter one: --state DIR".to_owned(),
            Self::Full { .. } => {
                "free some space, or keep the state elsewhere: --state DIR".to_owned()
            }
            Self::Unwritable { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "free some space; what was there before is unchanged".to_owned()
            }
            Self::Unwritable { .. } => {
                "see who owns the directory, or keep the state elsewhere: --state DIR".to_owned()
            }
            Self::Unreadable { .. } => {
                "if its content is lost: stormdeploy down --purge gives up the whole state"
                    .to_owned()
            }
            Self::OtherFormat { version, .. } => format!(
                "end it with stormdeploy {version}, or give its state up: stormdeploy down --purge"
            ),
            Self::Busy { .. } => "wait until it is done, then try again".to_owned(),
        }
    }
}
