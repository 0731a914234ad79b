//! Mutates encodings of real values and decodes them: whatever the bytes, the decoder neither panics
//! nor allocates more than a small multiple of them, and what it takes encodes to the same bytes.
//!
//! Deterministic: an iteration's number replays it. `FUZZ_ITERATIONS=20000000` searches longer than
//! the default; `UPDATE=1` writes the seeds in `tests/data/codec-seeds` anew.
//!
//! Stands in a binary of its own because it counts allocations.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs, thread};

use storm_runtime::tuple::codec::{DecodeErrorKind, Limits, ObjectReaders, decode, encode};
use storm_runtime::tuple::{NotEncodable, SharedObject, Value};

#[path = "support/live_bytes.rs"]
mod live_bytes;
#[path = "support/random.rs"]
mod random;

use live_bytes::peak_of;
use random::Random;

const DEFAULT_ITERATIONS: u64 = 200_000;

/// Most live bytes per byte of input. The dearest input is a list of lists of one null each: 3 bytes
/// make a slot of 24 on a stack that doubles, and a shared slice of 40.
const BYTES_PER_INPUT_BYTE: usize = 96;

/// Live bytes that even a short input may take: an error's texts, the first slots of a list.
const BYTES_PER_INPUT: usize = 1024;

/// Longest mutated input; splices are cut here.
const MAX_INPUT_BYTES: usize = 1024;

/// Accepted inputs that are mutated further, beside the seeds.
const POOL_INPUTS: usize = 256;

/// An object that keeps the bytes it was given, if the first one is to its taste.
#[derive(Debug)]
struct Opaque(Vec<u8>);

impl SharedObject for Opaque {
    fn type_name(&self) -> &'static str {
        "opaque"
    }

    fn java_hash(&self) -> i32 {
        0
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), NotEncodable> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

fn read_opaque(bytes: &[u8]) -> Result<Arc<dyn SharedObject>, Box<dyn Error + Send + Sync>> {
    if bytes.first().is_none_or(|&first| first > 16) {
        return Err("opaque objects begin with a byte up to 16".into());
    }
    Ok(Arc::new(Opaque(bytes.to_vec())))
}

fn seeds() -> Vec<(&'static str, Vec<Value>)> {
    let numbers = [0i64, -1, 31, 32, -33, 1 << 20, i64::MAX, i64::MIN];
    let small = [0i32, -32, 32, i32::MAX, i32::MIN];
    let pair = |key: &str, value: Value| (Value::from(key), value);
    let document = Value::map(vec![
        pair("id", "article-17".into()),
        pair("tags", Value::list(["storm".into(), "rust".into(), Value::null()])),
        pair("rating", 4.5f64.into()),
        pair("author", Value::map([pair("name", "Ada".into()), pair("age", 36i32.into())])),
    ]);
    let deep = (0..20).fold(Value::from(1i64), |inner, level| match level % 2 {
        0 => Value::list([inner]),
        _ => Value::map([(true.into(), inner)]),
    });
    let sentence = "the cow jumped over the moon, and an apple a day keeps the doctor away";
    vec![
        ("bytes", vec![Value::bytes(&[0, 255]), Value::bytes(&[0xC9; 40]), Value::bytes(&[])]),
        ("deep", vec![deep]),
        ("document", vec!["update".into(), document, 1_763_740_800_000i64.into()]),
        ("empty", vec![]),
        ("floats", vec![0.5f32.into(), f32::NAN.into(), (-0.0f64).into(), f64::MAX.into()]),
        ("integers", numbers.map(Value::from).into_iter().chain(small.map(Value::from)).collect()),
        ("objects", vec![Value::object(Arc::new(Opaque(vec![1, 2, 3]))), true.into()]),
        ("sentence", vec![sentence.into(), "größer, 更大".into(), "".into()]),
        ("texts", texts(70, "abcdefghijklmnopqrstuvwx")),
        (
            "texts-and-numbers",
            texts(9, "größer 更大").into_iter().chain(small.map(Value::from)).collect(),
        ),
        ("texts-of-any-script", texts(80, "größer, 更大")),
        ("word-count", vec!["word".into(), 42i64.into()]),
    ]
}

/// Short texts of any length up to that of `longest`, of which none is cut within a character.
fn texts(count: usize, longest: &str) -> Vec<Value> {
    let ends: Vec<usize> = longest.char_indices().map(|(at, _)| at).collect();
    (0..count).map(|n| longest[..ends[n * 7 % ends.len()]].into()).collect()
}

