//! `LocalCluster`: topologies run inside the author's own program or test, without any server.
//!
//! With the host's clock every topology has threads of its own, as in a worker. With a simulated
//! clock all executors run on the caller's thread, in an order drawn from a seed, and time moves
//! only when the caller moves it; so a message timeout of 30 s is tested in a millisecond.
//!
//! **Not here:** how executors run (`executor`).

pub(crate) mod part;
mod stats;
mod testing;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use stats::{ExecutorStats, InputStats, OutputStats, TopologyStats};
pub use testing::{Completed, Incomplete, MockSources, complete_topology};

use crate::clock::{Clock, SimulatedClock, Time};
use crate::component::ReportedError;
use crate::component::ThreadSignal;
use crate::conf::WaitProfile;
use crate::executor::Command;
use crate::executor::assemble::{Assembly, Observed, Options, ThreadParts, assemble};
use crate::executor::router::Tap;
use crate::executor::thread::{CommandQueue, Cycle, Duty};
use crate::id::ComponentId;
use crate::queue::Parker;
use crate::topology::Topology;

/// How often a condition is looked at that nobody announces, such as an empty queue.
const POLL: Duration = Duration::from_millis(1);
/// Cycles after which a simulated topology that is still busy is given up.
const MOST_CYCLES: usize = 1_000_000;

/// Runs topologies in this process.
///
/// Dropping it ends what still runs, without waiting for pending tuples.
pub struct LocalCluster {
    time: ClusterTime,
    name_to_running: Mutex<BTreeMap<String, Arc<Shared>>>,
}

enum ClusterTime {
    Real,
    Simulated { clock: SimulatedClock, seed: u64 },
}

/// A topology that was submitted; clones are the same topology.
#[derive(Clone)]
pub struct RunningTopology {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    observed: Observed,
    threads: Vec<(Arc<ThreadSignal>, Arc<CommandQueue>)>,
    started: Time,
    clock: Clock,
    mode: Mode,
    /// The other workers, if the topology has any.
    outside: Option<part::Outside>,
}

enum Mode {
    /// Emptied when the threads were joined.
    Threads(Mutex<Vec<JoinHandle<()>>>),
    /// None after the topology was closed.
    Simulated(Mutex<Option<Box<Duty>>>),
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
            clock: clock.clone(),
            threads: None,
            simulated,
            seed,
            tap,
            workers: None,
        };
        let assembly = assemble(topology, options)
            .map_err(|source| SubmitError::Thread { name: name.to_owned(), source })?;
        let shared = start(name, topology.conf().wait_profile, assembly, clock, simulated)?;
        let shared = Arc::new(shared);
        running.insert(name.to_owned(), shared.clone());
        let topology = RunningTopology { shared };
        topology.command(Command::Activate);
        Ok(topology)
    }

    /// A running topology by name.
    pub fn topology(&self, name: &str) -> Option<RunningTopology> {
        lock(&self.name_to_running).get(name).cloned().map(|shared| RunningTopology { shared })
    }

    /// Ends a topology: deactivates it, waits up to `wait` for its pending tuples, closes it.
    /// False if there is none of that name.
    pub fn kill(&self, name: &str, wait: Duration) -> bool {
        let Some(shared) = lock(&self.name_to_running).remove(name) else { return false };
        let topology = RunningTopology { shared };
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
        for shared in lock(&self.name_to_running).values() {
            idle &= shared.run_cycles(cycles);
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
            let next = lock(&self.name_to_running).values().map(|shared| shared.next_timer()).min();
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
        for shared in lock(&self.name_to_running).values() {
            RunningTopology { shared: shared.clone() }.close();
        }
    }
}

fn start(
    name: &str,
    profile: WaitProfile,
    assembly: Assembly,
    clock: Clock,
    simulated: bool,
) -> Result<Shared, SubmitError> {
    let threads = assembly
        .threads
        .iter()
        .map(|thread| (thread.signal.clone(), thread.commands.clone()))
        .collect();
    let mut duties: Vec<(Duty, Parker)> = assembly
        .threads
        .into_iter()
        .map(|ThreadParts { duty, parker, .. }| (duty, parker))
        .collect();
    let mode = if simulated {
        Mode::Simulated(Mutex::new(duties.pop().map(|(duty, _)| Box::new(duty))))
    } else {
        let mut handles = Vec::new();
        for (index, (duty, parker)) in duties.into_iter().enumerate() {
            let handle = std::thread::Builder::new()
                .name(format!("executors-{index}"))
                .spawn(move || {
                    crate::executor::thread::prepare_thread();
                    duty.run(&parker, profile);
                })
                .map_err(|source| SubmitError::Thread { name: name.to_owned(), source })?;
            handles.push(handle);
        }
        Mode::Threads(Mutex::new(handles))
    };
    let started = clock.now();
    let observed = assembly.observed;
    Ok(Shared { name: name.to_owned(), observed, threads, started, clock, mode, outside: None })
}

