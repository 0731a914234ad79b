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

use std::cmp::Ordering;
use std::fmt::Write;

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

/// Appends `String.valueOf(value)`: Java's `toString()`, and "null" for null.
///
/// A map is written in the order in which a `java.util.HashMap` iterates that was made with the
/// default capacity and filled with the pairs in the given order. Assumed are distinct keys and
/// fewer than nine keys in one bucket once the table has 64 buckets (beyond that Java turns the
/// bucket into a tree and its order depends on the history of the tree). Another kind of Java map,
/// or a `HashMap` presized or shrunk, may print in another order.
///
/// A byte array, whose Java text shows an identity, is `[B@` and its content hash in hexadecimal.
///
/// # Cost
/// Scalars and strings allocate only what `out` needs to grow; lists add nothing to that, a map
/// allocates its order.
pub fn java_text(value: &Value, out: &mut String) {
    match value.view() {
        ValueRef::Null => out.push_str("null"),
        ValueRef::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        ValueRef::I32(number) => push_formatted(out, format_args!("{number}")),
        ValueRef::I64(number) => push_formatted(out, format_args!("{number}")),
        ValueRef::F32(number) => float_text(number, out),
        ValueRef::F64(number) => double_text(number, out),
        ValueRef::Str(text) => out.push_str(text),
        ValueRef::Bytes(bytes) => push_formatted(out, format_args!("[B@{:x}", bytes_hash(bytes))),
        ValueRef::List(elements) => list_text(elements, out),
        ValueRef::Map(entries) => map_text(entries, out),
        ValueRef::Object(object) => out.push_str(&object.java_text()),
    }
}

/// Appends `Double.toString(number)` of Java 17.
pub fn double_text(number: f64, out: &mut String) {
    let bits = number.to_bits();
    let stored_exponent = (bits >> DOUBLE_FRACTION_BITS) as i32 & 0x7ff;
    let stored_fraction = bits & ((1 << DOUBLE_FRACTION_BITS) - 1);
    if !push_special(number.is_nan(), number.is_infinite(), number, out) {
        push_decimal(
            &Binary::new(stored_fraction, stored_exponent, DOUBLE_FRACTION_BITS, 1023).to_decimal(),
            out,
        );
    }
}

/// Appends `Float.toString(number)` of Java 17.
pub fn float_text(number: f32, out: &mut String) {
    let bits = number.to_bits();
    let stored_exponent = (bits >> FLOAT_FRACTION_BITS) as i32 & 0xff;
    let stored_fraction = u64::from(bits & ((1 << FLOAT_FRACTION_BITS) - 1));
    if !push_special(number.is_nan(), number.is_infinite(), f64::from(number), out) {
        push_decimal(
            &Binary::new(stored_fraction, stored_exponent, FLOAT_FRACTION_BITS, 127).to_decimal(),
            out,
        );
    }
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

fn push_formatted(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes any text");
}

fn list_text(elements: &[Value], out: &mut String) {
    out.push('[');
    for (i, element) in elements.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        java_text(element, out);
    }
    out.push(']');
}

fn map_text(entries: &[(Value, Value)], out: &mut String) {
    out.push('{');
    for (i, position) in hash_map_order(entries).into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        let (key, value) = &entries[position];
        java_text(key, out);
        out.push('=');
        java_text(value, out);
    }
    out.push('}');
}

/// The positions of the entries in the order in which `java.util.HashMap` iterates.
fn hash_map_order(entries: &[(Value, Value)]) -> Vec<usize> {
    let hashes: Vec<u32> = entries
        .iter()
        .map(|(key, _)| {
            let hash = java_hash(key) as u32;
            hash ^ (hash >> 16)
        })
        .collect();
    let mask = hash_map_capacity(&hashes) as u32 - 1;
    let mut order: Vec<usize> = (0..entries.len()).collect();
    // The sort is stable, as a bucket keeps the order of insertion, also when the table grows.
    order.sort_by_key(|&position| hashes[position] & mask);
    order
}

