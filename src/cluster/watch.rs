//! Watches: who wants to be told of which change, once.
//!
//! Events are kept as a set, so that any number of changes of one node between two looks is one
//! event, and at most [`MAX_PENDING_EVENTS`] are kept; beyond that the watcher is told that it
//! missed some and has to look at everything it cares for.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::SessionState;
use super::path;

/// Events that a watcher holds before it only knows that it missed some.
pub const MAX_PENDING_EVENTS: usize = 1024;

/// Receives events; clones share one set of them. When all clones are gone, so are its watches.
#[derive(Clone, Default)]
pub struct Watcher(Arc<Inbox>);

#[derive(Default)]
struct Inbox {
    pending: Mutex<Changes>,
    arrived: Condvar,
    /// Called after something arrived where there was nothing.
    alarm: Option<Box<dyn Fn() + Send + Sync>>,
}

/// What a watcher was told since it last looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Each event once, ordered by path.
    pub events: BTreeSet<WatchEvent>,
    /// There were more events than are kept: look at everything.
    pub missed: bool,
    /// How the session stands, if that changed.
    pub session: Option<SessionState>,
}

impl Changes {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && !self.missed && self.session.is_none()
    }

    /// Whether this node may have changed.
    pub fn touches(&self, path: &str) -> bool {
        self.missed || self.events.iter().any(|event| event.path == path)
    }
}

/// What happened to a watched node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchEvent {
    /// The node.
    pub path: String,
    /// What happened.
    pub event: NodeEvent,
}

/// The four things that can happen to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeEvent {
    /// It was made.
    Created,
    /// Its data was set.
    DataChanged,
    /// A child was made or deleted.
    ChildrenChanged,
    /// It was deleted.
    Deleted,
}

/// What a watch looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchKind {
    /// A node's existence and data.
    Data,
    /// The names of its children.
    Children,
}

impl Watcher {
    /// A watcher that is looked at with [`take`](Self::take) or [`wait`](Self::wait).
    pub fn new() -> Self {
        Self::default()
    }

    /// A watcher that calls `alarm` when something arrives and nothing was there.
    ///
    /// The alarm runs on the thread that made the change: it must not block and must not call the
    /// shared state.
    pub fn with_alarm(alarm: impl Fn() + Send + Sync + 'static) -> Self {
        let alarm: Option<Box<dyn Fn() + Send + Sync>> = Some(Box::new(alarm));
        Self(Arc::new(Inbox { alarm, ..Inbox::default() }))
    }

    /// What arrived since the last look; does not wait.
    pub fn take(&self) -> Changes {
        mem::take(&mut self.0.lock())
    }

    /// What arrived since the last look; waits for something, at most that long.
    pub fn wait(&self, at_most: Duration) -> Changes {
        let pending = self.0.lock();
        let waited = self.0.arrived.wait_timeout_while(pending, at_most, |p| p.is_empty());
        let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
        mem::take(&mut pending)
    }

    /// Tells of something that happened to a node.
    pub(super) fn tell(&self, path: &str, event: NodeEvent) {
        self.change(|pending| {
            if pending.missed {
                return;
            }
            pending.events.insert(WatchEvent { path: path.to_owned(), event });
            if pending.events.len() > MAX_PENDING_EVENTS {
                pending.events.clear();
                pending.missed = true;
            }
        });
    }

    /// Tells how the session stands now.
    pub(super) fn tell_session(&self, state: SessionState) {
        self.change(|pending| pending.session = Some(state));
    }

    fn change(&self, change: impl FnOnce(&mut Changes)) {
        let mut pending = self.0.lock();
        let was_empty = pending.is_empty();
        change(&mut pending);
        drop(pending);
        self.0.arrived.notify_all();
        if let (true, Some(alarm)) = (was_empty, &self.0.alarm) {
            alarm();
        }
    }
}

/// A watcher that is not kept alive by being held.
#[cfg(feature = "zookeeper")]
pub(super) struct WeakWatcher(Weak<Inbox>);

#[cfg(feature = "zookeeper")]
impl WeakWatcher {
    /// The watcher, if it is still there.
    pub fn upgrade(&self) -> Option<Watcher> {
        self.0.upgrade().map(Watcher)
    }
}

#[cfg(feature = "zookeeper")]
impl Watcher {
    /// This watcher without keeping it alive.
    pub(super) fn downgrade(&self) -> WeakWatcher {
        WeakWatcher(Arc::downgrade(&self.0))
    }

    /// Tells it from others, as long as it or a weak one of it is held.
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watcher").field(&*self.0.lock()).finish()
    }
}

/// The watches of all sessions of a store: which watcher waits for which node.
///
/// A watch is put in before the node is read, so that no change between the two is missed; a change
/// in just that moment is told although the reader has seen it.
#[derive(Default)]
pub(super) struct WatchTable {
    watches: HashMap<(WatchKind, String), Vec<Watch>>,
    sessions: HashMap<i64, Vec<Weak<Inbox>>>,
}

/// The session that a watch belongs to, and who is told.
type Watch = (i64, Weak<Inbox>);

/// A change of the tree, as the watches see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Created(String),
    DataSet(String),
    Deleted(String),
}