/// What the one who runs the tests asks for.
#[expect(clippy::disallowed_methods, reason = "a test has no main that could parse arguments")]
fn given(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn encoded(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(values, &mut out).unwrap();
    out
}

fn readers() -> ObjectReaders {
    let mut readers = ObjectReaders::default();
    readers.register("opaque", read_opaque).unwrap();
    readers
}

/// Changes `bytes` once, in one of the ways in which encodings break.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const CLAIMS: [&[u8]; 6] = [
        &[0x41],
        &[0x80, 0x00],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0x07],
        &[0xFF, 0xFF, 0xFF, 0xFF],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    ];
    const NESTING: [&[u8]; 3] = [&[0xC9, 1], &[0xCA, 1], &[0xC9, 2]];
    let at = random.below(bytes.len());
    let end = bytes.len().min(at + 1 + random.below(8));
    match random.below(10) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.next() as u8,
        2 if at < bytes.len() => bytes[at] = 0xBF + random.below(14) as u8,
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..end)),
        5 => {
            let repeated = bytes[at..end].repeat(1 + random.below(4));
            drop(bytes.splice(at..at, repeated));
        }
        6 => drop(bytes.splice(at..end, random.pick(&CLAIMS).iter().copied())),
        7 => {
            let nesting = random.pick(&NESTING).repeat(random.below(70));
            drop(bytes.splice(at..at, nesting));
        }
        8 => {
            let from = random.below(other.len());
            drop(bytes.splice(at.., other[from..].iter().copied()));
        }
        _ => {
            // The values of another encoding too, and the count that makes it belong.
            let kinds = usize::from(other.first().copied().unwrap_or_default());
            let (kinds, contents) =
                other.get(1..).unwrap_or_default().split_at_checked(kinds).unwrap_or_default();
            let after_kinds = 1 + usize::from(bytes.first().copied().unwrap_or_default());
            let after_kinds = after_kinds.min(bytes.len());
            bytes.splice(after_kinds..after_kinds, kinds.iter().copied());
            bytes.extend_from_slice(contents);
            if let (Some(count), Some(more)) = (bytes.first_mut(), other.first()) {
                *count = count.saturating_add(*more) & 0x7F;
            }
        }
    }
    bytes.truncate(MAX_INPUT_BYTES);
}

/// Prints the input while a failed iteration unwinds.
struct Culprit<'a> {
    iteration: u64,
    bytes: &'a [u8],
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("iteration {} with {:02x?}", self.iteration, self.bytes);
        }
    }
}

/// Decodes `bytes` and checks all that must hold whatever they are.
#[track_caller]
fn check(bytes: &[u8], limits: &Limits, readers: &ObjectReaders) -> Result<usize, DecodeErrorKind> {
    let mut values = Vec::new();
    let (result, peak_bytes) = peak_of(|| decode(bytes, limits, readers, &mut values));

    let allowed_bytes = BYTES_PER_INPUT + BYTES_PER_INPUT_BYTE * bytes.len();
    assert!(peak_bytes <= allowed_bytes, "{} bytes took {peak_bytes} bytes", bytes.len());
    match result {
        Ok(used) => {
            assert!(used <= bytes.len(), "took {used} of {} bytes", bytes.len());
            assert_eq!(encoded(&values), bytes[..used], "another encoding of {values:?}");
            Ok(used)
        }
        Err(error) => {
            assert!(values.is_empty(), "left behind after an error: {values:?}");
            assert!(error.offset <= bytes.len(), "{error}");
            Err(error.kind)
        }
    }
}

/// Position of the kind in the count of outcomes; 0 is success.
fn outcome(result: &Result<usize, DecodeErrorKind>) -> usize {
    match result {
        Ok(_) => 0,
        Err(DecodeErrorKind::Ended { .. }) => 1,
        Err(DecodeErrorKind::UnknownKind(_)) => 2,
        Err(DecodeErrorKind::OutOfRange) => 3,
        Err(DecodeErrorKind::NotShortest) => 4,
        Err(DecodeErrorKind::NotUtf8(_)) => 5,
        Err(DecodeErrorKind::TooDeep { .. }) => 6,
        Err(DecodeErrorKind::TooManyValues { .. }) => 7,
        Err(DecodeErrorKind::TooLong { .. }) => 8,
        Err(DecodeErrorKind::NoReader { .. }) => 9,
        Err(DecodeErrorKind::Object { .. }) => 10,
    }
}

