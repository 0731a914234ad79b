//! Files and blobs, in chunks.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use super::single::{Attempt, repeated};
use super::{ClientError, ClientOptions, NimbusClient, NimbusMethods};
use crate::thrift::SettableBlobMeta;

/// Bytes of a file that travel in one call; Storm's own clients send as many.
pub const FILE_CHUNK_BYTES: usize = 307_200;

/// Bytes of a blob that travel in one call; Storm's own clients send as many.
pub const BLOB_CHUNK_BYTES: usize = 65_536;

/// Bytes of a frame that are left for everything but the chunk.
const ENVELOPE_BYTES: usize = 1024;

/// Most keys that a listing takes.
const MOST_KEYS: usize = 1 << 20;

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that have arrived; it falls back to 0 when a transfer begins anew.
    pub done: u64,
    /// Bytes in all, if that is known.
    pub total: Option<u64>,
}

/// What is called with the progress after each chunk.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// How a chunk is sent to the place that was opened for it.
type SendChunk = fn(&mut NimbusClient, &str, &[u8]) -> Result<(), ClientError>;

impl NimbusClient {
    /// Uploads all of `source` and gives the place where Nimbus has it, for a submission.
    ///
    /// A connection that drops does not end it: the upload begins anew on another one.
    ///
    /// # Errors
    /// As [`call`](Self::call), and what `source` says.
    pub fn upload_file(
        &mut self,
        source: &mut (impl Read + Seek),
        progress: OnProgress<'_>,
    ) -> Result<String, ClientError> {
        self.persistently(|nimbus| {
            let location = nimbus.call(NimbusMethods::begin_file_upload)?;
            nimbus.send_all(&location, source, FILE_CHUNK_BYTES, send_file_chunk, progress)?;
            nimbus.call(|storm| storm.finish_file_upload(location.clone()))?;
            Ok(location)
        })
    }

    /// Makes a blob of all of `source`.
    ///
    /// # Errors
    /// As [`call`](Self::call), and what `source` says.
    pub fn create_blob(
        &mut self,
        key: &str,
        meta: &SettableBlobMeta,
        source: &mut (impl Read + Seek),
        progress: OnProgress<'_>,
    ) -> Result<(), ClientError> {
        let begin = |nimbus: &mut Self| {
            nimbus.call(|storm| storm.begin_create_blob(key.to_owned(), meta.clone()))
        };
        self.write_blob(begin, source, progress)
    }

    /// Replaces what a blob holds by all of `source`.
    ///
    /// # Errors
    /// As [`call`](Self::call), and what `source` says.
    pub fn update_blob(
        &mut self,
        key: &str,
        source: &mut (impl Read + Seek),
        progress: OnProgress<'_>,
    ) -> Result<(), ClientError> {
        let begin =
            |nimbus: &mut Self| nimbus.call(|storm| storm.begin_update_blob(key.to_owned()));
        self.write_blob(begin, source, progress)
    }

    fn write_blob(
        &mut self,
        mut begin: impl FnMut(&mut Self) -> Result<String, ClientError>,
        source: &mut (impl Read + Seek),
        progress: OnProgress<'_>,
    ) -> Result<(), ClientError> {
        let session = self.persistently(|nimbus| {
            let session = begin(nimbus)?;
            let sent =
                nimbus.send_all(&session, source, BLOB_CHUNK_BYTES, send_blob_chunk, progress);
            if sent.is_err() {
                // Else the unfinished blob stays until Nimbus forgets the session. Why the chunks
                // were not sent is what the caller wants to know.
                let _ = nimbus.call(|storm| storm.cancel_blob_upload(session.clone()));
            }
            sent.map(|()| session)
        })?;
        self.call(|storm| storm.finish_blob_upload(session.clone()))
    }

    /// Writes what a blob holds into `sink`, and gives its version.
    ///
    /// # Errors
    /// As [`call`](Self::call), and what `sink` says. What is in `sink` after an error is the
    /// beginning of the blob.
    pub fn read_blob(
        &mut self,
        key: &str,
        sink: &mut impl Write,
        progress: OnProgress<'_>,
    ) -> Result<i64, ClientError> {
        let begun = self.call(|storm| storm.begin_blob_download(key.to_owned()))?;
        let total = begun.data_size.and_then(|size| u64::try_from(size).ok());
        let mut done = 0;
        loop {
            let chunk = self.call(|storm| storm.download_blob_chunk(begun.session.clone()))?;
            if chunk.is_empty() {
                return Ok(begun.version);
            }
            sink.write_all(&chunk).map_err(|source| ClientError::Unwritable { source })?;
            done += chunk.len() as u64;
            progress(Progress { done, total });
        }
    }

    /// The keys of all blobs that the caller may see.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn blobs(&mut self) -> Result<Vec<String>, ClientError> {
        let mut keys = Vec::new();
        let mut session = String::new();
        while keys.len() < MOST_KEYS {
            let page = self.call(|storm| storm.list_blobs(session.clone()))?;
            if page.keys.is_empty() {
                break;
            }
            keys.extend(page.keys);
            session = page.session;
        }
        Ok(keys)
    }

    /// Does all of `work` again if a connection drops. Only what may be done twice comes here.
    fn persistently<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        // Each chunk has its deadline; all together take as long as there are chunks.
        let options = ClientOptions { total: Duration::MAX, ..self.options().clone() };
        repeated(&options, |_| work(self).map_err(Attempt::harmless))
    }

    fn send_all(
        &mut self,
        place: &str,
        source: &mut (impl Read + Seek),
        chunk_bytes: usize,
        send: SendChunk,
        progress: OnProgress<'_>,
    ) -> Result<(), ClientError> {
        let unreadable = |source| ClientError::Unreadable { source };
        let total = source.seek(SeekFrom::End(0)).map_err(unreadable)?;
        source.rewind().map_err(unreadable)?;
        let room = self.options().frame_bytes.saturating_sub(ENVELOPE_BYTES).max(1);
        let mut chunk = vec![0; chunk_bytes.min(room)];
        let mut done = 0;
        progress(Progress { done, total: Some(total) });
        loop {
            let read = read_full(source, &mut chunk).map_err(unreadable)?;
            if read == 0 {
                return Ok(());
            }
            send(self, place, &chunk[..read])?;
            done += read as u64;
            progress(Progress { done, total: Some(total) });
        }
    }
}

fn send_file_chunk(
    nimbus: &mut NimbusClient,
    location: &str,
    chunk: &[u8],
) -> Result<(), ClientError> {
    nimbus.call(|storm| storm.upload_chunk(location.to_owned(), chunk.to_vec()))
}

fn send_blob_chunk(
    nimbus: &mut NimbusClient,
    session: &str,
    chunk: &[u8],
) -> Result<(), ClientError> {
    nimbus.call(|storm| storm.upload_blob_chunk(session.to_owned(), chunk.to_vec()))
}

/// Fills `buffer`, or as much of it as there is.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
