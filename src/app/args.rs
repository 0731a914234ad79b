//! What may be typed: commands, the options common to all topologies, and what is said when it is
//! typed wrongly.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::Value as Json;
use tracing_subscriber::filter::LevelFilter;

use super::words::parse_duration;
use super::{App, AppError, Entry};
use crate::child::ChildArgs;
use crate::conf::{Conf, ConfErrors, TopologyConf, keys, nearest};
use crate::worker::WorkerArgs;

/// How long a run drains unless said otherwise: as long as somebody waits at a terminal.
const DEFAULT_DRAIN: &str = "5s";

/// Levels up to which can be logged.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What may stand first.
const COMMANDS: [&str; 7] = ["run", "describe", "list", "submit", "worker", "component", "help"];

/// Names of arguments are prefixed, so that a topology may have fields of the same names.
mod id {
    pub const DURATION: &str = "app.duration";
    pub const JSON: &str = "app.json";
    pub const FORMAT: &str = "app.format";
    pub const CONF: &str = "app.conf";
    pub const THREADS: &str = "app.threads";
    pub const LOG: &str = "app.log";
    pub const DRAIN: &str = "app.drain";
    pub const DRY_RUN: &str = "app.dry-run";
    pub const NO_DETAIL: &str = "app.no-detail";
    pub const WIDTH: &str = "app.width";
    pub const FLUX: &str = "app.flux";
    pub const FILTER: &str = "app.filter";
    pub const ENV_FILTER: &str = "app.env-filter";
    pub const SET: &str = "app.set";
    pub const RESOURCES: &str = "app.resources";
    pub const RESOURCE: &str = "app.resource";
}

/// What the arguments ask for.
pub(super) enum Request {
    Run {
        topology: Wanted,
        options: RunOptions,
    },
    Describe {
        topology: Wanted,
        conf: Conf,
        format: Format,
    },
    List,
    /// A supervisor wants a worker.
    Worker(WorkerArgs),
    /// A multilang host wants a child.
    Component(ChildArgs),
    /// Print this text: help or version.
    Print(String),
}

/// Which topology is meant.
pub(super) enum Wanted {
    /// One that the program knows, and its arguments.
    Known { name: String, args: ArgMatches },
    /// One in a file of YAML.
    Flux(FluxArgs),
}

/// Where a topology in YAML stands, and how it is read.
#[derive(Debug)]
pub(super) struct FluxArgs {
    pub file: PathBuf,
    /// A file of properties.
    pub filter: Option<PathBuf>,
    /// Properties that were set one by one, which count over those of the file.
    pub set: Vec<(String, String)>,
    pub env_filter: bool,
    pub resources: Option<PathBuf>,
    pub is_resource: bool,
}

impl FluxArgs {
    fn of(matches: &ArgMatches, file: PathBuf) -> Self {
        let set = matches.get_many::<(String, String)>(id::SET);
        Self {
            file,
            filter: matches.get_one(id::FILTER).cloned(),
            set: set.into_iter().flatten().cloned().collect(),
            env_filter: matches.get_flag(id::ENV_FILTER),
            resources: matches.get_one(id::RESOURCES).cloned(),
            is_resource: matches.get_flag(id::RESOURCE),
        }
    }
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
    /// A drawing for people, so many characters wide if that is said.
    Picture { width: Option<usize> },
    /// Nothing: whether it can be built is all that is asked for.
    Silent,
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
        if first == "submit" {
            return Err(submitting(program, &args[1..]));
        }
        let typed = std::iter::once(program.into()).chain(args);
        let matches = match command(app, program).try_get_matches_from(typed) {
            Ok(matches) => matches,
            Err(error) => return explain(app, program, &first, &error).map(Self::Print),
        };
        let (part, matches) = matches.subcommand().expect("clap asks for a command");
        match part {
            "list" => return Ok(Self::List),
            "worker" => return Ok(Self::Worker(WorkerArgs::from_matches(matches))),
            "component" => return Ok(Self::Component(ChildArgs::from_matches(matches))),
            _ => {}
        }
        let (topology, args) = wanted(app, program, part, matches)?;
        let conf = read_conf(&args)?;
        let json = args.get_flag(id::JSON);
        if part == "run" && args.get_flag(id::DRY_RUN) {
            let format = match () {
                () if args.get_flag(id::NO_DETAIL) => Format::Silent,
                () if json => Format::Json,
                () => Format::Picture { width: args.get_one(id::WIDTH).copied() },
            };
            return Ok(Self::Describe { topology, conf, format });
        }
        if part == "describe" {
            let format = *args.get_one(id::FORMAT).expect("the option has a default");
            let format = if json && format == Format::Text { Format::Json } else { format };
            return Ok(Self::Describe { topology, conf, format });
        }
        let options = RunOptions {
            duration: args.get_one(id::DURATION).copied(),
            drain: *args.get_one(id::DRAIN).expect("the option has a default"),
            conf,
            json,
            log: *args.get_one(id::LOG).expect("the option has a default"),
        };
        Ok(Self::Run { topology, options })
    }
}

