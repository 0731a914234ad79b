//! `submit`: describe, check, pack, upload, submit, and wait until it runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nimbus_client::TopologyName;
use nimbus_client::client::ClientError;
use nimbus_client::conf::Place;
use nimbus_client::submit::{self, Archive, BinaryError, Submission, SubmitStep};
use nimbus_client::thrift::{ExecutorSpecificStats, TopologyInfo};
use serde_json::{Map, Value, json};

use super::logs::last_lines_of;
use super::topologies::uptime;
use crate::args::{Flux, PROGRAM, Submit};
use crate::clock::{Deadline, in_words};
use crate::describe::{Asked, DescribeError};
use crate::error::Error;
use crate::nimbus::Nimbus;
use crate::progress::{Progress, Step};
use crate::session::Session;
use crate::stormd::{Stormd, StormdError};

/// What the whole takes at most, unless another time is set.
const LIMIT: Duration = Duration::from_secs(120);
/// What a binary takes to describe a topology.
const DESCRIBE: Duration = Duration::from_secs(30);
/// Lines of each worker's log that are shown when a topology does not run.
const LOG_LINES: usize = 5;
/// Folder of what travels with a topology in YAML, beside its file.
const RESOURCES: &str = "resources";
/// Narrowest and widest picture that a topology binary draws, in characters.
const NARROWEST: usize = 20;
const WIDEST: usize = 1000;
/// Pause between two looks whether it runs.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a topology was not submitted, or does not run.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The binary does not describe it.
    #[error("cannot submit: {0}")]
    Describe(#[from] DescribeError),
    /// There is no program that describes a topology of built-in components.
    #[error("cannot submit: {0}")]
    Stormd(#[from] StormdError),
    /// It cannot be submitted, or Nimbus does not take it.
    #[error("cannot submit: {0}")]
    Refused(#[from] submit::SubmitError),
    /// It was submitted and does not run.
    #[error("{name} was submitted and does not run after {}: {missing}", in_words(*.waited))]
    NotRunning {
        /// The name.
        name: String,
        /// How long was waited.
        waited: Duration,
        /// What is missing.
        missing: String,
    },
}

impl SubmitError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        use submit::SubmitError as Refused;
        let another = || "--name NAME submits it under another name".to_owned();
        match self {
            Self::Describe(error) => error.hint(),
            Self::Stormd(error) => error.hint(),
            Self::Refused(Refused::Name(_) | Refused::NameRefused { .. }) => another(),
            Self::Refused(Refused::NameTaken { name, .. }) => {
                format!("{PROGRAM} kill {name} ends that one; {}", another())
            }
            Self::Refused(Refused::Binary(BinaryError::NoExecutable { .. })) => {
                "name a topology binary, such as target/release/topologies".to_owned()
            }
            Self::Refused(Refused::Unregistered { .. }) => {
                "App::new().register::<Split>(\"split\") registers one in the binary's main"
                    .to_owned()
            }
            Self::Refused(Refused::Client(ClientError::RequestTooLarge { key, .. })) => {
                format!("-c {key}=BYTES raises it here; Nimbus needs the same")
            }
            Self::Refused(Refused::Client(error)) if error.is_retriable() => {
                format!("{PROGRAM} status shows whether the cluster is there")
            }
            Self::Refused(Refused::Unknown { .. }) => {
                format!("{PROGRAM} list shows whether it is there")
            }
            Self::Refused(_) => format!("{PROGRAM} submit --help shows what may be given"),
            Self::NotRunning { name, .. } => format!(
                "{PROGRAM} status shows free slots; {PROGRAM} logs {name} and {PROGRAM} errors {name} tell more"
            ),
        }
    }
}

/// Classes of the metrics consumers that a topology registers.
fn consumers(conf: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let registered = conf.get("topology.metrics.consumer.register").and_then(Value::as_array);
    registered.into_iter().flatten().filter_map(|consumer| consumer.get("class")?.as_str())
}

/// What a submission came to.
#[derive(Debug)]
pub struct Submitted {
    /// The topology's name.
    pub name: String,
    /// The id that Nimbus gave it.
    pub id: String,
    /// Whether it was seen to run.
    pub info: Option<TopologyInfo>,
}

/// Submits a topology, or shows what would be submitted.
pub fn submit(session: &Session, asked: &Submit) -> Result<(), Error> {
    let deadline = session.deadline(LIMIT);
    if asked.dry_run {
        return dry_run(session, asked, deadline);
    }
    let submitted = submit_within(session, asked, deadline)?;
    let Submitted { name, id, info } = &submitted;
    if session.output.json {
        let executors = info.as_ref().map(|info| info.executors.len());
        let data =
            json!({"name": name, "id": id, "running": info.is_some(), "executors": executors});
        session.output.document(&data)?;
    } else {
        session.output.data(&format!("{id}\n"))?;
    }
    session.output.remark(&format!(
        "\nnext:\n  {PROGRAM} monitor {name}\n  {PROGRAM} logs {name} --follow\n  {PROGRAM} kill {name}"
    ));
    Ok(())
}

