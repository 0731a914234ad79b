//! MessagePack: where a message ends, what it holds, and how values are written.
//!
//! **Invariants.** A count or length is believed only as far as the limit of a message allows it, and
//! nothing is allocated for it.

mod parser;
mod scanner;

use serde_json::Value as Json;

pub(super) use parser::Parser;
pub(super) use scanner::Scanner;

use super::write::Budget;
use super::{MAX_DEPTH, NotSendable};
use crate::tuple::{Value, ValueRef};

/// The first byte of what is written; those of a range hold a small number or length themselves.
mod tag {
    pub const FIXMAP: u8 = 0x80;
    pub const FIXMAP_END: u8 = 0x8f;
    pub const FIXARRAY: u8 = 0x90;
    pub const FIXARRAY_END: u8 = 0x9f;
    pub const FIXSTR: u8 = 0xa0;
    pub const FIXSTR_END: u8 = 0xbf;
    pub const NIL: u8 = 0xc0;
    pub const FALSE: u8 = 0xc2;
    pub const TRUE: u8 = 0xc3;
    pub const BIN8: u8 = 0xc4;
    pub const BIN16: u8 = 0xc5;
    pub const BIN32: u8 = 0xc6;
    pub const F32: u8 = 0xca;
    pub const F64: u8 = 0xcb;
    pub const U8: u8 = 0xcc;
    pub const U16: u8 = 0xcd;
    pub const U32: u8 = 0xce;
    pub const U64: u8 = 0xcf;
    pub const I8: u8 = 0xd0;
    pub const I16: u8 = 0xd1;
    pub const I32: u8 = 0xd2;
    pub const I64: u8 = 0xd3;
    pub const STR8: u8 = 0xd9;
    pub const STR16: u8 = 0xda;
    pub const STR32: u8 = 0xdb;
    pub const ARRAY16: u8 = 0xdc;
    pub const ARRAY32: u8 = 0xdd;
    pub const MAP16: u8 = 0xde;
    pub const MAP32: u8 = 0xdf;
    pub const NEGATIVE: u8 = 0xe0;
}

/// What a first byte says of what follows it.
enum Head {
    /// Nothing follows; the byte is the number.
    Small(i8),
    Nil,
    Bool(bool),
    /// So many bytes of a number follow.
    Unsigned(usize),
    Signed(usize),
    Float(usize),
    /// A length of so many bytes follows, or stands here.
    Text(Size),
    Bytes(Size),
    List(Size),
    Map(Size),
}

#[derive(Clone, Copy)]
enum Size {
    Here(usize),
    /// Big-endian, in so many bytes.
    Follows(usize),
}

impl Head {
    /// None for extension types and the byte that has no meaning.
    fn of(byte: u8) -> Option<Self> {
        use Size::{Follows, Here};
        Some(match byte {
            ..tag::FIXMAP | tag::NEGATIVE.. => Self::Small(byte as i8),
            tag::FIXMAP..=tag::FIXMAP_END => Self::Map(Here((byte & 0x0f).into())),
            tag::FIXARRAY..=tag::FIXARRAY_END => Self::List(Here((byte & 0x0f).into())),
            tag::FIXSTR..=tag::FIXSTR_END => Self::Text(Here((byte & 0x1f).into())),
            tag::NIL => Self::Nil,
            tag::FALSE | tag::TRUE => Self::Bool(byte == tag::TRUE),
            tag::BIN8 => Self::Bytes(Follows(1)),
            tag::BIN16 => Self::Bytes(Follows(2)),
            tag::BIN32 => Self::Bytes(Follows(4)),
            tag::F32 => Self::Float(4),
            tag::F64 => Self::Float(8),
            tag::U8..=tag::U64 => Self::Unsigned(1 << (byte - tag::U8)),
            tag::I8..=tag::I64 => Self::Signed(1 << (byte - tag::I8)),
            tag::STR8 => Self::Text(Follows(1)),
            tag::STR16 => Self::Text(Follows(2)),
            tag::STR32 => Self::Text(Follows(4)),
            tag::ARRAY16 => Self::List(Follows(2)),
            tag::ARRAY32 => Self::List(Follows(4)),
            tag::MAP16 => Self::Map(Follows(2)),
            tag::MAP32 => Self::Map(Follows(4)),
            _ => return None,
        })
    }
}

/// Up to eight bytes, big-endian.
fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

