//! Answers "where is the last event at or below this timestamp?" for events in arrival order.
//!
//! The timestamps that matter are those with no equal or lower one after them. They rise from front
//! to back, so a binary search finds the answer although the events themselves are unsorted:
//!
//! ```text
//! arrival   0    1    2    3    4
//! ts       10   30   20   50   40
//! lows     10        20        40      last at most 35: arrival 2
//! ```
//!
//! **Invariants**
//! - `ts_ms` and `seq` both rise strictly from front to back.
//! - Every event that is not listed has a listed one behind it with an equal or lower timestamp.
//!
//! **Runs on** the thread of the window's executor; unshared.
//!
//! **Not here**: the events.

use std::collections::VecDeque;

/// The events with nothing equal or lower behind them.
#[derive(Debug, Default)]
pub(super) struct Lows {
    lows: VecDeque<Low>,
}

/// One event: its place in arrival order and its timestamp.
#[derive(Clone, Copy, Debug)]
struct Low {
    seq: u64,
    ts_ms: i64,
}

impl Lows {
    /// Adds the event that arrived last.
    ///
    /// # Cost
    /// Amortised O(1).
    pub(super) fn push_back(&mut self, seq: u64, ts_ms: i64) {
        while self.lows.back().is_some_and(|low| ts_ms <= low.ts_ms) {
            self.lows.pop_back();
        }
        self.lows.push_back(Low { seq, ts_ms });
    }

    /// Adds an event in front of all others, to rebuild the front after some of it was removed.
    pub(super) fn push_front(&mut self, seq: u64, ts_ms: i64) {
        if self.lows.front().is_none_or(|low| ts_ms < low.ts_ms) {
            self.lows.push_front(Low { seq, ts_ms });
        }
    }

    /// Forgets all events before `seq`.
    pub(super) fn forget_before(&mut self, seq: u64) {
        while self.lows.front().is_some_and(|low| low.seq < seq) {
            self.lows.pop_front();
        }
    }

    /// The last event, in arrival order, whose timestamp is at most `ts_ms`.
    ///
    /// # Cost
    /// O(log n), and O(1) if there is none or if it is the last of all.
    pub(super) fn last_at_most(&self, ts_ms: i64) -> Option<u64> {
        if self.lows.back()?.ts_ms <= ts_ms {
            return self.lows.back().map(|low| low.seq);
        }
        if ts_ms < self.lows.front()?.ts_ms {
            return None;
        }
        let behind = self.lows.partition_point(|low| low.ts_ms <= ts_ms);
        self.lows.get(behind - 1).map(|low| low.seq)
    }

    /// The lowest timestamp of all, `None` without events.
    pub(super) fn min_ms(&self) -> Option<i64> {
        self.lows.front().map(|low| low.ts_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn search_agrees_with_a_scan(
            timestamps in prop::collection::vec(0i64..20, 0..40),
            forgotten in 0usize..10,
            wanted_ms in -1i64..21,
        ) {
            let mut lows = Lows::default();
            for (seq, ts_ms) in timestamps.iter().enumerate() {
                lows.push_back(seq as u64, *ts_ms);
            }
            lows.forget_before(forgotten as u64);
            let rest = || timestamps.iter().enumerate().skip(forgotten);
            let last = rest().rfind(|(_, ts_ms)| **ts_ms <= wanted_ms).map(|(seq, _)| seq as u64);
            prop_assert_eq!(lows.last_at_most(wanted_ms), last);
            prop_assert_eq!(lows.min_ms(), rest().map(|(_, ts_ms)| *ts_ms).min());
        }
    }
}
