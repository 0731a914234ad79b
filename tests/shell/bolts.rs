//! Bolts whose children do as they should.

use std::collections::BTreeMap;
use std::time::Duration;

use storm_runtime::prelude::*;
use storm_runtime::shell::ShellBolt;

use crate::children::{Children, DEADLINE, Rig};
use crate::components::{Feed, Journal, basic, nothing};

const ECHO: &str = r#"
greet()
for one in tuples():
    emit(one["tuple"], anchors=[one["id"]])
    ack(one["id"])
"#;

#[test]
fn tuples_pass_through_a_child_in_their_order_and_are_acked() {
    let children = Children::python(ECHO);
    let rig = Rig::of_bolt(children.bolt());
    rig.feed.send_all(0..1000);
    rig.wait("all are acked", |rig| rig.feed.acked.len() == 1000);
    let got: Vec<i64> = rig.record.got.read().into_iter().map(|(_, number)| number).collect();
    assert_eq!(got, (0..1000).collect::<Vec<_>>());
    assert_eq!(rig.errors(), "");
    assert!(rig.running.wait_until(DEADLINE, |stats| stats.pending() == 0));
}

#[test]
fn a_child_fails_tuples_and_reports_errors_logs_and_metrics() {
    let children = Children::python(
        r#"
greet()
for one in tuples():
    send({"command": "log", "msg": "seen", "level": 1})
    send({"command": "metrics", "name": "seen", "params": None})
    send({"command": "metrics", "name": "weight", "params": 5})
    send({"command": "nonsense"})
    if one["tuple"][0] % 2:
        send({"command": "error", "msg": "an odd number"})
        send({"command": "fail", "id": one["id"]})
    else:
        ack(one["id"])
"#,
    );
    let rig = Rig::of_bolt(children.bolt());
    rig.feed.send_all(0..4);
    rig.wait("all are settled", |rig| rig.feed.acked.len() + rig.feed.failed.len() == 4);
    assert_eq!((rig.feed.acked.sorted(), rig.feed.failed.sorted()), (vec![0, 2], vec![1, 3]));
    rig.wait("both are reported", |rig| rig.running.errors().len() == 2);
    assert_eq!(rig.errors(), "an odd number\nan odd number");
    let metrics = rig.running.metrics();
    let metric = |name: &str| metrics[&("shell".into(), name.to_owned())];
    assert_eq!((metric("seen"), metric("weight")), (4, 20));
}

#[test]
fn task_ids_come_in_the_order_of_emissions_and_only_when_asked_for() {
    let children = Children::python(
        r#"
greet()
waiting = []
def ids():
    while True:
        message = read()
        if isinstance(message, list):
            return message
        waiting.append(message)
def all():
    while True:
        yield waiting.pop(0) if waiting else read()
for one in all():
    emit([1], anchors=[one["id"]])
    send({"command": "emit", "tuple": [2], "anchors": one["id"]})
    first = ids()
    send({"command": "emit", "tuple": [3], "stream": "default", "task": 0})
    second = ids()
    emit([first == second and len(first) == 1 and first[0] * 100], anchors=[one["id"]])
    ack(one["id"])
"#,
    );
    let rig = Rig::of_bolt(children.bolt());
    rig.feed.send_all(0..200);
    rig.wait("all are acked", |rig| rig.feed.acked.len() == 200);
    rig.wait("all have come", |rig| rig.record.got.len() == 800);
    let task = i64::from(rig.record.got.read()[0].0.0);
    let ids = rig.record.numbers().into_iter().filter(|number| *number == task * 100).count();
    assert_eq!(ids, 200, "{}", rig.errors());
}

