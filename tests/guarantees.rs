//! What the runtime promises of every tuple, tried on small topologies under a simulated clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use storm_runtime::clock::Time;
use storm_runtime::id::TaskId;
use storm_runtime::local::{Incomplete, MockSources, TopologyStats, complete_topology};
use storm_runtime::prelude::*;
use storm_runtime::topology::CustomGrouping;
use storm_runtime::tuple::SharedObject;

mod support {
    pub mod components;
}

use support::components::{
    Emission, Feed, Hold, Journal, Record, basic, ignore, nothing, number, owned, pass,
};

/// Far more cycles than any topology here needs to come to rest.
const CYCLES: usize = 100_000;
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A topology that runs under a simulated clock.
struct Run {
    cluster: LocalCluster,
    topology: RunningTopology,
}

#[track_caller]
fn check(declare: impl FnOnce(&mut TopologyBuilder)) -> Run {
    check_seeded(7, declare)
}

#[track_caller]
fn check_seeded(seed: u64, declare: impl FnOnce(&mut TopologyBuilder)) -> Run {
    let mut builder = TopologyBuilder::new();
    declare(&mut builder);
    let topology = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
    let cluster = LocalCluster::simulated(seed);
    let topology = cluster.submit("guarantees", &topology).expect("the name is free");
    let run = Run { cluster, topology };
    run.settle();
    run
}

impl Run {
    /// Runs everything that is ready.
    #[track_caller]
    fn settle(&self) {
        assert!(self.cluster.run_until_idle(CYCLES), "busy for ever: {:#?}", self.stats());
    }

    #[track_caller]
    fn advance(&self, duration: Duration) {
        assert!(self.cluster.advance(duration, CYCLES), "busy for ever: {:#?}", self.stats());
    }

    fn stats(&self) -> TopologyStats {
        self.topology.stats()
    }

    /// The texts of the reported errors.
    fn errors(&self) -> Vec<String> {
        self.topology.errors().into_iter().map(|error| error.message).collect()
    }

    fn late(&self) -> u64 {
        self.stats().executors.iter().map(|executor| executor.late).sum()
    }

    fn restarts(&self, component: &str) -> u64 {
        self.stats().component(component).map(|executor| executor.restarts).sum()
    }

    fn input(&self, component: &str) -> (u64, u64, u64) {
        let stats = self.stats();
        let inputs = stats.component(component).flat_map(|executor| &executor.inputs);
        let tuples = inputs.filter(|((from, _), _)| !from.is_reserved());
        tuples.fold((0, 0, 0), |(executed, acked, failed), (_, input)| {
            (executed + input.executed, acked + input.acked, failed + input.failed)
        })
    }
}

fn next_pause() -> Duration {
    Duration::from_millis(10)
}

// Trees.

#[test]
fn a_message_is_acked_when_the_last_tuple_of_its_tree_is() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let triple = basic(number, |tuple, out| {
            (0..3).for_each(|copy| out.emit([tuple.i64(0).unwrap_or(0) * 10 + copy]));
            Ok(())
        });
        builder.bolt("triple", triple).shuffle("feed");
        builder.bolt("hold", hold.bolt()).shuffle("triple");
    });
    feed.send(4);
    run.settle();
    for left in (0..3).rev() {
        assert_eq!(feed.acked.len(), 0);
        assert_eq!(run.stats().pending(), 1);
        hold.ack();
        run.settle();
        assert_eq!(hold.len(), left);
    }
    assert_eq!(feed.acked.read(), [4]);
    assert_eq!(feed.failed.len(), 0);
    assert_eq!(run.stats().pending(), 0);
}

#[test]
fn a_message_sent_to_several_bolts_needs_all_of_them() {
    for seed in 0..20 {
        let (feed, hold) = (Feed::new(number), Hold::new(nothing));
        let run = check_seeded(seed, |builder| {
            builder.spout("feed", feed.spout());
            builder.bolt("left", hold.bolt()).parallelism(2).all("feed");
            builder.bolt("right", hold.bolt()).parallelism(3).shuffle("feed");
            builder.bolt("quick", ignore()).fields("feed", ["n"]);
        });
        feed.send_all([1]);
        run.settle();
        assert_eq!(hold.len(), 3);
        hold.ack();
        hold.ack();
        run.settle();
        assert_eq!(feed.acked.len(), 0);
        hold.ack();
        run.settle();
        assert_eq!(feed.acked.read(), [1]);
    }
}

#[test]
fn branches_of_one_tree_may_join_again() {
    for seed in 0..20 {
        let (feed, hold) = (Feed::new(number), Hold::new(number));
        let run = check_seeded(seed, |builder| {
            builder.spout("feed", feed.spout());
            builder.bolt("left", pass()).shuffle("feed");
            builder.bolt("right", pass()).shuffle("feed");
            builder.bolt("join", hold.bolt()).shuffle("left").shuffle("right");
            builder.bolt("end", ignore()).shuffle("join");
        });
        feed.send(9);
        run.settle();
        let ((left, handle), (right, _)) = (hold.take(), hold.take());
        assert_eq!(
            left.view().roots().collect::<Vec<_>>(),
            right.view().roots().collect::<Vec<_>>()
        );
        handle.emit(&[&left, &right], [9]).expect("room");
        handle.ack(left).expect("room");
        run.settle();
        assert_eq!(feed.acked.len(), 0, "the right branch is open");
        handle.ack(right).expect("room");
        run.settle();
        assert_eq!(feed.acked.read(), [9]);
    }
}

#[test]
fn a_tuple_anchored_to_several_messages_belongs_to_all_their_trees() {
    let (feed, join, hold) = (Feed::new(number), Hold::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("join", join.bolt()).global("feed");
        builder.bolt("hold", hold.bolt()).shuffle("join");
    });
    feed.send_all(0..4);
    run.settle();
    for outcome in ["ack", "fail"] {
        let ((one, handle), (other, _)) = (join.take(), join.take());
        handle.emit(&[&one, &other], [0]).expect("room");
        handle.ack(one).expect("room");
        handle.ack(other).expect("room");
        run.settle();
        assert_eq!(hold.len(), 1, "before {outcome}");
        match outcome {
            "ack" => hold.ack(),
            _ => hold.fail(),
        }
        run.settle();
    }
    assert_eq!(feed.acked.sorted(), [0, 1]);
    assert_eq!(feed.failed.sorted(), [2, 3]);
    assert_eq!(run.stats().pending(), 0);
}

#[test]
fn a_tuple_may_have_hundreds_of_anchors() {
    const MESSAGES: i64 = 600;
    let (feed, got) = (Feed::new(number), Journal::new());
    let journal = got.clone();
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder
            .bolt("batch", || Batch { size: MESSAGES as usize, kept: Vec::new() })
            .global("feed");
        let count = basic(nothing, move |tuple, _| {
            journal.push(tuple.roots().len());
            Ok(())
        });
        builder.bolt("count", count).all("batch").parallelism(3);
    });
    feed.send_all(0..MESSAGES);
    run.settle();
    assert_eq!(got.read(), [MESSAGES as usize; 3]);
    assert_eq!(feed.acked.sorted(), (0..MESSAGES).collect::<Vec<_>>());
}

/// Emits one tuple for as many as `size`, anchored to all of them.
struct Batch {
    size: usize,
    kept: Vec<Tuple>,
}

impl Bolt for Batch {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        self.kept.push(tuple);
        if self.kept.len() == self.size {
            out.emit(&self.kept, [self.size as i64]);
            self.kept.drain(..).for_each(|tuple| out.ack(tuple));
        }
        Ok(())
    }
}

