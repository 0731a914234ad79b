//! What every component has, spout or bolt: a declaration, a context, errors, metrics and a waker.
//!
//! **Not here:** the traits that authors implement (`spout`, `bolt`).

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use crate::clock::{Clock, Time};
use crate::conf::TopologyConf;
use crate::id::{ComponentId, ExecutorId, StreamId, TaskId};
use crate::metrics::{LatencyMetric, Metric, Metrics};
use crate::queue::{Ready, Unparker};
use crate::tuple::{Anchor, Fields, MessageId, Value};

/// Any error of an author's own code; `?` makes it from every error type and `.into()` from text.
pub type ComponentError = Box<dyn std::error::Error + Send + Sync>;

/// What an author's code answers.
pub type Result<T = (), E = ComponentError> = std::result::Result<T, E>;

/// Key under which a component asks for tick tuples.
const TICK_KEY: &str = "topology.tick.tuple.freq.secs";

/// Collects what a component declares of itself: its output streams and its own configuration.
#[derive(Debug, Default)]
pub struct Declarer {
    pub(crate) streams: Vec<DeclaredStream>,
    pub(crate) conf: serde_json::Map<String, Json>,
}

/// One declared output stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeclaredStream {
    pub stream: StreamId,
    pub fields: Fields,
    pub direct: bool,
}

impl Declarer {
    /// Declares the default stream with these fields.
    pub fn output(&mut self, fields: impl Into<Fields>) -> &mut Self {
        self.stream(StreamId::default(), fields, false)
    }

    /// Declares a named stream with these fields.
    pub fn output_to(
        &mut self,
        stream: impl Into<StreamId>,
        fields: impl Into<Fields>,
    ) -> &mut Self {
        self.stream(stream, fields, false)
    }

    /// Declares a named stream that is emitted to tasks by number.
    pub fn direct(&mut self, stream: impl Into<StreamId>, fields: impl Into<Fields>) -> &mut Self {
        self.stream(stream, fields, true)
    }

    /// Sets a configuration key for this component; the builder's own setting wins.
    pub fn conf(&mut self, key: &str, value: impl Into<Json>) -> &mut Self {
        self.conf.insert(key.to_owned(), value.into());
        self
    }

    /// Asks for a tick tuple at this interval; fractions of a second are kept.
    pub fn tick_every(&mut self, interval: Duration) -> &mut Self {
        self.conf(TICK_KEY, interval.as_secs_f64())
    }

    fn stream(
        &mut self,
        stream: impl Into<StreamId>,
        fields: impl Into<Fields>,
        direct: bool,
    ) -> &mut Self {
        let (stream, fields) = (stream.into(), fields.into());
        self.streams.push(DeclaredStream { stream, fields, direct });
        self
    }
}

/// What a task knows of itself and of the topology around it; handed over once, before the first
/// tuple. Cheap to clone.
#[derive(Clone)]
pub struct TaskContext(Arc<ContextParts>);

/// The parts of a [`TaskContext`]; made by the executor, one per task.
pub(crate) struct ContextParts {
    pub topology: Arc<str>,
    pub component: ComponentId,
    pub executor: ExecutorId,
    pub task: TaskId,
    pub task_index: usize,
    pub conf: Arc<TopologyConf>,
    pub clock: Clock,
    pub component_to_tasks: Arc<BTreeMap<ComponentId, Vec<TaskId>>>,
    pub sources: Arc<[(ComponentId, StreamId)]>,
    pub streams: Arc<[StreamId]>,
    pub waker: Waker,
    pub metrics: Metrics,
    pub joints: Arc<Joints>,
    pub folders: Option<Arc<Folders>>,
}

/// How a component is joined to others, as its child processes are told.
#[derive(Debug, Default)]
pub(crate) struct Joints {
    pub outputs: Vec<DeclaredStream>,
    /// Who takes which of its streams.
    pub takers: Vec<(StreamId, ComponentId, GroupingForm)>,
    /// What it takes, and of which fields that is.
    pub sources: Vec<(ComponentId, StreamId, GroupingForm, Fields)>,
}

