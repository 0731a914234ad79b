//! Brings a topology's files to this machine and takes them away again.
//!
//! ```text
//!   supervisor/tmp/<id>/   stormcode.ser stormconf.ser stormjar.jar, each with .version
//!                          resources/ unpacked, its binary checked
//!                          blobs that it names
//!          │ rename
//!   supervisor/stormdist/<id>/   its conf and its blobs renewed when Nimbus has others
//! ```
//!
//! **Invariants.** A topology's folder is there in whole or not at all, whenever this process is
//! killed. Files that a start of the machine before may have left half written are not trusted.
//!
//! **Runs on** threads that may block.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nimbus_client::TopologyId;
use nimbus_client::client::{ClientError, NimbusClient, NimbusMethods};
use nimbus_client::wire::gunzip;
use serde_json::{Map, Value};

use super::blobs;
use super::layout::{CODE, CONF, JAR, Layout, RESOURCES};
use super::settings::NimbusAccess;
use crate::archive::{
    ArchiveError, Binary, BinaryError, Caps, RuntimeManifest, library_folders, unpack_resources,
};
use crate::process::boot_id;

/// Name of the file that tells during which run of the machine a topology was brought here.
const BOOT: &str = ".boot";
/// Largest conf of a topology, unpacked.
const CONF_LIMIT_BYTES: usize = 16 << 20;

/// Why a topology is not here.
#[derive(Debug, thiserror::Error)]
pub enum LocalizeError {
    /// Nimbus cannot be asked, or does not give a file.
    #[error("cannot download {key}: {source}")]
    Download {
        /// The blob.
        key: String,
        /// What went wrong.
        source: ClientError,
    },
    /// A file cannot be written here.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Its binary cannot run here.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// A blob is to be found where it cannot be.
    #[error(
        "topology.blobstore.map wants the blob {key} to be found as {name:?}, which is no name of a \
         file or is taken; set another localname"
    )]
    BlobName {
        /// The blob.
        key: String,
        /// Its name.
        name: String,
    },
    /// A blob cannot be unpacked.
    #[error("cannot uncompress the blob {key}: {source}; blobs are unpacked that are zip files")]
    BlobArchive {
        /// The blob.
        key: String,
        /// What is wrong with it.
        source: ArchiveError,
    },
    /// Its conf cannot be read.
    #[error("the conf of the topology cannot be read: {0}")]
    Conf(serde_json::Error),
}

impl LocalizeError {
    /// Whether trying again can help: not if the archive or its binary is at fault.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Download { .. } | Self::Write { .. })
    }
}

/// What a worker is launched from.
#[derive(Clone, Debug)]
pub(super) struct Localized {
    /// The topology's folder.
    pub folder: PathBuf,
    /// Its conf.
    pub conf: Map<String, Value>,
    /// Its binary, if it has one.
    pub binary: Option<PathBuf>,
    /// Names of its blobs, which lead to them in its folder.
    pub blobs: Vec<String>,
    /// Whether something is another version than before that workers only see when they are started.
    pub changed: bool,
}

/// Brings topologies here; clones share nothing but the disk.
#[derive(Clone, Debug)]
pub(super) struct Localizer {
    layout: Layout,
    nimbus: NimbusAccess,
    caps: Caps,
}

impl Localizer {
    pub fn new(layout: Layout, nimbus: NimbusAccess) -> Self {
        Self { layout, nimbus, caps: Caps::default() }
    }

    /// The topology's files: downloaded unless they are here, else renewed as far as Nimbus has
    /// others and can be asked. What is `known` of them is not looked at again. Two callers must not
    /// bring the same topology at once.
    pub fn localize(
        &self,
        id: &TopologyId,
        known: Option<Localized>,
    ) -> Result<Localized, LocalizeError> {
        let folder = self.layout.topology(id);
        let mut nimbus = self.nimbus.client();
        let mut changed = false;
        if !folder.exists() {
            self.download(id, &folder)?;
        } else {
            changed |= renew_conf(id, &folder, &mut nimbus);
        }
        let conf = read_conf(&folder.join(CONF))?;
        let mut blobs = Vec::new();
        for blob in blobs::named_in(&conf)? {
            let is_other = blob.bring(&folder, &mut nimbus, self.caps)?;
            changed |= is_other && blob.restarts;
            blobs.push(blob.name);
        }
        let binary = match known {
            Some(known) => known.binary,
            None => checked_binary(&folder.join(RESOURCES))?,
        };
        Ok(Localized { folder, conf, binary, blobs, changed })
    }

