//! Starting and stopping a Nimbus as a value.
//!
//! ```no_run
//! use std::sync::Arc;
//! use storm_runtime::cluster::EmbeddedStore;
//! use storm_runtime::nimbus::Nimbus;
//!
//! let store = EmbeddedStore::open("cluster/state".as_ref())?;
//! let conf = serde_json::json!({"storm.local.dir": "cluster/nimbus", "nimbus.thrift.port": 6627});
//! let nimbus = Nimbus::start(conf.as_object().unwrap().clone(), Arc::new(store))?;
//! println!("listening on {}", nimbus.address());
//! nimbus.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use nimbus_client::conf::{ConfErrors, Reader, keys};
use serde_json::{Map, Value};
use tokio::runtime::{Handle, Runtime};

use super::blobs::Blobs;
use super::core::{Core, Parts};
use super::driver::Driver;
use super::error::NimbusError;
use super::history::History;
use super::push::Push;
use super::service::Services;
use super::settings::Settings;
use super::shared::Shared;
use crate::blobstore::{AclPolicy, BlobConf, BlobError, BlobStore, InboxConf, JarInbox};
use crate::clock::Clock;
use crate::cluster::{ClusterError, StateBackend};
use crate::server::{
    Authorizer, HttpServer, MachineUsers, MetricsText, Server, ServerError, ServerHandle,
    raise_file_limit,
};

/// How long calls under way may take when Nimbus stops.
const FAREWELL: Duration = Duration::from_secs(10);

/// Why Nimbus cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The conf has wrong values.
    #[error("{0}")]
    Conf(ConfErrors),
    /// The port cannot be had, or threads cannot.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The shared state cannot be reached.
    #[error("nimbus cannot reach the shared state: {0}")]
    State(#[from] ClusterError),
    /// The blob store or the inbox cannot be opened.
    #[error("nimbus cannot open its blobs: {0}")]
    Blobs(#[from] BlobError),
    /// What was stored cannot be recovered.
    #[error("nimbus cannot recover its topologies: {0}")]
    Recover(#[from] NimbusError),
    /// The thread that decides cannot be started.
    #[error("nimbus cannot start a thread: {source}: raise the limit of processes")]
    Thread {
        /// What the system said.
        source: std::io::Error,
    },
}

/// Starts Nimbuses; see the module for an example.
#[derive(Debug)]
pub struct Nimbus;

/// A running Nimbus; dropping it stops it.
pub struct NimbusHandle {
    core: Arc<Core>,
    server: Option<ServerHandle>,
    metrics: Option<HttpServer>,
    over: Arc<AtomicBool>,
    driver: Option<JoinHandle<()>>,
    /// Last, so that it outlives what runs on it; none if the caller's runtime is used.
    _runtime: Option<Runtime>,
}

impl Nimbus {
    /// Recovers what the shared state has and serves from then on, on threads of its own.
    ///
    /// # Errors
    /// The conf is wrong, the port is taken, or the state or the blobs cannot be opened.
    pub fn start(
        conf: Map<String, Value>,
        storage: Arc<dyn StateBackend>,
    ) -> Result<NimbusHandle, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("nimbus-server")
            .enable_all()
            .build()
            .map_err(|source| ServerError::Runtime { source })?;
        let handle = runtime.handle().clone();
        let mut nimbus = Self::start_on(&handle, conf, storage, Arc::new(MachineUsers::new()))?;
        nimbus._runtime = Some(runtime);
        Ok(nimbus)
    }

    /// As [`start`](Self::start), on a runtime of the caller's and with its authorizer.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_on(
        runtime: &Handle,
        conf: Map<String, Value>,
        storage: Arc<dyn StateBackend>,
        authorizer: Arc<dyn Authorizer>,
    ) -> Result<NimbusHandle, StartError> {
        let mut settings = Settings::read(conf).map_err(StartError::Conf)?;
        settings.limits.connections = raise_file_limit(settings.limits.connections);
        let (wake, woken) = sync_channel(1);
        let clock = Clock::system();
        let shared = Shared::open(storage, &settings.state_root)?;
        let local = &settings.local_dir;
        let core = Core::new(Parts {
            blobs: Blobs { store: open_blobs(&settings, &clock)? },
            inbox: open_inbox(&settings, &clock)?,
            history: History::open(local.join("nimbus").join("history")),
            push: Push::new(runtime.clone(), settings.push_threads, settings.push_timeout),
            shared,
            settings,
            clock,
            wake,
        });
        core.push.connect(&core);
        core.recover()?;
        let server = serve(&core, runtime, authorizer)?;
        // A second one would have been a mistake; there is one server.
        let _ = core.port.set(server.address().port());
        core.announce()?;
        let metrics = serve_metrics(&core, runtime, &server)?;
        let over = Arc::new(AtomicBool::new(false));
        let driver = Driver::new(Arc::clone(&core), woken);
        let stop = Arc::clone(&over);
        let driver = std::thread::Builder::new()
            .name("nimbus-driver".to_owned())
            .spawn(move || driver.run(|| stop.load(Ordering::Acquire)))
            .map_err(|source| StartError::Thread { source })?;
        tracing::info!("nimbus listens on {}", server.address());
        Ok(NimbusHandle {
            core,
            server: Some(server),
            metrics: Some(metrics),
            over,
            driver: Some(driver),
            _runtime: None,
        })
    }
}

