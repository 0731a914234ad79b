//! Slots and executors as tests write them.

use std::collections::BTreeMap;

use super::WorkerSlot;
use crate::id::{ExecutorId, TaskId};

/// Reads `a:6700` or, with a list of ports, each of `a:6700,6701`.
pub(crate) fn slot_list(text: &str) -> Vec<WorkerSlot> {
    let (supervisor, ports) = text.split_once(':').expect("supervisor:port");
    let ports = ports.split(',').filter(|port| !port.is_empty());
    ports.map(|port| WorkerSlot::new(supervisor, port.parse().expect("a port"))).collect()
}

/// Reads `[1-3]` or, for one task, `1`.
pub(crate) fn executor(text: &str) -> ExecutorId {
    let range = text.trim_matches(['[', ']']);
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let task = |text: &str| TaskId(text.parse().expect("a task"));
    ExecutorId { first_task: task(first), last_task: task(last) }
}

/// Reads `1 2 [3-5] a:6700  6 b:6700`: executors, then their slot.
pub(crate) fn slots(text: &str) -> BTreeMap<ExecutorId, WorkerSlot> {
    let mut waiting = Vec::new();
    let mut executor_to_slot = BTreeMap::new();
    for word in text.split_whitespace() {
        if word.contains(':') {
            let slot = slot_list(word).remove(0);
            executor_to_slot.extend(waiting.drain(..).map(|executor| (executor, slot.clone())));
        } else {
            waiting.push(executor(word));
        }
    }
    assert!(waiting.is_empty(), "{text}: executors without a slot");
    executor_to_slot
}