/// A grouping by its name in Storm's Thrift types, in capitals.
#[derive(Debug, Clone)]
pub(crate) struct GroupingForm {
    pub kind: &'static str,
    /// Those of `FIELDS`.
    pub fields: Option<Fields>,
}

/// Folders of a worker that components may use.
#[derive(Debug)]
pub(crate) struct Folders {
    /// The resources of the topology's archive, if it has any.
    pub resources: PathBuf,
    /// Of files named by the processes that belong to the worker.
    pub pids: PathBuf,
}

impl TaskContext {
    pub(crate) fn new(parts: ContextParts) -> Self {
        Self(Arc::new(parts))
    }

    /// The topology's name.
    pub fn topology(&self) -> &str {
        &self.0.topology
    }

    /// The component that this task is an instance of.
    pub fn component(&self) -> &ComponentId {
        &self.0.component
    }

    /// The executor that runs this task.
    pub fn executor(&self) -> ExecutorId {
        self.0.executor
    }

    /// This task's number in the topology.
    pub fn task(&self) -> TaskId {
        self.0.task
    }

    /// This task's place among the tasks of its component, from 0.
    pub fn task_index(&self) -> usize {
        self.0.task_index
    }

    /// Number of tasks of this component.
    pub fn task_count(&self) -> usize {
        self.tasks_of(self.component().as_str()).len()
    }

    /// The tasks of a component, ascending; none if there is no such component.
    pub fn tasks_of(&self, component: &str) -> &[TaskId] {
        self.0.component_to_tasks.get(component).map_or(&[], Vec::as_slice)
    }

    /// The streams that this component subscribes to, each once, sorted.
    pub fn sources(&self) -> &[(ComponentId, StreamId)] {
        &self.0.sources
    }

    /// The streams that this component declares.
    pub fn streams(&self) -> &[StreamId] {
        &self.0.streams
    }

    /// The topology's configuration as this component sees it.
    pub fn conf(&self) -> &TopologyConf {
        &self.0.conf
    }

    /// The clock by which this topology runs; simulated in a simulated cluster.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// A handle that wakes this task's executor from any thread.
    ///
    /// A spout that has taken it sleeps after `Idle` until it is woken; one that has not is polled.
    pub fn waker(&self) -> Waker {
        self.0.waker.shared.taken.store(true, Ordering::Relaxed);
        self.0.waker.clone()
    }

    /// The folder of the resources that were submitted with the topology; none where there was no
    /// submit, as in a local cluster.
    pub fn resources(&self) -> Option<&Path> {
        self.0.folders.as_ref().map(|folders| &*folders.resources)
    }

    pub(crate) fn folders(&self) -> Option<&Folders> {
        self.0.folders.as_deref()
    }

    pub(crate) fn joints(&self) -> &Joints {
        &self.0.joints
    }

    /// All tasks of the topology by component, those of system components among them.
    pub(crate) fn component_to_tasks(&self) -> &BTreeMap<ComponentId, Vec<TaskId>> {
        &self.0.component_to_tasks
    }

    /// Has the task's executor call the component each time this descriptor has something to read,
    /// or has come to its end, until it is closed: [`Bolt::woken`](crate::bolt::Bolt::woken), or the
    /// spout's `next_tuple`. A call may also come for no reason.
    ///
    /// The call comes once for each change, so the component reads until there is nothing left, or
    /// wakes itself. To be called on the executor's own thread, that is, in a call of the component.
    ///
    /// # Errors
    /// [`WatchError`]; in a simulated cluster always, since what happens outside cannot be simulated.
    pub fn watch_readable(&self, descriptor: impl AsFd) -> Result<(), WatchError> {
        self.0.waker.watch(descriptor, Ready::Readable)
    }