/// Buckets of a `HashMap` after keys with these spread hashes were put into it, one by one.
fn hash_map_capacity(hashes: &[u32]) -> usize {
    const INITIAL_CAPACITY: usize = 16;
    const CROWDED_BUCKET: u32 = 8;
    const TREE_CAPACITY: usize = 64;

    let bucket_sizes = |capacity: usize, hashes: &[u32]| {
        let mut sizes = vec![0_u32; capacity];
        for hash in hashes {
            sizes[*hash as usize & (capacity - 1)] += 1;
        }
        sizes
    };
    let mut sizes = vec![0_u32; INITIAL_CAPACITY];
    for (put, hash) in hashes.iter().enumerate() {
        let bucket = *hash as usize & (sizes.len() - 1);
        let crowded = sizes[bucket] >= CROWDED_BUCKET && sizes.len() < TREE_CAPACITY;
        sizes[bucket] += 1;
        let put = put + 1;
        // A small table grows rather than turn a crowded bucket into a tree.
        if crowded {
            sizes = bucket_sizes(sizes.len() * 2, &hashes[..put]);
        }
        if put > sizes.len() / 4 * 3 {
            sizes = bucket_sizes(sizes.len() * 2, &hashes[..put]);
        }
    }
    sizes.len()
}

/// Stored fraction bits of a 64-bit number.
const DOUBLE_FRACTION_BITS: i32 = 52;

/// Stored fraction bits of a 32-bit number.
const FLOAT_FRACTION_BITS: i32 = 23;

/// A positive finite number, `fraction / 2^52 * 2^exponent`.
struct Binary {
    /// Bit 52 is the highest one set.
    fraction: u64,
    exponent: i32,
    /// Bits that the number's own type distinguishes: 53 or 24, fewer if subnormal.
    precision_bits: i32,
}

/// The digits to print for a positive number, `0.d1d2d3… * 10^exponent`.
struct Decimal {
    /// 0 to 9 each; the first `len` count. Seventeen are the most that were ever needed, nineteen
    /// the most that a whole number below 2^63 has.
    digits: [u8; 20],
    len: usize,
    exponent: i32,
}

/// Where a digit loop stopped, and so how the last digit is rounded.
struct Stop {
    /// The digits so far are less than half a unit (of the binary number) below the number.
    low: bool,
    /// The digits so far, the last one raised, are less than half a unit above the number.
    high: bool,
    /// What is left, compared with half of the last digit's place.
    rest_to_half: Ordering,
}

/// Writes the texts that have no digits of their own, and the sign; false if digits must follow.
fn push_special(nan: bool, infinite: bool, number: f64, out: &mut String) -> bool {
    if nan {
        out.push_str("NaN");
        return true;
    }
    if number.is_sign_negative() {
        out.push('-');
    }
    if infinite {
        out.push_str("Infinity");
    } else if number == 0.0 {
        out.push_str("0.0");
    }
    infinite || number == 0.0
}

/// Writes digits in Java's form: plain from 10^-3 up to 10^7, else with an exponent; always with
/// at least one digit after the point.
fn push_decimal(decimal: &Decimal, out: &mut String) {
    let digits = &decimal.digits[..decimal.len];
    let push_digits = |digits: &[u8], out: &mut String| {
        out.extend(digits.iter().map(|digit| char::from(b'0' + digit)));
    };
    match decimal.exponent {
        whole @ 1..=7 => {
            let (front, back) = digits.split_at(digits.len().min(whole as usize));
            push_digits(front, out);
            out.extend(std::iter::repeat_n('0', whole as usize - front.len()));
            out.push('.');
            push_digits(if back.is_empty() { &[0] } else { back }, out);
        }
        zeros @ -2..=0 => {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', zeros.unsigned_abs() as usize));
            push_digits(digits, out);
        }
        exponent => {
            push_digits(&digits[..1], out);
            out.push('.');
            push_digits(if digits.len() > 1 { &digits[1..] } else { &[0] }, out);
            push_formatted(out, format_args!("E{}", exponent - 1));
        }
    }
}

