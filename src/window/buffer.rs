//! The events a window may still need, in order of arrival, and the step from one window to the next.
//!
//! ```text
//!   left                  entries
//!   a b c d | e f         g h i | j K l m N
//!           ^ expired           ^ solid     ^ limit: nothing behind it is in the window
//!             in this one
//! ```
//!
//! Lower case is in the window now, upper case (K, N) has a timestamp beyond its end and waits.
//!
//! **Invariants**
//! - Entries stand in order of arrival, whatever their timestamps: that is the order in which a
//!   window lists them, and the order in which count windows drop them.
//! - The first `solid` entries are all in the window; further ones may be, if they arrived after an
//!   event that is still ahead of the window.
//! - An event goes from `entries` to `left` once and never back.
//! - An event stays in `left` until both a window has listed it as expired and the caller was told
//!   that it left.
//!
//! **Runs on** the thread of the window's executor; unshared.
//!
//! **Not here**: when a window is due and where it ends.

use std::collections::VecDeque;
use std::collections::vec_deque;

use super::activation::Activation;
use super::lows::Lows;

/// Which of the events up to the end of a window make up the window; the others leave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep {
    /// Those with a timestamp above this one.
    Above(i64),
    /// So many, the last to arrive.
    Last(usize),
    /// Of the first `quota` to arrive the last `length`; what arrived after them stays and waits.
    Quota { quota: usize, length: usize },
}

/// Events in order of arrival, and which of them the window of the last evaluation holds.
#[derive(Debug)]
pub(super) struct Buffer<T> {
    entries: VecDeque<Entry<T>>,
    /// Arrival number of `entries[0]`.
    head_seq: u64,
    /// Speaks of exactly the events in `entries`.
    lows: Lows,
    /// Number of entries in the window.
    members: usize,
    /// Number of entries at the front that are in the window without a gap.
    solid: usize,
    /// Number of the last evaluation, which may have found nothing; 0 before the first.
    evaluation: u64,
    /// What the last evaluation found, for [`activation`](Self::activation).
    found: Found,
    /// Scratch for [`expire`](Self::expire), kept for its capacity, empty outside of it.
    survivors: Vec<Entry<T>>,
    /// Events out of all windows, oldest first.
    left: VecDeque<T>,
    /// So many at the front of `left` the last evaluation, or one before it, has listed.
    listed: usize,
    /// So many at the front of `left` the caller was told about.
    reported: usize,
}

/// An event and when it came into the window.
#[derive(Debug)]
pub(super) struct Entry<T> {
    ts_ms: i64,
    /// The evaluation that took the event into the window; 0 while it is not in it.
    since: u64,
    event: T,
}

/// Positions in a [`Buffer`] that describe the window of its last evaluation.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// No entry from here on is in the window.
    limit: usize,
    /// No entry before this one is new in the window.
    new_from: usize,
    /// How many entries are new in the window.
    new: usize,
    /// The part of `left` from here to `listed` has expired with this window.
    expired_from: usize,
}

