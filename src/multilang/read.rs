//! Bytes into messages, at either end.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, DeserializeSeed};

use super::error::Trouble;
use super::fields::{Fields, Message, Scratch, set};
use super::input::{Found, Input};
use super::marshal;
use super::msgpack;
use super::{
    Emit, Framing, FromChild, FromHost, Handshake, LogLevel, MultilangError, MultilangErrorKind,
    Pid, SourceTask, TupleId, json,
};
use crate::tuple::Value;

/// Reads, on the host, what a child says.
///
/// ```
/// use storm_runtime::multilang::{DEFAULT_MAX_MESSAGE_BYTES, Framing, FromChild, HostReader};
///
/// let mut reader = HostReader::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES);
/// reader.push(b"{\"command\":\"emit\",\"tuple\":[\"the\"]}\nen");
/// assert_eq!(reader.next_message()?, None);
/// reader.push(b"d\n");
/// let Some(FromChild::Emit(emit)) = reader.next_message()? else { panic!("no emit") };
/// assert_eq!(emit.values[0].as_str(), Some("the"));
/// assert!(emit.need_task_ids);
/// # Ok::<(), storm_runtime::multilang::MultilangError>(())
/// ```
#[derive(Debug)]
pub struct HostReader {
    input: Input,
    scratch: Scratch,
    batch: Option<Batch>,
}

/// Reads, in a child, what its host says.
#[derive(Debug)]
pub struct ChildReader {
    input: Input,
    scratch: Scratch,
    batch: Option<Batch>,
}

/// A frame of [`Framing::Binary`] that is being read.
#[derive(Debug)]
struct Batch {
    found: Found,
    /// Where in the frame its next item, or the next element of its run, begins.
    at: usize,
    items_left: usize,
    run: Run,
}

/// An item whose elements are handed out one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    None,
    /// Of a host: tuples of the source that is kept in the scratch, at task `task`.
    Tuples {
        next_id: i64,
        task: i64,
        left: usize,
    },
    /// Of a host: ids of a spout's messages.
    MessageIds {
        are_acked: bool,
        left: usize,
    },
    /// Of a child: tuples that were answered.
    Answered {
        next_id: i64,
        left: usize,
    },
}

impl Run {
    fn is_over(self) -> bool {
        match self {
            Self::None => true,
            Self::Tuples { left, .. }
            | Self::MessageIds { left, .. }
            | Self::Answered { left, .. } => left == 0,
        }
    }
}

