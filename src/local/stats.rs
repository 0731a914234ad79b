//! What a running topology has counted, to be read by people and programs.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::counter::Latencies;
use crate::executor::assemble::{Observed, ObservedExecutor};
use crate::id::{ComponentId, ExecutorId, StreamId};

/// Everything that a topology counted since it was submitted.
#[derive(Debug, Clone, Default)]
pub struct TopologyStats {
    /// Time since the topology was submitted.
    pub uptime: Duration,
    /// All executors, in flow order.
    pub executors: Vec<ExecutorStats>,
}

/// What one executor counted.
#[derive(Debug, Clone)]
pub struct ExecutorStats {
    /// The executor.
    pub id: ExecutorId,
    /// Its component.
    pub component: ComponentId,
    /// Whether the component is a spout.
    pub is_spout: bool,
    /// The runtime thread that it runs on, from 0.
    pub thread: usize,
    /// By output stream.
    pub outputs: BTreeMap<StreamId, OutputStats>,
    /// By emitting component and stream.
    pub inputs: BTreeMap<(ComponentId, StreamId), InputStats>,
    /// Spouts: messages emitted but neither acked nor failed.
    pub pending: u64,
    /// Spouts: tasks that have answered [`Next::Finished`](crate::spout::Next::Finished) and not
    /// been asked again since.
    pub finished: u64,
    /// Messages that failed because their time was up; they are among the failed ones.
    pub timed_out: u64,
    /// Answers that came after their message was decided.
    pub late: u64,
    /// Errors that the component answered or reported, throttled ones included.
    pub errors: u64,
    /// Instances that panicked and were replaced.
    pub restarts: u64,
    /// Times that a target had no room and the executor had to wait.
    pub full: u64,
    /// Tuples that a bolt dropped without ack or fail.
    pub dropped: u64,
    /// Spouts: from emission to completed tree.
    pub complete_latency: Latencies,
    /// Bolts: mean time that the executor spends on one tuple, routing of what it emits and acks
    /// included, from one run in sixteen; none before the first.
    pub execute_latency: Option<Duration>,
}

/// Counts of one output stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutputStats {
    /// Calls of `emit`.
    pub emitted: u64,
    /// Tuples sent to a task; an emission to three tasks counts three times.
    pub transferred: u64,
    /// Spouts: messages whose tree was completed.
    pub acked: u64,
    /// Spouts: messages whose tree failed or timed out.
    pub failed: u64,
}

/// Counts of one input stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InputStats {
    /// Tuples given to `execute`.
    pub executed: u64,
    /// Inputs acked.
    pub acked: u64,
    /// Inputs failed.
    pub failed: u64,
    /// Inputs acked in a later cycle of the executor than the one in which the bolt was given them.
    pub waited: u64,
    /// How long those waited for their ack, all together, from the beginning of the one cycle to
    /// that of the other.
    pub waiting: Duration,
}

impl TopologyStats {
    pub(crate) fn read(observed: &Observed, uptime: Duration) -> Self {
        Self { uptime, executors: observed.executors.iter().map(ExecutorStats::read).collect() }
    }

    /// The executors of a component.
    pub fn component(&self, component: &str) -> impl Iterator<Item = &ExecutorStats> {
        self.executors.iter().filter(move |executor| executor.component == component)
    }

    /// Calls of `emit` by all executors of a component, on all its streams.
    pub fn emitted(&self, component: &str) -> u64 {
        self.outputs(component).map(|output| output.emitted).sum()
    }

    /// Tuples that all executors of a component executed, ticks aside.
    pub fn executed(&self, component: &str) -> u64 {
        let executors = self.component(component);
        executors.map(ExecutorStats::executed).sum()
    }

    /// Messages of a spout whose trees were completed.
    pub fn acked(&self, spout: &str) -> u64 {
        self.outputs(spout).map(|output| output.acked).sum()
    }

    /// Messages of a spout whose trees failed or timed out.
    pub fn failed(&self, spout: &str) -> u64 {
        self.outputs(spout).map(|output| output.failed).sum()
    }

    /// Messages of all spouts that are neither acked nor failed.
    pub fn pending(&self) -> u64 {
        self.executors.iter().map(|executor| executor.pending).sum()
    }

