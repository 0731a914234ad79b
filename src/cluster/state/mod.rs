//! Storm's structs at Storm's paths: the typed view of the shared state.
//!
//! A struct is stored as a stock 2.8 cluster does, in gzip of Thrift's binary protocol; what is not
//! compressed is read as well.
//!
//! **Invariants.** A write of several nodes that belong together is one multi. A node that others may
//! change between reading and writing is written with the version that was read.

use std::collections::BTreeMap;
use std::sync::Arc;

use nimbus_client::TopologyId;
use nimbus_client::thrift::{
    Assignment, ClusterWorkerHeartbeat, Credentials, LogConfig, NimbusSummary, ProfileRequest,
    StormBase, SupervisorInfo,
};
use nimbus_client::wire::{Limits, TSerializable, WireError, state_from_bytes, state_to_bytes};

use super::paths::Paths;
use super::{CreateMode, Durability, Expected, Op, StateError, StateStorage, Watcher};

mod blobs;
mod errors;
mod leader;

pub use errors::KEPT_ERRORS;
pub use leader::{LeaderInfo, LeaderInfoError};

/// What a struct may unpack to, in bytes; a node holds at most 1 MiB, but compresses well.
const RECORD_BYTES: usize = 64 << 20;

/// The shared state as Nimbus and supervisors see it; clones share the session.
#[derive(Clone)]
pub struct ClusterState {
    storage: Arc<dyn StateStorage>,
    paths: Paths,
    limits: Limits,
}

/// A struct and the version of its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The struct.
    pub value: T,
    /// What a write that depends on it expects.
    pub version: i32,
}

/// Why a struct could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The shared state refused or failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// A node holds something else.
    #[error("node {path} cannot be read: {source}; whoever wrote it is of another version")]
    Record {
        /// The node.
        path: String,
        /// What is wrong with it.
        source: WireError,
    },
    /// A struct cannot be stored.
    #[error("node {path} cannot be written: {source}")]
    Unwritable {
        /// The node.
        path: String,
        /// What is wrong with it.
        source: WireError,
    },
    /// The node of the leader holds something else.
    #[error("node {path} does not say who leads: {source}")]
    Leader {
        /// The node.
        path: String,
        /// What is wrong with it.
        source: LeaderInfoError,
    },
}

impl ClusterError {
    /// What the shared state said, if it was the shared state.
    pub fn state(&self) -> Option<&StateError> {
        match self {
            Self::State(error) => Some(error),
            Self::Record { .. } | Self::Unwritable { .. } | Self::Leader { .. } => None,
        }
    }

    /// Whether somebody else changed the node in between: read it again and decide anew.
    pub fn is_bad_version(&self) -> bool {
        matches!(self, Self::State(StateError::BadVersion { .. }))
    }
}

impl ClusterState {
    /// The state below a root, over a session.
    pub fn new(storage: Arc<dyn StateStorage>, paths: Paths) -> Self {
        let limits = Limits::default().with_frame_bytes(RECORD_BYTES);
        Self { storage, paths, limits }
    }

    /// The session.
    pub fn storage(&self) -> &Arc<dyn StateStorage> {
        &self.storage
    }

    /// Where everything is.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Makes the folders that every daemon makes at its start.
    ///
    /// # Errors
    /// As the session.
    pub fn make_folders(&self) -> Result<(), ClusterError> {
        for folder in self.paths.folders() {
            self.storage.make_folders(&folder)?;
        }
        Ok(())
    }

    /// Says that a Nimbus is there, as long as the session lives.
    ///
    /// # Errors
    /// As the session.
    pub fn put_nimbus(&self, host: &str, summary: &NimbusSummary) -> Result<(), ClusterError> {
        self.put_ephemeral(&self.paths.nimbus(host), summary)
    }

    /// All Nimbuses that are there, by host.
    ///
    /// # Errors
    /// As the session, or a node that holds something else.
    pub fn nimbuses(&self) -> Result<BTreeMap<String, NimbusSummary>, ClusterError> {
        self.all(&self.paths.nimbuses(), None)
    }

    /// Says that a supervisor is there and how it is, as long as the session lives.
    ///
    /// # Errors
    /// As the session.
    pub fn put_supervisor(&self, id: &str, info: &SupervisorInfo) -> Result<(), ClusterError> {
        self.put_ephemeral(&self.paths.supervisor(id), info)
    }

