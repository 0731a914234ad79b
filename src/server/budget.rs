//! Memory that all connections of a server share for large frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a frame that need no budget: as much as any connection may have.
pub(super) const FREE_BYTES: usize = 64 << 10;

/// Bytes that are left for large frames; every connection takes from it, without waiting.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// What one frame holds of the budget; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// A share of nothing, to grow.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Grows the share so that a frame may hold `total` bytes; `false` if too little is left.
    #[must_use]
    pub fn cover(&mut self, total: usize) -> bool {
        let needed = total.saturating_sub(FREE_BYTES + self.bytes);
        let take = |left: usize| left.checked_sub(needed);
        let taken = self.budget.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        if taken.is_ok() {
            self.bytes += needed;
        }
        taken.is_ok()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back_and_never_exceed_the_budget() {
        let budget = Budget::new(100);
        let (mut a, mut b) = (budget.share(), budget.share());
        assert!(a.cover(FREE_BYTES));
        assert!(a.cover(FREE_BYTES + 60));
        assert!(a.cover(FREE_BYTES + 60), "covered already");
        assert!(!b.cover(FREE_BYTES + 41));
        assert!(b.cover(FREE_BYTES + 40));
        drop(a);
        assert!(b.cover(FREE_BYTES + 100));
    }
}
