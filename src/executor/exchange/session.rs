//! One connection to one peer: its socket, what came and what is to go.
//!
//! **Budget.** One read and at most one write per cycle of the thread, and of a busy thread one write
//! per [`WRITE_BYTES`] or [`WRITE_INTERVAL`]; a buffer that is emptied is used again.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::clock::Time;
use crate::messaging::frame::{self, FrameError};
use crate::messaging::line::Connected;
use crate::tuple::codec::MAX_BYTES;

/// Bytes of the read buffer at first.
const FIRST_READ_BYTES: usize = 16 << 10;
/// Bytes up to which the read buffer grows because much comes at once.
const MOST_READ_BYTES: usize = 64 << 10;
/// Bytes of a frame: of the largest tuple, and of what stands around it.
const FRAME_LIMIT: usize = MAX_BYTES + (16 << 20);
/// Bytes that a buffer keeps when it is empty.
const KEPT_BYTES: usize = 1 << 20;
/// Unwritten bytes from which on no more tuples are encoded; acks and credit still are.
const MUCH_UNWRITTEN: usize = 4 << 20;
/// Unwritten bytes that are worth a write, whatever else the thread has to do.
const WRITE_BYTES: usize = 64 << 10;
/// How long a busy thread keeps fewer bytes back, so that one write takes several cycles' tuples.
const WRITE_INTERVAL: Duration = Duration::from_micros(20);

/// Why a connection is given up.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionEnd {
    #[error("the peer closed the connection")]
    Closed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A connection in use.
#[derive(Debug)]
pub(super) struct Session {
    pub stream: TcpStream,
    /// As in [`Connected`].
    pub number: u64,
    /// Whether the peer has said which blocks are occupied; no tuples go to it before.
    pub started: bool,
    /// When the peer is pinged next.
    pub next_ping: Time,
    /// To be written, from `written` on.
    pub out: Vec<u8>,
    written: usize,
    /// Length of `out` when the last batch was ended.
    ended: usize,
    /// When the first of the unwritten bytes was kept back, if they are.
    kept_since: Option<Time>,
    /// The peer waits for what is unwritten.
    pub is_awaited: bool,
    /// The socket had no room; set until it may have some again.
    pub blocked: bool,
    /// Whether the poller watches for room.
    pub watched_for_room: bool,
    pub read: ReadBuffer,
}

