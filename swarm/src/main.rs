//! `stormdeploy`: plans and applies Storm clusters, submits topologies, observes and measures them.
//!
//! Data goes to standard output, everything else to standard error. Exit code 0 is done, 1 is could
//! not, 2 is wrong arguments. An error is one line that begins with the program's name; a hint may
//! follow after an empty line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod args;

use args::{Args, Command, PROGRAM};

/// Why the program could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// Whether the reader of our output has gone, which is its good right.
    fn is_closed_pipe(&self) -> bool {
        let Self::Output(error) = self;
        error.kind() == io::ErrorKind::BrokenPipe
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return args::explain(&error),
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{PROGRAM}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Error> {
    let text = match args.command {
        Command::Version => format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION")).into_bytes(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), PROGRAM, &mut script);
            script
        }
    };
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()?;
    Ok(())
}
