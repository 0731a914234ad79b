//! The executor of a bolt: a block of tuples at a time, its emissions routed, its inputs acked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::core::{Core, Instance, guarded, make_bolt};
use super::router::{Joining, Routed, Router};
use super::{Command, Rest};
use crate::bolt::{BasicCollector, BoltHandle, Collector, Settled, Verdict};
use crate::clock::Time;
use crate::component::{Result, error_chain};
use crate::counter::ExecutorCounts;
use crate::id::TaskId;
use crate::topology::{BoltFactory, BoltInstance};
use crate::transfer::Transfer;
use crate::tuple::block::{BLOCK_TUPLES, Block, Cursor, are_of_stream};
use crate::tuple::{Keeper, Tuple, TupleRef, Value};

/// Blocks that a bolt processes before other executors of its thread have their turn.
const BLOCKS_PER_RUN: usize = 4;

/// Runs the tasks of one bolt executor.
pub(crate) struct BoltExecutor {
    pub core: Core,
    tasks: Vec<Task>,
    make: BoltFactory,
    collector: Collector,
    router: Router,
    keeper: Arc<Keeper>,
    stream_to_input: Box<[u16]>,
    input: Option<Input>,
    ticks: Ticks,
    /// The earliest of the tasks' `call_at`.
    call_at: Time,
    /// Whether a task takes no more tuples for now.
    held: bool,
    /// Emissions staged before the current call, to forget what it staged if it fails.
    staged_before: usize,
    /// Verdicts given before the current call, to turn those that it gave if it panics.
    settled_before: usize,
}

/// The block being processed.
#[derive(Debug)]
struct Input {
    block: Box<Block>,
    /// The tuple that is executed next.
    next: Cursor,
    /// Tuples before this one are acked or failed, or are their bolt's to settle.
    settled: Cursor,
    /// Tuples before this one are counted as executed.
    counted: usize,
    /// Positions of tuples after `settled` that failed and are not to be acked.
    failed: Vec<usize>,
}

#[derive(Debug)]
struct Task {
    bolt: Instance<BoltInstance>,
    handle: BoltHandle,
    /// When the bolt wants to be called though nothing came for it.
    call_at: Time,
    /// Whether the bolt takes no more tuples for now.
    held: bool,
}

/// When the executor's tasks get their next tick.
#[derive(Debug)]
pub(crate) struct Ticks {
    pub interval: Option<Duration>,
    pub stream: u16,
    pub next: Time,
}

impl fmt::Debug for BoltInstance {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("bolt")
    }
}

impl BoltExecutor {
    pub fn new(
        core: Core,
        make: BoltFactory,
        collector: Collector,
        router: Router,
        keeper: Arc<Keeper>,
        stream_to_input: Box<[u16]>,
        ticks: Ticks,
    ) -> Self {
        let task = |_| Task {
            bolt: Instance::fresh(),
            handle: BoltHandle::new(core.waker.clone()),
            call_at: Time::NEVER,
            held: false,
        };
        let tasks = core.id.tasks().map(task).collect();
        Self {
            core,
            tasks,
            make,
            collector,
            router,
            keeper,
            stream_to_input,
            input: None,
            ticks,
            call_at: Time::NEVER,
            held: false,
            staged_before: 0,
            settled_before: 0,
        }
    }

    pub fn run(&mut self, transfer: &mut Transfer, now: Time) -> Rest {
        self.collector.now = now;
        let rest = self.work(transfer, now);
        for link in self.core.links.clone() {
            transfer.send(link);
        }
        rest
    }

    pub fn command(&mut self, command: Command) {
        match command {
            Command::Sample => self.router.sample(self.core.sampler()),
            Command::Close => self.close(),
            Command::Activate | Command::Deactivate => {}
        }
    }

    fn close(&mut self) {
        for task in &mut self.tasks {
            if let Instance::Alive(bolt) = std::mem::replace(&mut task.bolt, Instance::Closed) {
                let _ = guarded(move || match bolt {
                    BoltInstance::Bolt(mut bolt) => bolt.cleanup(),
                    BoltInstance::Basic(mut bolt) => bolt.cleanup(),
                });
            }
        }
    }

