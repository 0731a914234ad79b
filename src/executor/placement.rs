//! Executors → threads, pure.
//!
//! Shared executors are cut, in flow order, into as many runs of equal length as there are threads,
//! so that a tuple crosses threads as seldom as possible. Ackers sit with the first spout that they
//! serve. An executor that asks for a thread of its own, or of its group's, gets one beside those.

use std::collections::BTreeMap;

/// The thread that an executor asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// One of the worker's threads.
    Shared,
    /// A thread of its own.
    Own,
    /// The thread of all executors of the group.
    Group(String),
    /// The thread of the executor at this position in the list.
    With(usize),
}

/// The thread of each executor, given their wishes in flow order and the number of shared threads.
///
/// Threads are numbered from 0 without gaps: first the shared ones that got an executor, then
/// groups by name, then executors with threads of their own.
pub(crate) fn place(wishes: &[Wish], threads: usize) -> Vec<usize> {
    let shared = wishes.iter().filter(|wish| **wish == Wish::Shared).count();
    let shared_threads = threads.clamp(1, shared.max(1));
    let mut next = if shared == 0 { 0 } else { shared_threads };
    let mut groups = BTreeMap::new();
    for wish in wishes {
        if let Wish::Group(name) = wish {
            groups.entry(name).or_insert(0);
        }
    }
    for thread in groups.values_mut() {
        *thread = next;
        next += 1;
    }
    let mut placed = Vec::with_capacity(wishes.len());
    let mut passed = 0;
    for wish in wishes {
        placed.push(match wish {
            Wish::Shared => {
                passed += 1;
                (passed - 1) * shared_threads / shared
            }
            Wish::Group(name) => groups[name],
            Wish::Own => {
                next += 1;
                next - 1
            }
            Wish::With(_) => usize::MAX,
        });
    }
    for (position, wish) in wishes.iter().enumerate() {
        if let Wish::With(other) = wish {
            placed[position] = placed[*other];
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wishes: &[Wish], threads: usize, expected: &[usize]) {
        assert_eq!(place(wishes, threads), expected);
    }

    #[test]
    fn shared_executors_are_cut_in_flow_order() {
        let five = [const { Wish::Shared }; 5];
        check(&five, 2, &[0, 0, 0, 1, 1]);
        check(&five, 1, &[0; 5]);
        check(&five[..2], 8, &[0, 1]);
    }

    #[test]
    fn own_threads_and_groups_come_beside_the_shared_ones() {
        let group = || Wish::Group("io".into());
        check(&[Wish::Shared, Wish::Own, Wish::Shared, Wish::Own], 2, &[0, 2, 1, 3]);
        check(&[group(), Wish::Shared, group(), Wish::Own], 1, &[1, 0, 1, 2]);
        check(&[Wish::Own, Wish::Own], 2, &[0, 1]);
    }

    #[test]
    fn an_acker_sits_with_its_spout() {
        check(&[Wish::Shared, Wish::Shared, Wish::With(0)], 2, &[0, 1, 0]);
        check(&[Wish::Own, Wish::Shared, Wish::With(0)], 2, &[1, 0, 1]);
    }
}
