//! More load than a bolt can take: memory stays bounded, nothing is lost, and what is no tuple gets
//! through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use storm_runtime::clock::{Clock, Time};
use storm_runtime::local::TopologyStats;
use storm_runtime::prelude::*;

mod support {
    pub mod components;
}

use support::components::{Emission, Feed, Hold, Record, basic, ignore, nothing, number, pass};

const DEADLINE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// Tuples of a block; a link's limit is counted in blocks.
const BLOCK: u64 = 64;

/// A spout that never runs dry.
struct Flood {
    next: i64,
    with_id: bool,
}

impl Flood {
    fn unacked() -> Self {
        Self { next: 0, with_id: false }
    }

    fn acked() -> Self {
        Self { next: 0, with_id: true }
    }
}

impl Spout for Flood {
    fn declare(&self, declare: &mut Declarer) {
        number(declare);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        self.next += 1;
        match self.with_id {
            true => out.emit_with_id([self.next], self.next),
            false => out.emit([self.next]),
        }
        Ok(Next::Emitted)
    }
}

/// Keeps the thread busy, as a bolt that computes does.
fn compute(duration: Duration) {
    let clock = Clock::system();
    let end = clock.now() + duration;
    while clock.now() < end {
        std::hint::spin_loop();
    }
}

fn full(stats: &TopologyStats, component: &str) -> u64 {
    stats.component(component).map(|executor| executor.full).sum()
}

fn transferred(stats: &TopologyStats, component: &str) -> u64 {
    let outputs = stats.component(component).flat_map(|executor| executor.outputs.values());
    outputs.map(|output| output.transferred).sum()
}

fn run(declare: impl FnOnce(&mut TopologyBuilder)) -> (LocalCluster, RunningTopology) {
    let mut builder = TopologyBuilder::new();
    declare(&mut builder);
    let topology = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
    let cluster = LocalCluster::new();
    let running = cluster.submit("overload", &topology).expect("the name is free");
    (cluster, running)
}

#[test]
fn a_slow_bolt_holds_its_spouts_back_and_loses_nothing() {
    for (thread, with_id) in [("one", false), ("two", false), ("two", true)] {
        let spouts = 2;
        let bolts = 3;
        let (_cluster, running) = run(|builder| {
            builder
                .conf("topology.component.thread", "one")
                .conf("topology.enable.message.timeouts", false)
                .conf("topology.executor.receive.buffer.size", 512);
            let make = move || if with_id { Flood::acked() } else { Flood::unacked() };
            builder.spout("flood", make).parallelism(spouts);
            let slow = basic(nothing, |_, _| {
                compute(Duration::from_micros(20));
                Ok(())
            });
            builder
                .bolt("slow", slow)
                .parallelism(bolts)
                .conf("topology.component.thread", thread)
                .shuffle("flood");
        });
        // Each of two emitters has half of the buffer; each spout may have a block staged, and a
        // bolt's present block is counted when it is done.
        let limit = (spouts * bolts) as u64 * 256 + spouts as u64 * BLOCK;
        let mut most = 0;
        for goal in 1..=20 {
            assert!(running.wait_until(DEADLINE, |stats| stats.executed("slow") > goal * 500));
            let stats = running.stats();
            let under_way = transferred(&stats, "flood").saturating_sub(stats.executed("slow"));
            most = most.max(under_way);
        }
        assert!(most <= limit, "{most} tuples were under way at once, {limit} are allowed");
        // On one thread the bolts have their turn before a spout has filled their queues.
        assert!(thread == "one" || full(&running.stats(), "flood") > 0);
        assert!(running.drain(DEADLINE), "{:#?}", running.stats());
        let stats = running.stats();
        assert_eq!(stats.executed("slow"), stats.emitted("flood"));
        if with_id {
            assert_eq!(stats.acked("flood"), stats.emitted("flood"));
        }
    }
}

