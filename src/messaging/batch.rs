//! A block of tuples as the payload of a frame, and back.
//!
//! ```text
//! payload  | u16 first task of the emitting executor | u8 last | run | run | …
//! run      | u16 stream | u16 source | u16 target | u16 tuples | u8 values | u8 anchors | u32 bytes
//!          | u32 anchors, where the u8 is 255 | root edge | … | values, as many bytes |
//! ```
//!
//! A run is as many tuples in a row as agree in everything but their values and anchors: nearly
//! always the whole block. Its values are one encoding of `tuple::codec`, as one list. The target
//! is 65535 where the receiving executor has a single task. A block that would make a frame of more
//! than [`FRAME_AIM`] bytes goes in several, of which the `last` brings the block's credit back.
//!
//! **Budget.** Per tuple: the bytes of its values and anchors, one comparison of its header, and no
//! allocation. Per run 14 bytes.
//!
//! **Invariants.** A tuple costs at least one byte, so counts cannot announce more than was sent.
//! What cannot be encoded or decoded fails alone, with its run at most; the connection goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::frame::{self, FrameError, Open, Reader};
use crate::id::{ExecutorId, TaskId};
use crate::tuple::block::{Block, Cursor};
use crate::tuple::codec::{self, Limits, ObjectReaders};
use crate::tuple::{Anchor, Schema, Value};

/// Bytes of a payload from which on another frame is begun.
const FRAME_AIM: usize = 1 << 20;
/// Stands for an anchor count of 255 or more.
const WIDE: u8 = u8::MAX;

/// A tuple that cannot travel, and why.
#[derive(Debug)]
pub(crate) struct Refused {
    pub source: TaskId,
    pub stream: u16,
    pub why: String,
}

/// Appends a block as frames for `target`; what cannot be encoded is handed to `refused`, with its
/// anchors.
pub(crate) fn encode(
    block: &Block,
    emitter: TaskId,
    target: TaskId,
    out: &mut Vec<u8>,
    refused: &mut dyn FnMut(Refused, &[Anchor]),
) {
    let mut open = begin(emitter, target, out);
    let mut cursor = Cursor::default();
    while cursor.tuple < block.headers.len() {
        if open.len(out) > FRAME_AIM {
            open.close(out);
            open = begin(emitter, target, out);
        }
        let end = run_end(block, cursor);
        match encode_run(block, cursor, end, out) {
            Ok(()) => cursor = end,
            Err(_) if end.tuple - cursor.tuple > 1 => {
                // One of them is at fault: each for itself.
                while cursor.tuple < end.tuple {
                    let after = block.after(cursor);
                    if let Err(why) = encode_run(block, cursor, after, out) {
                        refuse(block, cursor, after, why, refused);
                    }
                    cursor = after;
                    if cursor.tuple < end.tuple && open.len(out) > FRAME_AIM {
                        open.close(out);
                        open = begin(emitter, target, out);
                    }
                }
            }
            Err(why) => {
                refuse(block, cursor, end, why, refused);
                cursor = end;
            }
        }
    }
    let last_at = out.len() - open.len(out) + size_of::<u16>();
    out[last_at] = 1;
    open.close(out);
}

fn begin(emitter: TaskId, target: TaskId, out: &mut Vec<u8>) -> Open {
    let open = frame::open(out, target.0 as i16);
    out.extend_from_slice(&emitter.0.to_le_bytes());
    out.push(0);
    open
}

#[cold]
fn refuse(
    block: &Block,
    cursor: Cursor,
    after: Cursor,
    why: String,
    refused: &mut dyn FnMut(Refused, &[Anchor]),
) {
    let header = block.headers[cursor.tuple];
    let refusal = Refused { source: header.source, stream: header.stream, why };
    refused(refusal, &block.anchors[cursor.anchor..after.anchor]);
}

/// The end of the tuples from `cursor` on that agree in everything but values and anchors.
#[inline]
fn run_end(block: &Block, cursor: Cursor) -> Cursor {
    let first = block.headers[cursor.tuple];
    let count = block.anchor_count(cursor);
    if count >= usize::from(WIDE) {
        return block.after(cursor);
    }
    let most = block.headers.len().min(cursor.tuple + usize::from(u16::MAX));
    let headers = &block.headers[cursor.tuple..most];
    let differs = headers.iter().position(|header| header.word() != first.word());
    block.after_equal(cursor, differs.unwrap_or(headers.len()))
}

