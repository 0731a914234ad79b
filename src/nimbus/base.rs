//! What Nimbus keeps about a topology as long as it exists; Storm's wire calls it a base.

use std::collections::BTreeMap;

use super::lifecycle::Status;
use crate::id::ComponentId;

/// A topology that was submitted and is not removed yet.
#[derive(Clone, PartialEq, Debug)]
pub struct TopologyBase {
    /// The name that its author chose.
    pub name: String,
    /// Where it is in its life.
    pub status: Status,
    /// How many workers it asks for.
    pub wanted_workers: usize,
    /// How many executors each component has, system components among them; 0 for one without tasks.
    pub component_to_executors: BTreeMap<ComponentId, usize>,
    /// When it was submitted, in seconds since 1970.
    pub launched_secs: i32,
    /// The user who owns it.
    pub owner: Option<String>,
    /// The principal that submitted it.
    pub principal: Option<String>,
    /// Sampling of tuples for debugging, by component; the whole topology under its own id.
    pub component_to_debug: BTreeMap<ComponentId, DebugSampling>,
    /// The version that its author gave it.
    pub version: Option<String>,
}

/// Whether a component's emitted tuples are sampled, and how many of them.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct DebugSampling {
    /// Whether sampling is on.
    pub enabled: bool,
    /// How many of 100 tuples are taken.
    pub percent: f64,
}
