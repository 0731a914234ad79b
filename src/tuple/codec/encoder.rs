//! Values into bytes.

use super::{EncodeError, MAX_BYTES, MAX_DEPTH, kind};
use crate::tuple::{SharedObject, Value, ValueRef};

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
        for value in values {
            // Most values are texts, and those in memory need no check.
            match value.str_bytes() {
                Some(text) => self.text(text)?,
                None => self.value(value, 0)?,
            }
        }
        Ok(())
    }

    #[inline]
    fn text(&mut self, text: &[u8]) -> Result<(), EncodeError> {
        self.room(text.len())?;
        if text.len() < usize::from(kind::SHORT_STRING_END) {
            self.out.push(text.len() as u8);
        } else {
            self.out.push(kind::STRING);
            self.varint(text.len() as u64);
        }
        self.out.extend_from_slice(text);
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: usize) -> Result<(), EncodeError> {
        match value.view() {
            ValueRef::Null => self.out.push(kind::NULL),
            ValueRef::Bool(false) => self.out.push(kind::FALSE),
            ValueRef::Bool(true) => self.out.push(kind::TRUE),
            ValueRef::I32(value) => self.integer(kind::SMALL_I32, kind::I32, value.into()),
            ValueRef::I64(value) => self.integer(kind::SMALL_I64, kind::I64, value),
            ValueRef::F32(value) => {
                self.out.push(kind::F32);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            ValueRef::F64(value) => {
                self.out.push(kind::F64);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
            ValueRef::Str(text) => self.text(text.as_bytes())?,
            ValueRef::Bytes(bytes) => {
                self.out.push(kind::BYTES);
                self.block(bytes)?;
            }
            ValueRef::List(values) => {
                let depth = deeper(depth)?;
                self.claim(values.len())?;
                self.out.push(kind::LIST);
                self.varint(values.len() as u64);
                for value in values {
                    self.value(value, depth)?;
                }
            }
            ValueRef::Map(pairs) => {
                let depth = deeper(depth)?;
                self.claim(pairs.len().saturating_mul(2))?;
                self.out.push(kind::MAP);
                self.varint(pairs.len() as u64);
                for (key, value) in pairs {
                    self.value(key, depth)?;
                    self.value(value, depth)?;
                }
            }
            ValueRef::Object(object) => self.object(object)?,
        }
        Ok(())
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
        self.out.push(kind::OBJECT);
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
    fn integer(&mut self, small: u8, long: u8, value: i64) {
        let zigzag = ((value << 1) ^ (value >> 63)) as u64;
        if zigzag < kind::SMALL_END.into() {
            self.out.push(small + zigzag as u8);
        } else {
            self.out.push(long);
            self.varint(zigzag);
        }
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
