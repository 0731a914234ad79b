//! Nimbus' inbox: archives that a submitter uploads before it submits.
//!
//! ```text
//! <folder>/stormjar-<random>.jar        finished; expires by its time of modification
//! <folder>/stormjar-<random>.jar.part   not finished; gone at the next start
//! ```

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::BlobError;
use super::file::{self, Partial};
use super::session::{Sessions, random_name};
use crate::clock::{Clock, unix_time_ms};

const PREFIX: &str = "stormjar-";
const FINISHED: &str = ".jar";
const UNFINISHED: &str = ".jar.part";

/// Uploads at a time.
const MAX_UPLOADS: usize = 256;

/// How the inbox is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxConf {
    /// Largest archive, in bytes.
    pub max_jar_bytes: u64,
    /// After which idle time an upload ends: `nimbus.file.copy.expiration.secs`.
    pub upload_idle: Duration,
    /// After which time a finished archive is removed: `nimbus.inbox.jar.expiration.secs`.
    pub keep: Duration,
}

impl Default for InboxConf {
    /// Archives of up to 4 GiB, ten minutes, and an hour.
    fn default() -> Self {
        Self {
            max_jar_bytes: 4 << 30,
            upload_idle: Duration::from_secs(600),
            keep: Duration::from_secs(3600),
        }
    }
}

/// Archives on their way.
#[derive(Debug)]
pub struct JarInbox {
    folder: PathBuf,
    conf: InboxConf,
    uploads: Sessions<Partial>,
}

impl JarInbox {
    /// Opens the inbox in a folder, making it if it is missing, and removes what was not finished.
    ///
    /// # Errors
    /// The folder cannot be made, read or cleaned.
    pub fn open(folder: &Path, conf: InboxConf, clock: Clock) -> Result<Self, BlobError> {
        file::make_folder(folder)?;
        let uploads = Sessions::new("uploads of archives", MAX_UPLOADS, conf.upload_idle, clock);
        let inbox = Self { folder: folder.to_owned(), conf, uploads };
        for path in file::read_folder(folder)? {
            if name_of(&path).ends_with(UNFINISHED) {
                file::remove_if_there(&path)?;
            }
        }
        Ok(inbox)
    }

    /// Begins an upload and answers its location, the path that the archive will have.
    ///
    /// # Errors
    /// Too many are under way, or the disk failed.
    pub fn begin_upload(&self) -> Result<String, BlobError> {
        let name = format!("{PREFIX}{}", random_name()?);
        let limit = self.conf.max_jar_bytes;
        let partial = Partial::begin(&self.folder, &format!("{name}{UNFINISHED}"), limit)?;
        let location = self.folder.join(format!("{name}{FINISHED}")).display().to_string();
        self.uploads.open(location.clone(), partial)?;
        Ok(location)
    }

    /// Adds bytes to an upload; one that fails is over.
    ///
    /// # Errors
    /// There is no such upload, the archive gets too large, or the disk is full.
    pub fn upload_chunk(&self, location: &str, chunk: &[u8]) -> Result<(), BlobError> {
        let what = || "the archive".to_owned();
        let written = self.uploads.with(location, |partial| partial.write(chunk, what));
        if !matches!(written, Ok(()) | Err(BlobError::NoSession { .. })) {
            let _ = self.uploads.close(location);
        }
        written
    }

    /// Ends an upload: the archive is at its location.
    ///
    /// # Errors
    /// There is no such upload, or the disk failed.
    pub fn finish_upload(&self, location: &str) -> Result<(), BlobError> {
        let partial = self.uploads.close(location)?;
        partial.sync()?;
        partial.publish(Path::new(location)).map(|_| ())
    }

    /// The file of a finished archive. Only what was uploaded here has one, whatever path is asked
    /// for.
    ///
    /// # Errors
    /// There is none.
    pub fn finished(&self, location: &str) -> Result<PathBuf, BlobError> {
        let path = Path::new(location);
        let is_ours = path.parent() == Some(&self.folder) && is_finished(path);
        match path.symlink_metadata() {
            Ok(found) if is_ours && found.is_file() => Ok(path.to_owned()),
            _ => Err(BlobError::NoUpload { location: location.to_owned() }),
        }
    }

    /// Removes a finished archive; one that is gone is none the worse.
    ///
    /// # Errors
    /// The disk failed.
    pub fn remove(&self, location: &str) -> Result<(), BlobError> {
        match self.finished(location) {
            Ok(path) => file::remove_if_there(&path),
            Err(_) => Ok(()),
        }
    }

    /// Ends idle uploads and removes archives that are too old; answers how many there were.
    ///
    /// # Errors
    /// The disk failed.
    pub fn expire(&self) -> Result<usize, BlobError> {
        self.expire_at(unix_time_ms())
    }

