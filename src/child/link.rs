//! The two pipes to the host, and what waits between them and the component.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use smallvec::SmallVec;

use super::ChildError;
use super::lines::Lines;
use crate::component::{BelongsTo, ThreadSignal};
use crate::id::{DEFAULT_STREAM, TaskId};
use crate::multilang::{
    ChildReader, ChildWriter, DEFAULT_MAX_MESSAGE_BYTES, Emission, Framing, FromHost, Handshake,
    LogLevel, NotSendable, Pid, TupleId,
};
use crate::queue::Parker;
use crate::tuple::{Anchor, MessageId, TupleRef, Value, ValueRef};

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that may wait for the main thread; then the host waits too.
const CHUNKS: usize = 8;
/// Messages that are read ahead while the component takes none.
const MOST_WAITING: usize = 1024;
/// What is written is sent when it is this much, and when there is nothing more to do.
const SENT_BYTES: usize = 64 << 10;

/// Begins the names of a spout's ids that JSON would change.
const KEPT_ID: &str = "storm-runtime-id-";

/// A message of the host that waits for the component.
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all are tuples, whose values a box would allocate once more"
)]
#[derive(Debug)]
pub(super) enum Heard {
    Tuple { id: TupleId, source: Source, values: SmallVec<[Value; 8]> },
    Next { calls: u32 },
    Ack(Value),
    Fail(Value),
    Activate,
    Deactivate,
}

/// Where a tuple comes from, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub component: Arc<str>,
    pub stream: Arc<str>,
    pub task: i64,
}

/// The main thread's end of the conversation.
pub(super) struct Link {
    pub framing: Framing,
    /// Whether the host does what Storm gets wrong.
    pub is_ours: bool,
    reader: ChildReader,
    pub writer: ChildWriter,
    chunks: Receiver<Vec<u8>>,
    output: Box<dyn Write + Send>,
    pub waiting: VecDeque<Heard>,
    /// Task ids that answer emissions, in their order.
    task_ids: VecDeque<Vec<i64>>,
    /// The tuples that the component holds, by the root that stands for them.
    held: HashMap<u64, TupleId>,
    next_root: u64,
    /// A spout's ids that the host knows under another name.
    name_to_id: HashMap<String, MessageId>,
    names: u64,
    /// Of the last tuple: most come from where the one before came from.
    source: Option<Source>,
    pub lines: Lines,
    pub signal: Arc<ThreadSignal>,
    parker: Option<Parker>,
    /// Whether nothing more will come, as far as it was read.
    has_ended: bool,
    /// Set by the reading thread at its end.
    gone: Arc<AtomicBool>,
}

impl fmt::Debug for Link {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "link in {}", self.framing)
    }
}

