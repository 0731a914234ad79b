//! What workers are to do, and who waits to be told.
//!
//! Written by the thread that watches the shared state and by the driver of the slots, read by the
//! workers' calls, which wait here until something changes.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nimbus_client::TopologyId;
use nimbus_client::native::WorkerOrders;
use nimbus_client::thrift::{Assignment, Credentials, DebugOptions, LogConfig, TopologyStatus};

use crate::clock::unix_time_ms;

/// What a worker is told of its topology.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Orders {
    pub status: TopologyStatus,
    pub assignment: Option<Assignment>,
    pub log_config: Option<LogConfig>,
    pub component_debug: BTreeMap<String, DebugOptions>,
    pub credentials: Option<Credentials>,
}

/// Why there are no orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoOrders {
    /// No worker of this topology has anything to do in this slot: it ends.
    NotHere,
    /// The shared state was not read yet: it asks again.
    NotYet,
}

/// Orders by topology, and which topology each slot is for.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Held for the time of a look or a change.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    topology_to_orders: BTreeMap<TopologyId, (i64, Orders)>,
    port_to_topology: BTreeMap<u16, TopologyId>,
    /// Once set nobody waits any more.
    is_closed: bool,
}

impl Board {
    /// Replaces all orders. Versions of those that stay the same stay the same.
    pub fn set_orders(&self, all: BTreeMap<TopologyId, Orders>) {
        let mut state = self.lock();
        let before = std::mem::take(&mut state.topology_to_orders);
        for (id, orders) in all {
            let version = match before.get(&id) {
                Some((version, same)) if *same == orders => *version,
                // Also above what an earlier life of this supervisor gave out.
                Some((version, _)) => (version + 1).max(unix_time_ms() as i64),
                None => unix_time_ms() as i64,
            };
            state.topology_to_orders.insert(id, (version, orders));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Says what each slot is for.
    pub fn set_slots(&self, port_to_topology: BTreeMap<u16, TopologyId>) {
        self.lock().port_to_topology = port_to_topology;
        self.changed.notify_all();
    }

    /// Whether a slot is for a topology.
    pub fn is_for(&self, port: u16, id: &TopologyId) -> bool {
        self.lock().port_to_topology.get(&port) == Some(id)
    }

    /// The assignment of a topology that has a slot here.
    pub fn assignment(&self, id: &TopologyId) -> Option<Assignment> {
        let state = self.lock();
        if !state.port_to_topology.values().any(|used| used == id) {
            return None;
        }
        state.topology_to_orders.get(id)?.1.assignment.clone()
    }

    /// What the worker in a slot is to do, as soon as that is of another version than `seen`, or
    /// after `at_most` in any case.
    pub fn orders(
        &self,
        id: &TopologyId,
        port: u16,
        seen: i64,
        at_most: Duration,
    ) -> Result<WorkerOrders, NoOrders> {
        let is_old = |state: &mut State| {
            let is_here = state.port_to_topology.get(&port) == Some(id);
            let version = state.topology_to_orders.get(id).map(|(version, _)| *version);
            is_here && !state.is_closed && (version.is_none() || version == Some(seen))
        };
        let waited = self.changed.wait_timeout_while(self.lock(), at_most, is_old);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.port_to_topology.get(&port) != Some(id) {
            return Err(NoOrders::NotHere);
        }
        let (version, orders) = state.topology_to_orders.get(id).ok_or(NoOrders::NotYet)?;
        let orders = orders.clone();
        Ok(WorkerOrders {
            version: *version,
            status: orders.status,
            assignment: orders.assignment,
            log_config: orders.log_config,
            component_debug: Some(orders.component_debug),
            credentials: orders.credentials,
        })
    }

    /// Lets everybody go who waits.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const LONG: Duration = Duration::from_secs(60);

    fn id() -> TopologyId {
        "wc-1-1700000000".parse().expect("an id")
    }

    fn orders(status: TopologyStatus) -> BTreeMap<TopologyId, Orders> {
        let orders = Orders {
            status,
            assignment: None,
            log_config: None,
            component_debug: BTreeMap::new(),
            credentials: None,
        };
        [(id(), orders)].into()
    }

    #[test]
    fn news_is_told_at_once_and_what_is_known_is_waited_for() {
        let board = Arc::new(Board::default());
        board.set_slots([(6700, id())].into());
        board.set_orders(orders(TopologyStatus::ACTIVE));
        let first = board.orders(&id(), 6700, 0, LONG).expect("it is here");
        let waiting = std::thread::spawn({
            let board = board.clone();
            move || board.orders(&id(), 6700, first.version, LONG)
        });
        // The same orders are no news.
        board.set_orders(orders(TopologyStatus::ACTIVE));
        let again = board.orders(&id(), 6700, first.version, Duration::ZERO).expect("it is here");
        assert_eq!(again.version, first.version);
        board.set_orders(orders(TopologyStatus::INACTIVE));
        let news = waiting.join().expect("no panic").expect("it is here");
        assert!(news.version > first.version);
        assert_eq!(news.status, TopologyStatus::INACTIVE);
    }

    #[test]
    fn a_slot_of_another_topology_has_nothing_to_do() {
        let board = Board::default();
        board.set_slots([(6701, id())].into());
        let not_yet = board.orders(&id(), 6701, 0, Duration::ZERO);
        assert_eq!(not_yet, Err(NoOrders::NotYet));
        board.set_orders(orders(TopologyStatus::ACTIVE));
        assert_eq!(board.orders(&id(), 6700, 0, LONG), Err(NoOrders::NotHere));
        board.set_slots([(6700, id())].into());
        assert!(board.orders(&id(), 6700, 0, LONG).is_ok());
        assert_eq!(board.orders(&id(), 6701, 0, LONG), Err(NoOrders::NotHere));
        assert!(board.is_for(6700, &id()) && !board.is_for(6701, &id()));
    }
}
