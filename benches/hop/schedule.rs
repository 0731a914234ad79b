//! The plan of an open-loop generator: when each tuple ought to be emitted, whatever happens.
//!
//! Pure: the caller brings the time. A tuple that leaves late keeps its intended time, so the
//! lateness is charged to its latency and no stall is hidden.

const NS_PER_S: u128 = 1_000_000_000;

/// Equally spaced intended times from a start, in nanoseconds of the bench clock.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    start_ns: u64,
    per_second: u64,
}

impl Schedule {
    /// Tuple 0 is intended at `start_ns`, and `per_second` (at least 1) tuples follow each second.
    #[must_use]
    pub fn new(start_ns: u64, per_second: u64) -> Self {
        assert!(per_second > 0, "a schedule needs a rate of at least one tuple a second");
        Self { start_ns, per_second }
    }

    /// When tuple `n` ought to be emitted. Exact for every `n`: no rounding accumulates.
    #[inline]
    #[must_use]
    pub fn intended_ns(&self, n: u64) -> u64 {
        if let Some(scaled) = n.checked_mul(NS_PER_S as u64) {
            return self.start_ns + scaled / self.per_second;
        }
        self.start_ns + (u128::from(n) * NS_PER_S / u128::from(self.per_second)) as u64
    }

    /// How many tuples ought to have been emitted at `now_ns`, that instant included.
    #[must_use]
    pub fn due(&self, now_ns: u64) -> u64 {
        let Some(elapsed_ns) = now_ns.checked_sub(self.start_ns) else {
            return 0;
        };
        // Tuple n is due from floor(n * 1e9 / rate) on, hence the rounding up of the inverse.
        let scaled = (u128::from(elapsed_ns) + 1) * u128::from(self.per_second);
        scaled.div_ceil(NS_PER_S) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intended_times_do_not_drift() {
        let third = Schedule::new(100, 3);
        assert_eq!(third.intended_ns(0), 100);
        assert_eq!(third.intended_ns(1), 100 + 333_333_333);
        assert_eq!(third.intended_ns(3_000_000), 100 + 1_000_000_000_000_000);
    }

    #[test]
    fn intended_times_stay_exact_past_the_small_products() {
        let fast = Schedule::new(0, 10_000_000);
        assert_eq!(fast.intended_ns(50_000_000_000), 5_000_000_000_000);
    }

    #[test]
    fn a_tuple_is_due_from_its_intended_time_on() {
        for per_second in [1, 3, 7, 10_000, 100_000, 999_983] {
            let schedule = Schedule::new(50, per_second);
            assert_eq!(schedule.due(49), 0);
            for n in [0, 1, 2, 3, 1_000, 999_999] {
                let intended_ns = schedule.intended_ns(n);
                assert_eq!(schedule.due(intended_ns), n + 1, "{per_second}/s, tuple {n}");
                assert_eq!(schedule.due(intended_ns - 1), n, "{per_second}/s, before {n}");
            }
        }
    }
}
