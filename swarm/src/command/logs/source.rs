//! One log as a sequence of lines, over all files into which it was cut by rotation.
//!
//! A rotated log is `x.log.1`, and `x.log.2` is older. A file is known by its inode, so that it is
//! read on under its new name when it was moved away.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nimbus_client::TopologyId;

use super::line::{Line, Time};

/// Folder of the workers' logs.
const WORKERS: &str = "workers-artifacts";
/// What workers log.
pub const LOG: &str = "worker.log";
/// What was sampled of their components' emissions.
pub const EVENTS: &str = "events.log";
/// Longest line that is kept whole; longer ones are shown in pieces.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// A log that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What it is of.
    pub label: String,
    /// The file that is written now.
    pub path: PathBuf,
}

/// The logs of what was asked for, or all; sorted by label. Of workers it is the file of that name;
/// daemons have [`LOG`] alone.
pub fn find(logs: &Path, what: Option<&str>, file: &str) -> Vec<Found> {
    let of_daemons = daemons(logs).filter(|one| what.is_none_or(|what| one.label == what));
    let mut found: Vec<Found> = of_daemons.filter(|_| file == LOG).collect();
    let topologies = topologies(logs);
    let wanted: Vec<&String> = match what {
        None => topologies.iter().collect(),
        Some(what) => match topologies.iter().find(|id| *id == what) {
            Some(exact) => vec![exact],
            None => newest_of(&topologies, what).into_iter().collect(),
        },
    };
    for id in wanted {
        for port in entries(&logs.join(WORKERS).join(id)) {
            let path = logs.join(WORKERS).join(id).join(&port).join(file);
            if path.is_file() {
                found.push(Found { label: format!("{id}:{port}"), path });
            }
        }
    }
    found.sort();
    found
}

/// The end of each log of a topology, at most so many lines each, with the log's label.
pub fn last_lines_of(logs: &Path, topology: &str, lines: usize) -> Vec<String> {
    let end = |one: Found| {
        let lines = crate::state::last_lines(&one.path, lines);
        lines.into_iter().map(move |line| format!("{}: {line}", one.label))
    };
    find(logs, Some(topology), LOG).into_iter().flat_map(end).collect()
}

/// What there are logs of.
pub fn known(logs: &Path) -> Vec<String> {
    let mut known: Vec<String> =
        daemons(logs).map(|one| one.label).chain(topologies(logs)).collect();
    known.sort();
    known
}

fn daemons(logs: &Path) -> impl Iterator<Item = Found> {
    entries(logs).into_iter().filter_map(|name| {
        let label = name.strip_suffix(".log")?.to_owned();
        Some(Found { label, path: logs.join(&name) })
    })
}

fn topologies(logs: &Path) -> Vec<String> {
    entries(&logs.join(WORKERS))
}

/// The id that was given last to a topology of this name.
fn newest_of<'a>(ids: &'a [String], name: &str) -> Option<&'a String> {
    let parsed = ids.iter().filter_map(|id| Some((id, id.parse::<TopologyId>().ok()?)));
    let same = parsed.filter(|(_, id)| id.name().as_str() == name);
    same.max_by_key(|(_, id)| (id.submitted_at_secs(), id.counter())).map(|(id, _)| id)
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// A log that is being read.
#[derive(Debug)]
pub struct Source {
    found: Found,
    /// The file that is read now.
    file: BufReader<File>,
    inode: u64,
    /// Files that come after it, the oldest first.
    next: VecDeque<(File, u64)>,
    time: Option<Time>,
    /// The begin of a line whose end is not written yet.
    pending: Vec<u8>,
}

impl Source {
    /// Opens a log at its oldest file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(found: &Found) -> io::Result<Self> {
        let mut next = VecDeque::new();
        for path in generations(&found.path) {
            match File::open(&path) {
                Ok(file) => next.push_front((inode_of(&file)?, file)),
                // It was rotated away while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound && path != found.path => {}
                Err(error) => return Err(error),
            }
        }
        let mut next: VecDeque<(File, u64)> =
            next.into_iter().map(|(inode, file)| (file, inode)).collect();
        let (file, inode) = next.pop_front().ok_or(io::ErrorKind::NotFound)?;
        // Lines before the first one with a time are as old as the file.
        let time = file.metadata()?.created().ok().map(Time::of);
        let file = BufReader::new(file);
        Ok(Self { found: found.clone(), file, inode, next, time, pending: Vec::new() })
    }

    /// What it is a log of.
    pub fn label(&self) -> &str {
        &self.found.label
    }

    /// Whether it is the log that was found.
    pub fn is(&self, found: &Found) -> bool {
        self.found == *found
    }

    /// The next line that is there whole.
    pub fn next_line(&mut self) -> Option<Line> {
        loop {
            let limit = MAX_LINE_BYTES - self.pending.len() as u64;
            let read = self.file.by_ref().take(limit).read_until(b'\n', &mut self.pending).ok()?;
            let is_whole =
                self.pending.ends_with(b"\n") || self.pending.len() as u64 == MAX_LINE_BYTES;
            if !is_whole && read > 0 {
                continue;
            }
            if is_whole || (!self.pending.is_empty() && !self.next.is_empty()) {
                return Some(self.take_line());
            }
            // The end of this file: whatever follows stands in the next one.
            let (file, inode) = self.next.pop_front()?;
            self.file = BufReader::new(file);
            self.inode = inode;
        }
    }

    fn take_line(&mut self) -> Line {
        let bytes = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        self.time = Time::at_start_of(&text).or(self.time);
        Line { time: self.time, text }
    }

    /// Looks whether the log was rotated since, and takes up the files that came after.
    pub fn follow_rotation(&mut self) {
        self.follow_emptying();
        let last = self.next.back().map_or(self.inode, |(_, inode)| *inode);
        let mut newer = Vec::new();
        for path in generations(&self.found.path) {
            let Ok(file) = File::open(&path) else { continue };
            let Ok(inode) = inode_of(&file) else { continue };
            if inode == last {
                break;
            }
            newer.push((file, inode));
        }
        self.next.extend(newer.into_iter().rev());
    }
}

