//! A topology's and a component's page, with statistics added up.

use std::collections::BTreeMap;

use nimbus_client::thrift as storm;
use nimbus_client::wire::OrderedFloat;
use serde_json::Value;

use super::info::Errors;
use super::{Running, generic, is_system, real, resources, secs};
use crate::assignment::{OFF_HEAP_MB, ON_HEAP_MB};
use crate::id::ComponentId;
use crate::nimbus::core::Core;
use crate::nimbus::error::NimbusError;
use crate::nimbus::executors::to_wire;
use crate::nimbus::sums::{self, Common, Scope, Sums};
use crate::nimbus::topologies::Entry;
use crate::stats::Window;

impl Core {
    /// A topology's page.
    pub fn topology_page(
        &self,
        entry: &Entry,
        asked: &str,
        with_system: bool,
    ) -> storm::TopologyPageInfo {
        let beats = self.beats.workers(&entry.id);
        let running = self.running(entry, &beats);
        let scope = Scope { window: Window::named(asked).name(), with_system };
        let (spouts, bolts) = self.components(entry, &running, scope);
        let summary = self.topology_summary(entry);
        let resources = resources(entry);
        let debug = entry.base.component_to_debug.get(entry.id.to_string().as_str());
        storm::TopologyPageInfo {
            id: summary.id,
            name: Some(summary.name),
            uptime_secs: Some(summary.uptime_secs),
            status: Some(summary.status),
            num_tasks: Some(summary.num_tasks),
            num_workers: Some(summary.num_workers),
            num_executors: Some(summary.num_executors),
            topology_conf: Some(Value::Object(self.shown_conf(&entry.conf)).to_string()),
            id_to_spout_agg_stats: Some(spouts),
            id_to_bolt_agg_stats: Some(bolts),
            sched_status: summary.sched_status,
            topology_stats: Some(topology_stats(&running, with_system)),
            owner: summary.owner,
            debug_options: debug.map(|debug| (*debug).into()),
            replication_count: Some(1),
            workers: Some(self.worker_summaries(entry, with_system, |_| true)),
            storm_version: summary.storm_version,
            topology_version: summary.topology_version,
            requested_memonheap: summary.requested_memonheap,
            requested_memoffheap: summary.requested_memoffheap,
            requested_cpu: summary.requested_cpu,
            assigned_memonheap: summary.assigned_memonheap,
            assigned_memoffheap: summary.assigned_memoffheap,
            assigned_cpu: summary.assigned_cpu,
            requested_regular_on_heap_memory: real(&resources.requested, ON_HEAP_MB),
            requested_regular_off_heap_memory: real(&resources.requested, OFF_HEAP_MB),
            assigned_regular_on_heap_memory: real(&resources.assigned, ON_HEAP_MB),
            assigned_regular_off_heap_memory: real(&resources.assigned, OFF_HEAP_MB),
            requested_shared_on_heap_memory: Some(OrderedFloat(0.0)),
            requested_shared_off_heap_memory: Some(OrderedFloat(0.0)),
            assigned_shared_on_heap_memory: Some(OrderedFloat(0.0)),
            assigned_shared_off_heap_memory: Some(OrderedFloat(0.0)),
            requested_generic_resources: Some(generic(&resources.requested)),
            assigned_generic_resources: Some(generic(&resources.assigned)),
        }
    }

