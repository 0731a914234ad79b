//! The limit of the first tuple after idleness: a timed futex wait, then a few inline calls.

use std::time::Duration;

use super::super::clock;
use super::super::parker;
use super::super::quantile;
use super::super::sample::{Sample, Subject, Window};
use super::inline::Chain;

/// Sleeps until an intended time, again and again, and records how late the work was done.
pub struct IdleWake {
    /// Time between two intended times.
    idle: Duration,
    /// Components that are called after each sleep, as one chain; 0 records the bare overshoot.
    stages: usize,
}

impl IdleWake {
    /// Sleeps of `idle`, each followed by one tuple through `stages` components (0, or 2 and more).
    #[must_use]
    pub fn new(idle: Duration, stages: usize) -> Self {
        Self { idle, stages }
    }
}

impl Subject for IdleWake {
    fn name(&self) -> String {
        match self.stages {
            0 => "timed futex wait".to_owned(),
            stages => format!("timed futex wait, {stages} stages"),
        }
    }

    /// Wakes as often as `length` has room for, at least once.
    fn block(&mut self, length: Duration) -> Sample {
        let mut latency = quantile::histogram();
        let mut chain = (self.stages > 0).then(|| Chain::new(self.stages));
        let wakes = (length.as_nanos() / self.idle.as_nanos()).max(1);
        let window = Window::open();
        for _ in 0..wakes {
            let intended_ns = clock::now_ns() + clock::ns(self.idle);
            let mut done_ns = parker::sleep_until(intended_ns);
            if let Some(chain) = &mut chain {
                chain.call();
                done_ns = clock::now_ns();
            }
            latency.saturating_record(done_ns - intended_ns);
        }
        window.close(0).with_latency(latency)
    }
}
