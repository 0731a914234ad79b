//! What an operation does to the tree of nodes, given a place to read and write them: pure.
//!
//! The order in which the checks are made is ZooKeeper's, so that the same request fails with the
//! same error.

use super::path;
use super::storage::{CreateMode, Expected, Op, OpResult, Stat};
use super::watch::Change;
use super::{MultiError, StateError};

/// A node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    pub data: Vec<u8>,
    /// How often the data was set.
    pub version: i32,
    /// Children ever made; the next sequential child gets this number.
    pub creates: u32,
    /// Children now.
    pub children: u32,
    /// The session that it vanishes with; zero if it stays.
    pub owner: i64,
    /// The transaction that made it.
    pub created: i64,
    /// The transaction that last set its data.
    pub modified: i64,
}

impl Node {
    /// What a session is told of it.
    pub fn stat(&self, session: i64) -> Stat {
        // Each child that was made and is gone has changed the children twice.
        let changes = i64::from(self.creates) * 2 - i64::from(self.children);
        Stat {
            version: self.version,
            children_version: changes as i32,
            children: self.children,
            data_bytes: self.data.len() as u32,
            created: self.created,
            modified: self.modified,
            is_ephemeral: self.owner != 0,
            is_own: self.owner == session,
        }
    }
}

/// Where nodes are kept. The root is always there.
pub trait Nodes {
    /// Reads a node.
    fn read(&self, path: &str) -> Result<Option<Node>, StateError>;
    /// Writes a node.
    fn write(&mut self, path: &str, node: &Node) -> Result<(), StateError>;
    /// Removes a node that is there.
    fn remove(&mut self, path: &str, owner: i64) -> Result<(), StateError>;
}

/// A sequence of operations of one session that takes effect as a whole.
pub struct Transaction<'a, N> {
    nodes: &'a mut N,
    /// Its own number; those of later ones are higher.
    number: i64,
    session: i64,
    changes: Vec<Change>,
    touches_persistent: bool,
}

/// What a transaction did.
#[derive(Debug, Default)]
pub struct Done {
    /// What the watches are told.
    pub changes: Vec<Change>,
    /// Whether anything was done to nodes that outlive their session.
    pub touches_persistent: bool,
}

impl<'a, N: Nodes> Transaction<'a, N> {
    /// Begins.
    pub fn new(nodes: &'a mut N, number: i64, session: i64) -> Self {
        Self { nodes, number, session, changes: Vec::new(), touches_persistent: false }
    }

    /// Carries out all operations, or fails at the first that cannot be done.
    pub fn apply_all(&mut self, ops: &[Op]) -> Result<Vec<OpResult>, MultiError> {
        ops.iter()
            .enumerate()
            .map(|(i, op)| self.apply(op).map_err(|source| MultiError { index: Some(i), source }))
            .collect()
    }

    /// Ends.
    pub fn done(self) -> Done {
        Done { changes: self.changes, touches_persistent: self.touches_persistent }
    }

    fn apply(&mut self, op: &Op) -> Result<OpResult, StateError> {
        match op {
            Op::Create { path, data, mode } => self.create(path, data, *mode),
            Op::Set { path, data, expected } => self.set(path, data, *expected),
            Op::Delete { path, expected } => self.delete(path, *expected),
            Op::Check { path, expected } => {
                let node = self.existing(path)?;
                check_version(path, &node, *expected)?;
                Ok(OpResult::Checked)
            }
        }
    }

    fn create(
        &mut self,
        path: &str,
        data: &[u8],
        mode: CreateMode,
    ) -> Result<OpResult, StateError> {
        let (folder, _) = path::split(path).ok_or(StateError::Root)?;
        let mut above = self.existing(folder)?;
        let path = match mode.is_sequential() {
            true => format!("{path}{:010}", above.creates as i32),
            false => path.to_owned(),
        };
        if self.nodes.read(&path)?.is_some() {
            return Err(StateError::NodeExists { path });
        }
        if above.owner != 0 {
            return Err(StateError::NoChildrenForEphemerals { path: folder.to_owned() });
        }
        let owner = if mode.is_ephemeral() { self.session } else { 0 };
        let (created, modified) = (self.number, self.number);
        let node = Node { data: data.to_vec(), owner, created, modified, ..Node::default() };
        self.nodes.write(&path, &node)?;
        above.creates = above.creates.wrapping_add(1);
        above.children += 1;
        self.nodes.write(folder, &above)?;
        self.touches_persistent |= owner == 0;
        self.changes.push(Change::Created(path.clone()));
        Ok(OpResult::Created { path })
    }

    fn set(&mut self, path: &str, data: &[u8], expected: Expected) -> Result<OpResult, StateError> {
        let mut node = self.existing(path)?;
        check_version(path, &node, expected)?;
        node.data = data.to_vec();
        node.version = node.version.wrapping_add(1);
        node.modified = self.number;
        self.nodes.write(path, &node)?;
        self.touches_persistent |= node.owner == 0;
        self.changes.push(Change::DataSet(path.to_owned()));
        Ok(OpResult::Set(node.stat(self.session)))
    }

    fn delete(&mut self, path: &str, expected: Expected) -> Result<OpResult, StateError> {
        let (folder, _) = path::split(path).ok_or(StateError::Root)?;
        let node = self.existing(path)?;
        check_version(path, &node, expected)?;
        if node.children > 0 {
            return Err(StateError::NotEmpty { path: path.to_owned() });
        }
        self.nodes.remove(path, node.owner)?;
        let mut above = self.existing(folder)?;
        above.children -= 1;
        self.nodes.write(folder, &above)?;
        self.touches_persistent |= node.owner == 0;
        self.changes.push(Change::Deleted(path.to_owned()));
        Ok(OpResult::Deleted)
    }

    fn existing(&self, path: &str) -> Result<Node, StateError> {
        self.nodes.read(path)?.ok_or_else(|| StateError::NoNode { path: path.to_owned() })
    }
}

fn check_version(path: &str, node: &Node, expected: Expected) -> Result<(), StateError> {
    match expected.version() {
        Some(expected) if expected != node.version => {
            Err(StateError::BadVersion { path: path.to_owned(), expected })
        }
        _ => Ok(()),
    }
}
