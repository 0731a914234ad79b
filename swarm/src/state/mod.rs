//! The state directory of a local cluster, as far as it concerns whoever starts and ends it.
//!
//! ```text
//! <dir>/wanted.json   what `up` asked for; the daemon reads it when it starts
//! <dir>/daemon.json   who the daemon is; the daemon writes it when it is ready
//! <dir>/control.sock  how to talk to it
//! <dir>/lock          flock()ed by the daemon for its life
//! <dir>/up.lock       flock()ed by an `up` or `down` while it changes something
//! <dir>/logs/         of the daemons, and beneath workers-artifacts/ of the workers
//! ```
//!
//! **Invariants.** A file is replaced whole or not at all. Nothing is written before it is known
//! that the directory is ours and of a format that this program understands.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, flock};
use rustix::io::Errno;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::process::Process;

mod error;
mod wanted;

pub use error::StateError;
pub use wanted::{FORMAT, PortUse, Wanted};

/// Space that must be free to start a cluster: the store, an archive and some logs.
const NEEDED_BYTES: u64 = 64 << 20;
/// Longest path that fits into the address of a Unix socket.
const SOCKET_PATH_BYTES: usize = 107;
/// Largest of our own small files that is read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// What the daemon says about itself when it is ready.
#[derive(Clone, Debug, Deserialize)]
pub struct DaemonFile {
    /// The daemon's process.
    #[serde(flatten)]
    pub process: Process,
    /// Where Nimbus serves Thrift.
    pub nimbus_port: u16,
}

/// A state directory; it need not exist.
#[derive(Clone, Debug)]
pub struct StateDir {
    root: PathBuf,
}

/// The right to change a state directory, kept until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct ChangeLock {
    _file: File,
}

impl StateDir {
    /// The directory of that path, made absolute so that daemons find it from anywhere.
    pub fn new(path: &Path) -> Self {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // Workers carry this path among their arguments, so links in it are followed now.
        Self { root: fs::canonicalize(&absolute).unwrap_or(absolute) }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.root.join("control.sock")
    }

    /// The folder of logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The log of the daemon's own start and end.
    pub fn daemon_log(&self) -> PathBuf {
        self.logs().join("daemon.log")
    }

    /// Whether there is anything of a cluster in it.
    pub fn is_in_use(&self) -> bool {
        ["wanted.json", "daemon.json", "lock"].iter().any(|name| self.root.join(name).exists())
    }

    /// Makes it ready to be written: there, ours, with space, of a path that works.
    ///
    /// # Errors
    /// Each of these that it is not.
    pub fn prepare(&mut self) -> Result<(), StateError> {
        let root = self.root.clone();
        let unusable = |source| StateError::Unusable { path: root.clone(), source };
        self.refuse_foreign()?;
        let make = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
        make(&self.root).map_err(unusable)?;
        self.root = fs::canonicalize(&self.root).map_err(unusable)?;
        if self.socket().as_os_str().len() > SOCKET_PATH_BYTES {
            return Err(StateError::PathTooLong { path: self.socket(), limit: SOCKET_PATH_BYTES });
        }
        rustix::fs::access(&self.root, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|errno| unusable(errno.into()))?;
        let space = rustix::fs::statvfs(&self.root).map_err(|errno| unusable(errno.into()))?;
        let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
        if free_bytes < NEEDED_BYTES {
            return Err(StateError::Full { path: root, free_bytes, needed_bytes: NEEDED_BYTES });
        }
        make(&self.logs()).map_err(unusable)
    }

    fn refuse_foreign(&self) -> Result<(), StateError> {
        if self.is_in_use() {
            return Ok(());
        }
        match fs::read_dir(&self.root) {
            Ok(entries) => {
                // An earlier `up` may have come no further than its lock and the folder of logs.
                let mut names = entries.flatten().map(|entry| entry.file_name());
                if names.any(|name| name != "up.lock" && name != "logs") {
                    return Err(StateError::Foreign { path: self.root.clone() });
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(StateError::Unusable { path: self.root.clone(), source }),
        }
    }

    /// Takes the right to change it; who has it already is named.
    ///
    /// # Errors
    /// Somebody else has it, or the directory cannot be written.
    pub fn lock_for_change(&self) -> Result<ChangeLock, StateError> {
        let path = self.root.join("up.lock");
        let unwritable = |source| StateError::Unwritable { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(unwritable)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let holder = fs::read_to_string(&path).ok();
                let pid = holder.and_then(|text| text.trim().parse().ok());
                return Err(StateError::Busy { path: self.root.clone(), pid });
            }
            Err(errno) => return Err(unwritable(errno.into())),
        }
        file.set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(unwritable)?;
        Ok(ChangeLock { _file: file })
    }

    /// Whether a daemon holds the directory, ready or not. Ask only under a [`ChangeLock`]: the
    /// question takes the daemon's lock for a moment.
    pub fn is_held(&self) -> bool {
        let Ok(file) = File::open(self.root.join("lock")) else { return false };
        matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(Errno::WOULDBLOCK))
    }

    /// What was last asked for, `None` if nothing ever was.
    ///
    /// # Errors
    /// A file that cannot be read, or is of a format that we do not know.
    pub fn wanted(&self) -> Result<Option<Wanted>, StateError> {
        let path = self.root.join("wanted.json");
        let Some(head) = read_json::<wanted::Head>(&path)? else { return Ok(None) };
        if head.format != FORMAT {
            let (path, found, version) = (self.root.clone(), head.format, head.version);
            return Err(StateError::OtherFormat { path, found, version });
        }
        read_json(&path)
    }

