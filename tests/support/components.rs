//! Spouts and bolts that a test drives: a spout that emits what it is fed and remembers its answers,
//! a bolt that keeps what it gets until the test settles it, and bolts made of a closure.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storm_runtime::clock::Time;
use storm_runtime::component::Waker;
use storm_runtime::id::TaskId;
use storm_runtime::prelude::*;

/// How a component declares itself.
pub type Declare = fn(&mut Declarer);

/// Declares nothing.
pub fn nothing(_: &mut Declarer) {}

/// Declares the default stream with one field, `n`.
pub fn number(declare: &mut Declarer) {
    declare.output(["n"]);
}

/// A list that components append to and tests read; clones are the same list.
pub struct Journal<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Journal<T> {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry.
    pub fn push(&self, entry: T) {
        lock(&self.0).push(entry);
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Takes all entries out.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl<T: Clone> Journal<T> {
    /// All entries, which stay.
    pub fn read(&self) -> Vec<T> {
        lock(&self.0).clone()
    }
}

impl<T: Clone + Ord> Journal<T> {
    /// All entries in ascending order.
    pub fn sorted(&self) -> Vec<T> {
        let mut entries = self.read();
        entries.sort();
        entries
    }
}

/// Locks, whoever panicked before.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a [`Feed`] emits.
#[derive(Clone, Debug)]
pub struct Emission {
    pub stream: String,
    pub values: Vec<Value>,
    pub id: Option<i64>,
    pub to: Option<TaskId>,
}

/// A spout that emits what the test feeds it, in order, and remembers what it is told.
#[derive(Clone)]
pub struct Feed {
    declare: Declare,
    state: Arc<Mutex<FeedState>>,
    /// Message ids that were acked.
    pub acked: Journal<i64>,
    /// Message ids that failed.
    pub failed: Journal<i64>,
    /// When a message failed.
    pub failed_at: Journal<Time>,
    /// Calls of the life cycle.
    pub calls: Journal<&'static str>,
}

#[derive(Default)]
struct FeedState {
    queue: VecDeque<Emission>,
    wakers: Vec<Waker>,
}

impl Feed {
    pub fn new(declare: Declare) -> Self {
        Self {
            declare,
            state: Arc::default(),
            acked: Journal::new(),
            failed: Journal::new(),
            failed_at: Journal::new(),
            calls: Journal::new(),
        }
    }

    /// What `TopologyBuilder::spout` takes.
    pub fn spout(&self) -> impl Fn() -> FeedSpout + Send + Sync + use<> {
        let feed = self.clone();
        move || FeedSpout(feed.clone())
    }

    /// Has one number emitted on the default stream under itself as message id.
    pub fn send(&self, number: i64) {
        self.emission(Emission {
            stream: "default".into(),
            values: vec![number.into()],
            id: Some(number),
            to: None,
        });
    }

    /// Has many numbers emitted.
    pub fn send_all(&self, numbers: impl IntoIterator<Item = i64>) {
        numbers.into_iter().for_each(|number| self.send(number));
    }

    /// Has anything emitted.
    pub fn emission(&self, emission: Emission) {
        let mut state = lock(&self.state);
        state.queue.push_back(emission);
        state.wakers.iter().for_each(Waker::wake);
    }

    /// Emissions that were not asked for yet.
    pub fn waiting(&self) -> usize {
        lock(&self.state).queue.len()
    }
}

/// One instance of a [`Feed`].
pub struct FeedSpout(Feed);

impl Spout for FeedSpout {
    fn declare(&self, declare: &mut Declarer) {
        (self.0.declare)(declare);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        self.0.calls.push("open");
        lock(&self.0.state).wakers.push(context.waker());
        Ok(())
    }

    fn activate(&mut self) {
        self.0.calls.push("activate");
    }

    fn deactivate(&mut self) {
        self.0.calls.push("deactivate");
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let Some(next) = lock(&self.0.state).queue.pop_front() else { return Ok(Next::Idle) };
        match next.to {
            Some(task) => out.emit_direct(task, &next.stream, next.values, next.id),
            None => out.emit_to(&next.stream, next.values, next.id),
        }
        Ok(Next::Emitted)
    }

    fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.0.acked.push(id.as_i64().expect("a number"));
        Ok(())
    }

    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        self.0.failed.push(id.as_i64().expect("a number"));
        self.0.failed_at.push(out.now());
        Ok(())
    }

    fn close(&mut self) {
        self.0.calls.push("close");
    }
}

/// A bolt that keeps every tuple until the test acks, fails or drops it by the bolt's handle.
#[derive(Clone)]
pub struct Hold {
    declare: Declare,
    held: Arc<Mutex<VecDeque<(Tuple, BoltHandle)>>>,
}

impl Hold {
    pub fn new(declare: Declare) -> Self {
        Self { declare, held: Arc::default() }
    }

    /// What `TopologyBuilder::bolt` takes.
    pub fn bolt(&self) -> impl Fn() -> HoldBolt + Send + Sync + use<> {
        let hold = self.clone();
        move || HoldBolt { hold: hold.clone(), handle: None }
    }

