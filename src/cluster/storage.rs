//! The contract of the shared state: what a session can do.

use std::sync::Arc;

use super::{MultiError, StateError, Watcher, path};

/// Largest request: data, paths and a fixed part for each operation, in bytes.
///
/// ZooKeeper drops the connection at a packet of more than 1 MiB less one byte
/// (`jute.maxbuffer`), so larger ones are refused before they are sent, by every backend.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024 - 1;

/// What is counted for each operation besides its path and data, in bytes.
const OPERATION_BYTES: usize = 128;

/// Gives sessions: a state file or an ensemble of servers.
pub trait StateBackend: Send + Sync {
    /// Opens a session.
    ///
    /// A daemon keeps one until it has ended, then opens the next and makes its ephemeral nodes and
    /// watches again.
    ///
    /// # Errors
    /// The file cannot be used, or no server answers.
    fn connect(&self) -> Result<Arc<dyn StateStorage>, StateError>;
}

/// One session with the shared state, with the semantics of a ZooKeeper client.
///
/// A node has data, a version that counts how often they were set, and children. Calls block. The
/// session ends when it is closed, when its last handle is dropped, and when the backend says so;
/// then its ephemeral nodes vanish and every further call answers
/// [`SessionExpired`](StateError::SessionExpired).
///
/// An implementer provides atomic [`multi`](Self::multi), which is how everything is written; the
/// calls for a single write follow from it. A caller must not assume that a watch fires: the
/// connection may be away when the change happens.
pub trait StateStorage: Send + Sync {
    /// Reads a node, and has `watcher` told once about the next change of its data or its deletion.
    ///
    /// # Errors
    /// [`NoNode`](StateError::NoNode); then no watch is left.
    fn get(&self, path: &str, watcher: Option<&Watcher>) -> Result<(Vec<u8>, Stat), StateError>;

    /// Looks whether a node exists, and has `watcher` told once when it is made, changed or deleted.
    ///
    /// # Errors
    /// The path is invalid or the session has ended; a missing node is none.
    fn exists(&self, path: &str, watcher: Option<&Watcher>) -> Result<Option<Stat>, StateError>;

    /// Names of a node's children in the order of their bytes; has `watcher` told once when one is
    /// made or deleted, or the node itself is.
    ///
    /// # Errors
    /// [`NoNode`](StateError::NoNode); then no watch is left.
    fn children(&self, path: &str, watcher: Option<&Watcher>) -> Result<Vec<String>, StateError>;

    /// Carries out all operations or none; each sees what those before it did.
    ///
    /// # Errors
    /// The first operation that cannot be done, with its index; none has taken effect, except that
    /// [`may_have_taken_effect`](StateError::may_have_taken_effect) says otherwise.
    fn multi(&self, ops: &[Op], durability: Durability) -> Result<Vec<OpResult>, MultiError>;

    /// Waits until all that was acknowledged to anybody before is visible to this one's reads.
    ///
    /// # Errors
    /// The session has ended.
    fn sync(&self, path: &str) -> Result<(), StateError>;

    /// How the session stands. Whoever leads must not act unless it is
    /// [`Connected`](SessionState::Connected).
    fn state(&self) -> SessionState;

    /// Has `watcher` told of every change of [`state`](Self::state) as long as it lives.
    fn watch_state(&self, watcher: &Watcher);

    /// Ends the session: its ephemeral nodes vanish. Ending it again does nothing.
    fn close(&self);
}

