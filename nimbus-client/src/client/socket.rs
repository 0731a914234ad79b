//! A TCP connection that carries frames, each wait with a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::deadline::Deadline;
use super::{Address, ClientError, Service};

/// Bytes that are reserved and read at once, however long a frame claims to be.
const STEP_BYTES: usize = 64 << 10;

/// Why a frame did not travel.
#[derive(Debug)]
pub enum SocketFailure {
    TimedOut,
    Ended(io::Error),
    TooLarge { bytes: usize },
    NotThrift(&'static str),
}

#[derive(Debug)]
pub struct FramedSocket {
    stream: TcpStream,
}

impl FramedSocket {
    /// Connects to the first number of `address` that takes the connection.
    pub fn connect<S: Service>(address: &Address, within: Duration) -> Result<Self, ClientError> {
        let deadline = Deadline::after(within);
        let unknown = |source| ClientError::UnknownHost { address: address.clone(), source };
        let numbers = (address.host.as_str(), address.port).to_socket_addrs().map_err(unknown)?;
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no number");
        for number in numbers {
            let Some(left) = deadline.socket_timeout() else {
                last = ErrorKind::TimedOut.into();
                break;
            };
            match TcpStream::connect_timeout(&number, left) {
                Ok(stream) => {
                    // Calls are single writes; one that waited for an acknowledgement would be late.
                    let set = stream.set_nodelay(true);
                    set.map_err(|source| unreachable(address, source))?;
                    return Ok(Self { stream });
                }
                Err(error) => last = error,
            }
        }
        Err(match last.kind() {
            ErrorKind::ConnectionRefused => {
                ClientError::Refused { address: address.clone(), daemon: S::DAEMON }
            }
            ErrorKind::TimedOut | ErrorKind::WouldBlock => {
                ClientError::ConnectTimedOut { address: address.clone(), after: within }
            }
            _ => unreachable(address, last),
        })
    }

    /// Whether the peer has ended the connection, or has sent what nobody asked for.
    pub fn is_stale(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let quiet = matches!(&peeked, Err(error) if error.kind() == ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).is_err() || !quiet
    }

    /// Sends all of `bytes`, or fails before the peer has them all.
    pub fn send(&mut self, mut bytes: &[u8], deadline: Deadline) -> Result<(), SocketFailure> {
        while !bytes.is_empty() {
            let left = deadline.socket_timeout().ok_or(SocketFailure::TimedOut)?;
            self.stream.set_write_timeout(Some(left)).map_err(SocketFailure::Ended)?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(SocketFailure::Ended(ErrorKind::WriteZero.into())),
                Ok(written) => bytes = &bytes[written..],
                Err(error) => again(error)?,
            }
        }
        Ok(())
    }

    /// Receives one frame of at most `limit` bytes.
    pub fn receive(&mut self, limit: usize, deadline: Deadline) -> Result<Vec<u8>, SocketFailure> {
        let mut length = [0; 4];
        self.fill(&mut length, deadline)?;
        match &length {
            b"HTTP" => return Err(SocketFailure::NotThrift("it speaks HTTP")),
            [0x15 | 0x16, 3, ..] => return Err(SocketFailure::NotThrift("it speaks TLS")),
            [0x80..=0xff, ..] => return Err(SocketFailure::NotThrift("its frames have no length")),
            _ => {}
        }
        let bytes = u32::from_be_bytes(length) as usize;
        if bytes > limit {
            return Err(SocketFailure::TooLarge { bytes });
        }
        let mut frame = Vec::new();
        while frame.len() < bytes {
            let begin = frame.len();
            frame.resize(bytes.min(begin + STEP_BYTES), 0);
            self.fill(&mut frame[begin..], deadline)?;
        }
        Ok(frame)
    }

    fn fill(&mut self, mut buffer: &mut [u8], deadline: Deadline) -> Result<(), SocketFailure> {
        while !buffer.is_empty() {
            let left = deadline.socket_timeout().ok_or(SocketFailure::TimedOut)?;
            self.stream.set_read_timeout(Some(left)).map_err(SocketFailure::Ended)?;
            match self.stream.read(buffer) {
                Ok(0) => {
                    let why = "the server closed it";
                    let why = io::Error::new(ErrorKind::UnexpectedEof, why);
                    return Err(SocketFailure::Ended(why));
                }
                Ok(read) => buffer = &mut buffer[read..],
                Err(error) => again(error)?,
            }
        }
        Ok(())
    }
}

/// Nothing, if the same may be tried again; its deadline is looked at then.
fn again(error: io::Error) -> Result<(), SocketFailure> {
    match error.kind() {
        ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(()),
        _ => Err(SocketFailure::Ended(error)),
    }
}

fn unreachable(address: &Address, source: io::Error) -> ClientError {
    ClientError::Unreachable { address: address.clone(), source }
}