    /// Number of tuples held.
    pub fn len(&self) -> usize {
        lock(&self.held).len()
    }

    /// The oldest tuple and the handle of the task that got it.
    #[track_caller]
    pub fn take(&self) -> (Tuple, BoltHandle) {
        lock(&self.held).pop_front().expect("a tuple is held")
    }

    /// Acks the oldest tuple.
    #[track_caller]
    pub fn ack(&self) {
        let (tuple, handle) = self.take();
        handle.ack(tuple).expect("the handle has room");
    }

    /// Fails the oldest tuple.
    #[track_caller]
    pub fn fail(&self) {
        let (tuple, handle) = self.take();
        handle.fail(tuple).expect("the handle has room");
    }
}

/// One instance of a [`Hold`].
pub struct HoldBolt {
    hold: Hold,
    handle: Option<BoltHandle>,
}

impl Bolt for HoldBolt {
    fn declare(&self, declare: &mut Declarer) {
        (self.hold.declare)(declare);
    }

    fn prepare(&mut self, _context: &TaskContext, handle: BoltHandle) -> Result {
        self.handle = Some(handle);
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, _out: &mut Collector) -> Result {
        let handle = self.handle.clone().expect("prepare came first");
        lock(&self.hold.held).push_back((tuple, handle));
        Ok(())
    }
}

/// A basic bolt made of a closure.
pub struct Closure<F> {
    declare: Declare,
    execute: F,
}

/// What `TopologyBuilder::bolt` takes for a basic bolt that runs this closure.
pub fn basic<F>(declare: Declare, execute: F) -> impl Fn() -> Closure<F> + Send + Sync + 'static
where
    F: FnMut(TupleRef<'_>, &mut BasicCollector<'_>) -> Result + Clone + Send + Sync + 'static,
{
    move || Closure { declare, execute: execute.clone() }
}

impl<F> BasicBolt for Closure<F>
where
    F: FnMut(TupleRef<'_>, &mut BasicCollector<'_>) -> Result + Send,
{
    fn declare(&self, declare: &mut Declarer) {
        (self.declare)(declare);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        (self.execute)(tuple, out)
    }
}

/// A bolt made of a closure.
pub struct OwnedClosure<F> {
    declare: Declare,
    execute: F,
}

/// What `TopologyBuilder::bolt` takes for a bolt that owns its tuples and runs this closure.
pub fn owned<F>(
    declare: Declare,
    execute: F,
) -> impl Fn() -> OwnedClosure<F> + Send + Sync + 'static
where
    F: FnMut(Tuple, &mut Collector) -> Result + Clone + Send + Sync + 'static,
{
    move || OwnedClosure { declare, execute: execute.clone() }
}

impl<F> Bolt for OwnedClosure<F>
where
    F: FnMut(Tuple, &mut Collector) -> Result + Send,
{
    fn declare(&self, declare: &mut Declarer) {
        (self.declare)(declare);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        (self.execute)(tuple, out)
    }
}

/// A bolt that does nothing with its tuples, which are acked.
pub fn ignore() -> impl Fn() -> Closure<Ignore> + Send + Sync + 'static {
    fn nothing_happens(_: TupleRef<'_>, _: &mut BasicCollector<'_>) -> Result {
        Ok(())
    }
    basic(nothing, nothing_happens as Ignore)
}

/// What [`ignore`] is made of.
pub type Ignore = fn(TupleRef<'_>, &mut BasicCollector<'_>) -> Result;

/// A bolt that passes numbers on.
pub fn pass() -> impl Fn() -> Closure<Ignore> + Send + Sync + 'static {
    fn passes(tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        out.emit([tuple.i64(0)?]);
        Ok(())
    }
    basic(number, passes as Ignore)
}

/// A basic bolt that writes down which task got which number.
#[derive(Clone, Default)]
pub struct Record {
    /// Task and number.
    pub got: Journal<(TaskId, i64)>,
}

impl Record {
    /// What `TopologyBuilder::bolt` takes.
    pub fn bolt(&self) -> impl Fn() -> RecordBolt + Send + Sync + use<> {
        let record = self.clone();
        move || RecordBolt { record: record.clone(), task: None }
    }

    /// Numbers in ascending order, whichever task got them.
    pub fn numbers(&self) -> Vec<i64> {
        let mut numbers: Vec<i64> = self.got.read().into_iter().map(|(_, number)| number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// The tasks that got a number, ascending.
    pub fn tasks_of(&self, number: i64) -> Vec<u16> {
        let got = self.got.sorted().into_iter();
        got.filter(|(_, one)| *one == number).map(|(task, _)| task.0).collect()
    }
}

/// One instance of a [`Record`].
pub struct RecordBolt {
    record: Record,
    task: Option<TaskId>,
}

impl BasicBolt for RecordBolt {
    fn prepare(&mut self, context: &TaskContext) -> Result {
        self.task = Some(context.task());
        Ok(())
    }

    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        self.record.got.push((self.task.expect("prepare came first"), tuple.i64(0)?));
        Ok(())
    }
}