impl Shared {
    fn run_cycles(&self, cycles: usize) -> bool {
        let Mode::Simulated(duty) = &self.mode else { return true };
        let mut duty = lock(duty);
        let Some(duty) = duty.as_mut() else { return true };
        for _ in 0..cycles {
            match duty.cycle(self.clock.now()) {
                Cycle::Busy => {}
                Cycle::Idle | Cycle::Closed => return true,
            }
        }
        false
    }

    /// Whether every thread has obeyed the commands that were given before.
    fn has_obeyed(&self) -> bool {
        self.threads.iter().all(|(_, commands)| commands.is_obeyed())
    }

    fn next_timer(&self) -> Time {
        match &self.mode {
            Mode::Simulated(duty) => {
                lock(duty).as_ref().map_or(Time::NEVER, |duty| duty.next_deadline())
            }
            Mode::Threads(_) => Time::NEVER,
        }
    }
}

impl RunningTopology {
    /// The topology's name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Has the spouts emit again.
    pub fn activate(&self) {
        self.command(Command::Activate);
    }

    /// Has the spouts emit nothing more; what is pending goes on.
    pub fn deactivate(&self) {
        self.command(Command::Deactivate);
    }

    /// What was counted so far.
    pub fn stats(&self) -> TopologyStats {
        let uptime = self.shared.clock.now().since(self.shared.started);
        TopologyStats::read(&self.shared.observed, uptime)
    }

    /// The errors that components reported, oldest first, throttled per component.
    pub fn errors(&self) -> Vec<ReportedError> {
        self.shared.observed.errors.read()
    }

    /// Number of errors that were throttled away.
    pub fn throttled_errors(&self) -> u64 {
        self.shared.observed.errors.throttled()
    }

    /// The components' own metrics now.
    pub fn metrics(&self) -> BTreeMap<(ComponentId, String), i64> {
        self.shared.observed.metrics.read()
    }

    /// Deactivates the topology and waits until nothing is pending and every queue is empty; false
    /// if that did not come true within `deadline`.
    ///
    /// In a simulated cluster it runs what is ready and moves no time.
    pub fn drain(&self, deadline: Duration) -> bool {
        self.deactivate();
        // Before it obeys, a spout may emit once more.
        self.wait_until_calm(deadline, |stats| self.shared.has_obeyed() && stats.is_drained())
    }

    /// Waits until every spout has finished and all that they emitted was processed; false if that
    /// did not come true within `deadline`. The topology stays active.
    ///
    /// In a simulated cluster it runs what is ready and moves no time.
    pub fn wait_until_finished(&self, deadline: Duration) -> bool {
        self.wait_until_calm(deadline, TopologyStats::is_finished)
    }

    /// Waits until a condition is fulfilled while nothing moves.
    ///
    /// Counters are read one after the other; only when two readings agree were all of them as they
    /// were read at one moment.
    fn wait_until_calm(
        &self,
        deadline: Duration,
        condition: impl Fn(&TopologyStats) -> bool,
    ) -> bool {
        let mut last = None;
        self.wait_until(deadline, |stats| {
            let counts = condition(stats).then(|| stats.movement());
            let calm = counts.is_some() && counts == last;
            last = counts;
            calm || (counts.is_some() && matches!(self.shared.mode, Mode::Simulated(_)))
        })
    }

    /// Whether every spout has finished, as far as their gauges tell; what they emitted may still
    /// be under way. Reads nothing else, so that it can be asked often.
    pub(crate) fn have_spouts_finished(&self) -> bool {
        let mut spouts = self.shared.observed.executors.iter().filter(|one| one.is_spout);
        spouts.all(|spout| spout.counts.finished.get() == spout.id.tasks().len() as u64)
    }

    /// Waits until the statistics fulfil a condition; false if they do not within `deadline`.
    ///
    /// In a simulated cluster it runs what is ready, moves no time, and asks once.
    pub fn wait_until(
        &self,
        deadline: Duration,
        mut condition: impl FnMut(&TopologyStats) -> bool,
    ) -> bool {
        if matches!(self.shared.mode, Mode::Simulated(_)) {
            self.shared.run_cycles(MOST_CYCLES);
            return condition(&self.stats());
        }
        let end = self.shared.clock.now() + deadline;
        loop {
            if condition(&self.stats()) {
                return true;
            }
            if self.shared.clock.now() >= end {
                return false;
            }
            std::thread::park_timeout(POLL);
        }
    }

    /// The threads' work is done and every component was closed.
    fn close(&self) {
        self.command(Command::Close);
        match &self.shared.mode {
            Mode::Threads(handles) => {
                for handle in lock(handles).drain(..) {
                    if handle.join().is_err() {
                        tracing::error!(topology = self.name(), "a runtime thread panicked");
                    }
                }
            }
            Mode::Simulated(_) => {
                self.shared.run_cycles(1);
                if let Mode::Simulated(duty) = &self.shared.mode {
                    lock(duty).take();
                }
            }
        }
    }

    fn command(&self, command: Command) {
        for (signal, commands) in &self.shared.threads {
            commands.push(command);
            signal.raise();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A seed that differs from run to run.
fn random_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
