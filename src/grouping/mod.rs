//! A grouping compiled against its target tasks.
//!
//! **Budget.** Choosing a task costs a counter for shuffle and a hash of the chosen values for
//! fields; neither allocates.
//!
//! **Invariants.** Targets are numbered along their sorted task ids. Fields and partial-key
//! grouping choose the task that Apache Storm would choose (recorded rows prove it).
//!
//! **Runs on** the emitting executor's thread; never shared.

pub mod java;
pub mod partial_key;

use std::fmt;

use crate::topology::{CustomGrouping, Grouping};
use crate::tuple::{Fields, StreamSchema, Value};
use partial_key::PartialKey;

/// A grouping that knows how many targets there are and which of them are in this worker.
pub(crate) struct Grouper(Rule);

enum Rule {
    Sole,
    All,
    Direct,
    RoundRobin { next: usize, count: usize },
    RoundRobinAmong { next: usize, among: Vec<usize> },
    OneField { position: usize, count: usize },
    Fields { positions: Vec<usize>, count: usize },
    PartialKey(PartialKey),
    Custom { grouping: Box<dyn CustomGrouping>, count: usize, chosen: Vec<usize> },
}

/// Which targets get a tuple.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice<'a> {
    One(usize),
    Some(&'a [usize]),
    All,
    /// Nobody unless the emitter names the task.
    Nobody,
}

impl Grouper {
    /// Compiles `grouping` of `stream` for `count` targets, of which `local` are in this worker.
    ///
    /// `seed` only sets with which target a shuffle begins.
    pub fn new(
        grouping: &Grouping,
        stream: &StreamSchema,
        count: usize,
        local: &[usize],
        seed: u64,
    ) -> Self {
        Self(match grouping {
            Grouping::Direct => Rule::Direct,
            Grouping::Custom(factory) => {
                let mut grouping = factory.make();
                grouping.prepare(stream, count);
                Rule::Custom { grouping, count, chosen: Vec::new() }
            }
            Grouping::All if count != 1 => Rule::All,
            _ if count == 1 => Rule::Sole,
            Grouping::All => Rule::All,
            Grouping::Global => Rule::Sole,
            Grouping::LocalOrShuffle if !local.is_empty() => {
                Rule::RoundRobinAmong { next: seed as usize % local.len(), among: local.to_vec() }
            }
            Grouping::Shuffle | Grouping::None | Grouping::LocalOrShuffle => {
                Rule::RoundRobin { next: seed as usize % count.max(1), count }
            }
            Grouping::Fields(fields) => match &*positions(fields, stream) {
                [position] => Rule::OneField { position: *position, count },
                positions => Rule::Fields { positions: positions.to_vec(), count },
            },
            Grouping::PartialKey(fields) => {
                Rule::PartialKey(PartialKey::new(count, Some(positions(fields, stream))))
            }
        })
    }

    /// Whether every tuple goes to target 0 and nowhere else.
    pub fn is_sole(&self) -> bool {
        matches!(self.0, Rule::Sole)
    }

    /// Whether every tuple goes to exactly one target, which [`Grouper::choose_one`] answers.
    pub fn is_single(&self) -> bool {
        !matches!(self.0, Rule::All | Rule::Direct | Rule::Custom { .. })
    }

    /// The one target of a tuple with these values, where [`Grouper::is_single`].
    #[inline]
    pub fn choose_one(&mut self, values: &[Value]) -> usize {
        match &mut self.0 {
            Rule::RoundRobin { next, count } => advance(next, *count),
            Rule::OneField { position, count } => one_field(values, *position, *count),
            _ => match self.choose(values) {
                Choice::One(target) => target,
                _ => unreachable!("the grouping chooses one target"),
            },
        }
    }

    /// Chooses the targets of a tuple with these values.
    #[inline]
    pub fn choose(&mut self, values: &[Value]) -> Choice<'_> {
        match &mut self.0 {
            Rule::Sole => Choice::One(0),
            Rule::All => Choice::All,
            Rule::Direct => Choice::Nobody,
            Rule::RoundRobin { next, count } => Choice::One(advance(next, *count)),
            Rule::RoundRobinAmong { next, among } => Choice::One(among[advance(next, among.len())]),
            Rule::OneField { position, count } => Choice::One(one_field(values, *position, *count)),
            Rule::Fields { positions, count } => {
                Choice::One(java::choose_task_index(java::hash_values(values, positions), *count))
            }
            Rule::PartialKey(chooser) => chooser.choose(values).map_or(Choice::Nobody, Choice::One),
            Rule::Custom { grouping, count, chosen } => {
                chosen.clear();
                grouping.choose(values, chosen);
                chosen.retain(|target| target < count);
                Choice::Some(chosen)
            }
        }
    }
}

