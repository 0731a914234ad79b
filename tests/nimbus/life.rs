//! A topology's life: submitted, scheduled, pushed, changed, ended; and Nimbus restarted in between.

use nimbus_client::thrift::*;
use serde_json::json;

use crate::bench::*;

#[test]
fn a_submission_is_scheduled_and_pushed_at_once_when_there_is_a_slot() {
    let bench = Bench::with(json!({"nimbus.monitor.freq.secs": 3600}));
    let supervisor = Supervisor::join(&bench, "a", 6700..6704);
    let mut client = bench.client();
    until("the supervisor is known", || {
        (client.get_cluster_info().expect("asked").supervisors.len() == 1).then_some(())
    });
    let id = submit(&mut client, "wc", json!({"topology.workers": 2}));
    let pushed = until("the assignment is pushed", || supervisor.assigned(&id));
    assert_eq!(ports(&pushed).len(), 2);
    let executors = pushed.executor_node_port.as_ref().expect("executors");
    assert_eq!(executors.len(), 2 + 2 + 2, "two of each component, two ackers");
    let asked = client.get_supervisor_assignments(supervisor.id.clone()).expect("asked");
    assert_eq!(asked.storm_assignment.expect("assignments")[&id], pushed);
    let stored = bench.state().assignment(&id.parse().expect("an id"), None).expect("read");
    assert_eq!(stored.expect("stored").value, pushed);
    let summary = client.get_topology_summary(id).expect("alive");
    assert_eq!((summary.num_workers, summary.num_executors, summary.num_tasks), (2, 6, 6));
    assert_eq!(summary.sched_status.as_deref(), Some("Fully scheduled on 2 workers"));
}

#[test]
fn a_supervisor_that_joins_gets_what_waits_for_a_slot() {
    let bench = Bench::with(json!({"nimbus.monitor.freq.secs": 3600}));
    let mut client = bench.client();
    let id = submit(&mut client, "wc", json!({}));
    let supervisor = until("the topology waits", || {
        let summary = client.get_topology_summary(id.clone()).expect("alive");
        let waits = summary.sched_status.is_some_and(|status| status.contains("no slot is free"));
        waits.then(|| Supervisor::join(&bench, "a", 6700..6701))
    });
    let pushed = until("the assignment is pushed", || supervisor.assigned(&id));
    assert_eq!(ports(&pushed).into_iter().collect::<Vec<_>>(), [6700]);
}

#[test]
fn a_kill_waits_and_then_removes_everything() {
    let bench = Bench::with(json!({"nimbus.topology.blobstore.deletion.delay.ms": 0}));
    let supervisor = Supervisor::join(&bench, "a", 6700..6701);
    let mut client = bench.client();
    let id = submit(&mut client, "wc", json!({"topology.message.timeout.secs": 1}));
    until("the assignment is pushed", || supervisor.assigned(&id));
    client.kill_topology("wc".to_owned()).expect("killed");
    let status = client.get_topology_summary(id.clone()).expect("still there").status;
    assert_eq!(status, "KILLED");
    check_refused(client.activate("wc".to_owned()), "TApplicationException", "KILLED");
    until("it is removed", || {
        client.get_topology_summaries().expect("asked").is_empty().then_some(())
    });
    until("the supervisor is told", || supervisor.assigned(&id).is_none().then_some(()));
    until("its blobs are gone", || {
        client.list_blobs(String::new()).expect("asked").keys.is_empty().then_some(())
    });
    let state = bench.state();
    let parsed = id.parse().expect("an id");
    assert!(state.topology(&parsed, None).expect("read").is_none());
    assert!(state.assignment(&parsed, None).expect("read").is_none());
    assert!(state.remains().expect("read").is_empty());
    let history = client.get_topology_history(String::new()).expect("asked");
    assert_eq!(history.topo_ids, Some(vec![id]));
    assert!(client.is_topology_name_allowed("wc".to_owned()).expect("asked"));
}

#[test]
fn a_kill_that_waits_survives_a_restart() {
    let mut bench = Bench::new();
    let id = submit(&mut bench.client(), "wc", json!({}));
    let options = KillOptions { wait_secs: Some(1) };
    bench.client().kill_topology_with_opts("wc".to_owned(), options).expect("killed");
    bench.stop();
    bench.start();
    let mut client = bench.client();
    until("it is removed", || {
        client.get_topology_summaries().expect("asked").is_empty().then_some(())
    });
    let history = client.get_topology_history(String::new()).expect("asked");
    assert_eq!(history.topo_ids, Some(vec![id]));
}

