//! The methods that clients, supervisors and workers call.
//!
//! | file | what |
//! |---|---|
//! | `nimbus.rs` | Storm's 55 methods, one line or a few each |
//! | `gate.rs` | what this engine's own supervisors and tools ask besides |
//!
//! **Invariants.** Every call has passed the authorizer by its name before it gets here; one that
//! names a topology passes it again with that topology's conf. Every error is one of the exceptions
//! that the method declares, or an application error with the same sentence.

mod gate;
mod nimbus;

use std::sync::Arc;

use nimbus_client::catalogue::Method;
use nimbus_client::wire::ThriftResult;
use nimbus_client::{native, thrift as storm};

use super::core::Core;
use super::error::{Declares, NimbusError};
use super::topologies::Entry;
use crate::blobstore;
use crate::server::{Caller, Message, Processor, Reply, thrift_reply};

/// Names of Storm's service and of ours, as the tables of methods give them.
const SERVICES: [&str; 2] = ["Nimbus", "SupervisorGate"];

/// Both services on one port.
pub struct Services {
    core: Arc<Core>,
    methods: Vec<&'static str>,
    gate: Vec<&'static str>,
}

/// One call of one caller.
struct Call {
    core: Arc<Core>,
    caller: Caller,
}

impl Services {
    /// The services of a Nimbus.
    pub fn new(core: Arc<Core>) -> Self {
        let of = |methods: &[Method], service: &str| -> Vec<&'static str> {
            methods.iter().filter(|one| one.service == service).map(|one| one.name).collect()
        };
        let gate = of(native::METHODS, SERVICES[1]);
        let methods = [of(storm::METHODS, SERVICES[0]), gate.clone()].concat();
        Self { core, methods, gate }
    }
}

impl Processor for Services {
    fn methods(&self) -> &[&'static str] {
        &self.methods
    }

    fn refusal_field(&self, method: &str) -> Option<i16> {
        refusal_field(method)
    }

    fn call(&self, caller: &Caller, message: &Message, frame: &[u8]) -> Reply {
        let call = Call { core: Arc::clone(&self.core), caller: caller.clone() };
        if self.gate.contains(&message.method.as_str()) {
            thrift_reply(&native::SupervisorGateSyncProcessor::new(call), message, frame)
        } else {
            thrift_reply(&storm::NimbusSyncProcessor::new(call), message, frame)
        }
    }
}

/// The field under which a method of Storm's declares `AuthorizationException`.
pub fn refusal_field(method: &str) -> Option<i16> {
    Some(match method {
        "submitTopology" | "submitTopologyWithOpts" | "rebalance" | "uploadNewCredentials" => 3,
        "killTopology" | "killTopologyWithOpts" | "activate" | "deactivate" | "debug" => 2,
        "getSupervisorPageInfo" | "getTopologySummaryByName" | "getTopologySummary" => 2,
        "getTopologyInfo" | "getTopologyInfoByName" | "getTopologyInfoWithOpts" => 2,
        "getTopologyInfoByNameWithOpts" | "getTopologyPageInfo" | "getComponentPageInfo" => 2,
        "getTopologyConf" | "getTopology" | "getUserTopology" => 2,
        "isTopologyNameAllowed" | "beginFileUpload" | "uploadChunk" | "finishFileUpload" => 1,
        "downloadChunk" | "beginCreateBlob" | "beginUpdateBlob" | "uploadBlobChunk" => 1,
        "finishBlobUpload" | "cancelBlobUpload" | "beginBlobDownload" | "downloadBlobChunk" => 1,
        "getBlobMeta" | "setBlobMeta" | "deleteBlob" | "getBlobReplication" => 1,
        "updateBlobReplication" | "isRemoteBlobExists" | "getLeader" | "getNimbusConf" => 1,
        "getClusterInfo" | "getOwnerResourceSummaries" | "getTopologySummaries" => 1,
        "getTopologyHistory" | "getSupervisorAssignments" => 1,
        "sendSupervisorWorkerHeartbeats" | "sendSupervisorWorkerHeartbeat" => 1,
        _ => return None,
    })
}

impl Call {
    /// The topology of a name, if this caller may do this to it.
    fn named(&self, name: &str) -> Result<Arc<Entry>, NimbusError> {
        self.allowed(self.core.topologies.by_name(name)?)
    }

    /// The topology of an id, if this caller may do this to it.
    fn of_id(&self, id: &str) -> Result<Arc<Entry>, NimbusError> {
        self.allowed(self.core.topologies.by_id(id)?)
    }

    /// The topology of an id or a name: Storm's clients give one where the IDL says the other.
    fn of_either(&self, id_or_name: &str) -> Result<Arc<Entry>, NimbusError> {
        let found = self.core.topologies.by_id(id_or_name);
        self.allowed(found.or_else(|_| self.core.topologies.by_name(id_or_name))?)
    }

    fn allowed(&self, entry: Arc<Entry>) -> Result<Arc<Entry>, NimbusError> {
        self.caller.authorize(&self.core.merged_conf(&entry.conf))?;
        Ok(entry)
    }

    /// The caller as the blob store sees it.
    fn blob_caller(&self) -> blobstore::Caller {
        match self.caller.principal.user() {
            Some(user) => blobstore::Caller::user(user),
            None => blobstore::Caller::default(),
        }
    }
}

/// The answer of a method with these exceptions.
fn answer<T>(declares: Declares, call: impl FnOnce() -> Result<T, NimbusError>) -> ThriftResult<T> {
    call().map_err(|error| error.thrown(declares))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDL: &str = include_str!("../../../nimbus-client/idl/storm.thrift");

    /// Name and, if there is one, the field of the authorization exception of each method.
    fn declared() -> Vec<(String, Option<i16>)> {
        let (_, service) = IDL.split_once("service Nimbus {").expect("the service is there");
        let (service, _) = service.split_once("\n}").expect("it ends");
        let lines: Vec<&str> =
            service.lines().map(str::trim).filter(|line| !line.starts_with("//")).collect();
        let mut methods: Vec<String> = Vec::new();
        for line in lines.into_iter().filter(|line| !line.is_empty()) {
            match methods.last_mut() {
                Some(method) if line.starts_with("throws") => *method += line,
                _ => methods.push(line.to_owned()),
            }
        }
        let field = |method: &str| {
            let (before, _) = method.split_once(": AuthorizationException")?;
            before.rsplit(['(', ' ']).next()?.parse().ok()
        };
        let name = |method: &str| {
            let (before, _) = method.split_once('(').expect("arguments");
            before.rsplit(' ').next().expect("a name").to_owned()
        };
        methods.iter().map(|method| (name(method), field(method))).collect()
    }

    #[test]
    fn a_refusal_goes_into_the_field_that_the_idl_gives_it() {
        let declared = declared();
        assert_eq!(declared.len(), 55);
        for (method, field) in declared {
            assert_eq!(refusal_field(&method), field, "{method}");
        }
    }
}
