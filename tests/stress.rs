//! Random topologies under random trouble: every message ends in exactly one ack, and the counters
//! add up.
//!
//! A seed gives the topology, its configuration and all trouble: errors, panics, dropped tuples and
//! slow calls. `STRESS_SEED=n` runs the topology of one seed, `STRESS_RUNS=n` as many topologies as
//! wanted, and `STRESS_FIRST=n` others than those that run by default. Under the simulated clock a seed repeats a run exactly; with threads it repeats the
//! topology and what goes wrong in it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use storm_runtime::clock::{Clock, Time};
use storm_runtime::component::Waker;
use storm_runtime::local::TopologyStats;
use storm_runtime::prelude::*;
use storm_runtime::topology::{BoltDeclarer, CustomGrouping};

mod support {
    pub mod components;
    pub mod random;
}

use support::components::lock;
use support::random::{Random, hash};

/// Attempts of a message that may go wrong; later ones are spared, so that every run ends.
const TROUBLED_ATTEMPTS: u64 = 3;
/// Steps from bolt to bolt after which a tuple is not passed on; bounds loops.
const MOST_HOPS: i64 = 5;
/// Time within which a topology with threads must come to its end.
const DEADLINE: Duration = Duration::from_secs(60);
/// Simulated time within which a topology must come to its end.
const SIMULATED_DEADLINE: Duration = Duration::from_secs(3_600);
const CYCLES: usize = 2_000_000;

/// What one spout component did, seen from its own side.
#[derive(Default)]
struct SpoutLedger {
    messages: u64,
    next: u64,
    again: VecDeque<u64>,
    id_to_message: BTreeMap<u64, MessageState>,
    acks: u64,
    fails: u64,
    emissions: u64,
    unanchored: u64,
    mistakes: Vec<String>,
    wakers: Vec<Waker>,
}

#[derive(Default)]
struct MessageState {
    attempts: u64,
    open: bool,
    acked: bool,
}

impl SpoutLedger {
    fn is_done(&self) -> bool {
        self.acks == self.messages
    }

    fn take(&mut self) -> Option<u64> {
        if let Some(id) = self.again.pop_front() {
            return Some(id);
        }
        (self.next < self.messages).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Notes an emission and answers which attempt it is.
    fn emitted(&mut self, id: u64) -> u64 {
        let message = self.id_to_message.entry(id).or_default();
        if message.open || message.acked {
            self.mistakes.push(format!("message {id} emitted while open or acked"));
        }
        message.open = true;
        message.attempts += 1;
        self.emissions += 1;
        message.attempts
    }

    fn answered(&mut self, id: u64, acked: bool) {
        let message = self.id_to_message.entry(id).or_default();
        if !message.open || message.acked {
            self.mistakes.push(format!("message {id} answered twice, the second time {acked}"));
        }
        message.open = false;
        message.acked |= acked;
        if acked {
            self.acks += 1;
        } else {
            self.fails += 1;
        }
    }
}

/// How a spout behaves.
#[derive(Clone, Debug)]
struct SpoutPlan {
    seed: u64,
    messages: u64,
    panics_one_in: u64,
    errs_one_in: u64,
    replays_in_fail: bool,
    wakes: bool,
    burst: usize,
}

/// Emits each message again until it is acked.
struct ReplayingSpout {
    plan: SpoutPlan,
    ledger: Arc<Mutex<SpoutLedger>>,
    calls: Arc<AtomicU64>,
    waker: Option<Waker>,
}

impl ReplayingSpout {
    fn emit(&self, id: u64, out: &mut SpoutCollector) {
        let attempt = lock(&self.ledger).emitted(id);
        out.emit_with_id((id as i64, 0i64, attempt as i64), id);
    }
}

impl Spout for ReplayingSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["key", "hops", "attempt"]);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        if self.plan.wakes {
            let waker = context.waker();
            lock(&self.ledger).wakers.push(waker.clone());
            self.waker = Some(waker);
        }
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let luck = hash(&[self.plan.seed, call]);
        let panics = call < 5_000 && luck.is_multiple_of(self.plan.panics_one_in);
        if panics && luck & (1 << 40) != 0 {
            panic!("planned: a spout before it emits");
        }
        for _ in 0..self.plan.burst {
            let Some(id) = lock(&self.ledger).take() else { return Ok(Next::Idle) };
            self.emit(id, out);
        }
        if luck.is_multiple_of(31) {
            lock(&self.ledger).unanchored += 1;
            out.emit((-1i64, 0i64, 99i64));
        }
        if panics {
            panic!("planned: a spout after it emitted");
        }
        if luck.is_multiple_of(self.plan.errs_one_in) {
            // An error counts as idle, and a spout with a waker has to end that itself.
            self.waker.iter().for_each(Waker::wake);
            return Err("planned: a spout".into());
        }
        Ok(Next::Emitted)
    }

    fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        lock(&self.ledger).answered(id.as_u64().expect("a number"), true);
        Ok(())
    }

    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        let id = id.as_u64().expect("a number");
        lock(&self.ledger).answered(id, false);
        if self.plan.replays_in_fail && !id.is_multiple_of(3) {
            self.emit(id, out);
        } else {
            let mut ledger = lock(&self.ledger);
            ledger.again.push_back(id);
            ledger.wakers.iter().for_each(Waker::wake);
        }
        Ok(())
    }
}

