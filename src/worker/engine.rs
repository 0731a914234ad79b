//! From orders to executors that run.

use std::collections::BTreeSet;
use std::net::TcpListener;

use nimbus_client::thrift;

use super::{WorkerArgs, WorkerError};
use crate::assignment::{Assignment, AssignmentError, WorkerSlot};
use crate::component::Folders;
use crate::executor::exchange::WorkerMap;
use crate::id::ExecutorId;
use crate::local::RunningTopology;
use crate::local::part::Part;
use crate::messaging::line::Address;
use crate::topology::Topology;

/// What one worker runs of a topology, and where the rest runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    pub slot: WorkerSlot,
    pub executors: BTreeSet<ExecutorId>,
    pub assignment: Assignment,
}

impl Share {
    /// The share of the worker in `slot`; none if nothing is assigned to it.
    pub fn of(
        slot: WorkerSlot,
        assignment: Option<&thrift::Assignment>,
    ) -> Result<Option<Self>, AssignmentError> {
        let Some(assignment) = assignment.map(Assignment::try_from).transpose()? else {
            return Ok(None);
        };
        let executors = assignment.slot_to_executors().remove(&slot);
        Ok(executors.map(|executors| Self { slot, executors, assignment }))
    }
}

/// Starts a worker's executors, inactive, and listens for tuples of other workers.
pub(super) fn start(
    args: &WorkerArgs,
    topology: &Topology,
    secret: &str,
    share: &Share,
) -> Result<RunningTopology, WorkerError> {
    tracing::info!(executors = share.executors.len(), "starting executors");
    // Others look for this worker where its supervisor's host is.
    let host = share.assignment.address_of(&share.slot).map_or("127.0.0.1", |(host, _)| host);
    let listener = TcpListener::bind((host, args.port)).map_err(|source| WorkerError::Listen {
        host: host.to_owned(),
        port: args.port,
        source,
    })?;
    let part = Part {
        topology_id: args.topology.to_string(),
        map: map(share),
        listener,
        secret: secret.as_bytes().to_vec(),
        folders: Some(folders(args)),
    };
    RunningTopology::start_part(args.topology.name().as_str(), topology, part)
        .map_err(WorkerError::Thread)
}

/// What the components of this worker may use.
fn folders(args: &WorkerArgs) -> Folders {
    let topology = args.local_dir.join("supervisor/stormdist").join(args.topology.to_string());
    Folders { resources: topology.join("resources"), pids: args.folder().join("pids") }
}

/// Tells the executors where those of other workers are now.
pub(super) fn move_peers(running: &RunningTopology, share: &Share) {
    running.set_workers(&map(share));
}

/// Where all executors are, as the exchange between workers needs to know it.
fn map(share: &Share) -> WorkerMap {
    let executors = share.assignment.executor_to_slot.iter();
    let executor_to_worker = executors.filter_map(|(executor, slot)| {
        let (host, port) = share.assignment.address_of(slot)?;
        Some((*executor, Address { worker: slot.to_string(), host: host.to_owned(), port }))
    });
    WorkerMap { own: share.slot.to_string(), executor_to_worker: executor_to_worker.collect() }
}