    fn work(&mut self, transfer: &mut Transfer, now: Time) -> Rest {
        if self.route(transfer, now) == Routed::Full {
            return Rest::Until(Time::NEVER);
        }
        if let Some(due) = self.revive(now) {
            return Rest::Until(due);
        }
        self.requests(now);
        self.tick(now);
        if now >= self.call_at {
            self.call_due(now);
        }
        if self.route(transfer, now) == Routed::Full {
            return Rest::Until(Time::NEVER);
        }
        // A request or a tick may have cost an instance; what waits for it must not pass it by.
        if let Some(due) = self.revive(now) {
            return Rest::Until(due);
        }
        for _ in 0..BLOCKS_PER_RUN {
            if self.route(transfer, now) == Routed::Full {
                return Rest::Until(Time::NEVER);
            }
            if self.held || (self.input.is_none() && !self.take_input(transfer)) {
                return self.rest();
            }
            if let Some(due) = self.execute_block(transfer, now) {
                return Rest::Until(due);
            }
        }
        Rest::Not
    }

    /// When a bolt without input wants to run again; requests that found no room are not announced
    /// a second time.
    fn rest(&self) -> Rest {
        if self.tasks.iter().any(|task| task.handle.has_requests()) {
            return Rest::Not;
        }
        Rest::Until(self.ticks.next.min(self.call_at))
    }

    fn take_input(&mut self, transfer: &mut Transfer) -> bool {
        let Some(block) = transfer.next_block(self.core.slot) else { return false };
        let start = Cursor::default();
        self.input =
            Some(Input { block, next: start, settled: start, counted: 0, failed: Vec::new() });
        true
    }

    /// Executes the rest of the block, as far as its emissions are routed; answers when an instance
    /// that panicked is replaced.
    fn execute_block(&mut self, transfer: &mut Transfer, now: Time) -> Option<Time> {
        self.core.counts.cycles.add(1);
        loop {
            let input = self.input.as_mut()?;
            let end = input.block.headers.len();
            if input.next.tuple == end {
                let input = self.input.take()?;
                transfer.finish(input.block);
                return None;
            }
            let executed = guarded(|| match self.tasks.as_mut_slice() {
                [Task { bolt: Instance::Alive(BoltInstance::Basic(_)), .. }] => {
                    self.execute_basic_run(transfer, now);
                }
                _ => self.execute_one(transfer, now),
            });
            if let Err(panic) = executed {
                return Some(self.replace_after_execute(transfer, now, panic));
            }
            if self.route(transfer, now) == Routed::Full {
                return Some(Time::NEVER);
            }
            if self.held {
                return None;
            }
        }
    }

    /// Executes tuples of a basic bolt that is alone in its executor, until the block ends or a
    /// block of emissions is staged.
    fn execute_basic_run(&mut self, transfer: &mut Transfer, now: Time) {
        let (Some(input), [task]) = (&mut self.input, self.tasks.as_mut_slice()) else { return };
        let Instance::Alive(BoltInstance::Basic(bolt)) = &mut task.bolt else { return };
        let staging = &mut self.collector.staging;
        staging.task = self.core.id.first_task;
        let block = &*input.block;
        let reports = &mut self.collector.reports;
        let mut out = BasicCollector { anchors: &[], staging, reports, now };
        let mut walk = block.walk(input.next, &self.keeper.schema);
        let mut position = input.next.tuple;
        self.staged_before = out.staging.len();
        while self.staged_before < BLOCK_TUPLES
            && let Some(tuple) = walk.next()
        {
            out.anchors = tuple.anchors;
            // Kept for the case that the call panics.
            input.next.tuple = position;
            let result = bolt.execute(tuple, &mut out);
            if result.is_err() || out.staging.mistake.is_some() {
                input.next = block.cursor_at(position);
                self.fail_basic(result, transfer, now);
                return;
            }
            position += 1;
            self.staged_before = out.staging.len();
        }
        input.next = block.reached(&walk);
        if !self.collector.reports.is_empty() {
            self.core.report_all(0, now, &mut self.collector.reports);
        }
    }

