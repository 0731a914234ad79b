//! Bytes into values.

use std::mem::take;
use std::sync::Arc;

use super::{DecodeError, DecodeErrorKind, Limits, MAX_DEPTH, ObjectReaders, kind};
use crate::tuple::value::{INLINE_BYTES, push_short_ascii, push_short_texts};
use crate::tuple::{SharedObject, Value};

/// Values that are looked at together.
const CHUNK: usize = 64;
const KIND: &str = "the kind of a value";

pub(super) struct Decoder<'a> {
    /// What is not decoded yet.
    pub left: &'a [u8],
    /// Number of bytes given.
    pub total: usize,
    pub limits: &'a Limits,
    pub readers: &'a ObjectReaders,
    pub values_left: usize,
}

impl<'a> Decoder<'a> {
    pub fn offset(&self) -> usize {
        self.total - self.left.len()
    }

    /// Decodes as many values as there are kinds onto the end of `values`; what is left are their
    /// contents. The first kind stands at `offset`.
    pub fn values(
        &mut self,
        kinds: &[u8],
        offset: usize,
        values: &mut Vec<Value>,
    ) -> Result<(), DecodeError> {
        for (position, chunk) in kinds.chunks(CHUNK).enumerate() {
            let taken = self.short_texts(chunk, values);
            for (place, &kind) in chunk.iter().enumerate().skip(taken) {
                if !self.short_ascii(kind, values) {
                    let offset = offset + position * CHUNK + place;
                    self.content_of(kind, offset, 0, values)?;
                }
            }
        }
        Ok(())
    }

    /// Decodes the first values if all are short texts, which is mostly so, up to the end of the
    /// bytes; answers how many it took.
    #[inline]
    fn short_texts(&mut self, kinds: &[u8], values: &mut Vec<Value>) -> usize {
        let longest = usize::from(kinds.iter().copied().fold(0, u8::max));
        if longest > INLINE_BYTES.min(self.limits.max_bytes) {
            return 0;
        }
        let mut count = kinds.len();
        let mut bytes = kinds.iter().map(|kind| usize::from(*kind)).sum::<usize>();
        // The last ones are not read as 24 bytes.
        while count > 0 && self.left.len() < bytes + INLINE_BYTES {
            count -= 1;
            bytes -= usize::from(kinds[count]);
        }
        if count == 0 || !push_short_texts(values, &kinds[..count], self.left) {
            return 0;
        }
        self.left = &self.left[bytes..];
        count
    }

    /// Decodes the next value if it is a short text of ASCII; else false, and nothing is taken.
    #[inline]
    fn short_ascii(&mut self, kind: u8, values: &mut Vec<Value>) -> bool {
        let length = usize::from(kind);
        if kind >= kind::SHORT_STRING_END || length > self.limits.max_bytes {
            return false;
        }
        let Some((text, rest)) = self.left.split_at_checked(length) else { return false };
        let is_taken = push_short_ascii(values, text);
        if is_taken {
            self.left = rest;
        }
        is_taken
    }

    /// Decodes a value of a list or map.
    fn value(&mut self, depth: usize, values: &mut Vec<Value>) -> Result<(), DecodeError> {
        let offset = self.offset();
        let [kind] = self.array(KIND)?;
        self.content_of(kind, offset, depth, values)
    }

    /// Decodes the content of a value whose kind stands at `offset` onto the end of `values`, where
    /// the elements of a list wait as well until all are there: no buffer is sized by a claim.
    fn content_of(
        &mut self,
        kind: u8,
        offset: usize,
        depth: usize,
        values: &mut Vec<Value>,
    ) -> Result<(), DecodeError> {
        let value = match kind {
            ..kind::SHORT_STRING_END => self.text(offset, kind.into(), "a string")?.into(),
            kind::SMALL_I32..kind::SMALL_I64 => {
                Value::from(unzigzag((kind - kind::SMALL_I32).into()) as i32)
            }
            kind::SMALL_I64..kind::NULL => Value::from(unzigzag((kind - kind::SMALL_I64).into())),
            kind::NULL => Value::null(),
            kind::FALSE => Value::from(false),
            kind::TRUE => Value::from(true),
            kind::I32 => {
                let (offset, expected) = (self.offset(), "an i32");
                let number = self.number(expected, kind::SMALL_END)?;
                let out_of_range = |_| error(offset, expected, DecodeErrorKind::OutOfRange);
                Value::from(i32::try_from(unzigzag(number)).map_err(out_of_range)?)
            }
            kind::I64 => Value::from(unzigzag(self.number("an i64", kind::SMALL_END)?)),
            kind::F32 => Value::from(f32::from_le_bytes(self.array("an f32")?)),
            kind::F64 => Value::from(f64::from_le_bytes(self.array("an f64")?)),
            kind::STRING => {
                let (offset, expected) = (self.offset(), "a long string");
                let length = self.number(expected, kind::SHORT_STRING_END)?;
                self.text(offset, length, expected)?.into()
            }
            kind::BYTES => {
                let (offset, expected) = (self.offset(), "bytes");
                let length = self.number(expected, 0)?;
                Value::bytes(self.content(offset, length, expected)?)
            }
            kind::LIST => {
                let first = values.len();
                self.nested(offset, "a list", 1, depth, values)?;
                Value::list(values.drain(first..).collect::<Arc<[_]>>())
            }
            kind::MAP => {
                let first = values.len();
                self.nested(offset, "a map", 2, depth, values)?;
                let (pairs, _) = values[first..].as_chunks_mut();
                let pairs = pairs.iter_mut().map(|[key, value]| (take(key), take(value)));
                let map = Value::map(pairs.collect::<Arc<[_]>>());
                values.truncate(first);
                map
            }
            kind::OBJECT => Value::object(self.object()?),
            found => return Err(error(offset, KIND, DecodeErrorKind::UnknownKind(found))),
        };
        values.push(value);
        Ok(())
    }

