//! Arguments of the commands that work on a cluster or on this program.

use std::time::Duration;

use clap::Args;
use clap_complete::Shell;

use crate::clock::parse_span;

/// Start a local cluster, or change one that runs; safe to repeat.
///
/// Starts one background process with Nimbus and the supervisors, and waits until all of them are
/// ready. A cluster that runs already is scaled to the number of supervisors; one whose background
/// process was killed is started again and adopts the workers that still run.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy up --supervisors 3
  stormdeploy up --supervisors 5     adds two
  stormdeploy up --state ./cluster --nimbus-port 7627 --supervisor-port 7628 --slot-port 7700")]
pub struct Up {
    /// Number of supervisors [default: as before, at first 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub supervisors: Option<u16>,
    /// Slots of each supervisor, one worker each [default: as before, at first 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub slots: Option<u16>,
    /// Port of Nimbus [default: as before, at first nimbus.thrift.port].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub nimbus_port: Option<u16>,
    /// Port of the first supervisor; the others count up [default: as before, at first
    /// supervisor.thrift.port].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub supervisor_port: Option<u16>,
    /// Port of the first slot; the others count up [default: as before, at first the first of
    /// supervisor.slots.ports].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub slot_port: Option<u16>,
}

/// End the local cluster and its workers; safe to repeat.
///
/// Ends the background process and every worker that was started beneath the state directory, and
/// nothing else. Topologies are kept: the next `up` runs them again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy down
  stormdeploy down --purge     also forgets all topologies")]
pub struct Down {
    /// Remove the state too: topologies, uploaded archives, logs.
    #[arg(long)]
    pub purge: bool,
}

/// Show Nimbus, supervisors and topologies.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy status
  stormdeploy status --nimbus storm.example.org:6627 --json")]
pub struct Status {}

/// Print logs of the local cluster.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy logs word-count --follow
  stormdeploy logs --all --since 10m --grep 'ERROR|WARN'
  stormdeploy logs nimbus")]
pub struct Logs {
    /// `nimbus`, `daemon`, `supervisor-K`, or the name or id of a topology for its workers.
    #[arg(value_name = "WHAT", required_unless_present = "all", conflicts_with = "all")]
    pub what: Option<String>,
    /// Everything there is.
    #[arg(long)]
    pub all: bool,
    /// Go on as lines are written, until Ctrl-C, or until --timeout is over.
    #[arg(long, short)]
    pub follow: bool,
    /// What was sampled by `stormdeploy debug`, instead of the workers' logs.
    #[arg(long)]
    pub events: bool,
    /// Only lines that match a regular expression.
    #[arg(long, value_name = "REGEX")]
    pub grep: Option<String>,
    /// Only lines of the last time, such as 10m.
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub since: Option<Duration>,
}

/// Show the configuration and where each value was set.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy config
  stormdeploy config nimbus.seeds
  stormdeploy config --defaults -c ui.port=8081")]
pub struct Config {
    /// Only these keys, each with its meaning and with every layer that sets it.
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// Also keys that nothing sets.
    #[arg(long)]
    pub defaults: bool,
}

/// Print the program's version.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy version --json")]
pub struct Version {}

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy completions bash > ~/.local/share/bash-completion/completions/stormdeploy")]
pub struct Completions {
    /// The shell that reads the script.
    pub shell: Shell,
}
