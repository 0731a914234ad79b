//! Starts a supervisor and stops it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nimbus_client::conf::{ConfErrors, keys};
use nimbus_client::thrift::SupervisorInfo;
use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::board::Board;
use super::gate::{Gate, Handler};
use super::layout::Layout;
use super::local_state::{LocalState, LocalStateError};
use super::localizer::Localizer;
use super::metrics::Counts;
use super::settings::Settings;
use super::slot::{Slot, Timeouts};
use super::slots::{Driver, Files, News, Place};
use super::state_watch::{Bell, StateWatch};
use super::uplink::Uplink;
use super::workers::{Programs, Workers, random_id};
use crate::clock::{Clock, Time, unix_time_ms};
use crate::cluster::StateBackend;
use crate::cluster::paths::Paths;
use crate::server::{Authorizer, HttpServer, Limits, Server, ServerError, ServerHandle};

/// News that wait for the driver; workers' signs of life beyond that are left out.
const NEWS_ROOM: usize = 1_024;
/// How long calls under way may take when the supervisor stops.
const CALLS_PATIENCE: Duration = Duration::from_secs(2);
/// Threads of the server beyond those on which workers wait for orders.
const THREADS_PER_SLOT: usize = 2;

/// Why a supervisor did not start.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// Its conf is wrong.
    #[error(transparent)]
    Conf(#[from] ConfErrors),
    /// It cannot keep its state.
    #[error(transparent)]
    State(#[from] LocalStateError),
    /// Its port cannot be had.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Its host has no address.
    #[error("the supervisor's host {host} has no address; set storm.local.hostname")]
    Address {
        /// The host.
        host: String,
    },
    /// The system gives it no threads.
    #[error("the supervisor gets no threads: {0}")]
    Threads(#[from] std::io::Error),
}

/// A supervisor to be started.
pub struct Supervisor {
    /// Its name in thread names and logs, as `supervisor-0`.
    pub name: String,
    /// Its whole conf.
    pub conf: Map<String, Value>,
    /// The shared state.
    pub backend: Arc<dyn StateBackend>,
    /// Asked about every call on its Thrift port.
    pub authorizer: Arc<dyn Authorizer>,
    /// The folder of logs, workers' among them.
    pub log_dir: PathBuf,
    /// How workers are launched.
    pub programs: Programs,
}

/// What is told of a running supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupervisorView {
    /// Its id.
    pub id: String,
    /// Its Thrift port.
    pub thrift_port: u16,
    /// Its slots' ports.
    pub slots: Vec<u16>,
    /// Ports of slots with a worker.
    pub used: Vec<u16>,
    /// Where it answers with its metrics.
    pub metrics: Option<SocketAddr>,
    /// Whether it stands in the shared state.
    pub is_registered: bool,
}

/// A running supervisor. Dropping it leaves its workers running.
pub struct SupervisorHandle {
    id: String,
    thrift_port: u16,
    slots: Vec<u16>,
    used: Arc<Mutex<BTreeSet<u16>>>,
    registered: Arc<AtomicBool>,
    news: mpsc::Sender<News>,
    board: Arc<Board>,
    bell: Arc<Bell>,
    uplink: Uplink,
    server: Option<ServerHandle>,
    metrics: Option<HttpServer>,
    threads: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
}

impl Supervisor {
    /// Starts it: it finds its workers again, then serves and registers.
    ///
    /// # Errors
    /// [`SupervisorError`]; then nothing was started.
    pub fn start(self) -> Result<SupervisorHandle, SupervisorError> {
        let settings = Settings::read(&self.conf)?;
        let layout = Layout::new(&settings.local_dir, &self.log_dir);
        let mut state = LocalState::open(&layout.local_state())?;
        let id = own_id(&mut state, &settings.hostname)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name(&self.name)
            .enable_all()
            .build()?;
        let board = Arc::new(Board::default());
        let bell = Arc::new(Bell::default());
        let uplink = Uplink::default();
        let used = Arc::new(Mutex::new(BTreeSet::new()));
        let registered = Arc::new(AtomicBool::new(false));
        let (news, told) = mpsc::channel(NEWS_ROOM);
        let timeouts = timeouts(&settings);
        let counts = Arc::new(Counts::default());
        let place = |port: &u16| (*port, Place::new(Slot::new(timeouts)));
        let mut driver = Driver {
            workers: Workers {
                layout: layout.clone(),
                programs: self.programs.clone(),
                supervisor_id: id.clone(),
                thrift_port: settings.thrift_port,
                counts: counts.clone(),
            },
            localizer: Localizer::new(layout, settings.nimbus.clone()),
            state,
            board: board.clone(),
            bell: bell.clone(),
            uplink: uplink.clone(),
            news: news.clone(),
            clock: Clock::system(),
            timeouts,
            timeout_limit: settings.worker_timeout_limit,
            used: used.clone(),
            port_to_place: settings.slots.iter().map(place).collect(),
            files: Files::default(),
            blob_interval: settings.blob_interval,
            look_at: Time::ZERO,
            is_assigned: false,
        };
        {
            let _inside = runtime.enter();
            let found = driver.workers.find();
            driver.adopt(found);
        }
        let handler = Handler {
            board: board.clone(),
            bell: bell.clone(),
            uplink: uplink.clone(),
            news: news.clone(),
            counts: counts.clone(),
        };
        let server = self.serve(&settings, handler, runtime.handle())?;
        let metrics = serve_metrics(&settings, &counts, &used, &server, runtime.handle())?;
        let thrift_port = server.address().port();
        driver.workers.thrift_port = thrift_port;
        runtime.spawn(driver.run(told));
        let mut handle = SupervisorHandle {
            id,
            thrift_port,
            slots: settings.slots.clone(),
            used,
            registered,
            news,
            board,
            bell,
            uplink,
            server: Some(server),
            metrics: Some(metrics),
            threads: vec![],
            runtime: Some(runtime),
        };
        handle.spawn_threads(&self, &settings)?;
        tracing::info!(id = handle.id, port = thrift_port, slots = ?handle.slots, "started the supervisor");
        Ok(handle)
    }

    fn serve(
        &self,
        settings: &Settings,
        handler: Handler,
        runtime: &tokio::runtime::Handle,
    ) -> Result<ServerHandle, SupervisorError> {
        let server = Server {
            processor: Arc::new(Gate::new(handler)),
            authorizer: self.authorizer.clone(),
            conf: Arc::new(self.conf.clone()),
            limits: Limits {
                frame_bytes: settings.frame_bytes.max(crate::server::FRAME_LIMIT),
                frame_key: "supervisor.thrift.max_buffer_size",
                threads: settings.thrift_threads + THREADS_PER_SLOT * settings.slots.len(),
                ..Limits::default()
            },
            port_key: "supervisor.thrift.port",
        };
        let address = address(&settings.hostname, settings.thrift_port)?;
        Ok(server.start(runtime, address)?)
    }
}

impl SupervisorHandle {
    /// What is to be told of it.
    pub fn view(&self) -> SupervisorView {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        SupervisorView {
            id: self.id.clone(),
            thrift_port: self.thrift_port,
            slots: self.slots.clone(),
            used: used.iter().copied().collect(),
            metrics: self.metrics.as_ref().map(HttpServer::address),
            is_registered: self.registered.load(Ordering::Acquire),
        }
    }

    /// Stops it. Its workers are ended if `kill_workers` says so, else they go on and the next
    /// supervisor of this folder finds them.
    ///
    /// Not to be called from a thread of a runtime; takes as long as its workers take to end.
    pub fn stop(mut self, kill_workers: bool) {
        self.end(kill_workers);
    }

    fn end(&mut self, kill_workers: bool) {
        let Some(runtime) = self.runtime.take() else { return };
        let (done, stopped) = oneshot::channel();
        // First the driver, so that no ended worker is started again.
        if self.news.blocking_send(News::Stop { kill_workers, done }).is_ok() {
            let _ = stopped.blocking_recv();
        }
        self.metrics = None;
        self.board.close();
        self.bell.close();
        self.uplink.close();
        if let Some(server) = self.server.take() {
            server.stop(CALLS_PATIENCE);
        }
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
        runtime.shutdown_timeout(CALLS_PATIENCE);
        tracing::info!(id = self.id, "stopped the supervisor");
    }

    fn spawn_threads(
        &mut self,
        supervisor: &Supervisor,
        settings: &Settings,
    ) -> Result<(), SupervisorError> {
        let watch = StateWatch {
            backend: supervisor.backend.clone(),
            paths: Paths::new(&settings.root),
            supervisor_id: self.id.clone(),
            heartbeat: settings.heartbeat,
            bell: self.bell.clone(),
            board: self.board.clone(),
            news: self.news.clone(),
            info: self.info(settings),
            registered: self.registered.clone(),
        };
        // One name for all, by which their lines find their log.
        let named = || thread::Builder::new().name(supervisor.name.clone());
        self.threads.push(named().spawn(move || watch.run())?);
        let (uplink, id) = (self.uplink.clone(), self.id.clone());
        let nimbus = settings.nimbus.client();
        self.threads.push(named().spawn(move || uplink.run(&id, nimbus))?);
        Ok(())
    }

    /// Makes what is told of it in the shared state.
    fn info(&self, settings: &Settings) -> Box<dyn Fn() -> SupervisorInfo + Send> {
        let clock = Clock::system();
        let started = clock.now();
        let resources: BTreeMap<_, _> = settings
            .resources
            .iter()
            .map(|(name, amount)| (name.clone(), (*amount).into()))
            .collect();
        let (hostname, id, port) = (settings.hostname.clone(), self.id.clone(), self.thrift_port);
        let slots: Vec<i64> = self.slots.iter().map(|port| i64::from(*port)).collect();
        let used = self.used.clone();
        Box::new(move || SupervisorInfo {
            time_secs: (unix_time_ms() / 1_000) as i64,
            hostname: hostname.clone(),
            assignment_id: Some(id.clone()),
            used_ports: Some(
                used.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .iter()
                    .map(|port| i64::from(*port))
                    .collect(),
            ),
            meta: Some(slots.clone()),
            scheduler_meta: Some(BTreeMap::new()),
            uptime_secs: Some(clock.now().since(started).as_secs() as i64),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            resources_map: Some(resources.clone()),
            server_port: Some(port.into()),
        })
    }
}

impl Drop for SupervisorHandle {
    fn drop(&mut self) {
        self.end(false);
    }
}

/// Loopback if that is where the host is, else everywhere: Nimbus comes to the host's address, and
/// workers come over loopback.
fn address(host: &str, port: u16) -> Result<SocketAddr, SupervisorError> {
    let addresses = (host, port).to_socket_addrs();
    let first = addresses.ok().and_then(|mut addresses| addresses.next());
    let first = first.ok_or_else(|| SupervisorError::Address { host: host.to_owned() })?;
    Ok(match first.ip().is_loopback() {
        true => first,
        false => SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)),
    })
}

