//! Rates of components: what happened between two looks at a topology's counters. Pure.
//!
//! Counters are those of Storm's window `:all-time`, which only grow while an executor lives. Each
//! executor is compared with itself, so that a new one, which counts from zero, does not take away
//! from the rate of its component.

use std::collections::BTreeMap;

use nimbus_client::thrift::{ExecutorSpecificStats, ExecutorStats, TopologyInfo};
use serde::Serialize;

/// Storm's window since an executor's start.
const ALL_TIME: &str = ":all-time";
/// What the ids of the system's own components and streams begin with.
const SYSTEM: &str = "__";

/// What a component is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A spout.
    Spout,
    /// A bolt.
    Bolt,
    /// No executor of it has reported yet.
    Unknown,
}

/// Counters of one executor.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counters {
    emitted: i64,
    transferred: i64,
    executed: i64,
    acked: i64,
    failed: i64,
    /// Sum over all acked tuples of their time, in milliseconds.
    latency_ms: f64,
}

/// One look at a topology.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Component and first task of each executor, with its kind and counters.
    executors: BTreeMap<(String, i32), (Kind, Counters)>,
    /// Numbers of tasks by component.
    tasks: BTreeMap<String, i32>,
}

/// What a component did per second between two looks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rates {
    /// The component's id.
    pub component: String,
    /// What it is.
    pub kind: Kind,
    /// Executors that reported or are assigned.
    pub executors: u32,
    /// Tasks.
    pub tasks: i32,
    /// Tuples per second that it emitted.
    pub emitted: f64,
    /// Tuples per second that others received from it.
    pub transferred: f64,
    /// Tuples per second that it executed; spouts execute none.
    pub executed: f64,
    /// Messages or tuples per second that were acked.
    pub acked: f64,
    /// Messages or tuples per second that failed.
    pub failed: f64,
    /// Mean time from a tuple's emission (spout) or arrival (bolt) to its ack, in milliseconds, of
    /// those acked between the looks; none if there were none.
    pub latency_ms: Option<f64>,
}

impl Look {
    /// What a topology's information says.
    pub fn of(info: &TopologyInfo) -> Self {
        let mut look = Self::default();
        for executor in &info.executors {
            let tasks = &executor.executor_info;
            let component = executor.component_id.clone();
            *look.tasks.entry(component.clone()).or_default() +=
                tasks.task_end - tasks.task_start + 1;
            let counted = match &executor.stats {
                Some(stats) => counters(stats),
                None => (Kind::Unknown, Counters::default()),
            };
            look.executors.insert((component, tasks.task_start), counted);
        }
        look
    }

    /// What each component did per second since `before`, spouts first; the system's own components
    /// only if they are asked for.
    pub fn rates_since(&self, before: &Self, secs: f64, system: bool) -> Vec<Rates> {
        let per_sec = |count: i64| count as f64 / secs.max(f64::EPSILON);
        let shown =
            self.tasks.iter().filter(|(component, _)| system || !component.starts_with(SYSTEM));
        let mut rates: Vec<Rates> = shown
            .map(|(component, tasks)| {
                let own = self.executors.iter().filter(|((of, _), _)| of == component);
                let mut kind = Kind::Unknown;
                let mut sum = Counters::default();
                let mut executors = 0;
                for (key, (executor_kind, now)) in own {
                    executors += 1;
                    kind = kind.min(*executor_kind);
                    let old =
                        before.executors.get(key).map_or(Counters::default(), |(_, old)| *old);
                    sum.add(&now.since(&old));
                }
                Rates {
                    component: component.clone(),
                    kind,
                    executors,
                    tasks: *tasks,
                    emitted: per_sec(sum.emitted),
                    transferred: per_sec(sum.transferred),
                    executed: per_sec(sum.executed),
                    acked: per_sec(sum.acked),
                    failed: per_sec(sum.failed),
                    latency_ms: (sum.acked > 0)
                        .then(|| (sum.latency_ms / sum.acked as f64).max(0.0)),
                }
            })
            .collect();
        rates.sort_by(|a, b| (a.kind, &a.component).cmp(&(b.kind, &b.component)));
        rates
    }
}

impl Counters {
    /// What was added since `old`; everything, if the executor was started anew in between.
    fn since(&self, old: &Self) -> Self {
        let restarted =
            self.emitted < old.emitted || self.acked < old.acked || self.executed < old.executed;
        let old = if restarted { Self::default() } else { *old };
        Self {
            emitted: self.emitted - old.emitted,
            transferred: self.transferred - old.transferred,
            executed: self.executed - old.executed,
            acked: self.acked - old.acked,
            failed: self.failed - old.failed,
            latency_ms: self.latency_ms - old.latency_ms,
        }
    }

    fn add(&mut self, other: &Self) {
        self.emitted += other.emitted;
        self.transferred += other.transferred;
        self.executed += other.executed;
        self.acked += other.acked;
        self.failed += other.failed;
        self.latency_ms += other.latency_ms;
    }
}

fn counters(stats: &ExecutorStats) -> (Kind, Counters) {
    // Storm's own streams (acks, metrics, ticks) are no work of the component.
    let by_stream = |windows: &BTreeMap<String, BTreeMap<String, i64>>| -> i64 {
        let streams = windows.get(ALL_TIME).into_iter().flatten();
        streams.filter(|(stream, _)| !stream.starts_with(SYSTEM)).map(|(_, count)| count).sum()
    };
    let mut counters = Counters {
        emitted: by_stream(&stats.emitted),
        transferred: by_stream(&stats.transferred),
        ..Counters::default()
    };
    let kind = match &stats.specific {
        ExecutorSpecificStats::Spout(spout) => {
            counters.acked = by_stream(&spout.acked);
            counters.failed = by_stream(&spout.failed);
            counters.latency_ms =
                total_ms(spout.acked.get(ALL_TIME), spout.complete_ms_avg.get(ALL_TIME));
            Kind::Spout
        }
        ExecutorSpecificStats::Bolt(bolt) => {
            let sum = |windows: &BTreeMap<String, BTreeMap<_, i64>>| -> i64 {
                windows.get(ALL_TIME).into_iter().flat_map(BTreeMap::values).sum()
            };
            counters.executed = sum(&bolt.executed);
            counters.acked = sum(&bolt.acked);
            counters.failed = sum(&bolt.failed);
            counters.latency_ms =
                total_ms(bolt.acked.get(ALL_TIME), bolt.process_ms_avg.get(ALL_TIME));
            Kind::Bolt
        }
    };
    (kind, counters)
}

