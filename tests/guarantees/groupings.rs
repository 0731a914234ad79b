//! Which tasks get a tuple.

use super::*;

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
