//! Statistics of executors added up for pages, as Storm adds them; pure.
//!
//! **Invariants.** Latencies are averages weighted by tuples: a bolt's by executed ones, a spout's by
//! acked ones. What is emitted and transferred on streams whose name begins with `__` counts only if
//! system statistics are asked for; what was executed, acked and failed counts in any case.

use std::collections::BTreeSet;

use nimbus_client::thrift as storm;
use nimbus_client::wire::OrderedFloat;

use crate::stats::Window;

/// Which statistics are added up.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The name of a [`Window`].
    pub window: &'a str,
    /// Whether emissions on system streams count.
    pub with_system: bool,
}

/// Sums of one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// Tuples emitted.
    pub emitted: i64,
    /// Tuples sent, once for each task that got one.
    pub transferred: i64,
    /// Tuples acked.
    pub acked: i64,
    /// Tuples failed.
    pub failed: i64,
    /// Tuples executed.
    pub executed: i64,
    /// The largest share of its time that one executor was busy.
    pub capacity: f64,
    execute_ms: f64,
    process_ms: f64,
    complete_ms: f64,
    /// Acked tuples of spouts, which the complete latency is an average of.
    completed: i64,
}

impl Scope<'_> {
    fn takes(&self, stream: &str) -> bool {
        self.with_system || !stream.starts_with("__")
    }
}

impl Sums {
    /// Adds one executor that has been up for so long.
    pub fn add(&mut self, stats: &storm::ExecutorStats, uptime_secs: i32, scope: Scope<'_>) {
        for stream in streams(stats, scope) {
            self.add_output(stats, stream, scope);
        }
        match &stats.specific {
            storm::ExecutorSpecificStats::Bolt(bolt) => {
                for from in inputs(bolt, scope) {
                    self.add_input(bolt, from, scope);
                }
                self.capacity = self.capacity.max(capacity(bolt, uptime_secs));
            }
            storm::ExecutorSpecificStats::Spout(spout) => {
                for stream in spout_streams(spout, scope) {
                    self.add_spout_stream(spout, stream, scope);
                }
            }
        }
    }

    /// Adds what was emitted on one stream.
    pub fn add_output(&mut self, stats: &storm::ExecutorStats, stream: &str, scope: Scope<'_>) {
        let count = |windows: &Counted| {
            windows.get(scope.window).and_then(|streams| streams.get(stream)).copied().unwrap_or(0)
        };
        self.emitted += count(&stats.emitted);
        self.transferred += count(&stats.transferred);
    }

    /// Adds what a bolt did with the tuples of one stream.
    pub fn add_input(
        &mut self,
        bolt: &storm::BoltStats,
        from: &storm::GlobalStreamId,
        scope: Scope<'_>,
    ) {
        fn of<T: Copy + Default>(
            windows: &std::collections::BTreeMap<
                String,
                std::collections::BTreeMap<storm::GlobalStreamId, T>,
            >,
            scope: Scope<'_>,
            from: &storm::GlobalStreamId,
        ) -> T {
            let found = windows.get(scope.window).and_then(|streams| streams.get(from));
            found.copied().unwrap_or_default()
        }
        let executed = of(&bolt.executed, scope, from);
        self.executed += executed;
        self.acked += of(&bolt.acked, scope, from);
        self.failed += of(&bolt.failed, scope, from);
        self.execute_ms += of(&bolt.execute_ms_avg, scope, from).0 * executed as f64;
        self.process_ms += of(&bolt.process_ms_avg, scope, from).0 * executed as f64;
    }

    /// Adds how the messages of a spout's stream ended.
    pub fn add_spout_stream(&mut self, spout: &storm::SpoutStats, stream: &str, scope: Scope<'_>) {
        let count = |windows: &Counted| {
            windows.get(scope.window).and_then(|streams| streams.get(stream)).copied().unwrap_or(0)
        };
        let acked = count(&spout.acked);
        let latency = spout.complete_ms_avg.get(scope.window).and_then(|all| all.get(stream));
        self.acked += acked;
        self.completed += acked;
        self.failed += count(&spout.failed);
        self.complete_ms += latency.map_or(0.0, |latency| latency.0) * acked as f64;
    }

