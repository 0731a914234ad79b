//! All decoders of the protocol in one list, and what must hold for whatever they are given.

use ::thrift::protocol::{TBinaryOutputProtocol, TInputProtocol};
use nimbus_client::catalogue::Recode;
use nimbus_client::wire::{Limits, ThriftResult};
use nimbus_client::{native, thrift};

use crate::live_bytes::peak_of;

/// Most live bytes per byte of input. The dearest input is a list of structs of a user interface's
/// page, all of whose fields are absent: one byte for some 500, in a list that doubles, of which the
/// limits allow a quarter.
pub const BYTES_PER_INPUT_BYTE: usize = 256;

/// Live bytes that even a short input may take: an error's texts, and a list's first elements,
/// of which a number is reserved before they are there.
const BYTES_PER_INPUT: usize = 1 << 20;

/// One decoder and what it decodes.
#[derive(Clone)]
pub struct Decoder {
    pub name: String,
    pub recode: Recode,
}

/// Every type, and the arguments and the result of every method.
pub fn all() -> Vec<Decoder> {
    let types = thrift::TYPES.iter().chain(native::TYPES);
    let types = types.map(|row| Decoder { name: row.name.to_owned(), recode: row.recode });
    let methods = thrift::METHODS.iter().chain(native::METHODS).flat_map(|row| {
        let name = |part: &str| format!("{part} of {}.{}", row.service, row.name);
        [
            Decoder { name: name("arguments"), recode: row.recode_arguments },
            Decoder { name: name("result"), recode: row.recode_result },
        ]
    });
    types.chain(methods).collect()
}

impl Decoder {
    /// The value in `bytes`, encoded again.
    pub fn recode(&self, bytes: &[u8]) -> ThriftResult<Vec<u8>> {
        let mut rest = bytes;
        let mut input = Limits::default().reader(&mut rest).expect("tests keep below the limit");
        self.recode_from(&mut input)
    }

    /// The value that `input` makes up, encoded.
    pub fn recode_from(&self, input: &mut dyn TInputProtocol) -> ThriftResult<Vec<u8>> {
        let mut again = Vec::new();
        (self.recode)(input, &mut TBinaryOutputProtocol::new(&mut again, true))?;
        Ok(again)
    }

    /// Decodes `bytes` and checks all that must hold whatever they are; gives what was decoded,
    /// encoded again, and whether there was anything.
    #[track_caller]
    pub fn check(&self, bytes: &[u8]) -> ThriftResult<Vec<u8>> {
        let (result, peak_bytes) = peak_of(|| self.recode(bytes));
        let allowed_bytes = BYTES_PER_INPUT + BYTES_PER_INPUT_BYTE * bytes.len();
        assert!(
            peak_bytes <= allowed_bytes,
            "{}: {} bytes took {peak_bytes} bytes",
            self.name,
            bytes.len()
        );
        if let Ok(again) = &result {
            let twice = self.recode(again).expect("what we write we can read");
            assert_eq!(&twice, again, "{}: the second time it is something else", self.name);
        }
        result
    }
}
