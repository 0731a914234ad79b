//! The shared state of a cluster: nodes with ZooKeeper's semantics, behind one trait.
//!
//! ```text
//!   ClusterState          Storm's structs at Storm's paths            (state, paths)
//!        │
//!   dyn StateStorage      one session: nodes, versions, multi, watches  (storage, watch)
//!        │
//!   EmbeddedStore         one file, one process                        (embedded, tree)
//!   ZooKeeperStore        an ensemble of servers                       (zookeeper)
//! ```
//!
//! A [`StateBackend`] gives sessions; a session is a [`StateStorage`]. Ephemeral nodes belong to the
//! session that made them and vanish with it. One conformance suite (`tests/cluster`) holds every
//! backend to the same semantics.
//!
//! **Invariants**
//! - What a backend acknowledged as [`Durability::Durable`] is there after a crash, and a multi is
//!   there in whole or not at all.
//! - A watch is an optimisation: whoever waits for a change also looks by himself from time to time.
//! - Only `paths` spells the path of a node.
//!
//! **Runs on** any thread of a daemon; every call blocks. Workers never open the store.
//!
//! **Not here:** what the structs mean, and who may change them when: that is Nimbus'.

mod embedded;
mod error;
mod path;
pub mod paths;
mod state;
mod storage;
mod tree;
mod watch;
#[cfg(feature = "zookeeper")]
mod zookeeper;

pub use embedded::{EmbeddedStore, FILE_NAME};
pub use error::{MultiError, StateError};
pub use path::PathFault;
pub use state::{ClusterError, ClusterState, KEPT_ERRORS, LeaderInfo, LeaderInfoError, Versioned};
pub use storage::{
    CreateMode, Durability, Expected, MAX_REQUEST_BYTES, Op, OpResult, SessionState, Stat,
    StateBackend, StateStorage,
};
pub use watch::{Changes, MAX_PENDING_EVENTS, NodeEvent, WatchEvent, WatchKind, Watcher};
#[cfg(feature = "zookeeper")]
pub use zookeeper::{ZooKeeperSession, ZooKeeperStore};
