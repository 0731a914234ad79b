//! What the runtime promises of every tuple, tried on small topologies under a simulated clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use storm_runtime::clock::Time;
use storm_runtime::id::TaskId;
use storm_runtime::local::{Incomplete, MockSources, TopologyStats, complete_topology};
use storm_runtime::prelude::*;
use storm_runtime::topology::CustomGrouping;
use storm_runtime::tuple::SharedObject;

#[path = "../support/components.rs"]
mod components;

mod faulty_bolts;
mod faulty_spouts;
mod groupings;
mod lifecycle;
mod misuse;
mod pending;
mod simulation;
mod time;
mod trees;

use components::{
    Emission, Feed, Hold, Journal, Record, basic, ignore, nothing, number, owned, pass,
};

/// Far more cycles than any topology here needs to come to rest.
const CYCLES: usize = 100_000;
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const WORDS: [&str; 8] = ["the", "cow", "jumped", "over", "the", "moon", "the", "cow"];

/// A topology that runs under a simulated clock.
struct Run {
    cluster: LocalCluster,
    topology: RunningTopology,
}

#[track_caller]
fn check(declare: impl FnOnce(&mut TopologyBuilder)) -> Run {
    check_seeded(7, declare)
}

#[track_caller]
fn check_seeded(seed: u64, declare: impl FnOnce(&mut TopologyBuilder)) -> Run {
    let mut builder = TopologyBuilder::new();
    declare(&mut builder);
    let topology = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
    let cluster = LocalCluster::simulated(seed);
    let topology = cluster.submit("guarantees", &topology).expect("the name is free");
    let run = Run { cluster, topology };
    run.settle();
    run
}

impl Run {
    /// Runs everything that is ready.
    #[track_caller]
    fn settle(&self) {
        assert!(self.cluster.run_until_idle(CYCLES), "busy for ever: {:#?}", self.stats());
    }

    #[track_caller]
    fn advance(&self, duration: Duration) {
        assert!(self.cluster.advance(duration, CYCLES), "busy for ever: {:#?}", self.stats());
    }

    fn stats(&self) -> TopologyStats {
        self.topology.stats()
    }

    /// The texts of the reported errors.
    fn errors(&self) -> Vec<String> {
        self.topology.errors().into_iter().map(|error| error.message).collect()
    }

    fn late(&self) -> u64 {
        self.stats().executors.iter().map(|executor| executor.late).sum()
    }

    fn restarts(&self, component: &str) -> u64 {
        self.stats().component(component).map(|executor| executor.restarts).sum()
    }

    fn input(&self, component: &str) -> (u64, u64, u64) {
        let stats = self.stats();
        let inputs = stats.component(component).flat_map(|executor| &executor.inputs);
        let tuples = inputs.filter(|((from, _), _)| !from.is_reserved());
        tuples.fold((0, 0, 0), |(executed, acked, failed), (_, input)| {
            (executed + input.executed, acked + input.acked, failed + input.failed)
        })
    }
}

fn next_pause() -> Duration {
    Duration::from_millis(10)
}

/// Keeps its tuples and passes them on at one second sharp.
struct AtSecond {
    kept: Vec<Tuple>,
}

impl AtSecond {
    fn bolt() -> Self {
        Self { kept: Vec::new() }
    }
}

impl Bolt for AtSecond {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        out.call_at(Time::ZERO + SECOND);
        self.kept.push(tuple);
        Ok(())
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        if out.now() >= Time::ZERO + SECOND {
            for tuple in self.kept.drain(..) {
                out.emit(&tuple, [tuple.i64(0)?]);
                out.ack(tuple);
            }
        }
        Ok(())
    }
}
