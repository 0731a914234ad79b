//! Summaries of the cluster, of its topologies and of their owners.

use std::collections::{BTreeMap, BTreeSet};

use nimbus_client::thrift as storm;
use nimbus_client::wire::OrderedFloat;

use super::{generic, real, resources, secs};
use crate::assignment::{CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB};
use crate::nimbus::core::Core;
use crate::nimbus::error::NimbusError;
use crate::nimbus::topologies::Entry;

/// What we say we are: the line of Apache Storm whose wire this is.
pub const VERSION: &str = "2.8.3";

impl Core {
    /// This Nimbus, which leads: there is one per shared state.
    pub fn leader(&self) -> storm::NimbusSummary {
        storm::NimbusSummary {
            host: self.settings.host.clone(),
            port: i32::from(self.port.get().copied().unwrap_or(self.settings.address.port())),
            uptime_secs: secs(self.clock.now().since(self.started).as_secs() as i64),
            is_leader: true,
            version: VERSION.to_owned(),
            tls_port: Some(0),
        }
    }

    /// Everything that is there.
    pub fn cluster_summary(&self) -> storm::ClusterSummary {
        storm::ClusterSummary {
            supervisors: self.supervisor_summaries(),
            topologies: self.topology_summaries(),
            nimbuses: vec![self.leader()],
        }
    }

    /// All topologies.
    pub fn topology_summaries(&self) -> Vec<storm::TopologySummary> {
        let now = self.now_secs();
        self.topologies.all().iter().map(|entry| summary(entry, now)).collect()
    }

    /// One topology.
    pub fn topology_summary(&self, entry: &Entry) -> storm::TopologySummary {
        summary(entry, self.now_secs())
    }

    /// Owners of topologies, or one of them.
    pub fn owners(&self, only: Option<&str>) -> Vec<storm::OwnerResourceSummary> {
        let mut by_owner: BTreeMap<String, storm::OwnerResourceSummary> = BTreeMap::new();
        if let Some(only) = only {
            by_owner.insert(only.to_owned(), no_topologies(only));
        }
        for entry in self.topologies.all() {
            let owner = entry.base.owner.clone().unwrap_or_default();
            if only.is_none_or(|only| only == owner) {
                let sum = by_owner.entry(owner.clone()).or_insert_with(|| no_topologies(&owner));
                add_topology(sum, &entry);
            }
        }
        by_owner.into_values().collect()
    }

    /// Ids of topologies, alive or past, that a user may know of.
    pub fn history_of(&self, user: &str) -> Result<storm::TopologyHistoryInfo, NimbusError> {
        let user = Some(user).filter(|user| !user.is_empty());
        let mut ids: BTreeSet<String> = self.history.of(user).into_iter().collect();
        for entry in self.topologies.all() {
            if user.is_none_or(|user| entry.users().contains(user)) {
                ids.insert(entry.id.to_string());
            }
        }
        Ok(storm::TopologyHistoryInfo { topo_ids: Some(ids.into_iter().collect()) })
    }
}

fn summary(entry: &Entry, now: i64) -> storm::TopologySummary {
    let resources = resources(entry);
    let assignment = entry.assignment.as_deref();
    let executors = assignment.map_or(0, |assignment| assignment.executor_to_slot.len());
    let tasks: usize = assignment
        .map(|assignment| assignment.executor_to_slot.keys().map(|id| id.tasks().len()).sum())
        .unwrap_or_default();
    storm::TopologySummary {
        id: entry.id.to_string(),
        name: entry.base.name.clone(),
        num_tasks: tasks as i32,
        num_executors: executors as i32,
        num_workers: entry.slots().len() as i32,
        uptime_secs: secs(now - i64::from(entry.base.launched_secs)),
        status: entry.base.status.to_string(),
        storm_version: entry.plan.storm_version.clone(),
        topology_version: entry.base.version.clone(),
        sched_status: Some(entry.scheduled.clone()).filter(|status| !status.is_empty()),
        owner: entry.base.owner.clone(),
        replication_count: Some(1),
        requested_memonheap: real(&resources.requested, ON_HEAP_MB),
        requested_memoffheap: real(&resources.requested, OFF_HEAP_MB),
        requested_cpu: real(&resources.requested, CPU_PERCENT),
        assigned_memonheap: real(&resources.assigned, ON_HEAP_MB),
        assigned_memoffheap: real(&resources.assigned, OFF_HEAP_MB),
        assigned_cpu: real(&resources.assigned, CPU_PERCENT),
        requested_generic_resources: Some(generic(&resources.requested)),
        assigned_generic_resources: Some(generic(&resources.assigned)),
    }
}

fn no_topologies(owner: &str) -> storm::OwnerResourceSummary {
    storm::OwnerResourceSummary {
        owner: owner.to_owned(),
        total_topologies: Some(0),
        total_executors: Some(0),
        total_workers: Some(0),
        memory_usage: Some(OrderedFloat(0.0)),
        cpu_usage: Some(OrderedFloat(0.0)),
        // Guarantees belong to a scheduler that this engine does not have.
        memory_guarantee: None,
        cpu_guarantee: None,
        memory_guarantee_remaining: None,
        cpu_guarantee_remaining: None,
        isolated_node_guarantee: None,
        total_tasks: Some(0),
        requested_on_heap_memory: Some(OrderedFloat(0.0)),
        requested_off_heap_memory: Some(OrderedFloat(0.0)),
        requested_total_memory: Some(OrderedFloat(0.0)),
        requested_cpu: Some(OrderedFloat(0.0)),
        assigned_on_heap_memory: Some(OrderedFloat(0.0)),
        assigned_off_heap_memory: Some(OrderedFloat(0.0)),
    }
}

fn add_topology(sum: &mut storm::OwnerResourceSummary, entry: &Entry) {
    let summary = summary(entry, 0);
    let count = |to: &mut Option<i32>, by: i32| *to = Some(to.unwrap_or(0) + by);
    let amount = |to: &mut Option<OrderedFloat<f64>>, by: &[Option<OrderedFloat<f64>>]| {
        let by: f64 = by.iter().flatten().map(|by| by.0).sum();
        *to = Some(OrderedFloat(to.map_or(0.0, |to| to.0) + by));
    };
    count(&mut sum.total_topologies, 1);
    count(&mut sum.total_executors, summary.num_executors);
    count(&mut sum.total_workers, summary.num_workers);
    count(&mut sum.total_tasks, summary.num_tasks);
    let (on, off) = (summary.assigned_memonheap, summary.assigned_memoffheap);
    amount(&mut sum.memory_usage, &[on, off]);
    amount(&mut sum.cpu_usage, &[summary.assigned_cpu]);
    amount(&mut sum.assigned_on_heap_memory, &[on]);
    amount(&mut sum.assigned_off_heap_memory, &[off]);
    let (on, off) = (summary.requested_memonheap, summary.requested_memoffheap);
    amount(&mut sum.requested_on_heap_memory, &[on]);
    amount(&mut sum.requested_off_heap_memory, &[off]);
    amount(&mut sum.requested_total_memory, &[on, off]);
    amount(&mut sum.requested_cpu, &[summary.requested_cpu]);
}
