//! The limit beside which a cluster's latencies stand: messages at the same rate over TCP, between two
//! processes that do nothing else and wait as workers do.
//!
//! ```text
//!   load, an open loop ──64 bytes──▶ echo     delivered: from the due time to the echo's read
//!            ▲────────────64 bytes─────┘      completed: from the due time to the load's read
//! ```
//!
//! Both parts are this program, started again with a hidden argument. Each sleeps in `poll` until
//! there is something to read or the next message is due, and writes what is there with one call.
//!
//! **Invariants.** A message counts from the time when it was due, whatever became of the ones before
//! it. Neither part outlives the other by more than [`SILENCE`].

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::report::Kind;
use crate::args::{Latency, TcpLoad};
use crate::clock::{Deadline, monotonic_ns};
use crate::error::Error;
use crate::program::{self, ProgramError};

/// Length of a message: about what a tuple of one number takes between two workers.
const MESSAGE_BYTES: usize = 64;
/// Longest that either part waits for the other.
const SILENCE: Duration = Duration::from_secs(10);
/// What starting and ending the two takes at most.
const AROUND: Duration = Duration::from_secs(30);
/// How long messages flow before they count.
const WARM_UP: Duration = Duration::from_secs(1);
/// Most that one part says.
const SAID_BYTES: u64 = 1 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// Why there is no limit.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    /// The other process, or the connection to it, failed.
    #[error("a bare echo over TCP failed: {0}")]
    Io(#[from] io::Error),
    /// A part did not come to its end.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A part did not say what it measured.
    #[error("{} said nothing that is a measurement: {said}", path.display())]
    Garbled {
        /// The program.
        path: PathBuf,
        /// What it said.
        said: String,
    },
}

/// Measures at the rate that was asked for, with two processes of this program.
///
/// # Errors
/// [`LimitError`]; both processes have ended.
pub fn measure(program: &Path, asked: &Latency) -> Result<Vec<Kind>, LimitError> {
    let mut echo = Echo::start(program)?;
    let mut said = String::new();
    let mut told = BufReader::new(echo.0.stdout.take().expect("it is piped")).take(SAID_BYTES);
    told.read_line(&mut said)?;
    let port: u16 = said.trim().parse().map_err(|_| garbled(program, &said))?;
    let arguments = [
        "bench".to_owned(),
        "tcp-load".to_owned(),
        format!("--port={port}"),
        format!("--rate={}", asked.rate),
        format!("--duration={}ms", asked.limit.as_millis()),
    ];
    let deadline = Deadline::after(asked.limit + AROUND);
    let load = program::run(program, &arguments, deadline, SAID_BYTES)?;
    let completed = kind(program, &load.stdout)?;
    let mut rest = Vec::new();
    told.read_to_end(&mut rest)?;
    Ok(vec![completed, kind(program, &rest)?])
}

fn kind(program: &Path, said: &[u8]) -> Result<Kind, LimitError> {
    serde_json::from_slice(said).map_err(|_| garbled(program, &String::from_utf8_lossy(said)))
}

fn garbled(program: &Path, said: &str) -> LimitError {
    LimitError::Garbled { path: program.to_owned(), said: said.trim().chars().take(200).collect() }
}

/// The echoing process, which goes with this.
struct Echo(Child);

impl Echo {
    fn start(program: &Path) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(["bench", "tcp-echo"]).stdin(Stdio::null()).stdout(Stdio::piped());
        command.spawn().map(Self)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It is our own child and not yet collected, so its id is still its own.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The echoing part: tells its port, serves one connection, and tells what it measured.
pub fn echo() -> Result<(), Error> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", listener.local_addr()?.port())?;
    out.flush()?;
    if !wait_for(&listener, false, Some(SILENCE))? {
        return Err(io::Error::from(ErrorKind::TimedOut).into());
    }
    let (stream, _) = listener.accept()?;
    let mut line = Line::new(stream)?;
    let mut delivered = new_histogram();
    loop {
        let is_open = line.read(|message| {
            record(&mut delivered, message);
            true
        })?;
        line.write()?;
        if !is_open {
            break;
        }
        if !line.wait(Some(SILENCE))? {
            return Err(io::Error::from(ErrorKind::TimedOut).into());
        }
    }
    tell(&mut out, "delivered", &delivered)
}

