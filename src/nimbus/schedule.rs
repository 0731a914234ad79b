//! One scheduling round: who is dead, who goes where, who is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use nimbus_client::TopologyId;

use super::core::{Core, Decisions};
use super::error::NimbusError;

use super::topologies::Entry;
use crate::assignment::{Assignment, Changes, WorkerSlot};
use crate::clock::Time;
use crate::id::SupervisorId;
use crate::scheduler::liveness::AssignedWorker;
use crate::scheduler::{Scheduled, TopologyDetails, schedule};

impl Core {
    /// Gives slots to whoever lacks them and tells the supervisors concerned.
    ///
    /// # Errors
    /// The shared state failed; what was decided before that stands.
    pub fn schedule_round(&self) -> Result<(), NimbusError> {
        let mut decisions = self.decide();
        let entries = self.in_order();
        let dead = self.dead(&mut decisions, &entries);
        let supervisors = self.supervisors.all();
        // A supervisor that is missed keeps its workers and gets no further ones.
        let details: Vec<_> = supervisors.values().map(|found| found.details()).collect();
        let hosts: BTreeMap<SupervisorId, String> = supervisors
            .values()
            .map(|found| (found.id.clone(), found.info.hostname.clone()))
            .collect();
        let wanted: Vec<TopologyDetails> = entries
            .iter()
            .map(|entry| details_of(entry, decisions.rebalance.contains(&entry.id)))
            .collect();
        let scheduled = schedule(&details, &dead, &wanted);
        let mut told = BTreeSet::new();
        for (entry, scheduled) in entries.iter().zip(scheduled) {
            told.append(&mut self.assign(&mut decisions, entry, scheduled, &hosts)?);
        }
        decisions.rebalance.clear();
        drop(decisions);
        self.counts.rounds.add(1);
        self.push_to(told);
        Ok(())
    }

    /// Tells supervisors what is assigned to them now.
    pub fn push_to(&self, supervisors: BTreeSet<SupervisorId>) {
        for id in supervisors {
            if let Some(server) = self.supervisors.get(&id).and_then(|found| found.server()) {
                self.push.wake(id, server);
            }
        }
    }

    /// All topologies that can run, the oldest first.
    fn in_order(&self) -> Vec<Arc<Entry>> {
        let mut entries = self.topologies.all();
        entries.retain(|entry| entry.unreadable.is_none());
        entries.sort_by_key(|entry| (entry.base.launched_secs, entry.id.counter()));
        entries
    }

    fn dead(&self, decisions: &mut Decisions, entries: &[Arc<Entry>]) -> BTreeSet<WorkerSlot> {
        let mut workers = Vec::new();
        for entry in entries {
            for slot in entry.slots() {
                let key = (entry.id.clone(), slot.clone());
                let ordered = decisions.ordered.get(&key).copied().unwrap_or(Time::ZERO);
                let heard = self.beats.heard(&entry.id, &slot);
                workers.push(AssignedWorker { slot, ordered, heard });
            }
        }
        let supervisors = self.supervisors.all();
        let heard = supervisors.iter().map(|(id, found)| (id.clone(), found.heard)).collect();
        let now = self.clock.now();
        let timeouts = &self.settings.timeouts;
        let (hearing, verdict) = decisions.hearing.judge(now, timeouts, &heard, &workers);
        decisions.hearing = hearing;
        let held = verdict.held.map(|held| held.to_string());
        if decisions.held != held {
            if let Some(held) = &held {
                tracing::warn!("{held}");
            }
            decisions.held = held;
        }
        for slot in &verdict.dead {
            tracing::warn!("the worker in slot {slot} is taken for dead: it was not heard in time");
        }
        verdict.dead
    }

