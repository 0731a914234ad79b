//! Storm's even scheduler: topologies, slots and old assignments → new assignments, pure.
//!
//! ```text
//! what Nimbus heard ──▶ liveness ──▶ dead slots ─┐
//! supervisors and their slots ───────────────────┼─▶ schedule ─▶ executor → slot, per topology
//! topologies: executors, workers, old slots ─────┘      │
//!                                       slots: how many each topology gets, and which
//!                                       deal:  which executor goes into which of them
//! ```
//!
//! **Invariants**
//! - Each executor is in exactly one slot, unless its topology has no slot at all. No slot has
//!   executors of two topologies.
//! - The workers of one topology have equally many executors, or one more.
//! - A worker that can stay as it is stays: nothing moves for the sake of a nicer distribution.
//!   Only a rebalance deals a topology anew.
//! - A slot is lost when its worker was judged dead, not when its supervisor is missed; a supervisor
//!   that is away for a while loses nothing.
//! - Topologies are served in the order in which they are given; equal input gives equal output.
//!
//! **Runs on** Nimbus' scheduling thread.
//!
//! **Not here:** resources as a limit. They are added up per worker and passed on.

mod deal;
pub mod liveness;
#[cfg(test)]
mod properties;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::assignment::{Amounts, SlotResources, WorkerSlot};
use crate::id::{ComponentId, ExecutorId, SupervisorId};

/// A supervisor that is known to be there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SupervisorDetails {
    /// Its id.
    pub id: SupervisorId,
    /// All its ports, free or not.
    pub ports: BTreeSet<u16>,
    /// Whether it gets no further workers; those that it has may stay.
    pub blacklisted: bool,
}

/// A topology that wants to run.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TopologyDetails {
    /// How many workers it asks for.
    pub wanted_workers: usize,
    /// All its executors, and whose they are.
    pub executor_to_component: BTreeMap<ExecutorId, ComponentId>,
    /// What one executor of each component needs.
    pub component_to_resources: BTreeMap<ComponentId, Amounts>,
    /// Where its executors are now; those that it no longer has are passed over.
    pub old: BTreeMap<ExecutorId, WorkerSlot>,
    /// Whether all its executors are to be dealt anew.
    pub rebalance: bool,
}

/// Where a topology's executors go.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Scheduled {
    /// The slot of each executor; empty if there is no slot for this topology.
    pub executor_to_slot: BTreeMap<ExecutorId, WorkerSlot>,
    /// What each worker's executors need together.
    pub slot_to_resources: BTreeMap<WorkerSlot, SlotResources>,
    /// How far its wish for workers is met.
    pub status: Status,
}

/// How far a topology's wish for workers is met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Status {
    /// It has no executors, so it needs no worker.
    #[default]
    Nothing,
    /// It has all workers that it wants, or one per executor.
    Full {
        /// How many those are.
        workers: usize,
    },
    /// It runs on fewer workers than it wants.
    Fewer {
        /// How many it has.
        workers: usize,
        /// How many it could use.
        wanted: usize,
    },
    /// No slot is free for it, so it does not run.
    Waiting {
        /// How many workers it could use.
        wanted: usize,
    },
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const REMEDY: &str = "add a supervisor, or ports to supervisor.slots.ports, \
                              or end a topology that is not needed";
        match self {
            Self::Nothing => write!(out, "Nothing to schedule: the topology has no executors"),
            Self::Full { workers: 1 } => write!(out, "Fully scheduled on 1 worker"),
            Self::Full { workers } => write!(out, "Fully scheduled on {workers} workers"),
            Self::Fewer { workers, wanted } => write!(
                out,
                "Running on {workers} of {wanted} wanted workers: no further slot is free; {REMEDY}"
            ),
            Self::Waiting { wanted } => {
                write!(out, "Not running: no slot is free, wanted workers: {wanted}; {REMEDY}")
            }
        }
    }
}

