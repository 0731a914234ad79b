//! Reads one frame of a connection: bounded in bytes, in memory and in time.
//!
//! **Invariants.** A buffer is at most twice as large as what has arrived, or 4 KiB. Bytes that
//! cannot be Thrift end the reading before a buffer is made.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::budget::Share;
use super::limits::Limits;
use super::message::{HEAD_BYTES, Message};

/// Bytes of the shortest message: a head whose method has a name of one letter.
const SHORTEST: usize = 10;

/// First piece of a buffer; it doubles as bytes arrive.
const FIRST_PIECE: usize = 4 << 10;

/// What came of waiting for a frame.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A whole frame.
    Frame(Vec<u8>),
    /// The peer closed, or the connection broke, within a frame.
    Truncated,
    /// A frame above the limit, with its head.
    Oversized { bytes: usize, head: Message },
    /// Bytes that are no framed Thrift, and what they look like.
    Garbage(&'static str),
    /// The peer did not send in time.
    Late(&'static str),
    /// All connections together hold too much.
    NoMemory { head: Option<Message>, bytes: usize },
}

/// Reads the rest of a frame whose first byte has come.
pub(super) async fn read_frame(
    stream: &mut (impl AsyncRead + Unpin),
    first: u8,
    limits: &Limits,
    share: &mut Share,
) -> Incoming {
    let mut length = [first, 0, 0, 0];
    match within(limits.header, stream.read_exact(&mut length[1..])).await {
        Ok(()) => {}
        Err(Broken::Late) => return Incoming::Late("the length of a frame"),
        Err(Broken::Gone) => return Incoming::Truncated,
    }
    let bytes = u32::from_be_bytes(length) as usize;
    if bytes > limits.frame_bytes || bytes < SHORTEST {
        return match recognised(length) {
            Some(what) => Incoming::Garbage(what),
            None => oversized(stream, bytes, limits).await,
        };
    }
    let mut buffer = Vec::new();
    let reading = read_body(stream, bytes, &mut buffer, share);
    match timeout(limits.transfer(bytes), reading).await {
        Ok(Outcome::Whole) => Incoming::Frame(buffer),
        Ok(Outcome::Garbage) => Incoming::Garbage("bytes that are no Thrift message"),
        Ok(Outcome::Gone) => Incoming::Truncated,
        Ok(Outcome::NoMemory) => Incoming::NoMemory { head: Message::parse(&buffer), bytes },
        Err(_) => Incoming::Late("a frame"),
    }
}

enum Outcome {
    Whole,
    Garbage,
    Gone,
    NoMemory,
}

async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: usize,
    buffer: &mut Vec<u8>,
    share: &mut Share,
) -> Outcome {
    let mut stream = stream.take(bytes as u64);
    let mut checked = false;
    loop {
        if !checked && let Some(first) = buffer.first_chunk::<4>() {
            if !Message::may_begin(*first, bytes) {
                return Outcome::Garbage;
            }
            checked = true;
        }
        if buffer.len() == bytes {
            return if checked { Outcome::Whole } else { Outcome::Garbage };
        }
        if buffer.len() == buffer.capacity() {
            let piece = buffer.len().max(FIRST_PIECE).min(bytes - buffer.len());
            if !share.cover(buffer.len() + piece) {
                return Outcome::NoMemory;
            }
            buffer.reserve_exact(piece);
        }
        match stream.read_buf(buffer).await {
            Ok(0) | Err(_) => return Outcome::Gone,
            Ok(_) => {}
        }
    }
}

/// Reads the head of a frame that is too large, so that its caller can be answered.
async fn oversized(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: usize,
    limits: &Limits,
) -> Incoming {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let reading = async {
        while head.len() < HEAD_BYTES && Message::parse(&head).is_none() {
            if head.first_chunk().is_some_and(|first| !Message::may_begin(*first, bytes)) {
                return;
            }
            if !matches!(stream.read_buf(&mut head).await, Ok(1..)) {
                return;
            }
        }
    };
    let in_time = timeout(limits.header, reading).await.is_ok();
    match Message::parse(&head) {
        Some(head) => Incoming::Oversized { bytes, head },
        None if in_time => Incoming::Garbage("a length above the limit and no Thrift message"),
        None => Incoming::Late("the head of a frame above the limit"),
    }
}

