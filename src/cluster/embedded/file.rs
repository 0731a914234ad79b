//! The database file: opening it, what it holds, and what its failures mean.
//!
//! | table | key | value |
//! |---|---|---|
//! | `nodes` | folder and name; twice nothing for the root | [`record`] |
//! | `ephemerals` | session and path | nothing |
//! | `numbers` | `format`, `transaction`, `session` | the format of the file; the last number given |

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability as Commit, ReadableDatabase, ReadableTable,
    StorageBackend, StorageError, Table, TableDefinition, WriteTransaction,
};

use super::record;
use crate::cluster::path;
use crate::cluster::tree::{Node, Nodes, Transaction};
use crate::cluster::{Expected, Op, StateError};

const NODES: TableDefinition<'static, (&str, &str), &[u8]> = TableDefinition::new("nodes");
const EPHEMERALS: TableDefinition<'static, (i64, &str), ()> = TableDefinition::new("ephemerals");
const NUMBERS: TableDefinition<'static, &str, u64> = TableDefinition::new("numbers");

const FORMAT: &str = "format";
const TRANSACTION: &str = "transaction";
const SESSION: &str = "session";

/// The format that this program reads and writes.
const KNOWN_FORMAT: u64 = 1;

/// Memory for pages read, in bytes: the state of thousands of topologies.
const CACHE_BYTES: usize = 8 << 20;

/// Begin of every file of the database.
const MAGIC: &[u8; 4] = b"redb";

/// The file, open.
pub struct StateFile {
    path: PathBuf,
    database: Database,
}

impl StateFile {
    /// Opens the file, making it and its folder if they are missing, and removes what sessions of
    /// an earlier process left.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Self::open_with(path, FileBackend::new)
    }

    /// As [`open`](Self::open), through what `backend` makes of the file.
    pub fn open_with<B: StorageBackend>(
        path: &Path,
        backend: impl FnOnce(File) -> Result<B, DatabaseError>,
    ) -> Result<Self, StateError> {
        let failed = |source| io_error(path, source);
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let file = open_file(path).map_err(failed)?;
        check_magic(path, &file)?;
        let opened = backend(file).and_then(|backend| open_database(path, backend));
        let database = opened.map_err(|error| open_error(path, error))?;
        let file = Self { path: path.to_owned(), database };
        file.prepare()?;
        Ok(file)
    }

    /// Reads a node.
    pub fn read(&self, path: &str) -> Result<Option<Node>, StateError> {
        let read = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(NODES)?;
            Ok(table.get(key(path))?.map(|found| record::decode(found.value())))
        };
        self.sound(read().map_err(|error| self.error(error))?)
    }

    /// Names of the children of a node, and whether the node is there.
    pub fn children(&self, path: &str) -> Result<Option<Vec<String>>, StateError> {
        let read = || -> Result<_, redb::Error> {
            let table = self.database.begin_read()?.open_table(NODES)?;
            if table.get(key(path))?.is_none() {
                return Ok(None);
            }
            let mut names = Vec::new();
            for row in table.range((path, "")..)? {
                let (found, _) = row?;
                let (folder, name) = found.value();
                if folder != path {
                    break;
                }
                names.push(name.to_owned());
            }
            Ok(Some(names))
        };
        read().map_err(|error| self.error(error))
    }

    /// Carries out a write: `change` gets the tables, and says whether it is to be kept and whether
    /// it must survive a crash.
    pub fn write<T, E: From<StateError>>(
        &self,
        change: impl FnOnce(&mut Tables<'_, '_>) -> Result<(T, bool), E>,
    ) -> Result<T, E> {
        let failed = |error: redb::Error| E::from(self.error(error));
        let mut transaction = self.database.begin_write().map_err(|e| failed(e.into()))?;
        let (answer, durable) = {
            let mut tables = Tables::open(self, &transaction).map_err(E::from)?;
            change(&mut tables)?
        };
        if !durable {
            transaction.set_durability(Commit::None).map_err(|e| failed(e.into()))?;
        }
        transaction.commit().map_err(|e| failed(e.into()))?;
        Ok(answer)
    }

    /// Puts everything on the disk that was written volatile.
    pub fn flush(&self) -> Result<(), StateError> {
        self.write(|_| Ok(((), true)))
    }

    fn prepare(&self) -> Result<(), StateError> {
        self.write(|tables| {
            match tables.number(FORMAT)? {
                0 if tables.is_new()? => {
                    tables.set_number(FORMAT, KNOWN_FORMAT)?;
                    tables.write("/", &Node::default())?;
                }
                0 => {
                    let reason = "it is a database of another program";
                    return Err(StateError::Foreign { file: self.path.clone(), reason });
                }
                KNOWN_FORMAT => tables.delete_all_ephemerals()?,
                found => {
                    let known = KNOWN_FORMAT;
                    return Err(StateError::Format { file: self.path.clone(), found, known });
                }
            }
            Ok(((), true))
        })
    }

    fn sound(&self, node: Option<Option<Node>>) -> Result<Option<Node>, StateError> {
        match node {
            Some(None) => Err(StateError::Corrupted { file: self.path.clone(), source: None }),
            node => Ok(node.flatten()),
        }
    }

    fn error(&self, error: impl Into<redb::Error>) -> StateError {
        database_error(&self.path, error.into())
    }
}

/// The tables of a write.
pub struct Tables<'f, 't> {
    file: &'f StateFile,
    nodes: Table<'t, (&'static str, &'static str), &'static [u8]>,
    ephemerals: Table<'t, (i64, &'static str), ()>,
    numbers: Table<'t, &'static str, u64>,
}

