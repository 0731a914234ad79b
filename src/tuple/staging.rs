//! Where emissions wait until the executor routes them: between a call and its routing, and for as
//! long as their targets have no room.
//!
//! **Invariants.** Emissions are routed in the order in which they were made. An executor calls its
//! component only while nothing is staged, so staged are at most one block and one call's output.
//!
//! **Runs on** the executor's thread.

use std::fmt;
use std::sync::Arc;

use super::block::Block;
use super::{Anchor, IntoValues, Value};
use crate::id::{ComponentId, StreamId, TaskId};

/// The spout author's own id of an emitted tuple: a number, or any other [`Value`].
///
/// # Cost
/// A number is 16 bytes and moves as such; any other value is boxed.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageId(Id);

#[derive(Clone, PartialEq, Eq)]
enum Id {
    Number(i64),
    Value(Box<Value>),
}

impl MessageId {
    /// The id as a value; a number is a 64-bit integer.
    pub fn to_value(&self) -> Value {
        match &self.0 {
            Id::Number(number) => (*number).into(),
            Id::Value(value) => (**value).clone(),
        }
    }

    /// The id as a number, if it was given as one.
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Id::Number(number) => Some(number),
            Id::Value(_) => None,
        }
    }

    /// The id as an unsigned number, if it was given as one.
    #[inline]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i64().map(|number| number as u64)
    }

    /// The id as a text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Id::Number(_) => None,
            Id::Value(value) => value.as_str(),
        }
    }
}

impl Default for MessageId {
    #[inline]
    fn default() -> Self {
        Self(Id::Number(0))
    }
}

macro_rules! number_ids {
    ($($type:ty),*) => {$(
        impl From<$type> for MessageId {
            #[inline]
            fn from(id: $type) -> Self {
                Self(Id::Number(id as i64))
            }
        }
    )*};
}

number_ids!(i32, u32, i64, u64, usize);

macro_rules! value_ids {
    ($($type:ty),*) => {$(
        impl From<$type> for MessageId {
            fn from(id: $type) -> Self {
                Self(Id::Value(Box::new(id.into())))
            }
        }
    )*};
}

value_ids!(&str, String, Value);

impl fmt::Debug for MessageId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "message {:?}", self.to_value())
    }
}

/// Whom an emission is for; in a staged header it is written into the target task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// Whom the groupings choose.
    Grouped,
    /// One task, named by the component.
    Direct(TaskId),
    /// The next tasks of [`Staging::listed`].
    Listed,
}

impl Target {
    const LISTED: TaskId = TaskId(u16::MAX - 1);

    #[inline]
    pub fn encode(self) -> TaskId {
        match self {
            Self::Grouped => TaskId::NONE,
            Self::Direct(task) => task,
            Self::Listed => Self::LISTED,
        }
    }

    #[inline]
    pub fn decode(task: TaskId) -> Self {
        match task {
            TaskId::NONE => Self::Grouped,
            Self::LISTED => Self::Listed,
            task => Self::Direct(task),
        }
    }
}

/// One declared output stream of a component, as its collector knows it.
#[derive(Debug, Clone)]
pub(crate) struct OutStream {
    /// Index into the topology's streams.
    pub index: u16,
    pub stream: StreamId,
    pub fields: u8,
    /// On a direct stream: the tasks that take it.
    pub direct: Option<Arc<[TaskId]>>,
}

/// A component emitted what its declaration does not allow; the emission did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// The component has no such stream.
    #[error("{component} emitted to stream {stream}, which it does not declare: it has {known}")]
    UnknownStream {
        /// The emitting component.
        component: ComponentId,
        /// The stream that was named.
        stream: String,
        /// The streams that it declares.
        known: String,
    },
    /// As many values as fields are wanted.
    #[error(
        "{component} emitted {found} values to stream {stream}, which is declared with {expected} \
         fields"
    )]
    WrongCount {
        /// The emitting component.
        component: ComponentId,
        /// The stream.
        stream: StreamId,
        /// Number of declared fields.
        expected: usize,
        /// Number of values.
        found: usize,
    },
    /// A direct emission to a task that does not take the stream. Storm drops such a tuple.
    #[error(
        "{component} emitted to stream {stream} for task {task}, which does not take it: {takers}"
    )]
    NoReceiver {
        /// The emitting component.
        component: ComponentId,
        /// The stream.
        stream: StreamId,
        /// The task that was named.
        task: TaskId,
        /// The tasks that take the stream, in words.
        takers: String,
    },
    /// A direct stream wants `emit_direct`, every other stream refuses it.
    #[error(
        "{component} emitted to stream {stream} the wrong way: a direct stream takes emit_direct, \
         any other takes emit"
    )]
    WrongWay {
        /// The emitting component.
        component: ComponentId,
        /// The stream.
        stream: StreamId,
    },
}

