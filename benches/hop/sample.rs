//! What one block measures, and the contract of everything that can be measured.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::allocations::{self, Allocated};
use super::clock;
use super::quantile::Quantile;

/// Part of a block's length that is run first and not measured.
const WARM_UP_SHARE: u32 = 8;

/// Something whose throughput or latency is measured in blocks: a limit, or the system under test.
///
/// The caller runs blocks of limit and subject in turn on one thread. An implementer may start
/// threads and keep state between blocks, but when `block` returns none of its threads may run:
/// they are joined, or parked. It must warm up inside the block before it opens its [`Window`].
/// It must not assume that it is called more than once, nor at regular times.
pub trait Subject {
    /// Short name for the table, such as `ring batch 64`.
    fn name(&self) -> String;

    /// Runs for about `length`, warm-up included, and says what was measured.
    fn block(&mut self, length: Duration) -> Sample;
}

/// What one block measured.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Tuples, words, calls or round trips that were completed in the window.
    pub tuples: u64,
    /// Length of the window.
    pub elapsed: Duration,
    /// Latency from the intended time, in nanoseconds; none in a pure throughput block.
    pub latency: Option<Histogram<u64>>,
    /// How late the generator itself emitted, in nanoseconds; none where nothing was scheduled.
    pub lateness: Option<Histogram<u64>>,
    /// What all threads of the process allocated in the window.
    pub allocated: Allocated,
    /// Tuples that were due but that back-pressure kept from being emitted.
    pub refused: u64,
}

/// The measured stretch of a block: opened after the warm-up, closed at the end.
pub struct Window {
    opened_ns: u64,
    allocated: Allocated,
}

/// A number that a row reads from a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Completed tuples per second of the window.
    PerSecond,
    /// A latency, in nanoseconds.
    Latency(Quantile),
}

impl Sample {
    /// Completed tuples per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.tuples as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Allocations per completed tuple; 0 where nothing was completed.
    #[must_use]
    pub fn allocations_per_tuple(&self) -> f64 {
        self.allocated.allocations as f64 / self.tuples.max(1) as f64
    }

    /// The metric's value, or nothing where this sample does not bear it.
    #[must_use]
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::PerSecond => (self.tuples > 0).then(|| self.per_second()),
            Metric::Latency(quantile) => {
                let ns = quantile.of(self.latency.as_ref()?)?;
                Some(ns.max(1) as f64)
            }
        }
    }

    /// The sample with its latencies, whose count becomes the number of tuples.
    #[must_use]
    pub fn with_latency(mut self, latency: Histogram<u64>) -> Self {
        self.tuples = latency.len();
        self.latency = Some(latency);
        self
    }

    /// The sample with the generator's own lateness.
    #[must_use]
    pub fn with_lateness(mut self, lateness: Histogram<u64>) -> Self {
        self.lateness = Some(lateness);
        self
    }
}

impl Window {
    /// Begins the measured stretch now.
    #[must_use]
    pub fn open() -> Self {
        Self { allocated: allocations::allocated(), opened_ns: clock::now_ns() }
    }

    /// Ends the measured stretch now, with `tuples` completed in it.
    #[must_use]
    pub fn close(self, tuples: u64) -> Sample {
        let closed_ns = clock::now_ns();
        Sample {
            tuples,
            elapsed: Duration::from_nanos(closed_ns - self.opened_ns),
            latency: None,
            lateness: None,
            allocated: allocations::allocated() - self.allocated,
            refused: 0,
        }
    }
}

/// Splits a block's length into warm-up and measured window.
#[must_use]
pub fn warm_up_and_window(length: Duration) -> (Duration, Duration) {
    let warm_up = length / WARM_UP_SHARE;
    (warm_up, length - warm_up)
}

/// Calls `work` through a warm-up and then through a window.
///
/// `work` returns how many tuples it completed; one call should take 1 µs to 1 ms, so that the
/// clock neither weighs nor overruns.
pub fn drive(length: Duration, mut work: impl FnMut() -> u64) -> Sample {
    let (warm_up, window) = warm_up_and_window(length);
    repeat_until(clock::now_ns() + clock::ns(warm_up), &mut work);
    let opened = Window::open();
    let tuples = repeat_until(clock::now_ns() + clock::ns(window), &mut work);
    opened.close(tuples)
}

fn repeat_until(deadline_ns: u64, work: &mut impl FnMut() -> u64) -> u64 {
    let mut tuples = 0;
    while clock::now_ns() < deadline_ns {
        tuples += work();
    }
    tuples
}

#[cfg(test)]
mod tests {
    use super::super::quantile;
    use super::*;

    fn sample(tuples: u64, millis: u64) -> Sample {
        Sample {
            tuples,
            elapsed: Duration::from_millis(millis),
            latency: None,
            lateness: None,
            allocated: Allocated::default(),
            refused: 0,
        }
    }

    #[test]
    fn throughput_counts_the_window_alone() {
        assert_eq!(sample(500, 250).value(Metric::PerSecond), Some(2000.0));
    }

    #[test]
    fn a_block_that_completed_nothing_has_no_throughput() {
        assert_eq!(sample(0, 250).value(Metric::PerSecond), None);
    }

    #[test]
    fn a_throughput_block_has_no_latency() {
        assert_eq!(sample(5, 1).value(Metric::Latency(Quantile::P50)), None);
    }

    #[test]
    fn a_latency_block_counts_its_samples_as_tuples() {
        let mut latency = quantile::histogram();
        latency.record_n(800, 10).expect("800 ns is within the bounds");
        let sample = sample(0, 1).with_latency(latency);
        assert_eq!(sample.tuples, 10);
        assert_eq!(sample.value(Metric::Latency(Quantile::P50)), Some(800.0));
    }
}
