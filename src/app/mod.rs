//! A topology binary: one executable plays its parts by its first argument.
//!
//! ```text
//!   hello run NAME [ARGS]        run a topology in this process
//!   hello describe NAME [ARGS]   print its components, streams and groupings, or what is submitted
//!   hello list                   print the topologies
//!   hello submit NAME [ARGS]     tell which command submits it
//!   hello worker …               run some executors of a submitted topology, for a supervisor
//!   hello component NAME [ARGS]  run a registered component, for a multilang host
//!
//!   hello run --flux FILE        the same with a topology in YAML
//!   hello describe --flux FILE
//!   hello run … --dry-run        print a picture of it instead of running it
//! ```
//!
//! ```text
//!   arguments ─▶ args ─▶ build ─▶ LocalCluster ─▶ run: wait ─▶ drain ─▶ summary
//!                          └────▶ describe               ▲
//!                                      signals, --duration, finished
//! ```
//!
//! **Invariants.** Data goes to standard output, everything else to standard error. The exit code
//! is 0 for done, 1 for could not, 2 for wrong arguments, 130 after a second Ctrl-C. Nobody who
//! stops reading the output makes the program fail.
//!
//! **Runs on** the main thread, which sleeps while the topology runs.
//!
//! **Not here:** how topologies run (`local`).

mod args;
mod describe;
mod error;
mod flux;
mod picture;
mod report;
mod run;
mod signals;
mod summary;
mod terminal;
mod words;

use std::ffi::OsString;
use std::fmt::Write;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Command};
use serde::de::DeserializeOwned;

pub use error::{AppError, Hinted};
pub use report::Report;
pub use terminal::print;
pub use words::{DurationError, parse_duration};

use crate::builtin;
use crate::component::Result;
use crate::conf::Conf;
use crate::local::RunningTopology;
use crate::topology::{FromArgs, GroupingFromArgs, Register, Topology, TopologyBuilder};
use crate::tuple::codec::ObjectReader;
use crate::{child, worker};
use args::{Format, Request, Wanted};

/// Topologies, and the components that they name, as one program.
///
/// A component that is registered under a name can be named by a topology
/// ([`Named`](crate::topology::Named)) with arguments that travel as JSON; one that a topology makes
/// by a closure lives in this process only.
///
/// ```no_run
/// use std::process::ExitCode;
/// use storm_runtime::prelude::*;
/// # struct Numbers;
/// # impl Spout for Numbers {
/// #     fn declare(&self, declare: &mut Declarer) { declare.output(["number"]); }
/// #     fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> { Ok(Next::Idle) }
/// # }
/// # struct Print;
/// # impl BasicBolt for Print {
/// #     fn execute(&mut self, _: TupleRef<'_>, _: &mut BasicCollector<'_>) -> Result { Ok(()) }
/// # }
///
/// fn main() -> ExitCode {
///     App::new()
///         .register("print", |(): ()| Print)
///         .topology("numbers", |builder, ()| {
///             builder.spout("numbers", || Numbers);
///             builder.bolt("print", Named::new("print")).shuffle("numbers");
///             Ok(())
///         })
///         .main()
/// }
/// ```
#[derive(Default)]
pub struct App {
    version: Option<String>,
    about: Option<String>,
    register: Register,
    topologies: Vec<Entry>,
}

/// A topology that the program knows.
struct Entry {
    name: String,
    /// Adds the topology's own arguments to a command.
    define: fn(Command) -> Command,
    build: Box<BuildTopology>,
    report: Option<Box<MakeReport>>,
}

type BuildTopology = dyn Fn(&mut TopologyBuilder, &ArgMatches) -> Result<(), AppError>;
type MakeReport = dyn Fn(&RunningTopology, &mut Report);

impl App {
    /// A program without topologies.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `--version` prints besides the runtime's own: `env!("CARGO_PKG_VERSION")` as a rule.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The sentence with which the help begins.
    #[must_use]
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    /// Registers a constructor of components under a name, as [`Register::add`].
    ///
    /// # Panics
    /// If the name is taken.
    #[must_use]
    pub fn register<A, Kind, F>(mut self, name: &str, constructor: F) -> Self
    where
        F: FromArgs<A, Kind>,
        A: DeserializeOwned + 'static,
    {
        assert!(self.register.names().all(|known| known != name), "{name} is registered twice");
        self.register.add(name, constructor);
        self
    }