#[test]
fn a_failed_tuple_fails_its_message_at_once_and_later_acks_are_counted_and_not_delivered() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).parallelism(2).all("feed");
    });
    feed.send(1);
    run.settle();
    hold.fail();
    run.settle();
    assert_eq!(feed.failed.read(), [1]);
    assert_eq!(run.stats().pending(), 0);
    assert_eq!(run.late(), 0);
    hold.ack();
    run.settle();
    assert_eq!((feed.acked.len(), feed.failed.len()), (0, 1));
    assert_eq!(run.late(), 1);
    assert_eq!(run.input("hold"), (2, 1, 1));
}

#[test]
fn an_unanchored_emission_belongs_to_no_tree() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let drop_anchor = owned(number, |tuple, out| {
            out.emit((), [tuple.i64(0)?]);
            out.ack(tuple);
            Ok(())
        });
        builder.bolt("drop-anchor", drop_anchor).shuffle("feed");
        builder.bolt("hold", hold.bolt()).shuffle("drop-anchor");
    });
    feed.send(1);
    run.settle();
    assert_eq!(feed.acked.read(), [1]);
    let (tuple, handle) = hold.take();
    assert_eq!(tuple.view().roots().len(), 0);
    handle.fail(tuple).expect("room");
    run.settle();
    assert_eq!(feed.failed.len(), 0);
    assert_eq!(run.input("hold"), (1, 0, 1));
}

#[test]
fn an_emission_without_message_id_is_never_answered() {
    let (feed, record) = (Feed::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("record", record.bolt()).shuffle("feed");
    });
    feed.emission(Emission {
        stream: "default".into(),
        values: vec![5i64.into()],
        id: None,
        to: None,
    });
    feed.send(6);
    run.settle();
    assert_eq!(record.numbers(), [5, 6]);
    assert_eq!((feed.acked.read(), feed.failed.len()), (vec![6], 0));
}

#[test]
fn a_message_that_nobody_subscribes_to_is_acked() {
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
    });
    feed.send_all(0..200);
    run.settle();
    assert_eq!(feed.acked.len(), 200);
    assert_eq!((run.stats().emitted("feed"), run.stats().pending()), (200, 0));
}

// Timeouts.

#[test]
fn a_message_fails_between_its_timeout_and_an_eighth_more() {
    for offset_ms in [0, 1, 1_000, 3_749, 3_750, 3_751, 29_999, 31_000, 100_003] {
        let (feed, hold) = (Feed::new(number), Hold::new(nothing));
        let run = check(|builder| {
            builder.spout("feed", feed.spout());
            builder.bolt("hold", hold.bolt()).shuffle("feed");
        });
        run.advance(offset_ms * MILLISECOND);
        let emitted = run.cluster.now();
        feed.send(1);
        run.settle();
        run.advance(30 * SECOND - MILLISECOND);
        assert_eq!(feed.failed.len(), 0);
        run.advance(300 * SECOND);
        assert_eq!(feed.failed.read(), [1]);
        let after = feed.failed_at.read()[0].since(emitted);
        assert!(after >= 30 * SECOND && after <= 30 * SECOND * 9 / 8, "failed after {after:?}");
        assert_eq!(run.stats().executors.iter().map(|one| one.timed_out).sum::<u64>(), 1);
        hold.ack();
        run.settle();
        assert_eq!((feed.acked.len(), feed.failed.len(), run.late()), (0, 1, 1));
    }
}

#[test]
fn a_message_that_timed_out_and_its_successor_in_the_table_are_told_apart() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
    });
    feed.send(1);
    run.advance(60 * SECOND);
    feed.send(2);
    run.settle();
    let ((first, handle), (second, _)) = (hold.take(), hold.take());
    handle.ack(first).expect("room");
    run.settle();
    assert_eq!((feed.acked.len(), feed.failed.read()), (0, vec![1]));
    handle.ack(second).expect("room");
    run.settle();
    assert_eq!((feed.acked.read(), run.late()), (vec![2], 1));
}

#[test]
fn a_reset_starts_the_timeout_of_a_tree_anew() {
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("patient", Patient::default).shuffle("feed");
    });
    feed.send(1);
    feed.send(-2);
    run.advance(80 * SECOND);
    assert_eq!(feed.failed.read(), [-2], "its timeout was never reset");
    assert_eq!(feed.acked.len(), 0);
    run.advance(40 * SECOND);
    assert_eq!(feed.acked.read(), [1]);
    assert_eq!(feed.failed.len(), 1);
}

/// Keeps tuples, resets the timeouts of positive ones at every tick, and acks them after ten.
#[derive(Default)]
struct Patient {
    kept: Vec<Tuple>,
    ticks: usize,
}

impl Bolt for Patient {
    fn declare(&self, declare: &mut Declarer) {
        declare.tick_every(10 * SECOND);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        if !tuple.is_tick() {
            self.kept.push(tuple);
            return Ok(());
        }
        self.ticks += 1;
        let positive = |tuple: &&Tuple| tuple.i64(0).is_ok_and(|number| number > 0);
        self.kept.iter().filter(positive).for_each(|tuple| out.reset_timeout(tuple));
        if self.ticks == 10 {
            self.kept.drain(..).for_each(|tuple| out.ack(tuple));
        }
        Ok(())
    }
}

#[test]
fn messages_never_time_out_if_timeouts_are_switched_off() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.conf("topology.enable.message.timeouts", false);
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
    });
    feed.send(1);
    run.advance(3_600 * SECOND);
    assert_eq!(feed.failed.len(), 0);
    hold.ack();
    run.settle();
    assert_eq!(feed.acked.read(), [1]);
}

#[test]
fn a_real_timeout_fails_a_message_too() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.message.timeout.secs", 1);
    builder.spout("feed", feed.spout());
    builder.bolt("hold", hold.bolt()).shuffle("feed");
    let cluster = LocalCluster::new();
    let running = cluster.submit("real", &builder.build().expect("sound")).expect("free");
    feed.send(1);
    assert!(running.wait_until(10 * SECOND, |stats| stats.failed("feed") == 1));
    assert_eq!(feed.failed.read(), [1]);
}

// Pending messages.

#[test]
fn a_spout_is_not_asked_while_it_has_its_most_messages_pending() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout()).conf("topology.max.spout.pending", 3);
        builder.bolt("hold", hold.bolt()).shuffle("feed");
    });
    feed.send_all(0..10);
    run.settle();
    for waiting in (0..7).rev() {
        assert_eq!((hold.len(), run.stats().pending()), (3, 3));
        match waiting % 2 {
            0 => hold.ack(),
            _ => hold.fail(),
        }
        run.settle();
        assert_eq!(feed.waiting(), waiting);
    }
    assert_eq!(feed.acked.len() + feed.failed.len(), 7);
}

#[test]
fn each_task_of_a_spout_may_have_its_own_messages_pending() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.conf("topology.max.spout.pending", 2);
        builder.spout("feed", feed.spout()).parallelism(2).tasks(5);
        builder.bolt("hold", hold.bolt()).shuffle("feed");
    });
    feed.send_all(0..30);
    run.settle();
    assert_eq!((hold.len(), feed.waiting()), (10, 20));
}

#[test]
fn a_message_is_acked_at_once_without_ackers_and_nothing_limits_a_spout() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.conf("topology.acker.executors", 0).conf("topology.max.spout.pending", 2);
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
    });
    feed.send_all(0..100);
    run.settle();
    assert_eq!(feed.acked.sorted(), (0..100).collect::<Vec<_>>());
    assert_eq!((run.stats().acked("feed"), run.stats().pending()), (100, 0));
    let (tuple, handle) = hold.take();
    assert_eq!(tuple.view().roots().len(), 0);
    handle.fail(tuple).expect("room");
    run.settle();
    assert_eq!(feed.failed.len(), 0);
}