    /// As [`watch_readable`](Self::watch_readable), each time the descriptor has room again for what
    /// is to be written.
    ///
    /// # Errors
    /// As there.
    pub fn watch_writable(&self, descriptor: impl AsFd) -> Result<(), WatchError> {
        self.0.waker.watch(descriptor, Ready::Writable)
    }

    /// The component's metric of that name, at 0 if it is new; tasks of one component share it.
    pub fn metric(&self, name: &str) -> Metric {
        self.0.metrics.metric(&self.0.component, name)
    }

    /// The component's latencies of that name, which start empty; tasks of one component share
    /// them.
    pub fn latencies(&self, name: &str) -> LatencyMetric {
        self.0.metrics.latencies(&self.0.component, name)
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{} of {}", self.component(), self.task(), self.topology())
    }
}

/// Pause before the first replacement of what failed; it doubles with each one that fails too.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// Longest pause before a replacement.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long a component, or the child that runs it, is waited with after so many failures in a row.
pub(crate) fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

/// What an emission is part of, for who sends it on when its tasks are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BelongsTo<'a> {
    /// The trees of a bolt's input.
    Trees(&'a [Anchor]),
    /// A spout's message, if it has an id.
    Message(Option<&'a MessageId>),
}

/// Chooses the tasks of an emission at once; implemented by the executor's router.
pub(crate) trait ChooseTasks: Send + std::fmt::Debug {
    /// Appends the tasks that the groupings of the stream at `position` choose for the values of an
    /// emission.
    fn choose(
        &mut self,
        position: usize,
        values: &[Value],
        belongs_to: BelongsTo<'_>,
        tasks: &mut Vec<TaskId>,
    );
}

/// A descriptor cannot be watched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// There is no thread that could.
    #[error(
        "a descriptor is watched by its executor's own thread alone: watch it in a call of the \
         component, and not in a simulated cluster, where what happens outside has no place in time"
    )]
    Thread,
    /// The system refuses.
    #[error("cannot watch a descriptor: {0}")]
    System(#[from] std::io::Error),
}

/// Wakes an executor from any thread: a spout with something to emit, a handle with a request.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<WakerShared>,
}

#[derive(Debug)]
struct WakerShared {
    /// Set by any thread, taken back by the executor's thread.
    woken: AtomicBool,
    /// Whether the component has asked for its waker; set by it, read by the executor.
    taken: AtomicBool,
    thread: Arc<ThreadSignal>,
    /// Of the executor, on its thread.
    slot: u32,
}

/// Tells a runtime thread that one of its executors was woken.
#[derive(Debug)]
pub(crate) struct ThreadSignal {
    /// Set by any thread, taken back by the runtime thread.
    pub raised: AtomicBool,
    pub unparker: Unparker,
}

impl ThreadSignal {
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
        self.unparker.wake();
    }
}

impl Waker {
    pub(crate) fn new(thread: Arc<ThreadSignal>, slot: u32) -> Self {
        let (woken, taken) = (AtomicBool::new(false), AtomicBool::new(false));
        let shared = WakerShared { woken, taken, thread, slot };
        Self { shared: Arc::new(shared) }
    }

    /// Has the executor run soon; a second call before it does costs next to nothing.
    pub fn wake(&self) {
        if !self.shared.woken.swap(true, Ordering::AcqRel) {
            self.shared.thread.raise();
        }
    }

    /// Whether [`Waker::wake`] was called since the last time this was asked.
    pub(crate) fn take_woken(&self) -> bool {
        self.shared.woken.load(Ordering::Relaxed) && self.shared.woken.swap(false, Ordering::AcqRel)
    }

    /// As [`Waker::wake`], by the executor's own thread, which goes on to run it.
    pub(crate) fn note(&self) {
        self.shared.woken.store(true, Ordering::Relaxed);
    }

