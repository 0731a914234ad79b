//! What workers and supervisors of this engine and of Apache Storm report.

use nimbus_client::native::{ReportedError, WorkerReport};
use nimbus_client::thrift as storm;

use super::core::Core;
use super::error::NimbusError;
use super::executors;
use super::topologies::Entry;
use crate::assignment::WorkerSlot;
use crate::id::SupervisorId;

/// The component of errors that are a worker's and not a component's.
const SYSTEM: &str = "__system";

/// Most reports of one call.
const REPORTS: usize = 4096;

impl Core {
    /// A supervisor passes on what its workers said.
    ///
    /// # Errors
    /// There are too many at once.
    pub fn take_reports(
        &self,
        supervisor: &str,
        reports: Vec<WorkerReport>,
    ) -> Result<(), NimbusError> {
        if reports.len() > REPORTS {
            let what =
                format!("{} reports at once, {REPORTS} are taken: send fewer", reports.len());
            return Err(NimbusError::Busy { what });
        }
        let supervisor = self.hear(supervisor);
        for mut report in reports {
            let Ok(port) = u16::try_from(report.port) else { continue };
            let slot = WorkerSlot { supervisor: supervisor.clone(), port };
            // A worker that is on its way out still reports; that must not bring it back.
            let Some(entry) = self.assigned(&report.topology_id, &slot) else { continue };
            self.counts.reports.add(1);
            self.keep_errors(&entry, &slot, &std::mem::take(&mut report.errors));
            let running = executors::from_wire(report.heartbeat.executor_stats.keys());
            if running.is_empty() {
                // A supervisor tells how a worker ended; that is no sign of the worker's life.
                continue;
            }
            self.beats.report(&entry.id, slot, running, report, self.clock.now());
        }
        Ok(())
    }

    /// A supervisor says which of its workers live.
    pub fn take_heartbeats(&self, heartbeats: storm::SupervisorWorkerHeartbeats) {
        let supervisor = self.hear(&heartbeats.supervisor_id);
        for heartbeat in heartbeats.worker_heartbeats {
            self.take_heartbeat(Some(&supervisor), &heartbeat);
        }
    }

    /// A worker lives; without a supervisor its slot is found by its executors.
    pub fn take_heartbeat(
        &self,
        supervisor: Option<&SupervisorId>,
        heartbeat: &storm::SupervisorWorkerHeartbeat,
    ) {
        let Ok(entry) = self.topologies.by_id(&heartbeat.storm_id) else { return };
        let running = executors::from_wire(&heartbeat.executors);
        let Some(assignment) = &entry.assignment else { return };
        let slot = running.iter().find_map(|executor| assignment.executor_to_slot.get(executor));
        let Some(slot) = slot else { return };
        if supervisor.is_none_or(|supervisor| *supervisor == slot.supervisor) {
            self.beats.worker(&entry.id, slot.clone(), running, self.clock.now());
        }
    }

    /// The newest report of each worker of a topology, with its latencies since it began.
    pub fn worker_reports(&self, entry: &Entry) -> Vec<WorkerReport> {
        let beats = self.beats.workers(&entry.id);
        let report = |beat: &super::beats::Beat| {
            let mut report = (**beat.report.as_ref()?).clone();
            report.histograms = beat.histograms.to_wire();
            Some(report)
        };
        beats.values().filter_map(report).collect()
    }

    fn hear(&self, supervisor: &str) -> SupervisorId {
        let id = SupervisorId::from(supervisor);
        // Only those that are there are remembered, so that a made-up name takes no memory.
        if self.supervisors.get(&id).is_some() {
            self.beats.supervisor(id.clone(), self.clock.now());
        }
        id
    }

    fn assigned(&self, id: &str, slot: &WorkerSlot) -> Option<std::sync::Arc<Entry>> {
        let entry = self.topologies.by_id(id).ok()?;
        entry.slots().contains(slot).then_some(entry)
    }

    fn keep_errors(&self, entry: &Entry, slot: &WorkerSlot, errors: &[ReportedError]) {
        let assignment = entry.assignment.as_ref();
        let host = assignment.and_then(|of| of.address_of(slot)).map(|(host, _)| host.to_owned());
        for error in errors {
            let component = error.component_id.as_str();
            if component != SYSTEM && !entry.plan.components.contains_key(component) {
                continue;
            }
            let info = storm::ErrorInfo {
                error: error.error.chars().take(ERROR_CHARS).collect(),
                error_time_secs: (error.time_ms / 1000) as i32,
                host: host.clone(),
                port: Some(i32::from(slot.port)),
            };
            let kept =
                self.shared.with(|state| state.report_error(&entry.id, &error.component_id, &info));
            if let Err(failed) = kept {
                tracing::warn!(
                    "an error of {} of {} is lost, the shared state failed: {failed}",
                    error.component_id,
                    entry.id
                );
            }
        }
    }
}

/// Characters of an error that are kept; a stack of calls has some thousand.
const ERROR_CHARS: usize = 32 << 10;
