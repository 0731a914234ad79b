//! Panics of spouts, and what their successors are told.

use super::*;

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
