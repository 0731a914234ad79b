//! How far event time has certainly come, judged from what all input streams have delivered.
//!
//! **Invariants**
//! - The watermark only rises. It starts at 0 as Storm's does, so an event from before 1970 is
//!   always late.
//! - It stays where it is until every expected stream has delivered an event: a stream that never
//!   says anything holds all windows back. Storm does the same and has no idle timeout; to stop
//!   waiting for a stream is a decision only the author can take.
//! - A late event still moves its stream's latest timestamp, as in Storm; it cannot lower it.
//!
//! **Runs on** the thread of the window's executor; unshared.
//!
//! **Not here**: the interval at which [`advance`](WatermarkTracker::advance) is called, the names
//! of streams, and what becomes of late events.

use std::time::Duration;

use super::spec::millis;

/// Storm's default of `topology.bolts.tuple.timestamp.max.lag.ms`: no lag.
pub const DEFAULT_LAG: Duration = Duration::ZERO;

/// Storm's default of `topology.bolts.watermark.event.interval.ms`: 1 s between two watermarks.
pub const DEFAULT_WATERMARK_INTERVAL: Duration = Duration::from_secs(1);

/// Watches the timestamps of all input streams and derives the watermark.
///
/// The watermark is the lowest, over all streams, of the stream's latest timestamp, minus the lag.
/// It takes effect only in [`advance`](Self::advance); between two calls, events below what the
/// next watermark will be are still welcome.
#[derive(Clone, Debug)]
pub struct WatermarkTracker {
    /// Highest timestamp of each stream, `None` before its first event.
    latest_ms: Vec<Option<i64>>,
    lag_ms: i64,
    watermark_ms: i64,
}

/// What to do with an event, given its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Arrival {
    /// Add it to the window.
    OnTime,
    /// The windows it belongs to may be gone: ack it and send it to the late stream, or log it.
    Late,
}

impl WatermarkTracker {
    /// Expects events on `streams` input streams, none of them more than `lag` out of order.
    ///
    /// Fractions of a millisecond of the lag are dropped. Without streams the watermark never moves.
    pub fn new(streams: usize, lag: Duration) -> Self {
        Self { latest_ms: vec![None; streams], lag_ms: millis(lag), watermark_ms: 0 }
    }

    /// Takes note of an event's timestamp and says whether it came in time.
    ///
    /// Late is what lies below the last watermark; an event exactly on it is in time.
    ///
    /// # Panics
    /// If `stream` is not below the number of streams given to [`new`](Self::new).
    ///
    /// # Cost
    /// O(1), without allocation.
    pub fn observe(&mut self, stream: usize, ts_ms: i64) -> Arrival {
        let streams = self.latest_ms.len();
        let Some(latest_ms) = self.latest_ms.get_mut(stream) else {
            panic!("an event came on input stream {stream}, but only {streams} are expected");
        };
        *latest_ms = Some(latest_ms.map_or(ts_ms, |latest_ms| latest_ms.max(ts_ms)));
        if ts_ms < self.watermark_ms { Arrival::Late } else { Arrival::OnTime }
    }

    /// Raises the watermark as far as the streams allow; `None` if it stays where it is.
    ///
    /// # Cost
    /// O(streams), without allocation.
    pub fn advance(&mut self) -> Option<i64> {
        let reached_ms = self.reached_ms()?;
        self.watermark_ms = reached_ms;
        Some(reached_ms)
    }

    /// Whether [`advance`](Self::advance) would raise the watermark: if not, no timer is needed
    /// before the next event.
    pub fn can_advance(&self) -> bool {
        self.reached_ms().is_some()
    }

    /// The last watermark, 0 before the first.
    pub fn watermark_ms(&self) -> i64 {
        self.watermark_ms
    }

    /// A watermark above the present one, if all streams have come that far.
    fn reached_ms(&self) -> Option<i64> {
        let mut lowest_ms: Option<i64> = None;
        for latest_ms in &self.latest_ms {
            let latest_ms = (*latest_ms)?;
            lowest_ms = Some(lowest_ms.map_or(latest_ms, |lowest_ms| lowest_ms.min(latest_ms)));
        }
        let reached_ms = lowest_ms?.saturating_sub(self.lag_ms);
        (self.watermark_ms < reached_ms).then_some(reached_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::Arrival::{Late, OnTime};
    use super::*;

    /// Observes `(stream, ts_ms)` pairs in turn, then advances once.
    #[track_caller]
    fn check(tracker: &mut WatermarkTracker, seen: &[(usize, i64, Arrival)], after: Option<i64>) {
        for (stream, ts_ms, expected) in seen {
            assert_eq!(tracker.observe(*stream, *ts_ms), *expected, "at {ts_ms} ms");
        }
        assert_eq!(tracker.can_advance(), after.is_some());
        assert_eq!(tracker.advance(), after);
    }

    fn tracker(streams: usize, lag_ms: u64) -> WatermarkTracker {
        WatermarkTracker::new(streams, Duration::from_millis(lag_ms))
    }

    #[test]
    fn the_watermark_is_the_latest_timestamp_less_the_lag() {
        let seen = [(0, 100, OnTime), (0, 110, OnTime)];
        check(&mut tracker(1, 5), &seen, Some(105));
        check(&mut tracker(1, 0), &seen, Some(110));
    }

    #[test]
    fn an_event_out_of_order_does_not_lower_the_watermark() {
        let seen = [(0, 100, OnTime), (0, 110, OnTime), (0, 104, OnTime)];
        check(&mut tracker(1, 5), &seen, Some(105));
    }

    #[test]
    fn the_slowest_stream_decides() {
        let seen = [(0, 110, OnTime), (1, 95, OnTime), (1, 98, OnTime)];
        check(&mut tracker(2, 5), &seen, Some(93));
    }

    #[test]
    fn a_silent_stream_holds_the_watermark_back() {
        let mut tracker = tracker(2, 0);
        check(&mut tracker, &[(0, 100, OnTime), (0, 9_999, OnTime)], None);
        check(&mut tracker, &[(1, 50, OnTime)], Some(50));
    }

    #[test]
    fn events_below_the_last_watermark_are_late_and_on_it_are_not() {
        let mut tracker = tracker(1, 5);
        check(&mut tracker, &[(0, 110, OnTime)], Some(105));
        let seen = [(0, 105, OnTime), (0, 104, Late), (0, 115, OnTime)];
        check(&mut tracker, &seen, Some(110));
        assert_eq!(tracker.watermark_ms(), 110);
    }

    #[test]
    fn an_event_is_late_only_against_a_watermark_that_took_effect() {
        check(&mut tracker(1, 0), &[(0, 110, OnTime), (0, 7, OnTime)], Some(110));
    }

    #[test]
    fn the_watermark_moves_once_per_progress() {
        let mut tracker = tracker(1, 0);
        check(&mut tracker, &[(0, 110, OnTime)], Some(110));
        check(&mut tracker, &[], None);
        check(&mut tracker, &[(0, 110, OnTime)], None);
    }

    #[test]
    fn nothing_is_below_zero_but_late_events() {
        check(&mut tracker(1, 5), &[(0, -1, Late), (0, 3, OnTime)], None);
    }

    #[test]
    fn without_streams_the_watermark_never_moves() {
        check(&mut tracker(0, 0), &[], None);
    }

    #[test]
    #[should_panic(expected = "input stream 2, but only 2 are expected")]
    fn a_stream_that_was_not_announced_is_a_bug() {
        let _ = tracker(2, 0).observe(2, 1);
    }
}
