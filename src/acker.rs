//! The ledger of tuple trees: one XOR per root, pure.
//!
//! ```text
//!            init or ack, XOR not 0             init seen and XOR 0
//!  (unseen) -----------------------> OPEN ----------------------------> DONE: acked
//!                                     |
//!                                     +------- fail ------------------> DONE: failed
//! ```
//!
//! A spout's *init* brings the XOR of the root's first edges, a bolt's *ack* the XOR of the edge it
//! consumed and of those it made. Messages may arrive in any order and may be combined, because
//! XOR does not care; the flag of an init is carried along, so that a tree whose messages cancel
//! out before the init is not taken for done.
//!
//! **Invariants.** A tree is decided at most once. A message for a decided tree, or for an older
//! use of its slot, changes nothing and is answered [`Outcome::Late`].
//!
//! **Not here:** timeouts. A slot is reused under the next generation when its spout has timed the
//! message out, so nothing here needs to expire.

use crate::id::{RootId, TaskId};
use crate::tuple::Anchor;

/// Flags that a message to an acker, or its answer, carries in the low bits of the root.
pub(crate) mod flag {
    /// The XOR of the first edges is in this message.
    pub const INIT: u64 = 1;
    /// A tuple of the tree failed; in an answer: the tree failed.
    pub const FAIL: u64 = 2;
    /// The tree's timeout starts anew.
    pub const RESET: u64 = 4;
}

/// Trees by spout task and slot.
///
/// # Cost
/// 16 bytes per slot that was ever used; [`AckLedger::apply`] neither hashes nor allocates once the
/// slots are there.
#[derive(Debug, Default)]
pub(crate) struct AckLedger {
    task_to_slots: Vec<Vec<Tree>>,
    first_task: u16,
}

/// One tree: the XOR of its open edges, how far it is, and which use of its slot it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    edges: u64,
    pub generation: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// No init yet.
    Headless,
    Open,
    Done,
}

impl Tree {
    /// No real generation, so the first message always begins one.
    const UNUSED: Tree = Tree { edges: 0, generation: u32::MAX, state: State::Done };

    /// A tree that no message came for yet.
    #[inline]
    pub fn new(generation: u32) -> Self {
        Self { edges: 0, generation, state: State::Headless }
    }

    /// A tree whose first and only edge is made.
    #[inline]
    pub fn with_edge(generation: u32, edge: u64) -> Self {
        Self { edges: edge, generation, state: State::Open }
    }

    /// Whether it is not decided.
    #[inline]
    pub fn is_alive(&self) -> bool {
        self.state != State::Done
    }

    /// Decides it whatever its edges are.
    #[inline]
    pub fn close(&mut self) {
        self.state = State::Done;
    }

    /// Applies a message for this generation: flags, and the XOR of edges.
    #[inline]
    pub fn apply(&mut self, message: Anchor) -> Outcome {
        if self.state == State::Done {
            return Outcome::Late;
        }
        self.edges ^= message.edge;
        if message.root & flag::INIT != 0 {
            self.state = State::Open;
        }
        if message.root & flag::FAIL != 0 {
            self.state = State::Done;
            return Outcome::Failed;
        }
        if self.state == State::Open && self.edges == 0 {
            self.state = State::Done;
            return Outcome::Acked;
        }
        if message.root & flag::RESET != 0 { Outcome::Reset } else { Outcome::Open }
    }
}

/// What a message did to its tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Outcome {
    /// The tree is not decided; nothing to do.
    Open,
    /// The tree is complete: tell its spout.
    Acked,
    /// The tree failed: tell its spout.
    Failed,
    /// The tree lives on and its timeout starts anew: tell its spout.
    Reset,
    /// The tree was decided before, or never was: count it.
    Late,
}

impl AckLedger {
    /// A ledger for the trees of these spout tasks.
    pub fn new(spout_tasks: impl IntoIterator<Item = TaskId> + Clone) -> Self {
        let first_task = spout_tasks.clone().into_iter().map(|task| task.0).min().unwrap_or(0);
        let last_task = spout_tasks.into_iter().map(|task| task.0).max();
        let tasks = last_task.map_or(0, |last| usize::from(last - first_task) + 1);
        Self { task_to_slots: vec![Vec::new(); tasks], first_task }
    }

