//! What may be typed: commands, the options common to all topologies, and what is said when it is
//! typed wrongly.

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value as Json;
use tracing_subscriber::filter::LevelFilter;

use super::words::parse_duration;
use super::{App, AppError, Entry};
use crate::conf::{Conf, ConfErrors, TopologyConf, keys, nearest};
use crate::worker::WorkerArgs;

/// How long a run drains unless said otherwise: as long as somebody waits at a terminal.
const DEFAULT_DRAIN: &str = "5s";

/// Levels up to which can be logged.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What may stand first.
const COMMANDS: [&str; 5] = ["run", "describe", "list", "worker", "help"];

/// Names of arguments are prefixed, so that a topology may have fields of the same names.
mod id {
    pub const DURATION: &str = "app.duration";
    pub const JSON: &str = "app.json";
    pub const FORMAT: &str = "app.format";
    pub const CONF: &str = "app.conf";
    pub const THREADS: &str = "app.threads";
    pub const LOG: &str = "app.log";
    pub const DRAIN: &str = "app.drain";
}

/// What the arguments ask for.
pub(super) enum Request {
    Run {
        topology: String,
        args: ArgMatches,
        options: RunOptions,
    },
    Describe {
        topology: String,
        args: ArgMatches,
        conf: Conf,
        format: Format,
    },
    List,
    /// A supervisor wants a worker.
    Worker(WorkerArgs),
    /// Print this text: help or version.
    Print(String),
}

/// How a topology is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One line per component, for people.
    Text,
    /// One object with all components, for programs.
    Json,
    /// One object with what a submitter sends to Nimbus.
    Submit,
}

/// How a topology is run.
#[derive(Debug)]
pub(super) struct RunOptions {
    pub duration: Option<Duration>,
    pub drain: Duration,
    pub conf: Conf,
    pub json: bool,
    pub log: LevelFilter,
}

