//! What authors do wrong, and handles of other threads.

use super::*;

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
