//! The shared state from outside.
//!
//! | file | what |
//! |---|---|
//! | `conformance.rs` | what every backend must do, as a list of functions |
//! | `model.rs` | random operations against a plain model |
//! | `crash.rs` | a process is killed while it writes |
//! | `storm_nodes.rs` | every node of a stock cluster is read, and written again |
//! | `server.rs` | a real ZooKeeper server, for the same list of functions |
//! | `typed.rs` | what Nimbus and supervisors keep there |

mod conformance;
mod crash;
mod model;
#[cfg(feature = "zookeeper")]
mod server;
mod storm_nodes;
mod typed;
#[path = "../support"]
mod support {
    pub mod base64;
    pub mod fixtures;
    #[cfg(feature = "zookeeper")]
    pub mod zookeeper;
}

use storm_runtime::cluster::EmbeddedStore;

#[test]
fn the_embedded_store_conforms() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    conformance::check_all(&store);
}
