//! From a packed archive and a described topology to a topology that lives.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};

use serde_json::{Map, Value};

use super::{Described, PackedArchive, SubmitError};
use crate::TopologyName;
use crate::client::deadline::pause;
use crate::client::{ClientError, NimbusClient, NimbusMethods, Progress};
use crate::conf::keys;
use crate::thrift::{
    Credentials, StormTopology, SubmitOptions, TopologyInitialStatus, TopologySummary,
};
use crate::wire::to_bytes;

/// Bytes of a submission that are neither the topology nor its configuration: the header, the place
/// of the archive, options without credentials.
const ENVELOPE_BYTES: usize = 512;

/// The keys of the secret that protects a topology's own nodes of the shared state.
const AUTH_PAYLOAD: &str = "storm.zookeeper.topology.auth.payload";
const AUTH_SCHEME: &str = "storm.zookeeper.topology.auth.scheme";

/// A topology that is to live.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Its name.
    pub name: TopologyName,
    /// Its components.
    pub topology: StormTopology,
    /// Its own configuration, without the cluster's.
    pub conf: Map<String, Value>,
    /// Whether its spouts emit at once.
    pub active: bool,
    /// Secrets for its components.
    pub credentials: BTreeMap<String, String>,
}

/// What a submission is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitStep {
    /// Nimbus is asked whether the name is free.
    AskingForName,
    /// The archive travels.
    Uploading(Progress),
    /// Nimbus takes the topology.
    Submitting,
    /// The answer was lost, and Nimbus is asked whether the topology lives.
    AskingWhetherItLives,
}

/// A topology that Nimbus has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// The id that Nimbus gave it; none if Nimbus could not be asked for it any more.
    pub id: Option<String>,
    /// Its status, as `ACTIVE`; none as before.
    pub status: Option<String>,
}

impl Submission {
    /// The topology that a binary describes, under its own name, active, without credentials.
    ///
    /// # Errors
    /// If something in it cannot be made by workers, or if its name is none.
    pub fn of(described: Described) -> Result<Self, SubmitError> {
        let Described { name, conf, topology, unregistered, .. } = described;
        match topology {
            Some(topology) if unregistered.is_empty() => Ok(Self {
                name: TopologyName::new(&name)?,
                topology,
                conf,
                active: true,
                credentials: BTreeMap::new(),
            }),
            _ => Err(SubmitError::Unregistered { name, problems: unregistered }),
        }
    }

    fn options(&self) -> SubmitOptions {
        let status = match self.active {
            true => TopologyInitialStatus::ACTIVE,
            false => TopologyInitialStatus::INACTIVE,
        };
        let credentials = Some(self.credentials.clone()).filter(|creds| !creds.is_empty());
        SubmitOptions::new(status, credentials.map(|creds| Credentials::new(creds, None)))
    }

    /// The configuration as it travels, with the secret that Storm's submitters add.
    fn json_conf(&self) -> Result<String, SubmitError> {
        let mut conf = self.conf.clone();
        if !conf.get(AUTH_PAYLOAD).is_some_and(Value::is_string) {
            let payload = random_payload().map_err(|source| SubmitError::NoRandom { source })?;
            conf.insert(AUTH_PAYLOAD.to_owned(), payload.into());
        }
        conf.insert(AUTH_SCHEME.to_owned(), "digest".into());
        Ok(Value::Object(conf).to_string())
    }

    /// Refuses what does not fit into a frame before an archive is uploaded for nothing.
    fn check_size(&self, json_conf: &str, limit: usize) -> Result<(), SubmitError> {
        // What cannot be encoded is told when it is sent.
        let size = |bytes: Result<Vec<u8>, _>| bytes.map_or(0, |bytes: Vec<u8>| bytes.len());
        let bytes = size(to_bytes(&self.topology))
            + size(to_bytes(&self.options()))
            + json_conf.len()
            + ENVELOPE_BYTES;
        if bytes <= limit {
            return Ok(());
        }
        let method = "submitTopologyWithOpts".to_owned();
        let key = keys::NIMBUS_MAX_BUFFER_SIZE.name;
        Err(ClientError::RequestTooLarge { method, bytes, limit, key }.into())
    }
}

/// Two random numbers with a colon between, as Storm makes them.
fn random_payload() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let [first, second] = [&bytes[..8], &bytes[8..]]
        .map(|half| i64::from_ne_bytes(half.try_into().expect("a half has eight bytes")));
    Ok(format!("{first}:{second}"))
}

/// Submits a topology and waits until Nimbus has taken it.
///
/// # Errors
/// If the name is not to be had, if the upload fails for good, or if Nimbus refuses.
/// [`SubmitError::Unknown`] if nobody knows whether it took the topology.
pub fn submit(
    nimbus: &mut NimbusClient,
    submission: &Submission,
    archive: &mut PackedArchive,
    on_step: &mut dyn FnMut(SubmitStep),
) -> Result<Submitted, SubmitError> {
    let name = submission.name.as_str();
    if submission.topology.spouts.is_empty() {
        return Err(SubmitError::NoSpout { name: name.to_owned() });
    }
    let json_conf = submission.json_conf()?;
    submission.check_size(&json_conf, nimbus.options().frame_bytes)?;

    on_step(SubmitStep::AskingForName);
    check_name(nimbus, name)?;

    let location = nimbus.upload_file(archive.file(), &mut |progress| {
        on_step(SubmitStep::Uploading(progress));
    })?;

    on_step(SubmitStep::Submitting);
    let sent = nimbus.call(|storm| {
        storm.submit_topology_with_opts(
            name.to_owned(),
            location.clone(),
            json_conf.clone(),
            submission.topology.clone(),
            submission.options(),
        )
    });
    match sent {
        // The topology lives, whatever becomes of the question for its id.
        Ok(()) => Ok(nimbus.topology(name).ok().flatten().into()),
        // It failed at the server, whose own words say more than that.
        Err(error @ ClientError::Server { .. }) => Err(error.into()),
        Err(error) if error.may_have_taken_effect() => {
            on_step(SubmitStep::AskingWhetherItLives);
            match find_alive(nimbus, name) {
                Some(summary) => Ok(Some(summary).into()),
                None => Err(SubmitError::Unknown { name: name.to_owned(), why: error }),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks for a topology that Nimbus may still be taking, as often as calls are repeated.
fn find_alive(nimbus: &mut NimbusClient, name: &str) -> Option<TopologySummary> {
    let retry = nimbus.options().retry.clone();
    for number in 0..=retry.times {
        if let Ok(Some(summary)) = nimbus.topology(name) {
            return Some(summary);
        }
        pause(retry.pause(number));
    }
    None
}

fn check_name(nimbus: &mut NimbusClient, name: &str) -> Result<(), SubmitError> {
    if nimbus.call(|storm| storm.is_topology_name_allowed(name.to_owned()))? {
        return Ok(());
    }
    let name = name.to_owned();
    Err(match nimbus.topology(&name)? {
        Some(TopologySummary { id, status, .. }) => SubmitError::NameTaken { name, id, status },
        None => SubmitError::NameRefused { name },
    })
}

impl From<Option<TopologySummary>> for Submitted {
    fn from(summary: Option<TopologySummary>) -> Self {
        let (id, status) = summary.map(|summary| (summary.id, summary.status)).unzip();
        Self { id, status }
    }
}