    fn nested(
        &mut self,
        offset: usize,
        expected: &'static str,
        per_item: u64,
        depth: usize,
        values: &mut Vec<Value>,
    ) -> Result<(), DecodeError> {
        let limit = self.limits.max_depth.min(MAX_DEPTH);
        if depth >= limit {
            return Err(error(offset, expected, DecodeErrorKind::TooDeep { limit }));
        }
        for _ in 0..self.count(expected, per_item)? {
            self.value(depth + 1, values)?;
        }
        Ok(())
    }

    /// The kinds of the values of an encoding, and where they stand.
    pub fn kinds(&mut self) -> Result<(&'a [u8], usize), DecodeError> {
        let count = self.count("the values", 1)?;
        let offset = self.offset();
        let (kinds, contents) = self.left.split_at(count);
        self.left = contents;
        Ok((kinds, offset))
    }

    /// A count of items of `per_item` values each, answered as the number of values.
    fn count(&mut self, expected: &'static str, per_item: u64) -> Result<usize, DecodeError> {
        let (offset, limit) = (self.offset(), self.limits.max_values);
        let needed = self.number(expected, 0)?.saturating_mul(per_item);
        let left = self.left.len();
        if needed > left as u64 {
            return Err(error(offset, expected, DecodeErrorKind::Ended { needed, left }));
        }
        let values = needed as usize;
        self.values_left = self
            .values_left
            .checked_sub(values)
            .ok_or_else(|| error(offset, expected, DecodeErrorKind::TooManyValues { limit }))?;
        Ok(values)
    }

    fn object(&mut self) -> Result<Arc<dyn SharedObject>, DecodeError> {
        let (offset, expected) = (self.offset(), "the type of a shared object");
        let length = self.number(expected, 0)?;
        let type_name = self.text(offset, length, expected)?;
        let Some(reader) = self.readers.type_name_to_reader.get(type_name) else {
            let type_name = type_name.into();
            return Err(error(offset, expected, DecodeErrorKind::NoReader { type_name }));
        };
        let (offset, expected) = (self.offset(), "a shared object");
        let length = u32::from_le_bytes(self.array(expected)?);
        let content = self.content(offset, length.into(), expected)?;
        reader(content).map_err(|source| {
            let type_name = type_name.into();
            error(offset, expected, DecodeErrorKind::Object { type_name, source })
        })
    }

    #[inline]
    fn text(
        &mut self,
        offset: usize,
        length: u64,
        expected: &'static str,
    ) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.content(offset, length, expected)?)
            .map_err(|source| error(offset, expected, DecodeErrorKind::NotUtf8(source)))
    }

    /// The next bytes, as many as were claimed at `offset`.
    #[inline]
    fn content(
        &mut self,
        offset: usize,
        length: u64,
        expected: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let (limit, left) = (self.limits.max_bytes, self.left.len());
        if length > limit as u64 {
            return Err(error(offset, expected, DecodeErrorKind::TooLong { length, limit }));
        }
        let Some((taken, rest)) = self.left.split_at_checked(length as usize) else {
            return Err(error(offset, expected, DecodeErrorKind::Ended { needed: length, left }));
        };
        self.left = rest;
        Ok(taken)
    }

    /// A varint, which has a shorter form elsewhere if it is below `least`.
    #[inline]
    fn number(&mut self, expected: &'static str, least: u8) -> Result<u64, DecodeError> {
        let offset = self.offset();
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array(expected)?;
            if shift == 63 && byte > 1 {
                return Err(error(offset, expected, DecodeErrorKind::OutOfRange));
            }
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                if number < least.into() || (byte == 0 && shift > 0) {
                    return Err(error(offset, expected, DecodeErrorKind::NotShortest));
                }
                break;
            }
        }
        Ok(number)
    }

    #[inline]
    fn array<const LENGTH: usize>(
        &mut self,
        expected: &'static str,
    ) -> Result<[u8; LENGTH], DecodeError> {
        let Some((taken, rest)) = self.left.split_first_chunk() else {
            let kind = DecodeErrorKind::Ended { needed: LENGTH as u64, left: self.left.len() };
            return Err(error(self.offset(), expected, kind));
        };
        self.left = rest;
        Ok(*taken)
    }
}

#[inline]
fn unzigzag(zigzag: u64) -> i64 {
    (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
}

#[cold]
fn error(offset: usize, expected: &'static str, kind: DecodeErrorKind) -> DecodeError {
    DecodeError { offset, expected, kind }
}
