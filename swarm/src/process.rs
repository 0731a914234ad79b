//! Processes of this machine: who they are, whether they live, and ending exactly the one meant.
//!
//! A process is known by its id and the time at which it started, since the kernel gives ids again.
//! Signals go through a handle (pidfd) that was checked against the start time, so they can never
//! reach a successor.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::clock::Deadline;

/// A process that was seen once; it may have ended since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Field 22 of `/proc/<pid>/stat`, in clock ticks since the machine started.
    pub start_time: u64,
}

/// How a process was made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ended {
    /// It was no longer there.
    WasGone,
    /// It ended when it was asked to (SIGTERM).
    Asked,
    /// It had to be killed (SIGKILL).
    Killed,
}

impl Process {
    /// The process that has this id now.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, start_time: stat(pid)?.start_time })
    }

    /// Whether this very process runs; one that waits to be collected by its parent does not.
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start_time == self.start_time && !stat.is_zombie)
    }

    /// A handle on exactly this process, `None` when it is gone.
    fn handle(&self) -> io::Result<Option<OwnedFd>> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Checked after the handle is there: from now on the id cannot mean anybody else.
        Ok(self.is_alive().then_some(handle))
    }

    /// Waits until it has ended; whether it has.
    ///
    /// # Errors
    /// What the kernel says when it gives no handle.
    pub fn wait_gone(&self, deadline: Deadline) -> io::Result<bool> {
        match self.handle()? {
            Some(handle) => wait(&handle, deadline),
            None => Ok(true),
        }
    }

    /// Ends it: asks, waits up to `patience`, then kills and waits up to `deadline`.
    ///
    /// # Errors
    /// A process that may not be signalled, or that outlives its killing.
    pub fn end(&self, patience: Duration, deadline: Deadline) -> io::Result<Ended> {
        let Some(handle) = self.handle()? else { return Ok(Ended::WasGone) };
        signal(&handle, Signal::TERM)?;
        if wait(&handle, deadline.part(patience))? {
            return Ok(Ended::Asked);
        }
        signal(&handle, Signal::KILL)?;
        // What is killed while it writes to a disk may take a moment, even when no time is left.
        if wait(&handle, Deadline::after(deadline.left().max(Duration::from_secs(2))))? {
            return Ok(Ended::Killed);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end although it was killed"))
    }
}

