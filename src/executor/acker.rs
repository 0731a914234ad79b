//! The executor of an acker: messages into the ledger, decisions to the spouts.

use std::sync::Arc;

use super::Rest;
use crate::acker::{AckLedger, Outcome, flag};
use crate::clock::Time;
use crate::counter::ExecutorCounts;
use crate::id::RootId;
use crate::transfer::Transfer;
use crate::tuple::block::Block;

/// Keeps the trees of some spouts' messages.
#[derive(Debug)]
pub(crate) struct AckerExecutor {
    pub slot: u32,
    pub ledger: AckLedger,
    pub counts: Arc<ExecutorCounts>,
}

impl AckerExecutor {
    /// Applies every message that has come, and tells the spouts what it decided.
    #[inline]
    pub fn run(&mut self, transfer: &mut Transfer) -> Rest {
        transfer.send_acks_to_slot(self.slot);
        while let Some(block) = transfer.next_block(self.slot) {
            self.apply(&block, transfer);
            transfer.finish(block);
        }
        transfer.send_completions();
        Rest::Until(Time::NEVER)
    }

    fn apply(&mut self, block: &Block, transfer: &mut Transfer) {
        let mut late = 0;
        for message in &block.anchors {
            let root = RootId::of(message.root);
            match self.ledger.apply(*message) {
                Outcome::Open => {}
                Outcome::Acked => transfer.complete(root, 0),
                Outcome::Failed => transfer.complete(root, flag::FAIL),
                Outcome::Reset => transfer.complete(root, flag::RESET),
                Outcome::Late => late += 1,
            }
        }
        self.counts.late.add(late);
        self.counts.cycles.add(1);
    }
}