/// What kind of bolt it is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum BoltKind {
    Basic,
    /// Owns its tuples and acks them in the same call.
    Owned,
    /// Keeps tuples, emits one anchored to many, and acks them together.
    Batch(usize),
}

/// How a bolt behaves.
#[derive(Clone, Debug)]
struct BoltPlan {
    seed: u64,
    kind: BoltKind,
    errs_one_in: u64,
    panics_one_in: u64,
    drops_one_in: u64,
    slow_one_in: u64,
    leaf: bool,
}

/// What all instances of a bolt did, seen from their own side.
#[derive(Default, Debug)]
struct BoltLedger {
    executed: AtomicU64,
    emitted: AtomicU64,
    acked: AtomicU64,
    failed: AtomicU64,
    panicked: AtomicU64,
    dropped: AtomicU64,
    kept: AtomicI64,
}

/// What is to become of one call.
enum Fate {
    Ok(usize),
    Err,
    Panic,
    Drop,
}

impl BoltPlan {
    /// What a tuple meets in this bolt; the same attempt of a message meets the same.
    fn fate(&self, values: &[Value]) -> Fate {
        let number = |index: usize| values[index].as_i64().expect("a number");
        let (key, hops, attempt) = (number(0), number(1), number(2));
        let luck = hash(&[self.seed, key as u64, hops as u64, attempt as u64]);
        if attempt as u64 <= TROUBLED_ATTEMPTS {
            let one_in = |times: u64, salt: u64| hash(&[luck, salt]).is_multiple_of(times);
            if one_in(self.errs_one_in, 1) {
                return Fate::Err;
            }
            if one_in(self.panics_one_in, 2) {
                return Fate::Panic;
            }
            if one_in(self.drops_one_in, 3) {
                return Fate::Drop;
            }
        }
        if luck.is_multiple_of(self.slow_one_in) {
            spin(Duration::from_micros(50));
        }
        let copies = match luck >> 60 {
            _ if self.leaf || hops >= MOST_HOPS => 0,
            0..2 => 0,
            2..5 => 2,
            _ => 1,
        };
        Fate::Ok(copies)
    }

    fn next(&self, values: &[Value], copy: usize) -> (i64, i64, i64) {
        let number = |index: usize| values[index].as_i64().expect("a number");
        (number(0).wrapping_mul(3).wrapping_add(copy as i64), number(1) + 1, number(2))
    }
}

/// Keeps the thread busy.
fn spin(duration: Duration) {
    let clock = Clock::system();
    let end = clock.now() + duration;
    while clock.now() < end {
        std::hint::spin_loop();
    }
}

/// A bolt of kind `Basic`.
struct BasicTrouble {
    plan: BoltPlan,
    ledger: Arc<BoltLedger>,
}

fn declare_bolt(plan: &BoltPlan, declare: &mut Declarer) {
    if !plan.leaf {
        declare.output(["key", "hops", "attempt"]);
    }
}

fn add(count: &AtomicU64, amount: usize) {
    count.fetch_add(amount as u64, Ordering::Relaxed);
}

impl BasicBolt for BasicTrouble {
    fn declare(&self, declare: &mut Declarer) {
        declare_bolt(&self.plan, declare);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        add(&self.ledger.executed, 1);
        let fate = self.plan.fate(tuple.values());
        let copies = match fate {
            Fate::Ok(copies) => copies,
            _ if self.plan.leaf => 0,
            _ => 1,
        };
        (0..copies).for_each(|copy| out.emit(self.plan.next(tuple.values(), copy)));
        match fate {
            Fate::Ok(copies) => {
                add(&self.ledger.emitted, copies);
                add(&self.ledger.acked, 1);
                Ok(())
            }
            Fate::Panic => {
                add(&self.ledger.panicked, 1);
                panic!("planned: a basic bolt");
            }
            Fate::Err | Fate::Drop => {
                add(&self.ledger.failed, 1);
                Err("planned: a basic bolt".into())
            }
        }
    }
}