/// Emits ids that tell its task, one more for each ack until `left` is used up, and counts answers
/// that belong to another task.
struct OwnIds {
    task: i64,
    left: i64,
    strangers: Arc<AtomicUsize>,
    answered: Arc<AtomicUsize>,
}

impl OwnIds {
    fn emit(&mut self, out: &mut SpoutCollector) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        out.emit_with_id([self.left], self.task * 1_000 + self.left);
        true
    }
}

impl Spout for OwnIds {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn open(&mut self, context: &TaskContext) -> Result {
        self.task = i64::from(context.task().0);
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        Ok(if self.emit(out) { Next::Emitted } else { Next::IdleUntil(Time::NEVER) })
    }

    fn ack(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        self.answered.fetch_add(1, Ordering::Relaxed);
        if id.as_i64().expect("a number") / 1_000 != self.task {
            self.strangers.fetch_add(1, Ordering::Relaxed);
        }
        self.emit(out);
        Ok(())
    }

    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        self.ack(id, out)
    }
}

#[test]
fn answers_come_to_the_task_that_emitted_with_and_without_ackers() {
    for ackers in [0, 1, 3] {
        let (strangers, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (strangers.clone(), answered.clone());
        let run = check(move |builder| {
            builder.conf("topology.acker.executors", ackers);
            let spout = move || OwnIds {
                task: 0,
                left: 100,
                strangers: counts.0.clone(),
                answered: counts.1.clone(),
            };
            builder.spout("own", spout).parallelism(2).tasks(6);
            builder.bolt("end", ignore()).parallelism(2).shuffle("own");
        });
        run.settle();
        assert_eq!(answered.load(Ordering::Relaxed), 600, "{ackers} ackers");
        assert_eq!(strangers.load(Ordering::Relaxed), 0, "{ackers} ackers");
        assert_eq!(run.stats().pending(), 0);
    }
}

// Groupings, from spout to bolt.

const WORDS: [&str; 8] = ["the", "cow", "jumped", "over", "the", "moon", "the", "cow"];

#[track_caller]
fn check_grouping(
    tasks: usize,
    numbers: std::ops::Range<i64>,
    group: impl FnOnce(storm_runtime::topology::BoltDeclarer<'_>),
) -> Record {
    let (feed, record) = (Feed::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        group(builder.bolt("record", record.bolt()).parallelism(2).tasks(tasks));
    });
    feed.send_all(numbers.clone());
    run.settle();
    assert_eq!(feed.acked.sorted(), numbers.collect::<Vec<_>>());
    record
}

/// How many numbers each task got, in the order of tasks.
fn loads(record: &Record) -> Vec<usize> {
    let mut loads = std::collections::BTreeMap::new();
    record.got.read().iter().for_each(|(task, _)| *loads.entry(*task).or_insert(0) += 1);
    loads.into_values().collect()
}

#[test]
fn shuffle_none_and_local_or_shuffle_share_out_evenly() {
    assert_eq!(loads(&check_grouping(3, 0..90, |bolt| _ = bolt.shuffle("feed"))), [30; 3]);
    assert_eq!(loads(&check_grouping(4, 0..40, |bolt| _ = bolt.none("feed"))), [10; 4]);
    assert_eq!(loads(&check_grouping(5, 0..40, |bolt| _ = bolt.local_or_shuffle("feed"))), [8; 5]);
}

#[test]
fn all_reaches_every_task_and_global_the_lowest() {
    let record = check_grouping(4, 0..10, |bolt| _ = bolt.all("feed"));
    assert_eq!(loads(&record), [10; 4]);
    let record = check_grouping(4, 0..10, |bolt| _ = bolt.global("feed"));
    let tasks: Vec<u16> = (0..10).flat_map(|number| record.tasks_of(number)).collect();
    assert_eq!(tasks, [3; 10], "feed is task 2, after __acker");
}

#[test]
fn fields_grouping_sends_a_key_to_the_task_that_its_hash_chooses() {
    let record = check_grouping(5, 0..100, |bolt| _ = bolt.fields("feed", ["n"]));
    for number in 0..100 {
        let hash = storm_runtime::grouping::java::hash_values(&[Value::from(number)], &[0]);
        let index = storm_runtime::grouping::java::choose_task_index(hash, 5);
        assert_eq!(record.tasks_of(number), [3 + index as u16]);
    }
}

#[test]
fn partial_key_grouping_splits_a_key_between_two_tasks() {
    let (feed, record) = (Feed::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("record", record.bolt()).tasks(6).parallelism(3).partial_key("feed", ["n"]);
    });
    feed.send_all([7; 50]);
    run.settle();
    assert_eq!(loads(&record), [25; 2]);
}

struct Threes;

impl CustomGrouping for Threes {
    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>) {
        match values[0].as_i64() {
            Some(number) if number % 3 == 0 => chosen.extend([0, 2]),
            Some(number) if number % 3 == 1 => chosen.push(1),
            _ => {}
        }
    }
}

#[test]
fn a_custom_grouping_may_choose_several_tasks_or_none() {
    let record = check_grouping(3, 0..9, |bolt| _ = bolt.custom("feed", || Threes));
    assert_eq!(record.tasks_of(3), [3, 5]);
    assert_eq!(record.tasks_of(4), [4]);
    assert!(record.tasks_of(5).is_empty());
    assert_eq!(record.got.len(), 9);
}

struct Touchy;

impl CustomGrouping for Touchy {
    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>) {
        assert_ne!(values[0].as_i64(), Some(13), "no thirteens");
        chosen.push(0);
    }
}

#[test]
fn a_grouping_that_panics_fails_the_message_and_everything_goes_on() {
    let (feed, record) = (Feed::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("pass", pass()).custom("feed", || Touchy);
        builder.bolt("record", record.bolt()).shuffle("pass");
    });
    feed.send_all(10..16);
    run.settle();
    assert_eq!(feed.failed.read(), [13]);
    assert_eq!(feed.acked.sorted(), [10, 11, 12, 14, 15]);
    assert_eq!(record.numbers(), [10, 11, 12, 14, 15]);
    assert!(run.errors()[0].contains("no thirteens"), "{:?}", run.errors());
}

#[derive(Debug)]
struct Unhashable(i64);

impl SharedObject for Unhashable {
    fn type_name(&self) -> &'static str {
        "unhashable"
    }

    fn java_hash(&self) -> i32 {
        assert_ne!(self.0 % 10, 3, "no hash for three");
        self.0 as i32
    }
}

#[test]
fn a_key_whose_hash_panics_fails_its_message_and_no_other() {
    let (feed, got) = (Feed::new(number), Journal::new());
    let journal = got.clone();
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let unpack = basic(nothing, move |tuple, _| {
            journal.push(tuple.object::<Unhashable>(0)?.0);
            Ok(())
        });
        builder.bolt("unpack", unpack).parallelism(3).fields("feed", ["n"]);
    });
    for number in 0..40 {
        feed.emission(Emission {
            stream: "default".into(),
            values: vec![Value::object(Arc::new(Unhashable(number)))],
            id: Some(number),
            to: None,
        });
    }
    run.settle();
    assert_eq!(feed.failed.sorted(), [3, 13, 23, 33]);
    let others: Vec<i64> = (0..40).filter(|number| number % 10 != 3).collect();
    assert_eq!(feed.acked.sorted(), others);
    assert_eq!(got.sorted(), others);
    let stats = run.stats();
    assert_eq!((stats.emitted("feed"), stats.executed("unpack")), (40, 36));
    assert!(run.topology.drain(Duration::ZERO));
}

