//! Both ends against each other, and against bytes that CPython and others wrote.

use base64::prelude::{BASE64_STANDARD, Engine};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::tuple::{Value, ValueRef};

const FRAMINGS: [Framing; 3] = [Framing::Json, Framing::MessagePack, Framing::Binary];

/// What a child says, owned.
#[derive(Debug, Clone, PartialEq)]
enum Said {
    Emit {
        anchors: Vec<i64>,
        to: Option<String>,
        task: Option<i64>,
        id: Value,
        needs: bool,
        values: Vec<Value>,
    },
    Ack(i64),
    Fail(i64),
    Answered(i64, Option<Vec<Value>>),
    Log(String, LogLevel),
    Error(String),
    Metrics(String, Value),
    Sync,
}

/// What a host says, owned.
#[derive(Debug, Clone, PartialEq)]
enum Told {
    Tuple { id: i64, component: String, stream: String, task: i64, values: Vec<Value> },
    TaskIds(Vec<i64>),
    Heartbeat(i64),
    Next(u32),
    Settled { is_acked: bool, id: Value },
    Activate,
    Deactivate,
}

/// What becomes of a value on the way.
fn as_read(framing: Framing, value: &Value) -> Value {
    let is_json = framing == Framing::Json;
    let float = |value: f64| match is_json && !value.is_finite() {
        true => Value::null(),
        false => value.into(),
    };
    match value.view() {
        ValueRef::I32(value) => i64::from(value).into(),
        // JSON has a shortest decimal of the narrow float, of which there may be two.
        ValueRef::F32(value) if is_json && value.is_finite() => {
            let text = serde_json::to_string(&value).expect("a number");
            text.parse::<f64>().expect("a number").into()
        }
        ValueRef::F32(value) => float(value.into()),
        ValueRef::F64(value) => float(value),
        ValueRef::Bytes(bytes) if is_json => BASE64_STANDARD.encode(bytes).into(),
        ValueRef::List(values) => {
            Value::list(values.iter().map(|value| as_read(framing, value)).collect::<Vec<_>>())
        }
        ValueRef::Map(pairs) => {
            let pairs = pairs.iter();
            let read = pairs.map(|(key, value)| (as_key(framing, key), as_read(framing, value)));
            Value::map(read.collect::<Vec<_>>())
        }
        _ => value.clone(),
    }
}

fn as_key(framing: Framing, key: &Value) -> Value {
    match key.view() {
        ValueRef::I64(number) if framing == Framing::Json => number.to_string().into(),
        _ => as_read(framing, key),
    }
}

fn all_as_read(framing: Framing, values: &[Value]) -> Vec<Value> {
    values.iter().map(|value| as_read(framing, value)).collect()
}

fn write_said(writer: &mut ChildWriter, said: &Said) {
    let written = match said {
        Said::Emit { anchors, to, task, id, needs, values } => {
            let anchors: Vec<_> = anchors.iter().map(|id| TupleId::Number(*id)).collect();
            let emission = Emission {
                anchors: &anchors,
                stream: to.as_deref(),
                task: *task,
                message_id: Some(id).filter(|id| !id.is_null()),
                need_task_ids: *needs,
            };
            writer.emit(&emission, values)
        }
        Said::Ack(id) => writer.ack(&TupleId::Number(*id)),
        Said::Fail(id) => writer.fail(&TupleId::Number(*id)),
        Said::Answered(id, values) => writer.answered(&TupleId::Number(*id), values.as_deref()),
        Said::Log(text, level) => writer.log(text, *level),
        Said::Error(text) => writer.error(text),
        Said::Metrics(name, params) => writer.metrics(name, params),
        Said::Sync => {
            writer.sync();
            Ok(())
        }
    };
    written.expect("it can be written");
}