fn encode_run(block: &Block, from: Cursor, to: Cursor, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    let header = block.headers[from.tuple];
    let tuples = to.tuple - from.tuple;
    let anchors = block.anchor_count(from);
    let narrow = u8::try_from(anchors).unwrap_or(WIDE);
    out.extend_from_slice(&header.stream.to_le_bytes());
    out.extend_from_slice(&header.source.0.to_le_bytes());
    out.extend_from_slice(&header.target.0.to_le_bytes());
    out.extend_from_slice(&(tuples as u16).to_le_bytes());
    out.extend_from_slice(&[header.len, narrow]);
    let length_at = out.len();
    out.extend_from_slice(&[0; size_of::<u32>()]);
    if narrow == WIDE {
        out.extend_from_slice(&(anchors as u32).to_le_bytes());
    }
    put_anchors(&block.anchors[from.anchor..to.anchor], out);
    let values_at = out.len();
    let values = &block.values[from.value..to.value];
    // A tuple of nothing costs a byte as well.
    if header.len == 0 && anchors == 0 {
        out.resize(values_at + tuples, 0);
    } else if let Err(why) = encode_values(values, out) {
        out.truncate(start);
        return Err(why);
    }
    let length = (out.len() - values_at) as u32;
    out[length_at..length_at + size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// Encodes values; an author's codec may fail or panic.
#[inline]
fn encode_values(values: &[Value], out: &mut Vec<u8>) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(|| codec::encode(values, out))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the codec of a shared object panicked".to_owned()),
    }
}

/// Appends anchors, 16 bytes each.
#[inline]
pub(crate) fn put_anchors(anchors: &[Anchor], out: &mut Vec<u8>) {
    out.reserve(anchors.len() * 16);
    for anchor in anchors {
        out.extend_from_slice(&anchor.root.to_le_bytes());
        out.extend_from_slice(&anchor.edge.to_le_bytes());
    }
}

/// Appends anchors that [`put_anchors`] wrote.
///
/// # Errors
/// If it is no whole number of them.
#[inline]
pub(crate) fn take_anchors(bytes: &[u8], anchors: &mut Vec<Anchor>) -> Result<(), FrameError> {
    let (words, rest) = bytes.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(FrameError::Payload { what: "anchors" });
    }
    anchors.extend(words.iter().map(|word| {
        let (root, edge) = word.split_at(8);
        let number = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("half of 16 bytes"));
        Anchor { root: number(root), edge: number(edge) }
    }));
    Ok(())
}

/// What tuples from elsewhere are checked against.
pub(crate) struct Checks<'a> {
    pub schema: &'a Schema,
    pub readers: &'a ObjectReaders,
    /// The executor that they are for.
    pub executor: ExecutorId,
}

/// The emitting executor, and whether the frame is the last of its block.
///
/// # Errors
/// If the payload is too short.
#[inline]
pub(crate) fn head(reader: &mut Reader<'_>) -> Result<(TaskId, bool), FrameError> {
    let emitter = TaskId(reader.u16()?);
    Ok((emitter, reader.u8()? != 0))
}

/// Appends the tuples after the [`head`] to a block; runs whose values cannot be decoded are handed
/// to `refused` with their anchors.
///
/// # Errors
/// What no worker of ours sends; the block may have some of the tuples then.
pub(crate) fn decode(
    reader: &mut Reader<'_>,
    checks: &Checks<'_>,
    block: &mut Block,
    refused: &mut dyn FnMut(Refused, &[Anchor]),
) -> Result<(), FrameError> {
    while !reader.is_empty() {
        decode_run(reader, checks, block, refused)?;
    }
    Ok(())
}

