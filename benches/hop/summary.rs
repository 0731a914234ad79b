//! From measured pairs to the figures of the table.
//!
//! Pure. A ratio is taken within each pair; the figure is the median of the ratios. Values beside
//! it are for the reader: medians of throughput, percentiles of merged histograms.

use std::fmt;

use hdrhistogram::Histogram;

use super::pairs::{Block, Figure, Outcome, Target};
use super::quantile::{Quantile, merged};
use super::sample::{Metric, Sample};
use super::stats::{self, Spread, spread};

/// Clean pairs below which no target counts as reached or missed.
pub const BINDING_PAIRS: usize = 7;

/// Which block of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The denominator.
    Limit,
    /// The numerator.
    Subject,
}

/// One figure of one row.
#[derive(Clone, Debug)]
pub struct FigureLine {
    /// What was read and what its ratio ought to be.
    pub figure: Figure,
    /// The limit's value, in the unit of the metric.
    pub limit: Option<f64>,
    /// The subject's value, in the unit of the metric.
    pub subject: Option<f64>,
    /// Subject by limit over the usable pairs.
    pub ratio: Option<Spread>,
    /// Whether the ratio keeps its target.
    pub mark: Mark,
}

/// Whether a figure was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The median of the ratios keeps the target.
    Reached,
    /// It does not.
    Missed,
    /// There is a target, but too few clean pairs to say.
    Noisy,
    /// There is no target.
    Shown,
}

/// The latencies of one side of a row, over all usable pairs.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// Merged latencies.
    pub latency: Histogram<u64>,
    /// p99.9 of the generator's own lateness, in nanoseconds; none where nothing was scheduled.
    pub lateness_p999_ns: Option<u64>,
}

impl Target {
    /// Whether a ratio keeps the bound; the bound itself does.
    #[must_use]
    pub fn holds(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bound) => bound <= ratio,
            Self::AtMost(bound) => ratio <= bound,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, ">= {bound:.2}"),
            Self::AtMost(bound) => write!(f, "<= {bound:.2}"),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Reached => "ok",
            Self::Missed => "MISSED",
            Self::Noisy => "noisy",
            Self::Shown => "-",
        })
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSecond => f.pad("per second"),
            Self::Latency(quantile) => quantile.fmt(f),
        }
    }
}

/// The figures of a row, in the row's order.
#[must_use]
pub fn figures(outcome: &Outcome) -> Vec<FigureLine> {
    outcome.figures.iter().map(|figure| line(outcome, *figure)).collect()
}

/// The merged latencies of one side, or nothing where that side measured none.
#[must_use]
pub fn distribution(outcome: &Outcome, role: Role) -> Option<Distribution> {
    let latency = merged(samples(outcome, role).filter_map(|s| s.latency.as_ref()))?;
    let lateness = merged(samples(outcome, role).filter_map(|s| s.lateness.as_ref()));
    Some(Distribution {
        latency,
        lateness_p999_ns: lateness.and_then(|lateness| Quantile::P999.of(&lateness)),
    })
}

/// The blocks of one side in the usable pairs.
pub fn blocks(outcome: &Outcome, role: Role) -> impl Iterator<Item = &Block> {
    outcome.usable().filter_map(move |pair| match role {
        Role::Limit => Some(&pair.limit),
        Role::Subject => pair.subject.as_ref(),
    })
}

/// The median over blocks of what `read` gives; 0 where that side has no block.
pub fn median_of(outcome: &Outcome, role: Role, read: impl Fn(&Block) -> f64) -> f64 {
    stats::median(blocks(outcome, role).map(read))
}

fn samples(outcome: &Outcome, role: Role) -> impl Iterator<Item = &Sample> {
    blocks(outcome, role).map(|block| &block.sample)
}

fn line(outcome: &Outcome, figure: Figure) -> FigureLine {
    let ratio = spread(outcome.usable().filter_map(|pair| {
        let limit = pair.limit.sample.value(figure.metric)?;
        Some(pair.subject.as_ref()?.sample.value(figure.metric)? / limit)
    }));
    let binds = outcome.is_settled() && BINDING_PAIRS <= outcome.clean();
    FigureLine {
        figure,
        limit: value(outcome, Role::Limit, figure.metric),
        subject: value(outcome, Role::Subject, figure.metric),
        ratio,
        mark: mark(figure.target, ratio, binds),
    }
}