/// What submits instead of the binary, which links neither what packs an archive nor what shows how a
/// submission goes.
fn submitting(program: &str, args: &[OsString]) -> AppError {
    let program = match std::env::current_exe() {
        // Where it is started from is not where it was started.
        Ok(path) if path.file_name().is_some_and(|name| name == program) => {
            path.display().to_string()
        }
        _ => program.to_owned(),
    };
    let (mut own, mut of_topology) = (String::new(), String::new());
    let mut args = args.iter().map(|arg| quoted(&arg.to_string_lossy()));
    while let Some(arg) = args.next() {
        // The one option that other submitters take as well, in either form.
        match arg.strip_prefix("--nimbus") {
            Some("") => own += &format!(" --nimbus {}", args.next().unwrap_or_default()),
            Some(address) if address.starts_with('=') => own += &format!(" --nimbus{address}"),
            _ => of_topology += &format!(" {arg}"),
        }
    }
    if matches!(of_topology.as_str(), "" | " --help" | " -h") {
        " NAME [ARGS]".clone_into(&mut of_topology);
    }
    AppError::Arguments {
        what: "a topology binary does not submit itself".to_owned(),
        hint: Some(format!("stormdeploy submit {}{own} --{of_topology}", quoted(&program))),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The topology that `run` or `describe` is about, and the arguments that stand beside it.
fn wanted(
    app: &App,
    program: &str,
    part: &str,
    matches: &ArgMatches,
) -> Result<(Wanted, ArgMatches), AppError> {
    let wrong =
        |what: &str, hint| Err(AppError::Arguments { what: what.to_owned(), hint: Some(hint) });
    let file = matches.get_one::<PathBuf>(id::FLUX);
    match (file, matches.subcommand()) {
        (None, Some((name, args))) => {
            Ok((Wanted::Known { name: name.to_owned(), args: args.clone() }, args.clone()))
        }
        (Some(file), None) => {
            Ok((Wanted::Flux(FluxArgs::of(matches, file.clone())), matches.clone()))
        }
        (Some(_), Some((name, _))) => wrong(
            &format!("both --flux and the topology {name} are named"),
            format!("{program} {part} --flux FILE, or {program} {part} {name}"),
        ),
        (None, None) if app.topologies.is_empty() => {
            wrong("the file of a topology is missing", format!("{program} {part} --flux FILE"))
        }
        (None, None) => wrong("the name of a topology is missing", format!("{program} list")),
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
        .args(shared_options())
        .args(flux_options());
    let describe = part("describe", "Print a topology's components", &app.topologies)
        .arg(format_option())
        .args(shared_options())
        .args(flux_options());
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
        .subcommands([WorkerArgs::command(), ChildArgs::command()])
}

fn part(name: &'static str, about: &'static str, topologies: &[Entry]) -> Command {
    Command::new(name)
        .about(about)
        .subcommand_value_name("NAME")
        .subcommand_help_heading("Topologies")
        .disable_help_subcommand(true)
        .subcommands(topologies.iter().map(Entry::command))
}

/// Options of `run` alone, which stand behind any topology's name.
fn run_options() -> [Arg; 7] {
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
        Arg::new(id::DRY_RUN)
            .long("dry-run")
            .short('d')
            .action(ArgAction::SetTrue)
            .help("Do not run the topology: check it and print its picture, or with --json what it is"),
        Arg::new(id::NO_DETAIL)
            .long("no-detail")
            .short('q')
            .action(ArgAction::SetTrue)
            .requires(id::DRY_RUN)
            .help("With --dry-run: check the topology and print nothing"),
        Arg::new(id::WIDTH)
            .long("width")
            .value_name("CHARACTERS")
            .value_parser(ValueParser::new(read_width))
            .hide(true)
            .help("Draw the picture this wide, instead of as wide as the terminal"),
    ]
    .map(|arg| arg.global(true).help_heading("Running"))
}

/// Options that name a topology in YAML; they stand before where a topology's name would.
fn flux_options() -> [Arg; 6] {
    let path = || clap::value_parser!(PathBuf);
    [
        Arg::new(id::FLUX)
            .long("flux")
            .value_name("FILE")
            .value_parser(path())
            .help("Take the topology from a file of YAML, as Storm's Flux reads it"),
        Arg::new(id::FILTER)
            .long("filter")
            .short('f')
            .value_name("FILE")
            .value_parser(path())
            .requires(id::FLUX)
            .help("Replace each ${name} in the YAML by the property of a file"),
        Arg::new(id::SET)
            .long("set")
            .value_name("NAME=VALUE")
            .value_parser(ValueParser::new(read_property))
            .action(ArgAction::Append)
            .requires(id::FLUX)
            .help("Replace each ${NAME} in the YAML by this value, whatever the file says"),
        Arg::new(id::ENV_FILTER)
            .long("env-filter")
            .short('e')
            .action(ArgAction::SetTrue)
            .requires(id::FLUX)
            .help("Replace each ${ENV-NAME} in the YAML by the environment's NAME"),
        Arg::new(id::RESOURCES)
            .long("resources")
            .value_name("DIR")
            .value_parser(path())
            .requires(id::FLUX)
            .help(
                "The folder in which the components' children run, otherwise resources beside FILE",
            ),
        Arg::new(id::RESOURCE)
            .long("resource")
            .short('R')
            .action(ArgAction::SetTrue)
            .requires(id::FLUX)
            .help("Look for FILE in the folder of resources"),
    ]
    .map(|arg| arg.help_heading("Flux"))
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

/// Reads `name=value`, whose value is a text.
fn read_property(text: &str) -> Result<(String, String), NoPair> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or(NoPair)?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Narrowest and widest picture, in characters.
const WIDTHS: std::ops::RangeInclusive<usize> = 20..=1000;

/// A width that no picture has.
#[derive(Debug, thiserror::Error)]
#[error("write a number from {} to {}", WIDTHS.start(), WIDTHS.end())]
struct NoWidth;

fn read_width(text: &str) -> Result<usize, NoWidth> {
    text.parse().ok().filter(|width| WIDTHS.contains(width)).ok_or(NoWidth)
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
        ErrorKind::MissingSubcommand => ("a command is missing".to_owned(), help),
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
    fn submitting_is_left_to_the_command_that_does_it() {
        let what = "a topology binary does not submit itself";
        check("submit", what, "stormdeploy submit app -- NAME [ARGS]");
        check("submit word-count", what, "stormdeploy submit app -- word-count");
        check(
            "submit word-count --nimbus a.example:6627 --rate 5 --to=$HOME",
            what,
            "stormdeploy submit app --nimbus a.example:6627 -- word-count --rate 5 '--to=$HOME'",
        );
        check(
            "submit --nimbus=b:1 word-count",
            what,
            "stormdeploy submit app --nimbus=b:1 -- word-count",
        );
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn options_stand_before_or_behind_the_topology() {
        let app = App::new().topology("word-count", |_, ()| Ok(()));
        for typed in ["run word-count --json --threads 3", "run --threads 3 --json word-count"] {
            match Request::parse(&app, "app", typed.split(' ')) {
                Ok(Request::Run { topology: Wanted::Known { name, .. }, options }) => {
                    assert_eq!((name.as_str(), options.json), ("word-count", true));
                    let threads = options.conf.get(keys::WORKER_THREADS);
                    assert_eq!(threads, Some(&3.into()), "{typed}");
                }
                _ => panic!("{typed} was not understood as a run"),
            }
        }
    }

    #[test]
    fn a_file_of_yaml_stands_in_the_place_of_a_topology() {
        let app = App::new();
        let typed = "run --flux a.yaml -f dev.properties --set x=1=2 -e --threads 2 --json";
        let Ok(Request::Run { topology: Wanted::Flux(flux), options }) =
            Request::parse(&app, "app", typed.split(' '))
        else {
            panic!("{typed} was not understood as a run");
        };
        assert_eq!(flux.file.to_str(), Some("a.yaml"));
        assert_eq!(flux.filter.as_deref(), Some("dev.properties".as_ref()));
        assert_eq!(flux.set, [("x".to_owned(), "1=2".to_owned())]);
        assert!(flux.env_filter && options.json && !flux.is_resource);
        let typed = "run --dry-run --flux a.yaml --width 60";
        let Ok(Request::Describe { format, .. }) = Request::parse(&app, "app", typed.split(' '))
        else {
            panic!("{typed} was not understood as a description");
        };
        assert_eq!(format, Format::Picture { width: Some(60) });
    }

    #[test]
    fn what_cannot_be_understood_is_one_line_with_the_nearest_name() {
        check("run wordcount", "there is no topology \"wordcount\"", "did you mean word-count?");
        check("run x", "there is no topology \"x\"", "app list");
        check("describe", "the name of a topology is missing", "app list");
        check(
            "run --flux a.yaml word-count",
            "both --flux and the topology word-count are named",
            "app run --flux FILE, or app run word-count",
        );
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
