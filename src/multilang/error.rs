//! Why a message could not be read or written.

use std::fmt;

use serde::de;

use super::{Framing, MAX_DEPTH, MAX_VALUES};
use crate::tuple::SharedObject;

/// Longest piece of what was read that an error shows.
const EXCERPT_BYTES: usize = 80;

/// How much of it stands before the trouble.
const EXCERPT_BYTES_BEFORE: usize = 24;

/// Bytes that are no message of the protocol; the conversation cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MultilangError {
    /// How the message was to be read.
    pub framing: Framing,
    /// Where the message begins, counted in bytes from the beginning of the conversation.
    pub message_at: u64,
    /// Where in the message, in bytes, the trouble is.
    pub offset: usize,
    /// What is wrong.
    pub kind: MultilangErrorKind,
    /// What stands there, shortened and with all but printable ASCII escaped; may be empty.
    pub excerpt: String,
}

/// What is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MultilangErrorKind {
    /// Not what the framing looks like.
    #[error("{0}")]
    Syntax(String),
    /// A field has a value that it cannot have.
    #[error("{field} has to be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it may be, with its article.
        expected: &'static str,
    },
    /// A field is absent.
    #[error("{what} without {field}")]
    Missing {
        /// The message, with its article.
        what: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A number that no value holds.
    #[error("a number out of range")]
    OutOfRange,
    /// More nesting than [`MAX_DEPTH`].
    #[error("a value in more than {MAX_DEPTH} lists and maps")]
    TooDeep,
    /// More values than [`MAX_VALUES`].
    #[error("more than {MAX_VALUES} values in one message, nested ones counted")]
    TooManyValues,
    /// More bytes than the limit.
    #[error(
        "a message of more than {limit} bytes: send less at once, or raise \
         topology.multilang.message.max.bytes"
    )]
    TooLong {
        /// The limit.
        limit: usize,
    },
}

/// What is wrong with a message, and where, before it is known which message it is.
#[derive(Debug)]
pub(super) struct Trouble {
    /// In the message; none where the parser stands.
    pub offset: Option<usize>,
    pub kind: MultilangErrorKind,
}

impl Trouble {
    pub fn at(offset: usize, kind: MultilangErrorKind) -> Self {
        Self { offset: Some(offset), kind }
    }

    pub fn syntax(offset: usize, what: impl Into<String>) -> Self {
        Self::at(offset, MultilangErrorKind::Syntax(what.into()))
    }

    /// The error for a message that begins at `message_at`.
    pub fn in_message(self, framing: Framing, message_at: u64, message: &[u8]) -> MultilangError {
        let offset = self.offset.unwrap_or(0);
        let from = offset.saturating_sub(EXCERPT_BYTES_BEFORE).min(message.len());
        let shown = &message[from..message.len().min(from + EXCERPT_BYTES)];
        let more = if from + shown.len() < message.len() { "…" } else { "" };
        let excerpt = format!("{}{more}", shown.escape_ascii());
        MultilangError { framing, message_at, offset, kind: self.kind, excerpt }
    }
}

impl From<MultilangErrorKind> for Trouble {
    fn from(kind: MultilangErrorKind) -> Self {
        Self { offset: None, kind }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(out)
    }
}

impl std::error::Error for Trouble {}

impl de::Error for Trouble {
    fn custom<T: fmt::Display>(what: T) -> Self {
        MultilangErrorKind::Syntax(what.to_string()).into()
    }
}

impl fmt::Display for MultilangError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { framing, message_at, offset, kind, excerpt } = self;
        write!(out, "byte {offset} of the {framing} message at byte {message_at}: {kind}")?;
        match excerpt.as_str() {
            "" => Ok(()),
            excerpt => write!(out, ", near `{excerpt}`"),
        }
    }
}

/// A message that cannot be sent; nothing of it stands in the buffer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSendable {
    /// A shared object: no other process has its type.
    #[error(
        "a shared object of type {type_name} cannot go to another process: emit numbers, texts, \
         bytes, lists and maps"
    )]
    Object {
        /// The object's [`SharedObject::type_name`].
        type_name: &'static str,
    },
    /// A map whose key is a list, a map or bytes, which JSON cannot have.
    #[error(
        "a map has a key of kind {kind}, which no text stands for: use texts or numbers as keys"
    )]
    Key {
        /// The key's kind.
        kind: &'static str,
    },
    /// More nesting than [`MAX_DEPTH`].
    #[error("a value stands in more than {MAX_DEPTH} lists and maps: emit it flatter")]
    TooDeep,
    /// More values than [`MAX_VALUES`].
    #[error("the values, nested ones counted, are more than {MAX_VALUES}: emit fewer per tuple")]
    TooManyValues,
    /// More bytes than the limit.
    #[error(
        "the message would take more than {limit} bytes: emit less per tuple, or raise \
         topology.multilang.message.max.bytes"
    )]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// An id that is no number, in a framing that has only numbers.
    #[error("{id:?} is no number, which ids of tuples are in this framing")]
    Id {
        /// The id.
        id: String,
    },
}

impl NotSendable {
    #[cold]
    pub(super) fn object(object: &dyn SharedObject) -> Self {
        Self::Object { type_name: object.type_name() }
    }
}