    /// Applies one message: flags and root in one word, and the XOR of edges.
    #[inline]
    pub fn apply(&mut self, message: Anchor) -> Outcome {
        let root = RootId::of(message.root);
        let Some(tree) = self.tree(root) else { return Outcome::Late };
        let generation = root.generation();
        if tree.generation != generation {
            if tree.generation != u32::MAX && !is_newer(generation, tree.generation) {
                return Outcome::Late;
            }
            *tree = Tree::new(generation);
        }
        tree.apply(message)
    }

    /// Bytes that the slots take.
    #[cfg(test)]
    fn slots(&self) -> usize {
        self.task_to_slots.iter().map(Vec::len).sum()
    }

    #[inline]
    fn tree(&mut self, root: RootId) -> Option<&mut Tree> {
        let task = root.spout_task().0.wrapping_sub(self.first_task);
        let slots = self.task_to_slots.get_mut(usize::from(task))?;
        let slot = root.slot() as usize;
        if slot >= slots.len() {
            grow(slots, slot);
        }
        slots.get_mut(slot)
    }
}

#[cold]
fn grow(slots: &mut Vec<Tree>, slot: usize) {
    let length = (slot + 1).next_power_of_two().clamp(64, RootId::MAX_PENDING);
    slots.resize(length, Tree::UNUSED);
}

