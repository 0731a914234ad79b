//! `stormd nimbus`: Nimbus alone in the foreground.

use std::io::Read;
use std::sync::Arc;

use nimbus_client::conf::{Layered, keys};
use storm_runtime::cluster::EmbeddedStore;
use storm_runtime::logs::{self, Bounds, RotatingFile};
use storm_runtime::nimbus::Nimbus;
use storm_runtime::signals;

use crate::args::DaemonArgs;
use crate::error::Error;

/// Folder of the embedded state below `storm.local.dir`.
const STATE: &str = "state";

pub fn run(args: &DaemonArgs) -> Result<(), Error> {
    let mut signals = signals::listen().map_err(|source| Error::Signals { source })?;
    let mut conf = Layered::new();
    if let Some(file) = &args.config {
        conf.read_file(file)?;
    }
    for assignment in &args.conf {
        conf.assign(assignment)?;
    }
    match &args.log_dir {
        Some(folder) => {
            logs::start(RotatingFile::with_stdio(folder.join("nimbus.log"), Bounds::default())?)?
        }
        None => logs::start(std::io::stderr)?,
    };
    for (place, warning) in conf.warnings() {
        tracing::warn!("{place}: {warning}");
    }
    let local_dir = conf.reader().text(&keys::STORM_LOCAL_DIR);
    let store = EmbeddedStore::open(&std::path::Path::new(&local_dir).join(STATE))?;
    let nimbus = Nimbus::start(conf.to_map(), Arc::new(store))?;
    // The socket is never closed, so that this ends with a signal only.
    let _ = signals.read(&mut [0]);
    nimbus.stop();
    Ok(())
}
