//! The session of Nimbus with the shared state, replaced when it has ended.
//!
//! **Runs on** any thread of Nimbus; each call blocks.

use std::sync::{Arc, PoisonError, RwLock};

use crate::cluster::paths::Paths;
use crate::cluster::{ClusterError, ClusterState, StateBackend};

/// Nimbus' way to the shared state.
pub struct Shared {
    backend: Arc<dyn StateBackend>,
    root: String,
    /// Replaced when its session has ended, by whoever finds that out.
    state: RwLock<Arc<ClusterState>>,
}

impl Shared {
    /// Opens a session and makes Storm's folders.
    ///
    /// # Errors
    /// The shared state cannot be reached.
    pub fn open(backend: Arc<dyn StateBackend>, root: &str) -> Result<Self, ClusterError> {
        let state = connect(&*backend, root)?;
        Ok(Self { backend, root: root.to_owned(), state: RwLock::new(state) })
    }

    /// Carries out a call, once more in a new session if the old one has ended.
    ///
    /// # Errors
    /// What the call answers, or that no new session can be had.
    pub fn with<T>(
        &self,
        call: impl Fn(&ClusterState) -> Result<T, ClusterError>,
    ) -> Result<T, ClusterError> {
        let state = self.state();
        match call(&state) {
            Err(error) if error.state().is_some_and(|error| error.ends_session()) => {
                call(&*self.reconnect(&state)?)
            }
            answer => answer,
        }
    }

    /// Ends the session, and with it what is ephemeral.
    pub fn close(&self) {
        self.state().storage().close();
    }

    fn state(&self) -> Arc<ClusterState> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn reconnect(&self, ended: &Arc<ClusterState>) -> Result<Arc<ClusterState>, ClusterError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&state, ended) {
            tracing::warn!("the session with the shared state has ended: opening a new one");
            *state = connect(&*self.backend, &self.root)?;
        }
        Ok(Arc::clone(&state))
    }
}

fn connect(backend: &dyn StateBackend, root: &str) -> Result<Arc<ClusterState>, ClusterError> {
    let state = ClusterState::new(backend.connect()?, Paths::new(root));
    state.make_folders()?;
    Ok(Arc::new(state))
}
