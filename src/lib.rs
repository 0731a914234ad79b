//! A low-latency runtime for Storm topologies: spouts, bolts, tuple trees and windows.
//!
//! An author implements [`Spout`](spout::Spout) and [`BasicBolt`](bolt::BasicBolt) or
//! [`Bolt`](bolt::Bolt), joins them in a [`TopologyBuilder`](topology::TopologyBuilder), and runs
//! the topology in a [`LocalCluster`](local::LocalCluster). `use storm_runtime::prelude::*` brings
//! all that is needed.
//!
//! # Where a tuple travels
//!
//! `emit` writes it into the collector's staging block (`tuple::staging`). After the call the
//! executor's router (`executor::router`) chooses its tasks (`grouping`) and puts it into the block
//! of a link (`transfer`). A block for an executor on the same thread goes into that executor's
//! inbox; one for another thread goes through a ring (`queue`). The receiving bolt's executor
//! (`executor::bolt`) calls `execute` for each tuple of the block and sends the emptied block home,
//! which gives its link credit again. Edges of anchored tuples are XORed on the way into the trees
//! (`acker`), which the spout's executor (`executor::spout`) keeps with its pending messages where
//! its acker is on the same thread; else the acker's executor keeps them and tells when one is done.
//!
//! # Floors
//!
//! A module uses only modules of lower floors; `tests/tidy.rs` reads this table and checks it.
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 0 | `id`, `clock`, `text_cases` | identifiers as newtypes; the only place that reads time; tests as text |
//! | 1 | `conf`, `counter`, `tuple`, `queue`, `metrics` | Storm's configuration keys parsed once; everything that is counted; what components measure of themselves; tuples, values, blocks and their wire codec; rings between threads and the one place where a thread may sleep (the only `unsafe`) |
//! | 1 | `logs`, `signals`, `process`, `archive` | log files that rotate; SIGTERM and SIGINT; processes of this machine, and what a submitted archive holds (feature `daemons`) |
//! | 2 | `component`, `acker`, `assignment`, `stats`, `server` | what spouts and bolts share: declaration, context, errors, metrics; the XOR ledger, pure; executor → slot; statistics in Storm's windows; the Thrift server frame of the daemons |
//! | 3 | `spout`, `bolt` | the traits that authors implement, and their collectors |
//! | 4 | `topology` | builder, validation, component → tasks → executors |
//! | 5 | `grouping`, `window`, `scheduler`, `cluster`, `blobstore`, `system_topology` | a grouping compiled against its target tasks; windows and watermarks, pure, and the windowed bolt; (topologies, slots, old) → new assignments, pure; the shared state and every path in it; Nimbus' blobs (feature `daemons`); a topology with its system components, checked and numbered, pure |
//! | 5 | `messaging` | what workers say to each other: frames, handshake, connections |
//! | 5 | `multilang` | what a host and the child process of a component say to each other, in three framings; no I/O |
//! | 6 | `shell` | spouts and bolts in other languages, each a child process |
//! | 6 | `transfer` | tuples and acks to executors of this and of other threads |
//! | 7 | `executor` | the duty cycle of spouts, bolts and ackers, and their placement on threads |
//! | 8 | `local` | `LocalCluster` with a real or a simulated clock, and `complete_topology` |
//! | 8 | `supervisor` | keeps a worker process in each assigned slot of a machine (feature `daemons`) |
//! | 9 | `worker`, `measured` | the process that runs some executors of a topology for a supervisor; what only the benches see |
//! | 9 | `child` | a registered component as the child process of a multilang host |
//! | 9 | `builtin` | the components that every binary has, Storm's under their Java names |
//! | 10 | `flux` | topologies in YAML |
//! | 10 | `nimbus` | what Nimbus decides, and the Nimbus that acts on it (feature `daemons`) |
//! | 11 | `app` | a topology binary: run, describe and worker, by its first argument |
//! | 12 | `bin/` | `stormd`: arguments, signals, logs; the local cluster as one process (feature `daemons`) |

pub mod app;
#[cfg(feature = "daemons")]
pub mod archive;
pub mod assignment;
#[cfg(feature = "daemons")]
pub mod blobstore;
pub mod bolt;
pub mod builtin;
pub mod child;
pub mod clock;
#[cfg(feature = "daemons")]
pub mod cluster;
pub mod component;
pub mod conf;
pub mod flux;
pub mod grouping;
pub mod id;
pub mod local;
pub mod logs;
#[doc(hidden)]
pub mod measured;
pub mod metrics;
pub mod multilang;
#[cfg(feature = "daemons")]
pub mod nimbus;
#[cfg(feature = "daemons")]
pub mod process;
#[cfg(feature = "daemons")]
pub mod scheduler;
#[cfg(feature = "daemons")]
pub mod server;
pub mod shell;
pub mod signals;
pub mod spout;
pub mod stats;
#[cfg(feature = "daemons")]
pub mod supervisor;
pub mod system_topology;
pub mod topology;
pub mod tuple;
pub mod window;
pub mod worker;

mod acker;
mod counter;
mod executor;
mod messaging;
mod queue;
#[cfg(test)]
mod text_cases;
mod transfer;

pub use counter::Latencies;

/// Compiles the programs that the README shows.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
#[doc(hidden)]
pub struct Readme;

/// What an author of topologies needs, in one import.
pub mod prelude {
    pub use crate::app::App;
    pub use crate::bolt::{BasicBolt, BasicCollector, Bolt, BoltHandle, Collector};
    pub use crate::clock::Time;
    pub use crate::component::{Declarer, Result, TaskContext};
    pub use crate::local::{LocalCluster, RunningTopology};
    pub use crate::spout::{Next, Spout, SpoutCollector};
    pub use crate::topology::{Named, Topology, TopologyBuilder, TopologyErrors};
    pub use crate::tuple::{Fields, MessageId, Tuple, TupleRef, Value};
    pub use crate::window::{Window, WindowBolt, WindowCollector, Windowed};
}
