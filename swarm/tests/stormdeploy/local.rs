//! `up`, `status` and `down` with the fake daemon.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use serde_json::Value;

use crate::fake::{install, workers};
use crate::support::{Outcome, Place, outcome, read_json, runs, until};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A place with a fake daemon; whatever still runs is taken down when the test ends.
struct Cluster(Place);

impl Cluster {
    fn new(mode: &str) -> Self {
        let place = Place::new();
        install(&place, VERSION, mode);
        Self(place)
    }

    fn daemon(&self) -> u64 {
        read_json(&self.0.state().join("daemon.json"))["pid"].as_u64().expect("a number")
    }

    fn kill_daemon(&self) {
        let pid = self.daemon();
        let killed = Command::new("kill").args(["-9", &pid.to_string()]).status();
        assert!(killed.expect("there is kill").success());
        until("the end of the daemon", || !runs(pid));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.0.command(&["down", "--timeout", "20s"]).output();
    }
}

#[track_caller]
fn check_error(outcome: &Outcome, error: &str, hint: &str) {
    let (told, advice) = outcome.error();
    assert!(told.contains(error), "{told}\nhas not: {error}");
    assert!(advice.contains(hint), "{advice}\nhas not: {hint}");
    assert_eq!(outcome.code, Some(1));
}

#[test]
fn up_starts_a_cluster_waits_for_its_parts_and_says_what_comes_next() {
    let cluster = Cluster::new("good");
    let up = cluster.0.up(&["--supervisors", "3"]);
    assert_eq!(up.code, Some(0), "{}", up.stderr);
    for k in 0..3 {
        assert!(up.stdout.contains(&format!("supervisor-{k}  ready")), "{}", up.stdout);
    }
    let first_slot = cluster.0.port + 20;
    assert!(up.stdout.contains(&format!("{}-{}", first_slot, first_slot + 3)), "{}", up.stdout);
    for told in ["daemon", "nimbus", "supervisor 2", "next:\n  stormdeploy submit"] {
        assert!(up.stderr.contains(told), "{}", up.stderr);
    }
    let wanted = read_json(&cluster.0.state().join("wanted.json"));
    assert_eq!((&wanted["supervisors"], &wanted["slots"]), (&Value::from(3), &Value::from(4)));
}

#[test]
fn a_second_up_changes_nothing_or_the_number_of_supervisors() {
    let cluster = Cluster::new("good");
    let first = cluster.0.up(&["--supervisors", "3", "--json"]).json();
    assert_eq!(first["started"], true);
    let same = cluster.0.run(&["up", "--json"]).json();
    assert_eq!((&same["started"], &same["pid"]), (&Value::from(false), &first["pid"]));
    assert_eq!(same["supervisors"].as_array().unwrap().len(), 3);
    for many in [5, 2] {
        let scaled = cluster.0.run(&["up", "--supervisors", &many.to_string(), "--json"]).json();
        assert_eq!(scaled["supervisors"].as_array().unwrap().len(), many);
        assert_eq!(scaled["pid"], first["pid"]);
    }
    check_error(
        &cluster.0.run(&["up", "--slots", "8"]),
        "the cluster that runs has slots per supervisor: 4, not 8",
        "stormdeploy down, then stormdeploy up",
    );
}

#[test]
fn down_ends_the_daemon_and_its_workers_and_may_be_repeated() {
    let cluster = Cluster::new("good");
    cluster.0.up(&[]);
    let daemon = cluster.daemon();
    assert_eq!(workers(&cluster.0.state()).len(), 2);
    let down = cluster.0.run(&["down"]);
    assert_eq!(down.code, Some(0), "{}", down.stderr);
    assert!(down.stdout.contains(&format!("daemon (pid {daemon}): ended")), "{}", down.stdout);
    assert!(!runs(daemon));
    assert_eq!(workers(&cluster.0.state()), [0; 0]);
    let again = cluster.0.run(&["down"]);
    assert_eq!(again.code, Some(0));
    assert!(again.stdout.starts_with("nothing runs in "), "{}", again.stdout);
    assert!(cluster.0.state().join("wanted.json").exists(), "the state is kept");
    assert_eq!(cluster.0.run(&["down", "--purge"]).code, Some(0));
    assert!(!cluster.0.state().exists());
    assert_eq!(cluster.0.run(&["down", "--purge"]).code, Some(0));
}

