//! Everything that the runtime counts, exactly.
//!
//! A counter has one writer, the thread of its executor, and any number of readers; so counting is
//! a plain load and store, and a reader may be a few tuples behind but never sees a wrong number
//! once the executor rests.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One counter with one writer.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds to the counter; only its one writer may call this.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.get().wrapping_add(amount), Ordering::Relaxed);
    }

    /// Sets a gauge; only its one writer may call this.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counters of one output stream of an executor.
#[derive(Debug, Default)]
pub(crate) struct OutputCounts {
    /// Calls of `emit`.
    pub emitted: Count,
    /// Tuples sent to a task: an emission to three tasks counts three times.
    pub transferred: Count,
    /// Spouts: messages whose tree was completed.
    pub acked: Count,
    /// Spouts: messages whose tree failed or timed out.
    pub failed: Count,
}

/// Counters of one input stream of an executor.
#[derive(Debug, Default)]
pub(crate) struct InputCounts {
    /// Tuples given to `execute`.
    pub executed: Count,
    /// Inputs acked.
    pub acked: Count,
    /// Inputs failed.
    pub failed: Count,
    /// Inputs acked in a later cycle than the one in which the bolt was given them.
    pub waited: Count,
    /// Nanoseconds between the beginnings of these two cycles, over all such inputs.
    pub waited_ns: Count,
}

/// All counters of one executor.
#[derive(Debug)]
pub(crate) struct ExecutorCounts {
    /// By position among the component's output streams.
    pub outputs: Box<[OutputCounts]>,
    /// By position among the executor's input streams.
    pub inputs: Box<[InputCounts]>,
    /// Spouts: messages emitted but neither acked nor failed; a gauge.
    pub pending: Count,
    /// Spouts: tasks that have emitted everything; a gauge.
    pub finished: Count,
    /// Failed messages that failed because their time was up; they count as failed too.
    pub timed_out: Count,
    /// Answers of an acker that came after their message was decided.
    pub late: Count,
    /// Errors that the component answered or reported.
    pub errors: Count,
    /// Instances that panicked and were replaced.
    pub restarts: Count,
    /// Times that a target had no room and the executor had to wait.
    pub full: Count,
    /// Calls of the component or of the ledger: runs of the executor that had something to do.
    pub cycles: Count,
    /// Bolts: nanoseconds of the runs that were timed, one in [`TIMED`](Self::TIMED).
    pub timed_ns: Count,
    /// Bolts: tuples executed in those runs.
    pub timed_tuples: Count,
    /// Time from emission to completed tree.
    pub complete_latency: LatencyCounts,
}

impl ExecutorCounts {
    /// One cycle of a thread in so many is timed, the first one among them.
    pub const TIMED: u32 = 16;

    /// Tuples given to `execute` on all inputs.
    pub fn executed(&self) -> u64 {
        self.inputs.iter().map(|input| input.executed.get()).sum()
    }

    pub fn new(outputs: usize, inputs: usize) -> Self {
        Self {
            outputs: (0..outputs).map(|_| OutputCounts::default()).collect(),
            inputs: (0..inputs).map(|_| InputCounts::default()).collect(),
            pending: Count::default(),
            finished: Count::default(),
            timed_out: Count::default(),
            late: Count::default(),
            errors: Count::default(),
            restarts: Count::default(),
            full: Count::default(),
            cycles: Count::default(),
            timed_ns: Count::default(),
            timed_tuples: Count::default(),
            complete_latency: LatencyCounts::default(),
        }
    }
}

/// Bits of a latency that tell its counter apart from others of the same power of two.
const PRECISION_BITS: u32 = 5;
/// Counters of one power of two.
const STEPS: usize = 1 << PRECISION_BITS;
/// Latencies from 2^40 ns (18 minutes) on share the last counter.
const BUCKETS: usize = (40 - PRECISION_BITS as usize + 1) * STEPS;

/// How often each latency occurred, to about 3 %; 9 kB, made when the first one is recorded.
#[derive(Debug, Default)]
pub(crate) struct LatencyCounts {
    buckets: std::sync::OnceLock<Box<[Count]>>,
    sum_ns: Count,
    max_ns: Count,
}

impl LatencyCounts {
    /// Records `count` occurrences of a latency; only the one writer may call this.
    #[inline]
    pub fn record(&self, latency_ns: u64, count: u64) {
        let buckets = self.buckets.get_or_init(|| (0..BUCKETS).map(|_| Count::default()).collect());
        buckets[bucket(latency_ns)].add(count);
        self.sum_ns.add(latency_ns * count);
        if latency_ns > self.max_ns.get() {
            self.max_ns.set(latency_ns);
        }
    }

