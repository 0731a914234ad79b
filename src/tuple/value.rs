//! One value of a tuple: 32 bytes, opaque, cheap to clone.
//!
//! **Invariants.** A `Value` is 32 bytes (a test holds it). Strings and byte arrays up to 24 bytes
//! live inside it as three words, which are made and moved in registers: bytes written one by one and
//! read back as words before they have left the processor's store buffer would cost 5 ns and more.
//! Longer ones are static or shared, so a clone never copies them. 32-bit and 64-bit integers stay
//! distinct, because Java's `Integer` and `Long` hash differently.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

/// Longest text or byte array that a [`Value`] holds without sharing memory.
pub(crate) const INLINE_BYTES: usize = 24;

/// By length: what of three words is a text of that many bytes, in memory order.
const INLINE_MASKS: [[u64; 3]; INLINE_BYTES + 1] = {
    let mut masks = [[0; 3]; INLINE_BYTES + 1];
    let mut length = 0;
    while length <= INLINE_BYTES {
        let mut word = 0;
        while word * 8 < length {
            let own = length - word * 8;
            let mask = if own < 8 { (1 << (8 * own)) - 1 } else { u64::MAX };
            masks[length][word] = u64::to_le(mask);
            word += 1;
        }
        length += 1;
    }
    masks
};

/// One value of a tuple.
///
/// Made by `From`/`Into`, read by [`Value::view`] or an accessor such as [`Value::as_str`].
///
/// # Cost
/// Strings and byte arrays up to 24 bytes allocate nothing. Cloning never copies more than 32 bytes.
/// Reading a text of up to 24 bytes checks its UTF-8 anew, at 1 to 2 ns.
pub struct Value(Repr);

#[derive(Clone)]
enum Repr {
    Null,
    /// A `str`.
    InlineStr(u8, [u64; 3]),
    StaticStr(&'static str),
    Bool(bool),
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    InlineBytes(u8, [u64; 3]),
    StaticBytes(&'static [u8]),
    Shared(Shared),
}

/// What has to be dropped: one kind among those of [`Repr`], so that dropping a block's values is one
/// comparison each where they are all inline.
#[derive(Clone)]
enum Shared {
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Arc<[Value]>),
    Map(Arc<[(Value, Value)]>),
    Object(Arc<dyn SharedObject>),
}

/// Up to 24 bytes as words in memory order, zeros after them, gathered in registers.
#[inline(always)]
fn inline_words(bytes: &[u8]) -> [u64; 3] {
    let length = bytes.len();
    debug_assert!(length <= INLINE_BYTES);
    // A load of the last eight bytes overlaps the one before it; the shift drops what it shares.
    let last = |from: usize| word(&bytes[length - 8..]) >> (8 * (8 - (length - from)));
    let [one, two, three] = match length {
        0..8 => [short_word(bytes), 0, 0],
        8 => [word(bytes), 0, 0],
        9..=16 => [word(bytes), last(8), 0],
        _ => [word(bytes), word(&bytes[8..]), last(16)],
    };
    [one.to_le(), two.to_le(), three.to_le()]
}

#[inline]
fn inline_bytes(length: u8, words: &[u64; 3]) -> &[u8] {
    &bytemuck::bytes_of(words)[..usize::from(length)]
}

#[inline]
fn inline_str(length: u8, words: &[u64; 3]) -> &str {
    // The zeros behind the text are checked with it: a check of always as many bytes takes a loop
    // whose end the processor foresees.
    let checked = if length <= 16 { 16 } else { INLINE_BYTES as u8 };
    let padded = std::str::from_utf8(inline_bytes(checked, words));
    &padded.expect("the bytes were copied from a str")[..usize::from(length)]
}

/// The first eight bytes, the first one lowest.
#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("the caller has eight bytes"))
}

/// Fewer than eight bytes, the first one lowest.
#[inline(always)]
fn short_word(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let [first, last] = [first, last].map(|four| u64::from(u32::from_le_bytes(*four)));
        return first | last << (8 * (length - 4));
    }
    // Without a branch for each length: the places overlap, and then hold the same byte.
    let ([first, ..], [.., last]) = (bytes, bytes) else { return 0 };
    let middle = length / 2;
    u64::from(*first)
        | u64::from(bytes[middle]) << (8 * middle)
        | u64::from(*last) << (8 * (length - 1))
}