    /// Registers a constructor of groupings under a name, as [`Register::add_grouping`].
    #[must_use]
    pub fn register_grouping<A, F>(mut self, name: &str, constructor: F) -> Self
    where
        F: GroupingFromArgs<A>,
        A: DeserializeOwned + 'static,
    {
        self.register.add_grouping(name, constructor);
        self
    }

    /// Has shared objects of a type be read by `reader` where they come from another worker, as
    /// [`Register::object_reader`].
    #[must_use]
    pub fn object_reader(mut self, type_name: &str, reader: ObjectReader) -> Self {
        self.register.object_reader(type_name, reader);
        self
    }

    /// Adds a topology: `build` puts its components into a builder that knows the register.
    ///
    /// `args` are the topology's own arguments, read from the command line; any type that derives
    /// [`clap::Args`], or `()` for none. The first line of the type's documentation says what the
    /// topology does.
    ///
    /// # Panics
    /// If the name is taken, or cannot be a topology's name.
    #[must_use]
    pub fn topology<A, F>(mut self, name: &str, build: F) -> Self
    where
        A: Args + 'static,
        F: Fn(&mut TopologyBuilder, A) -> Result + 'static,
    {
        assert!(self.entry(name).is_none(), "there are two topologies {name}");
        if let Err(error) = nimbus_client::TopologyName::new(name) {
            panic!("{error}");
        }
        let of_topology = name.to_owned();
        let build = move |builder: &mut TopologyBuilder, matches: &ArgMatches| {
            let args = A::from_arg_matches(matches)
                .map_err(|error| AppError::Arguments { what: error.to_string(), hint: None })?;
            build(builder, args)
                .map_err(|source| AppError::Build { name: of_topology.clone(), source })
        };
        self.topologies.push(Entry {
            name: name.to_owned(),
            define: A::augment_args,
            build: Box::new(build),
            report: None,
        });
        self
    }

    /// Has `report` say what a run of a topology came to, beyond its counters.
    ///
    /// It is called once at the end, when the topology was drained and still runs, and before that
    /// about once a second if somebody watches; see [`Report`]. What it reports it has from where
    /// its components put it: their metrics, or something shared with their constructors.
    ///
    /// # Panics
    /// If there is no such topology.
    #[must_use]
    pub fn report(
        mut self,
        topology: &str,
        report: impl Fn(&RunningTopology, &mut Report) + 'static,
    ) -> Self {
        let entry = self.topologies.iter_mut().find(|entry| entry.name == topology);
        let entry = entry.unwrap_or_else(|| panic!("there is no topology {topology} to report on"));
        entry.report = Some(Box::new(report));
        self
    }

    /// Plays the part that the process' arguments ask for, and answers its exit code.
    pub fn main(self) -> ExitCode {
        let mut args = std::env::args_os();
        let program = args.next().map(std::path::PathBuf::from);
        let program = program.as_deref().and_then(std::path::Path::file_name);
        let program = program.map_or("storm".into(), |name| name.to_string_lossy());
        match self.play(&program, args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
            Err(error) => {
                terminal::remark(&program, &error);
                if let Some(hint) = error.hint() {
                    terminal::hint(hint);
                }
                ExitCode::from(error.exit_code())
            }
        }
    }

    /// The topology that `run NAME ARGS` would run, for tests.
    ///
    /// # Errors
    /// [`AppError`].
    pub fn build(&self, name: &str, args: &[&str]) -> Result<Topology, AppError> {
        let typed = ["describe", name].into_iter().chain(args.iter().copied());
        match Request::parse(self, "app", typed)? {
            Request::Describe { topology, conf, .. } => {
                Ok(self.make(&topology, &conf, true)?.topology)
            }
            _ => panic!("a topology is described, not helped with"),
        }
    }

