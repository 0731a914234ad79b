//! Values of every type without an IDL: an input that makes up whatever the decoder asks for.
//!
//! A decoder asks for the number of the next field and then for a value. A [`Dream`] offers all
//! numbers that the protocol uses, one after the other, so that a struct gets all its fields. A union
//! wants a single one: its error says so, and the dream begins anew, knowing that this struct is one.

use std::collections::BTreeMap;

use ::thrift::protocol::{
    TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier, TMessageIdentifier,
    TSetIdentifier, TStructIdentifier, TType,
};
use ::thrift::{ProtocolErrorKind, Result};

use crate::decoders::Decoder;
use crate::random::{Random, hash};

/// The numbers of fields, in the order in which they are offered.
const FIELDS: [std::ops::RangeInclusive<i16>; 2] = [0..=20, 510..=540];

/// No union has a member beyond these first numbers.
const UNION_FIELDS: usize = 9;

/// Beginnings after which a dream is given up: far more than there are unions in any value.
const ATTEMPTS: usize = 2_000;

/// A message for `decoder` with everything in it that can be in it.
///
/// # Panics
/// If the decoder takes nothing that is made up.
pub fn value_for(decoder: &Decoder, seed: u64) -> Vec<u8> {
    let mut unions = BTreeMap::new();
    let mut last_error = None;
    for _ in 0..ATTEMPTS {
        let mut dream = Dream::new(seed, &unions);
        match decoder.recode_from(&mut dream) {
            Ok(bytes) => return bytes,
            Err(error) => {
                // The struct that ended last is a union: try its next member. With another member,
                // the structs that begin after it are others.
                let union = dream.ended_last;
                let first = hash(&[seed, union as u64]) as usize;
                let member = unions.get(&union).map_or(first % UNION_FIELDS, |member| member + 1);
                unions.split_off(&union);
                unions.insert(union, member % UNION_FIELDS);
                last_error = Some(error);
            }
        }
    }
    panic!("{}: no value found: {last_error:?}", decoder.name);
}

struct Dream<'a> {
    random: Random,
    /// By the number of the struct in the order of their beginnings: which field a union has.
    unions: &'a BTreeMap<usize, usize>,
    /// Number and next field of each struct that is being read.
    open: Vec<(usize, usize)>,
    begun: usize,
    ended_last: usize,
}

impl<'a> Dream<'a> {
    fn new(seed: u64, unions: &'a BTreeMap<usize, usize>) -> Self {
        Self { random: Random::new(seed), unions, open: Vec::new(), begun: 0, ended_last: 0 }
    }

    fn entries(&mut self) -> i32 {
        1 + self.random.below(2) as i32
    }
}

impl TInputProtocol for Dream<'_> {
    fn read_struct_begin(&mut self) -> Result<Option<TStructIdentifier>> {
        self.open.push((self.begun, 0));
        self.begun += 1;
        Ok(None)
    }

    fn read_struct_end(&mut self) -> Result<()> {
        (self.ended_last, _) = self.open.pop().expect("a struct ends after it has begun");
        Ok(())
    }

    fn read_field_begin(&mut self) -> Result<TFieldIdentifier> {
        let (number, next) = self.open.last_mut().expect("fields are in a struct");
        let mut fields = FIELDS.into_iter().flatten();
        let field = match self.unions.get(number) {
            None => fields.nth(*next),
            Some(member) => fields.nth(*member).filter(|_| *next == 0),
        };
        *next += 1;
        // The type is not looked at, but for the end.
        let kind = if field.is_some() { TType::Bool } else { TType::Stop };
        Ok(TFieldIdentifier { name: None, field_type: kind, id: Some(field.unwrap_or(0)) })
    }

    fn skip(&mut self, _: TType) -> Result<()> {
        Ok(())
    }

    fn read_bool(&mut self) -> Result<bool> {
        Ok(self.random.one_in(2))
    }

    fn read_bytes(&mut self) -> Result<Vec<u8>> {
        self.read_string().map(String::into_bytes)
    }

    fn read_i8(&mut self) -> Result<i8> {
        Ok(self.random.next() as i8)
    }

    fn read_i16(&mut self) -> Result<i16> {
        Ok(self.random.next() as i16)
    }

    fn read_i32(&mut self) -> Result<i32> {
        Ok(self.random.below(7) as i32)
    }

    fn read_i64(&mut self) -> Result<i64> {
        Ok(self.random.next() as i64)
    }

    fn read_double(&mut self) -> Result<f64> {
        Ok(self.random.below(1000) as f64 / 8.0)
    }

    fn read_uuid(&mut self) -> Result<uuid::Uuid> {
        unreachable!("the protocol has no UUIDs")
    }

    fn read_string(&mut self) -> Result<String> {
        let letters = self.random.below(6);
        Ok((0..letters).map(|_| char::from(b'a' + self.random.below(26) as u8)).collect())
    }

    fn read_list_begin(&mut self) -> Result<TListIdentifier> {
        Ok(TListIdentifier { element_type: TType::Bool, size: self.entries() })
    }

    fn read_set_begin(&mut self) -> Result<TSetIdentifier> {
        Ok(TSetIdentifier { element_type: TType::Bool, size: self.entries() })
    }

    fn read_map_begin(&mut self) -> Result<TMapIdentifier> {
        Ok(TMapIdentifier {
            key_type: Some(TType::Bool),
            value_type: Some(TType::Bool),
            size: self.entries(),
        })
    }

    fn read_field_end(&mut self) -> Result<()> {
        Ok(())
    }

    fn read_list_end(&mut self) -> Result<()> {
        Ok(())
    }

    fn read_set_end(&mut self) -> Result<()> {
        Ok(())
    }

    fn read_map_end(&mut self) -> Result<()> {
        Ok(())
    }

    fn read_message_begin(&mut self) -> Result<TMessageIdentifier> {
        unreachable!("only what follows a header is made up")
    }

    fn read_message_end(&mut self) -> Result<()> {
        unreachable!("only what follows a header is made up")
    }

    fn read_byte(&mut self) -> Result<u8> {
        unreachable!("generated code does not use it")
    }
}

#[test]
fn every_decoder_takes_what_is_made_up_for_it() {
    for decoder in crate::decoders::all() {
        let bytes = value_for(&decoder, 1);
        assert_eq!(decoder.check(&bytes).expect("it was just written"), bytes, "{}", decoder.name);
    }
}

#[test]
fn a_value_without_its_last_byte_is_an_error() {
    for decoder in crate::decoders::all() {
        let bytes = value_for(&decoder, 2);
        let error = decoder.check(&bytes[..bytes.len() - 1]).expect_err(&decoder.name);
        let is_end = matches!(error, ::thrift::Error::Transport(_))
            || matches!(&error, ::thrift::Error::Protocol(e) if e.kind == ProtocolErrorKind::SizeLimit);
        assert!(is_end, "{}: {error}", decoder.name);
    }
}
