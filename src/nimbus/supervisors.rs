//! The supervisors that Nimbus knows of.
//!
//! **Invariants.** A supervisor is there while its ephemeral node is, and while it writes that node
//! anew or is heard otherwise within `nimbus.supervisor.timeout.secs`, by this Nimbus' own clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use nimbus_client::thrift as storm;

use crate::clock::Time;
use crate::id::SupervisorId;
use crate::scheduler::SupervisorDetails;

/// One supervisor.
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// Its id.
    pub id: SupervisorId,
    /// What it says of itself.
    pub info: Arc<storm::SupervisorInfo>,
    /// When it said something new, or was heard otherwise.
    pub heard: Time,
    /// Whether that is too long ago.
    pub is_missed: bool,
}

impl Supervisor {
    /// Its slots.
    pub fn ports(&self) -> BTreeSet<u16> {
        let ports = self.info.meta.iter().flatten();
        ports.filter_map(|port| u16::try_from(*port).ok()).collect()
    }

    /// Where it takes assignments, if it says so.
    pub fn server(&self) -> Option<(String, u16)> {
        let port = u16::try_from(self.info.server_port?).ok().filter(|port| *port > 0)?;
        Some((self.info.hostname.clone(), port))
    }

    /// As the scheduler sees it.
    pub fn details(&self) -> SupervisorDetails {
        SupervisorDetails { id: self.id.clone(), ports: self.ports(), blacklisted: self.is_missed }
    }
}

/// All supervisors; one thread writes, all read.
#[derive(Debug, Default)]
pub struct Supervisors(RwLock<BTreeMap<SupervisorId, Supervisor>>);

impl Supervisors {
    /// Takes over what the shared state says, and what was heard otherwise; whether a supervisor
    /// came, went, or changed its slots.
    pub fn update(
        &self,
        infos: BTreeMap<String, storm::SupervisorInfo>,
        heard: &BTreeMap<SupervisorId, Time>,
        now: Time,
        timeout: Duration,
    ) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = BTreeMap::new();
        for (id, info) in infos {
            let id = SupervisorId::from(id);
            let before = all.get(&id);
            let is_new = before.is_none_or(|before| before.info.time_secs != info.time_secs);
            let said = if is_new { now } else { before.map_or(now, |before| before.heard) };
            let last = heard.get(&id).map_or(said, |heard| said.max(*heard));
            let is_missed = now.since(last) >= timeout;
            let info = Arc::new(info);
            next.insert(id.clone(), Supervisor { id, info, heard: last, is_missed });
        }
        let shape = |all: &BTreeMap<SupervisorId, Supervisor>| -> Vec<SupervisorDetails> {
            all.values().map(Supervisor::details).collect()
        };
        let changed = shape(&all) != shape(&next);
        *all = next;
        changed
    }

    /// All of them, by id.
    pub fn all(&self) -> BTreeMap<SupervisorId, Supervisor> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One of them.
    pub fn get(&self, id: &SupervisorId) -> Option<Supervisor> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(time_secs: i64) -> BTreeMap<String, storm::SupervisorInfo> {
        let info = storm::SupervisorInfo {
            time_secs,
            hostname: "h".to_owned(),
            meta: Some(vec![6700, 6701]),
            assignment_id: None,
            used_ports: None,
            scheduler_meta: None,
            uptime_secs: None,
            version: None,
            resources_map: None,
            server_port: None,
        };
        BTreeMap::from([("a".to_owned(), info)])
    }

    #[test]
    fn a_supervisor_that_says_nothing_new_is_missed() {
        let supervisors = Supervisors::default();
        let at = |secs| Time::ZERO + Duration::from_secs(secs);
        let limit = Duration::from_secs(60);
        let none = BTreeMap::new();
        assert!(supervisors.update(info(1), &none, at(0), limit), "it came");
        assert!(!supervisors.update(info(2), &none, at(50), limit));
        assert!(!supervisors.update(info(2), &none, at(109), limit));
        assert!(supervisors.update(info(2), &none, at(110), limit), "it is missed");
        let heard = BTreeMap::from([("a".into(), at(111))]);
        assert!(supervisors.update(info(2), &heard, at(112), limit), "it is back");
        assert!(supervisors.update(BTreeMap::new(), &none, at(113), limit), "it went");
    }
}