    /// Latencies from emission to completed tree, of all spouts.
    pub fn complete_latency(&self) -> Latencies {
        let mut all = Latencies::default();
        self.executors.iter().for_each(|executor| all.merge(&executor.complete_latency));
        all
    }

    /// Whether nothing is pending and every transferred tuple was executed.
    pub fn is_drained(&self) -> bool {
        let transferred: u64 = self
            .executors
            .iter()
            .flat_map(|executor| executor.outputs.values())
            .map(|output| output.transferred)
            .sum();
        let executed: u64 = self.executors.iter().map(ExecutorStats::executed).sum();
        self.pending() == 0 && transferred == executed
    }

    /// Whether all tasks of all spouts have finished, and all that they emitted was processed.
    ///
    /// Counters are read one after the other, while the topology runs; to wait for this, use
    /// [`RunningTopology::wait_until_finished`](super::RunningTopology::wait_until_finished), which
    /// makes sure that it was true of one moment.
    pub fn is_finished(&self) -> bool {
        let spouts = || self.executors.iter().filter(|executor| executor.is_spout);
        spouts().all(|spout| spout.finished == spout.id.tasks().len() as u64)
            && spouts().next().is_some()
            && self.is_drained()
    }

    /// Everything that was ever transferred and executed: two equal readings mean that nothing
    /// moved between them.
    pub(crate) fn movement(&self) -> (u64, u64) {
        let outputs = self.executors.iter().flat_map(|executor| executor.outputs.values());
        let transferred = outputs.map(|output| output.emitted + output.transferred).sum();
        (transferred, self.executors.iter().map(ExecutorStats::executed).sum())
    }

    fn outputs(&self, component: &str) -> impl Iterator<Item = &OutputStats> {
        self.component(component).flat_map(|executor| executor.outputs.values())
    }
}

impl ExecutorStats {
    /// Tuples executed, ticks aside.
    pub fn executed(&self) -> u64 {
        let tuples = self.inputs.iter().filter(|((component, _), _)| !component.is_reserved());
        tuples.map(|(_, input)| input.executed).sum()
    }

    /// Bolts: time from `execute` to the ack, over all inputs of a stream that were acked.
    ///
    /// An input acked in the cycle in which it came is taken to need what `execute` needs on the
    /// average; of any other the time between the two cycles is known.
    pub fn processing(&self, input: &InputStats) -> Duration {
        let at_once = input.acked.saturating_sub(input.waited);
        let execute_ns = self.execute_latency.unwrap_or_default().as_nanos() as u64;
        input.waiting + Duration::from_nanos(execute_ns.saturating_mul(at_once))
    }

    fn read(observed: &ObservedExecutor) -> Self {
        let counts = &*observed.counts;
        let outputs = observed.outputs.iter().zip(&counts.outputs).map(|(stream, output)| {
            let output = OutputStats {
                emitted: output.emitted.get(),
                transferred: output.transferred.get(),
                acked: output.acked.get(),
                failed: output.failed.get(),
            };
            (stream.clone(), output)
        });
        let inputs = observed.inputs.iter().zip(&counts.inputs).map(|(stream, input)| {
            let input = InputStats {
                executed: input.executed.get(),
                acked: input.acked.get(),
                failed: input.failed.get(),
                waited: input.waited.get(),
                waiting: Duration::from_nanos(input.waited_ns.get()),
            };
            (stream.clone(), input)
        });
        Self {
            id: observed.id,
            component: observed.component.clone(),
            is_spout: observed.is_spout,
            thread: observed.thread,
            outputs: outputs.collect(),
            inputs: inputs.collect(),
            pending: counts.pending.get(),
            finished: counts.finished.get(),
            timed_out: counts.timed_out.get(),
            late: counts.late.get(),
            errors: counts.errors.get(),
            restarts: counts.restarts.get(),
            full: counts.full.get(),
            dropped: observed.keeper.dropped_tuples.load(Ordering::Relaxed),
            complete_latency: counts.complete_latency.read(),
            execute_latency: {
                let tuples = counts.timed_tuples.get();
                let nanos = counts.timed_ns.get().checked_div(tuples);
                nanos.map(Duration::from_nanos)
            },
        }
    }
}
