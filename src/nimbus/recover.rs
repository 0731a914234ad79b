//! Reads everything back when Nimbus starts.
//!
//! **Invariants.** A topology whose blobs cannot be read is listed and can be killed, and is not
//! scheduled. Nothing is deleted here.

use std::collections::BTreeMap;
use std::sync::Arc;

use nimbus_client::TopologyId;
use serde_json::Map;

use super::base::TopologyBase;
use super::core::Core;
use super::error::NimbusError;
use super::lifecycle::Event;
use super::plan::Plan;
use super::topologies::Entry;
use crate::assignment::Assignment;

impl Core {
    /// Reads all topologies and resumes their kills and rebalances.
    ///
    /// # Errors
    /// The shared state failed.
    pub fn recover(&self) -> Result<(), NimbusError> {
        let ids = self.shared.with(|state| state.topologies(None))?;
        for id in &ids {
            match self.recover_one(id) {
                Ok(()) => {}
                Err(error) => tracing::error!("{id} is left alone: {error}"),
            }
        }
        let known = self.topologies.all().len();
        if known > 0 {
            tracing::info!("recovered {known} topologies");
        }
        Ok(())
    }

    fn recover_one(&self, id: &TopologyId) -> Result<(), NimbusError> {
        let Some(base) = self.shared.with(|state| state.topology(id, None))? else {
            return Ok(());
        };
        let base = TopologyBase::try_from(&base.value).map_err(|error| unreadable(id, &error))?;
        let assignment = self.shared.with(|state| state.assignment(id, None))?;
        let assignment = assignment
            .map(|found| Assignment::try_from(&found.value))
            .transpose()
            .map_err(|error| unreadable(id, &error))?;
        let (plan, conf, why) = match self.plan_of(id) {
            Ok((plan, conf)) => (plan, conf, None),
            Err(error) => {
                tracing::error!("{id} cannot run: {error}");
                (Plan::default(), Map::new(), Some(error.to_string()))
            }
        };
        self.topologies.put(Entry {
            id: id.clone(),
            executor_to_component: Arc::new(plan.numbering.executors(&base.component_to_executors)),
            base,
            plan: Arc::new(plan),
            conf: Arc::new(conf),
            assignment: assignment.map(Arc::new),
            scheduled: why.clone().unwrap_or_default(),
            unreadable: why,
        });
        self.transition(id, Event::GainLeadership)
    }

    fn plan_of(
        &self,
        id: &TopologyId,
    ) -> Result<(Plan, Map<String, serde_json::Value>), NimbusError> {
        let topology = self.blobs.topology(id)?;
        let conf = self.blobs.conf(id)?;
        let plan = Plan::of(&topology, &self.merged_conf(&conf))
            .map_err(|error| unreadable(id, &error))?;
        Ok((plan, conf))
    }

    /// What is assigned to a supervisor: the whole assignments of all topologies that have a slot
    /// there.
    pub fn assignments_of(
        &self,
        supervisor: &crate::id::SupervisorId,
    ) -> nimbus_client::thrift::SupervisorAssignments {
        let mut assignments = BTreeMap::new();
        for entry in self.topologies.all() {
            let Some(assignment) = &entry.assignment else { continue };
            if assignment.executor_to_slot.values().any(|slot| slot.supervisor == *supervisor) {
                assignments.insert(entry.id.to_string(), (&**assignment).into());
            }
        }
        nimbus_client::thrift::SupervisorAssignments { storm_assignment: Some(assignments) }
    }
}

fn unreadable(id: &TopologyId, why: &dyn std::error::Error) -> NimbusError {
    NimbusError::Unreadable { what: "the state", id: id.to_string(), why: why.to_string() }
}
