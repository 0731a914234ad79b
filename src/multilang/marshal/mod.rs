//! Values in the encoding of CPython's `marshal`, version 2, as far as it is needed.
//!
//! **Invariants.** A count or length is believed only as far as bytes are there for it, since an
//! element takes one at least.

mod parser;

pub(super) use parser::Parser;

use super::NotSendable;
use super::write::Budget;
use crate::tuple::{Value, ValueRef};

mod tag {
    pub const NONE: u8 = b'N';
    pub const TRUE: u8 = b'T';
    pub const FALSE: u8 = b'F';
    pub const INT: u8 = b'i';
    pub const LONG: u8 = b'l';
    pub const FLOAT: u8 = b'g';
    pub const TEXT: u8 = b'u';
    pub const BYTES: u8 = b's';
    pub const TUPLE: u8 = b'(';
    pub const LIST: u8 = b'[';
    pub const DICT: u8 = b'{';
    pub const DICT_END: u8 = b'0';
}

/// Bits of one digit of a [`tag::LONG`].
const DIGIT_BITS: u32 = 15;

#[inline]
pub(super) fn write_none(out: &mut Vec<u8>) {
    out.push(tag::NONE);
}

#[inline]
pub(super) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { tag::TRUE } else { tag::FALSE });
}

#[inline]
pub(super) fn write_integer(out: &mut Vec<u8>, number: i64) {
    match i32::try_from(number) {
        Ok(number) => tagged(out, tag::INT, number.to_le_bytes()),
        Err(_) => write_long(out, number),
    }
}

#[cold]
fn write_long(out: &mut Vec<u8>, number: i64) {
    let amount = number.unsigned_abs();
    let digits = (u64::BITS - amount.leading_zeros()).div_ceil(DIGIT_BITS) as i32;
    let signed = if number < 0 { -digits } else { digits };
    tagged(out, tag::LONG, signed.to_le_bytes());
    for digit in 0..digits as u32 {
        let digit = (amount >> (digit * DIGIT_BITS)) & ((1 << DIGIT_BITS) - 1);
        out.extend((digit as u16).to_le_bytes());
    }
}

#[inline]
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    tagged(out, tag::TEXT, (text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The head of a tuple of fields.
#[inline]
pub(super) fn write_tuple_head(out: &mut Vec<u8>, count: u32) {
    tagged(out, tag::TUPLE, count.to_le_bytes());
}

#[inline]
pub(super) fn write_list_head(out: &mut Vec<u8>, count: u32) {
    tagged(out, tag::LIST, count.to_le_bytes());
}

#[inline]
fn tagged<const LENGTH: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; LENGTH]) {
    // Written in one piece, so that there is one check for room.
    let mut piece = [0; 9];
    piece[0] = tag;
    piece[1..=LENGTH].copy_from_slice(&bytes);
    out.extend_from_slice(&piece[..=LENGTH]);
}

#[inline]
pub(super) fn write_values(
    out: &mut Vec<u8>,
    values: &[Value],
    budget: &mut Budget,
) -> Result<(), NotSendable> {
    write_list_head(out, values.len() as u32);
    values.iter().try_for_each(|value| write_value(out, value, 0, budget))
}

pub(super) fn write_value(
    out: &mut Vec<u8>,
    value: &Value,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), NotSendable> {
    budget.claim()?;
    match value.view() {
        ValueRef::Null => write_none(out),
        ValueRef::Bool(value) => write_bool(out, value),
        ValueRef::I32(value) => write_integer(out, value.into()),
        ValueRef::I64(value) => write_integer(out, value),
        ValueRef::F32(value) => tagged(out, tag::FLOAT, f64::from(value).to_le_bytes()),
        ValueRef::F64(value) => tagged(out, tag::FLOAT, value.to_le_bytes()),
        ValueRef::Str(text) => {
            budget.room(out, text.len())?;
            write_text(out, text);
        }
        ValueRef::Bytes(bytes) => {
            budget.room(out, bytes.len())?;
            tagged(out, tag::BYTES, (bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        ValueRef::List(values) => {
            let depth = budget.deeper(depth)?;
            write_list_head(out, values.len() as u32);
            for value in values {
                write_value(out, value, depth, budget)?;
            }
        }
        ValueRef::Map(pairs) => {
            let depth = budget.deeper(depth)?;
            out.push(tag::DICT);
            for (key, value) in pairs {
                if matches!(key.view(), ValueRef::List(_) | ValueRef::Map(_)) {
                    // Python refuses to hash them, and with them the whole frame.
                    return Err(NotSendable::Key { kind: key.kind() });
                }
                write_value(out, key, depth, budget)?;
                write_value(out, value, depth, budget)?;
            }
            out.push(tag::DICT_END);
        }
        ValueRef::Object(object) => return Err(NotSendable::object(object)),
    }
    Ok(())
}