#[test]
fn direct_streams_reach_the_named_task_and_nobody_else() {
    let (feed, record, stray) = (Feed::new(both_ways), Record::default(), Record::default());
    fn both_ways(declare: &mut Declarer) {
        declare.output(["n"]).direct("to", ["n"]);
    }
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("record", record.bolt()).parallelism(2).tasks(3).direct(("feed", "to"));
        builder.bolt("stray", stray.bolt()).shuffle("feed");
    });
    // Tasks: __acker 1, feed 2, record 3 to 5, stray 6.
    for (number, task) in [(1, 3), (2, 5), (3, 5), (4, 6), (5, 99)] {
        feed.emission(Emission {
            stream: "to".into(),
            values: vec![Value::from(number)],
            id: Some(number),
            to: Some(TaskId(task)),
        });
    }
    run.settle();
    assert_eq!(
        record.got.sorted(),
        [(TaskId(3), 1), (TaskId(5), 2), (TaskId(5), 3)],
        "a task that does not take the stream gets nothing"
    );
    assert_eq!(stray.got.len(), 0);
    assert_eq!(feed.acked.sorted(), [1, 2, 3]);
    assert_eq!((feed.failed.len(), run.errors().len()), (0, 2), "what nobody takes is not emitted");
}

#[test]
fn an_executor_of_several_tasks_gives_each_tuple_to_its_own_instance() {
    let instances = Arc::new(AtomicUsize::new(0));
    let made = instances.clone();
    let (feed, record) = (Feed::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let bolt = record.bolt();
        let counted = move || {
            made.fetch_add(1, Ordering::Relaxed);
            bolt()
        };
        builder.bolt("record", counted).parallelism(2).tasks(5).fields("feed", ["n"]);
    });
    assert_eq!(instances.load(Ordering::Relaxed), 6, "one for its declaration and five to run");
    feed.send_all(0..50);
    run.settle();
    let executors: Vec<String> =
        run.stats().component("record").map(|executor| executor.id.to_string()).collect();
    assert_eq!(executors, ["[3-5]", "[6-7]"]);
    assert_eq!(loads(&record).len(), 5);
}

#[test]
fn emit_for_tasks_answers_the_tasks_that_get_the_tuple() {
    let told: Journal<(i64, Vec<TaskId>)> = Journal::new();
    let (feed, record) = (Feed::new(number), Record::default());
    let journal = told.clone();
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let ask = owned(number, move |tuple, out| {
            let number = tuple.i64(0)?;
            let tasks = out.emit_for_tasks("default", &tuple, [number]);
            out.emit(&tuple, [number + 1_000]);
            journal.push((number, tasks));
            out.ack(tuple);
            Ok(())
        });
        builder.bolt("ask", ask).shuffle("feed");
        builder.bolt("by-field", record.bolt()).parallelism(4).fields("ask", ["n"]);
        builder.bolt("evenly", record.bolt()).parallelism(3).shuffle("ask");
        builder.bolt("everyone", record.bolt()).parallelism(2).all("ask");
    });
    feed.send_all(0..200);
    run.settle();
    assert_eq!(told.len(), 200);
    for (number, tasks) in told.take() {
        let mut tasks: Vec<u16> = tasks.into_iter().map(|task| task.0).collect();
        tasks.sort_unstable();
        assert_eq!(record.tasks_of(number), tasks, "of {number}");
        assert_eq!(record.tasks_of(number + 1_000).len(), 4);
    }
    assert_eq!(feed.acked.len(), 200);
}

#[test]
fn a_second_subscription_of_one_bolt_to_one_stream_replaces_the_first() {
    let record = check_grouping(2, 0..10, |bolt| _ = bolt.shuffle("feed").all("feed"));
    assert_eq!(loads(&record), [10, 10]);
}

// Ticks and times.

#[test]
fn every_task_of_a_bolt_gets_its_ticks() {
    let ticks: Journal<(bool, String, f64)> = Journal::new();
    let journal = ticks.clone();
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let note = basic(
            |declare| {
                declare.tick_every(Duration::from_millis(500));
            },
            move |tuple, out| {
                let seconds = tuple.f64("rate_secs")?;
                journal.push((tuple.is_tick(), format!("{:?}", out.now()), seconds));
                Ok(())
            },
        );
        builder.bolt("note", note).parallelism(2).tasks(3).shuffle("feed");
    });
    run.advance(1_100 * MILLISECOND);
    let expected = |at: &str| (true, at.to_owned(), 0.5);
    let mut expected: Vec<_> = [expected("500ms"), expected("1s")].into();
    expected = expected.into_iter().flat_map(|one| vec![one; 3]).collect();
    assert_eq!(ticks.read(), expected);
    assert_eq!(run.input("note").0, 0, "ticks are not counted among the tuples");
    assert!(run.topology.drain(Duration::ZERO), "nor do they keep a topology from being drained");
}

#[test]
fn ticks_are_set_by_the_configuration_of_the_topology_and_of_the_component() {
    let (slow, quick) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counter = |count: &Arc<AtomicUsize>| {
        let count = count.clone();
        basic(nothing, move |tuple, _| {
            count.fetch_add(usize::from(tuple.is_tick()), Ordering::Relaxed);
            Ok(())
        })
    };
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.conf("topology.tick.tuple.freq.secs", 10);
        builder.spout("feed", feed.spout());
        builder.bolt("slow", counter(&slow)).shuffle("feed");
        builder
            .bolt("quick", counter(&quick))
            .shuffle("feed")
            .conf("topology.tick.tuple.freq.secs", 1);
    });
    run.advance(60 * SECOND);
    assert_eq!((slow.load(Ordering::Relaxed), quick.load(Ordering::Relaxed)), (6, 60));
}

#[test]
fn an_idle_spout_with_a_waker_sleeps_until_it_is_woken_and_one_without_is_polled() {
    struct Asked {
        calls: Arc<AtomicUsize>,
        wakes: bool,
    }
    impl Spout for Asked {
        fn declare(&self, declare: &mut Declarer) {
            number(declare);
        }
        fn open(&mut self, context: &TaskContext) -> Result {
            if self.wakes {
                drop(context.waker());
            }
            Ok(())
        }
        fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            Ok(Next::Idle)
        }
    }
    for (wakes, expected) in [(true, 1..=2), (false, 1_000..=1_002)] {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let run = check(|builder| {
            builder.spout("asked", move || Asked { calls: counted.clone(), wakes });
        });
        run.advance(SECOND);
        let calls = calls.load(Ordering::Relaxed);
        assert!(expected.contains(&calls), "{calls} calls with a waker: {wakes}");
    }
}

#[test]
fn a_spout_that_says_emitted_without_emitting_holds_nobody_up() {
    struct Empty {
        first: bool,
        rounds: usize,
    }
    impl Spout for Empty {
        fn declare(&self, declare: &mut Declarer) {
            number(declare);
        }
        fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
            if std::mem::take(&mut self.first) {
                out.emit_with_id([1], 1);
            }
            self.rounds += 1;
            assert!(self.rounds < 10_000, "the first tuple was never sent");
            Ok(Next::Emitted)
        }
        fn ack(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
            self.rounds = 0;
            Ok(())
        }
    }
    let record = Record::default();
    let mut builder = TopologyBuilder::new();
    builder.spout("empty", || Empty { first: true, rounds: 0 });
    builder.bolt("record", record.bolt()).shuffle("empty");
    let cluster = LocalCluster::simulated(1);
    let running = cluster.submit("empty", &builder.build().expect("sound")).expect("free");
    let _ = cluster.run_until_idle(100);
    assert_eq!((record.numbers(), running.stats().acked("empty")), (vec![1], 1));
}

// Errors and panics.

