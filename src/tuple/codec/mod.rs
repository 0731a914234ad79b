//! The wire codec of values, between our own workers.
//!
//! ```text
//! encoding   | varint count | kind | kind | … | content | content | … |
//! ```
//!
//! An encoding is a varint count, then the kind byte of each value, then the content of each. A kind
//! byte holds small integers and the lengths of short strings itself. The kinds stand together so
//! that the places of short strings are known without reading through them.
//!
//! | kind byte    | value                 | content                                            |
//! |--------------|-----------------------|----------------------------------------------------|
//! | `0x00..0x3F` | string of 0..63 bytes | as many bytes of UTF-8 as the kind byte says       |
//! | `0x40..0x7F` | i32 in -32..31        | nothing; the low six bits are the zigzag           |
//! | `0x80..0xBF` | i64 in -32..31        | nothing; the low six bits are the zigzag           |
//! | `0xC0`       | null                  | nothing                                            |
//! | `0xC1`       | false                 | nothing                                            |
//! | `0xC2`       | true                  | nothing                                            |
//! | `0xC3`       | other i32             | varint of the zigzag, 1 to 5 bytes                 |
//! | `0xC4`       | other i64             | varint of the zigzag, 1 to 10 bytes                |
//! | `0xC5`       | f32                   | 4 bytes, little-endian, the bits as they are       |
//! | `0xC6`       | f64                   | 8 bytes, little-endian, the bits as they are       |
//! | `0xC7`       | longer string         | varint length in bytes, UTF-8                      |
//! | `0xC8`       | bytes                 | varint length in bytes, the bytes                  |
//! | `0xC9`       | list                  | varint count, kind and content of each value       |
//! | `0xCA`       | map                   | varint count of pairs, kind and content of key and |
//! |              |                       | value in turn                                      |
//! | `0xCB`       | shared object         | varint length and UTF-8 of the type name, u32      |
//! |              |                       | little-endian length in bytes, the object's bytes  |
//! | `0xCC..0xFF` | none, refused         |                                                    |
//!
//! A varint is LEB128: seven bits per byte, lowest first, the high bit set on all bytes but the
//! last. A zigzag maps 0, -1, 1, -2 to 0, 1, 2, 3. An object's length is of fixed size because it is
//! known only when the object's bytes stand in the buffer.
//!
//! **Invariants.** A value has exactly one encoding: a number or length that is not in its shortest
//! form is refused, so what decodes encodes to the same bytes (an author's own codec aside). Decoding
//! trusts nothing: an element costs at least one byte, every length is checked against the bytes
//! present before anything is allocated, and memory grows only with values already decoded. What
//! [`encode`] writes, [`decode`] with default [`Limits`] takes.
//!
//! **Runs on** any thread.
//!
//! **Not here:** a version, a checksum and the frame around an encoding, which are `transfer`'s.

mod decoder;
mod encoder;
mod error;

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use smol_str::SmolStr;

use self::decoder::Decoder;
use self::encoder::Encoder;
pub use self::error::{DecodeError, DecodeErrorKind, EncodeError};
use super::{SharedObject, Value};

/// Most lists and maps around a value; a value that stands in none has depth 0.
pub const MAX_DEPTH: usize = 64;

/// Most values in one encoding, nested ones counted; a pair of a map counts as two.
pub const MAX_VALUES: usize = 1 << 24;

/// Most bytes of one encoding, thus also of a string, a byte array or an object: 256 MiB.
pub const MAX_BYTES: usize = 1 << 28;

/// What [`decode`] takes at most; by default what [`encode`] writes at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Values in one encoding, nested ones counted; default [`MAX_VALUES`], zero allows none.
    pub max_values: usize,
    /// Lists and maps around a value; default and upper bound [`MAX_DEPTH`], zero allows none.
    pub max_depth: usize,
    /// Bytes of one string, byte array, object or type name; default [`MAX_BYTES`], zero allows only
    /// empty ones.
    pub max_bytes: usize,
}

/// Makes a shared object from the bytes that its [`SharedObject::encode`] wrote.
///
/// The bytes may come from anybody: a reader answers an error for what it does not understand, and
/// bounds what it allocates by what it was given.
pub type ObjectReader = fn(&[u8]) -> Result<Arc<dyn SharedObject>, Box<dyn Error + Send + Sync>>;

