//! Blobs that workers find under names of their topology's choice: `topology.blobstore.map`.
//!
//! ```text
//!   supervisor/stormdist/<id>/blobs/<name>.<version>   the blob, or the folder that it unpacks to
//!   supervisor/stormdist/<id>/<name>                   link to it, replaced by renaming
//!   workers/<worker>/<name>                            link to that link
//! ```
//!
//! **Invariants.** Whoever opens a name finds one version in whole. The version before stays until
//! the next one comes, for those that have resolved the link and not opened the file yet.
//!
//! **Runs on** threads that may block.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nimbus_client::client::{ClientError, NimbusClient, NimbusMethods};
use serde_json::{Map, Value};

use super::layout::{CODE, CONF, JAR, RESOURCES};
use super::localizer::{LocalizeError, entries, writing};
use crate::archive::{Caps, unpack_all};

/// Folder of the blobs' versions in a topology's folder.
const BLOBS: &str = "blobs";
/// Names in a topology's or a worker's folder that no blob may take.
const TAKEN: [&str; 9] =
    [CODE, CONF, JAR, RESOURCES, BLOBS, "artifacts", "launch.json", "pids", "tmp"];

/// A blob that a topology's workers are to find.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Blob {
    pub key: String,
    /// Under which name.
    pub name: String,
    /// Whether they find what is packed in it.
    pub uncompress: bool,
    /// Whether another version starts them anew.
    pub restarts: bool,
}

/// The blobs that a topology's conf names.
///
/// # Errors
/// [`LocalizeError::BlobName`]: a name leads elsewhere, or is taken.
pub(super) fn named_in(conf: &Map<String, Value>) -> Result<Vec<Blob>, LocalizeError> {
    let mut blobs: Vec<Blob> = Vec::new();
    let map = conf.get("topology.blobstore.map").and_then(Value::as_object);
    for (key, settings) in map.into_iter().flatten() {
        let flag = |name: &str| match settings.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        };
        let name = settings.get("localname").and_then(Value::as_str).unwrap_or(key).to_owned();
        let is_free = !name.is_empty()
            && !name.starts_with('.')
            && !name.contains(['/', '\0'])
            && !TAKEN.contains(&&*name)
            && blobs.iter().all(|other| other.name != name);
        if !is_free {
            return Err(LocalizeError::BlobName { key: key.clone(), name });
        }
        let (uncompress, restarts) = (flag("uncompress"), flag("workerRestart"));
        blobs.push(Blob { key: key.clone(), name, uncompress, restarts });
    }
    Ok(blobs)
}

impl Blob {
    /// Brings the newest version into a topology's folder; answers whether there is another one now
    /// than before. A version that is here stays if Nimbus gives no other.
    ///
    /// # Errors
    /// No version is here.
    pub fn bring(
        &self,
        folder: &Path,
        nimbus: &mut NimbusClient,
        caps: Caps,
    ) -> Result<bool, LocalizeError> {
        let here = self.version_in(folder);
        let brought = self.bring_newest(folder, here, nimbus, caps);
        match brought {
            Err(error) if here.is_some() => {
                tracing::warn!(key = self.key, "a blob stays as it is: {error}");
                Ok(false)
            }
            brought => brought,
        }
    }

    fn bring_newest(
        &self,
        folder: &Path,
        here: Option<i64>,
        nimbus: &mut NimbusClient,
        caps: Caps,
    ) -> Result<bool, LocalizeError> {
        if here.is_some() {
            let meta = nimbus.call(|nimbus| nimbus.get_blob_meta(self.key.clone()));
            if here == Some(meta.map_err(|source| self.not_given(source))?.version) {
                return Ok(false);
            }
        }
        let blobs = folder.join(BLOBS);
        fs::create_dir_all(&blobs).map_err(writing(&blobs))?;
        let staged = blobs.join(format!("{}.partial", self.name));
        let mut file = fs::File::create(&staged).map_err(writing(&staged))?;
        let read = nimbus.read_blob(&self.key, &mut file, &mut |_| ());
        let version = read.map_err(|source| self.not_given(source))?;
        let target = blobs.join(format!("{}.{version}", self.name));
        if self.uncompress {
            let _ = fs::remove_dir_all(&target);
            unpack_all(&staged, &target, caps)
                .map_err(|source| LocalizeError::BlobArchive { key: self.key.clone(), source })?;
            let _ = fs::remove_file(&staged);
        } else {
            fs::rename(&staged, &target).map_err(writing(&target))?;
        }
        self.link(folder, version)?;
        self.remove_all_but(&blobs, [Some(version), here]);
        tracing::info!(key = self.key, version, "brought a blob");
        Ok(here.is_some())
    }

