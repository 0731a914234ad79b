//! The shared state in one file of this process: durable, and with ZooKeeper's semantics.
//!
//! Sessions live in this process alone, so those of a dead one are over when the file is opened
//! again. One write is made at a time; reads never wait for it. An acknowledged durable write is on
//! the disk, a volatile one gets there with the next durable one, with every
//! [`VOLATILE_RUN`]-th volatile one, and when the store is dropped.
//!
//! After a failed write (a full disk) nothing more is written to the open file: all sessions end,
//! and the next [`connect`](crate::cluster::StateBackend::connect) opens the file anew.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::storage::check_request;
use super::tree::{Done, Node, Transaction};
use super::watch::{Change, WatchTable};
use super::{
    Durability, Expected, MultiError, Op, OpResult, SessionState, Stat, StateBackend, StateError,
    StateStorage, WatchKind, Watcher, path,
};
use file::{StateFile, Tables};

mod file;
mod record;
#[cfg(test)]
mod tests;

/// Name of the file in its folder.
pub const FILE_NAME: &str = "state.redb";

/// Volatile writes in a row before one is made durable, lest their pages pile up in memory.
const VOLATILE_RUN: u32 = 256;

/// How the file is opened, at first and after a failure.
type Opener = Box<dyn Fn(&Path) -> Result<StateFile, StateError> + Send + Sync>;

/// A state file, opened by this process alone; clones are the same.
#[derive(Clone)]
pub struct EmbeddedStore(Arc<Store>);

struct Store {
    path: PathBuf,
    open: Opener,
    /// Nothing while the file has to be opened anew.
    file: RwLock<Option<StateFile>>,
    /// Held during a write and until its watches have fired.
    writer: Mutex<Writer>,
    watches: Mutex<WatchTable>,
}

/// What only the one who writes sees.
#[derive(Default)]
struct Writer {
    /// Whether each session still lives; read by its handle without the lock.
    live_sessions: HashMap<i64, Arc<AtomicBool>>,
    volatile_run: u32,
}

impl EmbeddedStore {
    /// Opens the state file in a folder; both are made if they are missing, for this user alone.
    ///
    /// # Errors
    /// [`Locked`](StateError::Locked), [`Foreign`](StateError::Foreign),
    /// [`Format`](StateError::Format), [`Corrupted`](StateError::Corrupted),
    /// [`DiskFull`](StateError::DiskFull), [`File`](StateError::File).
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        Self::open_with(folder, Box::new(StateFile::open))
    }

    fn open_with(folder: &Path, open: Opener) -> Result<Self, StateError> {
        let path = folder.join(FILE_NAME);
        let file = RwLock::new(Some(open(&path)?));
        let writer = Mutex::default();
        let watches = Mutex::default();
        Ok(Self(Arc::new(Store { path, open, file, writer, watches })))
    }

    /// Opens a session.
    ///
    /// # Errors
    /// The file had to be opened anew and cannot be.
    pub fn session(&self) -> Result<Arc<EmbeddedSession>, StateError> {
        let mut writer = self.0.lock_writer();
        self.0.reopen()?;
        let id = self.0.write(&mut writer, |tables| Ok((tables.next_session()?, false)))?;
        let is_live = Arc::new(AtomicBool::new(true));
        writer.live_sessions.insert(id, Arc::clone(&is_live));
        Ok(Arc::new(EmbeddedSession { store: Arc::clone(&self.0), id, is_live }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl StateBackend for EmbeddedStore {
    fn connect(&self) -> Result<Arc<dyn StateStorage>, StateError> {
        Ok(self.session()?)
    }
}

impl Store {
    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_watches(&self) -> MutexGuard<'_, WatchTable> {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the file if it was given up.
    fn reopen(&self) -> Result<(), StateError> {
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some((self.open)(&self.path)?);
        }
        Ok(())
    }

    fn with_file<T, E: From<StateError>>(
        &self,
        use_it: impl FnOnce(&StateFile) -> Result<T, E>,
    ) -> Result<T, E> {
        let file = self.file.read().unwrap_or_else(PoisonError::into_inner);
        match &*file {
            Some(file) => use_it(file),
            None => Err(StateError::SessionExpired.into()),
        }
    }

    /// Carries out a write; if the file fails, gives it up with all sessions.
    fn write<T, E: From<StateError> + AsState>(
        &self,
        writer: &mut Writer,
        change: impl FnOnce(&mut Tables<'_, '_>) -> Result<(T, bool), E>,
    ) -> Result<T, E> {
        let run = writer.volatile_run;
        let mut is_durable = true;
        let answer: Result<T, E> = self.with_file(|file| {
            file.write(|tables| {
                let (answer, durable) = change(tables)?;
                is_durable = durable || run >= VOLATILE_RUN;
                Ok((answer, is_durable))
            })
        });
        match &answer {
            Ok(_) => writer.volatile_run = if is_durable { 0 } else { run + 1 },
            Err(error) if error.as_state().ends_session() => self.give_up(writer),
            Err(_) => {}
        }
        answer
    }

    fn give_up(&self, writer: &mut Writer) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = None;
        let mut watches = self.lock_watches();
        for (session, is_live) in writer.live_sessions.drain() {
            is_live.store(false, Ordering::Release);
            watches.end_session(session);
        }
    }

    fn end_session(&self, id: i64) {
        let mut writer = self.lock_writer();
        let Some(is_live) = writer.live_sessions.remove(&id) else {
            return;
        };
        is_live.store(false, Ordering::Release);
        let deleted = self.write(&mut writer, |tables| delete_ephemerals(tables, id));
        let mut watches = self.lock_watches();
        match deleted {
            Ok(changes) => watches.fire(&changes),
            Err(error) => tracing::warn!(%error, "ephemeral nodes of a session stay for now"),
        }
        watches.end_session(id);
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.with_file(StateFile::flush) {
            tracing::warn!(%error, "what was written volatile may be lost");
        }
    }
}

fn delete_ephemerals(
    tables: &mut Tables<'_, '_>,
    id: i64,
) -> Result<(Vec<Change>, bool), StateError> {
    let paths = tables.ephemerals(id)?;
    let ops: Vec<Op> = paths.into_iter().map(|path| Op::delete(path, Expected::Any)).collect();
    let number = tables.next_transaction()?;
    let mut transaction = Transaction::new(tables, number, id);
    transaction.apply_all(&ops).map_err(|error| error.source)?;
    Ok((transaction.done().changes, false))
}

/// A session with an [`EmbeddedStore`]; ends when it is dropped.
pub struct EmbeddedSession {
    store: Arc<Store>,
    id: i64,
    is_live: Arc<AtomicBool>,
}

impl EmbeddedSession {
    fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Acquire)
    }

    /// Reads with a watch that is put in first, and taken back if there is nothing to watch.
    fn read<T>(
        &self,
        kind: WatchKind,
        path: &str,
        watcher: Option<&Watcher>,
        keeps_watch: impl FnOnce(&T) -> bool,
        read: impl FnOnce(&StateFile) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        path::check(path)?;
        if let Some(watcher) = watcher {
            self.store.lock_watches().add(self.id, kind, path, watcher);
        }
        let answer = self.store.with_file(read);
        // After the watch is in: a session that ends now takes it along.
        let answer = if self.is_live() { answer } else { Err(StateError::SessionExpired) };
        if let Some(watcher) = watcher
            && !answer.as_ref().is_ok_and(keeps_watch)
        {
            self.store.lock_watches().remove(self.id, kind, path, watcher);
        }
        answer
    }
}

