//! Worker processes: launched, found again after a restart, watched and ended.
//!
//! Each has a folder `workers/<worker>` with `launch.json`, written before it is launched, and
//! `pids/<pid>`, written after. A supervisor that was killed between the two finds the process by
//! the worker's id, which is among its arguments.
//!
//! Children of shell components write their own pids beside the worker's, as files without content.
//! What is left of them when the worker has ended is ended with its folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use nimbus_client::TopologyId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::layout::{Layout, RESOURCES};
use super::local_state::write_whole;
use super::localizer::{Localized, entries};
use super::metrics::Counts;
use super::slot::{End, LocalAssignment, WorkerNumber};
use super::slots::News;
use crate::archive::library_folders;
use crate::clock::unix_time_ms;
use crate::id::{ExecutorId, TaskId};
use crate::logs::{Bounds, Mark, last_lines};
use crate::process::{
    Ending, Launch, ProcessError, ProcessId, Running, end_left_of, end_named, find_by_arguments,
};

const LAUNCH: &str = "launch.json";
/// Folder of files that are named by the pids of a worker and of its shell components' children.
const PIDS: &str = "pids";
/// Lines of a dead worker's log that are reported.
const LAST_LINES: usize = 12;
/// How often a worker's log is looked at, which the worker rotates itself.
const LOG_CHECK: Duration = Duration::from_secs(10);

/// Why no worker was launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Its folder cannot be made.
    #[error("cannot make {path} for a worker: {source}", path = path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its process cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It is not known how to run it.
    #[error(
        "the topology brings no binary, and this supervisor knows no stock worker; submit it with its binary, or start the supervisor by stormd"
    )]
    NoProgram,
}

/// Programs that workers are launched with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// Becomes the worker in a session of its own, as `stormd` does with `launch`; without one
    /// workers have a process group of their own.
    pub launcher: Option<PathBuf>,
    /// The worker of topologies that bring no binary, as `stormd` is with `worker`.
    pub stock_worker: Option<PathBuf>,
}

/// What is common to all workers of a supervisor.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    pub layout: Layout,
    pub programs: Programs,
    pub supervisor_id: String,
    pub thrift_port: u16,
    pub counts: Arc<Counts>,
}

/// What is remembered of a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    worker_id: String,
    topology_id: String,
    port: u16,
    /// First and last task of each executor.
    executors: Vec<(u16, u16)>,
}

/// A worker that was found running.
#[derive(Debug)]
pub(super) struct Found {
    pub worker: String,
    pub port: u16,
    pub wanted: LocalAssignment,
    pub running: Running,
}

/// A worker that is watched from before its launch until its end. Dropping this leaves it running.
#[derive(Debug)]
pub(super) struct Keeper {
    /// Its id.
    pub worker: String,
    asks: mpsc::Sender<Ask>,
}

/// What is asked of a worker's process.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Terminate,
    Kill,
}

/// Asks that wait while a process is being launched; more of them say nothing new.
const ASKS: usize = 4;

impl Keeper {
    /// Asks the worker to end.
    pub fn terminate(&self) {
        // It may have ended by itself.
        let _ = self.asks.try_send(Ask::Terminate);
    }

    /// Ends the worker.
    pub fn kill(&self) {
        let _ = self.asks.try_send(Ask::Kill);
    }
}

impl Workers {
    /// Launches a worker and watches it; its end is told also if it never began.
    pub fn launch(
        &self,
        port: u16,
        number: WorkerNumber,
        wanted: LocalAssignment,
        localized: Localized,
        news: mpsc::Sender<News>,
    ) -> Keeper {
        let worker = random_id();
        let (asks, asked) = mpsc::channel(ASKS);
        let log = self.layout.worker_log(&wanted.topology, port);
        let (this, id) = (self.clone(), worker.clone());
        tokio::spawn(async move {
            let mark = Mark::of(&log);
            let (end, words) = match this.start(port, &id, &wanted, &localized).await {
                Ok(running) => {
                    Counts::add(&this.counts.launched);
                    this.counts.set_process(port, Some(running.id()));
                    match watch(running, asked, &log).await {
                        Some(ending) => (End::Process(ending), words(&log, mark)),
                        None => return,
                    }
                }
                Err(error) => (End::NotStarted { why: error.to_string() }, Vec::new()),
            };
            // The driver is gone when the supervisor stops.
            let _ = news.send(News::Ended { port, number, end, words }).await;
        });
        Keeper { worker, asks }
    }

