//! Identifiers as newtypes, so that a task is never taken for an executor or a root for an edge.
//!
//! **Invariants.** Task ids start at 1 and fit the signed 16 bits that Storm's wire gives them. A
//! [`RootId`] carries where its tree is kept: which spout task emitted it and in which slot of that
//! task's pending table, so neither acker nor spout ever hashes it.
//!
//! **Not here:** names and ids of whole topologies, which are the `nimbus-client` package's.

use std::cmp::Ordering;
use std::fmt;

use smol_str::SmolStr;

/// Name of a component, unique in its topology.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId(SmolStr);

/// Name of one of a component's output streams.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(SmolStr);

/// A supervisor, by the id it gave itself. Storm's wire calls it a node.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SupervisorId(SmolStr);

/// The stream that `emit` uses when none is named.
pub const DEFAULT_STREAM: &str = "default";

macro_rules! name {
    ($type:ident) => {
        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                Self(SmolStr::new(name))
            }
        }

        impl From<String> for $type {
            fn from(name: String) -> Self {
                Self(SmolStr::from(name))
            }
        }

        impl From<&$type> for $type {
            fn from(name: &$type) -> Self {
                name.clone()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{:?}", self.0)
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

macro_rules! may_be_reserved {
    ($type:ident) => {
        impl $type {
            /// Whether Storm or this runtime owns the name: it begins with `__` or `$`.
            pub fn is_reserved(&self) -> bool {
                self.0.starts_with("__") || self.0.starts_with('$')
            }
        }
    };
}

name!(ComponentId);
name!(StreamId);
name!(SupervisorId);
may_be_reserved!(ComponentId);
may_be_reserved!(StreamId);

impl Default for StreamId {
    fn default() -> Self {
        DEFAULT_STREAM.into()
    }
}

/// The order in which Java sorts names: by units of UTF-16. Task numbers follow it.
pub(crate) fn java_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// One instance of a component: 1 to [`TaskId::MAX`], given in the order of component names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub u16);

impl TaskId {
    /// The largest task id; the frames between workers carry a signed 16-bit number.
    pub const MAX: u16 = i16::MAX as u16;
    /// Stands where a tuple has no task of its own yet.
    pub(crate) const NONE: TaskId = TaskId(u16::MAX);
}

impl fmt::Display for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "task {}", self.0)
    }
}

/// The unit of scheduling: it runs the tasks `first_task..=last_task` of one component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ExecutorId {
    /// Lowest task of the executor.
    pub first_task: TaskId,
    /// Highest task of the executor, the first one itself where there is one task.
    pub last_task: TaskId,
}

impl ExecutorId {
    /// All tasks of this executor, ascending.
    pub fn tasks(self) -> impl ExactSizeIterator<Item = TaskId> {
        let count = self.last_task.0 - self.first_task.0 + 1;
        (0..count).map(move |offset| TaskId(self.first_task.0 + offset))
    }
}

impl fmt::Display for ExecutorId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "[{}-{}]", self.first_task, self.last_task)
    }
}

/// One tuple tree, named by its spout tuple.
///
/// ```text
///  63          48 47              24 23            3 2     0
/// +--------------+------------------+---------------+-------+
/// |  spout task  |    generation    |     slot      | flags |
/// +--------------+------------------+---------------+-------+
/// ```
///
/// `slot` is the place in the spout task's pending table, `generation` counts how often that place
/// was used before, so that a late ack cannot touch its successor. The flags are zero in an id; a
/// message to an acker sets them (see `acker`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RootId(pub(crate) u64);

impl RootId {
    /// Bits that a message may set beside the id.
    pub(crate) const FLAGS: u64 = 0b111;
    /// Where the spout task begins.
    pub(crate) const TASK_SHIFT: u32 = 48;
    /// Most trees that one spout task can have pending at once: about 2 million.
    pub const MAX_PENDING: usize = 1 << 21;
    /// Generations before a slot's number repeats.
    pub(crate) const GENERATIONS: u32 = 1 << 24;

    /// Packs the three parts; `generation` is taken modulo [`Self::GENERATIONS`].
    #[inline]
    pub(crate) fn new(spout_task: TaskId, generation: u32, slot: u32) -> Self {
        debug_assert!((slot as usize) < Self::MAX_PENDING);
        let generation = u64::from(generation % Self::GENERATIONS);
        Self(u64::from(spout_task.0) << Self::TASK_SHIFT | generation << 24 | u64::from(slot) << 3)
    }

    /// The id of a word that may carry flags.
    #[inline]
    pub(crate) fn of(word: u64) -> Self {
        Self(word & !Self::FLAGS)
    }

    /// The spout task whose tree this is.
    #[inline]
    pub fn spout_task(self) -> TaskId {
        TaskId((self.0 >> Self::TASK_SHIFT) as u16)
    }

    #[inline]
    pub(crate) fn generation(self) -> u32 {
        (self.0 >> 24) as u32 % Self::GENERATIONS
    }

    #[inline]
    pub(crate) fn slot(self) -> u32 {
        (self.0 >> 3) as u32 % Self::MAX_PENDING as u32
    }
}

impl fmt::Debug for RootId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "root {:016x}", self.0)
    }
}

/// One delivered copy of an anchored tuple: random and never zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EdgeId(pub(crate) u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_gives_back_its_parts_at_their_limits() {
        let slot = RootId::MAX_PENDING as u32 - 1;
        let root = RootId::new(TaskId(TaskId::MAX), RootId::GENERATIONS - 1, slot);
        assert_eq!(root.spout_task(), TaskId(TaskId::MAX));
        assert_eq!(root.generation(), RootId::GENERATIONS - 1);
        assert_eq!(root.slot(), slot);
        assert_eq!(RootId::of(root.0 | RootId::FLAGS), root);
    }

    #[test]
    fn a_generation_wraps_without_touching_the_task() {
        let root = RootId::new(TaskId(7), RootId::GENERATIONS, 0);
        assert_eq!((root.spout_task(), root.generation()), (TaskId(7), 0));
    }

    #[test]
    fn names_with_two_underscores_or_a_dollar_are_reserved() {
        assert!(ComponentId::from("__acker").is_reserved());
        assert!(StreamId::from("$checkpoint").is_reserved());
        assert!(!ComponentId::from("_mine").is_reserved());
    }
}
