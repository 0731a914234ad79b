//! Bounded rings between two threads, and the one place where a thread may sleep.
//!
//! **Budget.** One push or pop of a [`ring()`] costs one release store and, once per trip around the
//! ring, a cache miss on the other side's index. Waking a thread that is awake costs one fence and
//! one load, no system call.
//!
//! **Invariants.** This is the only module of the library with `unsafe`. A ring has exactly one
//! producer and one consumer. What was pushed before [`Unparker::wake`] is seen by the woken thread
//! before it sleeps again: no wake-up is lost (a model-checked test of that name).
//!
//! **Not here:** what travels in a ring, and when to sleep.

mod parker;
mod poller;
mod ring;
mod sync;

#[cfg(all(test, loom))]
mod loom_tests;

pub(crate) use parker::{Parker, Unparker, Wanted};
pub(crate) use poller::{Changed, Interest, Poller, Ready};
pub(crate) use ring::{Consumer, Producer, ring};
