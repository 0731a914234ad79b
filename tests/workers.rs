//! What holds when several workers share a topology: they run in this process and talk over
//! loopback, through a proxy where the connection is to be cut.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use storm_runtime::clock::Clock;
use storm_runtime::id::TaskId;
use storm_runtime::measured::Worker;
use storm_runtime::prelude::*;

mod support {
    pub mod components;
    pub mod random;
}

use support::components::lock;
use support::random::Random;

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// What a spout's messages came to.
#[derive(Default)]
struct Ledger {
    open: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    failed: u64,
    /// Answers for messages that were not open.
    stray: u64,
}

/// Emits each number until it is acked.
struct Numbers {
    ledger: Arc<Mutex<Ledger>>,
    next: u64,
    end: u64,
    again: Vec<u64>,
    open: u64,
}

impl Spout for Numbers {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["n", "text"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let number = match self.again.pop() {
            Some(number) => number,
            None if self.next < self.end => {
                self.next += 1;
                self.next - 1
            }
            None if self.open == 0 => return Ok(Next::Finished),
            None => return Ok(Next::Idle),
        };
        lock(&self.ledger).open.insert(number);
        self.open += 1;
        out.emit_with_id((number as i64, "some text that is longer than what is inline"), number);
        Ok(Next::Emitted)
    }

    fn ack(&mut self, id: MessageId, _: &mut SpoutCollector) -> Result {
        let number = id.as_u64().unwrap();
        let mut ledger = lock(&self.ledger);
        ledger.stray += u64::from(!ledger.open.remove(&number));
        ledger.acked.insert(number);
        self.open -= 1;
        Ok(())
    }

    fn fail(&mut self, id: MessageId, _: &mut SpoutCollector) -> Result {
        let number = id.as_u64().unwrap();
        let mut ledger = lock(&self.ledger);
        ledger.stray += u64::from(!ledger.open.remove(&number));
        ledger.failed += 1;
        self.again.push(number);
        self.open -= 1;
        Ok(())
    }
}

/// Passes numbers on, `copies` times each, and fails some of them once.
struct Relay {
    copies: u64,
    fails: Arc<Mutex<BTreeSet<u64>>>,
}

impl BasicBolt for Relay {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["n", "text"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let number = tuple.i64("n")?;
        if lock(&self.fails).remove(&(number as u64)) {
            return Err("not this time".into());
        }
        for _ in 0..self.copies {
            out.emit((number, tuple.get("text")?.clone()));
        }
        Ok(())
    }
}

/// Counts numbers, and waits while it is told to.
struct Sink {
    seen: Arc<Mutex<BTreeMap<u64, u64>>>,
    held: Arc<AtomicBool>,
}

impl BasicBolt for Sink {
    fn execute(&mut self, tuple: TupleRef<'_>, _: &mut BasicCollector<'_>) -> Result {
        while self.held.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        *lock(&self.seen).entry(tuple.i64("n")? as u64).or_default() += 1;
        Ok(())
    }
}

/// One topology, as each of its workers builds it.
#[derive(Clone, Default)]
struct Parts {
    ledger: Arc<Mutex<Ledger>>,
    fails: Arc<Mutex<BTreeSet<u64>>>,
    seen: Arc<Mutex<BTreeMap<u64, u64>>>,
    held: Arc<AtomicBool>,
    slow_held: Arc<AtomicBool>,
    slow_seen: Arc<Mutex<BTreeMap<u64, u64>>>,
}

struct Shape {
    numbers: u64,
    copies: u64,
    relays: usize,
    sinks: usize,
    ackers: usize,
    pending: usize,
    fields: bool,
    timeout_secs: u64,
    own_threads: bool,
}

const SHAPE: Shape = Shape {
    numbers: 20_000,
    copies: 2,
    relays: 2,
    sinks: 2,
    ackers: 2,
    pending: 2_000,
    fields: true,
    timeout_secs: 30,
    own_threads: false,
};

