//! Why a server cannot start.

use std::net::SocketAddr;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another process listens there, or the address is not this machine's.
    #[error(
        "cannot listen on {address}: {source}: end the process that holds the port \
         (`ss -ltnp` names it), or set {key} to another one"
    )]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// The configuration key of the port.
        key: &'static str,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The runtime that is to carry the server could not be made.
    #[error("cannot start the threads of a server: {source}: raise the limit of processes")]
    Runtime {
        /// What the kernel said.
        source: std::io::Error,
    },
}
