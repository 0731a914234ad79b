//! What a submitted archive holds, taken out without trust.
//!
//! ```text
//!   stormjar.jar ── unpack_resources ─▶ resources/            files, nothing else
//!                                       resources/topology    ── Binary::read ─▶ check
//!                                       resources/storm-runtime.json
//! ```
//!
//! An archive is a zip, and a valid jar. Its folder `resources/` holds the topology's binary, a
//! [`RuntimeManifest`] that names it, and files of the author's; topologies of built-in and shell
//! components alone have no binary.
//!
//! **Invariants.** Nothing is written outside of the target folder. No more bytes and entries are
//! written than the archive announced, and never more than [`Caps`] allows. The target folder
//! appears whole or not at all. A binary that cannot run on this machine is refused by the name of
//! what it lacks.
//!
//! **Runs on** whatever thread calls it; it reads and writes files, and may take a second.

mod binary;
mod elf;
mod libraries;
mod manifest;
mod unpack;

use std::io;
use std::path::{Path, PathBuf};

pub use binary::{Binary, BinaryError};
pub use manifest::{MANIFEST, RuntimeManifest};
pub use unpack::{Caps, RESOURCES, unpack_all, unpack_resources};

/// What `LD_LIBRARY_PATH` names to a worker whose resources these are, as Storm's does.
pub fn library_folders(resources: &Path) -> Vec<PathBuf> {
    let by_machine = format!("Linux-{}", std::env::consts::ARCH);
    vec![resources.join(by_machine), resources.to_owned()]
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no zip, or a broken one.
    #[error("{path} is no readable zip archive: {source}; submit it again", path = path.display())]
    Unreadable {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        source: zip::result::ZipError,
    },
    /// An entry would be written elsewhere, or is nothing that belongs in an archive.
    #[error("the archive's entry {entry:?} is refused: {reason}")]
    Entry {
        /// Its name.
        entry: String,
        /// What is wrong with it.
        reason: EntryFault,
    },
    /// More entries than are allowed.
    #[error(
        "the archive has {entries} entries, {cap} are allowed; leave out what the topology does not need"
    )]
    Entries {
        /// Those it has.
        entries: usize,
        /// Those that are allowed.
        cap: usize,
    },
    /// More bytes than are allowed.
    #[error(
        "the archive unpacks to more than {cap} bytes, which is what is allowed; leave out what the topology does not need"
    )]
    Bytes {
        /// Those that are allowed.
        cap: u64,
    },
    /// Its manifest cannot be understood.
    #[error(
        "{MANIFEST} in the archive cannot be understood: {source}; it was made by another version of the client"
    )]
    Manifest {
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Its manifest is of a later format.
    #[error(
        "{MANIFEST} in the archive has format {found}, and this supervisor knows format {known}; update the cluster"
    )]
    Format {
        /// The manifest's format.
        found: u32,
        /// The only one known here.
        known: u32,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// Its path begins with a slash.
    #[error("its path is absolute")]
    Absolute,
    /// Its path leads up.
    #[error("its path has a part that is empty, '.' or '..'")]
    Upwards,
    /// Its path has a byte that no path of ours has.
    #[error("its path has a backslash or a zero byte")]
    StrangeByte,
    /// It is a symbolic link, a device, a pipe or a socket.
    #[error("it is neither a file nor a folder")]
    NoFile,
    /// Its content is encrypted.
    #[error("it is encrypted")]
    Encrypted,
    /// Two entries have this path.
    #[error("another entry has the same path")]
    Twice,
    /// Its content is not as long as announced.
    #[error("it does not hold as many bytes as it announces, or its checksum is wrong")]
    Length,
}
