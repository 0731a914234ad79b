//! What Nimbus reads from the conf, parsed once.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use nimbus_client::conf::{ConfErrors, Reader, keys};
use serde_json::{Map, Value};

use crate::scheduler::liveness::Timeouts;
use crate::server::Limits;

/// What Nimbus reads from the conf.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it listens: `storm.local.hostname`, loopback by default, and `nimbus.thrift.port`.
    pub address: SocketAddr,
    /// The host as it tells it to others.
    pub host: String,
    /// `storm.local.dir`.
    pub local_dir: PathBuf,
    /// Root of the shared state.
    pub state_root: String,
    /// What peers are granted.
    pub limits: Limits,
    /// How often everything is looked at anew: `nimbus.monitor.freq.secs`.
    pub monitor_interval: Duration,
    /// How long a supervisor may be silent: `nimbus.supervisor.timeout.secs`.
    pub supervisor_timeout: Duration,
    /// How long workers may be silent.
    pub timeouts: Timeouts,
    /// How long the blobs of a dead topology are kept.
    pub blob_deletion_delay: Duration,
    /// How old a file in the inbox gets.
    pub inbox_expiration: Duration,
    /// How often the inbox is cleaned.
    pub inbox_interval: Duration,
    /// How long a file upload may be silent.
    pub upload_expiration: Duration,
    /// How long an upload or download of a blob may be silent.
    pub blob_expiration: Duration,
    /// Bytes of a blob in one answer.
    pub blob_chunk_bytes: usize,
    /// Threads that push assignments.
    pub push_threads: usize,
    /// How long a supervisor may take to take an assignment.
    pub push_timeout: Duration,
    /// Most executors of a topology, if there is a limit.
    pub executors_per_topology: Option<u32>,
    /// Most slots of a topology, if there is a limit.
    pub slots_per_topology: Option<u32>,
    /// Loopback port of the metrics, 0 for any that is free.
    pub metrics_port: u16,
    /// The whole conf as it was set, for `getNimbusConf` and the authorizer.
    pub conf: Map<String, Value>,
}

/// A host that is this machine whatever its name.
const LOOPBACK: &str = "127.0.0.1";

impl Settings {
    /// Reads a conf; keys that it does not set have their defaults.
    ///
    /// # Errors
    /// All values that do not have the form of their keys.
    pub fn read(conf: Map<String, Value>) -> Result<Self, ConfErrors> {
        let mut reader = Reader::new(&conf);
        let host =
            reader.text_if_set(&keys::STORM_LOCAL_HOSTNAME).unwrap_or_else(|| LOOPBACK.to_owned());
        let address = SocketAddr::new(address_of(&host), reader.port(&keys::NIMBUS_THRIFT_PORT));
        let limits = Limits {
            frame_bytes: reader.bytes(&keys::NIMBUS_MAX_BUFFER_SIZE) as usize,
            threads: reader.count(&keys::NIMBUS_THRIFT_THREADS) as usize,
            queue: reader.count(&keys::NIMBUS_QUEUE_SIZE).min(1 << 16) as usize,
            idle: reader.span(&keys::STORM_SOCKET_TIMEOUT),
            ..Limits::default()
        };
        let settings = Self {
            address,
            host,
            local_dir: reader.text(&keys::STORM_LOCAL_DIR).into(),
            state_root: reader.text(&keys::ZOOKEEPER_ROOT),
            limits,
            monitor_interval: reader.span(&keys::NIMBUS_MONITOR_FREQ),
            supervisor_timeout: reader.span(&keys::NIMBUS_SUPERVISOR_TIMEOUT),
            timeouts: Timeouts {
                task_timeout: reader.span(&keys::NIMBUS_TASK_TIMEOUT),
                launch_timeout: reader.span(&keys::NIMBUS_TASK_LAUNCH),
            },
            blob_deletion_delay: reader.span(&keys::NIMBUS_BLOBSTORE_DELETION_DELAY),
            inbox_expiration: reader.span(&keys::NIMBUS_INBOX_EXPIRATION),
            inbox_interval: reader.span(&keys::NIMBUS_CLEANUP_INBOX_FREQ),
            upload_expiration: reader.span(&keys::NIMBUS_FILE_COPY_EXPIRATION),
            blob_expiration: reader.span(&keys::NIMBUS_BLOBSTORE_EXPIRATION),
            blob_chunk_bytes: reader.bytes(&keys::STORM_UPLOAD_CHUNK) as usize,
            push_threads: reader.count(&keys::NIMBUS_ASSIGNMENTS_THREADS) as usize,
            push_timeout: reader.span(&keys::SUPERVISOR_SOCKET_TIMEOUT),
            executors_per_topology: reader.count_if_set(&keys::NIMBUS_EXECUTORS_PER_TOPOLOGY),
            slots_per_topology: reader.count_if_set(&keys::NIMBUS_SLOTS_PER_TOPOLOGY),
            metrics_port: reader.port(&keys::NIMBUS_METRICS_PORT),
            conf: Map::new(),
        };
        let errors = reader.into_errors();
        if errors.is_empty() { Ok(Self { conf, ..settings }) } else { Err(ConfErrors(errors)) }
    }

    /// How this Nimbus is called among others: `host:port:tls port`.
    pub fn nimbus_id(&self, port: u16) -> String {
        format!("{}:{port}:0", self.host)
    }
}

/// Every key that has a default, with it.
pub fn defaults() -> Map<String, Value> {
    let all = nimbus_client::conf::Layered::new().all();
    all.into_iter().map(|(key, setting)| (key, setting.value)).collect()
}

/// The address that a host listens on; a name that is no address listens on loopback only if it is
/// `localhost`.
fn address_of(host: &str) -> IpAddr {
    if host == "localhost" {
        return IpAddr::from([127, 0, 0, 1]);
    }
    host.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nimbus_listens_on_loopback_unless_told_otherwise() {
        let settings = |host: Option<&str>| {
            let mut conf = Map::new();
            conf.extend(host.map(|host| ("storm.local.hostname".to_owned(), host.into())));
            Settings::read(conf).expect("a conf").address.to_string()
        };
        assert_eq!(settings(None), "127.0.0.1:6627");
        assert_eq!(settings(Some("localhost")), "127.0.0.1:6627");
        assert_eq!(settings(Some("10.0.0.7")), "10.0.0.7:6627");
        assert_eq!(settings(Some("nimbus.example")), "0.0.0.0:6627");
    }

    #[test]
    fn all_wrong_values_are_told_at_once() {
        let conf = serde_json::json!({"nimbus.thrift.port": 0, "nimbus.monitor.freq.secs": "soon"});
        let conf = conf.as_object().expect("an object").clone();
        let errors = Settings::read(conf).expect_err("two values are wrong");
        assert_eq!(errors.0.len(), 2, "{errors}");
    }
}
