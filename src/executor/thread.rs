//! One thread's loop over the executors placed on it.
//!
//! ```text
//!   cycle: clock -> rings -> sockets -> descriptors -> signals -> timers -> ready executors -> flush
//!          -> sockets
//!   wait:  parked          sleep until woken or the next timer
//!          spin-then-park  spin a little first
//!          spin            never sleep
//!   A thread whose components watch descriptors looks at them for a moment before it sleeps.
//! ```
//!
//! **Invariants.** The clock is read once per cycle; in one cycle in sixteen also around the runs of
//! bolts, to tell how long `execute` takes. A thread sleeps only in [`Parker::park`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smallvec::SmallVec;
use tracing::Span;

use super::exchange::{Exchange, Since};
use super::{Command, Executor, Rest};
use crate::clock::{Clock, Time};
use crate::component::ThreadSignal;
use crate::conf::WaitProfile;
use crate::counter::ExecutorCounts;
use crate::queue::{Changed, Parker, Poller};
use crate::transfer::Transfer;

/// How long the profile `spin-then-park` spins before it sleeps: about what waking up costs.
const SPIN_BEFORE_PARK: Duration = Duration::from_micros(20);

/// How often a busy thread looks at the descriptors that its components watch.
const LOOK_INTERVAL: Duration = Duration::from_micros(20);

/// A cycle from which on what is for other workers is written at its end, however busy the thread is.
const LONG_CYCLE: Duration = Duration::from_micros(10);

/// How long an idle thread goes on looking at the descriptors of components that ran just now: about
/// what another process takes to answer, so that the answer finds it awake.
const ANSWER_TIME: Duration = Duration::from_micros(50);

/// Settles what a thread needs before it runs a [`Duty`]: timers that are not rounded up.
pub(crate) fn prepare_thread() {
    #[cfg(target_os = "linux")]
    {
        let one_ns = std::num::NonZeroU64::new(1);
        if let Err(error) = rustix::thread::set_current_timer_slack(one_ns) {
            tracing::warn!("cannot set the timer slack, timers will be up to 50 us late: {error}");
        }
    }
}

/// Executors, and what moves their tuples.
pub(crate) struct Duty {
    executors: Vec<Executor>,
    /// By slot: says of an author's log lines whose they are; disabled where nobody listens.
    spans: Vec<Span>,
    transfer: Transfer,
    clock: Clock,
    signal: Arc<ThreadSignal>,
    /// By slot: when the executor wants to run though nothing came for it.
    deadlines: Vec<Time>,
    next_deadline: Time,
    order: Order,
    /// The slot of the exchange, the last one, if it is on this thread.
    exchange: Option<u32>,
    /// When the cycle before this one began, where there is an exchange.
    last_cycle: Time,
    /// Cycles until the next one that is timed.
    untimed_cycles: u32,
    /// When a busy thread looks at its descriptors next.
    next_look: Time,
    /// Until when an answer to components of this thread may be waited for without sleeping.
    lively_until: Time,
    /// Raised by whoever sends commands to the thread.
    commands: Arc<CommandQueue>,
}

/// Commands for a thread.
#[derive(Debug, Default)]
pub(crate) struct CommandQueue {
    commands: crossbeam_queue::SegQueue<Command>,
    /// Commands that were given and not yet obeyed: counted up by whoever gives them, down by the
    /// thread.
    open: AtomicUsize,
}

impl CommandQueue {
    pub fn push(&self, command: Command) {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.commands.push(command);
    }

    /// Whether every command that was given before is obeyed.
    pub fn is_obeyed(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0
    }
}

/// In which order ready executors run.
#[derive(Debug)]
pub(crate) enum Order {
    /// Flow order, in which a tuple passes all executors of the thread in one cycle.
    Flow,
    /// An order drawn anew in every cycle, for tests under a simulated clock.
    Random(u64),
}

/// What a cycle found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cycle {
    Busy,
    Idle,
    Closed,
}

impl Duty {
    pub fn new(
        executors: Vec<Executor>,
        mut transfer: Transfer,
        clock: Clock,
        signal: Arc<ThreadSignal>,
        commands: Arc<CommandQueue>,
        order: Order,
    ) -> Self {
        for slot in 0..executors.len() as u32 {
            transfer.ready.insert(slot);
        }
        let exchange = match executors.last() {
            Some(Executor::Exchange(exchange)) => Some(exchange.slot),
            _ => None,
        };
        let deadlines = vec![Time::NEVER; executors.len()];
        let spans = executors.iter().map(Executor::span).collect();
        Self {
            executors,
            spans,
            transfer,
            clock,
            signal,
            deadlines,
            next_deadline: Time::NEVER,
            order,
            exchange,
            last_cycle: Time::ZERO,
            untimed_cycles: 0,
            next_look: Time::ZERO,
            lively_until: Time::ZERO,
            commands,
        }
    }

