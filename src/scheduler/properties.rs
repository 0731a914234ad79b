//! What holds for every cluster, old assignment and number of topologies.

use proptest::prelude::*;

use super::*;
use crate::id::TaskId;

const SUPERVISORS: [&str; 5] = ["a", "b", "c", "d", "e"];

#[derive(Clone, Debug)]
struct Round {
    supervisors: Vec<SupervisorDetails>,
    dead: BTreeSet<WorkerSlot>,
    topologies: Vec<TopologyDetails>,
}

impl Round {
    fn schedule(&self) -> Vec<Scheduled> {
        schedule(&self.supervisors, &self.dead, &self.topologies)
    }

    /// The next round after everything went as scheduled.
    fn next(&self, scheduled: &[Scheduled]) -> Self {
        let mut next = Self { dead: BTreeSet::new(), ..self.clone() };
        for (topology, scheduled) in next.topologies.iter_mut().zip(scheduled) {
            topology.old.clone_from(&scheduled.executor_to_slot);
            topology.rebalance = false;
        }
        next
    }

    fn supervisor(&self, slot: &WorkerSlot) -> Option<&SupervisorDetails> {
        self.supervisors.iter().find(|one| one.id == slot.supervisor)
    }
}

fn executor(task: u16) -> ExecutorId {
    ExecutorId { first_task: TaskId(task), last_task: TaskId(task) }
}

fn any_slot() -> impl Strategy<Value = WorkerSlot> {
    (prop::sample::select(SUPERVISORS.to_vec()), 1_u16..6)
        .prop_map(|(id, port)| WorkerSlot::new(id, port))
}

fn any_supervisors() -> impl Strategy<Value = Vec<SupervisorDetails>> {
    let ports = prop::collection::btree_set(1_u16..6, 0..5);
    let one = (ports, prop::bool::weighted(0.1), prop::bool::weighted(0.8));
    prop::collection::vec(one, SUPERVISORS.len()).prop_map(|all| {
        let named = all.into_iter().zip(SUPERVISORS).filter(|((_, _, is_there), _)| *is_there);
        let details = |((ports, blacklisted, _), id): ((_, _, _), &str)| SupervisorDetails {
            id: id.into(),
            ports,
            blacklisted,
        };
        named.map(details).collect()
    })
}

fn any_topology() -> impl Strategy<Value = TopologyDetails> {
    let components = prop::collection::vec(0_u16..4, 0..4);
    let old = prop::collection::btree_map((1_u16..12).prop_map(executor), any_slot(), 0..12);
    (0_usize..6, components, old, prop::bool::weighted(0.2)).prop_map(
        |(wanted_workers, components, old, rebalance)| {
            let components = components.into_iter().enumerate();
            let owners = components.flat_map(|(index, executors)| {
                (0..executors).map(move |_| ComponentId::from(format!("c{index}")))
            });
            let executor_to_component =
                owners.zip(1..).map(|(owner, task)| (executor(task), owner)).collect();
            let component_to_resources = BTreeMap::new();
            TopologyDetails {
                wanted_workers,
                executor_to_component,
                component_to_resources,
                old,
                rebalance,
            }
        },
    )
}

/// Anything at all, two topologies in one slot among it.
fn any_round() -> impl Strategy<Value = Round> {
    let dead = prop::collection::btree_set(any_slot(), 0..4);
    (any_supervisors(), dead, prop::collection::vec(any_topology(), 0..5))
        .prop_map(|(supervisors, dead, topologies)| Round { supervisors, dead, topologies })
}

/// A round that comes after another one, with some slots dead.
fn any_later_round() -> impl Strategy<Value = Round> {
    (any_round(), prop::collection::btree_set(any_slot(), 0..4)).prop_map(|(round, dead)| {
        let next = round.next(&round.schedule());
        Round { dead, ..next }
    })
}