impl Request {
    /// Understands the arguments after the program's name.
    ///
    /// # Errors
    /// [`AppError::Arguments`] and [`AppError::Conf`].
    pub fn parse(
        app: &App,
        program: &str,
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, AppError> {
        let mut args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        if args.is_empty() {
            args.push("help".into());
        }
        let first = args[0].to_string_lossy().into_owned();
        let typed = std::iter::once(program.into()).chain(args);
        let matches = match command(app, program).try_get_matches_from(typed) {
            Ok(matches) => matches,
            Err(error) => return explain(app, program, &first, &error).map(Self::Print),
        };
        let (part, matches) = matches.subcommand().expect("clap asks for a command");
        match part {
            "list" => return Ok(Self::List),
            "worker" => return Ok(Self::Worker(WorkerArgs::from_matches(matches))),
            _ => {}
        }
        let (topology, args) = matches.subcommand().expect("clap asks for a topology");
        let (topology, args) = (topology.to_owned(), args.clone());
        let conf = read_conf(&args)?;
        let json = args.get_flag(id::JSON);
        if part == "describe" {
            let format = *args.get_one(id::FORMAT).expect("the option has a default");
            let format = if json && format == Format::Text { Format::Json } else { format };
            return Ok(Self::Describe { topology, args, conf, format });
        }
        let options = RunOptions {
            duration: args.get_one(id::DURATION).copied(),
            drain: *args.get_one(id::DRAIN).expect("the option has a default"),
            conf,
            json,
            log: *args.get_one(id::LOG).expect("the option has a default"),
        };
        Ok(Self::Run { topology, args, options })
    }
}

fn command(app: &App, program: &str) -> Command {
    let version = match &app.version {
        Some(version) => format!("{version} (storm-runtime {})", env!("CARGO_PKG_VERSION")),
        None => format!("(storm-runtime {})", env!("CARGO_PKG_VERSION")),
    };
    let about = match &app.about {
        Some(about) => about.clone(),
        None => "Runs Storm topologies in this process.".to_owned(),
    };
    let run = part("run", "Run a topology in this process", &app.topologies)
        .args(run_options())
        .args(shared_options());
    let describe = part("describe", "Print a topology's components", &app.topologies)
        .arg(format_option())
        .args(shared_options());
    Command::new(program.to_owned())
        .bin_name(program.to_owned())
        .version(version)
        .about(about)
        .after_help(format!(
            "Topologies:\n{}\nExit codes: 0 done, 1 could not, 2 wrong arguments.",
            app.list("  ")
        ))
        .subcommand_required(true)
        .subcommands([run, describe, Command::new("list").about("List the topologies")])
        .subcommand(WorkerArgs::command())
}

fn part(name: &'static str, about: &'static str, topologies: &[Entry]) -> Command {
    Command::new(name)
        .about(about)
        .subcommand_required(true)
        .subcommand_value_name("NAME")
        .subcommand_help_heading("Topologies")
        .disable_help_subcommand(true)
        .subcommands(topologies.iter().map(Entry::command))
}

/// Options of `run` alone, which stand behind any topology's name.
fn run_options() -> [Arg; 4] {
    let time = || ValueParser::new(parse_duration);
    [
        Arg::new(id::DURATION)
            .long("duration")
            .value_name("TIME")
            .value_parser(time())
            .help("End after this time, such as 10s; otherwise at Ctrl-C or when the spouts have finished"),
        Arg::new(id::DRAIN)
            .long("drain")
            .value_name("TIME")
            .value_parser(time())
            .default_value(DEFAULT_DRAIN)
            .help("Wait at most this long at the end for tuples that are pending"),
        Arg::new(id::THREADS)
            .long("threads")
            .value_name("N")
            .value_parser(clap::value_parser!(u32).range(1..))
            .help("Threads that run the executors: sets topology.worker.threads"),
        Arg::new(id::LOG)
            .long("log")
            .value_name("LEVEL")
            .value_parser(PossibleValuesParser::new(LEVELS).map(read_level))
            .default_value("warn")
            .help("Log to standard error up to this level"),
    ]
    .map(|arg| arg.global(true).help_heading("Running"))
}

fn format_option() -> Arg {
    Arg::new(id::FORMAT)
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["text", "json", "submit"]).map(read_format))
        .default_value("text")
        .global(true)
        .help_heading("Running")
        .help("Print lines for people, all components as JSON, or what a submitter sends to Nimbus")
}

fn read_format(format: String) -> Format {
    match format.as_str() {
        "json" => Format::Json,
        "submit" => Format::Submit,
        _ => Format::Text,
    }
}

/// Options of every command that builds a topology.
fn shared_options() -> [Arg; 2] {
    [
        Arg::new(id::CONF)
            .short('c')
            .value_name("KEY=VALUE")
            .value_parser(ValueParser::new(read_pair))
            .action(ArgAction::Append)
            .help("Set a configuration key, over what the topology sets itself"),
        Arg::new(id::JSON)
            .long("json")
            .action(ArgAction::SetTrue)
            .help("Print one JSON object on standard output"),
    ]
    .map(|arg| arg.global(true).help_heading("Running"))
}

fn read_level(level: String) -> LevelFilter {
    level.parse().expect("the parser lets levels pass only")
}

/// A `-c` that has no key or no value.
#[derive(Debug, thiserror::Error)]
#[error("write a key, = and its value, such as topology.max.spout.pending=1000")]
struct NoPair;

/// Reads `key=value`; what is no JSON is a text.
fn read_pair(text: &str) -> Result<(String, Json), NoPair> {
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or(NoPair)?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
    Ok((key.to_owned(), value))
}

/// What `-c` and `--threads` set; refused here already if it cannot be used.
fn read_conf(args: &ArgMatches) -> Result<Conf, ConfErrors> {
    let pairs = args.get_many::<(String, Json)>(id::CONF).into_iter().flatten().cloned();
    let mut conf: Conf = pairs.collect();
    if let Ok(Some(threads)) = args.try_get_one::<u32>(id::THREADS) {
        conf.insert(keys::WORKER_THREADS, *threads);
    }
    TopologyConf::try_from(conf.clone())?;
    Ok(conf)
}