impl WatchTable {
    /// Puts in a watch; the same watcher at the same place stands there once.
    pub fn add(&mut self, session: i64, kind: WatchKind, path: &str, watcher: &Watcher) {
        let watches = self.watches.entry((kind, path.to_owned())).or_default();
        watches.retain(|(_, inbox)| inbox.strong_count() > 0);
        let inbox = Arc::downgrade(&watcher.0);
        if !watches.iter().any(|(owner, known)| *owner == session && known.ptr_eq(&inbox)) {
            watches.push((session, inbox));
        }
    }

    /// Takes a watch back whose node turned out to be missing.
    pub fn remove(&mut self, session: i64, kind: WatchKind, path: &str, watcher: &Watcher) {
        let key = (kind, path.to_owned());
        let inbox = Arc::downgrade(&watcher.0);
        if let Some(watches) = self.watches.get_mut(&key) {
            watches.retain(|(owner, known)| *owner != session || !known.ptr_eq(&inbox));
            if watches.is_empty() {
                self.watches.remove(&key);
            }
        }
    }

    /// Has a watcher told of a session's end.
    pub fn add_session(&mut self, session: i64, watcher: &Watcher) {
        let watchers = self.sessions.entry(session).or_default();
        watchers.retain(|inbox| inbox.strong_count() > 0);
        let inbox = Arc::downgrade(&watcher.0);
        if !watchers.iter().any(|known| known.ptr_eq(&inbox)) {
            watchers.push(inbox);
        }
    }

    /// Tells whoever watches what changed; those watches are used up.
    pub fn fire(&mut self, changes: &[Change]) {
        for change in changes {
            let (path, event) = match change {
                Change::Created(path) => (path, NodeEvent::Created),
                Change::DataSet(path) => (path, NodeEvent::DataChanged),
                Change::Deleted(path) => (path, NodeEvent::Deleted),
            };
            self.fire_one(WatchKind::Data, path, event);
            if event == NodeEvent::Deleted {
                self.fire_one(WatchKind::Children, path, event);
            }
            if event != NodeEvent::DataChanged
                && let Some((folder, _)) = path::split(path)
            {
                self.fire_one(WatchKind::Children, folder, NodeEvent::ChildrenChanged);
            }
        }
    }

    /// Forgets a session's watches and tells its watchers.
    pub fn end_session(&mut self, session: i64) {
        let mut told: Vec<Weak<Inbox>> = self.sessions.remove(&session).unwrap_or_default();
        self.watches.retain(|_, watches| {
            let ended = watches.extract_if(.., |(owner, _)| *owner == session);
            told.extend(ended.map(|(_, inbox)| inbox));
            !watches.is_empty()
        });
        for watcher in told.iter().filter_map(Weak::upgrade).map(Watcher) {
            watcher.tell_session(SessionState::Ended);
        }
    }

    fn fire_one(&mut self, kind: WatchKind, path: &str, event: NodeEvent) {
        let Some(watches) = self.watches.remove(&(kind, path.to_owned())) else {
            return;
        };
        for watcher in watches.iter().filter_map(|(_, inbox)| inbox.upgrade()).map(Watcher) {
            watcher.tell(path, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn event(path: &str, event: NodeEvent) -> WatchEvent {
        WatchEvent { path: path.to_owned(), event }
    }

    #[test]
    fn the_same_event_is_kept_once_and_taken_once() {
        let watcher = Watcher::new();
        for _ in 0..10 {
            watcher.tell("/a", NodeEvent::DataChanged);
        }
        let changes = watcher.take();
        assert_eq!(changes.events, BTreeSet::from([event("/a", NodeEvent::DataChanged)]));
        assert!(changes.touches("/a") && !changes.touches("/b"));
        assert!(watcher.take().is_empty());
    }

    #[test]
    fn too_many_events_become_the_advice_to_look_at_everything() {
        let watcher = Watcher::new();
        for i in 0..=MAX_PENDING_EVENTS {
            watcher.tell(&format!("/{i}"), NodeEvent::Created);
        }
        let changes = watcher.take();
        assert!(changes.missed && changes.events.is_empty() && changes.touches("/anything"));
        watcher.tell("/a", NodeEvent::Created);
        assert!(!watcher.take().missed);
    }

    #[test]
    fn the_alarm_rings_when_there_was_nothing() {
        let rung = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&rung);
        let watcher = Watcher::with_alarm(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        watcher.tell("/a", NodeEvent::Created);
        watcher.tell("/b", NodeEvent::Created);
        assert_eq!(rung.load(Ordering::Relaxed), 1);
        watcher.take();
        watcher.tell_session(SessionState::Ended);
        assert_eq!(rung.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_watcher_that_is_gone_leaves_no_watch() {
        let mut table = WatchTable::default();
        table.add(1, WatchKind::Data, "/a", &Watcher::new());
        let kept = Watcher::new();
        table.add(1, WatchKind::Data, "/a", &kept);
        table.add(1, WatchKind::Data, "/a", &kept);
        assert_eq!(table.watches[&(WatchKind::Data, "/a".to_owned())].len(), 1);
        table.remove(1, WatchKind::Data, "/a", &kept);
        assert!(table.watches.is_empty());
    }

    #[test]
    fn waiting_ends_at_once_when_something_is_there() {
        let watcher = Watcher::new();
        let other = watcher.clone();
        let thread = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        watcher.tell("/a", NodeEvent::Deleted);
        assert!(thread.join().expect("the thread ends").touches("/a"));
        assert!(watcher.wait(Duration::ZERO).is_empty());
    }
}
