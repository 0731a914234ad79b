//! One window, lent to the bolt for the time of one call.
//!
//! **Invariants**
//! - It borrows from the buffer: no event is moved or cloned to show it.
//! - It holds at least one event; Storm does not activate a bolt for an empty window.
//!
//! **Runs on** the thread of the window's executor; unshared.
//!
//! **Not here**: anything that changes a window.

use std::collections::vec_deque;
use std::iter::FusedIterator;

use super::buffer::Entry;

/// A window that is due: its events, how they differ from the window before, and where it lies.
///
/// Storm's `TupleWindow`. All lists are in order of arrival, not of timestamps.
#[derive(Debug)]
pub struct Activation<'w, T> {
    events: Events<'w, T>,
    new: Events<'w, T>,
    expired: vec_deque::Iter<'w, T>,
    start_ms: Option<i64>,
    end_ms: i64,
}

/// Events of an [`Activation`], in order of arrival.
///
/// # Cost
/// In all, O(events of the window) plus those that arrived among them but lie ahead of it.
#[derive(Debug)]
pub struct Events<'w, T> {
    entries: vec_deque::Iter<'w, Entry<T>>,
    /// Only entries in the window since this evaluation or a later one count.
    since: u64,
    /// How many are still to come.
    remaining: usize,
}

impl<'w, T> Activation<'w, T> {
    /// Takes entries and number of members; entries, evaluation and number of new members.
    pub(super) fn new(
        (entries, members): (vec_deque::Iter<'w, Entry<T>>, usize),
        (new_entries, evaluation, new): (vec_deque::Iter<'w, Entry<T>>, u64, usize),
        expired: vec_deque::Iter<'w, T>,
        start_ms: Option<i64>,
        end_ms: i64,
    ) -> Self {
        Self {
            events: Events { entries, since: 1, remaining: members },
            new: Events { entries: new_entries, since: evaluation, remaining: new },
            expired,
            start_ms,
            end_ms,
        }
    }

    /// All events of the window, at least one. What the bolt emits is anchored to all of them.
    pub fn events(&self) -> Events<'w, T> {
        self.events.clone()
    }

    /// Those that were not in the window before; possibly none.
    ///
    /// # Cost
    /// O(new) if events arrive in order of their timestamps.
    pub fn new_events(&self) -> Events<'w, T> {
        self.new.clone()
    }

    /// Those that left since the last evaluation, some perhaps without having been in a window.
    ///
    /// As in Storm an evaluation that finds an empty window, and so activates nothing, takes its
    /// expired events with it: no later activation lists them. They are still reported as left.
    pub fn expired_events(&self) -> vec_deque::Iter<'w, T> {
        self.expired.clone()
    }

    /// Number of events in the window, 1 or more.
    #[expect(clippy::len_without_is_empty, reason = "a window is never empty")]
    pub fn len(&self) -> usize {
        self.events.remaining
    }

    /// Where a window with a length in time begins, exclusive; `None` if its length is a count.
    pub fn start_ms(&self) -> Option<i64> {
        self.start_ms
    }

    /// Where the window ends, inclusive. For windows that slide by count, the timestamp at which
    /// the count was reached.
    pub fn end_ms(&self) -> i64 {
        self.end_ms
    }
}

impl<T> Clone for Activation<'_, T> {
    fn clone(&self) -> Self {
        Self {
            events: self.events.clone(),
            new: self.new.clone(),
            expired: self.expired.clone(),
            ..*self
        }
    }
}

impl<T> Clone for Events<'_, T> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), ..*self }
    }
}

impl<'w, T> Iterator for Events<'w, T> {
    type Item = &'w T;

    fn next(&mut self) -> Option<&'w T> {
        if self.remaining == 0 {
            return None;
        }
        let since = self.since;
        let event = self.entries.find_map(|entry| entry.event_since(since));
        self.remaining -= usize::from(event.is_some());
        event
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl<T> ExactSizeIterator for Events<'_, T> {}

impl<T> FusedIterator for Events<'_, T> {}
