//! A process that was started or adopted: waited for, measured and ended.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::proc_files::{Stat, pids};
use super::{ProcessError, ProcessId};

/// A program that was just written may still be open for writing in a child that another thread
/// is starting; that lasts until the child has become its own program.
const BUSY_TRIES: u32 = 50;
const BUSY_WAIT: Duration = Duration::from_millis(10);

/// What times of start and of files may be off by.
const CLOCK_GRAIN: Duration = Duration::from_millis(30);

/// What to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, without its name.
    pub args: Vec<OsString>,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// Variables on top of those of this process.
    pub environment: Vec<(OsString, OsString)>,
    /// The file that its standard output and standard error are appended to.
    pub output: PathBuf,
    /// A program that makes a session and becomes the program that its arguments name, as
    /// `stormd launch` does; without one the process gets a process group of its own only.
    pub launcher: Option<PathBuf>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with an exit code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It was no child of this process, so nobody told.
    Unknown,
}

impl Ending {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(signal)) => Self::Signalled(signal),
            (None, None) => Self::Unknown,
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(out, "ended with exit code {code}"),
            Self::Signalled(signal) => write!(out, "was ended by signal {signal}"),
            Self::Unknown => out.write_str("ended"),
        }
    }
}

/// A process that is watched.
///
/// Dropping it leaves the process running.
#[derive(Debug)]
pub struct Running {
    id: ProcessId,
    /// `None` for a process that another one started.
    child: Option<Child>,
    /// Readable once the process has ended; it names this process whatever becomes of its pid.
    handle: AsyncFd<OwnedFd>,
    ending: Option<Ending>,
}

impl Running {
    /// Starts a process in a process group, and with a launcher in a session, of its own; its
    /// standard input is empty.
    ///
    /// # Errors
    /// [`ProcessError::Output`], [`ProcessError::Start`], [`ProcessError::Watch`]; then nothing
    /// runs.
    pub async fn launch(launch: &Launch) -> Result<Self, ProcessError> {
        let mut child = start(launch).await?;
        let pid = child.id();
        let watched = || -> io::Result<Self> {
            // It is there, if only to be reaped: this process has not waited for it yet.
            let stat = Stat::read(pid).ok_or(io::ErrorKind::NotFound)?;
            let id = ProcessId { pid, start_time: stat.start_time };
            Ok(Self { id, child: None, handle: watch(pid)?, ending: None })
        };
        match watched() {
            Ok(running) => Ok(Self { child: Some(child), ..running }),
            Err(source) => {
                // Nobody would look after it.
                let _ = child.kill();
                let _ = child.wait();
                Err(ProcessError::Watch { pid, source })
            }
        }
    }

    /// Watches a process that another one started; `None` if it has ended.
    ///
    /// # Errors
    /// [`ProcessError::Watch`].
    pub fn adopt(id: ProcessId) -> Result<Option<Self>, ProcessError> {
        let handle = match watch(id.pid) {
            Ok(handle) => handle,
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                return Ok(None);
            }
            Err(source) => return Err(ProcessError::Watch { pid: id.pid, source }),
        };
        // Asked after the handle was made, so the handle is of this process and no later one.
        Ok(id.is_alive().then_some(Self { id, child: None, handle, ending: None }))
    }

    /// Which process it is.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Waits until the process has ended, ends what it left in its process group, and reaps it.
    ///
    /// Answers at once when it was told before.
    ///
    /// # Cancellation
    /// Nothing is lost; call it again.
    pub async fn wait(&mut self) -> Ending {
        if let Some(ending) = self.ending {
            return ending;
        }
        // An error here means that the runtime shuts down; what is true then is asked below.
        let _ = self.handle.readable().await.map(|mut guard| guard.retain_ready());
        // Until it is reaped its pid, and so the number of its group, is nobody else's.
        end_left_of(self.id);
        let status = self.child.as_mut().map(Child::wait);
        let ending = status.and_then(Result::ok).map_or(Ending::Unknown, Ending::of);
        self.ending = Some(ending);
        ending
    }

    /// Asks the process to end, by SIGTERM.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the process, by SIGKILL; [`wait`](Self::wait) ends what it started as well.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // One that has ended needs no signal; the handle names no other.
        let _ = pidfd_send_signal(self.handle.get_ref(), signal);
    }
}

async fn start(launch: &Launch) -> Result<Child, ProcessError> {
    let output = OpenOptions::new().create(true).append(true).open(&launch.output);
    let both = output.and_then(|output| Ok((output.try_clone()?, output)));
    let (stdout, stderr) =
        both.map_err(|source| ProcessError::Output { path: launch.output.clone(), source })?;
    let mut command = command(launch);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let mut tries = 1;
    loop {
        match command.spawn() {
            Ok(child) => return Ok(child),
            Err(error) if is_busy(&error) && tries < BUSY_TRIES => {
                tries += 1;
                tokio::time::sleep(BUSY_WAIT).await;
            }
            Err(source) => {
                return Err(ProcessError::Start { program: launch.program.clone(), source });
            }
        }
    }
}

fn command(launch: &Launch) -> Command {
    let mut command;
    match &launch.launcher {
        // The leader of a process group cannot make a session: the launcher makes both.
        Some(launcher) => {
            command = Command::new(launcher);
            command.arg("launch").arg("--").arg(&launch.program);
        }
        None => {
            command = Command::new(&launch.program);
            command.process_group(0);
        }
    }
    command.args(&launch.args).current_dir(&launch.folder);
    command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
    command
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ExecutableFileBusy
}