/// Finds slots for all topologies, in their order; the answer has the same order.
///
/// Slots in `dead` had a worker that was judged dead. They are given to nobody in this round, but a
/// topology keeps its own if nothing else is free and the slot's supervisor is there.
///
/// # Cost
/// O(topologies × slots) to share out slots, O(executors × workers) to deal executors.
pub fn schedule(
    supervisors: &[SupervisorDetails],
    dead: &BTreeSet<WorkerSlot>,
    topologies: &[TopologyDetails],
) -> Vec<Scheduled> {
    let shares = slots::share_out(supervisors, dead, topologies);
    topologies.iter().zip(shares).map(|(topology, slots)| settle(topology, &slots)).collect()
}

/// A topology in the slots that it got.
fn settle(topology: &TopologyDetails, slots: &BTreeSet<WorkerSlot>) -> Scheduled {
    let executor_to_slot = deal::deal(topology, slots);
    let mut slot_to_resources: BTreeMap<WorkerSlot, SlotResources> = BTreeMap::new();
    for (executor, slot) in &executor_to_slot {
        let resources = slot_to_resources.entry(slot.clone()).or_default();
        let component = &topology.executor_to_component[executor];
        if let Some(amounts) = topology.component_to_resources.get(component) {
            resources.own.add(amounts);
        }
    }
    let status = match (slots.len(), topology.usable_workers()) {
        (_, 0) => Status::Nothing,
        (0, wanted) => Status::Waiting { wanted },
        (workers, wanted) if workers < wanted => Status::Fewer { workers, wanted },
        (workers, _) => Status::Full { workers },
    };
    Scheduled { executor_to_slot, slot_to_resources, status }
}

impl TopologyDetails {
    /// How many workers it can make use of: an executor is never cut.
    fn usable_workers(&self) -> usize {
        self.wanted_workers.max(1).min(self.executor_to_component.len())
    }

    /// Its present executors by the slot that they are in.
    fn old_slots(&self) -> BTreeMap<&WorkerSlot, Vec<ExecutorId>> {
        let mut slots: BTreeMap<&WorkerSlot, Vec<ExecutorId>> = BTreeMap::new();
        for (executor, slot) in &self.old {
            let executors = slots.entry(slot).or_default();
            if self.executor_to_component.contains_key(executor) {
                executors.push(*executor);
            }
        }
        slots.retain(|_, executors| !executors.is_empty());
        slots
    }
}

#[cfg(test)]
mod tests {
    //! Each case describes a cluster; `schedule` runs a round, whose outcome is the old state of the
    //! next one.

    use std::fmt::Write;

    use super::*;
    use crate::assignment::{Assignment, CPU_PERCENT, Changes, text};
    use crate::id::TaskId;
    use crate::text_cases;

    #[test]
    fn rounds_of_scheduling_go_as_the_cases_say() {
        let cases = include_str!("../../tests/data/scheduler.txt");
        text_cases::check("scheduler.txt", cases, run);
    }

    #[derive(Default)]
    struct Cluster {
        supervisors: Vec<SupervisorDetails>,
        dead: BTreeSet<WorkerSlot>,
        names: Vec<String>,
        topologies: Vec<TopologyDetails>,
        out: String,
    }

    fn run(calls: &[&str]) -> String {
        let mut cluster = Cluster::default();
        for call in calls {
            let words: Vec<&str> = call.split_whitespace().collect();
            match words[..] {
                ["slots", ref slots @ ..] => cluster.add_supervisors(slots, false),
                ["blacklisted", ref slots @ ..] => cluster.add_supervisors(slots, true),
                ["lose", supervisor] => cluster.supervisors.retain(|one| one.id != supervisor),
                ["dead", slots] => cluster.dead.extend(text::slot_list(slots)),
                ["topology", name, ref rest @ ..] => cluster.submit(name, rest),
                ["kill", name] => {
                    let index = cluster.index_of(name);
                    cluster.names.remove(index);
                    cluster.topologies.remove(index);
                }
                ["old", name, ref slots @ ..] => {
                    cluster.topology(name).old = text::slots(&slots.join(" "));
                }
                ["rebalance", name, ref rest @ ..] => {
                    let topology = cluster.topology(name);
                    topology.rebalance = true;
                    read_shape(topology, rest);
                }
                ["schedule"] => cluster.schedule(),
                _ => panic!("no such call: {call}"),
            }
        }
        cluster.out
    }