impl Source {
    /// A log of a single file is emptied when it is full; then it is read from its start.
    fn follow_emptying(&mut self) {
        let length = self.file.get_ref().metadata().map_or(u64::MAX, |meta| meta.len());
        if self.file.stream_position().is_ok_and(|position| length < position) {
            // Only a file that cannot be read any more fails here, and that ends its lines anyway.
            let _ = self.file.seek(SeekFrom::Start(0));
            self.pending.clear();
        }
    }
}

fn inode_of(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.ino())
}

/// The files of a log, the one that is written now first.
fn generations(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let number = |entry: &String| {
        let rest = entry.strip_prefix(&name)?.strip_prefix('.')?;
        rest.parse::<u32>().ok()
    };
    let mut numbers: Vec<u32> = entries(folder).iter().filter_map(number).collect();
    numbers.sort_unstable();
    let older = numbers.into_iter().map(|number| folder.join(format!("{name}.{number}")));
    std::iter::once(path.to_owned()).chain(older).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        let file = File::options().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("it can be written");
    }

    #[track_caller]
    fn check(source: &mut Source, expected: &[&str]) {
        let lines: Vec<String> =
            std::iter::from_fn(|| source.next_line()).map(|line| line.text).collect();
        assert_eq!(lines, expected);
    }

    fn log() -> (tempfile::TempDir, Found) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("nimbus.log");
        (folder, Found { label: "nimbus".to_owned(), path })
    }

    #[test]
    fn a_rotated_log_is_read_from_its_oldest_file() {
        let (folder, found) = log();
        write(&folder.path().join("nimbus.log.2"), "a\n");
        write(&folder.path().join("nimbus.log.1"), "b\n");
        write(&folder.path().join("nimbus.log.old"), "x\n");
        write(&found.path, "c\n");
        check(&mut Source::open(&found).unwrap(), &["a", "b", "c"]);
    }

    #[test]
    fn following_goes_on_across_two_rotations_between_two_looks() {
        let (folder, found) = log();
        let rotated = |number: u32| folder.path().join(format!("nimbus.log.{number}"));
        write(&found.path, "1\n2");
        let mut source = Source::open(&found).unwrap();
        check(&mut source, &["1"]);
        write(&found.path, "b\n3\n");
        fs::rename(&found.path, rotated(1)).unwrap();
        write(&found.path, "4\n");
        fs::rename(rotated(1), rotated(2)).unwrap();
        fs::rename(&found.path, rotated(1)).unwrap();
        write(&found.path, "5\n");
        source.follow_rotation();
        check(&mut source, &["2b", "3", "4", "5"]);
        source.follow_rotation();
        check(&mut source, &[]);
        write(&found.path, "6\n");
        check(&mut source, &["6"]);
    }

    #[test]
    fn a_log_that_was_emptied_is_read_from_its_start() {
        let (_folder, found) = log();
        write(&found.path, "one\ntwo\n");
        let mut source = Source::open(&found).unwrap();
        check(&mut source, &["one", "two"]);
        File::options().write(true).open(&found.path).unwrap().set_len(0).unwrap();
        write(&found.path, "3\n");
        source.follow_rotation();
        check(&mut source, &["3"]);
    }

    #[test]
    fn a_line_without_a_time_has_that_of_the_line_before() {
        let (_folder, found) = log();
        write(&found.path, "2026-11-21T18:27:38Z panicked\n  at src/x.rs\n");
        let mut source = Source::open(&found).unwrap();
        let first = source.next_line().unwrap();
        assert_eq!(source.next_line().unwrap().time, first.time);
    }

    #[test]
    fn what_was_asked_for_is_found_and_of_a_topology_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            "nimbus.log",
            "nimbus.log.1",
            "supervisor-0.log",
            "workers-artifacts/wc-1-100/6700/worker.log",
            "workers-artifacts/wc-2-200/6700/worker.log",
            "workers-artifacts/wc-2-200/6704/worker.log",
            "workers-artifacts/wc-2-200/6704/events.log",
            "workers-artifacts/wc-x-1-300/6701/worker.log",
        ] {
            write(&folder.path().join(path), "x\n");
        }
        let labels = |what| -> Vec<String> {
            find(folder.path(), what, LOG).into_iter().map(|one| one.label).collect()
        };
        assert_eq!(labels(Some("nimbus")), ["nimbus"]);
        assert_eq!(labels(Some("wc")), ["wc-2-200:6700", "wc-2-200:6704"]);
        assert_eq!(labels(Some("wc-1-100")), ["wc-1-100:6700"]);
        assert_eq!(labels(Some("nothing")), [""; 0]);
        assert_eq!(labels(None).len(), 6);
        let events = find(folder.path(), None, EVENTS);
        assert_eq!(events.len(), 1);
        assert!(events[0].label == "wc-2-200:6704" && events[0].path.ends_with(EVENTS));
        assert_eq!(
            known(folder.path()),
            ["nimbus", "supervisor-0", "wc-1-100", "wc-2-200", "wc-x-1-300"]
        );
    }
}
