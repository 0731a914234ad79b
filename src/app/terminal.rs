//! Standard output and standard error: data on the one, progress, logs and errors on the other.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Whether the last line of the terminal is the progress. The terminal is one for the whole
/// process, so this is too; any thread that prints clears it.
static PROGRESS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Whether standard output is kept for one JSON object; set before any component runs.
static LINES_TO_STDERR: AtomicBool = AtomicBool::new(false);

/// Width of what is printed where there is no terminal, in characters.
const PAGE_WIDTH: usize = 100;

/// Returns to the beginning of the line and clears it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Prints one line of a component's data on standard output.
///
/// Unlike `println!` it does not panic when the reader of the output has gone: then nothing is
/// printed, and [`App`](super::App) ends the run. Under `run --json`, where standard output is one
/// JSON object, lines go to standard error.
///
/// # Cost
/// It takes the lock of standard output and flushes: for reports, not for every tuple.
pub fn print(line: impl Display) {
    clear_progress();
    let line = format!("{line}\n");
    // Where nobody reads, nobody misses the line.
    let _ = if LINES_TO_STDERR.load(Ordering::Relaxed) {
        io::stderr().write_all(line.as_bytes())
    } else {
        write_data(line.as_bytes())
    };
}

/// Writes to standard output and flushes.
pub(super) fn write_data(data: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(data)?;
    out.flush()
}

/// Keeps standard output for one JSON object.
pub(super) fn reserve_stdout() {
    LINES_TO_STDERR.store(true, Ordering::Relaxed);
}

/// Width of the terminal that standard output is, else of a page.
pub(super) fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    let width = size.map_or(0, |size| usize::from(size.ws_col));
    if width == 0 { PAGE_WIDTH } else { width }
}

/// Whether somebody may be watching standard error.
pub(super) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Shows the progress in place of the last one.
pub(super) fn show_progress(line: &str) {
    let _ = write!(io::stderr(), "{CLEAR_LINE}{line}");
    PROGRESS_SHOWN.store(true, Ordering::Relaxed);
}

/// Clears the progress, so that something else can be printed.
pub(super) fn clear_progress() {
    if PROGRESS_SHOWN.swap(false, Ordering::Relaxed) {
        let _ = io::stderr().write_all(CLEAR_LINE.as_bytes());
    }
}

/// Prints a remark on standard error.
pub(super) fn remark(program: &str, text: impl Display) {
    clear_progress();
    let _ = writeln!(io::stderr(), "{program}: {text}");
}

/// Has log lines up to a level printed on standard error.
pub(super) fn start_logging(level: LevelFilter) {
    let to_stderr = || {
        clear_progress();
        io::stderr()
    };
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_writer(to_stderr);
    // Only an author who has set up logging already is refused, and is right.
    let _ = tracing_subscriber::registry().with(lines.with_filter(level)).try_init();
}

/// Prints what to do about an error.
pub(super) fn hint(text: &str) {
    let _ = writeln!(io::stderr(), "\nhint: {text}");
}