fn builder(parts: &Parts, shape: &Shape) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    let numbers = shape.numbers;
    let ledger = parts.ledger.clone();
    builder.spout("numbers", move || Numbers {
        ledger: ledger.clone(),
        next: 0,
        end: numbers,
        again: Vec::new(),
        open: 0,
    });
    let (copies, fails) = (shape.copies, parts.fails.clone());
    let relay = builder.bolt("relay", move || Relay { copies, fails: fails.clone() });
    relay.parallelism(shape.relays).tasks(shape.relays * 2).shuffle("numbers");
    let (seen, held) = (parts.seen.clone(), parts.held.clone());
    let sink = builder.bolt("sink", move || Sink { seen: seen.clone(), held: held.clone() });
    let sink = sink.parallelism(shape.sinks);
    let sink = if shape.own_threads { sink.conf("topology.component.thread", "own") } else { sink };
    match shape.fields {
        true => sink.fields("relay", ["n"]),
        false => sink.shuffle("relay"),
    };
    builder.conf("topology.acker.executors", shape.ackers);
    builder.conf("topology.max.spout.pending", shape.pending);
    builder.conf("topology.message.timeout.secs", shape.timeout_secs);
    builder
}

/// Workers that share a topology, each on a port of its own.
struct Workers {
    workers: Vec<Option<Worker>>,
}

fn listeners(count: usize) -> (Vec<TcpListener>, Vec<SocketAddr>) {
    let listeners: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
    (listeners, addresses)
}

fn start(
    topology: &Topology,
    count: usize,
    place: impl Fn(&str, TaskId) -> usize + Copy,
) -> Workers {
    let (listeners, addresses) = listeners(count);
    let workers = listeners
        .into_iter()
        .enumerate()
        .map(|(own, listener)| Worker::start(topology, own, listener, &addresses, place).unwrap());
    let workers = Workers { workers: workers.map(Some).collect() };
    workers.activate();
    workers
}

impl Workers {
    fn activate(&self) {
        self.workers.iter().flatten().for_each(|worker| worker.topology().activate());
    }
}

