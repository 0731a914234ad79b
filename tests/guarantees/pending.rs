//! How many messages a spout may have open, and who hears of them.

use super::*;

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
