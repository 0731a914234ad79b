//! Windows over event time: timestamps come with the events, and watermarks say how far time is.
//!
//! | slide | a window is due | it ends |
//! |---|---|---|
//! | time | when the watermark reaches a multiple of the slide, counted from 0 | there |
//! | count | when so many events, in order of arrival, are at or below the watermark | with the highest timestamp among them |
//!
//! A window whose length is a time holds the events in (end − length, end]. One whose length is a
//! count holds, of the events up to its end, the last so many in order of *arrival*.
//!
//! **Invariants**
//! - Windows come in order of their ends, and none of them is empty. After a gap the next window
//!   by time is the first to reach the earliest event that waits.
//! - The first window by time ends at 0 or later.
//! - A count starts anew behind the last event *timestamp* that completed one. Further events with
//!   exactly that timestamp do not count again; they move up into later windows, each of which
//!   takes over what the last one held and as many more as the slide. So it is in Storm.
//! - A window is what its boundaries say, whatever the order of arrival. (Storm stops looking at
//!   the first event that is further ahead of the window than the lag. As long as nothing is more
//!   out of order than that, both are the same; with two streams far apart Storm misses events.)
//!
//! **Runs on** the thread of the window's executor; unshared.
//!
//! **Not here**: the watermark itself and which events are late, see `watermark`. A late event that
//! is added all the same is treated by its timestamp.

use std::collections::VecDeque;
use std::collections::vec_deque;

use super::activation::Activation;
use super::buffer::{Buffer, Keep};
use super::spec::{Extent, WindowSpec, millis};

/// A window over the timestamps that events carry.
///
/// Adding an event makes no window due, a watermark may make many due. After each
/// [`on_watermark`](Self::on_watermark) the caller takes them:
///
/// ```
/// use std::time::Duration;
/// use storm_runtime::window::{EventWindow, Extent, WindowSpec};
///
/// let ms = |ms| Extent::Time(Duration::from_millis(ms));
/// let mut window = EventWindow::new(WindowSpec::sliding(ms(20), ms(10))?);
/// window.add("b", 618);
/// window.add("a", 603);
/// assert!(window.next_activation().is_none());
///
/// window.on_watermark(625);
/// let mut ends_ms = Vec::new();
/// while let Some(activation) = window.next_activation() {
///     ends_ms.push((activation.end_ms(), activation.len()));
/// }
/// assert_eq!(ends_ms, [(610, 1), (620, 2)]);
/// let acked: Vec<_> = window.take_left().collect();
/// assert_eq!(acked, [&"a"]);
/// # Ok::<(), storm_runtime::window::SpecError>(())
/// ```
///
/// It may pause between two activations, for instance while the bolt cannot emit, and go on later,
/// even after further events and watermarks.
#[derive(Debug)]
pub struct EventWindow<T> {
    length: Extent,
    pace: Pace,
    /// The highest watermark so far.
    watermark_ms: i64,
    /// Whether windows up to `watermark_ms` may be due that nobody has looked for.
    behind: bool,
    buffer: Buffer<T>,
}

/// When the next window is due.
#[derive(Debug)]
enum Pace {
    /// After `slide` events.
    Count {
        slide: usize,
        /// End of the last window evaluated.
        last_end_ms: i64,
        /// Ends of windows that are due but not yet evaluated.
        due: VecDeque<i64>,
    },
    /// At `next_end_ms`, a multiple of `slide_ms`, or never at `i64::MAX`.
    Time { slide_ms: i64, next_end_ms: i64 },
}

impl<T> EventWindow<T> {
    /// An empty window before its first watermark.
    pub fn new(spec: WindowSpec) -> Self {
        let pace = match spec.slide() {
            Extent::Count(slide) => Pace::Count { slide, last_end_ms: 0, due: VecDeque::new() },
            Extent::Time(slide) => Pace::Time { slide_ms: millis(slide), next_end_ms: 0 },
        };
        Self {
            length: spec.length(),
            pace,
            watermark_ms: i64::MIN,
            behind: false,
            buffer: Buffer::new(),
        }
    }

    /// Takes in an event with its own timestamp, in milliseconds since 1970 (or whatever the
    /// watermarks are counted from).
    ///
    /// # Cost
    /// Amortised O(1).
    pub fn add(&mut self, event: T, ts_ms: i64) {
        self.buffer.push(event, ts_ms);
    }

    /// Declares that no event below `watermark_ms` is expected any more.
    ///
    /// A watermark that is not above the last one changes nothing.
    pub fn on_watermark(&mut self, watermark_ms: i64) {
        if self.watermark_ms < watermark_ms {
            self.watermark_ms = watermark_ms;
            self.behind = true;
        }
    }

