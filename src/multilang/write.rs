//! Messages into bytes, at either end.

use super::output::Output;
use super::{
    Emission, Framing, HEARTBEAT_STREAM, Handshake, LogLevel, MAX_DEPTH, MAX_VALUES, NotSendable,
    Pid, SYSTEM_TASK, SourceTask, TupleId, json, marshal, msgpack,
};
use crate::id::DEFAULT_STREAM;
use crate::tuple::Value;

/// Writes, on the host, what a child is to hear.
///
/// In [`Framing::Binary`] what is written between two calls of [`pending`](Self::pending) shares a
/// frame, and tuples of one source whose ids count up share an item.
///
/// ```
/// use storm_runtime::multilang::{DEFAULT_MAX_MESSAGE_BYTES, Framing, HostWriter, SourceTask};
///
/// let mut writer = HostWriter::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES);
/// let source = SourceTask { component: "lines", stream: "default", task: 3 };
/// writer.tuple(7, source, &["the cow".into()])?;
/// let expected = br#"{"id":"7","comp":"lines","stream":"default","task":3,"tuple":["the cow"]}"#;
/// assert_eq!(writer.pending(), [&expected[..], b"\nend\n"].concat());
/// # Ok::<(), storm_runtime::multilang::NotSendable>(())
/// ```
#[derive(Debug)]
pub struct HostWriter {
    output: Output,
    /// The source of the tuples that were written last.
    component: String,
    stream: String,
    task: i64,
}

/// Writes, in a child, what its host is to hear.
#[derive(Debug)]
pub struct ChildWriter {
    output: Output,
}

/// What a message may still take.
#[derive(Debug)]
pub(super) struct Budget {
    /// Where in the buffer the message begins.
    start: usize,
    max_bytes: usize,
    values_left: usize,
}

impl Budget {
    pub fn new(start: usize, max_bytes: usize) -> Self {
        Self { start, max_bytes, values_left: MAX_VALUES }
    }

    /// For a single value that is no list and no map.
    pub fn unbounded() -> Self {
        Self::new(0, usize::MAX)
    }

    #[inline]
    pub fn claim(&mut self) -> Result<(), NotSendable> {
        self.values_left = self.values_left.checked_sub(1).ok_or(NotSendable::TooManyValues)?;
        Ok(())
    }

    /// Whether so many bytes more may follow what was written.
    #[inline]
    pub fn room(&self, written: &[u8], bytes: usize) -> Result<(), NotSendable> {
        match (written.len() - self.start).saturating_add(bytes) <= self.max_bytes {
            true => Ok(()),
            false => Err(NotSendable::TooLong { limit: self.max_bytes }),
        }
    }

    /// The depth of what stands in a list or map at `depth`.
    pub fn deeper(&self, depth: usize) -> Result<usize, NotSendable> {
        if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(NotSendable::TooDeep) }
    }
}

macro_rules! writer {
    ($writer:ident) => {
        impl $writer {
            /// Writes what follows in another framing, as a handshake has it.
            pub fn set_framing(&mut self, framing: Framing) {
                self.output.framing = framing;
            }

            /// All whole messages that were written and not sent.
            pub fn pending(&mut self) -> &[u8] {
                self.output.pending()
            }

            /// Notes that the first `bytes` of what is pending were sent.
            ///
            /// # Panics
            /// If so many are not pending.
            pub fn sent(&mut self, bytes: usize) {
                self.output.sent(bytes);
            }

            /// Bytes that were written and not sent, about.
            pub fn waiting(&self) -> usize {
                self.output.len()
            }

            fn is_binary(&self) -> bool {
                self.output.framing == Framing::Binary
            }

            /// Writes a message whose form is its own.
            fn object(&mut self, object: &impl serde::Serialize) {
                let json = serde_json::to_value(object).expect("its keys are texts and numbers");
                let written = self.output.message(|framing, out, _| {
                    match framing {
                        Framing::MessagePack => msgpack::write_json(out, &json),
                        _ => {
                            json::write(out, &json);
                            out.extend_from_slice(json::END);
                        }
                    }
                    Ok(())
                });
                debug_assert!(written.is_ok(), "a handshake is short");
            }
        }
    };
}

writer!(HostWriter);
writer!(ChildWriter);

