//! What authors rely on beyond their tuples: spouts that have an end, arguments, a description, and a
//! test of their codecs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storm_runtime::Latencies;
use storm_runtime::component::Waker;
use storm_runtime::id::TaskId;
use storm_runtime::local::{MockSources, complete_topology};
use storm_runtime::prelude::*;
use storm_runtime::topology::Register;
use storm_runtime::tuple::{NotEncodable, SharedObject};

mod support {
    pub mod components;
}

use support::components::{
    Emission, Feed, Hold, Journal, Record, basic, ignore, lock, nothing, number, pass,
};

/// More real time than anything here takes.
const LONG: Duration = Duration::from_secs(30);

/// Submits a topology to a simulated cluster and runs it until nothing is left to do.
#[track_caller]
fn check(declare: impl FnOnce(&mut TopologyBuilder)) -> (LocalCluster, RunningTopology) {
    let mut builder = TopologyBuilder::new();
    declare(&mut builder);
    let topology = builder.build().expect("the topology is sound");
    let cluster = LocalCluster::simulated(11);
    let running = cluster.submit("authoring", &topology).expect("it starts");
    assert!(cluster.settle());
    (cluster, running)
}

// Spouts with an end.

/// Emits numbers and answers what it is told to when there are none; queues what fails.
#[derive(Clone)]
struct Queue {
    numbers: Arc<Mutex<VecDeque<i64>>>,
    when_empty: Next,
    asked: Arc<AtomicUsize>,
    waker: Arc<Mutex<Option<Waker>>>,
}

impl Queue {
    fn new(numbers: impl IntoIterator<Item = i64>, when_empty: Next) -> Self {
        let numbers = Arc::new(Mutex::new(numbers.into_iter().collect()));
        Self { numbers, when_empty, asked: Arc::default(), waker: Arc::default() }
    }

    fn spout(&self) -> impl Fn() -> Self + Send + Sync + use<> {
        let queue = self.clone();
        move || queue.clone()
    }
}

impl Spout for Queue {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        *lock(&self.waker) = Some(context.waker());
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let Some(number) = lock(&self.numbers).pop_front() else { return Ok(self.when_empty) };
        out.emit_with_id([number], number);
        Ok(Next::Emitted)
    }

    fn fail(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        lock(&self.numbers).push_back(id.as_i64().ok_or("no number")?);
        Ok(())
    }
}

/// Fails every number the first time that it comes.
fn fail_once() -> impl FnMut(TupleRef<'_>, &mut BasicCollector<'_>) -> Result + Clone {
    let mut seen = HashSet::new();
    move |tuple, _out| {
        if seen.insert(tuple.i64("n")?) { Err("not the first time".into()) } else { Ok(()) }
    }
}

#[test]
fn a_spout_that_queues_what_failed_is_asked_again_whatever_it_answered_before() {
    for when_empty in [Next::Finished, Next::Idle, Next::IdleUntil(Time::NEVER)] {
        let queue = Queue::new(0..500, when_empty);
        let (_cluster, running) = check(|builder| {
            builder.spout("queue", queue.spout());
            builder.bolt("fussy", basic(nothing, fail_once())).shuffle("queue");
        });
        let stats = running.stats();
        assert_eq!((stats.failed("queue"), stats.acked("queue")), (500, 500), "{when_empty:?}");
        assert_eq!(stats.is_finished(), when_empty == Next::Finished);
    }
}

#[test]
fn a_topology_has_finished_when_all_spout_tasks_have_and_nothing_is_pending() {
    let held = Hold::new(nothing);
    let (feed, queue) = (Feed::new(number), Queue::new(0..3, Next::Finished));
    let (cluster, running) = check(|builder| {
        builder.spout("queue", queue.spout()).parallelism(2).tasks(3);
        builder.bolt("hold", held.bolt()).shuffle("queue");
    });
    let finished = |running: &RunningTopology| -> u64 {
        running.stats().component("queue").map(|executor| executor.finished).sum()
    };
    assert_eq!(finished(&running), 3);
    assert!(!running.stats().is_finished() && !running.wait_until_finished(Duration::ZERO));
    held.ack();
    held.ack();
    held.fail();
    assert!(cluster.settle());
    assert_eq!((finished(&running), running.stats().pending()), (3, 1));
    held.ack();
    assert!(running.wait_until_finished(Duration::ZERO));

    let (_cluster, endless) = check(|builder| {
        builder.spout("queue", queue.spout());
        builder.spout("feed", feed.spout());
        builder.bolt("ignore", ignore()).shuffle("queue").shuffle("feed");
    });
    assert!(endless.stats().is_drained() && !endless.stats().is_finished());
}

