//! A topology with its executors and the errors of its components.

use std::collections::BTreeMap;

use nimbus_client::thrift as storm;

use super::{real, resources, secs};
use crate::assignment::{CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB};
use crate::nimbus::core::Core;
use crate::nimbus::executors::to_wire;
use crate::nimbus::topologies::Entry;

/// How many errors of each component are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// All that are kept.
    All,
    /// The last one.
    One,
    /// None.
    None,
}

impl From<storm::GetInfoOptions> for Errors {
    fn from(options: storm::GetInfoOptions) -> Self {
        match options.num_err_choice {
            Some(storm::NumErrorsChoice::NONE) => Self::None,
            Some(storm::NumErrorsChoice::ONE) => Self::One,
            _ => Self::All,
        }
    }
}

impl Core {
    /// A topology with its executors.
    pub fn topology_info(&self, entry: &Entry, errors: Errors) -> storm::TopologyInfo {
        let beats = self.beats.workers(&entry.id);
        let executors = self.running(entry, &beats).into_iter().filter_map(|running| {
            Some(storm::ExecutorSummary {
                executor_info: to_wire(running.executor),
                component_id: entry.component_of(running.executor)?.to_string(),
                host: running.host,
                port: i32::from(running.slot.port),
                uptime_secs: running.uptime_secs,
                stats: running.stats.cloned(),
            })
        });
        let resources = resources(entry);
        let debug = &entry.base.component_to_debug;
        storm::TopologyInfo {
            id: entry.id.to_string(),
            name: entry.base.name.clone(),
            uptime_secs: secs(self.now_secs() - i64::from(entry.base.launched_secs)),
            executors: executors.collect(),
            status: entry.base.status.to_string(),
            errors: self.errors_of_all(entry, errors),
            component_debug: Some(
                debug.iter().map(|(id, debug)| (id.to_string(), (*debug).into())).collect(),
            ),
            storm_version: entry.plan.storm_version.clone(),
            sched_status: Some(entry.scheduled.clone()).filter(|status| !status.is_empty()),
            owner: entry.base.owner.clone(),
            replication_count: Some(1),
            requested_memonheap: real(&resources.requested, ON_HEAP_MB),
            requested_memoffheap: real(&resources.requested, OFF_HEAP_MB),
            requested_cpu: real(&resources.requested, CPU_PERCENT),
            assigned_memonheap: real(&resources.assigned, ON_HEAP_MB),
            assigned_memoffheap: real(&resources.assigned, OFF_HEAP_MB),
            assigned_cpu: real(&resources.assigned, CPU_PERCENT),
        }
    }

    /// The errors of one component, the newest first.
    pub fn errors_of(
        &self,
        entry: &Entry,
        component: &str,
        errors: Errors,
    ) -> Vec<storm::ErrorInfo> {
        let read = self.shared.with(|state| match errors {
            Errors::None => Ok(Vec::new()),
            Errors::One => {
                state.last_error(&entry.id, component).map(|last| last.into_iter().collect())
            }
            Errors::All => {
                let kept = state.errors(&entry.id, component)?;
                if !kept.is_empty() {
                    return Ok(kept);
                }
                // They live as long as the session that wrote them; the last one lives on.
                state.last_error(&entry.id, component).map(|last| last.into_iter().collect())
            }
        });
        read.unwrap_or_else(|error| {
            tracing::warn!("the errors of {component} of {} cannot be read: {error}", entry.id);
            Vec::new()
        })
    }

    fn errors_of_all(
        &self,
        entry: &Entry,
        errors: Errors,
    ) -> BTreeMap<String, Vec<storm::ErrorInfo>> {
        let mut all: BTreeMap<String, Vec<storm::ErrorInfo>> =
            entry.plan.components.keys().map(|id| (id.to_string(), Vec::new())).collect();
        if errors == Errors::None {
            return all;
        }
        let read = self.shared.with(|state| state.components_with_errors(&entry.id));
        for component in read.unwrap_or_default() {
            let errors = self.errors_of(entry, &component, errors);
            all.insert(component, errors);
        }
        all
    }
}
