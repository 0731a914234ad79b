//! One slot as a state machine: events and time in, effects out; pure.
//!
//! ```text
//!             assigned                            files are there
//!  EMPTY ─────────────▶ WAITING_FOR_BLOB_LOCALIZATION ─────────▶ WAITING_FOR_WORKER_START
//!    ▲                                ▲                              ▲  │        │ heard
//!    │ gone                           │ gone, other work             │  │        ▼
//!    └───────────── KILL ─────────────┘                              │  │     RUNNING
//!                     ▲ ▲                                            │  │        │
//!                     │ └────────── assigned otherwise ──────────────┼──┴────────┤
//!                     │                                     launched │           │
//!                     ├──── KILL_AND_RELAUNCH ───────────────────────┤◀─ silent ─┤
//!                     │                                              │   or gone │
//!                     └──── KILL_BLOB_UPDATE ──▶ WAITING_FOR_BLOB_   │           │
//!                                    ▲                UPDATE ────────┘           │
//!                                    └──────────── file changed ─────────────────┘
//! ```
//!
//! The slot numbers its workers. An event that names another worker than the present one is late
//! and changes nothing.
//!
//! **Invariants**
//! - A worker is launched only after the one before is gone and cleaned up.
//! - Whatever was told to end is waited for, however long that takes, and cleaned up.
//! - A topology whose files the slot asked for is released when the slot no longer needs them.
//! - An assignment with the same executors changes nothing.
//! - A worker that ends is started again at once the first time, then after ever longer waits.
//!
//! **Runs on** the thread that drives the supervisor's slots. It calls [`Slot::on`] with
//! [`Event::Tick`] at [`Slot::next_deadline`], and with every other event when it happens.
//!
//! **Not here:** fetching files, processes, reading heartbeats: the effects say what to do.

mod event;
#[cfg(test)]
mod properties;
mod state;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use nimbus_client::TopologyId;

pub use event::{Effect, End, Event, Report, WorkerNumber};
use state::{Live, State};

use crate::clock::Time;
use crate::id::ExecutorId;

/// What a slot is to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalAssignment {
    /// The topology.
    pub topology: TopologyId,
    /// Its executors in this slot.
    pub executors: BTreeSet<ExecutorId>,
}

/// How long a slot waits for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For the first heartbeat of a new worker: `supervisor.worker.start.timeout.secs`.
    pub start: Duration,
    /// Between two heartbeats: `supervisor.worker.timeout.secs`.
    pub worker: Duration,
    /// For a worker to end when asked to: `supervisor.worker.shutdown.sleep.secs`.
    pub kill_grace: Duration,
    /// Before files are asked for again; where they were refused it doubles each time.
    pub localize_retry: Duration,
    /// The longest wait before files that were refused are looked at again.
    pub longest_localize_retry: Duration,
    /// Once it has run that long, a worker's earlier failures are forgotten.
    pub stable: Duration,
    /// The longest wait before a worker that keeps ending is started again.
    pub longest_backoff: Duration,
}

impl Default for Timeouts {
    /// Storm's defaults, and a wait of half a minute at most between failures.
    fn default() -> Self {
        Self {
            start: Duration::from_secs(120),
            worker: Duration::from_secs(30),
            kill_grace: Duration::from_secs(3),
            localize_retry: Duration::from_secs(3),
            longest_localize_retry: Duration::from_secs(60),
            stable: Duration::from_secs(60),
            longest_backoff: Duration::from_secs(30),
        }
    }
}

/// A slot of a supervisor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    timeouts: Timeouts,
    /// What it was told to run last.
    wanted: Option<LocalAssignment>,
    state: State,
    /// The worker before; 0 if there was none.
    last_worker: u64,
    /// How often a worker of the present assignment ended too early, in a row.
    failures: u32,
    /// What kept the files of the present assignment away, since they were here last.
    missing: Option<Missing>,
}

/// Why files are not here, and how often that was the answer in a row.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Missing {
    why: String,
    times: u32,
}

impl Slot {
    /// A slot without a worker.
    pub fn new(timeouts: Timeouts) -> Self {
        let (wanted, state) = (None, State::Empty);
        Self { timeouts, wanted, state, last_worker: 0, failures: 0, missing: None }
    }

    /// A slot whose worker, number 1, was found running when the supervisor started.
    ///
    /// Whoever calls this has made sure that it is the same process, by pid and start time, and
    /// that the files of its topology are kept.
    pub fn adopted(
        timeouts: Timeouts,
        assignment: LocalAssignment,
        worker_timeout: Option<Duration>,
        now: Time,
    ) -> Self {
        let worker_timeout = worker_timeout.unwrap_or(timeouts.worker).max(timeouts.worker);
        let wanted = Some(assignment.clone());
        let live = Live { assignment, worker: WorkerNumber(1), worker_timeout };
        let state = State::Running { live, since: now, heard: now };
        Self { timeouts, wanted, state, last_worker: 1, failures: 0, missing: None }
    }

    /// Takes an event at `now` and answers what has to be done, in this order.
    pub fn on(&mut self, event: Event, now: Time) -> Vec<Effect> {
        let mut effects = Vec::new();
        let state = std::mem::replace(&mut self.state, State::Empty);
        let out = &mut effects;
        self.state = match event {
            Event::Assign(wanted) => self.assign(wanted, state, now, out),
            Event::Localized { topology, worker_timeout } => {
                self.localized(&topology, worker_timeout, state, now, out)
            }
            Event::LocalizationFailed { topology, why, refused } => {
                self.localization_failed((topology, why, refused), state, now, out)
            }
            Event::Heartbeat { worker } => self.heartbeat(worker, state, now),
            Event::Ended { worker, end } => self.ended(worker, end, state, now, out),
            Event::BlobChanged { topology } => self.blob_changed(&topology, state, now, out),
            Event::Restart { topology } => self.restart(&topology, state, now, out),
            Event::Tick => self.tick(state, now, out),
        };
        effects
    }

    /// When [`Event::Tick`] is due; none if nothing is waited for by time.
    pub fn next_deadline(&self) -> Option<Time> {
        self.state.deadline()
    }

    /// Storm's name of the state.
    pub fn state_name(&self) -> &'static str {
        self.state.name()
    }

    /// What runs, is to run, or is about to end here.
    pub fn assignment(&self) -> Option<&LocalAssignment> {
        self.state.assignment()
    }

    /// The worker that is there, starting and ending ones included.
    pub fn worker(&self) -> Option<WorkerNumber> {
        self.state.worker()
    }
}
