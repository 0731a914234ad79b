//! The executor of a spout: answers first, then new tuples while there is room and credit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Instance, guarded, make_spout};
use super::pending::{Applied, Message, Pending};
use super::router::{Routed, Router, Starting};
use super::{Command, Rest};
use crate::clock::Time;
use crate::component::error_chain;
use crate::counter::ExecutorCounts;
use crate::id::{RootId, TaskId};
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::SpoutFactory;
use crate::transfer::Transfer;
use crate::tuple::Anchor;
use crate::tuple::block::{BLOCK_TUPLES, Block, Kind};

/// How often per message timeout the pending messages are looked through: a message fails between
/// its timeout and an eighth more.
const SWEEPS_PER_TIMEOUT: u32 = 8;

/// Runs the tasks of one spout executor.
pub(crate) struct SpoutExecutor {
    pub core: Core,
    tasks: Vec<Task>,
    /// By task.
    pending: Vec<Pending>,
    /// Counters of the acker that is on the same thread: its work is done here, where the messages
    /// are, and counted as its own. None where an acker keeps the trees.
    acker: Option<Arc<ExecutorCounts>>,
    make: SpoutFactory,
    collector: SpoutCollector,
    router: Router,
    used_ids: usize,
    refused: Vec<(TaskId, Message)>,
    /// Messages that no tree is kept for and that are not answered yet.
    untracked: Vec<Answer>,
    limits: Limits,
    active: bool,
    next_sweep: Time,
}

/// What bounds a spout executor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Whether trees are kept; without ackers every message is acked at once.
    pub tracked: bool,
    /// Pending messages per task.
    pub max_pending: usize,
    /// None if messages never time out.
    pub timeout: Option<Duration>,
    /// Pause of an idle spout that has no waker.
    pub poll: Duration,
    /// As in [`Pending::new`].
    pub first_generation: u32,
}

#[derive(Debug)]
struct Task {
    spout: Instance<Box<dyn Spout>>,
    idle_until: Time,
    /// Whether the last answer was that nothing more will come.
    finished: bool,
    /// Whether the live instance was told of the topology's state.
    told_active: bool,
    /// Whether its waker was used since it was called last.
    woken: bool,
    /// Answers that came while there was no instance to be told; its successor is.
    unheard: Vec<Answer>,
}

/// A decided message that its task's instance is to be told of.
#[derive(Debug)]
struct Answer {
    /// Place of the task in the executor.
    index: usize,
    message: Message,
    failed: bool,
}

impl Task {
    /// Has the task asked again, whatever it answered before.
    ///
    /// The gauge falls at once, before the message that failed leaves the pending ones, so that
    /// nobody sees everything done in between; the end of the run sets it right.
    fn ask_again(&mut self, counts: &ExecutorCounts) {
        self.idle_until = Time::ZERO;
        if std::mem::take(&mut self.finished) {
            counts.finished.set(0);
        }
    }
}

impl fmt::Debug for dyn Spout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("spout")
    }
}

impl SpoutExecutor {
    pub fn new(
        core: Core,
        make: SpoutFactory,
        collector: SpoutCollector,
        router: Router,
        limits: Limits,
        acker: Option<Arc<ExecutorCounts>>,
    ) -> Self {
        let task = |_| Task {
            spout: Instance::fresh(),
            idle_until: Time::ZERO,
            finished: false,
            told_active: false,
            woken: false,
            unheard: Vec::new(),
        };
        let tasks = core.id.tasks().map(task).collect();
        let pending =
            core.id.tasks().map(|task| Pending::new(task, limits.first_generation)).collect();
        Self {
            core,
            tasks,
            pending,
            acker,
            make,
            collector,
            router,
            used_ids: 0,
            refused: Vec::new(),
            untracked: Vec::new(),
            limits,
            active: false,
            next_sweep: Time::ZERO,
        }
    }

