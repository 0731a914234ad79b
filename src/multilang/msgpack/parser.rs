//! A whole message as a source for `serde`, so that it is read by the visitors that read JSON.

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::{Head, MAX_MESSAGE_DEPTH, Size, big_endian, tag};
use crate::multilang::MultilangErrorKind;
use crate::multilang::error::Trouble;

#[derive(Debug)]
pub(in crate::multilang) struct Parser<'a> {
    bytes: &'a [u8],
    pub at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Trouble> {
        let taken = self.bytes[self.at..].get(..length);
        let taken = taken.ok_or_else(|| Trouble::syntax(self.at, "the end of the message"))?;
        self.at += length;
        Ok(taken)
    }

    fn size(&mut self, size: Size) -> Result<usize, Trouble> {
        match size {
            Size::Here(size) => Ok(size),
            Size::Follows(bytes) => Ok(big_endian(self.take(bytes)?) as usize),
        }
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        if self.depth == MAX_MESSAGE_DEPTH {
            return Err(Trouble::at(self.at, MultilangErrorKind::TooDeep));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }
}

impl<'de> Deserializer<'de> for &mut Parser<'de> {
    type Error = Trouble;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        let byte = self.take(1)?[0];
        let head = Head::of(byte).ok_or_else(|| {
            Trouble::syntax(self.at - 1, format!("byte {byte:#04x}, which begins no value"))
        })?;
        match head {
            Head::Small(number) => visitor.visit_i64(number.into()),
            Head::Nil => visitor.visit_unit(),
            Head::Bool(value) => visitor.visit_bool(value),
            Head::Unsigned(bytes) => visitor.visit_u64(big_endian(self.take(bytes)?)),
            Head::Signed(bytes) => {
                // Moved to the top and back, so that its sign fills what is above it.
                let above = 64 - 8 * bytes;
                visitor.visit_i64((big_endian(self.take(bytes)?) << above) as i64 >> above)
            }
            Head::Float(4) => {
                let bits = big_endian(self.take(4)?) as u32;
                visitor.visit_f64(f32::from_bits(bits).into())
            }
            Head::Float(_) => visitor.visit_f64(f64::from_bits(big_endian(self.take(8)?))),
            Head::Text(size) => {
                let size = self.size(size)?;
                let bytes = self.take(size)?;
                match std::str::from_utf8(bytes) {
                    Ok(text) => visitor.visit_borrowed_str(text),
                    // Written by somebody to whom a `str` is bytes.
                    Err(_) => visitor.visit_borrowed_bytes(bytes),
                }
            }
            Head::Bytes(size) => {
                let size = self.size(size)?;
                visitor.visit_borrowed_bytes(self.take(size)?)
            }
            Head::List(size) => {
                let left = self.size(size)?;
                self.nested(|parser| visit_all(parser, left, |items| visitor.visit_seq(items)))
            }
            Head::Map(size) => {
                let left = self.size(size)?;
                self.nested(|parser| visit_all(parser, left, |items| visitor.visit_map(items)))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Trouble> {
        if self.bytes.get(self.at) == Some(&tag::NIL) {
            self.at += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The elements of a list or a map that are still to be read.
struct Items<'p, 'de> {
    parser: &'p mut Parser<'de>,
    left: usize,
}

/// Has a visitor read a list or map, and refuses to go on where it left elements.
fn visit_all<'de, T>(
    parser: &mut Parser<'de>,
    left: usize,
    visit: impl FnOnce(&mut Items<'_, 'de>) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let mut items = Items { parser, left };
    let visited = visit(&mut items)?;
    match items.left {
        0 => Ok(visited),
        _ => Err(Trouble::syntax(items.parser.at, "more elements than are expected")),
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_, 'de> {
    type Error = Trouble;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Trouble> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.parser).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_, 'de> {
    type Error = Trouble;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Trouble> {
        SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Trouble> {
        seed.deserialize(&mut *self.parser)
    }
}
