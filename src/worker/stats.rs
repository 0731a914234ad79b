//! Counters of executors as Storm's heartbeats have them.

use std::collections::BTreeMap;

use nimbus_client::thrift::{
    BoltStats, ExecutorInfo, ExecutorSpecificStats, ExecutorStats as Wire, GlobalStreamId,
    SpoutStats,
};
use nimbus_client::wire::OrderedFloat;

use crate::clock::Time;
use crate::local::{ExecutorStats, InputStats, TopologyStats};

/// The window of everything since the start.
const ALL_TIME: &str = ":all-time";

/// Keeps what is needed to tell statistics by windows.
#[derive(Debug, Default)]
pub(super) struct Heartbeats;

impl Heartbeats {
    /// The statistics of all executors.
    pub fn executor_stats(
        &mut self,
        stats: &TopologyStats,
        _now: Time,
    ) -> BTreeMap<ExecutorInfo, Wire> {
        let told = stats.executors.iter().map(|executor| (info(executor), tell(executor)));
        told.collect()
    }
}

fn info(executor: &ExecutorStats) -> ExecutorInfo {
    ExecutorInfo::new(executor.id.first_task.0.into(), executor.id.last_task.0.into())
}

fn tell(executor: &ExecutorStats) -> Wire {
    let outputs = |count: fn(&crate::local::OutputStats) -> u64| {
        let counts = executor.outputs.iter();
        let counts = counts.map(|(stream, out)| (stream.as_str().to_owned(), count(out) as i64));
        window(counts.collect::<BTreeMap<_, _>>())
    };
    let inputs = |count: fn(&InputStats) -> u64| {
        let counts = executor.inputs.iter().map(|((component, stream), input)| {
            let (component, stream) = (component.as_str().to_owned(), stream.as_str().to_owned());
            (GlobalStreamId::new(component, stream), count(input) as i64)
        });
        window(counts.collect::<BTreeMap<_, _>>())
    };
    let specific = match executor.is_spout {
        true => {
            let mean_ms = executor.complete_latency.mean().as_secs_f64() * 1e3;
            let latencies = executor.outputs.keys();
            let latencies = latencies.map(|name| (name.as_str().to_owned(), OrderedFloat(mean_ms)));
            ExecutorSpecificStats::Spout(SpoutStats::new(
                outputs(|out| out.acked),
                outputs(|out| out.failed),
                window(latencies.collect()),
            ))
        }
        false => ExecutorSpecificStats::Bolt(BoltStats::new(
            inputs(|input| input.acked),
            inputs(|input| input.failed),
            window(BTreeMap::new()),
            inputs(|input| input.executed),
            window(BTreeMap::new()),
        )),
    };
    Wire::new(
        outputs(|out| out.emitted),
        outputs(|out| out.transferred),
        specific,
        OrderedFloat(1.0),
    )
}

fn window<T>(counts: T) -> BTreeMap<String, T> {
    BTreeMap::from([(ALL_TIME.to_owned(), counts)])
}
