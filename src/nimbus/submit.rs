//! A submission: checked, stored, then scheduled.
//!
//! **Invariants.** The name is reserved while blobs are written, so that two submissions of one name
//! cannot meet. The base is stored last: whatever fails or is killed before leaves blobs that the
//! cleanup finds, and no topology.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use nimbus_client::thrift as storm;
use nimbus_client::{TopologyId, TopologyName};
use serde_json::{Map, Value};

use super::base::TopologyBase;
use super::binary;
use super::core::Core;
use super::error::NimbusError;
use super::lifecycle::Status;
use super::plan::{self, Plan};
use super::topologies::Entry;
use super::validate;
use crate::blobstore::random_name;
use crate::builtin;
use crate::conf::WORKER_SECRET;
use crate::id::ComponentId;
use crate::server::Caller;
use crate::shell;
use crate::system_topology::{InvalidTopology, METRICS_PREFIX, normalised};

/// A submission as it comes from a client.
pub struct Submission {
    /// The name that its author chose.
    pub name: String,
    /// Where the archive was uploaded to; empty if there is none.
    pub location: String,
    /// The topology's conf as JSON.
    pub json_conf: String,
    /// The topology.
    pub topology: storm::StormTopology,
    /// How it begins, and its credentials.
    pub options: storm::SubmitOptions,
}

impl Core {
    /// Whether a topology may take this name.
    pub fn is_name_allowed(&self, name: &str) -> bool {
        TopologyName::new(name).is_ok() && self.topologies.by_name(name).is_err()
    }

    /// Takes a topology in.
    ///
    /// # Errors
    /// What is wrong with it, or what failed.
    pub fn submit(&self, caller: &Caller, submission: Submission) -> Result<(), NimbusError> {
        let name = TopologyName::new(submission.name.as_str())
            .map_err(|error| NimbusError::invalid(error.to_string()))?;
        let conf = parse_conf(&submission.json_conf)?;
        caller.authorize(&conf)?;
        let checked = self.check(&name, submission, conf, caller)?;
        let id = self.reserve(&name)?;
        let done = self.store(&id, checked);
        self.decide().reserved.remove(name.as_str());
        if done.is_err() {
            self.blobs.remove_topology(&id);
        }
        done?;
        self.counts.submitted.add(1);
        self.wake_driver();
        Ok(())
    }

    fn reserve(&self, name: &TopologyName) -> Result<TopologyId, NimbusError> {
        let mut decisions = self.decide();
        let taken = self.topologies.by_name(name.as_str()).is_ok();
        if taken || !decisions.reserved.insert(name.to_string()) {
            return Err(NimbusError::AlreadyAlive { name: name.to_string() });
        }
        let now = self.now_secs().unsigned_abs();
        loop {
            decisions.submitted += 1;
            let id = TopologyId::new(name.clone(), decisions.submitted, now);
            // A Nimbus that was started again counts from the beginning, within the same second too.
            if !decisions.dead_since.contains_key(&id) && self.topologies.get(&id).is_none() {
                return Ok(id);
            }
        }
    }

    fn check(
        &self,
        name: &TopologyName,
        submission: Submission,
        mut conf: Map<String, Value>,
        caller: &Caller,
    ) -> Result<Checked, NimbusError> {
        let Submission { location, topology, options, .. } = submission;
        validate::conf(&conf)?;
        validate::topology(&topology)?;
        let merged = self.merged_conf(&conf);
        let topology = normalised(&topology, &merged).map_err(invalid)?;
        let plan = Plan::of(&topology, &merged).map_err(invalid)?;
        let component_to_executors = plan.numbering.start_executors();
        warn_of_consumers(name, component_to_executors.keys());
        let executors: usize = component_to_executors.values().sum();
        let workers = plan::count(merged.get("topology.workers")).unwrap_or(1).max(1);
        let settings = &self.settings;
        within(
            "executors",
            executors,
            settings.executors_per_topology,
            "nimbus.executors.perTopology",
        )?;
        within("workers", workers, settings.slots_per_topology, "nimbus.slots.perTopology")?;
        self.check_blob_map(&merged)?;
        let (archive, has_binary) = match location.as_str() {
            "" => (None, false),
            location => {
                let found = self.inbox.finished(location);
                let found = found.map_err(|error| NimbusError::invalid(error.to_string()))?;
                let has_binary = binary::check(&found)?;
                (Some(found), has_binary)
            }
        };
        if !has_binary {
            let mut built_in = builtin::register();
            shell::register(&mut built_in);
            validate::stock(&topology, &built_in)?;
        }
        let owner = self.owner(caller);
        keep_secret(&mut conf)?;
        complete_conf(&mut conf, &merged, name, &owner, caller);
        let status = match options.initial_status {
            storm::TopologyInitialStatus::INACTIVE => Status::Inactive,
            _ => Status::Active,
        };
        let version = topology_version(&merged);
        Ok(Checked {
            base: TopologyBase {
                name: name.to_string(),
                status,
                wanted_workers: workers,
                component_to_executors,
                launched_secs: 0,
                owner: Some(owner),
                principal: caller.principal.user().map(str::to_owned),
                component_to_debug: BTreeMap::new(),
                version,
            },
            conf,
            topology,
            plan,
            archive,
            credentials: options.creds,
        })
    }

