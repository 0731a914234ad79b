//! The physical limits: plain programs that do only what cannot be avoided.
//!
//! Each is a [`Subject`](super::sample::Subject) and is measured in the same run, with the same
//! clock, allocator and payload, as whatever is held to it. None pins its threads.

pub mod acked;
pub mod hop;
pub mod idle;
pub mod inline;
pub mod ping_pong;
pub mod ring;
pub mod tcp;
pub mod words;

use super::payload::{PAYLOAD_BYTES, payload};

/// What goes through a bare ring: one cache line with ids, an intended time and the payload.
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
pub struct Message {
    /// The root of the tuple's tree, or a plain counter where nothing is acked.
    pub root: u64,
    /// The edge of the tree that the message is; 0 where nothing is acked.
    pub edge: u64,
    /// When the message ought to have been emitted, in nanoseconds; 0 in a throughput block.
    pub intended_ns: u64,
    /// What a tuple carries besides: task, stream, time, kind.
    pub header: [u64; 2],
    /// The one value.
    pub text: [u8; PAYLOAD_BYTES],
}

const _: () = assert!(size_of::<Message>() == 64, "a message is one cache line");

impl Message {
    /// Message `n` with its payload built.
    #[inline(always)]
    #[must_use]
    pub fn build(n: u64, edge: u64, intended_ns: u64) -> Self {
        let text = payload(n);
        Self { root: n, edge, intended_ns, header: [n, edge], text }
    }
}
