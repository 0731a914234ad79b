//! Spouts and bolts whose children are real processes, written in Python or as shell scripts.

mod bolts;
mod children;
#[path = "../support/components.rs"]
#[allow(clippy::duplicate_mod)]
mod components;
mod faults;
mod replay;
mod spouts;