    /// Reads `workers=2 src=1 split=3`: one task per executor, numbered in the order given.
    fn read_shape(topology: &mut TopologyDetails, words: &[&str]) {
        let mut executor_to_component = BTreeMap::new();
        for word in words {
            let (key, count) = word.split_once('=').expect("key=count");
            let count: u16 = count.parse().expect("a count");
            if key == "workers" {
                topology.wanted_workers = count.into();
                continue;
            }
            for _ in 0..count {
                let task = TaskId(executor_to_component.len() as u16 + 1);
                let executor = ExecutorId { first_task: task, last_task: task };
                executor_to_component.insert(executor, ComponentId::from(key));
            }
            let amounts = Amounts::from([(CPU_PERCENT, 10.0)]);
            topology.component_to_resources.insert(key.into(), amounts);
        }
        if !executor_to_component.is_empty() {
            topology.executor_to_component = executor_to_component;
        }
    }

    impl Cluster {
        fn add_supervisors(&mut self, slots: &[&str], blacklisted: bool) {
            for slots in slots {
                let (id, _) = slots.split_once(':').expect("supervisor:ports");
                let ports = text::slot_list(slots).into_iter().map(|slot| slot.port).collect();
                self.supervisors.retain(|one| one.id != id);
                self.supervisors.push(SupervisorDetails { id: id.into(), ports, blacklisted });
            }
        }

        fn submit(&mut self, name: &str, shape: &[&str]) {
            let mut topology = TopologyDetails::default();
            read_shape(&mut topology, shape);
            self.names.push(name.to_owned());
            self.topologies.push(topology);
        }

        fn index_of(&self, name: &str) -> usize {
            self.names.iter().position(|known| known == name).expect("a topology of the case")
        }

        fn topology(&mut self, name: &str) -> &mut TopologyDetails {
            let index = self.index_of(name);
            &mut self.topologies[index]
        }

        fn schedule(&mut self) {
            if !self.out.is_empty() {
                self.out.push_str("--\n");
            }
            let scheduled = schedule(&self.supervisors, &self.dead, &self.topologies);
            let topologies = self.topologies.iter_mut().zip(&self.names);
            for (new, (topology, name)) in scheduled.into_iter().zip(topologies) {
                let assignment = |slots: &BTreeMap<_, WorkerSlot>| Assignment {
                    executor_to_slot: slots.clone(),
                    ..Assignment::default()
                };
                let before = assignment(&topology.old);
                let after = assignment(&new.executor_to_slot);
                for (slot, executors) in after.slot_to_executors() {
                    write!(self.out, "{name} {slot}").unwrap();
                    for executor in executors {
                        let component = &topology.executor_to_component[&executor];
                        write!(self.out, " {component}{}", executor.first_task).unwrap();
                    }
                    let cpu = new.slot_to_resources[&slot].own.of(CPU_PERCENT);
                    writeln!(self.out, " cpu={cpu}").unwrap();
                }
                let status = new.status.to_string();
                let status = status.split(';').next().unwrap();
                let changes = Changes::between(Some(&before), Some(&after));
                writeln!(self.out, "{name} {status}").unwrap();
                writeln!(self.out, "{name} {changes}").unwrap();
                topology.old = new.executor_to_slot;
                topology.rebalance = false;
            }
            self.dead.clear();
        }
    }

    #[test]
    fn a_lack_of_slots_is_told_with_its_remedy() {
        assert_eq!(
            Status::Fewer { workers: 1, wanted: 3 }.to_string(),
            "Running on 1 of 3 wanted workers: no further slot is free; add a supervisor, or ports \
             to supervisor.slots.ports, or end a topology that is not needed"
        );
        assert_eq!(
            Status::Waiting { wanted: 2 }.to_string(),
            "Not running: no slot is free, wanted workers: 2; add a supervisor, or ports to \
             supervisor.slots.ports, or end a topology that is not needed"
        );
    }
}
