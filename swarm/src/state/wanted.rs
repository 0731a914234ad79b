//! What `up` asks the daemon for.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The format of a state directory; one of another is neither read nor written.
pub const FORMAT: u32 = 1;

/// What a local cluster should be, as it stands in `wanted.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// [`FORMAT`].
    pub format: u32,
    /// The program that wrote it.
    pub version: String,
    /// Address on which everything listens.
    pub host: String,
    /// Where Nimbus serves Thrift.
    pub nimbus_port: u16,
    /// Where supervisor 0 serves Thrift; supervisor k does so k ports further.
    pub supervisor_port: u16,
    /// First slot of supervisor 0; supervisor k's first lies `slots * k` ports further.
    pub slot_port: u16,
    /// Number of supervisors.
    pub supervisors: u16,
    /// Slots of each supervisor.
    pub slots: u16,
    /// Configuration that was set for the cluster, without defaults.
    pub conf: Map<String, Value>,
}

/// What can be read of any format.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    pub format: u32,
    #[serde(default)]
    pub version: String,
}

/// One port that a local cluster takes, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortUse {
    /// The port.
    pub port: u16,
    /// Whose it is, in words.
    pub what: String,
    /// The option that moves it.
    pub option: &'static str,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: "127.0.0.1".to_owned(),
            nimbus_port: 6627,
            supervisor_port: 6628,
            slot_port: 6700,
            supervisors: 1,
            slots: 4,
            conf: Map::new(),
        }
    }
}

impl Wanted {
    /// Every port that it takes, `None` when they run past the last port or into each other.
    pub fn ports(&self) -> Option<Vec<PortUse>> {
        let one = |port, what: String, option| PortUse { port, what, option };
        let mut ports = vec![one(self.nimbus_port, "Nimbus".to_owned(), "--nimbus-port")];
        for k in 0..self.supervisors {
            let port = self.supervisor_port.checked_add(k)?;
            ports.push(one(port, format!("supervisor {k}"), "--supervisor-port"));
        }
        for k in 0..self.supervisors.checked_mul(self.slots)? {
            let port = self.slot_port.checked_add(k)?;
            let what = format!("a slot of supervisor {}", k / self.slots.max(1));
            ports.push(one(port, what, "--slot-port"));
        }
        let distinct: BTreeSet<u16> = ports.iter().map(|one| one.port).collect();
        (distinct.len() == ports.len()).then_some(ports)
    }

    /// What differs from `running` and cannot change while a cluster runs, in words.
    pub fn fixed_difference(&self, running: &Self) -> Option<String> {
        let told = |what: &str, mine: &dyn Display, theirs: &dyn Display| {
            Some(format!("{what} {theirs}, not {mine}"))
        };
        if self.nimbus_port != running.nimbus_port {
            return told("Nimbus on port", &self.nimbus_port, &running.nimbus_port);
        }
        if self.supervisor_port != running.supervisor_port {
            return told("supervisors from port", &self.supervisor_port, &running.supervisor_port);
        }
        if self.slot_port != running.slot_port {
            return told("slots from port", &self.slot_port, &running.slot_port);
        }
        if self.slots != running.slots {
            return told("slots per supervisor:", &self.slots, &running.slots);
        }
        let keys = self.conf.keys().chain(running.conf.keys());
        let changed = keys.into_iter().find(|key| self.conf.get(*key) != running.conf.get(*key))?;
        let value = |conf: &Map<String, Value>| match conf.get(changed) {
            Some(value) => value.to_string(),
            None => "unset".to_owned(),
        };
        told(&format!("{changed}:"), &value(&self.conf), &value(&running.conf))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn supervisors_have_ports_and_slots_of_their_own() {
        let wanted = Wanted { supervisors: 3, ..Wanted::default() };
        let ports = wanted.ports().unwrap();
        assert_eq!(ports.len(), 1 + 3 + 12);
        let of = |port: u16| &ports.iter().find(|one| one.port == port).unwrap().what;
        assert_eq!(of(6630), "supervisor 2");
        assert_eq!(of(6708), "a slot of supervisor 2");
    }

    #[test]
    fn ports_that_run_into_each_other_are_no_plan() {
        let crowded = Wanted { supervisors: 100, ..Wanted::default() };
        assert_eq!(crowded.ports(), None);
        let too_high = Wanted { slot_port: 65_534, ..Wanted::default() };
        assert_eq!(too_high.ports(), None);
    }

    #[test]
    fn the_number_of_supervisors_may_change_and_nothing_else() {
        let running = Wanted::default();
        assert_eq!(Wanted { supervisors: 5, ..Wanted::default() }.fixed_difference(&running), None);
        let told = Wanted { slots: 8, ..Wanted::default() }.fixed_difference(&running).unwrap();
        assert_eq!(told, "slots per supervisor: 4, not 8");
        let mut other = Wanted::default();
        other.conf.insert("nimbus.monitor.freq.secs".to_owned(), 1.into());
        let told = other.fixed_difference(&running).unwrap();
        assert_eq!(told, "nimbus.monitor.freq.secs: unset, not 1");
    }
}