    fn download(&self, id: &TopologyId, folder: &Path) -> Result<(), LocalizeError> {
        tracing::info!(topology = %id, "localizing");
        let staged = self.layout.downloads().join(id.to_string());
        let _ = fs::remove_dir_all(&staged);
        fs::create_dir_all(&staged).map_err(writing(&staged))?;
        let mut nimbus = self.nimbus.client();
        for name in [CODE, CONF, JAR] {
            let key = format!("{id}-{name}");
            let path = staged.join(name);
            let mut file = fs::File::create(&path).map_err(writing(&path))?;
            let version = match nimbus.read_blob(&key, &mut file, &mut |_| ()) {
                Ok(version) => version,
                // Topologies without a binary may have no archive.
                Err(ClientError::KeyNotFound { .. }) if name == JAR => {
                    let _ = fs::remove_file(&path);
                    continue;
                }
                Err(source) => return Err(LocalizeError::Download { key, source }),
            };
            let mark = staged.join(format!("{name}.version"));
            fs::write(&mark, version.to_string()).map_err(writing(&mark))?;
        }
        let (jar, resources) = (staged.join(JAR), staged.join(RESOURCES));
        if fs::metadata(&jar).is_ok_and(|jar| jar.len() > 0) {
            unpack_resources(&jar, &resources, self.caps)?;
        } else {
            fs::create_dir_all(&resources).map_err(writing(&resources))?;
        }
        let boot = staged.join(BOOT);
        fs::write(&boot, boot_id().unwrap_or_default()).map_err(writing(&boot))?;
        let all = self.layout.all_topologies();
        fs::create_dir_all(&all).map_err(writing(&all))?;
        fs::rename(&staged, folder).map_err(writing(folder))?;
        tracing::info!(topology = %id, "localized");
        Ok(())
    }

    /// Removes what is of no use: topologies that `is_used` denies, what was left half downloaded,
    /// and what an earlier run of the machine may have left half written.
    pub fn clean(&self, is_used: impl Fn(&str) -> bool) {
        let now = boot_id().unwrap_or_default();
        for folder in entries(&self.layout.all_topologies()) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_of_now = fs::read_to_string(folder.join(BOOT)).is_ok_and(|boot| boot == now);
            if !is_of_now || !is_used(&name) {
                self.remove_folder(&folder);
            }
        }
        let _ = fs::remove_dir_all(self.layout.downloads());
    }

    /// Removes a topology's files.
    pub fn remove(&self, id: &TopologyId) {
        self.remove_folder(&self.layout.topology(id));
    }

    /// Renamed first, so that nobody finds half of it.
    fn remove_folder(&self, folder: &Path) {
        let name = folder.file_name().unwrap_or_default();
        let gone = self.layout.downloads().join(name).with_extension("gone");
        let moved = fs::create_dir_all(self.layout.downloads())
            .and_then(|()| match fs::remove_dir_all(&gone) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => fs::rename(folder, &gone),
            })
            .and_then(|()| fs::remove_dir_all(&gone));
        if let Err(error) = moved
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", folder.display());
        }
    }
}

/// Folders and files in a folder; none if it is not there.
pub(super) fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The binary of a topology that brings one, if it can run here.
fn checked_binary(resources: &Path) -> Result<Option<PathBuf>, LocalizeError> {
    let manifest = RuntimeManifest::read(resources)?;
    let binary = manifest.map(|manifest| resources.join(manifest.binary));
    if let Some(binary) = &binary {
        Binary::read(binary)?.check(&library_folders(resources))?;
    }
    Ok(binary)
}

/// Replaces the conf if Nimbus has another version, as after a rebalance; true if it did.
fn renew_conf(id: &TopologyId, folder: &Path, nimbus: &mut NimbusClient) -> bool {
    let key = format!("{id}-{CONF}");
    let mark = folder.join(format!("{CONF}.version"));
    let here = fs::read_to_string(&mark).ok().and_then(|text| text.parse::<i64>().ok());
    let mut renew = || -> Result<bool, LocalizeError> {
        let missing = |source| LocalizeError::Download { key: key.clone(), source };
        let meta = nimbus.call(|nimbus| nimbus.get_blob_meta(key.clone())).map_err(missing)?;
        if here == Some(meta.version) {
            return Ok(false);
        }
        let staged = folder.join(format!("{CONF}.partial"));
        let mut file = fs::File::create(&staged).map_err(writing(&staged))?;
        let version = nimbus.read_blob(&key, &mut file, &mut |_| ()).map_err(missing)?;
        let conf = folder.join(CONF);
        fs::rename(&staged, &conf).map_err(writing(&conf))?;
        fs::write(&mark, version.to_string()).map_err(writing(&mark))?;
        Ok(true)
    };
    renew().unwrap_or_else(|error| {
        tracing::debug!(topology = %id, "the conf stays as it is: {error}");
        false
    })
}

fn read_conf(path: &Path) -> Result<Map<String, Value>, LocalizeError> {
    let bytes = fs::read(path).map_err(writing(path))?;
    let text = gunzip(&bytes, CONF_LIMIT_BYTES).unwrap_or(bytes);
    serde_json::from_slice(&text).map_err(LocalizeError::Conf)
}

pub(super) fn writing(path: &Path) -> impl FnOnce(io::Error) -> LocalizeError {
    let path = path.to_owned();
    move |source| LocalizeError::Write { path, source }
}
