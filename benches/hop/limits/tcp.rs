//! The limit between processes: 64-byte messages over loopback TCP, one at a time and in bulk.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use super::super::clock;
use super::super::open_loop::{Course, Recorder};
use super::super::quantile;
use super::super::sample::{Sample, Subject, Window, drive, warm_up_and_window};
use super::hop::{Wait, generate};

/// Bytes of one message.
const MESSAGE_BYTES: usize = 64;

/// Bytes of one write in bulk.
const WRITE_BYTES: usize = 64 * 1024;

/// Round trip of one message: both ends block, `TCP_NODELAY` is set.
pub struct TcpRoundTrip;

/// One way of one message at an open-loop rate, to a thread that blocks in a read.
pub struct TcpHop {
    pub per_second: u64,
    /// How the generator waits for intended times.
    pub generator: Wait,
}

/// There and back at an open-loop rate: the echo blocks in a read, and so does who gets it.
pub struct TcpEcho {
    pub per_second: u64,
    pub generator: Wait,
}

/// Messages per second, counted as 64 bytes each, in writes of 64 KiB.
pub struct TcpBulk;

impl Subject for TcpRoundTrip {
    fn name(&self) -> String {
        "tcp 64 B round trip".to_owned()
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (near, far) = connected().expect("a loopback connection of two free ports");
        std::thread::scope(|scope| {
            scope.spawn(move || echo(far));
            trips(near, length).expect("the echo answers until the connection is shut")
        })
    }
}

impl Subject for TcpHop {
    fn name(&self) -> String {
        "tcp 64 B one way".to_owned()
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (near, far) = connected().expect("a loopback connection of two free ports");
        let course = Course::from_now(self.per_second, length);
        let mut recorder = Recorder::new(course);
        let sample = std::thread::scope(|scope| {
            scope.spawn(|| record(far, &mut recorder));
            let sample =
                generate(course, self.generator, |_, intended_ns| send(&near, intended_ns));
            near.shutdown(Shutdown::Both).expect("the connection is there");
            sample
        });
        sample.with_latency(recorder.into_latency())
    }
}

impl Subject for TcpEcho {
    fn name(&self) -> String {
        "tcp 64 B echo".to_owned()
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (near, far) = connected().expect("a loopback connection of two free ports");
        let course = Course::from_now(self.per_second, length);
        let mut recorder = Recorder::new(course);
        let back = near.try_clone().expect("a connection can be shared");
        let sample = std::thread::scope(|scope| {
            scope.spawn(move || echo(far));
            scope.spawn(|| record(back, &mut recorder));
            let sample =
                generate(course, self.generator, |_, intended_ns| send(&near, intended_ns));
            near.shutdown(Shutdown::Both).expect("the connection is there");
            sample
        });
        sample.with_latency(recorder.into_latency())
    }
}

impl Subject for TcpBulk {
    fn name(&self) -> String {
        "tcp 64 KiB writes".to_owned()
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (mut near, far) = connected().expect("a loopback connection of two free ports");
        std::thread::scope(|scope| {
            scope.spawn(move || discard(far));
            let written = [0x5a; WRITE_BYTES];
            let sample = drive(length, || {
                near.write_all(&written).expect("the reader reads until the connection is shut");
                (WRITE_BYTES / MESSAGE_BYTES) as u64
            });
            drop(near);
            sample
        })
    }
}

fn connected() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

fn trips(mut near: TcpStream, length: Duration) -> io::Result<Sample> {
    let mut latency = quantile::histogram();
    let mut message = [0x5a; MESSAGE_BYTES];
    let (warm_up, measured) = warm_up_and_window(length);
    let measured_from_ns = clock::now_ns() + clock::ns(warm_up);
    let end_ns = measured_from_ns + clock::ns(measured);
    let mut window = Window::open();
    let mut sent_ns = clock::now_ns();
    while sent_ns < end_ns {
        near.write_all(&message)?;
        near.read_exact(&mut message)?;
        let now = clock::now_ns();
        if sent_ns >= measured_from_ns {
            if latency.is_empty() {
                window = Window::open();
            }
            latency.saturating_record(now - sent_ns);
        }
        sent_ns = now;
    }
    near.shutdown(Shutdown::Both)?;
    Ok(window.close(0).with_latency(latency))
}

fn echo(mut far: TcpStream) {
    let mut message = [0; MESSAGE_BYTES];
    while far.read_exact(&mut message).is_ok() && far.write_all(&message).is_ok() {}
}

fn discard(mut far: TcpStream) {
    let mut read = vec![0; WRITE_BYTES];
    while far.read(&mut read).is_ok_and(|bytes| bytes > 0) {
        black_box(&read);
    }
}

/// Sends a message that says when it was intended.
fn send(mut near: &TcpStream, intended_ns: u64) {
    let mut message = [0x5a; MESSAGE_BYTES];
    message[..8].copy_from_slice(&intended_ns.to_le_bytes());
    near.write_all(&message).expect("the reader reads until the connection is shut");
}

/// Records every message until the connection is shut.
fn record(mut from: TcpStream, recorder: &mut Recorder) {
    let mut message = [0; MESSAGE_BYTES];
    while from.read_exact(&mut message).is_ok() {
        let intended = message[..8].try_into().expect("eight bytes");
        recorder.record(u64::from_le_bytes(intended));
    }
}
