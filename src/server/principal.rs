//! Who is at the other end of a connection.

use std::fmt;
use std::net::IpAddr;

/// Who is at the other end of a connection, as far as the transport can tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// A process of this machine, by the user that owns its socket.
    Local {
        /// The user's number.
        uid: u32,
        /// The user's name, or the number as text if it has none.
        name: String,
    },
    /// A process of this machine whose user the kernel did not tell.
    Untold,
    /// Another machine, which this transport does not identify.
    Remote {
        /// Its address.
        address: IpAddr,
    },
}

impl Principal {
    /// The user's name, for owners of topologies; `None` where nobody told it.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Local { name, .. } => Some(name),
            Self::Untold | Self::Remote { .. } => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { uid, name } => write!(out, "user {name} (uid {uid}) of this machine"),
            Self::Untold => out.write_str("an unknown user of this machine"),
            Self::Remote { address } => write!(out, "a client at {address}"),
        }
    }
}