#[test]
fn a_rebalance_that_waits_survives_a_restart_and_changes_what_it_says() {
    let mut bench = Bench::new();
    let supervisor = Supervisor::join(&bench, "a", 6700..6704);
    let id = submit(&mut bench.client(), "wc", json!({"topology.workers": 1}));
    until("the assignment is pushed", || supervisor.assigned(&id));
    let options = RebalanceOptions {
        wait_secs: Some(1),
        num_workers: Some(3),
        num_executors: Some([("count".to_owned(), 1)].into()),
        topology_resources_overrides: None,
        topology_conf_overrides: Some(json!({"my.key": "new"}).to_string()),
        principal: None,
    };
    bench.client().rebalance("wc".to_owned(), options).expect("begun");
    let status = bench.client().get_topology_summary(id.clone()).expect("alive").status;
    assert_eq!(status, "REBALANCING");
    bench.stop();
    bench.start();
    let mut client = bench.client();
    until("it is active on three workers", || {
        let summary = client.get_topology_summary(id.clone()).expect("alive");
        (summary.status == "ACTIVE" && summary.num_workers == 3).then_some(())
    });
    let info = client.get_topology_info(id.clone()).expect("alive");
    let counts = info.executors.iter().filter(|one| one.component_id == "count").count();
    assert_eq!(counts, 1);
    let conf = client.get_topology_conf(id.clone()).expect("alive");
    assert!(conf.contains(r#""my.key":"new""#), "{conf}");
    until("the new slots are pushed", || {
        supervisor.assigned(&id).filter(|assigned| ports(assigned).len() == 3)
    });
}

#[test]
fn what_runs_stays_where_it_is_when_nimbus_is_restarted() {
    let mut bench = Bench::new();
    let supervisor = Supervisor::join(&bench, "a", 6700..6704);
    let id = submit(&mut bench.client(), "wc", json!({"topology.workers": 2}));
    let before = until("the assignment is pushed", || supervisor.assigned(&id));
    bench.client().deactivate("wc".to_owned()).expect("deactivated");
    bench.stop();
    bench.start();
    let mut client = bench.client();
    assert_eq!(client.get_topology_summary(id.clone()).expect("alive").status, "INACTIVE");
    let after = client.get_supervisor_assignments(supervisor.id.clone()).expect("asked");
    assert_eq!(after.storm_assignment.expect("assignments")[&id], before);
    client.activate("wc".to_owned()).expect("activated");
    assert_eq!(client.get_topology_summary(id).expect("alive").status, "ACTIVE");
}

#[test]
fn a_silent_worker_is_moved_and_a_heard_one_stays() {
    let bench = Bench::with(json!({"nimbus.task.timeout.secs": 2, "nimbus.task.launch.secs": 2}));
    let mut supervisor = Supervisor::join(&bench, "a", 6700..6704);
    let mut client = bench.client();
    let id = submit(&mut client, "wc", json!({"topology.workers": 2}));
    let before = until("the assignment is pushed", || supervisor.assigned(&id));
    let kept = *ports(&before).first().expect("a slot");
    let executors: Vec<ExecutorInfo> = before
        .executor_node_port
        .iter()
        .flatten()
        .filter(|(_, node)| node.port.contains(&kept))
        .map(|(range, _)| ExecutorInfo::new(range[0] as i32, range[1] as i32))
        .collect();
    let after = until("the silent worker is moved", || {
        let heartbeat = SupervisorWorkerHeartbeat::new(id.clone(), executors.clone(), 1);
        let all = SupervisorWorkerHeartbeats::new(supervisor.id.clone(), vec![heartbeat]);
        client.send_supervisor_worker_heartbeats(all).expect("taken");
        supervisor.beat();
        supervisor.assigned(&id).filter(|assigned| ports(assigned) != ports(&before))
    });
    assert!(ports(&after).contains(&kept), "{:?} -> {:?}", ports(&before), ports(&after));
}

#[test]
fn nothing_moves_when_the_only_supervisor_is_gone() {
    let bench = Bench::with(json!({"nimbus.task.timeout.secs": 1, "nimbus.task.launch.secs": 1}));
    let supervisor = Supervisor::join(&bench, "a", 6700..6704);
    let mut client = bench.client();
    let id = submit(&mut client, "wc", json!({}));
    let before = until("the assignment is pushed", || supervisor.assigned(&id));
    supervisor.leave();
    until("the supervisor is gone", || {
        client.get_cluster_info().expect("asked").supervisors.is_empty().then_some(())
    });
    let stored = bench.state().assignment(&id.parse().expect("an id"), None).expect("read");
    assert_eq!(stored.expect("stored").value, before);
}

#[test]
fn of_two_submissions_of_one_name_one_is_refused() {
    let bench = Bench::new();
    let submitting: Vec<_> = (0..4)
        .map(|_| {
            let mut client = bench.client();
            std::thread::spawn(move || {
                client.submit_topology("wc".into(), String::new(), "{}".into(), topology(1)).is_ok()
            })
        })
        .collect();
    let taken = submitting.into_iter().map(|one| one.join().expect("no panic"));
    assert_eq!(taken.filter(|taken| *taken).count(), 1);
    let again =
        bench.client().submit_topology("wc".into(), String::new(), "{}".into(), topology(1));
    check_refused(again, "AlreadyAliveException", "wc is already alive");
}

#[test]
fn event_loggers_and_metrics_consumers_have_their_tasks() {
    let bench = Bench::new();
    let mut client = bench.client();
    let consumer = json!([{"class": "a.Log", "parallelism.hint": 2}]);
    let conf = json!({
        "topology.eventlogger.executors": 1, "topology.metrics.consumer.register": consumer,
    });
    let id = submit(&mut client, "words", conf);
    let bolts = client.get_topology(id).expect("it is there").bolts;
    let executors = |bolt: &str| bolts[bolt].common.parallelism_hint;
    assert_eq!((executors("__eventlogger"), executors("__metrics_a.Log")), (Some(1), Some(2)));
}
