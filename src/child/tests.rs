//! The child's side against scripted hosts, and against what a host of Storm said to its children.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tracing_subscriber::filter::LevelFilter;

use super::lines::Lines;
use super::{ChildArgs, ChildError, serve};
use crate::bolt::{BasicBolt, BasicCollector, Bolt, Collector};
use crate::component::{Declarer, Result, TaskContext};
use crate::id::TaskId;
use crate::multilang::LogLevel;
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::Register;
use crate::tuple::{MessageId, Tuple, TupleRef};
use crate::window::{Window, WindowBolt, WindowCollector, Windowed};

/// What nobody waits for longer.
const DEADLINE: Duration = Duration::from_secs(20);

/// A host that says what a test has it say, in JSON.
struct Host {
    stream: UnixStream,
    received: Vec<u8>,
    child: JoinHandle<std::result::Result<(), ChildError>>,
    lines: Lines,
    /// Keeps the folder of pid files.
    pids: tempfile::TempDir,
}

impl Host {
    fn start(name: &str, register: impl FnOnce(&mut Register, &Lines)) -> Self {
        let (stream, childs) = UnixStream::pair().expect("a pair of sockets");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let lines = Lines::default();
        let mut registered = Register::new();
        register(&mut registered, &lines);
        let args = ChildArgs { name: name.to_owned(), args: Json::Null, log: LevelFilter::INFO };
        let output = childs.try_clone().expect("a second handle");
        let its_lines = lines.clone();
        let child = thread::spawn(move || serve(&args, &registered, childs, output, its_lines));
        let pids = tempfile::tempdir().expect("a folder");
        Self { stream, received: Vec::new(), child, lines, pids }
    }

    /// Starts and shakes hands; `extra` is added to the handshake.
    fn shaken(name: &str, conf: Json, extra: Json, register: impl FnOnce(&mut Register)) -> Self {
        let mut host = Self::start(name, |registered, _| register(registered));
        let mut handshake = json!({
            "conf": conf,
            "pidDir": host.pids.path(),
            "context": {
                "taskid": 3,
                "componentid": "it",
                "task->component": {"1": "lines", "3": "it", "4": "end", "5": "end"},
                "streams": ["default"],
                "stream->outputfields": {"default": ["word"]},
                "stream->target->grouping": {"odd": {"end": {"type": "DIRECT"}}},
                "source->stream->grouping": {"lines": {"default": {"type": "SHUFFLE"}}},
                "source->stream->fields": {"lines": {"default": ["line"]}},
            },
        });
        let (Json::Object(all), Json::Object(extra)) = (&mut handshake, extra) else {
            panic!("objects are given")
        };
        all.extend(extra);
        host.say(&handshake);
        let pid = std::process::id();
        let answer = host.hear();
        assert_eq!(answer["pid"], pid);
        assert!(host.pids.path().join(pid.to_string()).is_file());
        host
    }

    fn say(&mut self, message: &Json) {
        let text = format!("{message}\nend\n");
        self.stream.write_all(text.as_bytes()).expect("the child reads");
    }

    fn give(&mut self, id: &str, line: &str) {
        self.say(&json!({
            "id": id, "comp": "lines", "stream": "default", "task": 1, "tuple": [line],
        }));
    }

    /// The child's next message.
    fn hear(&mut self) -> Json {
        loop {
            let end = self.received.windows(5).position(|window| window == b"\nend\n");
            if let Some(end) = end {
                let rest = self.received.split_off(end + 5);
                let message = std::mem::replace(&mut self.received, rest);
                return serde_json::from_slice(&message[..end]).expect("JSON");
            }
            let mut chunk = [0; 4096];
            let bytes = self.stream.read(&mut chunk).expect("the child says something in time");
            assert_ne!(bytes, 0, "the child has gone after {:?}", self.received);
            self.received.extend_from_slice(&chunk[..bytes]);
        }
    }

    #[track_caller]
    fn expect(&mut self, expected: &[Json]) {
        for expected in expected {
            assert_eq!(self.hear(), *expected);
        }
    }

    /// Goes, and waits for the child to do so.
    fn end(self) -> std::result::Result<(), ChildError> {
        self.stream.shutdown(std::net::Shutdown::Write).expect("it is open");
        self.child.join().expect("the child does not panic")
    }
}