/// What a component emitted and what is not routed yet.
#[derive(Debug)]
pub(crate) struct Staging {
    pub block: Box<Block>,
    /// The spout's ids of the anchored emissions, in order; empty for bolts.
    pub message_ids: Vec<MessageId>,
    /// Targets of [`Target::Listed`] emissions: per emission their number, then the tasks.
    pub listed: Vec<TaskId>,
    /// The first thing that the component did wrong in this call.
    pub mistake: Option<EmitError>,
    /// Whether every staged emission is grouped and of the first one's stream.
    pub uniform: bool,
    /// The task whose instance is being called.
    pub task: TaskId,
    component: ComponentId,
    streams: Arc<[OutStream]>,
    /// Position of the default stream.
    default_stream: Option<usize>,
    /// What an emission on the default stream is checked against, kept close at hand.
    default_out: Checked,
}

/// The part of an [`OutStream`] that every emission is checked against.
#[derive(Debug, Clone, Copy, Default)]
struct Checked {
    index: u16,
    fields: u8,
    direct: bool,
}

impl From<&OutStream> for Checked {
    fn from(out: &OutStream) -> Self {
        Self { index: out.index, fields: out.fields, direct: out.direct.is_some() }
    }
}

impl Staging {
    pub fn new(component: ComponentId, streams: Arc<[OutStream]>) -> Self {
        let default_stream = streams.iter().position(|out| out.stream == crate::id::DEFAULT_STREAM);
        let default_out =
            default_stream.map_or(Checked::default(), |position| (&streams[position]).into());
        Self {
            block: Block::boxed(),
            message_ids: Vec::new(),
            listed: Vec::new(),
            mistake: None,
            uniform: true,
            task: TaskId::NONE,
            component,
            streams,
            default_stream,
            default_out,
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.block.headers.is_empty()
    }

    /// Number of staged emissions.
    #[inline]
    pub fn len(&self) -> usize {
        self.block.headers.len()
    }

    /// Stages an emission on the default stream; `anchors` are the trees it belongs to.
    ///
    /// Always inlined, so that values are written where they stay and not moved there.
    #[inline(always)]
    pub fn emit(&mut self, anchors: &[Anchor], values: impl IntoValues) -> bool {
        match self.default_stream {
            Some(position) => {
                self.stage(position, self.default_out, Target::Grouped, anchors, values)
            }
            None => self.unknown_stream(crate::id::DEFAULT_STREAM),
        }
    }

    /// Stages an emission on a named stream.
    #[inline]
    pub fn emit_to(
        &mut self,
        stream: &str,
        target: Target,
        anchors: &[Anchor],
        values: impl IntoValues,
    ) -> bool {
        match self.position(stream) {
            Some(position) => {
                let out = &self.streams[position];
                if let (Target::Direct(task), Some(takers)) = (target, &out.direct)
                    && !takers.contains(&task)
                {
                    return self.no_receiver(position, task);
                }
                let out = out.into();
                self.stage(position, out, target, anchors, values)
            }
            None => self.unknown_stream(stream),
        }
    }

    /// Position of a stream among the component's own.
    pub fn position(&self, stream: &str) -> Option<usize> {
        self.streams.iter().position(|out| out.stream == stream)
    }

    #[inline(always)]
    fn stage(
        &mut self,
        position: usize,
        out: Checked,
        target: Target,
        anchors: &[Anchor],
        values: impl IntoValues,
    ) -> bool {
        let block = &mut *self.block;
        let start = block.values.len();
        let count = values.append_to(&mut block.values);
        if count != usize::from(out.fields) || out.direct != matches!(target, Target::Direct(_)) {
            return self.refused(position, start, count);
        }
        self.uniform &= target == Target::Grouped
            && block.headers.first().is_none_or(|first| first.stream == out.index);
        match anchors {
            [] => {}
            [one] => block.anchors.push(*one),
            many => block.anchors.extend_from_slice(many),
        }
        block.push_header(out.index, self.task, target.encode(), count as u8, anchors.len());
        true
    }

    #[cold]
    fn unknown_stream(&mut self, stream: &str) -> bool {
        let known = match &*self.streams {
            [] => "none".to_owned(),
            streams => streams.iter().map(|out| out.stream.as_str()).collect::<Vec<_>>().join(", "),
        };
        self.mistake.get_or_insert(EmitError::UnknownStream {
            component: self.component.clone(),
            stream: stream.to_owned(),
            known,
        });
        false
    }

    #[cold]
    fn no_receiver(&mut self, position: usize, task: TaskId) -> bool {
        let OutStream { stream, direct, .. } = &self.streams[position];
        let takers: Vec<String> =
            direct.iter().flat_map(|tasks| tasks.iter()).map(ToString::to_string).collect();
        let takers = match &*takers {
            [] => "no task does".to_owned(),
            [only] => format!("task {only} does"),
            several => format!("tasks {} do", several.join(", ")),
        };
        let (component, stream) = (self.component.clone(), stream.clone());
        self.mistake.get_or_insert(EmitError::NoReceiver { component, stream, task, takers });
        false
    }

    #[cold]
    fn refused(&mut self, position: usize, start: usize, found: usize) -> bool {
        self.block.values.truncate(start);
        let out = &self.streams[position];
        let component = self.component.clone();
        let stream = out.stream.clone();
        let expected = usize::from(out.fields);
        self.mistake.get_or_insert(if found == expected {
            EmitError::WrongWay { component, stream }
        } else {
            EmitError::WrongCount { component, stream, expected, found }
        });
        false
    }

    /// Forgets all but the first `kept` emissions: what a failing call of a bolt staged.
    #[cold]
    pub fn truncate(&mut self, kept: usize) {
        let mut listed = 0;
        for header in &self.block.headers[..kept] {
            if Target::decode(header.target) == Target::Listed {
                listed += 1 + usize::from(self.listed[listed].0);
            }
        }
        self.block.truncate(self.block.cursor_at(kept));
        self.listed.truncate(listed);
        if self.is_empty() {
            self.uniform = true;
        }
    }

    /// Empties the staging after its last emission was routed.
    #[inline]
    pub fn clear(&mut self) {
        self.block.clear();
        self.message_ids.clear();
        self.listed.clear();
        self.uniform = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn staging() -> Staging {
        let out = |index, stream: &str, fields, direct: bool| OutStream {
            index,
            stream: stream.into(),
            fields,
            direct: direct.then(|| [TaskId(8), TaskId(9)].into()),
        };
        let streams = [out(4, "default", 1, false), out(5, "odd", 2, true)];
        let mut staging = Staging::new("split".into(), Arc::new(streams));
        staging.task = TaskId(3);
        staging
    }

    #[test]
    fn emissions_of_one_stream_are_uniform_until_another_comes() {
        let mut staging = staging();
        assert!(staging.emit(&[], ["a"]));
        assert!(staging.uniform);
        assert!(staging.emit_to("odd", Target::Direct(TaskId(9)), &[], ("b", 1)));
        assert!(!staging.uniform);
        staging.truncate(1);
        assert_eq!(staging.len(), 1);
        staging.clear();
        assert!(staging.is_empty() && staging.uniform);
    }

    #[track_caller]
    fn check_mistake(emit: impl FnOnce(&mut Staging) -> bool, expected: &str) {
        let mut staging = staging();
        assert!(!emit(&mut staging));
        assert!(staging.is_empty() && staging.block.values.is_empty());
        assert_eq!(staging.mistake.unwrap().to_string(), expected);
    }

    #[test]
    fn an_emission_that_was_not_declared_is_refused_with_what_is() {
        check_mistake(
            |staging| staging.emit_to("evne", Target::Grouped, &[], ["a"]),
            "split emitted to stream evne, which it does not declare: it has default, odd",
        );
        check_mistake(
            |staging| staging.emit(&[], ("a", 1)),
            "split emitted 2 values to stream default, which is declared with 1 fields",
        );
        check_mistake(
            |staging| staging.emit_to("odd", Target::Grouped, &[], ("a", 1)),
            "split emitted to stream odd the wrong way: a direct stream takes emit_direct, any \
             other takes emit",
        );
        check_mistake(
            |staging| staging.emit_to("odd", Target::Direct(TaskId(7)), &[], ("a", 1)),
            "split emitted to stream odd for task 7, which does not take it: tasks 8, 9 do",
        );
    }
}
