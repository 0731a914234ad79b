//! What was received and is not read yet, and where the next message in it ends.
//!
//! **Invariants.** No byte is looked at twice in search of a message's end, however the bytes
//! arrive. What waits is never more than one message of the greatest length and what was pushed last.

use std::ops::Range;

use super::error::Trouble;
use super::msgpack::Scanner;
use super::{Framing, MultilangError, MultilangErrorKind};

/// Bytes that the buffer keeps when it is empty.
const KEPT_BYTES: usize = 1 << 20;

/// Length of a frame's header in [`Framing::Binary`].
pub(super) const HEADER_BYTES: usize = 4;

/// The last line of a message in [`Framing::Json`].
const END: &[u8] = b"end";

#[derive(Debug)]
pub(super) struct Input {
    pub framing: Framing,
    bytes: Vec<u8>,
    /// Where the next message begins.
    start: usize,
    /// Bytes of the conversation before it.
    passed: u64,
    /// In JSON: how far no newline was found, from `start` on.
    scanned: usize,
    /// In JSON: where the line begins that is being searched, from `start` on.
    line: usize,
    /// In MessagePack: what is still to come of the message.
    scanner: Scanner,
    max_bytes: usize,
}

/// A whole message, in the input's bytes.
#[derive(Debug)]
pub(super) struct Found {
    pub range: Range<usize>,
    /// Where it begins in the conversation.
    pub at: u64,
}

impl Input {
    pub fn new(framing: Framing, max_bytes: usize) -> Self {
        Self {
            framing,
            bytes: Vec::new(),
            start: 0,
            passed: 0,
            scanned: 0,
            line: 0,
            scanner: Scanner::default(),
            max_bytes,
        }
    }

    pub fn push(&mut self, more: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            self.start = 0;
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(more);
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// The bytes of a message that was found, until more are pushed.
    pub fn message(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }

    /// The next whole message, without what marks its end. It is taken.
    pub fn find(&mut self) -> Result<Option<Found>, MultilangError> {
        let rest = &self.bytes[self.start..];
        let found = match self.framing {
            Framing::Json => find_end(rest, &mut self.scanned, &mut self.line),
            Framing::MessagePack => match self.scanner.end_of_message(rest, self.max_bytes) {
                Ok(end) => end.map(|end| (0..end, end)),
                Err(trouble) => return Err(self.error(trouble)),
            },
            Framing::Binary => match rest.first_chunk::<HEADER_BYTES>() {
                None => None,
                Some(header) => {
                    let length = u32::from_be_bytes(*header) as usize;
                    if length > self.max_bytes {
                        return Err(self.too_long());
                    }
                    let end = HEADER_BYTES + length;
                    (rest.len() >= end).then_some((HEADER_BYTES..end, end))
                }
            },
        };
        let Some((within, taken)) = found else {
            return if rest.len() > self.max_bytes { Err(self.too_long()) } else { Ok(None) };
        };
        if within.len() > self.max_bytes {
            return Err(self.too_long());
        }
        let found =
            Found { range: self.start + within.start..self.start + within.end, at: self.passed };
        self.start += taken;
        self.passed += taken as u64;
        (self.scanned, self.line, self.scanner) = (0, 0, Scanner::default());
        Ok(Some(found))
    }

    fn too_long(&self) -> MultilangError {
        self.error(MultilangErrorKind::TooLong { limit: self.max_bytes }.into())
    }

    fn error(&self, trouble: Trouble) -> MultilangError {
        trouble.in_message(self.framing, self.passed, &self.bytes[self.start..])
    }
}

/// Where the document ends and where the line `end` after it does, if that is there.
fn find_end(rest: &[u8], scanned: &mut usize, line: &mut usize) -> Option<(Range<usize>, usize)> {
    loop {
        let Some(newline) = memchr::memchr(b'\n', &rest[*scanned..]) else {
            *scanned = rest.len();
            return None;
        };
        let end = *scanned + newline;
        let text = &rest[*line..end];
        let begins = *line;
        (*scanned, *line) = (end + 1, end + 1);
        if text.strip_suffix(b"\r").unwrap_or(text) == END {
            return Some((0..begins, end + 1));
        }
    }
}
