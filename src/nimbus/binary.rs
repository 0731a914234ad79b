//! Whether the binary of a submitted archive runs on machines like this one.
//!
//! Supervisors look again, each on its own machine, and report what they find as an error of the
//! topology. Looking here tells the submitter at once, in the common case that all machines are
//! alike. An archive without a binary of ours, or one that cannot be read, is left to them.

use std::fs;
use std::path::Path;

use super::error::NimbusError;
use crate::archive::{Binary, Caps, RuntimeManifest, library_folders, unpack_resources};

/// Unpacks an archive beside itself for as long as it takes to look at its binary.
///
/// # Errors
/// What keeps the binary from running, as Storm's `InvalidTopologyException`.
pub fn check(archive: &Path) -> Result<(), NimbusError> {
    let resources = archive.with_extension("looked-at");
    let checked = match unpack_resources(archive, &resources, Caps::default()) {
        Ok(()) => check_unpacked(&resources),
        Err(_) => Ok(()),
    };
    // What is left is removed with the inbox's old files.
    let _ = fs::remove_dir_all(&resources);
    checked
}

fn check_unpacked(resources: &Path) -> Result<(), NimbusError> {
    let Ok(Some(manifest)) = RuntimeManifest::read(resources) else { return Ok(()) };
    let binary = Binary::read(&resources.join(manifest.binary));
    let checked = binary.and_then(|binary| binary.check(&library_folders(resources)));
    checked.map_err(|error| NimbusError::invalid(error.to_string()))
}
