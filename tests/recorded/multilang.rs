//! What Storm's host and its Python adapter said to each other is read, and written again the same.

use serde_json::{Value as Json, from_str, from_value, to_value};
use storm_runtime::multilang::{
    ChildReader, ChildWriter, DEFAULT_MAX_MESSAGE_BYTES, Emission, Framing, FromChild, FromHost,
    Handshake, HostReader, HostWriter, Pid, TupleId,
};

use crate::fixtures::json_lines;

/// The messages of a conversation, each with its place and whether the host sent it.
fn conversation(name: &str) -> Vec<(String, bool, String)> {
    let rows = json_lines("storm", name).into_iter();
    rows.map(|(place, row)| {
        let text = row["message"].as_str().expect("a message").to_owned();
        (place, row["from"] == "host", text)
    })
    .collect()
}

/// What was written, read as JSON.
fn written(bytes: &[u8]) -> Json {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let document = text.strip_suffix("\nend\n").expect("one message with its end");
    from_str(document).expect("JSON")
}

/// A message of a host, read and written again.
fn through_host(text: &str) -> Json {
    let mut reader = ChildReader::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES);
    reader.push(format!("{text}\nend\n").as_bytes());
    let mut writer = HostWriter::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES);
    let number = |id: TupleId| id.as_number().expect("Storm's ids are numbers");
    match reader.next_message().expect("a message").expect("all of it is there") {
        FromHost::Tuple { id, source, values } => {
            writer.tuple(number(id), source, values).expect("it was JSON");
        }
        FromHost::TaskIds(tasks) => writer.task_ids(tasks.iter().copied()),
        FromHost::Heartbeat(id) => writer.heartbeat(number(id)),
        FromHost::Next { calls } => assert_eq!((calls, writer.next(calls)), (1, 1)),
        FromHost::Ack(id) => writer.ack(&id).expect("it was JSON"),
        FromHost::Fail(id) => writer.fail(&id).expect("it was JSON"),
        FromHost::Activate => writer.activate(),
        FromHost::Deactivate => writer.deactivate(),
    }
    written(writer.pending())
}

/// A message of a child, read and written again.
fn through_child(text: &str) -> Json {
    let mut reader = HostReader::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES);
    reader.push(format!("{text}\nend\n").as_bytes());
    let mut writer = ChildWriter::new(Framing::Json, DEFAULT_MAX_MESSAGE_BYTES);
    match reader.next_message().expect("a message").expect("all of it is there") {
        FromChild::Emit(emit) => {
            let emission = Emission {
                anchors: emit.anchors,
                stream: emit.stream.as_deref(),
                task: emit.task,
                message_id: emit.message_id.as_ref(),
                need_task_ids: emit.need_task_ids,
            };
            writer.emit(&emission, emit.values).expect("it was JSON");
        }
        FromChild::Ack(id) => writer.ack(&id).expect("it was JSON"),
        FromChild::Fail(id) => writer.fail(&id).expect("it was JSON"),
        FromChild::Log { text, level } => writer.log(&text, level).expect("it was JSON"),
        FromChild::Error { text } => writer.error(&text).expect("it was JSON"),
        FromChild::Sync => writer.sync(),
        other => panic!("the adapter does not say {other:?}"),
    }
    written(writer.pending())
}

#[test]
fn a_recorded_conversation_is_read_and_written_again_as_it_was() {
    for name in ["multilang-split.jsonl", "multilang-lines.jsonl"] {
        let conversation = conversation(name);
        let [(_, true, handshake), (_, false, pid), rest @ ..] = &conversation[..] else {
            panic!("a conversation begins with a handshake")
        };
        let handshake: Json = from_str(handshake).expect("JSON");
        let told: Handshake = from_value(handshake.clone()).expect("a handshake");
        assert!(!told.is_ours() && told.context.task > 0);
        assert_eq!(to_value(&told).expect("JSON"), handshake, "{name}");
        let pid: Json = from_str(pid).expect("JSON");
        let answered: Pid = from_value(pid.clone()).expect("an answer");
        assert_eq!(to_value(&answered).expect("JSON"), pid, "{name}");
        for (place, is_host, text) in rest {
            let again = if *is_host { through_host(text) } else { through_child(text) };
            assert_eq!(again, from_str::<Json>(text).expect("JSON"), "{place}");
        }
    }
}
