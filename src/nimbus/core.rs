//! The state of Nimbus, and who may change it.
//!
//! ```text
//!  calls ──▶ submit, transition ─┐                       ┌─▶ shared state (durable first)
//!  timers ─▶ driver ─────────────┼─▶ one lock: Decisions ┼─▶ Topologies (what readers see)
//!  monitor ▶ schedule, cleanup ──┘                       └─▶ Push (assignments to supervisors)
//! ```
//!
//! **Invariants.** To decide, to store the decision, and to show it to readers is one step, which
//! nobody else's may interleave: two transitions of one topology, or a kill and a scheduling round,
//! would otherwise undo each other. That is what the lock of [`Decisions`] is for; readers never take
//! it. What is shown is stored already.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nimbus_client::TopologyId;
use serde_json::{Map, Value};

use super::beats::Beats;
use super::blobs::Blobs;
use super::counts::Counts;
use super::error::NimbusError;
use super::history::History;
use super::lifecycle::Delayed;
use super::push::Push;
use super::settings::Settings;
use super::shared::Shared;
use super::supervisors::Supervisors;
use super::topologies::Topologies;
use crate::assignment::WorkerSlot;
use crate::blobstore::JarInbox;
use crate::clock::{Clock, Time, unix_time_ms};
use crate::conf::WORKER_SECRET;
use crate::scheduler::liveness::Hearing;

/// All of Nimbus but its servers and threads.
pub struct Core {
    /// What the conf says.
    pub settings: Settings,
    /// The port on which it really listens.
    pub port: std::sync::OnceLock<u16>,
    /// The time.
    pub clock: Clock,
    /// When it started.
    pub started: Time,
    /// The shared state.
    pub shared: Shared,
    /// The blobs, and transfers of them.
    pub blobs: Blobs,
    /// Files that are uploaded.
    pub inbox: JarInbox,
    /// What readers see of topologies.
    pub topologies: Topologies,
    /// What readers see of supervisors.
    pub supervisors: Supervisors,
    /// What workers and supervisors told.
    pub beats: Beats,
    /// Topologies of the past.
    pub history: History,
    /// Who is told of assignments.
    pub push: Push,
    /// What was counted, for the metrics.
    pub counts: Counts,
    /// Every key that has a default, with it.
    defaults: Map<String, Value>,
    /// Held for a decision as a whole; see the module.
    decisions: Mutex<Decisions>,
    /// Wakes the driver; full means that it is about to wake.
    pub wake: SyncSender<()>,
}

/// What only the one who decides may see.
pub struct Decisions {
    /// How often a topology was submitted since the start.
    pub submitted: u64,
    /// Names that a submission under way will take.
    pub reserved: BTreeSet<String>,
    /// The timer of each topology that has one.
    pub timers: BTreeMap<TopologyId, (Time, Delayed)>,
    /// Whether anybody is heard.
    pub hearing: Hearing,
    /// Topologies that are to be dealt anew in the next round.
    pub rebalance: BTreeSet<TopologyId>,
    /// When a worker was ordered by this Nimbus.
    pub ordered: BTreeMap<(TopologyId, WorkerSlot), Time>,
    /// Since when nothing alive needs what a topology left behind.
    pub dead_since: BTreeMap<TopologyId, Time>,
    /// What was said last about workers that are silent but not taken for dead.
    pub held: Option<String>,
}

impl Decisions {
    /// Nothing decided yet.
    pub fn new(now: Time) -> Self {
        Self {
            submitted: 0,
            reserved: BTreeSet::new(),
            timers: BTreeMap::new(),
            hearing: Hearing::Since(now),
            rebalance: BTreeSet::new(),
            ordered: BTreeMap::new(),
            dead_since: BTreeMap::new(),
            held: None,
        }
    }
}

/// The parts that a `Core` is made of.
pub struct Parts {
    /// What the conf says.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// The shared state.
    pub shared: Shared,
    /// The blobs.
    pub blobs: Blobs,
    /// Files that are uploaded.
    pub inbox: JarInbox,
    /// Topologies of the past.
    pub history: History,
    /// Who is told of assignments.
    pub push: Push,
    /// Wakes the driver.
    pub wake: SyncSender<()>,
}

impl Core {
    /// Puts it together; nothing is recovered yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let now = parts.clock.now();
        Arc::new(Self {
            settings: parts.settings,
            port: std::sync::OnceLock::new(),
            clock: parts.clock,
            started: now,
            shared: parts.shared,
            blobs: parts.blobs,
            inbox: parts.inbox,
            topologies: Topologies::default(),
            supervisors: Supervisors::default(),
            beats: Beats::default(),
            history: parts.history,
            push: parts.push,
            counts: Counts::default(),
            defaults: super::settings::defaults(),
            decisions: Mutex::new(Decisions::new(now)),
            wake: parts.wake,
        })
    }

    /// Begins a decision; see the module.
    pub fn decide(&self) -> MutexGuard<'_, Decisions> {
        self.decisions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the driver look at everything soon.
    pub fn wake_driver(&self) {
        // Full means that it is about to wake anyway, closed that Nimbus is stopping.
        let _ = self.wake.try_send(());
    }

    /// Tells others of this Nimbus.
    ///
    /// # Errors
    /// The shared state failed.
    pub fn announce(&self) -> Result<(), NimbusError> {
        let mut summary = self.leader();
        // In the shared state this is the time of the start.
        summary.uptime_secs = (self.now_secs() - i64::from(summary.uptime_secs)) as i32;
        Ok(self.shared.with(|state| state.put_nimbus(&self.settings.host, &summary))?)
    }

    /// Deletes a blob, unless a topology needs it.
    ///
    /// # Errors
    /// It belongs to a topology that is alive, or the blob store refuses.
    pub fn delete_blob(
        &self,
        key: &str,
        caller: &crate::blobstore::Caller,
    ) -> Result<(), NimbusError> {
        let owner = self.topologies.all().into_iter().find(|entry| {
            key.strip_prefix(&entry.id.to_string()).is_some_and(|end| end.starts_with("-storm"))
        });
        if let Some(entry) = owner {
            return Err(NimbusError::InUse { key: key.to_owned(), id: entry.id.to_string() });
        }
        Ok(self.blobs.store.delete(key, caller)?)
    }

    /// A topology with the components that the system adds.
    ///
    /// # Errors
    /// Its blob cannot be read.
    pub fn system_topology(
        &self,
        entry: &super::topologies::Entry,
    ) -> Result<nimbus_client::thrift::StormTopology, NimbusError> {
        let user = self.blobs.topology(&entry.id)?;
        crate::system_topology::system_topology(&user, &self.merged_conf(&entry.conf))
            .map_err(|error| NimbusError::invalid(error.to_string()))
    }

    /// Seconds since 1970.
    pub fn now_secs(&self) -> i64 {
        (unix_time_ms() / 1000) as i64
    }

    /// The conf that a topology runs with: the cluster's, and over it its own.
    pub fn merged_conf(&self, own: &Map<String, Value>) -> Map<String, Value> {
        let mut conf = self.defaults.clone();
        conf.extend(self.settings.conf.clone());
        conf.extend(own.clone());
        conf
    }

    /// The same conf as clients see it, without the secret of the topology's workers.
    pub fn shown_conf(&self, own: &Map<String, Value>) -> Map<String, Value> {
        let mut conf = self.merged_conf(own);
        conf.remove(WORKER_SECRET);
        conf
    }
}
