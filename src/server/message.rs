//! The head of a Thrift message in binary form, and answers that need no generated code.
//!
//! ```text
//! strict      | 0x8001 | 0 | kind | length of name (4) | name | sequence number (4) | struct …
//! non-strict  | length of name (4) | name | kind (1)   | sequence number (4)        | struct …
//! ```
//!
//! **Invariants.** Pure; reads at most [`NAME_LIMIT`] bytes of name.

/// Longest method name that is read; Storm's longest has 36 letters.
const NAME_LIMIT: usize = 256;

/// Bytes of a frame that are enough to read its head.
pub(super) const HEAD_BYTES: usize = NAME_LIMIT + 12;

const VERSION_1: u16 = 0x8001;
const TYPE_STOP: u8 = 0;
const TYPE_I32: u8 = 8;
const TYPE_STRUCT: u8 = 12;
const TYPE_STRING: u8 = 11;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A call that is answered.
    Call,
    /// An answer, or an exception that the method declares.
    Reply,
    /// A failure of the call itself.
    Exception,
    /// A call that is not answered.
    Oneway,
}

/// The head of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The method's name.
    pub method: String,
    /// What the message is.
    pub kind: MessageKind,
    /// Number that the answer repeats.
    pub sequence: i32,
    /// Where the struct begins that follows, in bytes.
    pub body_at: usize,
}

/// Thrift's numbers for what went wrong with a call itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// None of the others.
    Unknown = 0,
    /// There is no such method.
    UnknownMethod = 1,
    /// The message is no call.
    InvalidMessageType = 2,
    /// The handler failed.
    Internal = 6,
    /// The message cannot be read.
    Protocol = 7,
}

/// A failure of the call itself, Thrift's `TApplicationException`: a kind and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Fault {
    /// Which of Thrift's kinds.
    pub kind: FaultKind,
    /// What failed, why, and what to do.
    pub sentence: String,
}

impl Fault {
    /// A failure with its sentence.
    pub fn new(kind: FaultKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into() }
    }
}

impl Message {
    /// Reads the head of a message; `None` if the bytes are no Thrift in binary form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let first = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
        let (kind, name_at, name_bytes) = if (first >> 16) as u16 == VERSION_1 {
            let length = u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?);
            ((first & 0xff) as u8, 8, length)
        } else {
            (*bytes.get(4 + first as usize)?, 4, first)
        };
        let name_bytes = usize::try_from(name_bytes).ok().filter(|at| *at <= NAME_LIMIT)?;
        let name = bytes.get(name_at..name_at + name_bytes)?;
        // The kind stands behind the name in the older form.
        let sequence_at = name_at + name_bytes + usize::from(name_at == 4);
        let sequence = bytes.get(sequence_at..sequence_at + 4)?.try_into().ok()?;
        Some(Self {
            method: std::str::from_utf8(name).ok()?.to_owned(),
            kind: kind_of(kind)?,
            sequence: i32::from_be_bytes(sequence),
            body_at: sequence_at + 4,
        })
    }

    /// Whether a frame that begins like this may be Thrift; needs its first four bytes.
    pub(super) fn may_begin(first: [u8; 4], frame_bytes: usize) -> bool {
        let word = u32::from_be_bytes(first);
        let name_bytes = word as usize;
        (word >> 16) as u16 == VERSION_1
            || (1..=NAME_LIMIT).contains(&name_bytes) && name_bytes + 10 <= frame_bytes
    }

    /// The answer that says that the call itself failed.
    pub fn fault(&self, fault: &Fault) -> Vec<u8> {
        let mut out = self.head(3);
        put_string(&mut out, 1, &fault.sentence);
        put_field(&mut out, TYPE_I32, 2);
        out.extend((fault.kind as i32).to_be_bytes());
        out.push(TYPE_STOP);
        out
    }

    /// The answer that carries an exception of one text field, declared under `field`.
    pub fn exception(&self, field: i16, sentence: &str) -> Vec<u8> {
        let mut out = self.head(2);
        put_field(&mut out, TYPE_STRUCT, field);
        put_string(&mut out, 1, sentence);
        out.extend([TYPE_STOP, TYPE_STOP]);
        out
    }

    fn head(&self, kind: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend(VERSION_1.to_be_bytes());
        out.extend([0, kind]);
        out.extend((self.method.len() as u32).to_be_bytes());
        out.extend(self.method.as_bytes());
        out.extend(self.sequence.to_be_bytes());
        out
    }
}

fn kind_of(number: u8) -> Option<MessageKind> {
    Some(match number {
        1 => MessageKind::Call,
        2 => MessageKind::Reply,
        3 => MessageKind::Exception,
        4 => MessageKind::Oneway,
        _ => return None,
    })
}

fn put_field(out: &mut Vec<u8>, kind: u8, id: i16) {
    out.push(kind);
    out.extend(id.to_be_bytes());
}

fn put_string(out: &mut Vec<u8>, id: i16, text: &str) {
    put_field(out, TYPE_STRING, id);
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_head_are_read() {
        let strict = b"\x80\x01\0\x01\0\0\0\x03get\0\0\0\x07\0";
        let message = Message::parse(strict).expect("a head");
        let expected = Message {
            method: "get".to_owned(),
            kind: MessageKind::Call,
            sequence: 7,
            body_at: strict.len() - 1,
        };
        assert_eq!(message, expected);
        let older = b"\0\0\0\x03get\x01\0\0\0\x07\0";
        assert_eq!(Message::parse(older), Some(Message { body_at: older.len() - 1, ..expected }));
    }

    #[test]
    fn what_is_no_head_is_none() {
        let cases: [&[u8]; 6] = [
            b"",
            b"\x80\x01\0",
            b"\x80\x01\0\x01\x7f\xff\xff\xffget",
            b"\xff\xff\xff\xffget\x01\0\0\0\x07",
            b"\x80\x01\0\x09\0\0\0\x03get\0\0\0\x07",
            b"\x80\x01\0\x01\0\0\0\x02\xff\xff\0\0\0\x07",
        ];
        for bytes in cases {
            assert_eq!(Message::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn answers_repeat_method_and_number() {
        let call = Message {
            method: "getLeader".to_owned(),
            kind: MessageKind::Call,
            sequence: 42,
            body_at: 0,
        };
        let fault = Fault::new(FaultKind::Internal, "no");
        let answer = Message::parse(&call.fault(&fault)).expect("a head");
        assert_eq!((answer.kind, answer.sequence), (MessageKind::Exception, 42));
        let answer = Message::parse(&call.exception(1, "no")).expect("a head");
        assert_eq!((answer.kind, answer.method), (MessageKind::Reply, call.method));
    }
}