/// Help and version as text, all else as an error in one line.
fn explain(app: &App, program: &str, first: &str, error: &clap::Error) -> Result<String, AppError> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(ContextValue::Strings(texts)) => texts.first().map(String::as_str),
        _ => None,
    };
    let in_part = matches!(first, "run" | "describe");
    let nearest_or = |meant: Option<&str>, other: String| match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => other,
    };
    let help = match in_part {
        true => format!("{program} {first} --help"),
        false => format!("{program} --help"),
    };
    let (what, hint) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Ok(error.render().to_string());
        }
        ErrorKind::MissingSubcommand => {
            ("the name of a topology is missing".to_owned(), format!("{program} list"))
        }
        ErrorKind::InvalidSubcommand if in_part => {
            let written = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let names = app.topologies.iter().map(|entry| entry.name.as_str());
            let hint = nearest_or(nearest(written, names), format!("{program} list"));
            (format!("there is no topology {written:?}"), hint)
        }
        ErrorKind::InvalidSubcommand => {
            let hint = nearest_or(nearest(first, COMMANDS.into_iter()), help);
            (format!("there is no command {first:?}"), hint)
        }
        ErrorKind::UnknownArgument => {
            let written = text(ContextKind::InvalidArg).unwrap_or(first);
            let hint = nearest_or(text(ContextKind::SuggestedArg), help);
            (format!("unexpected argument {written:?}"), hint)
        }
        _ => (one_line(error), nearest_or(text(ContextKind::SuggestedValue), help)),
    };
    Err(AppError::Arguments { what, hint: Some(hint) })
}

/// clap's message without its label, its usage and its line breaks.
fn one_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let message = rendered.split("\n\n").next().unwrap_or_default();
    let message = message.trim_start_matches("error:");
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, what: &str, hint: &str) {
        let app = App::new().topology("word-count", |_, ()| Ok(()));
        let Err(error) = Request::parse(&app, "app", typed.split_whitespace()) else {
            panic!("{typed} was understood");
        };
        assert_eq!((error.to_string().as_str(), error.hint()), (what, Some(hint)));
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn a_value_is_json_or_else_a_text() {
        let value = |text| read_pair(text).map(|(_, value)| value).ok();
        assert_eq!(value("a=1"), Some(1.into()));
        assert_eq!(value("a=true"), Some(true.into()));
        assert_eq!(value("a=b=c"), Some("b=c".into()));
        assert_eq!(value("a="), Some("".into()));
        assert_eq!(value("a"), None);
        assert_eq!(value("=1"), None);
    }

    #[test]
    fn options_stand_before_or_behind_the_topology() {
        let app = App::new().topology("word-count", |_, ()| Ok(()));
        for typed in ["run word-count --json --threads 3", "run --threads 3 --json word-count"] {
            match Request::parse(&app, "app", typed.split(' ')) {
                Ok(Request::Run { topology, options, .. }) => {
                    assert_eq!((topology.as_str(), options.json), ("word-count", true));
                    let threads = options.conf.get(keys::WORKER_THREADS);
                    assert_eq!(threads, Some(&3.into()), "{typed}");
                }
                _ => panic!("{typed} was not understood as a run"),
            }
        }
    }

    #[test]
    fn what_cannot_be_understood_is_one_line_with_the_nearest_name() {
        check("run wordcount", "there is no topology \"wordcount\"", "did you mean word-count?");
        check("run x", "there is no topology \"x\"", "app list");
        check("describe", "the name of a topology is missing", "app list");
        check("discribe", "there is no command \"discribe\"", "did you mean describe?");
        check("--jsn", "unexpected argument \"--jsn\"", "app --help");
        check(
            "run word-count --log wran",
            "invalid value 'wran' for '--log <LEVEL>' \
             [possible values: off, error, warn, info, debug, trace]",
            "did you mean warn?",
        );
    }
}
