//! Reads from the shared state what this supervisor is to do, and tells there that it lives.
//!
//! A watch only says that it is time to look; everything is looked at again every few seconds
//! besides, and what has not changed since is not decoded again.
//!
//! **Runs on** a thread of its own, which sleeps between changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use nimbus_client::TopologyId;
use nimbus_client::thrift::{
    Assignment, Credentials, LogConfig, StormBase, SupervisorInfo, TopologyStatus,
};
use nimbus_client::wire::{Limits, TSerializable, state_from_bytes, state_to_bytes};
use tokio::sync::mpsc;

use super::board::{Board, Orders};
use super::slot::LocalAssignment;
use super::slots::News;
use crate::clock::{Clock, Time};
use crate::cluster::paths::Paths;
use crate::cluster::{SessionState, StateBackend, StateError, StateStorage, Watcher};
use crate::id::{ExecutorId, TaskId};

/// How often everything is looked at without being told to, as Storm's supervisors do.
const POLL: Duration = Duration::from_secs(10);
/// Rest after a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Largest node, unpacked.
const NODE_LIMIT_BYTES: usize = 64 << 20;

/// Wakes the thread.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Held for the time of a look.
    state: Mutex<Rung>,
    rung: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Rung {
    is_rung: bool,
    /// What is told of this supervisor is out of date.
    is_stale: bool,
    is_closed: bool,
}

impl Bell {
    /// Something may have changed in the shared state.
    pub fn ring(&self) {
        self.change(|state| state.is_rung = true);
    }

    /// Something has changed in what this supervisor tells of itself.
    pub fn tell(&self) {
        self.change(|state| state.is_stale = true);
    }

    /// The thread ends.
    pub fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut Rung)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.rung.notify_all();
    }

    fn wait(&self, at_most: Duration) -> Rung {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_quiet = |state: &mut Rung| !state.is_rung && !state.is_stale && !state.is_closed;
        let waited = self.rung.wait_timeout_while(state, at_most, is_quiet);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let seen = *state;
        state.is_rung = false;
        state.is_stale = false;
        seen
    }
}

/// What the thread needs.
pub(super) struct StateWatch {
    pub backend: Arc<dyn StateBackend>,
    pub paths: Paths,
    pub supervisor_id: String,
    pub heartbeat: Duration,
    pub bell: Arc<Bell>,
    pub board: Arc<Board>,
    pub news: mpsc::Sender<News>,
    /// What is told of this supervisor, made anew each time.
    pub info: Box<dyn Fn() -> SupervisorInfo + Send>,
    /// Set once this supervisor stands in the shared state.
    pub registered: Arc<std::sync::atomic::AtomicBool>,
}

impl StateWatch {
    /// Watches until the bell is closed; then this supervisor's node vanishes with the session.
    pub fn run(self) {
        let clock = Clock::system();
        let mut is_failing = false;
        loop {
            match self.backend.connect().and_then(|session| self.watch(&*session, &clock)) {
                Ok(()) => return,
                Err(error) => {
                    if !is_failing {
                        tracing::warn!("the shared state cannot be used: {error}");
                    }
                    is_failing = true;
                    if self.bell.wait(RETRY).is_closed {
                        return;
                    }
                }
            }
        }
    }

    /// One session: answers once the bell is closed.
    fn watch(&self, session: &dyn StateStorage, clock: &Clock) -> Result<(), StateError> {
        for folder in [self.paths.supervisors(), self.paths.assignments()] {
            session.make_folders(&folder)?;
        }
        let bell = self.bell.clone();
        let watcher = Watcher::with_alarm(move || bell.ring());
        session.watch_state(&watcher);
        let mut view = View::default();
        let mut told: Option<Time> = None;
        let mut looked: Option<Time> = None;
        loop {
            let now = clock.now();
            let is_due = |last: Option<Time>, period| last.is_none_or(|last| now >= last + period);
            if is_due(told, self.heartbeat) {
                let info = state_to_bytes(&(self.info)()).expect("an info has no 2 GiB");
                session.put_ephemeral(&self.paths.supervisor(&self.supervisor_id), &info)?;
                self.registered.store(true, std::sync::atomic::Ordering::Release);
                told = Some(now);
            }
            let changes = watcher.take();
            if session.state() == SessionState::Ended {
                return Err(StateError::SessionExpired);
            }
            if is_due(looked, POLL) || !changes.is_empty() {
                self.look(session, &watcher, &mut view)?;
                looked = Some(clock.now());
            }
            let next = [(told, self.heartbeat), (looked, POLL)]
                .into_iter()
                .filter_map(|(last, period)| last.map(|last| last + period))
                .min()
                .unwrap_or(now);
            let rung = self.bell.wait(next.since(clock.now()));
            if rung.is_closed {
                session.close();
                return Ok(());
            }
            if rung.is_stale {
                told = None;
            }
            if rung.is_rung {
                looked = None;
            }
        }
    }

