//! Thrift's binary protocol read without an IDL, to compare bytes of two writers: the entries of maps
//! and sets have no order on the wire, so here they are sorted.

/// The bytes of one struct, with the entries of all maps and sets in it sorted.
///
/// # Panics
/// If the bytes are not exactly one struct.
#[track_caller]
pub fn canonical(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader { bytes, at: 0 };
    let written = reader.value(STRUCT);
    assert_eq!(reader.at, bytes.len(), "something follows the struct");
    written
}

const STOP: u8 = 0;
const STRUCT: u8 = 12;
const MAP: u8 = 13;
const SET: u8 = 14;
const LIST: u8 = 15;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.bytes[self.at..][..count].to_vec();
        self.at += count;
        taken
    }

    /// A length of four bytes, and those bytes.
    fn length(&mut self) -> (usize, Vec<u8>) {
        let bytes = self.take(4);
        let length = u32::from_be_bytes(bytes.clone().try_into().expect("four bytes"));
        (length as usize, bytes)
    }

    fn value(&mut self, kind: u8) -> Vec<u8> {
        match kind {
            2 | 3 => self.take(1),
            6 => self.take(2),
            8 => self.take(4),
            4 | 10 => self.take(8),
            11 => {
                let (length, mut written) = self.length();
                written.extend(self.take(length));
                written
            }
            STRUCT => self.fields(),
            LIST | SET => {
                let element = self.take(1)[0];
                self.entries(&[element], kind == SET)
            }
            MAP => {
                let kinds = self.take(2);
                self.entries(&kinds, true)
            }
            other => panic!("at {}: {other} is no type", self.at),
        }
    }

    fn fields(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        loop {
            let kind = self.take(1)[0];
            written.push(kind);
            if kind == STOP {
                return written;
            }
            written.extend(self.take(2));
            written.extend(self.value(kind));
        }
    }

    fn entries(&mut self, kinds: &[u8], sorted: bool) -> Vec<u8> {
        let (count, length) = self.length();
        let mut entries: Vec<Vec<u8>> = Vec::new();
        for _ in 0..count {
            entries.push(kinds.iter().flat_map(|kind| self.value(*kind)).collect());
        }
        if sorted {
            entries.sort();
        }
        [kinds.to_vec(), length, entries.concat()].concat()
    }
}

#[test]
fn entries_of_maps_are_sorted_and_elements_of_lists_are_not() {
    // A map of bool to i8 in field 1, then a list of i8 in field 2.
    let unsorted = [13, 0, 1, 2, 3, 0, 0, 0, 2, 1, 7, 0, 9, 15, 0, 2, 3, 0, 0, 0, 2, 8, 4, STOP];
    let sorted = [13, 0, 1, 2, 3, 0, 0, 0, 2, 0, 9, 1, 7, 15, 0, 2, 3, 0, 0, 0, 2, 8, 4, STOP];
    assert_eq!(canonical(&unsorted), sorted);
}
