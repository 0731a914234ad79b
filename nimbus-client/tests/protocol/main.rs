//! The protocol as Storm speaks it: what there is, and recorded bytes.

#[path = "../../../tests/support/base64.rs"]
mod base64;
#[path = "../../../tests/support/fixtures.rs"]
mod fixtures;

mod answering;
mod canonical;
mod catalogue;
mod recorded;
mod state;
