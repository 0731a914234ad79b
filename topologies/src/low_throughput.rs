//! `low-throughput`: a few tuples a second, and how late they are.
//!
//! ```text
//!   throttled-spout ──local-or-shuffle──▶ latency-bolt
//!         ▲                                    │
//!         └─────────────── ack ────────────────┘
//! ```
//!
//! It measures latency where there is nothing to do: how long an idle topology takes to wake up. In
//! Apache Storm it is `LowThroughputTopo`.
//!
//! The spout works by an *open loop*: each tuple has a time at which it is due, whatever became of
//! the ones before it, and its latency counts from that time. If the runtime stalls for a second,
//! every tuple that was due in it is late and is counted so. A spout that waits for an answer before
//! it goes on would have emitted one slow tuple and hidden all the others.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use storm_runtime::app::{Hinted, Report, print};
use storm_runtime::clock::Clock;
use storm_runtime::metrics::LatencyMetric;
use storm_runtime::prelude::*;

/// Samples from which the 99.99th percentile says something.
const SAMPLES_FOR_P9999: u64 = 1_000_000;

/// Emits a tuple at each multiple of an interval.
pub struct ThrottledSpout {
    args: SpoutArgs,
    /// To the bolt and back, from the time when a tuple was due.
    completed: LatencyMetric,
    clock: Clock,
    /// When the first tuple was due.
    start: Time,
    /// Tuples emitted since then.
    emitted: u64,
    is_first_acked: bool,
}

/// What a [`ThrottledSpout`] is made of.
#[derive(Clone, Serialize, Deserialize)]
pub struct SpoutArgs {
    tuples_per_s: f64,
    acked: bool,
}

impl ThrottledSpout {
    fn new(args: SpoutArgs) -> Self {
        Self {
            args,
            completed: LatencyMetric::default(),
            clock: Clock::system(),
            start: Time::NEVER,
            emitted: 0,
            is_first_acked: false,
        }
    }

    fn due(&self) -> Time {
        self.start + Duration::from_secs_f64(self.emitted as f64 / self.args.tuples_per_s)
    }
}

impl Spout for ThrottledSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["due_ns"]);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        // In a test this is a simulated clock.
        self.clock = context.clock().clone();
        // Latencies under a name are told by the report below, and by a worker to its supervisor.
        self.completed = context.latencies("completed");
        Ok(())
    }

    /// What was due while the topology was deactivated is not caught up with.
    fn activate(&mut self) {
        (self.start, self.emitted) = (self.clock.now(), 0);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let due = self.due();
        if out.now() >= due {
            let due_ns = due.as_nanos() as i64;
            if self.args.acked {
                out.emit_with_id([due_ns], due_ns);
            } else {
                out.emit([due_ns]);
            }
            self.emitted += 1;
        }
        // The runtime sleeps until then, to the microsecond; if the time has passed already, it
        // calls again at once.
        Ok(Next::IdleUntil(self.due()))
    }

    /// The tuple was processed, and the news of it came back. Its id is the time when it was due.
    fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        let due_ns = id.as_u64().ok_or("the message id is no number")?;
        let latency = self.clock.now().since(Time::from_nanos(due_ns));
        self.completed.record(latency);
        if !std::mem::replace(&mut self.is_first_acked, true) {
            print(format_args!("first tuple acked, {latency:?} after it was due"));
        }
        Ok(())
    }
}

/// Notes how late each tuple is. Its clock and the spout's agree if both run on one host.
#[derive(Default)]
pub struct LatencyBolt {
    delivered: LatencyMetric,
    clock: Clock,
}

impl BasicBolt for LatencyBolt {
    fn prepare(&mut self, context: &TaskContext) -> Result {
        self.clock = context.clock().clone();
        self.delivered = context.latencies("delivered");
        Ok(())
    }

    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let due = Time::from_nanos(tuple.i64("due_ns")? as u64);
        self.delivered.record(self.clock.now().since(due));
        Ok(())
    }
}

/// Emit a few tuples a second and measure how late they are.
#[derive(Args)]
pub struct LowThroughputArgs {
    /// Tuples per second
    #[arg(long, value_name = "TUPLES", default_value_t = 100.0)]
    rate: f64,
    /// Emit without asking for acks
    #[arg(long)]
    unacked: bool,
}

/// Registers the components and adds the topology with its report.
pub fn add_to(app: App) -> App {
    app.register("throttled-spout", ThrottledSpout::new)
        .register("latency-bolt", |(): ()| LatencyBolt::default())
        .topology("low-throughput", build)
        .report("low-throughput", tell)
}

fn build(builder: &mut TopologyBuilder, args: LowThroughputArgs) -> Result {
    if !(args.rate > 0.0 && args.rate.is_finite()) {
        let hint = "give tuples per second, such as --rate 100 or --rate 0.5";
        return Err(Hinted::new(format!("{} is no rate", args.rate), hint).into());
    }
    let spout = SpoutArgs { tuples_per_s: args.rate, acked: !args.unacked };
    builder.spout("throttled-spout", Named::new("throttled-spout").args(spout));
    builder.bolt("latency-bolt", Named::new("latency-bolt")).local_or_shuffle("throttled-spout");
    Ok(())
}

fn tell(running: &RunningTopology, report: &mut Report) {
    let all = running.latencies();
    for ((_, name), histogram) in all.iter().filter(|(_, histogram)| !histogram.is_empty()) {
        let mut line = format!("{name} after it was due:");
        let mut object = json!({ "count": histogram.len(), "max": histogram.max() });
        for (percentile, quantile) in percentiles(histogram.len()) {
            let latency_ns = histogram.value_at_quantile(quantile);
            line += &format!(" {percentile} {:.1} µs,", latency_ns as f64 / 1e3);
            object[percentile] = Json::from(latency_ns);
        }
        line += &format!(" max {:.1} µs", histogram.max() as f64 / 1e3);
        report.line(line);
        report.value(&format!("{name}_ns"), object);
    }
}

/// The percentiles that so many samples support.
fn percentiles(samples: u64) -> impl Iterator<Item = (&'static str, f64)> {
    let all = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];
    all.into_iter().take(if samples >= SAMPLES_FOR_P9999 { 4 } else { 3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tuples_are_emitted_when_they_are_due_and_late_ones_are_not_left_out() {
        let topology = crate::app().build("low-throughput", &["--rate", "10"]).unwrap();
        let cluster = LocalCluster::simulated(1);
        let running = cluster.submit("low-throughput", &topology).unwrap();
        assert!(cluster.settle());
        assert_eq!(running.stats().acked("throttled-spout"), 1);
        assert!(cluster.pass(Duration::from_secs(1)));
        assert_eq!(running.stats().acked("throttled-spout"), 11);
        assert_eq!(running.stats().complete_latency().max(), Duration::ZERO);
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        for rate in ["0", "NaN", "inf"] {
            let error = crate::app().build("low-throughput", &["--rate", rate]).unwrap_err();
            assert!(error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn a_small_sample_has_no_tail() {
        assert_eq!(percentiles(999_999).count(), 3);
        assert_eq!(percentiles(1_000_000).count(), 4);
    }
}