impl Binary {
    /// The number with these stored parts, which are not all zero.
    fn new(stored_fraction: u64, stored_exponent: i32, fraction_bits: i32, bias: i32) -> Self {
        let widen = DOUBLE_FRACTION_BITS - fraction_bits;
        if stored_exponent > 0 {
            return Binary {
                fraction: (stored_fraction | 1 << fraction_bits) << widen,
                exponent: stored_exponent - bias,
                precision_bits: fraction_bits + 1,
            };
        }
        let used_bits = 64 - stored_fraction.leading_zeros() as i32;
        let shift = fraction_bits + 1 - used_bits;
        Binary {
            fraction: stored_fraction << (shift + widen),
            exponent: 1 - shift - bias,
            precision_bits: used_bits,
        }
    }

    /// The digits Java 17 prints.
    ///
    /// This is the digit generation of Steele and White with a symmetric stopping test: digits are
    /// taken from `number / scale` until what is left is within half a unit of the binary number.
    /// What must be kept as it is, because it shows in the digits: the half unit is halved again
    /// below exact powers of two, on both sides; the exponent form always develops a second digit
    /// before it looks at the test; and the test is strict in machine words but not in wide
    /// numbers, so the choice of arithmetic is part of the result.
    fn to_decimal(&self) -> Decimal {
        let tail_zeros = self.fraction.trailing_zeros() as i32;
        let used_bits = DOUBLE_FRACTION_BITS + 1 - tail_zeros;
        let tiny_bits = (used_bits - self.exponent - 1).max(0);
        if tiny_bits == 0 && self.exponent <= 62 {
            return self.whole_to_decimal();
        }

        let exponent = self.decimal_exponent_estimate();
        // `number`, `scale` and `half_unit` are products of powers of five and two; only the
        // powers of two are reduced.
        let number_fives = (-exponent).max(0);
        let scale_fives = exponent.max(0);
        let mut number_twos = number_fives + tiny_bits + self.exponent;
        let mut scale_twos = scale_fives + tiny_bits;
        let mut half_unit_twos = number_twos - self.precision_bits;
        number_twos -= used_bits - 1;
        let common = number_twos.min(scale_twos);
        number_twos -= common;
        scale_twos -= common;
        half_unit_twos -= common;
        if used_bits == 1 {
            half_unit_twos -= 1;
        }
        if half_unit_twos < 0 {
            number_twos -= half_unit_twos;
            scale_twos -= half_unit_twos;
            half_unit_twos = 0;
        }

        let factor = self.fraction >> tail_zeros;
        let mut decimal = Decimal { digits: [0; 20], len: 0, exponent: exponent + 1 };
        let number_bits = used_bits + number_twos + bits_of_power_of_5(number_fives);
        let ten_scale_bits = scale_twos + 1 + bits_of_power_of_5(scale_fives + 1);
        let stop = if number_bits < 64 && ten_scale_bits < 64 {
            let power_of_5 = |fives: i32| 5_i64.pow(fives as u32);
            let number = (factor as i64 * power_of_5(number_fives)) << number_twos;
            let scale = power_of_5(scale_fives) << scale_twos;
            let half_unit = power_of_5(number_fives) << half_unit_twos;
            if number_bits < 32 && ten_scale_bits < 32 {
                let int = |word: i64| i64::from(word as i32);
                decimal.develop_in_words(int(number), int(scale), int(half_unit), int)
            } else {
                decimal.develop_in_words(number, scale, half_unit, |word| word)
            }
        } else {
            decimal.develop_wide(
                Wide::new(factor, number_fives, number_twos),
                &Wide::new(1, scale_fives, scale_twos),
                Wide::new(1, number_fives, half_unit_twos),
            )
        };
        let odd = decimal.digits[decimal.len - 1] % 2 == 1;
        let raise = match stop.rest_to_half {
            _ if !stop.low => stop.high,
            Ordering::Equal => stop.high && odd,
            rest_to_half => stop.high && rest_to_half == Ordering::Greater,
        };
        if raise {
            decimal.raise_last_digit();
        }
        decimal
    }

