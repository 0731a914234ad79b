//! Why bytes are no message.

use std::io;

/// Why something could not be decoded or encoded.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// There is more than the limit allows.
    #[error("a message of {bytes} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes that there are, or that were announced.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The bytes are not what was expected.
    #[error("these bytes are no {what}: {}", reason(why))]
    Unreadable {
        /// The type that was expected.
        what: &'static str,
        /// What the decoder said.
        why: ::thrift::Error,
    },
    /// A value could not be encoded.
    #[error("this {what} cannot be encoded: {}", reason(why))]
    Unwritable {
        /// Its type.
        what: &'static str,
        /// What the encoder said.
        why: ::thrift::Error,
    },
    /// Something follows the value.
    #[error("{bytes} bytes follow after the {what}")]
    Trailing {
        /// The type that was expected.
        what: &'static str,
        /// How many bytes follow.
        bytes: usize,
    },
    /// A compressed value is broken.
    #[error("the compressed bytes are broken: {why}")]
    Uncompressible {
        /// What the decompressor said.
        why: io::Error,
    },
}

impl WireError {
    pub(super) fn unreadable<T>(why: ::thrift::Error) -> Self {
        Self::Unreadable { what: short_name::<T>(), why }
    }

    pub(super) fn unwritable<T>(why: ::thrift::Error) -> Self {
        Self::Unwritable { what: short_name::<T>(), why }
    }
}

/// The name of a type without its path.
pub(super) fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

/// What the library has to say: its own `Display` leaves the message out.
pub(crate) fn reason(error: &::thrift::Error) -> &dyn std::fmt::Display {
    match error {
        ::thrift::Error::Transport(error) => &error.message,
        ::thrift::Error::Protocol(error) => &error.message,
        ::thrift::Error::Application(error) => &error.message,
        ::thrift::Error::User(error) => error,
    }
}
