//! Files that are there in whole or not at all, and for their user alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::BlobError;

/// Bytes that are copied at a time.
const COPY_BYTES: usize = 64 << 10;

/// Makes a folder with all above it.
pub fn make_folder(folder: &Path) -> Result<(), BlobError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| BlobError::io("made", folder, source))
}

/// Removes everything in a folder, not the folder.
pub fn empty_folder(folder: &Path) -> Result<(), BlobError> {
    for entry in read_folder(folder)? {
        remove_if_there(&entry)?;
    }
    Ok(())
}

/// What stands in a folder; nothing if it is missing.
pub fn read_folder(folder: &Path) -> Result<Vec<PathBuf>, BlobError> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    match read() {
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        entries => entries.map_err(|source: io::Error| BlobError::io("listed", folder, source)),
    }
}

/// Removes a file or a folder with all in it; what is gone is none the worse.
pub fn remove_if_there(path: &Path) -> Result<(), BlobError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if !is_missing(&error) => Err(BlobError::io("removed", path, error)),
        _ => Ok(()),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A file that is being written, and is removed unless it is published.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    /// CRC32C of what was written.
    checksum: u32,
    written: u64,
    limit: u64,
    is_published: bool,
}

impl Partial {
    /// Begins a file in a folder that is there.
    pub fn begin(folder: &Path, name: &str, limit: u64) -> Result<Self, BlobError> {
        let path = folder.join(name);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|source| BlobError::io("made", &path, source))?;
        Ok(Self { file, path, checksum: 0, written: 0, limit, is_published: false })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8], what: impl Fn() -> String) -> Result<(), BlobError> {
        if self.limit - self.written < bytes.len() as u64 {
            return Err(BlobError::TooLarge { what: what(), limit: self.limit });
        }
        let written = self.file.write_all(bytes);
        written.map_err(|source| BlobError::io("written", &self.path, source))?;
        self.written += bytes.len() as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        Ok(())
    }

    /// Adds all that can be read.
    pub fn copy(
        &mut self,
        from: &mut dyn Read,
        what: impl Fn() -> String,
    ) -> Result<(), BlobError> {
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(bytes) => self.write(&buffer[..bytes], &what)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(BlobError::io("copied", &self.path, source)),
            }
        }
    }

    /// Puts all bytes on the disk.
    pub fn sync(&self) -> Result<(), BlobError> {
        self.file.sync_all().map_err(|source| BlobError::io("written", &self.path, source))
    }

    /// Gives the file, which was synced, its place, replacing what is there.
    pub fn publish(mut self, place: &Path) -> Result<u32, BlobError> {
        let folder = place.parent().expect("a file has a folder");
        fs::rename(&self.path, place).map_err(|source| match self.path.exists() {
            true => BlobError::io("put in its place", place, source),
            false => BlobError::io("put in its place", &self.path, source),
        })?;
        self.is_published = true;
        sync_folder(folder)?;
        Ok(self.checksum)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_published
            && let Err(error) = remove_if_there(&self.path)
        {
            tracing::warn!(%error, "what was not finished stays until the next start");
        }
    }
}

/// Puts a folder's names on the disk.
pub fn sync_folder(folder: &Path) -> Result<(), BlobError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| BlobError::io("written", folder, source))
}

/// CRC32C of all that can be read.
pub fn checksum(mut from: impl Read) -> io::Result<u32> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut checksum = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(checksum),
            Ok(bytes) => checksum = crc32c::crc32c_append(checksum, &buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
