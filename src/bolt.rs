//! The traits of a tuple processor, and their collectors.
//!
//! **Not here:** when a bolt is called and how its emissions travel (`executor`).

use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use smallvec::SmallVec;

use crate::clock::Time;
use crate::component::{
    BelongsTo, ChooseTasks, ComponentError, Declarer, Result, TaskContext, Waker,
};
use crate::id::TaskId;
use crate::tuple::staging::{Staging, Target};
use crate::tuple::{Anchor, Anchors, IntoValues, Tuple, TupleRef, Value};

/// A processor of tuples that does one thing with each: the ten-line bolt.
///
/// Emissions are anchored to the input. The input is acked when `execute` answers `Ok` and failed
/// when it answers `Err` or panics; then what it emitted in that call is not sent. One instance
/// serves one task, on one thread at a time.
pub trait BasicBolt: Send {
    /// Declares output streams and configuration; called on an instance of its own when the
    /// topology is built. A bolt that emits nothing leaves it out.
    fn declare(&self, declare: &mut Declarer) {
        let _ = declare;
    }

    /// Called once, before the first tuple.
    ///
    /// # Errors
    /// Reported; a new instance is made and prepared after a pause.
    fn prepare(&mut self, context: &TaskContext) -> Result {
        let _ = context;
        Ok(())
    }

    /// Processes one tuple, or a tick if the component asked for ticks.
    ///
    /// # Errors
    /// The input fails, its spout hears of it, the error is reported, and the instance lives on.
    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result;

    /// Called at an orderly end; a killed process does not call it.
    fn cleanup(&mut self) {}
}

/// A processor of tuples that decides itself when to ack or fail what it was given.
///
/// `execute` owns its tuple and may keep it. Every tuple must be acked or failed in the end, or its
/// tree times out. One instance serves one task, on one thread at a time.
pub trait Bolt: Send {
    /// Declares output streams and configuration; called on an instance of its own when the
    /// topology is built. A bolt that emits nothing leaves it out.
    fn declare(&self, declare: &mut Declarer) {
        let _ = declare;
    }

    /// Called once, before the first tuple. `handle` may be given to other threads.
    ///
    /// # Errors
    /// Reported; a new instance is made and prepared after a pause.
    fn prepare(&mut self, context: &TaskContext, handle: BoltHandle) -> Result {
        let _ = (context, handle);
        Ok(())
    }

    /// Processes one tuple, or a tick if the component asked for ticks.
    ///
    /// # Errors
    /// Reported. The tuple was moved into the call: fail it before, or it is counted as dropped
    /// and its tree times out.
    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result;

    /// Called when the component's waker was used or a time given to [`Collector::call_at`] has
    /// come, so that a bolt with threads or timers of its own can emit and ack without waiting for
    /// a tuple. It may also be called for no reason.
    ///
    /// # Errors
    /// Reported.
    fn woken(&mut self, out: &mut Collector) -> Result {
        let _ = out;
        Ok(())
    }

    /// Called at an orderly end; a killed process does not call it.
    fn cleanup(&mut self) {}
}

/// Takes the emissions of a [`BasicBolt`] during one call.
#[derive(Debug)]
pub struct BasicCollector<'a> {
    pub(crate) staging: &'a mut Staging,
    pub(crate) anchors: &'a [Anchor],
    pub(crate) reports: &'a mut Vec<ComponentError>,
    pub(crate) now: Time,
}

impl BasicCollector<'_> {
    /// Emits on the default stream, anchored to the input.
    #[inline(always)]
    pub fn emit(&mut self, values: impl IntoValues) {
        self.staging.emit(self.anchors, values);
    }

    /// Emits on a named stream, anchored to the input.
    #[inline]
    pub fn emit_to(&mut self, stream: &str, values: impl IntoValues) {
        self.staging.emit_to(stream, Target::Grouped, self.anchors, values);
    }

    /// Emits on a direct stream to one task, anchored to the input.
    pub fn emit_direct(&mut self, task: TaskId, stream: &str, values: impl IntoValues) {
        self.staging.emit_to(stream, Target::Direct(task), self.anchors, values);
    }

    /// Reports an error of this component without failing the input.
    pub fn report_error(&mut self, error: impl Into<ComponentError>) {
        self.reports.push(error.into());
    }

    /// The time at which this cycle of the executor began.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }
}

