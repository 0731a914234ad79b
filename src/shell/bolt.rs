//! A bolt whose tuples are processed by a child process.
//!
//! ```text
//!   execute ──▶ encode ──▶ outbox ──▶ pipe      one write per cycle, or when max.pending wait
//!   woken   ◀── emit, ack … ◀── reader ◀── pipe  and the task ids that were asked for, back
//! ```
//!
//! **Budget.** A cycle with something to say makes one write; a reading, one read. A tuple costs its
//! encoding, and a hash when it is given and when it is settled.
//!
//! **Invariants.** While tuples wait for room in the pipe, at most `topology.shellbolt.max.pending` of
//! them do, and the bolt takes no more. Nothing is read while a block of emissions is staged.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use super::child::{Child, READ_BYTES, Read};
use super::error::Fault;
use super::host::Host;
use super::log;
use super::pending::Pending;
use super::spec::Spec;
use crate::bolt::{Bolt, BoltHandle, Collector};
use crate::clock::Time;
use crate::component::{Declarer, Result, TaskContext};
use crate::id::{DEFAULT_STREAM, TaskId};
use crate::multilang::{Emit, FromChild, HostWriter, SYSTEM_TASK, SourceTask, TupleId};
use crate::tuple::Tuple;
use crate::tuple::block::BLOCK_TUPLES;

/// Emissions after which the executor has its turn.
const MOST_STAGED: usize = 2 * BLOCK_TUPLES;

/// A bolt in another language: it starts a child process for each of its tasks and speaks Storm's
/// multilang protocol with it.
///
/// ```no_run
/// use storm_runtime::prelude::*;
/// use storm_runtime::shell::ShellBolt;
///
/// # fn add(builder: &mut TopologyBuilder) {
/// builder
///     .bolt("split", ShellBolt::new(["python3", "split.py"]).output(["word"]))
///     .shuffle("lines");
/// # }
/// ```
///
/// A child that ends, babbles or falls silent is started again after a pause, its tuples fail at
/// once, and the cause is reported; everything else of the worker goes on.
pub struct ShellBolt {
    pub(super) spec: Arc<Spec>,
    /// From `prepare` on.
    pub(super) task: Option<Box<Task>>,
}

/// A task of a shell bolt.
pub(super) struct Task {
    spec: Arc<Spec>,
    host: Option<Host>,
    pending: Pending,
    buffer: Box<[u8]>,
    is_held: bool,
}

impl Task {
    pub fn new(spec: Arc<Spec>) -> Self {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Self { spec, host: None, pending: Pending::new(), buffer, is_held: false }
    }

    fn hold(&mut self, out: &mut Collector, held: bool) {
        if self.is_held != held {
            self.is_held = held;
            out.hold(held);
        }
    }

    /// Ends the child; what it held fails at once.
    #[cold]
    fn fail(&mut self, fault: Fault, out: &mut Collector) {
        if let Some(host) = &mut self.host {
            host.end(fault);
        }
        for tuple in self.pending.drain() {
            out.fail(tuple);
        }
    }

    /// Reads and does what the child says, and writes what there is for it; answers when to be
    /// called again.
    fn converse(&mut self, out: &mut Collector) -> Result<Time, Fault> {
        let now = out.now();
        let Self { host, pending, buffer, .. } = self;
        let Some((child, settings, context)) = host.as_mut().and_then(Host::alive) else {
            return Ok(Time::NEVER);
        };
        child.note_readable();
        loop {
            if child.greeted(settings)? {
                child.liveness.ask_from_now_on();
                let left = obey(child, pending, context, out)?;
                if left {
                    child.write()?;
                    return Ok(now);
                }
            }
            match child.read(buffer, now)? {
                Read::Some => {}
                Read::Nothing => break,
            }
        }
        child.write()?;
        child.watch_over(settings, now, |writer| {
            writer.heartbeat(pending.skip_id());
        })
    }
}

/// Does what the child says until nothing is left, or enough is staged; true if something is left.
fn obey(
    child: &mut Child,
    pending: &mut Pending,
    context: &TaskContext,
    out: &mut Collector,
) -> Result<bool, Fault> {
    let Child { reader, writer, .. } = child;
    while out.staging.len() < MOST_STAGED {
        let Some(message) = reader.next_message()? else { return Ok(false) };
        match message {
            FromChild::Emit(emit) => {
                self::emit(emit, pending, out, writer)?;
            }
            FromChild::Answered { id, values } => {
                let tuple = pending.take(id).ok_or_else(|| unknown("answered", id.into()))?;
                if let Some(values) = values {
                    out.emit(&tuple, values.drain(..));
                }
                out.ack(tuple);
            }
            FromChild::Ack(id) => out.ack(take(pending, "acked", id)?),
            FromChild::Acks { first, count } => {
                for id in first..first + i64::from(count) {
                    out.ack(take(pending, "acked", id.into())?);
                }
            }
            FromChild::Fail(id) => out.fail(take(pending, "failed", id)?),
            FromChild::Error { text } => out.report_error(text.into_owned()),
            FromChild::Log { text, level } => log::line(context, level, &text),
            FromChild::Metrics { name, params } => log::metric(context, &name, &params),
            FromChild::Sync => {}
            FromChild::Unknown { command } => {
                tracing::debug!("the child's command {command:?} is none of a bolt");
            }
        }
        if let Some(mistake) = out.staging.mistake.take() {
            return Err(Fault::Emission(mistake.to_string()));
        }
    }
    Ok(true)
}

