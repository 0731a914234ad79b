//! Credit across workers: how many blocks of each link are under way, pure.
//!
//! ```text
//!  emitter --> block --> out link ====> in link --> block --> receiver
//!     ^                   | held          | occupied             |
//!     +--- comes home <---+ <=== credit <=+ <--- comes home -----+
//! ```
//!
//! A link has as many blocks as its receiver grants it, on both sides. A block whose tuples were
//! sent stays, emptied, with the out link until the receiver has processed them, so a slow receiver
//! holds back the emitters of its own links and nobody else. After a reconnection the peer says
//! which blocks are occupied still; as many are the link's debt, and not sent before it is paid.

use std::collections::VecDeque;

use crate::id::{ExecutorId, TaskId};
use crate::tuple::block::Block;

/// Blocks of a link without a limit.
pub(crate) const NO_LIMIT: u32 = 0;

/// The two ends of a link, by the lowest tasks of their executors: how both workers name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(crate) struct Ends {
    pub emitter: TaskId,
    pub receiver: TaskId,
}

/// A link to an executor in another worker.
#[derive(Debug)]
pub(super) struct OutLink {
    pub ends: Ends,
    /// [`NO_LIMIT`] or the number of blocks.
    limit: u32,
    /// Blocks of an earlier connection that the peer has not processed yet.
    debt: u32,
    /// Emptied blocks whose tuples are under way.
    #[allow(clippy::vec_box, reason = "a block's box is what travels")]
    held: Vec<Box<Block>>,
    /// Blocks that cannot be sent yet.
    pub waiting: VecDeque<Box<Block>>,
}

impl OutLink {
    pub fn new(ends: Ends, limit: u32) -> Self {
        Self { ends, limit, debt: 0, held: Vec::new(), waiting: VecDeque::new() }
    }

    /// Whether another block may be sent.
    #[inline]
    pub fn has_credit(&self) -> bool {
        self.limit == NO_LIMIT || self.debt as usize + self.held.len() < self.limit as usize
    }

    /// Keeps a block that was sent and emptied, or hands it back if the link has no limit.
    #[inline]
    pub fn sent(&mut self, block: Box<Block>) -> Option<Box<Block>> {
        if self.limit == NO_LIMIT {
            return Some(block);
        }
        self.held.push(block);
        None
    }

    /// The peer owes nothing but these blocks: a connection begins.
    pub fn begin(&mut self, occupied: u32) {
        self.debt = occupied;
    }

    /// Takes credit, and answers how many of the held blocks come home by it.
    #[inline]
    pub fn credit(&mut self, blocks: u32) -> usize {
        let paid = blocks.min(self.debt);
        self.debt -= paid;
        // A peer that hands back more than it got is not followed.
        ((blocks - paid) as usize).min(self.held.len())
    }

    /// Takes a held block.
    #[inline]
    pub fn take_held(&mut self) -> Option<Box<Block>> {
        self.held.pop()
    }

    /// Ends a connection: every block comes home, and how many tuples are lost with those that
    /// were not sent.
    pub fn end(&mut self, mut home: impl FnMut(Box<Block>)) -> usize {
        self.debt = 0;
        let lost = self.waiting.iter().map(|block| block.headers.len()).sum();
        self.held.drain(..).chain(self.waiting.drain(..)).for_each(&mut home);
        lost
    }
}

/// A link from an executor in another worker.
#[derive(Debug)]
pub(super) struct InLink {
    pub ends: Ends,
    pub receiver: ExecutorId,
    /// Number of the link that leads on to the executor.
    pub link: u32,
    /// Thread of the executor.
    pub thread: u16,
    /// [`NO_LIMIT`] or the number of blocks.
    limit: u32,
    /// Blocks that came and are not processed, also of earlier connections.
    pub occupied: u32,
    /// Processed blocks that the peer does not know of.
    to_return: u32,
    /// Whether the executor's thread is to wake this one when it hands a block home.
    pub is_awaited: bool,
    /// A block of which not all frames have come.
    pub partial: Option<Box<Block>>,
}