#[test]
fn the_seeds_are_what_the_encoder_writes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/codec-seeds");
    for (name, values) in seeds() {
        let path = folder.join(name).with_extension("bin");
        if given("UPDATE").is_some() {
            fs::write(&path, encoded(&values)).unwrap();
        }
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(encoded(&values), bytes, "{name} changed: the format must not drift");
        assert!(check(&bytes, &Limits::default(), &readers()).is_ok(), "{name}");
    }
}

#[test]
fn mutated_encodings_neither_panic_nor_take_much_memory() {
    let iterations = match given("FUZZ_ITERATIONS") {
        Some(text) => text.parse().expect("FUZZ_ITERATIONS is a number of iterations"),
        None => DEFAULT_ITERATIONS,
    };
    let tight = Limits { max_values: 12, max_depth: 3, max_bytes: 20 };
    let (readers, mut random) = (readers(), Random::new(0));
    let seeds: Vec<_> = seeds().iter().map(|(_, values)| encoded(values)).collect();
    let mut pool = seeds.clone();
    let mut outcomes = [0u64; 11];
    for iteration in 0..iterations {
        let sources = if random.below(2) == 0 { &seeds } else { &pool };
        let mut bytes = random.pick(sources);
        for _ in 0..1 + random.below(3) {
            let other = random.pick(&seeds);
            mutate(&mut bytes, &other, &mut random);
        }
        let culprit = Culprit { iteration, bytes: &bytes };
        let limits = if random.below(4) == 0 { tight } else { Limits::default() };
        let result = check(&bytes, &limits, &readers);
        drop(culprit);
        outcomes[outcome(&result)] += 1;
        // What lies behind an encoding is never looked at, and a short one leads nowhere.
        if let Ok(used @ 8..) = result {
            bytes.truncate(used);
            if pool.len() < seeds.len() + POOL_INPUTS {
                pool.push(bytes);
            } else {
                let replaced = seeds.len() + random.below(POOL_INPUTS);
                pool[replaced] = bytes;
            }
        }
    }
    if iterations >= DEFAULT_ITERATIONS {
        assert!(outcomes.iter().all(|&count| count > 0), "an outcome never seen: {outcomes:?}");
        let accepted = outcomes[0] * 100 / iterations;
        assert!((5..=60).contains(&accepted), "{accepted} % accepted tells little: {outcomes:?}");
    }
}

#[test]
fn the_dearest_inputs_take_no_more_memory_than_allowed() {
    let many = |value: &[u8], count: usize| {
        let (kind, content) = value.split_at(1);
        let varint = [0x80 | (count & 0x7F) as u8, (count >> 7) as u8];
        [&varint[..], &kind.repeat(count), &content.repeat(count)].concat()
    };
    for inner in [
        &[0xC0][..],
        &[0xC9, 0],
        &[0xC9, 1, 0xC0],
        &[0xCA, 0],
        &[0xCA, 1, 0xC0, 0xC0],
        b"\x18aaaaaaaaaaaaaaaaaaaaaaaa",
        b"\xC8\x17aaaaaaaaaaaaaaaaaaaaaaa",
        b"\xCB\x06opaque\x01\0\0\0\x01",
    ] {
        let bytes = many(inner, 10_001);
        assert!(check(&bytes, &Limits::default(), &readers()).is_ok(), "{inner:02x?}");
    }
    // Every list claims all that is left, so that buffers sized by claims would add up.
    let mut claims = vec![1];
    for _ in 0..60 {
        claims.extend([0xC9, 0xFF, 0xFF, 0x03]);
    }
    claims.resize((1 << 16) + 300, 0xC0);
    let result = check(&claims, &Limits::default(), &readers());
    assert!(matches!(result, Err(DecodeErrorKind::Ended { .. })), "{result:?}");
}

#[test]
fn warm_buffers_and_values_that_fit_inline_allocate_nothing() {
    let (limits, readers) = (Limits::default(), readers());
    let text = "x".repeat(23);
    let values = [text.into(), Value::bytes(&[1; 22]), 7i32.into(), i64::MIN.into(), 0.5f64.into()];
    let long = [Value::from("x".repeat(500)), Value::list(values.to_vec())];
    let (mut out, mut again) = (Vec::with_capacity(2048), Vec::with_capacity(16));

    let ((), peak_bytes) = peak_of(|| {
        encode(&long, &mut out).unwrap();
        out.clear();
        encode(&values, &mut out).unwrap();
        decode(&out, &limits, &readers, &mut again).unwrap();
    });
    assert_eq!(peak_bytes, 0);
    assert_eq!(again, values);
}
