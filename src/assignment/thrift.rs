//! Assignments as Storm's wire has them.
//!
//! An executor is a list of two numbers there, a slot a supervisor with a set of one port.

use std::collections::{BTreeMap, BTreeSet};

use nimbus_client::thrift;
use nimbus_client::wire::OrderedFloat;

use super::{Amounts, Assignment, CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB, SlotResources, WorkerSlot};
use crate::id::{ExecutorId, SupervisorId, TaskId};

/// An assignment that no Nimbus writes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AssignmentError {
    /// An executor is a first and a last task, from 1 to 32767.
    #[error("{found:?} is no executor: expected its first and its last task")]
    Executor {
        /// What stands in its place.
        found: Vec<i64>,
    },
    /// A slot has one port.
    #[error("{supervisor} has an executor on the ports {ports:?}: expected one port up to 65535")]
    Ports {
        /// The slot's supervisor.
        supervisor: String,
        /// What stands in place of one port.
        ports: Vec<i64>,
    },
}

impl From<&Assignment> for thrift::Assignment {
    fn from(assignment: &Assignment) -> Self {
        let name = |id: &SupervisorId| id.as_str().to_owned();
        let hosts = assignment.supervisor_to_host.iter();
        let slots = assignment.executor_to_slot.iter();
        let starts = assignment.executor_to_start_secs.iter();
        let resources = assignment.slot_to_resources.iter();
        let shared = assignment.supervisor_to_shared_off_heap_mb.iter();
        Self {
            master_code_dir: assignment.master_code_dir.clone(),
            node_host: Some(hosts.map(|(id, host)| (name(id), host.clone())).collect()),
            executor_node_port: Some(slots.map(|(id, slot)| (range(*id), slot.into())).collect()),
            executor_start_time_secs: Some(starts.map(|(id, secs)| (range(*id), *secs)).collect()),
            worker_resources: Some(
                resources.map(|(slot, one)| (slot.into(), one.into())).collect(),
            ),
            total_shared_off_heap: Some(
                shared.map(|(id, amount)| (name(id), OrderedFloat(*amount))).collect(),
            ),
            owner: assignment.owner.clone(),
        }
    }
}

impl TryFrom<&thrift::Assignment> for Assignment {
    type Error = AssignmentError;

    fn try_from(wire: &thrift::Assignment) -> Result<Self, AssignmentError> {
        let hosts = wire.node_host.iter().flatten();
        let shared = wire.total_shared_off_heap.iter().flatten();
        let mut assignment = Self {
            master_code_dir: wire.master_code_dir.clone(),
            owner: wire.owner.clone(),
            supervisor_to_host: hosts
                .map(|(id, host)| (id.as_str().into(), host.clone()))
                .collect(),
            supervisor_to_shared_off_heap_mb: shared
                .map(|(id, amount)| (id.as_str().into(), amount.0))
                .collect(),
            ..Self::default()
        };
        for (range, slot) in wire.executor_node_port.iter().flatten() {
            assignment.executor_to_slot.insert(executor(range)?, slot.try_into()?);
        }
        for (range, secs) in wire.executor_start_time_secs.iter().flatten() {
            assignment.executor_to_start_secs.insert(executor(range)?, *secs);
        }
        for (slot, resources) in wire.worker_resources.iter().flatten() {
            assignment.slot_to_resources.insert(slot.try_into()?, resources.into());
        }
        Ok(assignment)
    }
}

fn range(id: ExecutorId) -> Vec<i64> {
    vec![id.first_task.0.into(), id.last_task.0.into()]
}

fn executor(range: &[i64]) -> Result<ExecutorId, AssignmentError> {
    let task = |task: i64| {
        u16::try_from(task).ok().map(TaskId).filter(|task| (1..=TaskId::MAX).contains(&task.0))
    };
    match *range {
        [first, last] if first <= last => task(first)
            .zip(task(last))
            .map(|(first_task, last_task)| ExecutorId { first_task, last_task }),
        _ => None,
    }
    .ok_or_else(|| AssignmentError::Executor { found: range.to_vec() })
}

impl From<&WorkerSlot> for thrift::NodeInfo {
    fn from(slot: &WorkerSlot) -> Self {
        let node = slot.supervisor.as_str().to_owned();
        Self { node, port: BTreeSet::from([slot.port.into()]) }
    }
}

