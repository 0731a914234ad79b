//! The daemons from the outside: the real `stormd`, real worker processes, Thrift and signals.
//!
//! Each test has a cluster in a folder of its own; whatever happens, nothing of it is left running.

mod blobs;
mod child;
mod cluster;
mod shell;
#[cfg(feature = "zookeeper")]
#[path = "../support"]
mod support {
    pub mod zookeeper;
}
mod topology;
#[cfg(feature = "zookeeper")]
mod zookeeper;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

use nimbus_client::client::NimbusMethods;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use storm_runtime::process::ProcessId;

use cluster::{Cluster, archive};

fn kill(process: ProcessId) {
    let pid = Pid::from_raw(process.pid as i32).expect("a pid");
    kill_process(pid, Signal::KILL).expect("it can be killed");
}

/// Waits until a topology has that many workers, all known to their supervisors.
#[track_caller]
fn running(cluster: &Cluster, id: &str, count: usize) -> Vec<ProcessId> {
    cluster.eventually("all workers run", || {
        let workers = cluster.workers(id);
        (workers.len() == count).then_some(workers)
    })
}

#[test]
fn a_topology_runs_on_two_supervisors_and_a_killed_worker_is_started_again() {
    let cluster = Cluster::start(2);
    let id = cluster.submit("words", 2, &archive("", |_| {}));
    let before = running(&cluster, &id, 2);
    cluster.eventually("each supervisor has one worker", || {
        (cluster.used().iter().map(Vec::len).collect::<Vec<_>>() == [1, 1]).then_some(())
    });
    kill(before[0]);
    let after = cluster.eventually("another worker runs in its place", || {
        let workers = cluster.workers(&id);
        (workers.len() == 2 && !workers.contains(&before[0])).then_some(workers)
    });
    assert!(after.contains(&before[1]), "the other worker goes on");
    let error =
        cluster.eventually("the end is told as an error of the topology", || cluster.error(&id));
    assert!(error.contains("was ended by signal 9"), "{error}");
}

