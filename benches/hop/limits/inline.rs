//! The limit of one thread: the same components as nested dyn calls, with nothing in between.
//!
//! ```text
//!   dyn spout.next_tuple -> [dyn identity.execute ->] dyn null.execute
//! ```

use std::hint::black_box;
use std::time::Duration;

use super::super::payload::{PAYLOAD_BYTES, checked};
use super::super::sample::{Sample, Subject, drive};

/// Calls between two looks at the clock.
const CALLS_PER_LOOK: u64 = 1024;

/// Longest text that a [`Small`] value holds.
const TEXT_BYTES: usize = 22;

/// A small owned value of 24 bytes, as a runtime would hand to a bolt.
pub enum Small {
    /// A number.
    Int(i64),
    /// A text within the inline size.
    Text {
        /// Bytes in use, up to 22.
        len: u8,
        /// The text, then anything.
        bytes: [u8; TEXT_BYTES],
    },
}

/// Consumes one value per call.
pub trait InlineBolt {
    /// Takes the value.
    fn execute(&mut self, value: Small);
}

/// Builds one value per call.
pub trait InlineSpout {
    /// Builds the next value and passes it on.
    fn next_tuple(&mut self, bolt: &mut dyn InlineBolt);
}

struct ConstSpout {
    emitted: u64,
}

struct Identity {
    next: Box<dyn InlineBolt>,
}

struct Null;

/// A spout and its bolts, called from one loop.
pub struct Inline {
    /// Components in the chain: 2 is spout and null bolt, 3 has an identity bolt between them.
    stages: usize,
}

/// One chain of components, ready to be called.
pub struct Chain {
    spout: Box<dyn InlineSpout>,
    bolt: Box<dyn InlineBolt>,
}

impl Small {
    /// The value of a payload.
    #[inline(always)]
    #[must_use]
    pub fn text(payload: [u8; PAYLOAD_BYTES]) -> Self {
        let mut bytes = [0; TEXT_BYTES];
        bytes[..PAYLOAD_BYTES].copy_from_slice(&payload);
        Self::Text { len: PAYLOAD_BYTES as u8, bytes }
    }
}

impl InlineSpout for ConstSpout {
    fn next_tuple(&mut self, bolt: &mut dyn InlineBolt) {
        bolt.execute(Small::text(checked(self.emitted)));
        self.emitted += 1;
    }
}

impl InlineBolt for Identity {
    fn execute(&mut self, value: Small) {
        self.next.execute(value);
    }
}

impl InlineBolt for Null {
    fn execute(&mut self, value: Small) {
        // By reference: the value is looked at where it lies, and not copied once more.
        black_box(&value);
    }
}

impl Inline {
    /// A chain of `stages` components, 2 or more.
    #[must_use]
    pub fn new(stages: usize) -> Self {
        assert!(stages >= 2, "a chain has at least a spout and a bolt");
        Self { stages }
    }
}

impl Chain {
    /// A chain of `stages` components whose types the optimiser cannot see.
    #[must_use]
    pub fn new(stages: usize) -> Self {
        let mut bolt: Box<dyn InlineBolt> = Box::new(Null);
        for _ in 2..stages {
            bolt = Box::new(Identity { next: bolt });
        }
        let spout: Box<dyn InlineSpout> = Box::new(ConstSpout { emitted: 0 });
        Self { spout: black_box(spout), bolt: black_box(bolt) }
    }

    /// Sends one tuple through the chain.
    #[inline]
    pub fn call(&mut self) {
        self.spout.next_tuple(self.bolt.as_mut());
    }
}

impl Subject for Inline {
    fn name(&self) -> String {
        format!("inline {} stages", self.stages)
    }

    fn block(&mut self, length: Duration) -> Sample {
        let mut chain = Chain::new(self.stages);
        drive(length, || {
            (0..CALLS_PER_LOOK).for_each(|_| chain.call());
            CALLS_PER_LOOK
        })
    }
}
