//! Nimbus: takes topologies in, gives them slots, watches them and ends them.
//!
//! ```text
//!  clients ─┐                          ┌── core: state, one lock for decisions
//!  workers ─┼─▶ server ─▶ service ─────┤     submit, transition, schedule, cleanup
//!  supervisors                         └── views: what readers see (never waits for decisions)
//!                driver thread: timers, rounds, cleanup         push: assignments to supervisors
//! ```
//!
//! What it decides is pure: the life cycle of a topology ([`lifecycle`]), what a rebalance changes
//! ([`rebalance`]), what is wrong with a submission (`validate`), tasks and executors (`plan`); slots
//! are given by [`scheduler`](crate::scheduler).
//!
//! **Invariants.** Everything that matters is in the shared state or in the blob store before a call
//! is answered, so that a Nimbus that is killed and started again goes on where it was.
//!
//! **Not here:** what a supervisor does with an assignment (`supervisor`).

pub mod base;
mod binary;
pub mod lifecycle;
pub mod rebalance;
pub mod record;
pub mod settings;

mod beats;
mod blobs;
mod cleanup;
mod core;
mod counts;
mod driver;
mod error;
mod executors;
mod histograms;
mod history;
mod logs;
mod metrics;
mod plan;
mod push;
mod recover;
mod reports;
mod schedule;
mod service;
mod shared;
mod start;
mod submit;
mod sums;
mod supervisors;
mod topologies;
mod transition;
mod validate;
mod views;

pub use error::NimbusError;
pub use start::{Nimbus, NimbusHandle, StartError};
