//! Makes connections to peers: dials, listens, shakes hands, and tries again for ever.
//!
//! ```text
//!            dial                connected             welcome, proof
//!   DOWN ------------> DIALING --------------> GREETING --------------> UP
//!     ^                   |                       |                      |
//!     +------ pause <-----+----- pause <----------+------ at once <------+ lost
//! ```
//!
//! Of two workers the one with the lower name dials, so that there is one connection between them.
//! The other one knocks when it starts or has lost the connection: the dialer then dials at once
//! instead of waiting for the end of its pause.
//!
//! **Invariants.** Nobody waits for a peer that does not answer: every connection is non-blocking
//! and has a deadline. What is not a peer gets nothing but a closed connection.
//!
//! **Runs on** a thread of its own, which sleeps while all peers are connected. No tuple passes it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::greeting::{Greeting, Progress, Side};
use super::hello::Identity;
use super::line::{Connected, Line};
use crate::clock::{Clock, Time};

/// First pause after a failed attempt; it doubles. Storm's `storm.messaging.netty.min_wait_ms`.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause. Storm's `storm.messaging.netty.max_wait_ms`.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Time for a connection and its handshake.
const DEADLINE: Duration = Duration::from_secs(5);
/// Connections from outside whose handshake is not done.
const MOST_STRANGERS: usize = 64;
/// Time without an answer after which the kernel gives a connection up.
const SILENCE: Duration = Duration::from_secs(30);

/// The thread that makes connections; ends when dropped.
#[derive(Debug)]
pub(crate) struct Connector {
    remote: Remote,
    thread: Option<JoinHandle<()>>,
}

/// Tells the connector's thread that there is something to do.
#[derive(Debug, Clone)]
pub(crate) struct Remote(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    wake: OwnedFd,
    stop: AtomicBool,
    /// The peers, when they are others than before.
    lines: Mutex<Option<Vec<Arc<Line>>>>,
}

impl Remote {
    /// Has the thread look around; callable from the hot path, it costs a system call.
    pub fn wake(&self) {
        // A full counter wakes as well.
        let _ = rustix::io::write(&self.0.wake, &1u64.to_ne_bytes());
    }

    /// Replaces the peers; a line that stays keeps its connection.
    pub fn set_lines(&self, lines: Vec<Arc<Line>>) {
        *self.0.lines.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines);
        self.wake();
    }
}

impl Connector {
    /// Prepares the thread, which [`Connector::start`] starts.
    ///
    /// # Errors
    /// If the system gives no event descriptor.
    pub fn new() -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let shared = Shared { wake, stop: AtomicBool::new(false), lines: Mutex::default() };
        Ok(Self { remote: Remote(Arc::new(shared)), thread: None })
    }

    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Begins to listen and to dial.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(&mut self, own: Identity, listener: TcpListener, clock: Clock) -> io::Result<()> {
        listener.set_nonblocking(true)?;
        let shared = self.remote.0.clone();
        let mut life = Life {
            own: Arc::new(own),
            listener,
            clock,
            shared,
            peers: Vec::new(),
            strangers: Vec::new(),
        };
        let thread = std::thread::Builder::new().name("connections".to_owned());
        self.thread = Some(thread.spawn(move || life.run())?);
        Ok(())
    }
}