/// The readers of shared objects, by type name; filled when a worker starts, only read later.
#[derive(Debug, Clone, Default)]
pub struct ObjectReaders {
    type_name_to_reader: BTreeMap<SmolStr, ObjectReader>,
}

/// A reader was registered under a name that has one already; the first one stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a reader of shared objects of type {type_name:?} is registered already: register it once, or \
     give one of the two types another name"
)]
pub struct DuplicateReader {
    /// The name that both wanted.
    pub type_name: SmolStr,
}

/// Appends the encoding of `values` to `out`.
///
/// # Errors
/// [`EncodeError`]; `out` is then as it was, also when an object's codec panics.
///
/// # Cost
/// Linear; allocates only what `out` needs to grow, and what objects allocate themselves.
pub fn encode(values: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let start = out.len();
    let appended = Rollback { keep: start, items: out };
    let mut encoder = Encoder { out: &mut *appended.items, start, values_left: MAX_VALUES };
    encoder.values(values)?;
    encoder.room(0)?;
    appended.accept();
    Ok(())
}

/// Decodes one encoding from the start of `bytes`, appends its values to `values` and answers how
/// many bytes it took; further bytes are not looked at.
///
/// # Errors
/// [`DecodeError`]; `values` is then as it was, also when an object's reader panics.
///
/// # Cost
/// Linear. Allocates once per list, map, string above 24 and byte array above 24 bytes, and what
/// `values` needs to grow; a text of up to 24 bytes allocates nothing. All of it is within a
/// constant factor of the bytes taken.
pub fn decode(
    bytes: &[u8],
    limits: &Limits,
    readers: &ObjectReaders,
    values: &mut Vec<Value>,
) -> Result<usize, DecodeError> {
    let appended = Rollback { keep: values.len(), items: values };
    let mut decoder = Decoder {
        left: bytes,
        total: bytes.len(),
        limits,
        readers,
        values_left: limits.max_values,
    };
    let (kinds, offset) = decoder.kinds()?;
    decoder.values(kinds, offset, appended.items)?;
    let used = decoder.offset();
    appended.accept();
    Ok(used)
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_values: MAX_VALUES, max_depth: MAX_DEPTH, max_bytes: MAX_BYTES }
    }
}

impl ObjectReaders {
    /// Adds the reader of the shared objects whose [`SharedObject::type_name`] is `type_name`.
    ///
    /// # Errors
    /// [`DuplicateReader`]: the name has a reader, be it the same one.
    pub fn register(
        &mut self,
        type_name: impl Into<SmolStr>,
        reader: ObjectReader,
    ) -> Result<(), DuplicateReader> {
        let type_name = type_name.into();
        if self.type_name_to_reader.contains_key(&type_name) {
            return Err(DuplicateReader { type_name });
        }
        self.type_name_to_reader.insert(type_name, reader);
        Ok(())
    }
}

mod kind {
    /// Kind bytes below hold a string of that length.
    pub const SHORT_STRING_END: u8 = 0x40;
    /// Plus a zigzag below [`SMALL_END`].
    pub const SMALL_I32: u8 = 0x40;
    /// Plus a zigzag below [`SMALL_END`].
    pub const SMALL_I64: u8 = 0x80;
    /// Zigzags from here on do not fit into a kind byte.
    pub const SMALL_END: u8 = 0x40;
    pub const NULL: u8 = 0xC0;
    pub const FALSE: u8 = 0xC1;
    pub const TRUE: u8 = 0xC2;
    pub const I32: u8 = 0xC3;
    pub const I64: u8 = 0xC4;
    pub const F32: u8 = 0xC5;
    pub const F64: u8 = 0xC6;
    pub const STRING: u8 = 0xC7;
    pub const BYTES: u8 = 0xC8;
    pub const LIST: u8 = 0xC9;
    pub const MAP: u8 = 0xCA;
    pub const OBJECT: u8 = 0xCB;
}

/// Takes back what was appended unless it is accepted, also while a panic of an author's codec
/// unwinds: the buffers outlive one call.
struct Rollback<'a, T> {
    items: &'a mut Vec<T>,
    keep: usize,
}

impl<T> Rollback<'_, T> {
    fn accept(mut self) {
        self.keep = usize::MAX;
    }
}

impl<T> Drop for Rollback<'_, T> {
    fn drop(&mut self) {
        self.items.truncate(self.keep);
    }
}

/// Strategies for property tests.
#[cfg(test)]
pub(crate) mod arbitrary {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use crate::tuple::Value;

