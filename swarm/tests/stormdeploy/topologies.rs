//! `list`, `kill`, `rebalance`, `submit`, `monitor`, `errors` and `status` against a Nimbus that
//! answers from a list.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::nimbus::Nimbus;
use crate::support::{Outcome, Place};

/// A spout without streams.
const SPOUT: &str = "DQABCwwAAAABAAAABWxpbmVzDAABDAADCwABAAAABWxpbmVzDwACDAAAAAAAAAwAAg0AAQwMAAAAAA0AAgsMAAAAAAAADQACCwwAAAAADQADCwwAAAAAAA==";

fn run(nimbus: &Nimbus, args: &[&str]) -> Outcome {
    let option = nimbus.option();
    let mut all = vec![option.as_str()];
    all.extend(args);
    Place::new().run(&all)
}

#[track_caller]
fn check_error(outcome: &Outcome, error: &str, hint: &str) {
    let (told, advice) = outcome.error();
    assert!(told.contains(error), "{told}\nhas not: {error}");
    assert!(advice.contains(hint), "{advice}\nhas not: {hint}");
    assert_eq!(outcome.code, Some(1));
}

/// A binary that describes this document; `None`, told as skipped, where it was not built.
fn binary(place: &Place, document: &Value) -> Option<String> {
    let built = Path::new(env!("CARGO_BIN_EXE_stormdeploy")).with_file_name("examples/described");
    let path = place.path("topology");
    if fs::copy(&built, &path).is_err() {
        println!("skipped: {} is not built: cargo build -p swarm --examples", built.display());
        return None;
    }
    place.write("topology.json", &document.to_string());
    Some(path.to_str().expect("it is text").to_owned())
}

fn description() -> Value {
    json!({"format": 1, "name": "orders", "conf": {"topology.debug": true}, "unregistered": [],
           "topology_thrift_base64": SPOUT, "target": "x86_64-linux-gnu", "runtime": "0.1.0"})
}

