//! Which executor of a topology runs in which slot, since when, and with which resources.
//!
//! ```text
//! scheduler ──▶ executor → slot ──▶ Assignment ──▶ stored, pushed to supervisors
//!                                      │  slot_to_executors   what a supervisor runs
//!                                      │  executor_to_slot    whom a worker connects to
//!                                      └─ Changes             who has to be told
//! ```
//!
//! **Invariants**
//! - Every executor that has a slot has a start time, and every supervisor with a slot has a host
//!   if its host is known.
//! - An executor's start time changes exactly when its worker is started anew: when the executors
//!   of its slot are others than before.
//!
//! **Not here:** how slots are chosen (`scheduler`).

mod changes;
mod resources;
#[cfg(test)]
pub(crate) mod text;
mod thrift;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use changes::Changes;
pub use resources::{Amounts, CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB, SlotResources};
pub use thrift::AssignmentError;

use crate::id::{ExecutorId, SupervisorId};

/// The place for one worker: a supervisor and one of its ports.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct WorkerSlot {
    /// The supervisor that owns the slot.
    pub supervisor: SupervisorId,
    /// The port on which the slot's worker listens for tuples.
    pub port: u16,
}

impl WorkerSlot {
    /// A slot of a supervisor.
    pub fn new(supervisor: impl Into<SupervisorId>, port: u16) -> Self {
        Self { supervisor: supervisor.into(), port }
    }
}

impl fmt::Display for WorkerSlot {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.supervisor, self.port)
    }
}

/// Where one topology runs.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Assignment {
    /// The local directory of the Nimbus that wrote this; Storm's wire asks for it.
    pub master_code_dir: String,
    /// Who submitted the topology.
    pub owner: Option<String>,
    /// Where the supervisors in use can be reached.
    pub supervisor_to_host: BTreeMap<SupervisorId, String>,
    /// The slot of each executor.
    pub executor_to_slot: BTreeMap<ExecutorId, WorkerSlot>,
    /// When each executor's worker was ordered, in seconds since 1970.
    pub executor_to_start_secs: BTreeMap<ExecutorId, i64>,
    /// What each worker may use.
    pub slot_to_resources: BTreeMap<WorkerSlot, SlotResources>,
    /// Off-heap memory in megabytes that workers of one supervisor share.
    pub supervisor_to_shared_off_heap_mb: BTreeMap<SupervisorId, f64>,
}

impl Assignment {
    /// The same topology in other slots, as of `now_secs` since 1970.
    ///
    /// Hosts come from `hosts`, or from before for a supervisor that is not among them.
    #[must_use]
    pub fn moved(
        &self,
        executor_to_slot: BTreeMap<ExecutorId, WorkerSlot>,
        slot_to_resources: BTreeMap<WorkerSlot, SlotResources>,
        hosts: &BTreeMap<SupervisorId, String>,
        now_secs: i64,
    ) -> Self {
        let mut next = Self {
            executor_to_slot,
            slot_to_resources,
            executor_to_start_secs: BTreeMap::new(),
            supervisor_to_host: BTreeMap::new(),
            ..self.clone()
        };
        let supervisors = next.supervisors();
        next.supervisor_to_shared_off_heap_mb.retain(|id, _| supervisors.contains(id));
        next.supervisor_to_host = supervisors
            .into_iter()
            .filter_map(|id| {
                let host = hosts.get(&id).or_else(|| self.supervisor_to_host.get(&id))?;
                Some((id, host.clone()))
            })
            .collect();
        let before = self.slot_to_executors();
        for (slot, executors) in next.slot_to_executors() {
            let stays = before.get(&slot) == Some(&executors);
            for executor in executors {
                let since = stays.then(|| self.executor_to_start_secs.get(&executor).copied());
                let since_secs = since.flatten().unwrap_or(now_secs);
                next.executor_to_start_secs.insert(executor, since_secs);
            }
        }
        next
    }

    /// The executors of each slot.
    pub fn slot_to_executors(&self) -> BTreeMap<WorkerSlot, BTreeSet<ExecutorId>> {
        let mut slot_to_executors: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for (executor, slot) in &self.executor_to_slot {
            slot_to_executors.entry(slot.clone()).or_default().insert(*executor);
        }
        slot_to_executors
    }

    /// The executors of each port of one supervisor.
    pub fn port_to_executors(&self, id: &SupervisorId) -> BTreeMap<u16, BTreeSet<ExecutorId>> {
        let slots = self.slot_to_executors().into_iter();
        let own = slots.filter(|(slot, _)| slot.supervisor == *id);
        own.map(|(slot, executors)| (slot.port, executors)).collect()
    }

