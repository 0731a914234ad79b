//! A log file that is renamed when it is full.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::LogError;

/// How much one log may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes after which a file is renamed; at least 1.
    pub file_bytes: u64,
    /// Files of one log, the one that is written to among them; at least 1. With 1 the full file
    /// is emptied.
    pub files: u32,
}

impl Bounds {
    /// Bytes that all files of the log may hold together.
    pub fn total_bytes(&self) -> u64 {
        self.file_bytes.saturating_mul(self.files.into())
    }
}

impl Default for Bounds {
    /// Five files of 10 MiB.
    fn default() -> Self {
        Self { file_bytes: 10 << 20, files: 5 }
    }
}

/// A log file that is renamed to `<name>.1` when it is full, `<name>.1` to `<name>.2` and so on.
///
/// Several processes may append to it: whoever finds it full renames it, the
/// others fill the renamed one and notice then.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    bounds: Bounds,
    /// Whether standard output and standard error follow the file.
    with_stdio: bool,
    /// The open file. Any thread that logs takes the lock for the time of one write, so that a
    /// line never goes to a file that another thread is just renaming.
    file: Mutex<File>,
}

impl RotatingFile {
    /// Opens a log for appending, and makes its folders.
    ///
    /// # Errors
    /// [`LogError::Open`].
    pub fn open(path: impl Into<PathBuf>, bounds: Bounds) -> Result<Self, LogError> {
        let path = path.into();
        let opened = match path.parent() {
            Some(folder) => fs::create_dir_all(folder).and_then(|()| append(&path)),
            None => append(&path),
        };
        match opened {
            Ok(file) => Ok(Self { path, bounds, with_stdio: false, file: Mutex::new(file) }),
            Err(source) => Err(LogError::Open { path, source }),
        }
    }

    /// As [`open`](Self::open), and what the process prints on standard output and standard error
    /// goes to the log as well, whichever file it is just now.
    ///
    /// # Errors
    /// [`LogError::Open`].
    pub fn with_stdio(path: impl Into<PathBuf>, bounds: Bounds) -> Result<Self, LogError> {
        let mut log = Self::open(path, bounds)?;
        log.with_stdio = true;
        let file = log.file.lock().unwrap_or_else(PoisonError::into_inner);
        let pointed = point_stdio_at(&file);
        drop(file);
        match pointed {
            Ok(()) => Ok(log),
            Err(source) => Err(LogError::Open { path: log.path, source }),
        }
    }

    /// Where the log is written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Renames the file if it is full, also with lines that did not come through this value.
    ///
    /// Only a process whose standard output goes to the log needs to call it, now and then.
    ///
    /// # Errors
    /// What the system says to a rename.
    pub fn check(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room(&mut file, 0)
    }

    /// Appends bytes that must stay together.
    ///
    /// # Errors
    /// What the system says. Where a full file cannot be renamed nothing is written, so that the
    /// log stays in its bounds.
    pub fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room(&mut file, line.len() as u64)?;
        file.write_all(line)
    }

    fn make_room(&self, file: &mut File, line_bytes: u64) -> io::Result<()> {
        let state = file.metadata()?;
        let held_bytes = state.len();
        // A line longer than a whole file stands alone in one.
        if held_bytes == 0 || held_bytes + line_bytes <= self.bounds.file_bytes {
            return Ok(());
        }
        let is_ours = match fs::metadata(&self.path) {
            Ok(now) => (now.dev(), now.ino()) == (state.dev(), state.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if is_ours {
            self.shift()?;
        }
        let next = append(&self.path)?;
        if self.with_stdio {
            point_stdio_at(&next)?;
        }
        *file = next;
        Ok(())
    }

    fn shift(&self) -> io::Result<()> {
        if self.bounds.files < 2 {
            return fs::remove_file(&self.path);
        }
        for older in (1..self.bounds.files - 1).rev() {
            rename_if_there(&self.numbered(older), &self.numbered(older + 1))?;
        }
        rename_if_there(&self.path, &self.numbered(1))
    }

    fn numbered(&self, number: u32) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Write for &RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.append(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for RotatingFile {
    type Writer = &'a RotatingFile;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn point_stdio_at(file: &File) -> io::Result<()> {
    rustix::stdio::dup2_stdout(file)?;
    rustix::stdio::dup2_stderr(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SMALL: Bounds = Bounds { file_bytes: 100, files: 3 };

    /// All lines of a log, oldest first.
    fn lines(path: &Path) -> Vec<String> {
        let older = (1..9).rev().map(|number| format!("{}.{number}", path.display()).into());
        older
            .chain([path.to_owned()])
            .filter_map(|path: PathBuf| fs::read_to_string(path).ok())
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn a_log_stays_in_its_bounds_and_keeps_the_newest_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/worker.log");
        let log = RotatingFile::open(&path, SMALL).expect("it opens");
        for line in 0..100 {
            log.append(format!("line {line:04}\n").as_bytes()).expect("it is written");
        }
        let kept = lines(&path);
        assert_eq!(kept.last().map(String::as_str), Some("line 0099"));
        assert_eq!(kept.len(), 30);
        let files = fs::read_dir(path.parent().expect("a folder")).expect("it is listed");
        let bytes: u64 =
            files.map(|file| file.expect("a file").metadata().expect("it").len()).sum();
        assert!(bytes <= SMALL.total_bytes(), "{bytes}");
    }

    #[test]
    fn no_line_is_lost_or_cut_when_threads_log_during_rotations() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("daemon.log");
        let bounds = Bounds { file_bytes: 2_000, files: 1_000 };
        let log = Arc::new(RotatingFile::open(&path, bounds).expect("it opens"));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let log = &log;
                scope.spawn(move || {
                    for line in 0..500 {
                        let line = format!("{thread} {line:03}\n");
                        log.append(line.as_bytes()).expect("it is written");
                    }
                });
            }
        });
        let mut all = Vec::new();
        for file in fs::read_dir(folder.path()).expect("it is listed") {
            let text = fs::read_to_string(file.expect("a file").path()).expect("text");
            all.extend(text.lines().map(str::to_owned).collect::<Vec<_>>());
        }
        all.sort();
        let wanted =
            (0..4).flat_map(|thread| (0..500).map(move |line| format!("{thread} {line:03}")));
        assert!(all.into_iter().eq(wanted));
    }

    #[test]
    fn a_file_that_another_process_renamed_is_followed_and_not_renamed_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("worker.log");
        let ours = RotatingFile::open(&path, SMALL).expect("it opens");
        let theirs = RotatingFile::open(&path, SMALL).expect("it opens");
        ours.append(&[b'a'; 90]).expect("it is written");
        theirs.append(&[b'b'; 90]).expect("it is written");
        ours.append(b"new\n").expect("it still fits");
        ours.append(b"newest\n").expect("it is written");
        assert_eq!(fs::read(&path).map(|text| text.len()).ok(), Some(97));
        assert!(!folder.path().join("worker.log.2").exists());
    }

    #[test]
    fn a_single_file_is_emptied_and_a_long_line_stands_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let bounds = Bounds { file_bytes: 10, files: 1 };
        let log = RotatingFile::open(&path, bounds).expect("it opens");
        for line in ["short\n", "a line longer than the file\n"] {
            log.append(line.as_bytes()).expect("it is written");
        }
        assert_eq!(lines(&path), ["a line longer than the file"]);
    }
}
