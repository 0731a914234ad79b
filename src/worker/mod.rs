//! A worker: one process that runs some executors of one topology, started by a supervisor.
//!
//! ```text
//!   supervisor ◀── orders: a long poll ───── orders ──┐ events
//!              ◀── report: every second ──── report   ├────────▶ run ──▶ executors
//!   signals ──────────────────────────────────────────┘
//! ```
//!
//! A worker learns all that it does from its supervisor and two files: what to run from
//! `stormcode.ser` and `stormconf.ser`, where and whether from its orders. It opens no shared state.
//! The components come from the topology that was submitted and from what this binary registered;
//! the code that built the topology is not run.
//!
//! **Invariants**
//! - It runs on while its supervisor is away, and ends when its supervisor says that the topology
//!   has gone, that its executors are others now, or when its own folder has been removed.
//! - It never runs executors that its orders do not name.
//!
//! **Runs on** four threads besides those of the executors; all of them wait most of the time.
//!
//! **Not here:** who starts and kills workers (`supervisor`).

mod args;
mod code;
mod engine;
mod error;
mod events;
mod levels;
mod orders;
mod report;
mod stats;
mod usage;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use nimbus_client::client::{Address, ClientOptions, SupervisorClient};
use nimbus_client::native::WorkerOrders;
use nimbus_client::thrift::TopologyStatus;

pub use args::WorkerArgs;
pub use error::WorkerError;

use crate::assignment::WorkerSlot;
use crate::executor::events::{EventSink, Sampling};
use crate::local::RunningTopology;
use crate::logs::{self, Bounds, Levels, RotatingFile};
use crate::shell;
use crate::signals;
use crate::topology::{Register, Topology};
use code::Code;
use engine::Share;

/// How long what is pending may take at the end: a supervisor kills after a little more.
const DRAIN: Duration = Duration::from_millis(800);
/// Events that may wait for the main thread; who has another waits too.
const EVENTS: usize = 16;
/// Where the log is, in the folder that the supervisor starts the worker in.
const LOG: &str = "artifacts/worker.log";
/// Where sampled emissions are.
const EVENT_LOG: &str = "artifacts/events.log";

impl WorkerArgs {
    /// This worker's folder.
    fn folder(&self) -> PathBuf {
        self.local_dir.join("workers").join(&self.worker)
    }

    /// A client of the supervisor.
    fn gate(&self) -> SupervisorClient {
        let options = ClientOptions { call: orders::CALL, ..ClientOptions::default() };
        SupervisorClient::new(
            Address::new("127.0.0.1", self.supervisor_port),
            options.without_retries(),
        )
    }
}

/// What the main thread is told.
enum Event {
    Orders(Box<WorkerOrders>),
    End(Ending),
}

/// Why a worker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Signal,
    /// The supervisor does not know the topology any more.
    NotAlive,
    /// Nobody answers, and the worker's folder has been removed.
    Orphaned,
    /// Other executors than before belong into this slot.
    Reassigned,
}

/// Runs the executors that `args` and the supervisor's orders name, until they end it.
///
/// # Errors
/// [`WorkerError`], which the supervisor finds at the end of the log.
pub fn run(args: WorkerArgs, register: &Register) -> Result<(), WorkerError> {
    let levels = start_logging(Path::new(LOG))?;
    let args = Arc::new(args);
    let ended = run_logged(&args, register, &levels);
    match &ended {
        Ok(ending) => tracing::info!(topology = %args.topology, "worker ended: {ending:?}"),
        Err(error) => tracing::error!(topology = %args.topology, "worker failed: {error}"),
    }
    ended.map(|_| ())
}

fn start_logging(path: &Path) -> Result<Levels, WorkerError> {
    let started = match path.parent().is_some_and(Path::is_dir) {
        true => logs::start(RotatingFile::with_stdio(path, Bounds::default())?)?,
        // Somebody runs a worker by hand.
        false => logs::start(std::io::stderr)?,
    };
    Ok(started)
}

