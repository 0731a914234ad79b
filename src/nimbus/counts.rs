//! What Nimbus counts about itself, for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows; any thread adds.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// What it is.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What Nimbus counts about itself since it started.
#[derive(Debug, Default)]
pub struct Counts {
    /// Topologies submitted.
    pub submitted: Count,
    /// Topologies killed.
    pub killed: Count,
    /// Topologies removed after a kill.
    pub removed: Count,
    /// Rebalances carried out.
    pub rebalanced: Count,
    /// Scheduling rounds.
    pub rounds: Count,
    /// Rounds that failed.
    pub failed_rounds: Count,
    /// Worker reports taken.
    pub reports: Count,
    /// Blobs and files that were cleaned up.
    pub cleaned: Count,
}
