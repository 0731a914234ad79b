//! Mutates conversations of multilang and reads them: whatever the bytes and however they arrive,
//! neither reader panics nor allocates more than a small multiple of them, and what arrives in pieces
//! is read as what arrives at once.
//!
//! Deterministic: an iteration's number replays it. `FUZZ_ITERATIONS=20000000` searches longer than
//! the default; `UPDATE=1` writes the seeds in `tests/data/multilang-seeds` anew, from the recorded
//! conversations and from messages of every kind.
//!
//! Stands in a binary of its own because it counts allocations.

use std::path::{Path, PathBuf};
use std::{env, fs};

use storm_runtime::multilang::{
    ChildReader, ChildWriter, Emission, Framing, HostReader, HostWriter, LogLevel, SourceTask,
    TupleId,
};
use storm_runtime::tuple::Value;

#[path = "support/fixtures.rs"]
mod fixtures;
#[path = "support/live_bytes.rs"]
mod live_bytes;
#[path = "support/random.rs"]
mod random;

use live_bytes::peak_of;
use random::Random;

const DEFAULT_ITERATIONS: u64 = 100_000;

/// Most live bytes per byte of input. The dearest input is a list of short values: a byte makes a
/// value of 32 on a stack that doubles, and one of a shared slice.
const BYTES_PER_INPUT_BYTE: usize = 160;

/// Live bytes that even a short input may take: an error's texts, the first slots of a list.
const BYTES_PER_INPUT: usize = 4096;

/// Longest mutated input; splices are cut here.
const MAX_INPUT_BYTES: usize = 2048;

/// Inputs that read as more than their seed did are mutated further.
const POOL_INPUTS: usize = 256;

const FRAMINGS: [Framing; 3] = [Framing::Json, Framing::MessagePack, Framing::Binary];

/// What the one who runs the tests asks for.
#[expect(clippy::disallowed_methods, reason = "a test has no main that could parse arguments")]
fn given(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn seed_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/multilang-seeds")
}

fn values() -> Vec<Value> {
    let map = Value::map([(Value::from("key"), Value::list([1i64.into(), Value::null()]))]);
    vec!["é\n".into(), (1i64 << 40).into(), 0.5.into(), true.into(), Value::bytes(&[0, 255]), map]
}

/// A host that says everything there is to say.
fn of_host(framing: Framing) -> Vec<u8> {
    let mut writer = HostWriter::new(framing, 1 << 20);
    let source = SourceTask { component: "lines", stream: "default", task: 3 };
    for id in 0..3 {
        writer.tuple(id, source, &values()).expect("it can be sent");
    }
    writer.task_ids([4, 5].into_iter());
    writer.heartbeat(-7);
    writer.next(10);
    writer.ack(&"m1".into()).expect("it can be sent");
    writer.fail(&8i64.into()).expect("it can be sent");
    writer.activate();
    writer.deactivate();
    writer.pending().to_vec()
}

/// A child that says everything there is to say.
fn of_child(framing: Framing) -> Vec<u8> {
    let mut writer = ChildWriter::new(framing, 1 << 20);
    let anchors = [TupleId::Number(1), TupleId::Number(2)];
    let id = Value::from("m1");
    let emission = Emission {
        anchors: &anchors,
        stream: Some("odd"),
        task: Some(4),
        message_id: Some(&id),
        need_task_ids: true,
    };
    writer.emit(&emission, &values()).expect("it can be sent");
    writer.answered(&anchors[0], Some(&values())).expect("it can be sent");
    writer.answered(&anchors[1], None).expect("it can be sent");
    writer.fail(&anchors[0]).expect("it can be sent");
    writer.log("a line", LogLevel::Warn).expect("it can be sent");
    writer.error("an error").expect("it can be sent");
    writer.metrics("hits", &3i64.into()).expect("it can be sent");
    writer.sync();
    writer.pending().to_vec()
}

/// Every kind of message, and the shorter ones of the recorded conversations.
fn make_seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for framing in FRAMINGS {
        seeds.push((format!("{framing}-host"), of_host(framing)));
        seeds.push((format!("{framing}-child"), of_child(framing)));
    }
    for name in ["multilang-split", "multilang-lines"] {
        for side in ["host", "child"] {
            let rows = fixtures::json_lines("storm", &format!("{name}.jsonl")).into_iter();
            let said = rows.filter(|(_, row)| row["from"] == side).skip(1);
            let messages = said.filter_map(|(_, row)| row["message"].as_str().map(str::to_owned));
            let text: String = messages.take(16).map(|message| message + "\nend\n").collect();
            seeds.push((format!("json-{name}-{side}"), text.into_bytes()));
        }
    }
    seeds
}

