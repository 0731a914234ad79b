//! What Nimbus has to know of a topology's structure: components, their tasks and executors; pure.
//!
//! ```text
//! user topology + conf ──▶ system components added ──▶ tasks by sorted name ──▶ executors cut
//! ```
//!
//! **Invariants.** Tasks and executors are those that the workers of the topology find as well:
//! task ids go up from 1 in the order of component names, and an executor is a run of tasks of one
//! component, longer runs first.

use std::collections::BTreeMap;

use nimbus_client::thrift as storm;
use serde_json::{Map, Value};

use crate::assignment::{Amounts, CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB};
use crate::id::{ComponentId, ExecutorId, TaskId};

/// The key of a component's tasks, which a submission fills in.
pub const TASKS: &str = "topology.tasks";
/// Storm's system bolt that keeps tuple trees.
pub const ACKER: &str = "__acker";

/// Storm's keys of resources and the names under which they are added up.
const RESOURCES: [(&str, &str, f64); 3] = [
    ("topology.component.resources.onheap.memory.mb", ON_HEAP_MB, 128.0),
    ("topology.component.resources.offheap.memory.mb", OFF_HEAP_MB, 0.0),
    ("topology.component.cpu.pcore.percent", CPU_PERCENT, 10.0),
];

/// A topology as Nimbus schedules and shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Its components, system components with tasks among them.
    pub components: BTreeMap<ComponentId, Planned>,
    /// The version of Storm that its client wrote.
    pub storm_version: Option<String>,
}

/// One component.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Whether it is a spout.
    pub is_spout: bool,
    /// First task.
    pub first_task: u16,
    /// How many tasks it has.
    pub tasks: usize,
    /// What one of its executors needs.
    pub resources: Amounts,
}

/// More tasks than there are numbers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the topology has {tasks} tasks and at most {} are possible: lower topology.tasks or the parallelism",
    TaskId::MAX
)]
pub struct TooManyTasks {
    /// How many it has.
    pub tasks: usize,
}

impl Plan {
    /// Plans a normalised topology: one whose components say how many tasks they have.
    ///
    /// # Errors
    /// There are too many tasks.
    pub fn of(
        topology: &storm::StormTopology,
        conf: &Map<String, Value>,
    ) -> Result<Self, TooManyTasks> {
        let mut components = BTreeMap::new();
        let spouts = topology.spouts.iter().map(|(id, spec)| (id, true, &spec.common));
        let bolts = topology.bolts.iter().map(|(id, bolt)| (id, false, &bolt.common));
        for (id, is_spout, common) in spouts.chain(bolts) {
            let own = component_conf(common);
            let tasks = count(own.get(TASKS)).unwrap_or_else(|| parallelism(common));
            let resources = resources(&own, conf);
            components.insert(
                ComponentId::from(id.as_str()),
                Planned { is_spout, first_task: 0, tasks, resources },
            );
        }
        let ackers = ackers(conf);
        if ackers > 0 {
            let resources = resources(&Map::new(), conf);
            let acker = Planned { is_spout: false, first_task: 0, tasks: ackers, resources };
            components.insert(ComponentId::from(ACKER), acker);
        }
        let all: usize = components.values().map(|planned| planned.tasks).sum();
        if all > usize::from(TaskId::MAX) {
            return Err(TooManyTasks { tasks: all });
        }
        let mut next = 1;
        for planned in components.values_mut() {
            planned.first_task = next;
            next += planned.tasks as u16;
        }
        Ok(Self { components, storm_version: topology.storm_version.clone() })
    }

    /// How many executors each component begins with.
    pub fn executors(&self, topology: &storm::StormTopology) -> BTreeMap<ComponentId, usize> {
        let wanted = |id: &ComponentId| {
            let spout = topology.spouts.get(id.as_str()).map(|spec| &spec.common);
            let common = spout.or(topology.bolts.get(id.as_str()).map(|bolt| &bolt.common));
            common.map(parallelism)
        };
        self.components
            .iter()
            .map(|(id, planned)| {
                (id.clone(), wanted(id).unwrap_or(planned.tasks).min(planned.tasks))
            })
            .collect()
    }

    /// The executors of all components, for these numbers of them.
    pub fn executor_to_component(
        &self,
        component_to_executors: &BTreeMap<ComponentId, usize>,
    ) -> BTreeMap<ExecutorId, ComponentId> {
        let mut executors = BTreeMap::new();
        for (id, planned) in &self.components {
            let wanted = component_to_executors.get(id).copied().unwrap_or(planned.tasks);
            for executor in planned.cut(wanted) {
                executors.insert(executor, id.clone());
            }
        }
        executors
    }

    /// The component of a task.
    pub fn component_of(&self, task: TaskId) -> Option<&ComponentId> {
        self.components.iter().find(|(_, planned)| planned.has(task)).map(|(id, _)| id)
    }