    /// What was recorded so far.
    pub fn read(&self) -> Latencies {
        let counts: Vec<u64> = match self.buckets.get() {
            Some(buckets) => buckets.iter().map(Count::get).collect(),
            None => Vec::new(),
        };
        Latencies { counts, sum_ns: self.sum_ns.get(), max_ns: self.max_ns.get() }
    }
}

#[inline]
fn bucket(latency_ns: u64) -> usize {
    let octave = (64 - latency_ns.leading_zeros()).saturating_sub(PRECISION_BITS + 1);
    let step = (latency_ns >> octave) as usize;
    (octave as usize * STEPS + step).min(BUCKETS - 1)
}

/// The largest latency of a bucket, in nanoseconds.
fn upper_ns(bucket: usize) -> u64 {
    let octave = (bucket / STEPS).saturating_sub(1);
    let step = bucket - octave * STEPS;
    ((step as u64 + 1) << octave) - 1
}

/// Recorded latencies, to be merged and asked for percentiles; `Default` has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    counts: Vec<u64>,
    sum_ns: u64,
    max_ns: u64,
}

impl Latencies {
    /// Records a latency that the author's own code measured.
    ///
    /// # Cost
    /// The first one allocates 9 kB; later ones take a few nanoseconds.
    pub fn record(&mut self, latency: Duration) {
        let latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if self.counts.is_empty() {
            self.counts.resize(BUCKETS, 0);
        }
        self.counts[bucket(latency_ns)] += 1;
        self.sum_ns = self.sum_ns.saturating_add(latency_ns);
        self.max_ns = self.max_ns.max(latency_ns);
    }

    /// Number of recorded latencies.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All latencies added up.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum_ns)
    }

    /// The mean; zero if nothing was recorded.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.sum_ns.checked_div(self.count()).unwrap_or(0))
    }

    /// The largest one, exactly.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The latency that `percent` of all do not exceed, at most 3.2 % too large; none if nothing
    /// was recorded.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((percent / 100.0 * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut passed = 0;
        for (bucket, counted) in self.counts.iter().enumerate() {
            passed += counted;
            if passed >= rank && passed > 0 {
                return Some(Duration::from_nanos(upper_ns(bucket).min(self.max_ns)));
            }
        }
        None
    }

    /// Adds what another executor recorded.
    pub fn merge(&mut self, other: &Latencies) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (own, others) in self.counts.iter_mut().zip(&other.counts) {
            *own += others;
        }
        self.sum_ns += other.sum_ns;
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_lies_in_its_bucket_within_the_promised_precision() {
        for exponent in 0..40 {
            for offset in [0, 1, 7] {
                let latency_ns = (1u64 << exponent) + offset;
                let upper = upper_ns(bucket(latency_ns));
                assert!(upper >= latency_ns, "{latency_ns} above {upper}");
                let error = (upper - latency_ns) as f64 / latency_ns as f64;
                assert!(error <= 1.0 / STEPS as f64, "{latency_ns} in bucket up to {upper}");
            }
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_and_mean_come_from_all_merged_executors() {
        let (one, other) = (LatencyCounts::default(), LatencyCounts::default());
        one.record(10, 98);
        other.record(1_000, 2);
        let mut all = one.read();
        all.merge(&other.read());
        assert_eq!(all.count(), 100);
        assert_eq!(all.percentile(50.0), Some(Duration::from_nanos(10)));
        assert_eq!(all.percentile(99.0), Some(Duration::from_nanos(1_000)));
        assert_eq!(all.mean(), Duration::from_nanos(29));
        assert_eq!(all.max(), Duration::from_micros(1));
    }

    #[test]
    fn an_authors_own_latencies_are_told_as_the_runtimes_are() {
        let (counts, mut own) = (LatencyCounts::default(), Latencies::default());
        for latency_ns in [7, 1_000, 1_000_000, u64::MAX >> 1] {
            counts.record(latency_ns, 1);
            own.record(Duration::from_nanos(latency_ns));
        }
        assert_eq!(own, counts.read());
        own.record(Duration::MAX);
        assert_eq!((own.count(), own.max()), (5, Duration::from_nanos(u64::MAX)));
    }

    #[test]
    fn nothing_recorded_has_no_percentile() {
        assert_eq!(LatencyCounts::default().read().percentile(50.0), None);
        assert_eq!(Latencies::default().mean(), Duration::ZERO);
    }
}
