//! The metrics of Nimbus as Prometheus reads them.
//!
//! Names are Storm's with dots and hyphens made underscores, `nimbus_num_submit_topology_calls` say;
//! what a topology's components count has the names of Storm's v2 metrics with topology and component
//! as labels.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::core::Core;
use super::sums::{Scope, Sums};
use super::topologies::Entry;
use crate::server::{LATENCY_BUCKETS, MethodCounters};

/// Series of components that are written at most, so that a scrape stays small.
const COMPONENTS: usize = 20_000;

/// The text of all metrics.
pub fn text(core: &Core, counters: &MethodCounters) -> String {
    let mut out = String::with_capacity(16 << 10);
    nimbus(core, &mut out);
    supervisors(core, &mut out);
    topologies(core, &mut out);
    methods(counters, &mut out);
    out
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn single(out: &mut String, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
    head(out, name, kind, help);
    let _ = writeln!(out, "{name} {value}");
}

fn nimbus(core: &Core, out: &mut String) {
    let entries = core.topologies.all();
    let counts = &core.counts;
    let up = core.clock.now().since(core.started).as_secs();
    single(out, "nimbus_uptime_secs", "gauge", "Seconds since Nimbus started.", up);
    single(out, "nimbus_num_topologies", "gauge", "Topologies not yet removed.", entries.len());
    let active = entries.iter().filter(|entry| entry.base.status.is_active()).count();
    single(out, "nimbus_num_active_topologies", "gauge", "Topologies that are ACTIVE.", active);
    let running: usize = entries.iter().map(|entry| entry.slots().len()).sum();
    single(out, "nimbus_num_used_slots", "gauge", "Slots with a worker.", running);
    for (name, help, value) in [
        ("nimbus_topologies_submitted", "Topologies submitted.", counts.submitted.get()),
        ("nimbus_topologies_killed", "Kills asked for.", counts.killed.get()),
        ("nimbus_topologies_removed", "Topologies removed after a kill.", counts.removed.get()),
        ("nimbus_rebalances", "Rebalances carried out.", counts.rebalanced.get()),
        ("nimbus_scheduling_rounds", "Scheduling rounds.", counts.rounds.get()),
        ("nimbus_scheduling_rounds_failed", "Rounds that failed.", counts.failed_rounds.get()),
        ("nimbus_worker_reports", "Reports of workers taken.", counts.reports.get()),
        ("nimbus_cleaned_up", "Leftovers deleted.", counts.cleaned.get()),
        ("nimbus_assignments_pushed", "Pushes that arrived.", core.push.pushed.get()),
        ("nimbus_assignments_push_failed", "Pushes that did not.", core.push.failed.get()),
    ] {
        single(out, &format!("{name}_total"), "counter", help, value);
    }
}

fn supervisors(core: &Core, out: &mut String) {
    let all = core.supervisors.all();
    let slots: usize = all.values().map(|found| found.ports().len()).sum();
    let missed = all.values().filter(|found| found.is_missed).count();
    single(out, "nimbus_num_supervisors", "gauge", "Supervisors that are there.", all.len());
    single(out, "nimbus_num_missed_supervisors", "gauge", "Of these, silent for too long.", missed);
    single(out, "nimbus_num_slots", "gauge", "Slots of all supervisors.", slots);
}

/// One series per component, by the name of the metric.
type Series = BTreeMap<&'static str, Vec<(String, f64)>>;

fn topologies(core: &Core, out: &mut String) {
    let mut series = Series::new();
    let mut written = 0;
    for entry in core.topologies.all() {
        written += entry.plan.components.len();
        if written > COMPONENTS {
            single(out, "nimbus_metrics_cut", "gauge", "Not all components are shown.", 1);
            break;
        }
        of_topology(core, &entry, &mut series);
    }
    for (name, values) in series {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        head(out, name, kind, "As Storm's metric of that name, since the worker began.");
        for (labels, value) in values {
            let _ = writeln!(out, "{name}{{{labels}}} {value}");
        }
    }
}

fn of_topology(core: &Core, entry: &Entry, series: &mut Series) {
    let beats = core.beats.workers(&entry.id);
    let scope = Scope { window: ":all-time", with_system: true };
    let mut by_component: BTreeMap<&str, Sums> = BTreeMap::new();
    for report in beats.values().filter_map(|beat| beat.report.as_ref()) {
        for (executor, stats) in &report.heartbeat.executor_stats {
            let ids = super::executors::from_wire([executor]);
            let component = ids.first().and_then(|id| entry.component_of(*id));
            let Some(component) = component else { continue };
            let sums = by_component.entry(component.as_str()).or_default();
            sums.add(stats, report.heartbeat.uptime_secs, scope);
        }
        let worker = format!("topology=\"{}\",port=\"{}\"", label(&entry.base.name), report.port);
        let mut put = |name, value| series.entry(name).or_default().push((worker.clone(), value));
        put("storm_worker_memory_resident_bytes", report.resident_bytes as f64);
        put("storm_worker_cpu_seconds_total", report.cpu_seconds.0);
        put("storm_worker_uptime_secs", f64::from(report.heartbeat.uptime_secs));
    }
    for (component, sums) in by_component {
        let labels =
            format!("topology=\"{}\",component=\"{}\"", label(&entry.base.name), label(component));
        let is_spout = entry.plan.components.get(component).is_some_and(|one| one.is_spout);
        let mut put = |name, value| series.entry(name).or_default().push((labels.clone(), value));
        put("storm_topology_emit_count_total", sums.emitted as f64);
        put("storm_topology_transfer_count_total", sums.transferred as f64);
        put("storm_topology_ack_count_total", sums.acked as f64);
        put("storm_topology_fail_count_total", sums.failed as f64);
        if is_spout {
            put("storm_topology_complete_latency_ms", sums.complete_latency_ms());
        } else {
            put("storm_topology_execute_count_total", sums.executed as f64);
            put("storm_topology_execute_latency_ms", sums.execute_latency_ms());
            put("storm_topology_process_latency_ms", sums.process_latency_ms());
            put("storm_topology_capacity", sums.capacity);
        }
    }
}

fn methods(counters: &MethodCounters, out: &mut String) {
    for (name, help, value) in counters.connections() {
        let (name, kind) = match name {
            "open" => ("nimbus_thrift_connections_open".to_owned(), "gauge"),
            other => (format!("nimbus_thrift_{other}_total"), "counter"),
        };
        single(out, &name, kind, &format!("{help}."), value);
    }
    let methods = counters.methods();
    head(out, "nimbus_thrift_calls_total", "counter", "Calls carried out, by method.");
    for count in &methods {
        let _ = writeln!(
            out,
            "nimbus_thrift_calls_total{{method=\"{}\"}} {}",
            count.method, count.calls
        );
    }
    head(
        out,
        "nimbus_thrift_call_errors_total",
        "counter",
        "Of these, answered with an exception.",
    );
    for count in &methods {
        let (method, errors) = (count.method, count.errors);
        let _ = writeln!(out, "nimbus_thrift_call_errors_total{{method=\"{method}\"}} {errors}");
    }
    head(out, "nimbus_thrift_calls_refused_total", "counter", "Calls that were not allowed.");
    for count in &methods {
        let (method, refused) = (count.method, count.refused);
        let _ = writeln!(out, "nimbus_thrift_calls_refused_total{{method=\"{method}\"}} {refused}");
    }
    let name = "nimbus_thrift_call_seconds";
    head(out, name, "histogram", "Time from a whole frame to its answer, by method.");
    for count in &methods {
        let method = count.method;
        let mut below = 0;
        for (bound, calls) in LATENCY_BUCKETS.iter().zip(count.buckets) {
            below += calls;
            let bound = *bound as f64 / 1e6;
            let _ = writeln!(out, "{name}_bucket{{method=\"{method}\",le=\"{bound}\"}} {below}");
        }
        let (calls, sum) = (count.calls, count.total.as_secs_f64());
        let _ = writeln!(out, "{name}_bucket{{method=\"{method}\",le=\"+Inf\"}} {calls}");
        let _ = writeln!(out, "{name}_sum{{method=\"{method}\"}} {sum}");
        let _ = writeln!(out, "{name}_count{{method=\"{method}\"}} {calls}");
    }
}

/// A text as the value of a label.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
