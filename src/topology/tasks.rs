//! Component → tasks → executors, pure.
//!
//! Tasks are numbered from 1 along the component names, sorted as Java sorts them; a component's
//! tasks are cut into as many contiguous ranges as it has executors, the longer ranges first.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Topology;
use crate::id::{ComponentId, ExecutorId, TaskId, java_order};

/// The numbering of one topology.
#[derive(Debug, Clone)]
pub(crate) struct TaskPlan {
    pub component_to_tasks: Arc<BTreeMap<ComponentId, Vec<TaskId>>>,
    /// All executors, in the order of their tasks.
    pub executors: Vec<(ExecutorId, ComponentId)>,
}

impl TaskPlan {
    pub fn new(topology: &Topology) -> Self {
        let mut next = 1;
        let mut component_to_tasks = BTreeMap::new();
        let mut executors = Vec::new();
        let mut sorted: Vec<_> = topology.components().iter().collect();
        sorted.sort_by(|a, b| java_order(a.0.as_str(), b.0.as_str()));
        for (id, component) in sorted {
            let first = next;
            next += component.tasks as u16;
            component_to_tasks.insert(id.clone(), (first..next).map(TaskId).collect());
            let ranges = executor_ranges(first, component.tasks as u16, component.executors as u16);
            executors.extend(ranges.map(|executor| (executor, id.clone())));
        }
        Self { component_to_tasks: Arc::new(component_to_tasks), executors }
    }

    /// The executors that an assignment names, which a rebalance may have cut otherwise; a task that
    /// none of them runs has an executor of its own.
    pub fn executors_among<'a>(
        &self,
        assigned: impl Iterator<Item = &'a ExecutorId>,
    ) -> Vec<(ExecutorId, ComponentId)> {
        let first_task_to_executor: BTreeMap<TaskId, ExecutorId> =
            assigned.map(|executor| (executor.first_task, *executor)).collect();
        let mut executors = Vec::new();
        for (component, tasks) in &*self.component_to_tasks {
            let mut tasks = tasks.iter().copied().peekable();
            while let Some(first_task) = tasks.next() {
                let sole = ExecutorId { first_task, last_task: first_task };
                let executor = *first_task_to_executor.get(&first_task).unwrap_or(&sole);
                while tasks.next_if(|task| *task <= executor.last_task).is_some() {}
                executors.push((executor, component.clone()));
            }
        }
        executors
    }

    pub fn tasks_of(&self, component: &str) -> &[TaskId] {
        self.component_to_tasks.get(component).map_or(&[], Vec::as_slice)
    }
}

/// `tasks` tasks from `first` on in as many runs as there are executors, the longer ones first.
pub(crate) fn executor_ranges(
    first: u16,
    tasks: u16,
    executors: u16,
) -> impl Iterator<Item = ExecutorId> {
    let executors = executors.min(tasks).max(1);
    let mut next = first;
    (0..if tasks == 0 { 0 } else { executors }).map(move |index| {
        let length = tasks / executors + u16::from(index < tasks % executors);
        let range = ExecutorId { first_task: TaskId(next), last_task: TaskId(next + length - 1) };
        next += length;
        range
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tasks: u16, executors: u16, expected: &[&str]) {
        let found: Vec<String> =
            executor_ranges(1, tasks, executors).map(|id| id.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn tasks_are_cut_into_contiguous_ranges_with_the_longer_ones_first() {
        check(1, 1, &["[1-1]"]);
        check(3, 2, &["[1-2]", "[3-3]"]);
        check(7, 3, &["[1-3]", "[4-5]", "[6-7]"]);
    }

    #[test]
    fn executors_are_those_of_the_assignment_and_no_task_is_left_out() {
        let executor =
            |first, last| ExecutorId { first_task: TaskId(first), last_task: TaskId(last) };
        let tasks = |range: std::ops::RangeInclusive<u16>| range.map(TaskId).collect::<Vec<_>>();
        let component_to_tasks =
            BTreeMap::from([("a".into(), tasks(1..=4)), ("b".into(), tasks(5..=6))]);
        let plan =
            TaskPlan { component_to_tasks: Arc::new(component_to_tasks), executors: Vec::new() };
        let found = plan.executors_among([executor(1, 3), executor(6, 6)].iter());
        let found: Vec<String> = found.iter().map(|(id, name)| format!("{name}{id}")).collect();
        assert_eq!(found, ["a[1-3]", "a[4-4]", "b[5-5]", "b[6-6]"]);
    }

    #[test]
    fn executors_without_a_task_do_not_exist() {
        check(2, 5, &["[1-1]", "[2-2]"]);
        check(0, 1, &[]);
    }
}
