//! `topologies`: word count and Storm's measuring topologies, as one program.
//!
//! Each topology is one file of the library, written to be read from top to bottom.

use std::process::ExitCode;

fn main() -> ExitCode {
    topologies::app().main()
}
