//! The only place that reads time.
//!
//! A [`Time`] is a point on the host's monotonic clock (`CLOCK_MONOTONIC`) or on a simulated one,
//! in nanoseconds, so that two processes of one host agree on it.
//!
//! **Invariants.** A [`Clock`] never goes backwards. Reading it makes no system call (the kernel's
//! vDSO answers). A simulated clock moves only by [`SimulatedClock::advance`].

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A point in time: nanoseconds since an origin that all threads of the host share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// Later than any time that is ever reached.
    pub const NEVER: Time = Time(u64::MAX);
    /// The origin.
    pub const ZERO: Time = Time(0);

    /// The time that many nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time passed since `earlier`, zero if that is later than `self`.
    #[inline]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    #[inline]
    fn add(self, duration: Duration) -> Time {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(nanos))
    }
}

impl Sub for Time {
    type Output = Duration;

    #[inline]
    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NEVER => out.write_str("never"),
            Self(nanos) => write!(out, "{:?}", Duration::from_nanos(nanos)),
        }
    }
}

/// A clock to read: the host's or a simulated one; clones read the same.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Simulated(SimulatedClock),
}

impl Clock {
    /// The host's monotonic clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// The time now.
    ///
    /// # Cost
    /// Some 20 to 40 ns on the host's clock: the runtime reads it once per cycle, not per tuple.
    #[inline]
    pub fn now(&self) -> Time {
        match &self.0 {
            Source::System => system_now(),
            Source::Simulated(clock) => clock.now(),
        }
    }

    /// Whether time only moves when somebody moves it.
    pub fn is_simulated(&self) -> bool {
        matches!(self.0, Source::Simulated(_))
    }
}

#[inline]
fn system_now() -> Time {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Time(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
}

/// A clock that stands still until it is advanced.
#[derive(Clone, Debug, Default)]
pub struct SimulatedClock {
    nanos: Arc<AtomicU64>,
}

impl SimulatedClock {
    /// A clock at [`Time::ZERO`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The same clock, to be read.
    pub fn clock(&self) -> Clock {
        Clock(Source::Simulated(self.clone()))
    }

    /// The simulated time.
    pub fn now(&self) -> Time {
        Time(self.nanos.load(Ordering::Acquire))
    }

    /// Moves the clock on.
    pub fn advance(&self, duration: Duration) {
        let target = self.now() + duration;
        self.nanos.store(target.0, Ordering::Release);
    }

    /// Moves the clock to `time`, or leaves it where it is if that lies behind.
    pub fn advance_to(&self, time: Time) {
        self.nanos.fetch_max(time.0, Ordering::AcqRel);
    }
}

/// Milliseconds since 1970 on the host's calendar clock, for names and files, never for durations.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the calendar")]
pub fn unix_time_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |passed| passed.as_millis() as u64)
}

/// Milliseconds since 1970 as RFC 3339 tells them in UTC: `2026-11-21T21:53:20.123Z`.
pub fn utc(unix_ms: u64) -> impl fmt::Display {
    let (secs, millis) = (unix_ms / 1_000, unix_ms % 1_000);
    let (days, of_day) = (secs / 86_400, secs % 86_400);
    // Years of the proleptic Gregorian calendar are counted from March, so that the leap day is the
    // last; 719,468 days lie between 1 March of year 0 and 1 January 1970, 146,097 are 400 years.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    fmt::from_fn(move |out| {
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_the_calendar_is_told_in_utc() {
        for (unix_ms, told) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (1_795_298_000_123, "2026-11-21T21:53:20.123Z"),
        ] {
            assert_eq!(utc(unix_ms).to_string(), told);
        }
    }

    #[test]
    fn the_system_clock_never_goes_backwards() {
        let clock = Clock::system();
        let mut last = clock.now();
        for _ in 0..10_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn a_simulated_clock_moves_only_when_told() {
        let simulated = SimulatedClock::new();
        let clock = simulated.clock();
        assert_eq!(clock.now(), Time::ZERO);
        simulated.advance(Duration::from_secs(30));
        assert_eq!(clock.now(), Time::ZERO + Duration::from_secs(30));
        simulated.advance_to(Time::ZERO);
        assert_eq!(clock.now().since(Time::ZERO), Duration::from_secs(30));
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(Time::NEVER + Duration::from_secs(1), Time::NEVER);
        assert_eq!(Time::ZERO - Time::from_nanos(5), Duration::ZERO);
    }
}