    /// The next window that is due and holds an event, lowest end first.
    ///
    /// # Cost
    /// Amortised O(1) per event that enters or leaves, however long the window is, if events
    /// arrive in order of their timestamps. Each event that arrived out of order, or waits in front
    /// of others that are due, makes those behind it count again for every window in between; at
    /// worst, the whole buffer for each window, which is what Storm always does. Without allocation
    /// once warm.
    pub fn next_activation(&mut self) -> Option<Activation<'_, T>> {
        let Some(end_ms) = self.evaluate_due() else {
            self.release();
            return None;
        };
        let start_ms = match self.length {
            Extent::Count(_) => None,
            Extent::Time(length) => Some(end_ms.saturating_sub(millis(length))),
        };
        Some(self.buffer.activation(start_ms, end_ms))
    }

    /// The events that can be in no later window, each exactly once: the caller acks them now.
    ///
    /// A window by time and slide by time lets an event go as soon as that is certain, which may
    /// be one slide before Storm does; the others let it go with the window it is not in.
    /// It is kept until the next window has listed it as expired, so call this after each round of
    /// activations; without it events are never freed.
    #[must_use = "what is taken here and not acked will time out at the spout"]
    pub fn take_left(&mut self) -> vec_deque::Iter<'_, T> {
        self.buffer.take_left()
    }

    /// All events that [`take_left`](Self::take_left) has not told of: for a caller that gives the
    /// window up and settles them otherwise.
    pub fn into_untold(self) -> impl Iterator<Item = T> {
        self.buffer.into_untold()
    }

    /// Number of events that may be in a window yet to come.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether no event waits for a window.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Evaluates windows until one holds an event, and answers where it ends.
    fn evaluate_due(&mut self) -> Option<i64> {
        while let Some(end_ms) = self.next_end_ms() {
            let keep = match (self.length, &self.pace) {
                (Extent::Time(length), _) => Keep::Above(end_ms.saturating_sub(millis(length))),
                (Extent::Count(length), Pace::Time { .. }) => Keep::Last(length),
                (Extent::Count(length), Pace::Count { slide, .. }) => {
                    Keep::Quota { quota: self.buffer.members() + *slide, length }
                }
            };
            let found = self.buffer.evaluate(end_ms, u64::MAX, keep);
            self.step_past(end_ms, found);
            if found {
                return Some(end_ms);
            }
        }
        None
    }

    /// Where the next window up to the watermark ends.
    fn next_end_ms(&mut self) -> Option<i64> {
        match &mut self.pace {
            Pace::Count { slide, last_end_ms, due } => {
                if due.is_empty() && self.behind {
                    self.behind = false;
                    let timestamps = self.buffer.timestamps(*last_end_ms, self.watermark_ms);
                    due.extend(count_ends(timestamps, *slide));
                }
                due.front().copied()
            }
            Pace::Time { next_end_ms, .. } => {
                self.behind &= *next_end_ms <= self.watermark_ms && *next_end_ms < i64::MAX;
                self.behind.then_some(*next_end_ms)
            }
        }
    }

    /// Turns to the window after the one that ends with `end_ms`, which was evaluated.
    fn step_past(&mut self, end_ms: i64, found: bool) {
        match &mut self.pace {
            Pace::Count { last_end_ms, due, .. } => {
                due.pop_front();
                *last_end_ms = end_ms;
            }
            Pace::Time { slide_ms, next_end_ms } => {
                if found {
                    *next_end_ms = end_ms.saturating_add(*slide_ms);
                    return;
                }
                // Nothing up to `end_ms` is left, so the lowest timestamp is ahead of it.
                match self.buffer.min_ms() {
                    Some(min_ms) if min_ms <= self.watermark_ms => {
                        *next_end_ms = round_up(min_ms, *slide_ms);
                    }
                    _ => self.behind = false,
                }
            }
        }
    }

    /// Lets events leave that cannot be in the next window, given that none is due now.
    fn release(&mut self) {
        if let (Extent::Time(length), Pace::Time { next_end_ms, .. }) = (self.length, &self.pace) {
            self.buffer.expire_up_to(next_end_ms.saturating_sub(millis(length)));
        }
    }
}

/// The highest timestamp so far at each `slide`-th of these.
fn count_ends(timestamps: impl Iterator<Item = i64>, slide: usize) -> impl Iterator<Item = i64> {
    timestamps
        .scan(i64::MIN, |highest_ms, ts_ms| {
            *highest_ms = ts_ms.max(*highest_ms);
            Some(*highest_ms)
        })
        .skip(slide - 1)
        .step_by(slide)
}

/// The first multiple of `step_ms` at or above `ts_ms`, which is not negative.
fn round_up(ts_ms: i64, step_ms: i64) -> i64 {
    let over_ms = ts_ms % step_ms;
    if over_ms == 0 { ts_ms } else { ts_ms.saturating_add(step_ms - over_ms) }
}
