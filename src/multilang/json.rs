//! JSON: a message as fields, and how values are written.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Serialize;
use serde::de::DeserializeSeed;

use super::error::Trouble;
use super::write::Budget;
use super::{MultilangErrorKind, NotSendable};
use crate::tuple::{Value, ValueRef};

/// What stands between a document and the next one.
pub(super) const END: &[u8] = b"\nend\n";

/// Reads a whole document.
pub(super) fn read<'de, S: DeserializeSeed<'de>>(
    document: &'de [u8],
    seed: S,
) -> Result<S::Value, Trouble> {
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let read = seed.deserialize(&mut deserializer).and_then(|read| {
        deserializer.end()?;
        Ok(read)
    });
    read.map_err(|error| {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let what = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        let offset = offset_of(document, error.line(), error.column());
        Trouble::at(offset, MultilangErrorKind::Syntax(what))
    })
}

/// Where a line and a column, both counted from 1, are in the document.
fn offset_of(document: &[u8], line: usize, column: usize) -> usize {
    let before = document.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1));
    let start: usize = before.map(<[u8]>::len).sum();
    (start + column.saturating_sub(1)).min(document.len())
}

/// Writes what has a form of its own in JSON. Numbers that are not finite become null.
#[inline]
pub(super) fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("it is a text or a number, and memory takes it");
}

pub(super) fn write_values(
    out: &mut Vec<u8>,
    values: &[Value],
    depth: usize,
    budget: &mut Budget,
) -> Result<(), NotSendable> {
    out.push(b'[');
    for (position, value) in values.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_value(out, value, depth, budget)?;
    }
    out.push(b']');
    Ok(())
}

pub(super) fn write_value(
    out: &mut Vec<u8>,
    value: &Value,
    depth: usize,
    budget: &mut Budget,
) -> Result<(), NotSendable> {
    budget.claim()?;
    match value.view() {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Bool(value) => write(out, &value),
        ValueRef::I32(value) => write(out, &value),
        ValueRef::I64(value) => write(out, &value),
        ValueRef::F32(value) => write(out, &value),
        ValueRef::F64(value) => write(out, &value),
        ValueRef::Str(text) => {
            budget.room(out, text.len())?;
            write(out, text);
        }
        ValueRef::Bytes(bytes) => {
            budget.room(out, bytes.len())?;
            write(out, &BASE64_STANDARD.encode(bytes));
        }
        ValueRef::List(values) => {
            let depth = budget.deeper(depth)?;
            write_values(out, values, depth, budget)?;
        }
        ValueRef::Map(pairs) => {
            let depth = budget.deeper(depth)?;
            out.push(b'{');
            for (position, (key, value)) in pairs.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                budget.claim()?;
                write_key(out, key, budget)?;
                out.push(b':');
                write_value(out, value, depth, budget)?;
            }
            out.push(b'}');
        }
        ValueRef::Object(object) => return Err(NotSendable::object(object)),
    }
    Ok(())
}

/// Writes a map's key, which is a text in JSON whatever it was.
fn write_key(out: &mut Vec<u8>, key: &Value, budget: &Budget) -> Result<(), NotSendable> {
    match key.view() {
        ValueRef::Str(text) => {
            budget.room(out, text.len())?;
            write(out, text);
        }
        ValueRef::Object(object) => return Err(NotSendable::object(object)),
        ValueRef::Bytes(_) | ValueRef::List(_) | ValueRef::Map(_) => {
            return Err(NotSendable::Key { kind: key.kind() });
        }
        _ => {
            out.push(b'"');
            write_value(out, key, 0, &mut Budget::unbounded())?;
            out.push(b'"');
        }
    }
    Ok(())
}
