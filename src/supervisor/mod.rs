//! A supervisor: owns slots, and keeps the worker in each of them running.
//!
//! What a slot does is decided by a pure state machine, [`slot`].
//!
//! **Not here:** which topology gets a slot (`scheduler`).

pub mod slot;