impl Link {
    pub fn start(
        input: impl Read + Send + 'static,
        output: impl Write + Send + 'static,
        lines: Lines,
    ) -> Result<Self, ChildError> {
        let (parker, unparker) = Parker::new();
        parker.own();
        let signal = Arc::new(ThreadSignal { raised: AtomicBool::new(false), unparker });
        let (send, chunks) = sync_channel(CHUNKS);
        let gone = Arc::new(AtomicBool::new(false));
        let at_end = TellEnd { signal: signal.clone(), gone: gone.clone() };
        thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || {
                read_all(input, send, &at_end.signal);
                // The channel's end is gone by now, so the main thread sees it.
                drop(at_end);
            })
            .map_err(|source| ChildError::System { what: "start a thread", source })?;
        Ok(Self {
            framing: Framing::Json,
            is_ours: false,
            reader: ChildReader::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES),
            writer: ChildWriter::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES),
            chunks,
            output: Box::new(output),
            waiting: VecDeque::new(),
            task_ids: VecDeque::new(),
            held: HashMap::new(),
            next_root: 1,
            name_to_id: HashMap::new(),
            names: 0,
            source: None,
            lines,
            signal,
            parker: Some(parker),
            has_ended: false,
            gone,
        })
    }

    /// Hears the handshake and answers it; none if the host has gone.
    pub fn handshake(&mut self) -> Result<Option<Handshake>, ChildError> {
        let mut is_first = true;
        let handshake = loop {
            let Ok(chunk) = self.chunks.recv() else { return Ok(None) };
            if std::mem::take(&mut is_first) && chunk.first().is_some_and(|first| *first >= 0x80) {
                // No JSON begins like this, and MessagePack's maps do.
                self.switch(Framing::MessagePack);
            }
            self.reader.push(&chunk);
            if let Some(handshake) = self.reader.next_handshake()? {
                break handshake;
            }
        };
        let pid = std::process::id();
        let file = Path::new(&handshake.pid_dir).join(pid.to_string());
        if let Err(error) = std::fs::File::create(&file) {
            tracing::warn!("cannot create the pid file {}: {error}", file.display());
        }
        let taken = handshake.offered().filter(|framing| *framing != self.framing);
        let framing = taken.map(|framing| framing.name().to_owned());
        self.writer.pid(&Pid { pid: pid.into(), framing });
        self.send()?;
        if let Some(framing) = taken {
            self.switch(framing);
        }
        self.is_ours = handshake.is_ours();
        self.lines.wake(self.signal.clone());
        Ok(Some(handshake))
    }

    fn switch(&mut self, framing: Framing) {
        self.framing = framing;
        self.reader.set_framing(framing);
        self.writer.set_framing(framing);
    }

    /// What the main thread sleeps in; given away once, so that it sleeps without the lock.
    pub fn take_parker(&mut self) -> Parker {
        self.parker.take().expect("one task runs in the main thread")
    }

    /// Reads what has come, as far as it may wait; heartbeats are answered at once, since they ask
    /// for nothing but a word.
    pub fn hear(&mut self) -> Result<(), ChildError> {
        while self.waiting.len() < MOST_WAITING {
            if self.hear_one()? {
                continue;
            }
            match self.chunks.try_recv() {
                Ok(chunk) => self.reader.push(&chunk),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.has_ended = true;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the host has closed its end, and the component was given all that it said, if it
    /// `takes` it.
    pub fn has_ended(&self, takes: bool) -> bool {
        match takes {
            true => self.has_ended && self.waiting.is_empty(),
            false => self.gone.load(Ordering::Acquire),
        }
    }

    /// Sends what the component has said at its end, if anybody still reads it.
    pub fn say_goodbye(&mut self) {
        self.log();
        let _ = self.send();
    }

    /// Writes an emission of the component's.
    pub fn emit(
        &mut self,
        tuple: TupleRef<'_>,
        task: Option<TaskId>,
        message_id: Option<&Value>,
    ) -> Result<(), String> {
        let stream = tuple.stream.stream.as_str();
        if let (Some(task), false) = (task, self.is_ours) {
            return Err(format!(
                "nothing was emitted to task {task} on stream {stream}: the host is Apache Storm, \
                 which dies of emissions to tasks by number; use another grouping there"
            ));
        }
        let anchors = self.ids(tuple.anchors);
        let emission = Emission {
            anchors: if message_id.is_some() { &[] } else { &anchors },
            stream: (stream != DEFAULT_STREAM).then_some(stream),
            task: task.map(|task| task.0.into()),
            message_id,
            need_task_ids: false,
        };
        self.writer.emit(&emission, tuple.values).map_err(|error| error.to_string())
    }

    /// Takes the next message from what was received, if it is whole.
    fn hear_one(&mut self) -> Result<bool, ChildError> {
        let Some(message) = self.reader.next_message()? else { return Ok(false) };
        let heard = match message {
            FromHost::Tuple { id, source, values } => {
                let known = self.source.as_ref().filter(|known| {
                    known.task == source.task
                        && &*known.component == source.component
                        && &*known.stream == source.stream
                });
                let source = known.cloned().unwrap_or_else(|| Source {
                    component: source.component.into(),
                    stream: source.stream.into(),
                    task: source.task,
                });
                self.source = Some(source.clone());
                Heard::Tuple { id, source, values: values.drain(..).collect() }
            }
            FromHost::Heartbeat(_) => {
                self.writer.sync();
                return Ok(true);
            }
            FromHost::TaskIds(tasks) => {
                self.task_ids.push_back(tasks.to_vec());
                return Ok(true);
            }
            FromHost::Next { calls } => Heard::Next { calls },
            FromHost::Ack(id) => Heard::Ack(id),
            FromHost::Fail(id) => Heard::Fail(id),
            FromHost::Activate => Heard::Activate,
            FromHost::Deactivate => Heard::Deactivate,
        };
        self.waiting.push_back(heard);
        Ok(true)
    }

    /// Emits at once and waits for the tasks that get the tuple; none if the host has gone.
    pub fn emit_for_tasks(
        &mut self,
        stream: &str,
        belongs_to: BelongsTo<'_>,
        values: &[Value],
    ) -> Result<Vec<i64>, EmitFailed> {
        let (anchors, message_id) = match belongs_to {
            BelongsTo::Trees(anchors) => (self.ids(anchors), None),
            BelongsTo::Message(id) => (SmallVec::new(), id.map(|id| self.name_of(id))),
        };
        let emission = Emission {
            anchors: &anchors,
            stream: (stream != DEFAULT_STREAM).then_some(stream),
            task: None,
            message_id: message_id.as_ref(),
            need_task_ids: true,
        };
        self.writer.emit(&emission, values)?;
        self.send()?;
        loop {
            if let Some(tasks) = self.task_ids.pop_front() {
                return Ok(tasks);
            }
            if !self.hear_one()? {
                let Ok(chunk) = self.chunks.recv() else { return Ok(Vec::new()) };
                self.reader.push(&chunk);
            }
        }
    }

    /// Keeps the id of a tuple that is given to the component, and answers what stands for it.
    pub fn hold(&mut self, id: TupleId) -> Anchor {
        let root = self.next_root;
        self.next_root += 1;
        self.held.insert(root, id);
        Anchor { root, edge: 1 }
    }

    /// Takes the id of a tuple that is settled; none if it was settled before.
    pub fn release(&mut self, root: u64) -> Option<TupleId> {
        self.held.remove(&root)
    }

    /// Takes the ids of all tuples that the component holds.
    pub fn release_all(&mut self) -> Vec<TupleId> {
        self.held.drain().map(|(_, id)| id).collect()
    }

    /// The ids of the tuples that stand behind anchors and are not settled.
    pub fn ids(&self, anchors: &[Anchor]) -> SmallVec<[TupleId; 2]> {
        anchors.iter().filter_map(|anchor| self.held.get(&anchor.root).cloned()).collect()
    }

    /// A spout's id as the host is told it: numbers and texts as they are.
    pub fn name_of(&mut self, id: &MessageId) -> Value {
        let value = id.to_value();
        if let ValueRef::I64(_) | ValueRef::Str(_) = value.view() {
            return value;
        }
        self.names += 1;
        let name = format!("{KEPT_ID}{}", self.names);
        self.name_to_id.insert(name.clone(), id.clone());
        name.into()
    }

    /// A spout's id as the spout gave it, of which the host speaks for the last time.
    pub fn own_id(&mut self, name: &Value) -> MessageId {
        match name.view() {
            ValueRef::I64(number) => number.into(),
            ValueRef::Str(text) if text.starts_with(KEPT_ID) => {
                self.name_to_id.remove(text).unwrap_or_else(|| text.into())
            }
            _ => name.clone().into(),
        }
    }

    /// Has the host report an error of the component.
    pub fn error(&mut self, text: &str) {
        if self.writer.error(text).is_err() {
            let short: String = text.chars().take(1000).collect();
            let _ = self.writer.error(&format!("{short}… (shortened)"));
        }
    }

    /// Fails a tuple.
    pub fn fail(&mut self, id: &TupleId) {
        // It is the host's own id.
        let _ = self.writer.fail(id);
    }

    /// Writes the log lines that wait.
    pub fn log(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let waiting = self.lines.take();
        for (level, line) in waiting.lines {
            let _ = self.writer.log(&line, level);
        }
        if waiting.left_out > 0 {
            let line = format!("{} more log lines were left out", waiting.left_out);
            let _ = self.writer.log(&line, LogLevel::Warn);
        }
    }

    /// Sends what was written if it is much.
    pub fn send_much(&mut self) -> Result<(), ChildError> {
        if self.writer.waiting() >= SENT_BYTES { self.send() } else { Ok(()) }
    }

    /// Sends all that was written.
    pub fn send(&mut self) -> Result<(), ChildError> {
        let pending = self.writer.pending();
        let bytes = pending.len();
        if bytes == 0 {
            return Ok(());
        }
        let written = self.output.write_all(pending).and_then(|()| self.output.flush());
        self.writer.sent(bytes);
        written.map_err(|source| ChildError::System { what: "write to the host", source })
    }
}

/// Why an emission has no tasks.
#[derive(Debug, thiserror::Error)]
pub(super) enum EmitFailed {
    #[error(transparent)]
    NotSendable(#[from] NotSendable),
    #[error(transparent)]
    Link(#[from] ChildError),
    #[error(transparent)]
    Message(#[from] crate::multilang::MultilangError),
}

/// Reads until the end, or until nobody takes what is read.
fn read_all(mut input: impl Read, chunks: SyncSender<Vec<u8>>, signal: &ThreadSignal) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => break,
            Ok(bytes) => {
                if chunks.send(chunk[..bytes].to_vec()).is_err() {
                    break;
                }
                signal.raise();
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::error!("cannot read from the host: {error}");
                break;
            }
        }
    }
}

/// Tells the main thread when the reading thread has ended, however that was.
struct TellEnd {
    signal: Arc<ThreadSignal>,
    gone: Arc<AtomicBool>,
}

impl Drop for TellEnd {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
        self.signal.raise();
    }
}

/// Sleeps until something comes or `timeout` has passed.
pub(super) fn sleep(parker: &Parker, signal: &ThreadSignal, timeout: Option<Duration>) {
    if timeout == Some(Duration::ZERO) {
        return;
    }
    parker.park(timeout, || !signal.raised.load(Ordering::Acquire));
}

/// Whether something has come since this was asked last.
pub(super) fn take_raised(signal: &ThreadSignal) -> bool {
    signal.raised.swap(false, Ordering::AcqRel)
}