/// The loading part: emits at the rate, and tells what it measured.
pub fn load(asked: &TcpLoad) -> Result<(), Error> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, asked.port))?;
    let mut line = Line::new(stream)?;
    let period_ns = 1e9 / f64::from(asked.rate);
    let begin_ns = monotonic_ns() + 1_000_000;
    let due_ns = |number: u64| begin_ns + (number as f64 * period_ns) as u64;
    let counts_ns = begin_ns + WARM_UP.as_nanos() as u64;
    let end_ns = counts_ns + asked.duration.as_nanos() as u64;
    let mut completed = new_histogram();
    let (mut sent, mut received) = (0, 0);
    loop {
        let now_ns = monotonic_ns();
        while due_ns(sent) <= now_ns && due_ns(sent) < end_ns {
            line.put(due_ns(sent), due_ns(sent) >= counts_ns);
            sent += 1;
        }
        line.write()?;
        line.read(|message| {
            record(&mut completed, message);
            received += 1;
            false
        })?;
        let next_ns = due_ns(sent);
        let is_over = next_ns >= end_ns;
        if is_over && received == sent {
            break;
        }
        let wait = match is_over {
            true => SILENCE,
            false => Duration::from_nanos(next_ns.saturating_sub(monotonic_ns())),
        };
        if !line.wait(Some(wait))? && is_over {
            return Err(io::Error::from(ErrorKind::TimedOut).into());
        }
    }
    line.stream.shutdown(Shutdown::Write)?;
    tell(&mut io::stdout().lock(), "completed", &completed)
}

fn tell(out: &mut impl Write, name: &str, histogram: &Histogram<u64>) -> Result<(), Error> {
    let kind = Kind::of(name, histogram, None);
    writeln!(out, "{}", serde_json::to_string(&kind).expect("plain values"))?;
    Ok(())
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new(3).expect("three digits are few enough")
}

/// Notes how late a message is, if it counts.
fn record(histogram: &mut Histogram<u64>, message: &[u8]) {
    let (due, counts) = (message[..8].try_into().expect("8 bytes"), message[8] != 0);
    if counts {
        let late_ns = monotonic_ns().saturating_sub(u64::from_le_bytes(due));
        histogram.record(late_ns.max(1)).expect("it resizes itself");
    }
}

/// One end of the connection.
struct Line {
    stream: TcpStream,
    inbound: Vec<u8>,
    outbound: Vec<u8>,
    buffer: Box<[u8]>,
}

impl Line {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        // As the threads of workers do; else each wait is up to 50 us too long.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Ok(Self { stream, inbound: Vec::new(), outbound: Vec::new(), buffer })
    }

    fn put(&mut self, due_ns: u64, counts: bool) {
        let mut message = [0; MESSAGE_BYTES];
        message[..8].copy_from_slice(&due_ns.to_le_bytes());
        message[8] = counts.into();
        self.outbound.extend(message);
    }

    /// Writes what is to be written, as far as it goes.
    fn write(&mut self) -> io::Result<()> {
        while !self.outbound.is_empty() {
            match self.stream.write(&self.outbound) {
                Ok(written) => drop(self.outbound.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there; `take` gets each message and says whether it goes back. False once the
    /// other end has closed.
    fn read(&mut self, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        loop {
            let read = match self.stream.read(&mut self.buffer) {
                Ok(0) => return Ok(false),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.inbound.extend_from_slice(&self.buffer[..read]);
            let whole = self.inbound.len() / MESSAGE_BYTES * MESSAGE_BYTES;
            for message in self.inbound[..whole].chunks_exact(MESSAGE_BYTES) {
                if take(message) {
                    self.outbound.extend_from_slice(message);
                }
            }
            self.inbound.drain(..whole);
            if read < self.buffer.len() {
                return Ok(true);
            }
        }
    }

    /// Sleeps until there is something to do; false if the time passes before.
    fn wait(&self, limit: Option<Duration>) -> io::Result<bool> {
        wait_for(&self.stream, !self.outbound.is_empty(), limit)
    }
}

fn wait_for(
    socket: &impl std::os::fd::AsFd,
    to_write: bool,
    limit: Option<Duration>,
) -> io::Result<bool> {
    let out = if to_write { PollFlags::OUT } else { PollFlags::empty() };
    let limit = limit.map(|limit| Timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: limit.subsec_nanos().into(),
    });
    match poll(&mut [PollFd::new(socket, PollFlags::IN | out)], limit.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_pass_a_line_in_pieces_of_any_length() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let mut raw = TcpStream::connect(listener.local_addr().unwrap()).expect("connected");
        let mut line = Line::new(listener.accept().expect("accepted").0).expect("a line");
        let message = |number: u8| [number; MESSAGE_BYTES];
        let bytes: Vec<u8> = (1..=5).flat_map(message).collect();
        let mut seen = Vec::new();
        for piece in bytes.chunks(37) {
            raw.write_all(piece).expect("written");
            assert!(line.wait(Some(SILENCE)).expect("waited"));
            assert!(
                line.read(|message| {
                    seen.push(message[0]);
                    message[0] == 4
                })
                .expect("read")
            );
        }
        assert_eq!(seen, [1, 2, 3, 4, 5]);
        line.write().expect("written");
        let mut back = [0; MESSAGE_BYTES];
        raw.read_exact(&mut back).expect("it comes back");
        assert_eq!(back, message(4));
        drop(raw);
        assert!(line.wait(Some(SILENCE)).expect("waited"));
        assert!(!line.read(|_| true).expect("read"), "the other end is closed");
    }
}