    fn watch(&self, descriptor: impl AsFd, ready: Ready) -> Result<(), WatchError> {
        let poller = self.shared.thread.unparker.make_poller()?.ok_or(WatchError::Thread)?;
        Ok(poller.add_for(self.shared.slot, descriptor, ready)?)
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.shared.woken.load(Ordering::Acquire)
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.shared.taken.load(Ordering::Relaxed)
    }
}

/// One error of a component, as it was reported.
#[derive(Debug, Clone)]
pub struct ReportedError {
    /// The component.
    pub component: ComponentId,
    /// The task.
    pub task: TaskId,
    /// When.
    pub at: Time,
    /// The error's text, with its causes.
    pub message: String,
}

/// The errors that components reported, throttled per component and bounded in number.
///
/// An error beyond `per_interval` within `interval` is counted but not kept.
#[derive(Debug)]
pub(crate) struct ErrorLog {
    interval: Duration,
    per_interval: usize,
    state: Mutex<ErrorLogState>,
}

#[derive(Debug, Default)]
struct ErrorLogState {
    kept: std::collections::VecDeque<ReportedError>,
    component_to_interval: BTreeMap<ComponentId, (Time, usize)>,
    throttled: u64,
    /// Those that were dropped since among them.
    kept_in_all: u64,
}

impl ErrorLog {
    /// Errors kept in all; the oldest goes first.
    const KEPT: usize = 1_000;

    pub fn new(interval: Duration, per_interval: usize) -> Self {
        Self { interval, per_interval, state: Mutex::default() }
    }

    /// Keeps the error, or only counts it; answers whether it was kept and should be logged.
    pub fn report(&self, error: ReportedError) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) =
            state.component_to_interval.entry(error.component.clone()).or_insert((error.at, 0));
        if error.at.since(*since) >= self.interval {
            (*since, *count) = (error.at, 0);
        }
        *count += 1;
        if *count > self.per_interval {
            state.throttled += 1;
            return false;
        }
        if state.kept.len() == Self::KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(error);
        state.kept_in_all += 1;
        true
    }

    /// The kept errors, oldest first.
    pub fn read(&self) -> Vec<ReportedError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.kept.iter().cloned().collect()
    }

    /// The errors that were kept after the first `seen` ones, as far as they are still there, and
    /// how many were kept in all.
    pub fn read_since(&self, seen: u64) -> (Vec<ReportedError>, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = state.kept_in_all - state.kept.len() as u64;
        let skipped = seen.saturating_sub(gone) as usize;
        (state.kept.iter().skip(skipped).cloned().collect(), state.kept_in_all)
    }

    /// Number of errors that were not kept.
    pub fn throttled(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).throttled
    }
}

/// An error's text with all its causes, one line.
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        assert_eq!(pause(1), FIRST_PAUSE);
        assert_eq!(pause(3), 4 * FIRST_PAUSE);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }

    fn error(at_ms: u64) -> ReportedError {
        ReportedError {
            component: "count".into(),
            task: TaskId(1),
            at: Time::from_nanos(at_ms * 1_000_000),
            message: "no".into(),
        }
    }

    #[test]
    fn errors_beyond_the_limit_of_an_interval_are_counted_and_the_next_interval_starts_anew() {
        let log = ErrorLog::new(Duration::from_secs(10), 2);
        assert!(log.report(error(0)) && log.report(error(1)));
        assert!(!log.report(error(9_999)));
        assert!(log.report(error(10_000)));
        assert_eq!((log.read().len(), log.throttled()), (3, 1));
    }

    #[test]
    fn the_log_is_bounded() {
        let log = ErrorLog::new(Duration::ZERO, 1);
        for at_ms in 0..2_000 {
            log.report(error(at_ms));
        }
        assert_eq!(log.read().len(), ErrorLog::KEPT);
        let (new, kept) = log.read_since(1_999);
        assert_eq!((new.len(), new[0].at, kept), (1, error(1_999).at, 2_000));
        assert_eq!(log.read_since(0).0.len(), ErrorLog::KEPT);
        assert!(log.read_since(2_000).0.is_empty());
    }
}
