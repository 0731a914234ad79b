//! Where a supervisor keeps what below `storm.local.dir`: Storm's own layout.
//!
//! ```text
//! supervisor/localstate/                  id, assignments, approved workers
//! supervisor/stormdist/<topology>/        stormjar.jar, stormcode.ser, stormconf.ser, each with its
//!                                         .version; resources/; blobs, by links
//! supervisor/tmp/                         what is being downloaded
//! workers/<worker>/                       the folder that a worker runs in: artifacts, resources,
//!                                         launch.json, pids/<pid>; blobs, by links
//! ```

use std::path::{Path, PathBuf};

use nimbus_client::TopologyId;

/// Name of the archive in a topology's folder.
pub(super) const JAR: &str = "stormjar.jar";
/// Name of the topology's structure.
pub(super) const CODE: &str = "stormcode.ser";
/// Name of the topology's conf.
pub(super) const CONF: &str = "stormconf.ser";
/// Name of the unpacked resources.
pub(super) const RESOURCES: &str = "resources";

/// The paths below one `storm.local.dir`, and the folder of logs.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    local_dir: PathBuf,
    log_dir: PathBuf,
}

impl Layout {
    pub fn new(local_dir: &Path, log_dir: &Path) -> Self {
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { local_dir: absolute(local_dir), log_dir: absolute(log_dir) }
    }

    pub fn local_dir(&self) -> &Path {
        &self.local_dir
    }

    pub fn local_state(&self) -> PathBuf {
        self.local_dir.join("supervisor/localstate")
    }

    pub fn all_topologies(&self) -> PathBuf {
        self.local_dir.join("supervisor/stormdist")
    }

    /// The id is of letters that a path may have, so that nothing needs to be encoded.
    pub fn topology(&self, id: &TopologyId) -> PathBuf {
        self.all_topologies().join(id.to_string())
    }

    pub fn downloads(&self) -> PathBuf {
        self.local_dir.join("supervisor/tmp")
    }

    pub fn workers(&self) -> PathBuf {
        self.local_dir.join("workers")
    }

    pub fn worker(&self, worker_id: &str) -> PathBuf {
        self.workers().join(worker_id)
    }

    pub fn artifacts(&self, id: &TopologyId, port: u16) -> PathBuf {
        self.log_dir.join("workers-artifacts").join(id.to_string()).join(port.to_string())
    }

    pub fn worker_log(&self, id: &TopologyId, port: u16) -> PathBuf {
        self.artifacts(id, port).join("worker.log")
    }
}
