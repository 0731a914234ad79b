//! What an executor counted in the last ten minutes, three hours, day, and since it started; pure.
//!
//! ```text
//! counters that only go up ──▶ sample(now, totals) ──▶ a past total for each 1/19 of a window
//!                                                  value of a window = total now − total then
//! ```
//!
//! Storm shows statistics in these four windows. It samples one tuple in twenty; here counters are
//! exact, and so is what is counted since the start. A window begins between two past totals, and
//! the total at its beginning is taken from the line between them.
//!
//! **Invariants**
//! - Memory is bounded: at most [`PASTS`] past totals per window, however long an executor runs and
//!   however often it is sampled.
//! - Time is an argument and does not go backwards.
//!
//! **Runs on** the thread of a worker that reports.
//!
//! **Not here:** sums over executors, which Nimbus makes (`nimbus`); the counters themselves
//! (`counter`).

#[cfg(test)]
mod tests;
mod thrift;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use thrift::executor_stats;

use crate::clock::Time;
use crate::id::{ComponentId, StreamId};

/// Parts that a window is cut into, as in Storm: 20 buckets, one of which is being filled.
const PARTS: u32 = 19;

/// Most past totals that are kept for a window: those within it, the one before it, and one that is
/// about to leave.
pub const PASTS: usize = PARTS as usize + 2;

/// A span of time up to now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Window {
    /// The last 600 s.
    TenMinutes,
    /// The last 10,800 s.
    ThreeHours,
    /// The last 86,400 s.
    OneDay,
    /// Since the executor started.
    AllTime,
}

impl Window {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::TenMinutes, Self::ThreeHours, Self::OneDay, Self::AllTime];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::TenMinutes => "600",
            Self::ThreeHours => "10800",
            Self::OneDay => "86400",
            Self::AllTime => ":all-time",
        }
    }

    /// The window of that name; Storm takes any other name for the whole time.
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|window| window.name() == name).unwrap_or(Self::AllTime)
    }

    /// How long it is; none for the whole time.
    pub fn length(self) -> Option<Duration> {
        match self {
            Self::TenMinutes => Some(Duration::from_secs(600)),
            Self::ThreeHours => Some(Duration::from_secs(10_800)),
            Self::OneDay => Some(Duration::from_secs(86_400)),
            Self::AllTime => None,
        }
    }
}

/// A stream as a bolt sees it: whose it is, and its name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct InputStream {
    /// The component that emits on it.
    pub component: ComponentId,
    /// Its name.
    pub stream: StreamId,
}

/// Something that an executor counts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Counted {
    /// Calls of `emit`.
    Emitted(StreamId),
    /// Tuples sent to a task.
    Transferred(StreamId),
    /// Spouts: messages whose tree was completed.
    Completed(StreamId),
    /// Spouts: messages whose tree failed or timed out.
    Lost(StreamId),
    /// Spouts: nanoseconds from emission to completion, over all completed messages.
    CompleteNs(StreamId),
    /// Bolts: tuples given to `execute`.
    Executed(InputStream),
    /// Bolts: nanoseconds in `execute`, over all executed tuples.
    ExecuteNs(InputStream),
    /// Bolts: inputs acked.
    Acked(InputStream),
    /// Bolts: nanoseconds from `execute` to the ack, over all acked inputs.
    ProcessNs(InputStream),
    /// Bolts: inputs failed.
    Failed(InputStream),
}

/// What an executor has counted since it started. What is not in it was not counted.
pub type Totals = BTreeMap<Counted, u64>;

/// The statistics of one executor.
#[derive(Clone, Debug)]
pub struct Statistics {
    started: Time,
    sampled: Time,
    totals: Totals,
    /// For each window that has a length.
    pasts: [Pasts; 3],
}

impl Statistics {
    /// Of an executor that starts now and has counted nothing.
    pub fn new(now: Time) -> Self {
        let pasts = [Window::TenMinutes, Window::ThreeHours, Window::OneDay]
            .map(|window| Pasts::new(window.length().expect("it is not the whole time"), now));
        Self { started: now, sampled: now, totals: Totals::new(), pasts }
    }

    /// Takes what the executor has counted up to now.
    ///
    /// # Cost
    /// A copy of the totals for each window whose next part begins: every 31.6 s for the shortest.
    pub fn sample(&mut self, now: Time, totals: Totals) {
        self.sampled = self.sampled.max(now);
        self.totals = totals;
        for pasts in &mut self.pasts {
            pasts.keep(self.sampled, &self.totals);
        }
    }

    /// How much was counted in a window that ends with the last sample.
    pub fn count(&self, window: Window, counted: &Counted) -> u64 {
        let total = self.totals.get(counted).copied().unwrap_or_default();
        let Some(length) = window.length() else { return total };
        if self.sampled.since(self.started) <= length {
            return total;
        }
        let begin = Time::from_nanos(self.sampled.as_nanos() - length.as_nanos() as u64);
        let pasts = self.pasts.iter().find(|pasts| pasts.length == length);
        let before = pasts.expect("every length has its pasts").at(begin, counted);
        total.saturating_sub(before.unwrap_or(total))
    }

    /// Everything that was counted at least once.
    pub fn counted(&self) -> impl Iterator<Item = &Counted> {
        self.totals.iter().filter(|(_, total)| **total > 0).map(|(counted, _)| counted)
    }
}

/// Totals as they were in the course of a window.
#[derive(Clone, Debug)]
struct Pasts {
    length: Duration,
    /// Oldest first; all but the first lie within the window, the last may be the present.
    totals: VecDeque<(Time, Totals)>,
}

impl Pasts {
    fn new(length: Duration, now: Time) -> Self {
        Self { length, totals: VecDeque::from([(now, Totals::new())]) }
    }

    fn keep(&mut self, now: Time, totals: &Totals) {
        let is_due =
            self.totals.back().is_none_or(|(time, _)| now.since(*time) >= self.length / PARTS);
        if is_due {
            self.totals.push_back((now, totals.clone()));
        }
        while self.totals.get(1).is_some_and(|(time, _)| now.since(*time) >= self.length) {
            self.totals.pop_front();
        }
    }

    /// The total at a time between two that are kept; none if it is not among them.
    fn at(&self, time: Time, counted: &Counted) -> Option<u64> {
        let of = |totals: &Totals| totals.get(counted).copied().unwrap_or_default();
        let after = self.totals.iter().position(|(kept, _)| time < *kept)?;
        let (from, before) = self.totals.get(after.checked_sub(1)?)?;
        let (to, later) = &self.totals[after];
        let (before, later) = (of(before), of(later));
        let counted_between = u128::from(later.saturating_sub(before));
        let part = counted_between * time.since(*from).as_nanos() / to.since(*from).as_nanos();
        Some(before + part as u64)
    }
}