#[test]
fn an_error_fails_the_input_and_sends_nothing_of_that_call() {
    let (feed, record) = (Feed::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let picky = basic(number, |tuple, out| {
            let number = tuple.i64(0)?;
            out.emit([number]);
            out.report_error(format!("noticed {number}"));
            if number % 3 == 0 { Err(format!("cannot do {number}").into()) } else { Ok(()) }
        });
        builder.conf("topology.max.error.report.per.interval", 100);
        builder.bolt("picky", picky).shuffle("feed");
        builder.bolt("record", record.bolt()).shuffle("picky");
    });
    feed.send_all(1..7);
    run.settle();
    assert_eq!(feed.failed.sorted(), [3, 6]);
    assert_eq!(feed.acked.sorted(), [1, 2, 4, 5]);
    assert_eq!(record.numbers(), [1, 2, 4, 5]);
    let mut errors = run.errors();
    errors.sort();
    let mut expected: Vec<String> = (1..7).map(|number| format!("noticed {number}")).collect();
    expected.extend([3, 6].map(|number| format!("cannot do {number}")));
    expected.sort();
    assert_eq!(errors, expected, "also what was reported by the call that failed last");
    assert_eq!(run.input("picky"), (6, 4, 2));
    assert_eq!(run.restarts("picky"), 0);
    assert!(run.topology.drain(Duration::ZERO));
}

#[test]
fn errors_are_throttled_per_component_and_counted() {
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let failing = basic(nothing, |tuple, _| Err(format!("no {}", tuple.i64(0)?).into()));
        builder.bolt("failing", failing).shuffle("feed");
        let complaining = owned(nothing, |tuple, out| {
            out.report_error("hm");
            out.ack(tuple);
            Ok(())
        });
        builder.bolt("complaining", complaining).shuffle("feed");
    });
    feed.send_all(0..20);
    run.settle();
    assert_eq!(run.topology.errors().len(), 10, "five of each component");
    assert_eq!(run.topology.throttled_errors(), 30);
    run.advance(10 * SECOND);
    feed.send(20);
    run.settle();
    assert_eq!(run.topology.errors().len(), 12);
    let last = run.topology.errors().pop().expect("there are some");
    assert_eq!(last.at, Time::ZERO + 10 * SECOND);
    let counted: u64 = run.stats().executors.iter().map(|executor| executor.errors).sum();
    assert_eq!(counted, 42);
}

#[test]
fn an_error_tells_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot store")]
    struct Outer(#[source] std::num::ParseIntError);
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        let failing =
            basic(nothing, |_, _| Err("x".parse::<i32>().map_err(Outer).unwrap_err().into()));
        builder.bolt("failing", failing).shuffle("feed");
    });
    feed.send(1);
    run.settle();
    assert_eq!(run.errors(), ["cannot store: invalid digit found in string"]);
}

#[test]
fn a_panic_fails_its_input_at_once_and_a_new_instance_goes_on_after_a_pause() {
    for tasks in [1, 3] {
        let (feed, record) = (Feed::new(number), Record::default());
        let instances = Arc::new(AtomicUsize::new(0));
        let made = instances.clone();
        let run = check(|builder| {
            builder.spout("feed", feed.spout());
            let touchy = basic(number, |tuple, out| {
                let number = tuple.i64(0)?;
                out.emit([number]);
                assert_ne!(number, 2, "two is too much");
                Ok(())
            });
            let counted = move || {
                made.fetch_add(1, Ordering::Relaxed);
                touchy()
            };
            builder.bolt("touchy", counted).tasks(tasks).shuffle("feed");
            builder.bolt("record", record.bolt()).shuffle("touchy");
        });
        feed.send_all(0..6);
        run.settle();
        assert_eq!(feed.failed.read(), [2]);
        run.advance(next_pause() - Duration::from_nanos(1));
        assert_eq!(instances.load(Ordering::Relaxed), 1 + tasks);
        run.advance(MILLISECOND);
        assert_eq!(instances.load(Ordering::Relaxed), 2 + tasks);
        assert_eq!(feed.acked.sorted(), [0, 1, 3, 4, 5]);
        assert_eq!(feed.failed.len(), 1);
        assert_eq!(record.numbers(), [0, 1, 3, 4, 5], "the panicking call sends nothing");
        assert_eq!(run.restarts("touchy"), 1);
        let errors = run.errors();
        assert!(errors.len() == 1 && errors[0].contains("two is too much"), "{errors:?}");
        assert_eq!(run.input("touchy"), (6, 5, 1));
        assert!(run.topology.drain(Duration::ZERO), "{:#?}", run.stats());
    }
}

#[test]
fn a_panic_of_a_bolt_that_acks_itself_loses_nothing_that_it_acked_in_that_call() {
    let (feed, record) = (Feed::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("batch", || PanickingBatch { kept: Vec::new() }).shuffle("feed");
        builder.bolt("record", record.bolt()).shuffle("batch");
    });
    feed.send_all(1..4);
    run.settle();
    assert_eq!(record.got.len(), 0, "the call that panicked sends nothing");
    assert_eq!(feed.acked.len(), 0, "what was not sent on must not be acked");
    assert_eq!(feed.failed.sorted(), [1, 2, 3]);
    assert_eq!(run.input("batch"), (3, 0, 3));
}

/// Emits the sum of three tuples, acks them, and panics.
struct PanickingBatch {
    kept: Vec<Tuple>,
}

impl Bolt for PanickingBatch {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        self.kept.push(tuple);
        if self.kept.len() == 3 {
            let sum: i64 = self.kept.iter().filter_map(|tuple| tuple.i64(0).ok()).sum();
            out.emit(&self.kept, [sum]);
            self.kept.drain(..).for_each(|tuple| out.ack(tuple));
            panic!("too late");
        }
        Ok(())
    }
}

#[test]
fn a_panic_in_a_tick_loses_no_tuple_that_is_waiting() {
    for owns in [false, true] {
        let (feed, record) = (Feed::new(number), Record::default());
        let panics = Arc::new(AtomicBool::new(true));
        let seen = record.got.clone();
        let run = check(|builder| {
            builder.spout("feed", feed.spout());
            let ticking: fn(&mut Declarer) = |declare| {
                declare.tick_every(SECOND);
            };
            if owns {
                let bolt = owned(ticking, move |tuple, out| {
                    if tuple.is_tick() {
                        assert!(!panics.swap(false, Ordering::Relaxed), "tick");
                    } else {
                        seen.push((TaskId(0), tuple.i64(0)?));
                    }
                    out.ack(tuple);
                    Ok(())
                });
                builder.bolt("ticked", bolt).shuffle("feed");
            } else {
                let bolt = basic(ticking, move |tuple, _| {
                    if tuple.is_tick() {
                        assert!(!panics.swap(false, Ordering::Relaxed), "tick");
                    } else {
                        seen.push((TaskId(0), tuple.i64(0)?));
                    }
                    Ok(())
                });
                builder.bolt("ticked", bolt).shuffle("feed");
            }
        });
        // At one second, in one cycle or the other, there are a tick and tuples.
        run.advance(999 * MILLISECOND);
        let cluster = &run.cluster;
        feed.send_all(0..3);
        run.advance(MILLISECOND);
        feed.send_all(3..40);
        run.settle();
        assert!(cluster.advance(SECOND, CYCLES));
        assert_eq!(record.numbers(), (0..40).collect::<Vec<_>>());
        assert_eq!(feed.acked.sorted(), (0..40).collect::<Vec<_>>());
        assert_eq!(run.restarts("ticked"), 1);
    }
}

