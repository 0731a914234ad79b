//! Workers and supervisors.

use std::collections::{BTreeMap, BTreeSet};

use nimbus_client::thrift as storm;
use nimbus_client::wire::OrderedFloat;

use super::{host_of, is_system, real, secs};
use crate::assignment::{CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB, WorkerSlot};
use crate::id::SupervisorId;
use crate::nimbus::core::Core;
use crate::nimbus::error::NimbusError;
use crate::nimbus::supervisors::Supervisor;
use crate::nimbus::topologies::Entry;

impl Core {
    /// All supervisors.
    pub fn supervisor_summaries(&self) -> Vec<storm::SupervisorSummary> {
        let used = self.used();
        self.supervisors.all().values().map(|found| summary(found, &used)).collect()
    }

    /// A supervisor by its id, or all of a host.
    ///
    /// # Errors
    /// There is none.
    pub fn supervisor_page(
        &self,
        id: &str,
        host: &str,
        with_system: bool,
    ) -> Result<storm::SupervisorPageInfo, NimbusError> {
        let all = self.supervisors.all();
        let is_asked = |found: &&Supervisor| {
            if id.is_empty() { found.info.hostname == host } else { found.id == *id }
        };
        let found: Vec<&Supervisor> = all.values().filter(is_asked).collect();
        if found.is_empty() {
            return Err(missing(id, host, &all));
        }
        let used = self.used();
        let ids: BTreeSet<&SupervisorId> = found.iter().map(|found| &found.id).collect();
        let mut workers = Vec::new();
        for entry in self.topologies.all() {
            let own =
                self.worker_summaries(&entry, with_system, |slot| ids.contains(&slot.supervisor));
            workers.extend(own);
        }
        Ok(storm::SupervisorPageInfo {
            supervisor_summaries: Some(found.iter().map(|found| summary(found, &used)).collect()),
            worker_summaries: Some(workers),
        })
    }

    /// A topology's workers in the slots that are wanted.
    pub fn worker_summaries(
        &self,
        entry: &Entry,
        with_system: bool,
        wanted: impl Fn(&WorkerSlot) -> bool,
    ) -> Vec<storm::WorkerSummary> {
        let Some(assignment) = &entry.assignment else {
            return Vec::new();
        };
        let beats = self.beats.workers(&entry.id);
        let now = self.now_secs();
        let mut workers = Vec::new();
        for (slot, executors) in assignment.slot_to_executors() {
            if !wanted(&slot) {
                continue;
            }
            let mut component_to_num_tasks = BTreeMap::new();
            for executor in &executors {
                let Some(component) = entry.component_of(*executor) else { continue };
                if with_system || !is_system(component.as_str()) {
                    let tasks = executor.tasks().len() as i64;
                    *component_to_num_tasks.entry(component.to_string()).or_insert(0) += tasks;
                }
            }
            let report = beats.get(&slot).and_then(|beat| beat.report.as_ref());
            let starts =
                executors.iter().filter_map(|id| assignment.executor_to_start_secs.get(id));
            let since = starts.max().copied().unwrap_or(now);
            let uptime =
                report.map_or_else(|| secs(now - since), |report| report.heartbeat.uptime_secs);
            let amounts = assignment.slot_to_resources.get(&slot).cloned().unwrap_or_default();
            workers.push(storm::WorkerSummary {
                supervisor_id: Some(slot.supervisor.to_string()),
                host: Some(host_of(assignment, &slot)),
                port: Some(i32::from(slot.port)),
                topology_id: Some(entry.id.to_string()),
                topology_name: Some(entry.base.name.clone()),
                num_executors: Some(executors.len() as i32),
                component_to_num_tasks: Some(component_to_num_tasks),
                time_secs: report.map(|report| report.heartbeat.time_secs),
                uptime_secs: Some(uptime),
                assigned_memonheap: real(&amounts.own, ON_HEAP_MB),
                assigned_memoffheap: real(&amounts.own, OFF_HEAP_MB),
                assigned_cpu: real(&amounts.own, CPU_PERCENT),
                owner: entry.base.owner.clone(),
                ..Default::default()
            });
        }
        workers
    }

    /// Ports that topologies use, with memory and processor time, by supervisor.
    fn used(&self) -> BTreeMap<SupervisorId, Used> {
        let mut used: BTreeMap<SupervisorId, Used> = BTreeMap::new();
        for entry in self.topologies.all() {
            for slot in entry.slots() {
                let of = used.entry(slot.supervisor.clone()).or_default();
                of.ports.insert(slot.port);
                let assignment = entry.assignment.as_ref();
                if let Some(amounts) = assignment.and_then(|of| of.slot_to_resources.get(&slot)) {
                    of.memory_mb += amounts.own.of(ON_HEAP_MB) + amounts.own.of(OFF_HEAP_MB);
                    of.cpu_percent += amounts.own.of(CPU_PERCENT);
                }
            }
        }
        used
    }
}

#[derive(Default)]
struct Used {
    ports: BTreeSet<u16>,
    memory_mb: f64,
    cpu_percent: f64,
}

fn summary(found: &Supervisor, used: &BTreeMap<SupervisorId, Used>) -> storm::SupervisorSummary {
    let used = used.get(&found.id);
    let info = &found.info;
    storm::SupervisorSummary {
        host: info.hostname.clone(),
        uptime_secs: secs(info.uptime_secs.unwrap_or_default()),
        num_workers: found.ports().len() as i32,
        num_used_workers: used.map_or(0, |used| used.ports.len()) as i32,
        supervisor_id: found.id.to_string(),
        version: info.version.clone(),
        total_resources: info.resources_map.clone(),
        used_mem: Some(OrderedFloat(used.map_or(0.0, |used| used.memory_mb))),
        used_cpu: Some(OrderedFloat(used.map_or(0.0, |used| used.cpu_percent))),
        fragmented_mem: None,
        fragmented_cpu: None,
        blacklisted: Some(found.is_missed),
        used_generic_resources: None,
    }
}

fn missing(id: &str, host: &str, all: &BTreeMap<SupervisorId, Supervisor>) -> NimbusError {
    let asked = match (id, host) {
        ("", "") => "name a supervisor by its id or its host".to_owned(),
        ("", host) => format!("there is no supervisor on host {host}"),
        (id, _) => format!("there is no supervisor {id}"),
    };
    let known: Vec<String> =
        all.values().map(|found| format!("{} on {}", found.id, found.info.hostname)).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    NimbusError::Missing { what: format!("{asked}; supervisors that are there: {known}") }
}
