//! Runs the inline tests of the `hop` bench, which as a bench without harness has nobody to do it.

#[path = "../benches/hop/main.rs"]
mod hop;
