//! Why the program could not do what it was asked for, and what to do about it.

use std::io;
use std::path::PathBuf;

use nimbus_client::conf::LayerErrors;
use storm_runtime::cluster::StateError;
use storm_runtime::logs::LogError;
use storm_runtime::nimbus::StartError;
use storm_runtime::process::Holder;
use storm_runtime::supervisor::SupervisorError;
use storm_runtime::worker::WorkerError;

/// Why the program ends with exit code 1.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the state folder cannot be read or written.
    #[error("cannot use {path}: {source}", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is wanted cannot be understood.
    #[error("{path} cannot be understood: {source}", path = path.display())]
    Wanted {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// What is wanted does not fit.
    #[error("{supervisors} supervisors with {slots} slots each need ports beyond 65535")]
    TooManyPorts {
        /// Supervisors that are wanted.
        supervisors: u16,
        /// Slots of each.
        slots: u16,
    },
    /// Another daemon has the state folder.
    #[error("another daemon runs the cluster in {state}", state = state.display())]
    Locked {
        /// The state folder.
        state: PathBuf,
    },
    /// A port is taken.
    #[error("port {port}, wanted for {what}, is in use{by}", by = by(holder.as_ref()))]
    PortInUse {
        /// The port.
        port: u16,
        /// What it is wanted for.
        what: String,
        /// Who has it.
        holder: Option<Holder>,
    },
    /// The shared state cannot be opened.
    #[error("the shared state cannot be opened: {0}")]
    State(#[from] StateError),
    /// Nimbus does not start.
    #[error("Nimbus does not start: {0}")]
    Nimbus(#[from] StartError),
    /// A supervisor does not start.
    #[error("{name} does not start: {source}")]
    Supervisor {
        /// Its name.
        name: String,
        /// Why.
        source: SupervisorError,
    },
    /// There is no log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The configuration is wrong.
    #[error(transparent)]
    Conf(#[from] LayerErrors),
    /// The conf names no shared state that several processes can use.
    #[error(
        "a supervisor shares its state with Nimbus through ZooKeeper, and the conf names no servers of it"
    )]
    NoSharedState,
    /// The conf names ZooKeeper's servers, and this program has no client for them.
    #[cfg(not(feature = "zookeeper"))]
    #[error(
        "the conf names servers of ZooKeeper, and this stormd was built without a client for it"
    )]
    NoZooKeeper,
    /// Another process of the same kind works in the folder.
    #[error("another {daemon} works in {folder}", folder = folder.display())]
    InUse {
        /// Which daemon.
        daemon: &'static str,
        /// Its `storm.local.dir`.
        folder: PathBuf,
    },
    /// A worker's arguments are wrong.
    #[error("these are not a worker's arguments: {0}")]
    WorkerArgs(#[from] clap::Error),
    /// A worker cannot run.
    #[error(transparent)]
    Worker(#[from] WorkerError),
    /// A program cannot be run.
    #[error("cannot run {program}: {source}", program = program.display())]
    Launch {
        /// Which one.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("signals cannot be received: {source}")]
    Signals {
        /// What the system said.
        source: io::Error,
    },
    /// Standard output takes nothing.
    #[error("cannot print: {source}")]
    Output {
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Locked { .. } => {
                Some("stormdeploy status shows it; stormdeploy down ends it".into())
            }
            Self::PortInUse { holder: Some(Holder { pid: Some(pid), .. }), .. } => {
                Some(format!("end process {pid}, or give the cluster other ports"))
            }
            Self::PortInUse { .. } => Some("give the cluster other ports".into()),
            Self::NoSharedState => Some(
                "set storm.zookeeper.servers; or stormdeploy up --supervisors N, which needs none"
                    .into(),
            ),
            #[cfg(not(feature = "zookeeper"))]
            Self::NoZooKeeper => Some("build it with --features zookeeper".into()),
            Self::InUse { .. } => Some("end it, or set another storm.local.dir".into()),
            Self::TooManyPorts { .. } => Some("ask for fewer supervisors or slots".into()),
            Self::Wanted { .. } => Some("stormdeploy up writes it anew".into()),
            Self::File { .. } => Some("make the folder writable, or name another one".into()),
            _ => None,
        }
    }
}

fn by(holder: Option<&Holder>) -> String {
    holder.map(|holder| format!(" by {holder}")).unwrap_or_default()
}
