//! What happens to a slot, and what it wants done.

use std::fmt;
use std::time::Duration;

use nimbus_client::TopologyId;

use super::LocalAssignment;
use crate::process::Ending;

/// The workers of a slot, counted from 1 since the supervisor started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct WorkerNumber(pub u64);

impl fmt::Display for WorkerNumber {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "worker {}", self.0)
    }
}

/// What happens to a slot.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The slot is for this from now on, or for nothing.
    Assign(Option<LocalAssignment>),
    /// The topology's files are there, in their newest version.
    Localized {
        /// The topology.
        topology: TopologyId,
        /// How long its workers may be silent, if its conf says so.
        worker_timeout: Option<Duration>,
    },
    /// The topology's files could not be fetched or replaced.
    LocalizationFailed {
        /// The topology.
        topology: TopologyId,
        /// The error, as a sentence.
        why: String,
        /// Whether they are at fault themselves, so that asking again soon is of no use.
        refused: bool,
    },
    /// A worker was heard.
    Heartbeat {
        /// Which one.
        worker: WorkerNumber,
    },
    /// All processes of a worker are gone, or it could not be started.
    Ended {
        /// Which one.
        worker: WorkerNumber,
        /// How.
        end: End,
    },
    /// There is a new version of a file whose change restarts workers.
    BlobChanged {
        /// The topology that uses the file.
        topology: TopologyId,
    },
    /// A user wants the topology's worker started anew.
    Restart {
        /// The topology.
        topology: TopologyId,
    },
    /// Time has passed.
    Tick,
}

/// How a worker ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum End {
    /// Its process ended.
    Process(Ending),
    /// It was never started.
    NotStarted {
        /// The error, as a sentence.
        why: String,
    },
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(ending) => ending.fmt(out),
            Self::NotStarted { why } => write!(out, "could not be started: {why}"),
        }
    }
}

/// What has to be done for a slot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Fetch the topology's files, if they are not there, and keep them; answer with
    /// [`Event::Localized`] or [`Event::LocalizationFailed`].
    Localize {
        /// The topology.
        topology: TopologyId,
    },
    /// Replace the topology's files by their newest versions as soon as no slot has a worker that
    /// uses them; answer as for [`Effect::Localize`].
    UpdateBlobs {
        /// The topology.
        topology: TopologyId,
    },
    /// This slot no longer needs the topology's files.
    Release {
        /// The topology.
        topology: TopologyId,
    },
    /// Start a worker; answer with heartbeats and, in the end, with [`Event::Ended`].
    Launch {
        /// Its number.
        worker: WorkerNumber,
        /// What it runs.
        assignment: LocalAssignment,
    },
    /// Ask a worker to end (SIGTERM).
    Terminate {
        /// Its number.
        worker: WorkerNumber,
    },
    /// End a worker with force (SIGKILL), all its processes.
    Kill {
        /// Its number.
        worker: WorkerNumber,
    },
    /// Remove what a worker that is gone has left behind.
    CleanUp {
        /// Its number.
        worker: WorkerNumber,
    },
    /// Tell whoever operates the cluster.
    Report(Report),
}

/// Something that whoever operates the cluster should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// A worker ended that should not have.
    Ended {
        /// Its topology.
        topology: TopologyId,
        /// Which one.
        worker: WorkerNumber,
        /// How it ended.
        end: End,
        /// How often that has happened in a row.
        failures: u32,
        /// After what time the next one is started.
        wait: Duration,
    },
    /// A worker is not heard and is replaced.
    Silent {
        /// Its topology.
        topology: TopologyId,
        /// Which one.
        worker: WorkerNumber,
        /// For how long it was not heard.
        silence: Duration,
        /// Whether it was never heard.
        starting: bool,
    },
    /// A worker does not end, not even with force.
    DoesNotEnd {
        /// Its topology.
        topology: TopologyId,
        /// Which one.
        worker: WorkerNumber,
        /// When it was told to end.
        since: Duration,
    },
    /// The topology's files are not there; told once for each reason.
    NoFiles {
        /// The topology.
        topology: TopologyId,
        /// The error, as a sentence.
        why: String,
        /// After what time they are asked for again.
        wait: Duration,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended { topology, worker, end, failures: 1, .. } => {
                write!(out, "{worker} of {topology} {end}; starting the next one")
            }
            Self::Ended { topology, worker, end, failures, wait } => write!(
                out,
                "{worker} of {topology} {end}, {failures} in a row; starting the next one in {wait:?}"
            ),
            Self::Silent { topology, worker, silence, starting: true } => write!(
                out,
                "{worker} of {topology} was not heard within {silence:?} of its start; replacing it"
            ),
            Self::Silent { topology, worker, silence, starting: false } => {
                write!(out, "{worker} of {topology} was not heard for {silence:?}; replacing it")
            }
            Self::DoesNotEnd { topology, worker, since } => write!(
                out,
                "{worker} of {topology} was told to end {since:?} ago and is still there; \
                 its slot stays closed until it is gone"
            ),
            Self::NoFiles { topology, why, wait } => {
                write!(out, "no files for {topology}: {why}; trying again in {wait:?}")
            }
        }
    }
}