/// Sum of all times, from their means and counts.
fn total_ms<K: Ord>(
    counts: Option<&BTreeMap<K, i64>>,
    means: Option<&BTreeMap<K, nimbus_client::wire::OrderedFloat<f64>>>,
) -> f64 {
    let (Some(counts), Some(means)) = (counts, means) else { return 0.0 };
    means
        .iter()
        .map(|(key, mean)| mean.0 * counts.get(key).map_or(0.0, |count| *count as f64))
        .sum()
}

#[cfg(test)]
mod tests {
    use nimbus_client::thrift::{
        BoltStats, ExecutorInfo, ExecutorSummary, GlobalStreamId, SpoutStats,
    };
    use nimbus_client::wire::OrderedFloat;

    use super::*;

    fn window<K: Ord, V>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> BTreeMap<String, BTreeMap<K, V>> {
        BTreeMap::from([(ALL_TIME.to_owned(), pairs.into_iter().collect())])
    }

    fn spout(emitted: i64, acked: i64, mean_ms: f64) -> ExecutorSummary {
        let counts = |count| window([("default".to_owned(), count)]);
        let emitted =
            window([("default".to_owned(), emitted), ("__ack_init".to_owned(), 1_000_000)]);
        let mean = window([("default".to_owned(), OrderedFloat(mean_ms))]);
        let specific =
            ExecutorSpecificStats::Spout(SpoutStats::new(counts(acked), counts(1), mean));
        executor(
            "lines",
            1,
            Some(ExecutorStats::new(emitted.clone(), emitted, specific, OrderedFloat(1.0))),
        )
    }

    fn bolt(executed: i64) -> ExecutorSummary {
        let input = GlobalStreamId::new("lines".to_owned(), "default".to_owned());
        let counts = |count| window([(input.clone(), count)]);
        let mean = || window([(input.clone(), OrderedFloat(0.5))]);
        let specific = ExecutorSpecificStats::Bolt(BoltStats::new(
            counts(executed),
            counts(0),
            mean(),
            counts(executed),
            mean(),
        ));
        let emitted = window([("default".to_owned(), executed)]);
        executor(
            "count",
            2,
            Some(ExecutorStats::new(emitted.clone(), emitted, specific, OrderedFloat(1.0))),
        )
    }

    fn executor(component: &str, task: i32, stats: Option<ExecutorStats>) -> ExecutorSummary {
        let tasks = ExecutorInfo::new(task, task + 1);
        ExecutorSummary::new(tasks, component.to_owned(), "host".to_owned(), 6700, 1, stats)
    }

    fn look(executors: Vec<ExecutorSummary>) -> Look {
        let text = str::to_owned;
        let info = TopologyInfo {
            id: text("wc-1-1"),
            name: text("wc"),
            uptime_secs: 1,
            executors,
            status: text("ACTIVE"),
            errors: BTreeMap::new(),
            component_debug: None,
            storm_version: None,
            sched_status: None,
            owner: None,
            replication_count: None,
            requested_memonheap: None,
            requested_memoffheap: None,
            requested_cpu: None,
            assigned_memonheap: None,
            assigned_memoffheap: None,
            assigned_cpu: None,
        };
        Look::of(&info)
    }

    #[test]
    fn rates_are_differences_by_the_time_between_two_looks() {
        let before = look(vec![spout(100, 50, 2.0), bolt(10)]);
        let now = look(vec![spout(300, 150, 4.0), bolt(40)]);
        let rates = now.rates_since(&before, 2.0, false);
        assert_eq!(rates.len(), 2);
        let lines = &rates[0];
        assert_eq!((lines.component.as_str(), lines.kind), ("lines", Kind::Spout));
        assert_eq!((lines.emitted, lines.acked, lines.failed), (100.0, 50.0, 0.0));
        // 150 messages took 600 ms in all, the first 50 of them 100 ms.
        assert_eq!(lines.latency_ms, Some(5.0));
        assert_eq!((lines.executors, lines.tasks), (1, 2));
        assert_eq!((rates[1].executed, rates[1].latency_ms), (15.0, Some(0.5)));
    }

    #[test]
    fn an_executor_that_was_started_anew_counts_from_zero() {
        let before = look(vec![bolt(1000)]);
        let now = look(vec![bolt(30)]);
        assert_eq!(now.rates_since(&before, 1.0, false)[0].executed, 30.0);
    }

    #[test]
    fn a_component_that_did_nothing_has_no_latency_and_one_that_is_silent_no_kind() {
        let now = look(vec![bolt(5), executor("late", 9, None), executor("__acker", 4, None)]);
        let rates = now.rates_since(&now, 1.0, false);
        assert_eq!(
            rates.iter().map(|r| r.component.as_str()).collect::<Vec<_>>(),
            ["count", "late"]
        );
        assert_eq!(rates[0].latency_ms, None);
        assert_eq!(rates[1].kind, Kind::Unknown);
        assert_eq!(now.rates_since(&now, 1.0, true).len(), 3);
    }
}
