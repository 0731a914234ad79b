//! What a host and the child that runs a component for it say to each other, and how it is written.
//!
//! ```text
//!   host   HostWriter ── stdin ──▶ ChildReader   child
//!          HostReader ◀── stdout ── ChildWriter
//! ```
//!
//! `docs/multilang.md` is the protocol: the messages, three framings of them, and the handshake that
//! chooses one. Both ends stand here, since we are host and child.
//!
//! **Invariants.** Reading trusts nothing: what is buffered never exceeds the limit of a message,
//! nothing is allocated for a length that is only claimed, and nesting is bounded by [`MAX_DEPTH`].
//! A message that cannot be written leaves nothing of itself behind.
//!
//! **Runs on** any thread; no input or output happens here.
//!
//! **Not here:** processes and pipes, and what the messages do.

mod error;
mod fields;
mod handshake;
mod input;
mod json;
mod marshal;
mod message;
mod msgpack;
mod output;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use error::{MultilangError, MultilangErrorKind, NotSendable};
pub use handshake::{Context, GroupingInfo, Handshake, Pid};
pub use message::{Emission, Emit, FromChild, FromHost, LogLevel, SourceTask, TupleId};
pub use read::{ChildReader, HostReader};
pub use write::{ChildWriter, HostWriter};

/// Most bytes of one message, or of one frame of [`Framing::Binary`], if nothing else is configured:
/// 16 MiB.
pub const DEFAULT_MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Most lists and maps around a value, as between workers.
pub const MAX_DEPTH: usize = crate::tuple::codec::MAX_DEPTH;

/// Most values in one message or item, nested ones counted.
pub const MAX_VALUES: usize = 1 << 20;

/// The stream of heartbeats, in the framings where they are tuples.
pub const HEARTBEAT_STREAM: &str = "__heartbeat";

/// The task from which ticks and heartbeats come.
pub const SYSTEM_TASK: i64 = -1;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Framing {
    /// Storm's: one JSON document, and the line `end`.
    #[default]
    Json,
    /// The messages of JSON as MessagePack, one after another.
    MessagePack,
    /// Batches of items in the encoding of Python's `marshal`.
    Binary,
}

impl Framing {
    /// The framing's name in a handshake.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::MessagePack => "msgpack",
            Self::Binary => "binary",
        }
    }

    /// The framing of that name in a handshake, if there is one.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Json, Self::MessagePack, Self::Binary].into_iter().find(|one| one.name() == name)
    }
}

impl std::fmt::Display for Framing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// How a conversation begins, and what it may go on with: a value of `topology.multilang.serializer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Serializer {
    /// The framing of the handshake, and of all that follows if no other is offered and taken.
    pub handshake: Framing,
    /// The framing that is offered.
    pub offered: Option<Framing>,
}

impl Serializer {
    /// What a value of `topology.multilang.serializer` asks for; none if it is not known.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "json" | "org.apache.storm.multilang.JsonSerializer" => Some(Self::default()),
            "msgpack" => Some(Self { offered: Some(Framing::MessagePack), ..Self::default() }),
            "binary" => Some(Self { offered: Some(Framing::Binary), ..Self::default() }),
            class if class.ends_with("MessagePackSerializer") => {
                Some(Self { handshake: Framing::MessagePack, offered: None })
            }
            _ => None,
        }
    }
}