/// Checks a topology and prints its picture, without a cluster.
fn dry_run(session: &Session, asked: &Submit, deadline: Deadline) -> Result<(), Error> {
    let options = match () {
        () if asked.no_detail => vec!["--no-detail".to_owned()],
        () if session.output.json => vec!["--json".to_owned()],
        () => session.output.width().map_or(Vec::new(), |width| {
            vec!["--width".to_owned(), width.clamp(NARROWEST, WIDEST).to_string()]
        }),
    };
    let program = program(session, asked, deadline)?;
    let drawn = program.draw(&options, deadline.part(DESCRIBE)).map_err(SubmitError::from)?;
    let (picture, remarks) = drawn;
    remarks.iter().for_each(|remark| session.output.remark(remark));
    Ok(session.output.data(&String::from_utf8_lossy(&picture))?)
}

/// The program that knows the topology: the binary, or for built-in components alone the daemon's.
fn program(session: &Session, asked: &Submit, deadline: Deadline) -> Result<Asked, Error> {
    let Flux { file, filter, properties, env_filter, resource } = &asked.flux;
    let program = match &asked.binary {
        Some(binary) => binary.clone(),
        None => {
            let stormd = Stormd::find(&session.surroundings, deadline);
            stormd.map_err(SubmitError::from)?.path().to_owned()
        }
    };
    let Some(file) = file else {
        return Ok(Asked { program, words: asked.topology.clone(), is_flux: false });
    };
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let mut words = vec!["--flux".to_owned(), path(file)];
    words.extend(filter.iter().flat_map(|file| ["--filter".to_owned(), path(file)]));
    words.extend(properties.iter().flat_map(|one| ["--set".to_owned(), one.clone()]));
    words.extend(asked.resources.iter().flat_map(|one| ["--resources".to_owned(), path(one)]));
    words.extend(env_filter.then(|| "--env-filter".to_owned()));
    words.extend(resource.then(|| "--resource".to_owned()));
    Ok(Asked { program, words, is_flux: true })
}

/// The folder that travels with the topology: the one that is named, else the one beside its YAML.
fn resources(asked: &Submit) -> Option<PathBuf> {
    let beside = || {
        let folder = match (&asked.flux.file, asked.flux.resource) {
            (Some(_), true) => PathBuf::from(RESOURCES),
            (Some(file), false) => file.parent()?.join(RESOURCES),
            (None, _) => return None,
        };
        folder.is_dir().then_some(folder)
    };
    asked.resources.clone().or_else(beside)
}

/// Submits a topology, with steps told on standard error.
pub(super) fn submit_within(
    session: &Session,
    asked: &Submit,
    deadline: Deadline,
) -> Result<Submitted, Error> {
    let progress = Progress::new(session.output);
    let doing = asked.flux.file.as_ref().map(|file| format!("reading {}", file.display()));
    let step = progress.step("describe", doing.as_deref().unwrap_or("asking the binary"));
    let archive = match &asked.binary {
        // A binary of another machine is told apart before it is run.
        Some(binary) => Archive::new().with_binary(binary).map_err(refused)?,
        None => Archive::new(),
    };
    let program = program(session, asked, deadline)?;
    let described = program.describe(deadline.part(DESCRIBE)).map_err(SubmitError::from)?;
    let (described, remarks) = described;
    let archive = archive.with_runtime(described.runtime.clone());
    let archive = match resources(asked) {
        Some(folder) => archive.with_resources(&folder).map_err(refused)?,
        None => archive,
    };
    let mut submission = Submission::of(described).map_err(SubmitError::from)?;
    if let Some(name) = &asked.name {
        submission.name = TopologyName::new(name.as_str()).map_err(refused)?;
    }
    submission.active = !asked.inactive;
    submission.conf = conf(session, asked, submission.conf);
    let name = submission.name.as_str().to_owned();
    let components = submission.topology.spouts.len() + submission.topology.bolts.len();
    step.done(&format!("{name}, {components} components"));
    remarks.iter().for_each(|remark| session.output.remark(remark));
    for class in consumers(&submission.conf) {
        session.output.remark(&format!(
            "{name} registers the metrics consumer {class}, a Java class: on the native engine its \
             tasks do nothing"
        ));
    }

    let mut nimbus = Nimbus::connect(session, deadline)?;
    let id = upload(&mut nimbus, &submission, &archive, &progress)?;
    if asked.no_wait {
        return Ok(Submitted { id: id.unwrap_or_else(|| name.clone()), name, info: None });
    }
    let step = progress.step("start", "waiting for workers");
    let info = wait(&mut nimbus, &name, asked.inactive, deadline);
    let info = info.inspect_err(|_| show_worker_logs(session, &name))?;
    let workers: BTreeSet<_> = info.executors.iter().map(|one| (&one.host, one.port)).collect();
    let noun = if workers.len() == 1 { "worker" } else { "workers" };
    step.done(&format!("runs, {} executors in {} {noun}", info.executors.len(), workers.len()));
    Ok(Submitted { name, id: info.id.clone(), info: Some(info) })
}