fn emit(id: &str, word: &str) -> Json {
    json!({"command": "emit", "anchors": [id], "tuple": [word], "need_task_ids": false})
}

fn ack(id: &str) -> Json {
    json!({"command": "ack", "id": id})
}

fn fail(id: &str) -> Json {
    json!({"command": "fail", "id": id})
}

/// The messages of a recorded conversation, and whether the host said them.
fn recorded(name: &str) -> Vec<(bool, Json)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/storm").join(name);
    let text = std::fs::read_to_string(path).expect("the recording");
    let rows = text.lines().map(|row| serde_json::from_str::<Json>(row).expect("JSON"));
    rows.map(|row| {
        let message = row["message"].as_str().expect("a text");
        (row["from"] == "host", serde_json::from_str(message).expect("JSON"))
    })
    .collect()
}

/// Plays a host's part of a recorded conversation; the child says what the recorded one said. The
/// recorded one waited for task ids, ours says that it wants none.
fn replay(conversation: &[(bool, Json)], mut host: Host) {
    let mut waited_for: HashMap<bool, usize> = HashMap::new();
    for (position, (is_host, message)) in conversation.iter().enumerate() {
        if *is_host {
            if message.is_array() {
                continue;
            }
            let mut message = message.clone();
            if position == 0 {
                message["pidDir"] = json!(host.pids.path());
            }
            host.say(&message);
            continue;
        }
        let is_sync = |message: &Json| message["command"] == "sync";
        // A heartbeat may be answered ahead of tuples, so answers to heartbeats are only counted.
        let is_bolt = conversation[0].1["context"]["componentid"] == "split";
        if is_bolt && is_sync(message) {
            *waited_for.entry(true).or_default() += 1;
            continue;
        }
        let mut said = host.hear();
        while is_bolt && is_sync(&said) {
            *waited_for.entry(false).or_default() += 1;
            said = host.hear();
        }
        if message["pid"].is_number() {
            assert!(said["pid"].is_number() && said["framing"].is_null());
            continue;
        }
        let said_object = said.as_object_mut().expect("an object");
        if said_object.remove("need_task_ids").is_some() {
            assert_eq!(message["command"], "emit");
        }
        assert_eq!(said, *message, "message {position}");
    }
    while waited_for.get(&false) < waited_for.get(&true) {
        assert_eq!(host.hear()["command"], "sync");
        *waited_for.entry(false).or_default() += 1;
    }
    host.end().expect("an orderly end");
}

/// The recorded bolt, written here.
struct Split(Lines);

impl Bolt for Split {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word", "n"]).direct("odd", ["word"]);
    }

    fn prepare(&mut self, _: &TaskContext, _: crate::bolt::BoltHandle) -> Result {
        self.0.push(LogLevel::Info, "split ready".to_owned());
        self.0.push(LogLevel::Debug, "debug line".to_owned());
        self.0.push(LogLevel::Warn, "warn line".to_owned());
        self.0.push(LogLevel::Error, "error line".to_owned());
        self.0.push(LogLevel::Trace, "trace line".to_owned());
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        if tuple.is_tick() {
            let line = format!("tick [{}]", tuple.i64(0)?);
            self.0.push(LogLevel::Info, line);
            return Ok(());
        }
        let line = tuple.str("line")?.to_owned();
        if line.starts_with("refuse") {
            out.report_error("refusing");
            out.fail(tuple);
            return Ok(());
        }
        for (n, word) in line.split_whitespace().enumerate() {
            out.emit(&tuple, (word, n as i64));
        }
        out.ack(tuple);
        Ok(())
    }
}

#[test]
fn a_bolt_says_to_a_host_of_storm_what_the_recorded_one_said() {
    let host = Host::start("split", |register, lines| {
        let lines = lines.clone();
        register.add("split", move |(): ()| Split(lines.clone()));
    });
    replay(&recorded("multilang-split.jsonl"), host);
}

/// The recorded spout, written here: it goes through its lines five times.
struct Sentences {
    lines: Lines,
    next: usize,
}

const SENTENCES: [&str; 6] = [
    "the cow jumped over the moon",
    "an apple a day keeps the doctor away",
    "refuse this one please",
    "café naïve 日本 😀 \"quoted\" back\\slash",
    "",
    "tab\there",
];

