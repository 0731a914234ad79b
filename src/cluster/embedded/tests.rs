//! The file: its modes, its lock, damages, a full disk. What every backend does is held elsewhere.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::sync::atomic::AtomicU64;

use redb::backends::FileBackend;
use redb::{BackendError, Database, DatabaseError, StorageBackend, TableDefinition};

use super::*;
use crate::cluster::CreateMode;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is a folder for temporary files")
}

fn session(store: &EmbeddedStore) -> Arc<dyn StateStorage> {
    store.connect().expect("a session opens")
}

/// A closed state file with some nodes.
fn filled(folder: &Path) -> PathBuf {
    let store = EmbeddedStore::open(folder).expect("the store opens");
    let session = session(&store);
    for i in 0..200 {
        let data = vec![i as u8; 300];
        session.create(&format!("/n{i}"), &data, CreateMode::Persistent).expect("a free name");
    }
    store.path().to_owned()
}

#[track_caller]
fn check_refused(folder: &Path, is_expected: fn(&StateError) -> bool, words: &[&str]) {
    let error = EmbeddedStore::open(folder).map(|_| ()).expect_err("it cannot be opened");
    let text = error.to_string();
    assert!(is_expected(&error), "{error:?}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[test]
fn folder_and_file_are_for_their_user_alone() {
    let folder = folder();
    let inner = folder.path().join("a/state");
    let store = EmbeddedStore::open(&inner).expect("folders are made");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    assert_eq!(mode(store.path()), 0o600);
    let path = store.path().to_owned();
    drop(store);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("it is ours");
    let _store = EmbeddedStore::open(&inner).expect("it opens again");
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_was_written_volatile_survives_an_end_in_good_order() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    session(&store).put("/a/b", b"1", Durability::Volatile).expect("it is written");
    drop(store);
    let store = EmbeddedStore::open(folder.path()).expect("it opens again");
    assert_eq!(session(&store).get("/a/b", None).expect("it is there").0, b"1");
}

#[test]
fn many_volatile_writes_are_made_durable_now_and_then() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    let session = session(&store);
    session.put("/a", b"", Durability::Durable).expect("it is written");
    for i in 0..VOLATILE_RUN * 2 {
        session.put("/a", &i.to_le_bytes(), Durability::Volatile).expect("it is written");
        assert!(store.0.lock_writer().volatile_run <= VOLATILE_RUN);
    }
    let length = fs::metadata(store.path()).expect("it is there").len();
    assert!(length < 8 << 20, "{length} bytes for one node");
}

#[test]
fn a_file_in_use_is_refused() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    let is_locked = |error: &StateError| matches!(error, StateError::Locked { .. });
    check_refused(folder.path(), is_locked, &[FILE_NAME, "in use by another process", "stop"]);
    drop(store);
    EmbeddedStore::open(folder.path()).expect("it is free again");
}

#[test]
fn a_session_keeps_the_file_open() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    let session = session(&store);
    drop(store);
    session.create("/a", b"", CreateMode::Persistent).expect("the session lives");
    check_refused(folder.path(), |error| matches!(error, StateError::Locked { .. }), &[]);
}

#[test]
fn a_file_that_is_none_of_ours_is_left_alone() {
    let is_foreign = |error: &StateError| matches!(error, StateError::Foreign { .. });
    let text = folder();
    fs::write(text.path().join(FILE_NAME), "a letter to somebody").expect("it is written");
    check_refused(text.path(), is_foreign, &[FILE_NAME, "not a state file", "move the file away"]);
    let kept = fs::read(text.path().join(FILE_NAME)).expect("it is there");
    assert_eq!(kept, b"a letter to somebody");

    let other = folder();
    let database = Database::create(other.path().join(FILE_NAME)).expect("it is made");
    let write = database.begin_write().expect("a write begins");
    let table = TableDefinition::<&str, &str>::new("nodes");
    write.open_table(table).expect("a table").insert("a", "b").expect("a row");
    write.commit().expect("it is written");
    drop(database);
    let is_refused = |error: &StateError| {
        matches!(error, StateError::Foreign { .. } | StateError::Database { .. })
    };
    check_refused(other.path(), is_refused, &[FILE_NAME]);
}

#[test]
fn a_folder_in_place_of_the_file_is_told() {
    let folder = folder();
    fs::create_dir(folder.path().join(FILE_NAME)).expect("it is made");
    let is_told = |error: &StateError| matches!(error, StateError::File { .. });
    check_refused(folder.path(), is_told, &[FILE_NAME, "check the disk and the permissions"]);
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let folder = folder();
    let path = filled(folder.path());
    let database = Database::open(&path).expect("it opens");
    let write = database.begin_write().expect("a write begins");
    let numbers = TableDefinition::<&str, u64>::new("numbers");
    write.open_table(numbers).expect("a table").insert("format", 9).expect("a row");
    write.commit().expect("it is written");
    drop(database);
    let is_told = |error: &StateError| matches!(error, StateError::Format { .. });
    check_refused(folder.path(), is_told, &["format 9", "reads format 1"]);
}

