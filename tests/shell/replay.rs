//! The conversations that stock Storm had with its Python adapter, had again: a scripted child says
//! what the recorded child said, and our host is to say what the recorded host said, message by
//! message. Ids of tuples and numbers of tasks are other ones; keys may come in any order.

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use storm_runtime::prelude::*;
use storm_runtime::shell::{ShellBolt, ShellSpout};

use crate::children::{Children, DEADLINE, PYTHON};
use crate::components::{Emission, Feed, Hold, basic, nothing};

/// A bolt that says what was recorded, after it has heard as many messages as were recorded before,
/// and writes down all that it hears.
const SCRIPTED_BOLT: &str = r#"
ids = {}
heard = open("heard.part", "w")

def ours(message):
    if "anchors" in message:
        message["anchors"] = [ids[one] for one in message["anchors"]]
    if message["command"] in ("ack", "fail"):
        message["id"] = ids[message["id"]]
    return message

for line in open("record.jsonl"):
    entry = json.loads(line)
    message = json.loads(entry["message"])
    if entry["from"] == "host":
        told = read()
        if "comp" in message:
            # Learns which id of ours is which of the record.
            ids[message["id"]] = told["id"]
        heard.write(json.dumps(told) + "\n")
        heard.flush()
    elif "pid" in message:
        send({"pid": os.getpid()})
    else:
        send(ours(message))
os.rename("heard.part", "heard")
while True:
    read()
"#;

/// A spout that says to each question what was recorded; how often it is asked is its host's affair.
const SCRIPTED_SPOUT: &str = r#"
to_next, to_answers, turn = [], {}, None
for line in open("record.jsonl"):
    entry = json.loads(line)
    message = json.loads(entry["message"])
    if entry["from"] == "host" and isinstance(message, dict) and "command" in message:
        turn = []
        if message["command"] == "next":
            to_next.append(turn)
        elif message["command"] in ("ack", "fail"):
            to_answers[message["command"], message["id"]] = turn
    elif entry["from"] == "child" and turn is not None and message["command"] != "sync":
        turn.append(message)

heard = open("heard.part", "w")
told = read()
heard.write(json.dumps(told) + "\n")
send({"pid": os.getpid()})
while True:
    told = read()
    heard.write(json.dumps(told) + "\n")
    heard.flush()
    command = told["command"]
    if command == "next":
        turn = to_next.pop(0) if to_next else []
    else:
        turn = to_answers.get((command, told["id"]), [])
    for message in turn:
        send(message)
        if message["command"] == "emit":
            told = read()
            assert isinstance(told, list) and len(told) == 1, told
    send({"command": "sync"})
    if command == "deactivate":
        os.rename("heard.part", "heard")
"#;

/// The recorded messages from one side.
fn recorded(name: &str) -> Vec<(bool, Json)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/storm").join(name);
    let text = std::fs::read_to_string(path).expect("the fixture is there");
    let line = |line: &str| {
        let line: Json = serde_json::from_str(line).expect("a line is JSON");
        let message = line["message"].as_str().expect("a text");
        (line["from"] == "host", serde_json::from_str(message).expect("a message is JSON"))
    };
    text.lines().map(line).collect()
}

/// Writes a record for the scripted child, without what the host sends on its own account.
fn write_record(children: &Children, messages: &[(bool, Json)]) {
    let line = |(is_host, message): &(bool, Json)| {
        let from = if *is_host { "host" } else { "child" };
        serde_json::json!({ "from": from, "message": message.to_string() }).to_string() + "\n"
    };
    let text: String = messages.iter().map(line).collect();
    std::fs::write(children.path("record.jsonl"), text).expect("it can be written");
}