#[test]
fn a_spout_that_has_finished_sleeps_until_it_is_woken() {
    let queue = Queue::new([1], Next::Finished);
    let (cluster, running) = check(|builder| {
        builder.spout("queue", queue.spout());
        builder.bolt("ignore", ignore()).shuffle("queue");
    });
    let asked = queue.asked.load(Ordering::Relaxed);
    assert!(running.stats().is_finished() && cluster.pass(Duration::from_secs(3_600)));
    assert_eq!(queue.asked.load(Ordering::Relaxed), asked);

    lock(&queue.numbers).push_back(2);
    lock(&queue.waker).as_ref().expect("the spout was opened").wake();
    assert!(cluster.settle());
    assert_eq!(running.stats().acked("queue"), 2);
    assert!(running.stats().is_finished());
}

#[test]
fn nobody_sees_a_topology_finished_before_it_is() {
    for round in 0..20 {
        let queue = Queue::new(0..200, Next::Finished);
        let topology = {
            let mut builder = TopologyBuilder::new();
            builder.spout("queue", queue.spout());
            builder.bolt("pass", pass()).parallelism(2).shuffle("queue");
            builder.bolt("fussy", basic(nothing, fail_once())).fields("pass", ["n"]);
            builder.build().expect("the topology is sound")
        };
        let cluster = LocalCluster::new();
        let running = cluster.submit("authoring", &topology).expect("it starts");
        assert!(running.wait_until_finished(LONG), "{:?}", running.stats());
        let stats = running.stats();
        assert_eq!((stats.acked("queue"), stats.executed("fussy")), (200, 400), "round {round}");
    }
}

// Without ackers.

#[test]
fn without_ackers_messages_are_acked_at_once_and_no_latency_is_made_up() {
    let (_cluster, running) = check(|builder| {
        builder.conf("topology.acker.executors", 0);
        builder.spout("queue", Queue::new(0..300, Next::Finished).spout());
        builder.bolt("ignore", ignore()).shuffle("queue");
    });
    let stats = running.stats();
    assert_eq!((stats.acked("queue"), stats.executed("ignore")), (300, 300));
    assert_eq!(stats.complete_latency(), Latencies::default());
    assert!(stats.is_finished());
}

// Arguments and description.

#[derive(Clone, Serialize, Deserialize)]
struct Step {
    by: i64,
}

#[test]
fn the_arguments_of_a_named_component_are_whatever_serde_writes() {
    let mut register = Register::new();
    register.add("step", |step: Step| {
        let step = move |tuple: TupleRef<'_>, out: &mut BasicCollector<'_>| {
            out.emit([tuple.i64("n")? + step.by]);
            Ok(())
        };
        basic(number, step)()
    });
    let mut builder = TopologyBuilder::with_register(register);
    builder.spout("feed", Feed::new(number).spout());
    builder.bolt("step", Named::new("step").args(Step { by: 5 })).shuffle("feed");
    let topology = builder.build().expect("the topology is sound");
    let sources = MockSources::new().tuples("feed", [[1i64]]);
    let completed = complete_topology(&topology, &sources).expect("it ends");
    assert_eq!(completed.tuples("step"), [[Value::from(6i64)]]);
}

#[test]
#[should_panic(expected = "the arguments of step cannot be written as JSON")]
fn arguments_that_cannot_be_json_are_a_mistake_of_the_program() {
    let _ = Named::new("step").args(HashMap::from([([1], 2)]));
}

