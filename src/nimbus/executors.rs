//! Executors to and from Storm's wire.

use nimbus_client::thrift as storm;

use crate::id::{ExecutorId, TaskId};

/// An executor as Storm writes it.
pub fn to_wire(executor: ExecutorId) -> storm::ExecutorInfo {
    storm::ExecutorInfo {
        task_start: i32::from(executor.first_task.0),
        task_end: i32::from(executor.last_task.0),
    }
}

/// The executors that a peer names, less those that are none, as the system's own of task -1.
pub fn from_wire<'a>(
    executors: impl IntoIterator<Item = &'a storm::ExecutorInfo>,
) -> Vec<ExecutorId> {
    let task = |task: i32| u16::try_from(task).ok().filter(|task| (1..=TaskId::MAX).contains(task));
    let executor = |info: &storm::ExecutorInfo| {
        let (first, last) = (task(info.task_start)?, task(info.task_end)?);
        let executor = ExecutorId { first_task: TaskId(first), last_task: TaskId(last) };
        (first <= last).then_some(executor)
    };
    executors.into_iter().filter_map(executor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_executor_is_left_out() {
        let info = |task_start, task_end| storm::ExecutorInfo { task_start, task_end };
        let read = from_wire(&[info(-1, -1), info(1, 2), info(3, 2), info(40_000, 40_000)]);
        assert_eq!(read.iter().map(|id| id.to_string()).collect::<Vec<_>>(), ["[1-2]"]);
        assert_eq!(to_wire(read[0]), info(1, 2));
    }
}
