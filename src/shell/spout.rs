//! A spout whose tuples a child process emits.
//!
//! The child speaks only when it was asked: after `next`, `activate`, `deactivate`, and but in binary
//! after `ack` and `fail`, it emits and then says `sync`. So there is one question at a time; what is
//! to be told meanwhile waits, in its order.
//!
//! **Invariants.** What waits is bounded by the pending messages. The spout sleeps while it waits for
//! a word; one that emitted nothing is asked again after the spout wait strategy's pause, and a child
//! may itself sleep before its `sync`.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::bolt::task;
use super::child::{Child, READ_BYTES, Read};
use super::error::Fault;
use super::host::Host;
use super::log;
use super::spec::Spec;
use crate::clock::Time;
use crate::component::{Declarer, Result, TaskContext};
use crate::id::DEFAULT_STREAM;
use crate::multilang::{Emit, Framing, FromChild, HostWriter};
use crate::spout::{Next, Spout, SpoutCollector};
use crate::tuple::{MessageId, Value};

/// Calls of a child's `next_tuple` before it says `sync`, in the framing that knows it.
const CALLS: u32 = 64;

/// A spout in another language: it starts a child process for each of its tasks and speaks Storm's
/// multilang protocol with it.
///
/// ```no_run
/// use storm_runtime::prelude::*;
/// use storm_runtime::shell::ShellSpout;
///
/// # fn add(builder: &mut TopologyBuilder) {
/// builder.spout("lines", ShellSpout::new(["python3", "lines.py"]).output(["line"]));
/// # }
/// ```
///
/// A child that ends, babbles or falls silent is started again after a pause, what it had pending
/// fails in its successor, and the cause is reported; everything else of the worker goes on.
pub struct ShellSpout {
    pub(super) spec: Arc<Spec>,
    /// From `open` on.
    pub(super) task: Option<Box<Task>>,
}

/// Something that a child is to be told.
#[derive(Debug)]
enum Word {
    Activate,
    Deactivate,
    Ack(Value),
    Fail(Value),
}

/// Whose turn it is to speak.
#[derive(Debug, Default)]
struct Turn {
    /// The child's, who owes a `sync`.
    is_asked: bool,
    /// The last one ended without an emission.
    is_barren: bool,
    /// Something was emitted in this one.
    emitted: bool,
}

/// A task of a shell spout.
pub(super) struct Task {
    spec: Arc<Spec>,
    host: Option<Host>,
    words: VecDeque<Word>,
    is_active: bool,
    turn: Turn,
    buffer: Box<[u8]>,
}