/// Makes a session, and becomes a program: what `stormd launch` does in the place of this process.
///
/// Answers only if it could not.
pub fn become_program(program: &Path, args: &[OsString]) -> io::Error {
    // Refused to the leader of a process group, who is apart from the others already.
    let _ = rustix::process::setsid();
    let clock = crate::clock::Clock::system();
    let until = clock.now() + BUSY_WAIT * BUSY_TRIES;
    loop {
        let error = Command::new(program).args(args).exec();
        if !is_busy(&error) || clock.now() >= until {
            return error;
        }
        let pause = rustix::event::Timespec { tv_sec: 0, tv_nsec: BUSY_WAIT.as_nanos() as _ };
        let _ = rustix::event::poll(&mut [], Some(&pause));
    }
}

#[allow(deprecated, reason = "an owned descriptor stays open as long as it is registered")]
fn watch(pid: u32) -> io::Result<AsyncFd<OwnedFd>> {
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let handle = pidfd_open(known, PidfdFlags::empty())?;
    AsyncFd::with_interest(handle, Interest::READABLE)
}

/// Ends all processes of the group and session that an ended process led, as the children of its
/// shell components.
pub fn end_left_of(leader: ProcessId) {
    let leader_now = Stat::read(leader.pid);
    if leader_now.is_some_and(|stat| stat.start_time != leader.start_time) {
        // A new process has the pid: so no process was left in the group.
        return;
    }
    let is_left = |pid: &u32| {
        let Some(stat) = Stat::read(*pid) else { return false };
        *pid != leader.pid
            && !stat.is_ended()
            && (stat.group == leader.pid || stat.session == leader.pid)
            && stat.start_time >= leader.start_time
    };
    pids().filter(is_left).for_each(kill);
}

/// Ends the process that had a pid already when somebody wrote it down, `age` ago.
///
/// A process that got the pid later is another one, and is left alone.
pub fn end_named(pid: u32, age: Duration) {
    let uptime = fs::read_to_string("/proc/uptime").ok();
    let uptime = uptime.and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let Some((stat, uptime)) = Stat::read(pid).zip(uptime) else { return };
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    let run_for = uptime - stat.start_time as f64 / ticks_per_second as f64;
    if !stat.is_ended() && run_for + CLOCK_GRAIN.as_secs_f64() >= age.as_secs_f64() {
        kill(pid);
    }
}

fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::{Mark, last_lines};

    fn launch(folder: &Path, script: &str) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            folder: folder.to_owned(),
            environment: vec![("WORD".into(), "nature".into())],
            output: folder.join("out.log"),
            launcher: None,
        }
    }

    /// Polls a condition, since another process decides when it comes true.
    async fn eventually(what: &str, condition: impl Fn() -> bool) {
        let polled = async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), polled).await;
        assert!(in_time.is_ok(), "{what}");
    }

    #[tokio::test]
    async fn a_process_is_started_with_its_environment_and_its_exit_code_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let launch = launch(folder.path(), "echo $WORD; pwd >&2; exit 7");
        let mut running = Running::launch(&launch).await.expect("it starts");
        assert_eq!(running.wait().await, Ending::Exited(7));
        assert_eq!(running.wait().await, Ending::Exited(7));
        let lines = last_lines(&launch.output, Mark::default(), 5).expect("it was written");
        assert_eq!(lines[0], "nature");
        assert!(!running.id().is_alive());
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let launch = Launch { program: "/no/such".into(), ..launch(folder.path(), "") };
        let error = Running::launch(&launch).await.expect_err("it is not there");
        assert!(error.to_string().starts_with("cannot start /no/such: "), "{error}");
    }

    #[tokio::test]
    async fn a_process_that_ignores_sigterm_is_killed_with_what_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = "trap '' TERM; sleep 600 & echo $! > child; wait; sleep 600";
        let mut running = Running::launch(&launch(folder.path(), script)).await.expect("it starts");
        let child_file = folder.path().join("child");
        let child = || fs::read_to_string(&child_file).ok()?.trim().parse().ok();
        eventually("the child is there", || child().is_some()).await;
        let child = child().and_then(ProcessId::of).expect("it runs");
        running.terminate();
        assert!(running.id().is_alive());
        running.kill();
        assert_eq!(running.wait().await, Ending::Signalled(9));
        eventually("the child has ended as well", || !child.is_alive()).await;
    }

    #[tokio::test]
    async fn a_process_of_somebody_else_is_adopted_watched_and_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let started = Running::launch(&launch(folder.path(), "exec sleep 600")).await;
        let mut started = started.expect("it starts");
        let id = started.id();
        let mut adopted = Running::adopt(id).expect("it can be watched").expect("it runs");
        adopted.terminate();
        let (ending, reaped) = tokio::join!(adopted.wait(), started.wait());
        assert_eq!(ending, Ending::Unknown);
        assert_eq!(reaped, Ending::Signalled(15));
        assert!(Running::adopt(id).expect("nothing to watch").is_none());
    }

    #[tokio::test]
    async fn a_recycled_pid_is_not_adopted() {
        let own = ProcessId::own();
        let earlier = ProcessId { start_time: own.start_time - 1, ..own };
        assert!(Running::adopt(earlier).expect("it can be asked").is_none());
    }
}
