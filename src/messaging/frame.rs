//! The frames on a connection between two workers.
//!
//! ```text
//! tuples        | i16 task >= 0 | i32 length | payload |    big-endian, as in Storm
//! end of batch  | i16 -201      |                           after each write
//! all others    | i16 code < 0  | i32 length | payload |
//! ```
//!
//! The outer frames are Storm's, so that a capture can be cut by the same rule; payloads are ours,
//! little-endian, and `batch`, `hello` and [`Reader`] know them.
//!
//! **Invariants.** A length is checked against the limit before anything waits for its bytes, and
//! a count against the bytes that are there before anything is allocated for it.

use crate::id::TaskId;

/// What a frame is, where it is not tuples for a task.
pub(crate) mod code {
    /// Storm's end of a batch; nothing follows.
    pub const END_OF_BATCH: i16 = -201;
    /// Who dials, and whom.
    pub const HELLO: i16 = -700;
    /// The answer to a hello: who listens, and that it knows the secret.
    pub const WELCOME: i16 = -701;
    /// That whoever dials knows the secret as well.
    pub const PROOF: i16 = -702;
    /// Asks whoever dials to dial now; the connection ends with it.
    pub const KNOCK: i16 = -703;
    /// Blocks of links that are occupied since an earlier connection; no tuples before it.
    pub const START: i16 = -710;
    /// Flagged roots and XORs of edges, for whoever keeps the trees in the spouts' worker.
    pub const ACKS: i16 = -711;
    /// Blocks that are processed, by link.
    pub const CREDIT: i16 = -713;
    /// A time that the other side sends back.
    pub const PING: i16 = -714;
    /// The time of a ping.
    pub const PONG: i16 = -715;
}

/// Bytes before a payload.
const HEAD_BYTES: usize = size_of::<i16>() + size_of::<i32>();

/// One frame, as it stands in the bytes that were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Frame<'a> {
    /// A task, or a [`code`].
    pub code: i16,
    pub payload: &'a [u8],
}

