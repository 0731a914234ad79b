//! Hashes and texts of values exactly as a Java 17 virtual machine computes them.
//!
//! Fields grouping and partial-key grouping send a tuple where Java's hash (or text) of its key
//! says, so a topology moved here keeps every key on the task index it had, and both kinds of
//! worker agree about a key.
//!
//! **Invariants**
//! - Equal content gives an equal hash and an equal text, in every process and every run. Where
//!   Java uses an object's identity (the text of a `byte[]`, the hash of a `byte[]` inside a list
//!   or map), content is used instead, for identity means nothing outside one Java process.
//! - No hash of a scalar, a string or a byte array allocates.
//! - Floating-point text follows the conversion of Java 17 and older, which differs from the
//!   shortest text of Java 19 and later in the last digits of some numbers.
//!
//! **Runs on** any thread; nothing here has state.
//!
//! **Not here:** the choice between two tasks ([`partial_key`](super::partial_key)), the selection
//! of fields by name, and the order of target tasks.

mod decimal;
mod text;

pub use decimal::double_text;
pub use text::java_text;

use crate::tuple::{Value, ValueRef};

/// 31 to the power of the index, modulo 2^32: what a hash is multiplied by when that many
/// elements follow it.
const POWERS_OF_31: [u32; 9] = {
    let mut powers = [1_u32; 9];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1].wrapping_mul(31);
        i += 1;
    }
    powers
};

/// The top bit of each byte of a word.
const TOP_BITS: u64 = 0x8080_8080_8080_8080;

/// The hash of one value as `Arrays.deepHashCode` sees it.
///
/// That is `hashCode()` for everything but a byte array, which counts by content at every depth.
/// (In Java a `byte[]` directly among the selected values counts by content too, but one inside a
/// list or a map by identity, so no two processes agree about such a key.)
/// The pairs of a map are taken to have distinct keys.
///
/// # Cost
/// O(size of the value), no allocation, except what an object's own `java_hash` does.
#[inline]
pub fn java_hash(value: &Value) -> i32 {
    // Most keys are short; as a word they are hashed without a branch on their length.
    if let Some((word, length)) = value.short_str()
        && word & TOP_BITS == 0
    {
        // At length 0 the shift is by 0, of a word that is 0.
        return word_polynomial(word.swap_bytes().wrapping_shr(8 * (8 - length))) as i32;
    }
    if let Some(text) = value.str_bytes() {
        return str_hash(text, || value.as_str().expect("a text has bytes"));
    }
    match value.view() {
        ValueRef::Null => 0,
        ValueRef::Bool(true) => 1231,
        ValueRef::Bool(false) => 1237,
        ValueRef::I32(number) => number,
        ValueRef::I64(number) => fold_long(number as u64),
        ValueRef::F32(number) => float_bits(number) as i32,
        ValueRef::F64(number) => fold_long(double_bits(number)),
        ValueRef::Str(text) => string_hash(text),
        ValueRef::Bytes(bytes) => bytes_hash(bytes),
        ValueRef::List(elements) => list_hash(elements),
        ValueRef::Map(entries) => map_hash(entries),
        ValueRef::Object(object) => object.java_hash(),
    }
}

/// `String.hashCode()`: the polynomial in 31 over the UTF-16 code units.
///
/// # Cost
/// No allocation. ASCII text takes four multiplications per eight bytes; other text is decoded.
#[inline]
pub fn string_hash(text: &str) -> i32 {
    str_hash(text.as_bytes(), || text)
}

/// The hash of a text by its bytes; `text` is asked for only if they are not all ASCII.
#[inline]
fn str_hash<'a>(bytes: &[u8], text: impl FnOnce() -> &'a str) -> i32 {
    let mut seen = 0;
    let hash = fold_words(0, bytes, |word| {
        seen |= word;
        word_polynomial(word)
    });
    if seen & TOP_BITS == 0 { hash as i32 } else { utf16_hash(text()) }
}

/// `Arrays.hashCode(byte[])`: the polynomial in 31 over signed bytes, starting from 1.
///
/// # Cost
/// No allocation; seven multiplications per eight bytes.
#[inline]
pub fn bytes_hash(bytes: &[u8]) -> i32 {
    fold_words(1, bytes, signed_word_polynomial) as i32
}

/// `Arrays.deepHashCode` of the values at the `selected` positions, in that order.
///
/// # Panics
/// If a position is outside `values`; a grouping is compiled against the stream's fields, and a
/// tuple with another number of values is refused before it is routed.
#[inline]
pub fn hash_values(values: &[Value], selected: &[usize]) -> i32 {
    selected.iter().fold(1, |hash: i32, &position| {
        hash.wrapping_mul(31).wrapping_add(java_hash(&values[position]))
    })
}

/// The index in 0..`n` of the target task for a key's hash: `Math.floorMod(hash, n)`.
///
/// The index counts target tasks in ascending order of task id.
///
/// # Panics
/// If `n`, the number of target tasks, is zero or above `i32::MAX`.
#[inline]
pub fn choose_task_index(hash: i32, n: usize) -> usize {
    let n = i32::try_from(n).expect("the number of target tasks fits Java's int");
    // A division takes as long as hashing a short word.
    if n & (n - 1) == 0 && n > 0 { (hash & (n - 1)) as usize } else { hash.rem_euclid(n) as usize }
}