    /// Average time from the emission of a message to its ack, in milliseconds.
    pub fn complete_latency_ms(&self) -> f64 {
        average(self.complete_ms, self.completed)
    }

    /// Average time of one `execute`, in milliseconds.
    pub fn execute_latency_ms(&self) -> f64 {
        average(self.execute_ms, self.executed)
    }

    /// Average time from `execute` to the ack, in milliseconds.
    pub fn process_latency_ms(&self) -> f64 {
        average(self.process_ms, self.executed)
    }

    /// As Storm writes it for a component, an executor or a stream.
    pub fn to_wire(&self, is_spout: bool, common: Common) -> storm::ComponentAggregateStats {
        let real = |number| Some(OrderedFloat(number));
        let specific = if is_spout {
            storm::SpecificAggregateStats::Spout(storm::SpoutAggregateStats {
                complete_latency_ms: real(self.complete_latency_ms()),
            })
        } else {
            storm::SpecificAggregateStats::Bolt(storm::BoltAggregateStats {
                execute_latency_ms: real(self.execute_latency_ms()),
                process_latency_ms: real(self.process_latency_ms()),
                executed: Some(self.executed),
                capacity: real(self.capacity),
            })
        };
        storm::ComponentAggregateStats {
            type_: Some(kind(is_spout)),
            common_stats: Some(storm::CommonAggregateStats {
                num_executors: Some(common.executors as i32),
                num_tasks: Some(common.tasks as i32),
                emitted: Some(self.emitted),
                transferred: Some(self.transferred),
                acked: Some(self.acked),
                failed: Some(self.failed),
                resources_map: common.resources.map(|amounts| (&amounts).into()),
            }),
            specific_stats: Some(specific),
            last_error: common.last_error,
        }
    }
}

/// What stands beside the sums on the wire.
#[derive(Clone, Debug, Default)]
pub struct Common {
    /// Executors, 0 where that says nothing.
    pub executors: usize,
    /// Tasks, 0 where that says nothing.
    pub tasks: usize,
    /// What an executor needs.
    pub resources: Option<crate::assignment::Amounts>,
    /// The last error.
    pub last_error: Option<storm::ErrorInfo>,
}

/// Whether a component is a spout, as Storm numbers it.
pub fn kind(is_spout: bool) -> storm::ComponentType {
    if is_spout { storm::ComponentType::SPOUT } else { storm::ComponentType::BOLT }
}

type Counted = std::collections::BTreeMap<String, std::collections::BTreeMap<String, i64>>;

/// Streams on which an executor emitted in the window.
pub fn streams<'a>(stats: &'a storm::ExecutorStats, scope: Scope<'_>) -> BTreeSet<&'a str> {
    let of = |windows: &'a Counted| {
        let streams = windows.get(scope.window).into_iter().flat_map(|streams| streams.keys());
        streams.map(String::as_str)
    };
    of(&stats.emitted).chain(of(&stats.transferred)).filter(|stream| scope.takes(stream)).collect()
}

/// Streams of a spout whose messages ended in the window.
pub fn spout_streams<'a>(spout: &'a storm::SpoutStats, scope: Scope<'_>) -> BTreeSet<&'a str> {
    let of = |windows: &'a Counted| {
        let streams = windows.get(scope.window).into_iter().flat_map(|streams| streams.keys());
        streams.map(String::as_str)
    };
    of(&spout.acked).chain(of(&spout.failed)).collect()
}

/// Streams that a bolt took tuples from in the window.
pub fn inputs<'a>(
    bolt: &'a storm::BoltStats,
    scope: Scope<'_>,
) -> BTreeSet<&'a storm::GlobalStreamId> {
    [&bolt.executed, &bolt.acked, &bolt.failed]
        .into_iter()
        .filter_map(|windows| windows.get(scope.window))
        .flat_map(|streams| streams.keys())
        .collect()
}

