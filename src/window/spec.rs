//! What a window looks like: how long it is and how often it slides, checked once.
//!
//! **Invariants**
//! - A [`WindowSpec`] that exists is valid: no later code meets a zero, a fraction of a millisecond,
//!   or a number that overflows an `i64` of milliseconds.
//! - Bounds are Storm's, whose configuration keys hold 32 bit integers, so that every accepted spec
//!   can also be written into `topology.bolts.window.*`.
//!
//! **Runs on** any thread; plain values.
//!
//! **Not here**: the configuration keys themselves, and whether time is arrival time or event time.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// The longest length or slide in time: 2³¹ − 1 ms, almost 25 days. Storm's bound.
pub const MAX_TIME: Duration = Duration::from_millis(i32::MAX as u64);

/// The largest length or slide in events: 2³¹ − 1. Storm's bound.
pub const MAX_COUNT: usize = i32::MAX as usize;

/// The length or the slide of a window, in one of Storm's two measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// So many events, 1 to [`MAX_COUNT`].
    Count(usize),
    /// So much time in whole milliseconds, 1 ms to [`MAX_TIME`].
    Time(Duration),
}

/// A checked pair of length and slide; the two may use different measures.
///
/// The length says which events a window holds, the slide when the next window is evaluated.
/// A slide longer than the length leaves events between two windows that no window holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSpec {
    length: Extent,
    slide: Extent,
}

/// Which of the two numbers of a [`WindowSpec`] an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// How much one window holds.
    Length,
    /// How far apart two windows are.
    Slide,
}

/// Why a pair of length and slide cannot be a window, or not in this topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// A window of nothing, or one that never moves.
    #[error("the window {part} is zero: give at least 1 event or 1 ms")]
    Zero {
        /// The offending number.
        part: Part,
    },
    /// Windows count in whole milliseconds, and rounding would shift every later window.
    #[error("the window {part} {given:?} has a fraction of a millisecond: give whole milliseconds")]
    FractionOfMillisecond {
        /// The offending number.
        part: Part,
        /// What was asked for.
        given: Duration,
    },
    /// More time than Storm's 32 bit keys can say.
    #[error("the window {part} {given:?} is too long: give at most {MAX_TIME:?}")]
    TooLong {
        /// The offending number.
        part: Part,
        /// What was asked for.
        given: Duration,
    },
    /// More events than Storm's 32 bit keys can say.
    #[error("the window {part} of {given} events is too large: give at most {MAX_COUNT}")]
    TooMany {
        /// The offending number.
        part: Part,
        /// What was asked for.
        given: usize,
    },
    /// Tuples would be replayed before their window lets go of them.
    #[error(
        "the window holds a tuple for up to {needed:?} but tuples time out after {timeout:?}: \
         raise topology.message.timeout.secs or shorten the window"
    )]
    OutlastsMessageTimeout {
        /// Length plus slide, as far as they are times.
        needed: Duration,
        /// The topology's message timeout.
        timeout: Duration,
    },
    /// The spout would stop emitting before the window is full, and both would wait for ever.
    #[error(
        "the window holds up to {needed} tuples but a spout task may have only {max_pending} \
         pending: raise topology.max.spout.pending or shrink the window"
    )]
    ExceedsMaxSpoutPending {
        /// Length plus slide, as far as they are counts.
        needed: usize,
        /// The topology's limit of pending tuples per spout task.
        max_pending: usize,
    },
}

impl WindowSpec {
    /// A window of `length` that is evaluated anew after each `slide`.
    ///
    /// # Errors
    /// [`SpecError::Zero`], [`SpecError::FractionOfMillisecond`], [`SpecError::TooLong`] and
    /// [`SpecError::TooMany`], for the length first.
    pub fn sliding(length: Extent, slide: Extent) -> Result<Self, SpecError> {
        check_extent(Part::Length, length)?;
        check_extent(Part::Slide, slide)?;
        Ok(Self { length, slide })
    }

    /// Windows of `length`, end to end: every event is in one of them.
    ///
    /// # Errors
    /// As [`sliding`](Self::sliding).
    pub fn tumbling(length: Extent) -> Result<Self, SpecError> {
        Self::sliding(length, length)
    }

    /// A window of `length` that slides with every event: Storm's default when no slide is given.
    ///
    /// # Errors
    /// As [`sliding`](Self::sliding).
    pub fn per_event(length: Extent) -> Result<Self, SpecError> {
        Self::sliding(length, Extent::Count(1))
    }

    /// How much one window holds.
    pub fn length(&self) -> Extent {
        self.length
    }

    /// How far apart the ends of two windows are.
    pub fn slide(&self) -> Extent {
        self.slide
    }

    /// Checks that a topology with these limits can keep the window's tuples pending.
    ///
    /// `message_timeout` is `None` where timeouts are switched off, `max_spout_pending` where it is
    /// not set. Length and slide are added where both have the measure of the limit, otherwise the
    /// one that has it counts alone; reaching a limit exactly is allowed. These are Storm's rules,
    /// and they are necessary rather than sufficient: a mixed window can still outlast the timeout.
    ///
    /// # Errors
    /// [`SpecError::OutlastsMessageTimeout`], then [`SpecError::ExceedsMaxSpoutPending`].
    pub fn check_limits(
        &self,
        message_timeout: Option<Duration>,
        max_spout_pending: Option<usize>,
    ) -> Result<(), SpecError> {
        let mut needed_time = Duration::ZERO;
        let mut needed_count = 0;
        for extent in [self.length, self.slide] {
            match extent {
                Extent::Count(count) => needed_count += count,
                Extent::Time(time) => needed_time += time,
            }
        }
        match message_timeout {
            Some(timeout) if timeout < needed_time => {
                return Err(SpecError::OutlastsMessageTimeout { needed: needed_time, timeout });
            }
            _ => {}
        }
        match max_spout_pending {
            Some(max_pending) if max_pending < needed_count => {
                Err(SpecError::ExceedsMaxSpoutPending { needed: needed_count, max_pending })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "length",
            Self::Slide => "slide",
        })
    }
}

