//! Carries out what the slots' machines decide: one driver owns all slots of a supervisor.
//!
//! ```text
//!   state_watch ── Assigned ──┐                       ┌─▶ localizer ── Localized ──┐
//!   gate        ── Heard ─────┼─▶ driver ─▶ slot ─────┼─▶ keepers   ── Ended ──────┼─▶ driver
//!   handle      ── Stop ──────┘    (pure)  effects    └─▶ uplink: errors           ┘
//! ```
//!
//! **Invariant.** What slots are for is shown on the board before a worker is launched, since a
//! worker asks for its orders at once.
//!
//! **Runs on** one future of the supervisor's runtime; what blocks runs on blocking threads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nimbus_client::TopologyId;
use nimbus_client::native::{ReportedError, WorkerReport};
use nimbus_client::thrift;
use tokio::sync::{mpsc, oneshot};

use super::board::Board;
use super::local_state::LocalState;
use super::localizer::{LocalizeError, Localized, Localizer};
use super::metrics::Counts;
use super::slot::{Effect, End, Event, LocalAssignment, Report, Slot, Timeouts, WorkerNumber};
use super::state_watch::Bell;
use super::uplink::Uplink;
use super::workers::{Found, Keeper, Workers};
use crate::clock::{Clock, Time, unix_time_ms};

/// The component under which Storm shows what belongs to no component, and its task.
const SYSTEM: &str = "__system";
const SYSTEM_TASK: i32 = -1;
/// How long workers may take to end when the supervisor stops with them, beyond their grace.
const STOP_SLACK: Duration = Duration::from_secs(12);
/// The same error of a slot is told again after this time.
const TOLD_AGAIN: Duration = Duration::from_secs(300);

/// What the driver is told.
#[derive(Debug)]
pub(super) enum News {
    /// All slots' assignments.
    Assigned(BTreeMap<u16, LocalAssignment>),
    /// A worker gave a sign of life.
    Heard { port: u16, worker: String },
    /// A worker has ended, with its last words.
    Ended { port: u16, number: WorkerNumber, end: End, words: Vec<String> },
    /// A topology's files are here, or not.
    Localized { id: TopologyId, localized: Result<Localized, LocalizeError> },
    /// Something is decided anew about topologies, and their confs may be others.
    Look(Vec<TopologyId>),
    /// The supervisor stops, with or without its workers.
    Stop { kill_workers: bool, done: oneshot::Sender<()> },
}

/// One slot, and the worker in it.
pub(super) struct Place {
    pub slot: Slot,
    keeper: Option<Keeper>,
    /// What was told last of this slot, and when.
    told: Option<(String, Time)>,
}

impl Place {
    pub fn new(slot: Slot) -> Self {
        Self { slot, keeper: None, told: None }
    }
}

/// The one owner of the slots.
pub(super) struct Driver {
    pub workers: Workers,
    pub localizer: Localizer,
    pub state: LocalState,
    pub board: Arc<Board>,
    pub bell: Arc<Bell>,
    pub uplink: Uplink,
    pub news: mpsc::Sender<News>,
    pub clock: Clock,
    pub timeouts: Timeouts,
    /// Most that a topology may ask for as its worker's timeout.
    pub timeout_limit: Duration,
    /// Ports of slots with a worker, for others to see.
    pub used: Arc<Mutex<BTreeSet<u16>>>,
    pub port_to_place: BTreeMap<u16, Place>,
    pub files: Files,
    pub is_assigned: bool,
    /// Time between two looks for new versions of files.
    pub blob_interval: Duration,
    /// When the next one is.
    pub look_at: Time,
}

/// Topologies' files on this machine.
#[derive(Default)]
pub(super) struct Files {
    localized: BTreeMap<TopologyId, Localized>,
    /// Those that are just being brought here.
    localizing: BTreeSet<TopologyId>,
    /// Slots that asked for them and have not released them.
    users: BTreeMap<TopologyId, BTreeSet<u16>>,
}

impl Driver {
    /// Takes over workers that were there before, and says which slot is for what, before any of
    /// them asks.
    pub fn adopt(&mut self, found: Vec<Found>) {
        let now = self.clock.now();
        for found in found {
            let (port, wanted) = (found.port, found.wanted.clone());
            let Some(place) = self.port_to_place.get_mut(&port).filter(|p| p.keeper.is_none())
            else {
                // Two workers in one slot, or a slot that is no more: only one can be right.
                tracing::warn!(port, worker = found.worker, "ending a worker without a slot");
                found.running.kill();
                continue;
            };
            tracing::info!(topology = %wanted.topology, port, worker = found.worker, pid = found.running.id().pid, "adopted a worker");
            self.files.users.entry(wanted.topology.clone()).or_default().insert(port);
            place.slot = Slot::adopted(self.timeouts, wanted, None, now);
            let number = place.slot.worker().expect("it was adopted");
            place.keeper = Some(self.workers.adopt(found, number, self.news.clone()));
        }
        self.publish();
    }

