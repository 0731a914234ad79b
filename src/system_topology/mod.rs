//! A user's topology as a cluster runs it: with system components and streams, checked and numbered;
//! pure, on Storm's Thrift types.
//!
//! ```text
//! as submitted ──▶ normalised: topology.tasks of each component
//!                      │
//!              checked alone ──▶ + __acker  + __eventlogger  + __metrics_…  + __system
//!                                + streams __metrics and __system of all components
//!                      │
//!              checked as a whole ──▶ numbered: tasks from 1 by component id, executors cut
//! ```
//!
//! **Invariants**
//! - Nimbus and every worker get the same from the same topology and conf: task numbers depend on
//!   it. The order of additions is Storm's.
//! - The user's part stays as it is, but for the streams, inputs and ticks of tuple trees.
//!
//! **Not here:** what components do. System components are named by Storm's classes, and each worker
//! has its own.

mod additions;
mod checks;
mod component;
mod normal;
mod numbering;

pub use checks::{InvalidTopology, Problem};
pub use component::parallelism_hint;
pub use normal::normalised;
pub use numbering::{NumberedComponent, Numbering};

use nimbus_client::thrift::StormTopology;
use serde_json::{Map, Value as Json};

/// Keeper of the tuple trees.
pub const ACKER: &str = "__acker";
/// Source of ticks and of a worker's own metrics; it has no tasks of its own.
pub const SYSTEM: &str = "__system";
/// Writer of sampled tuples.
pub const EVENT_LOGGER: &str = "__eventlogger";
/// What ids of metrics consumers begin with.
pub const METRICS_PREFIX: &str = "__metrics_";

/// The topology with all that Storm adds to it. `conf` is the topology's on top of the cluster's.
///
/// # Errors
/// Everything that is wrong with the topology, in Storm's sentences: its `InvalidTopologyException`.
pub fn system_topology(
    user: &StormTopology,
    conf: &Map<String, Json>,
) -> Result<StormTopology, InvalidTopology> {
    checks::check_alone(user)?;
    let mut topology = user.clone();
    additions::add_acker(&mut topology, conf)?;
    additions::add_event_logger(&mut topology, conf)?;
    additions::add_metrics_consumers(&mut topology, conf)?;
    additions::add_system(&mut topology);
    additions::add_streams_of_all(&mut topology);
    checks::check_structure(&topology)?;
    Ok(topology)
}

#[cfg(test)]
mod tests;
