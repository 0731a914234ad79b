//! Deactivating, killing, and what a topology tells of itself.

use super::*;

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