fn refused(error: impl Into<submit::SubmitError>) -> SubmitError {
    SubmitError::Refused(error.into())
}

/// Packs, uploads and submits; gives the id, if Nimbus could be asked for it.
fn upload(
    nimbus: &mut Nimbus,
    submission: &Submission,
    archive: &Archive,
    progress: &Progress,
) -> Result<Option<String>, Error> {
    let step = progress.step("pack", "packing the archive");
    let mut packed = archive.pack().map_err(refused)?;
    let bytes = packed.bytes();
    step.done(&in_mib(bytes));
    let mut uploading: Option<Step> = None;
    let submitted =
        submit::submit(nimbus.client(), submission, &mut packed, &mut |step| match step {
            SubmitStep::Uploading(at) => {
                uploading.get_or_insert_with(|| progress.bytes("upload", bytes)).at(at.done);
            }
            SubmitStep::Submitting => {
                if let Some(step) = uploading.take() {
                    step.done(&in_mib(bytes));
                }
            }
            SubmitStep::AskingForName | SubmitStep::AskingWhetherItLives => {}
        });
    Ok(submitted.map_err(SubmitError::from)?.id)
}

fn in_mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The topology's own configuration over what `-c` sets for topologies; options have the last word.
fn conf(session: &Session, asked: &Submit, own: Map<String, Value>) -> Map<String, Value> {
    let mut conf = Map::new();
    for (key, value) in session.conf.to_map() {
        let set_here =
            session.conf.layers(&key).last().is_some_and(|set| set.place == Place::CommandLine);
        if set_here && key.starts_with("topology.") {
            conf.insert(key, value);
        }
    }
    conf.extend(own);
    if let Some(workers) = asked.workers {
        conf.insert("topology.workers".to_owned(), workers.into());
    }
    conf
}

/// Waits for: executors are assigned, and each of them has reported.
fn wait(
    nimbus: &mut Nimbus,
    name: &str,
    inactive: bool,
    deadline: Deadline,
) -> Result<TopologyInfo, Error> {
    let mut missing = "its executors are not assigned".to_owned();
    let running = deadline.poll(PAUSE, || {
        let info = nimbus.topology(name)?;
        missing = match lacking(&info, inactive) {
            None => return Ok(Some(info)),
            Some(lacking) => lacking,
        };
        Ok::<_, Error>(None)
    })?;
    running.ok_or_else(|| {
        SubmitError::NotRunning { name: name.to_owned(), waited: deadline.limit(), missing }.into()
    })
}

/// What the workers of a local cluster said last.
fn show_worker_logs(session: &Session, name: &str) {
    if session.is_remote() {
        return;
    }
    let lines = last_lines_of(&session.state.logs(), name, LOG_LINES);
    if !lines.is_empty() {
        session.output.remark("the end of the workers' logs:");
        lines.iter().for_each(|line| session.output.remark(&format!("  {line}")));
        session.output.remark("");
    }
}

/// What keeps a topology from running, in words.
fn lacking(info: &TopologyInfo, inactive: bool) -> Option<String> {
    let status = if inactive { "INACTIVE" } else { "ACTIVE" };
    if info.executors.is_empty() {
        let why = info.sched_status.as_deref().filter(|why| !why.is_empty());
        return Some(match why {
            Some(why) => format!("its executors are not assigned ({why})"),
            None => "its executors are not assigned".to_owned(),
        });
    }
    let silent: Vec<&str> = info
        .executors
        .iter()
        .filter(|one| one.stats.is_none())
        .map(|one| one.component_id.as_str())
        .collect();
    if let Some(first) = silent.first() {
        let up = uptime(info.uptime_secs);
        return Some(format!("{} executors are silent for {up}, {first} among them", silent.len()));
    }
    (info.status != status).then(|| format!("its status is {}", info.status))
}

/// Messages that the spouts of a topology have seen acked.
pub(super) fn acked(info: &TopologyInfo) -> i64 {
    let stats = info.executors.iter().filter_map(|one| one.stats.as_ref());
    let spouts = stats.filter_map(|stats| match &stats.specific {
        ExecutorSpecificStats::Spout(spout) => spout.acked.get(":all-time"),
        ExecutorSpecificStats::Bolt(_) => None,
    });
    spouts.flat_map(|streams| streams.values()).sum()
}
