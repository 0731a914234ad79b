//! A client of whichever Nimbus is the leader.

use std::net::IpAddr;
use std::time::Duration;

use super::deadline::Deadline;
use super::single::{Attempt, repeated};
use super::{
    Address, Channel, Client, ClientError, ClientOptions, Nimbus, NimbusMethods, SeedFailure,
};
use crate::conf::{ConfErrors, Reader, keys};
use crate::thrift::{
    ClusterSummary, KillOptions, NimbusSummary, RebalanceOptions, TopologySummary,
};
use crate::wire::{ApplicationErrorKind, ThriftResult};

/// A client of the leader, which it finds by asking seeds, and finds again when it is gone.
#[derive(Debug)]
pub struct NimbusClient {
    seeds: Vec<Address>,
    options: ClientOptions,
    leader: Option<Client<Nimbus>>,
}

impl NimbusClient {
    /// A client that asks these seeds in turn; nothing is connected yet.
    pub fn new(seeds: Vec<Address>, options: ClientOptions) -> Self {
        Self { seeds, options, leader: None }
    }

    /// The client that Storm's configuration describes: `nimbus.seeds`, `nimbus.thrift.port`, and
    /// what [`ClientOptions::from_conf`] reads.
    ///
    /// # Errors
    /// All values that have a wrong form.
    pub fn from_conf(mut reader: Reader<'_>) -> Result<Self, ConfErrors> {
        let port = reader.port(&keys::NIMBUS_THRIFT_PORT);
        let seeds = reader.texts_if_set(&keys::NIMBUS_SEEDS).unwrap_or_default();
        let options = ClientOptions::from_conf(&mut reader);
        let mut errors = reader.into_errors();
        let mut addresses = Vec::new();
        for seed in seeds {
            match Address::parse(&seed, port) {
                Ok(address) => addresses.push(address),
                Err(error) => errors.push(crate::conf::ConfError::out_of_range(
                    keys::NIMBUS_SEEDS.name,
                    &seed.into(),
                    error.to_string(),
                )),
            }
        }
        if errors.is_empty() { Ok(Self::new(addresses, options)) } else { Err(ConfErrors(errors)) }
    }

    /// How this client waits and repeats.
    pub fn options(&self) -> &ClientOptions {
        &self.options
    }

    /// The address of the leader that was found last.
    pub fn leader_address(&self) -> Option<&Address> {
        self.leader.as_ref().map(Client::address)
    }

    /// Calls the leader, and calls again as the options allow if that can do no harm.
    ///
    /// # Errors
    /// What the leader answers, or why there is no answer.
    pub fn call<T>(
        &mut self,
        call: impl FnMut(&mut Channel<Nimbus>) -> ThriftResult<T>,
    ) -> Result<T, ClientError> {
        self.call_within(self.options.call, call)
    }

    /// As [`call`](Self::call), with another deadline for each single answer.
    ///
    /// # Errors
    /// What the leader answers, or why there is no answer.
    pub fn call_within<T>(
        &mut self,
        within: Duration,
        mut call: impl FnMut(&mut Channel<Nimbus>) -> ThriftResult<T>,
    ) -> Result<T, ClientError> {
        let options = self.options.clone();
        repeated(&options, |deadline| self.attempt(within, deadline, &mut call))
    }

    fn attempt<T>(
        &mut self,
        within: Duration,
        deadline: Deadline,
        call: &mut impl FnMut(&mut Channel<Nimbus>) -> ThriftResult<T>,
    ) -> Result<T, Attempt> {
        if let Some(known) = self.leader.take() {
            match self.ask(known, within, deadline, call) {
                // The leader of before is gone: another one may have taken its place.
                Err(failed) if failed.never_arrived() => {}
                answered => return answered,
            }
        }
        let found = self.find_leader(deadline).map_err(Attempt::harmless)?;
        self.ask(found, within, deadline, call)
    }

    /// Calls `leader`, which stays the leader unless its answer casts doubt on that.
    fn ask<T>(
        &mut self,
        mut leader: Client<Nimbus>,
        within: Duration,
        deadline: Deadline,
        call: &mut impl FnMut(&mut Channel<Nimbus>) -> ThriftResult<T>,
    ) -> Result<T, Attempt> {
        let result = leader.attempt(within, deadline, call);
        let doubtful = result.as_ref().is_err_and(|failed| match &failed.error {
            // So fails a stock Nimbus that is not the leader.
            ClientError::Server { kind, .. } => *kind == ApplicationErrorKind::InternalError,
            error => !error.is_answer(),
        });
        if !doubtful {
            self.leader = Some(leader);
        }
        result
    }