/// What a [`Value`] holds, borrowed from it.
#[derive(Clone, Copy)]
pub enum ValueRef<'a> {
    /// Nothing; Java's `null`.
    Null,
    /// Java's `Boolean`.
    Bool(bool),
    /// Java's `Integer`.
    I32(i32),
    /// Java's `Long`.
    I64(i64),
    /// Java's `Float`.
    F32(f32),
    /// Java's `Double`.
    F64(f64),
    /// Java's `String`.
    Str(&'a str),
    /// Java's `byte[]`.
    Bytes(&'a [u8]),
    /// Java's `List`.
    List(&'a [Value]),
    /// Java's `Map`, in the order in which its pairs were given.
    Map(&'a [(Value, Value)]),
    /// A shared object of the author's own type.
    Object(&'a dyn SharedObject),
}

/// An author's own type that travels in tuples by reference.
///
/// Inside one worker only a reference moves. A topology of several workers needs [`encode`], and
/// its reader registered under [`type_name`] by `TopologyBuilder::object_reader`; a test finds out
/// with `topology.testing.always.try.serialize`.
///
/// [`encode`]: SharedObject::encode
/// [`type_name`]: SharedObject::type_name
pub trait SharedObject: Any + Send + Sync + fmt::Debug {
    /// Name under which the reader of this type is registered.
    fn type_name(&self) -> &'static str;

    /// Hash for fields grouping, what `hashCode` is in Java: equal objects must answer equally, on
    /// every worker.
    fn java_hash(&self) -> i32;

    /// Text for partial-key grouping, what `toString` is in Java.
    fn java_text(&self) -> String {
        format!("{self:?}")
    }

    /// Appends the object's bytes to `out`.
    ///
    /// # Errors
    /// The default answers [`NotEncodable`]: such an object cannot leave its worker.
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), NotEncodable> {
        let _ = out;
        Err(NotEncodable { type_name: self.type_name() })
    }
}

/// A shared object without a codec was to leave its worker.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a shared object of type {type_name} has no codec: implement SharedObject::encode and register \
     a reader, or keep its producer and consumer in one worker"
)]
pub struct NotEncodable {
    /// The object's [`SharedObject::type_name`].
    pub type_name: &'static str,
}

impl Value {
    /// Nothing; Java's `null`.
    pub const fn null() -> Self {
        Self(Repr::Null)
    }

    /// A text that lives as long as the program; never copied, whatever its length.
    pub const fn static_str(text: &'static str) -> Self {
        Self(Repr::StaticStr(text))
    }

    /// A byte array; inline up to 24 bytes, else copied once and shared from then on.
    pub fn bytes(bytes: &[u8]) -> Self {
        if bytes.len() > INLINE_BYTES {
            return Self(Repr::Shared(Shared::Bytes(bytes.into())));
        }
        Self(Repr::InlineBytes(bytes.len() as u8, inline_words(bytes)))
    }

    /// A byte array that lives as long as the program.
    pub const fn static_bytes(bytes: &'static [u8]) -> Self {
        Self(Repr::StaticBytes(bytes))
    }

    /// A list of values.
    pub fn list(values: impl Into<Arc<[Value]>>) -> Self {
        Self(Repr::Shared(Shared::List(values.into())))
    }

    /// A map, as pairs in their order; equal keys are the caller's to avoid.
    pub fn map(pairs: impl Into<Arc<[(Value, Value)]>>) -> Self {
        Self(Repr::Shared(Shared::Map(pairs.into())))
    }

    /// A shared object.
    pub fn object(object: Arc<dyn SharedObject>) -> Self {
        Self(Repr::Shared(Shared::Object(object)))
    }

    /// What this value holds.
    #[inline]
    pub fn view(&self) -> ValueRef<'_> {
        match &self.0 {
            Repr::Null => ValueRef::Null,
            Repr::Bool(value) => ValueRef::Bool(*value),
            Repr::I32(value) => ValueRef::I32(*value),
            Repr::I64(value) => ValueRef::I64(*value),
            Repr::F32(value) => ValueRef::F32(*value),
            Repr::F64(value) => ValueRef::F64(*value),
            Repr::InlineStr(length, words) => ValueRef::Str(inline_str(*length, words)),
            Repr::StaticStr(text) => ValueRef::Str(text),
            Repr::InlineBytes(length, words) => ValueRef::Bytes(inline_bytes(*length, words)),
            Repr::StaticBytes(bytes) => ValueRef::Bytes(bytes),
            Repr::Shared(shared) => match shared {
                Shared::Str(text) => ValueRef::Str(text),
                Shared::Bytes(bytes) => ValueRef::Bytes(bytes),
                Shared::List(values) => ValueRef::List(values),
                Shared::Map(pairs) => ValueRef::Map(pairs),
                Shared::Object(object) => ValueRef::Object(&**object),
            },
        }
    }

    /// Drops the values: where all are inline, after one comparison each. Dropping a list of them as
    /// such calls a function for each, wherever the compiler finds that function too long.
    #[inline]
    pub(crate) fn drop_all(values: &mut Vec<Self>) {
        if values.iter().any(|value| matches!(value.0, Repr::Shared(_))) {
            values.clear();
        } else {
            // Nothing of them has to be dropped.
            std::mem::forget(values.drain(..));
        }
    }

    #[inline(never)]
    fn clone_other(&self) -> Self {
        Self(self.0.clone())
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Repr::Null)
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            Repr::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The integer, if it is one of either width.
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::I64(value) => Some(value),
            Repr::I32(value) => Some(value.into()),
            _ => None,
        }
    }

    /// The number as a double, if it is a number of any kind; a 64-bit integer may be rounded.
    pub fn as_f64(&self) -> Option<f64> {
        match self.0 {
            Repr::F64(value) => Some(value),
            Repr::F32(value) => Some(value.into()),
            Repr::I64(value) => Some(value as f64),
            Repr::I32(value) => Some(value.into()),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[inline]
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::InlineStr(length, words) => Some(inline_str(*length, words)),
            Repr::StaticStr(text) => Some(text),
            Repr::Shared(Shared::Str(text)) => Some(text),
            _ => None,
        }
    }

    /// A text of up to eight bytes as a word with its first byte lowest, and their number.
    #[inline]
    pub(crate) fn short_str(&self) -> Option<(u64, u32)> {
        match &self.0 {
            Repr::InlineStr(length @ 0..=8, [word, ..]) => {
                Some((u64::from_le(*word), u32::from(*length)))
            }
            _ => None,
        }
    }

    /// The UTF-8 bytes of the text, if it is one, without checking them anew.
    #[inline]
    pub(crate) fn str_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::InlineStr(length, words) => Some(inline_bytes(*length, words)),
            Repr::StaticStr(text) => Some(text.as_bytes()),
            Repr::Shared(Shared::Str(text)) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// A text that stands inside of the value: its length, and its bytes with zeros behind them.
    #[inline]
    pub(crate) fn inline_str(&self) -> Option<(u8, &[u8; INLINE_BYTES])> {
        match &self.0 {
            Repr::InlineStr(length, words) => Some((*length, bytemuck::cast_ref(words))),
            _ => None,
        }
    }

    /// The byte array, if it is one.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self.view() {
            ValueRef::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.0 {
            Repr::Shared(Shared::List(values)) => Some(values),
            _ => None,
        }
    }

    /// The shared object, if it is one and of type `T`.
    pub fn as_object<T: SharedObject>(&self) -> Option<&T> {
        match &self.0 {
            Repr::Shared(Shared::Object(object)) => (&**object as &dyn Any).downcast_ref(),
            _ => None,
        }
    }

    /// Name of the kind, for messages: `null`, `bool`, `i32`, `i64`, `f32`, `f64`, `string`,
    /// `bytes`, `list`, `map` or `object`.
    pub fn kind(&self) -> &'static str {
        match self.0 {
            Repr::Null => "null",
            Repr::Bool(_) => "bool",
            Repr::I32(_) => "i32",
            Repr::I64(_) => "i64",
            Repr::F32(_) => "f32",
            Repr::F64(_) => "f64",
            Repr::InlineStr(..) | Repr::StaticStr(_) => "string",
            Repr::InlineBytes(..) | Repr::StaticBytes(_) => "bytes",
            Repr::Shared(ref shared) => match shared {
                Shared::Str(_) => "string",
                Shared::Bytes(_) => "bytes",
                Shared::List(_) => "list",
                Shared::Map(_) => "map",
                Shared::Object(_) => "object",
            },
        }
    }
}

