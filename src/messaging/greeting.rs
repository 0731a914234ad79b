//! One side of one handshake on a non-blocking connection.
//!
//! **Runs on** the connector's thread.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustix::event::PollFlags;

use super::frame::{self, FrameError, code};
use super::hello::{self, Hello, Identity, LIMIT, Nonce, Stranger};

/// Bytes read at once.
const READ_BYTES: usize = 4096;

/// Which side of a handshake this worker is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Dials,
    Listens,
    /// Says that it is there, and goes.
    Knocks,
}

/// How far a handshake is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The other side is to say something.
    Waits,
    /// This worker asks to be dialled.
    Knocked(String),
    /// Each knows the other.
    Done { from: String, generation: u64 },
}

/// Why a handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GreetingError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Stranger(#[from] Stranger),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it ended the handshake")]
    Ended,
}

/// A connection whose handshake is under way.
#[derive(Debug)]
pub(crate) struct Greeting {
    stream: TcpStream,
    side: Side,
    /// What came and is not used yet.
    read: Vec<u8>,
    /// What is to be written, and how much of it is.
    unwritten: Vec<u8>,
    written: usize,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The first frame of the other side is to come: of a listener a welcome, of a dialer a hello.
    First { hello: Vec<u8> },
    /// The dialer's proof is to come.
    Proof { from: String, generation: u64, hello: Vec<u8>, welcome: Vec<u8> },
    /// All is said, once it is written.
    Said { generation: u64 },
}

impl Greeting {
    /// # Errors
    /// If the connection cannot be made non-blocking.
    pub fn new(stream: TcpStream, side: Side) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let stage = Stage::First { hello: Vec::new() };
        Ok(Self { stream, side, read: Vec::new(), unwritten: Vec::new(), written: 0, stage })
    }

    /// Says hello, or knocks.
    pub fn begin(&mut self, own: &Identity, to: &str) {
        let code = if self.side == Side::Dials { code::HELLO } else { code::KNOCK };
        self.unwritten = Hello::frame(own, to, nonce(), code);
        let hello = payload(&self.unwritten).to_vec();
        self.stage = match self.side {
            Side::Knocks => Stage::Said { generation: 0 },
            _ => Stage::First { hello },
        };
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// What the connection is to be polled for.
    pub fn wants(&self) -> PollFlags {
        if self.written < self.unwritten.len() { PollFlags::OUT } else { PollFlags::IN }
    }

    /// The connection, and what was read beyond the handshake.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.read)
    }

    /// Goes on as far as the other side has.
    ///
    /// # Errors
    /// [`GreetingError`]: the connection is of no use.
    pub fn go_on(&mut self, own: &Identity) -> Result<Progress, GreetingError> {
        loop {
            if !self.write()? {
                return Ok(Progress::Waits);
            }
            if let Stage::Said { generation } = self.stage {
                return Ok(Progress::Done { from: String::new(), generation });
            }
            let limit = LIMIT;
            let Some((frame, used)) = frame::next(&self.read, limit)? else {
                if !self.fill()? {
                    return Ok(Progress::Waits);
                }
                continue;
            };
            let (code, payload) = (frame.code, frame.payload.to_vec());
            self.read.drain(..used);
            if let Some(progress) = self.heed(own, code, payload)? {
                return Ok(progress);
            }
        }
    }

    fn heed(
        &mut self,
        own: &Identity,
        code: i16,
        payload: Vec<u8>,
    ) -> Result<Option<Progress>, GreetingError> {
        match (self.side, &mut self.stage, code) {
            (Side::Listens, Stage::First { .. }, code::KNOCK) => {
                Ok(Some(Progress::Knocked(Hello::read(&payload, own)?.from)))
            }
            (Side::Listens, Stage::First { .. }, code::HELLO) => {
                let Hello { from, generation, .. } = Hello::read(&payload, own)?;
                self.unwritten = hello::welcome(own, &payload, nonce());
                self.written = 0;
                let welcome = self::payload(&self.unwritten).to_vec();
                self.stage = Stage::Proof { from, generation, hello: payload, welcome };
                Ok(None)
            }
            (Side::Dials, Stage::First { hello }, code::WELCOME) => {
                let (generation, proof) = hello::answer(own, hello, &payload)?;
                (self.unwritten, self.written) = (proof, 0);
                self.stage = Stage::Said { generation };
                Ok(None)
            }
            (_, Stage::Proof { from, generation, hello, welcome }, code::PROOF) => {
                hello::check_proof(own, hello, welcome, &payload)?;
                let (from, generation) = (std::mem::take(from), *generation);
                Ok(Some(Progress::Done { from, generation }))
            }
            (_, _, code) => Err(FrameError::Unexpected { code }.into()),
        }
    }

    /// Writes what is to be written; true if nothing is left.
    fn write(&mut self) -> io::Result<bool> {
        while self.written < self.unwritten.len() {
            match self.stream.write(&self.unwritten[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(error) if is_pending(&error) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads what has come; false if nothing has.
    fn fill(&mut self) -> Result<bool, GreetingError> {
        let before = self.read.len();
        self.read.resize(before + READ_BYTES, 0);
        let read = self.stream.read(&mut self.read[before..]);
        self.read.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => Err(GreetingError::Ended),
            Ok(_) => Ok(true),
            Err(error) if is_pending(&error) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether the connection is not there yet, or has nothing to read or no room to write.
fn is_pending(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected)
}

fn payload(frame: &[u8]) -> &[u8] {
    let read = frame::next(frame, LIMIT);
    read.ok().flatten().map_or(&[], |(frame, _)| frame.payload)
}

fn nonce() -> Nonce {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut nonce = Nonce::default();
    for half in nonce.chunks_mut(8) {
        half.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes());
    }
    nonce
}