/// Each part of the file is damaged in turn; what opens all the same must read as it was written.
#[test]
fn a_damaged_file_is_refused_or_sound() {
    let origin = folder();
    let path = filled(origin.path());
    let length = fs::metadata(&path).expect("it is there").len();
    let mut refused = 0;
    for step in 0..40 {
        let damaged = folder();
        let copy = damaged.path().join(FILE_NAME);
        fs::copy(&path, &copy).expect("it is copied");
        let file = OpenOptions::new().write(true).open(&copy).expect("it opens");
        file.write_all_at(&[0xa5; 64], length * step / 40 + 4).expect("it is written");
        drop(file);
        match EmbeddedStore::open(damaged.path()) {
            Ok(store) => check_filled(&session(&store)),
            Err(StateError::Corrupted { .. }) => refused += 1,
            Err(other) => panic!("at {step} of 40: {other:?}"),
        }
    }
    assert!(refused > 0, "no damage was noticed");
}

fn check_filled(session: &Arc<dyn StateStorage>) {
    for i in 0..200 {
        let (data, _) = session.get(&format!("/n{i}"), None).expect("it is there");
        assert_eq!(data, vec![i as u8; 300]);
    }
}

#[test]
fn a_file_that_ends_too_early_is_damaged() {
    let folder = folder();
    let path = filled(folder.path());
    let file = OpenOptions::new().write(true).open(&path).expect("it opens");
    file.set_len(file.metadata().expect("it is there").len() / 2).expect("it is cut");
    let is_damaged = |error: &StateError| {
        matches!(error, StateError::Corrupted { .. } | StateError::File { .. })
    };
    check_refused(folder.path(), is_damaged, &[FILE_NAME]);
}

/// A disk with so much room left, in bytes.
#[derive(Debug)]
struct SmallDisk {
    file: FileBackend,
    room: Arc<AtomicU64>,
}

impl SmallDisk {
    fn take(&self, bytes: u64) -> io::Result<()> {
        self.room
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| room.checked_sub(bytes))
            .map(|_| ())
            .map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
    }
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take(data.len() as u64)?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[test]
fn a_full_disk_ends_all_sessions_and_the_next_one_works_again() {
    let folder = folder();
    let room = Arc::new(AtomicU64::new(u64::MAX));
    let left = Arc::clone(&room);
    let open = move |path: &Path| {
        let left = Arc::clone(&left);
        let backend =
            |file| Ok::<_, DatabaseError>(SmallDisk { file: FileBackend::new(file)?, room: left });
        StateFile::open_with(path, backend)
    };
    let store = EmbeddedStore::open_with(folder.path(), Box::new(open)).expect("it opens");
    let (first, second) = (session(&store), session(&store));
    let watcher = Watcher::new();
    second.watch_state(&watcher);
    first.create("/a", b"kept", CreateMode::Persistent).expect("there is room");
    first.create("/e", b"", CreateMode::Ephemeral).expect("there is room");

    room.store(10_000, Ordering::SeqCst);
    let error = (0..100)
        .find_map(|i| first.create(&format!("/{i}"), &[1; 4000], CreateMode::Persistent).err())
        .expect("the disk is full before long");
    assert!(matches!(error, StateError::DiskFull { .. }), "{error:?}");
    assert!(error.to_string().contains("make room"), "{error}");
    assert_eq!(watcher.take().session, Some(SessionState::Ended));
    assert_eq!((first.state(), second.state()), (SessionState::Ended, SessionState::Ended));
    assert!(matches!(second.get("/a", None), Err(StateError::SessionExpired)));
    assert!(store.connect().is_err(), "there is still no room");

    room.store(u64::MAX, Ordering::SeqCst);
    let third = session(&store);
    assert_eq!(third.get("/a", None).expect("it is there").0, b"kept");
    assert_eq!(third.exists("/e", None).expect("a look"), None);
    third.create("/b", b"", CreateMode::Persistent).expect("there is room again");
}

#[test]
fn a_reader_does_not_wait_for_a_writer() {
    let folder = folder();
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    let session = session(&store);
    session.create("/a", b"1", CreateMode::Persistent).expect("a free name");
    let _writing = store.0.lock_writer();
    assert_eq!(session.get("/a", None).expect("it is there").0, b"1");
    assert_eq!(session.children("/", None).expect("it is there"), ["a"]);
}
