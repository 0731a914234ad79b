//! Topologies that were killed, remembered for `getTopologyHistory`.
//!
//! **Invariants.** At most [`REMEMBERED`] are kept, the oldest go first; the file is replaced as a
//! whole. A history that cannot be written is logged and lost, since nothing depends on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nimbus_client::thrift::{LSTopoHistory, LSTopoHistoryList};
use nimbus_client::wire::{Limits, state_from_bytes, state_to_bytes};

use super::topologies::Entry;

/// Topologies that are remembered.
const REMEMBERED: usize = 1000;
/// Name of the file in its folder.
const FILE: &str = "topologies";

/// Topologies of the past; the lock is held for a look-up or while the file is written.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    past: Mutex<Vec<LSTopoHistory>>,
}

impl History {
    /// Reads what a folder has, which is made.
    pub fn open(folder: PathBuf) -> Self {
        let past = read(&folder.join(FILE));
        Self { folder, past: Mutex::new(past) }
    }

    /// Remembers a topology that is gone.
    pub fn add(&self, entry: &Entry, now_secs: i64) {
        let mut past = self.lock();
        past.push(LSTopoHistory {
            topology_id: entry.id.to_string(),
            time_stamp: now_secs,
            users: entry.users().into_iter().map(str::to_owned).collect(),
            groups: Vec::new(),
        });
        let surplus = past.len().saturating_sub(REMEMBERED);
        past.drain(..surplus);
        if let Err(error) = write(&self.folder, &past) {
            let folder = self.folder.display();
            tracing::warn!("the history of topologies cannot be kept in {folder}: {error}");
        }
    }

    /// Ids of topologies of the past that a user may know of; everybody's if no user is named.
    pub fn of(&self, user: Option<&str>) -> Vec<String> {
        let may_know = |past: &LSTopoHistory| {
            user.is_none_or(|user| past.users.iter().any(|known| known == user))
        };
        let past = self.lock();
        past.iter().filter(|past| may_know(past)).map(|past| past.topology_id.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LSTopoHistory>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Vec<LSTopoHistory> {
    let Ok(bytes) = fs::read(file) else {
        return Vec::new();
    };
    let limits = Limits::default().with_frame_bytes(16 << 20);
    match state_from_bytes::<LSTopoHistoryList>(&bytes, &limits) {
        Ok(list) => list.topo_history,
        Err(error) => {
            tracing::warn!("{} cannot be read and is begun anew: {error}", file.display());
            Vec::new()
        }
    }
}

fn write(folder: &Path, past: &[LSTopoHistory]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let list = LSTopoHistoryList { topo_history: past.to_vec() };
    let bytes = state_to_bytes(&list).map_err(std::io::Error::other)?;
    let new = folder.join(format!("{FILE}.new"));
    fs::write(&new, bytes)?;
    fs::rename(new, folder.join(FILE))
}
