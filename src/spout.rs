//! The trait of a tuple source, and its collector.
//!
//! **Not here:** pending tuples, timeouts and replay accounting (`executor`).

use std::time::Duration;

use crate::clock::Time;
use crate::component::{BelongsTo, ChooseTasks, ComponentError, Declarer, Result, TaskContext};
use crate::id::TaskId;
use crate::tuple::staging::{Staging, Target};
use crate::tuple::{Anchor, IntoValues, MessageId};

/// What a spout has to say after [`Spout::next_tuple`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Next {
    /// Something was emitted, or may be at once: call again.
    Emitted,
    /// There is nothing to emit. A spout that took its waker is called again when woken, any other
    /// after the spout wait strategy's pause.
    Idle,
    /// There is nothing to emit before this time, unless the waker or a `fail` comes first.
    IdleUntil(Time),
    /// Everything was emitted, and nothing more will be unless a message fails.
    ///
    /// The task is asked again after a `fail`, when it is woken, when the topology is activated, and
    /// by a new instance after a panic; what it answers then counts instead. When all tasks of all
    /// spouts have finished and all that they emitted was processed, so is the topology:
    /// `TopologyStats::is_finished`.
    Finished,
}

/// A source of tuples.
///
/// One instance serves one task, on one thread at a time. All calls come from the executor, never
/// two at once: `open` and `activate` first, `close` last where the end is orderly.
///
/// A spout emits with a message id what it wants to hear of again: each such tuple is answered by
/// exactly one `ack` or `fail`, unless the process dies before. To get at-least-once processing, a
/// spout emits a failed message again.
///
/// An `Err` is reported and leaves the instance alive. A panic ends the instance: a new one is made
/// and opened after a pause, and is told `fail` for whatever the old one had pending.
pub trait Spout: Send {
    /// Declares output streams and configuration; called on an instance of its own when the
    /// topology is built.
    fn declare(&self, declare: &mut Declarer);

    /// Called once, before anything else.
    ///
    /// # Errors
    /// Reported; a new instance is made and opened after a pause.
    fn open(&mut self, context: &TaskContext) -> Result {
        let _ = context;
        Ok(())
    }

    /// Called when the topology is activated, also at its start.
    ///
    /// There is no context here: a spout that needs the time keeps `context.clock().clone()` from
    /// [`open`](Self::open), which is simulated in a simulated cluster.
    fn activate(&mut self) {}

    /// Called when the topology is deactivated; acks and fails still come. As for the time, see
    /// [`activate`](Self::activate).
    fn deactivate(&mut self) {}

    /// Emits what there is, one tuple or a few, and must not block.
    ///
    /// Not called while the spout has as many tuples pending as `topology.max.spout.pending`
    /// allows, nor while its targets have no room.
    ///
    /// # Errors
    /// Reported, then as [`Next::Idle`]; what this call emitted is kept.
    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next>;

    /// Called when the component's waker was used, or what it has watched has changed, while
    /// [`next_tuple`](Self::next_tuple) may not be called: the topology is deactivated, or as many
    /// tuples are pending as may be. For a spout that has to listen nevertheless.
    ///
    /// # Errors
    /// Reported.
    fn woken(&mut self, out: &mut SpoutCollector) -> Result {
        let _ = out;
        Ok(())
    }

    /// The whole tree of the message was processed.
    ///
    /// # Errors
    /// Reported.
    fn ack(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        let _ = (id, out);
        Ok(())
    }

    /// A tuple of the message's tree failed, or the tree was not done in time.
    ///
    /// The message may be emitted again here, or be queued here and emitted by the next
    /// [`next_tuple`](Self::next_tuple): after this call the task is asked again, also if it had
    /// answered that it is idle or has finished.
    ///
    /// # Errors
    /// Reported.
    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        let _ = (id, out);
        Ok(())
    }

    /// Called at an orderly end; a killed process does not call it.
    fn close(&mut self) {}
}