    /// Watches a worker that was found running.
    pub fn adopt(&self, found: Found, number: WorkerNumber, news: mpsc::Sender<News>) -> Keeper {
        let Found { worker, port, wanted, running } = found;
        Counts::add(&self.counts.adopted);
        self.counts.set_process(port, Some(running.id()));
        let (asks, asked) = mpsc::channel(ASKS);
        let log = self.layout.worker_log(&wanted.topology, port);
        tokio::spawn(async move {
            let mark = Mark::of(&log);
            let Some(ending) = watch(running, asked, &log).await else { return };
            let (end, words) = (End::Process(ending), words(&log, mark));
            // The driver is gone when the supervisor stops.
            let _ = news.send(News::Ended { port, number, end, words }).await;
        });
        Keeper { worker, asks }
    }

    async fn start(
        &self,
        port: u16,
        worker: &str,
        wanted: &LocalAssignment,
        localized: &Localized,
    ) -> Result<Running, LaunchError> {
        let folder = self.layout.worker(worker);
        let id = &wanted.topology;
        let record = Record {
            worker_id: worker.to_owned(),
            topology_id: id.to_string(),
            port,
            executors: wanted
                .executors
                .iter()
                .map(|executor| (executor.first_task.0, executor.last_task.0))
                .collect(),
        };
        let made = self.make_folder(&folder, port, id, localized, &record);
        made.map_err(|source| LaunchError::Folder { path: folder.clone(), source })?;
        let launch = self.spec(port, worker, id, localized).ok_or(LaunchError::NoProgram)?;
        let running = Running::launch(&launch).await?;
        let process = running.id();
        let pid = folder.join(PIDS).join(process.pid.to_string());
        // Only a short cut: the process is found without it.
        let _ = write_whole(&pid, process.start_time.to_string().as_bytes());
        tracing::info!(topology = %id, port, worker, pid = process.pid, "launched a worker");
        Ok(running)
    }

    fn make_folder(
        &self,
        folder: &Path,
        port: u16,
        id: &TopologyId,
        localized: &Localized,
        record: &Record,
    ) -> io::Result<()> {
        let artifacts = self.layout.artifacts(id, port);
        for path in [&folder.join(PIDS), &folder.join("tmp"), &artifacts] {
            fs::create_dir_all(path)?;
        }
        symlink(&artifacts, folder.join("artifacts"))?;
        symlink(localized.folder.join(RESOURCES), folder.join(RESOURCES))?;
        for name in &localized.blobs {
            symlink(localized.folder.join(name), folder.join(name))?;
        }
        let record = serde_json::to_vec(record).expect("plain values");
        write_whole(&folder.join(LAUNCH), &record)
    }

    /// Storm's five arguments, after those that are ours.
    fn spec(
        &self,
        port: u16,
        worker: &str,
        id: &TopologyId,
        localized: &Localized,
    ) -> Option<Launch> {
        let program = localized.binary.clone().or_else(|| self.programs.stock_worker.clone())?;
        let mut args: Vec<OsString> =
            vec!["worker".into(), "--local-dir".into(), self.layout.local_dir().into()];
        let five = [
            id.to_string(),
            self.supervisor_id.clone(),
            self.thrift_port.to_string(),
            port.to_string(),
            worker.to_owned(),
        ];
        args.extend(five.map(OsString::from));
        let folder = self.layout.worker(worker);
        let libraries = library_folders(&localized.folder.join(RESOURCES));
        let mut environment = vec![
            (OsString::from("LD_LIBRARY_PATH"), std::env::join_paths(libraries).ok()?),
            ("TMPDIR".into(), folder.join("tmp").into()),
        ];
        let of_topology = localized.conf.get("topology.environment").and_then(Value::as_object);
        for (name, value) in of_topology.into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            environment.push((name.into(), value.into()));
        }
        let output = self.layout.worker_log(id, port);
        let launcher = self.programs.launcher.clone();
        Some(Launch { program, args, folder, environment, output, launcher })
    }

    /// All workers that an earlier life of this supervisor launched and that still run; the
    /// folders of those that do not are removed.
    pub fn find(&self) -> Vec<Found> {
        let mut found = Vec::new();
        for folder in entries(&self.layout.workers()) {
            let worker = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match self.find_one(&folder, &worker) {
                Some(worker) => found.push(worker),
                None => self.forget(&worker),
            }
        }
        found
    }

    fn find_one(&self, folder: &Path, worker: &str) -> Option<Found> {
        let record: Record = serde_json::from_slice(&fs::read(folder.join(LAUNCH)).ok()?).ok()?;
        let by_pid = entries(&folder.join(PIDS)).find_map(|path| {
            let pid = path.file_name()?.to_str()?.parse().ok()?;
            let start_time = fs::read_to_string(&path).ok()?.parse().ok()?;
            Some(ProcessId { pid, start_time }).filter(|id| id.is_alive())
        });
        let process =
            by_pid.or_else(|| find_by_arguments(&["worker", worker]).into_iter().next())?;
        let running = Running::adopt(process).ok().flatten()?;
        let executor = |(first, last): &(u16, u16)| ExecutorId {
            first_task: TaskId(*first),
            last_task: TaskId(*last),
        };
        let executors: BTreeSet<ExecutorId> = record.executors.iter().map(executor).collect();
        let topology = record.topology_id.parse().ok()?;
        let wanted = LocalAssignment { topology, executors };
        Some(Found { worker: worker.to_owned(), port: record.port, wanted, running })
    }

    /// Removes the folder of a worker that has ended, and ends what it left running.
    pub fn forget(&self, worker: &str) {
        let folder = self.layout.worker(worker);
        entries(&folder.join(PIDS)).for_each(|file| end_left(&file));
        if let Err(error) = fs::remove_dir_all(&folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove {}: {error}", folder.display());
        }
    }
}

