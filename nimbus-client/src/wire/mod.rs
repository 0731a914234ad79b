//! Bytes and values: Thrift's binary protocol under limits, frames, calls and cluster state.
//!
//! ```text
//! frame   4 bytes big-endian: length of the message
//! message header (method, kind, sequence number), then the fields of a struct
//! state   a struct without a header, usually compressed with gzip
//! ```
//!
//! **Invariants**
//! - No memory is reserved for what bytes announce, only for what has arrived; a value inside a
//!   message is never larger than the message.
//! - Nothing that a peer sends makes a function here panic.
//!
//! **Not here:** sockets and deadlines.

use ::thrift::TConfiguration;
use ::thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol, TInputProtocol};

mod call;
mod error;
mod state;

pub use self::call::{MessageHeader, MessageKind, answer, frame, message_header};
pub use self::error::WireError;
pub use self::state::{gunzip, gzip, state_from_bytes, state_to_bytes};
pub use ::thrift::protocol::TSerializable;
pub use ::thrift::server::TProcessor;
pub use ::thrift::{ApplicationError, ApplicationErrorKind, OrderedFloat};
pub use ::thrift::{Error as ThriftError, Result as ThriftResult};

pub(crate) use self::call::finish_call;
pub(crate) use self::error::reason;

/// Bytes of a message that there are at least for each element of a container in it.
const ELEMENT_BYTES: usize = 4;

/// Elements that a container may have in the smallest message.
const FREE_ELEMENTS: usize = 16;

/// Bounds on what is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message without its length; Storm's `nimbus.thrift.max_buffer_size` and the like.
    pub frame_bytes: usize,
    /// Structs within structs, and containers within containers of unknown fields.
    pub depth: usize,
}

impl Default for Limits {
    /// Storm's default frame of 1 MiB, and a depth of 64, which no type of the protocol reaches.
    fn default() -> Self {
        Self { frame_bytes: 1 << 20, depth: 64 }
    }
}

impl Limits {
    /// These limits with another size of the frame.
    pub fn with_frame_bytes(self, frame_bytes: usize) -> Self {
        Self { frame_bytes, ..self }
    }

    /// A decoder of `bytes`, which moves on as it reads.
    ///
    /// # Errors
    /// If there are more bytes than the limit.
    pub fn reader<'a, 'b>(
        &self,
        bytes: &'a mut &'b [u8],
    ) -> Result<impl TInputProtocol + use<'a, 'b>, WireError> {
        if bytes.len() > self.frame_bytes {
            return Err(WireError::TooLarge { bytes: bytes.len(), limit: self.frame_bytes });
        }
        let configuration = self.configuration(bytes.len());
        // Not strict: Storm accepts messages without a version as well.
        Ok(TBinaryInputProtocol::with_config(bytes, false, configuration))
    }

    /// What the decoder is told for a message of `bytes` bytes.
    pub(crate) fn configuration(&self, bytes: usize) -> TConfiguration {
        // A struct without any field takes one byte here and hundreds in memory. In no honest
        // message do a container's elements take less than this each.
        let elements = bytes / ELEMENT_BYTES + FREE_ELEMENTS;
        TConfiguration::builder()
            .max_message_size(Some(bytes))
            .max_frame_size(Some(bytes))
            .max_string_size(Some(bytes))
            .max_container_size(Some(elements))
            .max_recursion_depth(Some(self.depth))
            .build()
            .expect("a frame as large as its message is allowed")
    }
}

/// A value in Thrift's binary protocol.
///
/// # Errors
/// Only for texts and containers of more than 2 GiB.
pub fn to_bytes<T: TSerializable>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    let mut output = TBinaryOutputProtocol::new(&mut bytes, true);
    value.write_to_out_protocol(&mut output).map_err(WireError::unwritable::<T>)?;
    Ok(bytes)
}

/// The one value that `bytes` hold in Thrift's binary protocol.
///
/// # Errors
/// If there are more bytes than the limit, if they are no `T`, or if anything follows it.
pub fn from_bytes<T: TSerializable>(bytes: &[u8], limits: &Limits) -> Result<T, WireError> {
    let mut rest = bytes;
    let value = T::read_from_in_protocol(&mut limits.reader(&mut rest)?);
    let value = value.map_err(WireError::unreadable::<T>)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(WireError::Trailing { what: error::short_name::<T>(), bytes: rest.len() })
    }
}
