//! Values into bytes.

use super::{EncodeError, MAX_BYTES, MAX_DEPTH, kind};
use crate::tuple::value::INLINE_BYTES;
use crate::tuple::{SharedObject, Value, ValueRef};

/// Values that room is made for at once.
const CHUNK: usize = 64;

pub(super) struct Encoder<'a> {
    pub out: &'a mut Vec<u8>,
    /// Length of `out` before this encoding.
    pub start: usize,
    pub values_left: usize,
}

impl Encoder<'_> {
    pub fn values(&mut self, values: &[Value]) -> Result<(), EncodeError> {
        self.claim(values.len())?;
        self.varint(values.len() as u64);
        let mut kind_at = self.out.len();
        self.out.resize(kind_at + values.len(), 0);
        let mut left = values;
        let mut chunk = CHUNK;
        while !left.is_empty() {
            let tried = chunk.min(left.len());
            let texts = self.short_texts(&left[..tried], kind_at);
            kind_at += texts;
            left = &left[texts..];
            // Where short texts are rare, not much more room is made for them than they take.
            chunk = (2 * texts).clamp(1, CHUNK);
            if texts < tried
                && let Some((value, rest)) = left.split_first()
            {
                self.out[kind_at] = self.content_of(value, 0)?;
                kind_at += 1;
                left = rest;
            }
        }
        Ok(())
    }

    /// Writes the kinds and contents of the first values, as far as they are texts that stand inside
    /// of their values; answers how many they are.
    ///
    /// Each is copied as 24 bytes, of which the next one overwrites those that are not its own.
    #[inline]
    fn short_texts(&mut self, values: &[Value], kind_at: usize) -> usize {
        let start = self.out.len();
        self.out.resize(start + values.len() * INLINE_BYTES, 0);
        let (before, room) = self.out.split_at_mut(start);
        let mut at = 0;
        let mut texts = 0;
        for (value, kind) in values.iter().zip(&mut before[kind_at..]) {
            let Some((length, padded)) = value.inline_str() else { break };
            *kind = length;
            room[at..at + INLINE_BYTES].copy_from_slice(padded);
            at += usize::from(length);
            texts += 1;
        }
        self.out.truncate(start + at);
        texts
    }

    /// Appends a value of a list or map: its kind and then its content.
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), EncodeError> {
        let kind_at = self.out.len();
        self.out.push(0);
        self.out[kind_at] = self.content_of(value, depth)?;
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Result<u8, EncodeError> {
        self.room(text.len())?;
        let kind = match u8::try_from(text.len()) {
            Ok(length) if length < kind::SHORT_STRING_END => length,
            _ => {
                self.varint(text.len() as u64);
                kind::STRING
            }
        };
        self.out.extend_from_slice(text);
        Ok(kind)
    }

    /// Appends the content of a value and answers its kind.
    fn content_of(&mut self, value: &Value, depth: usize) -> Result<u8, EncodeError> {
        // Texts in memory need no check.
        if let Some(text) = value.str_bytes() {
            return self.text(text);
        }
        Ok(match value.view() {
            ValueRef::Null => kind::NULL,
            ValueRef::Bool(false) => kind::FALSE,
            ValueRef::Bool(true) => kind::TRUE,
            ValueRef::I32(value) => self.integer(kind::SMALL_I32, kind::I32, value.into()),
            ValueRef::I64(value) => self.integer(kind::SMALL_I64, kind::I64, value),
            ValueRef::F32(value) => {
                self.out.extend_from_slice(&value.to_le_bytes());
                kind::F32
            }
            ValueRef::F64(value) => {
                self.out.extend_from_slice(&value.to_le_bytes());
                kind::F64
            }
            ValueRef::Str(text) => self.text(text.as_bytes())?,
            ValueRef::Bytes(bytes) => {
                self.block(bytes)?;
                kind::BYTES
            }
            ValueRef::List(values) => {
                let depth = deeper(depth)?;
                self.claim(values.len())?;
                self.varint(values.len() as u64);
                for value in values {
                    self.value(value, depth)?;
                }
                kind::LIST
            }
            ValueRef::Map(pairs) => {
                let depth = deeper(depth)?;
                self.claim(pairs.len().saturating_mul(2))?;
                self.varint(pairs.len() as u64);
                for (key, value) in pairs {
                    self.value(key, depth)?;
                    self.value(value, depth)?;
                }
                kind::MAP
            }
            ValueRef::Object(object) => {
                self.object(object)?;
                kind::OBJECT
            }
        })
    }

    /// Bounds also lists that share their elements, which unfold to far more than they take in
    /// memory.
    fn claim(&mut self, values: usize) -> Result<(), EncodeError> {
        self.values_left =
            self.values_left.checked_sub(values).ok_or(EncodeError::TooManyValues)?;
        Ok(())
    }

    /// Whether so many bytes more may follow.
    pub fn room(&self, bytes: usize) -> Result<(), EncodeError> {
        let written = self.out.len() - self.start;
        if bytes > MAX_BYTES.saturating_sub(written) || written > MAX_BYTES {
            return Err(EncodeError::TooLong);
        }
        Ok(())
    }

    fn object(&mut self, object: &dyn SharedObject) -> Result<(), EncodeError> {
        const LENGTH_BYTES: usize = size_of::<u32>();
        self.block(object.type_name().as_bytes())?;
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0; LENGTH_BYTES]);
        let content_at = self.out.len();
        object.encode(self.out)?;
        let Some(length) = self.out.len().checked_sub(content_at) else {
            return Err(EncodeError::ObjectRemovedBytes { type_name: object.type_name() });
        };
        self.room(0)?;
        self.out[length_at..content_at].copy_from_slice(&(length as u32).to_le_bytes());
        Ok(())
    }

    fn block(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.room(bytes.len())?;
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn integer(&mut self, small: u8, long: u8, value: i64) -> u8 {
        let zigzag = ((value << 1) ^ (value >> 63)) as u64;
        if zigzag < kind::SMALL_END.into() {
            return small + zigzag as u8;
        }
        self.varint(zigzag);
        long
    }

    #[inline]
    pub fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }
}

fn deeper(depth: usize) -> Result<usize, EncodeError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(EncodeError::TooDeep) }
}
