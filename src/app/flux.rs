//! Reads a topology in YAML as the command line asks for it.

use std::collections::BTreeMap;

use super::args::FluxArgs;
use crate::flux::{Filter, Flux, FluxErrors, FluxOptions};

/// Reads the file, its includes, and what is put into them.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn read(args: &FluxArgs) -> Result<Flux, FluxErrors> {
    let mut filter = Filter::default();
    if let Some(file) = &args.filter {
        filter.read(file)?;
    }
    filter.properties.extend(args.set.iter().cloned());
    filter.environment = args.env_filter.then(environment);
    let options =
        FluxOptions { filter, resources: args.resources.clone(), is_resource: args.is_resource };
    Flux::read(&args.file, &options)
}

/// The environment, as far as it is text.
fn environment() -> BTreeMap<String, String> {
    let text = |text: std::ffi::OsString| text.into_string().ok();
    std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}
