//! `submit`: describe, check, pack, upload, submit, and wait until it runs.

use std::time::Duration;

use nimbus_client::client::NimbusMethods;
use nimbus_client::conf::Place;
use nimbus_client::thrift::{
    ExecutorSpecificStats, SubmitOptions, TopologyInfo, TopologyInitialStatus,
};
use nimbus_client::{TopologyName, TopologyNameError};
use serde_json::{Map, Value, json};

use super::topologies::uptime;
use crate::archive::{ArchiveError, pack};
use crate::args::{PROGRAM, Submit};
use crate::clock::{Deadline, in_words};
use crate::describe::{DescribeError, Description, describe};
use crate::error::Error;
use crate::nimbus::Nimbus;
use crate::progress::Progress;
use crate::session::Session;

/// What the whole takes at most, unless another time is set.
const LIMIT: Duration = Duration::from_secs(120);
/// What a binary takes to describe a topology.
const DESCRIBE: Duration = Duration::from_secs(30);
/// Pause between two looks whether it runs.
const PAUSE: Duration = Duration::from_millis(20);

/// Why a topology was not submitted, beside what Nimbus says.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The binary does not describe a topology that could run.
    #[error("cannot submit: {0}")]
    Describe(#[from] DescribeError),
    /// The name is none.
    #[error("cannot submit: {0}")]
    Name(#[from] TopologyNameError),
    /// A topology of the name runs.
    #[error("cannot submit: the name {name} is in use or not allowed")]
    NameInUse {
        /// The name.
        name: String,
    },
    /// The binary cannot be packed.
    #[error("cannot submit: {0}")]
    Archive(#[from] ArchiveError),
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
        match self {
            Self::Describe(error) => error.hint(),
            Self::Name(_) => "give another one: --name NAME".to_owned(),
            Self::NameInUse { name } => {
                format!("{PROGRAM} kill {name} ends it; --name NAME submits under another name")
            }
            Self::Archive(_) => "see whether the file can be read, and /tmp has space".to_owned(),
            Self::NotRunning { name, .. } => {
                format!(
                    "{PROGRAM} status shows free slots; {PROGRAM} logs {name} and {PROGRAM} errors {name} tell more"
                )
            }
        }
    }
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

/// Submits a topology.
pub fn submit(session: &Session, asked: &Submit) -> Result<(), Error> {
    let deadline = session.deadline(LIMIT);
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

/// Submits a topology, with steps told on standard error.
pub(super) fn submit_within(
    session: &Session,
    asked: &Submit,
    deadline: Deadline,
) -> Result<Submitted, Error> {
    let progress = Progress::new(session.output);
    let step = progress.step("describe", "asking the binary");
    let description = describe(&asked.binary, &asked.topology, deadline.part(DESCRIBE));
    let description = description.map_err(SubmitError::from)?;
    let name = asked.name.clone().unwrap_or_else(|| description.name.clone());
    let name = TopologyName::new(name).map_err(SubmitError::from)?.as_str().to_owned();
    let components = description.topology.spouts.len() + description.topology.bolts.len();
    step.done(&format!("{name}, {components} components"));

    let mut nimbus = Nimbus::connect(session, deadline)?;
    let allowed = nimbus.client().call(|nimbus| nimbus.is_topology_name_allowed(name.clone()));
    if !allowed.map_err(|error| nimbus.failed(&format!("submit {name}"), error))? {
        return Err(SubmitError::NameInUse { name }.into());
    }
    upload(session, asked, &mut nimbus, &name, description, &progress)?;

    if asked.no_wait {
        let topologies = nimbus.topologies()?;
        let id = topologies.into_iter().find(|one| one.name == name).map(|one| one.id);
        return Ok(Submitted { id: id.unwrap_or_else(|| name.clone()), name, info: None });
    }
    let step = progress.step("start", "waiting for workers");
    let info = wait(&mut nimbus, &name, asked.inactive, deadline)?;
    let workers = info
        .executors
        .iter()
        .map(|one| (&one.host, one.port))
        .collect::<std::collections::BTreeSet<_>>();
    step.done(&format!("runs, {} executors in {} workers", info.executors.len(), workers.len()));
    Ok(Submitted { name, id: info.id.clone(), info: Some(info) })
}

fn upload(
    session: &Session,
    asked: &Submit,
    nimbus: &mut Nimbus,
    name: &str,
    description: Description,
    progress: &Progress,
) -> Result<(), Error> {
    // To a machine nearby, packing tighter takes longer than sending more.
    let seeds = session.seeds()?;
    let is_near = seeds
        .addresses
        .iter()
        .all(|address| matches!(address.host.as_str(), "127.0.0.1" | "::1" | "localhost"));
    let (mut archive, bytes) =
        pack(&asked.binary, &description.target, !is_near).map_err(SubmitError::from)?;
    let step = progress.bytes("upload", bytes);
    let location = nimbus.client().upload_file(&mut archive, &mut |at| step.at(at.done));
    let location = location.map_err(|error| nimbus.failed("upload the topology", error))?;
    step.done(&format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)));

    let conf = serde_json::to_string(&Value::Object(conf(session, asked, description.conf)))
        .expect("a map of plain values");
    let initial = if asked.inactive {
        TopologyInitialStatus::INACTIVE
    } else {
        TopologyInitialStatus::ACTIVE
    };
    let options = SubmitOptions::new(initial, None);
    let submitted = nimbus.client().call(|nimbus| {
        let (topology, options) = (description.topology.clone(), options.clone());
        nimbus.submit_topology_with_opts(
            name.to_owned(),
            location.clone(),
            conf.clone(),
            topology,
            options,
        )
    });
    match submitted {
        Ok(()) => Ok(()),
        // The answer was lost on the way: whether it was done can be seen.
        Err(error) if error.may_have_taken_effect() => {
            let there = nimbus.topologies()?.iter().any(|one| one.name == name);
            if there { Ok(()) } else { Err(nimbus.failed(&format!("submit {name}"), error).into()) }
        }
        Err(error) => Err(nimbus.failed(&format!("submit {name}"), error).into()),
    }
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
