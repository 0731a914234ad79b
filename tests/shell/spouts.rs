//! Spouts whose children do as they should, and some that do not.

use std::time::Duration;

use storm_runtime::prelude::*;
use storm_runtime::shell::ShellSpout;

use crate::children::{Children, DEADLINE};
use crate::components::{Record, basic, number};

/// A spout's child that emits 200 numbers, keeps what is answered, and writes it down.
const NUMBERS: &str = r#"
greet()
next, answers = 0, []
while True:
    message = read()
    command = message["command"]
    if command == "next" and next < 200:
        emit([next], id="m%d" % next)
        next += 1
    elif command in ("ack", "fail"):
        answers.append([command, message["id"]])
    elif command in ("activate", "deactivate"):
        answers.append([command])
    if len(answers) == 201:
        with open("answers.part", "w") as file:
            json.dump(answers, file)
        os.rename("answers.part", "answers")
    send({"command": "sync"})
"#;

struct Run {
    cluster: LocalCluster,
    running: RunningTopology,
    record: Record,
}

fn start(spout: ShellSpout) -> Run {
    let record = Record::default();
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.error.throttle.interval.secs", 0);
    builder.spout("numbers", spout);
    let odd = |tuple: TupleRef<'_>, out: &mut BasicCollector<'_>| {
        out.emit([tuple.i64(0)?]);
        match tuple.i64(0)? % 2 {
            1 => Err("an odd number".into()),
            _ => Ok(()),
        }
    };
    builder.bolt("odd", basic(number, odd)).shuffle("numbers");
    builder.bolt("record", record.bolt()).shuffle("odd");
    let cluster = LocalCluster::new();
    let running = cluster.submit("spout", &builder.build().unwrap()).unwrap();
    Run { cluster, running, record }
}

#[test]
fn a_child_emits_and_hears_of_each_message_once() {
    let children = Children::python(NUMBERS);
    let run = start(children.spout());
    let answers = || std::fs::read(children.path("answers")).ok();
    let came = run.running.wait_until(DEADLINE, |_| answers().is_some());
    assert!(came, "{:?}", run.running.errors());
    let mut answers: Vec<Vec<String>> = serde_json::from_slice(&answers().unwrap()).unwrap();
    assert_eq!(answers.remove(0), ["activate"]);
    answers.sort_by_key(|answer| answer[1][1..].parse::<u32>().expect("a number"));
    for (number, answer) in answers.iter().enumerate() {
        let verdict = if number % 2 == 0 { "ack" } else { "fail" };
        assert_eq!(*answer, [verdict.to_owned(), format!("m{number}")]);
    }
    assert_eq!(run.record.numbers(), (0..200).step_by(2).collect::<Vec<i64>>());
    let stats = run.running.stats();
    assert_eq!((stats.acked("numbers"), stats.failed("numbers")), (100, 100));
}

#[test]
fn a_child_is_told_of_activation_and_of_the_end() {
    let children = Children::python(
        r#"
greet()
while True:
    message = read()
    with open("heard", "a") as file:
        file.write(message["command"] + "\n")
    send({"command": "sync"})
"#,
    );
    let run = start(children.spout());
    let heard = || std::fs::read_to_string(children.path("heard")).unwrap_or_default();
    assert!(run.running.wait_until(DEADLINE, |_| heard().contains("activate\nnext\nnext\n")));
    run.running.deactivate();
    assert!(run.running.wait_until(DEADLINE, |_| heard().contains("deactivate\n")));
    let before = heard();
    assert!(before.ends_with("deactivate\n"), "nothing is asked of it: {before}");
    run.running.activate();
    assert!(run.running.wait_until(DEADLINE, |_| heard().ends_with("next\n")), "{}", heard());
    assert!(run.cluster.kill("spout", Duration::from_secs(1)));
}

#[test]
fn the_spouts_credit_holds_a_child_back() {
    let children = Children::python(NUMBERS);
    let spout = children.spout().conf("topology.max.spout.pending", 1);
    let run = start(spout);
    let all = |stats: &storm_runtime::local::TopologyStats| {
        stats.acked("numbers") + stats.failed("numbers") == 200
    };
    assert!(run.running.wait_until(DEADLINE, all), "{:?}", run.running.errors());
}

#[test]
fn a_spouts_child_gets_task_ids_and_a_dead_one_gets_a_successor_that_is_activated() {
    let children = Children::python(
        r#"
is_first = not os.path.exists("second")
open("second", "w").close()
greet()
is_active, next = False, 0
while True:
    message = read()
    if message["command"] == "activate":
        is_active = True
    if message["command"] == "next" and next < 10:
        assert is_active
        send({"command": "emit", "tuple": [next], "id": next})
        tasks = read()
        assert isinstance(tasks, list) and len(tasks) == 1, tasks
        next += 1
        if is_first and next == 5:
            raise SystemExit(9)
    send({"command": "sync"})
"#,
    );
    let run = start(children.spout());
    // 0, 2 and 4 of the first life, five of the second, as the odd ones fail.
    let came = run.running.wait_until(DEADLINE, |_| run.record.numbers().len() == 3 + 5);
    assert!(came, "{:?}", run.running.errors());
    let errors: Vec<String> = run.running.errors().into_iter().map(|one| one.message).collect();
    assert!(errors.iter().any(|one| one.contains("exit status: 9")), "{errors:?}");
}

#[test]
fn a_spouts_child_that_gives_a_command_of_bolts_is_ended() {
    let children = Children::python("greet()\nread()\nack('1')\ntime.sleep(60)");
    let run = start(children.spout());
    assert!(run.running.wait_until(DEADLINE, |_| !run.running.errors().is_empty()));
    let errors = run.running.errors();
    assert!(errors[0].message.contains("gave the command \"ack\""), "{errors:?}");
}

#[test]
fn a_spouts_child_that_hangs_in_its_turn_is_ended() {
    let children = Children::python("greet()\nread()\ntime.sleep(600)");
    let run = start(children.spout().conf("topology.subprocess.timeout.secs", 1.5));
    assert!(run.running.wait_until(DEADLINE, |_| !run.running.errors().is_empty()));
    assert!(run.running.errors()[0].message.contains("said nothing"));
}