    /// Runs cycles until the topology is closed.
    pub fn run(mut self, parker: &Parker, profile: WaitProfile) {
        let mut idle_since = None;
        parker.own();
        loop {
            let now = self.clock.now();
            match self.cycle(now) {
                Cycle::Closed => return,
                Cycle::Busy => idle_since = None,
                Cycle::Idle => {
                    let since = *idle_since.get_or_insert(now);
                    let spins = match profile {
                        WaitProfile::Parked => false,
                        WaitProfile::SpinThenPark => now.since(since) < SPIN_BEFORE_PARK,
                        WaitProfile::Spin => true,
                    };
                    if now < self.lively_until {
                        self.note(Since::Spun);
                        self.next_look = Time::ZERO;
                        // The other process may be in need of this core.
                        std::thread::yield_now();
                    } else if spins {
                        self.note(Since::Spun);
                        std::hint::spin_loop();
                    } else {
                        self.park(parker);
                        idle_since = None;
                    }
                }
            }
        }
    }

    fn park(&mut self, parker: &Parker) {
        let timeout = match self.next_deadline {
            Time::NEVER => None,
            deadline => Some(deadline.since(self.clock.now())),
        };
        if timeout != Some(Duration::ZERO) {
            parker.park(timeout, || {
                !self.signal.raised.load(Ordering::Acquire) && self.transfer.is_idle()
            });
            self.note(Since::Slept);
            // What the sleep ended for is known.
            if self.watchers() != 0 {
                self.next_look = self.clock.now() + LOOK_INTERVAL;
            }
        }
    }

    /// Lets the exchange know what the thread did since it looked at its sockets.
    #[inline]
    fn note(&mut self, since: Since) {
        if let Some(exchange) = self.exchange() {
            exchange.note(since);
        }
    }

    #[inline]
    fn exchange(&mut self) -> Option<&mut Exchange> {
        match self.executors.get_mut(self.exchange? as usize) {
            Some(Executor::Exchange(exchange)) => Some(exchange),
            _ => None,
        }
    }

    /// When an executor of this thread wants to run though nothing comes for it.
    pub fn next_deadline(&self) -> Time {
        self.next_deadline
    }

    /// Runs everything that is ready, once.
    #[inline]
    pub fn cycle(&mut self, now: Time) -> Cycle {
        self.transfer.receive();
        if self.exchange.is_some() {
            self.receive_from_workers(now);
        }
        if self.watchers() != 0 {
            self.heed_descriptors(now);
        }
        if self.signal.raised.load(Ordering::Relaxed) && self.heed_signal() {
            self.write_to_workers(false);
            return Cycle::Closed;
        }
        if now >= self.next_deadline {
            self.heed_timers(now);
        }
        self.expect_answers(now);
        let timed = self.untimed_cycles == 0 && !self.transfer.ready.is_empty();
        self.untimed_cycles = match timed {
            true => ExecutorCounts::TIMED - 1,
            false => self.untimed_cycles.saturating_sub(1),
        };
        let worked = match self.order {
            Order::Flow if timed => self.run_in_flow_order(now, Self::run_slot_timed),
            Order::Flow => self.run_in_flow_order(now, Self::run_slot),
            Order::Random(_) => self.run_in_random_order(now),
        };
        let mut sent = self.transfer.flush();
        if let Some(slot) = self.exchange {
            sent |= self.send_to_workers(slot, now);
            self.last_cycle = now;
        }
        if worked || sent || !self.transfer.ready.is_empty() { Cycle::Busy } else { Cycle::Idle }
    }

    fn receive_from_workers(&mut self, now: Time) {
        if let Some(Executor::Exchange(exchange)) = self.executors.last_mut() {
            exchange.receive(&mut self.transfer, now);
        }
    }

    /// Encodes what the flush brought, and writes; true if something went out.
    fn send_to_workers(&mut self, slot: u32, now: Time) -> bool {
        if self.transfer.ready.take_from(slot).is_some() && self.run_slot(slot, now) {
            self.transfer.ready.insert(slot);
        }
        // A long cycle is no reason to keep anything back: the next one may be as long.
        let busy = !self.transfer.ready.is_empty() && now.since(self.last_cycle) < LONG_CYCLE;
        self.write_to_workers(busy)
    }

    fn write_to_workers(&mut self, busy: bool) -> bool {
        match self.executors.last_mut() {
            Some(Executor::Exchange(exchange)) => exchange.send(&mut self.transfer, busy),
            _ => false,
        }
    }

