//! Counters of executors as Storm's heartbeats have them.
//!
//! The runtime counts latency from emission to completion per executor; a spout with several streams
//! has it shared out by completed messages. Of a bolt's time in `execute` the runtime knows the mean
//! since the start, which stands in every window. The time from `execute` to the ack is known of
//! inputs that were acked in a later cycle; those acked at once count with the mean of `execute`.

use std::collections::BTreeMap;

use nimbus_client::thrift::{ExecutorInfo, ExecutorStats as Wire};

use crate::clock::Time;
use crate::id::ExecutorId;
use crate::local::{ExecutorStats, TopologyStats};
use crate::stats::{Counted, InputStream, Statistics, Totals, executor_stats};

/// Keeps what is needed to tell statistics by windows.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    executor_to_statistics: BTreeMap<ExecutorId, Statistics>,
}

impl Heartbeats {
    /// The statistics of all executors, as of `now`.
    pub fn executor_stats(
        &mut self,
        stats: &TopologyStats,
        now: Time,
    ) -> BTreeMap<ExecutorInfo, Wire> {
        let started = Time::ZERO + now.since(Time::ZERO).saturating_sub(stats.uptime);
        let told = stats.executors.iter().map(|executor| {
            let statistics = self.executor_to_statistics.entry(executor.id);
            let statistics = statistics.or_insert_with(|| Statistics::new(started));
            statistics.sample(now, totals(executor));
            (info(executor.id), executor_stats(statistics, executor.is_spout))
        });
        told.collect()
    }
}

fn info(id: ExecutorId) -> ExecutorInfo {
    ExecutorInfo::new(id.first_task.0.into(), id.last_task.0.into())
}

/// What an executor has counted since it started.
fn totals(executor: &ExecutorStats) -> Totals {
    let mut totals = Totals::new();
    let completed: u64 = executor.outputs.values().map(|output| output.acked).sum();
    let latency_ns = executor.complete_latency.sum().as_nanos();
    for (stream, output) in &executor.outputs {
        totals.insert(Counted::Emitted(stream.clone()), output.emitted);
        totals.insert(Counted::Transferred(stream.clone()), output.transferred);
        if executor.is_spout {
            let share_ns = latency_ns * u128::from(output.acked) / u128::from(completed.max(1));
            totals.insert(Counted::Completed(stream.clone()), output.acked);
            totals.insert(Counted::CompleteNs(stream.clone()), share_ns as u64);
            totals.insert(Counted::Lost(stream.clone()), output.failed);
        }
    }
    for ((component, stream), input) in &executor.inputs {
        let from = InputStream { component: component.clone(), stream: stream.clone() };
        let execute_ns = executor.execute_latency.map(|mean| mean.as_nanos() as u64);
        let execute_ns = execute_ns.unwrap_or_default().saturating_mul(input.executed);
        totals.insert(Counted::ExecuteNs(from.clone()), execute_ns);
        let process_ns = executor.processing(input).as_nanos() as u64;
        totals.insert(Counted::ProcessNs(from.clone()), process_ns);
        totals.insert(Counted::Executed(from.clone()), input.executed);
        totals.insert(Counted::Acked(from.clone()), input.acked);
        totals.insert(Counted::Failed(from), input.failed);
    }
    totals
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nimbus_client::thrift::{ExecutorSpecificStats, GlobalStreamId};

    use super::*;
    use crate::assignment::text;
    use crate::counter::Latencies;
    use crate::local::{InputStats, OutputStats};

    fn executor(task: &str, is_spout: bool) -> ExecutorStats {
        ExecutorStats {
            id: text::executor(task),
            component: "any".into(),
            is_spout,
            thread: 0,
            outputs: BTreeMap::new(),
            inputs: BTreeMap::new(),
            pending: 0,
            finished: 0,
            timed_out: 0,
            late: 0,
            errors: 0,
            restarts: 0,
            full: 0,
            dropped: 0,
            complete_latency: Latencies::default(),
            execute_latency: None,
        }
    }

    /// A spout that completed so many messages in 2 ms each, and a bolt that executed as many.
    fn stats(uptime_secs: u64, completed: u64) -> TopologyStats {
        let mut spout = executor("1", true);
        let output = OutputStats {
            emitted: completed,
            transferred: 2 * completed,
            ..OutputStats::default()
        };
        spout.outputs.insert("default".into(), OutputStats { acked: completed, ..output });
        for _ in 0..completed {
            spout.complete_latency.record(Duration::from_millis(2));
        }
        let mut bolt = executor("2-3", false);
        bolt.execute_latency = Some(Duration::from_micros(5));
        // Every second input waits 3 ms for its ack, the others are acked at once.
        let waited = completed / 2;
        let waiting = Duration::from_millis(3) * waited as u32;
        let input =
            InputStats { executed: completed, acked: completed, failed: 0, waited, waiting };
        bolt.inputs.insert(("any".into(), "default".into()), input);
        TopologyStats { uptime: Duration::from_secs(uptime_secs), executors: vec![spout, bolt] }
    }

    #[test]
    fn a_worker_tells_counts_and_latencies_by_windows() {
        let mut heartbeats = Heartbeats::default();
        let at = |secs: u64| Time::ZERO + Duration::from_secs(1_000 + secs);
        heartbeats.executor_stats(&stats(100, 40), at(100));
        heartbeats.executor_stats(&stats(1_000, 40), at(1_000));
        let told = heartbeats.executor_stats(&stats(1_001, 50), at(1_001));
        let spout = &told[&ExecutorInfo::new(1, 1)];
        assert_eq!(
            (spout.emitted["600"]["default"], spout.emitted[":all-time"]["default"]),
            (10, 50)
        );
        assert_eq!(spout.transferred["10800"]["default"], 100);
        let ExecutorSpecificStats::Spout(specific) = &spout.specific else { panic!("a spout") };
        assert_eq!(specific.acked["600"]["default"], 10);
        assert_eq!(specific.complete_ms_avg["600"]["default"].0, 2.0);
        assert!(specific.failed.is_empty());
        let ExecutorSpecificStats::Bolt(bolt) = &told[&ExecutorInfo::new(2, 3)].specific else {
            panic!("a bolt")
        };
        let from = GlobalStreamId::new("any".to_owned(), "default".to_owned());
        assert_eq!((bolt.executed["600"][&from], bolt.acked["86400"][&from]), (10, 50));
        assert_eq!(bolt.execute_ms_avg["600"][&from].0, 0.005);
        assert_eq!(bolt.process_ms_avg["600"][&from].0, (3.0 + 0.005) / 2.0);
    }
}