/// Waits for a process to end, and does what is asked; `None` once there is nobody to ask.
async fn watch(mut running: Running, mut asked: mpsc::Receiver<Ask>, log: &Path) -> Option<Ending> {
    loop {
        tokio::select! {
            ending = running.wait() => return Some(ending),
            asked = asked.recv() => match asked? {
                Ask::Terminate => running.terminate(),
                Ask::Kill => running.kill(),
            },
            () = tokio::time::sleep(LOG_CHECK) => bound_log(log),
        }
    }
}

/// Ends what is left of the process that a file in [`PIDS`] names: of a worker its group and session,
/// of a child itself, which may have made a session of its own.
fn end_left(file: &Path) {
    let pid = file.file_name().and_then(|name| name.to_str()?.parse().ok());
    let content = fs::read_to_string(file).ok();
    let Some((pid, content)) = pid.zip(content) else { return };
    if let Ok(start_time) = content.parse() {
        return end_left_of(ProcessId { pid, start_time });
    }
    let written = fs::metadata(file).and_then(|file| file.modified()).ok();
    let written = written.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    if let Some(written) = written {
        end_named(pid, Duration::from_millis(unix_time_ms()).saturating_sub(written));
    }
}

/// The last lines that a worker wrote.
fn words(log: &Path, mark: Mark) -> Vec<String> {
    last_lines(log, mark, LAST_LINES).unwrap_or_default()
}

/// Empties a log that its worker does not rotate, once it is far beyond its bounds.
///
/// The worker has it open for appending, so that it goes on at the new end.
fn bound_log(log: &Path) {
    let limit = Bounds::default().file_bytes * 2;
    if !fs::metadata(log).is_ok_and(|log| log.len() > limit) {
        return;
    }
    let mut copy = log.as_os_str().to_owned();
    copy.push(".1");
    let emptied =
        fs::copy(log, &copy).and_then(|_| fs::OpenOptions::new().write(true).open(log)?.set_len(0));
    if let Err(error) = emptied {
        tracing::warn!("cannot empty {}: {error}", log.display());
    }
}

/// A random UUID.
pub(super) fn random_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid");
    id.expect("Linux gives random numbers").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    fn child() -> Child {
        let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn();
        child.expect("sleep is there")
    }

    #[test]
    fn a_forgotten_worker_leaves_no_child_and_a_recycled_pid_is_spared() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(folder.path(), &folder.path().join("logs"));
        let workers = Workers {
            layout: layout.clone(),
            programs: Programs::default(),
            supervisor_id: "s".to_owned(),
            thrift_port: 0,
            counts: Arc::default(),
        };
        let pids = layout.worker("w").join(PIDS);
        fs::create_dir_all(&pids).expect("it is made");
        let (mut left, mut recycled) = (child(), child());
        for child in [&left, &recycled] {
            fs::write(pids.join(child.id().to_string()), b"").expect("it is written");
        }
        let hour_ago = SystemTime::UNIX_EPOCH + Duration::from_millis(unix_time_ms() - 3_600_000);
        let of_recycled =
            fs::File::options().write(true).open(pids.join(recycled.id().to_string()));
        of_recycled.and_then(|file| file.set_modified(hour_ago)).expect("its time is set");
        fs::write(pids.join("lost+found"), b"").expect("it is written");
        workers.forget("w");
        assert!(!layout.worker("w").exists());
        let ended = left.wait().expect("it was a child");
        assert!(ProcessId::of(recycled.id()).is_some(), "it began after its pid was written");
        recycled.kill().and_then(|()| recycled.wait()).expect("it is ended");
        assert_eq!(Some(9), std::os::unix::process::ExitStatusExt::signal(&ended));
    }
}
