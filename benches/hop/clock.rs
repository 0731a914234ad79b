//! A clock that costs one instruction: the time-stamp counter, scaled to nanoseconds.
//!
//! It is calibrated against the system clock once, off every measured path. Where the processor
//! has no such counter, the system clock is used.
//!
//! **Invariants:** the counter runs at one rate and alike on all cores (Linux then offers `tsc` as
//! a clock source); times of different threads of this process may be subtracted.
//! **Runs on** any thread.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long calibration watches both clocks; its error is about 2 in a million.
const CALIBRATION: Duration = Duration::from_millis(20);

static CLOCK: OnceLock<Clock> = OnceLock::new();

struct Clock {
    origin: Instant,
    origin_ticks: u64,
    /// Nanoseconds per tick, times 2^32.
    ns_per_tick_q32: u64,
}

/// Calibrates the clock; the first reading would otherwise do so on a measured path.
pub fn calibrate() {
    CLOCK.get_or_init(Clock::calibrated);
}

/// Nanoseconds since calibration.
#[inline]
#[must_use]
pub fn now_ns() -> u64 {
    CLOCK.get_or_init(Clock::calibrated).now_ns()
}

/// A length as nanoseconds.
#[must_use]
pub fn ns(length: Duration) -> u64 {
    u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)
}

/// Burns the core until `deadline_ns` and returns the first time read at or after it.
#[inline]
pub fn spin_until(deadline_ns: u64) -> u64 {
    loop {
        let now = now_ns();
        if now >= deadline_ns {
            return now;
        }
    }
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the bench clock is the one place of the bench that reads the system's"
    )]
    fn calibrated() -> Self {
        let (origin, origin_ticks) = (Instant::now(), ticks(None));
        while origin.elapsed() < CALIBRATION {
            std::hint::spin_loop();
        }
        let (elapsed, ticks) = (origin.elapsed(), ticks(Some(origin)) - origin_ticks);
        let ns_per_tick_q32 = (elapsed.as_nanos() << 32) / u128::from(ticks.max(1));
        Self { origin, origin_ticks, ns_per_tick_q32: ns_per_tick_q32 as u64 }
    }

    #[inline]
    fn now_ns(&self) -> u64 {
        let elapsed = ticks(Some(self.origin)).saturating_sub(self.origin_ticks);
        ((u128::from(elapsed) * u128::from(self.ns_per_tick_q32)) >> 32) as u64
    }
}

/// The time-stamp counter.
#[cfg(target_arch = "x86_64")]
#[inline]
fn ticks(_origin: Option<Instant>) -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux leaves it to user programs.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Nanoseconds since `origin`, 0 without one: the system clock stands in for a counter.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn ticks(origin: Option<Instant>) -> u64 {
    origin.map_or(0, |origin| ns(origin.elapsed()))
}