#[inline]
fn one_field(values: &[Value], position: usize, count: usize) -> usize {
    let hash = java::hash_values(values, std::slice::from_ref(&position));
    java::choose_task_index(hash, count)
}

#[inline]
fn advance(next: &mut usize, count: usize) -> usize {
    let chosen = *next;
    *next = if chosen + 1 == count { 0 } else { chosen + 1 };
    chosen
}

fn positions(fields: &Fields, stream: &StreamSchema) -> Vec<usize> {
    let known = |field| stream.fields.position(field).expect("validation found every field");
    fields.iter().map(known).collect()
}

impl fmt::Debug for Grouper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Rule::Sole => "sole",
            Rule::All => "all",
            Rule::Direct => "direct",
            Rule::RoundRobin { .. } => "round robin",
            Rule::RoundRobinAmong { .. } => "local round robin",
            Rule::OneField { .. } | Rule::Fields { .. } => "fields",
            Rule::PartialKey(_) => "partial key",
            Rule::Custom { .. } => "custom",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{CustomFactory, IntoGrouping};

    fn stream() -> StreamSchema {
        StreamSchema {
            component: "a".into(),
            stream: "default".into(),
            fields: Fields::from(["word", "n"]),
            direct: false,
        }
    }

    fn choices(grouping: &Grouping, count: usize, local: &[usize], words: &[&str]) -> Vec<usize> {
        let mut grouper = Grouper::new(grouping, &stream(), count, local, 1);
        words
            .iter()
            .flat_map(|word| match grouper.choose(&[Value::from(*word), Value::from(1)]) {
                Choice::One(target) => vec![target],
                Choice::Some(targets) => targets.to_vec(),
                Choice::All => (0..count).collect(),
                Choice::Nobody => vec![],
            })
            .collect()
    }

    #[track_caller]
    fn check(grouping: Grouping, count: usize, local: &[usize], expected: &[usize]) {
        assert_eq!(choices(&grouping, count, local, &["a", "b", "a", "b"]), expected);
    }

    #[test]
    fn each_grouping_chooses_its_targets() {
        check(Grouping::Shuffle, 3, &[], &[1, 2, 0, 1]);
        check(Grouping::None, 2, &[], &[1, 0, 1, 0]);
        check(Grouping::LocalOrShuffle, 5, &[2, 4], &[4, 2, 4, 2]);
        check(Grouping::LocalOrShuffle, 2, &[], &[1, 0, 1, 0]);
        check(Grouping::Global, 3, &[], &[0, 0, 0, 0]);
        check(Grouping::All, 2, &[], &[0, 1, 0, 1, 0, 1, 0, 1]);
        check(Grouping::All, 1, &[], &[0, 0, 0, 0]);
        check(Grouping::Direct, 3, &[], &[]);
        check(Grouping::Fields(["word"].into()), 1, &[], &[0, 0, 0, 0]);
    }

    #[test]
    fn equal_keys_meet_in_one_task_whatever_else_the_tuple_holds() {
        let words = ["x", "y", "x", "z", "y"];
        let chosen = choices(&Grouping::Fields(["word"].into()), 7, &[], &words);
        assert_eq!(chosen[0], chosen[2]);
        assert_eq!(chosen[1], chosen[4]);
    }

    struct Odd;

    impl CustomGrouping for Odd {
        fn choose(&mut self, _values: &[Value], chosen: &mut Vec<usize>) {
            chosen.extend([1, 3, 99]);
        }
    }

    #[test]
    fn a_custom_grouping_cannot_choose_a_target_that_is_not_there() {
        let factory = CustomFactory((|| Odd).into_grouping());
        assert_eq!(choices(&Grouping::Custom(factory), 4, &[], &["a"]), [1, 3]);
    }
}