#[test]
fn up_adopts_what_survived_the_killing_of_the_daemon() {
    let cluster = Cluster::new("good");
    cluster.0.up(&["--supervisors", "2"]);
    let survivors = workers(&cluster.0.state());
    assert_eq!(survivors.len(), 2);
    cluster.kill_daemon();
    let status = cluster.0.run(&["status"]);
    assert!(status.stderr.contains("2 workers still run"), "{}", status.stderr);
    check_error(&status, "does not run: its daemon (pid ", "stormdeploy up starts it again");
    let up = cluster.0.run(&["up", "--json"]);
    assert_eq!(up.json()["supervisors"].as_array().unwrap().len(), 2);
    assert!(up.stderr.contains("adopting 2 workers"), "{}", up.stderr);
    assert_eq!(workers(&cluster.0.state()), survivors);
}

#[test]
fn down_finds_workers_whose_daemon_is_gone() {
    let cluster = Cluster::new("good");
    cluster.0.up(&[]);
    cluster.kill_daemon();
    assert_eq!(workers(&cluster.0.state()).len(), 2);
    let down = cluster.0.run(&["down", "--json"]).json();
    assert_eq!(down["daemon"], Value::Null);
    assert_eq!(down["workers"].as_array().unwrap().len(), 2);
    assert_eq!(workers(&cluster.0.state()), [0; 0]);
}

#[test]
fn a_daemon_that_is_deaf_is_killed() {
    let cluster = Cluster::new("deaf");
    cluster.0.up(&[]);
    let daemon = cluster.daemon();
    let down = cluster.0.run(&["down", "--json", "--timeout", "3s"]).json();
    assert_eq!(down["daemon"]["ended"], "killed");
    assert!(!runs(daemon));
    assert_eq!(workers(&cluster.0.state()), [0; 0]);
}

#[test]
fn a_stale_daemon_file_that_names_somebody_else_harms_nobody() {
    let cluster = Cluster::new("good");
    cluster.0.up(&[]);
    cluster.0.run(&["down"]);
    let mut bystander = Command::new("sleep").arg("60").spawn().expect("there is sleep");
    let stale = format!(
        r#"{{"pid":{},"start_time":1,"version":"{VERSION}","nimbus_port":1}}"#,
        bystander.id()
    );
    fs::write(cluster.0.state().join("daemon.json"), stale).unwrap();
    assert_eq!(cluster.0.run(&["down"]).code, Some(0));
    assert!(runs(bystander.id().into()));
    assert_eq!(cluster.0.run(&["up"]).code, Some(0));
    bystander.kill().and_then(|()| bystander.wait()).expect("it is our child");
}

#[test]
fn a_port_in_use_is_named_with_the_process_and_the_option_that_moves_it() {
    let cluster = Cluster::new("good");
    let taken = TcpListener::bind(("127.0.0.1", cluster.0.port + 2)).expect("it was free");
    let up = cluster.0.up(&["--supervisors", "3"]);
    let port = cluster.0.port + 2;
    check_error(
        &up,
        &format!("cannot start the cluster: port {port} for supervisor 1 is in use by "),
        "--supervisor-port PORT",
    );
    assert!(up.stderr.contains(&format!("(pid {})", std::process::id())), "{}", up.stderr);
    assert!(!cluster.0.state().join("wanted.json").exists(), "nothing was written");
    drop(taken);
    assert_eq!(cluster.0.up(&["--supervisors", "3"]).code, Some(0));
}

#[test]
fn a_daemon_that_dies_while_it_starts_shows_the_end_of_its_log() {
    let cluster = Cluster::new("dies");
    let up = cluster.0.up(&[]);
    check_error(&up, "the daemon ended with exit code 3, see ", "stormdeploy logs daemon");
    assert!(up.stderr.contains("  cannot open the store: it is broken\n"), "{}", up.stderr);
}

