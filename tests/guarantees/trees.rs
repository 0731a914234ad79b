//! Tuple trees: what acks, fails and timeouts come to.

use super::*;

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
fn the_time_from_execute_to_ack_is_told_of_tuples_that_a_bolt_keeps() {
    let (feed, hold) = (Feed::new(number), Hold::new(nothing));
    let run = check(|builder| {
        builder.spout("feed", feed.spout());
        builder.bolt("hold", hold.bolt()).shuffle("feed");
        let ack = owned(nothing, |tuple, out| {
            out.ack(tuple);
            Ok(())
        });
        builder.bolt("at once", ack).shuffle("feed");
        builder.bolt("never", owned(nothing, |_tuple, _| Ok(()))).shuffle("feed");
    });
    let waiting = |component: &str| {
        let stats = run.stats();
        let mut executors = stats.component(component);
        let executor = executors.next().expect("it has one executor");
        let input = executor.inputs[&("feed".into(), "default".into())];
        (input.acked, input.waited, input.waiting, executor.processing(&input))
    };
    feed.send_all(0..3);
    run.settle();
    run.advance(20 * MILLISECOND);
    hold.ack();
    run.settle();
    run.advance(10 * MILLISECOND);
    hold.ack();
    hold.fail();
    run.settle();
    assert_eq!(waiting("hold"), (2, 2, 50 * MILLISECOND, 50 * MILLISECOND));
    assert_eq!(waiting("at once"), (3, 0, Duration::ZERO, Duration::ZERO));
    assert_eq!(waiting("never"), (0, 0, Duration::ZERO, Duration::ZERO));
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
