//! Calls, errors and latency of each method.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the latency buckets in microseconds; what is longer goes into one more bucket.
pub const LATENCY_BUCKETS: [u64; 10] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];

/// Counters of one method since the server started; every thread adds to them.
#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    errors: AtomicU64,
    refused: AtomicU64,
    total_us: AtomicU64,
    buckets: [AtomicU64; LATENCY_BUCKETS.len() + 1],
}

/// Counters of all methods of a server, and of what did not become a call.
#[derive(Debug)]
pub struct MethodCounters {
    /// One entry per method that the processor knows, and "unknown" for all other names.
    methods: BTreeMap<&'static str, Counters>,
    unknown: Counters,
    pub(super) connections: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) turned_away: AtomicU64,
    pub(super) garbage: AtomicU64,
    pub(super) oversized: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) busy: AtomicU64,
}

/// What was counted about one method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodCount {
    /// The method's name, or "unknown".
    pub method: &'static str,
    /// Calls that were carried out.
    pub calls: u64,
    /// Of these, answered with an exception of any kind.
    pub errors: u64,
    /// Calls that the authorizer refused.
    pub refused: u64,
    /// Time that the calls took together, waiting for a thread included.
    pub total: Duration,
    /// Calls per bucket of [`LATENCY_BUCKETS`], and those longer than all.
    pub buckets: [u64; LATENCY_BUCKETS.len() + 1],
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    InError,
    Refused,
}

impl MethodCounters {
    /// Counters for these methods, all at 0.
    pub fn new(methods: &[&'static str]) -> Self {
        Self {
            methods: methods.iter().map(|method| (*method, Counters::default())).collect(),
            unknown: Counters::default(),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            turned_away: AtomicU64::new(0),
            garbage: AtomicU64::new(0),
            oversized: AtomicU64::new(0),
            late: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        }
    }

    pub(super) fn count(&self, method: &str, ended: Ended, took: Duration) {
        let counters = self.methods.get(method).unwrap_or(&self.unknown);
        let add = |counter: &AtomicU64, by| counter.fetch_add(by, Ordering::Relaxed);
        if ended == Ended::Refused {
            add(&counters.refused, 1);
            return;
        }
        let took_us = took.as_micros() as u64;
        add(&counters.calls, 1);
        add(&counters.errors, u64::from(ended == Ended::InError));
        add(&counters.total_us, took_us);
        let bucket = LATENCY_BUCKETS.iter().position(|bound| took_us <= *bound);
        add(&counters.buckets[bucket.unwrap_or(LATENCY_BUCKETS.len())], 1);
    }

    /// Every method that was called or refused at least once.
    pub fn methods(&self) -> Vec<MethodCount> {
        let known = self.methods.iter().map(|(method, counters)| (*method, counters));
        let all = known.chain([("unknown", &self.unknown)]);
        let counts = all.map(|(method, counters)| counters.read(method));
        counts.filter(|count| count.calls + count.refused > 0).collect()
    }

    /// What was counted about connections: a name, a meaning and a value each.
    pub fn connections(&self) -> [(&'static str, &'static str, u64); 8] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("accepted", "Connections accepted", read(&self.connections)),
            ("open", "Connections open now", read(&self.open)),
            ("evicted", "Idle connections closed to make room", read(&self.evicted)),
            ("turned_away", "Connections closed because all are busy", read(&self.turned_away)),
            (
                "garbage",
                "Connections closed because they did not speak Thrift",
                read(&self.garbage),
            ),
            ("oversized", "Frames refused because of their size", read(&self.oversized)),
            ("late", "Connections closed because a peer was too slow", read(&self.late)),
            ("busy", "Calls answered with busy", read(&self.busy)),
        ]
    }
}

impl Counters {
    fn read(&self, method: &'static str) -> MethodCount {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        MethodCount {
            method,
            calls: read(&self.calls),
            errors: read(&self.errors),
            refused: read(&self.refused),
            total: Duration::from_micros(read(&self.total_us)),
            buckets: std::array::from_fn(|at| read(&self.buckets[at])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_peer_makes_up_share_one_counter() {
        let counters = MethodCounters::new(&["getLeader"]);
        for name in ["getLeader", "a", "b", "c"] {
            counters.count(name, Ended::InError, Duration::from_micros(100));
        }
        counters.count("getLeader", Ended::Refused, Duration::ZERO);
        let counts = counters.methods();
        let named: Vec<_> = counts.iter().map(|count| (count.method, count.calls)).collect();
        assert_eq!(named, [("getLeader", 1), ("unknown", 3)]);
        assert_eq!((counts[0].refused, counts[0].buckets[0]), (1, 1));
    }
}