#[test]
fn what_waits_when_a_tick_panics_is_executed_by_the_next_instance() {
    for seed in 0..30 {
        let (feed, record) = (Feed::new(number), Record::default());
        let panics = Arc::new(AtomicUsize::new(0));
        let seen = record.got.clone();
        let run = check_seeded(seed, |builder| {
            builder.spout("feed", feed.spout());
            let ticking: fn(&mut Declarer) = |declare| {
                declare.tick_every(SECOND);
            };
            let bolt = basic(ticking, move |tuple, _| {
                if tuple.is_tick() {
                    assert!(panics.fetch_add(1, Ordering::Relaxed) > 0, "tick");
                } else {
                    seen.push((TaskId(0), tuple.i64(0)?));
                }
                Ok(())
            });
            builder.bolt("slow", AtSecond::bolt).shuffle("feed");
            builder.bolt("ticked", bolt).shuffle("slow");
        });
        feed.send_all(0..10);
        run.advance(2 * SECOND);
        assert_eq!(record.numbers(), (0..10).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(feed.acked.len(), 10, "seed {seed}");
    }
}

/// Keeps its tuples and passes them on at one second sharp.
struct AtSecond {
    kept: Vec<Tuple>,
}

impl AtSecond {
    fn bolt() -> Self {
        Self { kept: Vec::new() }
    }
}

impl Bolt for AtSecond {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        out.call_at(Time::ZERO + SECOND);
        self.kept.push(tuple);
        Ok(())
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        if out.now() >= Time::ZERO + SECOND {
            for tuple in self.kept.drain(..) {
                out.emit(&tuple, [tuple.i64(0)?]);
                out.ack(tuple);
            }
        }
        Ok(())
    }
}

#[test]
fn a_bolt_whose_preparation_fails_is_made_again_with_growing_pauses() {
    struct Stubborn {
        tries: Arc<AtomicUsize>,
    }
    impl BasicBolt for Stubborn {
        fn prepare(&mut self, _context: &TaskContext) -> Result {
            match self.tries.fetch_add(1, Ordering::Relaxed) {
                0 | 2 => Err("not yet".into()),
                1 => panic!("not at all"),
                _ => Ok(()),
            }
        }
        fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
            Ok(())
        }
    }
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = tries.clone();
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("stubborn", move || Stubborn { tries: counted.clone() }).shuffle("feed");
    });
    feed.send(1);
    let mut expected = 1;
    for pause_ms in [10, 20, 40] {
        run.advance(pause_ms * MILLISECOND - Duration::from_nanos(1));
        assert_eq!(tries.load(Ordering::Relaxed), expected);
        run.advance(Duration::from_nanos(1));
        expected += 1;
        assert_eq!(tries.load(Ordering::Relaxed), expected);
    }
    assert_eq!(feed.acked.read(), [1]);
    assert_eq!(
        run.errors(),
        [
            "cannot prepare: not yet",
            "cannot prepare: panicked: not at all",
            "cannot prepare: not yet"
        ]
    );
}

/// A spout whose instances panic or refuse to open when they are told to.
struct Mortal {
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    next: AtomicI64,
    dies: AtomicBool,
    refusals: AtomicUsize,
    acked: Journal<i64>,
    failed: Journal<i64>,
}

impl Spout for Mortal {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn open(&mut self, _context: &TaskContext) -> Result {
        let refusals = &self.plan.refusals;
        let refused =
            refusals.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if refused.is_ok() { Err("closed".into()) } else { Ok(()) }
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        assert!(!self.plan.dies.swap(false, Ordering::Relaxed), "dying");
        let next = self.plan.next.load(Ordering::Relaxed);
        if next == 3 {
            return Ok(Next::Idle);
        }
        self.plan.next.store(next + 1, Ordering::Relaxed);
        out.emit_with_id([next], next);
        Ok(Next::Emitted)
    }

    fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.plan.acked.push(id.as_i64().expect("a number"));
        Ok(())
    }

    fn fail(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.plan.failed.push(id.as_i64().expect("a number"));
        Ok(())
    }
}

#[track_caller]
fn check_mortal(plan: &Arc<Plan>) -> (Run, Hold) {
    let hold = Hold::new(nothing);
    let (made, bolt) = (plan.clone(), hold.bolt());
    let run = check(move |builder| {
        builder.spout("mortal", move || Mortal { plan: made.clone() });
        builder.bolt("hold", bolt).shuffle("mortal");
    });
    (run, hold)
}

#[test]
fn the_successor_of_a_spout_that_panicked_is_told_what_it_had_pending() {
    let plan = Arc::new(Plan::default());
    let (run, hold) = check_mortal(&plan);
    assert_eq!(hold.len(), 3);
    plan.dies.store(true, Ordering::Relaxed);
    run.advance(MILLISECOND);
    assert_eq!(run.restarts("mortal"), 1);
    assert_eq!(plan.failed.len(), 0, "nobody is there to be told");
    run.advance(next_pause());
    assert_eq!(plan.failed.sorted(), [0, 1, 2]);
    assert_eq!((run.stats().failed("mortal"), run.stats().pending()), (3, 0));
    hold.ack();
    run.settle();
    assert_eq!((plan.acked.len(), run.late()), (0, 1));
}

#[test]
fn answers_that_come_while_a_spout_is_being_replaced_reach_its_successor() {
    let plan = Arc::new(Plan::default());
    let (run, hold) = check_mortal(&plan);
    plan.dies.store(true, Ordering::Relaxed);
    plan.refusals.store(2, Ordering::Relaxed);
    run.advance(MILLISECOND);
    hold.ack();
    hold.fail();
    run.settle();
    assert_eq!((plan.acked.len(), plan.failed.len()), (0, 0), "nobody is there to be told");
    assert_eq!(run.stats().pending(), 3, "nothing is answered yet");
    run.advance(SECOND);
    assert_eq!(plan.acked.read(), [0]);
    assert_eq!(plan.failed.sorted(), [1, 2], "though two successors failed to open");
    let stats = run.stats();
    assert_eq!((stats.acked("mortal"), stats.failed("mortal"), stats.pending()), (1, 2, 0));
}

#[test]
fn a_spout_that_panics_in_an_answer_gives_the_others_to_its_successor() {
    struct Fragile {
        answered: Journal<(bool, i64)>,
        panics: Arc<AtomicBool>,
        left: i64,
    }
    impl Spout for Fragile {
        fn declare(&self, declare: &mut Declarer) {
            number(declare);
        }
        fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
            if self.left == 0 || !self.panics.load(Ordering::Relaxed) {
                return Ok(Next::Idle);
            }
            self.left -= 1;
            out.emit_with_id([self.left], self.left);
            Ok(Next::Emitted)
        }
        fn ack(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
            self.answered.push((true, id.as_i64().expect("a number")));
            assert!(!self.panics.swap(false, Ordering::Relaxed), "fragile");
            Ok(())
        }
        fn fail(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
            self.answered.push((false, id.as_i64().expect("a number")));
            Ok(())
        }
    }
    for ackers in [0, 1] {
        let answered: Journal<(bool, i64)> = Journal::new();
        let (journal, panics) = (answered.clone(), Arc::new(AtomicBool::new(true)));
        let run = check(|builder| {
            builder.conf("topology.acker.executors", ackers);
            builder.spout("fragile", move || Fragile {
                answered: journal.clone(),
                panics: panics.clone(),
                left: 10,
            });
            builder.bolt("end", ignore()).shuffle("fragile");
        });
        run.advance(SECOND);
        let mut ids: Vec<i64> = answered.read().into_iter().map(|(_, id)| id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..10).collect::<Vec<_>>(), "each once, with {ackers} ackers");
        let stats = run.stats();
        assert_eq!(stats.acked("fragile") + stats.failed("fragile"), 10);
        let acked = answered.read().iter().filter(|(acked, _)| *acked).count();
        assert_eq!(stats.acked("fragile"), acked as u64);
        // A message that no tree is kept for is acked at once, which says nothing of its latency.
        let told = if ackers == 0 { 0 } else { acked as u64 };
        assert_eq!(stats.complete_latency().count(), told);
        assert_eq!(stats.pending(), 0);
    }
}

