//! What a supervisor answers on its Thrift port: to Nimbus, and to the workers of this machine.
//!
//! **Runs on** the server's threads; a worker that waits for orders keeps one of them.

use std::sync::Arc;
use std::time::Duration;

use nimbus_client::TopologyId;
use nimbus_client::native::{
    WorkerGateSyncHandler, WorkerGateSyncProcessor, WorkerOrders, WorkerReport,
};
use nimbus_client::thrift::{
    Assignment, NotAliveException, SupervisorAssignments, SupervisorSyncHandler,
    SupervisorSyncProcessor, SupervisorWorkerHeartbeat,
};
use tokio::sync::mpsc;

use super::board::{Board, NoOrders};
use super::metrics::Counts;
use super::slots::News;
use super::state_watch::Bell;
use super::uplink::Uplink;
use crate::server::{Caller, Message, Processor, Reply, thrift_reply};

/// Longest that a worker is let wait for orders, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

const OF_SUPERVISOR: [&str; 3] =
    ["sendSupervisorAssignments", "getLocalAssignmentForStorm", "sendSupervisorWorkerHeartbeat"];
const METHODS: [&str; 5] =
    [OF_SUPERVISOR[0], OF_SUPERVISOR[1], OF_SUPERVISOR[2], "report", "orders"];

/// The two services of a supervisor's port.
pub(super) struct Gate {
    supervisor: SupervisorSyncProcessor<Handler>,
    workers: WorkerGateSyncProcessor<Handler>,
}

/// Everything that is called ends here.
#[derive(Clone)]
pub(super) struct Handler {
    pub board: Arc<Board>,
    pub bell: Arc<Bell>,
    pub uplink: Uplink,
    pub news: mpsc::Sender<News>,
    pub counts: Arc<Counts>,
}

impl Gate {
    pub fn new(handler: Handler) -> Self {
        Self {
            supervisor: SupervisorSyncProcessor::new(handler.clone()),
            workers: WorkerGateSyncProcessor::new(handler),
        }
    }
}

impl Processor for Gate {
    fn methods(&self) -> &[&'static str] {
        &METHODS
    }

    fn refusal_field(&self, method: &str) -> Option<i16> {
        match method {
            "sendSupervisorAssignments" | "sendSupervisorWorkerHeartbeat" => Some(1),
            "getLocalAssignmentForStorm" => Some(2),
            _ => None,
        }
    }

    fn call(&self, _caller: &Caller, message: &Message, frame: &[u8]) -> Reply {
        if OF_SUPERVISOR.contains(&message.method.as_str()) {
            thrift_reply(&self.supervisor, message, frame)
        } else {
            thrift_reply(&self.workers, message, frame)
        }
    }
}

impl SupervisorSyncHandler for Handler {
    /// What Nimbus pushes stands in the shared state before it is pushed, so it is read there:
    /// then there is one order of assignments and not two.
    fn handle_send_supervisor_assignments(&self, _: SupervisorAssignments) -> thrift::Result<()> {
        self.bell.ring();
        Ok(())
    }

    fn handle_get_local_assignment_for_storm(&self, id: String) -> thrift::Result<Assignment> {
        let assignment = id.parse().ok().and_then(|id| self.board.assignment(&id));
        assignment.ok_or_else(|| not_alive(format!("no slot of this supervisor is for {id}")))
    }

    /// Storm's own workers tell that they live; which of them, they do not say.
    fn handle_send_supervisor_worker_heartbeat(
        &self,
        heartbeat: SupervisorWorkerHeartbeat,
    ) -> thrift::Result<()> {
        let id = heartbeat.storm_id;
        let is_here = id.parse().is_ok_and(|id| self.board.assignment(&id).is_some());
        if is_here { Ok(()) } else { Err(not_alive(format!("{id} is not here"))) }
    }
}

impl WorkerGateSyncHandler for Handler {
    fn handle_report(&self, report: WorkerReport) -> thrift::Result<()> {
        let (id, port) = slot(&report.topology_id, report.port)?;
        if !self.board.is_for(port, &id) {
            return Err(not_here(&id, port));
        }
        // Where there is no room now, the next report comes in a second.
        let _ = self.news.try_send(News::Heard { port, worker: report.worker_id.clone() });
        Counts::add(&self.counts.reports);
        self.uplink.put(report);
        Ok(())
    }

    fn handle_orders(
        &self,
        topology_id: String,
        port: i32,
        seen_version: i64,
        wait_ms: i32,
    ) -> thrift::Result<WorkerOrders> {
        let (id, port) = slot(&topology_id, port)?;
        let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0)).min(LONGEST_WAIT);
        match self.board.orders(&id, port, seen_version, wait) {
            Ok(orders) => Ok(orders),
            Err(NoOrders::NotHere) => Err(not_here(&id, port)),
            Err(NoOrders::NotYet) => Err(thrift::ApplicationError::new(
                thrift::ApplicationErrorKind::InternalError,
                format!("the state of {id} was not read yet: ask again"),
            )
            .into()),
        }
    }
}

fn slot(topology_id: &str, port: i32) -> thrift::Result<(TopologyId, u16)> {
    let id = topology_id.parse();
    let id = id.map_err(|error| not_alive(format!("{error}")))?;
    let port = u16::try_from(port).map_err(|_| not_alive(format!("{port} is no port")))?;
    Ok((id, port))
}

fn not_here(id: &TopologyId, port: u16) -> thrift::Error {
    not_alive(format!("the slot at port {port} is not for {id}"))
}

fn not_alive(msg: String) -> thrift::Error {
    thrift::Error::User(Box::new(NotAliveException { msg }))
}
