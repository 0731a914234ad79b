//! `stormd`: the daemons of a cluster.
//!
//! ```text
//!   stormd local --state DIR     Nimbus, supervisors and the shared state in one process
//!   stormd nimbus                Nimbus alone, over the embedded state or ZooKeeper
//!   stormd supervisor            one supervisor, over ZooKeeper
//!   stormd run --flux FILE       runs a topology in YAML in this process
//!   stormd describe --flux FILE  prints it, or what is submitted of it
//!   stormd worker …              a worker for topologies of built-in components alone
//!   stormd launch -- PROGRAM …   makes a session and becomes a program; supervisors use it
//!   stormd version [--json]
//! ```
//!
//! **Invariants.** Data goes to standard output, everything else to standard error or to log files.
//! Exit code 0 is done, 1 is could not, 2 is wrong arguments. SIGTERM and SIGINT end a daemon
//! gracefully, a second one at once.

mod args;
mod daemon;
mod error;
mod local;
mod nimbus;
mod supervisor;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use storm_runtime::app::App;
use storm_runtime::builtin;
use storm_runtime::worker::{self, WorkerArgs};

use args::{Args, Command, PROGRAM};
use error::Error;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::explain(&error),
    };
    let command = match args.command {
        // As in any topology binary; here there are the built-in components alone.
        Command::Run { .. } | Command::Describe { .. } => {
            return App::new().about("Runs topologies of built-in and shell components.").main();
        }
        command => command,
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads, nobody misses the line.
            let _ = writeln!(io::stderr(), "{PROGRAM}: {error}");
            if let Some(hint) = error.hint() {
                let _ = writeln!(io::stderr(), "\nhint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Run { .. } | Command::Describe { .. } => unreachable!("main plays these parts"),
        Command::Local { state } => local::run(&state),
        Command::Nimbus { daemon } => nimbus::run(&daemon),
        Command::Supervisor { daemon } => supervisor::run(&daemon),
        Command::Worker { args } => {
            let typed = std::iter::once("worker".into()).chain(args);
            let matches = WorkerArgs::command().try_get_matches_from(typed)?;
            // Built-in components are all that is registered here.
            Ok(worker::run(WorkerArgs::from_matches(&matches), &builtin::register())?)
        }
        Command::Launch { program, args } => {
            let source = storm_runtime::process::become_program(&program, &args);
            Err(Error::Launch { program, source })
        }
        Command::Version { json } => {
            let version = env!("CARGO_PKG_VERSION");
            let text = match json {
                true => serde_json::json!({ "version": version }).to_string(),
                false => format!("{PROGRAM} {version}"),
            };
            writeln!(io::stdout(), "{text}").map_err(|source| Error::Output { source })
        }
    }
}