pub(super) fn write_integer(out: &mut Vec<u8>, number: i64) {
    match number {
        -32..128 => out.push(number as u8),
        128..0x100 => out.extend([tag::U8, number as u8]),
        0x100..0x1_0000 => tagged(out, tag::U16, (number as u16).to_be_bytes()),
        0x1_0000..0x1_0000_0000 => tagged(out, tag::U32, (number as u32).to_be_bytes()),
        0x1_0000_0000.. => tagged(out, tag::U64, (number as u64).to_be_bytes()),
        -0x80..-32 => out.extend([tag::I8, number as u8]),
        -0x8000..-0x80 => tagged(out, tag::I16, (number as i16).to_be_bytes()),
        -0x8000_0000..-0x8000 => tagged(out, tag::I32, (number as i32).to_be_bytes()),
        _ => tagged(out, tag::I64, number.to_be_bytes()),
    }
}

pub(super) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { tag::TRUE } else { tag::FALSE });
}

pub(super) fn write_nil(out: &mut Vec<u8>) {
    out.push(tag::NIL);
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    match text.len() {
        length @ ..32 => out.push(tag::FIXSTR | length as u8),
        length => write_length(out, length, Some(tag::STR8), tag::STR16, tag::STR32),
    }
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn write_list_head(out: &mut Vec<u8>, count: usize) {
    match count {
        ..16 => out.push(tag::FIXARRAY | count as u8),
        _ => write_length(out, count, None, tag::ARRAY16, tag::ARRAY32),
    }
}

pub(super) fn write_map_head(out: &mut Vec<u8>, count: usize) {
    match count {
        ..16 => out.push(tag::FIXMAP | count as u8),
        _ => write_length(out, count, None, tag::MAP16, tag::MAP32),
    }
}

/// Callers bound lengths far below 32 bits by the limit of a message.
fn write_length(out: &mut Vec<u8>, length: usize, of_8: Option<u8>, of_16: u8, of_32: u8) {
    match (of_8, length) {
        (Some(of_8), ..0x100) => out.extend([of_8, length as u8]),
        (_, ..0x1_0000) => tagged(out, of_16, (length as u16).to_be_bytes()),
        _ => tagged(out, of_32, (length as u32).to_be_bytes()),
    }
}

#[inline]
fn tagged<const LENGTH: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; LENGTH]) {
    out.push(tag);
    out.extend(bytes);
}

pub(super) fn write_value(
    out: &mut Vec<u8>,
    value: &Value,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), NotSendable> {
    budget.claim()?;
    match value.view() {
        ValueRef::Null => write_nil(out),
        ValueRef::Bool(value) => write_bool(out, value),
        ValueRef::I32(value) => write_integer(out, value.into()),
        ValueRef::I64(value) => write_integer(out, value),
        ValueRef::F32(value) => tagged(out, tag::F32, value.to_be_bytes()),
        ValueRef::F64(value) => tagged(out, tag::F64, value.to_be_bytes()),
        ValueRef::Str(text) => {
            budget.room(out, text.len())?;
            write_text(out, text);
        }
        ValueRef::Bytes(bytes) => {
            budget.room(out, bytes.len())?;
            write_length(out, bytes.len(), Some(tag::BIN8), tag::BIN16, tag::BIN32);
            out.extend_from_slice(bytes);
        }
        ValueRef::List(values) => {
            let depth = budget.deeper(depth)?;
            write_list_head(out, values.len());
            for value in values {
                write_value(out, value, depth, budget)?;
            }
        }
        ValueRef::Map(pairs) => {
            let depth = budget.deeper(depth)?;
            write_map_head(out, pairs.len());
            for (key, value) in pairs {
                write_value(out, key, depth, budget)?;
                write_value(out, value, depth, budget)?;
            }
        }
        ValueRef::Object(object) => return Err(NotSendable::object(object)),
    }
    Ok(())
}

/// A handshake's part; it is our own, so its nesting is not in question.
pub(super) fn write_json(out: &mut Vec<u8>, json: &Json) {
    match json {
        Json::Null => write_nil(out),
        Json::Bool(value) => write_bool(out, *value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => write_integer(out, integer),
            None => tagged(out, tag::F64, number.as_f64().unwrap_or(f64::NAN).to_be_bytes()),
        },
        Json::String(text) => write_text(out, text),
        Json::Array(values) => {
            write_list_head(out, values.len());
            values.iter().for_each(|value| write_json(out, value));
        }
        Json::Object(pairs) => {
            write_map_head(out, pairs.len());
            for (key, value) in pairs {
                write_text(out, key);
                write_json(out, value);
            }
        }
    }
}

/// Deepest nesting of a message: that of a value, and the message's own map and list.
const MAX_MESSAGE_DEPTH: usize = MAX_DEPTH + 4;
