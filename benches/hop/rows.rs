//! The rows of the table: which subject is held to which limit, and to what ratio.

use std::rc::Rc;
use std::time::Duration;

use super::corpus::Corpus;
use super::limits::acked::AckedLoop;
use super::limits::hop::{BareHop, InlineLatency, Wait};
use super::limits::idle::IdleWake;
use super::limits::inline::Inline;
use super::limits::ping_pong::PingPong;
use super::limits::ring::RingOut;
use super::limits::tcp::{TcpBulk, TcpEcho, TcpHop, TcpRoundTrip};
use super::limits::words::WordCount;
use super::pairs::Row;
use super::pairs::Target::{AtLeast, AtMost};
use super::quantile::Quantile::{P50, P99, P999};
use super::rivals::QueueOut;
use super::runtime::latency::OpenLoop;
use super::runtime::throughput::ConstTopology;
use super::runtime::words::WordTopology;
use super::runtime::workers::{BulkPair, OpenLoopPair};
use super::sample::Metric::{Latency, PerSecond};
use super::sample::Subject;

/// Open-loop rates of the latency rows, in tuples per second, with the names of the rows.
const RATES: [(u64, &str); 2] = [(10_000, "10k"), (100_000, "100k")];

/// Time between two tuples of an idle topology.
const IDLE: Duration = Duration::from_secs(1);

/// Blocks of latency rows are at least this long, or the tail would rest on three tuples.
const TAIL_BLOCK: Duration = Duration::from_secs(1);

/// All rows in the order of the table.
#[must_use]
pub fn all(corpus: &Rc<Corpus>) -> Vec<Row> {
    let mut rows = throughput_of_one_thread(corpus);
    rows.extend(throughput_of_two_threads());
    for (per_second, rate) in RATES {
        rows.extend(latency(per_second, rate));
    }
    rows.push(idle());
    rows.extend(between_workers());
    rows.extend(limits_alone());
    rows
}

fn throughput_of_one_thread(corpus: &Rc<Corpus>) -> Vec<Row> {
    let topology = |stages, acked| ConstTopology { threads: 1, stages, acked };
    let words = |acked| WordTopology { corpus: Rc::clone(corpus), acked };
    let row = |name: &str, stages, acked, target| {
        Row::new(name, Inline::new(stages), topology(stages, acked)).figure(PerSecond, target)
    };
    vec![
        row("spout-null", 2, false, Some(AtLeast(0.5))),
        row("spout-null-acked", 2, true, None),
        row("spout-id-null", 3, false, None),
        row("spout-id-null-acked", 3, true, None),
        Row::new("word-count", WordCount::new(Rc::clone(corpus)), words(false))
            .figure(PerSecond, AtLeast(0.65)),
        Row::new("word-count-acked", words(false), words(true)).figure(PerSecond, AtLeast(0.85)),
    ]
}

fn throughput_of_two_threads() -> Vec<Row> {
    let topology = |stages, acked| ConstTopology { threads: 2, stages, acked };
    let acked_loop = || AckedLoop::new(16);
    let rows = [
        Row::new("two-threads-spout-null", RingOut::new(64), topology(2, false))
            .figure(PerSecond, AtLeast(0.5)),
        Row::new("two-threads-spout-null-acked", acked_loop(), topology(2, true))
            .figure(PerSecond, AtLeast(0.45)),
        Row::new("two-threads-spout-id-null-acked", acked_loop(), topology(3, true))
            .figure(PerSecond, AtLeast(0.35)),
    ];
    rows.into_iter().map(|row| row.threads(2)).collect()
}

fn latency(per_second: u64, rate: &str) -> Vec<Row> {
    let subject =
        |threads, profile, acked| OpenLoop { per_second, threads, profile, bolts: 1, acked };
    let row = |name: &str, limit: Box<dyn Subject>, subject: OpenLoop, p50, p999| {
        let name = format!("{name}-{rate}");
        let threads = subject.threads;
        let row = Row::boxed(&name, limit, Box::new(subject)).threads(threads);
        row.shortest_block(TAIL_BLOCK)
            .figure(Latency(P50), p50)
            .figure(Latency(P99), None)
            .figure(Latency(P999), p999)
    };
    let inline = || Box::new(InlineLatency::new(per_second));
    let slept = || Box::new(BareHop::new(per_second, Wait::Park).generator(Wait::Park));
    let spun = || Box::new(BareHop::new(per_second, Wait::Spin));
    let at_most = |bound| Some(AtMost(bound));
    vec![
        // The limit against itself: how far apart two tails are here by chance alone.
        Row::boxed(&format!("inline-itself-{rate}"), inline(), inline())
            .shortest_block(TAIL_BLOCK)
            .figure(Latency(P50), None)
            .figure(Latency(P999), None),
        row("fused", inline(), subject(1, "spin", false), None, at_most(1.5)),
        row("fused-acked", inline(), subject(1, "spin", true), None, None),
        row("parked-hop", slept(), subject(2, "parked", false), at_most(1.3), at_most(1.2)),
        row("spinning-hop", spun(), subject(2, "spin", false), at_most(1.5), None),
    ]
}

/// Two workers over loopback beside bare TCP.
fn between_workers() -> Vec<Row> {
    let (per_second, rate) = RATES[0];
    let generator = Wait::Park;
    let pair = |acked| {
        let profile = "parked";
        Box::new(OpenLoopPair(OpenLoop { per_second, threads: 1, profile, bolts: 1, acked }))
    };
    let hop = |name: &str, limit: Box<dyn Subject>, acked| {
        Row::boxed(&format!("{name}-{rate}"), limit, pair(acked))
            .threads(2)
            .shortest_block(TAIL_BLOCK)
            .figure(Latency(P50), Some(AtMost(2.0)))
            .figure(Latency(P99), Some(AtMost(3.0)))
    };
    let bulk = |name: &str, acked, target| {
        Row::new(name, TcpBulk, BulkPair { acked }).threads(2).figure(PerSecond, target)
    };
    vec![
        hop("workers-one-way", Box::new(TcpHop { per_second, generator }), false),
        hop("workers-echo", Box::new(TcpEcho { per_second, generator }), true),
        bulk("workers-bulk", false, Some(AtLeast(0.5))),
        bulk("workers-bulk-acked", true, None),
    ]
}

/// Four tasks, one tuple a second: a timed wait, then four calls.
fn idle() -> Row {
    let per_second = 1_000_000_000 / IDLE.as_nanos() as u64;
    let subject = OpenLoop { per_second, threads: 1, profile: "parked", bolts: 3, acked: false };
    Row::new("idle", IdleWake::new(IDLE, 4), subject)
        .shortest_block(3 * IDLE)
        .figure(Latency(P50), AtMost(1.3))
}

/// What the machine can do, beside what is measured against it.
fn limits_alone() -> Vec<Row> {
    let alone = |name: &str, limit: Box<dyn Subject>| Row::only(name, limit).threads(2);
    vec![
        alone("ping-pong", Box::new(PingPong)).figure(Latency(P50), None),
        alone("ring-1", Box::new(RingOut::new(1))).figure(PerSecond, None),
        Row::new("ring-1-and-queue", RingOut::new(1), QueueOut).threads(2).figure(PerSecond, None),
        alone("tcp-round-trip", Box::new(TcpRoundTrip))
            .figure(Latency(P50), None)
            .figure(Latency(P99), None),
        alone("tcp-bulk", Box::new(TcpBulk)).figure(PerSecond, None),
    ]
}