    /// Looks at all assignments, and at all that concerns the topologies that have a slot here.
    fn look(
        &self,
        session: &dyn StateStorage,
        watcher: &Watcher,
        view: &mut View,
    ) -> Result<(), StateError> {
        let names = session.children(&self.paths.assignments(), Some(watcher))?;
        let ids: Vec<TopologyId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let mut port_to_wanted = BTreeMap::new();
        let mut all_orders = BTreeMap::new();
        let mut used = BTreeSet::new();
        for id in ids {
            let path = self.paths.assignment(&id);
            let assignment = view.assignment(session, watcher, &path, &self.supervisor_id)?;
            used.insert(path);
            let Some(assignment) = assignment else { continue };
            let ours = port_to_executors(&assignment, &self.supervisor_id);
            for (port, executors) in ours {
                port_to_wanted.insert(port, LocalAssignment { topology: id.clone(), executors });
            }
            let paths =
                [self.paths.storm(&id), self.paths.logconfig(&id), self.paths.credentials(&id)];
            let base = read::<StormBase>(session, watcher, &paths[0])?;
            let log_config = read::<LogConfig>(session, watcher, &paths[1])?;
            let credentials = read::<Credentials>(session, watcher, &paths[2])?;
            let orders = Orders {
                status: base.as_ref().map_or(TopologyStatus::KILLED, |base| base.status),
                assignment: Some(assignment),
                log_config,
                component_debug: base.and_then(|base| base.component_debug).unwrap_or_default(),
                credentials,
            };
            all_orders.insert(id, orders);
        }
        view.path_to_assignment.retain(|path, _| used.contains(path));
        let id_to_status: BTreeMap<TopologyId, TopologyStatus> =
            all_orders.iter().map(|(id, orders)| (id.clone(), orders.status)).collect();
        self.board.set_orders(all_orders);
        if view.port_to_wanted.as_ref() != Some(&port_to_wanted) {
            // The driver is gone only when this thread is about to be.
            let _ = self.news.blocking_send(News::Assigned(port_to_wanted.clone()));
            view.port_to_wanted = Some(port_to_wanted);
        }
        // A rebalance may have changed a conf and nothing else that is seen here.
        let before = std::mem::replace(&mut view.id_to_status, id_to_status);
        let is_other =
            |(id, status): &(&TopologyId, &TopologyStatus)| before.get(id) != Some(*status);
        let others = view.id_to_status.iter().filter(is_other);
        let others: Vec<TopologyId> = others.map(|(id, _)| id.clone()).collect();
        if !others.is_empty() {
            let _ = self.news.blocking_send(News::Look(others));
        }
        Ok(())
    }
}

/// What was seen, so that only what has changed is decoded.
#[derive(Default)]
struct View {
    /// When an assignment was last set, and what it says if it names this supervisor.
    path_to_assignment: BTreeMap<String, (i64, Option<Assignment>)>,
    port_to_wanted: Option<BTreeMap<u16, LocalAssignment>>,
    id_to_status: BTreeMap<TopologyId, TopologyStatus>,
}

impl View {
    /// An assignment that names this supervisor, and a watch on what becomes of any.
    fn assignment(
        &mut self,
        session: &dyn StateStorage,
        watcher: &Watcher,
        path: &str,
        supervisor_id: &str,
    ) -> Result<Option<Assignment>, StateError> {
        let Some(stat) = session.exists(path, Some(watcher))? else { return Ok(None) };
        if let Some((modified, assignment)) = self.path_to_assignment.get(path)
            && *modified == stat.modified
        {
            return Ok(assignment.clone());
        }
        let assignment = read::<Assignment>(session, watcher, path)?;
        let is_ours = |all: &Assignment| !port_to_executors(all, supervisor_id).is_empty();
        let ours = assignment.filter(is_ours);
        self.path_to_assignment.insert(path.to_owned(), (stat.modified, ours.clone()));
        Ok(ours)
    }
}

/// A node's value, and a watch on what becomes of it; `None` if it is missing or broken.
fn read<T: TSerializable>(
    session: &dyn StateStorage,
    watcher: &Watcher,
    path: &str,
) -> Result<Option<T>, StateError> {
    if session.exists(path, Some(watcher))?.is_none() {
        return Ok(None);
    }
    let data = match session.get(path, Some(watcher)) {
        Ok((data, _)) => data,
        Err(StateError::NoNode { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let limits = Limits::default().with_frame_bytes(NODE_LIMIT_BYTES);
    match state_from_bytes(&data, &limits) {
        Ok(value) => Ok(Some(value)),
        Err(error) => {
            tracing::warn!("{path} cannot be read: {error}");
            Ok(None)
        }
    }
}

/// The executors of an assignment by the ports of one supervisor.
pub(super) fn port_to_executors(
    assignment: &Assignment,
    supervisor_id: &str,
) -> BTreeMap<u16, BTreeSet<ExecutorId>> {
    let mut port_to_executors: BTreeMap<u16, BTreeSet<ExecutorId>> = BTreeMap::new();
    for (executor, slot) in assignment.executor_node_port.iter().flatten() {
        let task = |task: &i64| u16::try_from(*task).ok().map(TaskId);
        let [first, last] = &executor[..] else { continue };
        let (Some(first_task), Some(last_task)) = (task(first), task(last)) else { continue };
        let port = slot.port.first().and_then(|port| u16::try_from(*port).ok());
        if let Some(port) = port.filter(|_| slot.node == supervisor_id) {
            let executors = port_to_executors.entry(port).or_default();
            executors.insert(ExecutorId { first_task, last_task });
        }
    }
    port_to_executors
}