fn heard(children: &Children, running: &RunningTopology) -> Vec<Json> {
    let path = children.path("heard");
    let came = running.wait_until(DEADLINE, |_| path.exists());
    let part = std::fs::read_to_string(children.path("heard.part")).unwrap_or_default();
    assert!(came, "it stopped after {}; {:?}", part.lines().count(), running.errors());
    let text = std::fs::read_to_string(path).expect("it was written");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// What has to agree: all but ids of tuples, numbers of tasks, the conf and where the files are.
fn comparable(message: &Json) -> Json {
    let mut message = message.clone();
    if let Json::Array(tasks) = &message {
        return tasks.len().into();
    }
    let Some(fields) = message.as_object_mut() else { return message };
    if fields.contains_key("comp") {
        fields["id"] = "an id".into();
        if fields["task"] != -1 {
            fields["task"] = "a task".into();
        }
    }
    if fields.contains_key("conf") {
        fields.remove("framings");
        fields["conf"] = Json::Null;
        fields["pidDir"] = Json::Null;
        let context = fields["context"].as_object_mut().expect("an object");
        context["taskid"] = Json::Null;
        let mut components: Vec<Json> =
            context["task->component"].as_object().expect("an object").values().cloned().collect();
        components.sort_by_key(Json::to_string);
        context["task->component"] = components.into();
    }
    message
}

#[track_caller]
fn check(recorded: &[(bool, Json)], heard: &[Json]) {
    let expected: Vec<&Json> =
        recorded.iter().filter(|(is_host, _)| *is_host).map(|(_, message)| message).collect();
    assert_eq!(expected.len(), heard.len());
    for (position, (expected, heard)) in expected.into_iter().zip(heard).enumerate() {
        assert_eq!(comparable(heard), comparable(expected), "message {position} of the host");
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::String(text) => text.as_str().into(),
        Json::Number(number) => number.as_i64().map_or_else(Value::default, Value::from),
        _ => Value::default(),
    }
}

#[test]
fn the_recorded_bolt_hears_what_it_heard_from_storm() {
    // Heartbeats and ticks come by the clock; ours come when they come.
    let is_timed =
        |message: &Json| message["stream"] == "__heartbeat" || message["stream"] == "__tick";
    let mut timed_ids = Vec::new();
    let mut syncs = 0;
    let messages: Vec<(bool, Json)> = recorded("multilang-split.jsonl")
        .into_iter()
        .filter(|(is_host, message)| {
            if *is_host && is_timed(message) {
                match message["stream"] == "__heartbeat" {
                    true => syncs += 1,
                    false => timed_ids.push(message["id"].clone()),
                }
                return false;
            }
            if !is_host && message["command"] == "sync" && syncs > 0 {
                syncs -= 1;
                return false;
            }
            let is_of_tick = timed_ids.contains(&message["id"])
                || message["anchors"]
                    .as_array()
                    .is_some_and(|anchors| anchors.iter().any(|anchor| timed_ids.contains(anchor)));
            *is_host || !is_of_tick
        })
        .collect();
    let children = Children::python(SCRIPTED_BOLT);
    write_record(&children, &messages);
    let feed = Feed::new(|declare| {
        declare.output(["line"]);
    });
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.acker.executors", 1);
    builder.spout("lines", feed.spout());
    builder
        .bolt(
            "split",
            ShellBolt::new([PYTHON, "child.py"])
                .directory(children.folder())
                .output(["word", "n"])
                .direct_stream("odd", ["word"]),
        )
        .shuffle("lines");
    let keep = |_: TupleRef<'_>, _: &mut BasicCollector<'_>| Ok(());
    builder.bolt("end", basic(nothing, keep)).fields("split", ["word"]).direct(("split", "odd"));
    let cluster = LocalCluster::new();
    let running = cluster.submit("polyglot", &builder.build().unwrap()).unwrap();
    let heard_so_far = || {
        let text = std::fs::read_to_string(children.path("heard.part")).unwrap_or_default();
        text.lines().count()
    };
    for (position, (_, message)) in messages.iter().filter(|(host, _)| *host).enumerate() {
        let Some(values) = message["tuple"].as_array() else { continue };
        // As late as it came then.
        let came = running.wait_until(DEADLINE, |_| heard_so_far() == position);
        assert!(came, "{position}: {:?}", running.errors());
        feed.emission(Emission {
            stream: "default".into(),
            values: values.iter().map(value).collect(),
            id: Some(position as i64),
            to: None,
        });
    }
    check(&messages, &heard(&children, &running));
    // What the recorded child reported itself.
    let errors = running.errors();
    assert!(errors.iter().all(|error| error.message == "refusing"), "{errors:?}");
}

#[test]
fn the_recorded_spout_hears_what_it_heard_from_storm() {
    let messages = recorded("multilang-lines.jsonl");
    let children = Children::python(SCRIPTED_SPOUT);
    write_record(&children, &messages);
    let hold = Hold::new(nothing);
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.acker.executors", 1);
    builder.spout(
        "lines",
        ShellSpout::new([PYTHON, "child.py"]).directory(children.folder()).output(["line"]),
    );
    builder.bolt("split", hold.bolt()).shuffle("lines");
    builder.bolt("end", basic(nothing, |_: TupleRef<'_>, _: &mut BasicCollector<'_>| Ok(())));
    let cluster = LocalCluster::new();
    let running = cluster.submit("polyglot", &builder.build().unwrap()).unwrap();
    // What was acked and failed then, in that order, each before the host goes on.
    for (is_host, message) in &messages {
        let verdict = message["command"].as_str().unwrap_or_default();
        if *is_host && (verdict == "ack" || verdict == "fail") {
            assert!(running.wait_until(DEADLINE, |_| hold.len() > 0), "{:?}", running.errors());
            match verdict {
                "ack" => hold.ack(),
                _ => hold.fail(),
            }
        }
    }
    let told_so_far = || {
        let text = std::fs::read_to_string(children.path("heard.part")).unwrap_or_default();
        text.matches("\"ack\"").count() + text.matches("\"fail\"").count()
    };
    let answers = messages.iter().filter(|(is_host, message)| {
        *is_host && (message["command"] == "ack" || message["command"] == "fail")
    });
    let answers = answers.count();
    let came = running.wait_until(DEADLINE, |_| told_so_far() == answers);
    assert!(came, "{:?}", running.errors());
    running.deactivate();
    let heard = heard(&children, &running);
    // How often the host asks, and between which answers, is its own affair.
    let is_next = |message: &Json| message["command"] == "next";
    let is_ids = |message: &Json| message.is_array();
    let told: Vec<Json> =
        heard.into_iter().filter(|message| !is_next(message) && !is_ids(message)).collect();
    let expected: Vec<(bool, Json)> =
        messages.into_iter().filter(|(_, message)| !is_next(message) && !is_ids(message)).collect();
    check(&expected, &told);
    let _ = cluster.kill("polyglot", Duration::ZERO);
}
