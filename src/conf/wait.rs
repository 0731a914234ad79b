//! Storm's wait strategies, mapped to the three ways in which our threads wait.

use std::time::Duration;

use super::{Key, Reader, keys};

/// How a thread with nothing to do waits, from the least eager to the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitProfile {
    /// Sleeps at once and is woken by the event: almost no CPU, some microseconds to wake.
    #[default]
    Parked,
    /// Spins for a while, then sleeps: quick under load, no CPU in long pauses.
    SpinThenPark,
    /// Never sleeps: burns a core, and answers within the time of a cache miss.
    Spin,
}

impl WaitProfile {
    pub(super) fn from_word(word: &str) -> Option<Self> {
        match word {
            "parked" => Some(Self::Parked),
            "spin-then-park" => Some(Self::SpinThenPark),
            "spin" => Some(Self::Spin),
            _ => None,
        }
    }
}

/// The two strategies that Storm ships, and the old one that slept.
#[derive(Clone, Copy, PartialEq)]
enum Strategy {
    Progressive,
    Park,
}

impl Strategy {
    fn from_class(class: &str) -> Option<Self> {
        match class.rsplit('.').next() {
            Some("WaitStrategyProgressive" | "SleepSpoutWaitStrategy") => Some(Self::Progressive),
            Some("WaitStrategyPark") => Some(Self::Park),
            _ => None,
        }
    }
}

/// Waiting in one situation, as Storm's keys for it ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The profile that comes nearest to the strategy.
    pub profile: WaitProfile,
    /// How long one round of the strategy rests; what an idle spout without a waker is polled at.
    /// Zero only if `profile` is [`WaitProfile::Spin`].
    pub poll: Duration,
}

/// The keys that describe one situation.
pub(super) struct WaitKeys {
    strategy: Key,
    park: Key,
    level1: Key,
    level2: Key,
    sleep: Key,
}

pub(super) const SPOUT: WaitKeys = WaitKeys {
    strategy: keys::SPOUT_STRATEGY,
    park: keys::SPOUT_PARK,
    level1: keys::SPOUT_LEVEL1,
    level2: keys::SPOUT_LEVEL2,
    sleep: keys::SPOUT_SLEEP,
};

pub(super) const BOLT: WaitKeys = WaitKeys {
    strategy: keys::BOLT_STRATEGY,
    park: keys::BOLT_PARK,
    level1: keys::BOLT_LEVEL1,
    level2: keys::BOLT_LEVEL2,
    sleep: keys::BOLT_SLEEP,
};

pub(super) const BACKPRESSURE: WaitKeys = WaitKeys {
    strategy: keys::BACKPRESSURE_STRATEGY,
    park: keys::BACKPRESSURE_PARK,
    level1: keys::BACKPRESSURE_LEVEL1,
    level2: keys::BACKPRESSURE_LEVEL2,
    sleep: keys::BACKPRESSURE_SLEEP,
};

impl Wait {
    /// Spinning rounds count only when they are set: Storm's defaults have some because its parking
    /// is a poll, whereas ours ends by an event.
    pub(super) fn read(reader: &mut Reader<'_>, keys: &WaitKeys) -> Self {
        let strategy = reader
            .word(&keys.strategy, Strategy::from_class)
            .expect("each strategy key has a default");
        let park = reader.span(&keys.park);
        let level1 = reader.count(&keys.level1);
        let level2 = reader.count(&keys.level2);
        let sleep = reader.span(&keys.sleep);
        let asked_to_spin = (reader.is_set(&keys.level1) && level1 > 0)
            || (reader.is_set(&keys.level2) && level2 > 0);
        let poll = match strategy {
            Strategy::Progressive => sleep,
            Strategy::Park => park,
        };
        let profile = if poll.is_zero() {
            WaitProfile::Spin
        } else if strategy == Strategy::Progressive && asked_to_spin {
            WaitProfile::SpinThenPark
        } else {
            WaitProfile::Parked
        };
        Self { profile, poll }
    }
}