    /// Makes the name lead to a version.
    fn link(&self, folder: &Path, version: i64) -> Result<(), LocalizeError> {
        let (staged, link) = (folder.join(format!(".{}.link", self.name)), folder.join(&self.name));
        let target = Path::new(BLOBS).join(format!("{}.{version}", self.name));
        // Left over by a process that was killed here.
        let _ = fs::remove_file(&staged);
        let linked = symlink(target, &staged).and_then(|()| fs::rename(&staged, &link));
        linked.map_err(writing(&link))
    }

    /// The version to which the name leads; none if it leads to nothing.
    fn version_in(&self, folder: &Path) -> Option<i64> {
        let target = fs::read_link(folder.join(&self.name)).ok()?;
        folder.join(&target).exists().then_some(())?;
        self.version_of(&target)
    }

    fn version_of(&self, path: &Path) -> Option<i64> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(&self.name)?.strip_prefix('.')?.parse().ok()
    }

    fn remove_all_but(&self, blobs: &Path, kept: [Option<i64>; 2]) {
        for path in entries(blobs) {
            let version = self.version_of(&path);
            if version.is_some() && !kept.contains(&version) {
                remove(&path);
            }
        }
    }

    fn not_given(&self, source: ClientError) -> LocalizeError {
        LocalizeError::Download { key: self.key.clone(), source }
    }
}

fn remove(path: &PathBuf) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("cannot remove {}: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(map: &Value) -> Result<Vec<Blob>, LocalizeError> {
        let conf = json!({ "topology.blobstore.map": map });
        named_in(conf.as_object().expect("an object"))
    }

    #[test]
    fn a_blob_is_found_under_its_key_unless_it_has_a_name() {
        let map = json!({
            "a.txt": {}, "b": {"localname": "table", "uncompress": true, "workerRestart": "True"},
        });
        let blob = |key: &str, name: &str, flag| Blob {
            key: key.to_owned(),
            name: name.to_owned(),
            uncompress: flag,
            restarts: flag,
        };
        let blobs = named(&map).expect("they are named well");
        assert_eq!(blobs, [blob("a.txt", "a.txt", false), blob("b", "table", true)]);
        assert_eq!(named(&Value::Null).expect("there are none"), []);
    }

    #[test]
    fn a_name_that_leads_elsewhere_or_is_taken_is_refused() {
        for name in ["", "..", ".x", "a/b", "/etc", "resources", "artifacts", "stormconf.ser"] {
            let error = named(&json!({"key": {"localname": name}})).expect_err(name);
            assert!(!error.is_retriable());
            assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
        }
        let twice = json!({"a": {"localname": "x"}, "b": {"localname": "x"}});
        assert!(named(&twice).is_err());
    }

    #[test]
    fn a_name_leads_to_one_version_after_the_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = folder.path().join(BLOBS);
        fs::create_dir(&blobs).expect("made");
        let conf = json!({"a": {"localname": "x.y"}});
        let blob = named(&conf).expect("it is named well").remove(0);
        for version in 1..=3 {
            fs::write(blobs.join(format!("x.y.{version}")), version.to_string()).expect("written");
        }
        fs::write(blobs.join("x.4"), "another's").expect("written");
        assert_eq!(blob.version_in(folder.path()), None);
        for version in [2, 3] {
            blob.link(folder.path(), version).expect("linked");
            assert_eq!(blob.version_in(folder.path()), Some(version));
            let read = fs::read_to_string(folder.path().join("x.y")).expect("read");
            assert_eq!(read, version.to_string());
        }
        blob.remove_all_but(&blobs, [Some(3), Some(2)]);
        let mut left: Vec<PathBuf> = entries(&blobs).collect();
        left.sort();
        assert_eq!(left, ["x.4", "x.y.2", "x.y.3"].map(|name| blobs.join(name)));
    }
}
