//! Bytes of somebody who means harm, through every decoder: an error or a value, never a panic, and
//! never much more memory than there are bytes.
//!
//! Stands in a binary of its own because it counts allocations.

#[path = "../../../tests/support/base64.rs"]
mod base64;
#[path = "../../../tests/support/fixtures.rs"]
mod fixtures;
#[path = "../../../tests/support/live_bytes.rs"]
mod live_bytes;
#[path = "../../../tests/support/random.rs"]
mod random;

mod chosen;
mod decoders;
mod dream;
mod mutated;