/// `Float.floatToIntBits`: every NaN has the same bits.
fn float_bits(number: f32) -> u32 {
    if number.is_nan() { 0x7fc0_0000 } else { number.to_bits() }
}

/// `Double.doubleToLongBits`: every NaN has the same bits.
fn double_bits(number: f64) -> u64 {
    if number.is_nan() { 0x7ff8_0000_0000_0000 } else { number.to_bits() }
}

/// `Long.hashCode` of a 64-bit pattern.
fn fold_long(bits: u64) -> i32 {
    (bits ^ (bits >> 32)) as i32
}

fn list_hash(elements: &[Value]) -> i32 {
    elements
        .iter()
        .fold(1, |hash: i32, element| hash.wrapping_mul(31).wrapping_add(java_hash(element)))
}

fn map_hash(entries: &[(Value, Value)]) -> i32 {
    entries
        .iter()
        .fold(0, |hash: i32, (key, value)| hash.wrapping_add(java_hash(key) ^ java_hash(value)))
}

/// The hash of text with characters beyond ASCII, by its definition.
#[inline(never)]
fn utf16_hash(text: &str) -> i32 {
    text.encode_utf16()
        .fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// Continues the polynomial in 31 from `hash` over all bytes, eight at a time.
///
/// `polynomial` gets each group as a big-endian word. The first group takes what is left over; it
/// is padded with zero bytes in front, which add nothing. So a text of up to eight bytes is one
/// word and no loop, whatever its length.
#[inline]
fn fold_words(hash: u32, bytes: &[u8], mut polynomial: impl FnMut(u64) -> u32) -> u32 {
    let Some(front) = bytes.first_chunk::<8>() else {
        let hash = hash.wrapping_mul(POWERS_OF_31[bytes.len()]);
        return hash.wrapping_add(polynomial(short_word(bytes)));
    };
    let head = (bytes.len() - 1) % 8 + 1;
    let front = u64::from_be_bytes(*front) >> (8 * (8 - head));
    let hash = hash.wrapping_mul(POWERS_OF_31[head]).wrapping_add(polynomial(front));
    bytes[head..].as_chunks::<8>().0.iter().fold(hash, |hash, word| {
        hash.wrapping_mul(POWERS_OF_31[8]).wrapping_add(polynomial(u64::from_be_bytes(*word)))
    })
}

/// Fewer than eight bytes as the low end of a big-endian word.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    // The loads overlap at most lengths; they then carry the same byte to the same place.
    let len = bytes.len();
    if let (Some(front), Some(back)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let front = u64::from(u32::from_be_bytes(*front));
        front << (8 * (len - 4)) | u64::from(u32::from_be_bytes(*back))
    } else if let ([front, ..], [.., back]) = (bytes, bytes) {
        let middle = len / 2;
        u64::from(*front) << (8 * (len - 1))
            | u64::from(bytes[middle]) << (8 * (len - 1 - middle))
            | u64::from(*back)
    } else {
        0
    }
}

/// The polynomial in 31 over the eight unsigned bytes of a word, the top byte first.
///
/// Neighbours are joined pairwise in lanes of 16, 32 and 64 bits; no lane can overflow before the
/// last step (255 · 32 < 2^16, and 8160 · 962 < 2^32).
#[inline]
fn word_polynomial(word: u64) -> u32 {
    const BYTES: u64 = 0x00ff_00ff_00ff_00ff;
    const PAIRS: u64 = 0x0000_ffff_0000_ffff;
    let pairs = ((word >> 8) & BYTES) * 31 + (word & BYTES);
    let quads = ((pairs >> 16) & PAIRS) * (31 * 31) + (pairs & PAIRS);
    ((quads >> 32) as u32).wrapping_mul(POWERS_OF_31[4]).wrapping_add(quads as u32)
}