/// A bolt of kind `Owned` or `Batch`.
struct OwnedTrouble {
    plan: BoltPlan,
    ledger: Arc<BoltLedger>,
    kept: Vec<Tuple>,
}

impl OwnedTrouble {
    fn flush(&mut self, out: &mut Collector) {
        // The tuple that has come furthest leads, so that loops end.
        let furthest = self.kept.iter().max_by_key(|tuple| tuple.i64("hops").unwrap_or(0));
        if let Some(furthest) = furthest
            && !self.plan.leaf
            && furthest.i64("hops").is_ok_and(|hops| hops < MOST_HOPS)
        {
            out.emit(&self.kept, self.plan.next(furthest.values(), 7));
            add(&self.ledger.emitted, 1);
        }
        add(&self.ledger.acked, self.kept.len());
        self.ledger.kept.fetch_sub(self.kept.len() as i64, Ordering::Relaxed);
        self.kept.drain(..).for_each(|tuple| out.ack(tuple));
    }
}

impl Drop for OwnedTrouble {
    fn drop(&mut self) {
        add(&self.ledger.dropped, self.kept.len());
        self.ledger.kept.fetch_sub(self.kept.len() as i64, Ordering::Relaxed);
    }
}

impl Bolt for OwnedTrouble {
    fn declare(&self, declare: &mut Declarer) {
        declare_bolt(&self.plan, declare);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        add(&self.ledger.executed, 1);
        match self.plan.fate(tuple.values()) {
            Fate::Ok(copies) => {
                if let BoltKind::Batch(size) = self.plan.kind {
                    self.kept.push(tuple);
                    self.ledger.kept.fetch_add(1, Ordering::Relaxed);
                    if self.kept.len() >= size {
                        self.flush(out);
                    } else {
                        out.call_at(out.now() + Duration::from_micros(500));
                    }
                    return Ok(());
                }
                for copy in 0..copies {
                    out.emit(&tuple, self.plan.next(tuple.values(), copy));
                }
                add(&self.ledger.emitted, copies);
                add(&self.ledger.acked, 1);
                out.ack(tuple);
            }
            Fate::Err => {
                add(&self.ledger.failed, 1);
                out.fail(tuple);
                return Err("planned: a bolt".into());
            }
            Fate::Panic => {
                // The unwinding drops the tuple, and the runtime fails it.
                add(&self.ledger.panicked, 1);
                add(&self.ledger.dropped, 1);
                panic!("planned: a bolt");
            }
            Fate::Drop => add(&self.ledger.dropped, 1),
        }
        Ok(())
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        self.flush(out);
        Ok(())
    }
}

/// Chooses a task by the key's last bits.
#[derive(Default)]
struct ByLastBits(usize);

impl CustomGrouping for ByLastBits {
    fn prepare(&mut self, _stream: &storm_runtime::tuple::StreamSchema, targets: usize) {
        self.0 = targets;
    }

    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>) {
        chosen.push(values[0].as_i64().unwrap_or(0) as usize % self.0);
    }
}

const GROUPINGS: [&str; 8] =
    ["shuffle", "fields", "global", "none", "local", "partial", "custom", "all"];

fn group<'a>(bolt: BoltDeclarer<'a>, from: &str, grouping: &str) -> BoltDeclarer<'a> {
    match grouping {
        "shuffle" => bolt.shuffle(from),
        "fields" => bolt.fields(from, ["key"]),
        "global" => bolt.global(from),
        "none" => bolt.none(from),
        "local" => bolt.local_or_shuffle(from),
        "partial" => bolt.partial_key(from, ["key", "hops"]),
        "custom" => bolt.custom(from, ByLastBits::default),
        _ => bolt.all(from),
    }
}

/// One topology drawn from a seed.
struct Case {
    seed: u64,
    topology: Option<Topology>,
    description: String,
    spouts: BTreeMap<String, Arc<Mutex<SpoutLedger>>>,
    bolts: BTreeMap<String, (BoltKind, Arc<BoltLedger>)>,
    /// By emitting component: copies that one emission makes.
    copies: BTreeMap<String, u64>,
}

