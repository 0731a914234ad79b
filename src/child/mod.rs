//! A registered component as the child process of a multilang host: `<binary> component NAME [ARGS]`.
//!
//! ```text
//!   host ── stdin ──▶ thread "stdin" ── chunks ──▶ Link ──▶ BoltTask, SpoutTask ──▶ the component
//!   host ◀─ stdout ────────────────────────────── Link ◀── emissions, acks, errors, log lines
//! ```
//!
//! Whatever host there is, Apache Storm among them, the component sees what it sees here: tuples
//! with their fields, ticks, its handle and waker, times at which it wants to be called. It speaks
//! JSON until the host offers a faster framing.
//!
//! **Invariants.** Standard output belongs to the protocol: what a component prints goes to standard
//! error. A tuple is acked or failed once. To a host that is not ours nothing is said that Storm
//! gets wrong: no emission to a task by number, no metric, which kills Storm's worker if it does not
//! know it. Tasks of an emission are asked for only by `emit_for_tasks`. The end of standard input
//! ends the process.
//!
//! **Runs on** the main thread, which sleeps when there is nothing to do; one more reads.
//!
//! **Not here:** the messages (`multilang`), and the host's side.

mod bolt;
mod lines;
mod link;
mod place;
mod spout;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::sync::Arc;

use clap::{Arg, ArgMatches, Command};
use serde_json::Value as Json;
use tracing_subscriber::filter::LevelFilter;

use crate::clock::Clock;
use crate::component::{ComponentError, Declarer, error_chain};
use crate::conf::{ConfErrors, nearest};
use crate::multilang::MultilangError;
use crate::topology::{Maker, Named, Register};
use lines::Lines;
use link::Link;
use place::Place;

/// Which component is to be run.
#[derive(Debug, Clone)]
pub struct ChildArgs {
    /// The name under which it is registered.
    pub name: String,
    /// Its constructor's arguments as JSON.
    pub args: Json,
    /// Log lines up to this level are sent to the host.
    pub log: LevelFilter,
}

impl ChildArgs {
    const NAME: &str = "component";
    const ARGS: &str = "arguments";
    const LOG: &str = "log";

    /// How the arguments are typed.
    pub(crate) fn command() -> Command {
        Command::new("component")
            .about("Run a registered component as the child process of a multilang host")
            .arg(Arg::new(Self::NAME).value_name("NAME").required(true).help("Its registered name"))
            .arg(
                Arg::new(Self::ARGS)
                    .value_name("ARGS")
                    .value_parser(|text: &str| serde_json::from_str::<Json>(text))
                    .help("The arguments of its constructor, as JSON"),
            )
            .arg(
                Arg::new(Self::LOG)
                    .long("log")
                    .value_name("LEVEL")
                    .value_parser(clap::value_parser!(LevelFilter))
                    .default_value("info")
                    .help("Send log lines up to this level to the host"),
            )
    }

    pub(crate) fn from_matches(matches: &ArgMatches) -> Self {
        Self {
            name: matches.get_one::<String>(Self::NAME).cloned().unwrap_or_default(),
            args: matches.get_one::<Json>(Self::ARGS).cloned().unwrap_or_default(),
            log: matches.get_one(Self::LOG).copied().unwrap_or(LevelFilter::INFO),
        }
    }
}

/// Why a component could not be run as a child, or could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// Nothing is registered under the name.
    #[error("no component is registered as {name:?}{}", did_you_mean(near))]
    Unregistered {
        /// The name.
        name: String,
        /// The nearest name that is registered.
        near: Option<String>,
    },
    /// The constructor does not take the arguments.
    #[error("{name} does not take its arguments: {}", error_chain(&**source))]
    Args {
        /// The component's registered name.
        name: String,
        /// What is wrong with them.
        source: ComponentError,
    },
    /// The component panicked when it was made to declare itself.
    #[error("{name} cannot be made: {panic}")]
    Made {
        /// The component's registered name.
        name: String,
        /// The panic.
        panic: String,
    },
    /// What the host sent is no message.
    #[error("the host cannot be understood: {0}")]
    Message(#[from] MultilangError),
    /// The host's handshake cannot be used.
    #[error("the host's handshake cannot be used: {what}")]
    Handshake {
        /// What is wrong with it.
        what: String,
    },
    /// The configuration that the host sent has wrong values.
    #[error("the host's configuration cannot be used: {0}")]
    Conf(#[from] ConfErrors),
    /// A pipe or a thread failed.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

fn did_you_mean(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

/// Runs the component until the host closes standard input.
///
/// # Errors
/// [`ChildError`].
pub fn run(args: &ChildArgs, register: &Register) -> Result<(), ChildError> {
    let system = |what| move |source: io::Error| ChildError::System { what, source };
    let stdout = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3);
    let stdout = stdout.map_err(|error| system("keep standard output")(error.into()))?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())
        .map_err(|error| system("put standard error in place of standard output")(error.into()))?;
    let lines = Lines::default();
    lines.collect(args.log);
    serve(args, register, io::stdin(), File::from(stdout), lines)
}

/// Runs the component for a host at the other end of `input` and `output`.
fn serve(
    args: &ChildArgs,
    register: &Register,
    input: impl io::Read + Send + 'static,
    output: impl io::Write + Send + 'static,
    lines: Lines,
) -> Result<(), ChildError> {
    let ChildArgs { name, args, .. } = args;
    let named = Named { name: name.clone(), args: args.clone() };
    let maker = match register.resolve(&named) {
        Some(Ok(component)) => here(component.0),
        Some(Err(source)) => return Err(ChildError::Args { name: name.clone(), source }),
        None => {
            let near = nearest(name, register.names()).map(str::to_owned);
            return Err(ChildError::Unregistered { name: name.clone(), near });
        }
    };
    let mut declared = Declarer::default();
    crate::executor::guarded(|| match &maker {
        Maker::Spout(make) => make().declare(&mut declared),
        Maker::Bolt(make) => make().declare(&mut declared),
        Maker::Named(_) | Maker::Portable(..) => {}
    })
    .map_err(|panic| ChildError::Made { name: name.clone(), panic })?;
    let mut link = Link::start(input, output, lines)?;
    let Some(handshake) = link.handshake()? else { return Ok(()) };
    let place = Place::of(&handshake, declared, &link, Clock::system())?;
    let link = Arc::new(std::sync::Mutex::new(link));
    match maker {
        Maker::Spout(make) => spout::SpoutTask::new(make, place, link).run(),
        Maker::Bolt(make) => bolt::BoltTask::new(make, place, link).run(),
        Maker::Named(_) | Maker::Portable(..) => {
            Err(ChildError::Unregistered { name: name.clone(), near: None })
        }
    }
}

/// The maker that counts in this process.
fn here(maker: Maker) -> Maker {
    match maker {
        Maker::Portable(maker, _) => here(*maker),
        maker => maker,
    }
}