impl StateStorage for EmbeddedSession {
    fn get(&self, path: &str, watcher: Option<&Watcher>) -> Result<(Vec<u8>, Stat), StateError> {
        let found = self.read(WatchKind::Data, path, watcher, Option::is_some, |f| f.read(path))?;
        let node = found.ok_or_else(|| StateError::NoNode { path: path.to_owned() })?;
        let stat = node.stat(self.id);
        Ok((node.data, stat))
    }

    fn exists(&self, path: &str, watcher: Option<&Watcher>) -> Result<Option<Stat>, StateError> {
        let keeps_watch = |_: &Option<Node>| true;
        let found = self.read(WatchKind::Data, path, watcher, keeps_watch, |f| f.read(path))?;
        Ok(found.map(|node| node.stat(self.id)))
    }

    fn children(&self, path: &str, watcher: Option<&Watcher>) -> Result<Vec<String>, StateError> {
        let kind = WatchKind::Children;
        let found = self.read(kind, path, watcher, Option::is_some, |f| f.children(path))?;
        found.ok_or_else(|| StateError::NoNode { path: path.to_owned() })
    }

    fn multi(&self, ops: &[Op], durability: Durability) -> Result<Vec<OpResult>, MultiError> {
        check_request(ops)?;
        // No session ends while the lock is held.
        let mut writer = self.store.lock_writer();
        if !self.is_live() {
            return Err(StateError::SessionExpired.into());
        }
        let (results, changes) = self.store.write(&mut writer, |tables| {
            let number = tables.next_transaction()?;
            let mut transaction = Transaction::new(tables, number, self.id);
            let results = transaction.apply_all(ops)?;
            let Done { changes, touches_persistent } = transaction.done();
            let durable = durability == Durability::Durable && touches_persistent;
            Ok::<_, MultiError>(((results, changes), durable))
        })?;
        self.store.lock_watches().fire(&changes);
        Ok(results)
    }

    fn sync(&self, path: &str) -> Result<(), StateError> {
        path::check(path)?;
        if self.is_live() { Ok(()) } else { Err(StateError::SessionExpired) }
    }

    fn state(&self) -> SessionState {
        if self.is_live() { SessionState::Connected } else { SessionState::Ended }
    }

    fn watch_state(&self, watcher: &Watcher) {
        self.store.lock_watches().add_session(self.id, watcher);
        if !self.is_live() {
            watcher.tell_session(SessionState::Ended);
        }
    }

    fn close(&self) {
        self.store.end_session(self.id);
    }
}

impl Drop for EmbeddedSession {
    fn drop(&mut self) {
        self.close();
    }
}

/// Either error of a write, to see whether the file failed.
trait AsState {
    fn as_state(&self) -> &StateError;
}

impl AsState for StateError {
    fn as_state(&self) -> &StateError {
        self
    }
}

impl AsState for MultiError {
    fn as_state(&self) -> &StateError {
        &self.source
    }
}
