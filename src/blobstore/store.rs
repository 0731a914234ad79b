//! The store: blobs as files, and the sessions in which they come and go.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nimbus_client::thrift::{
    BeginDownloadResult, ListBlobsResult, ReadableBlobMeta, SettableBlobMeta,
};
use nimbus_client::wire::{self, Limits};

use super::acl::{self, ACCESS_ADMIN, ACCESS_ALL, ACCESS_READ, ACCESS_WRITE};
use super::file::{self, Partial};
use super::layout::{self, Entry, Layout};
use super::session::{Sessions, random_name};
use super::{AclPolicy, BlobError, BlobKey, Caller};
use crate::clock::Clock;

/// Keys that are listed at a time.
pub const LIST_PAGE_KEYS: usize = 100;

/// Uploads, downloads and listings at a time, each.
const MAX_SESSIONS: usize = 1024;

/// How the store is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobConf {
    /// Largest blob, in bytes.
    pub max_blob_bytes: u64,
    /// What a download hands out at a time, in bytes: `storm.blobstore.inputstream.buffer.size.bytes`.
    pub chunk_bytes: usize,
    /// After which idle time a session ends: `nimbus.blobstore.expiration.secs`.
    pub session_idle: Duration,
    /// Who may do what.
    pub acl: AclPolicy,
}

impl Default for BlobConf {
    /// Blobs of up to 4 GiB, chunks of 64 KiB, ten minutes, and everybody may do everything.
    fn default() -> Self {
        Self {
            max_blob_bytes: 4 << 30,
            chunk_bytes: 64 << 10,
            session_idle: Duration::from_secs(600),
            acl: AclPolicy::default(),
        }
    }
}

/// The blobs of one Nimbus.
#[derive(Debug)]
pub struct BlobStore {
    layout: Layout,
    conf: BlobConf,
    uploads: Sessions<Upload>,
    downloads: Sessions<Download>,
    listings: Sessions<Vec<String>>,
    /// Held while a blob appears, changes or goes. Guards what is known of versions, so that they
    /// need not be computed each time a supervisor asks.
    versions: Mutex<HashMap<BlobKey, Known>>,
}

/// A version, and the file that has it.
#[derive(Clone, Copy, Debug)]
struct Known {
    inode: u64,
    modified_ns: i128,
    bytes: u64,
    version: u32,
}

#[derive(Debug)]
struct Upload {
    key: BlobKey,
    /// Only a blob that is new has them.
    meta: Option<SettableBlobMeta>,
    partial: Partial,
}

#[derive(Debug)]
struct Download {
    file: File,
}

impl BlobStore {
    /// Opens the store in a folder, making it if it is missing, and removes what was not finished.
    ///
    /// # Errors
    /// The folder cannot be made, read or cleaned.
    pub fn open(folder: &Path, conf: BlobConf, clock: Clock) -> Result<Self, BlobError> {
        let idle = conf.session_idle;
        let store = Self {
            layout: Layout::new(folder),
            conf,
            uploads: Sessions::new("uploads of blobs", MAX_SESSIONS, idle, clock.clone()),
            downloads: Sessions::new("downloads of blobs", MAX_SESSIONS, idle, clock.clone()),
            listings: Sessions::new("listings of blobs", MAX_SESSIONS, idle, clock),
            versions: Mutex::default(),
        };
        file::make_folder(&store.layout.uploading())?;
        file::empty_folder(&store.layout.uploading())?;
        store.remove_halves()?;
        Ok(store)
    }

    /// Begins a new blob; it is there when the upload is finished. Of several that are uploaded under
    /// one key the first that finishes wins.
    ///
    /// # Errors
    /// The key or the list is invalid, the key is taken, or the caller's rights do not suffice.
    pub fn begin_create(
        &self,
        key: &str,
        meta: &SettableBlobMeta,
        caller: &Caller,
    ) -> Result<String, BlobError> {
        let key: BlobKey = key.parse()?;
        let meta = self.checked_meta(&key, meta, caller)?;
        if self.contains(&key) {
            return Err(BlobError::AlreadyExists { key });
        }
        self.begin(key, Some(meta))
    }

    /// Begins to replace a blob's bytes.
    ///
    /// # Errors
    /// There is no such blob, or the caller may not write it.
    pub fn begin_update(&self, key: &str, caller: &Caller) -> Result<String, BlobError> {
        let (key, meta) = self.existing(key)?;
        self.conf.acl.require_all(&meta.acl, ACCESS_WRITE, caller, &key)?;
        self.begin(key, None)
    }