/// What four bytes are that cannot be a frame's length.
fn recognised(first: [u8; 4]) -> Option<&'static str> {
    match first {
        [0x16, 0x03, _, _] => Some("a TLS greeting: this port speaks plain framed Thrift"),
        [0x80, 0x01, _, _] => {
            Some("Thrift without frames: use TFramedTransport, as Storm's simple transport does")
        }
        [0x01..=0x05, 0, 0, 0..=63] => {
            Some("a SASL greeting: set storm.thrift.transport to the SimpleTransportPlugin")
        }
        _ if first
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || *byte == b' ' || *byte == b'/') =>
        {
            Some("an HTTP request: this port speaks framed Thrift")
        }
        _ if first.iter().all(u8::is_ascii_graphic) => Some("text: this port speaks framed Thrift"),
        [0x80..=0xff, ..] => Some("a negative length"),
        [0, 0, 0, 0..=9] => Some("a frame too short for a Thrift message"),
        _ => None,
    }
}

/// Why bytes did not come.
enum Broken {
    Late,
    Gone,
}

async fn within(
    limit: Duration,
    reading: impl Future<Output = std::io::Result<usize>>,
) -> Result<(), Broken> {
    match timeout(limit, reading).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) => Err(Broken::Gone),
        Err(_) => Err(Broken::Late),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::budget::Budget;

    const CALL: &[u8] = b"\x80\x01\0\x01\0\0\0\x03get\0\0\0\x07\0";

    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as u32).to_be_bytes(), body].concat()
    }

    #[track_caller]
    fn check(input: &[u8], frame_bytes: usize) -> Incoming {
        let limits = Limits { frame_bytes, ..Limits::default() };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let mut rest = &input[1..];
        let mut share = Budget::new(1 << 20).share();
        runtime.block_on(read_frame(&mut rest, input[0], &limits, &mut share))
    }

    #[test]
    fn a_frame_is_read_to_its_last_byte_and_no_further() {
        let input = [framed(CALL), framed(CALL)].concat();
        assert!(matches!(check(&input, 1000), Incoming::Frame(frame) if frame == CALL));
        let most = check(&framed(CALL), CALL.len());
        assert!(matches!(most, Incoming::Frame(_)), "the limit itself is allowed");
    }

    #[test]
    fn a_frame_above_the_limit_is_known_by_its_head() {
        let most = CALL.len() - 1;
        let Incoming::Oversized { bytes, head } = check(&framed(CALL), most) else {
            panic!("the frame is above the limit");
        };
        assert_eq!((bytes, head.method.as_str(), head.sequence), (CALL.len(), "get", 7));
    }

    #[test]
    fn a_frame_that_ends_early_is_truncated() {
        for length in 1..CALL.len() + 4 {
            let outcome = check(&framed(CALL)[..length], 1000);
            assert!(matches!(outcome, Incoming::Truncated), "{length}: {outcome:?}");
        }
    }

    #[test]
    fn what_is_no_thrift_is_told_by_its_first_bytes() {
        let cases: [(&[u8], &str); 9] = [
            (b"GET / HTTP/1.1\r\n\r\n", "HTTP"),
            (b"POST /", "HTTP"),
            (b"\x16\x03\x01\x02\0\x01", "TLS"),
            (CALL, "without frames"),
            (b"SSH-2.0-x", "text"),
            (b"\x01\0\0\x0aDIGEST-MD5", "SASL"),
            (b"\xff\xff\xff\xff", "negative"),
            (b"\0\0\0\0", "too short"),
            (b"\0\0\0\x20\xde\xad\xbe\xef\0\0\0\0\0\0", "no Thrift"),
        ];
        for (bytes, told) in cases {
            let outcome = check(bytes, 1000);
            assert!(
                matches!(outcome, Incoming::Garbage(what) if what.contains(told)),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn an_announced_length_reserves_nothing() {
        let mut input = (500u32 << 20).to_be_bytes().to_vec();
        input.extend(CALL);
        assert!(matches!(check(&input, 1 << 30), Incoming::Truncated));
        let mut share = Budget::new(0).share();
        assert!(share.cover(FIRST_PIECE), "nothing of the budget was needed either");
    }
}
