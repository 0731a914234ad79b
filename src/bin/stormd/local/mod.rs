//! `stormd local`: a whole cluster in one process, driven through a control socket.
//!
//! ```text
//!   wanted.json ─▶ ports ─▶ store ─▶ Nimbus ─▶ supervisors ─▶ daemon.json
//!                                        ▲         ▲
//!   control.sock ─▶ status, scale, stop ─┴─────────┘ ◀─ SIGTERM, SIGINT
//! ```
//!
//! **Invariants.** One daemon per state folder: it holds `lock` for its life. Workers are processes
//! of their own that outlive it and are adopted by the next one; only `stop` with `workers` ends
//! them. Everything runs on the main thread but what Nimbus and supervisors do.

mod cluster;
mod control;
mod files;

use std::path::Path;

use storm_runtime::logs::{self, Bounds, ByThread, RotatingFile};
use storm_runtime::signals;

use crate::error::Error;
use cluster::Cluster;
use control::{Ask, Asked, Control};
use files::StateFolder;

/// Name of the main thread in the log's lines is `main`; these go to Nimbus' log.
const NIMBUS_LOG: &str = "nimbus.log";

pub fn run(state: &Path) -> Result<(), Error> {
    let signals = signals::listen().map_err(|source| Error::Signals { source })?;
    let folder = StateFolder::lock(state)?;
    let wanted = folder.wanted()?;
    let log = RotatingFile::open(folder.logs().join(NIMBUS_LOG), Bounds::default())?;
    let logs = ByThread::new(log);
    logs::start(logs.clone())?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        "starting a local cluster in {}",
        folder.path().display()
    );
    let control = Control::listen(&folder, signals)?;
    let mut cluster = Cluster::start(&folder, wanted, logs)?;
    folder.tell_ready(cluster.wanted())?;
    tracing::info!("the local cluster is ready");
    let kill_workers = serve(&control, &folder, &mut cluster);
    // From now on nobody shall take it for a cluster that serves.
    folder.tell_gone();
    cluster.stop(kill_workers);
    tracing::info!("the local cluster has ended");
    Ok(())
}

/// Answers requests until one of them, or a signal, ends the cluster; whether with its workers.
fn serve(control: &Control, folder: &StateFolder, cluster: &mut Cluster) -> bool {
    loop {
        let Some(Asked { ask, answer }) = control.next() else { return false };
        match ask {
            Ask::Status => answer.done(cluster.status()),
            Ask::Scale { supervisors } => match cluster.scale(supervisors) {
                Ok(()) => {
                    folder.remember(cluster.wanted());
                    answer.done(serde_json::Map::new());
                }
                Err(error) => answer.refused(&error.to_string(), error.hint()),
            },
            Ask::Stop { workers } => {
                tracing::info!(workers, "asked to end");
                answer.done(serde_json::Map::new());
                return workers;
            }
        }
    }
}