    /// Drives the slots until the supervisor stops.
    pub async fn run(mut self, mut news: mpsc::Receiver<News>) {
        loop {
            match self.next(&mut news, Time::NEVER).await {
                Some(News::Stop { kill_workers, done }) => {
                    if kill_workers {
                        self.end_workers(&mut news).await;
                    }
                    // Nobody may wait for it.
                    let _ = done.send(());
                    return;
                }
                Some(told) => self.take(told),
                None => return,
            }
        }
    }

    /// The next news, while slots' deadlines are kept; `None` at `until`, or when nobody is left.
    async fn next(&mut self, news: &mut mpsc::Receiver<News>, until: Time) -> Option<News> {
        loop {
            let slots = self.port_to_place.values().filter_map(|place| place.slot.next_deadline());
            let deadline = slots.min().unwrap_or(Time::NEVER).min(until).min(self.look_time());
            if deadline == Time::NEVER {
                return news.recv().await;
            }
            let left = deadline.since(self.clock.now());
            match tokio::time::timeout(left, news.recv()).await {
                Ok(told) => return told,
                Err(_) if self.clock.now() >= until => return None,
                Err(_) => {
                    self.tick();
                    if self.clock.now() >= self.look_time() {
                        self.look_at = self.clock.now() + self.blob_interval;
                        self.look(self.files.users.keys().cloned().collect());
                    }
                }
            }
        }
    }

    /// When files are looked at; never while there are none.
    fn look_time(&self) -> Time {
        if self.files.users.is_empty() { Time::NEVER } else { self.look_at }
    }

    /// Has files that are here compared with what Nimbus has.
    fn look(&mut self, ids: Vec<TopologyId>) {
        for id in ids {
            let has_worker = |port: &u16| {
                self.port_to_place.get(port).is_some_and(|place| place.slot.worker().is_some())
            };
            let is_here = self.files.localized.contains_key(&id)
                || self.files.users.get(&id).is_some_and(|ports| ports.iter().any(has_worker));
            if is_here {
                self.localize(id);
            }
        }
    }

    fn take(&mut self, told: News) {
        match told {
            News::Look(ids) => self.look(ids),
            News::Assigned(port_to_wanted) => self.assigned(port_to_wanted),
            News::Heard { port, worker } => {
                let place = self.port_to_place.get(&port);
                let keeper = place.and_then(|place| place.keeper.as_ref());
                if keeper.is_some_and(|keeper| keeper.worker == worker)
                    && let Some(worker) = place.and_then(|place| place.slot.worker())
                {
                    self.on(port, Event::Heartbeat { worker }, &[]);
                }
            }
            News::Ended { port, number, end, words } => {
                tracing::info!(port, "{number} {end}");
                Counts::add(&self.workers.counts.ended);
                self.workers.counts.set_process(port, None);
                self.on(port, Event::Ended { worker: number, end }, &words);
            }
            News::Localized { id, localized } => self.localized(id, localized),
            News::Stop { .. } => unreachable!("the loop takes it"),
        }
    }

    fn assigned(&mut self, mut port_to_wanted: BTreeMap<u16, LocalAssignment>) {
        self.remember(&port_to_wanted);
        if !self.is_assigned {
            self.is_assigned = true;
            let wanted = port_to_wanted.values().map(|wanted| &wanted.topology);
            let used: BTreeSet<String> =
                self.files.users.keys().chain(wanted).map(ToString::to_string).collect();
            self.localizer.clean(|name| used.contains(name));
        }
        let ports: Vec<u16> = self.port_to_place.keys().copied().collect();
        for port in ports {
            self.on(port, Event::Assign(port_to_wanted.remove(&port)), &[]);
        }
        for (port, wanted) in port_to_wanted {
            tracing::warn!(topology = %wanted.topology, port, "assigned to a slot that is not here");
        }
    }

    fn remember(&mut self, port_to_wanted: &BTreeMap<u16, LocalAssignment>) {
        let local = |(port, wanted): (&u16, &LocalAssignment)| {
            let executors = wanted.executors.iter().map(|executor| {
                let (first, last) = (executor.first_task.0, executor.last_task.0);
                thrift::ExecutorInfo::new(first.into(), last.into())
            });
            let executors = executors.collect();
            let id = wanted.topology.to_string();
            (i32::from(*port), thrift::LocalAssignment::new(id, executors, None, None, None))
        };
        let all = port_to_wanted.iter().map(local).collect();
        if let Err(error) = self.state.set_assignments(all) {
            tracing::error!("assignments are not remembered: {error}");
        }
    }

