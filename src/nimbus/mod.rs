//! Nimbus: takes topologies in, gives them slots, watches them and ends them.
//!
//! What it decides is pure: the life cycle of a topology ([`lifecycle`]) and what a rebalance changes
//! ([`rebalance`]); slots are given by [`scheduler`](crate::scheduler).
//!
//! **Not here:** what a supervisor does with an assignment (`supervisor`).

pub mod base;
pub mod lifecycle;
pub mod rebalance;
pub mod record;
