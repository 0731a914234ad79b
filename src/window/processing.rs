//! Windows over arrival time: an event's timestamp is the moment it came to the bolt.
//!
//! | slide | a window is due | it ends |
//! |---|---|---|
//! | count | when so many events came since the last one | with the event that completed the count |
//! | time | at each multiple of the slide, counted from the start | 1 ms before that moment |
//!
//! A window whose length is a time holds the events in (end − length, end]; one whose length is a
//! count holds the last so many.
//!
//! **Invariants**
//! - Time does not run backwards: an earlier `now_ms` than the last one counts as the last one.
//! - A window holds what its boundaries say even if the caller comes late. (Storm moves the end of
//!   a late window to the moment it gets to it; in time, both are the same.)
//! - A window is evaluated before any event that arrived after it was due is counted in.
//! - Nothing is due while nothing is buffered, so an idle window needs no timer.
//!
//! **Runs on** the thread of the window's executor; unshared.
//!
//! **Not here**: the clock. The caller passes the time, in milliseconds since any fixed moment.

use std::collections::VecDeque;
use std::collections::vec_deque;

use super::activation::Activation;
use super::buffer::{Buffer, Keep};
use super::spec::{Extent, WindowSpec, millis};

/// A window over the times at which events arrive.
///
/// After each [`add`](Self::add) and [`on_time`](Self::on_time) the caller takes what became due:
///
/// ```
/// use std::time::Duration;
/// use storm_runtime::window::{Extent, ProcessingWindow, WindowSpec};
///
/// let spec = WindowSpec::tumbling(Extent::Time(Duration::from_secs(5)))?;
/// let mut window = ProcessingWindow::new(spec, 0);
/// window.add("a", 1_200);
/// window.add("b", 4_999);
/// assert_eq!(window.next_deadline_ms(), Some(5_000));
///
/// window.on_time(5_000);
/// while let Some(activation) = window.next_activation() {
///     assert_eq!(activation.events().copied().collect::<Vec<_>>(), ["a", "b"]);
/// }
/// let acked: Vec<_> = window.take_left().collect();
/// assert_eq!(acked, [&"a", &"b"]);
/// # Ok::<(), storm_runtime::window::SpecError>(())
/// ```
///
/// It may pause between two activations, for instance while the bolt cannot emit, and go on later;
/// nothing is lost, but events pile up meanwhile.
#[derive(Debug)]
pub struct ProcessingWindow<T> {
    length: Extent,
    pace: Pace,
    /// The latest time heard of.
    now_ms: i64,
    buffer: Buffer<T>,
}

/// When the next window is due.
#[derive(Debug)]
enum Pace {
    /// After `slide` events.
    Count {
        slide: usize,
        /// Events since the last window became due, below `slide`.
        seen: usize,
        /// Windows that are due but not yet evaluated.
        due: VecDeque<Due>,
    },
    /// At `deadline_ms`, then every `slide_ms`.
    Time { slide_ms: i64, deadline_ms: i64 },
}

/// A window that is to be evaluated.
#[derive(Clone, Copy, Debug)]
struct Due {
    end_ms: i64,
    /// The first event that arrived too late for it.
    before_seq: u64,
}

impl<T> ProcessingWindow<T> {
    /// An empty window; the first slide by time is complete one slide after `start_ms`.
    pub fn new(spec: WindowSpec, start_ms: i64) -> Self {
        let pace = match spec.slide() {
            Extent::Count(slide) => Pace::Count { slide, seen: 0, due: VecDeque::new() },
            Extent::Time(slide) => {
                Pace::Time { slide_ms: millis(slide), deadline_ms: start_ms + millis(slide) }
            }
        };
        Self { length: spec.length(), pace, now_ms: start_ms, buffer: Buffer::new() }
    }

    /// Takes in an event that arrived at `now_ms`.
    ///
    /// # Cost
    /// Amortised O(1).
    pub fn add(&mut self, event: T, now_ms: i64) {
        self.on_time(now_ms);
        if self.buffer.is_empty() && self.pace.skip_to_after(self.now_ms) {
            self.buffer.pass_empty_window();
        }
        self.buffer.push(event, self.now_ms);
        if let Pace::Count { slide, seen, due } = &mut self.pace {
            *seen += 1;
            if *seen == *slide {
                *seen = 0;
                due.push_back(Due { end_ms: self.now_ms, before_seq: self.buffer.next_seq() });
            }
        }
    }