    /// Executes one tuple, or fails it if its task is not one of this executor.
    fn execute_one(&mut self, transfer: &mut Transfer, now: Time) {
        let Some(input) = &mut self.input else { return };
        let header = input.block.headers[input.next.tuple];
        let index = self.task_index(header.target);
        let Some(Instance::Alive(bolt)) = self.tasks.get_mut(index).map(|task| &mut task.bolt)
        else {
            self.fail_input(transfer);
            return;
        };
        let input = self.input.as_mut().expect("a block is being processed");
        let staging = &mut self.collector.staging;
        staging.task = self.core.task(index);
        self.staged_before = staging.len();
        self.settled_before = self.collector.settled.len();
        match bolt {
            BoltInstance::Basic(bolt) => {
                let after = input.block.after(input.next);
                let tuple = input.block.view(input.next, after, &self.keeper.schema);
                let mut out = BasicCollector {
                    anchors: tuple.anchors,
                    staging: &mut *staging,
                    reports: &mut self.collector.reports,
                    now,
                };
                let result = bolt.execute(tuple, &mut out);
                if result.is_err() || staging.mistake.is_some() {
                    self.fail_basic(result, transfer, now);
                    return;
                }
                input.next = input.block.after(input.next);
            }
            BoltInstance::Bolt(bolt) => {
                let tuple = take_tuple(input, &self.keeper, now);
                let result = bolt.execute(tuple, &mut self.collector);
                input.next = input.block.after(input.next);
                input.settled = input.next;
                self.after_call(index, now, result);
            }
        }
        if !self.collector.reports.is_empty() {
            self.core.report_all(index, now, &mut self.collector.reports);
        }
    }

    /// Forgets what the failed call of a basic bolt emitted, fails its input, and goes on after it.
    #[cold]
    fn fail_basic(&mut self, result: Result, transfer: &mut Transfer, now: Time) {
        self.collector.staging.truncate(self.staged_before);
        let mistake = self.collector.staging.mistake.take().map(|mistake| mistake.to_string());
        let message = match result {
            Ok(()) => mistake.unwrap_or_default(),
            Err(error) => error_chain(&*error),
        };
        self.fail_input(transfer);
        let index = usize::from(self.collector.staging.task.0 - self.core.id.first_task.0);
        self.core.report(index, now, message);
        self.core.report_all(index, now, &mut self.collector.reports);
    }

    /// Fails the tuple at the input's cursor and steps over it.
    fn fail_input(&mut self, transfer: &mut Transfer) {
        let Some(input) = &mut self.input else { return };
        let stream = input.block.headers[input.next.tuple].stream;
        let anchors = input.next.anchor..input.next.anchor + input.block.anchor_count(input.next);
        for anchor in &input.block.anchors[anchors] {
            transfer.fail(anchor.root);
        }
        input.failed.push(input.next.tuple);
        input.next = input.block.after(input.next);
        let position = usize::from(self.stream_to_input[usize::from(stream)]);
        self.core.counts.inputs[position].failed.add(1);
    }