#[test]
fn topologies_are_listed() {
    let nimbus = Nimbus::start(&["orders", "word-count"]);
    let list = run(&nimbus, &["list"]);
    assert_eq!(list.code, Some(0), "{}", list.stderr);
    let lines: Vec<Vec<&str>> =
        list.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..3], ["topology", "status", "tasks"]);
    assert_eq!(lines[1][..5], ["orders", "ACTIVE", "4", "2", "1"]);
    assert_eq!(lines[2].last(), Some(&"ada"));
    let list = run(&nimbus, &["list", "--json"]).json();
    assert_eq!(list[1]["id"], "word-count-1-1700000000");
    let none = run(&Nimbus::start(&[]), &["list"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
}

#[test]
fn each_action_reaches_nimbus_once() {
    let nimbus = Nimbus::start(&["wc"]);
    for args in [
        &["deactivate", "wc"][..],
        &["activate", "wc"],
        &["rebalance", "wc", "-w", "0", "-n", "3", "-e", "split=4"],
        &["debug", "wc", "split", "--percent", "10"],
        &["kill", "wc", "-w", "0", "--until-gone"],
    ] {
        let done = run(&nimbus, args);
        assert_eq!(done.code, Some(0), "{args:?}: {}", done.stderr);
    }
    let told = nimbus.known().told.clone();
    let expected =
        ["deactivate wc", "activate wc", "rebalance wc", "debug wc", "killTopologyWithOpts wc"];
    assert_eq!(told, expected);
    let hint = "stormdeploy list shows the topologies that run";
    for command in ["kill", "activate", "deactivate", "rebalance", "errors", "monitor"] {
        check_error(&run(&nimbus, &[command, "wc"]), "wc is not alive", hint);
    }
}

#[test]
fn a_rebalance_that_is_no_json_is_refused_before_anything_is_called() {
    let nimbus = Nimbus::start(&["wc"]);
    let refused = run(&nimbus, &["rebalance", "wc", "-t", "{"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.error().0.starts_with("--topology-conf: "), "{}", refused.stderr);
    let refused = run(&nimbus, &["rebalance", "wc", "-e", "split"]);
    assert_eq!(refused.code, Some(2));
    assert!(nimbus.known().told.is_empty());
}

#[test]
fn a_topology_is_described_uploaded_and_submitted() {
    let (nimbus, place) = (Nimbus::start(&[]), Place::new());
    let Some(binary) = binary(&place, &description()) else { return };
    let option = nimbus.option();
    place.write("scripts/split.py", "print()");
    let scripts = place.path("scripts").to_string_lossy().into_owned();
    let args = [
        "submit",
        &option,
        &binary,
        "--resources",
        &scripts,
        "--workers",
        "3",
        "-c",
        "topology.tasks=5",
        "--json",
        "--",
        "orders",
        "--region",
        "eu",
    ];
    let submitted = place.run(&args);
    assert_eq!(
        submitted.json(),
        json!({"name": "orders", "id": "orders-1-1700000000", "running": true, "executors": 2})
    );
    assert!(submitted.stderr.contains("stormdeploy monitor orders"), "{}", submitted.stderr);
    let known = nimbus.known();
    assert_eq!(known.told.last().unwrap(), "submitTopologyWithOpts orders");
    assert!(known.uploaded.starts_with(b"PK"), "an archive was uploaded");
    let names = String::from_utf8_lossy(&known.uploaded);
    assert!(names.contains("resources/split.py"), "with the author's files");
    let call = String::from_utf8_lossy(&known.submitted).into_owned();
    let conf = r#""topology.debug":true,"topology.tasks":5,"topology.workers":3}"#;
    assert!(call.contains(conf) && call.contains("/inbox/stormjar-1.jar"), "{call}");
}

#[test]
fn a_metrics_consumer_that_cannot_run_is_told_when_it_is_submitted() {
    let (nimbus, place) = (Nimbus::start(&[]), Place::new());
    let mut description = description();
    let consumers = json!([{"class": "org.example.Consumer"}]);
    description["conf"]["topology.metrics.consumer.register"] = consumers;
    let Some(binary) = binary(&place, &description) else { return };
    let submitted = place.run(&["submit", &nimbus.option(), &binary, "--", "orders"]);
    assert_eq!(submitted.code, Some(0), "{}", submitted.stderr);
    let told = "orders registers the metrics consumer org.example.Consumer, a Java class";
    assert!(submitted.stderr.contains(told), "{}", submitted.stderr);
}

#[test]
fn a_name_in_use_is_refused_before_anything_is_uploaded() {
    let (nimbus, place) = (Nimbus::start(&["orders"]), Place::new());
    let Some(binary) = binary(&place, &description()) else { return };
    let option = nimbus.option();
    let refused = place.run(&["submit", &option, &binary, "--", "orders"]);
    check_error(
        &refused,
        "a topology named orders is alive, as orders-1-1700000000",
        "stormdeploy kill orders",
    );
    let renamed = place.run(&["submit", &option, &binary, "--name", "orders-2", "--", "orders"]);
    assert_eq!((renamed.code, renamed.stdout.as_str()), (Some(0), "orders-2-1-1700000000\n"));
    let wrong = place.run(&["submit", &option, &binary, "--name", "a/b", "--", "orders"]);
    check_error(&wrong, "cannot submit: ", "--name NAME");
}

#[test]
fn an_answer_that_is_lost_on_the_way_is_no_failure_when_it_was_done() {
    let (nimbus, place) = (Nimbus::start(&[]), Place::new());
    nimbus.known().drop_submission = true;
    let Some(binary) = binary(&place, &description()) else { return };
    let option = nimbus.option();
    let submitted = place.run(&["submit", &option, &binary, "--", "orders"]);
    assert_eq!(submitted.code, Some(0), "{}", submitted.stderr);
    let told = nimbus.known().told.iter().filter(|told| told.starts_with("submit")).count();
    assert_eq!(told, 1);
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let (nimbus, place) = (Nimbus::start(&[]), Place::new());
    let option = nimbus.option();
    let submit = |binary: &str| place.run(&["submit", &option, binary, "--", "orders"]);
    let text = place.write("notes.txt", "not a program");
    let text = text.to_str().unwrap();
    check_error(&submit(text), "is no Linux executable", "name a topology binary");
    check_error(&submit("/no/such/file"), "cannot be read", "submit --help");
    let mut unregistered = description();
    unregistered["unregistered"] = json!(["split"]);
    unregistered["topology_thrift_base64"] = Value::Null;
    let Some(binary) = binary(&place, &unregistered) else { return };
    check_error(&submit(&binary), "make components from the register: split", "register::<Split>");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o644)).unwrap();
    check_error(&submit(&binary), "cannot start ", "built for this machine");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(place.path("topology.json")).unwrap();
    check_error(&submit(&binary), "does not describe the topology: no topology", "described list");
    assert!(nimbus.known().uploaded.is_empty() && nimbus.known().told.is_empty());
}

#[test]
fn rates_are_shown_as_often_as_they_were_asked_for() {
    let nimbus = Nimbus::start(&["wc"]);
    let monitor = run(&nimbus, &["monitor", "wc", "-i", "10ms", "-n", "2", "--json"]);
    assert_eq!(monitor.code, Some(0), "{}", monitor.stderr);
    let lines: Vec<Value> =
        monitor.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    let lines_spout = &lines[0]["components"][0];
    assert_eq!(
        (&lines_spout["component"], &lines_spout["kind"]),
        (&json!("lines"), &json!("spout"))
    );
    assert_eq!(lines_spout["latency_ms"], 2.5);
    let rate =
        lines_spout["emitted"].as_f64().unwrap() * lines[0]["interval_secs"].as_f64().unwrap();
    assert!((rate - 100.0).abs() < 1e-6, "{rate}");
    let table = run(&nimbus, &["monitor", "wc", "-i", "10ms", "-n", "1"]).stdout;
    assert!(table.starts_with("wc (ACTIVE), 3 min 5 s\ncomponent "), "{table}");
}