/// The half of a reader that does not depend on who reads.
macro_rules! reader {
    ($reader:ident reads $message:ident by $fields:ident and $item:ident) => {
        impl $reader {
            /// A reader of messages of up to `max_bytes` each.
            pub fn new(framing: Framing, max_bytes: usize) -> Self {
                let input = Input::new(framing, max_bytes);
                Self { input, scratch: Scratch::default(), batch: None }
            }

            /// Takes what was received. All whole messages should be read before more is pushed,
            /// since only then what waits is bounded.
            pub fn push(&mut self, received: &[u8]) {
                self.input.push(received);
            }

            /// Reads what follows in another framing, as a handshake has it.
            pub fn set_framing(&mut self, framing: Framing) {
                self.input.framing = framing;
            }

            /// Bytes that were pushed and not read.
            pub fn waiting(&self) -> usize {
                self.input.len()
            }

            /// The next message, when all of it is there.
            ///
            /// # Errors
            /// [`MultilangError`]: the conversation cannot go on.
            ///
            /// # Cost
            /// Allocates nothing but what values, and texts that are escaped, need.
            pub fn next_message(&mut self) -> Result<Option<$message<'_>>, MultilangError> {
                if self.input.framing == Framing::Binary {
                    return self.next_item();
                }
                let Some(found) = self.input.find()? else { return Ok(None) };
                let (framing, message) = (self.input.framing, self.input.message(found.range));
                let fields = read_fields(framing, message, &mut self.scratch);
                let read = fields.and_then(|fields| Ok(fields.$fields(&mut self.scratch)?));
                read.map(Some).map_err(|trouble| trouble.in_message(framing, found.at, message))
            }

            fn next_item(&mut self) -> Result<Option<$message<'_>>, MultilangError> {
                if self.batch()?.is_none() {
                    return Ok(None);
                }
                let Self { input, scratch, batch } = self;
                let Some(batch) = batch else { return Ok(None) };
                let frame = input.message(batch.found.range.clone());
                let found_at = batch.found.at;
                let mut parser = marshal::Parser::new(frame, batch.at);
                scratch.clear();
                let read = $item(&mut parser, batch, scratch);
                batch.at = parser.at;
                read.map(Some)
                    .map_err(|trouble| trouble.in_message(Framing::Binary, found_at, frame))
            }

            /// The next batch or the one that is being read, if there is one.
            fn batch(&mut self) -> Result<Option<&mut Batch>, MultilangError> {
                while self.batch.as_ref().is_none_or(|batch| batch.is_over()) {
                    if let Some(batch) = self.batch.take() {
                        let frame = self.input.message(batch.found.range.clone());
                        if batch.at != frame.len() {
                            let trouble = Trouble::syntax(batch.at, "bytes behind the last item");
                            return Err(trouble.in_message(Framing::Binary, batch.found.at, frame));
                        }
                    }
                    let Some(found) = self.input.find()? else { return Ok(None) };
                    let frame = self.input.message(found.range.clone());
                    let mut parser = marshal::Parser::new(frame, 0);
                    let items_left = parser
                        .sequence("a frame")
                        .map_err(|trouble| trouble.in_message(Framing::Binary, found.at, frame))?;
                    let at = parser.at;
                    self.batch = Some(Batch { found, at, items_left, run: Run::None });
                }
                Ok(self.batch.as_mut())
            }
        }
    };
}

reader!(HostReader reads FromChild by into_childs and from_child);
reader!(ChildReader reads FromHost by into_hosts and from_host);

impl Batch {
    fn is_over(&self) -> bool {
        self.items_left == 0 && self.run.is_over()
    }
}

impl HostReader {
    /// The child's answer to the handshake, when all of it is there.
    ///
    /// # Errors
    /// [`MultilangError`]: what came is something else.
    pub fn next_pid(&mut self) -> Result<Option<Pid>, MultilangError> {
        owned(&mut self.input)
    }
}

impl ChildReader {
    /// The host's handshake, when all of it is there.
    ///
    /// # Errors
    /// [`MultilangError`]: what came is something else.
    pub fn next_handshake(&mut self) -> Result<Option<Handshake>, MultilangError> {
        owned(&mut self.input)
    }
}

/// Reads a message that owns what it holds.
fn owned<T: DeserializeOwned>(input: &mut Input) -> Result<Option<T>, MultilangError> {
    let Some(found) = input.find()? else { return Ok(None) };
    let (framing, message) = (input.framing, input.message(found.range));
    let read = match framing {
        Framing::Json => json::read(message, std::marker::PhantomData::<T>),
        // Its keys that are numbers are texts, as `serde_json` has them.
        _ => {
            read_msgpack(message, std::marker::PhantomData::<serde_json::Value>).and_then(|json| {
                serde_json::from_value(json).map_err(|error| Trouble::syntax(0, error.to_string()))
            })
        }
    };
    read.map(Some).map_err(|trouble| trouble.in_message(framing, found.at, message))
}

fn read_msgpack<'de, S: DeserializeSeed<'de>>(
    message: &'de [u8],
    seed: S,
) -> Result<S::Value, Trouble> {
    let mut parser = msgpack::Parser::new(message);
    seed.deserialize(&mut parser).map_err(|trouble| Trouble {
        offset: Some(trouble.offset.unwrap_or(parser.at)),
        kind: trouble.kind,
    })
}