    /// The digits of a whole number below 2^63; those its precision cannot tell are rounded away.
    fn whole_to_decimal(&self) -> Decimal {
        let mut whole = if self.exponent >= DOUBLE_FRACTION_BITS {
            self.fraction << (self.exponent - DOUBLE_FRACTION_BITS)
        } else {
            self.fraction >> (DOUBLE_FRACTION_BITS - self.exponent)
        };
        let mut exponent = 0;
        let untold_bits = self.exponent - self.precision_bits - 1;
        if untold_bits > 1 {
            let untold_digits = (1_u64 << untold_bits).ilog10();
            if untold_digits > 0 {
                let place = 10_u64.pow(untold_digits);
                let rest = whole % place;
                whole = whole / place + u64::from(rest >= place / 2);
                exponent = untold_digits as i32;
            }
        }
        let len = whole.ilog10() as usize + 1;
        let mut decimal = Decimal { digits: [0; 20], len, exponent: exponent + len as i32 };
        for digit in decimal.digits[..len].iter_mut().rev() {
            *digit = (whole % 10) as u8;
            whole /= 10;
        }
        while decimal.digits[decimal.len - 1] == 0 {
            decimal.len -= 1;
        }
        decimal
    }

    /// The decimal exponent of the first digit, or one more: a straight line through the logarithm.
    #[expect(
        clippy::approx_constant,
        reason = "another rounding of log10(2) could move the estimate of a number near a power of ten"
    )]
    fn decimal_exponent_estimate(&self) -> i32 {
        let mantissa = self.fraction as f64 / (1_u64 << DOUBLE_FRACTION_BITS) as f64;
        let estimate = (mantissa - 1.5) * 0.289_529_654
            + 0.176_091_259
            + f64::from(self.exponent) * 0.301_029_995_663_981;
        estimate.floor() as i32
    }
}

impl Decimal {
    /// Develops digits in words of 32 or 64 bits, which `wrap` as Java's do.
    fn develop_in_words(
        &mut self,
        mut number: i64,
        scale: i64,
        mut half_unit: i64,
        wrap: impl Fn(i64) -> i64,
    ) -> Stop {
        let ten_scale = wrap(scale.wrapping_mul(10));
        let next = |half_unit: &mut i64, number: &mut i64| {
            let digit = *number / scale;
            *number = wrap((*number % scale).wrapping_mul(10));
            *half_unit = wrap(half_unit.wrapping_mul(10));
            let low = *number < *half_unit;
            let high = wrap(number.wrapping_add(*half_unit)) > ten_scale;
            (digit as u8, low, high)
        };
        let (digit, mut low, mut high) = next(&mut half_unit, &mut number);
        self.push_first(digit, &mut low, &mut high);
        while !low && !high {
            let digit;
            (digit, low, high) = next(&mut half_unit, &mut number);
            // A half unit that left the range is certainly larger than what is left.
            if half_unit <= 0 {
                (low, high) = (true, true);
            }
            self.push(digit);
        }
        let rest_to_half = wrap(wrap(number << 1).wrapping_sub(ten_scale)).cmp(&0);
        Stop { low, high, rest_to_half }
    }

    /// Develops digits in numbers as wide as needed.
    fn develop_wide(&mut self, mut number: Wide, scale: &Wide, mut half_unit: Wide) -> Stop {
        let mut ten_scale = scale.clone();
        ten_scale.multiply(10);
        let next = |half_unit: &mut Wide, number: &mut Wide| {
            let digit = number.divide_small(scale);
            number.multiply(10);
            half_unit.multiply(10);
            let low = Wide::compare(number, half_unit) == Ordering::Less;
            let mut sum = number.clone();
            sum.add(half_unit);
            let high = Wide::compare(&sum, &ten_scale) != Ordering::Less;
            (digit, low, high)
        };
        let (digit, mut low, mut high) = next(&mut half_unit, &mut number);
        self.push_first(digit, &mut low, &mut high);
        while !low && !high {
            let digit;
            (digit, low, high) = next(&mut half_unit, &mut number);
            self.push(digit);
        }
        number.multiply(2);
        let rest_to_half = Wide::compare(&number, &ten_scale);
        Stop { low, high, rest_to_half }
    }