    fn tick(&mut self) {
        let now = self.clock.now();
        let is_due = |place: &Place| place.slot.next_deadline().is_some_and(|at| at <= now);
        let due = self.port_to_place.iter().filter(|(_, place)| is_due(place));
        let due: Vec<u16> = due.map(|(port, _)| *port).collect();
        due.into_iter().for_each(|port| self.on(port, Event::Tick, &[]));
    }

    fn on(&mut self, port: u16, event: Event, words: &[String]) {
        let now = self.clock.now();
        let Some(place) = self.port_to_place.get_mut(&port) else { return };
        let before = place.slot.assignment().cloned();
        let worker_before = place.slot.worker();
        let effects = place.slot.on(event, now);
        if place.slot.assignment() != before.as_ref() || place.slot.worker() != worker_before {
            self.publish();
        }
        for effect in effects {
            self.carry_out(port, effect, words);
        }
    }

    fn carry_out(&mut self, port: u16, effect: Effect, words: &[String]) {
        let Some(place) = self.port_to_place.get_mut(&port) else { return };
        match effect {
            Effect::Localize { topology } | Effect::UpdateBlobs { topology } => {
                self.files.users.entry(topology.clone()).or_default().insert(port);
                self.localize(topology);
            }
            Effect::Release { topology } => {
                if let Some(users) = self.files.users.get_mut(&topology) {
                    users.remove(&port);
                }
                self.remove_unused(&topology);
            }
            Effect::Launch { worker, assignment } => self.launch(port, worker, assignment),
            Effect::Terminate { .. } => {
                if let Some(keeper) = &place.keeper {
                    keeper.terminate();
                }
            }
            Effect::Kill { .. } => {
                if let Some(keeper) = &place.keeper {
                    keeper.kill();
                }
            }
            Effect::CleanUp { .. } => {
                if let Some(keeper) = place.keeper.take() {
                    self.workers.forget(&keeper.worker);
                }
            }
            Effect::Report(report) => self.report(port, &report, words),
        }
    }

    fn localize(&mut self, id: TopologyId) {
        if !self.files.localizing.insert(id.clone()) {
            return;
        }
        let (localizer, news) = (self.localizer.clone(), self.news.clone());
        let known = self.files.localized.get(&id).cloned();
        tokio::task::spawn_blocking(move || {
            let localized = localizer.localize(&id, known);
            // The driver is gone when the supervisor stops.
            let _ = news.blocking_send(News::Localized { id, localized });
        });
    }

    fn localized(&mut self, id: TopologyId, localized: Result<Localized, LocalizeError>) {
        self.files.localizing.remove(&id);
        let topology = id.clone();
        let mut changed = false;
        let event = match localized {
            Ok(localized) => {
                let worker_timeout = self.worker_timeout(&localized);
                changed = localized.changed;
                if self.files.localized.insert(id.clone(), localized).is_none() {
                    Counts::add(&self.workers.counts.localized);
                }
                Event::Localized { topology, worker_timeout }
            }
            Err(error) => {
                Counts::add(&self.workers.counts.not_localized);
                let refused = !error.is_retriable();
                Event::LocalizationFailed { topology, why: error.to_string(), refused }
            }
        };
        self.remove_unused(&id);
        let users: Vec<u16> = self.files.users.get(&id).into_iter().flatten().copied().collect();
        for port in users {
            if changed {
                // First, lest a worker that is launched now is taken for one with the files before.
                self.on(port, Event::BlobChanged { topology: id.clone() }, &[]);
            }
            self.on(port, event.clone(), &[]);
        }
    }

    /// A topology may ask to be waited for longer, up to a limit.
    fn worker_timeout(&self, localized: &Localized) -> Option<Duration> {
        let asked = localized.conf.get("topology.worker.timeout.secs")?.as_u64()?;
        Some(Duration::from_secs(asked).min(self.timeout_limit))
    }

    /// Removes files that no slot needs, unless they are just being brought.
    fn remove_unused(&mut self, id: &TopologyId) {
        if self.files.localizing.contains(id)
            || self.files.users.get(id).is_some_and(|users| !users.is_empty())
        {
            return;
        }
        self.files.users.remove(id);
        self.files.localized.remove(id);
        self.localizer.remove(id);
    }