/// What is read where this was written; what is said shortly in binary is two messages elsewhere.
fn expected_said(framing: Framing, said: &Said) -> Vec<Said> {
    let read = |values: &[Value]| all_as_read(framing, values);
    match said {
        Said::Emit { anchors, to, task, id, needs, values } => vec![Said::Emit {
            anchors: anchors.clone(),
            to: to.clone().filter(|to| framing != Framing::Binary || to != "default"),
            task: *task,
            id: as_read(framing, id),
            needs: *needs && task.is_none(),
            values: read(values),
        }],
        Said::Answered(id, values) if framing == Framing::Binary => {
            vec![Said::Answered(*id, values.as_deref().map(read))]
        }
        Said::Answered(id, values) => {
            let emit = values.as_deref().map(|values| Said::Emit {
                anchors: vec![*id],
                to: None,
                task: None,
                id: Value::null(),
                needs: false,
                values: read(values),
            });
            emit.into_iter().chain([Said::Ack(*id)]).collect()
        }
        Said::Metrics(name, params) => vec![Said::Metrics(name.clone(), as_read(framing, params))],
        _ => vec![said.clone()],
    }
}

fn read_said(message: FromChild<'_>) -> Said {
    let number = |id: TupleId| id.as_number().expect("a number");
    match message {
        FromChild::Emit(emit) => Said::Emit {
            anchors: emit.anchors.iter().cloned().map(number).collect(),
            to: emit.stream.map(Into::into),
            task: emit.task,
            id: emit.message_id.unwrap_or_default(),
            needs: emit.need_task_ids,
            values: std::mem::take(emit.values),
        },
        FromChild::Ack(id) => Said::Ack(number(id)),
        FromChild::Fail(id) => Said::Fail(number(id)),
        FromChild::Answered { id, values } => Said::Answered(id, values.map(std::mem::take)),
        FromChild::Log { text, level } => Said::Log(text.into(), level),
        FromChild::Error { text } => Said::Error(text.into()),
        FromChild::Metrics { name, params } => Said::Metrics(name.into(), params),
        FromChild::Sync => Said::Sync,
        FromChild::Acks { .. } | FromChild::Unknown { .. } => panic!("not written: {message:?}"),
    }
}

fn write_told(writer: &mut HostWriter, told: &Told) {
    match told {
        Told::Tuple { id, component, stream, task, values } => {
            writer.tuple(*id, SourceTask { component, stream, task: *task }, values)
        }
        Told::TaskIds(tasks) => {
            writer.task_ids(tasks.iter().copied());
            Ok(())
        }
        Told::Heartbeat(id) => {
            writer.heartbeat(*id);
            Ok(())
        }
        Told::Next(calls) => {
            writer.next(*calls);
            Ok(())
        }
        Told::Settled { is_acked: true, id } => writer.ack(id),
        Told::Settled { is_acked: false, id } => writer.fail(id),
        Told::Activate => {
            writer.activate();
            Ok(())
        }
        Told::Deactivate => {
            writer.deactivate();
            Ok(())
        }
    }
    .expect("it can be written");
}

fn expected_told(framing: Framing, told: &Told) -> Told {
    match told.clone() {
        Told::Tuple { id, component, stream, task, values } => {
            Told::Tuple { id, component, stream, task, values: all_as_read(framing, &values) }
        }
        Told::Settled { is_acked, id } => Told::Settled { is_acked, id: as_read(framing, &id) },
        Told::Next(_) if framing != Framing::Binary => Told::Next(1),
        told => told,
    }
}

fn read_told(message: FromHost<'_>) -> Told {
    let number = |id: TupleId| id.as_number().expect("a number");
    match message {
        FromHost::Tuple { id, source, values } => Told::Tuple {
            id: number(id),
            component: source.component.to_owned(),
            stream: source.stream.to_owned(),
            task: source.task,
            values: std::mem::take(values),
        },
        FromHost::TaskIds(tasks) => Told::TaskIds(tasks.to_vec()),
        FromHost::Heartbeat(id) => Told::Heartbeat(number(id)),
        FromHost::Next { calls } => Told::Next(calls),
        FromHost::Ack(id) => Told::Settled { is_acked: true, id },
        FromHost::Fail(id) => Told::Settled { is_acked: false, id },
        FromHost::Activate => Told::Activate,
        FromHost::Deactivate => Told::Deactivate,
    }
}

