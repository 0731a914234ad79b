//! Nimbus and supervisors of a local cluster.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use storm_runtime::cluster::{EmbeddedStore, StateBackend};
use storm_runtime::logs::{Bounds, ByThread, RotatingFile};
use storm_runtime::nimbus::{Nimbus, NimbusHandle};
use storm_runtime::process::holder_of_port;
use storm_runtime::server::MachineUsers;
use storm_runtime::supervisor::{Programs, Supervisor, SupervisorHandle};

use super::files::{StateFolder, Wanted};
use crate::error::Error;

/// Everything that runs in this process.
pub struct Cluster {
    wanted: Wanted,
    folder: PathBuf,
    log_dir: PathBuf,
    logs: ByThread,
    backend: Arc<dyn StateBackend>,
    nimbus: NimbusHandle,
    /// By index.
    supervisors: Vec<SupervisorHandle>,
}

impl Cluster {
    /// Starts all that is wanted; a port in use is found before anything is started.
    pub fn start(folder: &StateFolder, wanted: Wanted, logs: ByThread) -> Result<Self, Error> {
        check_ports(&wanted, 0)?;
        check_port(&wanted.host, wanted.nimbus_port, "Nimbus")?;
        let store = EmbeddedStore::open(&folder.path().join("state"))?;
        let backend: Arc<dyn StateBackend> = Arc::new(store);
        let conf = conf(&wanted, &folder.path().join("nimbus"), json!({}));
        let nimbus = Nimbus::start(conf, backend.clone())?;
        let count = wanted.supervisors;
        let mut cluster = Self {
            wanted: Wanted { supervisors: 0, ..wanted },
            folder: folder.path().to_owned(),
            log_dir: folder.logs(),
            logs,
            backend,
            nimbus,
            supervisors: Vec::new(),
        };
        cluster.scale(count)?;
        Ok(cluster)
    }

    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Starts or stops supervisors, the ones with the highest index first. Workers of those that
    /// go are ended; Nimbus gives their executors to the others.
    pub fn scale(&mut self, count: u16) -> Result<(), Error> {
        let target = Wanted { supervisors: count, ..self.wanted.clone() };
        check_ports(&target, self.wanted.supervisors)?;
        while self.supervisors.len() > usize::from(count) {
            let supervisor = self.supervisors.pop().expect("there are more than that");
            supervisor.stop(true);
            self.logs.remove(&name(self.supervisors.len() as u16));
            self.wanted.supervisors -= 1;
        }
        for index in self.wanted.supervisors..count {
            let started = self.start_supervisor(index)?;
            self.supervisors.push(started);
            self.wanted.supervisors += 1;
        }
        Ok(())
    }

    fn start_supervisor(&self, index: u16) -> Result<SupervisorHandle, Error> {
        let name = name(index);
        let log = self.log_dir.join(format!("{name}.log"));
        self.logs.add(&name, RotatingFile::open(log, Bounds::default())?);
        let slots: Vec<u16> = slots(&self.wanted, index).collect();
        let own = json!({
            "supervisor.thrift.port": self.wanted.supervisor_port + index,
            "supervisor.slots.ports": slots,
        });
        let program = std::env::current_exe().ok();
        let supervisor = Supervisor {
            conf: conf(&self.wanted, &self.folder.join(&name), own),
            name: name.clone(),
            backend: self.backend.clone(),
            authorizer: Arc::new(MachineUsers::new()),
            log_dir: self.log_dir.clone(),
            programs: Programs { launcher: program.clone(), stock_worker: program },
        };
        supervisor.start().map_err(|source| Error::Supervisor { name, source })
    }

    /// How the cluster stands, as the control socket tells it.
    pub fn status(&self) -> Map<String, Value> {
        let supervisors: Vec<Value> = self
            .supervisors
            .iter()
            .enumerate()
            .map(|(index, supervisor)| {
                let view = supervisor.view();
                json!({
                    "index": index,
                    "id": view.id,
                    "thrift_port": view.thrift_port,
                    "slots": view.slots,
                    "used": view.used,
                    "ready": view.is_registered,
                    "metrics": view.metrics.map(|address| address.to_string()),
                })
            })
            .collect();
        let address = self.nimbus.address();
        let told = json!({
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "nimbus": { "host": address.ip().to_string(), "port": address.port(), "ready": true },
            "supervisors": supervisors,
            "metrics": self.nimbus.metrics_address().to_string(),
        });
        match told {
            Value::Object(told) => told,
            _ => unreachable!("an object was made"),
        }
    }

    /// Stops everything; workers go on unless they are to be ended.
    pub fn stop(self, kill_workers: bool) {
        // Together: each waits for its own workers.
        std::thread::scope(|scope| {
            for (index, supervisor) in self.supervisors.into_iter().enumerate() {
                let thread = std::thread::Builder::new().name(name(index as u16));
                // Without a thread it is stopped when it is dropped, its workers left running.
                let _ = thread.spawn_scoped(scope, move || supervisor.stop(kill_workers));
            }
        });
        self.nimbus.stop();
    }
}

fn name(index: u16) -> String {
    format!("supervisor-{index}")
}

fn slots(wanted: &Wanted, index: u16) -> impl Iterator<Item = u16> + use<> {
    let first = wanted.slot_port + index * wanted.slots;
    first..first + wanted.slots
}

/// The conf of a daemon: what is wanted, and what only this daemon has.
fn conf(wanted: &Wanted, local_dir: &Path, own: Value) -> Map<String, Value> {
    let mut conf = wanted.conf.clone();
    let fixed = json!({
        "storm.local.dir": local_dir,
        "storm.local.hostname": wanted.host,
        "nimbus.seeds": [wanted.host],
        "nimbus.thrift.port": wanted.nimbus_port,
    });
    for part in [fixed, own] {
        if let Value::Object(part) = part {
            conf.extend(part);
        }
    }
    conf
}

/// Refuses supervisors from index `from` on whose Thrift ports are taken or do not exist. Slots'
/// ports are not asked: workers that are adopted have them.
fn check_ports(wanted: &Wanted, from: u16) -> Result<(), Error> {
    let Wanted { supervisors, slots, .. } = *wanted;
    let last_slot = u32::from(wanted.slot_port) + u32::from(supervisors) * u32::from(slots);
    let last_port = u32::from(wanted.supervisor_port) + u32::from(supervisors);
    if last_slot.max(last_port) > u32::from(u16::MAX) + 1 {
        return Err(Error::TooManyPorts { supervisors, slots });
    }
    for index in from..supervisors {
        check_port(&wanted.host, wanted.supervisor_port + index, &name(index))?;
    }
    Ok(())
}

fn check_port(host: &str, port: u16, what: &str) -> Result<(), Error> {
    match TcpListener::bind((host, port)) {
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(Error::PortInUse { port, what: what.to_owned(), holder: holder_of_port(port) })
        }
        // Whatever else is wrong is said by the daemon that wants the port.
        _ => Ok(()),
    }
}