    /// Sums of each component: those of spouts, those of bolts.
    fn components(
        &self,
        entry: &Entry,
        running: &[Running<'_>],
        scope: Scope<'_>,
    ) -> (Aggregates, Aggregates) {
        let (mut spouts, mut bolts) = (BTreeMap::new(), BTreeMap::new());
        for (id, planned) in &entry.plan.components {
            if planned.tasks == 0 || (!scope.with_system && is_system(id.as_str())) {
                continue;
            }
            let own: Vec<&Running<'_>> = of_component(entry, running, id).collect();
            let mut sums = Sums::default();
            for running in &own {
                if let Some(stats) = running.stats {
                    sums.add(stats, running.uptime_secs, scope);
                }
            }
            let common = Common {
                executors: own.len(),
                tasks: own.iter().map(|running| running.executor.tasks().len()).sum(),
                resources: Some(planned.resources.clone()),
                last_error: self.errors_of(entry, id.as_str(), Errors::One).pop(),
            };
            let into = if planned.is_spout { &mut spouts } else { &mut bolts };
            into.insert(id.to_string(), sums.to_wire(planned.is_spout, common));
        }
        (spouts, bolts)
    }

    /// A component's page.
    ///
    /// # Errors
    /// The topology has no such component.
    pub fn component_page(
        &self,
        entry: &Entry,
        component: &str,
        asked: &str,
        with_system: bool,
    ) -> Result<storm::ComponentPageInfo, NimbusError> {
        let Some(planned) = entry.plan.components.get(component) else {
            return Err(unknown_component(entry, component));
        };
        let id = ComponentId::from(component);
        let beats = self.beats.workers(&entry.id);
        let all = self.running(entry, &beats);
        let own: Vec<&Running<'_>> = of_component(entry, &all, &id).collect();
        let scope = Scope { window: Window::named(asked).name(), with_system };
        let is_spout = planned.is_spout;
        Ok(storm::ComponentPageInfo {
            component_id: component.to_owned(),
            component_type: sums::kind(is_spout),
            topology_id: Some(entry.id.to_string()),
            topology_name: Some(entry.base.name.clone()),
            num_executors: Some(own.len() as i32),
            num_tasks: Some(own.iter().map(|one| one.executor.tasks().len()).sum::<usize>() as i32),
            window_to_stats: Some(window_to_stats(&own, is_spout, with_system)),
            gsid_to_input_stats: (!is_spout).then(|| input_stats(&own, scope)),
            sid_to_output_stats: Some(output_stats(&own, is_spout, scope)),
            exec_stats: Some(executor_stats(&own, component, is_spout, scope)),
            errors: Some(self.errors_of(entry, component, Errors::All)),
            eventlog_host: None,
            eventlog_port: None,
            debug_options: entry
                .base
                .component_to_debug
                .get(component)
                .map(|debug| (*debug).into()),
            topology_status: Some(entry.base.status.to_string()),
            resources_map: Some((&planned.resources).into()),
        })
    }
}

type Aggregates = BTreeMap<String, storm::ComponentAggregateStats>;

fn of_component<'a, 'b>(
    entry: &'a Entry,
    running: &'a [Running<'b>],
    id: &'a ComponentId,
) -> impl Iterator<Item = &'a Running<'b>> {
    running.iter().filter(move |running| entry.component_of(running.executor) == Some(id))
}

/// What no component of the topology is called, with those that it has.
pub fn unknown_component(entry: &Entry, component: &str) -> NimbusError {
    let known: Vec<&str> = entry.plan.components.keys().map(ComponentId::as_str).collect();
    NimbusError::Missing {
        what: format!(
            "topology {} has no component {component}; its components are {}",
            entry.id,
            known.join(", ")
        ),
    }
}

