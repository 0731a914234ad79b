//! Where a thread with descriptors sleeps: until one of them is ready, until it is woken, or for a
//! time. Sockets of the exchange are told by bits; what components watch is told by the slot of their
//! executor, once for each change.
//!
//! **Budget.** One system call to sleep, two where a timer is near, one to wake. A waking takes the descriptor's edge, so the
//! sleeper does not read it.
//!
//! **Runs on** the owner's thread, but for [`Poller::wake`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// Sockets that are told of at once; the others come next time.
const MOST_EVENTS: usize = 64;
/// Stands for the descriptor that wakes.
const WAKE: u64 = u64::MAX;
/// Marks what a component watches; the slot of its executor stands in the lower bits.
const COMPONENT: u64 = 1 << 32;
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
    /// Slots of executors whose components' descriptors have changed; of the owner alone. One that
    /// finds no room has every slot told.
    slots: ArrayQueue<u32>,
    /// Whether a slot found no room.
    overrun: AtomicBool,
    /// Executors whose components watch anything here: bit `slot`, those beyond share the last one.
    watchers: AtomicU64,
}

/// What a socket is watched for, besides its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Interest {
    Read,
    /// There is something to be written for which there was no room.
    ReadAndWrite,
}

/// When a component is told of a descriptor, besides at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ready {
    Readable,
    Writable,
}

/// An executor that is to look at its descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Changed {
    Slot(u32),
    /// Every one.
    Any,
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
        let slots = ArrayQueue::new(2 * MOST_EVENTS);
        let (overrun, watchers) = (AtomicBool::new(false), AtomicU64::new(0));
        Ok(Self { epoll, wake, ready: AtomicU64::new(0), slots, overrun, watchers })
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

    /// Watches a component's descriptor until it is closed; each time that it becomes ready, the slot
    /// of the component's executor is told once.
    ///
    /// # Errors
    /// If the system does not, as with an ordinary file.
    pub fn add_for(&self, slot: u32, descriptor: impl AsFd, interest: Ready) -> io::Result<()> {
        let data = EventData::new_u64(COMPONENT | u64::from(slot));
        let flags = match interest {
            Ready::Readable => EventFlags::IN,
            Ready::Writable => EventFlags::OUT,
        };
        epoll::add(&self.epoll, descriptor, data, flags | EventFlags::ET)?;
        self.watchers.fetch_or(Self::bit(slot as usize), Ordering::Relaxed);
        Ok(())
    }

    /// Executors whose components watch descriptors here, a bit for each; see [`Poller::bit`].
    #[inline]
    pub fn watchers(&self) -> u64 {
        self.watchers.load(Ordering::Relaxed)
    }

    /// The next executor whose components' descriptors have changed.
    #[inline]
    pub fn take_slot(&self) -> Option<Changed> {
        match self.slots.pop() {
            Some(slot) => Some(Changed::Slot(slot)),
            None if self.overrun.load(Ordering::Relaxed) => {
                self.overrun.store(false, Ordering::Relaxed);
                Some(Changed::Any)
            }
            None => None,
        }
    }

    /// The sockets that were ready when the thread woke, a bit for each; each answer is new.
    #[inline]
    pub fn take_ready(&self) -> u64 {
        match self.ready.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.ready.swap(0, Ordering::Relaxed),
        }
    }

    /// The bit of a socket in [`Poller::take_ready`], or of a slot.
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
        self.wait(timeout);
    }

    /// Looks what is ready, without sleeping.
    pub fn look(&self) {
        self.wait(Some(Duration::ZERO));
    }

    fn wait(&self, timeout: Option<Duration>) {
        let mut room = [const { std::mem::MaybeUninit::<Event>::uninit() }; MOST_EVENTS];
        let timeout = timeout.map(timespec);
        // A signal may interrupt the call; the thread may wake for no reason.
        let Ok((events, _)) = epoll::wait(&self.epoll, &mut room[..], timeout.as_ref()) else {
            return;
        };
        let mut ready = 0;
        for event in events {
            match event.data.u64() {
                WAKE => {}
                token if token & COMPONENT != 0 => {
                    if self.slots.push(token as u32).is_err() {
                        self.overrun.store(true, Ordering::Relaxed);
                    }
                }
                token => ready |= Self::bit(token as usize),
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
