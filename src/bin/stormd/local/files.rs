//! The files of a state folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storm_runtime::process::ProcessId;

use crate::daemon::{self, using};
use crate::error::Error;

/// What a cluster should be, as `stormdeploy up` writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Version of this description.
    pub format: u32,
    /// The program that wrote it.
    pub version: String,
    /// Address on which everything listens.
    pub host: String,
    /// Nimbus' Thrift port.
    pub nimbus_port: u16,
    /// The first supervisor's Thrift port; the next ones follow.
    pub supervisor_port: u16,
    /// The first supervisor's first slot; the next ones follow.
    pub slot_port: u16,
    /// Supervisors.
    pub supervisors: u16,
    /// Slots of each supervisor.
    pub slots: u16,
    /// Configuration above the defaults.
    pub conf: Map<String, Value>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            format: 1,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: "127.0.0.1".to_owned(),
            nimbus_port: 6627,
            supervisor_port: 6628,
            slot_port: 6700,
            supervisors: 1,
            slots: 4,
            conf: Map::new(),
        }
    }
}

/// A state folder that this process has to itself.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl StateFolder {
    /// Takes a folder, made if it is not there.
    pub fn lock(path: &Path) -> Result<Self, Error> {
        let lock = daemon::lock(path, "lock")?;
        // Workers carry the path among their arguments, so links in it are followed now.
        let path = fs::canonicalize(path).map_err(using(path))?;
        match lock {
            Some(lock) => Ok(Self { path, _lock: lock }),
            None => Err(Error::Locked { state: path }),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    pub fn socket(&self) -> PathBuf {
        self.path.join("control.sock")
    }

    /// What is wanted; the defaults if nobody said.
    pub fn wanted(&self) -> Result<Wanted, Error> {
        let path = self.path.join("wanted.json");
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|source| Error::Wanted { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Wanted::default()),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Keeps another number of supervisors for the next start. Whoever wrote the file may have put
    /// in more than is known here, which stays.
    pub fn remember(&self, wanted: &Wanted) {
        let path = self.path.join("wanted.json");
        let known = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let mut all: Map<String, Value> = known.unwrap_or_default();
        if let Ok(Value::Object(now)) = serde_json::to_value(wanted) {
            all.extend(now);
        }
        if let Err(error) = write_whole(&path, &Value::Object(all)) {
            tracing::error!("{} is not kept: {error}", path.display());
        }
    }

    /// Tells that the cluster serves, and who this process is.
    pub fn tell_ready(&self, wanted: &Wanted) -> Result<(), Error> {
        let own = ProcessId::own();
        let path = self.path.join("daemon.json");
        let told = json!({
            "pid": own.pid,
            "start_time": own.start_time,
            "version": env!("CARGO_PKG_VERSION"),
            "host": wanted.host,
            "nimbus_port": wanted.nimbus_port,
        });
        write_whole(&path, &told).map_err(using(&path))
    }

    /// Takes back that the cluster serves.
    pub fn tell_gone(&self) {
        for name in ["daemon.json", "control.sock"] {
            // Whoever finds it compares pid and start time anyway.
            let _ = fs::remove_file(self.path.join(name));
        }
    }
}

fn write_whole(path: &Path, value: &Value) -> io::Result<()> {
    let partial = path.with_extension("partial");
    let mut options = OpenOptions::new();
    let mut file = options.create(true).write(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(format!("{value:#}\n").as_bytes())?;
    file.sync_data()?;
    fs::rename(&partial, path)
}
