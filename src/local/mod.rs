//! `LocalCluster`: topologies run inside the author's own program or test, without any server.
//!
//! With the host's clock every topology has threads of its own, as in a worker. With a simulated
//! clock all executors run on the caller's thread, in an order drawn from a seed, and time moves
//! only when the caller moves it; so a message timeout of 30 s is tested in a millisecond.
//!
//! **Not here:** how executors run (`executor`).

pub(crate) mod part;
mod running;
mod stats;
mod testing;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::Mutex;
use std::time::Duration;

pub use running::RunningTopology;
pub use stats::{ExecutorStats, InputStats, OutputStats, TopologyStats};
pub use testing::{Completed, Incomplete, MockSources, complete_topology};

use running::{MOST_CYCLES, lock};

use crate::clock::{Clock, SimulatedClock, Time};
use crate::executor::assemble::Options;
use crate::executor::router::Tap;
use crate::topology::Topology;

/// Runs topologies in this process.
///
/// Dropping it ends what still runs, without waiting for pending tuples.
pub struct LocalCluster {
    time: ClusterTime,
    name_to_running: Mutex<BTreeMap<String, RunningTopology>>,
}

enum ClusterTime {
    Real,
    Simulated { clock: SimulatedClock, seed: u64 },
}

/// A topology was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Storm's `AlreadyAliveException`.
    #[error("topology {name} is already running: kill it first, or choose another name")]
    AlreadyAlive {
        /// The name.
        name: String,
    },
    /// The name cannot be one. Storm's `InvalidTopologyException`.
    #[error(transparent)]
    InvalidName(#[from] nimbus_client::TopologyNameError),
    /// The operating system gave no thread.
    #[error("cannot start a thread of topology {name}: {source}")]
    Thread {
        /// The topology.
        name: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Default for LocalCluster {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalCluster {
    /// A cluster on the host's clock.
    pub fn new() -> Self {
        Self { time: ClusterTime::Real, name_to_running: Mutex::default() }
    }

    /// A cluster on a simulated clock, which starts at 0; `seed` sets the order in which executors
    /// run, and so repeats a run exactly.
    pub fn simulated(seed: u64) -> Self {
        let time = ClusterTime::Simulated { clock: SimulatedClock::new(), seed };
        Self { time, name_to_running: Mutex::default() }
    }

    /// Starts a topology under a name, active at once.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit(&self, name: &str, topology: &Topology) -> Result<RunningTopology, SubmitError> {
        self.submit_tapped(name, topology, None)
    }

    fn submit_tapped(
        &self,
        name: &str,
        topology: &Topology,
        tap: Option<Box<dyn Fn() -> Tap>>,
    ) -> Result<RunningTopology, SubmitError> {
        nimbus_client::TopologyName::new(name)?;
        let mut running = lock(&self.name_to_running);
        if running.contains_key(name) {
            return Err(SubmitError::AlreadyAlive { name: name.to_owned() });
        }
        for warning in topology.warnings() {
            tracing::warn!(topology = name, "{warning}");
        }
        let (clock, simulated, seed) = match &self.time {
            ClusterTime::Real => (Clock::system(), false, random_seed()),
            ClusterTime::Simulated { clock, seed } => (clock.clock(), true, *seed),
        };
        let options = Options {
            name: name.into(),
            clock,
            threads: None,
            simulated,
            seed,
            tap,
            workers: None,
            folders: None,
        };
        let started = RunningTopology::start(topology, options)
            .map_err(|source| SubmitError::Thread { name: name.to_owned(), source })?;
        running.insert(name.to_owned(), started.clone());
        started.activate();
        Ok(started)
    }

    /// A running topology by name.
    pub fn topology(&self, name: &str) -> Option<RunningTopology> {
        lock(&self.name_to_running).get(name).cloned()
    }

    /// Ends a topology: deactivates it, waits up to `wait` for its pending tuples, closes it.
    /// False if there is none of that name.
    pub fn kill(&self, name: &str, wait: Duration) -> bool {
        let Some(topology) = lock(&self.name_to_running).remove(name) else { return false };
        topology.drain(wait);
        topology.close();
        true
    }

    /// The simulated time, or that of the host.
    pub fn now(&self) -> Time {
        match &self.time {
            ClusterTime::Real => Clock::system().now(),
            ClusterTime::Simulated { clock, .. } => clock.now(),
        }
    }

    /// Runs every topology of a simulated cluster until nothing is left to do at this time, at most
    /// `cycles` cycles of each; false if something was left.
    ///
    /// # Panics
    /// If the cluster is on the host's clock.
    #[must_use]
    pub fn run_until_idle(&self, cycles: usize) -> bool {
        self.simulated_clock("run_until_idle");
        let mut idle = true;
        for topology in lock(&self.name_to_running).values() {
            idle &= topology.run_cycles(cycles);
        }
        idle
    }

    /// Runs every topology of a simulated cluster until nothing is left to do at this time; false
    /// if one of them is still busy after a million cycles, as with a spout that always emits.
    ///
    /// # Panics
    /// If the cluster is on the host's clock.
    #[must_use]
    pub fn settle(&self) -> bool {
        self.run_until_idle(MOST_CYCLES)
    }

    /// Moves simulated time on, from timer to timer, running what each of them starts; false if a
    /// topology was still busy after a million cycles at one time.
    ///
    /// # Panics
    /// If the cluster is on the host's clock.
    #[must_use]
    pub fn pass(&self, duration: Duration) -> bool {
        self.advance(duration, MOST_CYCLES)
    }

    /// Moves simulated time on, from timer to timer, running what each of them starts, at most
    /// `cycles` cycles at one time; false if a topology was still busy at some time.
    ///
    /// # Panics
    /// If the cluster is on the host's clock.
    #[must_use]
    pub fn advance(&self, duration: Duration, cycles: usize) -> bool {
        let clock = self.simulated_clock("advance");
        let target = clock.now() + duration;
        let mut idle = self.run_until_idle(cycles);
        loop {
            let next = lock(&self.name_to_running).values().map(RunningTopology::next_timer).min();
            match next {
                Some(next) if next <= target => clock.advance_to(next),
                _ => break,
            }
            idle &= self.run_until_idle(cycles);
        }
        clock.advance_to(target);
        idle & self.run_until_idle(cycles)
    }

    fn simulated_clock(&self, what: &str) -> &SimulatedClock {
        match &self.time {
            ClusterTime::Simulated { clock, .. } => clock,
            ClusterTime::Real => panic!("{what} moves simulated time, and this cluster has none"),
        }
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        for topology in lock(&self.name_to_running).values() {
            topology.close();
        }
    }
}

/// A seed that differs from run to run.
pub(crate) fn random_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