/// Takes a spout's emissions.
///
/// `emit` never blocks: what finds no room waits here, and the spout is not called until it is
/// gone.
#[derive(Debug)]
pub struct SpoutCollector {
    pub(crate) staging: Staging,
    pub(crate) reports: Vec<ComponentError>,
    pub(crate) now: Time,
    pub(crate) chooser: Option<Box<dyn ChooseTasks>>,
    /// Tuples that the present call may emit with an id before the task has used its credit up.
    pub(crate) credit: usize,
    /// [`NEW_ROOT`], or nothing where no trees are kept.
    root: &'static [Anchor],
}

/// Stands for the tree that the router will make for an emission with a message id.
const NEW_ROOT: &[Anchor] = &[Anchor { root: 0, edge: 0 }];

impl SpoutCollector {
    pub(crate) fn new(staging: Staging, tracked: bool) -> Self {
        let root = if tracked { NEW_ROOT } else { &[] };
        Self { staging, reports: Vec::new(), now: Time::ZERO, chooser: None, credit: 0, root }
    }

    /// Emits on the default stream and wants to hear nothing more of it.
    #[inline(always)]
    pub fn emit(&mut self, values: impl IntoValues) {
        self.staging.emit(&[], values);
    }

    /// Emits on the default stream; `id` comes back in exactly one `ack` or `fail`.
    #[inline(always)]
    pub fn emit_with_id(&mut self, values: impl IntoValues, id: impl Into<MessageId>) {
        if self.staging.emit(self.root, values) {
            self.staging.message_ids.push(id.into());
        }
    }

    /// Emits on a named stream, with a message id or (`None::<u64>`) without.
    pub fn emit_to(
        &mut self,
        stream: &str,
        values: impl IntoValues,
        id: Option<impl Into<MessageId>>,
    ) {
        self.emit_at(stream, Target::Grouped, values, id);
    }

    /// Emits on a direct stream to one task, with a message id or without.
    pub fn emit_direct(
        &mut self,
        task: TaskId,
        stream: &str,
        values: impl IntoValues,
        id: Option<impl Into<MessageId>>,
    ) {
        self.emit_at(stream, Target::Direct(task), values, id);
    }

    /// Emits on a named stream, with a message id or without, and answers the tasks that get the
    /// tuple.
    ///
    /// # Cost
    /// The groupings choose at once and for this call alone; a partial-key grouping balances such
    /// emissions apart from others.
    pub fn emit_for_tasks(
        &mut self,
        stream: &str,
        values: impl IntoValues,
        id: Option<impl Into<MessageId>>,
    ) -> Vec<TaskId> {
        let start = self.staging.block.values.len();
        let ids = self.staging.message_ids.len();
        if !self.emit_at(stream, Target::Listed, values, id) {
            return Vec::new();
        }
        let mut tasks = Vec::new();
        let position = self.staging.position(stream).expect("the emission was staged");
        if let Some(chooser) = &mut self.chooser {
            let id = self.staging.message_ids.get(ids);
            let values = &self.staging.block.values[start..];
            chooser.choose(position, values, BelongsTo::Message(id), &mut tasks);
        }
        self.staging.listed.push(TaskId(tasks.len() as u16));
        self.staging.listed.extend(&tasks);
        tasks
    }

    fn emit_at(
        &mut self,
        stream: &str,
        target: Target,
        values: impl IntoValues,
        id: Option<impl Into<MessageId>>,
    ) -> bool {
        let anchors = if id.is_some() { self.root } else { &[] };
        let is_staged = self.staging.emit_to(stream, target, anchors, values);
        if is_staged {
            self.staging.message_ids.extend(id.map(Into::into));
        }
        is_staged
    }

    /// Reports an error of this component; the spout lives on.
    pub fn report_error(&mut self, error: impl Into<ComponentError>) {
        self.reports.push(error.into());
    }

    /// The time at which this cycle of the executor began.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// [`Next::IdleUntil`] the time that lies `pause` after the cycle's beginning.
    pub fn idle_for(&self, pause: Duration) -> Next {
        Next::IdleUntil(self.now + pause)
    }
}