impl dyn StateStorage + '_ {
    /// Makes a node and answers its path, which for a sequential one ends in its number.
    ///
    /// # Errors
    /// [`NoNode`](StateError::NoNode) if the folder is missing,
    /// [`NodeExists`](StateError::NodeExists),
    /// [`NoChildrenForEphemerals`](StateError::NoChildrenForEphemerals).
    pub fn create(&self, path: &str, data: &[u8], mode: CreateMode) -> Result<String, StateError> {
        match self.one(Op::create(path, data, mode), Durability::Durable)? {
            OpResult::Created { path } => Ok(path),
            other => unreachable!("a create answers with its path and not with {other:?}"),
        }
    }

    /// Replaces a node's data.
    ///
    /// # Errors
    /// [`NoNode`](StateError::NoNode), [`BadVersion`](StateError::BadVersion).
    pub fn set(&self, path: &str, data: &[u8], expected: Expected) -> Result<Stat, StateError> {
        self.set_with(path, data, expected, Durability::Durable)
    }

    /// Replaces a node's data, durably or not.
    ///
    /// # Errors
    /// As for a durable one.
    pub fn set_with(
        &self,
        path: &str,
        data: &[u8],
        expected: Expected,
        durability: Durability,
    ) -> Result<Stat, StateError> {
        match self.one(Op::set(path, data, expected), durability)? {
            OpResult::Set(stat) => Ok(stat),
            other => unreachable!("a set answers with a stat and not with {other:?}"),
        }
    }

    /// Deletes a node.
    ///
    /// # Errors
    /// [`NoNode`](StateError::NoNode), [`BadVersion`](StateError::BadVersion),
    /// [`NotEmpty`](StateError::NotEmpty).
    pub fn delete(&self, path: &str, expected: Expected) -> Result<(), StateError> {
        self.one(Op::delete(path, expected), Durability::Durable).map(|_| ())
    }

    /// Makes a folder with all above it; those that exist stay as they are.
    ///
    /// # Errors
    /// The path is invalid, an ephemeral node stands in the way, or the session has ended.
    pub fn make_folders(&self, folder: &str) -> Result<(), StateError> {
        path::check(folder)?;
        if folder == "/" || self.exists(folder, None)?.is_some() {
            return Ok(());
        }
        let (above, _) = path::split(folder).expect("a path that is not the root has a folder");
        self.make_folders(above)?;
        match self.create(folder, FOLDER_DATA, CreateMode::Persistent) {
            Ok(_) | Err(StateError::NodeExists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Sets a node's data, making it with the folders above it if it is missing.
    ///
    /// # Errors
    /// The path is invalid, an ephemeral node stands in the way, or the session has ended.
    pub fn put(&self, path: &str, data: &[u8], durability: Durability) -> Result<(), StateError> {
        for _ in 0..PUT_ATTEMPTS {
            match self.set_with(path, data, Expected::Any, durability) {
                Err(StateError::NoNode { .. }) => {}
                answer => return answer.map(|_| ()),
            }
            if let Some((folder, _)) = path::split(path) {
                self.make_folders(folder)?;
            }
            match self.one(Op::create(path, data, CreateMode::Persistent), durability) {
                Err(StateError::NodeExists { .. } | StateError::NoNode { .. }) => {}
                answer => return answer.map(|_| ()),
            }
        }
        Err(StateError::NoNode { path: path.to_owned() })
    }

    /// Sets the data of an ephemeral node that belongs to the caller; one that another session left behind is
    /// replaced, so that the node lives as long as the caller's session.
    ///
    /// # Errors
    /// The folder is missing, the node has children, or the session has ended.
    pub fn put_ephemeral(&self, path: &str, data: &[u8]) -> Result<(), StateError> {
        for _ in 0..PUT_ATTEMPTS {
            let found = self.exists(path, None)?;
            let ops = match found {
                Some(stat) if stat.is_own => vec![Op::set(path, data, Expected::Any)],
                Some(_) => vec![
                    Op::delete(path, Expected::Any),
                    Op::create(path, data, CreateMode::Ephemeral),
                ],
                None => vec![Op::create(path, data, CreateMode::Ephemeral)],
            };
            let answer = self.multi(&ops, Durability::Volatile).map_err(|error| error.source);
            match (answer, found) {
                (Err(StateError::NoNode { .. }), Some(_))
                | (Err(StateError::NodeExists { .. }), None) => {}
                (answer, _) => return answer.map(|_| ()),
            }
        }
        Err(StateError::NodeExists { path: path.to_owned() })
    }

    /// Deletes a node with all below it; one that is missing is none the worse.
    ///
    /// # Errors
    /// The path is invalid or the session has ended.
    pub fn delete_tree(&self, path: &str) -> Result<(), StateError> {
        loop {
            let names = match self.children(path, None) {
                Ok(names) => names,
                Err(StateError::NoNode { .. }) => return Ok(()),
                Err(error) => return Err(error),
            };
            for name in names {
                self.delete_tree(&path::join(path, &name))?;
            }
            match self.delete(path, Expected::Any) {
                // Somebody made a child in between.
                Err(StateError::NotEmpty { .. }) => {}
                Ok(()) | Err(StateError::NoNode { .. }) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn one(&self, op: Op, durability: Durability) -> Result<OpResult, StateError> {
        let mut results = self.multi(&[op], durability).map_err(|error| error.source)?;
        Ok(results.pop().expect("one operation has one result"))
    }
}

/// What a folder holds: the byte that a stock daemon puts there.
pub(super) const FOLDER_DATA: &[u8] = &[7];

/// How often a write is tried that others may race with by making or deleting the same node.
const PUT_ATTEMPTS: usize = 16;

/// What kind of node is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateMode {
    /// Stays until it is deleted.
    Persistent,
    /// As [`Persistent`](Self::Persistent); a number of ten digits is appended to its name, which
    /// grows with each node made in the folder.
    PersistentSequential,
    /// Vanishes with the session that made it.
    Ephemeral,
    /// As [`Ephemeral`](Self::Ephemeral), with a number.
    EphemeralSequential,
}

impl CreateMode {
    /// Whether the node vanishes with its session.
    pub fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// Whether a number is appended.
    pub fn is_sequential(self) -> bool {
        matches!(self, Self::PersistentSequential | Self::EphemeralSequential)
    }
}

/// Whether a write must survive a crash of the process or of the machine.
///
/// A backend may make a volatile write durable; a later durable write makes it durable as well. What
/// only concerns ephemeral nodes is volatile in any case, as they would not survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The write is on the disk when it is acknowledged.
    Durable,
    /// The write may be lost in a crash: right for what is written anew every few seconds.
    Volatile,
}

/// Which version a node must have for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Any.
    Any,
    /// This one, which the caller has seen.
    Version(i32),
}

impl Expected {
    /// The version that is expected, unless any is.
    pub fn version(self) -> Option<i32> {
        match self {
            Self::Any => None,
            Self::Version(version) => Some(version),
        }
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Makes a node.
    Create {
        /// Its path, less the number of a sequential one.
        path: String,
        /// Its data.
        data: Vec<u8>,
        /// Its kind.
        mode: CreateMode,
    },
    /// Replaces a node's data.
    Set {
        /// Its path.
        path: String,
        /// Its new data.
        data: Vec<u8>,
        /// The version that it must have.
        expected: Expected,
    },
    /// Deletes a node.
    Delete {
        /// Its path.
        path: String,
        /// The version that it must have.
        expected: Expected,
    },
    /// Changes nothing, and fails unless the node exists and has this version.
    Check {
        /// Its path.
        path: String,
        /// The version that it must have.
        expected: Expected,
    },
}

impl Op {
    /// Makes a node.
    pub fn create(path: impl Into<String>, data: impl Into<Vec<u8>>, mode: CreateMode) -> Self {
        Self::Create { path: path.into(), data: data.into(), mode }
    }

    /// Replaces a node's data.
    pub fn set(path: impl Into<String>, data: impl Into<Vec<u8>>, expected: Expected) -> Self {
        Self::Set { path: path.into(), data: data.into(), expected }
    }

    /// Deletes a node.
    pub fn delete(path: impl Into<String>, expected: Expected) -> Self {
        Self::Delete { path: path.into(), expected }
    }

    /// Fails unless the node has this version.
    pub fn check(path: impl Into<String>, expected: Expected) -> Self {
        Self::Check { path: path.into(), expected }
    }

    /// The node that it concerns.
    pub fn path(&self) -> &str {
        match self {
            Self::Create { path, .. }
            | Self::Set { path, .. }
            | Self::Delete { path, .. }
            | Self::Check { path, .. } => path,
        }
    }

    fn bytes(&self) -> usize {
        let data = match self {
            Self::Create { data, .. } | Self::Set { data, .. } => data.len(),
            Self::Delete { .. } | Self::Check { .. } => 0,
        };
        OPERATION_BYTES + self.path().len() + data
    }
}

/// Checks paths and size of a request.
pub(super) fn check_request(ops: &[Op]) -> Result<(), MultiError> {
    for (index, op) in ops.iter().enumerate() {
        let checked = match op {
            Op::Create { path, mode, .. } if mode.is_sequential() => path::check_sequential(path),
            op => path::check(op.path()),
        };
        checked.map_err(|source| MultiError { index: Some(index), source })?;
    }
    let bytes = ops.iter().map(Op::bytes).sum();
    if bytes > MAX_REQUEST_BYTES {
        let path = ops[0].path().to_owned();
        Err(StateError::TooLarge { path, bytes, limit: MAX_REQUEST_BYTES })?;
    }
    Ok(())
}

/// What an operation of a multi did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpResult {
    /// A node was made.
    Created {
        /// Its path, with the number of a sequential one.
        path: String,
    },
    /// Data was replaced.
    Set(Stat),
    /// A node was deleted.
    Deleted,
    /// A version was as expected.
    Checked,
}

/// What is known of a node besides its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// How often the data was set since the node was made.
    pub version: i32,
    /// How often a child was made or deleted since the node was made.
    pub children_version: i32,
    /// Children now.
    pub children: u32,
    /// Length of the data in bytes.
    pub data_bytes: u32,
    /// The transaction that made the node: another node of the same path has another one.
    pub created: i64,
    /// The transaction that last set the data.
    pub modified: i64,
    /// Whether the node vanishes with a session.
    pub is_ephemeral: bool,
    /// Whether that session is the one that asked.
    pub is_own: bool,
}

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SessionState {
    /// Reads and writes arrive.
    Connected,
    /// No server answers at present; the session may live on or have ended.
    Suspended,
    /// The session is over.
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_refused_from_the_byte_on_that_is_over_the_limit() {
        let room = MAX_REQUEST_BYTES - OPERATION_BYTES - "/a".len();
        let op = |bytes| vec![Op::create("/a", vec![0; bytes], CreateMode::Persistent)];
        assert!(check_request(&op(room)).is_ok());
        let error = check_request(&op(room + 1)).expect_err("one byte too many");
        let text = error.to_string();
        assert!(text.contains("1048576 bytes at /a"), "{text}");
        assert!(text.contains(&MAX_REQUEST_BYTES.to_string()), "{text}");
    }

    #[test]
    fn all_operations_count_together() {
        let half = vec![0; MAX_REQUEST_BYTES / 2];
        let ops =
            vec![Op::set("/a", half.clone(), Expected::Any), Op::set("/b", half, Expected::Any)];
        assert!(check_request(&ops).is_err());
        assert!(check_request(&ops[..1]).is_ok());
    }

    #[test]
    fn an_invalid_path_is_told_with_the_index_of_its_operation() {
        let ops = [Op::check("/a", Expected::Any), Op::delete("a", Expected::Any)];
        let error = check_request(&ops).expect_err("no path");
        assert_eq!(error.index, Some(1));
        assert!(error.to_string().starts_with("operation 1 of several failed"), "{error}");
    }
}
