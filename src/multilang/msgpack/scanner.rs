//! Where a message ends, found without looking at a byte twice.

use smallvec::SmallVec;

use super::{Head, MAX_MESSAGE_DEPTH, Size, big_endian};
use crate::multilang::MultilangErrorKind;
use crate::multilang::error::Trouble;

/// How far a message was looked through, and what is open there.
#[derive(Debug, Default)]
pub(in crate::multilang) struct Scanner {
    /// From the message's beginning on.
    at: usize,
    /// Values that each open list or map still has, the outermost first.
    open: SmallVec<[u64; 8]>,
}

impl Scanner {
    /// The length of the message that `rest` begins with, if all of it is there.
    pub fn end_of_message(
        &mut self,
        rest: &[u8],
        max_bytes: usize,
    ) -> Result<Option<usize>, Trouble> {
        loop {
            let Some(&byte) = rest.get(self.at) else { return Ok(None) };
            let head = Head::of(byte).ok_or_else(|| {
                Trouble::syntax(self.at, format!("byte {byte:#04x}, which begins no value"))
            })?;
            let (size, of_each) = match head {
                Head::Small(_) | Head::Nil | Head::Bool(_) => (Size::Here(0), 0),
                Head::Unsigned(bytes) | Head::Signed(bytes) | Head::Float(bytes) => {
                    (Size::Here(bytes), 0)
                }
                Head::Text(size) | Head::Bytes(size) => (size, 0),
                Head::List(size) => (size, 1),
                Head::Map(size) => (size, 2),
            };
            let (header, claimed) = match size {
                Size::Here(claimed) => (1, claimed as u64),
                Size::Follows(bytes) => match rest.get(self.at + 1..self.at + 1 + bytes) {
                    Some(length) => (1 + bytes, big_endian(length)),
                    None => return Ok(None),
                },
            };
            // An element takes a byte at least, so both kinds of claim end beyond this.
            if self.at as u64 + claimed > max_bytes as u64 {
                return Err(Trouble::at(self.at, MultilangErrorKind::TooLong { limit: max_bytes }));
            }
            let content = if of_each == 0 { claimed as usize } else { 0 };
            if self.at + header + content > rest.len() {
                return Ok(None);
            }
            self.at += header + content;
            match claimed * of_each {
                0 => {
                    if self.close() {
                        return Ok(Some(self.at));
                    }
                }
                _ if self.open.len() == MAX_MESSAGE_DEPTH => {
                    return Err(Trouble::at(self.at, MultilangErrorKind::TooDeep));
                }
                values => self.open.push(values),
            }
        }
    }

    /// Counts a value that has ended, with what ends with it; whether that is the message.
    fn close(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}