fn run_logged(
    args: &Arc<WorkerArgs>,
    register: &Register,
    levels: &Levels,
) -> Result<Ending, WorkerError> {
    let WorkerArgs { topology: id, supervisor, port, worker, .. } = &**args;
    tracing::info!(topology = %id, supervisor, port, worker, "starting worker");
    let (tell, events) = sync_channel(EVENTS);
    spawn("signals", end_by_signal(tell.clone())?)?;
    let code = Code::read(args)?;
    let mut register = register.clone();
    shell::register(&mut register);
    let topology = Topology::from_thrift(&code.topology, &code.conf, &register)?;
    spawn("orders", orders::follow(args.clone(), tell))?;
    let secret = &code.secret;
    let mut worker = Worker {
        args,
        levels,
        events,
        secret,
        share: None,
        running: None,
        sampling: Sampling::default(),
        events_to: None,
    };
    worker.obey(&topology)
}

/// The main thread's view.
struct Worker<'a> {
    args: &'a Arc<WorkerArgs>,
    levels: &'a Levels,
    events: Receiver<Event>,
    /// What the topology's workers know each other by.
    secret: &'a str,
    share: Option<Share>,
    running: Option<RunningTopology>,
    /// What is sampled of the executors' emissions, and where it goes.
    sampling: Sampling,
    events_to: Option<EventSink>,
}

impl Worker<'_> {
    /// Does what is ordered until the end.
    fn obey(&mut self, topology: &Topology) -> Result<Ending, WorkerError> {
        loop {
            let ending = match self.events.recv() {
                Ok(Event::Orders(orders)) => self.heed(topology, &orders)?,
                Ok(Event::End(ending)) => Some(ending),
                Err(_) => Some(Ending::Orphaned),
            };
            if let Some(ending) = ending {
                self.close();
                return Ok(ending);
            }
        }
    }

    fn heed(
        &mut self,
        topology: &Topology,
        orders: &WorkerOrders,
    ) -> Result<Option<Ending>, WorkerError> {
        levels::apply(self.levels, orders.log_config.as_ref());
        let slot = WorkerSlot::new(self.args.supervisor.as_str(), self.args.port);
        let Some(share) = Share::of(slot, orders.assignment.as_ref())? else {
            // Before the first executors the supervisor may know no more yet.
            return Ok(self.share.is_some().then_some(Ending::Reassigned));
        };
        if self.share.as_ref().is_some_and(|before| before.executors != share.executors) {
            return Ok(Some(Ending::Reassigned));
        }
        if self.running.is_none() {
            let running = engine::start(self.args, topology, self.secret, &share)?;
            spawn("report", report::follow(self.args.clone(), running.clone()))?;
            self.running = Some(running);
        } else if let Some(running) = &self.running {
            engine::move_peers(running, &share);
        }
        self.share = Some(share);
        if let Some(running) = &self.running {
            match orders.status {
                TopologyStatus::ACTIVE => running.activate(),
                _ => running.deactivate(),
            }
        }
        self.sample(topology, orders)?;
        Ok(None)
    }

    /// Samples what is ordered; the event log begins with the first order.
    fn sample(&mut self, topology: &Topology, orders: &WorkerOrders) -> Result<(), WorkerError> {
        let Some(running) = &self.running else { return Ok(()) };
        let id = self.args.topology.to_string();
        let wanted = orders.component_debug.as_ref();
        let sampling = wanted.map(|wanted| events::sampling(&id, wanted)).unwrap_or_default();
        if sampling == self.sampling {
            return Ok(());
        }
        let sink = match &self.events_to {
            Some(sink) => sink.clone(),
            None => events::start(Path::new(EVENT_LOG), topology.conf())?,
        };
        tracing::info!(?sampling, "sampling emissions");
        running.sample(sampling.clone(), sink.clone());
        (self.sampling, self.events_to) = (sampling, Some(sink));
        Ok(())
    }

    /// Gives what is pending a little time, and closes the components.
    fn close(&self) {
        let Some(running) = &self.running else { return };
        running.deactivate();
        let drained = running.wait_until(DRAIN, |stats| stats.pending() == 0);
        tracing::info!(drained, "closing");
        running.close();
    }
}

/// A thread of the worker; it ends with the process.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), WorkerError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(|_| ()).map_err(WorkerError::Thread)
}

/// Waits for SIGTERM or SIGINT; the second one ends the process at once.
fn end_by_signal(tell: SyncSender<Event>) -> Result<impl FnOnce() + Send, WorkerError> {
    let mut received = signals::listen().map_err(WorkerError::Signals)?;
    Ok(move || {
        if received.read_exact(&mut [0]).is_ok() {
            // Nobody listens any more when the worker ends already.
            let _ = tell.send(Event::End(Ending::Signal));
        }
    })
}