impl Case {
    fn draw(seed: u64, simulated: bool) -> Self {
        let mut random = Random::new(seed);
        let mut case = Self {
            seed,
            topology: None,
            description: String::new(),
            spouts: BTreeMap::new(),
            bolts: BTreeMap::new(),
            copies: BTreeMap::new(),
        };
        let mut builder = TopologyBuilder::new();
        case.conf(&mut builder, &mut random, simulated);
        let mut sources = Vec::new();
        for index in 0..1 + random.below(2) {
            sources.push(case.spout(&mut builder, &mut random, index));
        }
        case.bolts(&mut builder, &mut random, simulated, sources);
        let topology = builder.build().unwrap_or_else(|errors| panic!("seed {seed}: {errors}"));
        case.topology = Some(topology);
        case
    }

    fn conf(&mut self, builder: &mut TopologyBuilder, random: &mut Random, simulated: bool) {
        let threads = 1 + random.below(3);
        let spins = random.one_in(8);
        let profile = if spins { "spin" } else { random.pick(&["parked", "spin-then-park"]) };
        let ackers = 1 + random.below(3);
        let pending = random.pick(&[1, 2, 10, 100, 1_000]);
        let buffer = random.pick(&[0, 64, 128, 1_024]);
        let timeout_s = if simulated { 5 } else { 2 };
        builder
            .conf("topology.worker.threads", threads)
            .conf("topology.worker.wait.profile", profile)
            .conf("topology.acker.executors", ackers)
            .conf("topology.max.spout.pending", pending)
            .conf("topology.message.timeout.secs", timeout_s);
        if buffer > 0 {
            builder.conf("topology.executor.receive.buffer.size", buffer);
        }
        _ = writeln!(
            self.description,
            "{threads} threads, {profile}, {ackers} ackers, {pending} pending, buffer {buffer}"
        );
    }

    fn spout(
        &mut self,
        builder: &mut TopologyBuilder,
        random: &mut Random,
        index: usize,
    ) -> String {
        let plan = SpoutPlan {
            seed: random.next(),
            messages: random.pick(&[20, 100, 400]),
            panics_one_in: random.pick(&[97, 1_009, u64::MAX]),
            errs_one_in: random.pick(&[11, 101, u64::MAX]),
            replays_in_fail: random.one_in(2),
            wakes: random.one_in(2),
            burst: random.pick(&[1, 1, 3]),
        };
        let name = format!("spout-{index}");
        let messages = plan.messages;
        let ledger = Arc::new(Mutex::new(SpoutLedger { messages, ..SpoutLedger::default() }));
        self.spouts.insert(name.clone(), ledger.clone());
        let (executors, tasks) = (1 + random.below(2), 1 + random.below(3));
        _ = writeln!(self.description, "{name} {executors}/{tasks}: {plan:?}");
        let calls = Arc::new(AtomicU64::new(0));
        let make = move || ReplayingSpout {
            plan: plan.clone(),
            ledger: ledger.clone(),
            calls: calls.clone(),
            waker: None,
        };
        let thread = random.pick(&["shared", "shared", "own", "group"]);
        builder
            .spout(name.as_str(), make)
            .parallelism(executors)
            .tasks(tasks)
            .conf("topology.component.thread", thread);
        name
    }

