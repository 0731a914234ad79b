//! `stormd nimbus`: Nimbus alone in the foreground.

use std::io::Read;

use storm_runtime::nimbus::Nimbus;
use storm_runtime::signals;

use crate::args::DaemonArgs;
use crate::daemon;
use crate::error::Error;

/// Name of the log, and of the file in `storm.local.dir` that keeps others out.
const NAME: &str = "nimbus";

pub fn run(args: &DaemonArgs) -> Result<(), Error> {
    let mut signals = signals::listen().map_err(|source| Error::Signals { source })?;
    let conf = daemon::conf(args)?;
    let _lock = daemon::lock_local_dir(&conf, NAME)?;
    let backend = daemon::state(&conf)?;
    // Not before, since standard error goes there too.
    daemon::start_log(args, NAME, &conf)?;
    let nimbus = Nimbus::start(conf.to_map(), backend)?;
    // The socket is never closed, so that this ends with a signal only.
    let _ = signals.read(&mut [0]);
    nimbus.stop();
    Ok(())
}
