//! Spout tuples emitted but neither acked nor failed, by slot.
//!
//! Where the acker sits on the spout's thread, the slot keeps the message's tree as well, and acks
//! come straight here; else an acker keeps the tree and its verdicts come here.
//!
//! **Invariants.** A root is found exactly once: by its ack, by its fail or by its timeout,
//! whichever comes first. A slot used again has another generation, so a late answer finds nothing.

use std::time::Duration;

use crate::acker::{Outcome, Tree, flag};
use crate::clock::Time;
use crate::id::{RootId, TaskId};
use crate::tuple::{Anchor, MessageId};

/// The pending messages of one spout task.
///
/// # Cost
/// 56 bytes per slot; [`insert`](Self::insert), [`apply`](Self::apply) and [`heed`](Self::heed) take constant time and
/// allocate only while the table grows.
#[derive(Debug)]
pub(crate) struct Pending {
    task: TaskId,
    /// Differs from process to process where acks come from other workers, so that those for an
    /// earlier process find nothing.
    first_generation: u32,
    entries: Vec<Entry>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    /// From when its timeout counts: its emission, or the last reset.
    since: Time,
    /// Alive as long as the message is pending; its edges are known here only if it is kept here.
    tree: Tree,
}

/// What a message about a root did.
#[derive(Debug)]
#[must_use]
pub(crate) enum Applied {
    /// The root is pending as before.
    Open,
    /// The root was decided by this.
    Decided { message: Message, failed: bool },
    /// The root was decided before, or never was.
    Late,
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
    /// An empty table, whose slots are first used under the generation `first_generation`.
    pub fn new(task: TaskId, first_generation: u32) -> Self {
        let first_generation = first_generation % RootId::GENERATIONS;
        Self { task, first_generation, entries: Vec::new(), free: Vec::new() }
    }

