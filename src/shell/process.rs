//! A child process and the thread that minds it.
//!
//! ```text
//!   executor ── stdin, stdout ──▶ child ── stderr ──▶ minder ──▶ log
//!            ── leash ─────────────────────────────▶ minder ──▶ ends and reaps the child
//!            ◀─ waker, remains ────────────────────── minder
//! ```
//!
//! The minder starts the child, drains its standard error, ends it when the leash is let go, and reaps
//! it. The child is told to end with the minder's thread, so also with a process that is killed;
//! where that cannot be had (`setpriv` of util-linux does it, so that no unsafe code is needed here)
//! the end of its input has to do.
//!
//! **Invariants.** The executor's thread never waits for a child but for the moment of its start.
//! Whatever happens to the owner of a [`Process`], the child ends and is reaped.
//!
//! **Runs on** a thread per child, which sleeps unless the child writes to its standard error.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::error::End;
use super::stderr::Lines;
use crate::clock::Clock;
use crate::component::Waker;

/// How often a child that is about to end is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// How long the rest of a dead child's standard error may take, of which others may have copies.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// Stack of a minder, which calls nothing deep but the log.
const STACK_BYTES: usize = 256 << 10;

/// A running child.
#[derive(Debug)]
pub(super) struct Process {
    /// The process that was started; what it runs may have another pid, as below a shell.
    pub pid: u32,
    order: SyncSender<Duration>,
    /// Closed to have the minder heed its order, or end the child at once where there is none.
    leash: Option<PipeWriter>,
    remains: Arc<Mutex<Option<End>>>,
}

/// A child's ends of its pipes that are ours; they do not block.
#[derive(Debug)]
pub(super) struct Pipes {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
}

impl Process {
    /// Starts a child; its standard error goes to `lines`, and `waker` is woken when it has ended.
    ///
    /// # Errors
    /// If the system does not start it.
    pub fn start(
        command: Command,
        lines: Lines,
        clock: Clock,
        waker: Waker,
    ) -> io::Result<(Self, Pipes)> {
        let (order, orders) = sync_channel(1);
        let (held, leash) = io::pipe()?;
        let remains = Arc::new(Mutex::new(None));
        let (tell, told) = sync_channel(1);
        let minder = Minder { orders, held, lines, clock, waker, remains: remains.clone() };
        std::thread::Builder::new().name("shell-minder".to_owned()).stack_size(STACK_BYTES).spawn(
            move || {
                let started = begin(command);
                let (child, stderr) = match started {
                    Ok((child, stderr, pipes)) => {
                        let pid = child.id();
                        // If nobody listens any more the leash is let go too.
                        let _ = tell.send(Ok((pid, pipes)));
                        (child, stderr)
                    }
                    Err(error) => {
                        let _ = tell.send(Err(error));
                        return;
                    }
                };
                minder.mind(child, stderr);
            },
        )?;
        let (pid, pipes) = told.recv().map_err(io::Error::other)??;
        Ok((Self { pid, order, leash: Some(leash), remains }, pipes))
    }

    /// Has the child ended: at once, or after it had some time to end by itself.
    pub fn end(&mut self, grace: Duration) {
        let _ = self.order.try_send(grace);
        self.leash = None;
    }

    /// How it ended, if it has.
    pub fn remains(&self) -> Option<End> {
        self.remains.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn begin(mut command: Command) -> io::Result<(Child, ChildStderr, Pipes)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (stdin, stdout) = (stdin.expect("it is piped"), stdout.expect("it is piped"));
    let stderr = child.stderr.take().expect("it is piped");
    for set in [
        rustix::io::ioctl_fionbio(&stdin, true),
        rustix::io::ioctl_fionbio(&stdout, true),
        rustix::io::ioctl_fionbio(&stderr, true),
    ] {
        if let Err(error) = set {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error.into());
        }
    }
    Ok((child, stderr, Pipes { stdin: stdin.into(), stdout: stdout.into() }))
}

