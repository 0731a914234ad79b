//! Blobs of topologies, under Storm's keys, on top of the blob store.
//!
//! | key | what |
//! |---|---|
//! | `<id>-stormjar.jar` | the archive |
//! | `<id>-stormcode.ser` | the topology as its author built it, gzip of Thrift |
//! | `<id>-stormconf.ser` | its conf, gzip of JSON |

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use nimbus_client::TopologyId;
use nimbus_client::thrift as storm;
use nimbus_client::wire::{Limits, gunzip, gzip, state_from_bytes, state_to_bytes};
use serde_json::{Map, Value};

use super::error::NimbusError;
use crate::blobstore::{BlobError, BlobStore, Caller};

const ARCHIVE: &str = "-stormjar.jar";
const CODE: &str = "-stormcode.ser";
const CONF: &str = "-stormconf.ser";

/// Largest topology and conf that are read, unpacked, in bytes.
const LARGEST: usize = 256 << 20;

/// The blob store as Nimbus itself uses it.
#[derive(Debug)]
pub struct Blobs {
    /// The store itself, for what clients ask of it.
    pub store: BlobStore,
}

impl Blobs {
    /// Whether there is a blob.
    pub fn exists(&self, key: &str) -> bool {
        self.store.exists(key)
    }

    /// Writes a topology.
    ///
    /// # Errors
    /// The disk failed.
    pub fn put_topology(
        &self,
        id: &TopologyId,
        topology: &storm::StormTopology,
        owner: Option<&str>,
    ) -> Result<(), NimbusError> {
        let bytes = state_to_bytes(topology)
            .map_err(|error| NimbusError::invalid(format!("the topology is too large: {error}")))?;
        Ok(self.put(&format!("{id}{CODE}"), &mut bytes.as_slice(), owner)?)
    }

    /// Writes a topology's conf.
    ///
    /// # Errors
    /// The disk failed.
    pub fn put_conf(
        &self,
        id: &TopologyId,
        conf: &Map<String, Value>,
        owner: Option<&str>,
    ) -> Result<(), NimbusError> {
        let text = Value::Object(conf.clone()).to_string();
        Ok(self.put(&format!("{id}{CONF}"), &mut gzip(text.as_bytes()).as_slice(), owner)?)
    }

    /// Takes over an archive.
    ///
    /// # Errors
    /// The disk failed.
    pub fn put_archive(
        &self,
        id: &TopologyId,
        archive: &Path,
        owner: Option<&str>,
    ) -> Result<(), NimbusError> {
        let mut file = File::open(archive).map_err(|_| BlobError::NoUpload {
            location: archive.to_string_lossy().into_owned(),
        })?;
        Ok(self.put(&format!("{id}{ARCHIVE}"), &mut file, owner)?)
    }

    /// Reads a topology.
    ///
    /// # Errors
    /// It is not there or damaged.
    pub fn topology(&self, id: &TopologyId) -> Result<storm::StormTopology, NimbusError> {
        let bytes = self.store.read(&format!("{id}{CODE}"), LARGEST as u64, &Caller::nimbus())?;
        let limits = Limits::default().with_frame_bytes(LARGEST);
        state_from_bytes(&bytes, &limits).map_err(|error| damaged("the topology", id, &error))
    }

    /// Reads a topology's conf.
    ///
    /// # Errors
    /// It is not there or damaged.
    pub fn conf(&self, id: &TopologyId) -> Result<Map<String, Value>, NimbusError> {
        let bytes = self.store.read(&format!("{id}{CONF}"), LARGEST as u64, &Caller::nimbus())?;
        let text = gunzip(&bytes, LARGEST).map_err(|error| damaged("the conf", id, &error))?;
        serde_json::from_slice(&text).map_err(|error| damaged("the conf", id, &error))
    }

    /// Ids of all topologies that have a blob.
    ///
    /// # Errors
    /// The disk failed.
    pub fn topologies(&self) -> Result<BTreeSet<TopologyId>, NimbusError> {
        let keys = self.store.keys()?;
        let ids = keys.iter().filter_map(|key| {
            let key = key.to_string();
            let id = [ARCHIVE, CODE, CONF].iter().find_map(|end| key.strip_suffix(end))?;
            id.parse().ok()
        });
        Ok(ids.collect())
    }

    /// Deletes a topology's blobs; what is gone already is no matter, what fails is logged.
    pub fn remove_topology(&self, id: &TopologyId) {
        for end in [ARCHIVE, CODE, CONF] {
            match self.store.delete(&format!("{id}{end}"), &Caller::nimbus()) {
                Ok(()) | Err(BlobError::NotFound { .. }) => {}
                Err(error) => tracing::warn!("a blob of {id} stays for now: {error}"),
            }
        }
    }

    /// Creates a blob, or replaces its bytes.
    fn put(
        &self,
        key: &str,
        from: &mut dyn std::io::Read,
        owner: Option<&str>,
    ) -> Result<(), BlobError> {
        let nimbus = Caller::nimbus();
        if !self.store.exists(key) {
            // The owner administers what he submitted.
            let caller = Caller { user: owner.map(str::to_owned), ..nimbus };
            let meta = storm::SettableBlobMeta { acl: Vec::new(), replication_factor: Some(1) };
            return self.store.create(key, &meta, from, &caller).map(drop);
        }
        let session = self.store.begin_update(key, &nimbus)?;
        let mut chunk = vec![0; 64 << 10];
        loop {
            match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => self.store.upload_chunk(&session, &chunk[..read])?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.store.cancel_upload(&session)?;
                    return Err(BlobError::NoUpload { location: key.to_owned() });
                }
            }
        }
        self.store.finish_upload(&session).map(drop)
    }
}

fn damaged(what: &'static str, id: &TopologyId, why: &dyn std::error::Error) -> NimbusError {
    NimbusError::Unreadable { what, id: id.to_string(), why: why.to_string() }
}