#[test]
fn a_bolt_between_a_spout_and_a_slow_bolt_is_held_back_too() {
    let (_cluster, running) = run(|builder| {
        builder.conf("topology.worker.threads", 2);
        builder.spout("flood", Flood::unacked);
        let many = basic(number, |tuple, out| {
            let number = tuple.i64(0)?;
            (0..10).for_each(|copy| out.emit([number * 10 + copy]));
            Ok(())
        });
        builder.bolt("many", many).shuffle("flood");
        let slow = basic(nothing, |_, _| {
            compute(Duration::from_micros(5));
            Ok(())
        });
        builder.bolt("slow", slow).shuffle("many");
    });
    // A link has 1024 tuples, and a block is sent with what the call that filled it emitted.
    let limit = 16 * (BLOCK + 10) + BLOCK + 10;
    for goal in 1..=20 {
        assert!(running.wait_until(DEADLINE, |stats| stats.executed("slow") > goal * 1_000));
        let stats = running.stats();
        let behind = transferred(&stats, "many").saturating_sub(stats.executed("slow"));
        assert!(behind <= limit, "{behind} tuples wait for the slow bolt");
        let before = transferred(&stats, "flood").saturating_sub(stats.executed("many"));
        assert!(before <= limit, "{before} tuples wait for the bolt before it");
    }
    assert!(full(&running.stats(), "many") > 0);
    assert!(full(&running.stats(), "flood") > 0);
    assert!(running.drain(DEADLINE), "{:#?}", running.stats());
    assert_eq!(running.stats().executed("slow"), running.stats().emitted("flood") * 10);
}

#[test]
fn a_thread_that_never_rests_hands_small_buffers_back() {
    for buffer in [1, 64, 128, 200, 1_024] {
        let (_cluster, running) = run(|builder| {
            builder
                .conf("topology.acker.executors", 0)
                .conf("topology.executor.receive.buffer.size", buffer);
            builder.spout("far", Flood::unacked).conf("topology.component.thread", "one");
            builder.bolt("end", ignore()).conf("topology.component.thread", "two").shuffle("far");
            builder.spout("near", Flood::unacked).conf("topology.component.thread", "two");
            builder.bolt("sink", ignore()).conf("topology.component.thread", "two").shuffle("near");
        });
        let flows = running.wait_until(DEADLINE, |stats| stats.executed("end") > 20_000);
        assert!(flows, "with a buffer of {buffer}: {:#?}", running.stats());
    }
}

#[test]
fn acks_and_fails_come_back_under_full_load() {
    let (_cluster, running) = run(|builder| {
        builder.conf("topology.component.thread", "one");
        builder.conf("topology.enable.message.timeouts", false);
        builder.spout("flood", Flood::acked);
        let picky = basic(nothing, |tuple, _| {
            compute(Duration::from_micros(5));
            if tuple.i64(0)? % 2 == 0 { Err("even".into()) } else { Ok(()) }
        });
        let picky = builder.bolt("picky", picky).parallelism(2);
        picky.conf("topology.component.thread", "two").shuffle("flood");
    });
    for goal in 1..=10 {
        let more = |stats: &TopologyStats| {
            stats.acked("flood") > goal * 500 && stats.failed("flood") > goal * 500
        };
        assert!(running.wait_until(DEADLINE, more), "{:#?}", running.stats());
    }
    assert!(full(&running.stats(), "flood") > 0);
    assert!(running.drain(DEADLINE));
    let stats = running.stats();
    assert_eq!(stats.acked("flood") + stats.failed("flood"), stats.emitted("flood"));
}

#[test]
fn a_spout_that_finds_no_room_still_hears_of_its_messages() {
    fn two(declare: &mut Declarer) {
        declare.output(["n"]).output_to("blocked", ["n"]);
    }
    struct NeverReady;
    impl BasicBolt for NeverReady {
        fn prepare(&mut self, _context: &TaskContext) -> Result {
            Err("not ready".into())
        }
        fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
            Ok(())
        }
    }
    let (feed, hold) = (Feed::new(two), Hold::new(nothing));
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.executor.receive.buffer.size", 128);
    builder.spout("feed", feed.spout());
    builder.bolt("hold", hold.bolt()).shuffle("feed");
    builder.bolt("never-ready", || NeverReady).shuffle(("feed", "blocked"));
    let cluster = LocalCluster::simulated(5);
    let running = cluster.submit("blocked", &builder.build().expect("sound")).expect("free");
    feed.send_all(0..3);
    for number in 3..1_000 {
        feed.emission(Emission {
            stream: "blocked".into(),
            values: vec![Value::from(number)],
            id: Some(number),
            to: None,
        });
    }
    assert!(cluster.run_until_idle(10_000));
    assert!(feed.waiting() > 700, "the spout was not held back: {}", feed.waiting());
    assert!(full(&running.stats(), "feed") > 0);
    hold.ack();
    hold.fail();
    assert!(cluster.run_until_idle(10_000));
    assert_eq!((feed.acked.read(), feed.failed.read()), (vec![0], vec![1]));
    assert!(cluster.advance(40 * SECOND, 10_000));
    assert!(feed.failed.len() > 100, "and of those whose time is up");
}

