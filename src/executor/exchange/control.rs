//! How other threads tell the exchange where executors are, and what it counts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::NO_PEER;
use crate::component::Waker;
use crate::counter::Count;
use crate::id::ExecutorId;
use crate::messaging::connector::Remote;
use crate::messaging::line::{Address, Line};

/// Where the executors of a topology are.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerMap {
    /// Name of this worker.
    pub own: String,
    /// The worker of each executor; those that are missing run nowhere now.
    pub executor_to_worker: BTreeMap<ExecutorId, Address>,
}

impl WorkerMap {
    /// Whether an executor runs in this worker.
    pub fn is_local(&self, executor: ExecutorId) -> bool {
        self.executor_to_worker.get(&executor).is_some_and(|address| address.worker == self.own)
    }
}

/// The peers, and who is where.
#[derive(Debug)]
pub(crate) struct Peers {
    pub lines: Vec<Arc<Line>>,
    pub task_to_peer: Vec<u16>,
}

/// What the exchange counts; its thread writes.
#[derive(Debug, Default)]
pub(crate) struct ExchangeCounts {
    pub sent_tuples: Count,
    pub received_tuples: Count,
    /// Tuples for a worker that was not there.
    pub dropped_tuples: Count,
    /// Acks for a worker that was not there, or for trees that this worker does not keep.
    pub dropped_acks: Count,
    /// Connections made.
    pub connections: Count,
    /// The last round trip of a ping; a gauge.
    pub ping_ns: Count,
}

/// Tells the exchange of other peers.
#[derive(Debug)]
pub(crate) struct ExchangeControl {
    pub waker: Waker,
    pub connector: Remote,
    pub next_peers: Arc<Mutex<Option<Peers>>>,
    pub counts: Arc<ExchangeCounts>,
    pub lines: Mutex<Vec<Arc<Line>>>,
}

impl ExchangeControl {
    /// Says where executors are from now on. A worker at the same address keeps its connection.
    pub fn set_workers(&self, map: &WorkerMap) {
        let mut known = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines: Vec<Arc<Line>> = Vec::new();
        let mut task_to_peer = Vec::new();
        for (executor, address) in &map.executor_to_worker {
            if address.worker == map.own {
                continue;
            }
            let position = lines.iter().position(|line| line.address == *address);
            let position = position.unwrap_or_else(|| {
                let line = known.iter().find(|line| line.address == *address).cloned();
                lines.push(line.unwrap_or_else(|| Line::new(address.clone(), self.waker.clone())));
                lines.len() - 1
            });
            for task in executor.tasks() {
                let task = usize::from(task.0);
                task_to_peer.resize(task_to_peer.len().max(task + 1), NO_PEER);
                task_to_peer[task] = position as u16;
            }
        }
        known.clone_from(&lines);
        let next = Peers { lines: lines.clone(), task_to_peer };
        *self.next_peers.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        self.waker.wake();
        self.connector.set_lines(lines);
    }
}