/// The inline kinds are copied word by word into their new place, the others by a call.
impl Clone for Value {
    #[inline(always)]
    fn clone(&self) -> Self {
        match &self.0 {
            Repr::InlineStr(length, words) => Self(Repr::InlineStr(*length, *words)),
            Repr::I64(value) => Self(Repr::I64(*value)),
            _ => self.clone_other(),
        }
    }
}

impl Default for Value {
    #[inline]
    fn default() -> Self {
        Self::null()
    }
}

/// As `equals` in Java: equal kinds with equal content; an `i32` never equals an `i64`. Doubles and
/// floats compare as `Double.equals` does: every NaN equals every other, 0.0 differs from -0.0. Maps
/// are equal when they have the same pairs, in whatever order. Shared objects are equal when they are
/// the same object.
///
/// # Cost
/// Linear, but for maps whose pairs stand in different orders: there each pair is searched for.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self.view(), other.view()) {
            (ValueRef::Null, ValueRef::Null) => true,
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a == b,
            (ValueRef::I32(a), ValueRef::I32(b)) => a == b,
            (ValueRef::I64(a), ValueRef::I64(b)) => a == b,
            (ValueRef::F32(a), ValueRef::F32(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            (ValueRef::F64(a), ValueRef::F64(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            (ValueRef::Str(a), ValueRef::Str(b)) => a == b,
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a == b,
            (ValueRef::List(a), ValueRef::List(b)) => a == b,
            (ValueRef::Map(a), ValueRef::Map(b)) => have_equal_pairs(a, b),
            (ValueRef::Object(a), ValueRef::Object(b)) => std::ptr::addr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Value {}

/// Whether two maps have the same pairs, doubled ones as often. Each pair of one takes an equal one
/// of the other for itself, so no value is compared more often than its key occurs.
fn have_equal_pairs(one: &[(Value, Value)], other: &[(Value, Value)]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut taken: SmallVec<[bool; 32]> = SmallVec::from_elem(false, other.len());
    one.iter().enumerate().all(|(place, pair)| {
        // Mostly it stands in the same place.
        let mut places = (place..other.len()).chain(0..place);
        let found = places.find(|&place| !taken[place] && other[place] == *pair);
        if let Some(found) = found {
            taken[found] = true;
        }
        found.is_some()
    })
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.view() {
            ValueRef::Null => out.write_str("null"),
            ValueRef::Bool(value) => value.fmt(out),
            ValueRef::I32(value) => write!(out, "{value}i32"),
            ValueRef::I64(value) => value.fmt(out),
            ValueRef::F32(value) => write!(out, "{value:?}f32"),
            ValueRef::F64(value) => value.fmt(out),
            ValueRef::Str(text) => text.fmt(out),
            ValueRef::Bytes(bytes) => write!(out, "b\"{}\"", bytes.escape_ascii()),
            ValueRef::List(values) => values.fmt(out),
            ValueRef::Map(pairs) => {
                out.debug_map().entries(pairs.iter().map(|(key, value)| (key, value))).finish()
            }
            ValueRef::Object(object) => object.fmt(out),
        }
    }
}

/// As [`Debug`](fmt::Debug), but a text stands without quotes.
impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.view() {
            ValueRef::Str(text) => out.write_str(text),
            ValueRef::I32(value) => write!(out, "{value}"),
            _ => fmt::Debug::fmt(self, out),
        }
    }
}

impl From<&str> for Value {
    #[inline(always)]
    fn from(text: &str) -> Self {
        if text.len() > INLINE_BYTES {
            return Self(Repr::Shared(Shared::Str(text.into())));
        }
        Self(Repr::InlineStr(text.len() as u8, inline_words(text.as_bytes())))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        if text.len() > INLINE_BYTES {
            return Self(Repr::Shared(Shared::Str(text.into())));
        }
        Self::from(text.as_str())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Arc<str>> for Value {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Shared(Shared::Str(text)))
    }
}

impl From<&SmolStr> for Value {
    fn from(text: &SmolStr) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Value> for Value {
    #[inline(always)]
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() > INLINE_BYTES {
            Self(Repr::Shared(Shared::Bytes(bytes.into())))
        } else {
            Self::bytes(&bytes)
        }
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Self::list(values)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::null(), Into::into)
    }
}

