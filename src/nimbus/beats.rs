//! What workers and supervisors told this Nimbus, and when by its own clock.
//!
//! **Invariants.** Only the newest report of a worker is kept; histograms, which come as intervals,
//! are added up since the worker began. What belongs to no known slot is refused by the caller.
//!
//! **Runs on** the threads that serve calls, which write, and the one that schedules, which reads;
//! the lock is held for a look-up or for taking over one report.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nimbus_client::TopologyId;
use nimbus_client::native::WorkerReport;

use super::histograms::Histograms;
use crate::assignment::WorkerSlot;
use crate::clock::Time;
use crate::id::{ExecutorId, SupervisorId};

/// What was heard.
#[derive(Debug, Default)]
pub struct Beats(Mutex<Heard>);

#[derive(Debug, Default)]
struct Heard {
    supervisors: BTreeMap<SupervisorId, Time>,
    workers: HashMap<TopologyId, BTreeMap<WorkerSlot, Beat>>,
}

/// The newest of one worker.
#[derive(Clone, Debug)]
pub struct Beat {
    /// When it was heard.
    pub heard: Time,
    /// The executors that it runs.
    pub executors: Vec<ExecutorId>,
    /// Its statistics, if it sends any.
    pub report: Option<Arc<WorkerReport>>,
    /// Its latencies since it began.
    pub histograms: Histograms,
}

impl Beats {
    /// A supervisor said something.
    pub fn supervisor(&self, id: SupervisorId, now: Time) {
        self.lock().supervisors.insert(id, now);
    }

    /// A worker runs these executors.
    pub fn worker(&self, id: &TopologyId, slot: WorkerSlot, executors: Vec<ExecutorId>, now: Time) {
        let mut heard = self.lock();
        let slots = heard.workers.entry(id.clone()).or_default();
        match slots.get_mut(&slot) {
            Some(beat) => {
                beat.heard = now;
                beat.executors = executors;
            }
            None => {
                slots.insert(slot, Beat::new(executors, now));
            }
        }
    }

    /// A worker sent its statistics.
    pub fn report(
        &self,
        id: &TopologyId,
        slot: WorkerSlot,
        executors: Vec<ExecutorId>,
        report: WorkerReport,
        now: Time,
    ) {
        let mut heard = self.lock();
        let slots = heard.workers.entry(id.clone()).or_default();
        let beat = slots.entry(slot).or_insert_with(|| Beat::new(executors.clone(), now));
        let same = beat.report.as_ref().is_none_or(|old| old.worker_id == report.worker_id);
        if !same {
            beat.histograms = Histograms::default();
        }
        beat.histograms.add(&report.histograms);
        beat.heard = now;
        beat.executors = executors;
        beat.report = Some(Arc::new(report));
    }

    /// When each supervisor was last heard.
    pub fn supervisors(&self) -> BTreeMap<SupervisorId, Time> {
        self.lock().supervisors.clone()
    }

    /// When a worker was last heard.
    pub fn heard(&self, id: &TopologyId, slot: &WorkerSlot) -> Option<Time> {
        Some(self.lock().workers.get(id)?.get(slot)?.heard)
    }

    /// The newest of all workers of a topology.
    pub fn workers(&self, id: &TopologyId) -> BTreeMap<WorkerSlot, Beat> {
        self.lock().workers.get(id).cloned().unwrap_or_default()
    }

    /// Forgets workers of a topology that are not in `slots`.
    pub fn retain(&self, id: &TopologyId, slots: &std::collections::BTreeSet<WorkerSlot>) {
        if let Some(workers) = self.lock().workers.get_mut(id) {
            workers.retain(|slot, _| slots.contains(slot));
        }
    }

    /// Forgets a topology.
    pub fn forget(&self, id: &TopologyId) {
        self.lock().workers.remove(id);
    }

    /// Forgets supervisors that are not among these.
    pub fn retain_supervisors(&self, keep: impl Fn(&SupervisorId) -> bool) {
        self.lock().supervisors.retain(|id, _| keep(id));
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beat {
    fn new(executors: Vec<ExecutorId>, heard: Time) -> Self {
        Self { heard, executors, report: None, histograms: Histograms::default() }
    }
}
