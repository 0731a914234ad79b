//! Passes on to Nimbus what workers report, at most a second later.
//!
//! What Nimbus cannot be told now is kept: of each worker its newest heartbeat, and its errors and
//! latencies up to a bound, so that none is lost while Nimbus is started again.
//!
//! **Runs on** a thread of its own, which sleeps while nothing is reported.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use nimbus_client::client::{ClientError, NimbusClient, NimbusMethods, SupervisorGateMethods};
use nimbus_client::native::WorkerReport;
use nimbus_client::thrift::{SupervisorWorkerHeartbeat, SupervisorWorkerHeartbeats};
use nimbus_client::wire::ApplicationErrorKind;

/// Reports that arrive within this time of the first one travel together.
const GATHER: Duration = Duration::from_millis(500);
/// Rest after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Errors, and latencies, that are kept of a worker while Nimbus is away.
const KEPT: usize = 1_000;

/// The way up; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Uplink(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Held while a report is put in or all are taken out.
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    worker_to_report: BTreeMap<String, WorkerReport>,
    is_closed: bool,
}

impl Uplink {
    /// Has a report passed on.
    pub fn put(&self, report: WorkerReport) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let reports = &mut waiting.worker_to_report;
        match reports.remove(&report.worker_id) {
            Some(before) => {
                reports.insert(report.worker_id.clone(), joined(before, report));
            }
            None => {
                reports.insert(report.worker_id.clone(), report);
            }
        }
        drop(waiting);
        self.0.arrived.notify_all();
    }

    /// Ends [`run`](Self::run) after what is waiting was sent once.
    pub fn close(&self) {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        self.0.arrived.notify_all();
    }

    /// Sends until it is closed.
    pub fn run(&self, supervisor_id: &str, mut nimbus: NimbusClient) {
        let mut is_failing = false;
        loop {
            let (reports, is_closed) = self.take();
            if !reports.is_empty() {
                match send(&mut nimbus, supervisor_id, &reports) {
                    Ok(()) if is_failing => {
                        tracing::info!("Nimbus takes reports again");
                        is_failing = false;
                    }
                    Ok(()) => {}
                    Err(error) => {
                        if !is_failing {
                            tracing::warn!("workers' reports wait: {error}");
                            is_failing = true;
                        }
                        reports.into_values().for_each(|report| self.put_back(report));
                        self.rest(RETRY);
                    }
                }
            }
            if is_closed {
                return;
            }
        }
    }

    /// Waits for a report, then for those that come soon after, and takes them all.
    fn take(&self) -> (BTreeMap<String, WorkerReport>, bool) {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle =
            |waiting: &mut Waiting| waiting.worker_to_report.is_empty() && !waiting.is_closed;
        let first = self.0.arrived.wait_while(waiting, is_idle);
        drop(first.unwrap_or_else(PoisonError::into_inner));
        self.rest(GATHER);
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut waiting.worker_to_report), waiting.is_closed)
    }

    /// Sleeps, unless it is closed.
    fn rest(&self, time: Duration) {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let rested = self.0.arrived.wait_timeout_while(waiting, time, |waiting| !waiting.is_closed);
        drop(rested);
    }

    /// Puts back what was not sent, below what has come since.
    fn put_back(&self, before: WorkerReport) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let reports = &mut waiting.worker_to_report;
        let joined = match reports.remove(&before.worker_id) {
            Some(newer) => joined(before, newer),
            None => before,
        };
        reports.insert(joined.worker_id.clone(), joined);
    }
}

/// The newer report, with the errors and latencies of both.
fn joined(mut before: WorkerReport, mut newer: WorkerReport) -> WorkerReport {
    before.errors.append(&mut newer.errors);
    before.histograms.append(&mut newer.histograms);
    let too_many = before.errors.len().saturating_sub(KEPT);
    before.errors.drain(..too_many);
    let too_many = before.histograms.len().saturating_sub(KEPT);
    before.histograms.drain(..too_many);
    WorkerReport { errors: before.errors, histograms: before.histograms, ..newer }
}

/// Both calls may be repeated after a failure: what is counted twice then is the same interval of
/// latencies, which is better than none.
fn send(
    nimbus: &mut NimbusClient,
    supervisor_id: &str,
    reports: &BTreeMap<String, WorkerReport>,
) -> Result<(), ClientError> {
    let all: Vec<WorkerReport> = reports.values().cloned().collect();
    let told = nimbus.call(|nimbus| nimbus.report_workers(supervisor_id.to_owned(), all.clone()));
    match told {
        // A stock Nimbus is told what it understands.
        Err(ClientError::Server { kind: ApplicationErrorKind::UnknownMethod, .. }) | Ok(()) => {}
        Err(error) => return Err(error),
    }
    let beats: Vec<_> = reports.values().filter_map(beat).collect();
    let beats = SupervisorWorkerHeartbeats::new(supervisor_id.to_owned(), beats);
    nimbus.call(|nimbus| nimbus.send_supervisor_worker_heartbeats(beats.clone()))
}

/// A report as Storm's heartbeat; none for the last words of a worker that is gone.
fn beat(report: &WorkerReport) -> Option<SupervisorWorkerHeartbeat> {
    let executors: Vec<_> = report.heartbeat.executor_stats.keys().cloned().collect();
    let beat = || {
        let time_secs = report.heartbeat.time_secs;
        SupervisorWorkerHeartbeat::new(report.topology_id.clone(), executors.clone(), time_secs)
    };
    (!executors.is_empty()).then(beat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nimbus_client::native::ReportedError;
    use nimbus_client::thrift::ClusterWorkerHeartbeat;

    fn report(time_secs: i32, error: &str) -> WorkerReport {
        WorkerReport {
            worker_id: "w".to_owned(),
            topology_id: "wc-1-1".to_owned(),
            port: 6700,
            heartbeat: ClusterWorkerHeartbeat::new(
                "wc-1-1".to_owned(),
                BTreeMap::new(),
                time_secs,
                0,
            ),
            errors: vec![ReportedError::new("split".to_owned(), 1, error.to_owned(), 0)],
            histograms: vec![],
            pid: 1,
            resident_bytes: 0,
            cpu_seconds: 0.0.into(),
            metrics: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_not_sent_is_sent_with_what_comes_later() {
        let uplink = Uplink::default();
        uplink.put(report(1, "first"));
        uplink.close();
        let (taken, is_closed) = uplink.take();
        assert!(is_closed);
        uplink.put(report(3, "third"));
        uplink.put(report(4, "fourth"));
        taken.into_values().for_each(|report| uplink.put_back(report));
        let (taken, _) = uplink.take();
        let joined = &taken["w"];
        assert_eq!(joined.heartbeat.time_secs, 4);
        let errors: Vec<&str> = joined.errors.iter().map(|error| error.error.as_str()).collect();
        assert_eq!(errors, ["first", "third", "fourth"]);
    }

    #[test]
    fn what_is_kept_of_a_worker_is_bounded() {
        let uplink = Uplink::default();
        (0..2 * KEPT as i32).for_each(|time| uplink.put(report(time, &time.to_string())));
        uplink.close();
        let (taken, _) = uplink.take();
        assert_eq!(taken["w"].errors.len(), KEPT);
        assert_eq!(taken["w"].errors[0].error, KEPT.to_string());
    }
}
