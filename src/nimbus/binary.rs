//! Whether the binary of a submitted archive runs on machines like this one.
//!
//! Supervisors look again, each on its own machine, and report what they find as an error of the
//! topology. Looking here tells the submitter at once, in the common case that all machines are
//! alike. An archive without a binary of ours, or one that cannot be read, is left to them.

use std::fs;
use std::path::Path;

use super::error::NimbusError;
use crate::archive::{Binary, Caps, RuntimeManifest, library_folders, unpack_resources};

/// Unpacks an archive beside itself for as long as it takes to look at its binary; whether it has
/// one. An archive that cannot be read has none.
///
/// # Errors
/// What keeps the binary from running, as Storm's `InvalidTopologyException`.
pub fn check(archive: &Path) -> Result<bool, NimbusError> {
    let resources = archive.with_extension("looked-at");
    let checked = match unpack_resources(archive, &resources, Caps::default()) {
        Ok(()) => check_unpacked(&resources),
        Err(_) => Ok(false),
    };
    // What is left is removed with the inbox's old files.
    let _ = fs::remove_dir_all(&resources);
    checked
}

fn check_unpacked(resources: &Path) -> Result<bool, NimbusError> {
    // A manifest that cannot be understood is told by the supervisors, whose it is to understand.
    let Ok(manifest) = RuntimeManifest::read(resources) else { return Ok(true) };
    let Some(manifest) = manifest else { return Ok(false) };
    let binary = Binary::read(&resources.join(manifest.binary));
    let checked = binary.and_then(|binary| binary.check(&library_folders(resources)));
    checked.map(|()| true).map_err(|error| NimbusError::invalid(error.to_string()))
}