    /// Each blob that workers are to find must exist.
    fn check_blob_map(&self, conf: &Map<String, Value>) -> Result<(), NimbusError> {
        let map = conf.get("topology.blobstore.map").and_then(Value::as_object);
        for key in map.into_iter().flat_map(Map::keys) {
            if !self.blobs.exists(key) {
                return Err(NimbusError::invalid(format!(
                    "topology.blobstore.map names the blob {key}, which does not exist: create it first"
                )));
            }
        }
        Ok(())
    }

    /// The user who owns what this caller submits: itself, or who runs Nimbus if that is not told.
    fn owner(&self, caller: &Caller) -> String {
        let own = || crate::server::user_name(rustix::process::getuid().as_raw());
        caller.principal.user().map_or_else(own, str::to_owned)
    }

    fn store(&self, id: &TopologyId, checked: Checked) -> Result<(), NimbusError> {
        let Checked { mut base, mut conf, topology, plan, archive, credentials } = checked;
        base.launched_secs = self.now_secs() as i32;
        conf.insert("storm.id".to_owned(), id.to_string().into());
        let owner = base.owner.as_deref();
        self.blobs.put_topology(id, &topology, owner)?;
        self.blobs.put_conf(id, &conf, owner)?;
        if let Some(archive) = &archive {
            self.blobs.put_archive(id, archive, owner)?;
        }
        let wire = storm::StormBase::from(&base);
        let _decisions = self.decide();
        self.shared.with(|state| state.add_topology(id, &wire, credentials.as_ref()))?;
        let executors = plan.numbering.executors(&base.component_to_executors);
        tracing::info!(
            "submitted {id} of {}: {} components, {} executors, {} workers wanted",
            owner.unwrap_or("nobody"),
            plan.components.len(),
            executors.len(),
            base.wanted_workers
        );
        self.topologies.put(Entry {
            id: id.clone(),
            executor_to_component: Arc::new(executors),
            base,
            plan: Arc::new(plan),
            conf: Arc::new(conf),
            assignment: None,
            scheduled: String::new(),
            unreadable: None,
        });
        if let Some(archive) = archive
            && let Err(error) = self.inbox.remove(&archive.to_string_lossy())
        {
            tracing::warn!("an archive that was taken over stays in the inbox for now: {error}");
        }
        Ok(())
    }
}

/// A submission that may be stored.
struct Checked {
    base: TopologyBase,
    conf: Map<String, Value>,
    topology: storm::StormTopology,
    plan: Plan,
    archive: Option<PathBuf>,
    credentials: Option<storm::Credentials>,
}

fn parse_conf(json: &str) -> Result<Map<String, Value>, NimbusError> {
    match serde_json::from_str(json) {
        Ok(Value::Object(conf)) => Ok(conf),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err(NimbusError::invalid("the topology's conf is no JSON object")),
        Err(error) => Err(NimbusError::invalid(format!("the topology's conf is no JSON: {error}"))),
    }
}

fn within(what: &str, asked: usize, limit: Option<u32>, key: &str) -> Result<(), NimbusError> {
    match limit {
        Some(limit) if asked > limit as usize => Err(NimbusError::invalid(format!(
            "the topology asks for {asked} {what} and {key} allows {limit}: ask for fewer, or raise it"
        ))),
        _ => Ok(()),
    }
}

fn invalid(why: InvalidTopology) -> NimbusError {
    NimbusError::invalid(format!("the topology cannot be taken: {why}"))
}

/// Warns of metrics consumers, which are Java classes: their tasks are there and do nothing.
fn warn_of_consumers<'a>(name: &TopologyName, components: impl Iterator<Item = &'a ComponentId>) {
    for component in components {
        if let Some(class) = component.as_str().strip_prefix(METRICS_PREFIX) {
            tracing::warn!(
                "{name} registers the metrics consumer {class}, which this engine does not run: \
                 its tasks do nothing; Nimbus and supervisors serve metrics as Prometheus text"
            );
        }
    }
}

/// Makes sure that there is a secret by which the topology's workers know each other: the one that a
/// client made for its nodes in ZooKeeper, or a new one.
fn keep_secret(conf: &mut Map<String, Value>) -> Result<(), NimbusError> {
    let given =
        conf.get(WORKER_SECRET).and_then(Value::as_str).is_some_and(|secret| !secret.is_empty());
    if !given {
        conf.insert(WORKER_SECRET.to_owned(), random_name()?.into());
    }
    Ok(())
}

/// Adds what a topology's conf has once it is submitted.
fn complete_conf(
    conf: &mut Map<String, Value>,
    merged: &Map<String, Value>,
    name: &TopologyName,
    owner: &str,
    caller: &Caller,
) {
    let mut set = |key: &str, value: Value| conf.insert(key.to_owned(), value);
    set("topology.name", name.to_string().into());
    set("topology.submitter.user", owner.into());
    set("topology.submitter.principal", caller.principal.user().unwrap_or_default().into());
    for key in [
        "topology.acker.executors",
        "topology.eventlogger.executors",
        "topology.max.task.parallelism",
        "topology.workers",
    ] {
        if let Some(value) = merged.get(key) {
            set(key, value.clone());
        }
    }
    let mut users: Vec<Value> =
        merged.get("topology.users").and_then(Value::as_array).cloned().unwrap_or_default();
    if !users.iter().any(|user| user == owner) {
        users.push(owner.into());
    }
    set("topology.users", users.into());
}

fn topology_version(conf: &Map<String, Value>) -> Option<String> {
    Some(conf.get("topology.version")?.as_str()?.to_owned())
}
