//! Log files of daemons and workers: bounded in total, rotated by renaming, with levels that change
//! while the process runs.
//!
//! ```text
//!   tracing ─▶ levels ─▶ RotatingFile       worker.log       written to
//!                            │  rename      worker.log.1     the one before
//!   stdout, stderr ──────────┘              worker.log.2     …
//! ```
//!
//! **Invariants.** No line is lost at a rotation, and none is cut in two. A reader that follows a
//! file by its name sees it renamed and a new one in its place. All files of one log together hold
//! at most [`Bounds::total_bytes`] and one line.
//!
//! **Runs on** the thread that logs; it writes with one system call per line.
//!
//! **Not here:** reading logs for people, which `stormdeploy logs` does.

mod by_thread;
mod levels;
mod rotating;
mod tail;

use std::io;
use std::path::PathBuf;

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use by_thread::ByThread;
pub use levels::Levels;
pub use rotating::{Bounds, RotatingFile};
pub use tail::{Mark, last_lines};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// A file or its folder cannot be made.
    #[error("cannot log to {path}: {source}; make its folder writable, or name another one", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody set up logging for this process before.
    #[error("this process logs already; logging is set up once, at its start")]
    AlreadyStarted,
}

/// Sends the log lines of the whole process to `writer`, at level `info` until told otherwise.
///
/// A line begins with the time in UTC as RFC 3339 tells it, and the level.
///
/// # Errors
/// [`LogError::AlreadyStarted`].
pub fn start<W>(writer: W) -> Result<Levels, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, levels) = Levels::new();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_thread_names(true)
        .log_internal_errors(false)
        .with_writer(writer);
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    subscriber.try_init().map_err(|_| LogError::AlreadyStarted)?;
    Ok(levels)
}