    fn bolts(
        &mut self,
        builder: &mut TopologyBuilder,
        random: &mut Random,
        simulated: bool,
        mut sources: Vec<String>,
    ) {
        let count = 1 + random.below(5);
        let loops = random.one_in(3);
        for index in 0..count {
            let name = format!("bolt-{index}");
            let leaf = index + 1 == count || random.one_in(4);
            let plan = BoltPlan {
                seed: random.next(),
                kind: random.pick(&[
                    BoltKind::Basic,
                    BoltKind::Basic,
                    BoltKind::Owned,
                    BoltKind::Batch(1 + random.clone().below(10)),
                ]),
                errs_one_in: random.pick(&[20, 300, u64::MAX]),
                panics_one_in: random.pick(&[200, 2_000, u64::MAX]),
                drops_one_in: random.pick(&[500, u64::MAX]),
                slow_one_in: random.pick(&[if simulated { u64::MAX } else { 30 }, u64::MAX]),
                leaf,
            };
            let (executors, tasks) = (1 + random.below(3), 1 + random.below(4));
            _ = write!(self.description, "{name} {executors}/{tasks}: {plan:?}; takes");
            let mut inputs = BTreeMap::new();
            for _ in 0..1 + random.below(2) {
                // All tasks of a bolt that passes on would multiply tuples beyond measure.
                let choices = if leaf { &GROUPINGS[..] } else { &GROUPINGS[..7] };
                inputs.insert(random.pick(&sources), random.pick(choices));
            }
            if loops && !leaf {
                inputs.insert(name.clone(), "shuffle");
            }
            for (from, grouping) in &inputs {
                let each = if *grouping == "all" { tasks as u64 } else { 1 };
                *self.copies.entry(from.clone()).or_default() += each;
                _ = write!(self.description, " {from} by {grouping}");
            }
            _ = writeln!(self.description);
            let ledger = Arc::new(BoltLedger::default());
            self.bolts.insert(name.clone(), (plan.kind, ledger.clone()));
            let (executors, thread) = (executors, random.pick(&["shared", "shared", "group"]));
            let declarer = match plan.kind {
                BoltKind::Basic => builder.bolt(name.as_str(), move || BasicTrouble {
                    plan: plan.clone(),
                    ledger: ledger.clone(),
                }),
                _ => builder.bolt(name.as_str(), move || OwnedTrouble {
                    plan: plan.clone(),
                    ledger: ledger.clone(),
                    kept: Vec::new(),
                }),
            };
            let declarer = declarer
                .parallelism(executors)
                .tasks(tasks)
                .conf("topology.component.thread", thread);
            inputs.iter().fold(declarer, |bolt, (from, grouping)| group(bolt, from, grouping));
            if !leaf {
                sources.push(name);
            }
        }
    }

    fn topology(&self) -> &Topology {
        self.topology.as_ref().expect("it was drawn")
    }

    fn is_done(&self) -> bool {
        self.spouts.values().all(|ledger| lock(ledger).is_done())
    }

    /// Fails with everything that is known of the run.
    #[track_caller]
    fn hold(&self, condition: bool, what: &str, running: &RunningTopology) {
        if condition {
            return;
        }
        let mut spouts = String::new();
        for (name, ledger) in &self.spouts {
            let ledger = lock(ledger);
            let open = ledger.id_to_message.iter().filter(|(_, message)| message.open);
            let open: Vec<u64> = open.map(|(id, _)| *id).take(20).collect();
            _ = writeln!(
                spouts,
                "{name}: {} of {} acked, {} failed, {} emitted, open {open:?}, again {:?}, {:?}",
                ledger.acks,
                ledger.messages,
                ledger.fails,
                ledger.emissions,
                ledger.again,
                ledger.mistakes
            );
        }
        panic!(
            "{what}\nSTRESS_SEED={} repeats the topology:\n{}{spouts}{:#?}\n{:#?}\n{:#?}",
            self.seed,
            self.description,
            self.bolts,
            running.stats(),
            running.errors(),
        );
    }

    /// Checks that the counters say what the components saw.
    #[track_caller]
    fn check_counts(&self, running: &RunningTopology) {
        let stats = running.stats();
        for (name, ledger) in &self.spouts {
            let ledger = lock(ledger);
            self.hold_quietly(&ledger.mistakes.is_empty(), name, "was answered wrongly", running);
            let emitted = ledger.emissions + ledger.unanchored;
            let counted = [stats.acked(name), stats.failed(name), stats.emitted(name)];
            drop(ledger);
            let expected = {
                let ledger = lock(&self.spouts[name]);
                [ledger.acks, ledger.fails, emitted]
            };
            let what = format!("acked, failed, emitted {counted:?}, expected {expected:?}");
            self.hold_quietly(&(counted == expected), name, &what, running);
            let all = counted[0] + counted[1];
            let answered = expected[0] + expected[1];
            self.hold_quietly(&(all == answered), name, "answers and emissions differ", running);
        }
        for (name, (kind, ledger)) in &self.bolts {
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let panicked = read(&ledger.panicked);
            let mut expected = [
                read(&ledger.executed),
                read(&ledger.acked),
                read(&ledger.failed) + panicked,
                read(&ledger.emitted),
                read(&ledger.dropped),
            ];
            if *kind == BoltKind::Basic {
                expected[4] = 0;
            }
            let counted = bolt_counts(&stats, name);
            let what = format!(
                "executed, acked, failed, emitted, dropped {counted:?}, expected {expected:?}"
            );
            self.hold_quietly(&(counted == expected), name, &what, running);
            let restarts: u64 = stats.component(name).map(|one| one.restarts).sum();
            self.hold_quietly(&(restarts == panicked), name, "restarts are not panics", running);
        }
        for name in self.spouts.keys().chain(self.bolts.keys()) {
            let outputs = stats.component(name).flat_map(|one| one.outputs.values());
            let transferred: u64 = outputs.map(|output| output.transferred).sum();
            let copies = self.copies.get(name).copied().unwrap_or(0);
            let expected = stats.emitted(name) * copies;
            let what = format!("{transferred} transferred, expected {expected}");
            self.hold_quietly(&(transferred == expected), name, &what, running);
        }
        self.hold(stats.pending() == 0, "something is pending", running);
    }

