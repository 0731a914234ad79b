//! One value of a tuple: 24 bytes, opaque, cheap to clone.
//!
//! **Invariants.** A `Value` is 24 bytes (a test holds it). Strings up to 23 bytes and byte arrays up
//! to 22 bytes live inside it; longer ones are static or shared, so a clone never copies them. 32-bit
//! and 64-bit integers stay distinct, because Java's `Integer` and `Long` hash differently.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use smol_str::SmolStr;

/// Longest byte array that a [`Value`] holds without sharing memory.
const INLINE_BYTES: usize = 22;

/// One value of a tuple.
///
/// Made by `From`/`Into`, read by [`Value::view`] or an accessor such as [`Value::as_str`].
///
/// # Cost
/// Strings up to 23 bytes and byte arrays up to 22 bytes allocate nothing. Cloning never copies
/// more than 24 bytes.
#[derive(Clone)]
pub struct Value(Repr);

#[derive(Clone)]
enum Repr {
    Str(SmolStr),
    Null,
    Bool(bool),
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    InlineBytes(u8, [u8; INLINE_BYTES]),
    StaticBytes(&'static [u8]),
    SharedBytes(Arc<[u8]>),
    List(Arc<[Value]>),
    Map(Arc<[(Value, Value)]>),
    Object(Arc<dyn SharedObject>),
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
/// its reader registered under [`type_name`] (see `codec::ObjectReaders`).
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
        Self(Repr::Str(SmolStr::new_static(text)))
    }

    /// A byte array; inline up to 22 bytes, else copied once and shared from then on.
    pub fn bytes(bytes: &[u8]) -> Self {
        if bytes.len() > INLINE_BYTES {
            return Self(Repr::SharedBytes(bytes.into()));
        }
        let mut inline = [0; INLINE_BYTES];
        inline[..bytes.len()].copy_from_slice(bytes);
        Self(Repr::InlineBytes(bytes.len() as u8, inline))
    }

    /// A byte array that lives as long as the program.
    pub const fn static_bytes(bytes: &'static [u8]) -> Self {
        Self(Repr::StaticBytes(bytes))
    }

    /// A list of values.
    pub fn list(values: impl Into<Arc<[Value]>>) -> Self {
        Self(Repr::List(values.into()))
    }

    /// A map, as pairs in their order; equal keys are the caller's to avoid.
    pub fn map(pairs: impl Into<Arc<[(Value, Value)]>>) -> Self {
        Self(Repr::Map(pairs.into()))
    }

    /// A shared object.
    pub fn object(object: Arc<dyn SharedObject>) -> Self {
        Self(Repr::Object(object))
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
            Repr::Str(text) => ValueRef::Str(text.as_str()),
            Repr::InlineBytes(length, bytes) => ValueRef::Bytes(&bytes[..usize::from(*length)]),
            Repr::StaticBytes(bytes) => ValueRef::Bytes(bytes),
            Repr::SharedBytes(bytes) => ValueRef::Bytes(bytes),
            Repr::List(values) => ValueRef::List(values),
            Repr::Map(pairs) => ValueRef::Map(pairs),
            Repr::Object(object) => ValueRef::Object(&**object),
        }
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
            Repr::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The text as a handle that may outlive the tuple, if it is a text; shares long texts.
    pub fn as_smol_str(&self) -> Option<&SmolStr> {
        match &self.0 {
            Repr::Str(text) => Some(text),
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
            Repr::List(values) => Some(values),
            _ => None,
        }
    }

    /// The shared object, if it is one and of type `T`.
    pub fn as_object<T: SharedObject>(&self) -> Option<&T> {
        match &self.0 {
            Repr::Object(object) => (&**object as &dyn Any).downcast_ref(),
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
            Repr::Str(_) => "string",
            Repr::InlineBytes(..) | Repr::StaticBytes(_) | Repr::SharedBytes(_) => "bytes",
            Repr::List(_) => "list",
            Repr::Map(_) => "map",
            Repr::Object(_) => "object",
        }
    }
}

impl Default for Value {
    #[inline]
    fn default() -> Self {
        Self::null()
    }
}

/// Equal kinds with equal content; an `i32` never equals an `i64`, and doubles compare by bits as
/// `Double.equals` does. Shared objects are equal when they are the same object.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self.view(), other.view()) {
            (ValueRef::Null, ValueRef::Null) => true,
            (ValueRef::Bool(a), ValueRef::Bool(b)) => a == b,
            (ValueRef::I32(a), ValueRef::I32(b)) => a == b,
            (ValueRef::I64(a), ValueRef::I64(b)) => a == b,
            (ValueRef::F32(a), ValueRef::F32(b)) => a.to_bits() == b.to_bits(),
            (ValueRef::F64(a), ValueRef::F64(b)) => a.to_bits() == b.to_bits(),
            (ValueRef::Str(a), ValueRef::Str(b)) => a == b,
            (ValueRef::Bytes(a), ValueRef::Bytes(b)) => a == b,
            (ValueRef::List(a), ValueRef::List(b)) => a == b,
            (ValueRef::Map(a), ValueRef::Map(b)) => a == b,
            (ValueRef::Object(a), ValueRef::Object(b)) => std::ptr::addr_eq(a, b),
            _ => false,
        }
    }
}

impl Eq for Value {}

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
    #[inline]
    fn from(text: &str) -> Self {
        Self(Repr::Str(SmolStr::new(text)))
    }
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() > INLINE_BYTES {
            Self(Repr::SharedBytes(bytes.into()))
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
    f32 => F32, f64 => F64, String => Str, &String => Str, SmolStr => Str,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_three_words_and_so_is_an_optional_one() {
        assert_eq!(size_of::<Value>(), 24);
        assert_eq!(size_of::<Option<Value>>(), 24);
    }

    #[test]
    fn integers_of_different_width_differ() {
        assert_ne!(Value::from(1i32), Value::from(1i64));
        assert_eq!(Value::from(1i32).as_i64(), Some(1));
    }

    #[test]
    fn byte_arrays_keep_their_content_inline_static_and_shared() {
        static LONG: [u8; 40] = [7; 40];
        for length in [0, 1, 22, 23, 40] {
            let expected = &LONG[..length];
            assert_eq!(Value::bytes(expected).as_bytes(), Some(expected));
            assert_eq!(Value::static_bytes(expected).as_bytes(), Some(expected));
            assert_eq!(Value::from(expected.to_vec()), Value::bytes(expected));
        }
    }

    #[test]
    fn texts_keep_their_content_around_the_inline_limit() {
        for length in [0, 1, 22, 23, 24, 100] {
            let text = "x".repeat(length);
            assert_eq!(Value::from(text.as_str()).as_str(), Some(text.as_str()));
            assert_eq!(Value::from(&text), Value::from(text.clone()));
        }
    }

    #[test]
    fn doubles_compare_as_java_compares_them() {
        assert_eq!(Value::from(f64::NAN), Value::from(f64::NAN));
        assert_ne!(Value::from(0.0), Value::from(-0.0));
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
