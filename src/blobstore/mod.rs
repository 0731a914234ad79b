//! Nimbus' local blob store: jars, topologies and files of users, by key.
//!
//! ```text
//! <folder>/<bucket>/data_<key>/data    the bytes
//! <folder>/<bucket>/meta_<key>/data    `SettableBlobMeta` in Thrift's binary protocol
//! <folder>/uploading/<session>         what is not finished
//! ```
//!
//! Buckets and names are those of a stock Nimbus, which finds its blobs in our folder and we ours in
//! its. A blob's version is the CRC32C of its bytes, so that the same bytes have the same version on
//! every Nimbus.
//!
//! **Invariants**
//! - A blob is there when its data is; it gets there by one rename after its bytes and its meta data
//!   are on the disk. What was finished survives a crash, what was not is gone at the next start.
//! - A download reads the bytes that were there when it began, whatever happens to the blob.
//! - Memory is bounded by the number of sessions, a chunk for each, and the number of keys.
//!
//! **Runs on** any thread; calls block on the disk.
//!
//! **Not here:** which Nimbus holds which blob (the shared state), and who calls (`server`).

mod acl;
mod error;
mod file;
mod inbox;
mod key;
mod layout;
mod session;
mod store;
#[cfg(test)]
mod tests;

pub use acl::{ACCESS_ADMIN, ACCESS_ALL, ACCESS_READ, ACCESS_WRITE, AclPolicy, Caller, world};
pub use error::BlobError;
pub use inbox::{InboxConf, JarInbox};
pub use key::{BlobKey, BlobKeyError, MAX_KEY_BYTES};
pub(crate) use session::random_name;
pub use store::{BlobConf, BlobStore, LIST_PAGE_KEYS};