impl HostWriter {
    /// A writer of messages of up to `max_bytes` each.
    pub fn new(framing: Framing, max_bytes: usize) -> Self {
        let output = Output::new(framing, max_bytes);
        Self { output, component: String::new(), stream: String::new(), task: 0 }
    }

    /// Tells a child of itself; never in binary.
    pub fn handshake(&mut self, handshake: &Handshake) {
        self.object(handshake);
    }

    /// Gives the child a tuple.
    ///
    /// # Errors
    /// [`NotSendable`]; nothing is written then.
    pub fn tuple(
        &mut self,
        id: i64,
        source: SourceTask<'_>,
        values: &[Value],
    ) -> Result<(), NotSendable> {
        let SourceTask { component, stream, task } = source;
        if !self.is_binary() {
            return self.output.message(|framing, out, budget| {
                let mut map = Map::begin(framing, out, 5);
                map.key("id").number_text(id);
                map.key("comp").text(component);
                map.key("stream").text(stream);
                map.key("task").integer(task);
                map.key("tuple").values(values, budget)?;
                map.end();
                Ok(())
            });
        }
        let is_same = task == self.task && component == self.component && stream == self.stream;
        if !is_same {
            super::fields::set(&mut self.component, component);
            super::fields::set(&mut self.stream, stream);
            self.task = task;
        }
        let head = |out: &mut Vec<u8>| {
            marshal::write_tuple_head(out, 6);
            marshal::write_integer(out, 0);
            marshal::write_text(out, component);
            marshal::write_text(out, stream);
            marshal::write_integer(out, task);
            marshal::write_integer(out, id);
        };
        self.output
            .element(id, is_same, head, |out, budget| marshal::write_values(out, values, budget))
    }

    /// Answers an emission that asked for its tasks.
    pub fn task_ids(&mut self, tasks: impl ExactSizeIterator<Item = i64> + Clone) {
        let count = tasks.len();
        let written = if self.is_binary() {
            self.output.item(|out, _| {
                marshal::write_tuple_head(out, 2);
                marshal::write_integer(out, 1);
                marshal::write_list_head(out, count as u32);
                tasks.clone().for_each(|task| marshal::write_integer(out, task));
                Ok(())
            })
        } else {
            self.output.message(|framing, out, _| {
                if framing == Framing::MessagePack {
                    msgpack::write_list_head(out, count);
                    tasks.for_each(|task| msgpack::write_integer(out, task));
                    return Ok(());
                }
                out.push(b'[');
                for (position, task) in tasks.enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    json::write(out, &task);
                }
                out.push(b']');
                out.extend_from_slice(json::END);
                Ok(())
            })
        };
        debug_assert!(written.is_ok(), "a topology has at most 32767 tasks");
    }

    /// Asks for a sign of life, which is a `sync`.
    pub fn heartbeat(&mut self, id: i64) {
        let written = if self.is_binary() {
            self.output.item(|out, _| {
                marshal::write_tuple_head(out, 2);
                marshal::write_integer(out, 2);
                marshal::write_integer(out, id);
                Ok(())
            })
        } else {
            self.output.message(|framing, out, budget| {
                let mut map = Map::begin(framing, out, 5);
                map.key("id").number_text(id);
                map.key("comp").null();
                map.key("stream").text(HEARTBEAT_STREAM);
                map.key("task").integer(SYSTEM_TASK);
                map.key("tuple").values(&[], budget)?;
                map.end();
                Ok(())
            })
        };
        debug_assert!(written.is_ok(), "a heartbeat is short");
    }

    /// Has a spout emit up to `calls` times, which is to be at least 1; answers how many it asks
    /// for, which is 1 but in binary.
    pub fn next(&mut self, calls: u32) -> u32 {
        if self.is_binary() {
            self.short_item(3, Some(calls.max(1).into()));
            return calls.max(1);
        }
        self.command("next");
        1
    }

    /// Tells a spout that a message of its own is done.
    ///
    /// # Errors
    /// [`NotSendable`]: the id cannot be written; nothing is written then.
    pub fn ack(&mut self, id: &Value) -> Result<(), NotSendable> {
        self.settle(4, "ack", id)
    }

    /// Tells a spout that a message of its own failed.
    ///
    /// # Errors
    /// As [`ack`](Self::ack).
    pub fn fail(&mut self, id: &Value) -> Result<(), NotSendable> {
        self.settle(5, "fail", id)
    }

    /// Tells a spout that the topology was activated.
    pub fn activate(&mut self) {
        match self.is_binary() {
            true => self.short_item(6, None),
            false => self.command("activate"),
        }
    }

    /// Tells a spout that the topology was deactivated.
    pub fn deactivate(&mut self) {
        match self.is_binary() {
            true => self.short_item(7, None),
            false => self.command("deactivate"),
        }
    }

    fn settle(&mut self, number: i64, command: &str, id: &Value) -> Result<(), NotSendable> {
        if self.is_binary() {
            return self.output.item(|out, budget| {
                marshal::write_tuple_head(out, 2);
                marshal::write_integer(out, number);
                marshal::write_list_head(out, 1);
                marshal::write_value(out, id, 0, budget)
            });
        }
        self.output.message(|framing, out, budget| {
            let mut map = Map::begin(framing, out, 2);
            map.key("command").text(command);
            map.key("id").value(id, budget)?;
            map.end();
            Ok(())
        })
    }

    /// A command of a spout's without id.
    fn command(&mut self, command: &str) {
        let written = self.output.message(|framing, out, _| {
            let mut map = Map::begin(framing, out, 2);
            map.key("command").text(command);
            map.key("id").text("");
            map.end();
            Ok(())
        });
        debug_assert!(written.is_ok(), "a command is short");
    }

    fn short_item(&mut self, number: i64, field: Option<i64>) {
        let written = self.output.item(|out, _| {
            marshal::write_tuple_head(out, 1 + u32::from(field.is_some()));
            marshal::write_integer(out, number);
            field.into_iter().for_each(|field| marshal::write_integer(out, field));
            Ok(())
        });
        debug_assert!(written.is_ok(), "a command is short");
    }
}