    pub fn run(&mut self, transfer: &mut Transfer, now: Time) -> Rest {
        self.collector.now = now;
        let mut routed = self.route(transfer, now);
        self.answer(transfer, now);
        if now >= self.next_sweep {
            self.sweep(now);
        }
        let mut rest = Rest::Until(Time::NEVER);
        if routed == Routed::All {
            (routed, rest) = self.emit(transfer, now);
        }
        for link in self.core.links.clone() {
            transfer.send(link);
        }
        let pending: usize = self.pending.iter().map(Pending::len).sum();
        // Staged emissions have no root yet, but the topology is not drained before they have.
        let staged = self.collector.staging.len();
        let (mut unheard, mut finished) = (0, 0);
        for task in &self.tasks {
            unheard += task.unheard.len();
            finished += u64::from(task.finished);
        }
        self.core.counts.pending.set((pending + staged + unheard) as u64);
        // Last: what a task emitted before it finished is pending by now.
        self.core.counts.finished.set(finished);
        match routed {
            Routed::Full => Rest::Until(self.next_sweep),
            _ if !self.collector.staging.is_empty() => Rest::Not,
            _ => rest,
        }
    }

    pub fn command(&mut self, command: Command) {
        match command {
            Command::Activate => self.active = true,
            Command::Deactivate => self.active = false,
            Command::Sample => {
                self.router.sample(self.core.sampler());
                return;
            }
            Command::Close => {
                for task in &mut self.tasks {
                    if let Instance::Alive(mut spout) =
                        std::mem::replace(&mut task.spout, Instance::Closed)
                    {
                        let _ = guarded(move || spout.close());
                    }
                }
                return;
            }
        }
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            task.idle_until = Time::ZERO;
            if let Some(spout) = task.spout.alive()
                && task.told_active != self.active
            {
                task.told_active = self.active;
                let active = self.active;
                let told = guarded(|| if active { spout.activate() } else { spout.deactivate() });
                if let Err(panic) = told {
                    self.replace(index, self.collector.now, panic);
                }
            }
        }
    }

    /// Routes what is staged, and answers at once what no tree is kept for.
    fn route(&mut self, transfer: &mut Transfer, now: Time) -> Routed {
        if self.collector.staging.is_empty() && self.untracked.is_empty() {
            return Routed::All;
        }
        let routed = self.route_staged(transfer, now);
        if !self.untracked.is_empty() {
            let untracked = std::mem::take(&mut self.untracked);
            let emptied = self.decide(untracked, now);
            if self.untracked.is_empty() {
                self.untracked = emptied;
            }
        }
        if !self.refused.is_empty() {
            let first = self.core.id.first_task.0;
            let refused = self.refused.drain(..);
            let failed =
                refused.map(|(task, message)| failed(usize::from(task.0 - first), message));
            let failed = failed.collect();
            self.decide(failed, now);
        }
        routed
    }

    fn route_staged(&mut self, transfer: &mut Transfer, now: Time) -> Routed {
        loop {
            let mut roots = Starting {
                pending: &mut self.pending,
                first_task: self.core.id.first_task,
                keeps_trees: self.acker.is_some(),
                now,
                used_ids: &mut self.used_ids,
                refused: &mut self.refused,
            };
            let (staging, counts) = (&mut self.collector.staging, &self.core.counts);
            let routed = guarded(|| self.router.route(staging, transfer, counts, &mut roots));
            match routed {
                Ok(Routed::All) => {
                    self.used_ids = 0;
                    return Routed::All;
                }
                Ok(Routed::Full) => return Routed::Full,
                Ok(Routed::Refused) => {
                    let (task, refusal) =
                        self.router.refuse(&self.collector.staging, transfer, counts);
                    self.core.report(self.core.index(task), now, refusal);
                }
                Err(panic) => {
                    self.router.give_up(&self.collector.staging, transfer, counts);
                    self.core.report(0, now, panic);
                }
            }
        }
    }

    /// Tells the tasks what is decided, even while their own emissions find no room.
    #[inline]
    fn answer(&mut self, transfer: &mut Transfer, now: Time) {
        while let Some(block) = transfer.next_block(self.core.slot) {
            self.messages(&block, now);
            transfer.finish(block);
        }
    }

    /// Applies acks to the trees that are kept here, or heeds what an acker has decided.
    fn messages(&mut self, block: &Block, now: Time) {
        let mut next = 0;
        let mut late = 0;
        let mut tally = Tally::default();
        while next < block.anchors.len() {
            let answered = guarded(|| match block.kind {
                Kind::Acks => {
                    self.answer_run(&block.anchors, &mut next, &mut late, now, &mut tally, {
                        |pending, message| pending.apply(message, now)
                    })
                }
                _ => self.answer_run(&block.anchors, &mut next, &mut late, now, &mut tally, {
                    |pending, verdict| pending.heed(verdict.root, now)
                }),
            });
            if let Err(panic) = answered {
                let root = RootId::of(block.anchors[next - 1].root);
                self.replace(self.index_of(root), now, panic);
            }
        }
        tally.flush(&self.core.counts);
        match &self.acker {
            Some(acker) if block.kind == Kind::Acks => {
                acker.late.add(late);
                acker.cycles.add(1);
            }
            _ => self.core.counts.late.add(late),
        }
    }

    /// Applies messages from `next` on and gives answers to their tasks' instances; `next` is
    /// always one ahead, so that an answer whose call panics is not given again.
    #[inline]
    fn answer_run(
        &mut self,
        messages: &[Anchor],
        next: &mut usize,
        late: &mut u64,
        now: Time,
        tally: &mut Tally,
        apply: impl Fn(&mut Pending, Anchor) -> Applied,
    ) {
        while let Some(message) = messages.get(*next) {
            *next += 1;
            let index = self.index_of(RootId::of(message.root));
            let Some(pending) = self.pending.get_mut(index) else { continue };
            match apply(pending, *message) {
                Applied::Open => {}
                Applied::Decided { message, failed } => {
                    self.decided(Answer { index, message, failed }, now, tally);
                }
                Applied::Late => *late += 1,
            }
        }
    }

    #[inline]
    fn index_of(&self, root: RootId) -> usize {
        usize::from(root.spout_task().0.wrapping_sub(self.core.id.first_task.0))
    }

    /// Answers messages that no acker has decided: timed out, refused, not tracked, or orphaned.
    /// Hands the list back, emptied.
    fn decide(&mut self, mut answers: Vec<Answer>, now: Time) -> Vec<Answer> {
        // A message that no tree is kept for is acked at once, which says nothing of its latency.
        let mut tally = Tally { untimed: !self.limits.tracked, ..Tally::default() };
        let mut left = answers.drain(..);
        let mut index = 0;
        while left.len() > 0 {
            let answered = guarded(|| {
                for answer in left.by_ref() {
                    index = answer.index;
                    self.decided(answer, now, &mut tally);
                }
            });
            if let Err(panic) = answered {
                self.replace(index, now, panic);
            }
        }
        drop(left);
        tally.flush(&self.core.counts);
        answers
    }

    /// Gives the one answer that a message gets to its task's instance, or keeps it for the next.
    #[inline(always)]
    fn decided(&mut self, answer: Answer, now: Time, tally: &mut Tally) {
        let Answer { index, message, failed } = answer;
        self.stage_for(index);
        let task = &mut self.tasks[index];
        let Some(spout) = task.spout.alive() else {
            task.unheard.push(Answer { index, message, failed });
            return;
        };
        if failed {
            self.core.counts.outputs[usize::from(message.output)].failed.add(1);
        } else {
            let latency_ns = now.as_nanos().saturating_sub(message.emitted_at_ns);
            tally.add(message.output, latency_ns, &self.core.counts);
        }
        let out = &mut self.collector;
        let answered = match failed {
            true => {
                let answered = spout.fail(message.id, out);
                task.ask_again(&self.core.counts);
                answered
            }
            false => spout.ack(message.id, out),
        };
        if let Err(error) = answered {
            self.core.report(index, now, error_chain(&*error));
        }
        let staging = &self.collector.staging;
        let untracked = !self.limits.tracked && !staging.message_ids.is_empty();
        if untracked || staging.mistake.is_some() || !self.collector.reports.is_empty() {
            self.after_call(index, now);
        }
    }

    /// Makes `index` the task that emits next.
    #[inline]
    fn stage_for(&mut self, index: usize) {
        self.collector.staging.task = self.core.task(index);
    }

    /// Reports what a call left behind, and notes which messages it emitted that nobody tracks.
    fn after_call(&mut self, index: usize, now: Time) {
        if !self.limits.tracked {
            let ids = self.collector.staging.message_ids.drain(..);
            self.untracked.extend(ids.map(|id| {
                let message = Message { id, emitted_at_ns: now.as_nanos(), output: 0 };
                Answer { index, message, failed: false }
            }));
        }
        if let Some(mistake) = self.collector.staging.mistake.take() {
            self.core.report(index, now, mistake.to_string());
        }
        if !self.collector.reports.is_empty() {
            self.core.report_all(index, now, &mut self.collector.reports);
        }
    }

    /// Fails messages whose time is up.
    fn sweep(&mut self, now: Time) {
        let Some(timeout) = self.limits.timeout else {
            self.next_sweep = Time::NEVER;
            return;
        };
        self.next_sweep = now + timeout / SWEEPS_PER_TIMEOUT;
        for index in 0..self.tasks.len() {
            let expired = self.pending[index].expire(now, timeout);
            self.core.counts.timed_out.add(expired.len() as u64);
            let expired = expired.into_iter().map(|message| failed(index, message)).collect();
            self.decide(expired, now);
        }
    }

    /// Asks the tasks for new tuples.
    fn emit(&mut self, transfer: &mut Transfer, now: Time) -> (Routed, Rest) {
        let mut routed = self.route(transfer, now);
        let woken = self.core.waker.take_woken();
        let mut rest = Rest::Until(Time::NEVER);
        for index in 0..self.tasks.len() {
            if self.tasks[index].spout.due_at().is_some_and(|due| now >= due) {
                self.make(index, now);
            }
            if woken {
                self.tasks[index].ask_again(&self.core.counts);
                self.tasks[index].woken = true;
            }
            let may_call = self.may_call(index);
            if routed == Routed::All && may_call && now >= self.tasks[index].idle_until {
                self.call_next(index, now);
                routed = self.route(transfer, now);
            } else if routed == Routed::All && !may_call && self.tasks[index].woken {
                self.call_woken(index, now);
                routed = self.route(transfer, now);
            }
            rest = earlier(rest, self.rest_of(index, now));
        }
        if self.pending.iter().any(|pending| pending.len() > 0) {
            rest = earlier(rest, Rest::Until(self.next_sweep));
        }
        (routed, rest)
    }

    fn may_call(&self, index: usize) -> bool {
        self.active && self.pending[index].len() < self.limits.max_pending
    }

    /// When a task wants to be called again.
    fn rest_of(&self, index: usize, now: Time) -> Rest {
        let task = &self.tasks[index];
        match task.spout.due_at() {
            Some(due) => Rest::Until(due),
            None if !self.may_call(index) => Rest::Until(Time::NEVER),
            None if now >= task.idle_until => Rest::Not,
            None => Rest::Until(task.idle_until),
        }
    }

    /// Calls `next_tuple` until a block is staged, the task is idle, or its credit is used up.
    fn call_next(&mut self, index: usize, now: Time) {
        self.stage_for(index);
        let credit = self.limits.max_pending - self.pending[index].len();
        let quota = credit.min(BLOCK_TUPLES);
        let task = &mut self.tasks[index];
        let Some(spout) = task.spout.alive() else { return };
        task.woken = false;
        let out = &mut self.collector;
        out.credit = credit;
        let answered = guarded(|| {
            loop {
                let before = out.staging.len();
                match spout.next_tuple(out) {
                    // A spout that says Emitted without emitting must not hold the thread.
                    Ok(Next::Emitted)
                        if before < out.staging.len()
                            && out.staging.len() < quota
                            && out.reports.is_empty() => {}
                    answer => return answer,
                }
            }
        });
        self.core.counts.cycles.add(1);
        match answered {
            Ok(Ok(next)) => {
                self.tasks[index].idle_until = self.idle_until(next, now);
                self.tasks[index].finished = next == Next::Finished;
                self.after_call(index, now);
            }
            Ok(Err(error)) => {
                self.tasks[index].idle_until = now + self.limits.poll;
                self.tasks[index].finished = false;
                self.core.report(index, now, error_chain(&*error));
                self.after_call(index, now);
            }
            Err(panic) => self.replace(index, now, panic),
        }
    }

    /// Calls a spout that was woken and may not be asked for tuples.
    #[cold]
    fn call_woken(&mut self, index: usize, now: Time) {
        self.stage_for(index);
        self.collector.credit = 0;
        let task = &mut self.tasks[index];
        let Some(spout) = task.spout.alive() else { return };
        task.woken = false;
        let out = &mut self.collector;
        match guarded(|| spout.woken(out)) {
            Ok(answered) => {
                if let Err(error) = answered {
                    self.core.report(index, now, error_chain(&*error));
                }
                self.after_call(index, now);
            }
            Err(panic) => self.replace(index, now, panic),
        }
    }

    fn idle_until(&self, next: Next, now: Time) -> Time {
        match next {
            Next::Emitted => Time::ZERO,
            Next::IdleUntil(time) => time,
            Next::Finished => Time::NEVER,
            Next::Idle if self.core.waker.is_taken() => Time::NEVER,
            Next::Idle => now + self.limits.poll,
        }
    }

    /// Makes and opens an instance; it is told the answers that nobody heard, and `fail` for what
    /// its predecessor had pending.
    fn make(&mut self, index: usize, now: Time) {
        let (make, context) = (self.make.clone(), self.core.contexts[index].clone());
        let active = self.active;
        match make_spout(make, context, active) {
            Ok(spout) => {
                self.tasks[index].spout = Instance::Alive(spout);
                self.tasks[index].told_active = active;
                self.tasks[index].idle_until = Time::ZERO;
                let mut answers = std::mem::take(&mut self.tasks[index].unheard);
                let orphans = self.pending[index].drain().into_iter();
                answers.extend(orphans.map(|message| failed(index, message)));
                self.decide(answers, now);
            }
            Err(error) => {
                self.core.report(index, now, error);
                self.tasks[index].spout.drop_failed(now);
            }
        }
    }

    /// Drops an instance that panicked; its successor comes after a pause.
    #[cold]
    fn replace(&mut self, index: usize, now: Time, panic: String) {
        self.core.counts.restarts.add(1);
        self.core.report(index, now, panic);
        self.tasks[index].spout.drop_failed(now);
        self.tasks[index].ask_again(&self.core.counts);
        self.after_call(index, now);
    }
}