    /// Takes the first digit, which is a zero to drop if the exponent was estimated too high, and
    /// makes the exponent form go on to a second digit.
    fn push_first(&mut self, digit: u8, low: &mut bool, high: &mut bool) {
        if digit == 0 && !*high {
            self.exponent -= 1;
        } else {
            self.push(digit);
        }
        if !(-2..=8).contains(&self.exponent) {
            (*low, *high) = (false, false);
        }
    }

    fn push(&mut self, digit: u8) {
        self.digits[self.len] = digit;
        self.len += 1;
    }

    /// Adds one to the last digit, with the carry; all nines become a one of the next place.
    fn raise_last_digit(&mut self) {
        for digit in self.digits[..self.len].iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits[0] = 1;
        self.exponent += 1;
    }
}

/// The bits that 5 to the power of `fives` takes, as the choice of arithmetic counts them: none
/// for 1, and three per factor where the power is beyond a table of 27.
fn bits_of_power_of_5(fives: i32) -> i32 {
    match fives {
        0 => 0,
        1..27 => 64 - 5_u64.pow(fives as u32).leading_zeros() as i32,
        _ => fives * 3,
    }
}

/// An unsigned number of up to 1,280 bits; the conversion of a 64-bit number needs below 1,150.
#[derive(Clone)]
struct Wide {
    /// The lowest limb first; limbs from `len` on are zero.
    limbs: [u64; 20],
    len: usize,
}

impl Wide {
    /// `factor * 5^fives * 2^twos`
    fn new(factor: u64, mut fives: i32, twos: i32) -> Self {
        let mut wide = Wide { limbs: [0; 20], len: 1 };
        wide.limbs[0] = factor;
        while fives > 0 {
            let step = fives.min(27);
            wide.multiply(5_u64.pow(step as u32));
            fives -= step;
        }
        wide.shift_left(twos as usize);
        wide
    }

    fn shift_left(&mut self, bits: usize) {
        let (limbs, bits) = (bits / 64, bits % 64);
        self.multiply(1 << bits);
        self.limbs.copy_within(0..self.len, limbs);
        self.limbs[..limbs].fill(0);
        self.len += limbs;
    }

    fn multiply(&mut self, factor: u64) {
        let mut carry = 0;
        for limb in &mut self.limbs[..self.len] {
            (*limb, carry) = limb.carrying_mul(factor, carry);
        }
        if carry > 0 {
            self.limbs[self.len] = carry;
            self.len += 1;
        }
    }