/// Whether `candidate` comes after `known`, in a count that wraps.
#[inline]
fn is_newer(candidate: u32, known: u32) -> bool {
    candidate.wrapping_sub(known) % RootId::GENERATIONS < RootId::GENERATIONS / 2
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    const SPOUT: TaskId = TaskId(5);

    fn root(generation: u32, slot: u32) -> u64 {
        RootId::new(SPOUT, generation, slot).0
    }

    #[track_caller]
    fn check(ledger: &mut AckLedger, root: u64, edge: u64, expected: Outcome) {
        assert_eq!(ledger.apply(Anchor { root, edge }), expected);
    }

    #[test]
    fn a_tree_is_done_when_every_edge_came_twice_in_any_order() {
        let mut ledger = AckLedger::new([SPOUT]);
        let root = root(0, 3);
        check(&mut ledger, root, 7, Outcome::Open);
        check(&mut ledger, root, 7 ^ 9, Outcome::Open);
        check(&mut ledger, root | flag::INIT, 9, Outcome::Acked);
        check(&mut ledger, root, 9, Outcome::Late);
    }

    #[test]
    fn messages_that_cancel_out_before_the_init_do_not_complete_a_tree() {
        let mut ledger = AckLedger::new([SPOUT]);
        let root = root(0, 0);
        check(&mut ledger, root, 7, Outcome::Open);
        check(&mut ledger, root, 7, Outcome::Open);
        check(&mut ledger, root | flag::INIT, 5, Outcome::Open);
        check(&mut ledger, root, 5, Outcome::Acked);
    }

    #[test]
    fn a_spout_tuple_without_a_receiver_is_done_at_once() {
        let mut ledger = AckLedger::new([SPOUT]);
        check(&mut ledger, root(0, 0) | flag::INIT, 0, Outcome::Acked);
    }

    #[test]
    fn a_fail_decides_once_even_before_the_init() {
        let mut ledger = AckLedger::new([SPOUT]);
        let root = root(0, 0);
        check(&mut ledger, root | flag::FAIL, 0, Outcome::Failed);
        check(&mut ledger, root | flag::INIT, 4, Outcome::Late);
        check(&mut ledger, root | flag::FAIL, 0, Outcome::Late);
    }

    #[test]
    fn the_next_use_of_a_slot_starts_afresh_and_the_old_one_is_late() {
        let mut ledger = AckLedger::new([SPOUT]);
        check(&mut ledger, root(0, 1) | flag::INIT, 3, Outcome::Open);
        check(&mut ledger, root(1, 1) | flag::INIT, 8, Outcome::Open);
        check(&mut ledger, root(0, 1), 3, Outcome::Late);
        check(&mut ledger, root(1, 1), 8, Outcome::Acked);
        let last = RootId::GENERATIONS - 1;
        let mut ledger = AckLedger::new([SPOUT]);
        check(&mut ledger, root(last, 1) | flag::INIT, 3, Outcome::Open);
        check(&mut ledger, root(0, 1) | flag::INIT, 8, Outcome::Open);
        check(&mut ledger, root(last, 1), 3, Outcome::Late);
    }

    #[test]
    fn a_reset_passes_on_while_the_tree_is_open() {
        let mut ledger = AckLedger::new([SPOUT]);
        let root = root(0, 0);
        check(&mut ledger, root | flag::INIT, 6, Outcome::Open);
        check(&mut ledger, root | flag::RESET, 0, Outcome::Reset);
        check(&mut ledger, root, 6, Outcome::Acked);
        check(&mut ledger, root | flag::RESET, 0, Outcome::Late);
    }

    #[test]
    fn a_root_of_no_spout_is_late_and_takes_no_memory() {
        let mut ledger = AckLedger::new([SPOUT]);
        let stranger = RootId::new(TaskId(9), 0, RootId::MAX_PENDING as u32 - 1).0;
        check(&mut ledger, stranger | flag::INIT, 1, Outcome::Late);
        assert_eq!(ledger.slots(), 0);
    }

    /// A tree as a list of messages: a few initial edges, then each edge is consumed and makes
    /// children, until none is left or a message fails.
    fn tree() -> impl Strategy<Value = Vec<(u64, u64)>> {
        (1..4usize, prop::collection::vec(0..3usize, 0..12), any::<u64>(), any::<Option<u8>>())
            .prop_map(|(width, children, seed, failing)| {
                let mut edge = seed | 1;
                let mut next = || {
                    edge = edge.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    edge | 1
                };
                let mut open: Vec<u64> = (0..width).map(|_| next()).collect();
                let mut messages = vec![(flag::INIT, open.iter().fold(0, |all, edge| all ^ edge))];
                let mut children = children.into_iter();
                while let Some(edge) = open.pop() {
                    let made: Vec<u64> =
                        (0..children.next().unwrap_or(0)).map(|_| next()).collect();
                    messages.push((0, made.iter().fold(edge, |all, child| all ^ child)));
                    open.extend(made);
                }
                if let Some(position) = failing.filter(|position| position % 4 == 0) {
                    let position = usize::from(position) % messages.len();
                    messages[position] = (flag::FAIL, 0);
                }
                messages
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The model sees all messages of a tree at once; the ledger sees those of many trees,
        /// shuffled.
        #[test]
        fn every_tree_is_decided_exactly_once_as_the_model_says(
            trees in prop::collection::vec(tree(), 1..8),
            order in any::<u64>(),
        ) {
            let mut messages: Vec<(usize, u64, u64)> = trees
                .iter()
                .enumerate()
                .flat_map(|(slot, tree)| tree.iter().map(move |&(flags, edge)| (slot, flags, edge)))
                .collect();
            let mut state = order | 1;
            for last in (1..messages.len()).rev() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                messages.swap(last, (state >> 33) as usize % (last + 1));
            }
            let mut ledger = AckLedger::new([SPOUT]);
            let mut decided: HashMap<usize, Vec<Outcome>> = HashMap::new();
            for (slot, flags, edge) in messages {
                let outcome = ledger.apply(Anchor { root: root(0, slot as u32) | flags, edge });
                if matches!(outcome, Outcome::Acked | Outcome::Failed) {
                    decided.entry(slot).or_default().push(outcome);
                }
            }
            for (slot, tree) in trees.iter().enumerate() {
                let failed = tree.iter().any(|(flags, _)| flags & flag::FAIL != 0);
                let expected = if failed { Outcome::Failed } else { Outcome::Acked };
                prop_assert_eq!(decided.get(&slot), Some(&vec![expected]));
            }
        }
    }
}
