//! Tasks numbered over all components, and cut into executors.

use std::collections::BTreeMap;

use nimbus_client::thrift::StormTopology;

use super::checks::{InvalidTopology, Problem};
use super::component::{TASKS, all, conf_of, number, parallelism_hint};
use crate::id::{ComponentId, ExecutorId, TaskId, java_order};
use crate::topology::executor_ranges;

/// Which tasks a topology has, and whose they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Numbering {
    /// In the order of their tasks, which is that of their ids in Java.
    pub components: Vec<NumberedComponent>,
}

/// A component and its tasks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumberedComponent {
    /// Its id.
    pub id: ComponentId,
    /// Whether it is a spout.
    pub is_spout: bool,
    /// Its first task; that of the next component if it has none.
    pub first_task: TaskId,
    /// How many tasks it has.
    pub tasks: u16,
    /// How many executors it is started with.
    pub start_executors: usize,
}

impl Numbering {
    /// Numbers the tasks of a [system topology](super::system_topology) whose user part is
    /// [normalised](super::normalised).
    ///
    /// # Errors
    /// There are more tasks than numbers, or a number of tasks cannot be read.
    pub fn of(system_topology: &StormTopology) -> Result<Self, InvalidTopology> {
        let mut counted = Vec::new();
        for (id, common) in all(system_topology) {
            let tasks = number(id, &conf_of(id, common)?, TASKS)?;
            let tasks = tasks.unwrap_or_else(|| parallelism_hint(common)).max(0);
            let executors = usize::try_from(parallelism_hint(common)).unwrap_or_default();
            counted.push((id, tasks, executors));
        }
        counted.sort_by(|a, b| java_order(a.0, b.0));
        let most = TaskId::MAX;
        let tasks: i64 = counted.iter().map(|(_, tasks, _)| i64::from(*tasks)).sum();
        if tasks > i64::from(most) {
            return Err(Problem::TooManyTasks { tasks, most }.into());
        }
        let mut next = 1;
        let numbered = counted.into_iter().map(|(id, tasks, start_executors)| {
            let first_task = TaskId(next);
            // The sum of all was found to fit.
            let tasks = tasks as u16;
            next += tasks;
            let is_spout = system_topology.spouts.contains_key(id);
            NumberedComponent { id: id.into(), is_spout, first_task, tasks, start_executors }
        });
        Ok(Self { components: numbered.collect() })
    }

    /// The component of a task.
    pub fn component_of(&self, task: TaskId) -> Option<&NumberedComponent> {
        self.components.iter().find(|one| one.task_ids().any(|own| own == task))
    }

    /// How many tasks each component has.
    pub fn component_to_tasks(&self) -> BTreeMap<ComponentId, usize> {
        self.components.iter().map(|one| (one.id.clone(), one.tasks.into())).collect()
    }

    /// How many executors each component is started with.
    pub fn start_executors(&self) -> BTreeMap<ComponentId, usize> {
        self.components.iter().map(|one| (one.id.clone(), one.start_executors)).collect()
    }

    /// All executors and whose they are, for these numbers of them.
    ///
    /// A component that is not named has none, and so its tasks do not run, as in Storm.
    pub fn executors(
        &self,
        component_to_executors: &BTreeMap<ComponentId, usize>,
    ) -> BTreeMap<ExecutorId, ComponentId> {
        let mut executors = BTreeMap::new();
        for component in &self.components {
            let wanted = component_to_executors.get(&component.id).copied().unwrap_or_default();
            let ranges = component.cut(wanted);
            executors.extend(ranges.map(|executor| (executor, component.id.clone())));
        }
        executors
    }
}

impl NumberedComponent {
    /// Its tasks.
    pub fn task_ids(&self) -> impl Iterator<Item = TaskId> {
        (self.first_task.0..self.first_task.0 + self.tasks).map(TaskId)
    }

    /// Its tasks in so many runs, or one for each if there are fewer; longer runs come first.
    pub fn cut(&self, executors: usize) -> impl Iterator<Item = ExecutorId> {
        let executors = u16::try_from(executors).unwrap_or(u16::MAX);
        let tasks = if executors == 0 { 0 } else { self.tasks };
        executor_ranges(self.first_task.0, tasks, executors)
    }
}
