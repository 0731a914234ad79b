//! Where the program waits: for a signal, for the reader of its output to go, or for a time.
//!
//! SIGINT and SIGTERM each write a byte into a socket that [`Signals::wait`] polls, together with
//! standard output, whose error state tells that nobody reads it any more. So the waiting thread
//! sleeps without any timer, and no thread is spent on signals.
//!
//! **Invariant.** From the second signal on the process ends at once, whatever its threads do.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::signals;

/// What ended a wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wake {
    TimedOut,
    Signal,
    /// Whoever read standard output has gone.
    ReaderGone,
}

/// SIGINT and SIGTERM, received instead of ending the process.
pub(super) struct Signals {
    received: UnixStream,
    /// False once standard output turned out to be nothing that can be polled.
    watch_output: bool,
}

impl Signals {
    /// Receives signals from now on, for the rest of the process.
    pub fn listen() -> io::Result<Self> {
        let received = signals::listen()?;
        received.set_nonblocking(true)?;
        Ok(Self { received, watch_output: true })
    }

    /// Waits for one of the things that a wait ends by; without `timeout`, for as long as it takes.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Wake {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let output = io::stdout();
        let mut polled = [
            PollFd::new(&self.received, PollFlags::IN),
            PollFd::from_borrowed_fd(output.as_fd(), PollFlags::empty()),
        ];
        let watched = 1 + usize::from(self.watch_output);
        if poll(&mut polled[..watched], timeout.as_ref()).is_err() {
            // A signal may interrupt the call; whether it was one of ours, the socket tells.
            return self.take_signal();
        }
        let output_state = polled[1].revents();
        if output_state.intersects(PollFlags::ERR | PollFlags::HUP) {
            return Wake::ReaderGone;
        }
        self.watch_output &= !output_state.contains(PollFlags::NVAL);
        self.take_signal()
    }

    fn take_signal(&mut self) -> Wake {
        match (&self.received).read(&mut [0; 16]) {
            Ok(1..) => Wake::Signal,
            Ok(0) | Err(_) => Wake::TimedOut,
        }
    }
}
