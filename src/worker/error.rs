//! Why a worker cannot run.

use std::io;
use std::path::PathBuf;

use nimbus_client::TopologyId;
use nimbus_client::wire::WireError;

use crate::assignment::AssignmentError;
use crate::logs::LogError;
use crate::topology::thrift::ThriftTopologyError;

/// Why a worker ended before its supervisor wanted it to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// There is no log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the supervisor has downloaded cannot be read.
    #[error(
        "cannot read {}: {source}; the supervisor downloads it again if the topology's folder is \
         removed",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The topology's structure is broken.
    #[error("{} holds no topology: {source}; submit the topology again", path.display())]
    Code {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WireError,
    },
    /// The topology's configuration is broken.
    #[error("{} holds no configuration: {source}; submit the topology again", path.display())]
    Conf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The topology's workers have nothing by which they know each other.
    #[error("the configuration of {topology} has no secret of its workers; submit it again")]
    Secret {
        /// The topology.
        topology: TopologyId,
    },
    /// This binary cannot run the topology.
    #[error(transparent)]
    Topology(#[from] ThriftTopologyError),
    /// The supervisor's orders make no sense.
    #[error("the supervisor's orders cannot be followed: {0}")]
    Assignment(#[from] AssignmentError),
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}; raise the limit of processes of this user")]
    Thread(io::Error),
    /// The slot's port is taken.
    #[error("cannot listen on {host}:{port} for tuples of other workers: {source}")]
    Listen {
        /// The supervisor's host.
        host: String,
        /// The slot's port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system refused to tell of signals.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}