    /// Takes over a topology's new slots; the supervisors that have to be told.
    fn assign(
        &self,
        decisions: &mut Decisions,
        entry: &Entry,
        scheduled: Scheduled,
        hosts: &BTreeMap<SupervisorId, String>,
    ) -> Result<BTreeSet<SupervisorId>, NimbusError> {
        let status = scheduled.status.to_string();
        let old = entry.assignment.as_deref();
        let before = old.cloned().unwrap_or_else(|| Assignment {
            master_code_dir: self.settings.local_dir.to_string_lossy().into_owned(),
            owner: entry.base.owner.clone(),
            ..Assignment::default()
        });
        let Scheduled { executor_to_slot, slot_to_resources, .. } = scheduled;
        let next = before.moved(executor_to_slot, slot_to_resources, hosts, self.now_secs());
        let changes = Changes::between(old, Some(&next));
        if old == Some(&next) || (old.is_none() && next.executor_to_slot.is_empty()) {
            if status != entry.scheduled {
                tracing::info!("{}: {status}", entry.id);
                self.topologies.put(Entry { scheduled: status, ..entry.clone() });
            }
            return Ok(BTreeSet::new());
        }
        let wire = nimbus_client::thrift::Assignment::from(&next);
        self.shared.with(|state| state.put_assignment(&entry.id, &wire))?;
        self.note(decisions, &entry.id, &changes, &next);
        tracing::info!("{}: {changes}; {status}", entry.id);
        self.topologies.put(Entry {
            assignment: Some(Arc::new(next)),
            scheduled: status,
            ..entry.clone()
        });
        Ok(changes.supervisors())
    }

    fn note(
        &self,
        decisions: &mut Decisions,
        id: &TopologyId,
        changes: &Changes,
        next: &Assignment,
    ) {
        let now = self.clock.now();
        for slot in changes.started.union(&changes.restarted) {
            decisions.ordered.insert((id.clone(), slot.clone()), now);
        }
        for slot in &changes.ended {
            decisions.ordered.remove(&(id.clone(), slot.clone()));
        }
        self.beats.retain(id, &next.slots());
    }

    /// Looks at the supervisors anew; whether something about them changed.
    ///
    /// # Errors
    /// The shared state failed.
    pub fn look_at_supervisors(
        &self,
        watcher: &crate::cluster::Watcher,
    ) -> Result<bool, NimbusError> {
        let infos = self.shared.with(|state| state.supervisors(Some(watcher)))?;
        let heard = self.beats.supervisors();
        let now = self.clock.now();
        let before = self.supervisors.all();
        let changed = self.supervisors.update(infos, &heard, now, self.settings.supervisor_timeout);
        let after = self.supervisors.all();
        for id in after.keys().filter(|id| !before.contains_key(*id)) {
            tracing::info!("supervisor {id} joined");
        }
        for id in before.keys().filter(|id| !after.contains_key(*id)) {
            tracing::warn!("supervisor {id} is gone");
        }
        self.beats.retain_supervisors(|id| after.contains_key(id));
        Ok(changed)
    }

    /// The next timer, if there is one.
    pub fn next_timer(&self) -> Option<Duration> {
        let decisions = self.decide();
        let next = decisions.timers.values().map(|(due, _)| *due).min()?;
        Some(next.since(self.clock.now()))
    }

    /// Carries out what timers are due for.
    pub fn fire_timers(&self) {
        let now = self.clock.now();
        let mut decisions = self.decide();
        let due: Vec<_> = decisions
            .timers
            .iter()
            .filter(|(_, (due, _))| *due <= now)
            .map(|(id, (_, then))| (id.clone(), *then))
            .collect();
        for (id, then) in due {
            decisions.timers.remove(&id);
            let event = super::lifecycle::Event::Due(then);
            if let Err(error) = self.transition_within(&mut decisions, &id, event) {
                tracing::error!("{id}: {then:?} failed and is tried again: {error}");
                let again = now + self.settings.monitor_interval;
                decisions.timers.insert(id, (again, then));
            }
        }
    }
}

fn details_of(entry: &Entry, rebalance: bool) -> TopologyDetails {
    let old = entry.assignment.as_ref().map(|assignment| assignment.executor_to_slot.clone());
    TopologyDetails {
        wanted_workers: entry.base.wanted_workers,
        executor_to_component: (*entry.executor_to_component).clone(),
        component_to_resources: entry
            .plan
            .components
            .iter()
            .map(|(id, planned)| (id.clone(), planned.resources.clone()))
            .collect(),
        old: old.unwrap_or_default(),
        rebalance,
    }
}
