//! The accept loop: a bounded number of connections, and a stop that lets calls finish.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::authorize::Authorizer;
use super::budget::Budget;
use super::connection::{Connection, Threads};
use super::counters::MethodCounters;
use super::error::ServerError;
use super::limits::Limits;
use super::log_once::{LogOnce, Throttle};
use super::processor::Processor;
use super::registry::Registry;
use crate::clock::Clock;

/// Connections that the kernel may hold before they are accepted.
const BACKLOG: u32 = 4096;
/// How long a new connection waits for the place of one that was told to close.
const EVICTION: Duration = Duration::from_millis(500);
/// How long the loop rests when the kernel cannot accept, for want of file descriptors, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often a repeated complaint may be logged.
const COMPLAINTS: Duration = Duration::from_secs(10);

/// What all connections of a server share; everything in it is for many threads.
pub(super) struct Common {
    pub limits: Limits,
    pub processor: Arc<dyn Processor>,
    pub authorizer: Arc<dyn Authorizer>,
    /// The daemon's conf, for the authorizer.
    pub conf: Arc<Map<String, Value>>,
    pub counters: Arc<MethodCounters>,
    pub clock: Clock,
    pub registry: Registry,
    pub threads: Threads,
    pub garbage_log: LogOnce<std::net::IpAddr>,
    pub busy_log: Throttle,
}

/// A server to be started.
pub struct Server {
    /// The service.
    pub processor: Arc<dyn Processor>,
    /// The one that is asked about every call.
    pub authorizer: Arc<dyn Authorizer>,
    /// The daemon's conf, which the authorizer reads.
    pub conf: Arc<Map<String, Value>>,
    /// What peers are granted.
    pub limits: Limits,
    /// Key of the port, for the message when it is in use.
    pub port_key: &'static str,
}

/// A running server; dropping it stops it without waiting for calls.
pub struct ServerHandle {
    address: SocketAddr,
    counters: Arc<MethodCounters>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
    runtime: Handle,
}

impl Server {
    /// Listens on `address`, port 0 for any, and serves on `runtime` from then on.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(self, runtime: &Handle, address: SocketAddr) -> Result<ServerHandle, ServerError> {
        let _inside = runtime.enter();
        let listener = listen(address).map_err(|source| ServerError::Listen {
            address,
            key: self.port_key,
            source,
        })?;
        let address = listener.local_addr().unwrap_or(address);
        let counters = Arc::new(MethodCounters::new(self.processor.methods()));
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(false);
        let common = Arc::new(Common {
            threads: Threads::new(&self.limits),
            limits: self.limits,
            processor: self.processor,
            authorizer: self.authorizer,
            conf: self.conf,
            counters: Arc::clone(&counters),
            clock: Clock::system(),
            registry: Registry::default(),
            garbage_log: LogOnce::new(),
            busy_log: Throttle::new(COMPLAINTS),
        });
        runtime.spawn(accept_until_stopped(common, listener, stopped, end));
        Ok(ServerHandle { address, counters, stop, ended, runtime: runtime.clone() })
    }
}

impl ServerHandle {
    /// Where the server listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Arc<MethodCounters> {
        &self.counters
    }

    /// Stops accepting, closes idle connections, and waits for calls under way; must not be called
    /// from the runtime's own threads. Whether all calls ended within `patience`.
    pub fn stop(mut self, patience: Duration) -> bool {
        // Nobody listens any more if the loop has ended by itself.
        let _ = self.stop.send(true);
        let ended = self.ended.wait_for(|ended| *ended);
        let _inside = self.runtime.enter();
        self.runtime.block_on(async { timeout(patience, ended).await.is_ok() })
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A daemon that is started again must not wait for the connections of its predecessor.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept_until_stopped(
    common: Arc<Common>,
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
    end: watch::Sender<bool>,
) {
    let places = Arc::new(Semaphore::new(common.limits.connections));
    let budget = Budget::new(common.limits.all_frames_bytes);
    let complaints = Throttle::new(COMPLAINTS);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = place(&common, &places, &complaints).await else {
                    continue;
                };
                let stop = stopped.clone();
                connections.spawn(run(
                    Arc::clone(&common),
                    stream,
                    peer,
                    stop,
                    place,
                    budget.clone(),
                ));
            }
            Err(error) => {
                if let Some(times) = complaints.pass(common.clock.now()) {
                    tracing::warn!("cannot accept a connection ({times} times): {error}");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    // The handle may be gone.
    let _ = end.send(true);
}

/// A place for a new connection, that of the longest idle one if all are taken.
async fn place(
    common: &Common,
    places: &Arc<Semaphore>,
    complaints: &Throttle,
) -> Option<OwnedSemaphorePermit> {
    common.counters.connections.fetch_add(1, Ordering::Relaxed);
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    let evicted = common.registry.evict();
    if let Some(times) = complaints.pass(common.clock.now()) {
        let what = if evicted {
            "an idle one is closed for each new one"
        } else {
            "new ones are turned away"
        };
        tracing::warn!(
            "all {} connections are taken, {what} ({times} since the last such line)",
            common.limits.connections
        );
    }
    let freed = timeout(EVICTION, Arc::clone(places).acquire_owned()).await;
    match freed {
        Ok(Ok(place)) if evicted => Some(place),
        _ => {
            common.counters.turned_away.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

async fn run(
    common: Arc<Common>,
    stream: TcpStream,
    peer: SocketAddr,
    stop: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
    budget: Budget,
) {
    // Answers are whole frames, so waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    common.counters.open.fetch_add(1, Ordering::Relaxed);
    Connection::new(Arc::clone(&common), stream, peer, stop).serve(budget).await;
    common.counters.open.fetch_sub(1, Ordering::Relaxed);
    drop(place);
}