    /// All supervisors that are there, by id; `watcher` is told when one comes or goes.
    ///
    /// # Errors
    /// As the session, or a node that holds something else.
    pub fn supervisors(
        &self,
        watcher: Option<&Watcher>,
    ) -> Result<BTreeMap<String, SupervisorInfo>, ClusterError> {
        self.all(&self.paths.supervisors(), watcher)
    }

    /// One supervisor, if it is there.
    ///
    /// # Errors
    /// As the session, or the node holds something else.
    pub fn supervisor(&self, id: &str) -> Result<Option<SupervisorInfo>, ClusterError> {
        Ok(self.read(&self.paths.supervisor(id), None)?.map(|read| read.value))
    }

    /// Ids of all topologies that are not yet removed; `watcher` is told when one comes or goes.
    ///
    /// # Errors
    /// As the session.
    pub fn topologies(&self, watcher: Option<&Watcher>) -> Result<Vec<TopologyId>, ClusterError> {
        self.ids(&self.paths.storms(), watcher)
    }

    /// Makes a topology with its folders and credentials, in whole or not at all.
    ///
    /// # Errors
    /// [`NodeExists`](StateError::NodeExists) if the id is taken.
    pub fn add_topology(
        &self,
        id: &TopologyId,
        base: &StormBase,
        credentials: Option<&Credentials>,
    ) -> Result<(), ClusterError> {
        let make = |path, data| Op::create(path, data, CreateMode::Persistent);
        let mut ops = Vec::new();
        for folder in [self.paths.topology_workerbeats(id), self.paths.topology_errors(id)] {
            if self.storage.exists(&folder, None)?.is_none() {
                ops.push(make(folder, super::storage::FOLDER_DATA.to_vec()));
            }
        }
        if let Some(credentials) = credentials {
            self.storage.make_folders(&self.paths.all_credentials())?;
            let path = self.paths.credentials(id);
            ops.push(make(path.clone(), self.encode(&path, credentials)?));
        }
        let path = self.paths.storm(id);
        ops.push(make(path.clone(), self.encode(&path, base)?));
        self.storage.multi(&ops, Durability::Durable).map_err(|error| error.source)?;
        Ok(())
    }

    /// A topology; `watcher` is told when it changes, comes or goes.
    ///
    /// # Errors
    /// As the session, or the node holds something else.
    pub fn topology(
        &self,
        id: &TopologyId,
        watcher: Option<&Watcher>,
    ) -> Result<Option<Versioned<StormBase>>, ClusterError> {
        self.read(&self.paths.storm(id), watcher)
    }

    /// Replaces a topology.
    ///
    /// # Errors
    /// [`NoNode`](StateError::NoNode) if it was removed, [`BadVersion`](StateError::BadVersion).
    pub fn set_topology(
        &self,
        id: &TopologyId,
        base: &StormBase,
        expected: Expected,
    ) -> Result<i32, ClusterError> {
        let path = self.paths.storm(id);
        Ok(self.storage.set(&path, &self.encode(&path, base)?, expected)?.version)
    }

    /// Removes a topology with its assignment, credentials, log levels and profiling requests, in
    /// whole or not at all; one that is gone is none the worse.
    ///
    /// # Errors
    /// As the session.
    pub fn remove_topology(&self, id: &TopologyId) -> Result<(), ClusterError> {
        self.storage.delete_tree(&self.paths.topology_profilerconfigs(id))?;
        let mut ops = Vec::new();
        for path in [
            self.paths.assignment(id),
            self.paths.credentials(id),
            self.paths.logconfig(id),
            self.paths.storm(id),
        ] {
            if self.storage.exists(&path, None)?.is_some() {
                ops.push(Op::delete(path, Expected::Any));
            }
        }
        self.storage.multi(&ops, Durability::Durable).map_err(|error| error.source)?;
        Ok(())
    }

    /// Removes what a topology's workers wrote: statistics, errors, back-pressure. Nimbus does so some
    /// time after the topology itself is gone.
    ///
    /// # Errors
    /// As the session.
    pub fn remove_remains(&self, id: &TopologyId) -> Result<(), ClusterError> {
        self.storage.delete_tree(&self.paths.topology_workerbeats(id))?;
        self.storage.delete_tree(&self.paths.topology_errors(id))?;
        self.storage.delete_tree(&self.paths.topology_backpressure(id))?;
        Ok(())
    }