    /// Writes down what is asked for.
    ///
    /// # Errors
    /// What keeps it from being written; then the file is as it was.
    pub fn set_wanted(&self, wanted: &Wanted) -> Result<(), StateError> {
        let path = self.root.join("wanted.json");
        let mut text = serde_json::to_vec_pretty(wanted).expect("a struct of plain values");
        text.push(b'\n');
        replace(&path, &text).map_err(|source| StateError::Unwritable { path, source })
    }

    /// What the daemon wrote about itself, `None` if none ever was ready.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn daemon(&self) -> Result<Option<DaemonFile>, StateError> {
        read_json(&self.root.join("daemon.json"))
    }

    /// Removes everything in it, if it is a state directory.
    ///
    /// # Errors
    /// A directory that is not ours, and what cannot be removed.
    pub fn purge(&self) -> Result<(), StateError> {
        self.refuse_foreign()?;
        match fs::remove_dir_all(&self.root) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Unusable { path: self.root.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

/// Writes a file beside its place and moves it there, so that no reader sees half of it.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let written = file.write_all(text).and_then(|()| file.sync_all());
    let moved = written.and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        // What could not be written whole is of no use to anybody.
        let _ = fs::remove_file(&beside);
    }
    moved
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let unreadable = |source| StateError::Unreadable { path: path.to_owned(), source };
    let mut text = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(unreadable)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| unreadable(error.into()))
}

/// The last lines of a log, at most so many; none when it cannot be read.
pub fn last_lines(path: &Path, lines: usize) -> Vec<String> {
    /// Far more than a few lines take.
    const TAIL_BYTES: u64 = 64 << 10;
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut text = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut text)?;
        Ok(text)
    };
    let text = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> (tempfile::TempDir, StateDir) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut state = StateDir::new(&folder.path().join("state"));
        state.prepare().expect("it can be made");
        (folder, state)
    }

    fn wanted(supervisors: u16) -> Wanted {
        Wanted { supervisors, ..Wanted::default() }
    }

    #[test]
    fn what_is_wanted_is_read_as_it_was_written() {
        let (_folder, state) = fresh();
        assert_eq!(state.wanted().unwrap(), None);
        state.set_wanted(&wanted(3)).unwrap();
        assert_eq!(state.wanted().unwrap(), Some(wanted(3)));
        assert!(state.is_in_use());
        let entries = fs::read_dir(state.path()).unwrap().flatten();
        let names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
        assert!(names.iter().all(|name| name == "wanted.json" || name == "logs"), "{names:?}");
    }

    #[test]
    fn a_directory_of_a_format_that_is_not_ours_is_left_alone() {
        let (_folder, state) = fresh();
        let other = r#"{"format": 9, "version": "7.0.0"}"#;
        fs::write(state.path().join("wanted.json"), other).unwrap();
        let told = state.wanted().expect_err("refused").to_string();
        assert!(told.contains("format 9") && told.contains("7.0.0"), "{told}");
    }

    #[test]
    fn a_directory_with_something_else_in_it_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "chapter 1").unwrap();
        let mut state = StateDir::new(folder.path());
        assert!(matches!(state.prepare(), Err(StateError::Foreign { .. })));
        assert!(matches!(state.purge(), Err(StateError::Foreign { .. })));
        assert!(folder.path().join("thesis.tex").exists());
    }

    #[test]
    fn two_changes_at_once_are_refused_and_the_first_is_named() {
        let (_folder, state) = fresh();
        let first = state.lock_for_change().unwrap();
        let Err(StateError::Busy { pid, .. }) = state.lock_for_change() else { panic!("refused") };
        assert_eq!(pid, Some(std::process::id()));
        drop(first);
        let _second = state.lock_for_change().expect("free again");
    }

    #[test]
    fn a_directory_is_held_while_a_daemon_has_its_lock() {
        let (_folder, state) = fresh();
        assert!(!state.is_held());
        let lock = File::create(state.path().join("lock")).unwrap();
        assert!(!state.is_held());
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert!(state.is_held());
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = StateDir::new(&folder.path().join("d".repeat(120)));
        assert!(matches!(state.prepare(), Err(StateError::PathTooLong { limit: 107, .. })));
    }

    #[test]
    fn a_file_where_the_directory_should_be_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(StateDir::new(&path).prepare(), Err(StateError::Unusable { .. })));
    }

    #[test]
    fn purging_removes_a_state_directory_and_nothing_is_fine_too() {
        let (folder, state) = fresh();
        state.set_wanted(&wanted(1)).unwrap();
        state.purge().unwrap();
        assert!(!state.path().exists() && folder.path().exists());
        state.purge().unwrap();
    }

    #[test]
    fn the_end_of_a_log_is_told_line_by_line() {
        let (_folder, state) = fresh();
        fs::write(state.daemon_log(), "a\nb\nc\n").unwrap();
        assert_eq!(last_lines(&state.daemon_log(), 2), ["b", "c"]);
        assert_eq!(last_lines(&state.path().join("none"), 2), [""; 0]);
    }
}
