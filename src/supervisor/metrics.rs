//! The metrics of a supervisor as Prometheus reads them.
//!
//! Names are Storm's, with colons and hyphens made underscores, where Storm has such a metric.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::process::ProcessId;
use crate::server::MethodCounters;

/// What a supervisor counts; written by the driver and the threads that serve calls.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub launched: AtomicU64,
    pub adopted: AtomicU64,
    pub ended: AtomicU64,
    pub localized: AtomicU64,
    pub not_localized: AtomicU64,
    pub reports: AtomicU64,
    /// Processes of the slots' workers, put in and taken out by those who watch them.
    processes: Mutex<BTreeMap<u16, ProcessId>>,
}

impl Counts {
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// A slot's worker is this process, or there is none.
    pub fn set_process(&self, port: u16, process: Option<ProcessId>) {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        match process {
            Some(process) => processes.insert(port, process),
            None => processes.remove(&port),
        };
    }

    /// The text of all metrics.
    pub fn text(&self, slots: usize, used: usize, methods: &MethodCounters) -> String {
        let mut out = String::with_capacity(4 << 10);
        gauge(&mut out, "supervisor_num_slots", "Slots.", slots);
        gauge(&mut out, "supervisor_num_slots_used_gauge", "Slots with a worker.", used);
        for (name, help, counter) in [
            ("supervisor_num_workers_launched", "Workers launched.", &self.launched),
            (
                "supervisor_num_workers_adopted",
                "Workers found running at the start.",
                &self.adopted,
            ),
            ("supervisor_num_workers_ended", "Workers that have ended.", &self.ended),
            (
                "supervisor_num_topologies_localized",
                "Times a topology's files came.",
                &self.localized,
            ),
            (
                "supervisor_num_topologies_not_localized",
                "Times a topology's files could not be had.",
                &self.not_localized,
            ),
            ("supervisor_num_worker_reports", "Reports of workers taken.", &self.reports),
        ] {
            head(&mut out, &format!("{name}_total"), "counter", help);
            let _ = writeln!(out, "{name}_total {}", counter.load(Ordering::Relaxed));
        }
        self.workers(&mut out);
        for (name, help, of) in [
            ("supervisor_thrift_calls", "Calls carried out, by method.", 0),
            ("supervisor_thrift_call_errors", "Of these, answered with an exception.", 1),
        ] {
            head(&mut out, &format!("{name}_total"), "counter", help);
            for count in methods.methods() {
                let value = [count.calls, count.errors][of];
                let _ = writeln!(out, "{name}_total{{method=\"{}\"}} {value}", count.method);
            }
        }
        out
    }

    fn workers(&self, out: &mut String) {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let used = processes.into_iter().filter_map(|(port, id)| Some((port, id.usage()?)));
        let used: Vec<_> = used.collect();
        let name = "supervisor_worker_memory_resident_bytes";
        head(out, name, "gauge", "Memory of a worker in RAM, by its slot.");
        for (port, usage) in &used {
            let _ = writeln!(out, "{name}{{port=\"{port}\"}} {}", usage.resident_bytes);
        }
        let name = "supervisor_worker_cpu_seconds_total";
        head(out, name, "counter", "Time of a worker on a core since its launch, by its slot.");
        for (port, usage) in &used {
            let _ = writeln!(out, "{name}{{port=\"{port}\"}} {}", usage.cpu.as_secs_f64());
        }
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn gauge(out: &mut String, name: &str, help: &str, value: impl Display) {
    head(out, name, "gauge", help);
    let _ = writeln!(out, "{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_methods_and_what_workers_use_are_told() {
        let counts = Counts::default();
        Counts::add(&counts.launched);
        counts.set_process(6700, Some(ProcessId::own()));
        counts.set_process(6701, Some(ProcessId { pid: 1, start_time: u64::MAX }));
        let methods = MethodCounters::new(&["report"]);
        let text = counts.text(4, 1, &methods);
        for line in [
            "supervisor_num_slots_used_gauge 1",
            "supervisor_num_workers_launched_total 1",
            "supervisor_num_slots 4",
            "supervisor_worker_memory_resident_bytes{port=\"6700\"} ",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("6701"), "a process that is gone uses nothing");
        counts.set_process(6700, None);
        assert!(!counts.text(4, 0, &methods).contains("6700"));
    }
}
