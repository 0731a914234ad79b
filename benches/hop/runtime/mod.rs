//! The system under test: whole topologies in a `LocalCluster`, one per block.
//!
//! A cluster is started for each block and killed at its end, so that no thread of it runs while
//! its limit is measured.

pub mod components;
pub mod latency;
pub mod throughput;
pub mod words;
pub mod workers;

use std::time::Duration;

use storm_runtime::prelude::*;
use storm_runtime::tuple::AsciiText;

use super::payload::{PAYLOAD_BYTES, payload};

/// Name under which every measured topology is submitted.
const NAME: &str = "measured";

/// How long a drained or overloaded topology may take to end.
const END: Duration = Duration::from_secs(5);

/// A topology running for the length of one block.
pub struct Running {
    cluster: LocalCluster,
    pub topology: RunningTopology,
}

impl Running {
    /// Submits what `builder` holds to a cluster of its own.
    pub fn start(builder: &TopologyBuilder) -> Self {
        let topology = builder.build().expect("a measured topology is sound");
        let cluster = LocalCluster::new();
        let topology = cluster.submit(NAME, &topology).expect("the cluster is new");
        Self { cluster, topology }
    }

    /// Ends the topology and its threads.
    pub fn end(self) {
        self.cluster.kill(NAME, END);
    }
}

/// A builder for that many threads which wait that way.
pub fn builder(threads: usize, profile: &str) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.worker.threads", threads as u64);
    builder.conf("topology.worker.wait.profile", profile);
    builder
}

/// Tuple `n`'s payload as a text.
#[inline(always)]
pub fn text(n: u64) -> AsciiText<PAYLOAD_BYTES> {
    AsciiText::new(payload(n)).expect("digits are ASCII")
}
