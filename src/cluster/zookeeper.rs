//! The shared state in a ZooKeeper ensemble.
//!
//! The client's futures run on a thread of their own, one for all sessions of a store; calls wait for
//! them, at most twice the session's timeout. Events reach watchers in the order in which the server
//! sent them.
//!
//! **Invariants.** A session that is [`Suspended`](SessionState::Suspended) may have ended already: the
//! client notices the end later than the server decides it, so whoever leads stops at once.
//!
//! **Not here:** access control lists of nodes; they are open to all, as in a stock cluster without
//! authentication.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use zookeeper_client::{
    Acls, Client, CreateMode as ServerMode, Error as ServerError, EventType, MultiWriteError,
    MultiWriteResult, MultiWriter, OneshotWatcher, SessionState as ServerState, Stat as ServerStat,
    StateWatcher,
};

use super::storage::check_request;
use super::watch::WeakWatcher;
use super::{
    CreateMode, Durability, MultiError, NodeEvent, Op, OpResult, SessionState, Stat, StateBackend,
    StateError, StateStorage, WatchKind, Watcher, path,
};

/// An ensemble of servers.
pub struct ZooKeeperStore {
    servers: String,
    session_timeout: Duration,
    driver: Arc<Driver>,
}

impl ZooKeeperStore {
    /// Names the servers, as `host:port,host:port`; connects to none yet.
    ///
    /// # Errors
    /// The thread for the client cannot be started.
    pub fn new(servers: &str, session_timeout: Duration) -> Result<Self, StateError> {
        let driver = Driver::start().map_err(|source| unreachable(servers, Box::new(source)))?;
        Ok(Self { servers: servers.to_owned(), session_timeout, driver: Arc::new(driver) })
    }

    /// Opens a session.
    ///
    /// # Errors
    /// No server answers in time.
    pub fn session(&self) -> Result<Arc<ZooKeeperSession>, StateError> {
        let limit = self.session_timeout * 2;
        let connector = Client::connector().with_session_timeout(self.session_timeout);
        let connected = self.driver.wait(limit, connector.connect(&self.servers));
        let client = connected
            .unwrap_or(Err(ServerError::Timeout))
            .map_err(|source| unreachable(&self.servers, Box::new(source)))?;
        let watchers = Arc::new(Watchers::default());
        let states = client.state_watcher();
        let told = Arc::clone(&watchers);
        self.driver.handle.spawn(tell_states(states.clone(), told));
        Ok(Arc::new(ZooKeeperSession {
            driver: Arc::clone(&self.driver),
            id: client.session_id().0,
            client: Mutex::new(Some(client)),
            states,
            limit,
            watchers,
        }))
    }
}

impl StateBackend for ZooKeeperStore {
    fn connect(&self) -> Result<Arc<dyn StateStorage>, StateError> {
        Ok(self.session()?)
    }
}

