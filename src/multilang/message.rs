//! The messages of both directions, as their reader hands them out.
//!
//! They borrow from the reader, so that a tuple costs no allocation but what its values need.

use std::borrow::Cow;

use smol_str::SmolStr;

use crate::tuple::Value;

/// The id under which a host knows a tuple that a child holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TupleId {
    /// A number: always in binary, and what some hosts use in the other framings.
    Number(i64),
    /// A text: what Storm uses, a number in decimal.
    Text(SmolStr),
}

impl TupleId {
    /// The number that the id is or spells.
    #[inline]
    pub fn as_number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl From<i64> for TupleId {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl std::fmt::Display for TupleId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(out),
            Self::Text(text) => text.fmt(out),
        }
    }
}

/// What a child says to its host.
#[derive(Debug, PartialEq)]
pub enum FromChild<'a> {
    /// A tuple to emit.
    Emit(Emit<'a>),
    /// A tuple is done.
    Ack(TupleId),
    /// A tuple could not be processed.
    Fail(TupleId),
    /// Tuples whose ids count up from `first` are done; binary only.
    Acks {
        /// The first id.
        first: i64,
        /// Number of ids, at least 1.
        count: u32,
    },
    /// The tuple was answered by one emission of `values` on the default stream, anchored to it and
    /// without task ids, or by none; then it was acked. Binary only.
    Answered {
        /// The tuple's id.
        id: i64,
        /// What to emit, to be drained.
        values: Option<&'a mut Vec<Value>>,
    },
    /// A line for the log.
    Log {
        /// The text.
        text: Cow<'a, str>,
        /// How grave it is.
        level: LogLevel,
    },
    /// An error to report; the component goes on.
    Error {
        /// The text.
        text: Cow<'a, str>,
    },
    /// An update of one of the component's metrics.
    Metrics {
        /// The metric's name.
        name: Cow<'a, str>,
        /// Whatever the metric understands.
        params: Value,
    },
    /// The answer to a heartbeat, or the end of a spout's turn.
    Sync,
    /// A command that nobody knows: a bolt's host ignores it, for a spout's host it is a fault.
    Unknown {
        /// The command.
        command: Cow<'a, str>,
    },
}

/// A tuple that a child emits.
#[derive(Debug, PartialEq)]
pub struct Emit<'a> {
    /// The values, to be drained: `values.drain(..)` leaves the memory to the next message.
    pub values: &'a mut Vec<Value>,
    /// The tuples of the host to which it is anchored.
    pub anchors: &'a [TupleId],
    /// The stream; the default one if none is named.
    pub stream: Option<Cow<'a, str>>,
    /// The task that gets it, on a direct stream. Storm takes 0 for none, and so does the reader.
    pub task: Option<i64>,
    /// The spout's own id of the tuple.
    pub message_id: Option<Value>,
    /// Whether the child waits for the tasks that get it; never said of a direct emission.
    pub need_task_ids: bool,
}

/// What goes with the values of a tuple that a child emits; by default it is not anchored, goes to
/// the default stream, and asks for no task ids.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Emission<'a> {
    /// The tuples of the host to which it is anchored.
    pub anchors: &'a [TupleId],
    /// The stream, if it is named.
    pub stream: Option<&'a str>,
    /// The task that gets it, on a direct stream; only to a host of ours.
    pub task: Option<i64>,
    /// The spout's own id of the tuple.
    pub message_id: Option<&'a Value>,
    /// Whether the host is to answer with the tasks that get it.
    pub need_task_ids: bool,
}

/// What a host says to its child.
#[derive(Debug, PartialEq)]
pub enum FromHost<'a> {
    /// A tuple to process.
    Tuple {
        /// The id with which it is to be acked.
        id: TupleId,
        /// Where it comes from.
        source: SourceTask<'a>,
        /// The values, to be drained.
        values: &'a mut Vec<Value>,
    },
    /// The tasks that got an emission which asked for them, in the order of such emissions.
    TaskIds(&'a [i64]),
    /// Answer with `sync`.
    Heartbeat(TupleId),
    /// Emit up to `calls` times, then `sync`.
    Next {
        /// At least 1; always 1 but in binary.
        calls: u32,
    },
    /// A message of the spout's is done. In binary it is not answered, else by `sync`.
    Ack(Value),
    /// A message of the spout's failed. In binary it is not answered, else by `sync`.
    Fail(Value),
    /// The topology was activated.
    Activate,
    /// The topology was deactivated.
    Deactivate,
}

/// The task that emitted a tuple, and on which stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceTask<'a> {
    /// The component.
    pub component: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// The task's number; -1 for a tick.
    pub task: i64,
}

/// How grave a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// 0
    Trace,
    /// 1
    Debug,
    /// 2, which is meant where none is given
    #[default]
    Info,
    /// 3
    Warn,
    /// 4
    Error,
}

impl LogLevel {
    /// The level's number in a message.
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The level of that number; Storm takes any other for info.
    pub const fn from_number(number: i64) -> Self {
        match number {
            0 => Self::Trace,
            1 => Self::Debug,
            3 => Self::Warn,
            4 => Self::Error,
            _ => Self::Info,
        }
    }
}
