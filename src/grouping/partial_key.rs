//! Partial-key grouping: each key has two candidate tasks, and the one chosen less often gets it.
//!
//! ```text
//! key bytes -> Arrays.hashCode -> seed of java.util.Random -> two different indexes -> the calmer
//! ```
//!
//! **Invariants**
//! - The two candidates of a key depend only on its bytes and the number of targets.
//! - The counts are those of one sender: every task that emits keeps its own chooser, as in Storm,
//!   and starts it from zero.
//!
//! **Runs on** the executor of the sending task, which owns the chooser.
//!
//! **Not here:** Java's hashes and texts ([`java`]), and task ids: the caller maps an
//! index to a target, the targets in the order in which Storm lists them, ascending.

use crate::tuple::{Value, ValueRef};

use super::java;

/// The choices one task has made so far on one partial-key grouping.
///
/// # Cost
/// One choice is O(size of the key). A key without declared fields is formatted into a buffer that
/// is kept, unless it is a string, which is read in place; nothing else allocates but maps and
/// objects.
#[derive(Debug)]
pub struct PartialKey {
    /// Tuples sent to each target, by index.
    chosen_tuples: Vec<u64>,
    /// Positions of the declared fields; without them the text of the first value is the key.
    fields: Option<Vec<usize>>,
    text: String,
}

impl PartialKey {
    /// A chooser among `targets` tasks, none chosen yet.
    ///
    /// `fields` are the positions of the declared fields among a tuple's values, in the order of
    /// declaration; `None` where the grouping names no fields.
    ///
    /// # Panics
    /// If `targets` is zero or above `i32::MAX`: a grouping without tasks is never compiled.
    pub fn new(targets: usize, fields: Option<Vec<usize>>) -> Self {
        assert!(
            (1..=i32::MAX as usize).contains(&targets),
            "a partial-key grouping has 1 to {} target tasks, not {targets}",
            i32::MAX
        );
        PartialKey { chosen_tuples: vec![0; targets], fields, text: String::new() }
    }

    /// The index of the target for a tuple with these values, and counts it; none for a tuple
    /// without values, which as in Storm goes nowhere.
    ///
    /// # Panics
    /// If a declared field's position is outside `values`; or if there are no declared fields and
    /// the first value is null, where Storm throws a `NullPointerException`.
    pub fn choose(&mut self, values: &[Value]) -> Option<usize> {
        if values.is_empty() {
            return None;
        }
        let [first, second] = candidates(self.key_hash(values), self.chosen_tuples.len());
        let chosen =
            if self.chosen_tuples[second] < self.chosen_tuples[first] { second } else { first };
        self.chosen_tuples[chosen] += 1;
        Some(chosen)
    }

    /// `Arrays.hashCode` of the key's bytes.
    fn key_hash(&mut self, values: &[Value]) -> i32 {
        if let Some(fields) = &self.fields {
            return fields_hash(values, fields);
        }
        match values.first().map(Value::view) {
            None => unreachable!("a tuple without values was sent nowhere"),
            Some(ValueRef::Null) => panic!(
                "a partial-key grouping without fields cannot choose by the text of null: name the \
                 fields to group by"
            ),
            Some(ValueRef::Str(text)) => java::bytes_hash(text.as_bytes()),
            Some(_) => {
                self.text.clear();
                java::java_text(&values[0], &mut self.text);
                java::bytes_hash(self.text.as_bytes())
            }
        }
    }
}

/// The hash of the declared fields' hashes, four big-endian bytes each.
fn fields_hash(values: &[Value], fields: &[usize]) -> i32 {
    fields.iter().fold(1, |hash, &position| {
        let bytes = java::java_hash(&values[position]).to_be_bytes();
        bytes.iter().fold(hash, |hash: i32, byte| {
            hash.wrapping_mul(31).wrapping_add(i32::from(byte.cast_signed()))
        })
    })
}

/// The two candidates of a key, different from each other unless there is one target only.
fn candidates(key_hash: i32, targets: usize) -> [usize; 2] {
    let mut random = JavaRandom::new(i64::from(key_hash));
    let first = random.below(targets as i32) as usize;
    let second = random.below(targets as i32) as usize;
    if first == second { [first, (second + 1) % targets] } else { [first, second] }
}

