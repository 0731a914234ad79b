//! The pause before a child is started again; pure.

use crate::clock::Time;
use crate::component::{LONGEST_PAUSE, pause};

/// Counts failures in a row.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    failures: u32,
}

impl BackOff {
    /// When the successor of a child is to be started that was at `started` and has failed `now`.
    pub fn next(&mut self, started: Time, now: Time) -> Time {
        // A child that lived longer has not failed at its start.
        if now.since(started) > LONGEST_PAUSE {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        now + pause(self.failures)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::component::FIRST_PAUSE;

    #[test]
    fn pauses_double_up_to_a_limit_and_a_long_life_begins_anew() {
        let mut back_off = BackOff::default();
        let start = Time::from_nanos(1_000_000_000_000);
        assert_eq!(back_off.next(start, start), start + FIRST_PAUSE);
        assert_eq!(back_off.next(start, start), start + 2 * FIRST_PAUSE);
        for _ in 0..40 {
            let _ = back_off.next(start, start);
        }
        assert_eq!(back_off.next(start, start), start + LONGEST_PAUSE);
        let later = start + LONGEST_PAUSE + Duration::from_millis(1);
        assert_eq!(back_off.next(start, later), later + FIRST_PAUSE);
    }
}