impl NimbusHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        let address = self.server.as_ref().map(ServerHandle::address);
        address.expect("the server is there until Nimbus is stopped")
    }

    /// Where it answers with its metrics.
    pub fn metrics_address(&self) -> SocketAddr {
        let address = self.metrics.as_ref().map(HttpServer::address);
        address.expect("the answerer is there until Nimbus is stopped")
    }

    /// Lets calls under way finish and stops; topologies go on.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.over.store(true, Ordering::Release);
        self.core.wake_driver();
        self.metrics = None;
        if let Some(server) = self.server.take()
            && !server.stop(FAREWELL)
        {
            tracing::warn!("nimbus stops though some calls are not finished");
        }
        if let Some(driver) = self.driver.take() {
            // One that panicked has said so.
            let _ = driver.join();
            self.core.shared.close();
            tracing::info!("nimbus stopped");
        }
    }
}

impl Drop for NimbusHandle {
    fn drop(&mut self) {
        self.end();
    }
}

fn serve(
    core: &Arc<Core>,
    runtime: &Handle,
    authorizer: Arc<dyn Authorizer>,
) -> Result<ServerHandle, ServerError> {
    let server = Server {
        processor: Arc::new(Services::new(Arc::clone(core))),
        authorizer,
        conf: Arc::new(core.settings.conf.clone()),
        limits: core.settings.limits.clone(),
        port_key: keys::NIMBUS_THRIFT_PORT.name,
    };
    server.start(runtime, core.settings.address)
}

fn serve_metrics(
    core: &Arc<Core>,
    runtime: &Handle,
    server: &ServerHandle,
) -> Result<HttpServer, ServerError> {
    // Whoever is asked for metrics must not keep Nimbus alive.
    let weak = Arc::downgrade(core);
    let counters = Arc::clone(server.counters());
    let text: MetricsText = Arc::new(move || {
        weak.upgrade().map(|core| super::metrics::text(&core, &counters)).unwrap_or_default()
    });
    let address = SocketAddr::from((IpAddr::from([127, 0, 0, 1]), core.settings.metrics_port));
    HttpServer::start(runtime, address, keys::NIMBUS_METRICS_PORT.name, text)
}

fn open_blobs(settings: &Settings, clock: &Clock) -> Result<BlobStore, BlobError> {
    let mut reader = Reader::new(&settings.conf);
    let texts = |key: &str| -> BTreeSet<String> {
        let list = settings.conf.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|one| Some(one.as_str()?.to_owned())).collect()
    };
    let conf = BlobConf {
        chunk_bytes: settings.blob_chunk_bytes,
        session_idle: settings.blob_expiration,
        acl: AclPolicy {
            is_enabled: reader.flag(&keys::STORM_ACL_VALIDATION),
            admins: texts("nimbus.admins"),
            admin_groups: texts("nimbus.admins.groups"),
            supervisors: texts("nimbus.supervisor.users"),
        },
        ..BlobConf::default()
    };
    BlobStore::open(&settings.local_dir.join("blobs"), conf, clock.clone())
}

fn open_inbox(settings: &Settings, clock: &Clock) -> Result<JarInbox, BlobError> {
    let conf = InboxConf {
        upload_idle: settings.upload_expiration,
        keep: settings.inbox_expiration,
        ..InboxConf::default()
    };
    JarInbox::open(&settings.local_dir.join("nimbus").join("inbox"), conf, clock.clone())
}