    /// Routes what is staged, then lets acks and fails take effect. Only then are inputs counted as
    /// executed, so that at no time more seems done than is.
    #[inline]
    fn route(&mut self, transfer: &mut Transfer, now: Time) -> Routed {
        loop {
            let (staging, counts) = (&mut self.collector.staging, &self.core.counts);
            let routed = guarded(|| self.router.route(staging, transfer, counts, &mut Joining));
            match routed {
                Ok(Routed::All) => break,
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
        if let Some(input) = &mut self.input {
            input.count(&self.core.counts, &self.stream_to_input);
            input.ack(transfer, &self.core.counts, &self.stream_to_input);
        }
        if !self.collector.settled.is_empty() {
            self.settle(transfer);
        }
        Routed::All
    }

    /// Lets the acks, fails and resets of a bolt take effect.
    fn settle(&mut self, transfer: &mut Transfer) {
        for Settled { verdict, stream, waited_ns, anchors } in self.collector.settled.drain(..) {
            let input = usize::from(self.stream_to_input[usize::from(stream)]);
            // A tuple of another component's stream, handed around by the author, counts nowhere.
            match (verdict, self.core.counts.inputs.get(input)) {
                (Verdict::Ack, Some(counts)) => {
                    counts.acked.add(1);
                    if waited_ns > 0 {
                        counts.waited.add(1);
                        counts.waited_ns.add(waited_ns);
                    }
                }
                (Verdict::Fail, Some(counts)) => counts.failed.add(1),
                (Verdict::ResetTimeout, _) | (_, None) => {}
            }
            for anchor in anchors {
                match verdict {
                    Verdict::Ack => transfer.ack(anchor.root, anchor.edge),
                    Verdict::Fail => transfer.fail(anchor.root),
                    Verdict::ResetTimeout => transfer.reset_timeout(anchor.root),
                }
            }
        }
    }

    fn task_index(&self, task: TaskId) -> usize {
        if self.tasks.len() == 1 {
            return 0;
        }
        usize::from(task.0.wrapping_sub(self.core.id.first_task.0))
    }

    /// Does what handles asked for from other threads.
    fn requests(&mut self, now: Time) {
        let woken = self.core.waker.take_woken();
        for index in 0..self.tasks.len() {
            self.collector.staging.task = self.core.task(index);
            while self.collector.staging.len() < BLOCK_TUPLES {
                let Some(request) = self.tasks[index].handle.take() else { break };
                self.collector.apply(request);
            }
            if woken {
                self.call_woken(index, now);
            }
        }
    }

    /// Gives every task its tick if the time has come.
    fn tick(&mut self, now: Time) {
        let Some(interval) = self.ticks.interval else { return };
        if now < self.ticks.next {
            return;
        }
        self.ticks.next = now + interval;
        for index in 0..self.tasks.len() {
            self.begin_call(index);
            if let Err(panic) = guarded(|| self.tick_task(index, interval, now)) {
                self.forget_call();
                self.replace(index, now, panic);
            }
            let input = usize::from(self.stream_to_input[usize::from(self.ticks.stream)]);
            self.core.counts.inputs[input].executed.add(1);
        }
    }

    fn tick_task(&mut self, index: usize, interval: Duration, now: Time) {
        let source_task = self.core.task(index);
        // Whole seconds are an Integer, as Storm sends them.
        let values = [match interval.subsec_nanos() {
            0 => Value::from(interval.as_secs() as i32),
            _ => Value::from(interval.as_secs_f64()),
        }];
        let Instance::Alive(bolt) = &mut self.tasks[index].bolt else { return };
        let result = match bolt {
            BoltInstance::Basic(bolt) => {
                let stream = &self.keeper.schema[usize::from(self.ticks.stream)];
                let tuple = TupleRef { values: &values, anchors: &[], stream, source_task };
                let staging = &mut self.collector.staging;
                let reports = &mut self.collector.reports;
                let mut out = BasicCollector { anchors: &[], staging, reports, now };
                let result = bolt.execute(tuple, &mut out);
                if result.is_err() || staging.mistake.is_some() {
                    staging.truncate(self.staged_before);
                }
                result
            }
            BoltInstance::Bolt(bolt) => {
                let tuple = Tuple {
                    values: SmallVec::from_iter(values),
                    anchors: SmallVec::new(),
                    stream: self.ticks.stream,
                    source_task,
                    keeper: self.keeper.clone(),
                    received: now,
                    // A tick needs no ack, so leaving it alone is no loss.
                    settled: true,
                };
                bolt.execute(tuple, &mut self.collector)
            }
        };
        self.after_call(index, now, result);
    }

    /// Calls the bolts whose time has come.
    #[cold]
    fn call_due(&mut self, now: Time) {
        for index in 0..self.tasks.len() {
            let task = &mut self.tasks[index];
            if now >= task.call_at {
                task.call_at = Time::NEVER;
                self.call_woken(index, now);
            }
        }
        self.call_at = self.tasks.iter().map(|task| task.call_at).min().unwrap_or(Time::NEVER);
    }

    fn call_woken(&mut self, index: usize, now: Time) {
        self.begin_call(index);
        let Instance::Alive(BoltInstance::Bolt(bolt)) = &mut self.tasks[index].bolt else { return };
        match guarded(|| bolt.woken(&mut self.collector)) {
            Ok(result) => self.after_call(index, now, result),
            Err(panic) => {
                self.forget_call();
                self.replace(index, now, panic);
            }
        }
    }

    fn begin_call(&mut self, index: usize) {
        self.collector.staging.task = self.core.task(index);
        self.staged_before = self.collector.staging.len();
        self.settled_before = self.collector.settled.len();
    }

    /// Forgets what a call that panicked emitted. What it acked fails, because nothing that came of
    /// it is sent.
    #[cold]
    fn forget_call(&mut self) {
        self.collector.staging.truncate(self.staged_before);
        for settled in &mut self.collector.settled[self.settled_before..] {
            if settled.verdict == Verdict::Ack {
                settled.verdict = Verdict::Fail;
            }
        }
    }

    /// Reports what a call left behind, and heeds when it wants to be called again.
    #[inline]
    fn after_call(&mut self, index: usize, now: Time, result: Result) {
        if let Some(at) = self.collector.call_at.take() {
            self.tasks[index].call_at = at;
            let times = self.tasks.iter().map(|task| task.call_at);
            self.call_at = times.min().unwrap_or(Time::NEVER);
        }
        if let Some(held) = self.collector.hold.take() {
            self.hold(index, held);
        }
        if let Err(error) = result {
            self.core.report(index, now, error_chain(&*error));
        }
        if let Some(mistake) = self.collector.staging.mistake.take() {
            self.core.report(index, now, mistake.to_string());
        }
        if !self.collector.reports.is_empty() {
            self.core.report_all(index, now, &mut self.collector.reports);
        }
    }

    /// Notes whether a task takes tuples.
    fn hold(&mut self, index: usize, held: bool) {
        self.tasks[index].held = held;
        self.held = self.tasks.iter().any(|task| task.held);
    }

    /// Makes the instances that are due; answers when the next one is, if one is missing.
    #[inline]
    fn revive(&mut self, now: Time) -> Option<Time> {
        let mut missing = None;
        for index in 0..self.tasks.len() {
            if let Some(due) = self.tasks[index].bolt.due_at() {
                if now >= due {
                    self.make(index, now);
                }
                let due = self.tasks[index].bolt.due_at();
                missing = [missing, due].into_iter().flatten().min();
            }
        }
        missing
    }

    fn make(&mut self, index: usize, now: Time) {
        let (make, context) = (self.make.clone(), self.core.contexts[index].clone());
        let handle = self.tasks[index].handle.clone();
        match make_bolt(make, context, handle) {
            Ok(bolt) => self.tasks[index].bolt = Instance::Alive(bolt),
            Err(error) => {
                self.core.report(index, now, error);
                self.tasks[index].bolt.drop_failed(now);
            }
        }
    }

    /// Drops an instance that panicked outside a tuple.
    #[cold]
    fn replace(&mut self, index: usize, now: Time, panic: String) {
        self.collector.call_at = None;
        self.collector.hold = None;
        self.hold(index, false);
        self.collector.staging.mistake = None;
        self.tasks[index].call_at = Time::NEVER;
        self.core.counts.restarts.add(1);
        self.core.report(index, now, panic);
        self.core.report_all(index, now, &mut self.collector.reports);
        self.tasks[index].bolt.drop_failed(now);
    }

    /// Fails the tuple during which an instance panicked, forgets what that call emitted, and drops
    /// the instance; answers when its successor is made.
    #[cold]
    fn replace_after_execute(&mut self, transfer: &mut Transfer, now: Time, panic: String) -> Time {
        let task = self.collector.staging.task;
        let index = self.task_index(task);
        if let Some(input) = &mut self.input
            && input.next.tuple < input.block.headers.len()
        {
            input.next = input.block.cursor_at(input.next.tuple);
            let stream = input.block.headers[input.next.tuple].stream;
            let anchors = input.block.anchors_at(input.next);
            // A verdict of the call on the input itself is not to be counted beside the one here.
            let settled = &mut self.collector.settled;
            let own = settled[self.settled_before..]
                .iter()
                .position(|one| one.stream == stream && &one.anchors[..] == anchors);
            if let Some(own) = own {
                settled.remove(self.settled_before + own);
            }
            self.forget_call();
            self.fail_input(transfer);
        }
        self.replace(index, now, panic);
        // What earlier tuples caused need not wait for the successor.
        let _ = self.route(transfer, now);
        self.tasks[index].bolt.due_at().unwrap_or(now)
    }
}

impl Input {
    /// Counts the tuples that were executed since it was called last.
    #[inline]
    fn count(&mut self, counts: &ExecutorCounts, stream_to_input: &[u16]) {
        let headers = &self.block.headers[self.counted..self.next.tuple];
        let Some(stream) = headers.first().map(|header| header.stream) else { return };
        self.counted = self.next.tuple;
        if are_of_stream(headers, stream) {
            let input = usize::from(stream_to_input[usize::from(stream)]);
            counts.inputs[input].executed.add(headers.len() as u64);
            return;
        }
        for header in headers {
            let input = usize::from(stream_to_input[usize::from(header.stream)]);
            counts.inputs[input].executed.add(1);
        }
    }

    /// Acks the executed tuples that did not fail and are not their bolt's to settle.
    #[inline]
    fn ack(&mut self, transfer: &mut Transfer, counts: &ExecutorCounts, stream_to_input: &[u16]) {
        if self.settled.tuple == self.next.tuple {
            return;
        }
        let headers = &self.block.headers[self.settled.tuple..self.next.tuple];
        let stream = headers[0].stream;
        if self.failed.is_empty() && are_of_stream(headers, stream) {
            transfer.ack_all(&self.block.anchors[self.settled.anchor..self.next.anchor]);
            let input = usize::from(stream_to_input[usize::from(stream)]);
            counts.inputs[input].acked.add(headers.len() as u64);
            self.settled = self.next;
            return;
        }
        while self.settled.tuple < self.next.tuple {
            if !self.failed.contains(&self.settled.tuple) {
                for anchor in self.block.anchors_at(self.settled) {
                    transfer.ack(anchor.root, anchor.edge);
                }
                let stream = self.block.headers[self.settled.tuple].stream;
                counts.inputs[usize::from(stream_to_input[usize::from(stream)])].acked.add(1);
            }
            self.settled = self.block.after(self.settled);
        }
        self.failed.clear();
    }
}

/// Moves the tuple at the input's cursor out of its block; the anchors stay behind, so that a panic
/// can fail it.
#[inline]
fn take_tuple(input: &mut Input, keeper: &Arc<Keeper>, now: Time) -> Tuple {
    let cursor = input.next;
    let header = input.block.headers[cursor.tuple];
    let anchors = input.block.anchors_at(cursor).into();
    let values = cursor.value..cursor.value + usize::from(header.len);
    Tuple {
        values: input.block.values[values].iter_mut().map(std::mem::take).collect(),
        anchors,
        stream: header.stream,
        source_task: header.source,
        keeper: keeper.clone(),
        received: now,
        settled: false,
    }
}

impl fmt::Debug for BoltExecutor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "bolt executor {:?}", self.core)
    }
}
