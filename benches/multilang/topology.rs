//! A spout, an echo bolt in Python, and a bolt that counts or measures.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use storm_runtime::clock::{Clock, Time};
use storm_runtime::prelude::*;

use super::python::{Adapter, Scripts};

/// What each tuple carries.
pub const TEXT: &str = "the cow jumped over the moon";
/// Time before anything is measured.
pub const WARM_UP: Duration = Duration::from_millis(500);
/// How long a child may take to its first answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Tuples under way.
const PENDING: u32 = 1024;

/// Emits one text again and again, or one each millisecond.
struct Texts {
    interval: Option<Duration>,
    next: Time,
    clock: Clock,
    sent: Arc<Sent>,
    number: i64,
}

/// When the latest tuple was emitted, in nanoseconds.
type Sent = AtomicU64;

impl Spout for Texts {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        self.number += 1;
        let Some(interval) = self.interval else {
            out.emit_with_id([TEXT], self.number);
            return Ok(Next::Emitted);
        };
        if out.now() < self.next {
            return Ok(Next::IdleUntil(self.next));
        }
        self.next = out.now().max(self.next) + interval;
        self.sent.store(self.clock.now().as_nanos(), Ordering::Relaxed);
        out.emit_with_id([TEXT], self.number);
        Ok(Next::IdleUntil(self.next))
    }
}

/// Counts tuples and keeps how long each was under way.
struct Counter {
    count: Arc<AtomicU64>,
    sent: Arc<Sent>,
    clock: Clock,
    times_ns: Option<Arc<Mutex<Vec<u64>>>>,
}

impl BasicBolt for Counter {
    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(times_ns) = &self.times_ns {
            let sent = self.sent.load(Ordering::Relaxed);
            times_ns.lock().unwrap().push(self.clock.now().as_nanos() - sent);
        }
        Ok(())
    }
}

struct Run {
    cluster: LocalCluster,
    running: RunningTopology,
    count: Arc<AtomicU64>,
    times_ns: Arc<Mutex<Vec<u64>>>,
}

fn start(scripts: &Scripts, adapter: Adapter, framing: &str, interval: Option<Duration>) -> Run {
    let (count, sent) = (Arc::new(AtomicU64::new(0)), Arc::new(Sent::new(0)));
    let times_ns = Arc::new(Mutex::new(Vec::new()));
    let mut builder = TopologyBuilder::new();
    // The other core is Python's.
    builder.conf("topology.worker.threads", 1);
    builder.conf("topology.max.spout.pending", PENDING);
    let clock = Clock::system();
    let spout_sent = sent.clone();
    builder.spout("texts", move || Texts {
        interval,
        next: Time::ZERO,
        clock: Clock::system(),
        sent: spout_sent.clone(),
        number: 0,
    });
    builder.bolt("echo", scripts.echo(adapter, framing)).shuffle("texts");
    let (counted, times) = (count.clone(), interval.map(|_| times_ns.clone()));
    builder
        .bolt("counter", move || Counter {
            count: counted.clone(),
            sent: sent.clone(),
            clock: clock.clone(),
            times_ns: times.clone(),
        })
        .shuffle("echo");
    let cluster = LocalCluster::new();
    let topology = builder.build().expect("it is sound");
    let running = cluster.submit("echo", &topology).expect("it starts");
    let came = running.wait_until(PATIENCE, |_| count.load(Ordering::Relaxed) > 0);
    assert!(came, "nothing came back: {:?}", running.errors());
    std::thread::park_timeout(WARM_UP);
    Run { cluster, running, count, times_ns }
}

impl Run {
    fn end(self) {
        assert!(self.running.errors().is_empty(), "{:?}", self.running.errors());
        self.cluster.kill("echo", Duration::from_secs(5));
    }
}

/// Waits, whoever wakes it.
pub fn pass(length: Duration) -> Duration {
    let clock = Clock::system();
    let start = clock.now();
    while clock.now().since(start) < length {
        std::thread::park_timeout(length);
    }
    clock.now().since(start)
}

/// Tuples per second.
pub fn throughput(scripts: &Scripts, adapter: Adapter, framing: &str, length: Duration) -> f64 {
    let run = start(scripts, adapter, framing, None);
    let before = run.count.load(Ordering::Relaxed);
    let took = pass(length);
    let count = run.count.load(Ordering::Relaxed) - before;
    run.end();
    count as f64 / took.as_secs_f64()
}

/// The median time through the echo at 1,000 tuples a second.
pub fn latency_us(scripts: &Scripts, adapter: Adapter, framing: &str, length: Duration) -> f64 {
    let run = start(scripts, adapter, framing, Some(Duration::from_millis(1)));
    run.times_ns.lock().unwrap().clear();
    pass(length);
    let mut times_ns = std::mem::take(&mut *run.times_ns.lock().unwrap());
    run.end();
    median_us(&mut times_ns)
}

/// The median of some times.
pub fn median_us(times_ns: &mut [u64]) -> f64 {
    times_ns.sort_unstable();
    times_ns[times_ns.len() / 2] as f64 / 1e3
}
