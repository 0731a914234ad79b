//! The topologies that are not removed yet, as every reader sees them.
//!
//! **Invariants.** An entry never changes; a change puts another one in its place, so that a reader
//! who holds one sees one moment. Only the holder of `Core`'s decisions puts entries.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use nimbus_client::TopologyId;
use serde_json::{Map, Value};

use super::base::TopologyBase;
use super::error::NimbusError;
use super::plan::Plan;
use crate::assignment::{Assignment, WorkerSlot};
use crate::id::{ComponentId, ExecutorId};

/// One topology at one moment.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What Nimbus calls it.
    pub id: TopologyId,
    /// Its status, its numbers of workers and executors, its owner.
    pub base: TopologyBase,
    /// Its components and tasks; empty if its blobs cannot be read.
    pub plan: Arc<Plan>,
    /// Its executors, for the numbers in `base`.
    pub executor_to_component: Arc<BTreeMap<ExecutorId, ComponentId>>,
    /// Its own conf.
    pub conf: Arc<Map<String, Value>>,
    /// Where it runs.
    pub assignment: Option<Arc<Assignment>>,
    /// How far its wish for workers is met, in words.
    pub scheduled: String,
    /// Why its blobs cannot be read, if they cannot.
    pub unreadable: Option<String>,
}

impl Entry {
    /// How long its pending tuples may take: what a kill or rebalance waits for.
    pub fn message_timeout(&self) -> Duration {
        let secs = super::plan::count(self.conf.get("topology.message.timeout.secs"));
        Duration::from_secs(secs.unwrap_or(30) as u64)
    }

    /// Users who may know of it: its owner and those whom its conf names.
    pub fn users(&self) -> BTreeSet<&str> {
        let named = ["topology.users", "logs.users"].into_iter();
        let lists = named.filter_map(|key| self.conf.get(key)?.as_array());
        lists.flatten().filter_map(Value::as_str).chain(self.base.owner.as_deref()).collect()
    }

    /// Slots in use.
    pub fn slots(&self) -> BTreeSet<WorkerSlot> {
        self.assignment.as_ref().map(|assignment| assignment.slots()).unwrap_or_default()
    }

    /// The component that an executor runs.
    pub fn component_of(&self, executor: ExecutorId) -> Option<&ComponentId> {
        self.plan.component_of(executor)
    }
}

/// All entries by id, and the ids by name.
#[derive(Debug, Default)]
pub struct Topologies(RwLock<Index>);

#[derive(Debug, Default)]
struct Index {
    by_id: BTreeMap<TopologyId, Arc<Entry>>,
    by_name: BTreeMap<String, TopologyId>,
}

impl Topologies {
    /// Puts an entry in the place of the one of the same id.
    pub fn put(&self, entry: Entry) -> Arc<Entry> {
        let entry = Arc::new(entry);
        let mut index = self.0.write().unwrap_or_else(PoisonError::into_inner);
        index.by_name.insert(entry.base.name.clone(), entry.id.clone());
        index.by_id.insert(entry.id.clone(), Arc::clone(&entry));
        entry
    }

    /// Takes an entry out.
    pub fn remove(&self, id: &TopologyId) {
        let mut index = self.0.write().unwrap_or_else(PoisonError::into_inner);
        index.by_id.remove(id);
        index.by_name.retain(|_, named| named != id);
    }

    /// All entries, by id.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.read(|index| index.by_id.values().cloned().collect())
    }

    /// The entry of an id.
    pub fn get(&self, id: &TopologyId) -> Option<Arc<Entry>> {
        self.read(|index| index.by_id.get(id).cloned())
    }

    /// The entry of an id as a client writes it.
    ///
    /// # Errors
    /// There is none.
    pub fn by_id(&self, id: &str) -> Result<Arc<Entry>, NimbusError> {
        let found = id.parse().ok().and_then(|id| self.get(&id));
        found.ok_or_else(|| NimbusError::not_alive(id))
    }

    /// The entry of a name.
    ///
    /// # Errors
    /// There is none.
    pub fn by_name(&self, name: &str) -> Result<Arc<Entry>, NimbusError> {
        let found = self.read(|index| index.by_id.get(index.by_name.get(name)?).cloned());
        found.ok_or_else(|| NimbusError::not_alive(name))
    }

    fn read<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