/// Reads a message that is a map, or task ids.
fn read_fields<'a>(
    framing: Framing,
    message: &'a [u8],
    scratch: &mut Scratch,
) -> Result<Fields<'a>, Trouble> {
    scratch.clear();
    let mut fields = Fields::default();
    let seed = Message { fields: &mut fields, scratch: &mut *scratch };
    let read = match framing {
        Framing::Json => json::read(message, seed),
        _ => read_msgpack(message, seed),
    };
    match (read, scratch.refused.take()) {
        (Ok(()), _) => Ok(fields),
        (Err(Trouble { offset, .. }), Some(kind)) => Err(Trouble { offset, kind }),
        (Err(trouble), None) => Err(trouble),
    }
}

/// Ids that count up from the first one: at least one, all of them numbers of 64 bits.
fn check_ids(first: i64, count: usize, at: usize) -> Result<(), Trouble> {
    match count.checked_sub(1).and_then(|more| first.checked_add_unsigned(more as u64)) {
        Some(_) => Ok(()),
        None => Err(Trouble::at(at, MultilangErrorKind::OutOfRange)),
    }
}

type Marshal<'p, 'a> = &'p mut marshal::Parser<'a>;

/// Begins an item: its number, and how many fields follow.
fn begin(parser: Marshal<'_, '_>) -> Result<(i64, usize), Trouble> {
    let at = parser.at;
    match parser.sequence("an item")? {
        0 => Err(Trouble::syntax(at, "an item without a number")),
        fields => Ok((parser.integer("the number of an item")?, fields - 1)),
    }
}

#[cold]
fn no_such_item(at: usize, number: i64, fields: usize) -> Trouble {
    Trouble::syntax(at, format!("item {number} with {fields} fields, which is none"))
}

/// The next item of a child, or the next element of the present one.
fn from_child<'a>(
    parser: Marshal<'_, 'a>,
    batch: &mut Batch,
    scratch: &'a mut Scratch,
) -> Result<FromChild<'a>, Trouble> {
    if batch.run.is_over() {
        let at = parser.at;
        batch.items_left -= 1;
        let (number, fields) = begin(parser)?;
        match (number, fields) {
            (0, 2) | (1, 6) => return emit(parser, fields == 6, scratch),
            (2, 1) => return Ok(FromChild::Ack(TupleId::Number(parser.integer("an id")?))),
            (3, 1) => return Ok(FromChild::Fail(TupleId::Number(parser.integer("an id")?))),
            (4, 2) => {
                let (first, count_at) = (parser.integer("an id")?, parser.at);
                let count = parser.positive("a count")?;
                check_ids(first, count as usize, count_at)?;
                return Ok(FromChild::Acks { first, count });
            }
            (5, 2) => {
                let text = Cow::Borrowed(parser.text("the text of a log")?);
                let level = LogLevel::from_number(parser.integer("the level of a log")?);
                return Ok(FromChild::Log { text, level });
            }
            (6, 1) => {
                let text = Cow::Borrowed(parser.text("the text of an error")?);
                return Ok(FromChild::Error { text });
            }
            (7, 2) => {
                let name = Cow::Borrowed(parser.text("the name of a metric")?);
                parser.value(0, &mut scratch.values)?;
                let params = scratch.values.pop().unwrap_or_default();
                return Ok(FromChild::Metrics { name, params });
            }
            (8, 0) => return Ok(FromChild::Sync),
            (9, 2) => {
                let next_id = parser.integer("an id")?;
                let list_at = parser.at;
                let left = parser.sequence("the answers")?;
                check_ids(next_id, left, list_at)?;
                batch.run = Run::Answered { next_id, left };
            }
            _ => return Err(no_such_item(at, number, fields)),
        }
    }
    let Run::Answered { next_id: id, left } = batch.run else {
        unreachable!("a child's frame has no other run")
    };
    batch.run = Run::Answered { next_id: id.wrapping_add(1), left: left - 1 };
    let values = match parser.optional_sequence("the values of an answer")? {
        Some(count) => {
            parser.values(count, &mut scratch.values)?;
            Some(&mut scratch.values)
        }
        None => None,
    };
    Ok(FromChild::Answered { id, values })
}