impl Task {
    pub fn new(spec: Arc<Spec>) -> Self {
        Self {
            spec,
            host: None,
            words: VecDeque::new(),
            is_active: false,
            turn: Turn::default(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
        }
    }

    /// Ends the child; its successor is told of everything anew.
    #[cold]
    fn fail_child(&mut self, fault: Fault) {
        if let Some(host) = &mut self.host {
            host.end(fault);
        }
        self.turn = Turn::default();
        self.words.retain(|word| matches!(word, Word::Ack(_) | Word::Fail(_)));
        if self.is_active {
            self.words.push_front(Word::Activate);
        }
    }

    /// Reads and does what the child says, and asks it for more; answers when to be called again,
    /// if not before the child speaks.
    fn converse(&mut self, may_emit: bool, out: &mut SpoutCollector) -> Result<Time, Fault> {
        let now = out.now();
        let Some(host) = &mut self.host else { return Ok(Time::NEVER) };
        let Some((child, settings, context)) = host.alive() else { return Ok(Time::NEVER) };
        child.note_readable();
        loop {
            if child.greeted(settings)? {
                obey(child, &mut self.turn, context, out)?;
            }
            match child.read(&mut self.buffer, now)? {
                Read::Some => {}
                Read::Nothing => break,
            }
        }
        let answers_all = child.framing != Framing::Binary;
        while child.pid.is_some()
            && !self.turn.is_asked
            && let Some(word) = self.words.pop_front()
        {
            self.turn.is_asked = match word {
                Word::Activate => {
                    child.writer.activate();
                    true
                }
                Word::Deactivate => {
                    child.writer.deactivate();
                    true
                }
                Word::Ack(id) => {
                    child.writer.ack(&id)?;
                    answers_all
                }
                Word::Fail(id) => {
                    child.writer.fail(&id)?;
                    answers_all
                }
            };
            self.turn.is_barren = false;
        }
        let mut again = Time::NEVER;
        if child.pid.is_some() && !self.turn.is_asked && self.is_active && may_emit {
            if std::mem::take(&mut self.turn.is_barren) {
                again = now + context.conf().spout_wait.poll;
            } else {
                let calls = u32::try_from(out.credit).unwrap_or(CALLS).min(CALLS);
                child.writer.next(calls);
                self.turn.is_asked = true;
            }
        }
        let owes_nothing = child.pid.is_some() && !self.turn.is_asked;
        if owes_nothing {
            child.liveness.spoke(now);
        }
        child.write()?;
        match owes_nothing {
            true => Ok(again),
            false => Ok(again.min(child.watch_over(settings, now, |_| {})?)),
        }
    }

    fn go_on(&mut self, may_emit: bool, out: &mut SpoutCollector) -> Time {
        let Some(host) = &mut self.host else { return Time::NEVER };
        let (next, error) = host.advance(out.now());
        if let Some(error) = error {
            out.report_error(error);
        }
        match self.converse(may_emit, out) {
            Ok(at) => next.min(at),
            Err(fault) => {
                self.fail_child(fault);
                next
            }
        }
    }
}

/// Does what the child says until nothing is left.
fn obey(
    child: &mut Child,
    turn: &mut Turn,
    context: &TaskContext,
    out: &mut SpoutCollector,
) -> Result<(), Fault> {
    let Child { reader, writer, .. } = child;
    while let Some(message) = reader.next_message()? {
        match message {
            FromChild::Emit(message) => {
                emit(message, out, writer)?;
                turn.emitted = true;
            }
            FromChild::Sync => {
                turn.is_asked = false;
                turn.is_barren = !std::mem::take(&mut turn.emitted);
            }
            FromChild::Error { text } => out.report_error(text.into_owned()),
            FromChild::Log { text, level } => log::line(context, level, &text),
            FromChild::Metrics { name, params } => log::metric(context, &name, &params),
            FromChild::Ack(_) | FromChild::Acks { .. } | FromChild::Answered { .. } => {
                return Err(Fault::Command("ack".to_owned()));
            }
            FromChild::Fail(_) => return Err(Fault::Command("fail".to_owned())),
            FromChild::Unknown { command } => return Err(Fault::Command(command.into_owned())),
        }
        if let Some(mistake) = out.staging.mistake.take() {
            return Err(Fault::Emission(mistake.to_string()));
        }
    }
    Ok(())
}

fn emit(message: Emit<'_>, out: &mut SpoutCollector, writer: &mut HostWriter) -> Result<(), Fault> {
    let stream = message.stream.as_deref().unwrap_or(DEFAULT_STREAM);
    let values = message.values.drain(..);
    let id = message.message_id.map(MessageId::from);
    match message.task {
        Some(number) => out.emit_direct(task(number)?, stream, values, id),
        None if message.need_task_ids => {
            let tasks = out.emit_for_tasks(stream, values, id);
            writer.task_ids(tasks.iter().map(|task| task.0.into()));
        }
        None => out.emit_to(stream, values, id),
    }
    Ok(())
}

impl Spout for Task {
    fn declare(&self, declare: &mut Declarer) {
        self.spec.declare(declare);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        self.host = Some(Host::new(self.spec.clone(), context)?);
        Ok(())
    }

    fn activate(&mut self) {
        self.is_active = true;
        self.tell(Word::Activate);
    }

    fn deactivate(&mut self) {
        self.is_active = false;
        self.tell(Word::Deactivate);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        Ok(Next::IdleUntil(self.go_on(true, out)))
    }

    fn woken(&mut self, out: &mut SpoutCollector) -> Result {
        self.go_on(false, out);
        Ok(())
    }

    fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.tell(Word::Ack(id.to_value()));
        Ok(())
    }

    fn fail(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.tell(Word::Fail(id.to_value()));
        Ok(())
    }

    fn close(&mut self) {
        if let Some(host) = &mut self.host {
            host.close();
        }
    }
}

impl Task {
    /// Has the child be told something, with all else of this cycle in one write.
    fn tell(&mut self, word: Word) {
        self.words.push_back(word);
        if let (Some(host), 1, false) = (&self.host, self.words.len(), self.turn.is_asked) {
            host.waker.wake();
        }
    }
}

impl Spout for ShellSpout {
    fn declare(&self, declare: &mut Declarer) {
        self.spec.declare(declare);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        let task = self.task.get_or_insert_with(|| Box::new(Task::new(self.spec.clone())));
        task.open(context)
    }

    fn activate(&mut self) {
        self.task.as_mut().into_iter().for_each(|task| task.activate());
    }

    fn deactivate(&mut self) {
        self.task.as_mut().into_iter().for_each(|task| task.deactivate());
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        self.task.as_mut().expect("it was opened").next_tuple(out)
    }

    fn woken(&mut self, out: &mut SpoutCollector) -> Result {
        self.task.as_mut().expect("it was opened").woken(out)
    }

    fn ack(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        self.task.as_mut().expect("it was opened").ack(id, out)
    }

    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        self.task.as_mut().expect("it was opened").fail(id, out)
    }

    fn close(&mut self) {
        if let Some(task) = &mut self.task {
            task.close();
        }
    }
}

impl fmt::Debug for ShellSpout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "shell spout {}", self.spec.line())
    }
}
