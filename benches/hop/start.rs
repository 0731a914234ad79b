//! How long a process takes from its start to a line on its standard output, and its memory then.

use std::io::{self, BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::clock;
use super::machine::{self, Resident};
use super::stats::{Spread, spread};

/// One start of a process.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// From just before the process is made to its line.
    pub elapsed: Duration,
    /// Its memory at that instant; zeros where it had ended by then.
    pub resident: Resident,
}

/// Medians and ends of several starts.
#[derive(Clone, Copy, Debug)]
pub struct Starts {
    /// In milliseconds.
    pub elapsed_ms: Spread,
    /// Largest resident memory up to the line, in KiB.
    pub peak_kib: Spread,
}

/// Starts `command` `times` times (at least once), one after the other.
///
/// The process is killed after its line. It should flush the line and live on until it is killed,
/// or its memory cannot be read.
///
/// # Errors
/// When the process cannot be started, or ends without a line that begins with `line`.
pub fn starts(
    mut command: impl FnMut() -> Command,
    line: &str,
    times: usize,
) -> io::Result<Starts> {
    let runs = (0..times.max(1)).map(|_| start(&mut command(), line));
    let runs: Vec<Start> = runs.collect::<io::Result<_>>()?;
    let millis = runs.iter().map(|run| run.elapsed.as_secs_f64() * 1e3);
    let peak_kib = runs.iter().map(|run| run.resident.peak_kib as f64);
    Ok(Starts {
        elapsed_ms: spread(millis).expect("there was at least one start"),
        peak_kib: spread(peak_kib).expect("there was at least one start"),
    })
}

/// Starts `command` once and waits for the first line of its output that begins with `line`.
///
/// # Errors
/// As [`starts`].
pub fn start(command: &mut Command, line: &str) -> io::Result<Start> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let before_ns = clock::now_ns();
    let mut child = command.spawn()?;
    let output = child.stdout.take().expect("standard output is piped");
    let found = await_line(BufReader::new(output), line);
    let elapsed = Duration::from_nanos(clock::now_ns() - before_ns);
    let resident = machine::resident_of_process(child.id());
    // A process that has ended already is reaped all the same.
    let _ = child.kill();
    child.wait()?;
    found.map(|()| Start { elapsed, resident })
}

fn await_line(output: impl BufRead, wanted: &str) -> io::Result<()> {
    for line in output.lines() {
        if line?.starts_with(wanted) {
            return Ok(());
        }
    }
    Err(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("the process ended without a line that begins with {wanted:?}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_before_the_awaited_one_are_passed_over() {
        assert!(await_line("loading\nfirst tuple acked\n".as_bytes(), "first").is_ok());
    }

    #[test]
    fn a_process_that_never_says_the_line_is_an_error_that_names_it() {
        let error = await_line("loading\n".as_bytes(), "first").expect_err("the line is missing");
        assert!(error.to_string().contains("\"first\""));
    }

    #[test]
    fn a_process_is_timed_up_to_its_line_and_its_memory_is_read() {
        let shell = || {
            let mut command = Command::new("sh");
            command.args(["-c", "echo loading; echo first tuple; exec sleep 60"]);
            command
        };
        let starts = starts(shell, "first", 2).expect("the shell says the line");
        assert!(starts.elapsed_ms.min > 0.0 && starts.elapsed_ms.max < 60_000.0);
        assert!(cfg!(not(target_os = "linux")) || starts.peak_kib.min > 0.0);
    }
}