    fn launch(&mut self, port: u16, number: WorkerNumber, wanted: LocalAssignment) {
        let news = self.news.clone();
        let Some(localized) = self.files.localized.get(&wanted.topology).cloned() else {
            // An adopted worker has ended before its files were looked at by this supervisor.
            return self.look_first(port, number, wanted.topology);
        };
        let keeper = self.workers.launch(port, number, wanted, localized, news);
        if let Some(place) = self.port_to_place.get_mut(&port) {
            place.keeper = Some(keeper);
        }
    }

    /// Looks at files that are here; the launch fails and is tried again, with the files known.
    fn look_first(&mut self, port: u16, number: WorkerNumber, id: TopologyId) {
        let (localizer, news) = (self.localizer.clone(), self.news.clone());
        if !self.files.localizing.insert(id.clone()) {
            let end = End::NotStarted { why: "its files are just being looked at".to_owned() };
            tokio::spawn(async move {
                // The driver is gone when the supervisor stops.
                let _ = news.send(News::Ended { port, number, end, words: Vec::new() }).await;
            });
            return;
        }
        tokio::task::spawn_blocking(move || {
            let localized = localizer.localize(&id, None);
            let why = match &localized {
                Ok(_) => "its files had to be looked at first".to_owned(),
                Err(error) => error.to_string(),
            };
            // The driver is gone when the supervisor stops.
            let _ = news.blocking_send(News::Localized { id, localized });
            let end = End::NotStarted { why };
            let _ = news.blocking_send(News::Ended { port, number, end, words: Vec::new() });
        });
    }

    /// Tells Nimbus, as a report without executors, so that it is no sign of life.
    fn report(&mut self, port: u16, report: &Report, words: &[String]) {
        let Some(place) = self.port_to_place.get_mut(&port) else { return };
        let mut error = format!("slot {port}: {report}");
        let now = self.clock.now();
        let is_old = |(told, at): &(String, Time)| *told == error && now.since(*at) < TOLD_AGAIN;
        if place.told.as_ref().is_some_and(is_old) {
            return;
        }
        tracing::warn!("{error}");
        place.told = Some((error.clone(), now));
        if !words.is_empty() {
            error.push_str("\nits last words:\n");
            error.push_str(&words.join("\n"));
        }
        let (Report::Ended { topology, .. }
        | Report::Silent { topology, .. }
        | Report::DoesNotEnd { topology, .. }
        | Report::NoFiles { topology, .. }) = report;
        let id = topology.to_string();
        let now_ms = unix_time_ms();
        let now_secs = i32::try_from(now_ms / 1_000).unwrap_or(i32::MAX);
        self.uplink.put(WorkerReport {
            worker_id: format!("{}-{port}", self.workers.supervisor_id),
            topology_id: id.clone(),
            port: port.into(),
            heartbeat: thrift::ClusterWorkerHeartbeat::new(id, BTreeMap::new(), now_secs, 0),
            errors: vec![ReportedError::new(SYSTEM.into(), SYSTEM_TASK, error, now_ms as i64)],
            histograms: vec![],
            pid: 0,
            resident_bytes: 0,
            cpu_seconds: 0.0.into(),
            metrics: BTreeMap::new(),
        });
    }

    /// Shows others what the slots are for and which have a worker.
    fn publish(&mut self) {
        let topologies = self
            .port_to_place
            .iter()
            .filter_map(|(port, place)| Some((*port, place.slot.assignment()?.topology.clone())));
        self.board.set_slots(topologies.collect());
        let with_worker =
            self.port_to_place.iter().filter(|(_, place)| place.slot.worker().is_some());
        let used: BTreeSet<u16> = with_worker.map(|(port, _)| *port).collect();
        let mut shown = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if *shown != used {
            *shown = used;
            self.bell.tell();
        }
    }

    /// Ends all workers and waits for them; their files stay, for the next start.
    async fn end_workers(&mut self, news: &mut mpsc::Receiver<News>) {
        let until = self.clock.now() + self.timeouts.kill_grace + STOP_SLACK;
        let ports: Vec<u16> = self.port_to_place.keys().copied().collect();
        for port in ports {
            self.on(port, Event::Assign(None), &[]);
        }
        while self.port_to_place.values().any(|place| place.slot.worker().is_some()) {
            match self.next(news, until).await {
                // What comes is for a supervisor that goes on.
                Some(News::Assigned(_) | News::Look(_) | News::Stop { .. }) => {}
                Some(told) => self.take(told),
                None => {
                    tracing::error!("some workers have not ended");
                    return;
                }
            }
        }
    }
}