#[test]
fn a_child_emits_to_tasks_by_number() {
    let children = Children::python(
        r#"
hello = greet()
tasks = sorted(int(t) for t, c in hello["context"]["task->component"].items() if c == "to")
for one in tuples():
    emit(one["tuple"], stream="by task", task=tasks[one["tuple"][0] % 3], anchors=[one["id"]])
    ack(one["id"])
"#,
    );
    let seen: Journal<(i64, i64)> = Journal::new();
    let record = seen.clone();
    let rig = Rig::built(children.bolt().direct_stream("by task", ["n"]), |builder| {
        let to = basic(nothing, move |tuple: TupleRef<'_>, _: &mut BasicCollector<'_>| {
            record.push((tuple.i64(0)? % 3, tuple.i64(0)?));
            Ok(())
        });
        builder.bolt("to", to).parallelism(3).direct(("shell", "by task"));
    });
    rig.feed.send_all(0..30);
    rig.wait("all are acked", |rig| rig.feed.acked.len() == 30);
    assert_eq!(seen.len(), 30);
    let stats = rig.running.stats();
    let by_task: Vec<u64> = stats.component("to").map(|one| one.executed()).collect();
    assert_eq!(by_task, [10, 10, 10], "{}", rig.errors());
}

#[test]
fn a_child_gets_ticks_and_acks_them() {
    let children = Children::python(
        r#"
greet()
for one in tuples():
    assert (one["comp"], one["stream"], one["task"]) == ("__system", "__tick", -1), one
    emit([7])
    ack(one["id"])
"#,
    );
    let rig = Rig::of_bolt(children.bolt().conf("topology.tick.tuple.freq.secs", 0.05));
    rig.wait("ticks come", |rig| rig.record.got.len() >= 5);
    assert_eq!(rig.errors(), "");
}

#[test]
fn a_child_is_told_where_it_stands() {
    let children = Children::python(
        r#"
hello = greet()
with open("hello.part", "w") as file:
    json.dump({"hello": hello, "cwd": os.getcwd(), "word": os.environ["WORD"],
               "path": os.environ["PATH"], "pid": os.getpid(),
               "files": os.listdir(hello["pidDir"])}, file)
os.rename("hello.part", "hello")
for one in tuples():
    ack(one["id"])
"#,
    );
    let bolt = children
        .bolt()
        .direct_stream("odd", ["a", "b"])
        .env("WORD", "moon")
        .env("PATH", "/some/where")
        .conf("orders.city", "Hamburg");
    let rig = Rig::of_bolt(bolt);
    let told = || std::fs::read(children.path("hello")).ok();
    rig.wait("it writes down what it is told", |_| told().is_some());
    let told: serde_json::Value = serde_json::from_slice(&told().unwrap()).expect("it is JSON");
    let hello = &told["hello"];
    assert_eq!(hello["conf"]["orders.city"], "Hamburg");
    assert_eq!(hello["framings"], serde_json::json!([]));
    assert_eq!(told["word"], "moon");
    assert!(told["path"].as_str().unwrap().ends_with(":/some/where"));
    let files: Vec<String> = serde_json::from_value(told["files"].clone()).expect("names");
    assert!(files.contains(&told["pid"].to_string()), "{files:?}");
    let context = &hello["context"];
    let tasks: BTreeMap<String, String> =
        serde_json::from_value(context["task->component"].clone()).expect("texts");
    let task = tasks.iter().find(|(_, component)| *component == "shell").expect("it is there").0;
    assert_eq!(context["taskid"].to_string(), *task);
    assert_eq!(tasks.len(), 4, "{tasks:?}");
    let mut expected = context.clone();
    for (key, value) in [
        ("componentid", serde_json::json!("shell")),
        ("streams", serde_json::json!(["default", "odd"])),
        ("stream->outputfields", serde_json::json!({"default": ["n"], "odd": ["a", "b"]})),
        (
            "stream->target->grouping",
            serde_json::json!({"default": {"record": {"type": "SHUFFLE"}}}),
        ),
        ("source->stream->grouping", serde_json::json!({"feed": {"default": {"type": "SHUFFLE"}}})),
        ("source->stream->fields", serde_json::json!({"feed": {"default": ["n"]}})),
    ] {
        expected[key] = value;
    }
    assert_eq!(*context, expected);
}

#[test]
fn a_child_that_reads_slowly_holds_the_bolt_back_and_loses_nothing() {
    let children = Children::python(
        r#"
greet()
for one in tuples():
    if one["tuple"][0] % 1000 == 0:
        time.sleep(0.05)
    emit(one["tuple"], anchors=[one["id"]])
    ack(one["id"])
"#,
    );
    let rig = Rig::of_bolt(children.bolt().conf("topology.shellbolt.max.pending", 7));
    rig.feed.send_all(0..5000);
    rig.wait("all are acked", |rig| rig.feed.acked.len() == 5000);
    assert_eq!(rig.record.numbers(), (0..5000).collect::<Vec<_>>());
}

