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
use super::limits::tcp::{TcpBulk, TcpRoundTrip};
use super::limits::words::WordCount;
use super::pairs::Row;
use super::quantile::Quantile::{Max, P50, P99, P999};
use super::rivals::QueueOut;
use super::sample::Metric::{self, Latency, PerSecond};

/// Open-loop rates of the latency rows, in tuples per second, with the names of the rows.
const RATES: [(u64, &str); 2] = [(10_000, "10k"), (100_000, "100k")];

/// Time between two tuples of an idle topology.
const IDLE: Duration = Duration::from_secs(1);

/// Blocks of latency rows are at least this long, or the tail would rest on three tuples.
const TAIL_BLOCK: Duration = Duration::from_secs(1);

const TAIL: [Metric; 3] = [Latency(P50), Latency(P99), Latency(P999)];

/// All rows in the order of the table.
#[must_use]
pub fn all(corpus: &Rc<Corpus>) -> Vec<Row> {
    let mut rows = limits_of_one_thread(corpus);
    rows.extend(limits_of_two_threads());
    for (per_second, rate) in RATES {
        rows.extend(limits_of_latency(per_second, rate));
    }
    rows.extend(limits_of_waiting());
    rows.extend(limits_between_processes());
    rows
}

fn limits_of_one_thread(corpus: &Rc<Corpus>) -> Vec<Row> {
    let words = || WordCount::new(Rc::clone(corpus));
    vec![
        Row::new("inline", Inline::new(2), Inline::new(3)).figure(PerSecond, None),
        Row::new("word-count", words(), words()).figure(PerSecond, None),
    ]
}

fn limits_of_two_threads() -> Vec<Row> {
    let ring = |batch: u64| {
        let row = Row::alone(&format!("ring-{batch}"), RingOut::new(batch));
        row.threads(2).figure(PerSecond, None)
    };
    let acked = |batch: u64| {
        let row = Row::alone(&format!("acked-{batch}"), AckedLoop::new(batch));
        row.threads(2).figure(PerSecond, None)
    };
    let queue = Row::new("ring-1-and-queue", RingOut::new(1), QueueOut);
    let ping_pong = Row::alone("ping-pong", PingPong).threads(2);
    vec![
        ping_pong.figure(Latency(P50), None),
        ring(1),
        ring(16),
        ring(64),
        queue.threads(2).figure(PerSecond, None),
        acked(1),
        acked(16),
        acked(64),
    ]
}

fn limits_of_latency(per_second: u64, rate: &str) -> Vec<Row> {
    let hop = |wait| BareHop::new(per_second, wait);
    let parked = Row::new(&format!("parked-hop-{rate}"), hop(Wait::Park), hop(Wait::Park));
    let sleeping = || hop(Wait::Park).generator(Wait::Park);
    let slept = Row::new(&format!("slept-hop-{rate}"), sleeping(), sleeping());
    let spinning = Row::new(&format!("spinning-hop-{rate}"), hop(Wait::Spin), hop(Wait::Spin));
    let inline = || InlineLatency::new(per_second);
    let inline = Row::new(&format!("inline-latency-{rate}"), inline(), inline());
    let with_tail = |row: Row| {
        let row = row.shortest_block(TAIL_BLOCK);
        TAIL.into_iter().fold(row, |row, metric| row.figure(metric, None))
    };
    let two_threads = [parked, slept, spinning].map(|row| with_tail(row).threads(2));
    [with_tail(inline)].into_iter().chain(two_threads).collect()
}

fn limits_of_waiting() -> Vec<Row> {
    let wait = |stages| IdleWake::new(IDLE, stages);
    let row = Row::new("idle-wake", wait(0), wait(4)).shortest_block(2 * IDLE);
    vec![row.figure(Latency(P50), None).figure(Latency(Max), None)]
}

fn limits_between_processes() -> Vec<Row> {
    let round_trip = Row::alone("tcp-round-trip", TcpRoundTrip);
    let round_trip = TAIL.into_iter().fold(round_trip, |row, metric| row.figure(metric, None));
    vec![round_trip.threads(2), Row::alone("tcp-bulk", TcpBulk).threads(2).figure(PerSecond, None)]
}
