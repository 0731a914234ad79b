//! What each command does, one file each.

use clap::CommandFactory;
use serde_json::json;

use crate::args::{Args, Completions, PROGRAM};
use crate::error::Error;
use crate::output::Output;
use crate::stormd::VERSION;

mod bench;
mod config;
mod down;
mod logs;
mod monitor;
mod rates;
mod status;
mod submit;
mod topologies;
mod up;

pub use bench::{BenchError, bench};
pub use config::{ConfigError, config};
pub use down::{DownError, down};
pub use logs::{LogsError, logs};
pub use monitor::monitor;
pub use status::status;
pub use submit::{SubmitError, submit};
pub use topologies::{TopologyError, activate, deactivate, debug, errors, kill, list, rebalance};
pub use up::{UpError, up};

/// Prints the program's version.
pub fn version(json: bool) -> Result<(), Error> {
    let output = Output::new(json);
    if json {
        return Ok(output.document(&json!({"name": PROGRAM, "version": VERSION}))?);
    }
    Ok(output.data(&format!("{PROGRAM} {VERSION}\n"))?)
}

/// Prints a completion script.
pub fn completions(wanted: &Completions) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(wanted.shell, &mut Args::command(), PROGRAM, &mut script);
    Ok(Output::new(false).data(&String::from_utf8_lossy(&script))?)
}
