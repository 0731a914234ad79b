//! Runs limit and subject in turn: `limit, subject, limit, subject, …`, one row after the other.
//!
//! ```text
//!   ping-pong  gaps [limit] gaps  ping-pong  gaps [subject] gaps  ping-pong  -> verdict
//! ```
//!
//! A disturbed pair is run again, a bounded number of times; all pairs are kept for the record.
//! **Runs on** the main thread.

use std::time::Duration;

use super::gate::{Facts, Gate, Reason, Verdict};
use super::limits::ping_pong;
use super::machine::{self, Reading};
use super::sample::{Metric, Sample, Subject};

/// How long the clock is watched for gaps on each side of a block.
const GAP_WATCH: Duration = Duration::from_millis(4);

/// How long the ping-pong is played before, between and after the blocks of a pair.
const PING_PONG: Duration = Duration::from_millis(4);

/// One comparison of the table.
pub struct Row {
    /// Stable name, by which `--only` selects: lower case, words joined by hyphens.
    pub name: String,
    /// The denominator.
    pub limit: Box<dyn Subject>,
    /// The numerator; none in a row that only shows what a limit measures here.
    pub subject: Option<Box<dyn Subject>>,
    /// What is read from the samples, each with the figure to reach, if one is set.
    pub figures: Vec<Figure>,
    /// Threads that are busy at once in either block, at least 1.
    pub threads: usize,
    /// Blocks of this row are at least this long; zero leaves it to the plan.
    pub shortest_block: Duration,
}

/// A metric and what its ratio, subject by limit, ought to be.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// What is read from each sample.
    pub metric: Metric,
    /// What the ratio ought to be; none where the figure is only shown.
    pub target: Option<Target>,
}

/// A bound on a ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// For throughput.
    AtLeast(f64),
    /// For latency.
    AtMost(f64),
}

/// How long and how often to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Length of one block, warm-up included.
    pub block: Duration,
    /// Clean pairs that a row needs.
    pub pairs: usize,
    /// Pairs of a row that may be run again after a disturbance.
    pub retries: usize,
    /// Whether a row may ask for longer blocks than these.
    pub stretch_to_row: bool,
    /// When a pair counts as disturbed.
    pub gate: Gate,
}

/// One measured block with what is known about the machine around it.
#[derive(Clone, Debug)]
pub struct Block {
    /// What the block measured.
    pub sample: Sample,
    /// What the machine did meanwhile.
    pub facts: Facts,
}

/// Two neighbouring blocks, or one in a row without a subject.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The denominator.
    pub limit: Block,
    /// The numerator.
    pub subject: Option<Block>,
    /// Whether the pair may be used.
    pub verdict: Verdict,
}

/// Everything that was measured for one row.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The row's name.
    pub row: String,
    /// The limit's name.
    pub limit: String,
    /// The subject's name; none in a row without one.
    pub subject: Option<String>,
    /// The row's figures.
    pub figures: Vec<Figure>,
    /// Clean pairs that were asked for.
    pub wanted: usize,
    /// Every pair in the order in which it was run.
    pub pairs: Vec<Pair>,
}

impl Row {
    /// A row that holds `subject` to `limit`, both busy on one thread, without figures.
    #[must_use]
    pub fn new(name: &str, limit: impl Subject + 'static, subject: impl Subject + 'static) -> Self {
        Self::boxed(name, Box::new(limit), Box::new(subject))
    }

    /// As [`Row::new`], of subjects whose types are only known at run time.
    #[must_use]
    pub fn boxed(name: &str, limit: Box<dyn Subject>, subject: Box<dyn Subject>) -> Self {
        Self { subject: Some(subject), ..Self::only(name, limit) }
    }

    /// A row that shows a limit by itself.
    #[must_use]
    pub fn only(name: &str, limit: Box<dyn Subject>) -> Self {
        Self {
            name: name.to_owned(),
            limit,
            subject: None,
            figures: Vec::new(),
            threads: 1,
            shortest_block: Duration::ZERO,
        }
    }

    /// The row with one more figure; `target` may be none.
    #[must_use]
    pub fn figure(mut self, metric: Metric, target: impl Into<Option<Target>>) -> Self {
        self.figures.push(Figure { metric, target: target.into() });
        self
    }

    /// The row with `threads` busy threads, so that the distance of the cores counts.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// The row with blocks of at least `length`.
    #[must_use]
    pub fn shortest_block(mut self, length: Duration) -> Self {
        self.shortest_block = length;
        self
    }
}

impl Outcome {
    /// The pairs that may be used: the clean ones, or all of them where none was clean.
    pub fn usable(&self) -> impl Iterator<Item = &Pair> {
        let none_clean = self.clean() == 0;
        self.pairs.iter().filter(move |pair| none_clean || pair.verdict.is_clean())
    }

    /// How many pairs were clean.
    #[must_use]
    pub fn clean(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.verdict.is_clean()).count()
    }

    /// Whether enough pairs were clean for the figures to bind.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.clean() >= self.wanted
    }
}

/// Measures one row; `progress` is told after every pair.
pub fn run(row: &mut Row, plan: &Plan, mut progress: impl FnMut(&Outcome)) -> Outcome {
    let mut outcome = Outcome {
        row: row.name.clone(),
        limit: row.limit.name(),
        subject: row.subject.as_ref().map(|subject| subject.name()),
        figures: row.figures.clone(),
        wanted: plan.pairs,
        pairs: Vec::new(),
    };
    let length = match plan.stretch_to_row {
        true => plan.block.max(row.shortest_block),
        false => plan.block,
    };
    while !outcome.is_settled() && outcome.pairs.len() < plan.pairs + plan.retries {
        let pair = run_pair(row, length, &plan.gate);
        outcome.pairs.push(pair);
        progress(&outcome);
    }
    outcome
}

fn run_pair(row: &mut Row, length: Duration, gate: &Gate) -> Pair {
    let before_ns = ping_pong::round_trip_ns(PING_PONG);
    let limit = run_block(row.limit.as_mut(), length, row.threads, before_ns);
    let between_ns = limit.facts.ping_pong_after_ns;
    let subject = row.subject.as_mut();
    let subject = subject.map(|s| run_block(s.as_mut(), length, row.threads, between_ns));
    let verdict = judge(gate, &limit, subject.as_ref(), row);
    Pair { limit, subject, verdict }
}

fn judge(gate: &Gate, limit: &Block, subject: Option<&Block>, row: &Row) -> Verdict {
    let blocks = || [Some(limit), subject].into_iter().flatten();
    let is_empty = |block: &Block| {
        let mut metrics = row.figures.iter().map(|figure| figure.metric);
        metrics.all(|metric| block.sample.value(metric).is_none())
    };
    if blocks().any(is_empty) {
        return Verdict::Disturbed(Reason::Nothing);
    }
    let facts: Vec<Facts> = blocks().map(|block| block.facts).collect();
    gate.judge(&facts, row.threads)
}

fn run_block(
    subject: &mut dyn Subject,
    length: Duration,
    threads: usize,
    ping_pong_before_ns: f64,
) -> Block {
    let gaps_before = machine::gaps(GAP_WATCH, threads);
    let reading = Reading::take();
    let sample = subject.block(length);
    let usage = reading.until_now();
    let gaps_after = machine::gaps(GAP_WATCH, threads);
    let facts = Facts {
        usage,
        gaps_before,
        gaps_after,
        ping_pong_before_ns,
        ping_pong_after_ns: ping_pong::round_trip_ns(PING_PONG),
    };
    Block { sample, facts }
}
