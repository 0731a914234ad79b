//! What clients see: summaries and pages, put together from what readers may see.
//!
//! | file | what |
//! |---|---|
//! | `summaries.rs` | cluster, topologies, owners |
//! | `workers.rs` | workers and supervisors |
//! | `info.rs` | a topology with its executors and errors |
//! | `pages.rs` | a topology's and a component's page, with statistics added up |
//!
//! **Invariants.** Nothing here decides or waits for a decision; what cannot be read of the shared
//! state, errors say, is left out and logged.

mod info;
mod pages;
mod summaries;
mod workers;

pub use info::Errors;
pub use pages::unknown_component;

use std::collections::BTreeMap;

use nimbus_client::thrift as storm;
use nimbus_client::wire::OrderedFloat;

use super::beats::Beat;
use super::core::Core;
use super::topologies::Entry;
use crate::assignment::{Amounts, CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB, WorkerSlot};
use crate::id::ExecutorId;

/// What a topology's executors need, and what their workers got.
struct Resources {
    requested: Amounts,
    assigned: Amounts,
}

fn resources(entry: &Entry) -> Resources {
    let mut requested = Amounts::default();
    for component in entry.executor_to_component.values() {
        if let Some(planned) = entry.plan.components.get(component) {
            requested.add(&planned.resources);
        }
    }
    let mut assigned = Amounts::default();
    for slot in entry.assignment.iter().flat_map(|assignment| assignment.slot_to_resources.values())
    {
        assigned.add(&slot.own);
        assigned.add(&slot.shared);
    }
    Resources { requested, assigned }
}

fn real(amounts: &Amounts, name: &str) -> Option<OrderedFloat<f64>> {
    Some(OrderedFloat(amounts.of(name)))
}

/// Amounts beside memory and processor time.
fn generic(amounts: &Amounts) -> BTreeMap<String, OrderedFloat<f64>> {
    let known = [ON_HEAP_MB, OFF_HEAP_MB, CPU_PERCENT];
    let rest = amounts.0.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    rest.map(|(name, amount)| (name.clone(), OrderedFloat(*amount))).collect()
}

/// One executor with where it runs and what is known of it.
struct Running<'a> {
    executor: ExecutorId,
    slot: WorkerSlot,
    host: String,
    uptime_secs: i32,
    stats: Option<&'a storm::ExecutorStats>,
}

impl Core {
    /// All executors that have a slot, with the statistics of `beats`.
    fn running<'a>(
        &self,
        entry: &Entry,
        beats: &'a BTreeMap<WorkerSlot, Beat>,
    ) -> Vec<Running<'a>> {
        let Some(assignment) = &entry.assignment else {
            return Vec::new();
        };
        let now = self.now_secs();
        let mut running = Vec::new();
        for (executor, slot) in &assignment.executor_to_slot {
            let report = beats.get(slot).and_then(|beat| beat.report.as_ref());
            let heartbeat = report.map(|report| &report.heartbeat);
            let since = assignment.executor_to_start_secs.get(executor).copied().unwrap_or(now);
            let key = super::executors::to_wire(*executor);
            running.push(Running {
                executor: *executor,
                slot: slot.clone(),
                host: host_of(assignment, slot),
                uptime_secs: heartbeat
                    .map_or_else(|| secs(now - since), |heartbeat| heartbeat.uptime_secs),
                stats: heartbeat.and_then(|heartbeat| heartbeat.executor_stats.get(&key)),
            });
        }
        running
    }
}

fn host_of(assignment: &crate::assignment::Assignment, slot: &WorkerSlot) -> String {
    let host = assignment.address_of(slot).map(|(host, _)| host.to_owned());
    host.unwrap_or_else(|| slot.supervisor.to_string())
}

/// Seconds as Storm's wire counts them.
fn secs(seconds: i64) -> i32 {
    i32::try_from(seconds.max(0)).unwrap_or(i32::MAX)
}

/// Whether a component is the system's.
fn is_system(component: &str) -> bool {
    component.starts_with("__")
}