    #[inline]
    fn run_in_flow_order(
        &mut self,
        now: Time,
        run_slot: impl Fn(&mut Self, u32, Time) -> bool,
    ) -> bool {
        let mut worked = false;
        // More than sixteen spouts on one thread are worth an allocation per cycle.
        let mut again: SmallVec<[u32; 16]> = SmallVec::new();
        let mut from = 0;
        while let Some(slot) = self.transfer.ready.take_from(from) {
            worked = true;
            if run_slot(self, slot, now) {
                again.push(slot);
            }
            from = slot + 1;
        }
        for slot in again {
            self.transfer.ready.insert(slot);
        }
        worked
    }

    /// Runs one executor as [`run_slot`](Self::run_slot), and notes how long a bolt's took.
    #[cold]
    fn run_slot_timed(&mut self, slot: u32, now: Time) -> bool {
        let Some(counts) = self.executors[slot as usize].timed_counts().cloned() else {
            return self.run_slot(slot, now);
        };
        let (executed, began) = (counts.executed(), self.clock.now());
        let again = self.run_slot(slot, now);
        let tuples = counts.executed() - executed;
        if tuples > 0 {
            counts.timed_ns.add(self.clock.now().since(began).as_nanos() as u64);
            counts.timed_tuples.add(tuples);
        }
        again
    }

    fn run_in_random_order(&mut self, now: Time) -> bool {
        let mut ready: Vec<u32> = Vec::new();
        while let Some(slot) = self.transfer.ready.take_from(0) {
            ready.push(slot);
        }
        let worked = !ready.is_empty();
        while !ready.is_empty() {
            let Order::Random(state) = &mut self.order else { break };
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let slot = ready.swap_remove((*state >> 33) as usize % ready.len());
            if self.run_slot(slot, now) {
                self.transfer.ready.insert(slot);
            }
        }
        worked
    }

    /// Runs one executor; true if it wants to run again at once.
    #[inline]
    fn run_slot(&mut self, slot: u32, now: Time) -> bool {
        let span = &self.spans[slot as usize];
        let _entered = (!span.is_disabled()).then(|| span.enter());
        match self.executors[slot as usize].run(&mut self.transfer, now) {
            Rest::Not => {
                self.deadlines[slot as usize] = Time::NEVER;
                true
            }
            Rest::Until(deadline) => {
                self.deadlines[slot as usize] = deadline;
                if deadline < self.next_deadline {
                    self.next_deadline = deadline;
                }
                false
            }
        }
    }

    /// Executors of this thread whose components watch descriptors, a bit for each.
    #[inline]
    fn watchers(&self) -> u64 {
        self.signal.unparker.poller().map_or(0, Poller::watchers)
    }

    /// Notes that components which watch descriptors are about to run.
    #[inline]
    fn expect_answers(&mut self, now: Time) {
        let watchers = self.watchers();
        if watchers != 0 && self.transfer.ready.folded() & watchers != 0 {
            self.lively_until = now + ANSWER_TIME;
        }
    }

    /// Has executors run whose components' descriptors have changed. A thread that slept knows them
    /// already; a busy one looks now and then.
    fn heed_descriptors(&mut self, now: Time) {
        let Some(poller) = self.signal.unparker.poller() else { return };
        if now >= self.next_look {
            poller.look();
            self.next_look = now + LOOK_INTERVAL;
        }
        while let Some(changed) = poller.take_slot() {
            let slots = match changed {
                Changed::Slot(slot) => slot..slot + 1,
                Changed::Any => 0..self.executors.len() as u32,
            };
            for slot in slots {
                self.executors[slot as usize].note_woken();
                self.transfer.ready.insert(slot);
            }
        }
    }

    #[cold]
    fn heed_timers(&mut self, now: Time) {
        for (slot, deadline) in self.deadlines.iter_mut().enumerate() {
            if now >= *deadline {
                *deadline = Time::NEVER;
                self.transfer.ready.insert(slot as u32);
            }
        }
        self.next_deadline = self.deadlines.iter().copied().min().unwrap_or(Time::NEVER);
    }

    /// Has woken executors run and obeys commands; true if the topology is closed.
    #[cold]
    fn heed_signal(&mut self) -> bool {
        self.signal.raised.swap(false, Ordering::AcqRel);
        for (slot, executor) in self.executors.iter().enumerate() {
            if executor.is_woken() {
                self.transfer.ready.insert(slot as u32);
            }
        }
        while let Some(command) = self.commands.commands.pop() {
            for (slot, executor) in self.executors.iter_mut().enumerate() {
                self.spans[slot].in_scope(|| executor.command(command));
                self.transfer.ready.insert(slot as u32);
            }
            self.commands.open.fetch_sub(1, Ordering::AcqRel);
            if command == Command::Close {
                return true;
            }
        }
        false
    }
}