fn emit<'a>(
    parser: Marshal<'_, 'a>,
    is_long: bool,
    scratch: &'a mut Scratch,
) -> Result<FromChild<'a>, Trouble> {
    if parser.is_integer() {
        scratch.anchors.push(TupleId::Number(parser.integer("an id")?));
    } else if let Some(count) = parser.optional_sequence("the anchors")? {
        for _ in 0..count {
            scratch.anchors.push(TupleId::Number(parser.integer("an id")?));
        }
    }
    let count = parser.sequence("the values")?;
    parser.values(count, &mut scratch.values)?;
    let (mut stream, mut task, mut need_task_ids, mut message_id) = (None, None, false, None);
    if is_long {
        if !parser.take_none() {
            stream = Some(Cow::Borrowed(parser.text("the stream")?));
        }
        if !parser.take_none() {
            task = Some(parser.integer("the task")?).filter(|task| *task != 0);
        }
        need_task_ids = parser.bool("need_task_ids")? && task.is_none();
        parser.value(0, &mut scratch.values)?;
        message_id = scratch.values.pop().filter(|id| !id.is_null());
    }
    let Scratch { values, anchors, .. } = scratch;
    Ok(FromChild::Emit(Emit { values, anchors, stream, task, message_id, need_task_ids }))
}

/// The next item of a host, or the next element of the present one.
fn from_host<'a>(
    parser: Marshal<'_, 'a>,
    batch: &mut Batch,
    scratch: &'a mut Scratch,
) -> Result<FromHost<'a>, Trouble> {
    if batch.run.is_over() {
        let at = parser.at;
        batch.items_left -= 1;
        let (number, fields) = begin(parser)?;
        match (number, fields) {
            (0, 5) => {
                set(&mut scratch.component, parser.text("the component")?);
                set(&mut scratch.stream, parser.text("the stream")?);
                let task = parser.integer("the task")?;
                let next_id = parser.integer("an id")?;
                let list_at = parser.at;
                let left = parser.sequence("the tuples")?;
                check_ids(next_id, left, list_at)?;
                batch.run = Run::Tuples { next_id, task, left };
            }
            (1, 1) => {
                for _ in 0..parser.sequence("the task ids")? {
                    scratch.task_ids.push(parser.integer("a task id")?);
                }
                return Ok(FromHost::TaskIds(&scratch.task_ids));
            }
            (2, 1) => return Ok(FromHost::Heartbeat(TupleId::Number(parser.integer("an id")?))),
            (3, 1) => return Ok(FromHost::Next { calls: parser.positive("the calls")? }),
            (4 | 5, 1) => {
                let left = parser.sequence("the ids")?;
                check_ids(0, left, at)?;
                batch.run = Run::MessageIds { are_acked: number == 4, left };
            }
            (6, 0) => return Ok(FromHost::Activate),
            (7, 0) => return Ok(FromHost::Deactivate),
            _ => return Err(no_such_item(at, number, fields)),
        }
    }
    match &mut batch.run {
        Run::Tuples { next_id, task, left } => {
            let id = TupleId::Number(*next_id);
            (*next_id, *left) = (next_id.wrapping_add(1), *left - 1);
            let count = parser.sequence("the values")?;
            let Scratch { component, stream, values, .. } = scratch;
            parser.values(count, values)?;
            let source = SourceTask { component, stream, task: *task };
            Ok(FromHost::Tuple { id, source, values })
        }
        Run::MessageIds { are_acked, left } => {
            *left -= 1;
            parser.value(0, &mut scratch.values)?;
            let id: Value = scratch.values.pop().unwrap_or_default();
            Ok(if *are_acked { FromHost::Ack(id) } else { FromHost::Fail(id) })
        }
        Run::None | Run::Answered { .. } => unreachable!("a host's frame has no such run"),
    }
}