fn signal(handle: &OwnedFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(handle, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Waits until a process has ended; whether it has.
fn wait(handle: &OwnedFd, deadline: Deadline) -> io::Result<bool> {
    loop {
        let mut fds = [PollFd::new(handle, PollFlags::IN)];
        let left = Timespec::try_from(deadline.left()).map_err(io::Error::other)?;
        match poll(&mut fds, Some(&left)) {
            Ok(0) if deadline.is_over() => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

struct Stat {
    start_time: u64,
    group: u32,
    is_zombie: bool,
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The second field is the name in brackets, which may itself contain brackets and spaces.
fn parse_stat(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let is_zombie = matches!(*fields.first()?, "Z" | "X");
    let group = fields.get(2)?.parse().ok()?;
    Some(Stat { start_time: fields.get(19)?.parse().ok()?, group, is_zombie })
}

/// The arguments with which a process was started.
fn arguments(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Ids of all processes that can be seen.
fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// A worker process that was started beneath a state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The process.
    pub process: Process,
    /// The topology's id, as it stands among the arguments.
    pub topology_id: String,
    /// The port of its slot.
    pub port: String,
}

/// Other processes of the group that a process leads: what it started and did not set apart.
pub fn led_by(leader: Process) -> Vec<Process> {
    let member = |pid: u32| {
        let stat = stat(pid)?;
        let is_member = stat.group == leader.pid && pid != leader.pid && !stat.is_zombie;
        // Whoever is older than the leader had this group before the leader had its id.
        let is_led = is_member && stat.start_time >= leader.start_time;
        is_led.then_some(Process { pid, start_time: stat.start_time })
    };
    all().filter_map(member).collect()
}

/// Workers whose local directory lies in `state`, told by their own arguments.
pub fn workers_in(state: &Path) -> Vec<Worker> {
    let found = |pid: u32| {
        let process = Process::of(pid)?;
        let (topology_id, port) = worker_of(&arguments(pid), state)?;
        process.is_alive().then_some(Worker { process, topology_id, port })
    };
    all().filter_map(found).collect()
}

/// Topology and port of `<binary> worker --local-dir <dir> <topology> <supervisor> <port> <slot port>
/// <worker>`, if the directory lies in `state`.
fn worker_of(arguments: &[String], state: &Path) -> Option<(String, String)> {
    let [_, command, option, dir, topology_id, _, _, port, _, ..] = arguments else { return None };
    let is_ours =
        command == "worker" && option == "--local-dir" && Path::new(dir).starts_with(state);
    is_ours.then(|| (topology_id.clone(), port.clone()))
}

/// The process that listens on a TCP port, as far as this user may see it.
pub fn listener(port: u16) -> Option<(Process, String)> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    all().find_map(|pid| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let links = open.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
        let mut targets = links.filter_map(|link| link.to_str().map(str::to_owned));
        let listens = targets.any(|target| inodes.contains(&target));
        listens.then(|| Some((Process::of(pid)?, name(pid)?)))?
    })
}

/// Inodes of the sockets that listen (state `0A`) on a port, from a table of `/proc/net`.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    let rows = table.lines().skip(1).map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > 9 && row[1].ends_with(&suffix) && row[3] == "0A")
        .map(|row| row[9].to_owned())
        .collect()
}

fn name(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim().to_owned())
}

/// CPU time since its start, and resident memory, of a living process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Bytes of memory that are resident.
    pub resident_bytes: u64,
}

/// What a process has used so far, `None` when it is gone.
pub fn usage(process: Process) -> Option<Usage> {
    let line = fs::read_to_string(format!("/proc/{}/stat", process.pid)).ok()?;
    let (_, rest) = line.rsplit_once(')')?;
    let fields: Vec<u64> = rest.split_whitespace().map(|f| f.parse().unwrap_or(0)).collect();
    let (user, system, pages) = (*fields.get(11)?, *fields.get(12)?, *fields.get(21)?);
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    process.is_alive().then(|| Usage {
        cpu: Duration::from_secs_f64((user + system) as f64 / ticks as f64),
        resident_bytes: pages * rustix::param::page_size() as u64,
    })
}

/// Where a program would be found: beside this one, then in the folders of `search`.
pub fn find_program(name: &str, beside: Option<&Path>, search: &[PathBuf]) -> Option<PathBuf> {
    let folders = beside.into_iter().chain(search.iter().map(PathBuf::as_path));
    folders.map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(20))
    }

    fn start(script: &str) -> (std::process::Child, Process) {
        let child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn();
        let child = child.expect("there is a shell");
        let process = Process::of(child.id()).expect("it runs");
        (child, process)
    }

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_move_the_start_time() {
        let fields: Vec<String> = (4..=52).map(|n| n.to_string()).collect();
        let line = format!("7 (a ) (b) S {}", fields.join(" "));
        let stat = parse_stat(&line).unwrap();
        assert_eq!((stat.start_time, stat.group), (22, 5));
        assert!(parse_stat("7 (x) Z 1 2 3").is_none());
        assert!(parse_stat("").is_none());
    }

    #[test]
    fn a_process_that_listens_to_reason_is_asked_and_a_deaf_one_is_killed() {
        let (mut polite, process) = start("exec sleep 60");
        assert!(process.is_alive());
        assert_eq!(process.end(Duration::from_secs(10), soon()).unwrap(), Ended::Asked);
        polite.wait().expect("it is our child");
        assert_eq!(process.end(Duration::ZERO, soon()).unwrap(), Ended::WasGone);

        let (mut deaf, process) = start("trap '' TERM; echo ready; while :; do sleep 1; done");
        let mut ready = [0; 5];
        std::io::Read::read_exact(deaf.stdout.as_mut().unwrap(), &mut ready).expect("it says so");
        assert_eq!(process.end(Duration::from_millis(50), soon()).unwrap(), Ended::Killed);
        deaf.wait().expect("it is our child");
        assert!(process.wait_gone(soon()).unwrap());
    }

    #[test]
    fn a_process_with_another_start_time_is_somebody_else() {
        let (mut child, process) = start("exec sleep 60");
        let predecessor = Process { start_time: process.start_time - 1, ..process };
        assert!(!predecessor.is_alive());
        assert_eq!(predecessor.end(Duration::ZERO, soon()).unwrap(), Ended::WasGone);
        assert!(process.is_alive(), "a stranger with the same id is left alone");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_worker_is_known_by_its_arguments() {
        let state = Path::new("/s/one");
        let arguments = |dir: &str| -> Vec<String> {
            ["topology", "worker", "--local-dir", dir, "wc-1-2", "sup", "6628", "6700", "uuid"]
                .map(str::to_owned)
                .into()
        };
        let told = worker_of(&arguments("/s/one/supervisor-0"), state);
        assert_eq!(told, Some(("wc-1-2".to_owned(), "6700".to_owned())));
        assert_eq!(worker_of(&arguments("/s/one-more/supervisor-0"), state), None);
        assert_eq!(worker_of(&arguments("/s/one/supervisor-0")[..6], state), None);
        assert_eq!(worker_of(&["cat".into(), "/s/one".into()], state), None);
    }

    #[test]
    fn what_a_process_started_is_in_the_group_that_it_leads() {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & echo $!; wait"]).process_group(0).stdout(Stdio::piped());
        let mut leader = command.spawn().expect("there is a shell");
        let mut line = String::new();
        let mut out = std::io::BufReader::new(leader.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).expect("it says whom it started");
        let led = led_by(Process::of(leader.id()).expect("it runs"));
        assert_eq!(
            led.iter().map(|one| one.pid).collect::<Vec<_>>(),
            [line.trim().parse::<u32>().unwrap()]
        );
        assert_eq!(led[0].end(Duration::from_secs(10), soon()).unwrap(), Ended::Asked);
        leader.wait().expect("it is our child");
    }

    #[test]
    fn the_process_behind_a_port_is_found() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().unwrap().port();
        let (process, _) = listener(port).expect("it is this one");
        assert_eq!(process.pid, std::process::id());
        drop(socket);
    }

    #[test]
    fn only_sockets_that_listen_are_taken_from_the_table() {
        let table = "  sl local rem st\n\
            0: 0100007F:19E3 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n\
            1: 0100007F:19E3 0100007F:8888 01 0:0 0:0 0 0 0 4712 1\n\
            2: 0100007F:19E4 00000000:0000 0A 0:0 0:0 0 0 0 4713 1\n";
        assert_eq!(listening_inodes(table, 6627), ["4711"]);
    }

    #[test]
    fn a_living_process_has_used_something() {
        let own = Process::of(std::process::id()).unwrap();
        assert!(usage(own).unwrap().resident_bytes > 0);
        assert!(usage(Process { start_time: 0, ..own }).is_none());
    }
}