/// Acked messages of one output with equal latencies in a row, counted together: messages of one
/// cycle share their emission time.
#[derive(Default)]
struct Tally {
    output: u16,
    latency_ns: u64,
    count: u64,
    /// Whether the latencies are not to be recorded.
    untimed: bool,
}

impl Tally {
    #[inline]
    fn add(&mut self, output: u16, latency_ns: u64, counts: &ExecutorCounts) {
        if latency_ns != self.latency_ns || output != self.output {
            self.flush(counts);
            (self.output, self.latency_ns) = (output, latency_ns);
        }
        self.count += 1;
    }

    fn flush(&mut self, counts: &ExecutorCounts) {
        if self.count > 0 {
            counts.outputs[usize::from(self.output)].acked.add(self.count);
            if !self.untimed {
                counts.complete_latency.record(self.latency_ns, self.count);
            }
            self.count = 0;
        }
    }
}

fn failed(index: usize, message: Message) -> Answer {
    Answer { index, message, failed: true }
}

fn earlier(one: Rest, other: Rest) -> Rest {
    match (one, other) {
        (Rest::Not, _) | (_, Rest::Not) => Rest::Not,
        (Rest::Until(one), Rest::Until(other)) => Rest::Until(one.min(other)),
    }
}

impl fmt::Debug for SpoutExecutor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "spout executor {:?}", self.core)
    }
}