/// What came and is not used yet.
#[derive(Debug, Default)]
pub(super) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Session {
    pub fn new(connected: Connected, now: Time) -> Self {
        let Connected { stream, number, read, .. } = connected;
        let end = read.len();
        let mut bytes = read;
        bytes.resize(FIRST_READ_BYTES.max(end), 0);
        Self {
            stream,
            number,
            started: false,
            next_ping: now,
            out: Vec::new(),
            written: 0,
            ended: 0,
            kept_since: None,
            is_awaited: false,
            blocked: false,
            watched_for_room: false,
            read: ReadBuffer { bytes, start: 0, end },
        }
    }

    /// Whether another block of tuples may be encoded.
    #[inline]
    pub fn takes_tuples(&self) -> bool {
        self.started && self.out.len() - self.written < MUCH_UNWRITTEN
    }

    /// Whether something is to be written.
    #[inline]
    pub fn has_output(&self) -> bool {
        self.written < self.out.len()
    }

    /// Whether a busy thread rather goes on and writes later, with more.
    #[inline]
    pub fn keeps_back(&mut self, now: Time) -> bool {
        let unwritten = self.out.len() - self.written;
        if unwritten == 0 || unwritten >= WRITE_BYTES || self.is_awaited {
            return false;
        }
        now.since(*self.kept_since.get_or_insert(now)) < WRITE_INTERVAL
    }

    /// Writes what there is, as one batch; true if something went out.
    ///
    /// # Errors
    /// [`SessionEnd`]: the connection is of no use any more.
    #[inline]
    pub fn write(&mut self) -> Result<bool, SessionEnd> {
        if !self.has_output() || self.blocked {
            return Ok(false);
        }
        self.kept_since = None;
        self.is_awaited = false;
        if self.ended < self.out.len() {
            self.out.extend_from_slice(&frame::code::END_OF_BATCH.to_be_bytes());
            self.ended = self.out.len();
        }
        let mut wrote = false;
        while self.has_output() {
            match self.stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(SessionEnd::Closed),
                Ok(bytes) => {
                    self.written += bytes;
                    wrote = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    self.forget_written();
                    return Ok(wrote);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        (self.written, self.ended) = (0, 0);
        if self.out.capacity() > KEPT_BYTES {
            self.out.shrink_to(KEPT_BYTES);
        }
        Ok(wrote)
    }

    /// Lets go of written bytes, lest a connection that never catches up keeps them for ever.
    #[cold]
    fn forget_written(&mut self) {
        if self.written > KEPT_BYTES {
            self.out.drain(..self.written);
            self.ended -= self.written;
            self.written = 0;
        }
    }
}

impl ReadBuffer {
    /// Reads once; false if nothing has come, and whether there may be more.
    ///
    /// # Errors
    /// [`SessionEnd`].
    #[inline]
    pub fn fill(&mut self, mut stream: &TcpStream) -> Result<Filled, SessionEnd> {
        self.make_room();
        let room = self.bytes.len() - self.end;
        match stream.read(&mut self.bytes[self.end..]) {
            Ok(0) => Err(SessionEnd::Closed),
            Ok(bytes) => {
                self.end += bytes;
                Ok(if bytes == room { Filled::Full } else { Filled::Some })
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Filled::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Filled::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// The next frame, if it is all there.
    ///
    /// # Errors
    /// [`FrameError`].
    #[inline]
    pub fn next(&mut self) -> Result<Option<frame::Frame<'_>>, FrameError> {
        match frame::next(&self.bytes[self.start..self.end], FRAME_LIMIT)? {
            Some((frame, used)) => {
                self.start += used;
                Ok(Some(frame))
            }
            None => Ok(None),
        }
    }

    /// Has room for what comes next: more of it when the last read filled everything, and as much
    /// as a frame needs, at most twice as much as has come of it.
    #[inline]
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        // What is left of a frame is moved to the front before little room makes for a small read.
        if self.end == self.bytes.len() || self.start > self.bytes.len() / 2 {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let doubled = self.bytes.len() * 2;
        let wanted = frame::wanted(&self.bytes[..self.end]).unwrap_or(0).min(doubled);
        let length = wanted.max(doubled.min(MOST_READ_BYTES)).max(FIRST_READ_BYTES);
        if self.end == 0 && length < self.bytes.len() {
            self.bytes = vec![0; length];
        } else if length > self.bytes.len() {
            self.bytes.resize(length, 0);
        }
    }
}

/// What a read came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Filled {
    Nothing,
    Some,
    /// The buffer is full; there may be more.
    Full,
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn session() -> (Session, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        let connected = Connected { stream, number: 1, read: Vec::new() };
        (Session::new(connected, Time::ZERO), peer)
    }

    #[test]
    fn a_busy_thread_keeps_few_bytes_back_for_a_while_and_none_that_the_peer_waits_for() {
        let (mut session, _peer) = session();
        let at = |nanos: u64| Time::from_nanos(1_000_000 + nanos);
        assert!(!session.keeps_back(at(0)));
        session.out.push(1);
        assert!(session.keeps_back(at(0)));
        session.out.push(2);
        assert!(session.keeps_back(at(19_999)));
        assert!(!session.keeps_back(at(20_000)));
        assert!(session.write().unwrap());

        session.out.push(3);
        assert!(session.keeps_back(at(30_000)));
        session.is_awaited = true;
        assert!(!session.keeps_back(at(30_000)));
        assert!(session.write().unwrap());

        session.out.resize(WRITE_BYTES - 1, 4);
        assert!(session.keeps_back(at(60_000)));
        session.out.push(4);
        assert!(!session.keeps_back(at(60_000)));
    }
}