#[test]
fn ticks_come_to_a_bolt_whose_queue_is_full() {
    let ticks = Arc::new(AtomicUsize::new(0));
    let counted = ticks.clone();
    let (_cluster, running) = run(|builder| {
        builder.conf("topology.worker.threads", 2);
        builder.spout("flood", Flood::unacked);
        let slow = basic(
            |declare| {
                declare.tick_every(Duration::from_millis(50));
            },
            move |tuple, _| {
                counted.fetch_add(usize::from(tuple.is_tick()), Ordering::Relaxed);
                compute(Duration::from_micros(20));
                Ok(())
            },
        );
        builder.bolt("slow", slow).shuffle("flood");
    });
    let end = Clock::system().now() + SECOND;
    assert!(running.wait_until(DEADLINE, |_| Clock::system().now() > end));
    let ticks = ticks.load(Ordering::Relaxed);
    assert!((10..=20).contains(&ticks), "{ticks} ticks in a second");
    assert!(full(&running.stats(), "flood") > 0);
}

#[test]
fn a_cycle_with_full_queues_does_not_stand_still() {
    const MESSAGES: i64 = 2_000;
    const ROUNDS: i64 = 10;
    for threads in [1, 2] {
        let (feed, record) = (Feed::new(number), Record::default());
        let (_cluster, running) = run(|builder| {
            builder
                .conf("topology.worker.threads", threads)
                .conf("topology.enable.message.timeouts", false)
                .conf("topology.executor.receive.buffer.size", 64);
            builder.spout("feed", feed.spout());
            // A number goes round until it is above all messages ten times.
            let round = basic(
                |declare| {
                    declare.output(["n"]).output_to("done", ["n"]);
                },
                |tuple, out| {
                    let next = tuple.i64(0)? + MESSAGES;
                    match next / MESSAGES {
                        ROUNDS.. => out.emit_to("done", [next % MESSAGES]),
                        _ => out.emit([next]),
                    }
                    Ok(())
                },
            );
            builder.bolt("round", round).parallelism(2).shuffle("feed").shuffle("back");
            builder.bolt("back", pass()).parallelism(2).shuffle("round");
            builder.bolt("record", record.bolt()).shuffle(("round", "done"));
        });
        feed.send_all(0..MESSAGES);
        let all = |stats: &TopologyStats| stats.acked("feed") == MESSAGES as u64;
        assert!(running.wait_until(DEADLINE, all), "{:#?}", running.stats());
        assert_eq!(record.numbers(), (0..MESSAGES).collect::<Vec<_>>());
        assert_eq!(running.stats().executed("round"), (MESSAGES * ROUNDS) as u64);
        assert!(running.drain(DEADLINE));
    }
}

#[test]
fn a_load_that_stops_is_worked_off() {
    struct Switched {
        on: Arc<AtomicBool>,
        emitted: Arc<AtomicU64>,
    }
    impl Spout for Switched {
        fn declare(&self, declare: &mut Declarer) {
            number(declare);
        }
        fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
            if !self.on.load(Ordering::Relaxed) {
                return Ok(Next::Idle);
            }
            let number = self.emitted.fetch_add(1, Ordering::Relaxed) as i64;
            out.emit_with_id([number], number);
            Ok(Next::Emitted)
        }
    }
    let (on, emitted) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let (switch, count) = (on.clone(), emitted.clone());
    let (_cluster, running) = run(|builder| {
        builder.conf("topology.worker.threads", 2).conf("topology.enable.message.timeouts", false);
        builder.spout("switched", move || Switched { on: switch.clone(), emitted: count.clone() });
        let slow = basic(nothing, |_, _| {
            compute(Duration::from_micros(10));
            Ok(())
        });
        builder.bolt("slow", slow).shuffle("switched");
    });
    assert!(running.wait_until(DEADLINE, |stats| stats.executed("slow") > 5_000));
    on.store(false, Ordering::Relaxed);
    let stopped: Time = Clock::system().now();
    assert!(running.wait_until(DEADLINE, |stats| stats.pending() == 0));
    let took = Clock::system().now().since(stopped);
    assert!(took < SECOND, "{took:?} for at most a thousand tuples of 10 us");
    assert_eq!(running.stats().acked("switched"), emitted.load(Ordering::Relaxed));
}