    fn add(&mut self, other: &Wide) {
        self.len = self.len.max(other.len);
        let mut carry = false;
        for (limb, other) in self.limbs[..self.len].iter_mut().zip(&other.limbs) {
            let (sum, first) = limb.overflowing_add(*other);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*limb, carry) = (sum, first || second);
        }
        if carry {
            self.limbs[self.len] = 1;
            self.len += 1;
        }
    }

    /// Leaves the remainder and gives the quotient, which must be small, as it is counted out.
    fn divide_small(&mut self, divisor: &Wide) -> u8 {
        let mut quotient = 0;
        while Wide::compare(self, divisor) != Ordering::Less {
            let mut borrow = false;
            for (limb, other) in self.limbs[..self.len].iter_mut().zip(&divisor.limbs) {
                let (difference, first) = limb.overflowing_sub(*other);
                let (difference, second) = difference.overflowing_sub(u64::from(borrow));
                (*limb, borrow) = (difference, first || second);
            }
            while self.len > 0 && self.limbs[self.len - 1] == 0 {
                self.len -= 1;
            }
            quotient += 1;
        }
        quotient
    }

    fn compare(left: &Wide, right: &Wide) -> Ordering {
        let len = left.len.max(right.len);
        left.limbs[..len].iter().rev().cmp(right.limbs[..len].iter().rev())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::tuple::SharedObject;

    // The expected hashes and texts in these tests were printed by OpenJDK 17.0.15.

    #[track_caller]
    fn check_hash(value: impl Into<Value>, expected: i32) {
        assert_eq!(java_hash(&value.into()), expected);
    }

    #[track_caller]
    fn check_text(value: impl Into<Value>, expected: &str) {
        let mut text = String::new();
        java_text(&value.into(), &mut text);
        assert_eq!(text, expected);
    }

    fn pairs<K: Into<Value>>(keys: impl IntoIterator<Item = K>) -> Value {
        let numbered = keys.into_iter().zip(1_i32..);
        let pairs: Vec<_> = numbered.map(|(key, n)| (key.into(), n.into())).collect();
        Value::map(pairs)
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
        check_text(Value::list(vec![point]), "[(0, 0)]");
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

    #[test]
    fn values_print_as_in_java() {
        check_text(
            Value::list(vec![
                Value::null(),
                true.into(),
                1.into(),
                (-1_i64).into(),
                1.5_f32.into(),
                2.0E-3.into(),
                "x".into(),
                Value::list(vec![]),
            ]),
            "[null, true, 1, -1, 1.5, 0.002, x, []]",
        );
        check_text(Value::map(vec![]), "{}");
    }

    #[test]
    fn equal_byte_arrays_print_alike() {
        check_text(Value::bytes(&[1, 2, 3]), "[B@7861");
        check_text(Value::bytes(&[]), "[B@1");
    }

    #[test]
    fn maps_print_in_the_order_of_a_hash_map() {
        let words = [
            "storm",
            "bolt",
            "spout",
            "tuple",
            "stream",
            "acker",
            "worker",
            "nimbus",
            "supervisor",
            "executor",
            "task",
            "grouping",
            "slot",
        ];
        check_text(
            pairs(words[..12].iter().copied()),
            "{tuple=4, nimbus=8, storm=1, acker=6, task=11, stream=5, executor=10, spout=3, bolt=2, \
             worker=7, grouping=12, supervisor=9}",
        );
        // The thirteenth pair doubles the table.
        check_text(
            pairs(words),
            "{nimbus=8, storm=1, slot=13, grouping=12, tuple=4, acker=6, task=11, stream=5, \
             executor=10, spout=3, bolt=2, worker=7, supervisor=9}",
        );
        let keys = [
            Value::null(),
            true.into(),
            (-1_i32).into(),
            (-1_i64).into(),
            1.5.into(),
            Value::list(vec![1.into(), 2.into()]),
        ];
        check_text(pairs(keys), "{null=1, -1=3, -1=4, [1, 2]=6, 1.5=5, true=2}");
    }

    #[test]
    fn a_crowded_bucket_of_a_small_map_doubles_the_table() {
        check_text(
            pairs([16, 3, 32, 48, 0, 64, 80, 96, 112, 128, 19]),
            "{32=3, 0=5, 64=6, 96=8, 128=10, 3=2, 16=1, 48=4, 80=7, 112=9, 19=11}",
        );
    }

    #[test]
    fn numbers_print_as_java_17_printed_them() {
        let file = include_str!("../../tests/data/java-double-text.txt");
        let mut rows = 0;
        for row in file.lines().filter(|row| !row.starts_with('#')) {
            let mut parts = row.splitn(3, ' ');
            let [width, bits, expected] = std::array::from_fn(|_| parts.next().expect(row));
            let bits = u64::from_str_radix(bits, 16).expect(row);
            let mut text = String::new();
            match width {
                "f64" => double_text(f64::from_bits(bits), &mut text),
                "f32" => float_text(f32::from_bits(bits as u32), &mut text),
                _ => panic!("no such width: {row}"),
            }
            assert_eq!(text, expected, "{row}");
            rows += 1;
        }
        assert!(rows > 500, "only {rows} rows in java-double-text.txt");
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

        #[test]
        fn a_double_reads_back_from_its_text(number in prop::num::f64::ANY) {
            let mut text = String::new();
            double_text(number, &mut text);
            let read: f64 = text.replace("Infinity", "inf").parse().expect("a number");
            prop_assert_eq!(double_bits(read), double_bits(number), "{}", text);
        }

        #[test]
        fn a_float_reads_back_from_its_text(number in prop::num::f32::ANY) {
            let mut text = String::new();
            float_text(number, &mut text);
            let read: f32 = text.replace("Infinity", "inf").parse().expect("a number");
            prop_assert_eq!(float_bits(read), float_bits(number), "{}", text);
        }
    }
}
