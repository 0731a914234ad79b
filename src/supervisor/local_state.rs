//! What a supervisor remembers of itself, in the format of Storm's `LocalState`.
//!
//! One file `<milliseconds>` per version, beside it an empty `<milliseconds>.version` that says the
//! version is whole. The newest whole version counts; a few older ones are kept.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nimbus_client::thrift::{
    LSSupervisorAssignments, LSSupervisorId, LocalAssignment, LocalStateData,
    ThriftSerializedObject,
};
use nimbus_client::wire::{Limits, TSerializable, WireError, from_bytes, to_bytes};

use crate::clock::unix_time_ms;

const SUPERVISOR_ID: &str = "supervisor-id";
const ASSIGNMENTS: &str = "local-assignments";

/// Package of the class names that a stock supervisor looks for.
const PACKAGE: &str = "org.apache.storm.generated";
const MARK: &str = "version";
/// Versions that are kept.
const KEPT: usize = 4;
/// A machine with thousands of slots needs less.
const LIMIT_BYTES: usize = 16 << 20;

/// Why nothing could be remembered.
#[derive(Debug, thiserror::Error)]
pub enum LocalStateError {
    /// A file cannot be read or written.
    #[error("cannot use {path}, where the supervisor keeps its state: {source}; make it writable, or set storm.local.dir", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A value cannot be written.
    #[error("the supervisor's state cannot be encoded: {0}")]
    Encode(#[from] WireError),
}

/// The supervisor's memory; one owner.
#[derive(Debug)]
pub(super) struct LocalState {
    folder: PathBuf,
    data: LocalStateData,
    last_version: u64,
}

impl LocalState {
    /// Reads the newest whole version; broken ones are passed over.
    pub fn open(folder: &Path) -> Result<Self, LocalStateError> {
        fs::create_dir_all(folder).map_err(failed(folder))?;
        let versions = versions(folder).map_err(failed(folder))?;
        let limits = Limits::default().with_frame_bytes(LIMIT_BYTES);
        let read = |version: &u64| {
            let bytes = fs::read(folder.join(version.to_string())).ok()?;
            from_bytes::<LocalStateData>(&bytes, &limits).ok()
        };
        let data = versions.iter().rev().find_map(read);
        Ok(Self {
            folder: folder.to_owned(),
            data: data.unwrap_or_else(|| LocalStateData::new(BTreeMap::new())),
            last_version: versions.last().copied().unwrap_or(0),
        })
    }

    pub fn supervisor_id(&self) -> Option<String> {
        self.get::<LSSupervisorId>(SUPERVISOR_ID).map(|id| id.supervisor_id)
    }

    pub fn set_supervisor_id(&mut self, id: &str) -> Result<(), LocalStateError> {
        self.put(SUPERVISOR_ID, "LSSupervisorId", &LSSupervisorId::new(id.to_owned()))
    }

    /// Slots and what was to run in them.
    #[cfg(test)]
    pub fn assignments(&self) -> BTreeMap<i32, LocalAssignment> {
        self.get::<LSSupervisorAssignments>(ASSIGNMENTS)
            .map(|all| all.assignments)
            .unwrap_or_default()
    }

    pub fn set_assignments(
        &mut self,
        assignments: BTreeMap<i32, LocalAssignment>,
    ) -> Result<(), LocalStateError> {
        let value = LSSupervisorAssignments::new(assignments);
        self.put(ASSIGNMENTS, "LSSupervisorAssignments", &value)
    }

    fn get<T: TSerializable>(&self, key: &str) -> Option<T> {
        let part = self.data.serialized_parts.get(key)?;
        from_bytes(&part.bits, &Limits::default().with_frame_bytes(LIMIT_BYTES)).ok()
    }

    fn put<T: TSerializable>(
        &mut self,
        key: &str,
        class: &str,
        value: &T,
    ) -> Result<(), LocalStateError> {
        let part = ThriftSerializedObject::new(format!("{PACKAGE}.{class}"), to_bytes(value)?);
        if self.data.serialized_parts.get(key) == Some(&part) {
            return Ok(());
        }
        self.data.serialized_parts.insert(key.to_owned(), part);
        let version = unix_time_ms().max(self.last_version + 1);
        let path = self.folder.join(version.to_string());
        let bytes = to_bytes(&self.data)?;
        // A version without its mark does not count, whatever was written of it.
        write_whole(&path, &bytes).map_err(failed(&path))?;
        let mark = self.folder.join(format!("{version}.{MARK}"));
        write_whole(&mark, b"").map_err(failed(&mark))?;
        self.last_version = version;
        self.forget_old();
        Ok(())
    }

    fn forget_old(&self) {
        let versions = versions(&self.folder).unwrap_or_default();
        for version in versions.iter().rev().skip(KEPT) {
            // The mark first, so that a version is never whole and missing.
            let _ = fs::remove_file(self.folder.join(format!("{version}.{MARK}")));
            let _ = fs::remove_file(self.folder.join(version.to_string()));
        }
    }
}

/// Whole versions, oldest first.
fn versions(folder: &Path) -> io::Result<Vec<u64>> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".version"));
        versions.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    versions.sort_unstable();
    Ok(versions)
}

/// Writes a file that is there in whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use io::Write;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let mut file = fs::File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&partial, path)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> LocalStateError {
    let path = path.to_owned();
    move |source| LocalStateError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_remembered_is_there_again_and_old_versions_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut state = LocalState::open(folder.path()).expect("it opens");
        assert_eq!(state.supervisor_id(), None);
        state.set_supervisor_id("a-host").expect("it is written");
        for port in 6700..6710 {
            let local = LocalAssignment::new("wc-1-2".to_owned(), vec![], None, None, None);
            state.set_assignments([(port, local)].into()).expect("it is written");
        }
        let state = LocalState::open(folder.path()).expect("it opens");
        assert_eq!(state.supervisor_id().as_deref(), Some("a-host"));
        assert_eq!(state.assignments().keys().copied().collect::<Vec<_>>(), [6709]);
        assert_eq!(versions(folder.path()).expect("listed").len(), KEPT);
    }

    #[test]
    fn a_version_that_is_broken_or_has_no_mark_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut state = LocalState::open(folder.path()).expect("it opens");
        state.set_supervisor_id("a-host").expect("it is written");
        let far = state.last_version + 1_000_000;
        fs::write(folder.path().join(far.to_string()), b"half").expect("written");
        fs::write(folder.path().join(format!("{}", far + 1)), b"").expect("written");
        fs::write(folder.path().join(format!("{far}.version")), b"").expect("written");
        let mut state = LocalState::open(folder.path()).expect("it opens");
        assert_eq!(state.supervisor_id().as_deref(), Some("a-host"));
        state.set_supervisor_id("b-host").expect("it is written");
        let state = LocalState::open(folder.path()).expect("it opens");
        assert_eq!(state.supervisor_id().as_deref(), Some("b-host"));
    }
}
