//! Tells the supervisor every second how this worker does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hdrhistogram::serialization::{Serializer, V2Serializer};
use nimbus_client::client::{SupervisorClient, WorkerGateMethods};
use nimbus_client::native::{LatencyHistogram, ReportedError, WorkerReport};
use nimbus_client::thrift::ClusterWorkerHeartbeat;
use nimbus_client::wire::OrderedFloat;

use super::WorkerArgs;
use super::orders::pause;
use super::stats::Heartbeats;
use super::usage::Usage;
use crate::clock::{Clock, Time, unix_time_ms};
use crate::local::RunningTopology;

/// Time between two reports.
const INTERVAL: Duration = Duration::from_secs(1);

/// The work of the thread that reports; it ends with the process.
pub(super) fn follow(args: Arc<WorkerArgs>, running: RunningTopology) -> impl FnOnce() + Send {
    move || {
        let mut reporter = Reporter {
            gate: args.gate(),
            args,
            running,
            clock: Clock::system(),
            heartbeats: Heartbeats::default(),
            errors: 0,
            unsent: BTreeMap::new(),
        };
        loop {
            reporter.report();
            pause(INTERVAL);
        }
    }
}

struct Reporter {
    args: Arc<WorkerArgs>,
    gate: SupervisorClient,
    running: RunningTopology,
    clock: Clock,
    heartbeats: Heartbeats,
    /// Errors of the topology that were reported already.
    errors: u64,
    /// Latencies that no supervisor has got yet, by component and kind.
    unsent: BTreeMap<(String, String), hdrhistogram::Histogram<u64>>,
}

impl Reporter {
    /// Reports once; what the supervisor does not get is in the next report.
    fn report(&mut self) {
        let now = self.clock.now();
        self.collect_latencies();
        let (errors, errors_after) = self.new_errors(now);
        let usage = Usage::read();
        let report = WorkerReport {
            worker_id: self.args.worker.clone(),
            topology_id: self.args.topology.to_string(),
            port: self.args.port.into(),
            heartbeat: self.heartbeat(now),
            errors,
            histograms: self.histograms(),
            pid: std::process::id() as i32,
            resident_bytes: usage.resident_bytes as i64,
            cpu_seconds: OrderedFloat(usage.cpu_seconds),
            metrics: self.metrics(),
        };
        match self.gate.call(|gate| gate.report(report.clone())) {
            Ok(()) => {
                self.errors = errors_after;
                self.unsent.clear();
            }
            Err(error) => tracing::debug!("the supervisor got no report: {error}"),
        }
    }

    fn heartbeat(&mut self, now: Time) -> ClusterWorkerHeartbeat {
        let stats = self.running.stats();
        ClusterWorkerHeartbeat {
            storm_id: self.args.topology.to_string(),
            executor_stats: self.heartbeats.executor_stats(&stats, now),
            time_secs: (unix_time_ms() / 1_000) as i32,
            uptime_secs: stats.uptime.as_secs() as i32,
        }
    }

    fn collect_latencies(&mut self) {
        for ((component, kind), latencies) in self.running.latency_metrics() {
            let Some(interval) = latencies.take_interval() else { continue };
            let key = (component.as_str().to_owned(), kind);
            let unsent = self.unsent.entry(key).or_insert_with(crate::metrics::new_histogram);
            unsent.add(interval).expect("both have the same bounds");
        }
    }

    fn histograms(&self) -> Vec<LatencyHistogram> {
        let encoded = self.unsent.iter().map(|((component, kind), histogram)| {
            let mut bytes = Vec::new();
            let written = V2Serializer::new().serialize(histogram, &mut bytes);
            written.expect("writing into memory does not fail");
            LatencyHistogram::new(component.clone(), kind.clone(), bytes)
        });
        encoded.collect()
    }

    /// The errors that were kept since the last report, and how many there are then.
    fn new_errors(&self, now: Time) -> (Vec<ReportedError>, u64) {
        let now_ms = unix_time_ms() as i64;
        let (errors, kept) = self.running.errors_since(self.errors);
        let errors = errors.into_iter().map(|error| {
            let age_ms = now.since(error.at).as_millis() as i64;
            ReportedError::new(
                error.component.as_str().to_owned(),
                i32::from(error.task.0),
                error.message,
                now_ms - age_ms,
            )
        });
        (errors.collect(), kept)
    }

    fn metrics(&self) -> BTreeMap<String, i64> {
        let all = self.running.metrics().into_iter();
        all.map(|((component, name), value)| (format!("{component}.{name}"), value)).collect()
    }
}
