//! Which percentiles of a latency histogram may be claimed.
//!
//! Pure. **Invariant:** percentiles are never averaged; histograms of blocks are merged instead.

use std::fmt;

use hdrhistogram::Histogram;

/// Longest latency that a histogram tells apart, in nanoseconds (60 s); longer ones count as this.
pub const LONGEST_NS: u64 = 60_000_000_000;

/// Samples below which p99.99 is not claimed.
pub const SAMPLES_FOR_P9999: u64 = 1_000_000;

/// A point of a latency distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// Half of the tuples were at least this fast.
    P50,
    /// 99 of 100.
    P99,
    /// 999 of 1,000.
    P999,
    /// 9,999 of 10,000; needs [`SAMPLES_FOR_P9999`].
    P9999,
    /// The slowest tuple.
    Max,
}

impl Quantile {
    /// All points, in the order in which a reader expects them.
    pub const ALL: [Self; 5] = [Self::P50, Self::P99, Self::P999, Self::P9999, Self::Max];

    /// The value in nanoseconds, or nothing where the samples do not bear the claim.
    #[must_use]
    pub fn of(self, latency: &Histogram<u64>) -> Option<u64> {
        let samples = latency.len();
        let enough = match self {
            Self::P9999 => samples >= SAMPLES_FOR_P9999,
            Self::P50 | Self::P99 | Self::P999 | Self::Max => samples > 0,
        };
        enough.then(|| match self {
            Self::P50 => latency.value_at_quantile(0.5),
            Self::P99 => latency.value_at_quantile(0.99),
            Self::P999 => latency.value_at_quantile(0.999),
            Self::P9999 => latency.value_at_quantile(0.9999),
            Self::Max => latency.max(),
        })
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::P9999 => "p99.99",
            Self::Max => "max",
        })
    }
}

/// An empty histogram of 1 ns to [`LONGEST_NS`] with three significant digits.
///
/// # Cost
/// Allocates some 200 KiB here and never again; to be made before the measured window opens.
#[must_use]
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("1 ns to 60 s in three digits is valid")
}

/// The sum of histograms, or nothing where there is none.
#[must_use]
pub fn merged<'a>(parts: impl IntoIterator<Item = &'a Histogram<u64>>) -> Option<Histogram<u64>> {
    let mut parts = parts.into_iter();
    let mut sum = parts.next()?.clone();
    for part in parts {
        sum.add(part).expect("all histograms have the same bounds");
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
        let mut latency = histogram();
        for value in values {
            latency.saturating_record(value);
        }
        latency
    }

    #[track_caller]
    fn check(latency: &Histogram<u64>, quantile: Quantile, expected: u64) {
        let found = quantile.of(latency).expect("enough samples");
        let allowed = expected / 500 + 1;
        assert!(found.abs_diff(expected) <= allowed, "{quantile}: {found}, expected {expected}");
    }

    #[test]
    fn percentiles_lie_where_counting_puts_them() {
        let latency = filled(1..=1000);
        check(&latency, Quantile::P50, 500);
        check(&latency, Quantile::P99, 990);
        check(&latency, Quantile::P999, 999);
        check(&latency, Quantile::Max, 1000);
    }

    #[test]
    fn the_far_tail_is_claimed_only_with_a_million_samples() {
        let mut latency = histogram();
        latency.record_n(7, SAMPLES_FOR_P9999 - 1).expect("7 ns is within the bounds");
        assert_eq!(Quantile::P9999.of(&latency), None);
        latency.record(7).expect("7 ns is within the bounds");
        assert_eq!(Quantile::P9999.of(&latency), Some(7));
    }

    #[test]
    fn an_empty_histogram_claims_nothing() {
        assert!(Quantile::ALL.iter().all(|q| q.of(&histogram()).is_none()));
    }

    #[test]
    fn merging_keeps_the_tail_that_averaging_would_hide() {
        let quick = filled([10; 999]);
        let slow = filled([1_000_000; 1]);
        let both = merged([&quick, &slow]).expect("two parts");
        check(&both, Quantile::P50, 10);
        check(&both, Quantile::Max, 1_000_000);
    }
}