    /// Any value, nested up to four deep, with lengths and numbers around where their form changes.
    ///
    /// No shared objects: they equal only themselves.
    pub fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::null()),
            any::<bool>().prop_map(Value::from),
            prop_oneof![-34..34, any::<i32>(), Just(i32::MIN)].prop_map(Value::from),
            prop_oneof![-34..34i64, any::<i64>(), Just(i64::MIN)].prop_map(Value::from),
            any::<u32>().prop_map(|bits| Value::from(f32::from_bits(bits))),
            any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
            "\\PC{0,30}".prop_map(Value::from),
            prop_oneof![22..26usize, 62..66usize, 126..130usize]
                .prop_map(|length| Value::from("s".repeat(length))),
            vec(any::<u8>(), 0..30).prop_map(Value::from),
            Just(Value::static_bytes(&[7; 200])),
        ];
        scalar.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..6).prop_map(Value::list),
                vec((inner.clone(), inner), 0..6).prop_map(Value::map),
            ]
        })
    }

    /// The values of one tuple, up to ten.
    pub fn values() -> impl Strategy<Value = Vec<Value>> {
        vec(value(), 0..10)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use super::*;
    use crate::tuple::NotEncodable;

    #[derive(Debug, PartialEq)]
    enum Thing {
        Point(Vec<u8>),
        NoCodec,
        Eraser,
        Panicker,
    }

    impl SharedObject for Thing {
        fn type_name(&self) -> &'static str {
            "point"
        }

        fn java_hash(&self) -> i32 {
            0
        }

        fn encode(&self, out: &mut Vec<u8>) -> Result<(), NotEncodable> {
            match self {
                Self::Point(bytes) => out.extend_from_slice(bytes),
                Self::NoCodec => {
                    out.push(1);
                    return Err(NotEncodable { type_name: self.type_name() });
                }
                Self::Eraser => drop(out.pop()),
                Self::Panicker => panic!("a mistake in an author's codec"),
            }
            Ok(())
        }
    }

    fn read_point(bytes: &[u8]) -> Result<Arc<dyn SharedObject>, Box<dyn Error + Send + Sync>> {
        match bytes {
            b"panic" => panic!("a mistake in an author's reader"),
            [] => Err("a point has at least one byte".into()),
            bytes => Ok(Arc::new(Thing::Point(bytes.to_vec()))),
        }
    }

    fn readers() -> ObjectReaders {
        let mut readers = ObjectReaders::default();
        readers.register("point", read_point).unwrap();
        readers
    }

    fn encoded(values: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(values, &mut out).unwrap();
        out
    }

    fn decoded(bytes: &[u8]) -> Result<(Vec<Value>, usize), DecodeError> {
        decoded_within(bytes, &Limits::default())
    }

    #[track_caller]
    fn decoded_within(bytes: &[u8], limits: &Limits) -> Result<(Vec<Value>, usize), DecodeError> {
        let mut values = vec![Value::from("kept")];
        let result = decode(bytes, limits, &readers(), &mut values);
        assert_eq!(values.remove(0), Value::from("kept"));
        match result {
            Ok(used) => Ok((values, used)),
            Err(error) => {
                assert!(values.is_empty(), "left behind after an error: {values:?}");
                Err(error)
            }
        }
    }

    #[track_caller]
    fn check(value: impl Into<Value>, bytes: &[u8]) {
        let (value, expected) = (value.into(), [&[1], bytes].concat());
        assert_eq!(encoded(std::slice::from_ref(&value)), expected, "{value:?}");
        let (values, used) = decoded(&expected).unwrap();
        assert_eq!((values, used), (vec![value], expected.len()));
    }

    #[track_caller]
    fn refuses(bytes: &[u8], expected: &str) {
        assert_eq!(decoded(bytes).unwrap_err().to_string(), expected, "{bytes:02x?}");
    }

    fn nested(depth: usize) -> Value {
        (0..depth).fold(Value::null(), |inner, _| Value::list(vec![inner]))
    }

    #[test]
    fn the_bytes_of_every_kind_stay_what_they_are() {
        check("", &[0x00]);
        check("word", b"\x04word");
        check("x".repeat(63), &[&[0x3F][..], &[b'x'; 63]].concat());
        check("x".repeat(64), &[&[0xC7, 64][..], &[b'x'; 64]].concat());
        check("x".repeat(300), &[&[0xC7, 0xAC, 0x02][..], &[b'x'; 300]].concat());
        check("é", b"\x02\xC3\xA9");
        check(0i32, &[0x40]);
        check(-1i32, &[0x41]);
        check(31i32, &[0x7E]);
        check(-32i32, &[0x7F]);
        check(32i32, &[0xC3, 64]);
        check(-33i32, &[0xC3, 65]);
        check(i32::MAX, &[0xC3, 0xFE, 0xFF, 0xFF, 0xFF, 0x0F]);
        check(i32::MIN, &[0xC3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);
        check(0i64, &[0x80]);
        check(1i64, &[0x82]);
        check(-32i64, &[0xBF]);
        check(32i64, &[0xC4, 64]);
        check(1_000i64, &[0xC4, 0xD0, 0x0F]);
        check(i64::MAX, b"\xC4\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
        check(i64::MIN, b"\xC4\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01");
        check(Value::null(), &[0xC0]);
        check(false, &[0xC1]);
        check(true, &[0xC2]);
        check(1.0f32, &[0xC5, 0, 0, 0x80, 0x3F]);
        check(-0.5f64, &[0xC6, 0, 0, 0, 0, 0, 0, 0xE0, 0xBF]);
        check(f64::from_bits(0x7FF0_0000_0000_0001), &[0xC6, 1, 0, 0, 0, 0, 0, 0xF0, 0x7F]);
        check(Value::bytes(&[]), &[0xC8, 0]);
        check(Value::bytes(&[1, 2]), &[0xC8, 2, 1, 2]);
        check(Value::list([]), &[0xC9, 0]);
        check(Value::list([1i32.into(), "a".into()]), &[0xC9, 2, 0x42, 0x01, b'a']);
        check(Value::map([]), &[0xCA, 0]);
        check(Value::map([("a".into(), true.into())]), &[0xCA, 1, 0x01, b'a', 0xC2]);
    }

    #[test]
    fn several_values_follow_their_count_and_what_comes_after_them_is_left() {
        let mut bytes = encoded(&["storm".into(), 3i64.into()]);
        assert_eq!(bytes, b"\x02\x05\x86storm");
        encode(&[], &mut bytes).unwrap();
        assert_eq!(bytes, b"\x02\x05\x86storm\x00");
        assert_eq!(decoded(&bytes).unwrap(), (vec!["storm".into(), 3i64.into()], 8));
        assert_eq!(decoded(&bytes[8..]).unwrap(), (vec![], 1));
    }

    #[test]
    fn rows_of_many_texts_and_other_values_come_back_whatever_their_order_and_length() {
        let text = |n: usize| Value::from(&"abcdefghijklmnopqrstuvwxyz"[..n % 26]);
        let kinds: [fn(usize) -> Value; 4] = [
            |_| Value::from("größer"),
            |n| Value::from(n as i64),
            |n| Value::from("long".repeat(n % 30)),
            |_| Value::null(),
        ];
        for others in [1, 2, 5, 63, 64, 65, 200] {
            for kind in kinds {
                let other = |n: usize| if n.is_multiple_of(others) { kind(n) } else { text(n) };
                let values: Vec<Value> = (0..300).map(other).collect();
                let bytes = encoded(&values);
                assert_eq!(decoded(&bytes).unwrap(), (values.clone(), bytes.len()));
                let longer = [&bytes[..], &[0xFF; 30]].concat();
                assert_eq!(decoded(&longer).unwrap(), (values, bytes.len()));
            }
        }
    }

    #[test]
    fn an_error_names_the_place_of_the_value_among_many() {
        let mut bytes = encoded(&vec![Value::from("word"); 100]);
        bytes[1 + 70] = 0xCC;
        refuses(&bytes, "byte 71: expected the kind of a value, found byte 0xcc, which is none");
        bytes[1 + 70] = 4;
        bytes[1 + 100 + 70 * 4] = 0xFF;
        refuses(&bytes, "byte 71: expected a string, found text that is not UTF-8");
    }

    #[test]
    fn a_shared_object_travels_under_its_name() {
        let bytes = encoded(&[Value::object(Arc::new(Thing::Point(vec![8, 9])))]);
        assert_eq!(bytes, b"\x01\xCB\x05point\x02\0\0\0\x08\x09");
        let (values, used) = decoded(&bytes).unwrap();
        assert_eq!(used, bytes.len());
        assert_eq!(values[0].as_object(), Some(&Thing::Point(vec![8, 9])));
    }

    #[test]
    fn an_object_without_reader_or_with_refused_bytes_is_an_error() {
        refuses(
            b"\x01\xCB\x04line\0\0\0\0",
            "byte 2: expected the type of a shared object, found type \"line\", which has no \
             reader: register it on every worker",
        );
        let bytes = b"\x01\xCB\x05point\0\0\0\0";
        let text = "byte 8: expected a shared object, found bytes that the reader of type \
                    \"point\" refuses";
        refuses(bytes, text);
        let error = decoded(bytes).unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), "a point has at least one byte");
    }

    #[test]
    fn a_name_is_registered_once() {
        let error = readers().register("point", read_point).unwrap_err();
        assert!(error.to_string().contains("type \"point\" is registered already"), "{error}");
    }

    #[test]
    fn what_cannot_be_encoded_leaves_the_buffer_as_it_was() {
        let refused = |value: Value| {
            let mut out = vec![1, 2, 3];
            let error = encode(&["before".into(), Value::list([value])], &mut out).unwrap_err();
            assert_eq!(out, [1, 2, 3], "{error}");
            error
        };
        let object = |thing| refused(Value::object(Arc::new(thing)));
        let not_encodable = NotEncodable { type_name: "point" };
        assert_eq!(object(Thing::NoCodec), EncodeError::NotEncodable(not_encodable));
        assert_eq!(object(Thing::Eraser), EncodeError::ObjectRemovedBytes { type_name: "point" });
        assert_eq!(refused(nested(MAX_DEPTH)), EncodeError::TooDeep);
        let thousand = Value::list(vec![Value::null(); 1 << 12]);
        assert_eq!(refused(Value::list(vec![thousand; 1 << 12])), EncodeError::TooManyValues);
        // Zeroed by the system on demand and refused by its length, so no page of it is touched.
        let long = Box::leak(vec![0; MAX_BYTES].into_boxed_slice());
        assert_eq!(refused(Value::static_bytes(long)), EncodeError::TooLong);
    }

    #[test]
    fn a_panic_of_an_authors_codec_leaves_nothing_behind() {
        let mut out = vec![1];
        let panicker = Value::object(Arc::new(Thing::Panicker));
        catch_unwind(AssertUnwindSafe(|| encode(&["a".into(), panicker], &mut out))).unwrap_err();
        assert_eq!(out, [1]);

        let mut values = Vec::new();
        let bytes = b"\x02\x01\xCBa\x05point\x05\0\0\0panic";
        let readers = readers();
        let decode = || decode(bytes, &Limits::default(), &readers, &mut values);
        catch_unwind(AssertUnwindSafe(decode)).unwrap_err();
        assert_eq!(values, []);
    }

    #[test]
    fn values_are_nested_up_to_the_limit_and_no_deeper() {
        let bytes = encoded(&[nested(MAX_DEPTH)]);
        assert_eq!(decoded(&bytes).unwrap().0, [nested(MAX_DEPTH)]);
        let bytes = [&[1][..], &[0xC9, 1].repeat(MAX_DEPTH + 1), &[0xC0]].concat();
        refuses(&bytes, "byte 129: expected a list, found it in more than 64 lists and maps");
        let limits = Limits { max_depth: usize::MAX, ..Limits::default() };
        assert!(decoded_within(&[&[1][..], &[0xC9, 1].repeat(100_000)].concat(), &limits).is_err());
        let limits = Limits { max_depth: 0, ..Limits::default() };
        let error = decoded_within(&[1, 0xCA, 0], &limits).unwrap_err();
        assert_eq!(
            error.to_string(),
            "byte 1: expected a map, found it in more than 0 lists and maps"
        );
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let bytes = encoded(&[Value::list([1i32.into(), 2i32.into()]), "ab".into()]);
        let limits = Limits { max_values: 4, max_depth: 1, max_bytes: 2 };
        assert!(decoded_within(&bytes, &limits).is_ok());
        let text = |limits| decoded_within(&bytes, &limits).unwrap_err().to_string();
        assert_eq!(
            text(Limits { max_values: 3, ..limits }),
            "byte 3: expected a list, found more than 3 values, nested ones counted"
        );
        assert_eq!(
            text(Limits { max_bytes: 1, ..limits }),
            "byte 2: expected a string, found a length of 2 bytes, at most 1 are allowed"
        );
    }

    #[test]
    fn a_claim_beyond_the_bytes_present_is_refused() {
        refuses(&[], "byte 0: expected the values, which takes 1 or more bytes, found 0");
        refuses(&[2, 0xC0], "byte 0: expected the values, which takes 2 or more bytes, found 1");
        refuses(b"\x01\x03ab", "byte 1: expected a string, which takes 3 or more bytes, found 2");
        for claim in [65, i32::MAX as u64, u32::MAX.into(), i64::MAX as u64, u64::MAX] {
            let mut varint = Vec::new();
            Encoder { out: &mut varint, start: 0, values_left: 0 }.varint(claim);
            let claiming = |kind: &[u8]| [kind, &varint, &[0xC0; 30]].concat();
            for (bytes, expected, per_item) in [
                (claiming(&[]), "the values", 1),
                (claiming(&[1, 0xC9]), "a list", 1),
                (claiming(&[1, 0xCA]), "a map", 2),
            ] {
                let needed = claim.saturating_mul(per_item);
                let offset = bytes.len() - varint.len() - 30;
                let start = format!("byte {offset}: expected {expected}, which takes {needed} or");
                let error = decoded(&bytes).unwrap_err().to_string();
                assert!(error.starts_with(&start), "{error}");
            }
            for kind in [&[1, 0xC7][..], &[1, 0xC8], &[1, 0xCB]] {
                let error = decoded(&claiming(kind)).unwrap_err();
                let too_long = matches!(error.kind, DecodeErrorKind::TooLong { .. });
                let ended = matches!(error.kind, DecodeErrorKind::Ended { left: 30, .. });
                assert!(if claim > MAX_BYTES as u64 { too_long } else { ended }, "{error}");
                assert_eq!(error.offset, 2);
            }
        }
        refuses(
            b"\x01\xCB\x05point\xFF\xFF\xFF\xFFab",
            "byte 8: expected a shared object, found a length of 4294967295 bytes, at most \
             268435456 are allowed",
        );
    }

    #[test]
    fn a_value_has_one_encoding_only() {
        let longer = |offset: usize, expected: &str| {
            format!("byte {offset}: expected {expected}, found a longer form than it needs")
        };
        refuses(&[0x80, 0x00], &longer(0, "the values"));
        refuses(&[1, 0xC3, 63], &longer(2, "an i32"));
        refuses(&[1, 0xC4, 63], &longer(2, "an i64"));
        refuses(&[1, 0xC4, 0xC0, 0x80, 0x00], &longer(2, "an i64"));
        refuses(&[1, 0xC7, 1, b'a'], &longer(2, "a long string"));
        refuses(&[1, 0xC8, 0x81, 0x00, 1], &longer(2, "bytes"));
    }

    #[test]
    fn numbers_texts_and_kinds_out_of_range_are_refused() {
        let too_large = |expected: &str| {
            format!("byte 2: expected {expected}, found a number out of its range")
        };
        refuses(b"\x01\xC3\x80\x80\x80\x80\x10", &too_large("an i32"));
        refuses(b"\x01\xC4\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", &too_large("an i64"));
        refuses(b"\x01\xC4\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x81", &too_large("an i64"));
        refuses(b"\x01\x02\xC3\x28", "byte 1: expected a string, found text that is not UTF-8");
        for found in 0xCC..=0xFF {
            let text = format!(
                "byte 1: expected the kind of a value, found byte {found:#04x}, which is none"
            );
            refuses(&[1, found], &text);
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(values in arbitrary::values()) {
            let bytes = encoded(&values);
            let (again, used) = decoded(&bytes).unwrap();
            prop_assert_eq!(used, bytes.len());
            prop_assert_eq!(again, values);
        }

        #[test]
        fn a_truncated_encoding_is_refused(values in arbitrary::values(), cut in any::<prop::sample::Index>()) {
            let bytes = encoded(&values);
            let cut = cut.index(bytes.len());
            let error = decoded(&bytes[..cut]).unwrap_err();
            let ended = matches!(error.kind, DecodeErrorKind::Ended { .. });
            prop_assert!(ended && error.offset <= cut, "{}", error);
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(
            values in arbitrary::values(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut bytes = encoded(&values);
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            if let Ok((values, used)) = decoded(&bytes) {
                prop_assert_eq!(encoded(&values), &bytes[..used]);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((values, used)) = decoded(&bytes) {
                prop_assert!(used <= bytes.len() && values.len() < used.max(1));
            }
        }
    }
}
