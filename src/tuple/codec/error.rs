//! Why values could not be encoded, or bytes not decoded.

use std::error::Error;
use std::fmt;
use std::str::Utf8Error;

use smol_str::SmolStr;

use super::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};
use crate::tuple::NotEncodable;

/// Values that cannot be encoded; nothing of them stands in the buffer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A shared object has no codec, or refused.
    #[error(transparent)]
    NotEncodable(#[from] NotEncodable),
    /// A shared object's codec took bytes away instead of appending; what was in the buffer before
    /// may be damaged too.
    #[error(
        "the codec of shared objects of type {type_name} removed bytes from its buffer: \
         SharedObject::encode may only append"
    )]
    ObjectRemovedBytes {
        /// The object's [`SharedObject::type_name`](crate::tuple::SharedObject::type_name).
        type_name: &'static str,
    },
    /// A value is nested deeper than [`MAX_DEPTH`].
    #[error("a value stands in more than {MAX_DEPTH} lists and maps: emit it flatter")]
    TooDeep,
    /// More than [`MAX_VALUES`] values.
    #[error("the values, nested ones counted, are more than {MAX_VALUES}: emit fewer per tuple")]
    TooManyValues,
    /// More than [`MAX_BYTES`] bytes.
    #[error("the values would take more than {MAX_BYTES} bytes: emit less per tuple")]
    TooLong,
}

/// Bytes that are no encoding of values, or one that goes beyond the limits.
///
/// Never worth a retry: the same bytes fail again.
#[derive(Debug)]
pub struct DecodeError {
    /// Where the refused kind byte, number, length or content begins, counted from the first byte
    /// given.
    pub offset: usize,
    /// What was being read there, with its article.
    pub expected: &'static str,
    /// What there was instead.
    pub kind: DecodeErrorKind,
}

/// What is wrong with encoded bytes.
#[derive(Debug, thiserror::Error)]
pub enum DecodeErrorKind {
    /// The bytes end too early, or a length or count claims more than they can hold.
    #[error("which takes {needed} or more bytes, found {left}")]
    Ended {
        /// Bytes that it needs at least, as claimed.
        needed: u64,
        /// Bytes that there are.
        left: usize,
    },
    /// A kind byte that no value has.
    #[error("found byte {0:#04x}, which is none")]
    UnknownKind(u8),
    /// A number that its type does not hold.
    #[error("found a number out of its range")]
    OutOfRange,
    /// A number, length or count that has a shorter form.
    #[error("found a longer form than it needs")]
    NotShortest,
    /// Text that is not UTF-8.
    #[error("found text that is not UTF-8")]
    NotUtf8(#[source] Utf8Error),
    /// More nesting than [`Limits::max_depth`](super::Limits::max_depth).
    #[error("found it in more than {limit} lists and maps")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// More values than [`Limits::max_values`](super::Limits::max_values).
    #[error("found more than {limit} values, nested ones counted")]
    TooManyValues {
        /// The limit.
        limit: usize,
    },
    /// More bytes in one piece than [`Limits::max_bytes`](super::Limits::max_bytes).
    #[error("found a length of {length} bytes, at most {limit} are allowed")]
    TooLong {
        /// The length that was claimed.
        length: u64,
        /// The limit.
        limit: usize,
    },
    /// Nobody registered a reader for the object's type.
    #[error("found type {type_name:?}, which has no reader: register it on every worker")]
    NoReader {
        /// The type that was asked for.
        type_name: SmolStr,
    },
    /// The object's reader refused its bytes.
    #[error("found bytes that the reader of type {type_name:?} refuses")]
    Object {
        /// The reader's type.
        type_name: SmolStr,
        /// The reader's own words.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, expected, kind } = self;
        write!(out, "byte {offset}: expected {expected}, {kind}")
    }
}

/// The kind is part of the text, so the chain goes on with what caused it.
impl Error for DecodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}
