//! Whether a pair of blocks was disturbed by the rest of the machine.
//!
//! Pure: facts in, verdict out. A disturbed pair is thrown away whole and counted, never repaired.

use std::fmt;
use std::time::Duration;

use super::machine::{Gaps, TICK, Usage};

/// What is known about the machine around one block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// From just before the block to just after it.
    pub usage: Usage,
    /// Pauses seen just before the block.
    pub gaps_before: Gaps,
    /// Pauses seen just after the block.
    pub gaps_after: Gaps,
    /// Round trip of a cache line between two threads just before the block, in nanoseconds.
    pub ping_pong_before_ns: f64,
    /// The same, just after the block.
    pub ping_pong_after_ns: f64,
}

/// How much disturbance a pair may have had.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// CPU time of other processes by wall time, as a part of one core.
    pub others_share: f64,
    /// CPU time stolen by the hypervisor by wall time, as a part of one core.
    pub steal_share: f64,
    /// Ratio of slowest to fastest ping-pong around the pair, less one.
    pub ping_pong_moved: f64,
}

/// Whether the numbers of a pair may be used.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// They may.
    Clean,
    /// They may not: run the pair again.
    Disturbed(Reason),
}

/// The first thing that was found wrong with a pair.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Other processes took this part of a core during a block.
    Others(f64),
    /// The hypervisor took this part of a core during a block.
    Steal(f64),
    /// The ping-pong moved between these two values, in nanoseconds: the cores were moved.
    PingPong(f64, f64),
    /// A block completed nothing that could be compared.
    Nothing,
}

impl Default for Gate {
    fn default() -> Self {
        Self { others_share: 0.05, steal_share: 0.01, ping_pong_moved: 0.25 }
    }
}

impl Gate {
    /// Judges the blocks of one pair, which used up to `threads` threads at once.
    ///
    /// The distance of two cores cannot disturb a single thread, so then the ping-pong is only
    /// reported. One tick of CPU time is allowed on top, since `/proc/stat` counts in ticks.
    #[must_use]
    pub fn judge(&self, blocks: &[Facts], threads: usize) -> Verdict {
        for facts in blocks {
            let elapsed = facts.usage.elapsed;
            if let Some(share) = excess(facts.usage.others, elapsed, self.others_share) {
                return Verdict::Disturbed(Reason::Others(share));
            }
            if let Some(share) = excess(facts.usage.steal, elapsed, self.steal_share) {
                return Verdict::Disturbed(Reason::Steal(share));
            }
        }
        match self.ping_pong(blocks) {
            Some(moved) if threads > 1 => Verdict::Disturbed(moved),
            _ => Verdict::Clean,
        }
    }

    fn ping_pong(&self, blocks: &[Facts]) -> Option<Reason> {
        let ends = |facts: &Facts| [facts.ping_pong_before_ns, facts.ping_pong_after_ns];
        let fastest = blocks.iter().flat_map(ends).fold(f64::INFINITY, f64::min);
        let slowest = blocks.iter().flat_map(ends).fold(0.0, f64::max);
        let moved = slowest > fastest * (1.0 + self.ping_pong_moved);
        moved.then_some(Reason::PingPong(fastest, slowest))
    }
}

impl Verdict {
    /// Whether the pair's numbers may be used.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        *self == Self::Clean
    }
}

/// The share of a core that `used` is, where it is more than allowed.
fn excess(used: Duration, elapsed: Duration, allowed_share: f64) -> Option<f64> {
    let allowed = elapsed.mul_f64(allowed_share) + TICK;
    (used > allowed).then(|| used.as_secs_f64() / elapsed.as_secs_f64().max(1e-9))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("clean"),
            Self::Disturbed(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Others(share) => write!(f, "others used {:.0} % of a core", share * 100.0),
            Self::Steal(share) => write!(f, "steal was {:.0} % of a core", share * 100.0),
            Self::PingPong(from, to) => write!(f, "ping-pong moved {from:.0} to {to:.0} ns"),
            Self::Nothing => f.write_str("a block completed nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(others_ms: u64, steal_ms: u64, ping_pong_ns: f64) -> Facts {
        Facts {
            usage: Usage {
                elapsed: Duration::from_secs(1),
                others: Duration::from_millis(others_ms),
                steal: Duration::from_millis(steal_ms),
                ..Usage::default()
            },
            ping_pong_before_ns: ping_pong_ns,
            ping_pong_after_ns: ping_pong_ns,
            ..Facts::default()
        }
    }

    #[track_caller]
    fn check(limit: Facts, subject: Facts, threads: usize, expected: &str) {
        let verdict = Gate::default().judge(&[limit, subject], threads);
        assert_eq!(verdict.to_string(), expected);
        assert_eq!(verdict.is_clean(), expected == "clean");
    }

    #[test]
    fn a_quiet_pair_is_clean() {
        check(facts(0, 0, 100.0), facts(0, 0, 100.0), 2, "clean");
    }

    #[test]
    fn others_may_take_five_per_cent_and_one_tick() {
        check(facts(60, 0, 100.0), facts(60, 0, 100.0), 2, "clean");
        check(facts(0, 0, 100.0), facts(70, 0, 100.0), 2, "others used 7 % of a core");
        check(facts(70, 0, 100.0), facts(0, 0, 100.0), 1, "others used 7 % of a core");
    }

    #[test]
    fn steal_may_take_one_per_cent_and_one_tick() {
        check(facts(0, 20, 100.0), facts(0, 20, 100.0), 2, "clean");
        check(facts(0, 30, 100.0), facts(0, 0, 100.0), 2, "steal was 3 % of a core");
    }

    #[test]
    fn cores_that_moved_apart_disturb_two_threads_but_not_one() {
        check(facts(0, 0, 100.0), facts(0, 0, 124.0), 2, "clean");
        check(facts(0, 0, 100.0), facts(0, 0, 126.0), 2, "ping-pong moved 100 to 126 ns");
        check(facts(0, 0, 126.0), facts(0, 0, 100.0), 2, "ping-pong moved 100 to 126 ns");
        check(facts(0, 0, 100.0), facts(0, 0, 126.0), 1, "clean");
    }
}
