//! Packing and submitting topologies.

#[path = "../client/script.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod script;

mod archives;
mod binaries;
mod descriptions;
mod submissions;
