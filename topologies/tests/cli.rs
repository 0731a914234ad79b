//! The program as its users meet it: what it prints where, and with which code it ends.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;

/// A text that every checkout has.
const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/word_count.rs");

const TOPOLOGIES: [&str; 8] = [
    "word-count",
    "word-count-python",
    "word-count-javascript",
    "const-spout-only",
    "const-spout-null-bolt",
    "const-spout-id-bolt-null-bolt",
    "file-read-word-count",
    "low-throughput",
];

fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_topologies"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[track_caller]
fn check(args: &[&str], code: i32) -> (String, String) {
    let output = program(args).output().expect("the program starts");
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    (out, err)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn check_refused(args: &[&str], code: i32, expected: &str) {
    let (out, err) = check(args, code);
    assert_eq!((out.as_str(), err.as_str()), ("", expected));
}

fn send(child: &Child, signal: Signal) {
    let pid = Pid::from_child(child);
    kill_process(pid, signal).expect("the child is ours");
}

/// Waits until the first line is printed, and answers what is left to read.
fn first_line(child: &mut Child) -> (String, BufReader<std::process::ChildStdout>) {
    let mut out = BufReader::new(child.stdout.take().expect("standard output is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("the child prints");
    (line, out)
}

#[test]
fn help_names_every_topology_and_is_no_error() {
    for args in [&["--help"][..], &["help"], &[]] {
        let (out, err) = check(args, 0);
        assert!(TOPOLOGIES.iter().all(|name| out.contains(name)), "{out}");
        assert_eq!(err, "");
    }
    let (out, _) = check(&["run", "low-throughput", "--help"], 0);
    assert!(out.contains("--rate") && out.contains("--duration"), "{out}");
}

#[test]
fn the_version_is_that_of_the_package() {
    let (out, _) = check(&["--version"], 0);
    assert!(out.starts_with(concat!("topologies ", env!("CARGO_PKG_VERSION"))), "{out}");
}

#[test]
fn list_prints_one_line_per_topology() {
    let (out, _) = check(&["list"], 0);
    let names: Vec<&str> = out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, TOPOLOGIES);
}

#[test]
fn what_is_mistyped_is_refused_with_the_nearest_name() {
    check_refused(
        &["run", "wrod-count"],
        2,
        "topologies: there is no topology \"wrod-count\"\n\nhint: did you mean word-count?\n",
    );
    check_refused(
        &["rnu", "word-count"],
        2,
        "topologies: there is no command \"rnu\"\n\nhint: did you mean run?\n",
    );
    check_refused(
        &["run", "low-throughput", "--duratoin", "1s"],
        2,
        "topologies: unexpected argument \"--duratoin\"\n\nhint: did you mean --duration?\n",
    );
    check_refused(
        &["describe", "something-else"],
        2,
        "topologies: there is no topology \"something-else\"\n\nhint: topologies list\n",
    );
    check_refused(
        &["run"],
        2,
        "topologies: the name of a topology is missing\n\nhint: topologies list\n",
    );
}

#[test]
fn values_that_cannot_be_used_are_refused_before_anything_runs() {
    let (_, err) = check(&["run", "low-throughput", "--duration", "10"], 2);
    assert!(err.contains("10s, 250ms or 5m"), "{err}");
    let (_, err) = check(&["run", "low-throughput", "-c", "topology.workers=many"], 2);
    assert!(err.contains("topology.workers: found \"many\""), "{err}");
    let (_, err) = check(&["run", "low-throughput", "-c", "topology.workers"], 2);
    assert!(err.contains("topology.max.spout.pending=1000"), "{err}");
    let (_, err) = check(&["run", "low-throughput", "--rate", "0"], 1);
    assert!(err.ends_with("\n\nhint: give tuples per second, such as --rate 100 or --rate 0.5\n"));
}

#[test]
fn a_text_that_cannot_be_read_ends_the_program_with_a_way_out() {
    let (out, err) = check(&["run", "word-count", "/nowhere/text"], 1);
    assert_eq!(out, "");
    let line = "topologies: cannot build topology word-count: cannot read /nowhere/text: ";
    assert!(err.starts_with(line), "{err}");
    assert!(err.contains("\n\nhint: name a text file"), "{err}");
}

#[test]
fn a_described_topology_is_text_or_versioned_json() {
    let (out, _) = check(&["describe", "const-spout-null-bolt", "--bolts", "3"], 0);
    assert!(out.contains("bolt null-bolt: 3 executors, 3 tasks"), "{out}");
    let (out, _) = check(&["describe", "word-count", TEXT, "--json"], 0);
    let described: Json = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((&described["format"], &described["topology"]), (&1.into(), &"word-count".into()));
    let components = described["components"].as_array().expect("a list of components");
    let count = components.iter().find(|component| component["id"] == "rolling-count");
    let input = &count.expect("the topology counts")["inputs"][0];
    assert_eq!((&input["component"], &input["grouping"]), (&"split".into(), &"fields".into()));
    assert_eq!(input["fields"], Json::from(vec!["word"]));
}

#[test]
fn every_topology_runs_for_a_while_and_sums_up_as_json() {
    // Those with children in other languages need more than this machine may have;
    // `scripts/test multilang` runs them.
    for name in TOPOLOGIES.into_iter().filter(|name| !name.starts_with("word-count-")) {
        let mut args = vec!["run", name, "--duration", "100ms", "--json", "--threads", "1"];
        if name.ends_with("word-count") {
            args.push(TEXT);
        }
        let (out, err) = check(&args, 0);
        assert!(!err.contains("panicked") && !err.contains("ERROR"), "{err}");
        let summary: Json = serde_json::from_str(&out).expect("one JSON object");
        assert_eq!((&summary["topology"], &summary["drained"]), (&name.into(), &true.into()));
        let spout = &summary["components"][0];
        assert!(spout["emitted"].as_u64() > Some(0), "{summary}");
        assert_eq!(spout["emitted"], spout["acked"], "{summary}");
        assert!(summary["complete_latency_ns"]["p99"].as_u64().is_some(), "{summary}");
    }
}

#[test]
fn without_ids_nothing_is_acked_and_no_latency_is_made_up() {
    let args = ["run", "const-spout-null-bolt", "--unacked", "--duration", "50ms"];
    let (out, _) = check(&args, 0);
    assert!(out.contains("complete latency: not measured"), "{out}");
}

#[test]
fn counting_a_text_ends_by_itself_and_prints_the_top_words() {
    let text = concat!(env!("CARGO_TARGET_TMPDIR"), "/storm.txt");
    std::fs::write(text, "The storm, the rain\nand the storm.\n").expect("it can be written");
    let (out, err) = check(&["run", "word-count", text, "--top", "2"], 0);
    assert_eq!(err, "");
    assert!(out.starts_with("the            3\nstorm          2\n\nword-count ran for "), "{out}");
    assert!(out.contains("until it had finished") && out.contains("(2 messages)"), "{out}");
}

#[test]
fn a_misspelt_key_is_warned_about() {
    let pair = "topology.max.spout.pendng=7";
    let (_, err) = check(&["run", "low-throughput", "--duration", "1ms", "-c", pair], 0);
    assert!(err.contains("WARN") && err.contains("topology.max.spout.pending"), "{err}");
}

#[test]
fn an_error_is_logged_with_topology_component_and_task() {
    let args = ["run", "file-read-word-count", "/dev/null", "--duration", "50ms"];
    let (out, err) = check(&args, 0);
    assert!(out.contains("spout:") && out.contains("cannot open: the text is empty"), "{out}");
    for part in ["ERROR", "topology=\"file-read-word-count\"", "component=\"spout\"", "task="] {
        assert!(err.contains(part), "no {part} in {err}");
    }
    let (_, err) = check(&[&args[..], &["--log", "off"]].concat(), 0);
    assert_eq!(err, "");
}

#[test]
fn a_signal_ends_the_run_in_order_and_the_summary_is_printed() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut child = program(&["run", "low-throughput"]).spawn().expect("the program starts");
        let (line, mut out) = first_line(&mut child);
        assert!(line.starts_with("first tuple acked"), "{line}");
        send(&child, signal);
        let mut rest = String::new();
        out.read_to_string(&mut rest).expect("the child prints UTF-8");
        assert!(rest.contains("until it was interrupted"), "{rest}");
        assert_eq!(child.wait().expect("it is our child").code(), Some(0));
    }
}