/// What an emission is anchored to: `&tuple`, several (`&[&a, &b]`, `&kept[..]`), a [`TupleRef`],
/// or `()` for nothing.
pub trait AnchorTo {
    /// Appends one anchor per tree.
    #[doc(hidden)]
    fn append_to(self, anchors: &mut AnchorList);
}

/// Anchors of one emission, each tree once.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct AnchorList(SmallVec<[Anchor; 4]>);

impl AnchorList {
    /// Below this many anchors a scan finds doubles faster than sorting does.
    const SCANNED: usize = 16;

    fn add(&mut self, anchors: &[Anchor]) {
        for anchor in anchors {
            let scanned = self.0.len() < Self::SCANNED;
            if !(scanned && self.0.iter().any(|known| known.root == anchor.root)) {
                self.0.push(*anchor);
            }
        }
    }

    fn close(&mut self) -> &[Anchor] {
        if self.0.len() > Self::SCANNED {
            self.0.sort_unstable_by_key(|anchor| anchor.root);
            self.0.dedup_by_key(|anchor| anchor.root);
        }
        &self.0
    }
}

impl AnchorTo for () {
    fn append_to(self, _anchors: &mut AnchorList) {}
}

impl AnchorTo for &Tuple {
    #[inline]
    fn append_to(self, anchors: &mut AnchorList) {
        anchors.add(&self.anchors);
    }
}

impl AnchorTo for TupleRef<'_> {
    fn append_to(self, anchors: &mut AnchorList) {
        anchors.add(self.anchors);
    }
}

impl AnchorTo for &[Tuple] {
    fn append_to(self, anchors: &mut AnchorList) {
        self.iter().for_each(|tuple| tuple.append_to(anchors));
    }
}

impl AnchorTo for &[&Tuple] {
    fn append_to(self, anchors: &mut AnchorList) {
        self.iter().for_each(|tuple| tuple.append_to(anchors));
    }
}

impl<const COUNT: usize> AnchorTo for &[&Tuple; COUNT] {
    fn append_to(self, anchors: &mut AnchorList) {
        self.as_slice().append_to(anchors);
    }
}

impl AnchorTo for &Vec<Tuple> {
    fn append_to(self, anchors: &mut AnchorList) {
        self.as_slice().append_to(anchors);
    }
}

/// What becomes of an input tuple.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Ack,
    Fail,
    ResetTimeout,
}

/// A verdict; it takes effect after everything staged is routed, so that a tree never seems
/// complete before its new edges are known.
#[derive(Debug)]
pub(crate) struct Settled {
    pub verdict: Verdict,
    pub stream: u16,
    /// From the cycle in which the bolt was given the tuple to that of the verdict.
    pub waited_ns: u64,
    pub anchors: Anchors,
}

/// Takes the emissions, acks and fails of a [`Bolt`].
///
/// `emit` never blocks: what finds no room waits here, and the bolt is not called until it is gone.
#[derive(Debug)]
pub struct Collector {
    pub(crate) staging: Staging,
    pub(crate) settled: Vec<Settled>,
    pub(crate) reports: Vec<ComponentError>,
    pub(crate) now: Time,
    pub(crate) chooser: Option<Box<dyn ChooseTasks>>,
    /// What the present call asked for by [`call_at`](Self::call_at), until the executor takes it.
    pub(crate) call_at: Option<Time>,
    /// What the present call said by [`hold`](Self::hold), until the executor takes it.
    pub(crate) hold: Option<bool>,
    anchors: AnchorList,
}

impl Collector {
    pub(crate) fn new(staging: Staging) -> Self {
        Self {
            staging,
            settled: Vec::new(),
            reports: Vec::new(),
            now: Time::ZERO,
            chooser: None,
            call_at: None,
            hold: None,
            anchors: AnchorList::default(),
        }
    }

