//! Log lines that a hostile or broken peer cannot multiply.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::Time;

/// Sources remembered; when they are that many, all are forgotten.
const REMEMBERED: usize = 1024;

/// Remembers who was logged about; threads share it, and hold it for a look-up only.
#[derive(Debug)]
pub(super) struct LogOnce<T>(Mutex<HashSet<T>>);

impl<T: Hash + Eq> LogOnce<T> {
    pub fn new() -> Self {
        Self(Mutex::new(HashSet::new()))
    }

    /// Whether this is the first time, as far as is remembered.
    pub fn first(&self, source: T) -> bool {
        let mut seen = self.0.lock().expect("no holder panics");
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(source)
    }
}

/// Lets one line through per interval and counts those in between.
#[derive(Debug)]
pub(super) struct Throttle {
    interval: Duration,
    state: Mutex<(Option<Time>, u64)>,
}

impl Throttle {
    pub fn new(interval: Duration) -> Self {
        Self { interval, state: Mutex::new((None, 0)) }
    }

    /// How many events a line that may be written now stands for, none if it may not.
    pub fn pass(&self, now: Time) -> Option<u64> {
        let mut state = self.state.lock().expect("no holder panics");
        state.1 += 1;
        if state.0.is_some_and(|last| now.since(last) < self.interval) {
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_first_once_and_memory_is_bounded() {
        let log = LogOnce::new();
        assert!(log.first(0));
        assert!(!log.first(0));
        for source in 1..10_000 {
            log.first(source);
        }
        assert!(log.0.lock().expect("held by nobody").len() <= REMEMBERED);
    }

    #[test]
    fn a_throttle_says_how_many_it_swallowed() {
        let throttle = Throttle::new(Duration::from_secs(10));
        let at = |secs| Time::ZERO + Duration::from_secs(secs);
        assert_eq!(throttle.pass(at(0)), Some(1));
        assert_eq!(throttle.pass(at(1)), None);
        assert_eq!(throttle.pass(at(9)), None);
        assert_eq!(throttle.pass(at(10)), Some(3));
    }
}