/// A named pipe; whoever holds it open for reading and writing blocks nobody who opens it.
struct NamedPipe(PathBuf);

impl NamedPipe {
    fn new(name: &str) -> (Self, File) {
        let path = std::env::temp_dir().join(format!("topologies-{}-{name}", std::process::id()));
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo is everywhere");
        assert!(made.success());
        let pipe = Self(path);
        let held = OpenOptions::new().read(true).write(true).open(&pipe.0).expect("it was made");
        (pipe, held)
    }
}

impl Drop for NamedPipe {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_second_signal_ends_the_program_at_once_whatever_hangs() {
    let (pipe, mut held) = NamedPipe::new("second-signal");
    let path = pipe.0.to_str().expect("the path is UTF-8");
    let args = ["run", "word-count", path, "--drain", "600s", "--log", "info"];
    let mut child = program(&args).spawn().expect("the program starts");
    // More than the pipe holds, so that this returns when the spout reads; then it waits for more.
    held.write_all("a line\n".repeat(20_000).as_bytes()).expect("somebody reads");
    send(&child, Signal::INT);
    let log = BufReader::new(child.stderr.take().expect("standard error is piped"));
    let mut log = log.lines().map(|line| line.expect("the child logs UTF-8"));
    assert!(log.any(|line| line.contains("closing")), "the first signal ends the run");
    send(&child, Signal::INT);
    assert_eq!(child.wait().expect("it is our child").code(), Some(130));
}

#[test]
fn nobody_who_reads_on_is_no_error() {
    for args in [
        &["run", "low-throughput"][..],
        &["run", "low-throughput", "--duration", "50ms", "--json"],
        &["describe", "word-count", TEXT],
        &["list"],
        &["--help"],
    ] {
        let mut child = program(args).spawn().expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it is our child");
        let (_, err) = texts(&output);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {err}");
        assert!(!err.contains("panicked"), "{args:?}: {err}");
    }
}