/// The id that the supervisor gave itself when it was started first.
fn own_id(state: &mut LocalState, hostname: &str) -> Result<String, LocalStateError> {
    if let Some(id) = state.supervisor_id() {
        return Ok(id);
    }
    let id = format!("{}-{hostname}", random_id());
    state.set_supervisor_id(&id)?;
    Ok(id)
}

fn serve_metrics(
    settings: &Settings,
    counts: &Arc<Counts>,
    used: &Arc<Mutex<BTreeSet<u16>>>,
    server: &ServerHandle,
    runtime: &tokio::runtime::Handle,
) -> Result<HttpServer, ServerError> {
    let (counts, used, methods) = (counts.clone(), used.clone(), server.counters().clone());
    let slots = settings.slots.len();
    let text = move || {
        let used = used.lock().unwrap_or_else(PoisonError::into_inner).len();
        counts.text(slots, used, &methods)
    };
    let address = SocketAddr::from(([127, 0, 0, 1], settings.metrics_port));
    HttpServer::start(runtime, address, keys::SUPERVISOR_METRICS_PORT.name, Arc::new(text))
}

fn timeouts(settings: &Settings) -> Timeouts {
    Timeouts {
        start: settings.start_timeout,
        worker: settings.worker_timeout,
        kill_grace: settings.shutdown_grace,
        ..Timeouts::default()
    }
}