fn topology_stats(running: &[Running<'_>], with_system: bool) -> storm::TopologyStats {
    let mut stats = storm::TopologyStats {
        window_to_emitted: Some(BTreeMap::new()),
        window_to_transferred: Some(BTreeMap::new()),
        window_to_complete_latencies_ms: Some(BTreeMap::new()),
        window_to_acked: Some(BTreeMap::new()),
        window_to_failed: Some(BTreeMap::new()),
    };
    let reported: Vec<_> =
        running.iter().filter_map(|running| Some((running.stats?, running.uptime_secs))).collect();
    for window in Window::ALL.into_iter().filter(|_| !reported.is_empty()) {
        let window = window.name();
        let scope = Scope { window, with_system };
        // Acks of bolts are not those of messages, so only spouts say how messages ended.
        let (mut all, mut spouts) = (Sums::default(), Sums::default());
        for (stats, uptime_secs) in &reported {
            all.add(stats, *uptime_secs, scope);
            if matches!(stats.specific, storm::ExecutorSpecificStats::Spout(_)) {
                spouts.add(stats, *uptime_secs, scope);
            }
        }
        let put = |map: &mut Option<BTreeMap<String, i64>>, value| {
            map.get_or_insert_default().insert(window.to_owned(), value);
        };
        put(&mut stats.window_to_emitted, all.emitted);
        put(&mut stats.window_to_transferred, all.transferred);
        put(&mut stats.window_to_acked, spouts.acked);
        put(&mut stats.window_to_failed, spouts.failed);
        let latency = OrderedFloat(spouts.complete_latency_ms());
        let latencies = stats.window_to_complete_latencies_ms.get_or_insert_default();
        latencies.insert(window.to_owned(), latency);
    }
    stats
}

fn window_to_stats(own: &[&Running<'_>], is_spout: bool, with_system: bool) -> Aggregates {
    let mut by_window = BTreeMap::new();
    if own.iter().all(|running| running.stats.is_none()) {
        return by_window;
    }
    for window in Window::ALL.map(Window::name) {
        let mut sums = Sums::default();
        for running in own {
            if let Some(stats) = running.stats {
                sums.add(stats, running.uptime_secs, Scope { window, with_system });
            }
        }
        by_window.insert(window.to_owned(), sums.to_wire(is_spout, Common::default()));
    }
    by_window
}

fn input_stats(
    own: &[&Running<'_>],
    scope: Scope<'_>,
) -> BTreeMap<storm::GlobalStreamId, storm::ComponentAggregateStats> {
    let mut by_input: BTreeMap<storm::GlobalStreamId, Sums> = BTreeMap::new();
    for stats in own.iter().filter_map(|running| running.stats) {
        let storm::ExecutorSpecificStats::Bolt(bolt) = &stats.specific else { continue };
        for from in sums::inputs(bolt, scope) {
            by_input.entry(from.clone()).or_default().add_input(bolt, from, scope);
        }
    }
    by_input
        .into_iter()
        .map(|(from, sums)| (from, sums.to_wire(false, Common::default())))
        .collect()
}

fn output_stats(own: &[&Running<'_>], is_spout: bool, scope: Scope<'_>) -> Aggregates {
    let mut by_stream: BTreeMap<String, Sums> = BTreeMap::new();
    for stats in own.iter().filter_map(|running| running.stats) {
        for stream in sums::streams(stats, scope) {
            by_stream.entry(stream.to_owned()).or_default().add_output(stats, stream, scope);
        }
        if let storm::ExecutorSpecificStats::Spout(spout) = &stats.specific {
            for stream in sums::spout_streams(spout, scope) {
                let sums = by_stream.entry(stream.to_owned()).or_default();
                sums.add_spout_stream(spout, stream, scope);
            }
        }
    }
    let wire = |(stream, sums): (String, Sums)| (stream, sums.to_wire(is_spout, Common::default()));
    by_stream.into_iter().map(wire).collect()
}

fn executor_stats(
    own: &[&Running<'_>],
    component: &str,
    is_spout: bool,
    scope: Scope<'_>,
) -> Vec<storm::ExecutorAggregateStats> {
    let one = |running: &&Running<'_>| {
        let mut sums = Sums::default();
        if let Some(stats) = running.stats {
            sums.add(stats, running.uptime_secs, scope);
        }
        storm::ExecutorAggregateStats {
            exec_summary: Some(storm::ExecutorSummary {
                executor_info: to_wire(running.executor),
                component_id: component.to_owned(),
                host: running.host.clone(),
                port: i32::from(running.slot.port),
                uptime_secs: secs(i64::from(running.uptime_secs)),
                stats: None,
            }),
            stats: Some(sums.to_wire(is_spout, Common::default())),
        }
    };
    own.iter().map(one).collect()
}
