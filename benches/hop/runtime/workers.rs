//! Two workers over loopback, each with one thread, in this process.

use std::hint::black_box;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use storm_runtime::measured::Worker;
use storm_runtime::prelude::*;
use storm_runtime::tuple::AsciiText;

use super::super::parker;
use super::super::payload::PAYLOAD_BYTES;
use super::super::sample::{Sample, Subject, Window, warm_up_and_window};
use super::latency::OpenLoop;
use super::{builder, text};

/// Pending tuples of an acked spout.
const MAX_PENDING: u64 = 8192;

/// Different tuples that the bulk rows send.
const WIDE_TUPLES: usize = 64;

/// A topology that two workers share; it ends when dropped.
pub struct RunningPair {
    pub workers: [Worker; 2],
}

impl RunningPair {
    /// Starts both workers; `is_second` says which components the second one runs.
    pub fn start(builder: &TopologyBuilder, is_second: fn(&str) -> bool) -> Self {
        let topology = builder.build().expect("a measured topology is sound");
        let listen = || TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let listeners = [listen(), listen()];
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(|listener| listener.local_addr().expect("a listener has an address"))
            .collect();
        let mut own = 0;
        let workers = listeners.map(|listener| {
            own += 1;
            let place = |component: &str, _| usize::from(is_second(component));
            Worker::start(&topology, own - 1, listener, &addresses, place).expect("a worker starts")
        });
        workers.iter().for_each(|worker| worker.topology().activate());
        Self { workers }
    }
}

/// [`OpenLoop`] with its bolts in another worker.
pub struct OpenLoopPair(pub OpenLoop);

impl Subject for OpenLoopPair {
    fn name(&self) -> String {
        format!("two workers, {}{}", self.0.profile, if self.0.acked { ", acked" } else { "" })
    }

    fn block(&mut self, length: Duration) -> Sample {
        self.0.block_between_workers(length)
    }
}

/// Tuples of four texts, 64 bytes, from a spout in one worker to a bolt in another, as fast as it goes.
pub struct BulkPair {
    pub acked: bool,
}

/// Emits texts that it has, as the limit writes bytes that it has: the row is about the way between
/// the workers, and neither side of the ratio pays for making what travels.
struct WideSpout {
    texts: Box<[[AsciiText<PAYLOAD_BYTES>; 4]; WIDE_TUPLES]>,
    emitted: u64,
    acked: bool,
}

impl WideSpout {
    fn new(acked: bool) -> Self {
        let row = |n| std::array::from_fn(|column| text((4 * n + column) as u64));
        Self { texts: Box::new(std::array::from_fn(row)), emitted: 0, acked }
    }
}

impl Spout for WideSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["a", "b", "c", "d"]);
    }

    #[inline]
    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let n = self.emitted;
        let values = self.texts[n as usize % WIDE_TUPLES];
        if self.acked {
            out.emit_with_id(values, n);
        } else {
            out.emit(values);
        }
        self.emitted += 1;
        Ok(Next::Emitted)
    }
}

struct WideBolt;

impl BasicBolt for WideBolt {
    fn execute(&mut self, tuple: TupleRef<'_>, _: &mut BasicCollector<'_>) -> Result {
        tuple.values().iter().for_each(|value| _ = black_box(value));
        Ok(())
    }
}

impl Subject for BulkPair {
    fn name(&self) -> String {
        format!("two workers, {}", if self.acked { "acked" } else { "unacked" })
    }

    fn block(&mut self, length: Duration) -> Sample {
        let mut builder = builder(1, "spin-then-park");
        let acked = self.acked;
        builder.conf("topology.max.spout.pending", MAX_PENDING);
        builder.conf("topology.acker.executors", u64::from(acked));
        builder.spout("spout", move || WideSpout::new(acked));
        builder.bolt("bolt", || WideBolt).shuffle("spout");
        let running = RunningPair::start(&builder, |component| component == "bolt");
        let [first, second] = &running.workers;
        let done = || match acked {
            true => first.topology().stats().acked("spout"),
            false => second.topology().stats().executed("bolt"),
        };
        let (warm_up, window) = warm_up_and_window(length);
        parker::sleep(warm_up);
        let before = done();
        let opened = Window::open();
        parker::sleep(window);
        opened.close(done() - before)
    }
}
