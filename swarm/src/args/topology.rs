//! Arguments of the commands that work on topologies.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::clock::parse_span;

/// Submit a topology and wait until it runs.
///
/// Has the binary describe the topology, checks what it says, uploads the binary, and waits until
/// every executor is up. Nothing is uploaded that Nimbus would refuse. A topology in YAML needs no
/// binary, unless it names components that a binary has registered.
#[derive(Debug, Args)]
#[command(
    override_usage = "stormdeploy submit [OPTIONS] <BINARY> -- <TOPOLOGY>...\n       \
                      stormdeploy submit [OPTIONS] --flux <FILE> [BINARY]",
    after_help = "\
Example:
  stormdeploy submit target/release/topologies -- word-count
  stormdeploy submit ./orders --name orders-eu --workers 2 -- orders --region eu
  stormdeploy submit ./orders --resources scripts -- orders
  stormdeploy submit ./orders --nimbus storm.example.org:6627 -- orders
  stormdeploy submit --flux word-count.yaml --dry-run
  stormdeploy submit --flux word-count.yaml --filter production.properties"
)]
pub struct Submit {
    /// The topology binary.
    #[arg(value_name = "BINARY", required_unless_present = "flux")]
    pub binary: Option<PathBuf>,
    /// Name of a topology in the binary, and its arguments.
    #[arg(
        value_name = "TOPOLOGY",
        required_unless_present = "flux",
        conflicts_with = "flux",
        last = true
    )]
    pub topology: Vec<String>,
    /// Name under which it runs [default: the one that the binary says].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Number of worker processes [default: what the topology asks for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: Option<u32>,
    /// Folder whose files travel with the topology: its workers, and the children of its shell
    /// components, find them in resources/ [default with --flux: resources beside FILE].
    #[arg(long, value_name = "DIR")]
    pub resources: Option<PathBuf>,
    /// Submit it inactive: its spouts emit nothing until it is activated.
    #[arg(long, short = 'i')]
    pub inactive: bool,
    /// Return as soon as Nimbus has it, without waiting until it runs.
    #[arg(long)]
    pub no_wait: bool,
    /// Submit nothing: check the topology and print its picture.
    #[arg(long, short = 'd')]
    pub dry_run: bool,
    /// With --dry-run: check the topology and print nothing.
    #[arg(long, short = 'q', requires = "dry_run")]
    pub no_detail: bool,
    #[command(flatten)]
    pub flux: Flux,
}

/// A topology in YAML.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Flux")]
pub struct Flux {
    /// Take the topology from a file of YAML, as Storm's Flux reads it.
    #[arg(id = "flux", long = "flux", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Replace each ${name} in the YAML by the property of a file.
    #[arg(long, short = 'f', value_name = "FILE", requires = "flux")]
    pub filter: Option<PathBuf>,
    /// Replace each ${NAME} in the YAML by this value, whatever the file says.
    #[arg(id = "property", long = "set", value_name = "NAME=VALUE", requires = "flux")]
    pub properties: Vec<String>,
    /// Replace each ${ENV-NAME} in the YAML by the environment's NAME.
    #[arg(long, short = 'e', requires = "flux")]
    pub env_filter: bool,
    /// Look for FILE in the folder of resources.
    #[arg(long, short = 'R', requires = "flux")]
    pub resource: bool,
}

/// List the topologies.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy list
  stormdeploy list --json")]
pub struct List {}

/// Kill a topology.
///
/// Its spouts stop at once; its workers end after the wait, so that what is under way is finished.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy kill word-count -w 0 --until-gone")]
pub struct Kill {
    /// The topology's name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Seconds between the spouts' stop and the workers' end [default: the topology's message
    /// timeout].
    #[arg(short, long, value_name = "SECS", value_parser = clap::value_parser!(i32).range(0..))]
    pub wait: Option<i32>,
    /// Return when the topology is gone.
    #[arg(long)]
    pub until_gone: bool,
}