#[test]
fn a_child_that_emits_faster_than_its_takers_is_held_back() {
    let children = Children::python(
        r#"
greet()
for one in tuples():
    for number in range(20000):
        emit([number])
    ack(one["id"])
"#,
    );
    let rig = Rig::of_bolt(children.bolt());
    rig.feed.send(1);
    rig.wait("all have come", |rig| rig.record.got.len() == 20_000);
    rig.wait("it is acked", |rig| rig.feed.acked.len() == 1);
}

#[test]
fn every_task_has_a_child_of_its_own() {
    let children = Children::python(
        r#"
hello = greet()
for one in tuples():
    emit([hello["context"]["taskid"]], anchors=[one["id"]])
    ack(one["id"])
"#,
    );
    let (feed, seen) = (Feed::new(crate::components::number), Journal::new());
    let record = seen.clone();
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", feed.spout());
    builder.bolt("shell", children.bolt()).parallelism(2).tasks(4).shuffle("feed");
    builder
        .bolt(
            "record",
            basic(nothing, move |tuple: TupleRef<'_>, _: &mut BasicCollector<'_>| {
                record.push(tuple.i64(0)?);
                Ok(())
            }),
        )
        .shuffle("shell");
    let cluster = LocalCluster::new();
    let running = cluster.submit("tasks", &builder.build().unwrap()).unwrap();
    feed.send_all(0..40);
    assert!(running.wait_until(DEADLINE, |_| feed.acked.len() == 40), "{:?}", running.errors());
    let mut tasks = seen.read();
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!(tasks.len(), 4);
    cluster.kill("tasks", Duration::from_secs(1));
}

#[test]
fn values_of_every_kind_go_through_a_child() {
    let children = Children::python(ECHO);
    let values: Journal<Vec<Value>> = Journal::new();
    let record = values.clone();
    let rig = Rig::built(children.bolt().output_stream("any", ["v"]), |_| {});
    drop(rig);
    let feed = Feed::new(|declare| {
        declare.output(["v"]);
    });
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", feed.spout());
    builder.bolt("shell", children.bolt()).shuffle("feed");
    builder
        .bolt(
            "record",
            basic(nothing, move |tuple: TupleRef<'_>, _: &mut BasicCollector<'_>| {
                record.push(tuple.values().to_vec());
                Ok(())
            }),
        )
        .shuffle("shell");
    let cluster = LocalCluster::new();
    let running = cluster.submit("kinds", &builder.build().unwrap()).unwrap();
    let kinds = [
        Value::default(),
        true.into(),
        (-7_i64).into(),
        i64::MIN.into(),
        2.5_f64.into(),
        "caf\u{e9} \u{65e5}\u{672c} \u{1f600} \"quoted\" back\\slash\n".into(),
        Value::list(vec![1_i64.into(), "two".into(), Value::list(vec![])]),
        Value::map(vec![("key".into(), 3_i64.into())]),
    ];
    for (id, value) in kinds.iter().enumerate() {
        feed.emission(crate::components::Emission {
            stream: "default".into(),
            values: vec![value.clone()],
            id: Some(id as i64),
            to: None,
        });
    }
    let acked = |_: &_| feed.acked.len() == kinds.len();
    assert!(running.wait_until(DEADLINE, acked), "{:?}", running.errors());
    let got: Vec<Value> = values.read().into_iter().flatten().collect();
    assert_eq!(got, kinds);
}

#[test]
fn a_shell_bolt_may_be_made_by_a_shell_of_its_own() {
    // The process that is started and the one that greets are two.
    let children = Children::python(ECHO);
    let bolt = ShellBolt::new(["sh", "-c", "python3 child.py; exit 0"])
        .directory(children.folder())
        .output(["n"]);
    let rig = Rig::of_bolt(bolt);
    rig.feed.send_all(0..10);
    rig.wait("all are acked", |rig| rig.feed.acked.len() == 10);
}