    fn expire_at(&self, now_ms: u64) -> Result<usize, BlobError> {
        let mut expired = self.uploads.expire();
        for path in file::read_folder(&self.folder)?.into_iter().filter(|path| is_finished(path)) {
            let modified = path.metadata().and_then(|found| found.modified());
            let modified_ms = modified.ok().and_then(|time| {
                Some(time.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis() as u64)
            });
            let is_old =
                |modified| u128::from(now_ms.saturating_sub(modified)) > self.conf.keep.as_millis();
            if modified_ms.is_some_and(is_old) {
                file::remove_if_there(&path)?;
                expired += 1;
            }
        }
        Ok(expired)
    }
}

fn is_finished(path: &Path) -> bool {
    let name = name_of(path);
    name.starts_with(PREFIX) && name.ends_with(FINISHED)
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SimulatedClock;

    struct Place {
        clock: SimulatedClock,
        inbox: JarInbox,
        folder: tempfile::TempDir,
    }

    fn place(max_jar_bytes: u64) -> Place {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let clock = SimulatedClock::new();
        let conf = InboxConf { max_jar_bytes, ..InboxConf::default() };
        let inbox =
            JarInbox::open(&folder.path().join("inbox"), conf, clock.clock()).expect("it opens");
        Place { clock, inbox, folder }
    }

    fn files(place: &Place) -> usize {
        file::read_folder(&place.folder.path().join("inbox")).expect("it is there").len()
    }

    #[test]
    fn an_archive_is_there_when_it_is_finished() {
        let place = place(100);
        let location = place.inbox.begin_upload().expect("it begins");
        place.inbox.upload_chunk(&location, b"one ").expect("it is written");
        let early = place.inbox.finished(&location);
        assert!(matches!(early, Err(BlobError::NoUpload { .. })), "{early:?}");
        place.inbox.upload_chunk(&location, b"two").expect("it is written");
        place.inbox.finish_upload(&location).expect("it is finished");
        let path = place.inbox.finished(&location).expect("it is there");
        assert_eq!(std::fs::read(path).expect("it is read"), b"one two");
        assert!(place.inbox.upload_chunk(&location, b"more").is_err());
        place.inbox.remove(&location).expect("it is removed");
        place.inbox.remove(&location).expect("it is gone already");
        assert_eq!(files(&place), 0);
    }

    #[test]
    fn only_own_uploads_have_a_file() {
        let place = place(100);
        let secret = place.folder.path().join("stormjar-x.jar");
        std::fs::write(&secret, "secret").expect("it is written");
        let inbox = place.folder.path().join("inbox");
        for location in [
            secret.display().to_string(),
            inbox.join("../stormjar-x.jar").display().to_string(),
            "/etc/passwd".to_owned(),
            String::new(),
        ] {
            assert!(place.inbox.finished(&location).is_err(), "{location}");
        }
        std::os::unix::fs::symlink(&secret, inbox.join("stormjar-y.jar")).expect("a link");
        assert!(place.inbox.finished(&inbox.join("stormjar-y.jar").display().to_string()).is_err());
    }

    #[test]
    fn a_restart_keeps_what_was_finished_and_nothing_else() {
        let place = place(100);
        let finished = place.inbox.begin_upload().expect("it begins");
        place.inbox.finish_upload(&finished).expect("it is finished");
        let unfinished = place.inbox.begin_upload().expect("it begins");
        // As a crash would: nothing is cleaned up.
        std::mem::forget(place.inbox.uploads.close(&unfinished).expect("it is open"));
        assert_eq!(files(&place), 2);
        let folder = place.folder.path().join("inbox");
        let again =
            JarInbox::open(&folder, InboxConf::default(), Clock::system()).expect("it opens");
        assert!(again.finished(&finished).is_ok());
        assert_eq!(files(&place), 1);
    }

    #[test]
    fn a_large_archive_ends_its_upload() {
        let place = place(10);
        let location = place.inbox.begin_upload().expect("it begins");
        place.inbox.upload_chunk(&location, &[0; 10]).expect("it fits");
        let text = place.inbox.upload_chunk(&location, b"x").expect_err("too large").to_string();
        assert!(text.contains("limit of 10 bytes"), "{text}");
        assert_eq!(files(&place), 0);
        assert!(place.inbox.finish_upload(&location).is_err());
    }

    #[test]
    fn idle_uploads_and_old_archives_expire() {
        let place = place(100);
        let finished = place.inbox.begin_upload().expect("it begins");
        place.inbox.finish_upload(&finished).expect("it is finished");
        place.inbox.begin_upload().expect("it begins");
        place.clock.advance(Duration::from_secs(601));
        assert_eq!(place.inbox.expire().expect("it is cleaned"), 1);
        assert_eq!(files(&place), 1);
        let in_an_hour = unix_time_ms() + 3_601_000;
        assert_eq!(place.inbox.expire_at(in_an_hour).expect("it is cleaned"), 1);
        assert!(place.inbox.finished(&finished).is_err());
    }
}
