//! A registered component of a topology binary as a child process: of a scripted host, and of ours.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value as Json, json};
use storm_runtime::prelude::*;
use storm_runtime::shell::ShellBolt;

use crate::cluster::example;

/// What nobody waits for longer.
const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn a_component_of_a_topology_binary_is_the_child_of_whoever_speaks_the_protocol() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("numbers");
    let mut child = Command::new(example("numbers"))
        .args(["component", "write", &json!(file).to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut input = child.stdin.take().expect("a pipe");
    let mut say = |message: Json| {
        write!(input, "{message}\nend\n").expect("the child reads");
        input.flush().expect("the child reads");
    };
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut hear = || {
        let document = lines.next().expect("a line").expect("text");
        assert_eq!(lines.next().expect("a line").expect("text"), "end");
        serde_json::from_str::<Json>(&document).expect("JSON")
    };
    say(json!({
        "conf": {"topology.name": "by-hand"},
        "pidDir": folder.path(),
        "context": {
            "taskid": 2,
            "componentid": "write",
            "task->component": {"1": "numbers", "2": "write"},
            "source->stream->fields": {"numbers": {"default": ["number"]}},
        },
    }));
    let pid = hear()["pid"].as_i64().expect("a pid");
    assert_eq!(pid, i64::from(child.id()));
    assert!(folder.path().join(pid.to_string()).is_file());
    let mut give = |id: &str, value: Json| {
        say(json!({"id": id, "comp": "numbers", "stream": "default", "task": 1, "tuple": [value]}));
    };
    give("1", json!(17));
    give("2", json!("seventeen"));
    assert_eq!(hear(), json!({"command": "ack", "id": "1"}));
    let error = hear();
    assert_eq!(error["command"], "error");
    assert_eq!(hear(), json!({"command": "fail", "id": "2"}));
    assert_eq!(fs::read_to_string(&file).expect("it was written"), "17\n");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

/// Emits the numbers below `count`, each with itself as its id.
struct Counted {
    next: i64,
    count: i64,
}

impl Spout for Counted {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["number"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.next == self.count {
            return Ok(Next::Finished);
        }
        out.emit_with_id([self.next], self.next);
        self.next += 1;
        Ok(Next::Emitted)
    }

    fn fail(&mut self, id: MessageId, _: &mut SpoutCollector) -> Result {
        Err(format!("{id:?} failed").into())
    }
}

#[test]
fn a_native_bolt_works_as_the_child_of_our_own_host_in_every_framing() {
    const COUNT: i64 = 500;
    for serializer in ["json", "msgpack", "binary"] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("numbers");
        let argv = [
            example("numbers").display().to_string(),
            "component".to_owned(),
            "write".to_owned(),
            json!(file).to_string(),
        ];
        let mut builder = TopologyBuilder::new();
        builder.spout("numbers", || Counted { next: 0, count: COUNT });
        builder.bolt("write", ShellBolt::new(argv).serializer(serializer)).shuffle("numbers");
        let topology = builder.build().expect("it is sound");
        let cluster = LocalCluster::new();
        let running = cluster.submit("children", &topology).expect("it starts");
        assert!(running.wait_until_finished(DEADLINE), "{serializer}: {:?}", running.errors());
        let written = fs::read_to_string(&file).expect("it was written");
        let mut numbers: Vec<i64> =
            written.lines().map(|line| line.parse().expect("a number")).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>(), "{serializer}");
        cluster.kill("children", Duration::ZERO);
    }
}
