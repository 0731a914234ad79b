//! Ticks, wakers, and spouts that have nothing to emit.

use super::*;

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