fn take(pending: &mut Pending, verb: &'static str, id: TupleId) -> Result<Tuple, Fault> {
    let tuple = id.as_number().and_then(|number| pending.take(number));
    tuple.ok_or_else(|| unknown(verb, id))
}

#[cold]
fn unknown(verb: &'static str, id: TupleId) -> Fault {
    Fault::UnknownId { verb, id }
}

fn emit(
    emit: Emit<'_>,
    pending: &Pending,
    out: &mut Collector,
    writer: &mut HostWriter,
) -> Result<(), Fault> {
    let mut anchors: SmallVec<[&Tuple; 4]> = SmallVec::new();
    for id in emit.anchors {
        let tuple = id.as_number().and_then(|number| pending.get(number));
        anchors.push(tuple.ok_or_else(|| unknown("anchored an emission to", id.clone()))?);
    }
    let stream = emit.stream.as_deref().unwrap_or(DEFAULT_STREAM);
    let values = emit.values.drain(..);
    match emit.task {
        Some(task) => out.emit_direct(self::task(task)?, stream, &anchors[..], values),
        None if emit.need_task_ids => {
            let tasks = out.emit_for_tasks(stream, &anchors[..], values);
            writer.task_ids(tasks.iter().map(|task| task.0.into()));
        }
        None => out.emit_to(stream, &anchors[..], values),
    }
    Ok(())
}

/// The task that a child names.
pub(super) fn task(number: i64) -> Result<TaskId, Fault> {
    u16::try_from(number).map(TaskId).map_err(|_| Fault::Task(number))
}

impl Bolt for Task {
    fn declare(&self, declare: &mut Declarer) {
        self.spec.declare(declare);
    }

    fn prepare(&mut self, context: &TaskContext, handle: BoltHandle) -> Result {
        self.host = Some(Host::new(self.spec.clone(), context)?);
        // The child is started by the call that this brings, before the first tuple.
        handle.wake();
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        let Self { host, pending, .. } = self;
        let Some((child, settings, _)) = host.as_mut().and_then(Host::alive) else {
            out.fail(tuple);
            return Ok(());
        };
        let is_tick = tuple.is_tick();
        if is_tick && (child.pid.is_none() || child.out.queued > settings.max_pending) {
            // The next one comes by itself.
            return Ok(());
        }
        let view = tuple.view();
        let task = if is_tick { SYSTEM_TASK } else { view.source_task().0.into() };
        let source = SourceTask {
            component: view.source_component().as_str(),
            stream: view.source_stream().as_str(),
            task,
        };
        let id = pending.next_id();
        if let Err(error) = child.writer.tuple(id, source, tuple.values()) {
            out.report_error(error);
            out.fail(tuple);
            return Ok(());
        }
        pending.put(tuple);
        child.out.queued += 1;
        if child.out.queued == 1 {
            // Everything that comes in this cycle goes in one write.
            out.call_at(out.now());
        }
        if child.out.queued >= settings.max_pending {
            match child.write() {
                Ok(()) if child.out.is_empty() => {}
                Ok(()) => self.hold(out, true),
                Err(fault) => {
                    self.fail(fault, out);
                    self.woken(out)?;
                }
            }
        }
        Ok(())
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        let Some(host) = &mut self.host else { return Ok(()) };
        let now = out.now();
        let (mut next, error) = host.advance(now);
        if let Some(error) = error {
            out.report_error(error);
        }
        match self.converse(out) {
            Ok(at) => next = next.min(at),
            Err(fault) => self.fail(fault, out),
        }
        let child = self.host.as_mut().and_then(Host::child);
        let takes_tuples = child.is_some_and(|child| {
            // What a full pipe left behind goes out first.
            child.pid.is_some() && child.out.is_empty()
        });
        self.hold(out, !takes_tuples);
        out.call_at(next);
        Ok(())
    }

    fn cleanup(&mut self) {
        if let Some(host) = &mut self.host {
            host.close();
        }
    }
}

impl Bolt for ShellBolt {
    fn declare(&self, declare: &mut Declarer) {
        self.spec.declare(declare);
    }

    fn prepare(&mut self, context: &TaskContext, handle: BoltHandle) -> Result {
        let task = self.task.get_or_insert_with(|| Box::new(Task::new(self.spec.clone())));
        task.prepare(context, handle)
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        self.task.as_mut().expect("it was prepared").execute(tuple, out)
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        self.task.as_mut().map_or(Ok(()), |task| task.woken(out))
    }

    fn cleanup(&mut self) {
        if let Some(task) = &mut self.task {
            task.cleanup();
        }
    }
}

impl fmt::Debug for ShellBolt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "shell bolt {}", self.spec.line())
    }
}