macro_rules! from {
    ($($type:ty => $repr:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            #[inline]
            fn from(value: $type) -> Self {
                Self(Repr::$repr(value.into()))
            }
        }
    )*};
}

from!(
    bool => Bool, i8 => I32, i16 => I32, u8 => I32, u16 => I32, i32 => I32, u32 => I64, i64 => I64,
    f32 => F32, f64 => F64,
);

/// What an emission takes as one value: everything that becomes a [`Value`].
pub trait IntoValue {
    /// Appends the value.
    fn push_onto(self, values: &mut Vec<Value>);
}

/// Appends a value that is made when its place is there.
///
/// `Vec::push` would make it first, on the stack, because it must be dropped if growing fails; read
/// back from there in larger pieces than it was written, it would stall for 5 ns.
#[inline(always)]
fn push_made(values: &mut Vec<Value>, make: impl FnOnce() -> Value) {
    values.extend(std::iter::once_with(make));
}

/// The bits of eight bytes that no ASCII has.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Appends a text of bytes that are not checked yet, if all of them are ASCII and stand inside of
/// the value; else false, and nothing is appended.
#[inline]
pub(crate) fn push_short_ascii(values: &mut Vec<Value>, bytes: &[u8]) -> bool {
    if bytes.len() > INLINE_BYTES {
        return false;
    }
    let words = inline_words(bytes);
    if (words[0] | words[1] | words[2]) & NOT_ASCII != 0 {
        return false;
    }
    push_made(values, || Value(Repr::InlineStr(bytes.len() as u8, words)));
    true
}

