//! What may be typed, and what is said when it is typed wrongly.

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use clap_complete::Shell;

/// Name under which the program speaks.
pub const PROGRAM: &str = "stormdeploy";

/// Exit code for arguments that cannot be understood.
const WRONG_ARGUMENTS: u8 = 2;

/// Plan and apply Storm clusters, submit topologies, observe and measure them.
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    version,
    after_help = "Exit codes: 0 done, 1 could not, 2 wrong arguments."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Command {
    /// Print the program's version.
    Version,
    /// Print a completion script for a shell.
    ///
    /// For bash: stormdeploy completions bash > ~/.local/share/bash-completion/completions/stormdeploy
    Completions {
        /// The shell that reads the script.
        shell: Shell,
    },
}

/// Prints help where it was asked for, else one line about what is wrong.
pub fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to be told when the reader of the help has gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    eprintln!("{PROGRAM}: {}", one_line(error));
    eprintln!("\nhint: {PROGRAM} --help");
    ExitCode::from(WRONG_ARGUMENTS)
}

/// clap's message without its label, its usage and its line breaks.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing".to_owned();
    }
    let rendered = error.render().to_string();
    let message = rendered.split("\n\n").next().unwrap_or_default();
    let message = message.trim_start_matches("error:");
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
