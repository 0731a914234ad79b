//! What can go wrong with a blob.

use std::io;
use std::path::{Path, PathBuf};

use nimbus_client::wire::WireError;

use super::{BlobKey, BlobKeyError};

/// Why the blob store refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The key breaks Storm's rules.
    #[error(transparent)]
    Key(#[from] BlobKeyError),
    /// Storm's `KeyNotFoundException`.
    #[error("there is no blob '{key}': create it first, or list the blobs that are there")]
    NotFound {
        /// The key.
        key: BlobKey,
    },
    /// Storm's `KeyAlreadyExistsException`.
    #[error("there is a blob '{key}' already: update it, delete it, or choose another key")]
    AlreadyExists {
        /// The key.
        key: BlobKey,
    },
    /// Storm's `AuthorizationException`.
    #[error("{user} may not {rights} the blob '{key}': ask somebody who may administer it")]
    NotAllowed {
        /// Who asked.
        user: String,
        /// The rights that are missing, in words.
        rights: String,
        /// The key.
        key: BlobKey,
    },
    /// Storm's `AuthorizationException`: a list names a user twice.
    #[error(
        "user {user} stands twice in the access control list of the blob '{key}': keep one entry"
    )]
    UserTwice {
        /// The user.
        user: String,
        /// The key.
        key: BlobKey,
    },
    /// The session is over, or never was.
    #[error(
        "there is no session '{session}' of the blob store: it was finished, cancelled or idle for \
         too long; begin again"
    )]
    NoSession {
        /// What was named.
        session: String,
    },
    /// There are too many sessions at a time.
    #[error(
        "there are {limit} {what} at a time, and no more are allowed: try again when some have \
         ended"
    )]
    TooManySessions {
        /// Of which kind.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// A blob or a jar is larger than allowed.
    #[error(
        "{what} is larger than the limit of {limit} bytes: make it smaller, or raise the limit"
    )]
    TooLarge {
        /// What was uploaded.
        what: String,
        /// Largest size in bytes.
        limit: u64,
    },
    /// A jar is not in the inbox.
    #[error("'{location}' is no finished upload of this Nimbus: upload the archive again")]
    NoUpload {
        /// What was named.
        location: String,
    },
    /// There is no room on the disk.
    #[error("there is no room on the disk for {}: make room, then try again", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder was removed while the store was in use.
    #[error(
        "{} is gone while it was in use: find out who removed it, and start Nimbus again",
        path.display()
    )]
    Vanished {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The disk failed in another way.
    #[error("{} cannot be {doing}: check the disk and the permissions of the folder", path.display())]
    Io {
        /// What was tried, as a participle.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A blob's meta data cannot be read.
    #[error("the meta data of the blob '{key}' is damaged: delete the blob and create it again")]
    Meta {
        /// The key.
        key: BlobKey,
        /// What is wrong.
        source: WireError,
    },
}

impl BlobError {
    /// An error of the disk, told by what it means for a store whose folders exist.
    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source }
            }
            io::ErrorKind::NotFound => Self::Vanished { path, source },
            _ => Self::Io { doing, path, source },
        }
    }
}
