//! The file that tells which of the resources is the topology's binary.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ArchiveError;

/// Name of the manifest below `resources/`.
pub const MANIFEST: &str = "storm-runtime.json";

/// The only format there is.
const FORMAT: u32 = 1;

/// What an archive says of its binary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeManifest {
    /// Version of this description, 1.
    pub format: u32,
    /// Name of the executable below `resources/`.
    pub binary: String,
    /// Machine, system and C library that the binary was built for, as `x86_64-linux-gnu`.
    #[serde(default)]
    pub target: String,
    /// Version of the runtime that is linked into it.
    #[serde(default)]
    pub runtime: String,
}

impl RuntimeManifest {
    /// The manifest among unpacked resources; `None` if the topology has no binary.
    ///
    /// # Errors
    /// [`ArchiveError`]: it cannot be read or understood, or names a file elsewhere.
    pub fn read(resources: &Path) -> Result<Option<Self>, ArchiveError> {
        let path = resources.join(MANIFEST);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ArchiveError::Write { path, source }),
        };
        Self::parse(&text).map(Some)
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, ArchiveError> {
        let manifest: Self =
            serde_json::from_slice(text).map_err(|source| ArchiveError::Manifest { source })?;
        if manifest.format != FORMAT {
            return Err(ArchiveError::Format { found: manifest.format, known: FORMAT });
        }
        super::unpack::check_path(&manifest.binary)?;
        Ok(manifest)
    }
}