#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let clock = Clock::system();
    let end = clock.now() + DEADLINE;
    while !condition() {
        assert!(clock.now() < end, "{what} did not come true");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[track_caller]
fn check_all_acked(parts: &Parts, shape: &Shape) {
    wait_until("every number acked", || lock(&parts.ledger).acked.len() as u64 == shape.numbers);
    let ledger = lock(&parts.ledger);
    assert_eq!((ledger.stray, ledger.open.len()), (0, 0));
    let seen = lock(&parts.seen);
    assert_eq!(seen.len() as u64, shape.numbers);
    assert!(seen.values().all(|count| *count >= shape.copies));
}

#[test]
fn every_tuple_passes_two_workers_and_is_acked_once() {
    let parts = Parts::default();
    let topology = builder(&parts, &SHAPE).build().unwrap();
    let _workers = start(&topology, 2, |component, _| usize::from(component == "relay"));
    check_all_acked(&parts, &SHAPE);
    assert_eq!(lock(&parts.ledger).failed, 0);
    assert!(lock(&parts.seen).values().all(|count| *count == SHAPE.copies));
}

#[test]
fn tasks_spread_over_three_workers_lose_nothing() {
    let parts = Parts::default();
    lock(&parts.fails).extend((0..SHAPE.numbers).step_by(97));
    let shape = Shape { own_threads: true, ..SHAPE };
    let topology = builder(&parts, &shape).build().unwrap();
    let _workers = start(&topology, 3, |_, task| usize::from(task.0) % 3);
    check_all_acked(&parts, &shape);
    assert_eq!(lock(&parts.ledger).failed, SHAPE.numbers.div_ceil(97));
}

#[test]
fn trees_are_kept_where_no_acker_is() {
    let parts = Parts::default();
    let topology = builder(&parts, &SHAPE).build().unwrap();
    let place = |component: &str, _| match component {
        "numbers" => 0,
        "relay" => 1,
        _ => 2,
    };
    let _workers = start(&topology, 3, place);
    check_all_acked(&parts, &SHAPE);
    assert_eq!(lock(&parts.ledger).failed, 0);
}

#[test]
fn a_worker_that_starts_late_gets_what_was_kept_for_it() {
    let parts = Parts::default();
    let shape = Shape { numbers: 500, ..SHAPE };
    let topology = builder(&parts, &shape).build().unwrap();
    let (mut listeners, addresses) = listeners(2);
    let place = |component: &str, _| usize::from(component == "relay");
    let late = listeners.pop().unwrap();
    drop(late);
    let first = Worker::start(&topology, 0, listeners.pop().unwrap(), &addresses, place).unwrap();
    first.topology().activate();
    wait_until("tuples under way", || lock(&parts.ledger).open.len() > 100);
    let listener = TcpListener::bind(addresses[1]).unwrap();
    let second = Worker::start(&topology, 1, listener, &addresses, place).unwrap();
    second.topology().activate();
    check_all_acked(&parts, &shape);
    assert_eq!((lock(&parts.ledger).failed, first.exchanged().dropped), (0, 0));
}

#[test]
fn acks_wait_for_a_connection_that_is_made_after_the_tuples_came() {
    let parts = Parts::default();
    let shape = Shape { numbers: 500, ..SHAPE };
    let topology = builder(&parts, &shape).build().unwrap();
    let place = |component: &str, _| match component {
        "relay" => 1,
        "sink" => 2,
        _ => 0,
    };
    let (listeners, addresses) = listeners(3);
    // The first worker dials the last, and gets no answer until the tuples have come there.
    let slow = Proxy::new(addresses[2]);
    slow.stalled.store(true, Ordering::Release);
    let seen_by_first = [addresses[0], addresses[1], slow.address];
    let workers: Vec<Worker> = listeners
        .into_iter()
        .enumerate()
        .map(|(own, listener)| {
            let addresses = if own == 0 { &seen_by_first[..] } else { &addresses[..] };
            Worker::start(&topology, own, listener, addresses, place).unwrap()
        })
        .collect();
    workers.iter().for_each(|worker| worker.topology().activate());
    wait_until("all tuples at the sinks", || lock(&parts.seen).len() as u64 == shape.numbers);
    assert_eq!(lock(&parts.ledger).acked.len(), 0);
    slow.stalled.store(false, Ordering::Release);
    check_all_acked(&parts, &shape);
    let dropped: u64 = workers.iter().map(|worker| worker.exchanged().dropped_acks).sum();
    assert_eq!((lock(&parts.ledger).failed, dropped), (0, 0));
}

#[test]
fn a_slow_task_holds_back_only_what_is_for_it() {
    let parts = Parts::default();
    let shape = Shape { numbers: 30_000, copies: 1, pending: 100_000, ..SHAPE };
    let mut builder = builder(&parts, &shape);
    let (seen, held) = (parts.slow_seen.clone(), parts.slow_held.clone());
    held.store(true, Ordering::Release);
    let (slow_ledger, numbers) = (Arc::new(Mutex::new(Ledger::default())), 30_000);
    let ledger = slow_ledger.clone();
    builder.spout("others", move || Numbers {
        ledger: ledger.clone(),
        next: 0,
        end: numbers,
        again: Vec::new(),
        open: 0,
    });
    let slow = builder.bolt("slow", move || Sink { seen: seen.clone(), held: held.clone() });
    slow.conf("topology.component.thread", "own").shuffle("others");
    let topology = builder.build().unwrap();
    let place = |component: &str, _| usize::from(matches!(component, "relay" | "slow"));
    let workers = start(&topology, 2, place);
    check_all_acked(&parts, &shape);
    let received = workers.workers[1].as_ref().unwrap().topology().stats();
    assert_eq!(received.executed("slow"), 0);
    let emitted = lock(&slow_ledger).open.len() as u64;
    assert!(emitted < 6_000, "{emitted} tuples wait for a task that takes none");
    parts.slow_held.store(false, Ordering::Release);
    wait_until("the slow task done", || lock(&slow_ledger).acked.len() as u64 == numbers);
}

/// Stands between workers; the connections through it can be cut.
struct Proxy {
    address: SocketAddr,
    through: Arc<Mutex<Vec<TcpStream>>>,
    ended: Arc<AtomicBool>,
    /// Nothing is read while it is set.
    stalled: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
}

impl Proxy {
    fn new(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Self {
            address,
            through: Arc::default(),
            ended: Arc::default(),
            stalled: Arc::default(),
            passed: Arc::default(),
        };
        let (through, ended) = (proxy.through.clone(), proxy.ended.clone());
        let (passed, stalled) = (proxy.passed.clone(), proxy.stalled.clone());
        std::thread::spawn(move || {
            for from in listener.incoming() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let (Ok(from), Ok(to)) = (from, TcpStream::connect(to)) else { continue };
                lock(&through).extend([from.try_clone().unwrap(), to.try_clone().unwrap()]);
                for (mut one, mut other) in
                    [(from.try_clone().unwrap(), to.try_clone().unwrap()), (to, from)]
                {
                    let (passed, stalled) = (passed.clone(), stalled.clone());
                    std::thread::spawn(move || {
                        let mut bytes = [0; 1 << 14];
                        while let Ok(read @ 1..) = one.read(&mut bytes) {
                            passed.fetch_add(read as u64, Ordering::Relaxed);
                            while stalled.load(Ordering::Acquire) {
                                std::thread::park_timeout(Duration::from_millis(1));
                            }
                            if other.write_all(&bytes[..read]).is_err() {
                                break;
                            }
                        }
                        let _ = other.shutdown(Shutdown::Both);
                        let _ = one.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        proxy
    }

    fn cut(&self) {
        for stream in lock(&self.through).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        self.stalled.store(false, Ordering::Release);
        self.cut();
        let _ = TcpStream::connect(self.address);
    }
}

#[test]
fn connections_that_are_cut_cost_time_but_no_number() {
    let seed = 0x5eed;
    let mut random = Random::new(seed);
    let parts = Parts::default();
    let shape = Shape { numbers: 60_000, timeout_secs: 1, ..SHAPE };
    let topology = builder(&parts, &shape).build().unwrap();
    let (listeners, real) = listeners(3);
    let proxies: Vec<Proxy> = real.iter().map(|address| Proxy::new(*address)).collect();
    let addresses: Vec<SocketAddr> = proxies.iter().map(|proxy| proxy.address).collect();
    let place = |_: &str, task: TaskId| usize::from(task.0) % 3;
    let workers: Vec<Worker> = listeners
        .into_iter()
        .enumerate()
        .map(|(own, listener)| Worker::start(&topology, own, listener, &addresses, place).unwrap())
        .collect();
    workers.iter().for_each(|worker| worker.topology().activate());
    for _ in 0..8 {
        let target = 50_000 + random.below(400_000) as u64;
        let proxy = &proxies[random.below(3)];
        let before: u64 = proxies.iter().map(|proxy| proxy.passed.load(Ordering::Relaxed)).sum();
        wait_until("bytes or the end", || {
            let passed: u64 =
                proxies.iter().map(|proxy| proxy.passed.load(Ordering::Relaxed)).sum();
            passed > before + target || lock(&parts.ledger).acked.len() as u64 == shape.numbers
        });
        proxy.cut();
    }
    check_all_acked(&parts, &shape);
    let connections: u64 = workers.iter().map(|worker| worker.exchanged().connections).sum();
    assert!(connections > 6, "{connections} connections, so none was cut");
}

#[test]
fn a_worker_that_is_started_anew_goes_on_and_the_others_too() {
    let parts = Parts::default();
    let shape = Shape { numbers: 100_000, timeout_secs: 1, ..SHAPE };
    let topology = builder(&parts, &shape).build().unwrap();
    let place = |component: &str, _| usize::from(component == "relay");
    let (mut listeners, addresses) = listeners(2);
    let mut second =
        Worker::start(&topology, 1, listeners.pop().unwrap(), &addresses, place).unwrap();
    let first = Worker::start(&topology, 0, listeners.pop().unwrap(), &addresses, place).unwrap();
    first.topology().activate();
    second.topology().activate();
    for part in 1..3 {
        wait_until("a part acked", || lock(&parts.ledger).acked.len() as u64 > part * 20_000);
        drop(second);
        let listener = TcpListener::bind(addresses[1]).unwrap();
        second = Worker::start(&topology, 1, listener, &addresses, place).unwrap();
        second.topology().activate();
    }
    check_all_acked(&parts, &shape);
}

#[test]
fn a_peer_that_stops_reading_bounds_what_is_emitted_for_it_and_delays_nobody_else() {
    let parts = Parts::default();
    let shape = Shape { numbers: 60_000, copies: 1, pending: 100_000, ..SHAPE };
    let mut builder = builder(&parts, &shape);
    let (others, seen) = (Parts::default(), Arc::default());
    let ledger = others.ledger.clone();
    builder.spout("others", move || Numbers {
        ledger: ledger.clone(),
        next: 0,
        end: 30_000,
        again: Vec::new(),
        open: 0,
    });
    let count: Arc<Mutex<BTreeMap<u64, u64>>> = seen;
    let quick = builder.bolt("quick", move || Sink { seen: count.clone(), held: Arc::default() });
    quick.shuffle("others");
    let topology = builder.build().unwrap();
    let place = |component: &str, _| match component {
        "relay" => 1,
        "quick" => 2,
        _ => 0,
    };
    let (listeners, real) = listeners(3);
    let proxy = Proxy::new(real[1]);
    let addresses = [real[0], proxy.address, real[2]];
    let workers: Vec<Worker> = listeners
        .into_iter()
        .enumerate()
        .map(|(own, listener)| Worker::start(&topology, own, listener, &addresses, place).unwrap())
        .collect();
    workers.iter().for_each(|worker| worker.topology().activate());
    wait_until("some acked", || lock(&parts.ledger).acked.len() > 1_000);
    proxy.stalled.store(true, Ordering::Release);
    wait_until("all others acked", || lock(&others.ledger).acked.len() == 30_000);
    let mut last = usize::MAX;
    wait_until("emission at rest", || {
        std::thread::park_timeout(Duration::from_millis(50));
        let open = lock(&parts.ledger).open.len();
        std::mem::replace(&mut last, open) == open
    });
    // Two links of 4,096 tuples each on the way there, as many on the way back, and a block at
    // every stop.
    assert!(last < 20_000, "{last} tuples are under way to a peer that reads nothing");
    proxy.stalled.store(false, Ordering::Release);
    check_all_acked(&parts, &shape);
}

#[test]
fn whoever_says_nothing_or_nonsense_to_a_worker_disturbs_nobody() {
    let parts = Parts::default();
    let shape = Shape { numbers: 40_000, ..SHAPE };
    let topology = builder(&parts, &shape).build().unwrap();
    let place = |component: &str, _| usize::from(component == "relay");
    let (listeners, addresses) = listeners(2);
    let mut strangers = Vec::new();
    let mut random = Random::new(7);
    for _ in 0..100 {
        let mut stranger = TcpStream::connect(addresses[1]).unwrap();
        let bytes: Vec<u8> = (0..random.below(300)).map(|_| random.next() as u8).collect();
        stranger.write_all(&bytes).unwrap();
        strangers.push(stranger);
    }
    let workers: Vec<Worker> = listeners
        .into_iter()
        .enumerate()
        .map(|(own, listener)| Worker::start(&topology, own, listener, &addresses, place).unwrap())
        .collect();
    workers.iter().for_each(|worker| worker.topology().activate());
    check_all_acked(&parts, &shape);
    assert_eq!(lock(&parts.ledger).failed, 0);
}

#[test]
fn any_placement_on_three_workers_acks_every_number_once() {
    for seed in 0..6 {
        let mut random = Random::new(seed);
        let parts = Parts::default();
        let shape = Shape {
            numbers: 3_000,
            copies: 1 + random.below(3) as u64,
            relays: 1 + random.below(3),
            sinks: 1 + random.below(4),
            ackers: 1 + random.below(3),
            pending: random.pick(&[1, 7, 500, 50_000]),
            fields: random.one_in(2),
            timeout_secs: 30,
            own_threads: random.one_in(2),
        };
        lock(&parts.fails).extend((0..shape.numbers).filter(|_| random.one_in(50)));
        let fails = lock(&parts.fails).len() as u64;
        let mut builder = builder(&parts, &shape);
        builder.conf("topology.executor.receive.buffer.size", random.pick(&[2, 200, 4_096]));
        let topology = builder.build().unwrap();
        let placement: Vec<usize> = (0..64).map(|_| random.below(3)).collect();
        let workers = start(&topology, 3, |_, task| placement[usize::from(task.0)]);
        check_all_acked(&parts, &shape);
        assert_eq!(lock(&parts.ledger).failed, fails, "seed {seed}");
        drop(workers);
        assert!(lock(&parts.seen).values().all(|count| *count == shape.copies), "seed {seed}");
    }
}