#[test]
fn a_topology_is_described_in_flow_order() {
    let mut builder = TopologyBuilder::new();
    builder.bolt("a-sink", ignore()).shuffle("b-middle").shuffle("z-spout");
    builder.bolt("b-middle", pass()).shuffle("c-first");
    builder.bolt("c-first", pass()).shuffle("y-spout");
    builder.bolt("alone", ignore());
    builder.spout("z-spout", Feed::new(number).spout());
    builder.spout("y-spout", Feed::new(number).spout());
    let described = builder.build().expect("the topology is sound").to_string();
    let names: Vec<&str> =
        described.lines().filter_map(|line| line.split(':').next()?.split(' ').nth(1)).collect();
    let expected = ["y-spout", "z-spout", "a-sink", "c-first", "b-middle", "alone", "__acker"];
    assert_eq!(names, expected);
    let acker = described.lines().last().expect("there is a line");
    assert!(acker.ends_with("takes the acks of all components"), "{acker}");
}

// Tuples through the codec.

/// An object whose codec can be left out.
#[derive(Debug)]
struct Point {
    x: u8,
    has_codec: bool,
}

impl SharedObject for Point {
    fn type_name(&self) -> &'static str {
        "point"
    }

    fn java_hash(&self) -> i32 {
        self.x.into()
    }

    fn encode(&self, out: &mut Vec<u8>) -> std::result::Result<(), NotEncodable> {
        if !self.has_codec {
            return Err(NotEncodable { type_name: self.type_name() });
        }
        out.push(self.x);
        Ok(())
    }
}

fn read_point(
    bytes: &[u8],
) -> std::result::Result<Arc<dyn SharedObject>, Box<dyn Error + Send + Sync>> {
    let [x] = bytes else { return Err("a point is one byte".into()) };
    Ok(Arc::new(Point { x: *x, has_codec: true }))
}

/// Has every tuple go through the codec.
const ALWAYS: &str = "topology.testing.always.try.serialize";

/// Emits each number once under itself as id, and forgets what fails.
struct Once(std::ops::Range<i64>);

impl Spout for Once {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let Some(number) = self.0.next() else { return Ok(Next::Finished) };
        out.emit_with_id([number], number);
        Ok(Next::Emitted)
    }
}

/// Turns six numbers into points, with or without a check of their codec; answers the points that
/// arrived, each with whether it is the instance that was emitted.
fn points(always: bool, readers: bool) -> (RunningTopology, Vec<(u8, bool)>) {
    let (emitted, got) = (Journal::new(), Journal::new());
    let (_cluster, running) = check(|builder| {
        builder.conf(ALWAYS, always);
        if readers {
            builder.object_reader("point", read_point);
        }
        builder.spout("once", || Once(0..6));
        let made = emitted.clone();
        let make = move |tuple: TupleRef<'_>, out: &mut BasicCollector<'_>| {
            let x = tuple.i64("n")?;
            let point = Arc::new(Point { x: x as u8, has_codec: x % 2 == 0 });
            made.push(point.clone());
            out.emit([Value::object(point)]);
            Ok(())
        };
        builder.bolt("make", basic(number, make)).shuffle("once");
        let (emitted, got) = (emitted.clone(), got.clone());
        let read = move |tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>| {
            let point = tuple.get(0)?.as_object::<Point>().ok_or("no point")?;
            let is_same = emitted.read().iter().any(|one| std::ptr::eq(&**one, point));
            got.push((point.x, is_same));
            Ok(())
        };
        builder.bolt("read", basic(nothing, read)).parallelism(2).shuffle("make");
    });
    (running, got.sorted())
}

#[test]
fn objects_travel_by_reference_unless_every_tuple_is_to_go_through_the_codec() {
    let (running, got) = points(false, false);
    assert_eq!(got, [0, 1, 2, 3, 4, 5].map(|x| (x, true)));
    assert_eq!(running.stats().acked("once"), 6);
}