#[test]
fn a_panic_when_a_spout_is_deactivated_is_reported_and_replaces_it() {
    struct Unwilling;
    impl Spout for Unwilling {
        fn declare(&self, declare: &mut Declarer) {
            number(declare);
        }
        fn deactivate(&mut self) {
            panic!("I will not");
        }
        fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
            Ok(Next::Idle)
        }
    }
    let run = check(|builder| {
        builder.spout("unwilling", || Unwilling);
    });
    run.topology.deactivate();
    run.settle();
    assert_eq!(run.restarts("unwilling"), 1);
    assert_eq!(run.errors(), ["panicked: I will not"]);
}

#[test]
fn an_emission_that_was_not_declared_is_an_error_of_the_component() {
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.conf("topology.max.error.report.per.interval", 100);
        builder.spout("feed", feed.spout());
        let basic_wrong = basic(number, |_, out| {
            out.emit([1]);
            out.emit((1, 2));
            Ok(())
        });
        builder.bolt("basic", basic_wrong).shuffle("feed");
        let owned_wrong = owned(number, |tuple, out| {
            out.emit_to("side", &tuple, [1]);
            out.emit_direct(TaskId(1), "default", &tuple, [1]);
            out.emit(&tuple, [7]);
            out.ack(tuple);
            Ok(())
        });
        builder.bolt("owned", owned_wrong).shuffle("feed");
        builder.bolt("end", ignore()).shuffle("basic").shuffle("owned");
    });
    feed.send(1);
    feed.emission(Emission { stream: "nowhere".into(), values: vec![], id: Some(2), to: None });
    feed.emission(Emission { stream: "default".into(), values: vec![], id: Some(3), to: None });
    run.settle();
    assert_eq!(feed.failed.read(), [1], "what a basic bolt did wrong fails its input");
    assert_eq!(feed.acked.len(), 0, "what was never emitted is not answered");
    let mut errors = run.errors();
    errors.sort();
    assert_eq!(
        errors,
        [
            "basic emitted 2 values to stream default, which is declared with 1 fields",
            "feed emitted 0 values to stream default, which is declared with 1 fields",
            "feed emitted to stream nowhere, which it does not declare: it has default",
            "owned emitted to stream side, which it does not declare: it has default",
        ]
    );
    assert_eq!((run.stats().executed("end"), run.stats().emitted("owned")), (1, 1));
}

// Bolts that keep their tuples.

#[test]
fn a_tuple_dropped_without_ack_or_fail_is_counted_and_its_message_times_out() {
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("careless", owned(nothing, |_tuple, _| Ok(()))).shuffle("feed");
    });
    feed.send_all(0..5);
    run.settle();
    let dropped = |run: &Run| run.stats().component("careless").map(|one| one.dropped).sum::<u64>();
    assert_eq!(dropped(&run), 5);
    assert_eq!(run.input("careless"), (5, 0, 0));
    run.advance(40 * SECOND);
    assert_eq!(feed.failed.sorted(), [0, 1, 2, 3, 4]);
}

#[test]
fn many_requests_of_a_handle_are_all_served_though_it_was_woken_once() {
    let (feed, hold, record) = (Feed::new(number), Hold::new(number), Record::default());
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
        builder.bolt("record", record.bolt()).shuffle("hold");
    });
    feed.send(1);
    run.settle();
    let (tuple, handle) = hold.take();
    for number in 0..500 {
        handle.emit(&tuple, [number]).expect("room for a thousand");
    }
    handle.ack(tuple).expect("room");
    run.settle();
    assert_eq!(record.numbers(), (0..500).collect::<Vec<_>>());
    assert_eq!(feed.acked.read(), [1]);
}

#[test]
fn a_full_handle_gives_back_what_it_cannot_take() {
    let (feed, hold) = (Feed::new(number), Hold::new(number));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
    });
    feed.send(1);
    run.settle();
    let (mut tuple, handle) = hold.take();
    while handle.emit((), [0]).is_ok() {}
    let values = handle.emit((), [5]).expect_err("it is full");
    assert_eq!(values.0, [Value::from(5)]);
    tuple = handle.ack(tuple).expect_err("it is full").0;
    run.settle();
    handle.ack(tuple).expect("it is empty");
    run.settle();
    assert_eq!(feed.acked.read(), [1]);
}

#[test]
fn a_tuple_settled_with_the_handle_of_another_component_does_no_harm() {
    let (feed, hold, other) = (Feed::new(number), Hold::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
        builder.bolt("other", other.bolt()).shuffle("hold");
    });
    feed.send(1);
    run.settle();
    let (tuple, handle) = hold.take();
    handle.emit(&tuple, [1]).expect("room");
    run.settle();
    let (inner, _) = other.take();
    handle.ack(inner).expect("room");
    handle.ack(tuple).expect("room");
    run.settle();
    assert_eq!(feed.acked.read(), [1]);
}

#[test]
fn a_bolt_may_ack_from_a_thread_of_its_own() {
    struct Threaded {
        to_thread: Option<std::sync::mpsc::SyncSender<Tuple>>,
        thread: Option<std::thread::JoinHandle<()>>,
    }
    impl Bolt for Threaded {
        fn declare(&self, declare: &mut Declarer) {
            number(declare);
        }
        fn prepare(&mut self, _context: &TaskContext, handle: BoltHandle) -> Result {
            let (to_thread, tuples) = std::sync::mpsc::sync_channel::<Tuple>(10_000);
            self.to_thread = Some(to_thread);
            self.thread = Some(std::thread::spawn(move || {
                for mut tuple in tuples {
                    let number = tuple.i64(0).expect("a number");
                    while handle.emit(&tuple, [number]).is_err() {
                        std::thread::yield_now();
                    }
                    while let Err(full) = handle.ack(tuple) {
                        tuple = full.0;
                        std::thread::yield_now();
                    }
                }
            }));
            Ok(())
        }
        fn execute(&mut self, tuple: Tuple, _out: &mut Collector) -> Result {
            self.to_thread.as_ref().expect("prepared").send(tuple)?;
            Ok(())
        }
        fn cleanup(&mut self) {
            self.to_thread = None;
            self.thread.take().expect("prepared").join().expect("it ended well");
        }
    }
    const MESSAGES: i64 = 5_000;
    let (feed, record) = (Feed::new(number), Record::default());
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.worker.threads", 2);
    builder.spout("feed", feed.spout());
    builder.bolt("threaded", || Threaded { to_thread: None, thread: None }).shuffle("feed");
    builder.bolt("record", record.bolt()).shuffle("threaded");
    let cluster = LocalCluster::new();
    let running = cluster.submit("threaded", &builder.build().expect("sound")).expect("free");
    feed.send_all(0..MESSAGES);
    let all = |stats: &TopologyStats| stats.acked("feed") == MESSAGES as u64;
    assert!(running.wait_until(20 * SECOND, all), "{:#?}", running.stats());
    assert_eq!(record.numbers(), (0..MESSAGES).collect::<Vec<_>>());
    assert!(cluster.kill("threaded", SECOND));
}

#[test]
fn a_bolt_is_called_at_the_time_it_asked_for() {
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("at-second", AtSecond::bolt).shuffle("feed");
    });
    feed.send(1);
    run.advance(999 * MILLISECOND);
    assert_eq!(feed.acked.len(), 0);
    run.advance(MILLISECOND);
    assert_eq!(feed.acked.read(), [1]);
}

// The life of a topology.

#[test]
fn a_deactivated_spout_emits_nothing_and_still_hears_of_its_messages() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
    });
    feed.send(1);
    run.settle();
    run.topology.deactivate();
    run.topology.deactivate();
    run.settle();
    feed.send(2);
    hold.ack();
    run.advance(SECOND);
    assert_eq!((feed.acked.read(), feed.waiting()), (vec![1], 1));
    run.topology.activate();
    run.settle();
    assert_eq!((hold.len(), feed.waiting()), (1, 0));
    assert_eq!(feed.calls.read(), ["open", "activate", "deactivate", "activate"]);
}

