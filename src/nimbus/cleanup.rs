//! Removes what dead topologies left behind, levels of logs that ran out, and old files.

use std::collections::BTreeSet;

use nimbus_client::TopologyId;

use super::core::Core;
use super::error::NimbusError;
use crate::clock::Time;

impl Core {
    /// Deletes blobs and nodes of topologies that have been gone for
    /// `nimbus.topology.blobstore.deletion.delay.ms`.
    ///
    /// Supervisors may still be fetching a blob of a topology that was just killed, and a submission
    /// under way has blobs before it has a base; that is what the delay is for.
    ///
    /// # Errors
    /// The shared state or the blob store failed.
    pub fn clean_up(&self) -> Result<(), NimbusError> {
        let mut left: BTreeSet<TopologyId> =
            self.shared.with(|state| state.remains())?.into_iter().collect();
        left.extend(self.blobs.topologies()?);
        left.retain(|id| self.topologies.get(id).is_none());
        let now = self.clock.now();
        for id in self.due(&left, now) {
            self.shared.with(|state| state.remove_remains(&id))?;
            self.blobs.remove_topology(&id);
            self.decide().dead_since.remove(&id);
            self.counts.cleaned.add(1);
            tracing::info!("deleted what {id} had left behind");
        }
        Ok(())
    }

    /// Those of `left` that have been dead for long enough.
    fn due(&self, left: &BTreeSet<TopologyId>, now: Time) -> Vec<TopologyId> {
        let mut decisions = self.decide();
        // A submission under way may have stored its base since `left` was read.
        decisions.dead_since.retain(|id, _| left.contains(id) && self.topologies.get(id).is_none());
        for id in left {
            if !decisions.reserved.contains(id.name().as_str()) {
                decisions.dead_since.entry(id.clone()).or_insert(now);
            }
        }
        let delay = self.settings.blob_deletion_delay;
        let due = decisions.dead_since.iter().filter(|(_, since)| now.since(**since) >= delay);
        due.map(|(id, _)| id.clone()).collect()
    }

    /// Deletes files of the inbox that nobody submitted, and forgets transfers that are silent.
    pub fn expire_files(&self) {
        match self.inbox.expire() {
            Ok(0) => {}
            Ok(gone) => {
                tracing::info!("ended {gone} uploads that nobody finished or submitted");
                self.counts.cleaned.add(gone as u64);
            }
            Err(error) => tracing::warn!("the inbox cannot be cleaned up: {error}"),
        }
        self.blobs.store.expire_sessions();
    }
}