/// [`word_polynomial`] over signed bytes: a set top bit makes a byte 256 less.
#[inline]
fn signed_word_polynomial(word: u64) -> u32 {
    let negatives = (word & TOP_BITS) >> 7;
    word_polynomial(word).wrapping_sub(word_polynomial(negatives) << 8)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::tuple::SharedObject;

    // The expected hashes in these tests were printed by OpenJDK 17.0.15.

    #[track_caller]
    fn check_hash(value: impl Into<Value>, expected: i32) {
        assert_eq!(java_hash(&value.into()), expected);
    }

    #[test]
    fn scalars_hash_as_their_java_boxes() {
        check_hash(Value::null(), 0);
        check_hash(true, 1231);
        check_hash(false, 1237);
        check_hash(-1_i32, -1);
        check_hash(-1_i64, 0);
        check_hash(1_i64 << 40, 256);
        check_hash(i64::MIN, i32::MIN);
        check_hash(-2_147_483_649_i64, i32::MIN);
        check_hash(1.5_f64, 1_073_217_536);
        check_hash(0.0_f64, 0);
        check_hash(-0.0_f64, i32::MIN);
        check_hash(f64::NEG_INFINITY, -1_048_576);
        check_hash(std::f64::consts::PI, 340_593_891);
        check_hash(1.5_f32, 1_069_547_520);
        check_hash(-0.0_f32, i32::MIN);
    }

    #[test]
    fn every_nan_hashes_alike() {
        check_hash(f64::NAN, 2_146_959_360);
        check_hash(f64::from_bits(0xfff8_0000_0000_0001), 2_146_959_360);
        check_hash(f32::NAN, 2_143_289_344);
        check_hash(f32::from_bits(0xffc0_0001), 2_143_289_344);
    }

    #[test]
    fn strings_hash_by_utf16_code_units() {
        check_hash("", 0);
        check_hash("a", 97);
        check_hash("ab", 3105);
        check_hash("\0", 0);
        check_hash("storm", 109_770_985);
        check_hash("exactly8", 1_928_463_596);
        check_hash("nine char", -1_174_697_468);
        check_hash("hello world", 1_794_106_052);
        check_hash("polynomials of thirty-one", 1_430_097_827);
        check_hash("ä", 228);
        check_hash("naïve façade", 1_837_522_443);
        check_hash("日本語", 25_921_943);
        check_hash("😀", 1_772_899);
        check_hash("a😀b😀c", 1_173_308_226);
    }

    #[test]
    fn byte_arrays_hash_by_signed_content() {
        check_hash(Value::bytes(&[]), 1);
        check_hash(Value::bytes(&[1, 2, 3]), 30817);
        check_hash(Value::bytes(&[255]), 30);
        check_hash(Value::bytes(&[128, 127, 0, 255, 5, 250, 7, 248, 9, 246, 11]), 1_552_379_161);
    }

    #[test]
    fn lists_and_maps_hash_by_their_elements() {
        check_hash(Value::list(vec![]), 1);
        check_hash(Value::list(vec![1.into(), 2.into()]), 994);
        let inner = Value::list(vec![2.5.into(), (-1_i64).into()]);
        check_hash(Value::list(vec!["a".into(), inner]), -1_065_610_431);
        check_hash(
            Value::map(vec![("k".into(), 1_i64.into()), ("j".into(), Value::from("v"))]),
            134,
        );
    }

    #[derive(Debug)]
    struct Point;

    impl SharedObject for Point {
        fn type_name(&self) -> &'static str {
            "point"
        }

        fn java_hash(&self) -> i32 {
            -7
        }

        fn java_text(&self) -> String {
            "(0, 0)".into()
        }
    }

    #[test]
    fn an_object_answers_for_itself() {
        let point = Value::object(Arc::new(Point));
        check_hash(point.clone(), -7);
        let mut text = String::new();
        java_text(&Value::list(vec![point]), &mut text);
        assert_eq!(text, "[(0, 0)]");
    }

    #[test]
    fn selected_values_hash_as_an_array_of_them() {
        let list = Value::list(vec!["a".into(), 1.into(), Value::null(), false.into()]);
        let values = [
            Value::from("storm"),
            1_i64.into(),
            Value::null(),
            true.into(),
            list,
            Value::bytes(&[1, 254]),
        ];
        assert_eq!(hash_values(&values, &[]), 1);
        assert_eq!(hash_values(&values, &[0]), 109_771_016);
        assert_eq!(hash_values(&values, &[2]), 31);
        assert_eq!(hash_values(&values, &[0, 1, 2, 3]), 1_718_227_592);
        assert_eq!(hash_values(&values, &[4, 5]), 118_280_777);
    }

    #[test]
    fn a_negative_hash_still_chooses_a_task() {
        assert_eq!(choose_task_index(7, 3), 1);
        assert_eq!(choose_task_index(-1, 3), 2);
        assert_eq!(choose_task_index(i32::MIN, 1), 0);
        assert_eq!(choose_task_index(i32::MIN, 1000), 352);
    }

    fn string_hash_by_definition(text: &str) -> i32 {
        text.encode_utf16()
            .fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
    }

    proptest! {
        #[test]
        fn ascii_strings_hash_by_the_definition(text in "[\0-\x7f]{0,40}") {
            prop_assert_eq!(string_hash(&text), string_hash_by_definition(&text));
        }

        #[test]
        fn strings_with_few_other_characters_hash_by_the_definition(
            text in "[a-e]{0,20}[ä€😀]?[a-e]{0,20}",
        ) {
            prop_assert_eq!(string_hash(&text), string_hash_by_definition(&text));
        }

        #[test]
        fn any_string_hashes_by_the_definition(text in "\\PC*") {
            prop_assert_eq!(string_hash(&text), string_hash_by_definition(&text));
        }

        #[test]
        fn byte_arrays_hash_by_the_definition(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let by_definition = bytes.iter().fold(1, |hash: i32, byte| {
                hash.wrapping_mul(31).wrapping_add((*byte as i8).into())
            });
            prop_assert_eq!(bytes_hash(&bytes), by_definition);
        }

    }
}
