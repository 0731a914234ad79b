//! `down`: ends the daemon and every worker beneath the state directory, and nothing else.

use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::args::Down;
use crate::clock::Deadline;
use crate::control;
use crate::error::Error;
use crate::process::{Ended, Process, Worker, led_by, workers_in};
use crate::progress::Progress;
use crate::session::Session;
use crate::state::StateDir;

/// What the whole takes at most, unless another time is set.
const LIMIT: Duration = Duration::from_secs(60);
/// What the daemon has to end by itself, its workers included.
const DAEMON_PATIENCE: Duration = Duration::from_secs(20);
/// What a process has between being asked and being killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why something of the cluster still runs.
#[derive(Debug, thiserror::Error)]
pub enum DownError {
    /// A process of ours does not end.
    #[error("cannot end {what} (pid {pid}): {source}")]
    NotEnded {
        /// Whose process it is.
        what: String,
        /// Its id.
        pid: u32,
        /// Why.
        source: io::Error,
    },
    /// Somebody holds the state directory, and it cannot be told who.
    #[error("a daemon holds {} and does not answer", state.display())]
    Held {
        /// The state directory.
        state: std::path::PathBuf,
    },
}

impl DownError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotEnded { .. } => {
                "see whose it is; stormdeploy down tries again and is safe to repeat".to_owned()
            }
            Self::Held { state } => {
                format!("fuser {} names it", state.join("lock").display())
            }
        }
    }
}

#[derive(Serialize)]
struct Report {
    state: std::path::PathBuf,
    daemon: Option<Gone>,
    workers: Vec<Gone>,
    purged: bool,
}

#[derive(Serialize)]
struct Gone {
    what: String,
    pid: u32,
    ended: &'static str,
}

/// Ends the local cluster.
pub fn down(session: &Session, wanted: &Down) -> Result<(), Error> {
    let deadline = session.deadline(LIMIT);
    let state = &session.state;
    let mut report = Report {
        state: state.path().to_owned(),
        daemon: None,
        workers: Vec::new(),
        purged: wanted.purge,
    };
    if state.path().is_dir() && state.is_in_use() {
        let _lock = state.lock_for_change()?;
        let progress = Progress::new(session.output);
        report.daemon = end_daemon(state, &progress, deadline)?;
        report.workers = end_workers(workers_in(state.path()), deadline)?;
    }
    if wanted.purge {
        state.purge()?;
    }
    if session.output.json {
        return Ok(session.output.document(&report)?);
    }
    Ok(session.output.data(&in_words(&report))?)
}

fn in_words(report: &Report) -> String {
    let mut text = String::new();
    for gone in report.daemon.iter().chain(&report.workers) {
        text += &format!("{} (pid {}): {}\n", gone.what, gone.pid, gone.ended);
    }
    if text.is_empty() {
        text += &format!("nothing runs in {}\n", report.state.display());
    }
    if report.purged {
        text += &format!("removed {}\n", report.state.display());
    }
    text
}

fn end_daemon(
    state: &StateDir,
    progress: &Progress,
    deadline: Deadline,
) -> Result<Option<Gone>, Error> {
    // What cannot be read is of no help in ending what it tells of.
    let told = state.daemon().ok().flatten().map(|daemon| daemon.process);
    let asked = control::status(state, deadline.part(PATIENCE)).ok();
    let answered = asked.and_then(|status| Process::of(status.pid));
    let Some(process) = told.filter(Process::is_alive).or(answered) else {
        let held = state.is_held();
        let path = state.path().to_owned();
        return if held { Err(DownError::Held { state: path }.into()) } else { Ok(None) };
    };
    let step = progress.step("daemon", "ending it and its workers");
    let stopped = control::stop(state, deadline.part(DAEMON_PATIENCE)).is_ok();
    let not_ended =
        |source| DownError::NotEnded { what: "daemon".to_owned(), pid: process.pid, source };
    let gone = stopped && process.wait_gone(deadline.part(DAEMON_PATIENCE)).map_err(not_ended)?;
    let how =
        if gone { "ended" } else { in_a_word(process.end(PATIENCE, deadline).map_err(not_ended)?) };
    step.done(how);
    Ok(Some(Gone { what: "daemon".to_owned(), pid: process.pid, ended: how }))
}

/// A worker, and what it started: a multilang child, say, which nobody else would end.
fn end_worker(worker: &Worker, deadline: Deadline) -> io::Result<Ended> {
    let children = led_by(worker.process);
    let ended = worker.process.end(PATIENCE, deadline)?;
    for child in children {
        let _ = child.end(PATIENCE, deadline)?;
    }
    Ok(ended)
}

/// Workers that outlived their daemon.
fn end_workers(workers: Vec<Worker>, deadline: Deadline) -> Result<Vec<Gone>, Error> {
    let ended: Vec<_> = std::thread::scope(|scope| {
        let ends: Vec<_> = workers
            .iter()
            .map(|worker| scope.spawn(move || end_worker(worker, deadline)))
            .collect();
        ends.into_iter().map(|end| end.join().expect("ending does not panic")).collect()
    });
    let mut gone = Vec::new();
    for (worker, ended) in workers.iter().zip(ended) {
        let what = format!("worker of {} on port {}", worker.topology_id, worker.port);
        let pid = worker.process.pid;
        match ended {
            Ok(ended) => gone.push(Gone { what, pid, ended: in_a_word(ended) }),
            Err(source) => return Err(DownError::NotEnded { what, pid, source }.into()),
        }
    }
    Ok(gone)
}

fn in_a_word(ended: Ended) -> &'static str {
    match ended {
        Ended::WasGone | Ended::Asked => "ended",
        Ended::Killed => "killed",
    }
}