#[test]
fn what_does_not_get_ready_in_time_is_named() {
    let cluster = Cluster::new("half");
    let up = cluster.0.up(&["--supervisors", "2", "--timeout", "2s"]);
    check_error(&up, "supervisor 1 did not get ready within 2 s", "stormdeploy logs --all");
}

#[test]
fn two_ups_at_once_are_refused() {
    let cluster = Cluster::new("good");
    fs::create_dir_all(cluster.0.state()).unwrap();
    let lock = fs::File::create(cluster.0.state().join("up.lock")).unwrap();
    lock.lock().expect("nobody else has it");
    fs::write(cluster.0.state().join("up.lock"), "4711\n").unwrap();
    let error = "another stormdeploy (pid 4711) is changing the cluster in";
    check_error(&cluster.0.up(&[]), error, "wait until it is done");
    drop(lock);
    assert_eq!(cluster.0.up(&[]).code, Some(0));
}

#[test]
fn another_version_is_refused() {
    let place = Place::new();
    install(&place, "9.9.9", "good");
    check_error(&place.up(&[]), "is version 9.9.9, but this program is version", "one version");
    fs::remove_file(place.path("bin/stormd")).unwrap();
    check_error(&place.up(&[]), "cannot find the daemon's program stormd", "cargo build");
}

#[test]
fn a_state_directory_of_another_format_is_left_alone() {
    let cluster = Cluster::new("good");
    let file = cluster.0.write("state/wanted.json", r#"{"format":2,"version":"7.1.0"}"#);
    let error = "is of format 2, written by version 7.1.0; this program knows format 1";
    check_error(&cluster.0.up(&[]), error, "stormdeploy down --purge");
    assert!(fs::read_to_string(file).unwrap().contains("7.1.0"));
}

#[test]
fn a_directory_that_is_not_a_state_directory_is_left_alone() {
    let cluster = Cluster::new("good");
    let file = cluster.0.write("state/thesis.tex", "chapter 1");
    check_error(&cluster.0.up(&[]), "is not a state directory", "--state DIR");
    check_error(&cluster.0.run(&["down", "--purge"]), "is not a state directory", "--state DIR");
    assert!(file.exists());
}

#[test]
fn a_disk_without_space_is_told_before_anything_is_written() {
    let cluster = Cluster::new("good");
    let disk = cluster.0.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = format!("mount -t tmpfs -o size=1m none '{}'", disk.display());
    let namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command
    };
    if !namespace(&mount).output().is_ok_and(|output| output.status.success()) {
        println!("skipped: this machine does not let users mount a file system of their own");
        return;
    }
    let [nimbus, supervisor, slot] = cluster.0.port_options();
    let program = cluster.0.path("bin/stormdeploy");
    let script = format!(
        "{mount} && exec '{}' --state '{}' up {nimbus} {supervisor} {slot}",
        program.display(),
        disk.join("state").display()
    );
    let mut command = namespace(&script);
    command.env("HOME", cluster.0.path("home"));
    check_error(&outcome(&mut command), "MiB are free, 64 MiB are needed", "free some space");
}

#[test]
fn status_tells_the_parts_and_nothing_runs_is_a_failure() {
    let cluster = Cluster::new("good");
    check_error(&cluster.0.run(&["status"]), "nothing runs in", "stormdeploy up starts one");
    cluster.0.up(&["--supervisors", "2", "--slots", "2"]);
    let status = cluster.0.run(&["status", "--json"]).json();
    assert_eq!(status["local"]["supervisors"].as_array().unwrap().len(), 2);
    assert_eq!(status["topologies"][0]["name"], "wc");
    let status = cluster.0.run(&["status"]);
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    assert!(status.stdout.contains("supervisor-1  ready"), "{}", status.stdout);
    assert!(status.stdout.contains("wc        ACTIVE"), "{}", status.stdout);
}
