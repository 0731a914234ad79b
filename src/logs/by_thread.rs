//! One process with several daemons: each has its log, by the name of the thread that logs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tracing_subscriber::fmt::MakeWriter;

use super::RotatingFile;

/// Sends the lines of each thread to the log that its name stands for.
///
/// Clones are the same: logs may be added while the process runs.
#[derive(Clone, Debug)]
pub struct ByThread {
    /// For threads that no log is named after.
    rest: Arc<RotatingFile>,
    /// Written when a daemon starts or ends, read with every line.
    thread_to_log: Arc<RwLock<BTreeMap<String, Arc<RotatingFile>>>>,
}

impl ByThread {
    /// All lines go to one log until others are added.
    pub fn new(rest: RotatingFile) -> Self {
        Self { rest: Arc::new(rest), thread_to_log: Arc::default() }
    }

    /// Lines of threads with this name go to `log` from now on.
    pub fn add(&self, thread: impl Into<String>, log: RotatingFile) {
        let mut logs = self.thread_to_log.write().unwrap_or_else(PoisonError::into_inner);
        logs.insert(thread.into(), Arc::new(log));
    }

    /// Lines of threads with this name go to the log for the rest again.
    pub fn remove(&self, thread: &str) {
        self.thread_to_log.write().unwrap_or_else(PoisonError::into_inner).remove(thread);
    }

    fn log_of(&self, thread: Option<&str>) -> Arc<RotatingFile> {
        let logs = self.thread_to_log.read().unwrap_or_else(PoisonError::into_inner);
        thread.and_then(|name| logs.get(name)).unwrap_or(&self.rest).clone()
    }
}

impl<'a> MakeWriter<'a> for ByThread {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.log_of(std::thread::current().name()))
    }
}

/// Writes one line to the log that was chosen for it.
#[derive(Debug)]
pub struct Line(Arc<RotatingFile>);

impl std::io::Write for Line {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.append(line)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Bounds;

    #[test]
    fn each_thread_writes_to_its_own_log_until_it_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |name: &str| {
            RotatingFile::open(folder.path().join(name), Bounds::default()).expect("it opens")
        };
        let logs = ByThread::new(open("nimbus.log"));
        logs.add("supervisor-0", open("supervisor-0.log"));
        let name = |thread| logs.log_of(thread).path().file_name().map(|name| name.to_owned());
        assert_eq!(name(Some("supervisor-0")), Some("supervisor-0.log".into()));
        assert_eq!(name(Some("supervisor-1")), Some("nimbus.log".into()));
        assert_eq!(name(None), Some("nimbus.log".into()));
        logs.remove("supervisor-0");
        assert_eq!(name(Some("supervisor-0")), Some("nimbus.log".into()));
    }
}
