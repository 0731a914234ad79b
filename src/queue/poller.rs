//! Where a thread with sockets sleeps: until one of them is ready, until it is woken, or for a time.
//!
//! **Budget.** One system call to sleep, two where a timer is near, one to wake. A waking takes the descriptor's edge, so the
//! sleeper does not read it.
//!
//! **Runs on** the owner's thread, but for [`Poller::wake`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Sockets that are told of at once; the others come next time.
const MOST_EVENTS: usize = 64;
/// Stands for the descriptor that wakes.
const WAKE: u64 = u64::MAX;
/// Sockets that are told apart; those beyond share the last bit.
const BITS: u64 = 64;

/// Timeouts below are kept to the nanosecond.
const FINE: Duration = Duration::from_millis(20);
/// How long before a later timeout a sleep ends, to be gone on with.
const AHEAD: Duration = Duration::from_millis(2);

/// Watches sockets for the thread that sleeps in it.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
    /// Bit `token` is set while the socket is ready; of the owner alone.
    ready: AtomicU64,
}

/// What a socket is watched for, besides its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interest {
    Read,
    /// There is something to be written for which there was no room.
    ReadAndWrite,
}

impl Interest {
    fn flags(self) -> EventFlags {
        match self {
            Self::Read => EventFlags::IN,
            Self::ReadAndWrite => EventFlags::IN | EventFlags::OUT,
        }
    }
}

impl Poller {
    /// # Errors
    /// If the system gives no descriptors.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, wake, ready: AtomicU64::new(0) })
    }

    /// Watches a socket, until it is closed.
    ///
    /// # Errors
    /// If the system does not.
    pub fn add(&self, socket: impl AsFd, token: usize) -> io::Result<()> {
        let data = EventData::new_u64(token as u64);
        Ok(epoll::add(&self.epoll, socket, data, Interest::Read.flags())?)
    }

    /// Changes what a socket is watched for.
    ///
    /// # Errors
    /// If the system does not.
    pub fn change(&self, socket: impl AsFd, token: usize, interest: Interest) -> io::Result<()> {
        let data = EventData::new_u64(token as u64);
        Ok(epoll::modify(&self.epoll, socket, data, interest.flags())?)
    }

    /// The sockets that were ready when the thread woke, a bit for each; each answer is new.
    #[inline]
    pub fn take_ready(&self) -> u64 {
        match self.ready.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.ready.swap(0, Ordering::Relaxed),
        }
    }

    /// The bit of a socket in [`Poller::take_ready`].
    #[inline]
    pub fn bit(token: usize) -> u64 {
        1 << (token as u64).min(BITS - 1)
    }

    /// Sleeps; called by the owner, through its parker.
    pub(super) fn sleep(&self, timeout: Option<Duration>) {
        // The call on many sockets counts whole milliseconds, rounded up, so it ends ahead of a timer
        // that is far away; what is left is slept in the call that counts nanoseconds.
        let timeout = match timeout {
            Some(timeout) if timeout < FINE => {
                let mut polled = [PollFd::new(&self.epoll, PollFlags::IN)];
                if !matches!(poll(&mut polled, Some(&timespec(timeout))), Ok(1..)) {
                    return;
                }
                Some(Duration::ZERO)
            }
            Some(timeout) => Some(timeout - AHEAD),
            None => None,
        };
        let mut room = [const { std::mem::MaybeUninit::<Event>::uninit() }; MOST_EVENTS];
        let timeout = timeout.map(timespec);
        // A signal may interrupt the call; the thread may wake for no reason.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut room[..], timeout.as_ref()) else {
            return;
        };
        let mut ready = 0;
        for event in events {
            let token = event.data.u64();
            if token != WAKE {
                ready |= Self::bit(token as usize);
            }
        }
        if ready != 0 {
            self.ready.fetch_or(ready, Ordering::Relaxed);
        }
    }

    /// Ends a sleep, or the next one.
    pub(super) fn wake(&self) {
        // It fails only when the counter is full, and then it wakes as well.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}
