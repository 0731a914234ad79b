//! The last lines of a log, for reports on what died.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes from the end of a file among which lines are looked for.
const WINDOW_BYTES: u64 = 64 << 10;

/// How far a log had come at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    inode: u64,
    len: u64,
}

impl Mark {
    /// The end of a log as it is now; a file that is not there has its end at zero.
    pub fn of(path: &Path) -> Self {
        std::fs::metadata(path)
            .map(|file| Self { inode: file.ino(), len: file.len() })
            .unwrap_or_default()
    }
}

/// The last lines of a log that were written since `mark`, at most `lines` of them.
///
/// Bytes that are no text are replaced. After a rotation only the new file is read.
///
/// # Errors
/// What the system says when the file is opened or read.
pub fn last_lines(path: &Path, mark: Mark, lines: usize) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let state = file.metadata()?;
    let written_from = if state.ino() == mark.inode { mark.len.min(state.len()) } else { 0 };
    let from = written_from.max(state.len().saturating_sub(WINDOW_BYTES));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(WINDOW_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut last: Vec<String> = text.lines().rev().take(lines).map(str::to_owned).collect();
    last.reverse();
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_lines_since_the_mark_are_told_and_the_last_ones_of_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("worker.log");
        assert_eq!(Mark::of(&path), Mark::default());
        fs::write(&path, "old\n").expect("written");
        let mark = Mark::of(&path);
        assert_eq!(last_lines(&path, mark, 5).expect("read"), Vec::<String>::new());
        fs::write(&path, b"old\none\ntwo\nthree\xff").expect("written");
        assert_eq!(last_lines(&path, mark, 2).expect("read"), ["two", "three\u{fffd}"]);
        fs::rename(&path, folder.path().join("worker.log.1")).expect("renamed");
        fs::write(&path, "new\n").expect("written");
        assert_eq!(last_lines(&path, mark, 5).expect("read"), ["new"]);
    }
}
