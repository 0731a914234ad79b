//! Reading the clock and waiting for a condition: the one place where this program does either.
//!
//! **Invariants.** Nothing waits without a [`Deadline`], and a wait ends as soon as its condition
//! holds, not after a while.

use std::time::{Duration, Instant, SystemTime};

/// Pause between two looks at a condition that nothing announces.
pub const PAUSE: Duration = Duration::from_millis(20);

/// A point in time by which something must have happened.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    start: Instant,
    limit: Duration,
}

impl Deadline {
    /// A deadline that far from now.
    pub fn after(limit: Duration) -> Self {
        Self { start: now(), limit }
    }

    /// Time that is left; zero when it is over.
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.spent())
    }

    /// Time since the deadline was set.
    pub fn spent(&self) -> Duration {
        now().duration_since(self.start)
    }

    /// The whole time that it gave.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether no time is left.
    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// A deadline of its own for a part, never later than this one.
    pub fn part(&self, limit: Duration) -> Self {
        Self::after(limit.min(self.left()))
    }

    /// Looks at `condition` until it gives something, at least once; `None` when time is over.
    ///
    /// # Errors
    /// The first error of `condition`.
    pub fn poll<T, E>(
        &self,
        pause: Duration,
        mut condition: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        loop {
            if let Some(met) = condition()? {
                return Ok(Some(met));
            }
            if self.is_over() {
                return Ok(None);
            }
            rest(pause.min(self.left()));
        }
    }
}

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds on the clock that all processes of this machine share.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub fn time_of_day() -> SystemTime {
    SystemTime::now()
}

/// Lets time pass between two looks.
#[expect(clippy::disallowed_methods, reason = "conditions in other processes are not announced")]
pub fn rest(pause: Duration) {
    std::thread::sleep(pause);
}

/// A length of time as people write it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`.
pub fn in_words(span: Duration) -> String {
    let secs = span.as_secs();
    let two = |big: u64, big_name: &str, small: u64, small_name: &str| match small {
        0 => format!("{big} {big_name}"),
        small => format!("{big} {big_name} {small} {small_name}"),
    };
    match secs {
        0..10 if span.subsec_millis() > 0 => format!("{:.1} s", span.as_secs_f64()),
        0..60 => format!("{secs} s"),
        60..3600 => two(secs / 60, "min", secs % 60, "s"),
        3600..86_400 => two(secs / 3600, "h", secs % 3600 / 60, "min"),
        _ => two(secs / 86_400, "d", secs % 86_400 / 3600, "h"),
    }
}

/// Reads `500ms`, `30s`, `10m`, `2h`, `1d`, or seconds without a unit.
///
/// # Errors
/// A sentence with the accepted form.
pub fn parse_span(text: &str) -> Result<Duration, SpanError> {
    let wrong = || SpanError { given: text.to_owned() };
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let secs = match unit {
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * secs)
        .ok()
        .filter(|span| *span <= MAX_SPAN)
        .ok_or_else(wrong)
}

/// Longest time that may be asked for: a year.
const MAX_SPAN: Duration = Duration::from_secs(365 * 86_400);

/// A text that is no length of time.
#[derive(Debug, thiserror::Error)]
#[error("'{given}' is no length of time: write it as 500ms, 30s, 10m, 2h or 1d, up to 365d")]
pub struct SpanError {
    given: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_holds_is_seen_although_no_time_is_left() {
        let over = Deadline::after(Duration::ZERO);
        let met: Result<_, SpanError> = over.poll(PAUSE, || Ok(Some(1)));
        assert_eq!(met.unwrap(), Some(1));
        let never: Result<Option<()>, SpanError> = over.poll(PAUSE, || Ok(None));
        assert!(never.unwrap().is_none());
    }

    #[test]
    fn a_part_never_ends_later_than_the_whole() {
        let whole = Deadline::after(Duration::from_secs(5));
        assert!(whole.part(Duration::from_secs(60)).limit() <= whole.limit());
        assert_eq!(whole.part(Duration::from_secs(1)).limit(), Duration::from_secs(1));
    }

    #[test]
    fn times_are_told_in_two_units_at_most() {
        for (millis, told) in [
            (0, "0 s"),
            (412, "0.4 s"),
            (12_300, "12 s"),
            (60_000, "1 min"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (356_400_000, "4 d 3 h"),
        ] {
            assert_eq!(in_words(Duration::from_millis(millis)), told);
        }
    }

    #[test]
    fn spans_are_read_with_their_units() {
        for (text, millis) in
            [("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("1.5h", 5_400_000), ("2", 2000)]
        {
            assert_eq!(parse_span(text).unwrap(), Duration::from_millis(millis), "{text}");
        }
        for text in ["", "s", "-1s", "1x", "1e9d", "99999d", "1.2.3s"] {
            let told = parse_span(text).expect_err(text).to_string();
            assert!(told.contains("write it as 500ms, 30s"), "{told}");
        }
    }
}
