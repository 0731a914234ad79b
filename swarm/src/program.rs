//! Running another program to its end, within a deadline and bounded output.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use crate::clock::Deadline;
use crate::process::Process;

/// Most that is kept of what a program says on standard error, in bytes.
const MAX_REMARK_BYTES: u64 = 64 << 10;

/// What a program said before it ended.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// The begin of standard error.
    pub stderr: String,
}

/// Why a program did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It cannot be started.
    #[error("cannot start {}: {}", path.display(), reason(source))]
    NotStarted {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It took longer than it was given.
    #[error("{} did not end within {}", path.display(), crate::clock::in_words(*.limit))]
    TooLong {
        /// The program.
        path: PathBuf,
        /// What it was given.
        limit: std::time::Duration,
    },
    /// It said more than can be meant.
    #[error("{} printed more than {limit_bytes} bytes", path.display())]
    TooMuch {
        /// The program.
        path: PathBuf,
        /// What it may say.
        limit_bytes: u64,
    },
}

/// The kernel's "Exec format error" does not say what is wrong.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            "it is not a program for this machine".to_owned()
        }
        _ => error.to_string(),
    }
}

/// Runs a program without input until it ends.
///
/// # Errors
/// One that cannot be started, takes too long, or prints too much; it is then ended.
pub fn run(
    path: &Path,
    arguments: &[String],
    deadline: Deadline,
    limit_bytes: u64,
) -> Result<Said, ProgramError> {
    let not_started = |source| ProgramError::NotStarted { path: path.to_owned(), source };
    let mut command = Command::new(path);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(not_started)?;
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    thread::scope(|scope| {
        let data = scope.spawn(move || read_up_to(stdout, limit_bytes + 1));
        let remarks = scope.spawn(move || read_up_to(stderr, MAX_REMARK_BYTES));
        let in_time = Process::of(child.id())
            .map_or(Ok(true), |process| process.wait_gone(deadline))
            .map_err(not_started)?;
        if !in_time {
            end(&mut child);
            return Err(ProgramError::TooLong { path: path.to_owned(), limit: deadline.limit() });
        }
        let status = child.wait().map_err(not_started)?;
        let stdout = data.join().expect("reading does not panic");
        let stderr = remarks.join().expect("reading does not panic");
        if stdout.len() as u64 > limit_bytes {
            return Err(ProgramError::TooMuch { path: path.to_owned(), limit_bytes });
        }
        Ok(Said { status, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
    })
}

/// What it prints beyond the limit is read and dropped, so that it can end.
fn read_up_to(mut from: impl Read, limit_bytes: u64) -> Vec<u8> {
    let mut read = Vec::new();
    // A broken pipe ends the output as its end does.
    let _ = from.by_ref().take(limit_bytes).read_to_end(&mut read);
    let _ = io::copy(&mut from, &mut io::sink());
    read
}

fn end(child: &mut Child) {
    // It is our own child and not yet collected, so its id is still its own.
    let _ = child.kill();
    let _ = child.wait();
}

/// How a program ended, in words.
pub fn ended_with(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(script: &str, limit: Duration) -> Result<Said, ProgramError> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        run(Path::new("/bin/sh"), &arguments, Deadline::after(limit), 1000)
    }

    #[test]
    fn both_streams_and_the_end_are_told() {
        let said = check("echo data; echo remark >&2; exit 3", Duration::from_secs(20)).unwrap();
        assert_eq!(said.stdout, b"data\n");
        assert_eq!(said.stderr, "remark\n");
        assert_eq!(ended_with(said.status), "exit code 3");
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let error = check("exec sleep 60", Duration::from_millis(50)).expect_err("too long");
        assert!(matches!(error, ProgramError::TooLong { .. }), "{error}");
    }

    #[test]
    fn a_program_that_does_not_stop_talking_is_cut() {
        let error = check("yes | head -c 500000", Duration::from_secs(20)).expect_err("too much");
        assert_eq!(error.to_string(), "/bin/sh printed more than 1000 bytes");
    }

    #[test]
    fn what_is_no_program_is_told_in_words() {
        let nothing = Deadline::after(Duration::from_secs(20));
        let error = run(Path::new("/no/program"), &[], nothing, 10).expect_err("gone");
        assert_eq!(error.to_string(), "cannot start /no/program: there is no such file");
    }
}