    /// Adds bytes to an upload; one that fails is over.
    ///
    /// # Errors
    /// There is no such session, the blob gets too large, or the disk is full.
    pub fn upload_chunk(&self, session: &str, chunk: &[u8]) -> Result<(), BlobError> {
        let written = self.uploads.with(session, |upload| {
            let Upload { key, partial, .. } = upload;
            partial.write(chunk, || format!("the blob '{key}'"))
        });
        if !matches!(written, Ok(()) | Err(BlobError::NoSession { .. })) {
            let _ = self.uploads.close(session);
        }
        written
    }

    /// Puts what was uploaded in its place and answers its version.
    ///
    /// # Errors
    /// There is no such session, the key was taken or the blob deleted meanwhile, or the disk failed.
    /// The session is over in any case.
    pub fn finish_upload(&self, session: &str) -> Result<i64, BlobError> {
        let upload = self.uploads.close(session)?;
        self.publish(upload)
    }

    /// Forgets what was uploaded.
    ///
    /// # Errors
    /// There is no such session.
    pub fn cancel_upload(&self, session: &str) -> Result<(), BlobError> {
        self.uploads.close(session).map(drop)
    }

    /// Makes a blob out of all that can be read.
    ///
    /// # Errors
    /// As [`begin_create`](Self::begin_create) and what follows it.
    pub fn create(
        &self,
        key: &str,
        meta: &SettableBlobMeta,
        from: &mut dyn Read,
        caller: &Caller,
    ) -> Result<i64, BlobError> {
        let session = self.begin_create(key, meta, caller)?;
        let mut upload = self.uploads.close(&session)?;
        upload.partial.copy(from, || format!("the blob '{key}'"))?;
        self.publish(upload)
    }