    /// Emits on the default stream, anchored to `anchors` (`()` for nothing).
    #[inline]
    pub fn emit(&mut self, anchors: impl AnchorTo, values: impl IntoValues) {
        self.anchors.0.clear();
        anchors.append_to(&mut self.anchors);
        self.staging.emit(self.anchors.close(), values);
    }

    /// Emits on a named stream, anchored to `anchors`.
    #[inline]
    pub fn emit_to(&mut self, stream: &str, anchors: impl AnchorTo, values: impl IntoValues) {
        self.emit_at(stream, Target::Grouped, anchors, values);
    }

    /// Emits on a direct stream to one task, anchored to `anchors`.
    pub fn emit_direct(
        &mut self,
        task: TaskId,
        stream: &str,
        anchors: impl AnchorTo,
        values: impl IntoValues,
    ) {
        self.emit_at(stream, Target::Direct(task), anchors, values);
    }

    /// Emits on a named stream and answers the tasks that get the tuple.
    ///
    /// # Cost
    /// The groupings choose at once and for this call alone; a partial-key grouping balances such
    /// emissions apart from those of [`Collector::emit`].
    pub fn emit_for_tasks(
        &mut self,
        stream: &str,
        anchors: impl AnchorTo,
        values: impl IntoValues,
    ) -> Vec<TaskId> {
        let start = self.staging.block.values.len();
        if !self.emit_at(stream, Target::Listed, anchors, values) {
            return Vec::new();
        }
        let mut tasks = Vec::new();
        let position = self.staging.position(stream).expect("the emission was staged");
        if let Some(chooser) = &mut self.chooser {
            let values = &self.staging.block.values[start..];
            chooser.choose(position, values, BelongsTo::Trees(self.anchors.close()), &mut tasks);
        }
        self.staging.listed.push(TaskId(tasks.len() as u16));
        self.staging.listed.extend(&tasks);
        tasks
    }

    fn emit_at(
        &mut self,
        stream: &str,
        target: Target,
        anchors: impl AnchorTo,
        values: impl IntoValues,
    ) -> bool {
        self.anchors.0.clear();
        anchors.append_to(&mut self.anchors);
        self.staging.emit_to(stream, target, self.anchors.close(), values)
    }

    /// The tuple is done: its edge leaves the trees that it belongs to.
    #[inline]
    pub fn ack(&mut self, tuple: Tuple) {
        let (stream, received) = (tuple.stream, tuple.received);
        self.settle(Verdict::Ack, stream, received, tuple.settle());
    }

    /// The tuple could not be processed: the trees that it belongs to fail at once.
    pub fn fail(&mut self, tuple: Tuple) {
        let (stream, received) = (tuple.stream, tuple.received);
        self.settle(Verdict::Fail, stream, received, tuple.settle());
    }

    /// Starts the message timeout of the tuple's trees anew.
    pub fn reset_timeout(&mut self, tuple: &Tuple) {
        self.settle(Verdict::ResetTimeout, tuple.stream, tuple.received, tuple.anchors.clone());
    }

    #[inline]
    pub(crate) fn settle(
        &mut self,
        verdict: Verdict,
        stream: u16,
        received: Time,
        anchors: Anchors,
    ) {
        let waited_ns = self.now.as_nanos().saturating_sub(received.as_nanos());
        self.settled.push(Settled { verdict, stream, waited_ns, anchors });
    }

    /// Reports an error of this component; the bolt lives on.
    pub fn report_error(&mut self, error: impl Into<ComponentError>) {
        self.reports.push(error.into());
    }

    /// Has [`Bolt::woken`] called at a time, or as soon after it as the executor gets to it.
    ///
    /// A task has one such time: another call replaces it, [`Time::NEVER`] takes it back, and it
    /// is gone once it has come.
    pub fn call_at(&mut self, at: Time) {
        self.call_at = Some(at);
    }

    /// Says whether the bolt takes no more tuples for now; they wait before it, and hold those back
    /// who send them. [`Bolt::woken`] and ticks still come, and a call of either, or of a handle from
    /// another thread, is where it says that it takes tuples again.
    ///
    /// Tasks of one executor wait for each other; a new instance takes tuples.
    pub fn hold(&mut self, held: bool) {
        self.hold = Some(held);
    }