    #[track_caller]
    fn hold_quietly(&self, condition: &bool, name: &str, what: &str, running: &RunningTopology) {
        self.hold(*condition, &format!("{name}: {what}"), running);
    }
}

fn bolt_counts(stats: &TopologyStats, name: &str) -> [u64; 5] {
    let mut counts = [0; 5];
    for executor in stats.component(name) {
        for input in executor.inputs.values() {
            counts[0] += input.executed;
            counts[1] += input.acked;
            counts[2] += input.failed;
        }
        counts[3] += executor.outputs.values().map(|output| output.emitted).sum::<u64>();
        counts[4] += executor.dropped;
    }
    counts
}

/// Everything that a run counted, to be compared with another run.
fn fingerprint(stats: &TopologyStats) -> String {
    format!("{:?}", stats.executors)
}

/// Panics that belong to the plan are not printed.
fn quiet_planned_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let planned = info.payload_as_str().is_some_and(|text| text.starts_with("planned: "));
            if !planned {
                print(info);
            }
        }));
    });
}

#[expect(clippy::disallowed_methods, reason = "a test that can repeat what failed")]
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Runs as many seeds as wanted, `salt` apart from those of other tests.
fn run_seeds(runs: u64, salt: u64, run: impl Fn(u64)) {
    quiet_planned_panics();
    if let Some(seed) = setting("STRESS_SEED") {
        run(seed);
        return;
    }
    let runs = setting("STRESS_RUNS").unwrap_or(runs);
    let first = setting("STRESS_FIRST").unwrap_or(1);
    for index in first..first + runs {
        run(hash(&[salt, index]) >> 16);
    }
}

fn run_simulated(seed: u64) -> String {
    let case = Case::draw(seed, true);
    let cluster = LocalCluster::simulated(seed);
    let running = cluster.submit("stress", case.topology()).expect("the name is free");
    while !case.is_done() {
        let idle = cluster.advance(Duration::from_millis(100), CYCLES);
        case.hold(idle, "it is busy for ever", &running);
        let in_time = cluster.now() < Time::ZERO + SIMULATED_DEADLINE;
        case.hold(in_time, "it hangs", &running);
    }
    running.deactivate();
    let kept = || case.bolts.values().any(|(_, ledger)| ledger.kept.load(Ordering::Relaxed) != 0);
    while kept() || !running.drain(Duration::ZERO) {
        let idle = cluster.advance(Duration::from_millis(100), CYCLES);
        case.hold(idle, "it is busy for ever", &running);
        let in_time = cluster.now() < Time::ZERO + SIMULATED_DEADLINE;
        case.hold(in_time, "it does not drain", &running);
    }
    case.check_counts(&running);
    fingerprint(&running.stats())
}

fn run_with_threads(seed: u64) {
    let case = Case::draw(seed, false);
    let cluster = LocalCluster::new();
    let running = cluster.submit("stress", case.topology()).expect("the name is free");
    let done = running.wait_until(DEADLINE, |_| case.is_done());
    case.hold(done, "it hangs", &running);
    let kept = || case.bolts.values().any(|(_, ledger)| ledger.kept.load(Ordering::Relaxed) != 0);
    let quiet = running.wait_until(DEADLINE, |stats| !kept() && stats.pending() == 0);
    case.hold(quiet && running.drain(DEADLINE), "it does not drain", &running);
    case.check_counts(&running);
    assert!(cluster.kill("stress", Duration::ZERO));
}

#[test]
fn random_topologies_with_threads_answer_every_message_exactly_once() {
    run_seeds(12, 1, run_with_threads);
}

#[test]
fn random_topologies_under_a_simulated_clock_answer_every_message_and_repeat_themselves() {
    run_seeds(250, 2, |seed| {
        let first = run_simulated(seed);
        assert_eq!(first, run_simulated(seed), "seed {seed} does not repeat itself");
    });
}
