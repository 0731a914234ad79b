//! What differs between two assignments of one topology.

use std::collections::BTreeSet;
use std::fmt;

use super::{Assignment, WorkerSlot};
use crate::id::{ExecutorId, SupervisorId};

/// What has to happen for an old assignment to become a new one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Slots that get a worker.
    pub started: BTreeSet<WorkerSlot>,
    /// Slots whose worker is replaced because it has other executors.
    pub restarted: BTreeSet<WorkerSlot>,
    /// Slots whose worker ends.
    pub ended: BTreeSet<WorkerSlot>,
    /// Executors that run elsewhere than before, or for the first time.
    pub moved: BTreeSet<ExecutorId>,
    /// Executors that exist no more.
    pub gone: BTreeSet<ExecutorId>,
}

impl Changes {
    /// Compares slot by slot; `None` is a topology that runs nowhere.
    pub fn between(old: Option<&Assignment>, new: Option<&Assignment>) -> Self {
        let slots_of = |one: Option<&Assignment>| one.map(Assignment::slot_to_executors);
        let (before, after) =
            (slots_of(old).unwrap_or_default(), slots_of(new).unwrap_or_default());
        let mut changes = Self::default();
        for (slot, executors) in &after {
            match before.get(slot) {
                None => changes.started.insert(slot.clone()),
                Some(others) if others != executors => changes.restarted.insert(slot.clone()),
                Some(_) => continue,
            };
        }
        let ended = before.keys().filter(|slot| !after.contains_key(*slot));
        changes.ended = ended.cloned().collect();
        for (slot, executors) in &after {
            let stays = |executor: &&ExecutorId| {
                old.is_some_and(|old| old.executor_to_slot.get(executor) == Some(slot))
            };
            changes.moved.extend(executors.iter().filter(|executor| !stays(executor)));
        }
        let known = |executor: &ExecutorId| {
            new.is_some_and(|new| new.executor_to_slot.contains_key(executor))
        };
        let former = before.values().flatten();
        changes.gone = former.filter(|executor| !known(executor)).copied().collect();
        changes
    }

    /// Whether both assignments run the same workers.
    pub fn is_empty(&self) -> bool {
        self.started.is_empty() && self.restarted.is_empty() && self.ended.is_empty()
    }

    /// The supervisors that have something to do.
    pub fn supervisors(&self) -> BTreeSet<SupervisorId> {
        let slots = self.started.iter().chain(&self.restarted).chain(&self.ended);
        slots.map(|slot| slot.supervisor.clone()).collect()
    }
}

/// One line, as `start a:1, restart b:1, end c:1; moved [3-3]; tell a b c`.
impl fmt::Display for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return out.write_str("unchanged");
        }
        let kinds = [("start", &self.started), ("restart", &self.restarted), ("end", &self.ended)];
        let slots = kinds.iter().flat_map(|(kind, slots)| slots.iter().map(move |s| (kind, s)));
        for (at, (kind, slot)) in slots.enumerate() {
            write!(out, "{}{kind} {slot}", if at == 0 { "" } else { ", " })?;
        }
        for (kind, executors) in [("moved", &self.moved), ("gone", &self.gone)] {
            for (at, executor) in executors.iter().enumerate() {
                if at == 0 {
                    write!(out, "; {kind}")?;
                }
                write!(out, " {executor}")?;
            }
        }
        out.write_str("; tell")?;
        for supervisor in self.supervisors() {
            write!(out, " {supervisor}")?;
        }
        Ok(())
    }
}
