//! The states of a slot, each with what is known in it and nowhere else.

use std::time::Duration;

use nimbus_client::TopologyId;

use super::{LocalAssignment, WorkerNumber};
use crate::clock::Time;

/// Where a slot is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Nothing is here and nothing is wanted.
    Empty,
    /// Files of the topology are fetched; no worker is here.
    WaitingForBlobLocalization {
        assignment: LocalAssignment,
        /// When they are asked for again; none while an answer is waited for.
        retry: Option<Time>,
    },
    /// A worker was launched and not heard yet.
    WaitingForWorkerStart {
        live: Live,
        /// When it is taken for dead.
        deadline: Time,
    },
    /// A worker is heard.
    Running {
        live: Live,
        /// When it was heard first.
        since: Time,
        /// When it was heard last.
        heard: Time,
    },
    /// A worker is ending because the slot is for something else now.
    Kill {
        dying: Dying,
        /// The topology whose files are there for the next worker, and its worker timeout.
        ready: Option<(TopologyId, Duration)>,
    },
    /// The worker is replaced by another one of the same assignment.
    KillAndRelaunch(Relaunch),
    /// A worker is ending because files of its topology are to be replaced.
    KillBlobUpdate(Dying),
    /// Files of the topology are replaced; no worker is here.
    WaitingForBlobUpdate {
        assignment: LocalAssignment,
        /// When that is asked for again; none while an answer is waited for.
        retry: Option<Time>,
    },
}

/// A worker that should be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Live {
    pub assignment: LocalAssignment,
    pub worker: WorkerNumber,
    /// How long it may be silent.
    pub worker_timeout: Duration,
}

/// A worker that was told to end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Dying {
    pub live: Live,
    /// When it was told.
    pub since: Time,
    /// When it is ended with force.
    pub kill_at: Time,
    /// Whether it was reported that it does not end.
    pub told: bool,
}

/// How far the replacement of a worker is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Relaunch {
    /// The former worker is ending.
    Ending(Dying),
    /// It is gone; the next one waits because several ended too early.
    Waiting { assignment: LocalAssignment, worker_timeout: Duration, at: Time },
}

impl State {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::WaitingForBlobLocalization { .. } => "WAITING_FOR_BLOB_LOCALIZATION",
            Self::WaitingForWorkerStart { .. } => "WAITING_FOR_WORKER_START",
            Self::Running { .. } => "RUNNING",
            Self::Kill { .. } => "KILL",
            Self::KillAndRelaunch(_) => "KILL_AND_RELAUNCH",
            Self::KillBlobUpdate(_) => "KILL_BLOB_UPDATE",
            Self::WaitingForBlobUpdate { .. } => "WAITING_FOR_BLOB_UPDATE",
        }
    }

    pub fn deadline(&self) -> Option<Time> {
        match self {
            Self::Empty => None,
            Self::WaitingForBlobLocalization { retry, .. }
            | Self::WaitingForBlobUpdate { retry, .. } => *retry,
            Self::WaitingForWorkerStart { deadline, .. } => Some(*deadline),
            Self::Running { live, heard, .. } => Some(*heard + live.worker_timeout),
            Self::Kill { dying, .. }
            | Self::KillBlobUpdate(dying)
            | Self::KillAndRelaunch(Relaunch::Ending(dying)) => Some(dying.kill_at),
            Self::KillAndRelaunch(Relaunch::Waiting { at, .. }) => Some(*at),
        }
    }

    pub fn assignment(&self) -> Option<&LocalAssignment> {
        match self {
            Self::Empty => None,
            Self::WaitingForBlobLocalization { assignment, .. }
            | Self::WaitingForBlobUpdate { assignment, .. }
            | Self::KillAndRelaunch(Relaunch::Waiting { assignment, .. }) => Some(assignment),
            Self::WaitingForWorkerStart { live, .. } | Self::Running { live, .. } => {
                Some(&live.assignment)
            }
            Self::Kill { dying, .. }
            | Self::KillBlobUpdate(dying)
            | Self::KillAndRelaunch(Relaunch::Ending(dying)) => Some(&dying.live.assignment),
        }
    }

    pub fn worker(&self) -> Option<WorkerNumber> {
        match self {
            Self::WaitingForWorkerStart { live, .. } | Self::Running { live, .. } => {
                Some(live.worker)
            }
            Self::Kill { dying, .. }
            | Self::KillBlobUpdate(dying)
            | Self::KillAndRelaunch(Relaunch::Ending(dying)) => Some(dying.live.worker),
            Self::Empty
            | Self::WaitingForBlobLocalization { .. }
            | Self::WaitingForBlobUpdate { .. }
            | Self::KillAndRelaunch(Relaunch::Waiting { .. }) => None,
        }
    }
}
