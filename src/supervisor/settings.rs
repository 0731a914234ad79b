//! What a supervisor reads from the conf.

use std::path::PathBuf;
use std::time::Duration;

use nimbus_client::client::{Address, ClientOptions, NimbusClient};
use nimbus_client::conf::{ConfErrors, Reader, keys};
use serde_json::{Map, Value};

/// Keys under which Storm's schedulers look for what a machine offers.
const CPU_RESOURCE: &str = "cpu.pcore.percent";
const MEMORY_RESOURCE: &str = "memory.mb";
/// The names that Storm's Nimbus gives to these two.
const CPU_CAPACITY: &str = "supervisor.cpu.capacity";
const MEMORY_CAPACITY: &str = "supervisor.memory.capacity.mb";

/// Longest that an answer of Nimbus is waited for.
const CALL_LIMIT: Duration = Duration::from_secs(20);

/// A supervisor's part of the conf, checked.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub local_dir: PathBuf,
    /// The name under which other machines find this one, and the address that it listens on.
    pub hostname: String,
    pub slots: Vec<u16>,
    pub thrift_port: u16,
    pub metrics_port: u16,
    pub thrift_threads: usize,
    pub frame_bytes: usize,
    pub heartbeat: Duration,
    pub shutdown_grace: Duration,
    pub start_timeout: Duration,
    pub worker_timeout: Duration,
    /// Most that a topology may ask for instead of `worker_timeout`.
    pub worker_timeout_limit: Duration,
    /// Time between two looks for new versions of blobs.
    pub blob_interval: Duration,
    pub nimbus: NimbusAccess,
    pub root: String,
    pub resources: Vec<(String, f64)>,
}

impl Settings {
    pub fn read(conf: &Map<String, Value>) -> Result<Self, ConfErrors> {
        let mut reader = Reader::new(conf);
        let settings = Self {
            local_dir: reader.text(&keys::STORM_LOCAL_DIR).into(),
            hostname: reader
                .text_if_set(&keys::STORM_LOCAL_HOSTNAME)
                .unwrap_or_else(|| "127.0.0.1".to_owned()),
            slots: reader.ports(&keys::SUPERVISOR_SLOTS_PORTS),
            thrift_port: reader.port(&keys::SUPERVISOR_THRIFT_PORT),
            metrics_port: reader.port(&keys::SUPERVISOR_METRICS_PORT),
            thrift_threads: reader.count(&keys::SUPERVISOR_THRIFT_THREADS) as usize,
            frame_bytes: usize::try_from(reader.bytes(&keys::SUPERVISOR_MAX_BUFFER_SIZE))
                .unwrap_or(usize::MAX),
            heartbeat: reader.span(&keys::SUPERVISOR_HEARTBEAT_FREQUENCY),
            shutdown_grace: reader.span(&keys::SUPERVISOR_WORKER_SHUTDOWN_SLEEP),
            start_timeout: reader.span(&keys::SUPERVISOR_WORKER_START_TIMEOUT),
            worker_timeout: reader.span(&keys::SUPERVISOR_WORKER_TIMEOUT),
            worker_timeout_limit: reader.span(&keys::WORKER_MAX_TIMEOUT),
            blob_interval: reader.span(&keys::SUPERVISOR_BLOB_UPDATE),
            nimbus: NimbusAccess::read(&mut reader),
            root: reader.text(&keys::ZOOKEEPER_ROOT),
            resources: resources(&mut reader),
        };
        let errors = reader.into_errors();
        if errors.is_empty() { Ok(settings) } else { Err(ConfErrors(errors)) }
    }
}

/// How Nimbus is reached. Calls are not repeated by the client: whoever calls has something better
/// to do meanwhile, and knows when it is time again.
#[derive(Clone, Debug)]
pub(super) struct NimbusAccess {
    seeds: Vec<Address>,
    options: ClientOptions,
}

impl NimbusAccess {
    fn read(reader: &mut Reader<'_>) -> Self {
        let port = reader.port(&keys::NIMBUS_THRIFT_PORT);
        let seeds = reader.texts_if_set(&keys::NIMBUS_SEEDS).unwrap_or_default();
        let mut addresses = Vec::new();
        for seed in seeds {
            match Address::parse(&seed, port) {
                Ok(address) => addresses.push(address),
                Err(error) => reader.contradiction(&keys::NIMBUS_SEEDS, error.to_string()),
            }
        }
        let options = ClientOptions::from_conf(reader).without_retries();
        // Storm's own timeout is ten minutes, which nobody should wait for here.
        let call = options.call.min(CALL_LIMIT);
        Self { seeds: addresses, options: ClientOptions { call, total: call * 2, ..options } }
    }

    /// A client, not connected yet.
    pub fn client(&self) -> NimbusClient {
        NimbusClient::new(self.seeds.clone(), self.options.clone())
    }
}

fn resources(reader: &mut Reader<'_>) -> Vec<(String, f64)> {
    let mut resources = vec![
        (CPU_CAPACITY.to_owned(), reader.real(&keys::SUPERVISOR_CPU_CAPACITY)),
        (MEMORY_CAPACITY.to_owned(), reader.real(&keys::SUPERVISOR_MEMORY_CAPACITY)),
    ];
    let normalized = [CPU_RESOURCE, MEMORY_RESOURCE].into_iter().zip(resources.clone());
    resources.extend(
        normalized.map(|(name, (_, amount))| (name.to_owned(), amount)).collect::<Vec<_>>(),
    );
    resources.extend(reader.amounts_if_set(&keys::SUPERVISOR_RESOURCES).unwrap_or_default());
    resources
}