    fn play(&self, program: &str, args: impl Iterator<Item = OsString>) -> Result<(), AppError> {
        match Request::parse(self, program, args)? {
            Request::Print(text) => terminal::write_data(text.as_bytes())?,
            Request::Worker(args) => worker::run(args, &self.all_registered())?,
            Request::Component(args) => child::run(&args, &self.all_registered())?,
            Request::List => terminal::write_data(self.list("").as_bytes())?,
            Request::Describe { topology, conf, format } => {
                let made = self.make(&topology, &conf, true)?;
                made.tell(program);
                let Made { name, topology, .. } = &made;
                let text = match format {
                    Format::Text => topology.to_string(),
                    Format::Json => format!("{:#}\n", describe::to_json(name, topology)),
                    Format::Submit => format!("{}\n", describe::to_submit(name, topology)),
                    Format::Picture { width } => {
                        let width = width.unwrap_or_else(terminal::width);
                        picture::Picture::of(name, topology).draw(width)
                    }
                    Format::Silent => String::new(),
                };
                terminal::write_data(text.as_bytes())?;
            }
            Request::Run { topology, options } => {
                let made = self.make(&topology, &options.conf, false)?;
                made.tell_remarks(program);
                run::run(program, &made, &options)?;
            }
        }
        Ok(())
    }

    /// What is registered here, and what every binary has; the author's own counts.
    fn all_registered(&self) -> Register {
        let mut all = builtin::register();
        all.extend(&self.register);
        all
    }

    /// The topology that is wanted, to be run here unless it `travels`; `conf` counts over what it
    /// sets itself.
    fn make(&self, wanted: &Wanted, conf: &Conf, travels: bool) -> Result<Made<'_>, AppError> {
        match wanted {
            Wanted::Known { name, args } => {
                let entry = self.known(name);
                let topology = self.build_entry(entry, args, conf)?;
                let (name, report) = (entry.name.clone(), entry.report.as_deref());
                Ok(Made { name, topology, report, remarks: Vec::new() })
            }
            Wanted::Flux(args) => {
                let flux = flux::read(args)?;
                let register = self.all_registered();
                let topology = match travels {
                    true => flux.build(&register, conf)?,
                    false => flux.build_here(&register, conf)?,
                };
                let remarks = flux.remarks().iter().map(ToString::to_string).collect();
                Ok(Made { name: flux.name().to_owned(), topology, report: None, remarks })
            }
        }
    }

    fn build_entry(
        &self,
        entry: &Entry,
        args: &ArgMatches,
        conf: &Conf,
    ) -> Result<Topology, AppError> {
        let mut builder = TopologyBuilder::with_register(self.all_registered());
        (entry.build)(&mut builder, args)?;
        for (key, value) in conf.as_map() {
            builder.conf(key, value.clone());
        }
        builder.build().map_err(|source| AppError::Invalid { name: entry.name.clone(), source })
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.topologies.iter().find(|entry| entry.name == name)
    }

    fn known(&self, name: &str) -> &Entry {
        self.entry(name).expect("only known names are understood")
    }

    /// One line per topology.
    fn list(&self, indent: &str) -> String {
        let width = self.topologies.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for entry in &self.topologies {
            let about = entry.command().get_about().map(ToString::to_string).unwrap_or_default();
            let line = format!("{indent}{:width$}  {about}", entry.name);
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }
}

/// A topology that was built, and what goes with it.
struct Made<'a> {
    name: String,
    topology: Topology,
    report: Option<&'a MakeReport>,
    /// What its author should know, and a run does not tell.
    remarks: Vec<String>,
}

impl Made<'_> {
    fn tell_remarks(&self, program: &str) {
        self.remarks.iter().for_each(|remark| terminal::remark(program, remark));
    }

    /// Says everything that deserves a look.
    fn tell(&self, program: &str) {
        self.tell_remarks(program);
        self.topology.warnings().iter().for_each(|warning| terminal::remark(program, warning));
    }
}

