//! Errors of components: the newest ten of each, for as long as their topology is there.
//!
//! Storm's workers write them as nodes of their own sessions, which end with the worker. Here a daemon
//! writes them for the workers, and they must outlive it, so they belong to no session.

use nimbus_client::TopologyId;
use nimbus_client::thrift::ErrorInfo;
use std::collections::BTreeMap;

use super::{ClusterError, ClusterState};
use crate::cluster::{CreateMode, Durability, Expected, Op, StateError};
use crate::cluster::{path, paths};

/// Errors that are kept of a component; older ones are deleted.
pub const KEPT_ERRORS: usize = 10;

impl ClusterState {
    /// Adds an error of a component, and deletes those that are too old to be kept.
    ///
    /// # Errors
    /// As the session; [`TooLarge`](StateError::TooLarge) for a text of more than some 500 KiB that
    /// does not compress.
    pub fn report_error(
        &self,
        id: &TopologyId,
        component: &str,
        error: &ErrorInfo,
    ) -> Result<(), ClusterError> {
        let folder = self.paths.component_errors(id, component);
        self.storage.make_folders(&folder)?;
        let path = self.paths.error(id, component);
        let data = self.encode(&path, error)?;
        let last = self.paths.last_error(id, component);
        self.storage.put(&last, &data, Durability::Volatile)?;
        let ops = [Op::create(path, data, CreateMode::PersistentSequential)];
        // Makes the write before it durable as well.
        self.storage.multi(&ops, Durability::Durable).map_err(|error| error.source)?;
        self.delete_old_errors(id, component)
    }

    /// Errors of a component that are kept, the newest first.
    ///
    /// # Errors
    /// As the session, or a node that holds something else.
    pub fn errors(&self, id: &TopologyId, component: &str) -> Result<Vec<ErrorInfo>, ClusterError> {
        let folder = self.paths.component_errors(id, component);
        let mut errors = Vec::new();
        for name in self.numbered_errors(&folder)?.into_values().rev() {
            let path = path::join(&folder, name);
            errors.extend(self.read(&path, None)?.map(|read| read.value));
        }
        Ok(errors)
    }

    /// The last error of a component; of Storm's workers the only one that outlives them.
    ///
    /// # Errors
    /// As the session, or the node holds something else.
    pub fn last_error(
        &self,
        id: &TopologyId,
        component: &str,
    ) -> Result<Option<ErrorInfo>, ClusterError> {
        Ok(self.read(&self.paths.last_error(id, component), None)?.map(|read| read.value))
    }

    /// Components of a topology that ever had an error, in order.
    ///
    /// # Errors
    /// As the session.
    pub fn components_with_errors(&self, id: &TopologyId) -> Result<Vec<String>, ClusterError> {
        let folder = self.paths.topology_errors(id);
        let mut components = Vec::new();
        for name in self.names(&folder, None)? {
            // Beside the folder of a component stands the node of its last error.
            let component = paths::component_of(&name).filter(|component| {
                self.paths.component_errors(id, component) == path::join(&folder, &name)
            });
            components.extend(component);
        }
        let known = components.clone();
        components.retain(|component| {
            let owner = component.strip_suffix(paths::LAST_ERROR_SUFFIX);
            !owner.is_some_and(|owner| known.iter().any(|other| other == owner))
        });
        components.sort();
        Ok(components)
    }

    fn delete_old_errors(&self, id: &TopologyId, component: &str) -> Result<(), ClusterError> {
        let folder = self.paths.component_errors(id, component);
        let numbered = self.numbered_errors(&folder)?;
        let old = numbered.len().saturating_sub(KEPT_ERRORS);
        for name in numbered.into_values().take(old) {
            let ops = [Op::delete(path::join(&folder, name), Expected::Any)];
            match self.storage.multi(&ops, Durability::Volatile).map_err(|error| error.source) {
                // Somebody else deleted it.
                Ok(_) | Err(StateError::NoNode { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn numbered_errors(&self, folder: &str) -> Result<BTreeMap<i64, String>, ClusterError> {
        let names = self.names(folder, None)?.into_iter();
        Ok(names.filter_map(|name| Some((paths::error_number(&name)?, name))).collect())
    }
}
