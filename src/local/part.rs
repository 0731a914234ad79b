//! One worker's part of a topology that several workers share.
//!
//! A part runs as a whole topology does, on threads of this process, with an exchange that is
//! connected to the other workers.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use super::random_seed;
use super::running::{RunningTopology, start_threads};
use crate::clock::Clock;
use crate::component::Folders;
use crate::executor::assemble::{Options, Workers, assemble};
use crate::executor::exchange::{ExchangeControl, ExchangeCounts, WorkerMap};
use crate::messaging::connector::Connector;
use crate::messaging::hello::Identity;
use crate::topology::{TaskPlan, Topology};

/// What makes a worker one of several.
pub(crate) struct Part {
    /// Id of the topology, which all its workers give.
    pub topology_id: String,
    /// Where the executors are.
    pub map: WorkerMap,
    /// Bound to the worker's port.
    pub listener: TcpListener,
    /// What only the topology's workers know.
    pub secret: Vec<u8>,
    /// What the worker's components may use.
    pub folders: Option<Folders>,
}

/// The way to other workers of a running part.
pub(super) struct Outside {
    pub exchange: ExchangeControl,
    /// Ends its thread when dropped.
    _connector: Connector,
}

impl RunningTopology {
    /// Starts a part; its spouts wait for [`RunningTopology::activate`].
    ///
    /// # Errors
    /// If the system gives no thread or no descriptor.
    pub(crate) fn start_part(name: &str, topology: &Topology, part: Part) -> io::Result<Self> {
        let clock = Clock::system();
        let seed = random_seed();
        let Part { topology_id, map, listener, secret, folders } = part;
        let mut connector = Connector::new()?;
        let worker = map.own.clone();
        let options = Options {
            name: name.into(),
            clock: clock.clone(),
            threads: None,
            simulated: false,
            seed,
            tap: None,
            workers: Some(Workers { map, connector: connector.remote() }),
            folders: folders.map(Arc::new),
        };
        let mut assembly = assemble(topology, options)?;
        let exchange = assembly.exchange.take().expect("a part has an exchange");
        let shape = shape(topology);
        let identity = Identity { topology: topology_id, worker, generation: seed, shape, secret };
        connector.start(identity, listener, clock.clone())?;
        let profile = topology.conf().wait_profile;
        let mut shared = start_threads(name, profile, assembly, clock, false)?;
        shared.outside = Some(Outside { exchange, _connector: connector });
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Says where the executors are from now on; those of this worker are to stay the same.
    pub(crate) fn set_workers(&self, map: &WorkerMap) {
        if let Some(outside) = &self.shared.outside {
            outside.exchange.set_workers(map);
        }
    }

    /// What went to other workers and came from them; none if there are none.
    pub(crate) fn exchange_counts(&self) -> Option<&ExchangeCounts> {
        self.shared.outside.as_ref().map(|outside| &*outside.exchange.counts)
    }

    /// Ends the part, without waiting for what is pending.
    pub(crate) fn end_part(&self) {
        self.close();
    }
}

/// A digest of the numbers and streams on which workers must agree.
fn shape(topology: &Topology) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (executor, component) in TaskPlan::new(topology).executors {
        (executor, component).hash(&mut hasher);
    }
    for stream in topology.schema().iter() {
        (&stream.component, &stream.stream, stream.direct).hash(&mut hasher);
        stream.fields.iter().for_each(|field| field.hash(&mut hasher));
    }
    topology.to_string().hash(&mut hasher);
    hasher.finish()
}