#[test]
fn no_number_is_lost_when_every_worker_and_the_daemon_are_killed() {
    const COUNT: usize = 1_500;
    let mut cluster = Cluster::start(2);
    let file = cluster.path().join("numbers");
    let path = file.to_string_lossy().into_owned();
    let id = cluster.submit_numbers(&["--count", &COUNT.to_string(), "--file", &path]);
    let written = || -> BTreeSet<String> {
        let text = fs::read_to_string(&file).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    let grown = |cluster: &Cluster, by: usize| {
        let before = written().len();
        let goal = COUNT.min(before + by);
        cluster.eventually("numbers arrive", || (written().len() >= goal).then_some(()));
    };
    grown(&cluster, 50);
    for turn in 0..2 {
        kill(running(&cluster, &id, 2)[turn]);
        grown(&cluster, 50);
    }
    cluster.kill_daemon();
    grown(&cluster, 50);
    cluster.start_daemon();
    cluster.eventually("all numbers arrive", || (written().len() == COUNT).then_some(()));
}

#[test]
fn sampled_emissions_are_lines_of_the_event_log_and_the_event_logger_has_its_tasks() {
    let cluster = Cluster::start(1);
    let file = cluster.path().join("numbers");
    let path = file.to_string_lossy().into_owned();
    let conf = json!({"topology.eventlogger.executors": 2});
    let id = cluster.submit_numbers_with(&["--count", "1000000", "--file", &path], conf);
    running(&cluster, &id, 2);
    let lines = || -> Vec<String> {
        let artifacts = cluster.path().join("logs/workers-artifacts").join(&id);
        let ports = fs::read_dir(artifacts).into_iter().flatten().flatten();
        let text = |port: fs::DirEntry| fs::read_to_string(port.path().join("events.log"));
        let texts: Vec<String> = ports.filter_map(|port| text(port).ok()).collect();
        texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
    };
    cluster.eventually("numbers arrive", || fs::metadata(&file).is_ok().then_some(()));
    assert!(lines().is_empty(), "nothing is sampled unasked");
    let debug = |enable| {
        let call = cluster
            .nimbus()
            .call(|nimbus| nimbus.debug("numbers".to_owned(), String::new(), enable, 100.0.into()));
        call.expect("it is switched");
    };
    debug(true);
    let line = cluster.eventually("emissions are written", || lines().into_iter().next());
    let fields: Vec<&str> = line.splitn(5, ',').collect();
    // Tasks 1 and 2 are the ackers, 3 and 4 the event loggers.
    assert_eq!((fields[1], fields[2]), ("numbers", "5"), "{line}");
    assert_eq!(fields[4], format!("[{}]", fields[3]), "the number is its own id: {line}");
    let info = cluster.nimbus().call(|nimbus| nimbus.get_topology_info(id.clone()));
    let executors = info.expect("it is there").executors;
    let loggers = executors.iter().filter(|one| one.component_id == "__eventlogger");
    assert_eq!(loggers.count(), 2);
    debug(false);
    cluster.eventually("nothing more is written", || {
        let before = lines().len();
        let written = fs::read_to_string(&file).expect("it is there").lines().count();
        cluster.eventually("numbers go on", || {
            let now = fs::read_to_string(&file).expect("it is there").lines().count();
            (now > written + 20).then_some(())
        });
        (lines().len() == before).then_some(())
    });
}

#[test]
fn workers_outlive_a_killed_daemon_and_the_next_one_adopts_them() {
    let mut cluster = Cluster::start(2);
    let id = cluster.submit("words", 2, &archive("", |_| {}));
    let before = running(&cluster, &id, 2);
    cluster.kill_daemon();
    assert_eq!(cluster.workers(&id), before, "they go on without it");
    cluster.start_daemon();
    cluster.eventually("both are adopted", || {
        (cluster.used().iter().map(Vec::len).sum::<usize>() == 2).then_some(())
    });
    // The one that is adopted is watched as the one that was launched.
    kill(before[1]);
    cluster.eventually("another worker runs in its place", || {
        let workers = cluster.workers(&id);
        (workers.len() == 2 && workers.contains(&before[0]) && !workers.contains(&before[1]))
            .then_some(())
    });
}

#[test]
fn a_daemon_that_is_killed_at_any_step_of_a_launch_ends_up_with_one_worker() {
    let mut cluster = Cluster::start(1);
    let archive = archive("", |_| {});
    for step in ["supervisor/tmp", "supervisor/stormdist", "workers"] {
        let name = step.replace('/', "-");
        let id = cluster.submit(&name, 1, &archive);
        let folder = cluster.path().join("supervisor-0").join(step);
        // As far as this, or a little further.
        cluster.eventually("it has come that far", || {
            let mut entries = fs::read_dir(&folder).ok()?;
            entries.next().is_some().then_some(())
        });
        cluster.kill_daemon();
        cluster.start_daemon();
        cluster.eventually("its slot is used", || (cluster.used()[0].len() == 1).then_some(()));
        let workers = running(&cluster, &id, 1);
        cluster.kill_daemon();
        assert_eq!(cluster.workers(&id), workers);
        cluster.start_daemon();
        cluster.nimbus().kill(&name, Some(0)).expect("it is killed");
        cluster.eventually("its worker is gone", || cluster.workers(&id).is_empty().then_some(()));
        cluster.eventually("its slot is free", || cluster.used()[0].is_empty().then_some(()));
    }
}

#[test]
fn a_killed_topology_leaves_neither_processes_nor_files() {
    let cluster = Cluster::start(1);
    let id = cluster.submit("words", 1, &archive("", |_| {}));
    running(&cluster, &id, 1);
    cluster.nimbus().kill("words", Some(0)).expect("it is killed");
    cluster.eventually("its worker is gone", || cluster.workers(&id).is_empty().then_some(()));
    let files = cluster.path().join("supervisor-0/supervisor/stormdist").join(&id);
    cluster.eventually("its files are gone", || (!files.exists()).then_some(()));
    cluster.eventually("its slot is free", || cluster.used()[0].is_empty().then_some(()));
}

#[test]
fn a_worker_that_dies_at_its_start_is_told_with_its_last_words() {
    let cluster = Cluster::start(1);
    let id = cluster.submit("words", 1, &archive("crash", |_| {}));
    let error = cluster.eventually("an error of the topology is told", || cluster.error(&id));
    assert!(error.contains("ended with exit code 3"), "{error}");
    assert!(error.contains("there is no table of words"), "{error}");
}

#[test]
fn a_binary_for_another_machine_is_refused_by_the_names_of_both() {
    const MACHINE_AT: usize = 18;
    let other = if cfg!(target_arch = "aarch64") { 62_u16 } else { 183 };
    let cluster = Cluster::start(1);
    let foreign = archive("", |binary| {
        binary[MACHINE_AT..MACHINE_AT + 2].copy_from_slice(&other.to_ne_bytes());
    });
    let error = cluster.try_submit("words", 1, &foreign).expect_err("it cannot run here");
    assert!(error.to_string().contains("topology was built for "), "{error}");
    assert!(cluster.nimbus().topology("words").expect("it can be asked for").is_none());
}

#[test]
fn a_cluster_that_is_stopped_with_its_workers_leaves_none_and_starts_them_again() {
    let mut cluster = Cluster::start(1);
    let id = cluster.submit("words", 1, &archive("", |_| {}));
    running(&cluster, &id, 1);
    cluster.stop();
    assert!(cluster.workers(&id).is_empty());
    assert!(!cluster.path().join("daemon.json").exists());
    cluster.start_daemon();
    running(&cluster, &id, 1);
}

#[test]
fn supervisors_are_added_and_taken_away_while_the_cluster_runs() {
    let cluster = Cluster::start(1);
    for count in [3, 1] {
        let answer = cluster.ask(&json!({"do": "scale", "supervisors": count}));
        assert_eq!(answer["ok"], true, "{answer}");
        cluster.eventually("Nimbus knows them", || {
            let known = cluster.nimbus().cluster().expect("it answers").supervisors;
            (known.len() == count).then_some(())
        });
    }
    let kept = fs::read_to_string(cluster.path().join("wanted.json")).expect("it is kept");
    assert!(kept.contains("\"supervisors\": 1"), "{kept}");
}

#[test]
fn a_second_daemon_and_a_port_in_use_are_refused_with_what_to_do() {
    let cluster = Cluster::start(1);
    let refused = cluster.refused();
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.starts_with("stormd: another daemon runs the cluster in "), "{told}");
    assert!(told.contains("\nhint: "), "{told}");
    drop(cluster);

    let cluster = Cluster::prepare(1);
    let _holder = TcpListener::bind(("127.0.0.1", cluster.nimbus_port)).expect("it is free");
    let refused = cluster.refused();
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    let by = format!(
        "port {}, wanted for Nimbus, is in use by process {}",
        cluster.nimbus_port,
        std::process::id()
    );
    assert!(told.contains(&by), "{told}");
}