/// Bytes that no worker of ours sends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// A length below 0 or beyond the limit.
    #[error("a frame of code {code} announces {length} bytes, allowed are 0 to {limit}")]
    Length { code: i16, length: i32, limit: usize },
    /// A payload that ends before what it announces, or goes on after it.
    #[error("the payload of {what} has the wrong length")]
    Payload { what: &'static str },
    /// A number that nothing here has.
    #[error("{what} {number} is none of this topology")]
    Unknown { what: &'static str, number: u64 },
    /// A frame that has no place at this point.
    #[error("a frame of code {code} came where none is expected")]
    Unexpected { code: i16 },
    /// More tuples than the link has credit for.
    #[error("tasks from {from} on sent tasks from {to} on more blocks than they have credit for")]
    Credit { from: TaskId, to: TaskId },
}

/// The first frame of `bytes` and how many of them it takes; none if it is not all there.
///
/// # Errors
/// [`FrameError::Length`]: the connection is of no use any more.
#[inline]
pub(crate) fn next(bytes: &[u8], limit: usize) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some((code, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let code = i16::from_be_bytes(*code);
    if code == code::END_OF_BATCH {
        return Ok(Some((Frame { code, payload: &[] }, size_of::<i16>())));
    }
    let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
    let announced = i32::from_be_bytes(*length);
    let error = FrameError::Length { code, length: announced, limit };
    let length = usize::try_from(announced).map_err(|_| error.clone())?;
    if length > limit {
        return Err(error);
    }
    Ok(rest.get(..length).map(|payload| (Frame { code, payload }, HEAD_BYTES + length)))
}

/// How many bytes the first frame of `bytes` takes, if that can be told.
pub(crate) fn wanted(bytes: &[u8]) -> Option<usize> {
    let (_, rest) = bytes.split_first_chunk::<{ size_of::<i16>() }>()?;
    let (length, _) = rest.split_first_chunk()?;
    usize::try_from(i32::from_be_bytes(*length)).ok().map(|length| HEAD_BYTES + length)
}

/// A frame that is being appended; [`Open::close`] writes its length.
#[derive(Debug)]
#[must_use = "a frame has no length before it is closed"]
pub(crate) struct Open {
    start: usize,
}

/// Begins a frame at the end of `out`.
#[inline]
pub(crate) fn open(out: &mut Vec<u8>, code: i16) -> Open {
    let start = out.len();
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&[0; size_of::<i32>()]);
    Open { start }
}

impl Open {
    /// Bytes of the payload so far.
    pub fn len(&self, out: &[u8]) -> usize {
        out.len() - self.start - HEAD_BYTES
    }

    /// Ends the frame.
    #[inline]
    pub fn close(self, out: &mut [u8]) {
        let length = self.len(out) as i32;
        let at = self.start + size_of::<i16>();
        out[at..at + size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
    }
}

/// Reads a payload from its start.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads what is called `what` in errors.
    pub fn new(payload: &'a [u8], what: &'static str) -> Self {
        Self { left: payload, what }
    }

    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// What is wrong with the payload's length.
    #[cold]
    pub fn error(&self) -> FrameError {
        FrameError::Payload { what: self.what }
    }

    #[inline]
    pub fn take(&mut self, bytes: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.left.split_at_checked(bytes).ok_or_else(|| self.error())?;
        self.left = rest;
        Ok(taken)
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (taken, rest) = self.left.split_first_chunk().ok_or_else(|| self.error())?;
        self.left = rest;
        Ok(*taken)
    }

    #[inline]
    pub fn u8(&mut self) -> Result<u8, FrameError> {
        self.array().map(u8::from_le_bytes)
    }

    #[inline]
    pub fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A text of up to 65535 bytes.
    pub fn text(&mut self) -> Result<&'a str, FrameError> {
        let length = self.u16()?;
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(bytes).map_err(|_| self.error())
    }

    /// That nothing is left.
    pub fn end(&self) -> Result<(), FrameError> {
        if self.left.is_empty() { Ok(()) } else { Err(self.error()) }
    }
}

/// Appends a text that [`Reader::text`] reads; what is beyond 65535 bytes is cut off.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
    out.extend_from_slice(&(text.len() as u16).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(code: i16, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![9];
        let frame = open(&mut out, code);
        out.extend_from_slice(payload);
        frame.close(&mut out);
        out.split_off(1)
    }

    #[test]
    fn a_frame_is_read_when_its_last_byte_is_there_and_not_before() {
        let bytes = written(7, b"tuples");
        assert_eq!(bytes[..6], [0, 7, 0, 0, 0, 6]);
        for end in 0..bytes.len() {
            assert_eq!(next(&bytes[..end], 6), Ok(None), "{end} bytes");
        }
        let frame = Frame { code: 7, payload: b"tuples" };
        assert_eq!(next(&bytes, 6), Ok(Some((frame, bytes.len()))));
        assert_eq!(wanted(&bytes[..6]), Some(12));
    }

    #[test]
    fn the_end_of_a_batch_is_two_bytes() {
        let frame = Frame { code: code::END_OF_BATCH, payload: &[] };
        assert_eq!(next(&[0xFF, 0x37, 1], 6), Ok(Some((frame, 2))));
    }

    #[test]
    fn a_length_beyond_the_limit_is_refused_before_its_bytes_come() {
        let error = FrameError::Length { code: 7, length: 7, limit: 6 };
        assert_eq!(next(&written(7, b"7 bytes")[..6], 6), Err(error));
        let error = FrameError::Length { code: 7, length: -1, limit: 6 };
        assert_eq!(next(&[0, 7, 255, 255, 255, 255], 6), Err(error));
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_within_their_bounds(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((frame, used))) = next(&bytes, 32) {
                prop_assert!(used <= bytes.len() && frame.payload.len() <= 32);
            }
        }
    }
}