#[test]
fn errors_are_shown_in_a_line_or_in_full() {
    let nimbus = Nimbus::start(&["wc"]);
    let errors = run(&nimbus, &["errors", "wc"]).stdout;
    assert!(errors.contains("127.0.0.1:6700  the disk is on fire\n"), "{errors}");
    assert!(run(&nimbus, &["errors", "wc", "--full"]).stdout.contains("  at src/count.rs:7\n"));
    assert_eq!(run(&nimbus, &["errors", "wc", "--json"]).json()[0]["component"], "count");
}

#[test]
fn status_works_without_a_local_cluster() {
    let nimbus = Nimbus::start(&["wc"]);
    let status = run(&nimbus, &["status"]);
    assert_eq!(status.code, Some(0), "{}", status.stderr);
    for part in ["nimbus ", "leader", "supervisor sup-1", "wc "] {
        assert!(status.stdout.contains(part), "{}", status.stdout);
    }
    let status = run(&nimbus, &["status", "--json"]).json();
    assert_eq!((&status["local"], &status["supervisors"][0]["slots"]), (&Value::Null, &json!(4)));
}

#[test]
fn the_address_comes_from_options_contexts_and_configuration() {
    let (nimbus, place) = (Nimbus::start(&["wc"]), Place::new());
    let address = format!("127.0.0.1:{}", nimbus.port);
    let contexts = format!("current: here\ncontexts:\n  here: {{ nimbus: \"{address}\" }}\n");
    let seeds = format!("nimbus.seeds=[\"{address}\"]");
    assert_eq!(place.run(&["list", "-c", &seeds]).code, Some(0));
    place.write("home/.config/stormdeploy/contexts.yaml", &contexts);
    assert_eq!(place.run(&["list"]).code, Some(0));
    assert_eq!(place.run(&["list", "--context", "here"]).code, Some(0));
    let missing = place.run(&["list", "--context", "hre"]);
    check_error(&missing, "there is no context hre in ", "did you mean here?");
    let local = place.run(&["list", "--target", "local"]);
    check_error(&local, "there is no cluster to talk to: nothing runs in ", "--nimbus HOST:PORT");
    let nobody = place.run(&["list", "--nimbus", "127.0.0.1:1"]);
    check_error(&nobody, "cannot list the topologies: ", "the address is from --nimbus");
}

#[test]
fn latencies_are_measured_told_and_drawn_and_the_topology_goes() {
    let (nimbus, place) = (Nimbus::start(&[]), Place::new());
    let Some(binary) = binary(&place, &description()) else { return };
    let (option, page) = (nimbus.option(), place.path("latency.html"));
    let page = page.to_str().unwrap();
    let mut args = vec!["bench", "latency", &option, "--binary", &binary, "--rate", "100"];
    args.extend(["--duration", "300ms", "--warm-up", "0s", "--html", page]);
    let words = place.run(&args);
    assert_eq!(words.code, Some(0), "{}", words.stderr);
    let row = words.stdout.lines().find(|line| line.starts_with("complete ")).expect("a row");
    assert!(row.contains(" ms"), "{row}");
    assert!(words.stdout.contains("worker on port 6700  4711"), "{}", words.stdout);
    let drawn = fs::read_to_string(page).expect("a page was written");
    assert!(drawn.starts_with("<!doctype html>") && drawn.contains("<polyline"), "{drawn}");
    args.push("--json");
    let document = place.run(&args).json();
    assert_eq!(document["kinds"][0]["kind"], "complete");
    assert!(document["kinds"][0]["samples"].as_u64().unwrap() >= 100, "{document}");
    let known = nimbus.known();
    assert!(known.topologies.is_empty(), "the topology is killed");
    assert!(known.told.last().unwrap().starts_with("killTopologyWithOpts bench-latency-"));
    let told: Vec<&str> =
        known.told.iter().filter_map(|told| told.split_once(' ').map(|(what, _)| what)).collect();
    let turns: Vec<&str> = told.into_iter().filter(|what| what.ends_with("activate")).collect();
    assert_eq!(
        turns,
        ["deactivate", "activate", "deactivate"].repeat(2),
        "ends are counted at rest"
    );
}

#[test]
fn a_bare_echo_measures_both_ways_of_every_message() {
    let place = Place::new();
    let mut echo = place.command(&["bench", "tcp-echo"]);
    let mut echo = echo.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut told = BufReader::new(echo.stdout.take().expect("it is piped"));
    let mut port = String::new();
    told.read_line(&mut port).expect("it tells its port");
    let port = format!("--port={}", port.trim());
    let load = ["bench", "tcp-load", &port, "--rate", "1000", "--duration", "200ms"];
    let completed = place.run(&load).json();
    let mut rest = String::new();
    told.read_to_string(&mut rest).expect("it tells what it measured");
    assert!(echo.wait().expect("it ends with the load").success());
    let delivered: Value = serde_json::from_str(&rest).expect("a document");
    assert_eq!(
        (&completed["kind"], &delivered["kind"]),
        (&json!("completed"), &json!("delivered"))
    );
    assert_eq!((&completed["samples"], &delivered["samples"]), (&json!(200), &json!(200)));
}