#[test]
fn a_killed_topology_is_closed_in_order_and_its_name_is_free_again() {
    struct Tidy(Journal<&'static str>);
    impl BasicBolt for Tidy {
        fn prepare(&mut self, _context: &TaskContext) -> Result {
            self.0.push("prepare");
            Ok(())
        }
        fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
            Ok(())
        }
        fn cleanup(&mut self) {
            self.0.push("cleanup");
            panic!("a broom broke");
        }
    }
    let (feed, calls) = (Feed::new(number), Journal::new());
    let journal = calls.clone();
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", feed.spout());
    builder.bolt("tidy", move || Tidy(journal.clone())).parallelism(2).shuffle("feed");
    let topology = builder.build().expect("sound");
    for cluster in [LocalCluster::new(), LocalCluster::simulated(3)] {
        let running = cluster.submit("tidy", &topology).expect("free");
        let error = cluster.submit("tidy", &topology).err().expect("the name is taken");
        assert_eq!(
            error.to_string(),
            "topology tidy is already running: kill it first, or choose another name"
        );
        feed.send(1);
        if cluster.now() == Time::ZERO {
            assert!(cluster.run_until_idle(CYCLES));
        }
        assert!(running.wait_until(10 * SECOND, |stats| stats.acked("feed") == 1));
        assert!(cluster.kill("tidy", SECOND));
        assert!(!cluster.kill("tidy", SECOND));
        assert!(cluster.topology("tidy").is_none());
        assert_eq!(feed.calls.take(), ["open", "activate", "deactivate", "close"]);
        assert_eq!(calls.take(), ["prepare", "prepare", "cleanup", "cleanup"]);
        let again = cluster.submit("tidy", &topology).expect("free again");
        assert_eq!(again.stats().acked("feed"), 0);
        drop(cluster);
        feed.calls.take();
        calls.take();
    }
}

#[test]
fn a_kill_waits_for_pending_messages_and_loses_none() {
    for round in 0..20 {
        let (feed, record) = (Feed::new(number), Record::default());
        let mut builder = TopologyBuilder::new();
        builder.conf("topology.worker.threads", 2);
        builder.spout("feed", feed.spout());
        builder.bolt("pass", pass()).shuffle("feed");
        builder.bolt("record", record.bolt()).parallelism(2).shuffle("pass");
        let cluster = LocalCluster::new();
        let running = cluster.submit("kill", &builder.build().expect("sound")).expect("free");
        feed.send_all(0..20_000);
        assert!(running.wait_until(10 * SECOND, |stats| stats.acked("feed") > 100 * round));
        assert!(cluster.kill("kill", 10 * SECOND));
        let emitted = 20_000 - feed.waiting();
        assert_eq!((feed.acked.len(), feed.failed.len()), (emitted, 0));
        assert_eq!(record.got.len(), emitted);
    }
}

#[test]
fn a_condition_that_does_not_come_true_in_simulated_time_is_answered_at_once() {
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
    });
    feed.send(1);
    assert!(run.topology.wait_until(SECOND, |stats| stats.acked("feed") == 1));
    assert!(!run.topology.wait_until(SECOND, |stats| stats.acked("feed") == 2));
}

#[test]
fn tasks_of_a_component_share_its_metrics() {
    struct Counting(Option<storm_runtime::metrics::Metric>);
    impl BasicBolt for Counting {
        fn prepare(&mut self, context: &TaskContext) -> Result {
            self.0 = Some(context.metric("seen"));
            context.metric("tasks").add(1);
            context.metric("last").set(i64::from(context.task_count() as u16));
            Ok(())
        }
        fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
            self.0.as_ref().expect("prepared").add(1);
            Ok(())
        }
    }
    let feed = Feed::new(number);
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("counting", || Counting(None)).parallelism(2).tasks(4).shuffle("feed");
    });
    feed.send_all(0..10);
    run.settle();
    let metrics: Vec<String> = run
        .topology
        .metrics()
        .into_iter()
        .map(|((component, name), value)| format!("{component} {name} {value}"))
        .collect();
    assert_eq!(metrics, ["counting last 4", "counting seen 10", "counting tasks 4"]);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let (feed, record) = (Feed::new(number), Record::default());
        let run = check_seeded(seed, |builder| {
            builder.spout("feed", feed.spout()).parallelism(2);
            builder.bolt("pass", pass()).parallelism(3).shuffle("feed");
            builder.bolt("record", record.bolt()).parallelism(3).fields("pass", ["n"]);
        });
        feed.send_all(0..300);
        run.settle();
        record.got.read()
    };
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2), "another seed runs executors in another order");
}

// Tuples in, tuples out.

#[test]
fn a_completed_topology_tells_what_every_component_emitted() {
    let mut builder = TopologyBuilder::new();
    builder.spout("words", Feed::new(|declare| _ = declare.output(["word"])).spout());
    struct Count(std::collections::BTreeMap<String, i64>);
    impl BasicBolt for Count {
        fn declare(&self, declare: &mut Declarer) {
            declare.output(["word", "count"]);
        }
        fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
            let word = tuple.str("word")?;
            let count = self.0.entry(word.to_owned()).or_default();
            *count += 1;
            out.emit((word, *count));
            Ok(())
        }
    }
    builder.bolt("count", || Count(Default::default())).parallelism(4).fields("words", ["word"]);
    let topology = builder.build().expect("sound");
    let sources = MockSources::new().tuples("words", WORDS.map(|word| [word]));
    let completed = complete_topology(&topology, &sources).expect("it ends");
    let mut counted: Vec<String> = completed
        .tuples("count")
        .iter()
        .map(|values| format!("{} {}", values[0], values[1]))
        .collect();
    counted.sort();
    assert_eq!(
        counted,
        ["cow 1", "cow 2", "jumped 1", "moon 1", "over 1", "the 1", "the 2", "the 3"]
    );
    assert_eq!(completed.tuples("words").len(), 8);
    assert_eq!(completed.stats.acked("words"), 8);
    assert!(completed.errors.is_empty());
}

#[test]
fn a_topology_with_failures_and_panics_completes_too() {
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", Feed::new(number).spout());
    let picky = basic(number, |tuple, out| match tuple.i64(0)? {
        3 => Err("no three".into()),
        4 => panic!("no four"),
        number => {
            out.emit([number]);
            Ok(())
        }
    });
    builder.bolt("picky", picky).shuffle("feed");
    builder.bolt("lazy", owned(nothing, |_tuple, _| Ok(()))).shuffle("picky");
    let sources = MockSources::new().tuples("feed", (0..6).map(|number: i64| [number]));
    let completed = complete_topology(&builder.build().expect("sound"), &sources).expect("it ends");
    assert_eq!(completed.tuples("picky").len(), 4);
    assert_eq!(completed.stats.failed("feed"), 6, "two by the bolt, four by timeout");
    assert_eq!(completed.errors.len(), 2);
}

#[test]
fn a_topology_that_cannot_complete_says_why() {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.enable.message.timeouts", false);
    builder.spout("feed", Feed::new(number).spout());
    builder.bolt("lazy", owned(nothing, |_tuple, _| Ok(()))).shuffle("feed");
    let topology = builder.build().expect("sound");
    let error =
        complete_topology(&topology, &MockSources::new().tuples("lazy", [[1]])).unwrap_err();
    assert_eq!(error.to_string(), "lazy is mocked, but it is no spout of the topology: feed are");
    let error =
        complete_topology(&topology, &MockSources::new().tuples("feed", [[1]])).unwrap_err();
    assert!(matches!(error, Incomplete::StillBusy { pending: 1 }), "{error}");
}