#[test]
fn what_cannot_be_encoded_fails_its_tree_and_is_told_with_component_and_stream() {
    let (running, got) = points(true, true);
    assert_eq!(got, [0, 2, 4].map(|x| (x, false)));
    let stats = running.stats();
    assert_eq!((stats.acked("once"), stats.failed("once")), (3, 3));
    assert_eq!((stats.emitted("make"), stats.executed("read")), (6, 3));
    let make = stats.component("make").next().expect("the bolt has an executor");
    assert_eq!((make.errors, make.restarts), (3, 0));
    assert!(stats.is_finished());
    let error = &running.errors()[0];
    assert_eq!(error.component, "make");
    let expected = "make emitted to stream default what cannot travel to another worker: a shared \
                    object of type point has no codec";
    assert!(error.message.starts_with(expected), "{}", error.message);
}

#[test]
fn an_object_without_a_reader_is_found_as_well() {
    let (running, got) = points(true, false);
    assert_eq!(got, []);
    assert_eq!(running.stats().failed("once"), 6);
    let errors = running.errors();
    let reader = errors.iter().find(|error| error.message.contains("type \"point\""));
    assert!(reader.is_some_and(|error| error.message.contains("has no reader")), "{errors:?}");
}

#[test]
fn a_spouts_own_emissions_go_through_the_codec_too() {
    let mut builder = TopologyBuilder::new();
    builder.conf(ALWAYS, true);
    let feed = Feed::new(number);
    builder.spout("feed", feed.spout());
    builder.bolt("ignore", ignore()).shuffle("feed");
    let cluster = LocalCluster::simulated(3);
    let topology = builder.build().expect("the topology is sound");
    let running = cluster.submit("authoring", &topology).expect("it starts");
    let point = Value::object(Arc::new(Point { x: 1, has_codec: false }));
    for (id, value) in [(1, Value::from("a")), (2, point), (3, Value::null())] {
        let (stream, values) = ("default".into(), vec![value]);
        feed.emission(Emission { stream, values, id: Some(id), to: None });
    }
    assert!(cluster.settle());
    assert_eq!((feed.acked.sorted(), feed.failed.read()), (vec![1, 3], vec![2]));
    assert_eq!(running.stats().executed("ignore"), 2);
    assert_eq!(running.errors()[0].component, "feed");
}

#[test]
fn a_second_reader_of_a_type_is_a_mistake_of_the_topology() {
    let mut builder = TopologyBuilder::new();
    builder.spout("once", || Once(0..1));
    builder.object_reader("point", read_point).object_reader("point", read_point);
    let error = builder.build().expect_err("there are two readers").to_string();
    assert!(error.contains("type \"point\" is registered already"), "{error}");
}

// Direct emissions.

#[test]
fn a_direct_emission_to_a_task_that_does_not_take_the_stream_is_an_error() {
    fn direct(declare: &mut Declarer) {
        declare.direct("to", ["n"]);
    }
    let record = Record::default();
    let (_cluster, running) = check(|builder| {
        builder.spout("once", || Once(2..6));
        let forward = |tuple: TupleRef<'_>, out: &mut BasicCollector<'_>| {
            let number = tuple.i64("n")?;
            out.emit_direct(TaskId(number as u16), "to", [number]);
            Ok(())
        };
        // Tasks: __acker 1, forward 2, once 3, record 4 and 5.
        builder.bolt("forward", basic(direct, forward)).shuffle("once");
        builder.bolt("record", record.bolt()).parallelism(2).direct(("forward", "to"));
    });
    assert_eq!(record.got.sorted(), [(TaskId(4), 4), (TaskId(5), 5)]);
    let stats = running.stats();
    assert_eq!((stats.acked("once"), stats.failed("once"), stats.emitted("forward")), (2, 2, 2));
    assert!(stats.is_finished(), "nothing counts as transferred: {stats:?}");
    let expected = "forward emitted to stream to for task 2, which does not take it: tasks 4, 5 do";
    assert_eq!(running.errors()[0].message, expected);
}

// Latencies.

#[test]
fn authors_record_latencies_of_their_own() {
    let mut latencies = Latencies::default();
    (1..=100).for_each(|us| latencies.record(Duration::from_micros(us)));
    assert_eq!((latencies.count(), latencies.max()), (100, Duration::from_micros(100)));
    let median = latencies.percentile(50.0).expect("there are some");
    assert!(median >= Duration::from_micros(50) && median < Duration::from_micros(52));
}
