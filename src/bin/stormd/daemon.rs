//! What daemons that run alone have in common: their conf, their folder, their log and the shared
//! state.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nimbus_client::conf::{Layered, keys};
use rustix::fs::{FlockOperation, flock};
use storm_runtime::cluster::{EmbeddedStore, StateBackend};
use storm_runtime::logs::{self, Bounds, RotatingFile};

use crate::args::DaemonArgs;
use crate::error::Error;

/// Folder of the embedded state below `storm.local.dir`.
const STATE: &str = "state";

/// The conf of a daemon: what it is told on the command line, over its file.
pub fn conf(args: &DaemonArgs) -> Result<Layered, Error> {
    let mut conf = Layered::new();
    if let Some(file) = &args.config {
        conf.read_file(file)?;
    }
    for assignment in &args.conf {
        conf.assign(assignment)?;
    }
    Ok(conf)
}

/// Logs to a file `<name>.log`, or to standard error, and tells there what the conf warns of.
pub fn start_log(args: &DaemonArgs, name: &str, conf: &Layered) -> Result<(), Error> {
    match &args.log_dir {
        Some(folder) => {
            let file = folder.join(format!("{name}.log"));
            logs::start(RotatingFile::with_stdio(file, Bounds::default())?)?
        }
        None => logs::start(io::stderr)?,
    };
    for (place, warning) in conf.warnings() {
        tracing::warn!("{place}: {warning}");
    }
    Ok(())
}

/// `storm.local.dir`.
pub fn local_dir(conf: &Layered) -> PathBuf {
    conf.reader().text(&keys::STORM_LOCAL_DIR).into()
}

/// Takes `storm.local.dir` for this process, as long as the answer lives.
pub fn lock_local_dir(conf: &Layered, name: &'static str) -> Result<File, Error> {
    let folder = local_dir(conf);
    let locked = lock(&folder, &format!("{name}.lock"))?;
    locked.ok_or(Error::InUse { daemon: name, folder })
}

/// A ZooKeeper ensemble if the conf names its servers, else the embedded state, which is this
/// process' own.
pub fn state(conf: &Layered) -> Result<Arc<dyn StateBackend>, Error> {
    match shared_state(conf) {
        Err(Error::NoSharedState) => {
            Ok(Arc::new(EmbeddedStore::open(&local_dir(conf).join(STATE))?))
        }
        state => state,
    }
}

/// The ZooKeeper ensemble that the conf names.
#[cfg(feature = "zookeeper")]
pub fn shared_state(conf: &Layered) -> Result<Arc<dyn StateBackend>, Error> {
    let mut reader = conf.reader();
    if !reader.is_set(&keys::ZOOKEEPER_SERVERS) {
        return Err(Error::NoSharedState);
    }
    let hosts = reader.texts_if_set(&keys::ZOOKEEPER_SERVERS).unwrap_or_default();
    let port = reader.port(&keys::ZOOKEEPER_PORT);
    let servers: Vec<String> = hosts.iter().map(|host| server(host, port)).collect();
    let session_timeout = reader.span(&keys::ZOOKEEPER_SESSION_TIMEOUT);
    Ok(Arc::new(storm_runtime::cluster::ZooKeeperStore::new(&servers.join(","), session_timeout)?))
}

/// None: this program was built without a client for it.
#[cfg(not(feature = "zookeeper"))]
pub fn shared_state(conf: &Layered) -> Result<Arc<dyn StateBackend>, Error> {
    match conf.reader().is_set(&keys::ZOOKEEPER_SERVERS) {
        true => Err(Error::NoZooKeeper),
        false => Err(Error::NoSharedState),
    }
}

/// A server's address; in Storm all have the same port.
#[cfg(feature = "zookeeper")]
fn server(host: &str, port: u16) -> String {
    match host.contains(':') && !host.starts_with('[') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// Takes a folder for this process alone, as long as the answer lives; the folder is made if it is
/// not there. `None` if another process has it.
pub fn lock(folder: &Path, name: &str) -> Result<Option<File>, Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder).map_err(using(folder))?;
    let path = folder.join(name);
    let mut options = OpenOptions::new();
    let lock = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
    let lock = lock.map_err(using(&path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(using(&path)(error.into())),
    }
}

/// What failed with a file or folder.
pub fn using(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path: path.clone(), source }
}
