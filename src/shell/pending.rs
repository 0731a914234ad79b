//! The tuples that a bolt's child holds, by the ids under which it knows them; pure.
//!
//! Ids count up from 1 for each child and are never used again, so an id that is not here was settled
//! or never given.
//!
//! # Cost
//! A hash of one multiplication per call; does not allocate once warm.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::tuple::Tuple;

/// Spreads ids that count up; nobody else chooses what is put in.
#[derive(Debug, Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i64(i64::from(*byte));
        }
    }

    fn write_i64(&mut self, id: i64) {
        self.0 = (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// Something by id; in use, tuples.
#[derive(Debug)]
pub(super) struct Pending<T = Tuple> {
    id_to_tuple: HashMap<i64, T, BuildHasherDefault<IdHasher>>,
    next_id: i64,
}

impl<T> Pending<T> {
    /// Nothing.
    pub fn new() -> Self {
        Self { id_to_tuple: HashMap::default(), next_id: 1 }
    }

    /// The id that the next tuple gets.
    pub fn next_id(&self) -> i64 {
        self.next_id
    }

    /// Skips an id, for what is not to be settled.
    pub fn skip_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Keeps a tuple under the next id.
    #[inline]
    pub fn put(&mut self, tuple: T) {
        let id = self.skip_id();
        self.id_to_tuple.insert(id, tuple);
    }

    /// The tuple of an id, if the child holds it.
    #[inline]
    pub fn get(&self, id: i64) -> Option<&T> {
        self.id_to_tuple.get(&id)
    }

    /// Takes the tuple of an id, if the child holds it.
    #[inline]
    pub fn take(&mut self, id: i64) -> Option<T> {
        self.id_to_tuple.remove(&id)
    }

    /// Takes all, in the order of their ids, and begins to count anew.
    pub fn drain(&mut self) -> Vec<T> {
        self.next_id = 1;
        let mut all: Vec<(i64, T)> = self.id_to_tuple.drain().collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, tuple)| tuple).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_settles_once_and_is_not_given_again() {
        let mut pending = Pending::new();
        assert_eq!(pending.next_id(), 1);
        pending.put("a");
        assert_eq!(pending.skip_id(), 2);
        pending.put("b");
        assert_eq!(
            (pending.get(1), pending.get(2), pending.get(3)),
            (Some(&"a"), None, Some(&"b"))
        );
        assert_eq!((pending.take(1), pending.take(1)), (Some("a"), None));
        pending.put("c");
        assert_eq!(pending.drain(), ["b", "c"]);
        assert_eq!((pending.get(4), pending.next_id()), (None, 1));
    }
}
