//! The thread that acts by itself: timers, scheduling rounds, cleanup.
//!
//! It sleeps until the next timer, the next round every `nimbus.monitor.freq.secs`, or until it is
//! woken: by a submission, a kill, a rebalance, or a supervisor that comes or goes.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::core::Core;
use super::error::NimbusError;
use crate::clock::Time;
use crate::cluster::Watcher;

/// What the driver was woken for the last time.
pub struct Driver {
    core: Arc<Core>,
    woken: Receiver<()>,
    watcher: Watcher,
    next_round: Time,
    next_expiry: Time,
}

impl Driver {
    /// A driver that `woken` wakes; it ends when all senders are gone or `stop` is true.
    pub fn new(core: Arc<Core>, woken: Receiver<()>) -> Self {
        let wake = core.wake.clone();
        let watcher = Watcher::with_alarm(move || {
            // Full means that the driver is about to wake anyway.
            let _ = wake.try_send(());
        });
        let now = core.clock.now();
        Self { core, woken, watcher, next_round: now, next_expiry: now }
    }

    /// Acts until `is_over`.
    pub fn run(mut self, is_over: impl Fn() -> bool) {
        while !is_over() {
            self.act();
            match self.woken.recv_timeout(self.pause()) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// How long until there is something to do.
    fn pause(&self) -> Duration {
        let round = self.next_round.since(self.core.clock.now());
        self.core.next_timer().map_or(round, |timer| timer.min(round))
    }

    fn act(&mut self) {
        let core = Arc::clone(&self.core);
        core.fire_timers();
        let now = core.clock.now();
        // What it was woken for needs no looking at: everything is looked at.
        self.watcher.take();
        if let Err(error) =
            core.look_at_supervisors(&self.watcher).and_then(|_| core.schedule_round())
        {
            core.counts.failed_rounds.add(1);
            tracing::error!("a scheduling round failed and is tried again: {error}");
        }
        if self.next_round <= now {
            self.next_round = now + core.settings.monitor_interval;
            said("cleaning up", core.clean_up());
            said("resetting log levels", core.expire_log_levels());
            said("saying that Nimbus is here", core.announce());
        }
        if self.next_expiry <= now {
            self.next_expiry = now + core.settings.inbox_interval;
            core.expire_files();
        }
    }
}

fn said(doing: &str, outcome: Result<(), NimbusError>) {
    if let Err(error) = outcome {
        tracing::warn!("{doing} failed and is tried again: {error}");
    }
}