/// Milliseconds of a time that passed [`check_extent`], so below 2³¹.
pub(super) fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn check_extent(part: Part, extent: Extent) -> Result<(), SpecError> {
    match extent {
        Extent::Count(0) | Extent::Time(Duration::ZERO) => Err(SpecError::Zero { part }),
        Extent::Count(given) if MAX_COUNT < given => Err(SpecError::TooMany { part, given }),
        Extent::Time(given) if MAX_TIME < given => Err(SpecError::TooLong { part, given }),
        Extent::Time(given) if given.subsec_nanos() % 1_000_000 != 0 => {
            Err(SpecError::FractionOfMillisecond { part, given })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Extent {
        Extent::Time(Duration::from_millis(ms))
    }

    #[track_caller]
    fn check(spec: Result<WindowSpec, SpecError>, expected: &str) {
        let actual = match spec {
            Ok(spec) => format!("{:?} {:?}", spec.length(), spec.slide()),
            Err(error) => error.to_string(),
        };
        assert_eq!(actual, expected);
    }

    #[test]
    fn length_and_slide_may_use_different_measures() {
        check(WindowSpec::sliding(ms(20), Extent::Count(3)), "Time(20ms) Count(3)");
        check(WindowSpec::sliding(Extent::Count(3), ms(20)), "Count(3) Time(20ms)");
    }

    #[test]
    fn a_tumbling_window_slides_by_its_own_length() {
        check(WindowSpec::tumbling(ms(20)), "Time(20ms) Time(20ms)");
    }

    #[test]
    fn without_a_slide_a_window_slides_with_every_event() {
        check(WindowSpec::per_event(ms(20)), "Time(20ms) Count(1)");
    }

    #[test]
    fn zero_is_refused_with_the_smallest_number_allowed() {
        check(
            WindowSpec::tumbling(Extent::Count(0)),
            "the window length is zero: give at least 1 event or 1 ms",
        );
        check(
            WindowSpec::sliding(Extent::Count(1), ms(0)),
            "the window slide is zero: give at least 1 event or 1 ms",
        );
        check(WindowSpec::per_event(ms(1)), "Time(1ms) Count(1)");
    }

    #[test]
    fn fractions_of_a_millisecond_are_refused_instead_of_rounded() {
        check(
            WindowSpec::tumbling(Extent::Time(Duration::from_micros(1_500))),
            "the window length 1.5ms has a fraction of a millisecond: give whole milliseconds",
        );
    }

    #[test]
    fn the_bounds_in_the_messages_are_the_bounds_checked() {
        check(
            WindowSpec::tumbling(Extent::Time(MAX_TIME)),
            "Time(2147483.647s) Time(2147483.647s)",
        );
        check(
            WindowSpec::tumbling(Extent::Time(MAX_TIME + Duration::from_millis(1))),
            "the window length 2147483.648s is too long: give at most 2147483.647s",
        );
        check(
            WindowSpec::sliding(Extent::Count(MAX_COUNT), Extent::Count(MAX_COUNT + 1)),
            "the window slide of 2147483648 events is too large: give at most 2147483647",
        );
    }

    #[track_caller]
    fn check_limits(spec: Result<WindowSpec, SpecError>, expected: &str) {
        let limits = spec.unwrap().check_limits(Some(Duration::from_secs(30)), Some(100));
        let actual = limits.map_or_else(|error| error.to_string(), |()| "fits".to_owned());
        assert_eq!(actual, expected);
    }

    #[test]
    fn length_plus_slide_may_reach_the_message_timeout_but_not_pass_it() {
        check_limits(WindowSpec::sliding(ms(20_000), ms(10_000)), "fits");
        check_limits(
            WindowSpec::sliding(ms(20_000), ms(10_001)),
            "the window holds a tuple for up to 30.001s but tuples time out after 30s: raise \
             topology.message.timeout.secs or shorten the window",
        );
    }

    #[test]
    fn length_plus_slide_may_reach_the_pending_limit_but_not_pass_it() {
        check_limits(WindowSpec::sliding(Extent::Count(60), Extent::Count(40)), "fits");
        check_limits(
            WindowSpec::sliding(Extent::Count(60), Extent::Count(41)),
            "the window holds up to 101 tuples but a spout task may have only 100 pending: raise \
             topology.max.spout.pending or shrink the window",
        );
    }

    #[test]
    fn in_a_mixed_window_each_measure_meets_its_own_limit() {
        check_limits(WindowSpec::sliding(ms(30_000), Extent::Count(100)), "fits");
    }

    #[test]
    fn a_topology_without_limits_fits_every_window() {
        let spec = WindowSpec::tumbling(Extent::Time(MAX_TIME)).unwrap();
        assert_eq!(spec.check_limits(None, None), Ok(()));
    }
}
