//! `stormd supervisor`: one supervisor in the foreground, whose Nimbus is another process.
//!
//! Both find each other in the shared state. Workers outlive this process: a signal leaves them
//! running, and the next supervisor of the same folder adopts them.

use std::io::Read;
use std::sync::Arc;

use storm_runtime::server::MachineUsers;
use storm_runtime::signals;
use storm_runtime::supervisor::{Programs, Supervisor};

use crate::args::DaemonArgs;
use crate::daemon;
use crate::error::Error;

/// Name of the log, and of the file in `storm.local.dir` that keeps others out.
const NAME: &str = "supervisor";
/// Folder of workers' logs in `storm.local.dir`, unless the command line names one.
const LOGS: &str = "logs";

pub fn run(args: &DaemonArgs) -> Result<(), Error> {
    let mut signals = signals::listen().map_err(|source| Error::Signals { source })?;
    let conf = daemon::conf(args)?;
    let backend = daemon::shared_state(&conf)?;
    let _lock = daemon::lock_local_dir(&conf, NAME)?;
    // Not before, since standard error goes there too.
    daemon::start_log(args, NAME, &conf)?;
    let program = std::env::current_exe().ok();
    let supervisor = Supervisor {
        name: NAME.to_owned(),
        conf: conf.to_map(),
        backend,
        authorizer: Arc::new(MachineUsers::new()),
        log_dir: args.log_dir.clone().unwrap_or_else(|| daemon::local_dir(&conf).join(LOGS)),
        programs: Programs { launcher: program.clone(), stock_worker: program },
    };
    let started = supervisor.start();
    let supervisor = started
        .map_err(|source| Error::Supervisor { name: "the supervisor".to_owned(), source })?;
    // The socket is never closed, so that this ends with a signal only.
    let _ = signals.read(&mut [0]);
    supervisor.stop(false);
    Ok(())
}
