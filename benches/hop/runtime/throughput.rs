//! Constant spout to null bolt, with or without an identity bolt between them.

use std::time::Duration;

use super::super::parker;
use super::super::sample::{Sample, Subject, Window, warm_up_and_window};
use super::components::{ConstSpout, IdentityBolt, NullBolt};
use super::{Running, builder};

/// Pending tuples of an acked spout, as many as the bare acked loop has.
const MAX_PENDING: u64 = 8192;

/// A chain of constant spout, perhaps an identity bolt, and null bolt; a tuple is one that the null
/// bolt executed or, where acked, one whose tree was completed.
pub struct ConstTopology {
    pub threads: usize,
    pub stages: usize,
    pub acked: bool,
}

impl Subject for ConstTopology {
    fn name(&self) -> String {
        let middle = if self.stages == 3 { "id, " } else { "" };
        let acked = if self.acked { "acked" } else { "unacked" };
        format!("spout, {middle}null, {acked}")
    }

    fn block(&mut self, length: Duration) -> Sample {
        let profile = if self.threads == 1 { "spin" } else { "spin-then-park" };
        let mut builder = builder(self.threads, profile);
        let acked = self.acked;
        builder.conf("topology.max.spout.pending", MAX_PENDING);
        builder.conf("topology.acker.executors", u64::from(acked));
        builder.spout("spout", move || ConstSpout { emitted: 0, acked });
        let last = if self.stages == 3 {
            builder.bolt("id", || IdentityBolt).shuffle("spout");
            "id"
        } else {
            "spout"
        };
        builder.bolt("null", || NullBolt).shuffle(last);
        let running = Running::start(&builder);
        let done = || {
            let stats = running.topology.stats();
            if acked { stats.acked("spout") } else { stats.executed("null") }
        };
        let (warm_up, window) = warm_up_and_window(length);
        parker::sleep(warm_up);
        let before = done();
        let opened = Window::open();
        parker::sleep(window);
        let sample = opened.close(done() - before);
        running.end();
        sample
    }
}
