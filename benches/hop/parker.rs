//! Sleeping in a futex: an event parker for one sleeper, and timed waits.
//!
//! ```text
//!   sleeper: announce -> fence -> look again -> futex wait while announced
//!   waker:   publish  -> fence -> announced? -> retract -> futex wake
//! ```
//!
//! **Invariant:** between the two fences one side sees the other, so no wake-up is lost.
//! **Runs on** Linux; elsewhere it compiles, and the waits are only as good as `park_timeout`.

#[cfg(target_os = "linux")]
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::Duration;

use super::clock;

const AWAKE: u32 = 0;
const ANNOUNCED: u32 = 1;

/// Where one thread sleeps until another one wakes it.
#[derive(Default)]
pub struct Parker {
    /// Set to announced by the sleeper; set back by whoever ends the sleep.
    state: AtomicU32,
}

impl Parker {
    /// Sleeps until woken, unless `ready` says after the announcement that there is work.
    ///
    /// May return early for no reason; the caller looks for work in a loop.
    pub fn park_unless(&self, mut ready: impl FnMut() -> bool) {
        self.state.store(ANNOUNCED, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !ready() {
            futex_wait(&self.state, ANNOUNCED, None);
        }
        self.state.store(AWAKE, Ordering::Relaxed);
    }

    /// Wakes the sleeper, if there is one, after work was published for it.
    #[inline]
    pub fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.state.load(Ordering::Relaxed) == ANNOUNCED
            && self.state.swap(AWAKE, Ordering::Relaxed) == ANNOUNCED
        {
            futex_wake_one(&self.state);
        }
    }
}

/// Sleeps in a timed futex wait until `deadline_ns` of the bench clock has passed.
///
/// Returns the first time read at or after the deadline.
pub fn sleep_until(deadline_ns: u64) -> u64 {
    let never_changed = AtomicU32::new(AWAKE);
    loop {
        let now = clock::now_ns();
        if now >= deadline_ns {
            return now;
        }
        futex_wait(&never_changed, AWAKE, Some(Duration::from_nanos(deadline_ns - now)));
    }
}

/// Sleeps for `length` in a timed futex wait.
pub fn sleep(length: Duration) {
    sleep_until(clock::now_ns() + clock::ns(length));
}

/// Asks the kernel to end the calling thread's timed waits on time, not up to 50 µs later.
///
/// Threads inherit the setting from the thread that starts them.
#[cfg(target_os = "linux")]
pub fn tighten_timer_slack() {
    const SLACK_NS: libc::c_ulong = 1;
    // SAFETY: this operation reads its one integer argument and touches no memory of ours.
    let failed = unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK_NS) };
    assert_eq!(failed, 0, "every Linux since 2.6.28 sets the timer slack");
}

#[cfg(target_os = "linux")]
fn futex_wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(|length| libc::timespec {
        tv_sec: length.as_secs() as libc::time_t,
        tv_nsec: length.subsec_nanos() as _,
    });
    let timeout_ptr = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel reads the word and the timeout during the call only, and both outlive it.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, timeout_ptr) };
}

#[cfg(target_os = "linux")]
fn futex_wake_one(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel uses the address as a key and does not access the memory.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1) };
}

/// Nothing: other systems have no such setting.
#[cfg(not(target_os = "linux"))]
pub fn tighten_timer_slack() {}

#[cfg(not(target_os = "linux"))]
fn futex_wait(_word: &AtomicU32, _expected: u32, timeout: Option<Duration>) {
    const LOOK_AGAIN: Duration = Duration::from_millis(1);
    std::thread::park_timeout(timeout.map_or(LOOK_AGAIN, |length| length.min(LOOK_AGAIN)));
}

#[cfg(not(target_os = "linux"))]
fn futex_wake_one(_word: &AtomicU32) {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn a_sleeper_sees_every_published_value_in_the_end() {
        const LAST: u64 = 20_000;
        let (parker, published) = (Parker::default(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut seen = 0;
                while seen < LAST {
                    parker.park_unless(|| published.load(Ordering::Acquire) > seen);
                    seen = published.load(Ordering::Acquire);
                }
            });
            for n in 1..=LAST {
                published.store(n, Ordering::Release);
                parker.wake();
            }
        });
    }
}
