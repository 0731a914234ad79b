//! The shared state from outside.
//!
//! | file | what |
//! |---|---|
//! | `conformance.rs` | what every backend must do, as a list of functions |
//! | `model.rs` | random operations against a plain model |
//! | `crash.rs` | a process is killed while it writes |

mod conformance;
mod crash;
mod model;

use storm_runtime::cluster::EmbeddedStore;

#[test]
fn the_embedded_store_conforms() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    conformance::check_all(&store);
}