fn value(outcome: &Outcome, role: Role, metric: Metric) -> Option<f64> {
    match metric {
        Metric::PerSecond => {
            let rates = samples(outcome, role).filter_map(|sample| sample.value(metric));
            spread(rates).map(|rates| rates.median)
        }
        Metric::Latency(quantile) => {
            let ns = quantile.of(&distribution(outcome, role)?.latency)?;
            Some(ns as f64)
        }
    }
}

fn mark(target: Option<Target>, ratio: Option<Spread>, binds: bool) -> Mark {
    match (target, ratio) {
        (None, _) => Mark::Shown,
        (Some(target), Some(ratio)) if binds => match target.holds(ratio.median) {
            true => Mark::Reached,
            false => Mark::Missed,
        },
        (Some(_), _) => Mark::Noisy,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::allocations::Allocated;
    use super::super::gate::{Facts, Reason, Verdict};
    use super::super::pairs::Pair;
    use super::*;

    fn block(tuples: u64) -> Block {
        let sample = Sample {
            tuples,
            elapsed: Duration::from_secs(1),
            latency: None,
            lateness: None,
            allocated: Allocated::default(),
            refused: 0,
        };
        Block { sample, facts: Facts::default() }
    }

    fn outcome(target: Target, wanted: usize, pairs: &[(u64, u64, bool)]) -> Outcome {
        let pair = |&(limit, subject, clean): &(u64, u64, bool)| Pair {
            limit: block(limit),
            subject: Some(block(subject)),
            verdict: match clean {
                true => Verdict::Clean,
                false => Verdict::Disturbed(Reason::Others(0.5)),
            },
        };
        Outcome {
            row: "row".to_owned(),
            limit: "limit".to_owned(),
            subject: Some("subject".to_owned()),
            figures: vec![Figure { metric: Metric::PerSecond, target: Some(target) }],
            wanted,
            pairs: pairs.iter().map(pair).collect(),
        }
    }

    #[track_caller]
    fn check(outcome: &Outcome, median: f64, mark: Mark) {
        let line = &figures(outcome)[0];
        assert_eq!(line.ratio.map(|ratio| ratio.median), Some(median));
        assert_eq!(line.mark, mark);
    }

    #[test]
    fn the_ratio_is_taken_within_pairs_and_not_between_medians() {
        let pairs = [(100, 50, true), (200, 100, true), (400, 360, true)].repeat(BINDING_PAIRS);
        check(&outcome(Target::AtLeast(0.5), 3, &pairs), 0.5, Mark::Reached);
        check(&outcome(Target::AtLeast(0.51), 3, &pairs), 0.5, Mark::Missed);
    }

    #[test]
    fn a_bound_from_above_is_missed_from_above() {
        let pairs = [(100, 120, true)].repeat(BINDING_PAIRS);
        check(&outcome(Target::AtMost(1.2), 1, &pairs), 1.2, Mark::Reached);
        check(&outcome(Target::AtMost(1.1), 1, &pairs), 1.2, Mark::Missed);
    }

    #[test]
    fn disturbed_pairs_do_not_count() {
        let pairs = [(100, 10, false), (100, 90, true), (100, 10, false)].repeat(BINDING_PAIRS);
        check(&outcome(Target::AtLeast(0.5), 1, &pairs), 0.9, Mark::Reached);
    }

    #[test]
    fn too_few_clean_pairs_decide_nothing() {
        let target = Target::AtLeast(0.5);
        let few = [(100, 90, true)].repeat(BINDING_PAIRS - 1);
        check(&outcome(target, 1, &few), 0.9, Mark::Noisy);
        let fewer_than_wanted = [(100, 90, true)].repeat(BINDING_PAIRS);
        check(&outcome(target, BINDING_PAIRS + 1, &fewer_than_wanted), 0.9, Mark::Noisy);
        check(&outcome(target, 1, &[(100, 90, false)]), 0.9, Mark::Noisy);
    }
}
