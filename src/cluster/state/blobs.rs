//! Which Nimbus holds which blob.

use super::{ClusterError, ClusterState};
use crate::cluster::Durability;

impl ClusterState {
    /// Says that a Nimbus (`host:port:tls port`) holds a blob, as long as the session lives, and that
    /// this is the blob's newest state.
    ///
    /// # Errors
    /// As the session; a key with a tab is no name of a node.
    pub fn put_blob_holder(
        &self,
        key: &str,
        nimbus: &str,
        sequence: i32,
    ) -> Result<(), ClusterError> {
        let folder = self.paths.blob(key);
        self.storage.make_folders(&folder)?;
        let own = format!("{nimbus}-");
        for name in self.names(&folder, None)?.iter().filter(|name| name.starts_with(&own)) {
            self.storage.delete_tree(&crate::cluster::path::join(&folder, name))?;
        }
        self.storage.put_ephemeral(&self.paths.blob_holder(key, nimbus, sequence), b"")?;
        let highest = self.paths.blob_sequence(key);
        self.storage.put(&highest, &sequence.to_be_bytes(), Durability::Volatile)?;
        Ok(())
    }

    /// Nimbuses that hold a blob, each with the sequence number of what it holds; their number is
    /// the blob's replication.
    ///
    /// # Errors
    /// As the session.
    pub fn blob_holders(&self, key: &str) -> Result<Vec<(String, i32)>, ClusterError> {
        let names = self.names(&self.paths.blob(key), None)?;
        let holder = |name: &String| {
            let (nimbus, sequence) = name.rsplit_once('-')?;
            Some((nimbus.to_owned(), sequence.parse().ok()?))
        };
        Ok(names.iter().filter_map(holder).collect())
    }

    /// Forgets a blob; one that is not known is none the worse.
    ///
    /// # Errors
    /// As the session.
    pub fn remove_blob(&self, key: &str) -> Result<(), ClusterError> {
        self.storage.delete_tree(&self.paths.blob(key))?;
        self.storage.delete_tree(&self.paths.blob_sequence(key))?;
        Ok(())
    }
}
