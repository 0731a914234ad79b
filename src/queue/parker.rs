//! The one place where a runtime thread sleeps, and how others wake it.
//!
//! ```text
//!              park: nothing to do            wake
//!   AWAKE ----------------------> ASLEEP -------------> AWAKE
//!     ^                              |
//!     +---- timeout, or work seen ---+
//! ```
//!
//! **Invariants.** The sleeper announces `ASLEEP`, passes a sequentially consistent fence and then
//! looks once more for work; a waker publishes its work, passes the same kind of fence and then
//! looks for `ASLEEP`. So one of the two sees the other, and no wake-up is lost. A thread that owns
//! sockets sleeps in its [`Poller`] instead of the futex, by the same rule; it may get the poller
//! late, because only the owner makes one, while it is awake.

use std::sync::OnceLock;
use std::time::Duration;

use super::poller::Poller;
use super::sync::{Arc, AtomicBool, AtomicU32, Ordering, Thread, fence, thread};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

#[derive(Debug)]
struct Shared {
    /// Written by the owner when it goes to sleep and when it wakes, by a waker when it wakes it.
    state: AtomicU32,
    /// Set once by the owner, before it sleeps for the first time.
    owner: OnceLock<Thread>,
    /// Where the owner sleeps if it has descriptors to watch; set once, by the owner or before there
    /// is one, and seen by whoever sees the owner `ASLEEP` in it.
    poller: OnceLock<Poller>,
}

/// A thread's own sleeping place.
#[derive(Debug)]
pub(crate) struct Parker {
    shared: Arc<Shared>,
}

/// Wakes the thread that owns the [`Parker`].
#[derive(Debug, Clone)]
pub(crate) struct Unparker {
    shared: Arc<Shared>,
}

/// Whether a sleeper wants what [`Unparker::wake_if`] is called for; clones are the same wish.
#[derive(Debug, Clone)]
pub(crate) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// Not wanted so far.
    pub fn new() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    /// Set by the sleeper alone, before it sleeps.
    #[inline]
    pub fn set(&self, wanted: bool) {
        self.0.store(wanted, Ordering::Relaxed);
    }
}

impl Parker {
    /// A parker and the handle that wakes its owner; it may be moved to the owner's thread.
    pub fn new() -> (Self, Unparker) {
        Self::sleeping_in(OnceLock::new())
    }

    /// As [`Parker::new`], for a thread that owns sockets: what happens to them wakes it as well.
    ///
    /// # Errors
    /// If the system gives no descriptors.
    pub fn with_sockets() -> std::io::Result<(Self, Unparker)> {
        Ok(Self::sleeping_in(OnceLock::from(Poller::new()?)))
    }

    fn sleeping_in(poller: OnceLock<Poller>) -> (Self, Unparker) {
        let (state, owner) = (AtomicU32::new(AWAKE), OnceLock::new());
        let shared = Arc::new(Shared { state, owner, poller });
        (Self { shared: shared.clone() }, Unparker { shared })
    }

    /// Makes the present thread the owner; otherwise the first one that sleeps is.
    pub fn own(&self) {
        self.shared.owner.get_or_init(thread::current);
    }

    /// Sleeps until woken, until `timeout` has passed, or not at all if `idle` answers false.
    ///
    /// `idle` is asked after the thread has announced its sleep; it must look at everything that
    /// [`Unparker::wake`] is called for. The thread may also wake for no reason. Always called on
    /// the same thread.
    pub fn park(&self, timeout: Option<Duration>, idle: impl FnOnce() -> bool) {
        self.own();
        self.shared.state.store(ASLEEP, Ordering::Release);
        fence(Ordering::SeqCst);
        if idle() {
            match self.shared.poller.get() {
                Some(poller) => poller.sleep(timeout),
                None => sleep(timeout),
            }
        }
        self.shared.state.store(AWAKE, Ordering::Relaxed);
    }
}

#[cfg(not(loom))]
fn sleep(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => thread::park_timeout(timeout),
        None => thread::park(),
    }
}

#[cfg(loom)]
fn sleep(_timeout: Option<Duration>) {
    thread::park();
}