    /// Takes note that it is `now_ms`, without an event.
    pub fn on_time(&mut self, now_ms: i64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// When [`on_time`](Self::on_time) should be called at the latest, `None` if never.
    ///
    /// Calling earlier, later or never is safe: windows are due and events leave only later then.
    /// The answer holds until the next call of [`add`](Self::add) or
    /// [`next_activation`](Self::next_activation), whose `None` it presumes.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let oldest_ms = self.buffer.min_ms()?;
        match (self.length, &self.pace) {
            (_, Pace::Time { deadline_ms, .. }) => Some(*deadline_ms),
            (Extent::Time(length), Pace::Count { .. }) => Some(oldest_ms + millis(length)),
            (Extent::Count(_), Pace::Count { .. }) => None,
        }
    }

    /// The next window that is due and holds an event, oldest first.
    ///
    /// # Cost
    /// Amortised O(1) per event that enters or leaves, however long the window is, plus O(1) per
    /// empty window between two events. Without allocation once warm.
    pub fn next_activation(&mut self) -> Option<Activation<'_, T>> {
        let Some(end_ms) = self.evaluate_due() else {
            self.release();
            return None;
        };
        let start_ms = match self.length {
            Extent::Count(_) => None,
            Extent::Time(length) => Some(end_ms - millis(length)),
        };
        Some(self.buffer.activation(start_ms, end_ms))
    }

    /// The events that can be in no later window, each exactly once: the caller acks them now.
    ///
    /// An event leaves as soon as that is certain, which is often one slide before Storm notices
    /// and never later.
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
        while let Some(due) = self.pop_due() {
            let keep = match self.length {
                Extent::Count(length) => Keep::Last(length),
                Extent::Time(length) => Keep::Above(due.end_ms - millis(length)),
            };
            if self.buffer.evaluate(due.end_ms, due.before_seq, keep) {
                return Some(due.end_ms);
            }
            if let Some(min_ms) = self.buffer.min_ms() {
                self.pace.skip_to_after(min_ms);
            }
        }
        None
    }

    /// The next window that is due; the one after it becomes the next.
    fn pop_due(&mut self) -> Option<Due> {
        match &mut self.pace {
            Pace::Count { due, .. } => due.pop_front(),
            Pace::Time { slide_ms, deadline_ms } => {
                if self.buffer.is_empty() || self.now_ms < *deadline_ms {
                    return None;
                }
                let end_ms = *deadline_ms - 1;
                *deadline_ms += *slide_ms;
                Some(Due { end_ms, before_seq: u64::MAX })
            }
        }
    }

    /// Lets events leave that cannot be in the next window, given that none is due now.
    fn release(&mut self) {
        match (self.length, &self.pace) {
            (Extent::Time(length), Pace::Time { deadline_ms, .. }) => {
                self.buffer.expire_up_to(*deadline_ms - 1 - millis(length));
            }
            (Extent::Time(length), Pace::Count { .. }) => {
                self.buffer.expire_up_to(self.now_ms - millis(length));
            }
            (Extent::Count(length), Pace::Time { .. }) => {
                let excess = self.buffer.len().saturating_sub(length);
                self.buffer.expire_first(excess);
            }
            (Extent::Count(length), Pace::Count { slide, seen, .. }) => {
                let next = self.buffer.len() + (*slide - *seen);
                self.buffer.expire_first(next.saturating_sub(length));
            }
        }
    }
}

impl Pace {
    /// Moves the deadline to the first one after `ts_ms`, past windows that would be empty, and
    /// answers whether there were any.
    fn skip_to_after(&mut self, ts_ms: i64) -> bool {
        match self {
            Self::Time { slide_ms, deadline_ms } if *deadline_ms <= ts_ms => {
                *deadline_ms += ((ts_ms - *deadline_ms) / *slide_ms + 1) * *slide_ms;
                true
            }
            _ => false,
        }
    }
}