impl ChildWriter {
    /// A writer of messages of up to `max_bytes` each.
    pub fn new(framing: Framing, max_bytes: usize) -> Self {
        Self { output: Output::new(framing, max_bytes) }
    }

    /// Answers the handshake; never in binary.
    pub fn pid(&mut self, pid: &Pid) {
        self.object(pid);
    }

    /// Emits a tuple.
    ///
    /// # Errors
    /// [`NotSendable`]; nothing is written then.
    pub fn emit(&mut self, emission: &Emission<'_>, values: &[Value]) -> Result<(), NotSendable> {
        if self.is_binary() {
            return self.emit_item(emission, values);
        }
        let Emission { anchors, stream, task, message_id, need_task_ids } = *emission;
        let says_no_task_ids = !need_task_ids && task.is_none();
        let optional = [
            !anchors.is_empty(),
            stream.is_some(),
            task.is_some(),
            message_id.is_some(),
            says_no_task_ids,
        ];
        let fields = 2 + optional.iter().filter(|is_there| **is_there).count();
        self.output.message(|framing, out, budget| {
            let mut map = Map::begin(framing, out, fields);
            map.key("command").text("emit");
            if !anchors.is_empty() {
                map.key("anchors").ids(anchors);
            }
            if let Some(message_id) = message_id {
                map.key("id").value(message_id, budget)?;
            }
            if let Some(stream) = stream {
                map.key("stream").text(stream);
            }
            if let Some(task) = task {
                map.key("task").integer(task);
            }
            if says_no_task_ids {
                map.key("need_task_ids").bool(false);
            }
            map.key("tuple").values(values, budget)?;
            map.end();
            Ok(())
        })
    }

    fn emit_item(&mut self, emission: &Emission<'_>, values: &[Value]) -> Result<(), NotSendable> {
        let Emission { anchors, stream, task, message_id, need_task_ids } = *emission;
        let stream = stream.filter(|stream| *stream != DEFAULT_STREAM);
        let is_short = stream.is_none() && task.is_none() && message_id.is_none() && !need_task_ids;
        self.output.item(|out, budget| {
            marshal::write_tuple_head(out, if is_short { 3 } else { 7 });
            marshal::write_integer(out, i64::from(!is_short));
            match anchors {
                [] => marshal::write_none(out),
                [one] => marshal::write_integer(out, number(one)?),
                several => {
                    marshal::write_tuple_head(out, several.len() as u32);
                    for one in several {
                        marshal::write_integer(out, number(one)?);
                    }
                }
            }
            marshal::write_values(out, values, budget)?;
            if is_short {
                return Ok(());
            }
            match stream {
                Some(stream) => marshal::write_text(out, stream),
                None => marshal::write_none(out),
            }
            match task {
                Some(task) => marshal::write_integer(out, task),
                None => marshal::write_none(out),
            }
            marshal::write_bool(out, need_task_ids);
            match message_id {
                Some(id) => marshal::write_value(out, id, 0, budget),
                None => {
                    marshal::write_none(out);
                    Ok(())
                }
            }
        })
    }

