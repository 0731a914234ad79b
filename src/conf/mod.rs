//! Storm's configuration keys, parsed once into durations, bytes and counts.
//!
//! Somebody who writes a topology sets keys in a [`Conf`]; the runtime makes a [`TopologyConf`] of
//! it, which has a typed field for each key that it reads, or refuses it with all errors at once.
//! [`keys::TOPOLOGY`] is the table of what exists; it stands in `nimbus_client::conf`, since clients
//! and daemons read by it too.
//!
//! ```
//! use storm_runtime::conf::{Conf, TopologyConf};
//!
//! let conf = Conf::new()
//!     .set("topology.max.spout.pending", 1000)
//!     .set("topology.message.timeout.secs", "60")
//!     .set("orders.warehouse", "Hamburg");
//! let parsed = TopologyConf::try_from(conf)?;
//!
//! assert_eq!(parsed.max_spout_pending, Some(1000));
//! assert_eq!(parsed.message_timeout.as_secs(), 60);
//! assert_eq!(parsed.get("orders.warehouse").unwrap(), "Hamburg");
//! # Ok::<(), storm_runtime::conf::ConfErrors>(())
//! ```
//!
//! **Invariants.** Pure: no file, no environment, no clock, no logging; whoever parses logs the
//! warnings. A default stands in the table and nowhere else.
//!
//! **Not here.** The number of cores, which `topology.worker.threads` falls back to.

use serde_json::{Map, Value};

mod topology;
mod wait;

#[cfg(test)]
mod tests;

pub(crate) use nimbus_client::conf::nearest;
use nimbus_client::conf::{Key, Reader, Scope, known_key};

pub use nimbus_client::conf::{ConfError, ConfErrors, ConfWarning, keys};
pub use topology::{ComponentThread, ShellConf, TopologyConf, WindowConf};
pub use wait::{Wait, WaitProfile};

/// Key of the secret by which the workers of a topology know each other: in Storm what a client
/// makes for its nodes in ZooKeeper. Nimbus makes sure that it is there, and workers read it.
pub(crate) const WORKER_SECRET: &str = "storm.zookeeper.topology.auth.payload";

/// Keys and values as somebody set them, not yet looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conf {
    set: Map<String, Value>,
}

impl Conf {
    /// A conf that sets nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key, given by name or as a constant of [`keys`]; the last value counts.
    #[must_use]
    pub fn set(mut self, key: impl AsRef<str>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Sets a key in place and returns the value it had.
    pub fn insert(&mut self, key: impl AsRef<str>, value: impl Into<Value>) -> Option<Value> {
        self.set.insert(key.as_ref().to_owned(), value.into())
    }

    /// Sets everything that `over` sets; what it does not mention stays.
    #[must_use]
    pub fn overlaid_by(mut self, over: Conf) -> Self {
        self.set.extend(over.set);
        self
    }

    /// What was set for a key.
    pub fn get(&self, key: impl AsRef<str>) -> Option<&Value> {
        self.set.get(key.as_ref())
    }

    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Everything that was set.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.set
    }

    /// Everything that was set, given away.
    pub fn into_map(self) -> Map<String, Value> {
        self.set
    }
}

impl From<Map<String, Value>> for Conf {
    fn from(set: Map<String, Value>) -> Self {
        Self { set }
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Conf {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let set = pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { set }
    }
}

impl TryFrom<Conf> for TopologyConf {
    type Error = ConfErrors;

    fn try_from(conf: Conf) -> Result<Self, ConfErrors> {
        Self::from_map(conf.set)
    }
}
