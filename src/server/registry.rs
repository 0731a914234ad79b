//! Which connections are open and which of them are idle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

/// The idle connections, oldest first; the lock is held for one look-up or change.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    idle: Mutex<BTreeMap<u64, Arc<Notify>>>,
    next: AtomicU64,
}

/// A connection's place among the idle ones; dropping it takes the connection out.
#[derive(Debug)]
pub(super) struct Idle {
    registry: Registry,
    ticket: u64,
    told: Arc<Notify>,
}

impl Registry {
    /// Enters a connection that waits for its next frame.
    pub fn idle(&self) -> Idle {
        let ticket = self.0.next.fetch_add(1, Ordering::Relaxed);
        let told = Arc::new(Notify::new());
        self.lock().insert(ticket, Arc::clone(&told));
        Idle { registry: self.clone(), ticket, told }
    }

    /// Tells the connection that is idle for the longest to close; `false` if none is idle.
    pub fn evict(&self) -> bool {
        let oldest = self.lock().pop_first();
        // One permit is kept, so a connection that is about to wait is told as well.
        oldest.map(|(_, told)| told.notify_one()).is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Notify>>> {
        self.0.idle.lock().expect("no holder panics")
    }
}

impl Idle {
    /// Completes when the connection is to make room.
    pub async fn evicted(&self) {
        self.told.notified().await;
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.ticket);
    }
}
