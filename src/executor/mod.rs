//! The duty cycle: spouts, bolts and ackers, and the threads that run them.
//!
//! ```text
//!  thread: read the clock, empty the rings, then run each ready executor in flow order:
//!
//!    spout    acks or completions -> ack/fail -> next_tuple … -> route
//!    bolt     block -> execute … -> route -> ack inputs
//!    acker    acks -> ledger -> completions, for spouts on other threads
//!
//!  flush to other threads; if nothing happened, wait as the profile says
//! ```
//!
//! **Budget.** See `transfer` for what a tuple may cost on its way. Here it costs one virtual call
//! per `next_tuple` and `execute`, and a share of the cycle's one clock read.
//!
//! **Invariants.** An executor calls its component only while nothing is staged. A panic of a
//! component ends one instance, not the executor. Inputs are acked after what they caused was
//! routed.
//!
//! **Not here:** which executors there are (`topology`) and who starts the threads (`local`).

mod acker;
pub(crate) mod assemble;
mod bolt;
mod core;
pub(crate) mod events;
pub(crate) mod exchange;
mod pending;
pub(crate) mod placement;
mod plan;
pub(crate) mod router;
mod spout;
pub(crate) mod thread;

pub(crate) use acker::AckerExecutor;
pub(crate) use bolt::BoltExecutor;
pub(crate) use core::{Core, guarded, make_bolt, make_spout};
pub(crate) use exchange::Exchange;
pub(crate) use spout::SpoutExecutor;

use std::sync::Arc;

use tracing::Span;

use crate::clock::Time;
use crate::counter::ExecutorCounts;
use crate::transfer::Transfer;

/// An executor of any kind.
#[derive(Debug)]
pub(crate) enum Executor {
    Spout(Box<SpoutExecutor>),
    Bolt(Box<BoltExecutor>),
    Acker(Box<AckerExecutor>),
    Exchange(Box<Exchange>),
}

/// When an executor wants to run again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Rest {
    /// In the next cycle: there is more to do.
    Not,
    /// When something comes for it, or at this time.
    Until(Time),
}

/// What the topology as a whole is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Activate,
    Deactivate,
    /// Look again at what is sampled.
    Sample,
    /// Close and clean up every instance; nothing runs after it.
    Close,
}

impl Executor {
    /// Runs the executor once.
    #[inline]
    pub fn run(&mut self, transfer: &mut Transfer, now: Time) -> Rest {
        match self {
            Self::Spout(spout) => spout.run(transfer, now),
            Self::Bolt(bolt) => bolt.run(transfer, now),
            Self::Acker(acker) => acker.run(transfer),
            Self::Exchange(exchange) => exchange.run(transfer, now),
        }
    }

    pub fn command(&mut self, command: Command) {
        match self {
            Self::Spout(spout) => spout.command(command),
            Self::Bolt(bolt) => bolt.command(command),
            Self::Acker(_) | Self::Exchange(_) => {}
        }
    }

    /// The counters of a bolt's executor, whose runs are timed now and then.
    pub fn timed_counts(&self) -> Option<&Arc<ExecutorCounts>> {
        match self {
            Self::Bolt(bolt) => Some(&bolt.core.counts),
            Self::Spout(_) | Self::Acker(_) | Self::Exchange(_) => None,
        }
    }

    /// What an author's log lines carry: topology, component and task.
    pub fn span(&self) -> Span {
        match self {
            Self::Spout(spout) => spout.core.span.clone(),
            Self::Bolt(bolt) => bolt.core.span.clone(),
            Self::Acker(_) | Self::Exchange(_) => Span::none(),
        }
    }

    /// Has a component be called because its descriptors have changed.
    pub fn note_woken(&self) {
        match self {
            Self::Spout(spout) => spout.core.waker.note(),
            Self::Bolt(bolt) => bolt.core.waker.note(),
            Self::Acker(_) | Self::Exchange(_) => {}
        }
    }

    /// Whether the executor's waker was used and the executor has not run since.
    pub fn is_woken(&self) -> bool {
        match self {
            Self::Spout(spout) => spout.core.waker.is_woken(),
            Self::Bolt(bolt) => bolt.core.waker.is_woken(),
            Self::Acker(_) => false,
            Self::Exchange(exchange) => exchange.waker.is_woken(),
        }
    }
}