impl Spout for Sentences {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["line"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.next == 5 * SENTENCES.len() {
            return Ok(Next::Finished);
        }
        out.emit_with_id([SENTENCES[self.next % SENTENCES.len()]], format!("m{}", self.next));
        self.next += 1;
        Ok(Next::Emitted)
    }

    fn ack(&mut self, id: MessageId, _: &mut SpoutCollector) -> Result {
        self.lines.push(LogLevel::Info, format!("acked {}", id.to_value()));
        Ok(())
    }

    fn fail(&mut self, id: MessageId, _: &mut SpoutCollector) -> Result {
        self.lines.push(LogLevel::Info, format!("failed {}", id.to_value()));
        Ok(())
    }
}

#[test]
fn a_spout_says_to_a_host_of_storm_what_the_recorded_one_said() {
    let host = Host::start("lines", |register, lines| {
        let lines = lines.clone();
        register.add("lines", move |(): ()| Sentences { lines: lines.clone(), next: 0 });
    });
    replay(&recorded("multilang-lines.jsonl"), host);
}

/// Emits its input; panics, errs, emits twice or wrongly where the input asks for it.
struct Echo;

impl BasicBolt for Echo {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]).direct("odd", ["word"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        if tuple.is_tick() {
            return Ok(());
        }
        match tuple.str("line")? {
            "panic" => panic!("as asked"),
            "err" => return Err("as asked".into()),
            "twice" => out.emit(["first"]),
            "direct" => out.emit_direct(TaskId(4), "odd", ["directly"]),
            "undeclared" => out.emit_to("even", ["never"]),
            "nothing" => return Ok(()),
            _ => {}
        }
        out.emit([tuple.get("line")?]);
        Ok(())
    }
}

fn echo(extra: Json) -> Host {
    Host::shaken("echo", json!({}), extra, |register| {
        register.add("echo", |(): ()| Echo);
    })
}

fn error(text: &str) -> Json {
    json!({"command": "error", "msg": text})
}

#[test]
fn a_basic_bolt_emits_and_acks_and_what_goes_wrong_is_told_and_fails() {
    let mut host = echo(json!({}));
    host.give("1", "a");
    host.expect(&[emit("1", "a"), ack("1")]);
    host.give("2", "twice");
    host.expect(&[emit("2", "first"), emit("2", "twice"), ack("2")]);
    host.give("3", "nothing");
    host.expect(&[ack("3")]);
    host.give("4", "err");
    host.expect(&[error("as asked"), fail("4")]);
    host.give("5", "panic");
    host.expect(&[error("panicked: as asked"), fail("5")]);
    host.give("6", "after");
    host.expect(&[emit("6", "after"), ack("6")]);
    host.give("7", "undeclared");
    host.expect(&[
        error("it emitted to stream even, which it does not declare: it has default, odd"),
        fail("7"),
    ]);
    host.say(&json!({"id": "9", "comp": null, "stream": "__heartbeat", "task": -1, "tuple": []}));
    host.expect(&[json!({"command": "sync"})]);
    host.say(&json!({"id": "8", "comp": "__system", "stream": "__tick", "task": -1, "tuple": [2]}));
    host.expect(&[ack("8")]);
    host.say(&json!({"id": 10, "comp": "lines", "stream": "x", "task": 1, "tuple": [1]}));
    assert_eq!(host.hear()["command"], "error");
    host.expect(&[json!({"command": "fail", "id": 10})]);
    host.end().expect("an orderly end");
}

#[test]
fn an_emission_to_a_task_goes_to_a_host_of_ours_and_never_to_storm() {
    let mut storm = echo(json!({}));
    storm.give("1", "direct");
    let said = storm.hear();
    assert!(said["msg"].as_str().expect("an error").contains("the host is Apache Storm"), "{said}");
    storm.expect(&[fail("1")]);
    storm.end().expect("an orderly end");

    let mut ours = echo(json!({"framings": []}));
    ours.give("1", "direct");
    let direct = json!({
        "command": "emit", "anchors": ["1"], "stream": "odd", "task": 4, "tuple": ["directly"],
    });
    ours.expect(&[direct, emit("1", "direct"), ack("1")]);
    ours.end().expect("an orderly end");
}