    /// How many tasks each component has.
    pub fn component_to_tasks(&self) -> BTreeMap<ComponentId, usize> {
        self.components.iter().map(|(id, planned)| (id.clone(), planned.tasks)).collect()
    }
}

impl Planned {
    fn has(&self, task: TaskId) -> bool {
        let after = usize::from(self.first_task) + self.tasks;
        (usize::from(self.first_task)..after).contains(&usize::from(task.0))
    }

    /// Its tasks cut into `executors` runs, at least one and at most one per task.
    fn cut(&self, executors: usize) -> impl Iterator<Item = ExecutorId> {
        let runs = executors.clamp(usize::from(self.tasks > 0), self.tasks.max(1));
        let (length, longer) = match runs {
            0 => (0, 0),
            runs => (self.tasks / runs, self.tasks % runs),
        };
        let mut first = self.first_task;
        (0..runs).filter(move |_| length > 0).map(move |run| {
            let tasks = (length + usize::from(run < longer)) as u16;
            let executor =
                ExecutorId { first_task: TaskId(first), last_task: TaskId(first + tasks - 1) };
            first += tasks;
            executor
        })
    }
}

/// A component's own conf; what is no object counts as empty.
pub fn component_conf(common: &storm::ComponentCommon) -> Map<String, Value> {
    let text = common.json_conf.as_deref().unwrap_or("{}");
    serde_json::from_str(text).unwrap_or_default()
}

/// How many executors a component asks for.
pub fn parallelism(common: &storm::ComponentCommon) -> usize {
    common.parallelism_hint.and_then(|hint| usize::try_from(hint).ok()).unwrap_or(1)
}

/// A count in a conf, whether it is a number or a text.
pub fn count(value: Option<&Value>) -> Option<usize> {
    let number = match value? {
        Value::Number(number) => number.as_u64().or(number.as_f64().map(|real| real as u64))?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    usize::try_from(number).ok()
}

/// How many ackers a topology has: as many as workers unless it says otherwise.
fn ackers(conf: &Map<String, Value>) -> usize {
    let workers = || count(conf.get("topology.workers")).unwrap_or(1);
    count(conf.get("topology.acker.executors")).unwrap_or_else(workers)
}

fn resources(own: &Map<String, Value>, conf: &Map<String, Value>) -> Amounts {
    let amount = |key: &str, default: f64| {
        own.get(key).or_else(|| conf.get(key)).and_then(Value::as_f64).unwrap_or(default)
    };
    let named = RESOURCES.iter();
    Amounts(named.map(|(key, name, default)| ((*name).to_owned(), amount(key, *default))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(hint: i32, tasks: Option<usize>) -> storm::ComponentCommon {
        storm::ComponentCommon {
            inputs: BTreeMap::new(),
            streams: BTreeMap::new(),
            parallelism_hint: Some(hint),
            json_conf: tasks.map(|tasks| format!("{{\"topology.tasks\": {tasks}}}")),
        }
    }

    fn topology() -> storm::StormTopology {
        let object = || storm::ComponentObject::Shell(storm::ShellComponent::default());
        let spout = storm::SpoutSpec { spout_object: object(), common: common(1, None) };
        let bolt = storm::Bolt { bolt_object: object(), common: common(2, Some(3)) };
        storm::StormTopology {
            spouts: BTreeMap::from([("src".to_owned(), spout)]),
            bolts: BTreeMap::from([("fwd".to_owned(), bolt)]),
            state_spouts: BTreeMap::new(),
            worker_hooks: None,
            dependency_jars: None,
            dependency_artifacts: None,
            storm_version: None,
            jdk_version: None,
            component_to_shared_memory: None,
            shared_memory: None,
        }
    }

    #[track_caller]
    fn check(conf: Value, expected: &str) {
        let conf = conf.as_object().expect("an object").clone();
        let plan = Plan::of(&topology(), &conf).expect("few tasks");
        let executors = plan.executor_to_component(&plan.executors(&topology()));
        let shown: Vec<String> =
            executors.iter().map(|(executor, id)| format!("{executor} {id}")).collect();
        assert_eq!(shown.join(", "), expected);
    }

    #[test]
    fn tasks_are_numbered_by_name_and_cut_with_longer_runs_first() {
        check(
            serde_json::json!({"topology.acker.executors": 1}),
            "[1-1] __acker, [2-3] fwd, [4-4] fwd, [5-5] src",
        );
    }

    #[test]
    fn there_are_as_many_ackers_as_workers_or_none() {
        check(
            serde_json::json!({"topology.workers": 2, "topology.acker.executors": null}),
            "[1-1] __acker, [2-2] __acker, [3-4] fwd, [5-5] fwd, [6-6] src",
        );
        check(
            serde_json::json!({"topology.acker.executors": 0}),
            "[1-2] fwd, [3-3] fwd, [4-4] src",
        );
    }
}
