//! Which executor of a topology goes into which of its slots.
//!
//! A worker whose number of executors fits the new distribution is left alone, because any change
//! restarts it. The executors of all others, and those that have no slot, are dealt in the order of
//! their tasks to the slot that has fewest of the same component, so that a component's executors
//! spread over the workers.

use std::collections::{BTreeMap, BTreeSet};

use super::TopologyDetails;
use crate::assignment::WorkerSlot;
use crate::id::{ComponentId, ExecutorId};

/// The slot of each executor; empty if there are no slots.
pub(super) fn deal(
    topology: &TopologyDetails,
    slots: &BTreeSet<WorkerSlot>,
) -> BTreeMap<ExecutorId, WorkerSlot> {
    if slots.is_empty() {
        return BTreeMap::new();
    }
    let executors = topology.executor_to_component.len();
    let mut sizes = Sizes { low: executors / slots.len(), high_left: executors % slots.len() };
    let mut dealt =
        if topology.rebalance { BTreeMap::new() } else { fitting(topology, slots, &mut sizes) };

    let closed: BTreeSet<&WorkerSlot> = dealt.values().collect();
    let mut hands: Vec<Hand<'_>> =
        slots.iter().filter(|slot| !closed.contains(slot)).map(Hand::new).collect();
    let waiting: Vec<(&ExecutorId, &ComponentId)> = topology
        .executor_to_component
        .iter()
        .filter(|(executor, _)| !dealt.contains_key(*executor))
        .collect();
    for (executor, component) in waiting {
        let old = topology.old.get(executor);
        let hand = hands
            .iter_mut()
            .filter(|hand| sizes.has_room(hand.executors))
            .min_by_key(|hand| (hand.of(component), hand.executors, old != Some(hand.slot)))
            .expect("the sizes of all workers add up to the number of executors");
        sizes.fill(hand.executors);
        hand.executors += 1;
        *hand.component_to_executors.entry(component).or_default() += 1;
        dealt.insert(*executor, hand.slot.clone());
    }
    dealt
}

/// The executors of workers that can stay exactly as they are.
fn fitting(
    topology: &TopologyDetails,
    slots: &BTreeSet<WorkerSlot>,
    sizes: &mut Sizes,
) -> BTreeMap<ExecutorId, WorkerSlot> {
    let mut dealt = BTreeMap::new();
    let own = topology.old_slots().into_iter().filter(|(slot, _)| slots.contains(*slot));
    let mut low_left = slots.len() - sizes.high_left;
    for (slot, executors) in own {
        if executors.len() == sizes.low && low_left > 0 {
            low_left -= 1;
        } else if executors.len() == sizes.low + 1 && sizes.high_left > 0 {
            sizes.high_left -= 1;
        } else {
            continue;
        }
        dealt.extend(executors.into_iter().map(|executor| (executor, slot.clone())));
    }
    dealt
}

/// How many executors the workers get: `low`, or one more in `high_left` of them.
struct Sizes {
    low: usize,
    high_left: usize,
}

impl Sizes {
    fn has_room(&self, executors: usize) -> bool {
        executors < self.low || (executors == self.low && self.high_left > 0)
    }

    /// Notes that a worker with that many executors gets another one.
    fn fill(&mut self, executors: usize) {
        if executors == self.low {
            self.high_left -= 1;
        }
    }
}

/// What was dealt to one slot so far.
struct Hand<'a> {
    slot: &'a WorkerSlot,
    executors: usize,
    component_to_executors: BTreeMap<&'a ComponentId, usize>,
}

impl<'a> Hand<'a> {
    fn new(slot: &'a WorkerSlot) -> Self {
        Self { slot, executors: 0, component_to_executors: BTreeMap::new() }
    }

    fn of(&self, component: &ComponentId) -> usize {
        self.component_to_executors.get(component).copied().unwrap_or_default()
    }
}
