//! How many slots each topology gets, and which.
//!
//! A topology keeps the slots that it has. Free slots go one by one to the topology that has fewest
//! so far, so that with too few slots everybody gets one before anybody gets a second. Nobody loses
//! a slot to a neighbour.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{SupervisorDetails, TopologyDetails};
use crate::assignment::WorkerSlot;
use crate::id::SupervisorId;

/// The slots of each topology, in their order.
pub(super) fn share_out(
    supervisors: &[SupervisorDetails],
    dead: &BTreeSet<WorkerSlot>,
    topologies: &[TopologyDetails],
) -> Vec<BTreeSet<WorkerSlot>> {
    let there: BTreeMap<&SupervisorId, &SupervisorDetails> =
        supervisors.iter().map(|supervisor| (&supervisor.id, supervisor)).collect();
    // A port that its supervisor no longer has is lost; a supervisor that is missed may be back.
    let stands = |slot: &WorkerSlot| {
        there.get(&slot.supervisor).is_none_or(|supervisor| supervisor.ports.contains(&slot.port))
    };
    let mut taken = BTreeSet::new();
    let mut shares: Vec<BTreeSet<WorkerSlot>> = topologies
        .iter()
        .map(|topology| {
            let mut kept = kept_slots(topology, |slot| stands(slot) && !dead.contains(slot));
            // Whoever comes first keeps a slot that two topologies claim.
            kept.retain(|slot| taken.insert(slot.clone()));
            kept
        })
        .collect();

    let mut free = Free::new(supervisors, |slot| !dead.contains(slot) && !taken.contains(slot));
    while let Some(index) = neediest(topologies, &shares)
        && let Some(slot) = free.take_for(&topologies[index], &shares[index])
    {
        shares[index].insert(slot);
    }

    // Where nothing else is to be had, the supervisor goes on trying to bring a dead worker back.
    for (topology, share) in topologies.iter().zip(&mut shares) {
        let lacking = topology.usable_workers().saturating_sub(share.len());
        let last_resort = topology.old_slots().into_keys().filter(|slot| {
            there.contains_key(&slot.supervisor)
                && stands(slot)
                && !share.contains(*slot)
                && !taken.contains(*slot)
                && !free.contains(slot)
                && dead.contains(*slot)
        });
        let last_resort: Vec<WorkerSlot> = last_resort.take(lacking).cloned().collect();
        taken.extend(last_resort.iter().cloned());
        share.extend(last_resort);
    }
    shares
}

/// The slots that a topology has and may keep, no more than it can use.
fn kept_slots(
    topology: &TopologyDetails,
    may_keep: impl Fn(&WorkerSlot) -> bool,
) -> BTreeSet<WorkerSlot> {
    if topology.rebalance {
        return BTreeSet::new();
    }
    let mut kept: BTreeMap<&WorkerSlot, usize> = topology
        .old_slots()
        .into_iter()
        .filter(|(slot, _)| may_keep(slot))
        .map(|(slot, executors)| (slot, executors.len()))
        .collect();
    while kept.len() > topology.usable_workers() {
        // From the supervisor with most of its workers, the smallest one is given up.
        let surplus = kept.iter().max_by_key(|(slot, executors)| {
            let beside = kept.keys().filter(|other| other.supervisor == slot.supervisor);
            (beside.count(), Reverse(**executors), **slot)
        });
        let surplus = *surplus.expect("there are more than none").0;
        kept.remove(surplus);
    }
    kept.into_keys().cloned().collect()
}

/// The topology with fewest slots among those that lack some; the first one of equals.
fn neediest(topologies: &[TopologyDetails], shares: &[BTreeSet<WorkerSlot>]) -> Option<usize> {
    let lacking = |index: &usize| shares[*index].len() < topologies[*index].usable_workers();
    (0..topologies.len()).filter(lacking).min_by_key(|index| shares[*index].len())
}

/// Free slots by supervisor; none without a port.
struct Free<'a>(BTreeMap<&'a SupervisorId, BTreeSet<u16>>);

impl<'a> Free<'a> {
    fn new(supervisors: &'a [SupervisorDetails], is_free: impl Fn(&WorkerSlot) -> bool) -> Self {
        let open = supervisors.iter().filter(|supervisor| !supervisor.blacklisted);
        let ports = open.map(|SupervisorDetails { id, ports, .. }| {
            let free = |port: &&u16| is_free(&WorkerSlot::new(id, **port));
            (id, ports.iter().filter(free).copied().collect())
        });
        Self(ports.filter(|(_, ports): &(_, BTreeSet<u16>)| !ports.is_empty()).collect())
    }

    fn contains(&self, slot: &WorkerSlot) -> bool {
        self.0.get(&slot.supervisor).is_some_and(|ports| ports.contains(&slot.port))
    }

    /// Takes a slot on the supervisor that has fewest workers of this topology; among equals on one
    /// where the topology was before, then on the one with most free slots.
    fn take_for(
        &mut self,
        topology: &TopologyDetails,
        share: &BTreeSet<WorkerSlot>,
    ) -> Option<WorkerSlot> {
        let was_at = |id: &SupervisorId, port: u16| {
            topology.old.values().any(|slot| slot.supervisor == *id && slot.port == port)
        };
        let former = |id: &SupervisorId, ports: &BTreeSet<u16>| {
            ports.iter().copied().find(|port| was_at(id, *port))
        };
        let (id, ports) = self.0.iter_mut().min_by_key(|(id, ports)| {
            let own = share.iter().filter(|slot| slot.supervisor == ***id).count();
            (own, former(id, ports).is_none(), Reverse(ports.len()))
        })?;
        let id = *id;
        let port = former(id, ports).or_else(|| ports.first().copied())?;
        ports.remove(&port);
        if ports.is_empty() {
            self.0.remove(id);
        }
        Some(WorkerSlot::new(id, port))
    }
}
