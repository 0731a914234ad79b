//! A topology that runs: its threads, or the one duty that a simulated clock drives.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::TopologyStats;
use super::part::Outside;
use crate::clock::{Clock, Time};
use crate::component::{ReportedError, ThreadSignal};
use crate::conf::WaitProfile;
use crate::executor::Command;
use crate::executor::assemble::{Assembly, Observed, Options, ThreadParts, assemble};
use crate::executor::events::{EventSink, Sampling};
use crate::executor::thread::{CommandQueue, Cycle, Duty};
use crate::id::ComponentId;
use crate::metrics::LatencyMetric;
use crate::queue::Parker;
use crate::topology::Topology;

/// How often a condition is looked at that nobody announces, such as an empty queue.
const POLL: Duration = Duration::from_millis(1);
/// Cycles after which a simulated topology that is still busy is given up.
pub(super) const MOST_CYCLES: usize = 1_000_000;

/// A topology that was submitted; clones are the same topology.
#[derive(Clone)]
pub struct RunningTopology {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    name: String,
    observed: Observed,
    threads: Vec<(Arc<ThreadSignal>, Arc<CommandQueue>)>,
    started: Time,
    clock: Clock,
    mode: Mode,
    /// The other workers, if the topology has any.
    pub(super) outside: Option<Outside>,
}

enum Mode {
    /// Emptied when the threads were joined.
    Threads(Mutex<Vec<JoinHandle<()>>>),
    /// None after the topology was closed.
    Simulated(Mutex<Option<Box<Duty>>>),
}

pub(super) fn start_threads(
    name: &str,
    profile: WaitProfile,
    assembly: Assembly,
    clock: Clock,
    simulated: bool,
) -> io::Result<Shared> {
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
            let handle = std::thread::Builder::new().name(format!("executors-{index}")).spawn(
                move || {
                    crate::executor::thread::prepare_thread();
                    duty.run(&parker, profile);
                },
            )?;
            handles.push(handle);
        }
        Mode::Threads(Mutex::new(handles))
    };
    let started = clock.now();
    let observed = assembly.observed;
    Ok(Shared { name: name.to_owned(), observed, threads, started, clock, mode, outside: None })
}

impl Shared {
    /// Runs a simulated topology until nothing is left to do at this time; false if it was still
    /// busy after so many cycles.
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
    /// Starts a topology, which is not active yet.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(crate) fn start(topology: &Topology, options: Options) -> io::Result<Self> {
        let (name, clock, simulated) =
            (options.name.clone(), options.clock.clone(), options.simulated);
        let assembly = assemble(topology, options)?;
        let profile = topology.conf().wait_profile;
        let shared = start_threads(&name, profile, assembly, clock, simulated)?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Runs a simulated topology until nothing is left to do at this time; false if it was still
    /// busy after so many cycles.
    pub(super) fn run_cycles(&self, cycles: usize) -> bool {
        self.shared.run_cycles(cycles)
    }

    /// When a simulated topology has something to do next.
    pub(super) fn next_timer(&self) -> Time {
        self.shared.next_timer()
    }

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

    /// Has a part of all emissions given to `sink` from now on.
    pub(crate) fn sample(&self, sampling: Sampling, sink: EventSink) {
        self.shared.observed.events.order(sampling, sink);
        self.command(Command::Sample);
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

    /// The errors that were kept after the first `seen` ones, and how many were kept in all.
    pub(crate) fn errors_since(&self, seen: u64) -> (Vec<ReportedError>, u64) {
        self.shared.observed.errors.read_since(seen)
    }

    /// Number of errors that were throttled away.
    pub fn throttled_errors(&self) -> u64 {
        self.shared.observed.errors.throttled()
    }

    /// The components' own metrics now.
    pub fn metrics(&self) -> BTreeMap<(ComponentId, String), i64> {
        self.shared.observed.metrics.read()
    }

    /// The latencies that components measured themselves, in nanoseconds, by component and name.
    pub fn latencies(&self) -> BTreeMap<(ComponentId, String), Histogram<u64>> {
        let all = self.shared.observed.metrics.all_latencies();
        all.into_iter().map(|(key, latencies)| (key, latencies.read())).collect()
    }

    /// The same latencies, to be taken by intervals.
    pub(crate) fn latency_metrics(&self) -> BTreeMap<(ComponentId, String), LatencyMetric> {
        self.shared.observed.metrics.all_latencies()
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

    /// Ends the threads when every component was closed.
    pub(crate) fn close(&self) {
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolt::{Bolt, Collector};
    use crate::component::{Declarer, Result};
    use crate::executor::events::{Event, event_channel};
    use crate::local::LocalCluster;
    use crate::spout::{Next, Spout, SpoutCollector};
    use crate::topology::TopologyBuilder;
    use crate::tuple::Tuple;

    /// Emits two messages a second, one of them without an id.
    struct Pairs(i64);

    impl Spout for Pairs {
        fn declare(&self, declare: &mut Declarer) {
            declare.output(["n"]);
        }

        fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
            self.0 += 1;
            out.emit_with_id([self.0], self.0 * 10);
            out.emit([-self.0]);
            Ok(out.idle_for(Duration::from_secs(1)))
        }
    }

    /// Passes numbers on.
    struct Pass;

    impl Bolt for Pass {
        fn declare(&self, declare: &mut Declarer) {
            declare.output(["n"]);
        }

        fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
            out.emit(&tuple, [tuple.i64(0)?]);
            out.ack(tuple);
            Ok(())
        }
    }

    #[test]
    fn emissions_are_sampled_while_it_is_ordered_and_each_once() {
        let mut builder = TopologyBuilder::new();
        builder.spout("pairs", || Pairs(0));
        builder.bolt("pass", || Pass).shuffle("pairs");
        builder.bolt("end", || Pass).shuffle("pass");
        let cluster = LocalCluster::simulated(3);
        let topology = builder.build().expect("it can be built");
        let running = cluster.submit("sampled", &topology).expect("the name is free");
        let second = || assert!(cluster.advance(Duration::from_secs(1), MOST_CYCLES));
        let (sink, source) = event_channel();
        let told = || -> Vec<String> {
            let tell = |event: Event| {
                let id = event.message_id.map_or_else(String::new, |id| id.to_value().to_string());
                format!("{} {} {id} {}", event.component, event.task, event.values[0])
            };
            source.events.try_iter().map(tell).collect()
        };
        second();
        let own = [("end".into(), 0.0)].into();
        running.sample(Sampling { component_to_percent: own, others: 100.0 }, sink.clone());
        second();
        let mut seen = told();
        seen.sort();
        // Task 1 is the acker, task 2 is `end`.
        assert_eq!(seen, ["pairs 3  -3", "pairs 3 30 3", "pass 4  -3", "pass 4  3"]);
        running.sample(Sampling::default(), sink);
        second();
        assert_eq!(told(), [""; 0]);
        let stats = running.stats();
        assert_eq!((stats.emitted("pairs"), stats.acked("pairs")), (8, 4));
    }
}
