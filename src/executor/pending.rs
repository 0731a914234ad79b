//! Spout tuples emitted but neither acked nor failed, by slot.
//!
//! **Invariants.** A root is found exactly once: by its ack, by its fail or by its timeout,
//! whichever comes first. A slot used again has another generation, so a late answer finds nothing.

use std::time::Duration;

use crate::clock::Time;
use crate::id::{RootId, TaskId};
use crate::tuple::MessageId;

/// The pending messages of one spout task.
///
/// # Cost
/// 56 bytes per slot; [`insert`](Self::insert) and [`remove`](Self::remove) take constant time and
/// allocate only while the table grows.
#[derive(Debug)]
pub(crate) struct Pending {
    task: TaskId,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    /// From when its timeout counts: its emission, or the last reset.
    since: Time,
    generation: u32,
    live: bool,
}

/// What is remembered of an emitted message.
#[derive(Debug, Default, Clone)]
pub(crate) struct Message {
    pub id: MessageId,
    pub emitted_at_ns: u64,
    /// Position among the spout's output streams.
    pub output: u16,
}

impl Pending {
    pub fn new(task: TaskId) -> Self {
        Self { task, entries: Vec::new(), free: Vec::new() }
    }

    /// Number of pending messages.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Remembers a message and answers the root of its tree, or hands the message back if the
    /// table is full, at [`RootId::MAX_PENDING`].
    #[inline]
    pub fn insert(&mut self, message: Message) -> Result<RootId, Message> {
        let since = Time::from_nanos(message.emitted_at_ns);
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.entries[slot as usize];
            entry.generation = (entry.generation + 1) % RootId::GENERATIONS;
            entry.message = message;
            entry.since = since;
            entry.live = true;
            return Ok(RootId::new(self.task, entry.generation, slot));
        }
        let slot = self.entries.len();
        if slot == RootId::MAX_PENDING {
            return Err(message);
        }
        self.entries.push(Entry { message, since, generation: 0, live: true });
        Ok(RootId::new(self.task, 0, slot as u32))
    }

    /// Forgets a root that was decided; none if it was before.
    #[inline]
    pub fn remove(&mut self, root: RootId) -> Option<Message> {
        let entry = self.entries.get_mut(root.slot() as usize)?;
        if !entry.live || entry.generation != root.generation() {
            return None;
        }
        entry.live = false;
        self.free.push(root.slot());
        Some(std::mem::take(&mut entry.message))
    }

    /// Starts the timeout of a root anew; false if it was decided before.
    pub fn reset(&mut self, root: RootId, now: Time) -> bool {
        match self.entries.get_mut(root.slot() as usize) {
            Some(entry) if entry.live && entry.generation == root.generation() => {
                entry.since = now;
                true
            }
            _ => false,
        }
    }

    /// Takes out every message whose timeout has passed, in the order of slots.
    ///
    /// # Cost
    /// Walks all slots; called a few times per timeout.
    pub fn expire(&mut self, now: Time, timeout: Duration) -> Vec<Message> {
        self.take_where(|entry| now.since(entry.since) >= timeout)
    }

    /// Takes out every message.
    pub fn drain(&mut self) -> Vec<Message> {
        self.take_where(|_| true)
    }

    fn take_where(&mut self, wanted: impl Fn(&Entry) -> bool) -> Vec<Message> {
        let mut taken = Vec::new();
        for (slot, entry) in self.entries.iter_mut().enumerate() {
            if entry.live && wanted(entry) {
                entry.live = false;
                self.free.push(slot as u32);
                taken.push(std::mem::take(&mut entry.message));
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: i64, at_s: u64) -> Message {
        Message { id: id.into(), emitted_at_ns: at_s * 1_000_000_000, output: 0 }
    }

    fn at(seconds: u64) -> Time {
        Time::ZERO + Duration::from_secs(seconds)
    }

    fn ids(messages: &[Message]) -> Vec<i64> {
        messages.iter().map(|message| message.id.as_i64().unwrap()).collect()
    }

    #[test]
    fn a_root_is_found_once_and_its_successor_in_the_slot_is_another() {
        let mut pending = Pending::new(TaskId(3));
        let first = pending.insert(message(1, 0)).unwrap();
        assert_eq!(pending.remove(first).unwrap().id, 1i64.into());
        assert!(pending.remove(first).is_none());
        let second = pending.insert(message(2, 0)).unwrap();
        assert_eq!(second.slot(), first.slot());
        assert!(pending.remove(first).is_none());
        assert_eq!(pending.len(), 1);
        assert!(pending.remove(second).is_some());
    }

    #[test]
    fn only_messages_whose_time_is_up_expire() {
        let mut pending = Pending::new(TaskId(1));
        let first = pending.insert(message(1, 0)).unwrap();
        pending.insert(message(2, 10)).unwrap();
        let timeout = Duration::from_secs(30);
        assert!(pending.expire(at(29), timeout).is_empty());
        assert_eq!(ids(&pending.expire(at(30), timeout)), [1]);
        assert!(pending.remove(first).is_none());
        assert_eq!(ids(&pending.expire(at(40), timeout)), [2]);
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn a_reset_starts_the_timeout_anew() {
        let mut pending = Pending::new(TaskId(1));
        let root = pending.insert(message(1, 0)).unwrap();
        assert!(pending.reset(root, at(20)));
        assert!(pending.expire(at(30), Duration::from_secs(30)).is_empty());
        assert_eq!(ids(&pending.expire(at(50), Duration::from_secs(30))), [1]);
        assert!(!pending.reset(root, at(51)));
    }

    #[test]
    fn draining_takes_every_message_out() {
        let mut pending = Pending::new(TaskId(1));
        let gone = pending.insert(message(1, 0)).unwrap();
        pending.insert(message(2, 0)).unwrap();
        pending.insert(message(3, 0)).unwrap();
        pending.remove(gone);
        assert_eq!(ids(&pending.drain()), [2, 3]);
        assert_eq!(pending.len(), 0);
    }
}
