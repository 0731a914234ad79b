//! `list`, `kill`, `activate`, `deactivate`, `rebalance`, `debug` and `errors`: one call of Nimbus
//! each.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use nimbus_client::thrift::{ErrorInfo, KillOptions, RebalanceOptions, TopologySummary};
use nimbus_client::wire::OrderedFloat;
use serde_json::{Value, json};

use crate::args::{Activate, Deactivate, Debug, Errors, Kill, PROGRAM, Rebalance};
use crate::clock::{in_words, time_of_day};
use crate::error::Error;
use crate::nimbus::{Nimbus, NimbusError};
use crate::output::Table;
use crate::session::Session;

/// What one call takes at most, unless another time is set.
const LIMIT: Duration = Duration::from_secs(30);
/// What waiting for a killed topology's end takes at most, beyond its own wait.
const GONE_LIMIT: Duration = Duration::from_secs(120);
/// Pause between two questions whether a topology is gone.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a topology was not changed, beside what Nimbus says.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// An option is no JSON of the form it should have.
    #[error("{option}: {source}")]
    NotJson {
        /// The option.
        option: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The topology is still there.
    #[error("{name} was killed and is not gone within {}", in_words(*.waited))]
    NotGone {
        /// Its name.
        name: String,
        /// How long was waited.
        waited: Duration,
    },
}

impl TopologyError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotJson { .. } => format!("{PROGRAM} rebalance --help shows the form"),
            Self::NotGone { .. } => {
                format!("{PROGRAM} list shows its state; --timeout waits longer")
            }
        }
    }

    /// Whether the arguments are wrong rather than the world.
    pub fn is_about_arguments(&self) -> bool {
        matches!(self, Self::NotJson { .. })
    }
}

/// Lists the topologies.
pub fn list(session: &Session) -> Result<(), Error> {
    let mut nimbus = Nimbus::connect(session, session.deadline(LIMIT))?;
    let topologies = nimbus.topologies()?;
    if session.output.json {
        let documents: Vec<Value> = topologies.iter().map(document).collect();
        return Ok(session.output.document(&documents)?);
    }
    if topologies.is_empty() {
        session.output.remark("no topology runs");
        return Ok(());
    }
    Ok(session.output.data(&table(&topologies).render())?)
}