/// The committed seeds, each with the framing that its name begins with.
fn seeds() -> Vec<(Framing, Vec<u8>)> {
    let made = make_seeds();
    if given("UPDATE").is_some() {
        fs::create_dir_all(seed_folder()).expect("a folder");
        for (name, bytes) in &made {
            fs::write(seed_folder().join(name), bytes).expect("a seed");
        }
    }
    let read = |name: &str| {
        let path = seed_folder().join(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; UPDATE=1", path.display()))
    };
    let framing = |name: &str| Framing::named(name.split('-').next()?);
    made.iter()
        .map(|(name, _)| (framing(name).expect("a framing comes first"), read(name)))
        .collect()
}

/// All messages of both kinds of reader as text, up to the first error.
fn read(framing: Framing, bytes: &[u8], piece: usize) -> (usize, String) {
    let mut text = String::new();
    let mut messages = 0;
    let mut host = HostReader::new(framing, MAX_INPUT_BYTES);
    'host: for piece in bytes.chunks(piece.max(1)) {
        host.push(piece);
        loop {
            match host.next_message() {
                Ok(Some(message)) => note(&mut text, &mut messages, &message),
                Ok(None) => break,
                Err(error) => {
                    assert!(error.to_string().len() < 1000, "an error is short: {error}");
                    break 'host;
                }
            }
        }
    }
    let mut child = ChildReader::new(framing, MAX_INPUT_BYTES);
    'child: for piece in bytes.chunks(piece.max(1)) {
        child.push(piece);
        loop {
            match child.next_message() {
                Ok(Some(message)) => note(&mut text, &mut messages, &message),
                Ok(None) => break,
                Err(_) => break 'child,
            }
        }
    }
    (messages, text)
}

fn note(text: &mut String, messages: &mut usize, message: &dyn std::fmt::Debug) {
    use std::fmt::Write as _;

    *messages += 1;
    writeln!(text, "{message:?}").expect("a text takes everything");
}

/// As [`read`], but nothing is kept, so that only what the readers take is counted.
fn read_only(framing: Framing, bytes: &[u8]) {
    let mut host = HostReader::new(framing, MAX_INPUT_BYTES);
    host.push(bytes);
    while let Ok(Some(_)) = host.next_message() {}
    let mut child = ChildReader::new(framing, MAX_INPUT_BYTES);
    child.push(bytes);
    while let Ok(Some(_)) = child.next_message() {}
}

/// Changes `bytes` once, in one of the ways in which messages break.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const PIECES: [&[u8]; 14] = [
        &[0xFF, 0xFF, 0xFF, 0xFF],
        &[0xFF, 0xFF, 0xFF, 0x7F],
        &[0, 0, 0, 0],
        b"\nend\n",
        b"[[[[[[[[",
        b"{\"a\":",
        b"[\x01\0\0\0",
        b"(\x01\0\0\0",
        b"{i\0\0\0\0",
        b"l\x05\0\0\0",
        &[0x91, 0x91, 0x91],
        &[0xDD, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0x81, 0xC0],
        b"NNNNNNNN",
    ];
    let at = random.below(bytes.len());
    let end = bytes.len().min(at + 1 + random.below(8));
    match random.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.next() as u8,
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let repeated = bytes[at..end].repeat(1 + random.below(4));
            bytes.splice(at..at, repeated);
        }
        5 => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].iter().copied())),
        6 => {
            let from = random.below(other.len());
            let until = other.len().min(from + 1 + random.below(64));
            bytes.splice(at..at, other[from..until].iter().copied());
        }
        _ => {
            bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied()).for_each(drop)
        }
    }
    bytes.truncate(MAX_INPUT_BYTES);
}

#[test]
fn no_bytes_make_a_reader_panic_or_take_more_memory_than_a_multiple_of_them() {
    let iterations = given("FUZZ_ITERATIONS")
        .map_or(DEFAULT_ITERATIONS, |number| number.parse().expect("FUZZ_ITERATIONS is a number"));
    let mut pool = seeds();
    for (framing, bytes) in &pool {
        assert!(read(*framing, bytes, bytes.len()).0 > 0, "a {framing} seed is read");
    }
    for iteration in 0..iterations {
        let mut random = Random::new(iteration);
        let (framing, mut bytes) = pool[random.below(pool.len())].clone();
        let other = pool[random.below(pool.len())].1.clone();
        for _ in 0..=random.below(4) {
            mutate(&mut bytes, &other, &mut random);
        }
        let ((), peak) = peak_of(|| read_only(framing, &bytes));
        let allowed = BYTES_PER_INPUT + BYTES_PER_INPUT_BYTE * bytes.len();
        assert!(
            peak <= allowed,
            "iteration {iteration}: {peak} live bytes for {} bytes",
            bytes.len()
        );
        let whole = read(framing, &bytes, bytes.len());
        if iteration % 4 == 0 {
            let pieces = read(framing, &bytes, 1 + random.below(40));
            assert_eq!(whole.1, pieces.1, "iteration {iteration}: pieces are read as the whole is");
        }
        if pool.len() < POOL_INPUTS && whole.0 > 0 && random.below(16) == 0 {
            pool.push((framing, bytes));
        }
    }
}