    /// The slots in use.
    pub fn slots(&self) -> BTreeSet<WorkerSlot> {
        self.executor_to_slot.values().cloned().collect()
    }

    /// The supervisors with a slot in use.
    pub fn supervisors(&self) -> BTreeSet<SupervisorId> {
        self.executor_to_slot.values().map(|slot| slot.supervisor.clone()).collect()
    }

    /// Where a slot's worker listens, `None` while its host is unknown.
    pub fn address_of(&self, slot: &WorkerSlot) -> Option<(&str, u16)> {
        Some((self.supervisor_to_host.get(&slot.supervisor)?, slot.port))
    }
}

/// One line per slot, as `[1-1] [4-5] a:6700 since 10`.
impl fmt::Display for Assignment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (slot, executors) in self.slot_to_executors() {
            let starts = executors.iter().filter_map(|id| self.executor_to_start_secs.get(id));
            let since_secs = starts.max().copied();
            for executor in &executors {
                write!(out, "{executor} ")?;
            }
            write!(out, "{slot}")?;
            match since_secs {
                Some(since_secs) => writeln!(out, " since {since_secs}")?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::id::TaskId;
    use crate::text_cases;

    #[test]
    fn assignments_change_as_the_cases_say() {
        let cases = include_str!("../../tests/data/assignment.txt");
        text_cases::check("assignment.txt", cases, run);
    }

    /// `old` and `new` give slots, `at` the second in which they change.
    fn run(calls: &[&str]) -> String {
        let mut old: Option<Assignment> = None;
        let mut new: Option<Assignment> = None;
        let mut now_secs = 0;
        let hosts = ["a", "b", "c"].map(|id| (SupervisorId::from(id), format!("host-{id}"))).into();
        for call in calls {
            let (word, rest) = call.split_once(' ').unwrap_or((call, ""));
            let with = |before: Option<&Assignment>, now_secs| {
                let fresh = Assignment::default();
                let before = before.unwrap_or(&fresh);
                before.moved(text::slots(rest), BTreeMap::new(), &hosts, now_secs)
            };
            match word {
                "old" => old = Some(with(None, 0)),
                "at" => now_secs = rest.parse().expect("a second"),
                "new" => new = Some(with(old.as_ref(), now_secs)),
                _ => panic!("no such call: {call}"),
            }
        }
        let changes = Changes::between(old.as_ref(), new.as_ref());
        let mut out = String::new();
        if let Some(new) = new {
            write!(out, "{new}").unwrap();
            let hosts = new.supervisor_to_host.iter().map(|(id, host)| format!("{id}={host}"));
            writeln!(out, "{}", hosts.collect::<Vec<_>>().join(" ")).unwrap();
        }
        writeln!(out, "{changes}").unwrap();
        out
    }

    fn any_slots() -> impl Strategy<Value = BTreeMap<ExecutorId, WorkerSlot>> {
        let slot = (prop::sample::select(vec!["a", "b", "c"]), 1_u16..4);
        prop::collection::btree_map(1_u16..9, slot, 0..8).prop_map(|slots| {
            let executor = |task| ExecutorId { first_task: TaskId(task), last_task: TaskId(task) };
            let slots = slots.into_iter();
            slots.map(|(task, (id, port))| (executor(task), WorkerSlot::new(id, port))).collect()
        })
    }

    proptest! {
        #[test]
        fn a_start_time_changes_with_the_worker_and_only_then(
            before in any_slots(),
            after in any_slots(),
        ) {
            let none = BTreeMap::new();
            let old = Assignment::default().moved(before, none.clone(), &BTreeMap::new(), 1);
            let new = old.moved(after, none, &BTreeMap::new(), 2);
            let (old_slots, new_slots) = (old.slot_to_executors(), new.slot_to_executors());
            prop_assert!(new.executor_to_start_secs.keys().eq(new.executor_to_slot.keys()));
            for (slot, executors) in &new_slots {
                let expected = if old_slots.get(slot) == Some(executors) { 1 } else { 2 };
                for executor in executors {
                    prop_assert_eq!(new.executor_to_start_secs[executor], expected);
                }
            }
            let told = Changes::between(Some(&old), Some(&new));
            prop_assert_eq!(told.is_empty(), old_slots == new_slots);
            let restarted: BTreeSet<_> =
                told.started.union(&told.restarted).flat_map(|slot| &new_slots[slot]).collect();
            let later = new.executor_to_start_secs.iter().filter(|(_, secs)| **secs == 2);
            prop_assert!(later.map(|(executor, _)| executor).eq(restarted));
        }
    }
}
