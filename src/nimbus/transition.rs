//! Carries out what the life-cycle table says, for calls and for timers.
//!
//! **Invariants.** The next status is stored before anything else happens, so that a Nimbus that is
//! killed in between finds it and goes on; effects may be carried out twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use nimbus_client::TopologyId;

use super::core::{Core, Decisions};
use super::error::NimbusError;
use super::lifecycle::{Effect, Event};
use super::rebalance::Rebalance;
use super::topologies::Entry;
use crate::cluster::Expected;
use nimbus_client::thrift::StormBase;

impl Core {
    /// An event happens to a topology.
    ///
    /// # Errors
    /// The topology is gone, its status does not allow the wish, or the shared state failed.
    pub fn transition(&self, id: &TopologyId, event: Event) -> Result<(), NimbusError> {
        let mut decisions = self.decide();
        self.transition_within(&mut decisions, id, event)?;
        drop(decisions);
        self.wake_driver();
        Ok(())
    }

    /// As [`transition`](Self::transition), for whoever decides already.
    pub fn transition_within(
        &self,
        decisions: &mut Decisions,
        id: &TopologyId,
        event: Event,
    ) -> Result<(), NimbusError> {
        let entry =
            self.topologies.get(id).ok_or_else(|| NimbusError::not_alive(id.to_string()))?;
        let said = format!("{event:?}");
        let transition = entry.base.status.on(event, entry.message_timeout())?;
        if let Some(Effect::Rebalance(changes)) = transition.effects.first() {
            // What changes is stored with the new status, so it comes first.
            self.rebalance(decisions, &entry, changes)?;
        }
        let entry = self.topologies.get(id).unwrap_or(entry);
        if let Some(next) = transition.next {
            tracing::info!("{id}: {} -> {next} ({said})", entry.base.status);
            let mut base = entry.base.clone();
            base.status = next;
            self.store_base(&entry, base)?;
        }
        for effect in transition.effects {
            match effect {
                Effect::Delay { wait, then } => {
                    decisions.timers.insert(id.clone(), (self.clock.now() + wait, then));
                }
                Effect::Rebalance(_) => {
                    decisions.timers.remove(id);
                }
                Effect::Remove => self.remove(decisions, id)?,
            }
        }
        Ok(())
    }

    /// Stores a base and shows it to readers.
    pub fn store_base(
        &self,
        entry: &Entry,
        base: super::base::TopologyBase,
    ) -> Result<Arc<Entry>, NimbusError> {
        let wire = StormBase::from(&base);
        self.shared.with(|state| state.set_topology(&entry.id, &wire, Expected::Any))?;
        let executors = entry.plan.numbering.executors(&base.component_to_executors);
        let executor_to_component = Arc::new(executors);
        Ok(self.topologies.put(Entry { base, executor_to_component, ..entry.clone() }))
    }

    fn rebalance(
        &self,
        decisions: &mut Decisions,
        entry: &Entry,
        changes: &Rebalance,
    ) -> Result<(), NimbusError> {
        let mut entry = entry.clone();
        if !changes.conf_overrides.is_empty() {
            let mut conf = (*entry.conf).clone();
            conf.extend(changes.conf_overrides.clone());
            self.blobs.put_conf(&entry.id, &conf, entry.base.owner.as_deref())?;
            entry.conf = Arc::new(conf);
        }
        if !changes.component_to_resources.is_empty() {
            let plan = self.override_resources(&entry, changes)?;
            entry.plan = Arc::new(plan);
        }
        let tasks = entry.plan.numbering.component_to_tasks();
        let base = changes.applied_to(&entry.base, &tasks);
        self.store_base(&entry, base)?;
        decisions.rebalance.insert(entry.id.clone());
        self.counts.rebalanced.add(1);
        Ok(())
    }

    /// Writes new needs of components into the topology, as Storm does.
    fn override_resources(
        &self,
        entry: &Entry,
        changes: &Rebalance,
    ) -> Result<super::plan::Plan, NimbusError> {
        let mut topology = self.blobs.topology(&entry.id)?;
        for (component, amounts) in &changes.component_to_resources {
            let spout = topology.spouts.get_mut(component.as_str()).map(|spout| &mut spout.common);
            let bolt = topology.bolts.get_mut(component.as_str()).map(|bolt| &mut bolt.common);
            let Some(common) = spout.or(bolt) else { continue };
            let mut own = super::plan::component_conf(common);
            let amounts: BTreeMap<_, _> = amounts.0.iter().collect();
            own.extend(
                amounts.iter().map(|(name, amount)| (resource_key(name), (**amount).into())),
            );
            common.json_conf = Some(serde_json::Value::Object(own).to_string());
        }
        self.blobs.put_topology(&entry.id, &topology, entry.base.owner.as_deref())?;
        super::plan::Plan::of(&topology, &self.merged_conf(&entry.conf))
            .map_err(|error| NimbusError::invalid(error.to_string()))
    }

    /// Deletes everything of a topology but what is cleaned up later.
    fn remove(&self, decisions: &mut Decisions, id: &TopologyId) -> Result<(), NimbusError> {
        let Some(entry) = self.topologies.get(id) else {
            return Ok(());
        };
        self.shared.with(|state| state.remove_topology(id))?;
        decisions.timers.remove(id);
        decisions.rebalance.remove(id);
        decisions.ordered.retain(|(ordered, _), _| ordered != id);
        self.topologies.remove(id);
        self.beats.forget(id);
        self.history.add(&entry, self.now_secs());
        if let Some(assignment) = &entry.assignment {
            self.push_to(assignment.supervisors());
        }
        self.counts.removed.add(1);
        tracing::info!("{id} is removed; its blobs follow");
        Ok(())
    }
}

/// The key under which a component's conf gives a resource.
fn resource_key(name: &str) -> String {
    use crate::assignment::{CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB};
    match name {
        ON_HEAP_MB => "topology.component.resources.onheap.memory.mb".to_owned(),
        OFF_HEAP_MB => "topology.component.resources.offheap.memory.mb".to_owned(),
        CPU_PERCENT => "topology.component.cpu.pcore.percent".to_owned(),
        other => other.to_owned(),
    }
}
