//! Ways into the queue, the ledger and the groupings for the benches alone.
//!
//! A bench is a crate of its own and sees what is public; were these parts public themselves, their
//! shape would be a promise to authors. Nothing here is one, and nothing here does more than pass a
//! call on.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use crate::acker::{AckLedger, Outcome, flag};
use crate::executor::exchange::WorkerMap;
use crate::grouping::{Choice, Grouper};
use crate::id::{RootId, TaskId};
use crate::local::RunningTopology;
use crate::local::part::Part;
use crate::messaging::line::Address;
use crate::queue;
use crate::topology::{Grouping, TaskPlan, Topology};
use crate::tuple::{Anchor, Fields, StreamSchema, Value};

/// The writing end of a [`ring`].
#[derive(Debug)]
pub struct Producer<T>(queue::Producer<T>);

/// The reading end of a [`ring`].
#[derive(Debug)]
pub struct Consumer<T>(queue::Consumer<T>);

/// A ring between two threads; its capacity is a power of two.
pub fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let (producer, consumer) = queue::ring(capacity);
    (Producer(producer), Consumer(consumer))
}

impl<T> Producer<T> {
    /// Appends an item.
    ///
    /// # Errors
    /// The ring is full; the item comes back.
    #[inline]
    pub fn push(&mut self, item: T) -> Result<(), T> {
        self.0.push(item)
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest item.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
}

/// A thread's sleeping place.
#[derive(Debug)]
pub struct Parker(queue::Parker);

/// Wakes the owner of a [`Parker`].
#[derive(Clone, Debug)]
pub struct Unparker(queue::Unparker);

/// A sleeping place and what wakes its owner.
pub fn parker() -> (Parker, Unparker) {
    let (parker, unparker) = queue::Parker::new();
    (Parker(parker), Unparker(unparker))
}

impl Parker {
    /// Sleeps until woken or until the time has passed, unless `idle` answers false.
    pub fn park(&self, timeout: Option<Duration>, idle: impl FnOnce() -> bool) {
        self.0.park(timeout, idle);
    }
}

impl Unparker {
    /// Wakes the owner if it sleeps.
    #[inline]
    pub fn wake(&self) {
        self.0.wake();
    }
}

/// The trees of one spout task.
#[derive(Debug)]
pub struct Ledger {
    ledger: AckLedger,
    spout_task: TaskId,
}

impl Ledger {
    /// No trees yet.
    pub fn new(spout_task: TaskId) -> Self {
        Self { ledger: AckLedger::new([spout_task]), spout_task }
    }

    /// The tree that is the so many-th use of a slot.
    pub fn root(&self, generation: u32, slot: u32) -> RootId {
        RootId::new(self.spout_task, generation, slot)
    }

    /// Announces a tree with the XOR of its first edges; answers whether it is complete.
    #[inline]
    pub fn init(&mut self, root: RootId, edges: u64) -> bool {
        self.apply(root.0 | flag::INIT, edges)
    }

    /// Acks with the XOR of consumed and made edges; answers whether the tree is complete.
    #[inline]
    pub fn ack(&mut self, root: RootId, edges: u64) -> bool {
        self.apply(root.0, edges)
    }

    #[inline]
    fn apply(&mut self, root: u64, edge: u64) -> bool {
        self.ledger.apply(Anchor { root, edge }) == Outcome::Acked
    }
}

/// A grouping compiled for its targets.
#[derive(Debug)]
pub struct Chooser(Grouper);

impl Chooser {
    /// Compiles a grouping of a stream with these fields.
    pub fn new(grouping: &Grouping, fields: Fields, targets: usize) -> Self {
        let (component, stream) = ("emitter".into(), "default".into());
        let schema = StreamSchema { component, stream, fields, direct: false };
        Self(Grouper::new(grouping, &schema, targets, &[], 0))
    }

    /// The target, of those groupings that choose one.
    #[inline]
    pub fn choose(&mut self, values: &[Value]) -> Option<usize> {
        match self.0.choose(values) {
            Choice::One(target) => Some(target),
            Choice::Some(_) | Choice::All | Choice::Nobody => None,
        }
    }
}

/// One worker of several that share a topology; ended when dropped.
pub struct Worker(RunningTopology);

/// How many tuples went between workers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Tuples to other workers.
    pub sent: u64,
    /// Tuples from other workers.
    pub received: u64,
    /// Tuples for a worker that was not there.
    pub dropped: u64,
    /// Acks for a worker that was not there.
    pub dropped_acks: u64,
    /// Connections made.
    pub connections: u64,
    /// The last round trip of a ping.
    pub ping: Duration,
}

impl Worker {
    /// Starts worker number `own`, inactive. `addresses` are where each worker is dialled, and
    /// `worker_of` says on which of them the executor that begins with a task of a component runs.
    ///
    /// # Errors
    /// If the system gives no thread or no descriptor.
    pub fn start(
        topology: &Topology,
        own: usize,
        listener: TcpListener,
        addresses: &[SocketAddr],
        worker_of: impl Fn(&str, TaskId) -> usize,
    ) -> std::io::Result<Self> {
        let map = worker_map(topology, own, addresses, worker_of);
        let topology_id = "measured-1".to_owned();
        let part = Part { topology_id, map, listener, secret: b"secret".to_vec(), folders: None };
        RunningTopology::start_part("measured", topology, part).map(Self)
    }

    /// Moves executors of other workers.
    pub fn set_workers(
        &self,
        topology: &Topology,
        own: usize,
        addresses: &[SocketAddr],
        worker_of: impl Fn(&str, TaskId) -> usize,
    ) {
        self.0.set_workers(&worker_map(topology, own, addresses, worker_of));
    }

    /// The worker's part of the topology.
    pub fn topology(&self) -> &RunningTopology {
        &self.0
    }

    /// What went to other workers and came from them.
    pub fn exchanged(&self) -> Exchanged {
        self.0.exchange_counts().map_or(Exchanged::default(), |counts| Exchanged {
            sent: counts.sent_tuples.get(),
            received: counts.received_tuples.get(),
            dropped: counts.dropped_tuples.get(),
            dropped_acks: counts.dropped_acks.get(),
            connections: counts.connections.get(),
            ping: Duration::from_nanos(counts.ping_ns.get()),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.end_part();
    }
}

fn worker_map(
    topology: &Topology,
    own: usize,
    addresses: &[SocketAddr],
    worker_of: impl Fn(&str, TaskId) -> usize,
) -> WorkerMap {
    let name = |worker: usize| format!("worker-{worker}");
    let executors = TaskPlan::new(topology).executors.into_iter();
    let executor_to_worker: BTreeMap<_, _> = executors
        .map(|(executor, component)| {
            let worker = worker_of(component.as_str(), executor.first_task);
            let address = Address {
                worker: name(worker),
                host: addresses[worker].ip().to_string(),
                port: addresses[worker].port(),
            };
            (executor, address)
        })
        .collect();
    WorkerMap { own: name(own), executor_to_worker }
}