impl TryFrom<&thrift::NodeInfo> for WorkerSlot {
    type Error = AssignmentError;

    fn try_from(info: &thrift::NodeInfo) -> Result<Self, AssignmentError> {
        let ports: Vec<i64> = info.port.iter().copied().collect();
        match ports[..] {
            [port] => u16::try_from(port).ok(),
            _ => None,
        }
        .map(|port| Self::new(info.node.as_str(), port))
        .ok_or(AssignmentError::Ports { supervisor: info.node.clone(), ports })
    }
}

impl From<&SlotResources> for thrift::WorkerResources {
    fn from(resources: &SlotResources) -> Self {
        let SlotResources { own, shared } = resources;
        let amount = |amounts: &Amounts, name| Some(OrderedFloat(amounts.of(name)));
        Self {
            mem_on_heap: amount(own, ON_HEAP_MB),
            mem_off_heap: amount(own, OFF_HEAP_MB),
            cpu: amount(own, CPU_PERCENT),
            shared_mem_on_heap: amount(shared, ON_HEAP_MB),
            shared_mem_off_heap: amount(shared, OFF_HEAP_MB),
            resources: Some(own.into()),
            shared_resources: Some(shared.into()),
        }
    }
}

/// The maps say it all; what stands beside them is for readers of old.
impl From<&thrift::WorkerResources> for SlotResources {
    fn from(resources: &thrift::WorkerResources) -> Self {
        let amounts = |map: &Option<BTreeMap<String, OrderedFloat<f64>>>| {
            map.as_ref().map(Amounts::from).unwrap_or_default()
        };
        Self { own: amounts(&resources.resources), shared: amounts(&resources.shared_resources) }
    }
}

impl From<&Amounts> for BTreeMap<String, OrderedFloat<f64>> {
    fn from(amounts: &Amounts) -> Self {
        amounts.0.iter().map(|(name, amount)| (name.clone(), OrderedFloat(*amount))).collect()
    }
}

impl From<&BTreeMap<String, OrderedFloat<f64>>> for Amounts {
    fn from(map: &BTreeMap<String, OrderedFloat<f64>>) -> Self {
        Self(map.iter().map(|(name, amount)| (name.clone(), amount.0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assignment::text;

    #[test]
    fn an_assignment_comes_back_from_the_wire_as_it_was() {
        let resources = SlotResources {
            own: Amounts::from([(ON_HEAP_MB, 384.0), (OFF_HEAP_MB, 0.0), (CPU_PERCENT, 30.0)]),
            shared: Amounts::default(),
        };
        let hosts = BTreeMap::from([("a".into(), "127.0.0.1".to_owned())]);
        let assignment = Assignment { owner: Some("root".to_owned()), ..Assignment::default() };
        let resources = BTreeMap::from([(WorkerSlot::new("a", 6700), resources)]);
        let slots = text::slots("1 [3-4] a:6700 2 b:6701");
        let assignment = assignment.moved(slots, resources, &hosts, 1_795_265_311);
        let wire = thrift::Assignment::from(&assignment);
        assert_eq!(Assignment::try_from(&wire), Ok(assignment));
    }

    #[test]
    fn what_is_no_executor_or_no_slot_is_refused() {
        let refused = |range: &[i64], ports: &[i64]| {
            let port = ports.iter().copied().collect();
            let slot = thrift::NodeInfo { node: "a".to_owned(), port };
            let executor_node_port = Some(BTreeMap::from([(range.to_vec(), slot)]));
            let wire = thrift::Assignment::from(&Assignment::default());
            let wire = thrift::Assignment { executor_node_port, ..wire };
            Assignment::try_from(&wire).unwrap_err().to_string()
        };
        for range in [&[1][..], &[1, 2, 3], &[2, 1], &[0, 1], &[1, 32_768], &[-1, -1]] {
            let told = format!("{range:?} is no executor: expected its first and its last task");
            assert_eq!(refused(range, &[6700]), told);
        }
        for ports in [&[][..], &[1, 2], &[65_536], &[-1]] {
            let told =
                format!("a has an executor on the ports {ports:?}: expected one port up to 65535");
            assert_eq!(refused(&[1, 1], ports), told);
        }
    }
}