/// All messages in `bytes`, which arrive in pieces of `piece` bytes.
fn hear_child(framing: Framing, bytes: &[u8], piece: usize) -> Result<Vec<Said>, MultilangError> {
    let mut reader = HostReader::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
    let mut heard = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(message) = reader.next_message()? {
            heard.push(read_said(message));
        }
    }
    assert_eq!(reader.waiting(), 0, "nothing is left over");
    Ok(heard)
}

fn hear_host(framing: Framing, bytes: &[u8], piece: usize) -> Result<Vec<Told>, MultilangError> {
    let mut reader = ChildReader::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
    let mut heard = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(message) = reader.next_message()? {
            heard.push(read_told(message));
        }
    }
    assert_eq!(reader.waiting(), 0, "nothing is left over");
    Ok(heard)
}

fn values() -> impl Strategy<Value = Value> {
    let text = "[a-z \"\\\\\n/é日😀\u{0}]{0,40}";
    let leaf = prop_oneof![
        Just(Value::null()),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let key = prop_oneof![text.prop_map(Value::from), any::<i64>().prop_map(Value::from)];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::list),
            vec((key, inner), 0..5).prop_map(Value::map),
        ]
    })
}

fn said() -> impl Strategy<Value = Said> {
    let ids = || 0..9i64;
    let emit = (vec(ids(), 0..3), any::<Option<bool>>(), any::<Option<u16>>(), values())
        .prop_flat_map(|(anchors, to, task, id)| {
            (any::<bool>(), vec(values(), 0..4)).prop_map(move |(needs, values)| Said::Emit {
                anchors: anchors.clone(),
                to: to.map(|is_default| if is_default { "default" } else { "odd" }.to_owned()),
                task: task.filter(|task| *task > 0).map(i64::from),
                id: id.clone(),
                needs,
                values,
            })
        });
    prop_oneof![
        emit,
        (ids(), proptest::option::of(vec(values(), 0..4)))
            .prop_map(|(id, values)| Said::Answered(id, values)),
        ids().prop_map(Said::Ack),
        any::<i64>().prop_map(Said::Fail),
        (".{0,20}", 0..5i64)
            .prop_map(|(text, level)| Said::Log(text, LogLevel::from_number(level))),
        ".{0,20}".prop_map(Said::Error),
        (".{0,20}", values()).prop_map(|(name, params)| Said::Metrics(name, params)),
        Just(Said::Sync),
    ]
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        4 => (0..4i64, "[ab]", 0..2i64, vec(values(), 0..4)).prop_map(
            |(id, component, task, values)| Told::Tuple {
                id,
                component,
                stream: "default".to_owned(),
                task,
                values,
            }
        ),
        1 => vec(any::<i64>(), 0..4).prop_map(Told::TaskIds),
        1 => any::<i64>().prop_map(Told::Heartbeat),
        1 => (1..u32::MAX).prop_map(Told::Next),
        1 => (any::<bool>(), values()).prop_map(|(is_acked, id)| Told::Settled { is_acked, id }),
        1 => Just(Told::Activate),
        1 => Just(Told::Deactivate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_a_child_says_is_heard_however_its_bytes_arrive(
        conversation in vec(said(), 0..12),
        piece in 1..200usize,
        taken in 1..4usize,
    ) {
        for framing in FRAMINGS {
            let mut writer = ChildWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            let mut bytes = Vec::new();
            for said in conversation.chunks(taken) {
                said.iter().for_each(|said| write_said(&mut writer, said));
                bytes.extend_from_slice(writer.pending());
                let written = writer.pending().len();
                writer.sent(written);
            }
            let expected: Vec<_> =
                conversation.iter().flat_map(|said| expected_said(framing, said)).collect();
            prop_assert_eq!(hear_child(framing, &bytes, piece).unwrap(), expected);
        }
    }

    #[test]
    fn what_a_host_says_is_heard_however_its_bytes_arrive(
        conversation in vec(told(), 0..12),
        piece in 1..200usize,
    ) {
        for framing in FRAMINGS {
            let mut writer = HostWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            conversation.iter().for_each(|told| write_told(&mut writer, told));
            let expected: Vec<_> =
                conversation.iter().map(|told| expected_told(framing, told)).collect();
            prop_assert_eq!(hear_host(framing, writer.pending(), piece).unwrap(), expected);
        }
    }
}

/// The bytes that hexadecimal digits stand for, however they are spaced.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

#[test]
fn frames_are_those_of_cpython() {
    let mut host = HostWriter::new(Framing::Binary, DEFAULT_MAX_MESSAGE_BYTES);
    let source = SourceTask { component: "lines", stream: "default", task: 3 };
    host.tuple(100, source, &["the cow".into()]).unwrap();
    host.tuple(101, source, &["café".into(), 7i64.into()]).unwrap();
    let expected = "00000059 5b01000000 2806000000 6900000000 75050000006c696e6573
        750700000064656661756c74 6903000000 6964000000 5b02000000
        5b01000000 750700000074686520636f77
        5b02000000 7505000000636166c3a9 6907000000";
    assert_eq!(host.pending(), hex(expected));

    let mut child = ChildWriter::new(Framing::Binary, DEFAULT_MAX_MESSAGE_BYTES);
    let anchors = [TupleId::Number(100)];
    let emission = Emission { anchors: &anchors, ..Emission::default() };
    child.emit(&emission, &["the".into()]).unwrap();
    child.ack(&anchors[0]).unwrap();
    child.sync();
    let expected = "0000003a 5b03000000
        2803000000 6900000000 6964000000 5b01000000 7503000000746865
        2802000000 6902000000 6964000000
        2801000000 6908000000";
    assert_eq!(child.pending(), hex(expected));
}

#[test]
fn every_kind_of_value_that_cpython_writes_is_read() {
    // marshal.dumps([(0, None, [2**40, -2**40, 1.5, b"\0\xff", True, None, {"a": 1}, 2**64,
    // -2**63])], 2)
    let values = "6c0300000000000000 0004 6cfdffffff00000000 0004 67000000000000f83f 730200000000ff
        54 4e 7b 7501000000 61 6901000000 30 6c05000000 0000000000000000 1000
        6cfbffffff 0000000000000000 0800";
    let item = format!("5b01000000 2803000000 6900000000 4e 5b09000000 {values}");
    let item = hex(&item);
    let frame = [&(item.len() as u32).to_be_bytes()[..], &item].concat();
    let heard = hear_child(Framing::Binary, &frame, frame.len()).unwrap();
    let [Said::Emit { values, .. }] = &heard[..] else { panic!("{heard:?}") };
    let map = Value::map([("a".into(), 1i64.into())]);
    let expected = [
        (1i64 << 40).into(),
        (-(1i64 << 40)).into(),
        1.5.into(),
        Value::bytes(&[0, 255]),
        true.into(),
        Value::null(),
        map,
        18_446_744_073_709_551_616.0.into(),
        i64::MIN.into(),
    ];
    assert_eq!(values[..], expected);
}

#[track_caller]
fn check_error(framing: Framing, bytes: &[u8], expected: &str) {
    let error = hear_child(framing, bytes, bytes.len()).expect_err("it is no message");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_no_message_is_refused_with_its_place_and_a_piece_of_it() {
    let json = |text: &str| format!("{{\"command\":\"sync\"}}\nend\n{text}\nend\n").into_bytes();
    check_error(
        Framing::Json,
        &json("hello"),
        "byte 0 of the json message at byte 23: expected value, near `hello\\n`",
    );
    check_error(
        Framing::Json,
        &json("{\"command\":\"emit\",\"tuple\":[NaN]}"),
        "byte 27 of the json message at byte 23: expected value, near \
         `ommand\\\":\\\"emit\\\",\\\"tuple\\\":[NaN]}\\n`",
    );
    check_error(
        Framing::Json,
        &json("{\"command\":\"ack\"}"),
        "byte 0 of the json message at byte 23: an ack without id, near \
         `{\\\"command\\\":\\\"ack\\\"}\\n`",
    );
    check_error(
        Framing::MessagePack,
        &[0x81, 0xc1],
        "byte 1 of the msgpack message at byte 0: byte 0xc1, which begins no value, near \
         `\\x81\\xc1`",
    );
    check_error(
        Framing::Binary,
        &hex("0000000f 5b01000000 2801000000 6963000000"),
        "byte 5 of the binary message at byte 0: item 99 with 0 fields, which is none, near \
         `[\\x01\\x00\\x00\\x00(\\x01\\x00\\x00\\x00ic\\x00\\x00\\x00`",
    );
    check_error(
        Framing::Binary,
        &hex("00000005 5bffffff7f"),
        "byte 1 of the binary message at byte 0: 2147483647, which the frame cannot hold, near \
         `[\\xff\\xff\\xff\\x7f`",
    );
}

#[test]
fn a_message_beyond_the_limit_is_refused_as_soon_as_that_is_known() {
    let beginnings = [
        (Framing::Json, vec![b' '; 1001]),
        (Framing::MessagePack, hex("81 a1 61 db ffffffff")),
        (Framing::MessagePack, hex("df ffffffff")),
        (Framing::Binary, hex("ffffffff")),
    ];
    for (framing, bytes) in beginnings {
        let mut reader = HostReader::new(framing, 1000);
        reader.push(&bytes);
        let error = reader.next_message().expect_err("it is too long");
        assert_eq!(error.kind, MultilangErrorKind::TooLong { limit: 1000 }, "{framing}");
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::null(), |inner, _| Value::list([inner]))
}

#[test]
fn as_deep_as_may_be_is_sent_and_heard_and_deeper_is_refused_at_both_ends() {
    for framing in FRAMINGS {
        let mut writer = ChildWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
        let deepest = Said::Metrics("deep".to_owned(), nested(MAX_DEPTH));
        write_said(&mut writer, &deepest);
        let bytes = writer.pending();
        assert_eq!(hear_child(framing, bytes, bytes.len()), Ok(vec![deepest]));
        let written = writer.metrics("deep", &nested(MAX_DEPTH + 1));
        assert_eq!(written, Err(NotSendable::TooDeep));
    }
    let text = |depth| {
        let (opened, closed) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"command\":\"emit\",\"tuple\":[{opened}1{closed}]}}\nend\n").into_bytes()
    };
    assert!(hear_child(Framing::Json, &text(MAX_DEPTH), 64).is_ok());
    let error = hear_child(Framing::Json, &text(MAX_DEPTH + 1), 64).unwrap_err();
    assert_eq!(error.kind, MultilangErrorKind::TooDeep);
    assert!(hear_child(Framing::Json, &text(1_000_000), 1 << 16).is_err());
    let frame = [&1_000_005u32.to_be_bytes()[..], &b"(\x01\0\0\0".repeat(200_001)].concat();
    assert!(hear_child(Framing::Binary, &frame, 1 << 16).is_err());
    assert!(hear_child(Framing::MessagePack, &[0x91; 1_000_000], 1 << 16).is_err());
}

#[test]
fn what_cannot_be_sent_leaves_nothing_and_says_what_to_do() {
    let key = Value::map([(Value::list([]), Value::null())]);
    for framing in FRAMINGS {
        let mut writer = HostWriter::new(framing, 2000);
        let source = SourceTask { component: "lines", stream: "default", task: 3 };
        writer.tuple(1, source, &["one".into()]).unwrap();
        let long = "a".repeat(3000);
        let error = writer.tuple(2, source, &[long.into()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the message would take more than 2000 bytes: emit less per tuple, or raise \
             topology.multilang.message.max.bytes"
        );
        if framing != Framing::MessagePack {
            let error = writer.tuple(2, source, std::slice::from_ref(&key)).unwrap_err();
            assert_eq!(error, NotSendable::Key { kind: "list" });
        }
        writer.tuple(2, source, &["two".into()]).unwrap();
        let heard = hear_host(framing, writer.pending(), 7).unwrap();
        assert_eq!(heard.len(), 2, "{framing}");
    }
}

#[test]
fn tuples_that_do_not_fit_into_a_frame_go_into_the_next_one() {
    let mut writer = HostWriter::new(Framing::Binary, 1000);
    let source = SourceTask { component: "lines", stream: "default", task: 3 };
    for id in 0..100 {
        writer.tuple(id, source, &["a".repeat(300).into()]).unwrap();
    }
    let mut reader = ChildReader::new(Framing::Binary, 1000);
    reader.push(writer.pending());
    for expected in 0..100 {
        let message = reader.next_message().unwrap();
        let Some(FromHost::Tuple { id, .. }) = message else { panic!("{message:?}") };
        assert_eq!(id, TupleId::Number(expected));
    }
    assert_eq!(reader.next_message(), Ok(None));
}

#[test]
fn a_handshake_chooses_the_framing_of_what_follows() {
    for (framing, offered) in [
        (Framing::Json, Some(Framing::Binary)),
        (Framing::Json, Some(Framing::MessagePack)),
        (Framing::MessagePack, None),
    ] {
        let told = Handshake {
            conf: serde_json::Map::new(),
            pid_dir: "/tmp".to_owned(),
            context: Context {
                task: 3,
                task_to_component: [(3, "split".to_owned())].into(),
                ..Context::default()
            },
            framings: Some(offered.iter().map(|one| one.name().to_owned()).collect()),
        };
        let mut host = HostWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
        let mut child = ChildReader::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
        host.handshake(&told);
        child.push(host.pending());
        let heard = child.next_handshake().unwrap().expect("all of it is there");
        assert_eq!(heard, told);
        assert!(heard.is_ours());

        let mut writer = ChildWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
        let taken = heard.offered();
        writer.pid(&Pid { pid: 7, framing: taken.map(|one| one.name().to_owned()) });
        writer.set_framing(taken.unwrap_or(framing));
        writer.sync();
        let mut reader = HostReader::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
        reader.push(writer.pending());
        let pid = reader.next_pid().unwrap().expect("all of it is there");
        assert_eq!((pid.pid, taken), (7, offered));
        reader.set_framing(offered.unwrap_or(framing));
        assert_eq!(reader.next_message(), Ok(Some(FromChild::Sync)));
    }
}

#[test]
fn fields_stand_in_any_order_and_null_counts_as_absent() {
    let text = "{\"tuple\":[1],\"stream\":null,\"x\":[{}],\"task\":0,\"anchors\":\"5\",\
                \"id\":null,\"command\":\"emit\"}\r\nend\r\n";
    let expected = Said::Emit {
        anchors: vec![5],
        to: None,
        task: None,
        id: Value::null(),
        needs: true,
        values: vec![1i64.into()],
    };
    assert_eq!(hear_child(Framing::Json, text.as_bytes(), 3), Ok(vec![expected]));
}

#[test]
fn serializers_are_known_by_our_names_and_by_storms() {
    let named = |name| Serializer::named(name).map(|one| (one.handshake, one.offered));
    assert_eq!(named("json"), Some((Framing::Json, None)));
    assert_eq!(named("binary"), Some((Framing::Json, Some(Framing::Binary))));
    let class = "com.parsely.pystorm.serializers.MessagePackSerializer";
    assert_eq!(named(class), Some((Framing::MessagePack, None)));
    assert_eq!(named("com.example.Xml"), None);
}