#[test]
fn the_end_of_a_conversation_says_what_could_not_be_understood() {
    let mut host = echo(json!({}));
    host.stream.write_all(b"hello\nend\n").expect("the child reads");
    let Err(ChildError::Message(error)) = host.end() else { panic!("it was no message") };
    assert!(error.to_string().contains("near `hello"), "{error}");

    let host = Host::start("ecko", |register, _| {
        register.add("echo", |(): ()| Echo);
    });
    let error = host.end().expect_err("there is no such component");
    assert_eq!(error.to_string(), "no component is registered as \"ecko\"; did you mean echo?");
}

/// Asks who gets what it emits, and emits that as well.
struct Asks;

impl Bolt for Asks {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        let tasks = out.emit_for_tasks("default", &tuple, [tuple.get("line")?]);
        out.emit((), [format!("{tasks:?}")]);
        out.ack(tuple);
        Ok(())
    }
}

#[test]
fn tasks_are_asked_for_and_tuples_that_come_before_the_answer_wait() {
    let mut host = Host::shaken("asks", json!({}), json!({}), |register| {
        register.add("asks", |(): ()| Asks);
    });
    host.give("1", "a");
    let asked = |id: &str, word: &str| json!({"command": "emit", "anchors": [id], "tuple": [word]});
    host.expect(&[asked("1", "a")]);
    host.give("2", "b");
    host.say(&json!([4, 5]));
    let told = json!({"command": "emit", "tuple": ["[task 4, task 5]"], "need_task_ids": false});
    host.expect(&[told, ack("1"), asked("2", "b")]);
    host.say(&json!([]));
    let told = json!({"command": "emit", "tuple": ["[]"], "need_task_ids": false});
    host.expect(&[told, ack("2")]);
    host.end().expect("an orderly end");
}

/// Keeps tuples and panics with the second one; ticks are counted as a metric.
struct Keeps {
    kept: Vec<Tuple>,
    context: Option<TaskContext>,
}

impl Bolt for Keeps {
    fn declare(&self, declare: &mut Declarer) {
        declare.tick_every(Duration::from_millis(5));
    }

    fn prepare(&mut self, context: &TaskContext, _: crate::bolt::BoltHandle) -> Result {
        self.context = Some(context.clone());
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, _: &mut Collector) -> Result {
        if tuple.is_tick() {
            let context = self.context.as_ref().expect("it is prepared");
            context.metric("ticks").add(1);
            return Ok(());
        }
        self.kept.push(tuple);
        assert!(self.kept.len() < 2, "two are too many");
        Ok(())
    }
}

#[test]
fn what_an_instance_held_that_panicked_fails() {
    let register = |register: &mut Register| {
        register.add("keeps", |(): ()| Keeps { kept: Vec::new(), context: None });
    };
    let conf = json!({"topology.tick.tuple.freq.secs": 60});
    let mut host = Host::shaken("keeps", conf, json!({}), register);
    host.give("1", "a");
    host.give("2", "b");
    host.expect(&[error("panicked: two are too many")]);
    let mut failed = [host.hear(), host.hear()].map(|said| said["id"].to_string());
    failed.sort();
    assert_eq!(failed, ["\"1\"", "\"2\""]);
    host.end().expect("an orderly end");
}

#[test]
fn a_component_has_its_own_ticks_where_the_host_makes_none_and_its_metrics_are_told() {
    let register = |register: &mut Register| {
        register.add("keeps", |(): ()| Keeps { kept: Vec::new(), context: None });
    };
    let mut host = Host::shaken("keeps", json!({}), json!({"framings": []}), register);
    let said = host.hear();
    assert_eq!((&said["command"], &said["name"]), (&json!("metrics"), &json!("ticks")));
    assert!(said["params"].as_i64().expect("a number") > 0);
    host.end().expect("an orderly end");
}

/// Emits how many tuples its window has.
struct Count;

impl WindowBolt for Count {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
    }

    fn execute(&mut self, window: &Window<'_>, out: &mut WindowCollector<'_>) -> Result {
        out.emit([window.tuples().len().to_string()]);
        Ok(())
    }
}