struct Minder {
    orders: Receiver<Duration>,
    held: PipeReader,
    lines: Lines,
    clock: Clock,
    waker: Waker,
    remains: Arc<Mutex<Option<End>>>,
}

impl Minder {
    fn mind(mut self, mut child: Child, stderr: ChildStderr) {
        let mut stderr = Some(stderr);
        let grace = self.until_let_go(&mut stderr);
        let end_at = self.clock.now() + grace;
        let mut was_killed = false;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Some(status),
                Err(_) => break None,
                Ok(None) if self.clock.now() >= end_at => {
                    was_killed = true;
                    let _ = child.kill();
                    break child.wait().ok();
                }
                Ok(None) => self.sleep(&mut stderr, Some(LOOK_INTERVAL)),
            }
        };
        let most = self.clock.now() + LAST_WORDS;
        while stderr.is_some() && self.clock.now() < most {
            self.sleep(&mut stderr, Some(LOOK_INTERVAL));
        }
        self.lines.finish(self.clock.now());
        let end = End { status, was_killed, last_lines: self.lines.take_kept() };
        *self.remains.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.waker.wake();
    }

    /// Drains standard error until the leash is let go; answers how long the child has to end by
    /// itself.
    fn until_let_go(&mut self, stderr: &mut Option<ChildStderr>) -> Duration {
        loop {
            let held = PollFlags::IN;
            let is_let_go = match stderr.as_ref() {
                Some(pipe) => {
                    let mut polled = [PollFd::new(&self.held, held), PollFd::new(pipe, held)];
                    let _ = poll(&mut polled, None);
                    !polled[0].revents().is_empty()
                }
                None => {
                    let mut polled = [PollFd::new(&self.held, held)];
                    let _ = poll(&mut polled, None);
                    !polled[0].revents().is_empty()
                }
            };
            self.drain(stderr);
            if is_let_go {
                return self.orders.try_recv().unwrap_or(Duration::ZERO);
            }
        }
    }

    /// Sleeps until something comes from standard error, or for a time.
    fn sleep(&mut self, stderr: &mut Option<ChildStderr>, timeout: Option<Duration>) {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as i64,
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match stderr.as_ref() {
            Some(pipe) => {
                let _ = poll(&mut [PollFd::new(pipe, PollFlags::IN)], timeout.as_ref());
            }
            None => _ = poll(&mut [], timeout.as_ref()),
        }
        self.drain(stderr);
    }

    /// Reads what there is, a bounded amount at once.
    fn drain(&mut self, stderr: &mut Option<ChildStderr>) {
        let Some(pipe) = stderr.as_ref() else { return };
        let mut bytes = [0; 16 << 10];
        let now = self.clock.now();
        match rustix::io::read(pipe, &mut bytes[..]) {
            Ok(0) => *stderr = None,
            Ok(count) => self.lines.push(&bytes[..count], now),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => *stderr = None,
        }
    }
}

/// The time that a process, and what it waited for, has used on processors, in the system's ticks;
/// none if it is gone.
pub(super) fn cpu_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |position: usize| fields.get(position)?.parse::<u64>().ok();
    (11..=14).map(number).sum()
}

/// A program that has what it runs end with the thread that started it, if this machine has one.
pub(super) fn leash_program() -> Option<&'static [&'static str]> {
    const SETPRIV: [&str; 4] = ["setpriv", "--pdeathsig", "KILL", "--"];
    static WORKS: OnceLock<bool> = OnceLock::new();
    let works = WORKS.get_or_init(|| {
        let mut command = Command::new(SETPRIV[0]);
        command.args(&SETPRIV[1..]).arg("true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let works = command.status().is_ok_and(|status| status.success());
        if !works {
            tracing::info!(
                "no setpriv of util-linux here: children of shell components end by the end of their \
                 input alone when this process is killed"
            );
        }
        works
    });
    works.then_some(&SETPRIV)
}
