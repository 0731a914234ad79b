//! Errors and panics of bolts.

use super::*;

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