/// Topologies as rows, in the order of Storm's own `list`.
pub(super) fn table(topologies: &[TopologySummary]) -> Table {
    let head = ["topology", "status", "tasks", "executors", "workers", "uptime", "id", "owner"];
    let mut table = Table::new(&head);
    for one in topologies {
        table.row([
            one.name.clone(),
            one.status.clone(),
            one.num_tasks.to_string(),
            one.num_executors.to_string(),
            one.num_workers.to_string(),
            uptime(one.uptime_secs),
            one.id.clone(),
            one.owner.clone().filter(|owner| !owner.is_empty()).unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table
}

pub(super) fn document(one: &TopologySummary) -> Value {
    json!({
        "name": one.name, "id": one.id, "status": one.status, "tasks": one.num_tasks,
        "executors": one.num_executors, "workers": one.num_workers,
        "uptime_secs": one.uptime_secs, "owner": one.owner, "scheduling": one.sched_status,
    })
}

pub(super) fn uptime(secs: i32) -> String {
    in_words(Duration::from_secs(u64::try_from(secs).unwrap_or(0)))
}

/// Kills a topology.
pub fn kill(session: &Session, asked: &Kill) -> Result<(), Error> {
    let own_wait =
        Duration::from_secs(asked.wait.and_then(|secs| secs.try_into().ok()).unwrap_or(0));
    let limit = if asked.until_gone { own_wait + GONE_LIMIT } else { LIMIT };
    let deadline = session.deadline(limit);
    let mut nimbus = Nimbus::connect(session, deadline)?;
    nimbus.kill(&asked.name, KillOptions { wait_secs: asked.wait })?;
    if asked.until_gone {
        let gone = deadline.poll(PAUSE, || -> Result<_, NimbusError> {
            let topologies = nimbus.topologies()?;
            Ok(topologies.iter().all(|one| one.name != asked.name).then_some(()))
        })?;
        if gone.is_none() {
            let (name, waited) = (asked.name.clone(), deadline.limit());
            return Err(TopologyError::NotGone { name, waited }.into());
        }
    }
    let done = if asked.until_gone { "is gone" } else { "is being killed" };
    tell(session, &asked.name, "killed", done)
}

/// Activates a topology.
pub fn activate(session: &Session, asked: &Activate) -> Result<(), Error> {
    Nimbus::connect(session, session.deadline(LIMIT))?.activate(&asked.name)?;
    tell(session, &asked.name, "activated", "is active")
}

/// Deactivates a topology.
pub fn deactivate(session: &Session, asked: &Deactivate) -> Result<(), Error> {
    Nimbus::connect(session, session.deadline(LIMIT))?.deactivate(&asked.name)?;
    tell(session, &asked.name, "deactivated", "is inactive")
}

/// Rebalances a topology.
pub fn rebalance(session: &Session, asked: &Rebalance) -> Result<(), Error> {
    let options = rebalance_options(asked)?;
    Nimbus::connect(session, session.deadline(LIMIT))?.rebalance(&asked.name, options)?;
    tell(session, &asked.name, "rebalancing", "is being rebalanced")
}

fn rebalance_options(asked: &Rebalance) -> Result<RebalanceOptions, TopologyError> {
    let resources = asked.resources.as_ref().map(|text| {
        let parsed: Result<BTreeMap<String, BTreeMap<String, f64>>, _> = serde_json::from_str(text);
        parsed.map_err(|source| TopologyError::NotJson { option: "--resources", source })
    });
    let amounts = |of: BTreeMap<String, f64>| -> BTreeMap<String, OrderedFloat<f64>> {
        of.into_iter().map(|(name, amount)| (name, OrderedFloat(amount))).collect()
    };
    if let Some(text) = &asked.topology_conf {
        let parsed: Result<serde_json::Map<String, Value>, _> = serde_json::from_str(text);
        parsed.map_err(|source| TopologyError::NotJson { option: "--topology-conf", source })?;
    }
    let executors: BTreeMap<String, i32> = asked.executors.iter().cloned().collect();
    Ok(RebalanceOptions {
        wait_secs: asked.wait,
        num_workers: asked.workers,
        num_executors: (!executors.is_empty()).then_some(executors),
        topology_resources_overrides: resources
            .transpose()?
            .map(|all| all.into_iter().map(|(component, of)| (component, amounts(of))).collect()),
        topology_conf_overrides: asked.topology_conf.clone(),
        principal: None,
    })
}

/// Samples what components emit, or ceases to.
pub fn debug(session: &Session, asked: &Debug) -> Result<(), Error> {
    let Debug { name, component, percent, .. } = asked;
    let of = component.as_deref().unwrap_or_default();
    let mut nimbus = Nimbus::connect(session, session.deadline(LIMIT))?;
    nimbus.debug(name, of, *percent)?;
    if percent.is_none() && component.is_none() {
        // A component that was told for itself does not heed what the topology is told.
        let info = nimbus.topology(name)?;
        let told = info.component_debug.iter().flatten();
        for (component, _) in told.filter(|(_, debug)| debug.enable == Some(true)) {
            nimbus.debug(name, component, None)?;
        }
    }
    if session.output.json {
        let state = json!({"topology": name, "component": component, "percent": percent});
        return Ok(session.output.document(&state)?);
    }
    let whose =
        component.as_ref().map_or(name.clone(), |component| format!("{component} of {name}"));
    let Some(percent) = percent else {
        return Ok(session.output.data(&format!("{whose} is not sampled\n"))?);
    };
    session.output.data(&format!("{percent} % of what {whose} emits is written down\n"))?;
    session.output.remark(&format!("{PROGRAM} logs {name} --events shows it"));
    Ok(())
}

fn tell(session: &Session, name: &str, state: &str, words: &str) -> Result<(), Error> {
    if session.output.json {
        return Ok(session.output.document(&json!({"topology": name, "state": state}))?);
    }
    Ok(session.output.data(&format!("{name} {words}\n"))?)
}

/// Shows what components reported.
pub fn errors(session: &Session, asked: &Errors) -> Result<(), Error> {
    let mut nimbus = Nimbus::connect(session, session.deadline(LIMIT))?;
    let info = nimbus.topology(&asked.name)?;
    let mut all: Vec<(&String, &ErrorInfo)> = info
        .errors
        .iter()
        .flat_map(|(component, errors)| errors.iter().map(move |e| (component, e)))
        .collect();
    all.sort_by_key(|(component, error)| (error.error_time_secs, component.as_str()));
    if session.output.json {
        let documents: Vec<Value> = all
            .iter()
            .map(|(component, error)| {
                json!({"component": component, "time_secs": error.error_time_secs,
                       "host": error.host, "port": error.port, "error": error.error})
            })
            .collect();
        return Ok(session.output.document(&documents)?);
    }
    if all.is_empty() {
        session.output.remark(&format!("no component of {} reported an error", asked.name));
        return Ok(());
    }
    let now = time_of_day().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut table = Table::new(&["component", "ago", "worker", "error"]);
    let mut text = String::new();
    for (component, error) in all {
        let ago = now.saturating_sub(u64::try_from(error.error_time_secs).unwrap_or(0));
        let ago = in_words(Duration::from_secs(ago));
        let worker = match (&error.host, error.port) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => "-".to_owned(),
        };
        if asked.full {
            text += &format!("{component}, {ago} ago, on {worker}\n{}\n\n", error.error.trim_end());
        } else {
            let first = error.error.lines().next().unwrap_or_default().to_owned();
            table.row([component.clone(), ago, worker, first]);
        }
    }
    let text = if asked.full { format!("{}\n", text.trim_end()) } else { table.render() };
    Ok(session.output.data(&text)?)
}