    /// Asks one seed after the other.
    fn find_leader(&self, deadline: Deadline) -> Result<Client<Nimbus>, ClientError> {
        // Who leads is known at once; a seed that hangs must not keep the others from being asked.
        let within = self.options.call.min(self.options.connect.saturating_mul(3));
        let mut tried = Vec::new();
        let mut unreachable = None;
        for seed in &self.seeds {
            let mut client = Client::new(seed.clone(), self.options.clone());
            let told = client.attempt(within, deadline, &mut NimbusMethods::get_leader);
            match told {
                Err(failed) => tried.push(SeedFailure { seed: seed.clone(), why: failed.error }),
                Ok(summary) => match self.go_to_leader(client, &summary) {
                    Ok(leader) => return Ok(leader),
                    Err(error) => unreachable = Some(error),
                },
            }
        }
        Err(match (unreachable, tried.len()) {
            (Some(error), _) => error,
            // A single seed's own reason says more than that it is the only one.
            (None, 1) if !matches!(tried[0].why, ClientError::Server { .. }) => tried.remove(0).why,
            _ => ClientError::NoLeader { tried },
        })
    }

    /// A client of the leader that `seed` named.
    fn go_to_leader(
        &self,
        seed: Client<Nimbus>,
        summary: &NimbusSummary,
    ) -> Result<Client<Nimbus>, ClientError> {
        let port = u16::try_from(summary.port).unwrap_or(0);
        let leader = Address::new(&summary.host, port);
        if leader == *seed.address() {
            return Ok(seed);
        }
        let mut client = Client::new(leader.clone(), self.options.clone());
        match client.connect() {
            Ok(()) => Ok(client),
            // It calls its machine by a name that means another machine here, or a tunnel leads to
            // it: the way on which the seed was reached leads there.
            Err(_) if is_loopback(&leader.host) => Ok(seed),
            Err(why) => Err(ClientError::LeaderUnreachable {
                seed: seed.address().clone(),
                leader,
                why: Box::new(why),
            }),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|number: IpAddr| number.is_loopback())
}

/// What is called most.
impl NimbusClient {
    /// Who is the leader.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn leader(&mut self) -> Result<NimbusSummary, ClientError> {
        self.call(NimbusMethods::get_leader)
    }

    /// The whole cluster.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn cluster(&mut self) -> Result<ClusterSummary, ClientError> {
        self.call(NimbusMethods::get_cluster_info)
    }

    /// All topologies.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn topologies(&mut self) -> Result<Vec<TopologySummary>, ClientError> {
        self.call(NimbusMethods::get_topology_summaries)
    }

    /// The topology of this name, if it is alive.
    ///
    /// # Errors
    /// As [`call`](Self::call); that it is not alive is no error here.
    pub fn topology(&mut self, name: &str) -> Result<Option<TopologySummary>, ClientError> {
        match self.call(|storm| storm.get_topology_summary_by_name(name.to_owned())) {
            Ok(summary) => Ok(Some(summary)),
            Err(ClientError::NotAlive { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Kills a topology, after its message timeout or after `wait_secs`.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn kill(&mut self, name: &str, wait_secs: Option<i32>) -> Result<(), ClientError> {
        let options = KillOptions { wait_secs };
        self.call(|storm| storm.kill_topology_with_opts(name.to_owned(), options.clone()))
    }

    /// Lets a topology's spouts emit again.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn activate(&mut self, name: &str) -> Result<(), ClientError> {
        self.call(|storm| storm.activate(name.to_owned()))
    }

    /// Keeps a topology's spouts from emitting.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn deactivate(&mut self, name: &str) -> Result<(), ClientError> {
        self.call(|storm| storm.deactivate(name.to_owned()))
    }

    /// Places a topology's executors anew, among other numbers of workers and executors if `options`
    /// say so.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn rebalance(&mut self, name: &str, options: &RebalanceOptions) -> Result<(), ClientError> {
        self.call(|storm| storm.rebalance(name.to_owned(), options.clone()))
    }
}