impl Entry {
    /// The topology as a command with its own arguments.
    fn command(&self) -> Command {
        (self.define)(Command::new(self.name.clone()))
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};
    use nimbus_client::thrift::StormTopology;
    use nimbus_client::wire::{Limits, from_bytes};

    use super::*;
    use crate::bolt::{BasicBolt, BasicCollector};
    use crate::component::Declarer;
    use crate::spout::{Next, Spout, SpoutCollector};
    use crate::topology::Named;
    use crate::tuple::TupleRef;

    struct Silent;

    impl Spout for Silent {
        fn declare(&self, declare: &mut Declarer) {
            declare.output(["word"]);
        }

        fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
            Ok(Next::Idle)
        }
    }

    struct Ignore;

    impl BasicBolt for Ignore {
        fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
            Ok(())
        }
    }

    fn app() -> App {
        App::new().register("ignore", |(): ()| Ignore).topology("silence", |builder, ()| {
            builder.conf("topology.max.spout.pending", 5);
            builder.spout("silent", || Silent);
            builder.bolt("ignore", Named::new("ignore")).fields("silent", ["word"]);
            Ok(())
        })
    }

    #[test]
    fn what_is_typed_wins_over_what_the_topology_sets() {
        let pending = |args: &[&str]| {
            app().build("silence", args).expect("it can be built").conf().max_spout_pending
        };
        assert_eq!(pending(&[]), Some(5));
        assert_eq!(pending(&["-c", "topology.max.spout.pending=7"]), Some(7));
    }

    #[test]
    fn a_description_has_a_version_and_the_groupings_with_their_fields() {
        let topology = app().build("silence", &[]).expect("it can be built");
        let described = describe::to_json("silence", &topology);
        assert_eq!(described["format"], 1);
        let components = described["components"].as_array().expect("a list");
        let bolt = components.iter().find(|component| component["id"] == "ignore");
        let input = &bolt.expect("the bolt is described")["inputs"][0];
        assert_eq!((&input["grouping"], &input["fields"][0]), (&"fields".into(), &"word".into()));
    }

    #[test]
    fn what_is_submitted_says_what_keeps_it_from_that() {
        let closure = app().build("silence", &[]).expect("it can be built");
        let object = describe::to_submit("silence", &closure);
        assert!(object["topology_thrift_base64"].is_null());
        let problem = object["unregistered"][0].as_str().expect("a problem");
        assert!(problem.starts_with("component silent is made by a closure"), "{problem}");

        let app =
            App::new().register("silent", |(): ()| Silent).topology("named", |builder, ()| {
                builder.spout("silent", Named::new("silent"));
                Ok(())
            });
        let object = describe::to_submit("named", &app.build("named", &[]).expect("it is sound"));
        let bytes = object["topology_thrift_base64"].as_str().expect("a topology");
        let bytes = BASE64_STANDARD.decode(bytes).expect("base64");
        let topology: StormTopology = from_bytes(&bytes, &Limits::default()).expect("a topology");
        assert_eq!(topology.spouts.keys().collect::<Vec<_>>(), ["silent"]);
        assert_eq!(object["format"], 1);
    }

    #[test]
    fn a_component_that_is_not_registered_is_an_error_of_the_topology() {
        let app = App::new().topology("broken", |builder, ()| {
            builder.spout("silent", Named::new("silnt"));
            Ok(())
        });
        let error = app.build("broken", &[]).expect_err("there is no such component");
        assert!(matches!(error, AppError::Invalid { .. }), "{error}");
        assert_eq!(error.exit_code(), 1);
    }

    #[test]
    #[should_panic(expected = "two topologies silence")]
    fn a_topology_has_its_name_to_itself() {
        let _ = app().topology("silence", |_, ()| Ok(()));
    }

    #[test]
    #[should_panic(expected = "ignore is registered twice")]
    fn a_component_has_its_name_to_itself() {
        let _ = app().register("ignore", |(): ()| Ignore);
    }

    #[test]
    #[should_panic(expected = "no topology noise")]
    fn a_report_is_on_a_topology_that_is_there() {
        let _ = app().report("noise", |_, _| {});
    }
}