    /// Topologies of which there is anything that [`remove_remains`](Self::remove_remains) removes.
    ///
    /// # Errors
    /// As the session.
    pub fn remains(&self) -> Result<Vec<TopologyId>, ClusterError> {
        let mut ids = self.ids(&self.paths.workerbeats(), None)?;
        ids.extend(self.ids(&self.paths.errors(), None)?);
        ids.extend(self.ids(&self.paths.backpressure(), None)?);
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    /// All assignments; `watcher` is told when one comes or goes.
    ///
    /// # Errors
    /// As the session, or a node that holds something else.
    pub fn assignments(
        &self,
        watcher: Option<&Watcher>,
    ) -> Result<BTreeMap<TopologyId, Assignment>, ClusterError> {
        let named = self.all(&self.paths.assignments(), watcher)?;
        Ok(named.into_iter().filter_map(|(id, value)| Some((id.parse().ok()?, value))).collect())
    }

    /// A topology's assignment; `watcher` is told when it changes, comes or goes.
    ///
    /// # Errors
    /// As the session, or the node holds something else.
    pub fn assignment(
        &self,
        id: &TopologyId,
        watcher: Option<&Watcher>,
    ) -> Result<Option<Versioned<Assignment>>, ClusterError> {
        self.read(&self.paths.assignment(id), watcher)
    }

    /// Makes or replaces a topology's assignment.
    ///
    /// # Errors
    /// As the session.
    pub fn put_assignment(
        &self,
        id: &TopologyId,
        assignment: &Assignment,
    ) -> Result<(), ClusterError> {
        self.put(&self.paths.assignment(id), assignment, Durability::Durable)
    }

    /// A topology's credentials; `watcher` is told when they change, come or go.
    ///
    /// # Errors
    /// As the session, or the node holds something else.
    pub fn credentials(
        &self,
        id: &TopologyId,
        watcher: Option<&Watcher>,
    ) -> Result<Option<Versioned<Credentials>>, ClusterError> {
        self.read(&self.paths.credentials(id), watcher)
    }

    /// Makes or replaces a topology's credentials.
    ///
    /// # Errors
    /// As the session.
    pub fn put_credentials(
        &self,
        id: &TopologyId,
        credentials: &Credentials,
    ) -> Result<(), ClusterError> {
        self.put(&self.paths.credentials(id), credentials, Durability::Durable)
    }

    /// A topology's log levels; `watcher` is told when they change, come or go.
    ///
    /// # Errors
    /// As the session, or the node holds something else.
    pub fn log_config(
        &self,
        id: &TopologyId,
        watcher: Option<&Watcher>,
    ) -> Result<Option<Versioned<LogConfig>>, ClusterError> {
        self.read(&self.paths.logconfig(id), watcher)
    }

    /// Makes or replaces a topology's log levels.
    ///
    /// # Errors
    /// As the session.
    pub fn put_log_config(&self, id: &TopologyId, config: &LogConfig) -> Result<(), ClusterError> {
        self.put(&self.paths.logconfig(id), config, Durability::Durable)
    }

    /// A topology's profiling requests, by the name of their node.
    ///
    /// # Errors
    /// As the session, or a node that holds something else.
    pub fn profile_requests(
        &self,
        id: &TopologyId,
    ) -> Result<BTreeMap<String, ProfileRequest>, ClusterError> {
        self.all(&self.paths.topology_profilerconfigs(id), None)
    }

    /// Statistics that a topology's workers wrote, by supervisor and port (`<supervisor id>-<port>`).
    ///
    /// # Errors
    /// As the session, or a node that holds something else.
    pub fn worker_heartbeats(
        &self,
        id: &TopologyId,
    ) -> Result<BTreeMap<String, ClusterWorkerHeartbeat>, ClusterError> {
        self.all(&self.paths.topology_workerbeats(id), None)
    }

    /// Makes or replaces a worker's statistics; they may be lost in a crash.
    ///
    /// # Errors
    /// As the session.
    pub fn put_worker_heartbeat(
        &self,
        id: &TopologyId,
        supervisor_id: &str,
        port: u16,
        heartbeat: &ClusterWorkerHeartbeat,
    ) -> Result<(), ClusterError> {
        let path = self.paths.workerbeat(id, supervisor_id, port);
        self.put(&path, heartbeat, Durability::Volatile)
    }

    /// Removes a worker's statistics; what is gone is none the worse.
    ///
    /// # Errors
    /// As the session.
    pub fn remove_worker_heartbeat(
        &self,
        id: &TopologyId,
        supervisor_id: &str,
        port: u16,
    ) -> Result<(), ClusterError> {
        self.storage.delete_tree(&self.paths.workerbeat(id, supervisor_id, port))?;
        Ok(())
    }

    /// Says who leads, in the form that a stock Nimbus reads.
    ///
    /// # Errors
    /// As the session.
    pub fn put_leader(&self, leader: &LeaderInfo) -> Result<(), ClusterError> {
        let path = self.paths.leader_info();
        self.storage.put(&path, &leader.to_bytes(), Durability::Durable)?;
        Ok(())
    }

    /// Who leads, if that was ever said; `watcher` is told when it changes.
    ///
    /// # Errors
    /// As the session, or the node holds something else.
    pub fn leader(&self, watcher: Option<&Watcher>) -> Result<Option<LeaderInfo>, ClusterError> {
        let path = self.paths.leader_info();
        let Some((data, _)) = self.bytes(&path, watcher)? else {
            return Ok(None);
        };
        let leader = LeaderInfo::from_bytes(&data);
        leader.map(Some).map_err(|source| ClusterError::Leader { path, source })
    }

    fn ids(
        &self,
        folder: &str,
        watcher: Option<&Watcher>,
    ) -> Result<Vec<TopologyId>, ClusterError> {
        // A name that is no id is not ours and stays as it is.
        Ok(self.names(folder, watcher)?.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// Names in a folder; none if it is missing.
    fn names(&self, folder: &str, watcher: Option<&Watcher>) -> Result<Vec<String>, ClusterError> {
        match self.storage.children(folder, watcher) {
            Err(StateError::NoNode { .. }) => Ok(Vec::new()),
            names => Ok(names?),
        }
    }

    fn all<T: TSerializable>(
        &self,
        folder: &str,
        watcher: Option<&Watcher>,
    ) -> Result<BTreeMap<String, T>, ClusterError> {
        let mut all = BTreeMap::new();
        for name in self.names(folder, watcher)? {
            // One that went in between is left out.
            if let Some(read) = self.read(&super::path::join(folder, &name), None)? {
                all.insert(name, read.value);
            }
        }
        Ok(all)
    }

    fn read<T: TSerializable>(
        &self,
        path: &str,
        watcher: Option<&Watcher>,
    ) -> Result<Option<Versioned<T>>, ClusterError> {
        let Some((data, version)) = self.bytes(path, watcher)? else {
            return Ok(None);
        };
        let value = state_from_bytes(&data, &self.limits)
            .map_err(|source| ClusterError::Record { path: path.to_owned(), source })?;
        Ok(Some(Versioned { value, version }))
    }

    /// A node's data and version; a watch stays also if the node is missing.
    fn bytes(
        &self,
        path: &str,
        watcher: Option<&Watcher>,
    ) -> Result<Option<(Vec<u8>, i32)>, ClusterError> {
        if watcher.is_some() && self.storage.exists(path, watcher)?.is_none() {
            return Ok(None);
        }
        match self.storage.get(path, None) {
            Ok((data, stat)) => Ok(Some((data, stat.version))),
            Err(StateError::NoNode { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn encode<T: TSerializable>(&self, path: &str, value: &T) -> Result<Vec<u8>, ClusterError> {
        state_to_bytes(value)
            .map_err(|source| ClusterError::Unwritable { path: path.to_owned(), source })
    }

    fn put<T: TSerializable>(
        &self,
        path: &str,
        value: &T,
        durability: Durability,
    ) -> Result<(), ClusterError> {
        Ok(self.storage.put(path, &self.encode(path, value)?, durability)?)
    }

    fn put_ephemeral<T: TSerializable>(&self, path: &str, value: &T) -> Result<(), ClusterError> {
        Ok(self.storage.put_ephemeral(path, &self.encode(path, value)?)?)
    }
}