/// Let the spouts of a topology emit again.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy activate word-count")]
pub struct Activate {
    /// The topology's name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Let the spouts of a topology emit nothing more.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy deactivate word-count")]
pub struct Deactivate {
    /// The topology's name.
    #[arg(value_name = "NAME")]
    pub name: String,
}

/// Spread a topology anew, with other numbers of workers or executors.
///
/// Its spouts stop for the wait, then its executors are placed anew. The number of tasks never
/// changes, so a component has at most as many executors as tasks.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy rebalance word-count -n 3 -e split=4 -e count=2")]
pub struct Rebalance {
    /// The topology's name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Seconds between the spouts' stop and the new placement [default: the topology's message
    /// timeout].
    #[arg(short, long, value_name = "SECS", value_parser = clap::value_parser!(i32).range(0..))]
    pub wait: Option<i32>,
    /// Number of worker processes.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub workers: Option<i32>,
    /// Number of executors of a component; may be repeated.
    #[arg(short = 'e', long = "executors", value_name = "COMPONENT=N", value_parser = parse_executors)]
    pub executors: Vec<(String, i32)>,
    /// Resources of components as JSON: {"component": {"resource": amount}}.
    #[arg(short = 'r', long, value_name = "JSON")]
    pub resources: Option<String>,
    /// Keys of the topology's configuration as JSON.
    #[arg(short = 't', long, value_name = "JSON")]
    pub topology_conf: Option<String>,
}

/// Sample what a topology's components emit.
///
/// A part of all emissions, chosen at random, is written to a file beside each worker's log, a line
/// each: time, component, task, message id and values. It goes on until it is switched off. What a
/// component is told goes before what the whole topology is told.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy debug word-count --percent 1
  stormdeploy debug word-count split --percent 100
  stormdeploy logs word-count --events --follow
  stormdeploy debug word-count --off")]
pub struct Debug {
    /// The topology's name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// One of its components [default: all of them].
    #[arg(value_name = "COMPONENT")]
    pub component: Option<String>,
    /// How many of the emissions, in percent.
    #[arg(long, value_name = "P", value_parser = parse_percent, required_unless_present = "off")]
    pub percent: Option<f64>,
    /// Sample nothing more.
    #[arg(long, conflicts_with = "percent")]
    pub off: bool,
}

/// Show the rates of a topology's components, again and again.
///
/// A table that renews itself on a terminal, one table after the other elsewhere, one line of JSON
/// for each look with --json. Ends with Ctrl-C, after --count looks, or when --timeout is over.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy monitor word-count
  stormdeploy monitor word-count --interval 10s --count 6 --json")]
pub struct Monitor {
    /// The topology's name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Time between two looks.
    #[arg(short, long, value_name = "TIME", value_parser = parse_span, default_value = "2s")]
    pub interval: Duration,
    /// Number of tables.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: Option<u32>,
    /// Also the system's components, whose names begin with __.
    #[arg(long)]
    pub system: bool,
}

/// Show the errors that a topology's components reported.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  stormdeploy errors word-count
  stormdeploy errors word-count --full")]
pub struct Errors {
    /// The topology's name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Whole errors instead of their first lines.
    #[arg(long)]
    pub full: bool,
}

/// A share of the emissions that is none.
#[derive(Debug, thiserror::Error)]
#[error("not a number above 0 and up to 100")]
pub struct PercentError;

fn parse_percent(given: &str) -> Result<f64, PercentError> {
    let percent: f64 = given.trim_end_matches('%').parse().map_err(|_| PercentError)?;
    if percent > 0.0 && percent <= 100.0 { Ok(percent) } else { Err(PercentError) }
}

/// A part of a rebalance that is not of the form `component=n`.
#[derive(Debug, thiserror::Error)]
#[error("not of the form component=n, n being at least 1")]
pub struct ExecutorsError;

fn parse_executors(given: &str) -> Result<(String, i32), ExecutorsError> {
    let (component, number) = given.rsplit_once('=').ok_or(ExecutorsError)?;
    let number: i32 = number.parse().map_err(|_| ExecutorsError)?;
    let fits = !component.is_empty() && number >= 1;
    if fits { Ok((component.to_owned(), number)) } else { Err(ExecutorsError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_above_zero_and_at_most_a_hundred() {
        for (given, percent) in [("1", 1.0), ("0.5", 0.5), ("100%", 100.0)] {
            assert_eq!(parse_percent(given).unwrap(), percent);
        }
        for wrong in ["", "0", "-1", "101", "NaN", "inf", "all"] {
            assert!(parse_percent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_of_executors_stands_behind_the_last_equals_sign() {
        assert_eq!(parse_executors("a=b=3").unwrap(), ("a=b".to_owned(), 3));
        for wrong in ["", "a", "=3", "a=", "a=0", "a=-1", "a=x"] {
            assert!(parse_executors(wrong).is_err(), "{wrong}");
        }
    }
}