fn workers(scheduled: &Scheduled) -> BTreeMap<&WorkerSlot, Vec<ExecutorId>> {
    let mut workers: BTreeMap<&WorkerSlot, Vec<ExecutorId>> = BTreeMap::new();
    for (executor, slot) in &scheduled.executor_to_slot {
        workers.entry(slot).or_default().push(*executor);
    }
    workers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_executor_is_in_one_slot_and_each_slot_has_one_topology(round in any_round()) {
        let scheduled = round.schedule();
        let mut taken = BTreeSet::new();
        for (topology, scheduled) in round.topologies.iter().zip(&scheduled) {
            let slots: BTreeSet<_> = scheduled.executor_to_slot.values().collect();
            for slot in &slots {
                prop_assert!(taken.insert((*slot).clone()), "{slot} is shared");
            }
            if slots.is_empty() {
                let waits = matches!(scheduled.status, Status::Nothing | Status::Waiting { .. });
                prop_assert!(waits);
            } else {
                let executors = topology.executor_to_component.keys();
                prop_assert!(scheduled.executor_to_slot.keys().eq(executors));
            }
            prop_assert!(slots.len() <= topology.wanted_workers.max(1));
            prop_assert!(scheduled.slot_to_resources.keys().eq(slots));
        }
    }

    #[test]
    fn only_slots_that_live_are_used(round in any_round()) {
        for (topology, scheduled) in round.topologies.iter().zip(round.schedule()) {
            for slot in scheduled.executor_to_slot.values() {
                let is_old = topology.old.values().any(|old| old == slot);
                match round.supervisor(slot) {
                    None => prop_assert!(is_old && !topology.rebalance, "{slot} is nowhere"),
                    Some(supervisor) => {
                        prop_assert!(supervisor.ports.contains(&slot.port));
                        prop_assert!(!supervisor.blacklisted || is_old);
                        prop_assert!(!round.dead.contains(slot) || is_old);
                    }
                }
            }
        }
    }

    #[test]
    fn workers_of_a_topology_differ_by_one_executor_at_most(round in any_round()) {
        for scheduled in round.schedule() {
            let sizes: Vec<usize> = workers(&scheduled).values().map(Vec::len).collect();
            let (least, most) = (sizes.iter().min(), sizes.iter().max());
            prop_assert!(most.zip(least).is_none_or(|(most, least)| most - least <= 1));
        }
    }

    #[test]
    fn a_round_without_news_changes_nothing(round in any_round()) {
        let first = round.schedule();
        // What was dead is free in the second round; from then on there are no news.
        let settled = round.next(&first).schedule();
        let again = round.next(&settled).schedule();
        for (settled, again) in settled.iter().zip(&again) {
            prop_assert_eq!(&settled.executor_to_slot, &again.executor_to_slot);
        }
    }

    #[test]
    fn while_slots_are_left_only_the_dead_move(round in any_later_round()) {
        let scheduled = round.schedule();
        let full = scheduled.iter().all(|one| matches!(one.status, Status::Full { .. } | Status::Nothing));
        let before = round.topologies.iter().zip(&scheduled);
        for (topology, scheduled) in before.filter(|_| full) {
            // Only a topology that had its number of workers before has no reason to change others.
            let old: BTreeSet<&WorkerSlot> = topology.old.values().collect();
            if old.len() < topology.usable_workers() {
                continue;
            }
            for (executor, slot) in &topology.old {
                let is_dead = round.dead.contains(slot);
                prop_assert!(is_dead || scheduled.executor_to_slot[executor] == *slot);
            }
        }
    }

    #[test]
    fn a_fresh_topology_spreads_over_equal_supervisors_and_components_over_workers(
        supervisors in 1_usize..5,
        ports in 1_u16..4,
        topology in any_topology(),
    ) {
        let supervisors: Vec<SupervisorDetails> = SUPERVISORS[..supervisors]
            .iter()
            .map(|id| SupervisorDetails {
                id: (*id).into(),
                ports: (1..=ports).collect(),
                blacklisted: false,
            })
            .collect();
        let topology = TopologyDetails { old: BTreeMap::new(), ..topology };
        let scheduled = schedule(&supervisors, &BTreeSet::new(), std::slice::from_ref(&topology));
        let workers = workers(&scheduled[0]);
        let on = |id: &SupervisorId| workers.keys().filter(|slot| slot.supervisor == *id).count();
        let counts: Vec<usize> = supervisors.iter().map(|one| on(&one.id)).collect();
        prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        for component in topology.executor_to_component.values() {
            let of = |executors: &Vec<ExecutorId>| {
                let owner = |one: &&ExecutorId| topology.executor_to_component[*one] == *component;
                executors.iter().filter(owner).count()
            };
            let counts: Vec<usize> = workers.values().map(of).collect();
            let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
            prop_assert!(most - least <= 1, "{component} is in the workers {counts:?} times");
        }
    }

    #[test]
    fn too_few_slots_are_shared_out_one_by_one(
        ports in 1_u16..8,
        topologies in prop::collection::vec(any_topology(), 1..6),
    ) {
        let supervisor =
            SupervisorDetails { id: "a".into(), ports: (1..=ports).collect(), blacklisted: false };
        let fresh = |one: &TopologyDetails| TopologyDetails { old: BTreeMap::new(), ..one.clone() };
        let topologies: Vec<TopologyDetails> = topologies.iter().map(fresh).collect();
        let scheduled = schedule(&[supervisor], &BTreeSet::new(), &topologies);
        let shares: Vec<usize> = scheduled.iter().map(|one| workers(one).len()).collect();
        let most = shares.iter().max().unwrap();
        for (share, topology) in shares.iter().zip(&topologies) {
            prop_assert!(share + 1 >= *most || *share == topology.usable_workers());
        }
    }
}