    /// A tuple was answered by one emission of `values` on the default stream, anchored to it and
    /// without task ids, or by none; and is done.
    ///
    /// # Errors
    /// [`NotSendable`]; nothing is written then, not even that it is done.
    pub fn answered(&mut self, id: &TupleId, values: Option<&[Value]>) -> Result<(), NotSendable> {
        if !self.is_binary() {
            if let Some(values) = values {
                let anchors = std::slice::from_ref(id);
                self.emit(&Emission { anchors, ..Emission::default() }, values)?;
            }
            return self.ack(id);
        }
        let id = number(id)?;
        let head = |out: &mut Vec<u8>| {
            marshal::write_tuple_head(out, 3);
            marshal::write_integer(out, 9);
            marshal::write_integer(out, id);
        };
        self.output.element(id, true, head, |out, budget| match values {
            Some(values) => marshal::write_values(out, values, budget),
            None => {
                marshal::write_none(out);
                Ok(())
            }
        })
    }

    /// A tuple is done.
    ///
    /// # Errors
    /// [`NotSendable::Id`]: the host gave no such id.
    pub fn ack(&mut self, id: &TupleId) -> Result<(), NotSendable> {
        self.settle(2, "ack", id)
    }

    /// A tuple could not be processed.
    ///
    /// # Errors
    /// [`NotSendable::Id`]: the host gave no such id.
    pub fn fail(&mut self, id: &TupleId) -> Result<(), NotSendable> {
        self.settle(3, "fail", id)
    }

    /// Has the host log a line.
    ///
    /// # Errors
    /// [`NotSendable::TooLong`].
    pub fn log(&mut self, text: &str, level: LogLevel) -> Result<(), NotSendable> {
        if self.is_binary() {
            return self.output.item(|out, budget| {
                budget.room(out, text.len())?;
                marshal::write_tuple_head(out, 3);
                marshal::write_integer(out, 5);
                marshal::write_text(out, text);
                marshal::write_integer(out, level.number());
                Ok(())
            });
        }
        self.output.message(|framing, out, _| {
            let mut map = Map::begin(framing, out, 3);
            map.key("command").text("log");
            map.key("msg").text(text);
            map.key("level").integer(level.number());
            map.end();
            Ok(())
        })
    }

    /// Has the host report an error of the component, which goes on.
    ///
    /// # Errors
    /// [`NotSendable::TooLong`].
    pub fn error(&mut self, text: &str) -> Result<(), NotSendable> {
        if self.is_binary() {
            return self.output.item(|out, budget| {
                budget.room(out, text.len())?;
                marshal::write_tuple_head(out, 2);
                marshal::write_integer(out, 6);
                marshal::write_text(out, text);
                Ok(())
            });
        }
        self.output.message(|framing, out, _| {
            let mut map = Map::begin(framing, out, 2);
            map.key("command").text("error");
            map.key("msg").text(text);
            map.end();
            Ok(())
        })
    }

    /// Updates a metric of the component.
    ///
    /// # Errors
    /// [`NotSendable`]; nothing is written then.
    pub fn metrics(&mut self, name: &str, params: &Value) -> Result<(), NotSendable> {
        if self.is_binary() {
            return self.output.item(|out, budget| {
                marshal::write_tuple_head(out, 3);
                marshal::write_integer(out, 7);
                marshal::write_text(out, name);
                marshal::write_value(out, params, 0, budget)
            });
        }
        self.output.message(|framing, out, budget| {
            let mut map = Map::begin(framing, out, 3);
            map.key("command").text("metrics");
            map.key("name").text(name);
            map.key("params").value(params, budget)?;
            map.end();
            Ok(())
        })
    }