/// `java.util.Random`, as far as it is needed: 48 bits of state.
struct JavaRandom {
    state: u64,
}

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_deec_e66d;
    const MASK: u64 = (1 << 48) - 1;

    fn new(seed: i64) -> Self {
        JavaRandom { state: (seed as u64 ^ Self::MULTIPLIER) & Self::MASK }
    }

    /// The next 31 bits.
    fn next(&mut self) -> i32 {
        self.state = self.state.wrapping_mul(Self::MULTIPLIER).wrapping_add(0xb) & Self::MASK;
        (self.state >> 17) as i32
    }

    /// `nextInt(bound)`: uniform in 0..`bound`, which is positive.
    fn below(&mut self, bound: i32) -> i32 {
        let mut bits = self.next();
        if bound & (bound - 1) == 0 {
            return ((i64::from(bound) * i64::from(bits)) >> 31) as i32;
        }
        // Bits from the last, incomplete round of `bound` would favour small results; Java sees
        // them by the overflow of its int.
        loop {
            let result = bits % bound;
            if bits.wrapping_sub(result).wrapping_add(bound - 1) >= 0 {
                return result;
            }
            bits = self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_random(seed: i32, expected: [[i32; 2]; 6]) {
        // What `new Random(seed)` gave twice for each bound on OpenJDK 17.0.15.
        for (bound, expected) in [1, 2, 3, 10, 1000, 1_500_000_000].into_iter().zip(expected) {
            let mut random = JavaRandom::new(seed.into());
            let drawn = [random.below(bound), random.below(bound)];
            assert_eq!(drawn, expected, "seed {seed}, bound {bound}");
        }
    }

    #[test]
    fn random_numbers_are_those_of_java_util_random() {
        check_random(0, [[0, 0], [1, 1], [0, 1], [0, 8], [360, 948], [516_548_029, 1_302_116_447]]);
        check_random(-1, [[0, 0], [0, 0], [2, 2], [3, 5], [913, 225], [577_549_913, 943_952_225]]);
        check_random(
            i32::MIN,
            [[0, 0], [0, 0], [2, 2], [2, 8], [992, 668], [815_634_992, 781_248_668]],
        );
    }

    #[test]
    fn a_repeated_key_alternates_between_its_candidates_from_the_first_one() {
        let key = [Value::from("storm")];
        let mut chooser = PartialKey::new(10, None);
        let [first, second] = candidates(java::bytes_hash(b"storm"), 10);
        let chosen: Vec<_> = (0..5).filter_map(|_| chooser.choose(&key)).collect();
        assert_eq!(chosen, [first, second, first, second, first]);
    }

    #[test]
    fn a_single_target_gets_everything() {
        let mut chooser = PartialKey::new(1, None);
        for key in ["a".into(), Value::from(3)] {
            assert_eq!(chooser.choose(&[key]), Some(0));
        }
    }

    #[test]
    fn a_key_without_fields_is_the_text_of_the_first_value() {
        let mut chooser = PartialKey::new(4, None);
        let mut hash = |values: &[Value]| chooser.key_hash(values);
        assert_eq!(hash(&[42_i64.into(), "x".into()]), java::bytes_hash(b"42"));
        assert_eq!(hash(&["ä".into()]), java::bytes_hash("ä".as_bytes()));
        assert_eq!(hash(&[1.5.into()]), java::bytes_hash(b"1.5"));
    }

    #[test]
    fn a_tuple_without_values_goes_nowhere_and_is_not_counted() {
        let mut chooser = PartialKey::new(4, None);
        assert_eq!(chooser.choose(&[]), None);
        assert_eq!(chooser.chosen_tuples, [0; 4]);
    }

    #[test]
    #[should_panic(expected = "cannot choose by the text of null")]
    fn a_null_key_without_fields_is_refused() {
        PartialKey::new(4, None).choose(&[Value::null()]);
    }

    #[test]
    fn a_key_of_fields_is_their_hashes_in_big_endian_bytes() {
        let mut chooser = PartialKey::new(4, Some(vec![2, 0]));
        let values = [Value::from(-2_i32), "unused".into(), Value::null()];
        assert_eq!(chooser.key_hash(&values), java::bytes_hash(&[0, 0, 0, 0, 255, 255, 255, 254]));
    }

    #[test]
    #[should_panic(expected = "1 to 2147483647 target tasks, not 0")]
    fn a_grouping_without_targets_is_refused() {
        PartialKey::new(0, None);
    }

    proptest! {
        #[test]
        fn candidates_are_two_different_targets(key_hash: i32, targets in 2_usize..50) {
            let [first, second] = candidates(key_hash, targets);
            prop_assert!(first < targets && second < targets && first != second);
        }

        #[test]
        fn the_candidate_chosen_less_often_is_chosen(
            keys in prop::collection::vec(0_i64..20, 0..200),
            targets in 1_usize..8,
        ) {
            let mut chooser = PartialKey::new(targets, None);
            let mut counts = vec![0; targets];
            for key in keys {
                let [first, second] =
                    candidates(java::bytes_hash(key.to_string().as_bytes()), targets);
                let expected = if counts[first] <= counts[second] { first } else { second };
                counts[expected] += 1;
                prop_assert_eq!(chooser.choose(&[key.into()]), Some(expected));
            }
        }
    }
}
