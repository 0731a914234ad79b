//! Processes of this machine: who they are, what they use, and how they are started and ended.
//!
//! A pid is given to another process once its owner is gone, so a process is known by its pid and
//! the time of its start together. Everything that signals compares both first.
//!
//! **Invariants.** No signal goes to a process that was not meant. A process that was started is
//! reaped. What a worker left behind in its process group ends with it.
//!
//! **Runs on** the runtime of the daemon that calls it; reads of `/proc` are short and made in
//! place.
//!
//! **Not here:** which process should run, which the slot machine says.

mod listener;
mod proc_files;
mod running;

use std::io;
use std::path::PathBuf;

pub use listener::{Holder, holder_of_port};
pub use proc_files::{Usage, boot_id, find_by_arguments};
pub use running::{Ending, Launch, Running, become_program, end_left_of, end_named};

use proc_files::Stat;

/// A process, told from every other that had or will have its pid.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct ProcessId {
    /// Its pid.
    pub pid: u32,
    /// Ticks from the start of the machine to its own, as field 22 of `/proc/<pid>/stat` says.
    pub start_time: u64,
}

impl ProcessId {
    /// The process that reads this.
    pub fn own() -> Self {
        Self::of(std::process::id()).expect("a process has its own entry in /proc")
    }

    /// The process that has a pid now; `None` if there is none, or it has ended and only waits to
    /// be reaped.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = Stat::read(pid)?;
        (!stat.is_ended()).then_some(Self { pid, start_time: stat.start_time })
    }

    /// Whether the process still runs.
    pub fn is_alive(self) -> bool {
        Self::of(self.pid) == Some(self)
    }

    /// What the process has used so far; `None` if it has ended.
    pub fn usage(self) -> Option<Usage> {
        Stat::read(self.pid).filter(|stat| stat.start_time == self.start_time).map(|s| s.usage())
    }
}

/// Why a process was not started or could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program cannot be started.
    #[error("cannot start {program}: {source}", program = program.display())]
    Start {
        /// What was to be run.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file for its output cannot be opened.
    #[error("cannot open {path} for the output of a process: {source}", path = path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The process cannot be watched.
    #[error("cannot watch process {pid}: {source}")]
    Watch {
        /// The process.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
}