/// Appends texts of up to 24 bytes that stand one behind the other at the start of `bytes`, if all of
/// them are UTF-8; else false, and nothing is appended. `bytes` goes on for 24 bytes or more after
/// the last one.
///
/// # Cost
/// No branch per text: it is looked at once for all of them whether they are ASCII, and then each is
/// read as 24 bytes, of which those that are not its own are masked.
///
/// # Panics
/// If a length is above 24, or `bytes` too short.
#[inline]
pub(crate) fn push_short_texts(values: &mut Vec<Value>, lengths: &[u8], bytes: &[u8]) -> bool {
    let taken = lengths.iter().map(|length| usize::from(*length)).sum();
    let own = &bytes[..taken];
    if !own.is_ascii() && !are_texts(lengths, own) {
        return false;
    }
    let mut at = 0;
    values.extend(lengths.iter().map(|&length| {
        let padded: &[u8; INLINE_BYTES] = bytes[at..].first_chunk().expect("as announced");
        at += usize::from(length);
        let words: [u64; 3] = bytemuck::cast(*padded);
        let mask = &INLINE_MASKS[usize::from(length)];
        Value(Repr::InlineStr(length, [words[0] & mask[0], words[1] & mask[1], words[2] & mask[2]]))
    }));
    true
}

/// Whether pieces of these lengths, one behind the other, are UTF-8 each.
#[cold]
fn are_texts(lengths: &[u8], bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut at = 0;
    lengths.iter().all(|length| {
        at += usize::from(*length);
        text.is_char_boundary(at)
    })
}

impl IntoValue for &str {
    #[inline(always)]
    fn push_onto(self, values: &mut Vec<Value>) {
        push_made(values, || self.into());
    }
}

/// A short text of ASCII bytes that were built in an array: an id, a number, a code.
///
/// It becomes a [`Value`] without the detour over `str`, whose bytes would be written, read for the
/// check and read for the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsciiText<const LENGTH: usize>([u8; LENGTH]);