fn decode_run(
    reader: &mut Reader<'_>,
    checks: &Checks<'_>,
    block: &mut Block,
    refused: &mut dyn FnMut(Refused, &[Anchor]),
) -> Result<(), FrameError> {
    let stream = reader.u16()?;
    let (source, target) = (TaskId(reader.u16()?), TaskId(reader.u16()?));
    let tuples = usize::from(reader.u16()?);
    let (len, narrow) = (reader.u8()?, reader.u8()?);
    let bytes = reader.u32()? as usize;
    let anchors = match narrow {
        WIDE => reader.u32()? as usize,
        count => usize::from(count),
    };
    let Some(known) = checks.schema.get(usize::from(stream)) else {
        return Err(FrameError::Unknown { what: "stream", number: stream.into() });
    };
    if known.fields.len() != usize::from(len) {
        return Err(FrameError::Payload { what: "a tuple" });
    }
    let ExecutorId { first_task, last_task } = checks.executor;
    let is_sole = first_task == last_task;
    let is_known = (first_task..=last_task).contains(&target);
    if !is_known && (!is_sole || target != TaskId::NONE) {
        return Err(FrameError::Unknown { what: "target task", number: target.0.into() });
    }
    let anchor_bytes = tuples.checked_mul(anchors).and_then(|count| count.checked_mul(16));
    let anchor_bytes = reader.take(anchor_bytes.ok_or_else(|| reader.error())?)?;
    let values = reader.take(bytes)?;
    if tuples > anchor_bytes.len() + values.len() {
        return Err(reader.error());
    }
    let before = (block.anchors.len(), block.values.len());
    take_anchors(anchor_bytes, &mut block.anchors)?;
    if let Err(why) = decode_values(values, tuples * usize::from(len), checks.readers, block) {
        refused(Refused { source, stream, why }, &block.anchors[before.0..]);
        block.anchors.truncate(before.0);
        block.values.truncate(before.1);
        return Ok(());
    }
    block.push_headers(stream, source, target, len, anchors, tuples);
    Ok(())
}