/// The thread on which the client's futures run.
struct Driver {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    fn start() -> std::io::Result<Self> {
        // One thread, which runs what is woken in order: events are told as they came.
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            let _ = runtime.block_on(stopped);
        };
        let thread = thread::Builder::new().name("zookeeper".into()).spawn(run)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Waits for a future; nothing if it takes too long.
    fn wait<T>(&self, at_most: Duration, future: impl Future<Output = T>) -> Option<T> {
        self.handle.block_on(async { tokio::time::timeout(at_most, future).await.ok() })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Who is told of what in a session.
#[derive(Default)]
struct Watchers {
    /// Watches that have not fired: each is put in once, however often it is asked for.
    watches: Mutex<HashSet<WatchOf>>,
    states: Mutex<Vec<WeakWatcher>>,
}

type WatchOf = (usize, WatchKind, String);

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, HashSet<WatchOf>> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_states(&self) -> MutexGuard<'_, Vec<WeakWatcher>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session with a [`ZooKeeperStore`]; ends when it is dropped.
pub struct ZooKeeperSession {
    driver: Arc<Driver>,
    id: i64,
    /// Nothing when it was closed.
    client: Mutex<Option<Client>>,
    states: StateWatcher,
    limit: Duration,
    watchers: Arc<Watchers>,
}

impl ZooKeeperSession {
    fn lock(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> Result<Client, StateError> {
        self.lock().clone().ok_or(StateError::SessionExpired)
    }

    fn call<T>(
        &self,
        path: &str,
        future: impl Future<Output = Result<T, ServerError>>,
    ) -> Result<T, StateError> {
        let answer = self.driver.wait(self.limit, future);
        answer.unwrap_or(Err(ServerError::Timeout)).map_err(|error| state_error(error, path, None))
    }

    /// Whether this watch has to be put in; if it is in, it will fire.
    fn is_new_watch(&self, kind: WatchKind, path: &str, watcher: Option<&Watcher>) -> bool {
        watcher.is_some_and(|watcher| {
            !self.watchers.lock().contains(&(watcher.address(), kind, path.to_owned()))
        })
    }

    /// Has a watcher told when the server's watch fires.
    fn forward(
        &self,
        kind: WatchKind,
        path: &str,
        watcher: Option<&Watcher>,
        fires: OneshotWatcher,
    ) {
        let Some(watcher) = watcher else {
            return;
        };
        let watch = (watcher.address(), kind, path.to_owned());
        if !self.watchers.lock().insert(watch.clone()) {
            return;
        }
        let (watcher, watchers) = (watcher.downgrade(), Arc::clone(&self.watchers));
        self.driver.handle.spawn(async move {
            let event = fires.changed().await;
            // First, so that whoever is told can put it in again.
            watchers.lock().remove(&watch);
            let Some(watcher) = watcher.upgrade() else {
                return;
            };
            match event.event_type {
                EventType::NodeCreated => watcher.tell(&event.path, NodeEvent::Created),
                EventType::NodeDeleted => watcher.tell(&event.path, NodeEvent::Deleted),
                EventType::NodeDataChanged => watcher.tell(&event.path, NodeEvent::DataChanged),
                EventType::NodeChildrenChanged => {
                    watcher.tell(&event.path, NodeEvent::ChildrenChanged);
                }
                EventType::Session => watcher.tell_session(session_state(event.session_state)),
            }
        });
    }

    fn stat(&self, stat: &ServerStat) -> Stat {
        Stat {
            version: stat.version,
            children_version: stat.cversion,
            children: stat.num_children as u32,
            data_bytes: stat.data_length as u32,
            created: stat.czxid,
            modified: stat.mzxid,
            is_ephemeral: stat.ephemeral_owner != 0,
            is_own: stat.ephemeral_owner == self.id,
        }
    }
}

impl StateStorage for ZooKeeperSession {
    fn get(&self, path: &str, watcher: Option<&Watcher>) -> Result<(Vec<u8>, Stat), StateError> {
        path::check(path)?;
        let client = self.client()?;
        if !self.is_new_watch(WatchKind::Data, path, watcher) {
            let (data, stat) = self.call(path, client.get_data(path))?;
            return Ok((data, self.stat(&stat)));
        }
        let (data, stat, fires) = self.call(path, client.get_and_watch_data(path))?;
        self.forward(WatchKind::Data, path, watcher, fires);
        Ok((data, self.stat(&stat)))
    }

    fn exists(&self, path: &str, watcher: Option<&Watcher>) -> Result<Option<Stat>, StateError> {
        path::check(path)?;
        let client = self.client()?;
        if !self.is_new_watch(WatchKind::Data, path, watcher) {
            let stat = self.call(path, client.check_stat(path))?;
            return Ok(stat.map(|stat| self.stat(&stat)));
        }
        let (stat, fires) = self.call(path, client.check_and_watch_stat(path))?;
        self.forward(WatchKind::Data, path, watcher, fires);
        Ok(stat.map(|stat| self.stat(&stat)))
    }

    fn children(&self, path: &str, watcher: Option<&Watcher>) -> Result<Vec<String>, StateError> {
        path::check(path)?;
        let client = self.client()?;
        let mut names = if self.is_new_watch(WatchKind::Children, path, watcher) {
            let (names, fires) = self.call(path, client.list_and_watch_children(path))?;
            self.forward(WatchKind::Children, path, watcher, fires);
            names
        } else {
            self.call(path, client.list_children(path))?
        };
        names.sort_unstable();
        Ok(names)
    }

    /// The server makes every write durable.
    fn multi(&self, ops: &[Op], _durability: Durability) -> Result<Vec<OpResult>, MultiError> {
        check_request(ops)?;
        let client = self.client()?;
        let mut writer = client.new_multi_writer();
        for (index, op) in ops.iter().enumerate() {
            let failed = |source| {
                // The server would refuse it as well: what is left is the root.
                let source = match source {
                    ServerError::BadArguments(_) => StateError::Root,
                    source => state_error(source, op.path(), None),
                };
                MultiError { index: Some(index), source }
            };
            add(&mut writer, op).map_err(failed)?;
        }
        let answer = self.driver.wait(self.limit, writer.commit());
        let results = match answer.unwrap_or(Err(ServerError::Timeout.into())) {
            Ok(results) => results,
            Err(MultiWriteError::OperationFailed { index, source }) => {
                let source = state_error(source, ops[index].path(), Some(&ops[index]));
                return Err(MultiError { index: Some(index), source });
            }
            Err(MultiWriteError::RequestFailed { source }) => {
                let path = ops.first().map_or("/", Op::path);
                return Err(state_error(source, path, None).into());
            }
        };
        let result = |result| match result {
            MultiWriteResult::Create { path, .. } => OpResult::Created { path },
            MultiWriteResult::SetData { stat } => OpResult::Set(self.stat(&stat)),
            MultiWriteResult::Delete => OpResult::Deleted,
            _ => OpResult::Checked,
        };
        Ok(results.into_iter().map(result).collect())
    }

    fn sync(&self, path: &str) -> Result<(), StateError> {
        path::check(path)?;
        let client = self.client()?;
        self.call(path, client.sync(path))
    }

    fn state(&self) -> SessionState {
        if self.lock().is_none() {
            return SessionState::Ended;
        }
        session_state(self.states.peek_state())
    }

    fn watch_state(&self, watcher: &Watcher) {
        let mut states = self.watchers.lock_states();
        states.retain(|known| known.upgrade().is_some_and(|w| w.address() != watcher.address()));
        states.push(watcher.downgrade());
        drop(states);
        if self.state() == SessionState::Ended {
            watcher.tell_session(SessionState::Ended);
        }
    }

    /// Waits until the server has removed the ephemeral nodes, if it answers.
    fn close(&self) {
        let Some(client) = self.lock().take() else {
            return;
        };
        drop(client);
        let mut states = self.states.clone();
        let ended = async {
            while !states.state().is_terminated() {
                states.changed().await;
            }
        };
        if self.driver.wait(self.limit, ended).is_none() {
            tracing::warn!("no server answers: it ends the session when its time is over");
        }
    }
}

impl Drop for ZooKeeperSession {
    fn drop(&mut self) {
        self.close();
    }
}

async fn tell_states(mut states: StateWatcher, watchers: Arc<Watchers>) {
    loop {
        let state = states.changed().await;
        let told: Vec<Watcher> =
            watchers.lock_states().iter().filter_map(WeakWatcher::upgrade).collect();
        for watcher in told {
            watcher.tell_session(session_state(state));
        }
        if state.is_terminated() {
            return;
        }
    }
}

fn add(writer: &mut MultiWriter<'_>, op: &Op) -> Result<(), ServerError> {
    match op {
        Op::Create { path, data, mode } => {
            let mode = match mode {
                CreateMode::Persistent => ServerMode::Persistent,
                CreateMode::PersistentSequential => ServerMode::PersistentSequential,
                CreateMode::Ephemeral => ServerMode::Ephemeral,
                CreateMode::EphemeralSequential => ServerMode::EphemeralSequential,
            };
            writer.add_create(path, data, &mode.with_acls(Acls::anyone_all()))
        }
        Op::Set { path, data, expected } => writer.add_set_data(path, data, expected.version()),
        Op::Delete { path, expected } => writer.add_delete(path, expected.version()),
        Op::Check { path, expected } => {
            // Any version is told by a negative one.
            writer.add_check_version(path, expected.version().unwrap_or(-1))
        }
    }
}

fn session_state(state: ServerState) -> SessionState {
    match state {
        ServerState::SyncConnected => SessionState::Connected,
        ServerState::Disconnected | ServerState::ConnectedReadOnly => SessionState::Suspended,
        ServerState::AuthFailed | ServerState::Expired | ServerState::Closed => SessionState::Ended,
    }
}

fn unreachable(servers: &str, source: Box<dyn std::error::Error + Send + Sync>) -> StateError {
    StateError::Unreachable { servers: servers.to_owned(), source }
}

fn state_error(error: ServerError, path: &str, op: Option<&Op>) -> StateError {
    let owned = path.to_owned();
    match error {
        ServerError::NoNode => StateError::NoNode { path: owned },
        ServerError::NodeExists => StateError::NodeExists { path: owned },
        ServerError::NotEmpty => StateError::NotEmpty { path: owned },
        ServerError::NoChildrenForEphemerals => {
            let folder = path::split(path).map_or("/", |(folder, _)| folder);
            StateError::NoChildrenForEphemerals { path: folder.to_owned() }
        }
        ServerError::BadVersion => {
            let expected = match op {
                Some(
                    Op::Set { expected, .. }
                    | Op::Delete { expected, .. }
                    | Op::Check { expected, .. },
                ) => expected.version(),
                _ => None,
            };
            StateError::BadVersion { path: owned, expected: expected.unwrap_or(-1) }
        }
        ServerError::SessionExpired | ServerError::ClientClosed => StateError::SessionExpired,
        ServerError::ConnectionLoss | ServerError::Timeout => {
            StateError::ConnectionLoss { path: owned }
        }
        source => StateError::Server { path: owned, source: Box::new(source) },
    }
}