    /// All bytes of a blob that has at most `limit`.
    ///
    /// # Errors
    /// There is no such blob, the caller may not read it, or it is larger.
    pub fn read(&self, key: &str, limit: u64, caller: &Caller) -> Result<Vec<u8>, BlobError> {
        let (key, file) = self.readable(key, caller)?;
        let mut bytes = Vec::new();
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| BlobError::io("read", &self.layout.data(&key), source))?;
        if bytes.len() as u64 > limit {
            return Err(BlobError::TooLarge { what: format!("the blob '{key}'"), limit });
        }
        Ok(bytes)
    }

    /// A blob's meta data and version, for whoever has any right to it.
    ///
    /// # Errors
    /// There is no such blob, or the caller has no right to it.
    pub fn meta(&self, key: &str, caller: &Caller) -> Result<ReadableBlobMeta, BlobError> {
        let (key, meta) = self.existing(key)?;
        self.conf.acl.require_any(&meta.acl, ACCESS_ALL, caller, &key)?;
        let version = self.version(&key, &self.open_data(&key)?)?;
        Ok(ReadableBlobMeta::new(meta, version))
    }

    /// Replaces a blob's access control list and replication factor; whoever does so keeps the right
    /// to do it again.
    ///
    /// # Errors
    /// There is no such blob, the caller may not administer it, or the list is invalid.
    pub fn set_meta(
        &self,
        key: &str,
        meta: &SettableBlobMeta,
        caller: &Caller,
    ) -> Result<(), BlobError> {
        let _changing = self.lock();
        let (key, stored) = self.existing(key)?;
        let acl = acl::normalized(&meta.acl, caller, ACCESS_ADMIN, &key)?;
        self.conf.acl.require_all(&stored.acl, ACCESS_ADMIN, caller, &key)?;
        self.write_meta(&key, &SettableBlobMeta { acl, ..meta.clone() })
    }

    /// Begins to read a blob as it is now.
    ///
    /// # Errors
    /// There is no such blob, or the caller may not read it.
    pub fn begin_download(
        &self,
        key: &str,
        caller: &Caller,
    ) -> Result<BeginDownloadResult, BlobError> {
        let (key, file) = self.readable(key, caller)?;
        let version = self.version(&key, &file)?;
        let bytes = self.metadata(&key, &file)?.len();
        let session = random_name()?;
        self.downloads.open(session.clone(), Download { file })?;
        Ok(BeginDownloadResult::new(version, session, bytes as i64))
    }

    /// The next bytes of a download; nothing at its end, and then the session is over.
    ///
    /// # Errors
    /// There is no such session, or the disk failed.
    pub fn download_chunk(&self, session: &str) -> Result<Vec<u8>, BlobError> {
        let chunk = self.downloads.with(session, |download| {
            let mut chunk = Vec::with_capacity(self.conf.chunk_bytes);
            let limit = self.conf.chunk_bytes as u64;
            let read = (&mut download.file).take(limit).read_to_end(&mut chunk);
            read.map_err(|source| BlobError::io("read", self.layout.folder(), source))?;
            Ok(chunk)
        })?;
        if chunk.is_empty() {
            let _ = self.downloads.close(session);
        }
        Ok(chunk)
    }

    /// Deletes a blob.
    ///
    /// # Errors
    /// There is no such blob, or the caller may not write it.
    pub fn delete(&self, key: &str, caller: &Caller) -> Result<(), BlobError> {
        let mut versions = self.lock();
        let (key, meta) = self.existing(key)?;
        self.conf.acl.require_all(&meta.acl, ACCESS_WRITE, caller, &key)?;
        versions.remove(&key);
        // The data first: without it there is no blob.
        for file in [self.layout.data(&key), self.layout.meta(&key)] {
            let folder = file.parent().expect("a file has a folder");
            file::remove_if_there(&file)?;
            file::remove_if_there(folder)?;
            file::sync_folder(folder.parent().expect("a folder stands in a bucket"))?;
        }
        Ok(())
    }

    /// A page of keys. A session that is empty begins a listing of what is there now; an empty page is
    /// its end, and then the session is over.
    ///
    /// # Errors
    /// There is no such session, or the disk failed.
    pub fn list(&self, session: &str) -> Result<ListBlobsResult, BlobError> {
        let session = match session {
            "" => {
                let name = random_name()?;
                let mut keys: Vec<_> = self.keys()?.iter().map(ToString::to_string).collect();
                // Pages are taken from the end.
                keys.reverse();
                self.listings.open(name.clone(), keys)?;
                name
            }
            known => known.to_owned(),
        };
        let page: Vec<String> = self.listings.with(&session, |keys| {
            let mut page = keys.split_off(keys.len().saturating_sub(LIST_PAGE_KEYS));
            page.reverse();
            Ok(page)
        })?;
        if page.is_empty() {
            let _ = self.listings.close(&session);
        }
        Ok(ListBlobsResult::new(page, session))
    }

    /// All keys, in order.
    ///
    /// # Errors
    /// The disk failed.
    pub fn keys(&self) -> Result<BTreeSet<BlobKey>, BlobError> {
        let mut keys = BTreeSet::new();
        self.each_entry(|entry, _| {
            if let Entry::Data(key) = entry
                && self.contains(&key)
            {
                keys.insert(key);
            }
            Ok(())
        })?;
        Ok(keys)
    }

    /// Whether there is a blob; a text that is no key names none.
    pub fn exists(&self, key: &str) -> bool {
        key.parse().is_ok_and(|key| self.contains(&key))
    }

    /// Ends sessions that were idle for too long, with what they had uploaded; answers how many.
    /// Nimbus calls it now and then, and every other call does it for its own kind.
    pub fn expire_sessions(&self) -> usize {
        self.uploads.expire() + self.downloads.expire() + self.listings.expire()
    }

    fn checked_meta(
        &self,
        key: &BlobKey,
        meta: &SettableBlobMeta,
        caller: &Caller,
    ) -> Result<SettableBlobMeta, BlobError> {
        let acl = acl::normalized(&meta.acl, caller, ACCESS_ALL, key)?;
        self.conf.acl.require_all(&acl, ACCESS_ALL, caller, key)?;
        Ok(SettableBlobMeta { acl, ..meta.clone() })
    }

    fn begin(&self, key: BlobKey, meta: Option<SettableBlobMeta>) -> Result<String, BlobError> {
        let session = random_name()?;
        let limit = self.conf.max_blob_bytes;
        let partial = Partial::begin(&self.layout.uploading(), &session, limit)?;
        self.uploads.open(session.clone(), Upload { key, meta, partial })?;
        Ok(session)
    }

    fn publish(&self, Upload { key, meta, partial }: Upload) -> Result<i64, BlobError> {
        partial.sync()?;
        let mut versions = self.lock();
        match (&meta, self.contains(&key)) {
            (Some(_), true) => return Err(BlobError::AlreadyExists { key }),
            (None, false) => return Err(BlobError::NotFound { key }),
            (Some(meta), false) => self.write_meta(&key, meta)?,
            (None, true) => {}
        }
        let place = self.layout.data(&key);
        make_place(&place)?;
        let version = partial.publish(&place)?;
        versions.remove(&key);
        Ok(version.into())
    }

    fn write_meta(&self, key: &BlobKey, meta: &SettableBlobMeta) -> Result<(), BlobError> {
        let damaged = |source| BlobError::Meta { key: key.clone(), source };
        let bytes = wire::to_bytes(meta).map_err(damaged)?;
        let name = random_name()?;
        let mut partial = Partial::begin(&self.layout.uploading(), &name, u64::MAX)?;
        partial.write(&bytes, String::new)?;
        partial.sync()?;
        let place = self.layout.meta(key);
        make_place(&place)?;
        partial.publish(&place).map(|_| ())
    }

    fn existing(&self, key: &str) -> Result<(BlobKey, SettableBlobMeta), BlobError> {
        let key: BlobKey = key.parse()?;
        let place = self.layout.meta(&key);
        if !self.contains(&key) {
            return Err(BlobError::NotFound { key });
        }
        let bytes = match std::fs::read(&place) {
            Ok(bytes) => bytes,
            // It went in between, or it never had any.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BlobError::NotFound { key });
            }
            Err(source) => return Err(BlobError::io("read", &place, source)),
        };
        match wire::from_bytes(&bytes, &Limits::default()) {
            Ok(meta) => Ok((key, meta)),
            Err(source) => Err(BlobError::Meta { key, source }),
        }
    }

    fn readable(&self, key: &str, caller: &Caller) -> Result<(BlobKey, File), BlobError> {
        let (key, meta) = self.existing(key)?;
        self.conf.acl.require_all(&meta.acl, ACCESS_READ, caller, &key)?;
        let file = self.open_data(&key)?;
        Ok((key, file))
    }

    fn open_data(&self, key: &BlobKey) -> Result<File, BlobError> {
        let place = self.layout.data(key);
        File::open(&place).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BlobError::NotFound { key: key.clone() },
            _ => BlobError::io("read", &place, source),
        })
    }

    fn metadata(&self, key: &BlobKey, file: &File) -> Result<std::fs::Metadata, BlobError> {
        file.metadata().map_err(|source| BlobError::io("read", &self.layout.data(key), source))
    }

    /// The version of an open file; computed once for each.
    fn version(&self, key: &BlobKey, file: &File) -> Result<i64, BlobError> {
        let failed = |source| BlobError::io("read", &self.layout.data(key), source);
        let found = self.metadata(key, file)?;
        let modified_ns =
            i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
        let (inode, bytes) = (found.ino(), found.len());
        let known = self.lock().get(key).copied();
        if let Some(known) = known
            && (known.inode, known.modified_ns, known.bytes) == (inode, modified_ns, bytes)
        {
            return Ok(known.version.into());
        }
        // Another handle, so that this one stays at its beginning.
        let version = file::checksum(OffsetReader { file, at: 0 }).map_err(failed)?;
        self.lock().insert(key.clone(), Known { inode, modified_ns, bytes, version });
        Ok(version.into())
    }

    fn contains(&self, key: &BlobKey) -> bool {
        self.layout.data(key).is_file()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BlobKey, Known>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes folders that a crash left without data, with the meta data that belong to them.
    fn remove_halves(&self) -> Result<(), BlobError> {
        self.each_entry(|entry, path| match entry {
            Entry::Data(key) | Entry::Meta(key) if !self.contains(&key) => {
                file::remove_if_there(path)
            }
            Entry::Data(_) | Entry::Meta(_) => Ok(()),
        })
    }

    fn each_entry(
        &self,
        mut visit: impl FnMut(Entry, &Path) -> Result<(), BlobError>,
    ) -> Result<(), BlobError> {
        for bucket in self.layout.buckets() {
            for path in file::read_folder(&bucket)? {
                let name = path.file_name().and_then(|name| name.to_str());
                if let Some(entry) = name.and_then(layout::entry) {
                    visit(entry, &path)?;
                }
            }
        }
        Ok(())
    }
}

/// Reads an open file from its beginning without moving the place where others read.
struct OffsetReader<'a> {
    file: &'a File,
    at: u64,
}

impl Read for OffsetReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn make_place(place: &Path) -> Result<(), BlobError> {
    let folder = place.parent().expect("a file has a folder");
    let bucket = folder.parent().expect("a folder stands in a bucket");
    file::make_folder(folder)?;
    file::sync_folder(bucket)?;
    file::sync_folder(bucket.parent().expect("a bucket stands in the store"))
}