/// Decodes values; an author's reader may fail or panic.
#[inline]
fn decode_values(
    bytes: &[u8],
    count: usize,
    readers: &ObjectReaders,
    block: &mut Block,
) -> Result<(), String> {
    if count == 0 {
        return Ok(());
    }
    let before = block.values.len();
    let limits = Limits::default();
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        codec::decode(bytes, &limits, readers, &mut block.values)
    }));
    match decoded {
        Ok(Ok(used)) if used == bytes.len() && block.values.len() - before == count => Ok(()),
        Ok(Ok(_)) => Err("there are not as many values as fields".to_owned()),
        Ok(Err(error)) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or(String::new(), |cause| format!(": {cause}"));
            Err(format!("{error}{cause}"))
        }
        Err(_) => Err("the reader of a shared object panicked".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::frame::Frame;
    use super::*;
    use crate::tuple::codec::arbitrary;
    use crate::tuple::{Fields, NotEncodable, SharedObject, StreamSchema};

    fn schema() -> Schema {
        let stream = |name: &str, fields: &[&str]| StreamSchema {
            component: "a".into(),
            stream: name.into(),
            fields: Fields::from(fields.to_vec()),
            direct: false,
        };
        Arc::new([stream("none", &[]), stream("one", &["x"]), stream("two", &["x", "y"])])
    }

    const EXECUTOR: ExecutorId = ExecutorId { first_task: TaskId(5), last_task: TaskId(7) };

    fn push(block: &mut Block, stream: u16, values: Vec<Value>, anchors: usize) {
        block.values.extend(values);
        block.anchors.extend((0..anchors as u64).map(|root| Anchor { root: root << 3, edge: 9 }));
        block.push_header(stream, TaskId(2), TaskId(6), stream as u8, anchors);
    }

    fn decode_all(bytes: &[u8]) -> (Block, Vec<String>) {
        let (mut block, mut refusals) = (Block::default(), Vec::new());
        let mut at = 0;
        let schema = schema();
        while let Some((Frame { code, payload }, used)) =
            frame::next(&bytes[at..], 1 << 30).unwrap()
        {
            assert_eq!(code, 5);
            let mut reader = Reader::new(payload, "tuples");
            assert_eq!(head(&mut reader).unwrap(), (TaskId(2), at + used == bytes.len()));
            let readers = ObjectReaders::default();
            let checks = Checks { schema: &schema, readers: &readers, executor: EXECUTOR };
            let mut refused = |refused: Refused, _: &[Anchor]| refusals.push(refused.why);
            decode(&mut reader, &checks, &mut block, &mut refused).unwrap();
            at += used;
        }
        assert_eq!(at, bytes.len());
        (block, refusals)
    }

    fn encoded(block: &Block) -> (Vec<u8>, Vec<String>) {
        let (mut bytes, mut refusals) = (Vec::new(), Vec::new());
        let mut refused = |refused: Refused, _: &[Anchor]| refusals.push(refused.why);
        encode(block, TaskId(2), TaskId(5), &mut bytes, &mut refused);
        (bytes, refusals)
    }

    fn equal(one: &Block, other: &Block) -> bool {
        one.headers == other.headers && one.values == other.values && one.anchors == other.anchors
    }

    fn blocks() -> impl Strategy<Value = Block> {
        let tuple = (0..3u16, prop_oneof![Just(0usize), Just(1), 0..4usize, 254..257usize]);
        let tuple = tuple.prop_flat_map(|(stream, anchors)| {
            let values = prop::collection::vec(arbitrary::value(), usize::from(stream));
            (Just(stream), Just(anchors), values)
        });
        prop::collection::vec(tuple, 0..20).prop_map(|tuples| {
            let mut block = Block::default();
            for (stream, anchors, values) in tuples {
                push(&mut block, stream, values, anchors);
            }
            block
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

        #[test]
        fn a_block_comes_back_as_it_was(block in blocks()) {
            let (bytes, refused) = encoded(&block);
            prop_assert!(refused.is_empty());
            let (decoded, refused) = decode_all(&bytes);
            prop_assert!(refused.is_empty() && equal(&block, &decoded));
        }

        #[test]
        fn bytes_that_were_tampered_with_neither_panic_nor_take_more_memory_than_they_have(
            block in blocks(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let (mut bytes, _) = encoded(&block);
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes.truncate(6 + cut.index(bytes.len() - 5));
            let payload = &bytes[6..];
            let mut reader = Reader::new(payload, "tuples");
            let (schema, readers) = (schema(), ObjectReaders::default());
            let checks = Checks { schema: &schema, readers: &readers, executor: EXECUTOR };
            let mut block = Block::default();
            if head(&mut reader).is_ok() {
                let _ = decode(&mut reader, &checks, &mut block, &mut |_, _| {});
            }
            prop_assert!(block.headers.len() <= payload.len());
            prop_assert!(block.values.len() <= payload.len());
            prop_assert!(block.anchors.len() * 16 <= payload.len());
        }
    }

    #[test]
    fn a_large_block_goes_in_several_frames_of_which_the_last_says_so() {
        let mut block = Block::default();
        for length in [700_000, 700_001, 3] {
            push(&mut block, 1, vec![Value::from("x".repeat(length))], 300);
        }
        let (bytes, _) = encoded(&block);
        let (_, first) = frame::next(&bytes, 1 << 30).unwrap().unwrap();
        assert!(first < bytes.len());
        assert!(equal(&decode_all(&bytes).0, &block));
    }

    #[derive(Debug)]
    struct NoCodec;

    impl SharedObject for NoCodec {
        fn type_name(&self) -> &'static str {
            "none"
        }

        fn java_hash(&self) -> i32 {
            0
        }

        fn encode(&self, _: &mut Vec<u8>) -> Result<(), NotEncodable> {
            Err(NotEncodable { type_name: "none" })
        }
    }

    #[test]
    fn what_has_no_codec_stays_behind_alone() {
        let mut block = Block::default();
        push(&mut block, 1, vec![1.into()], 1);
        push(&mut block, 1, vec![Value::object(Arc::new(NoCodec))], 1);
        push(&mut block, 1, vec![3.into()], 1);
        let (bytes, refused) = encoded(&block);
        assert_eq!(refused.len(), 1);
        assert_eq!(decode_all(&bytes).0.values, [1.into(), 3.into()]);
    }
}