/// The share of the last ten minutes, or of its life, that a bolt's executor spent executing.
fn capacity(bolt: &storm::BoltStats, uptime_secs: i32) -> f64 {
    let scope = Scope { window: Window::TenMinutes.name(), with_system: true };
    let mut sums = Sums::default();
    for from in inputs(bolt, scope) {
        sums.add_input(bolt, from, scope);
    }
    let seconds = f64::from(uptime_secs.clamp(0, 600));
    if seconds > 0.0 { sums.execute_ms / (1000.0 * seconds) } else { 0.0 }
}

fn average(total: f64, count: i64) -> f64 {
    if count > 0 { total / count as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SCOPE: Scope<'_> = Scope { window: "600", with_system: false };

    fn counted(streams: &[(&str, i64)]) -> Counted {
        let streams = streams.iter().map(|(stream, count)| ((*stream).to_owned(), *count));
        BTreeMap::from([("600".to_owned(), streams.collect())])
    }

    fn bolt(executed: i64, execute_ms: f64) -> storm::ExecutorStats {
        let from = storm::GlobalStreamId::new("src".to_owned(), "default".to_owned());
        let count =
            |count| BTreeMap::from([("600".to_owned(), BTreeMap::from([(from.clone(), count)]))]);
        let real = |real| {
            let streams = BTreeMap::from([(from.clone(), OrderedFloat(real))]);
            BTreeMap::from([("600".to_owned(), streams)])
        };
        storm::ExecutorStats {
            emitted: counted(&[("default", 5), ("__metrics", 7)]),
            transferred: counted(&[("default", 10)]),
            specific: storm::ExecutorSpecificStats::Bolt(storm::BoltStats {
                acked: count(executed),
                failed: count(1),
                process_ms_avg: real(execute_ms * 2.0),
                executed: count(executed),
                execute_ms_avg: real(execute_ms),
            }),
            rate: OrderedFloat(1.0),
        }
    }

    #[test]
    fn latencies_are_weighted_by_executed_tuples() {
        let mut sums = Sums::default();
        sums.add(&bolt(100, 1.0), 600, SCOPE);
        sums.add(&bolt(300, 3.0), 600, SCOPE);
        assert_eq!((sums.executed, sums.acked, sums.failed), (400, 400, 2));
        assert_eq!((sums.execute_latency_ms(), sums.process_latency_ms()), (2.5, 5.0));
        assert!((sums.capacity - 900.0 / 600_000.0).abs() < 1e-12, "{}", sums.capacity);
    }

    #[test]
    fn emissions_on_system_streams_count_only_when_asked_for() {
        let mut without = Sums::default();
        without.add(&bolt(1, 1.0), 1, SCOPE);
        let mut with = Sums::default();
        with.add(&bolt(1, 1.0), 1, Scope { with_system: true, ..SCOPE });
        assert_eq!((without.emitted, with.emitted), (5, 12));
    }

    #[test]
    fn a_spouts_latency_is_weighted_by_acked_messages() {
        let mut sums = Sums::default();
        for (acked, latency) in [(10, 1.0), (30, 5.0)] {
            let complete = BTreeMap::from([("default".to_owned(), OrderedFloat(latency))]);
            let spout = storm::SpoutStats {
                acked: counted(&[("default", acked)]),
                failed: BTreeMap::new(),
                complete_ms_avg: BTreeMap::from([("600".to_owned(), complete)]),
            };
            let stats = storm::ExecutorStats {
                emitted: BTreeMap::new(),
                transferred: BTreeMap::new(),
                specific: storm::ExecutorSpecificStats::Spout(spout),
                rate: OrderedFloat(1.0),
            };
            sums.add(&stats, 1, SCOPE);
        }
        assert_eq!((sums.acked, sums.complete_latency_ms()), (40, 4.0));
    }
}