impl Drop for Connector {
    fn drop(&mut self) {
        self.remote.0.stop.store(true, Ordering::Release);
        self.remote.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A peer, as the connector sees it.
struct Peer {
    line: Arc<Line>,
    /// Whether this worker dials.
    dials: bool,
    state: State,
    pause: Duration,
    /// Connections so far.
    number: u64,
    knock: Option<Pending>,
}

enum State {
    /// To be dialled at this time; never by the side that does not dial.
    Down(Time),
    Greeting(Pending),
    Up,
}

/// A connection whose handshake is under way.
struct Pending {
    greeting: Greeting,
    deadline: Time,
}

struct Life {
    own: Arc<Identity>,
    listener: TcpListener,
    clock: Clock,
    shared: Arc<Shared>,
    peers: Vec<Peer>,
    /// Connections from outside.
    strangers: Vec<Pending>,
}

impl Life {
    fn run(&mut self) {
        tracing::debug!("listening for workers");
        while !self.shared.stop.load(Ordering::Acquire) {
            let now = self.clock.now();
            self.heed_lines(now);
            self.accept(now);
            self.heed_strangers(now);
            let mut next = Time::NEVER;
            for peer in &mut self.peers {
                peer.heed(&self.own, now);
                next = next.min(peer.next());
            }
            let strangers = self.strangers.iter().map(|pending| pending.deadline);
            self.sleep(strangers.fold(next, Time::min), now);
        }
    }

    /// Takes over other peers, if there are any.
    fn heed_lines(&mut self, now: Time) {
        let lines = self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(lines) = lines else { return };
        self.peers.retain(|peer| lines.iter().any(|line| Arc::ptr_eq(line, &peer.line)));
        for line in lines {
            if !self.peers.iter().any(|peer| Arc::ptr_eq(&line, &peer.line)) {
                self.peers.push(Peer::new(line, &self.own, now));
            }
        }
    }

    fn accept(&mut self, now: Time) {
        while let Ok((stream, from)) = self.listener.accept() {
            if self.strangers.len() >= MOST_STRANGERS {
                tracing::warn!(
                    "closing a connection from {from}: too many have not said who they are"
                );
                continue;
            }
            let deadline = now + DEADLINE;
            match Greeting::new(stream, Side::Listens) {
                Ok(greeting) => self.strangers.push(Pending { greeting, deadline }),
                Err(error) => tracing::warn!("cannot talk to {from}: {error}"),
            }
        }
    }

    /// Goes on with the handshakes of those who dialled this worker.
    fn heed_strangers(&mut self, now: Time) {
        let mut index = 0;
        while index < self.strangers.len() {
            let pending = &mut self.strangers[index];
            let progress = match pending.greeting.go_on(&self.own) {
                Ok(Progress::Waits) if now < pending.deadline => {
                    index += 1;
                    continue;
                }
                progress => progress,
            };
            let Pending { greeting, .. } = self.strangers.swap_remove(index);
            match progress {
                Ok(Progress::Waits) => tracing::debug!("a connection said nothing and is closed"),
                Ok(Progress::Knocked(from)) => self.knocked(&from, now),
                Ok(Progress::Done { from, generation }) => self.join(&from, greeting, generation),
                Err(error) => tracing::warn!("refused a connection: {error}"),
            }
        }
    }

    fn knocked(&mut self, from: &str, now: Time) {
        let peer = self.peers.iter_mut().find(|peer| peer.line.address.worker == from);
        if let Some(Peer { dials: true, state: State::Down(at), pause, .. }) = peer {
            (*at, *pause) = (now, FIRST_PAUSE);
        }
    }

    fn join(&mut self, from: &str, greeting: Greeting, generation: u64) {
        let mut peers = self.peers.iter_mut();
        match peers.find(|peer| peer.line.address.worker == from && !peer.dials) {
            Some(peer) => peer.up(greeting, generation),
            None => tracing::warn!("refused a connection: worker {from} is not to dial this one"),
        }
    }

    fn sleep(&mut self, until: Time, now: Time) {
        let mut polled = vec![
            PollFd::new(&self.shared.wake, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        let greetings = self.peers.iter().filter_map(|peer| match &peer.state {
            State::Greeting(pending) => Some(pending),
            _ => peer.knock.as_ref(),
        });
        for pending in greetings.chain(&self.strangers) {
            let flags = pending.greeting.wants();
            polled.push(PollFd::new(pending.greeting.stream(), flags));
        }
        let timeout = (until != Time::NEVER).then(|| {
            let left = until.since(now);
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        // An interrupted call is as good as a wake-up.
        let _ = poll(&mut polled, timeout.as_ref());
        let _ = rustix::io::read(&self.shared.wake, &mut [0; 8]);
    }
}

impl Peer {
    fn new(line: Arc<Line>, own: &Identity, now: Time) -> Self {
        let dials = own.worker < line.address.worker;
        let number = line.lost();
        let mut peer =
            Self { line, dials, state: State::Down(now), pause: FIRST_PAUSE, number, knock: None };
        if !dials {
            peer.knock(own, now);
        }
        peer
    }

    /// Does what is due.
    fn heed(&mut self, own: &Identity, now: Time) {
        if matches!(self.state, State::Up) && self.line.lost() == self.number {
            tracing::debug!(peer = self.line.address.worker, "lost the connection");
            self.state = State::Down(now);
            if !self.dials {
                self.knock(own, now);
            }
        }
        if let Some(knock) = &mut self.knock
            && (now >= knock.deadline || !matches!(knock.greeting.go_on(own), Ok(Progress::Waits)))
        {
            self.knock = None;
        }
        if let State::Down(at) = self.state
            && self.dials
            && now >= at
        {
            match self.dial(own, Side::Dials, now) {
                Ok(pending) => self.state = State::Greeting(pending),
                Err(error) => self.put_off(now, &error),
            }
        }
        let State::Greeting(pending) = &mut self.state else { return };
        match pending.greeting.go_on(own) {
            Ok(Progress::Waits) if now < pending.deadline => {}
            Ok(Progress::Done { generation, .. }) => {
                let State::Greeting(Pending { greeting, .. }) =
                    std::mem::replace(&mut self.state, State::Up)
                else {
                    return;
                };
                self.up(greeting, generation);
            }
            Ok(_) => self.put_off(now, &"it does not answer"),
            Err(error) => self.put_off(now, &error),
        }
    }

    /// When something is due though nothing happens.
    fn next(&self) -> Time {
        let knock = self.knock.as_ref().map_or(Time::NEVER, |knock| knock.deadline);
        knock.min(match &self.state {
            State::Down(at) if self.dials => *at,
            State::Greeting(pending) => pending.deadline,
            _ => Time::NEVER,
        })
    }

    fn knock(&mut self, own: &Identity, now: Time) {
        self.knock = self.dial(own, Side::Knocks, now).ok();
    }

    fn dial(&self, own: &Identity, side: Side, now: Time) -> io::Result<Pending> {
        let address = &self.line.address;
        let resolved = (address.host.as_str(), address.port).to_socket_addrs()?.next();
        let resolved = resolved.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let mut greeting = Greeting::new(connect(resolved)?, side)?;
        greeting.begin(own, &address.worker);
        Ok(Pending { greeting, deadline: now + DEADLINE })
    }

    /// Waits before the next attempt.
    fn put_off(&mut self, now: Time, why: &dyn std::fmt::Display) {
        let peer = &self.line.address.worker;
        tracing::debug!(peer, "cannot connect, trying again in {:?}: {why}", self.pause);
        self.state = State::Down(now + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Hands a connection over.
    fn up(&mut self, greeting: Greeting, generation: u64) {
        let (stream, read) = greeting.into_parts();
        if let Err(error) = tune(&stream) {
            tracing::warn!(
                peer = self.line.address.worker,
                "cannot set up the connection: {error}"
            );
        }
        self.number += 1;
        self.pause = FIRST_PAUSE;
        self.knock = None;
        self.state = State::Up;
        let peer = &self.line.address.worker;
        tracing::debug!(peer, number = self.number, generation, "connected");
        self.line.put(Connected { stream, number: self.number, read });
    }
}

/// Begins to connect; the outcome shows when the socket can be written.
fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}

/// No delay for small writes, and an end to connections whose other side has vanished.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENCE / 3)?;
    sockopt::set_tcp_keepintvl(stream, SILENCE / 6)?;
    sockopt::set_tcp_keepcnt(stream, 4)?;
    sockopt::set_tcp_user_timeout(stream, SILENCE.as_millis() as u32)?;
    Ok(())
}