impl<T> Buffer<T> {
    pub(super) fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            head_seq: 0,
            lows: Lows::default(),
            members: 0,
            solid: 0,
            evaluation: 0,
            found: Found::default(),
            survivors: Vec::new(),
            left: VecDeque::new(),
            listed: 0,
            reported: 0,
        }
    }

    pub(super) fn push(&mut self, event: T, ts_ms: i64) {
        self.lows.push_back(self.next_seq(), ts_ms);
        self.entries.push_back(Entry { ts_ms, since: 0, event });
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many events the window of the last evaluation holds.
    pub(super) fn members(&self) -> usize {
        self.members
    }

    /// The number the next event to arrive will have.
    pub(super) fn next_seq(&self) -> u64 {
        self.head_seq + self.entries.len() as u64
    }

    /// The lowest timestamp of all events.
    pub(super) fn min_ms(&self) -> Option<i64> {
        self.lows.min_ms()
    }

    /// Timestamps of the events above `from_ms` and up to `to_ms`, in order of arrival, provided
    /// that none of the present window's events is above `from_ms`.
    pub(super) fn timestamps(&self, from_ms: i64, to_ms: i64) -> impl Iterator<Item = i64> {
        let limit = self.limit(to_ms, u64::MAX).max(self.solid);
        self.entries
            .range(self.solid..limit)
            .map(|entry| entry.ts_ms)
            .filter(move |ts_ms| from_ms < *ts_ms && *ts_ms <= to_ms)
    }

    /// Moves on to the window that ends with `end_ms` (inclusive) and knows only the events that
    /// arrived before the one numbered `before_seq`. Answers whether it holds any event.
    ///
    /// Both arguments must not fall from call to call.
    ///
    /// # Cost
    /// O(new + expired) if events arrive in order of their timestamps; otherwise also those that
    /// stand between the first event that waits and the last that is in the window.
    pub(super) fn evaluate(&mut self, end_ms: i64, before_seq: u64, keep: Keep) -> bool {
        self.prune();
        self.evaluation += 1;
        let expired_from = self.listed;
        let limit = self.limit(end_ms, before_seq);
        let most = match keep {
            Keep::Above(cut_ms) => {
                self.expire_up_to(cut_ms);
                usize::MAX
            }
            Keep::Last(length) => {
                let eligible = self.members + self.waiting(limit, end_ms);
                self.expire(limit, eligible.saturating_sub(length), end_ms);
                length
            }
            Keep::Quota { quota, length } => {
                self.expire(limit, quota.saturating_sub(length), end_ms);
                quota.min(length)
            }
        };
        let new_from = self.solid;
        let limit = self.limit(end_ms, before_seq).max(new_from);
        let new = self.admit(limit, end_ms, most);
        self.listed = self.left.len();
        self.found = Found { limit, new_from, new, expired_from };
        0 < self.members
    }

    /// Stands for an evaluation that finds nothing because nothing is buffered.
    pub(super) fn pass_empty_window(&mut self) {
        self.listed = self.left.len();
    }

    /// The window of the last evaluation, which must have found an event.
    pub(super) fn activation(&self, start_ms: Option<i64>, end_ms: i64) -> Activation<'_, T> {
        let found = self.found;
        Activation::new(
            (self.entries.range(..found.limit), self.members),
            (self.entries.range(found.new_from..found.limit), self.evaluation, found.new),
            self.left.range(found.expired_from..self.listed),
            start_ms,
            end_ms,
        )
    }

    /// Lets events with a timestamp of at most `cut_ms` leave.
    ///
    /// # Cost
    /// O(1) if there is none, otherwise O(expired) plus what arrived before the last of them.
    pub(super) fn expire_up_to(&mut self, cut_ms: i64) {
        if self.min_ms().is_some_and(|min_ms| min_ms <= cut_ms) {
            let scan = self.limit(cut_ms, u64::MAX);
            self.expire(scan, usize::MAX, cut_ms);
        }
    }

    /// Lets the `count` events leave that arrived first.
    pub(super) fn expire_first(&mut self, count: usize) {
        self.expire(self.entries.len(), count, i64::MAX);
    }

    /// The events that left since the last call, each once.
    pub(super) fn take_left(&mut self) -> vec_deque::Iter<'_, T> {
        self.prune();
        let from = std::mem::replace(&mut self.reported, self.left.len());
        self.left.range(from..)
    }

    /// The events that no call of [`take_left`](Self::take_left) has told of, those that left first.
    pub(super) fn into_untold(self) -> impl Iterator<Item = T> {
        let entries = self.entries.into_iter().map(|entry| entry.event);
        self.left.into_iter().skip(self.reported).chain(entries)
    }

    /// Position behind the last event of at most `ts_ms` that arrived before `before_seq`.
    fn limit(&self, ts_ms: i64, before_seq: u64) -> usize {
        let behind = self.lows.last_at_most(ts_ms).map_or(0, |seq| seq + 1);
        let behind = behind.min(before_seq).saturating_sub(self.head_seq);
        usize::try_from(behind).unwrap_or(usize::MAX)
    }

    /// Number of entries outside the window, before `limit` and with at most `end_ms`.
    fn waiting(&self, limit: usize, end_ms: i64) -> usize {
        self.entries
            .range(self.solid..limit.max(self.solid))
            .filter(|entry| entry.since == 0 && entry.ts_ms <= end_ms)
            .count()
    }

    /// Takes entries up to `end_ms` into the window until it holds `most`, oldest first, and
    /// answers how many were not in the last one.
    fn admit(&mut self, limit: usize, end_ms: i64, most: usize) -> usize {
        let mut members = self.solid;
        let mut new = 0;
        let mut without_gap = true;
        for entry in self.entries.range_mut(self.solid..limit) {
            if end_ms < entry.ts_ms || most <= members {
                // Under a quota an event that arrived early but became due late takes the place
                // of one that was in the window already.
                entry.since = 0;
                without_gap = false;
                continue;
            }
            members += 1;
            if entry.since == 0 {
                entry.since = self.evaluation;
                new += 1;
            }
            if without_gap {
                self.solid += 1;
            }
        }
        self.members = members;
        new
    }

    /// Lets up to `most` of the first `scan` entries leave, those with at most `cut_ms`.
    fn expire(&mut self, scan: usize, most: usize, cut_ms: i64) {
        let mut scanned = 0;
        let mut expired = 0;
        let mut expired_solid = 0;
        while scanned < scan && expired < most {
            let Some(entry) = self.entries.pop_front() else {
                break;
            };
            if entry.ts_ms <= cut_ms {
                expired += 1;
                expired_solid += usize::from(scanned < self.solid);
                self.members -= usize::from(entry.since != 0);
                self.left.push_back(entry.event);
            } else {
                self.survivors.push(entry);
            }
            scanned += 1;
        }
        self.lows.forget_before(self.head_seq + scanned as u64);
        self.head_seq += expired as u64;
        self.solid -= expired_solid;
        while let Some(entry) = self.survivors.pop() {
            let seq = self.head_seq + self.survivors.len() as u64;
            self.lows.push_front(seq, entry.ts_ms);
            self.entries.push_front(entry);
        }
    }

    /// Drops what neither the next window nor the next [`take_left`](Self::take_left) will show.
    fn prune(&mut self) {
        let done = self.listed.min(self.reported);
        self.left.drain(..done);
        self.listed -= done;
        self.reported -= done;
    }
}

impl<T> Entry<T> {
    /// The event, if it has been in the window since this evaluation or a later one.
    pub(super) fn event_since(&self, evaluation: u64) -> Option<&T> {
        (evaluation <= self.since).then_some(&self.event)
    }
}