impl Unparker {
    /// Wakes the owner if it sleeps; what the caller published before is then seen by it.
    ///
    /// # Cost
    /// A fence and a load while the owner is awake, a system call of some 1 to 3 µs if it sleeps.
    #[inline]
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.shared.state.load(Ordering::Relaxed) == ASLEEP {
            self.wake_sleeper();
        }
    }

    /// As [`Unparker::wake`], but leaves a sleeper alone that has not said that it wants what the
    /// caller published.
    ///
    /// The owner sets `wanted` before it sleeps; it then either sees what was published, or the
    /// caller sees `wanted`.
    #[inline]
    pub fn wake_if(&self, wanted: &Wanted) {
        fence(Ordering::SeqCst);
        if wanted.0.load(Ordering::Relaxed) && self.shared.state.load(Ordering::Relaxed) == ASLEEP {
            self.wake_sleeper();
        }
    }

    #[cold]
    fn wake_sleeper(&self) {
        let sleeping =
            self.shared.state.compare_exchange(ASLEEP, AWAKE, Ordering::Acquire, Ordering::Relaxed);
        if sleeping.is_ok() {
            match self.shared.poller.get() {
                Some(poller) => poller.wake(),
                None => {
                    let owner = self.shared.owner.get();
                    owner.expect("a sleeper has announced its thread").unpark();
                }
            }
        }
    }

    /// Where the owner sleeps, if it has descriptors to watch.
    #[inline]
    pub fn poller(&self) -> Option<&Poller> {
        self.shared.poller.get()
    }

    /// As [`Unparker::poller`], made if there is none yet; none if the present thread is not the
    /// owner, which alone may change where it sleeps.
    ///
    /// # Errors
    /// If the system gives no descriptors.
    pub fn make_poller(&self) -> std::io::Result<Option<&Poller>> {
        let owner = self.shared.owner.get().map(Thread::id);
        if owner != Some(thread::current().id()) {
            return Ok(None);
        }
        if self.shared.poller.get().is_none() {
            let _ = self.shared.poller.set(Poller::new()?);
        }
        Ok(self.shared.poller.get())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_thread_with_work_does_not_sleep() {
        let (parker, _unparker) = Parker::new();
        parker.park(None, || false);
    }

    #[test]
    fn a_sleeper_wakes_when_its_time_has_passed() {
        let (parker, _unparker) = Parker::new();
        parker.park(Some(Duration::from_millis(1)), || true);
    }

    #[test]
    fn each_of_many_wake_ups_arrives() {
        check_wake_ups(Parker::new());
    }

    #[test]
    #[cfg(not(miri))]
    fn each_of_many_wake_ups_arrives_at_a_thread_with_sockets() {
        check_wake_ups(Parker::with_sockets().unwrap());
    }

    #[test]
    #[cfg(not(miri))]
    fn only_the_owner_makes_the_poller_and_is_woken_in_it() {
        let (parker, unparker) = Parker::new();
        assert!(unparker.make_poller().unwrap().is_none(), "nobody owns it yet");
        let other = unparker.clone();
        parker.own();
        std::thread::spawn(move || assert!(other.make_poller().unwrap().is_none())).join().unwrap();
        assert!(unparker.make_poller().unwrap().is_some());
        let other = unparker.clone();
        let woken = Arc::new(AtomicU32::new(0));
        let waker = {
            let woken = woken.clone();
            std::thread::spawn(move || {
                woken.store(1, Ordering::Release);
                other.wake();
            })
        };
        while woken.load(Ordering::Acquire) == 0 {
            parker.park(None, || woken.load(Ordering::Acquire) == 0);
        }
        waker.join().unwrap();
    }

    fn check_wake_ups((parker, unparker): (Parker, Unparker)) {
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        let given = Arc::new(AtomicU32::new(0));
        let taken = Arc::new(AtomicU32::new(0));
        let sleeper = {
            let (given, taken) = (given.clone(), taken.clone());
            std::thread::spawn(move || {
                for round in 1..=rounds {
                    while given.load(Ordering::Acquire) < round {
                        parker.park(None, || given.load(Ordering::Acquire) < round);
                    }
                    taken.store(round, Ordering::Release);
                }
            })
        };
        for round in 1..=rounds {
            given.store(round, Ordering::Release);
            unparker.wake();
            while taken.load(Ordering::Acquire) < round {
                std::thread::yield_now();
            }
        }
        sleeper.join().unwrap();
    }
}
