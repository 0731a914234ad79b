//! Bytes into values and items.

use super::{DIGIT_BITS, tag};
use crate::multilang::error::Trouble;
use crate::multilang::fields::{push_list, push_map};
use crate::multilang::{MAX_DEPTH, MAX_VALUES, MultilangErrorKind};
use crate::tuple::Value;

/// Reads one frame, from any place in it.
#[derive(Debug)]
pub(in crate::multilang) struct Parser<'a> {
    bytes: &'a [u8],
    pub at: usize,
    values_left: usize,
}

impl<'a> Parser<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, values_left: MAX_VALUES }
    }

    #[inline]
    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Trouble> {
        match self.bytes[self.at..].first_chunk() {
            Some(taken) => {
                self.at += LENGTH;
                Ok(*taken)
            }
            None => Err(self.ended()),
        }
    }

    #[cold]
    fn ended(&self) -> Trouble {
        Trouble::syntax(self.at, "the end of the frame, where more is expected")
    }

    #[inline]
    fn tag(&mut self) -> Result<u8, Trouble> {
        self.array().map(|[tag]| tag)
    }

    /// A count or length for which as many bytes are there.
    #[inline]
    fn count(&mut self) -> Result<usize, Trouble> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > self.bytes.len() - self.at {
            return Err(Trouble::syntax(
                self.at - 4,
                format!("{count}, which the frame cannot hold"),
            ));
        }
        Ok(count)
    }

    #[inline]
    fn slice(&mut self) -> Result<&'a [u8], Trouble> {
        let length = self.count()?;
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    #[inline]
    fn utf8(&mut self) -> Result<&'a str, Trouble> {
        let at = self.at;
        let bytes = self.slice()?;
        std::str::from_utf8(bytes).map_err(|_| Trouble::syntax(at, "a text that is not UTF-8"))
    }

    #[cold]
    fn field(at: usize, field: &'static str, expected: &'static str) -> Trouble {
        Trouble::at(at, MultilangErrorKind::Field { field, expected })
    }

    /// The number of elements of a tuple or a list.
    #[inline]
    pub fn sequence(&mut self, field: &'static str) -> Result<usize, Trouble> {
        let at = self.at;
        match self.tag()? {
            tag::TUPLE | tag::LIST => self.count(),
            _ => Err(Self::field(at, field, "a tuple or a list")),
        }
    }

    /// The number of elements of a tuple or a list, or none for None.
    #[inline]
    pub fn optional_sequence(&mut self, field: &'static str) -> Result<Option<usize>, Trouble> {
        if self.take_none() {
            return Ok(None);
        }
        self.sequence(field).map(Some)
    }

    /// Takes a None, if that is what comes next.
    #[inline]
    pub fn take_none(&mut self) -> bool {
        let is_none = self.bytes.get(self.at) == Some(&tag::NONE);
        self.at += usize::from(is_none);
        is_none
    }

    /// Whether an integer comes next.
    pub fn is_integer(&self) -> bool {
        matches!(self.bytes.get(self.at), Some(&(tag::INT | tag::LONG)))
    }

    #[inline]
    pub fn integer(&mut self, field: &'static str) -> Result<i64, Trouble> {
        let at = self.at;
        match self.tag()? {
            tag::INT => Ok(i32::from_le_bytes(self.array()?).into()),
            tag::LONG => self.long()?.ok_or(Trouble::at(at, MultilangErrorKind::OutOfRange)),
            _ => Err(Self::field(at, field, "an integer")),
        }
    }

    /// A count of at least 1.
    pub fn positive(&mut self, field: &'static str) -> Result<u32, Trouble> {
        let at = self.at;
        let number = self.integer(field)?;
        let number = u32::try_from(number).ok().filter(|number| *number > 0);
        number.ok_or_else(|| Self::field(at, field, "an integer of at least 1"))
    }

    pub fn bool(&mut self, field: &'static str) -> Result<bool, Trouble> {
        let at = self.at;
        match self.tag()? {
            tag::TRUE => Ok(true),
            tag::FALSE => Ok(false),
            _ => Err(Self::field(at, field, "true or false")),
        }
    }

    pub fn text(&mut self, field: &'static str) -> Result<&'a str, Trouble> {
        let at = self.at;
        match self.tag()? {
            tag::TEXT => self.utf8(),
            _ => Err(Self::field(at, field, "a text")),
        }
    }

    /// The number that a [`tag::LONG`] holds, if it has up to 64 bits; it is taken in any case.
    fn long(&mut self) -> Result<Option<i64>, Trouble> {
        let (is_negative, digits) = self.digits()?;
        let mut amount = 0u128;
        for digit in digits.iter().rev() {
            if amount >> 64 != 0 {
                return Ok(None);
            }
            amount = amount << DIGIT_BITS | u128::from(u16::from_le_bytes(*digit));
        }
        let signed = i128::try_from(amount).ok();
        let signed = signed.map(|amount| if is_negative { -amount } else { amount });
        Ok(signed.and_then(|signed| signed.try_into().ok()))
    }

    /// Whether it is negative, and its digits, the lowest first.
    fn digits(&mut self) -> Result<(bool, &'a [[u8; 2]]), Trouble> {
        let at = self.at;
        let count = i32::from_le_bytes(self.array()?);
        let bytes = (count.unsigned_abs() as usize).saturating_mul(2);
        let Some(taken) = self.bytes[self.at..].get(..bytes) else { return Err(self.ended()) };
        self.at += bytes;
        let (digits, _) = taken.as_chunks::<2>();
        let is_in_range = |digit: &[u8; 2]| u16::from_le_bytes(*digit) >> DIGIT_BITS == 0;
        if !digits.iter().all(is_in_range) || digits.last() == Some(&[0, 0]) {
            return Err(Trouble::syntax(at, "an integer with wrong digits"));
        }
        Ok((count < 0, digits))
    }

    /// A [`tag::LONG`] as a value: an integer, or the nearest float.
    #[cold]
    fn long_value(&mut self) -> Result<Value, Trouble> {
        let at = self.at;
        if let Some(number) = self.long()? {
            return Ok(number.into());
        }
        self.at = at;
        let (is_negative, digits) = self.digits()?;
        let amount = nearest(digits);
        match amount.is_finite() {
            true => Ok(if is_negative { -amount } else { amount }.into()),
            false => Err(Trouble::at(at, MultilangErrorKind::OutOfRange)),
        }
    }

    /// Reads the values of a tuple.
    #[inline]
    pub fn values(&mut self, count: usize, values: &mut Vec<Value>) -> Result<(), Trouble> {
        for _ in 0..count {
            self.value(0, values)?;
        }
        Ok(())
    }

    /// Reads one value onto the end of `values`, where the elements of a list wait as well until all
    /// are there.
    pub fn value(&mut self, depth: usize, values: &mut Vec<Value>) -> Result<(), Trouble> {
        let at = self.at;
        match self.values_left.checked_sub(1) {
            Some(left) => self.values_left = left,
            None => return Err(Trouble::at(at, MultilangErrorKind::TooManyValues)),
        }
        match self.tag()? {
            tag::TEXT => values.push(self.utf8()?.into()),
            tag::INT => values.push(i64::from(i32::from_le_bytes(self.array()?)).into()),
            tag::FLOAT => values.push(f64::from_le_bytes(self.array()?).into()),
            tag::NONE => values.push(Value::null()),
            tag::TRUE => values.push(true.into()),
            tag::FALSE => values.push(false.into()),
            tag::LONG => values.push(self.long_value()?),
            tag::BYTES => values.push(Value::bytes(self.slice()?)),
            tag::TUPLE | tag::LIST => {
                let depth = deeper(depth, at)?;
                let count = self.count()?;
                let start = values.len();
                for _ in 0..count {
                    self.value(depth, values)?;
                }
                push_list(values, start);
            }
            tag::DICT => {
                let depth = deeper(depth, at)?;
                let start = values.len();
                while self.bytes.get(self.at) != Some(&tag::DICT_END) {
                    self.value(depth, values)?;
                    self.value(depth, values)?;
                }
                self.at += 1;
                push_map(values, start);
            }
            tag => {
                let what = format!("byte {:?}, which begins no value", char::from(tag));
                return Err(Trouble::syntax(at, what));
            }
        }
        Ok(())
    }
}

fn deeper(depth: usize, at: usize) -> Result<usize, Trouble> {
    match depth {
        MAX_DEPTH => Err(Trouble::at(at, MultilangErrorKind::TooDeep)),
        _ => Ok(depth + 1),
    }
}

/// The float nearest to what the digits amount to, ties to even; infinite if there is none.
fn nearest(digits: &[[u8; 2]]) -> f64 {
    // The highest digits as far as they fit exactly into 128 bits; of the others only whether one
    // is not 0 can matter, since they stand far below the last bit of a float.
    const KEPT: usize = 8;
    let (low, high) = digits.split_at(digits.len().saturating_sub(KEPT));
    let mut amount = 0u128;
    for digit in high.iter().rev() {
        amount = amount << DIGIT_BITS | u128::from(u16::from_le_bytes(*digit));
    }
    amount |= u128::from(low.iter().any(|digit| *digit != [0, 0]));
    let exponent = i32::try_from(low.len() * DIGIT_BITS as usize).unwrap_or(i32::MAX);
    amount as f64 * 2f64.powi(exponent)
}
