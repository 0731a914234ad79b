//! Tells supervisors what is assigned to them, each on a thread of its own.
//!
//! **Invariants.** At most one push per supervisor is under way and one is wanted after it, so that
//! nothing piles up; what is pushed is what is assigned at that moment. At most `threads` pushes run
//! at once. A push that fails is not repeated: the supervisor asks by itself every few seconds.
//!
//! **Runs on** the runtime's blocking threads.

use std::collections::BTreeMap;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use nimbus_client::thrift::{SupervisorAssignments, SupervisorSyncClient, TSupervisorSyncClient};
use thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol};
use thrift::transport::{TFramedReadTransport, TFramedWriteTransport};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::core::Core;
use super::counts::Count;
use crate::id::SupervisorId;

/// Pushes to all supervisors.
pub struct Push {
    runtime: Handle,
    timeout: Duration,
    places: Arc<Semaphore>,
    /// Set once, when everything is put together.
    core: OnceLock<Weak<Core>>,
    /// Supervisors that a push is under way to, and whether another is wanted.
    under_way: Mutex<BTreeMap<SupervisorId, bool>>,
    /// Pushes that arrived.
    pub pushed: Count,
    /// Pushes that did not.
    pub failed: Count,
}

/// Why a push did not arrive.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("cannot reach it: {0}")]
    Unreachable(#[from] std::io::Error),
    #[error("its host has no address")]
    NoAddress,
    #[error("it refused: {0}")]
    Refused(#[from] nimbus_client::wire::ThriftError),
}

impl Push {
    /// Pushes that run on a runtime.
    pub fn new(runtime: Handle, threads: usize, timeout: Duration) -> Self {
        Self {
            runtime,
            timeout,
            places: Arc::new(Semaphore::new(threads)),
            core: OnceLock::new(),
            under_way: Mutex::default(),
            pushed: Count::default(),
            failed: Count::default(),
        }
    }

    /// Says where assignments come from.
    pub fn connect(&self, core: &Arc<Core>) {
        // It is connected once, right after it was made.
        let _ = self.core.set(Arc::downgrade(core));
    }

    /// Has a supervisor told what is assigned to it now.
    pub fn wake(&self, id: SupervisorId, server: (String, u16)) {
        let Some(core) = self.core.get().and_then(Weak::upgrade) else {
            return;
        };
        let mut under_way = self.lock();
        if let Some(again) = under_way.get_mut(&id) {
            *again = true;
            return;
        }
        under_way.insert(id.clone(), false);
        drop(under_way);
        let (places, runtime) = (Arc::clone(&self.places), self.runtime.clone());
        self.runtime.spawn(async move {
            let place = places.acquire_owned().await;
            let pushed = runtime.spawn_blocking(move || core.push.run(&core, &id, &server));
            // A push that panicked is logged by the panic itself.
            let _ = pushed.await;
            drop(place);
        });
    }

    fn run(&self, core: &Core, id: &SupervisorId, server: &(String, u16)) {
        loop {
            let assignments = core.assignments_of(id);
            match send(server, self.timeout, assignments) {
                Ok(()) => self.pushed.add(1),
                Err(error) => {
                    self.failed.add(1);
                    let (host, port) = server;
                    tracing::info!(
                        "supervisor {id} at {host}:{port} was not told its assignments, it will \
                         ask for them: {error}"
                    );
                }
            }
            let mut under_way = self.lock();
            match under_way.get_mut(id) {
                Some(again @ true) => *again = false,
                _ => {
                    under_way.remove(id);
                    return;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SupervisorId, bool>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn send(
    (host, port): &(String, u16),
    timeout: Duration,
    assignments: SupervisorAssignments,
) -> Result<(), PushError> {
    let address = (host.as_str(), *port).to_socket_addrs()?.next().ok_or(PushError::NoAddress)?;
    let stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    let input = TFramedReadTransport::new(stream.try_clone()?);
    let output = TFramedWriteTransport::new(stream);
    let mut client = SupervisorSyncClient::new(
        TBinaryInputProtocol::new(input, true),
        TBinaryOutputProtocol::new(output, true),
    );
    client.send_supervisor_assignments(assignments)?;
    Ok(())
}