impl InLink {
    pub fn new(ends: Ends, receiver: ExecutorId, link: u32, thread: u16, limit: u32) -> Self {
        Self {
            ends,
            receiver,
            link,
            thread,
            limit,
            occupied: 0,
            to_return: 0,
            is_awaited: false,
            partial: None,
        }
    }

    /// Counts a block that comes in; false if the peer has no credit for it.
    ///
    /// A peer whose executors moved may have been told of none of the blocks that they had sent
    /// from elsewhere, so twice the limit is tolerated, and no more.
    #[inline]
    #[must_use]
    pub fn come(&mut self) -> bool {
        self.occupied += 1;
        self.limit == NO_LIMIT || self.occupied + self.to_return <= 2 * self.limit
    }

    /// Counts a block that was processed.
    #[inline]
    pub fn processed(&mut self) {
        self.occupied -= 1;
        if self.limit != NO_LIMIT {
            self.to_return += 1;
        }
    }

    /// Whether the peer may wait for credit: then it is worth a write of its own.
    #[inline]
    pub fn is_urgent(&self) -> bool {
        2 * self.to_return >= self.limit && self.to_return > 0
    }

    /// Whether more than half of the blocks are with the receiver, so that the peer may wait.
    #[inline]
    pub fn is_crowded(&self) -> bool {
        self.limit != NO_LIMIT && 2 * self.occupied > self.limit
    }

    /// Takes the credit that the peer is to be given.
    #[inline]
    pub fn take_credit(&mut self) -> u32 {
        std::mem::take(&mut self.to_return)
    }

    /// Whether the peer is to be given credit.
    #[inline]
    pub fn has_credit(&self) -> bool {
        self.to_return > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: Ends = Ends { emitter: TaskId(1), receiver: TaskId(2) };

    #[test]
    fn a_link_sends_as_many_blocks_as_it_has_credit_for() {
        let mut link = OutLink::new(ENDS, 2);
        for _ in 0..2 {
            assert!(link.has_credit());
            assert!(link.sent(Block::boxed()).is_none());
        }
        assert!(!link.has_credit());
        assert_eq!(link.credit(1), 1);
        assert!(link.take_held().is_some() && link.has_credit());
        assert_eq!(link.credit(7), 1);
    }

    #[test]
    fn a_debt_is_paid_before_blocks_come_home() {
        let mut link = OutLink::new(ENDS, 2);
        link.begin(1);
        assert!(link.sent(Block::boxed()).is_none());
        assert!(!link.has_credit());
        assert_eq!(link.credit(1), 0);
        assert!(link.has_credit());
        assert_eq!(link.credit(1), 1);
    }

    #[test]
    fn the_end_of_a_connection_brings_every_block_home() {
        let mut link = OutLink::new(ENDS, 3);
        assert!(link.sent(Block::boxed()).is_none());
        link.waiting.push_back(Block::boxed());
        let mut home = 0;
        assert_eq!(link.end(|_| home += 1), 0);
        assert_eq!(home, 2);
    }

    #[test]
    fn a_waiting_peer_is_given_credit_at_once_or_its_receiver_is_awaited() {
        for limit in 2..9 {
            for processed in 0..=limit {
                let executor = ExecutorId { first_task: TaskId(2), last_task: TaskId(2) };
                let mut link = InLink::new(ENDS, executor, 0, 1, limit);
                (0..limit).for_each(|_| assert!(link.come()));
                (0..processed).for_each(|_| link.processed());
                assert!(link.is_urgent() || link.is_crowded(), "{processed} of {limit}");
            }
        }
    }

    #[test]
    fn a_peer_without_credit_is_found_out() {
        let executor = ExecutorId { first_task: TaskId(2), last_task: TaskId(2) };
        let mut link = InLink::new(ENDS, executor, 0, 1, 2);
        assert!((0..4).all(|_| link.come()));
        assert!(!link.come());
    }
}
