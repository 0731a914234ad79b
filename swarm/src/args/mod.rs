//! What may be typed: the low arguments, of which [`Session`](crate::session::Session) makes high
//! ones; and what is said when something is typed wrongly.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use nimbus_client::client::Address;

use crate::clock::parse_span;

mod bench;
mod cluster;
mod topology;

pub use bench::{Bench, Latency, TcpLoad, What};
pub use cluster::{Completions, Config, Down, Logs, Status, Up, Version};
pub use topology::{
    Activate, Deactivate, Debug, Errors, Flux, Kill, List, Monitor, Rebalance, Submit,
};

/// Name under which the program speaks.
pub const PROGRAM: &str = "stormdeploy";

/// Exit code for arguments that cannot be understood.
pub const WRONG_ARGUMENTS: u8 = 2;

const COMMON: &str = "Common options";

/// Plan and apply Storm clusters, submit topologies, observe and measure them.
#[derive(Debug, Parser)]
#[command(
    name = PROGRAM,
    version,
    arg_required_else_help = false,
    subcommand_required = true,
    after_help = "\
Example:
  stormdeploy up --supervisors 3
  stormdeploy submit target/release/topologies -- word-count
  stormdeploy monitor word-count
  stormdeploy down

Exit codes: 0 done, 1 could not, 2 wrong arguments."
)]
pub struct Args {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Address of Nimbus; otherwise the context, the configuration or the local cluster tells it.
    #[arg(long, global = true, value_name = "HOST:PORT", help_heading = COMMON)]
    pub nimbus: Option<Address>,
    /// Named address of Nimbus, from the file of contexts.
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "nimbus", help_heading = COMMON)]
    pub context: Option<String>,
    /// File of contexts [default: ~/.config/stormdeploy/contexts.yaml].
    #[arg(long, global = true, value_name = "FILE", env = "STORMDEPLOY_CONTEXTS", hide_env_values = true, help_heading = COMMON)]
    pub contexts: Option<PathBuf>,
    /// Kind of cluster to work on.
    #[arg(long, global = true, value_enum, help_heading = COMMON)]
    pub target: Option<Target>,
    /// State directory of the local cluster [default: ~/.local/state/stormdeploy].
    #[arg(long, global = true, value_name = "DIR", env = "STORMDEPLOY_STATE", hide_env_values = true, help_heading = COMMON)]
    pub state: Option<PathBuf>,
    /// Further file of configuration, over storm.yaml.
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON)]
    pub config: Option<PathBuf>,
    /// Folder of storm.yaml [default: ~/.storm].
    #[arg(long, global = true, value_name = "DIR", env = "STORM_CONF_DIR", hide_env_values = true, help_heading = COMMON)]
    pub conf_dir: Option<PathBuf>,
    /// Sets a key of the configuration; may be repeated.
    #[arg(short = 'c', global = true, value_name = "KEY=VALUE", help_heading = COMMON)]
    pub set: Vec<String>,
    /// Print data as JSON.
    #[arg(long, global = true, help_heading = COMMON)]
    pub json: bool,
    /// Give up after this time, such as 30s or 2m.
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_span, help_heading = COMMON)]
    pub timeout: Option<Duration>,
}

/// Where a cluster runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// On this machine, as one background process and its workers.
    Local,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    Up(Up),
    Down(Down),
    Status(Status),
    Submit(Submit),
    List(List),
    Kill(Kill),
    Activate(Activate),
    Deactivate(Deactivate),
    Rebalance(Rebalance),
    Debug(Debug),
    Logs(Logs),
    Monitor(Monitor),
    Errors(Errors),
    Bench(Bench),
    Config(Config),
    Version(Version),
    Completions(Completions),
}

/// Prints help where it was asked for, else one line about what is wrong.
pub fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to be told when the reader of the help has gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    eprintln!("{PROGRAM}: {}", one_line(error));
    eprintln!("\nhint: {}", hint(error));
    ExitCode::from(WRONG_ARGUMENTS)
}

/// clap's message without its label, its usage and its line breaks.
fn one_line(error: &clap::Error) -> String {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        return "a command is missing".to_owned();
    }
    let rendered = error.render().to_string();
    let message = rendered.split("\n\n").next().unwrap_or_default();
    let message = message.trim_start_matches("error:");
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The name that was probably meant, else the help of the command.
fn hint(error: &clap::Error) -> String {
    for kind in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
        match error.get(kind) {
            Some(ContextValue::String(meant)) => return format!("did you mean {meant}?"),
            Some(ContextValue::Strings(meant)) if !meant.is_empty() => {
                return format!("did you mean {}?", meant[0]);
            }
            _ => {}
        }
    }
    let typed = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let command = Args::command();
    let known = typed.filter(|word| command.find_subcommand(word).is_some());
    match known {
        Some(name) => format!("{PROGRAM} {name} --help"),
        None => format!("{PROGRAM} --help"),
    }
}
