//! Calls of Nimbus, with errors that say what was wanted of it.

use std::time::Duration;

use nimbus_client::client::{
    ClientError, ClientOptions, NimbusClient, NimbusMethods, SupervisorGateMethods,
};
use nimbus_client::native::WorkerReport;
use nimbus_client::thrift::{
    ClusterSummary, KillOptions, RebalanceOptions, TopologyInfo, TopologySummary,
};
use nimbus_client::wire::OrderedFloat;

use crate::args::PROGRAM;
use crate::clock::Deadline;
use crate::session::{Seeds, Session, SessionError};

/// Longest that a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(3);

/// Why Nimbus did not do what was wanted.
#[derive(Debug, thiserror::Error)]
pub enum NimbusError {
    /// It is not known where it is.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It did not do it.
    #[error("cannot {what}: {source}")]
    Call {
        /// What was wanted.
        what: String,
        /// Why not.
        source: Box<ClientError>,
        /// Who named its address.
        from: String,
    },
}

impl NimbusError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let (source, from) = match self {
            Self::Session(error) => return error.hint(),
            Self::Call { source, from, .. } => (source.as_ref(), from),
        };
        match source {
            ClientError::NotAlive { .. } => format!("{PROGRAM} list shows the topologies that run"),
            ClientError::AlreadyAlive { .. } => {
                format!("take another name with --name, or {PROGRAM} kill it first")
            }
            ClientError::RequestTooLarge { key, .. } | ClientError::ReplyTooLarge { key, .. } => {
                format!("-c {key}=BYTES raises it here; Nimbus needs the same")
            }
            error if error.is_retriable() && from.starts_with("local cluster") => {
                format!("{PROGRAM} up starts the {from}, and repairs it")
            }
            error if error.is_retriable() => format!("the address is from {from}"),
            _ => format!("{PROGRAM} status shows the cluster"),
        }
    }
}

/// Nimbus, wherever it is.
#[derive(Debug)]
pub struct Nimbus {
    client: NimbusClient,
    from: String,
}

impl Nimbus {
    /// Nimbus as the session names it; nothing is connected yet.
    ///
    /// # Errors
    /// Nothing that names it.
    pub fn connect(session: &Session, deadline: Deadline) -> Result<Self, SessionError> {
        Self::at(session, session.seeds()?, deadline)
    }

    /// Nimbus of the local cluster, whatever else is configured.
    ///
    /// # Errors
    /// No local cluster.
    pub fn local(session: &Session, deadline: Deadline) -> Result<Self, SessionError> {
        Self::at(session, session.local_seeds()?, deadline)
    }

    fn at(session: &Session, seeds: Seeds, deadline: Deadline) -> Result<Self, SessionError> {
        let mut reader = session.conf.reader();
        let configured = ClientOptions::from_conf(&mut reader);
        let left = deadline.left().max(Duration::from_millis(1));
        let options = ClientOptions {
            connect: CONNECT.min(left),
            call: left,
            total: left,
            frame_bytes: configured.frame_bytes,
            ..ClientOptions::default()
        };
        Ok(Self { client: NimbusClient::new(seeds.addresses, options), from: seeds.from })
    }

    fn done<T>(&self, what: &str, result: Result<T, ClientError>) -> Result<T, NimbusError> {
        result.map_err(|source| NimbusError::Call {
            what: what.to_owned(),
            source: Box::new(source),
            from: self.from.clone(),
        })
    }

    /// The client itself, for what takes more than one call.
    pub fn client(&mut self) -> &mut NimbusClient {
        &mut self.client
    }

    /// The whole cluster.
    pub fn cluster(&mut self) -> Result<ClusterSummary, NimbusError> {
        let result = self.client.cluster();
        self.done("see the cluster", result)
    }

    /// All topologies.
    pub fn topologies(&mut self) -> Result<Vec<TopologySummary>, NimbusError> {
        let result = self.client.topologies();
        self.done("list the topologies", result)
    }

    /// Executors, statistics and errors of a topology.
    pub fn topology(&mut self, name: &str) -> Result<TopologyInfo, NimbusError> {
        let result = self.client.call(|nimbus| nimbus.get_topology_info_by_name(name.to_owned()));
        self.done(&format!("look at {name}"), result)
    }

    /// Kills a topology.
    pub fn kill(&mut self, name: &str, options: KillOptions) -> Result<(), NimbusError> {
        let result = self.client.kill(name, options.wait_secs);
        self.done(&format!("kill {name}"), result)
    }

    /// Activates a topology.
    pub fn activate(&mut self, name: &str) -> Result<(), NimbusError> {
        let result = self.client.activate(name);
        self.done(&format!("activate {name}"), result)
    }

    /// Deactivates a topology.
    pub fn deactivate(&mut self, name: &str) -> Result<(), NimbusError> {
        let result = self.client.deactivate(name);
        self.done(&format!("deactivate {name}"), result)
    }

    /// Rebalances a topology.
    pub fn rebalance(&mut self, name: &str, options: RebalanceOptions) -> Result<(), NimbusError> {
        let result = self.client.rebalance(name, &options);
        self.done(&format!("rebalance {name}"), result)
    }

    /// Samples so many percent of what a component emits, or all components do if it is empty; none
    /// samples nothing.
    pub fn debug(
        &mut self,
        name: &str,
        component: &str,
        percent: Option<f64>,
    ) -> Result<(), NimbusError> {
        let (enable, percent) = (percent.is_some(), OrderedFloat(percent.unwrap_or(0.0)));
        let result = self
            .client
            .call(|nimbus| nimbus.debug(name.to_owned(), component.to_owned(), enable, percent));
        self.done(&format!("sample {name}"), result)
    }

    /// The last report of each worker of a topology; only Nimbus of the native engine has them.
    pub fn worker_reports(&mut self, id: &str) -> Result<Vec<WorkerReport>, NimbusError> {
        let result = self.client.call(|nimbus| nimbus.worker_reports(id.to_owned()));
        self.done(&format!("see the workers of {id}"), result)
    }
}