    /// Answers a heartbeat, or ends a spout's turn.
    pub fn sync(&mut self) {
        let written = if self.is_binary() {
            self.output.item(|out, _| {
                marshal::write_tuple_head(out, 1);
                marshal::write_integer(out, 8);
                Ok(())
            })
        } else {
            self.output.message(|framing, out, _| {
                let mut map = Map::begin(framing, out, 1);
                map.key("command").text("sync");
                map.end();
                Ok(())
            })
        };
        debug_assert!(written.is_ok(), "a sync is short");
    }

    fn settle(&mut self, item: i64, command: &str, id: &TupleId) -> Result<(), NotSendable> {
        if self.is_binary() {
            let id = number(id)?;
            return self.output.item(|out, _| {
                marshal::write_tuple_head(out, 2);
                marshal::write_integer(out, item);
                marshal::write_integer(out, id);
                Ok(())
            });
        }
        self.output.message(|framing, out, _| {
            let mut map = Map::begin(framing, out, 2);
            map.key("command").text(command);
            map.key("id").id(id);
            map.end();
            Ok(())
        })
    }
}

/// The id as binary has it.
fn number(id: &TupleId) -> Result<i64, NotSendable> {
    id.as_number().ok_or_else(|| NotSendable::Id { id: id.to_string() })
}

/// A message that is a map, in JSON or MessagePack; every key is followed by one value.
struct Map<'o> {
    framing: Framing,
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl<'o> Map<'o> {
    fn begin(framing: Framing, out: &'o mut Vec<u8>, fields: usize) -> Self {
        match framing {
            Framing::MessagePack => msgpack::write_map_head(out, fields),
            _ => out.push(b'{'),
        }
        Self { framing, out, is_first: true }
    }

    fn is_json(&self) -> bool {
        self.framing != Framing::MessagePack
    }

    /// `key` has nothing to be escaped.
    fn key(&mut self, key: &str) -> &mut Self {
        if self.is_json() {
            if !self.is_first {
                self.out.push(b',');
            }
            self.out.push(b'"');
            self.out.extend_from_slice(key.as_bytes());
            self.out.extend_from_slice(b"\":");
        } else {
            msgpack::write_text(self.out, key);
        }
        self.is_first = false;
        self
    }

    fn text(&mut self, text: &str) {
        match self.is_json() {
            true => json::write(self.out, text),
            false => msgpack::write_text(self.out, text),
        }
    }

    /// A number as a text, which the ids of tuples are.
    fn number_text(&mut self, number: i64) {
        if self.is_json() {
            self.out.push(b'"');
            json::write(self.out, &number);
            self.out.push(b'"');
        } else {
            msgpack::write_text(self.out, &number.to_string());
        }
    }

    fn integer(&mut self, number: i64) {
        match self.is_json() {
            true => json::write(self.out, &number),
            false => msgpack::write_integer(self.out, number),
        }
    }

    fn bool(&mut self, value: bool) {
        match self.is_json() {
            true => json::write(self.out, &value),
            false => msgpack::write_bool(self.out, value),
        }
    }

    fn null(&mut self) {
        match self.is_json() {
            true => self.out.extend_from_slice(b"null"),
            false => msgpack::write_nil(self.out),
        }
    }

    fn id(&mut self, id: &TupleId) {
        match id {
            TupleId::Number(number) => self.integer(*number),
            TupleId::Text(text) => self.text(text),
        }
    }

    fn ids(&mut self, ids: &[TupleId]) {
        if !self.is_json() {
            msgpack::write_list_head(self.out, ids.len());
            ids.iter().for_each(|id| self.id(id));
            return;
        }
        self.out.push(b'[');
        for (position, id) in ids.iter().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            self.id(id);
        }
        self.out.push(b']');
    }

    fn value(&mut self, value: &Value, budget: &mut Budget) -> Result<(), NotSendable> {
        match self.is_json() {
            true => json::write_value(self.out, value, 0, budget),
            false => msgpack::write_value(self.out, value, 0, budget),
        }
    }

    fn values(&mut self, values: &[Value], budget: &mut Budget) -> Result<(), NotSendable> {
        if self.is_json() {
            return json::write_values(self.out, values, 0, budget);
        }
        msgpack::write_list_head(self.out, values.len());
        values.iter().try_for_each(|value| msgpack::write_value(self.out, value, 0, budget))
    }

    fn end(self) {
        if self.is_json() {
            self.out.push(b'}');
            self.out.extend_from_slice(json::END);
        }
    }
}