impl<const LENGTH: usize> AsciiText<LENGTH> {
    /// The text of these bytes; none if one of them is not ASCII.
    ///
    /// Texts of more than 24 bytes do not compile: they would be shared, and are better given as
    /// `str`.
    #[inline(always)]
    pub fn new(bytes: [u8; LENGTH]) -> Option<Self> {
        const { assert!(LENGTH <= INLINE_BYTES, "an ASCII text has at most 24 bytes") };
        let (words, rest) = bytes.as_chunks();
        let all = words.iter().fold(0, |all, word| all | u64::from_le_bytes(*word));
        let all = rest.iter().fold(all, |all, byte| all | u64::from(*byte));
        (all & 0x8080_8080_8080_8080 == 0).then_some(Self(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("ASCII is UTF-8")
    }
}

impl<const LENGTH: usize> IntoValue for AsciiText<LENGTH> {
    #[inline(always)]
    fn push_onto(self, values: &mut Vec<Value>) {
        push_made(values, || self.into());
    }
}

impl<const LENGTH: usize> From<AsciiText<LENGTH>> for Value {
    #[inline(always)]
    fn from(text: AsciiText<LENGTH>) -> Self {
        let mut words = [0; 3];
        let (whole, rest) = text.0.as_chunks();
        for (word, chunk) in words.iter_mut().zip(whole) {
            *word = u64::from_le_bytes(*chunk);
        }
        for (position, byte) in rest.iter().enumerate() {
            words[whole.len()] |= u64::from(*byte) << (8 * position);
        }
        let [one, two, three] = words;
        Self(Repr::InlineStr(LENGTH as u8, [one.to_le(), two.to_le(), three.to_le()]))
    }
}

impl IntoValue for &String {
    #[inline]
    fn push_onto(self, values: &mut Vec<Value>) {
        self.as_str().push_onto(values);
    }
}

impl IntoValue for &Value {
    /// As a slice: made any other way, the copy goes over the stack, in pieces that stall.
    #[inline(always)]
    fn push_onto(self, values: &mut Vec<Value>) {
        values.extend_from_slice(std::slice::from_ref(self));
    }
}

macro_rules! into_value {
    ($($type:ty),* $(,)?) => {$(
        impl IntoValue for $type {
            #[inline(always)]
            fn push_onto(self, values: &mut Vec<Value>) {
                push_made(values, || self.into());
            }
        }
    )*};
}

into_value!(
    Value,
    String,
    Arc<str>,
    &SmolStr,
    bool,
    i8,
    i16,
    u8,
    u16,
    i32,
    u32,
    i64,
    f32,
    f64,
    Vec<u8>,
    Vec<Value>,
);

impl<T: Into<Value>> IntoValue for Option<T> {
    fn push_onto(self, values: &mut Vec<Value>) {
        values.push(self.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_four_words_and_so_is_an_optional_one() {
        assert_eq!(size_of::<Value>(), 32);
        assert_eq!(size_of::<Option<Value>>(), 32);
    }

    #[test]
    fn integers_of_different_width_differ() {
        assert_ne!(Value::from(1i32), Value::from(1i64));
        assert_eq!(Value::from(1i32).as_i64(), Some(1));
    }

    #[test]
    fn byte_arrays_keep_their_content_inline_static_and_shared() {
        static LONG: [u8; 40] = *b"0123456789012345678901234567890123456789";
        for length in 0..=40 {
            let expected = &LONG[..length];
            assert_eq!(Value::bytes(expected).as_bytes(), Some(expected));
            assert_eq!(Value::static_bytes(expected).as_bytes(), Some(expected));
            assert_eq!(Value::from(expected.to_vec()), Value::bytes(expected));
        }
    }

    #[test]
    fn texts_keep_their_content_around_the_inline_limit() {
        for length in 0..=40 {
            let text = "0123456789".repeat(4)[..length].to_owned();
            assert_eq!(Value::from(text.as_str()).as_str(), Some(text.as_str()));
            assert_eq!(Value::from(&text), Value::from(text.clone()));
            let mut values = Vec::new();
            text.as_str().push_onto(&mut values);
            assert_eq!(values, [Value::from(&text)]);
        }
    }

    #[test]
    fn values_dropped_together_let_go_of_what_they_share() {
        let shared: Arc<str> = "a text that is too long to stand inside".into();
        let mut values = vec![Value::from("a"), shared.clone().into(), 1i32.into()];
        Value::drop_all(&mut values);
        assert_eq!((values.len(), Arc::strong_count(&shared)), (0, 1));
        values.extend([Value::from("a"), 1i32.into()]);
        Value::drop_all(&mut values);
        assert_eq!(values, []);
    }

    #[test]
    fn texts_one_behind_the_other_become_values_if_each_is_one() {
        #[track_caller]
        fn check(bytes: &[u8], lengths: &[u8], expected: Option<&[&str]>) {
            let padded = [bytes, &[0xFF; INLINE_BYTES]].concat();
            let mut values = vec![Value::null()];
            let are_texts = push_short_texts(&mut values, lengths, &padded);
            let texts: Vec<&str> = values[1..].iter().filter_map(Value::as_str).collect();
            assert_eq!((are_texts, &*texts), (expected.is_some(), expected.unwrap_or_default()));
        }

        check(b"", &[], Some(&[]));
        check(b"abc", &[0, 1, 2], Some(&["", "a", "bc"]));
        check("aé更x".as_bytes(), &[3, 4], Some(&["aé", "更x"]));
        check("é".as_bytes(), &[1, 1], None);
        check(b"a\xC3b", &[1, 1, 1], None);
        for length in 0..=INLINE_BYTES {
            let text = &"0123456789abcdefghijklmn"[..length];
            check(text.as_bytes(), &[length as u8], Some(&[text]));
        }
    }

    #[test]
    fn doubles_compare_as_java_compares_them() {
        let payload = f64::from_bits(f64::NAN.to_bits() | 7);
        assert_eq!(Value::from(f64::NAN), Value::from(payload));
        assert_eq!(Value::from(f64::NAN), Value::from(-f64::NAN));
        assert_eq!(Value::from(f32::NAN), Value::from(-f32::NAN));
        assert_ne!(Value::from(f32::NAN), Value::from(f64::NAN));
        assert_ne!(Value::from(0.0), Value::from(-0.0));
    }

    #[test]
    fn maps_are_equal_whatever_the_order_of_their_pairs() {
        let map = |pairs: &[(&str, i32)]| {
            let pairs = pairs.iter().map(|(key, value)| (Value::from(*key), Value::from(*value)));
            Value::map(pairs.collect::<Vec<_>>())
        };
        let two = map(&[("a", 1), ("b", 2)]);
        assert_eq!(two, map(&[("b", 2), ("a", 1)]));
        assert_ne!(two, map(&[("b", 1), ("a", 2)]));
        assert_ne!(two, map(&[("a", 1)]));
        assert_ne!(map(&[("a", 1), ("a", 1)]), map(&[("a", 1), ("a", 2)]));
        assert_ne!(map(&[("a", 1), ("a", 2)]), map(&[("a", 1), ("a", 1)]));
    }

    #[test]
    fn comparing_nested_maps_takes_no_longer_with_their_depth_than_they_are_long() {
        let nested = |innermost: i32, swapped: bool| {
            (0..64).fold(Value::from(innermost), |inner, _| {
                let mut pairs = [("deeper".into(), inner), ("side".into(), Value::null())];
                if swapped {
                    pairs.reverse();
                }
                Value::map(pairs)
            })
        };
        assert_eq!(nested(1, false), nested(1, true));
        assert_ne!(nested(1, false), nested(2, true));
    }

    #[test]
    fn an_ascii_text_becomes_the_same_value_as_its_str() {
        fn check<const LENGTH: usize>(bytes: [u8; LENGTH]) {
            let text = AsciiText::new(bytes).unwrap();
            let mut values = Vec::new();
            text.push_onto(&mut values);
            assert_eq!(values, [Value::from(text.as_str())]);
        }

        check(*b"");
        check(*b"0123456");
        check(*b"01234567");
        check(*b"0123456789abcdef");
        check(*b"0123456789abcdefghi");
        check(*b"0123456789abcdefghijklmn");
        assert_eq!(AsciiText::new([0x80]), None);
        assert_eq!(AsciiText::new([b'0', b'1', 0xff, 0, 0, 0, 0, 0, 0]), None);
    }

    #[derive(Debug)]
    struct Point(i32);

    impl SharedObject for Point {
        fn type_name(&self) -> &'static str {
            "point"
        }

        fn java_hash(&self) -> i32 {
            self.0
        }
    }

    #[test]
    fn an_object_is_found_again_by_its_type_and_refuses_to_be_encoded() {
        let value = Value::object(Arc::new(Point(3)));
        assert_eq!(value.as_object::<Point>().map(|point| point.0), Some(3));
        let ValueRef::Object(object) = value.view() else { panic!("{value:?} is no object") };
        let error = object.encode(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("type point has no codec"), "{error}");
    }
}