impl<'f, 't> Tables<'f, 't> {
    fn open(file: &'f StateFile, transaction: &'t WriteTransaction) -> Result<Self, StateError> {
        let open = || -> Result<_, redb::Error> {
            let nodes = transaction.open_table(NODES)?;
            let ephemerals = transaction.open_table(EPHEMERALS)?;
            Ok(Self { file, nodes, ephemerals, numbers: transaction.open_table(NUMBERS)? })
        };
        open().map_err(|error| file.error(error))
    }

    /// The number of this transaction.
    pub fn next_transaction(&mut self) -> Result<i64, StateError> {
        self.next(TRANSACTION)
    }

    /// A session that nobody had before.
    pub fn next_session(&mut self) -> Result<i64, StateError> {
        self.next(SESSION)
    }

    /// Paths of a session's ephemeral nodes.
    pub fn ephemerals(&self, session: i64) -> Result<Vec<String>, StateError> {
        self.ephemerals_in(Some(session))
    }

    fn ephemerals_in(&self, session: Option<i64>) -> Result<Vec<String>, StateError> {
        let read = || -> Result<_, redb::Error> {
            let mut paths = Vec::new();
            for row in self.ephemerals.range((session.unwrap_or(i64::MIN), "")..)? {
                let (found, _) = row?;
                let (owner, path) = found.value();
                if session.is_some_and(|session| session != owner) {
                    break;
                }
                paths.push(path.to_owned());
            }
            Ok(paths)
        };
        read().map_err(|error| self.file.error(error))
    }

    fn delete_all_ephemerals(&mut self) -> Result<(), StateError> {
        let paths = self.ephemerals_in(None)?;
        let ops: Vec<_> = paths.into_iter().map(|path| Op::delete(path, Expected::Any)).collect();
        let number = self.next_transaction()?;
        let mut transaction = Transaction::new(self, number, 0);
        transaction.apply_all(&ops).map_err(|error| error.source)?;
        Ok(())
    }

    fn is_new(&self) -> Result<bool, StateError> {
        let root = self.nodes.get(key("/")).map_err(|error| self.file.error(error))?;
        Ok(root.is_none())
    }

    fn next(&mut self, name: &'static str) -> Result<i64, StateError> {
        let next = self.number(name)? + 1;
        self.set_number(name, next)?;
        Ok(next as i64)
    }

    fn number(&self, name: &str) -> Result<u64, StateError> {
        let found = self.numbers.get(name).map_err(|error| self.file.error(error))?;
        Ok(found.map_or(0, |found| found.value()))
    }

    fn set_number(&mut self, name: &'static str, number: u64) -> Result<(), StateError> {
        self.numbers.insert(name, number).map_err(|error| self.file.error(error))?;
        Ok(())
    }
}

impl Nodes for Tables<'_, '_> {
    fn read(&self, path: &str) -> Result<Option<Node>, StateError> {
        let found = self.nodes.get(key(path)).map_err(|error| self.file.error(error))?;
        self.file.sound(found.map(|found| record::decode(found.value())))
    }

    fn write(&mut self, path: &str, node: &Node) -> Result<(), StateError> {
        let error = |error| self.file.error(error);
        self.nodes.insert(key(path), record::encode(node).as_slice()).map_err(error)?;
        if node.owner != 0 {
            self.ephemerals.insert((node.owner, path), ()).map_err(error)?;
        }
        Ok(())
    }

    fn remove(&mut self, path: &str, owner: i64) -> Result<(), StateError> {
        let error = |error| self.file.error(error);
        self.nodes.remove(key(path)).map_err(error)?;
        if owner != 0 {
            self.ephemerals.remove((owner, path)).map_err(error)?;
        }
        Ok(())
    }
}

fn key(path: &str) -> (&str, &str) {
    path::split(path).unwrap_or_default()
}

fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file =
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    // A file from elsewhere is closed to others as well; one that is no file is left alone.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

fn check_magic(path: &Path, mut file: &File) -> Result<(), StateError> {
    let mut begin = [0; 4];
    let length = file.metadata().map_err(|source| io_error(path, source))?.len();
    if length == 0 || (file.read_exact(&mut begin).is_ok() && begin == *MAGIC) {
        return Ok(());
    }
    let reason = "it does not begin like one";
    Err(StateError::Foreign { file: path.to_owned(), reason })
}

/// Opens the database and verifies the checksum of every page.
///
/// In builds with debug assertions the database panics at some damages that it otherwise reports.
fn open_database(path: &Path, backend: impl StorageBackend) -> Result<Database, DatabaseError> {
    let open = || {
        Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true)
            .create_with_backend(backend)
    };
    panic::catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        let detail = format!("{} cannot be read to its end", path.display());
        Err(DatabaseError::Storage(StorageError::Corrupted(detail)))
    })
}

fn io_error(path: &Path, source: io::Error) -> StateError {
    StateError::File { file: path.to_owned(), source }
}

fn open_error(path: &Path, error: DatabaseError) -> StateError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StateError::Locked { file: path.to_owned() }
        }
        error => database_error(path, error.into()),
    }
}

fn database_error(path: &Path, error: redb::Error) -> StateError {
    let file = path.to_owned();
    match error {
        redb::Error::Io(ref source) if source.kind() == io::ErrorKind::StorageFull => {
            StateError::DiskFull { file, source: Box::new(error) }
        }
        // The database reads nothing but its own file: what it cannot make sense of is damaged.
        redb::Error::Io(ref source)
            if matches!(
                source.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            StateError::Corrupted { file, source: Some(Box::new(error)) }
        }
        redb::Error::Io(source) => StateError::File { file, source },
        redb::Error::Corrupted(_) => StateError::Corrupted { file, source: Some(Box::new(error)) },
        error => StateError::Database { file, source: Box::new(error) },
    }
}