#[test]
fn a_windowed_bolt_emits_for_its_window_and_acks_what_leaves_it() {
    let mut host = Host::shaken("count", json!({}), json!({}), |register| {
        register.add("count", |(): ()| Windowed::new(Count).tumbling_count(2));
    });
    host.give("1", "a");
    host.give("2", "b");
    let said = host.hear();
    assert_eq!((&said["tuple"], &said["anchors"]), (&json!(["2"]), &json!(["1", "2"])));
    host.expect(&[ack("1"), ack("2")]);
    host.end().expect("an orderly end");
}

#[test]
fn a_faster_framing_that_is_offered_is_taken() {
    use crate::multilang::{
        DEFAULT_MAX_MESSAGE_BYTES, Framing, FromChild, HostReader, HostWriter, SourceTask,
    };

    for framing in [Framing::Binary, Framing::MessagePack] {
        let mut host = echo(json!({"framings": ["smoke-signals", framing.name()]}));
        let mut writer = HostWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
        let source = SourceTask { component: "lines", stream: "default", task: 1 };
        writer.tuple(7, source, &["a".into()]).expect("it can be sent");
        writer.tuple(8, source, &["nothing".into()]).expect("it can be sent");
        host.stream.write_all(writer.pending()).expect("the child reads");
        let mut reader = HostReader::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
        let mut answered = Vec::new();
        while answered.len() < 2 {
            let mut chunk = [0; 4096];
            let bytes = host.stream.read(&mut chunk).expect("an answer in time");
            reader.push(&chunk[..bytes]);
            while let Some(message) = reader.next_message().expect("a message") {
                match message {
                    FromChild::Answered { id, values } => {
                        answered.push((id, values.map(|values| values.len())));
                    }
                    FromChild::Emit(emit) => {
                        assert_eq!(emit.anchors[0].as_number(), Some(7));
                        answered.push((7, Some(emit.values.len())));
                    }
                    FromChild::Ack(id) if id.as_number() == Some(8) => answered.push((8, None)),
                    FromChild::Ack(_) => {}
                    other => panic!("unexpected: {other:?}"),
                }
            }
        }
        assert_eq!(answered, [(7, Some(1)), (8, None)]);
        host.end().expect("an orderly end");
    }
}

/// Emits ids of a kind that JSON does not keep, one that cannot be sent first.
struct Odd {
    left: u32,
    failed: Vec<MessageId>,
}

#[derive(Debug)]
struct Opaque;

impl crate::tuple::SharedObject for Opaque {
    fn type_name(&self) -> &'static str {
        "opaque"
    }

    fn java_hash(&self) -> i32 {
        0
    }
}

impl Spout for Odd {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let id = crate::tuple::Value::bytes(&[1, 2]);
        if let Some(failed) = self.failed.pop() {
            assert_eq!(failed, MessageId::from(id.clone()));
            self.left = 1;
        }
        match self.left {
            2 => {
                let object = crate::tuple::Value::object(std::sync::Arc::new(Opaque));
                out.emit_with_id([object], id);
                self.left = 0;
            }
            1 => {
                out.emit_with_id(["sent"], id);
                self.left = 0;
            }
            _ => return Ok(Next::Idle),
        }
        Ok(Next::Emitted)
    }

    fn fail(&mut self, id: MessageId, _: &mut SpoutCollector) -> Result {
        self.failed.push(id);
        Ok(())
    }
}

#[test]
fn a_message_that_cannot_be_sent_fails_and_ids_come_back_as_they_were() {
    let mut host = Host::shaken("odd", json!({}), json!({}), |register| {
        register.add("odd", |(): ()| Odd { left: 2, failed: Vec::new() });
    });
    let next = json!({"command": "next", "id": ""});
    host.say(&next);
    assert_eq!(host.hear()["command"], "error");
    host.expect(&[json!({"command": "sync"})]);
    for _ in 0..2 {
        host.say(&next);
        let said = host.hear();
        assert_eq!(said["tuple"], json!(["sent"]));
        host.expect(&[json!({"command": "sync"})]);
        host.say(&json!({"command": "fail", "id": said["id"]}));
        host.expect(&[json!({"command": "sync"})]);
    }
    host.end().expect("an orderly end");
}

#[test]
fn log_lines_of_any_thread_reach_the_host() {
    let mut host = echo(json!({}));
    host.lines.push(LogLevel::Warn, "from afar".to_owned());
    host.expect(&[json!({"command": "log", "msg": "from afar", "level": 3})]);
    host.end().expect("an orderly end");
}
