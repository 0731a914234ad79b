//! One block at a fixed rate: which tuples are due when, which of them count, and their latencies.
//!
//! Limits and runtime use the same course and recorder. A spout emits tuple `n` as soon as the
//! clock has passed `schedule.intended_ns(n)` and sends that time along; the last bolt hands it to
//! its [`Recorder`].
//!
//! **Invariant:** the schedule never waits for the system; a tuple that leaves late is charged.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::clock;
use super::quantile;
use super::sample::warm_up_and_window;
use super::schedule::Schedule;

/// How long after the block's start the first tuple is intended: other threads have begun then.
const LEAD: Duration = Duration::from_millis(1);

/// The plan of one block at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// When each tuple is intended.
    pub schedule: Schedule,
    /// Tuples intended before this time warm up and are not measured.
    pub measured_from_ns: u64,
    /// No tuple is intended at this time or later.
    pub end_ns: u64,
}

/// Latencies of the measured tuples, owned by the thread that sees them arrive.
pub struct Recorder {
    latency: Histogram<u64>,
    measured_from_ns: u64,
}

impl Course {
    /// A course of `length`, warm-up included, that begins in a millisecond.
    #[must_use]
    pub fn from_now(per_second: u64, length: Duration) -> Self {
        Self::starting_at(clock::now_ns() + clock::ns(LEAD), per_second, length)
    }

    /// A course of `length`, warm-up included, whose first tuple is intended at `start_ns`.
    #[must_use]
    pub fn starting_at(start_ns: u64, per_second: u64, length: Duration) -> Self {
        let (warm_up, window) = warm_up_and_window(length);
        let measured_from_ns = start_ns + clock::ns(warm_up);
        Self {
            schedule: Schedule::new(start_ns, per_second),
            measured_from_ns,
            end_ns: measured_from_ns + clock::ns(window),
        }
    }

    /// Whether a tuple intended then counts.
    #[inline]
    #[must_use]
    pub fn is_measured(&self, intended_ns: u64) -> bool {
        self.measured_from_ns <= intended_ns
    }

    /// Whether a tuple intended then is none of this course.
    #[inline]
    #[must_use]
    pub fn is_over(&self, intended_ns: u64) -> bool {
        self.end_ns <= intended_ns
    }
}

impl Recorder {
    /// An empty recorder for the course.
    ///
    /// # Cost
    /// Allocates here and never again; to be made before the course begins.
    #[must_use]
    pub fn new(course: Course) -> Self {
        Self { latency: quantile::histogram(), measured_from_ns: course.measured_from_ns }
    }

    /// Records that the tuple intended at `intended_ns` is done now.
    #[inline]
    pub fn record(&mut self, intended_ns: u64) {
        self.record_at(intended_ns, clock::now_ns());
    }

    /// Records that the tuple intended at `intended_ns` was done at `done_ns`.
    #[inline]
    pub fn record_at(&mut self, intended_ns: u64, done_ns: u64) {
        if self.measured_from_ns <= intended_ns {
            self.latency.saturating_record(done_ns.saturating_sub(intended_ns));
        }
    }

    /// What was recorded.
    #[must_use]
    pub fn into_latency(self) -> Histogram<u64> {
        self.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tuples_after_the_warm_up_are_recorded() {
        let course = Course::starting_at(1_000, 10, Duration::from_secs(8));
        let mut recorder = Recorder::new(course);
        let mut emitted = 0;
        for intended_ns in (0..).map(|n| course.schedule.intended_ns(n)) {
            if course.is_over(intended_ns) {
                break;
            }
            emitted += 1;
            recorder.record_at(intended_ns, intended_ns + 500);
        }
        let latency = recorder.into_latency();
        assert_eq!((emitted, latency.len()), (80, 70));
        assert_eq!((latency.min(), latency.max()), (500, 500));
    }
}