    /// The time at which this cycle of the executor began.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Does what a handle asked for from another thread.
    pub(crate) fn apply(&mut self, request: Request) {
        match request {
            Request::Emit { stream, anchors, values } => {
                self.staging.emit_to(&stream, Target::Grouped, &anchors, values);
            }
            Request::Ack(tuple) => self.ack(tuple),
            Request::Fail(tuple) => self.fail(tuple),
        }
    }
}

/// Something that another thread asks of a bolt's executor.
#[derive(Debug)]
pub(crate) enum Request {
    Emit { stream: String, anchors: SmallVec<[Anchor; 4]>, values: Vec<Value> },
    Ack(Tuple),
    Fail(Tuple),
}

/// Emits, acks and fails for a bolt from any thread.
///
/// Requests pass through a bounded queue to the bolt's executor, in their order, and wake it.
#[derive(Clone, Debug)]
pub struct BoltHandle {
    queue: Arc<ArrayQueue<Request>>,
    waker: Waker,
}

/// The handle's queue is full: the executor is behind. Try again later; the tuple of an ack or a
/// fail comes back.
#[derive(Debug)]
#[must_use]
pub struct Full<T>(pub T);

#[allow(
    clippy::result_large_err,
    reason = "what found no room comes back, and a box would allocate"
)]
impl BoltHandle {
    /// Requests that may wait at once.
    const CAPACITY: usize = 1024;

    pub(crate) fn new(waker: Waker) -> Self {
        Self { queue: Arc::new(ArrayQueue::new(Self::CAPACITY)), waker }
    }

    pub(crate) fn take(&self) -> Option<Request> {
        self.queue.pop()
    }

    pub(crate) fn has_requests(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Emits on a named stream, anchored to `anchors`.
    ///
    /// # Errors
    /// [`Full`]: nothing was emitted; the values come back.
    pub fn emit_to(
        &self,
        stream: &str,
        anchors: impl AnchorTo,
        values: impl IntoValues,
    ) -> Result<(), Full<Vec<Value>>> {
        let mut list = AnchorList::default();
        anchors.append_to(&mut list);
        list.close();
        let mut collected = Vec::new();
        values.append_to(&mut collected);
        let request =
            Request::Emit { stream: stream.to_owned(), anchors: list.0, values: collected };
        match self.send(request) {
            Ok(()) => Ok(()),
            Err(Request::Emit { values, .. }) => Err(Full(values)),
            Err(_) => unreachable!("an emission was sent"),
        }
    }

    /// Emits on the default stream, anchored to `anchors`.
    ///
    /// # Errors
    /// [`Full`]: nothing was emitted; the values come back.
    pub fn emit(
        &self,
        anchors: impl AnchorTo,
        values: impl IntoValues,
    ) -> Result<(), Full<Vec<Value>>> {
        self.emit_to(crate::id::DEFAULT_STREAM, anchors, values)
    }

    /// Acks a tuple that the bolt was given.
    ///
    /// # Errors
    /// [`Full`]: the tuple comes back.
    pub fn ack(&self, tuple: Tuple) -> Result<(), Full<Tuple>> {
        self.send(Request::Ack(tuple)).map_err(Request::into_tuple)
    }

    /// Fails a tuple that the bolt was given.
    ///
    /// # Errors
    /// [`Full`]: the tuple comes back.
    pub fn fail(&self, tuple: Tuple) -> Result<(), Full<Tuple>> {
        self.send(Request::Fail(tuple)).map_err(Request::into_tuple)
    }

    /// Has [`Bolt::woken`] called soon.
    pub fn wake(&self) {
        self.waker.wake();
    }

    fn send(&self, request: Request) -> Result<(), Request> {
        self.queue.push(request)?;
        self.waker.wake();
        Ok(())
    }
}

impl Request {
    fn into_tuple(self) -> Full<Tuple> {
        match self {
            Self::Ack(tuple) | Self::Fail(tuple) => Full(tuple),
            Self::Emit { .. } => unreachable!("an ack or a fail was sent"),
        }
    }
}
