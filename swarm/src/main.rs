//! `stormdeploy`: plans and applies Storm clusters, submits topologies, observes and measures them.
//!
//! Data goes to standard output, everything else to standard error. Exit code 0 is done, 1 is could
//! not, 2 is wrong arguments. An error is one line that begins with the program's name; a hint
//! follows after an empty line.
//!
//! ```text
//! args       what was typed                      session    what it comes to: high arguments
//! command    one file per command                output     data and tables; progress, remarks
//! state      the local cluster's directory       control    talking to its daemon
//! stormd     finding and starting the daemon     process    processes and their ends
//! ```

use std::process::ExitCode;

use clap::Parser;

mod args;
mod clock;
mod command;
mod contexts;
mod control;
mod describe;
mod error;
mod nimbus;
mod output;
mod process;
mod program;
mod progress;
mod session;
mod state;
mod stormd;

use args::{Args, Command, PROGRAM, WRONG_ARGUMENTS};
use error::Error;
use session::{Session, Surroundings};

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
            if let Some(hint) = error.hint() {
                eprintln!("\nhint: {hint}");
            }
            ExitCode::from(if error.is_about_arguments() { WRONG_ARGUMENTS } else { 1 })
        }
    }
}

fn run(args: &Args) -> Result<(), Error> {
    // These two work without a home, a configuration or a cluster.
    match &args.command {
        Command::Version(_) => return command::version(args.global.json),
        Command::Completions(completions) => return command::completions(completions),
        _ => {}
    }
    let session = Session::open(&args.global, Surroundings::look())?;
    match &args.command {
        Command::Up(up) => command::up(session, up),
        Command::Down(down) => command::down(&session, down),
        Command::Status(_) => command::status(&session),
        Command::Submit(submit) => command::submit(&session, submit),
        Command::List(_) => command::list(&session),
        Command::Kill(kill) => command::kill(&session, kill),
        Command::Activate(activate) => command::activate(&session, activate),
        Command::Deactivate(deactivate) => command::deactivate(&session, deactivate),
        Command::Rebalance(rebalance) => command::rebalance(&session, rebalance),
        Command::Debug(debug) => command::debug(&session, debug),
        Command::Monitor(monitor) => command::monitor(&session, monitor),
        Command::Errors(errors) => command::errors(&session, errors),
        Command::Bench(bench) => command::bench(&session, bench),
        Command::Logs(logs) => command::logs(&session, logs),
        Command::Config(config) => command::config(&session, config),
        Command::Version(_) | Command::Completions(_) => unreachable!("they are done"),
    }
}