    /// Number of pending messages.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// Remembers a message and answers the root of its tree, or hands the message back if the
    /// table is full, at [`RootId::MAX_PENDING`]. `plant` makes the tree of a generation.
    #[inline]
    pub fn insert(
        &mut self,
        message: Message,
        plant: impl FnOnce(u32) -> Tree,
    ) -> Result<RootId, Message> {
        let since = Time::from_nanos(message.emitted_at_ns);
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.entries[slot as usize];
            let generation = (entry.tree.generation + 1) % RootId::GENERATIONS;
            *entry = Entry { message, since, tree: plant(generation) };
            return Ok(RootId::new(self.task, generation, slot));
        }
        let slot = self.entries.len();
        if slot == RootId::MAX_PENDING {
            return Err(message);
        }
        let generation = self.first_generation;
        self.entries.push(Entry { message, since, tree: plant(generation) });
        Ok(RootId::new(self.task, generation, slot as u32))
    }

    /// Applies a message to a tree that is kept here: flags and root in one word, and the XOR of
    /// edges.
    #[inline]
    pub fn apply(&mut self, message: Anchor, now: Time) -> Applied {
        let root = RootId::of(message.root);
        let Some(entry) = self.entry(root) else { return Applied::Late };
        let failed = match entry.tree.apply(message) {
            Outcome::Open => return Applied::Open,
            Outcome::Late => return Applied::Late,
            Outcome::Reset => {
                entry.since = now;
                return Applied::Open;
            }
            Outcome::Acked => false,
            Outcome::Failed => true,
        };
        let message = std::mem::take(&mut entry.message);
        self.free.push(root.slot());
        Applied::Decided { message, failed }
    }

    /// Heeds what an acker has decided: a root with flags.
    #[inline]
    pub fn heed(&mut self, verdict: u64, now: Time) -> Applied {
        let root = RootId::of(verdict);
        let found = self.entry(root).filter(|entry| entry.tree.is_alive());
        if verdict & flag::RESET != 0 {
            if let Some(entry) = found {
                entry.since = now;
            }
            return Applied::Open;
        }
        let Some(entry) = found else { return Applied::Late };
        entry.tree.close();
        let message = std::mem::take(&mut entry.message);
        self.free.push(root.slot());
        Applied::Decided { message, failed: verdict & flag::FAIL != 0 }
    }

    #[inline]
    fn entry(&mut self, root: RootId) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(root.slot() as usize)?;
        (entry.tree.generation == root.generation()).then_some(entry)
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
            if entry.tree.is_alive() && wanted(entry) {
                entry.tree.close();
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

    /// The message that an acker's verdict on a root takes out.
    fn acked(pending: &mut Pending, root: RootId) -> Option<i64> {
        match pending.heed(root.0, Time::ZERO) {
            Applied::Decided { message, failed: false } => message.id.as_i64(),
            _ => None,
        }
    }

    #[test]
    fn a_root_is_found_once_and_its_successor_in_the_slot_is_another() {
        let mut pending = Pending::new(TaskId(3), 0);
        let first = pending.insert(message(1, 0), Tree::new).unwrap();
        assert_eq!(acked(&mut pending, first), Some(1));
        assert_eq!(acked(&mut pending, first), None);
        let second = pending.insert(message(2, 0), Tree::new).unwrap();
        assert_eq!(second.slot(), first.slot());
        assert_eq!(acked(&mut pending, first), None);
        assert_eq!(pending.len(), 1);
        assert_eq!(acked(&mut pending, second), Some(2));
    }

    #[test]
    fn only_messages_whose_time_is_up_expire() {
        let mut pending = Pending::new(TaskId(1), 0);
        let first = pending.insert(message(1, 0), Tree::new).unwrap();
        pending.insert(message(2, 10), Tree::new).unwrap();
        let timeout = Duration::from_secs(30);
        assert!(pending.expire(at(29), timeout).is_empty());
        assert_eq!(ids(&pending.expire(at(30), timeout)), [1]);
        assert_eq!(acked(&mut pending, first), None);
        assert_eq!(ids(&pending.expire(at(40), timeout)), [2]);
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn a_reset_starts_the_timeout_anew() {
        let mut pending = Pending::new(TaskId(1), 0);
        let root = pending.insert(message(1, 0), Tree::new).unwrap();
        assert!(matches!(pending.heed(root.0 | flag::RESET, at(20)), Applied::Open));
        assert!(pending.expire(at(30), Duration::from_secs(30)).is_empty());
        assert_eq!(ids(&pending.expire(at(50), Duration::from_secs(30))), [1]);
        assert!(matches!(pending.heed(root.0 | flag::RESET, at(51)), Applied::Open));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn a_tree_that_is_kept_here_is_decided_once_and_late_for_its_slot_s_next_use() {
        let mut pending = Pending::new(TaskId(1), 0);
        let root = pending.insert(message(1, 0), Tree::new).unwrap().0;
        let mut apply = |root: u64, edge: u64| pending.apply(Anchor { root, edge }, at(20));
        assert!(matches!(apply(root, 7), Applied::Open));
        assert!(matches!(apply(root, 7), Applied::Open), "the init is still to come");
        assert!(matches!(apply(root | flag::INIT, 5), Applied::Open));
        assert!(matches!(apply(root | flag::RESET, 0), Applied::Open));
        let Applied::Decided { message: done, failed: false } = apply(root, 5) else {
            panic!("the tree is complete")
        };
        assert_eq!(done.id.as_i64(), Some(1));
        assert!(matches!(apply(root, 5), Applied::Late));
        let second = pending.insert(message(2, 0), Tree::new).unwrap().0;
        assert!(matches!(pending.apply(Anchor { root, edge: 5 }, at(21)), Applied::Late));
        let failed = pending.apply(Anchor { root: second | flag::FAIL, edge: 0 }, at(21));
        assert!(matches!(failed, Applied::Decided { failed: true, .. }));
        assert_eq!(pending.len(), 0);
    }

    #[test]
    fn draining_takes_every_message_out() {
        let mut pending = Pending::new(TaskId(1), 0);
        let gone = pending.insert(message(1, 0), Tree::new).unwrap();
        pending.insert(message(2, 0), Tree::new).unwrap();
        pending.insert(message(3, 0), Tree::new).unwrap();
        assert_eq!(acked(&mut pending, gone), Some(1));
        assert_eq!(ids(&pending.drain()), [2, 3]);
        assert_eq!(pending.len(), 0);
    }
}
