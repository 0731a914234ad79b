//! The executor of a bolt: a block of tuples at a time, its emissions routed, its inputs acked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::Rest;
use super::core::{Core, Instance, guarded};
use super::router::{Joining, Routed, Router};
use crate::bolt::{BasicCollector, BoltHandle, Collector, Settled, Verdict};
use crate::clock::Time;
use crate::component::{Result, error_chain};
use crate::counter::ExecutorCounts;
use crate::id::TaskId;
use crate::topology::{BoltFactory, BoltInstance};
use crate::transfer::Transfer;
use crate::tuple::block::{BLOCK_TUPLES, Block, Cursor};
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
    /// Emissions staged before the current call, to forget what it staged if it fails.
    staged_before: usize,
}

/// The block being processed.
#[derive(Debug)]
struct Input {
    block: Box<Block>,
    /// The tuple that is executed next.
    next: Cursor,
    /// Tuples before this one are acked or failed, or are their bolt's to settle.
    settled: Cursor,
    /// Positions of tuples after `settled` that failed and are not to be acked.
    failed: Vec<usize>,
}

#[derive(Debug)]
struct Task {
    bolt: Instance<BoltInstance>,
    handle: BoltHandle,
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
        let task =
            |_| Task { bolt: Instance::fresh(), handle: BoltHandle::new(core.waker.clone()) };
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
            staged_before: 0,
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

    pub fn close(&mut self) {
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
        if self.route(transfer) == Routed::Full {
            return Rest::Until(Time::NEVER);
        }
        if let Some(due) = self.revive(now) {
            return Rest::Until(due);
        }
        self.requests(now);
        self.tick(now);
        for _ in 0..BLOCKS_PER_RUN {
            if self.route(transfer) == Routed::Full {
                return Rest::Until(Time::NEVER);
            }
            if self.input.is_none() && !self.take_input(transfer) {
                return Rest::Until(self.ticks.next);
            }
            if let Some(due) = self.execute_block(transfer, now) {
                return Rest::Until(due);
            }
        }
        Rest::Not
    }

    fn take_input(&mut self, transfer: &mut Transfer) -> bool {
        let Some(block) = transfer.next_block(self.core.slot) else { return false };
        let start = Cursor::default();
        self.input = Some(Input { block, next: start, settled: start, failed: Vec::new() });
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
            let first = input.next;
            let executed = guarded(|| match self.tasks.as_mut_slice() {
                [Task { bolt: Instance::Alive(BoltInstance::Basic(_)), .. }] => {
                    self.execute_basic_run(transfer, now);
                }
                _ => self.execute_one(transfer, now),
            });
            self.count_executed(first);
            if let Err(panic) = executed {
                return Some(self.replace_after_execute(transfer, now, panic));
            }
            if self.route(transfer) == Routed::Full {
                return Some(Time::NEVER);
            }
        }
    }

    /// Executes tuples of a basic bolt that is alone in its executor, until the block ends or a
    /// block of emissions is staged.
    fn execute_basic_run(&mut self, transfer: &mut Transfer, now: Time) {
        let (Some(input), [task]) = (&mut self.input, self.tasks.as_mut_slice()) else { return };
        let Instance::Alive(BoltInstance::Basic(bolt)) = &mut task.bolt else { return };
        let staging = &mut self.collector.staging;
        let end = input.block.headers.len();
        staging.task = self.core.id.first_task;
        while input.next.tuple < end && staging.len() < BLOCK_TUPLES {
            self.staged_before = staging.len();
            let tuple = input.block.view(input.next, &self.keeper.schema);
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
        if !self.collector.reports.is_empty() {
            self.core.report_all(0, now, &mut self.collector.reports);
        }
    }

    /// Executes one tuple, or drops it if its task is not one of this executor.
    fn execute_one(&mut self, transfer: &mut Transfer, now: Time) {
        let Some(input) = &mut self.input else { return };
        let header = input.block.headers[input.next.tuple];
        let index = self.task_index(header.target);
        let Some(Instance::Alive(bolt)) = self.tasks.get_mut(index).map(|task| &mut task.bolt)
        else {
            let input = self.input.as_mut().expect("a block is being processed");
            input.next = input.block.after(input.next);
            return;
        };
        let input = self.input.as_mut().expect("a block is being processed");
        let staging = &mut self.collector.staging;
        staging.task = self.core.task(index);
        self.staged_before = staging.len();
        match bolt {
            BoltInstance::Basic(bolt) => {
                let tuple = input.block.view(input.next, &self.keeper.schema);
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
                let tuple = take_tuple(input, &self.keeper);
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

    /// Counts the tuples from `first` up to the input's cursor as executed.
    #[inline]
    fn count_executed(&mut self, first: Cursor) {
        let Some(input) = &self.input else { return };
        let headers = &input.block.headers[first.tuple..input.next.tuple.max(first.tuple)];
        let Some(stream) = headers.first().map(|header| header.stream) else { return };
        let inputs = &self.core.counts.inputs;
        if headers.iter().all(|header| header.stream == stream) {
            let input = self.stream_to_input[usize::from(stream)];
            inputs[usize::from(input)].executed.add(headers.len() as u64);
            return;
        }
        for header in headers {
            let input = self.stream_to_input[usize::from(header.stream)];
            inputs[usize::from(input)].executed.add(1);
        }
    }

    /// Routes what is staged, then lets acks and fails take effect.
    #[inline]
    fn route(&mut self, transfer: &mut Transfer) -> Routed {
        let counts = &self.core.counts;
        let staging = &mut self.collector.staging;
        if self.router.route(staging, transfer, counts, &mut Joining) == Routed::Full {
            return Routed::Full;
        }
        if let Some(input) = &mut self.input {
            input.ack(transfer, counts, &self.stream_to_input);
        }
        if !self.collector.settled.is_empty() {
            self.settle(transfer);
        }
        Routed::All
    }

    /// Lets the acks, fails and resets of a bolt take effect.
    fn settle(&mut self, transfer: &mut Transfer) {
        for Settled { verdict, stream, anchors, .. } in self.collector.settled.drain(..) {
            let input = usize::from(self.stream_to_input[usize::from(stream)]);
            let counts = &self.core.counts.inputs[input];
            match verdict {
                Verdict::Ack => counts.acked.add(1),
                Verdict::Fail => counts.failed.add(1),
                Verdict::ResetTimeout => {}
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
            if woken && let Instance::Alive(BoltInstance::Bolt(bolt)) = &mut self.tasks[index].bolt
            {
                match guarded(|| bolt.woken(&mut self.collector)) {
                    Ok(result) => self.after_call(index, now, result),
                    Err(panic) => self.replace(index, now, panic),
                }
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
            self.collector.staging.task = self.core.task(index);
            if let Err(panic) = guarded(|| self.tick_task(index, interval, now)) {
                self.replace(index, now, panic);
            }
            let input = usize::from(self.stream_to_input[usize::from(self.ticks.stream)]);
            self.core.counts.inputs[input].executed.add(1);
        }
    }

    fn tick_task(&mut self, index: usize, interval: Duration, now: Time) {
        let source_task = self.core.task(index);
        let values = [Value::from(interval.as_secs_f64())];
        let Instance::Alive(bolt) = &mut self.tasks[index].bolt else { return };
        let result = match bolt {
            BoltInstance::Basic(bolt) => {
                let stream = &self.keeper.schema[usize::from(self.ticks.stream)];
                let tuple = TupleRef { values: &values, anchors: &[], stream, source_task };
                let staging = &mut self.collector.staging;
                let reports = &mut self.collector.reports;
                bolt.execute(tuple, &mut BasicCollector { anchors: &[], staging, reports, now })
            }
            BoltInstance::Bolt(bolt) => {
                let tuple = Tuple {
                    values: SmallVec::from_iter(values),
                    anchors: SmallVec::new(),
                    stream: self.ticks.stream,
                    source_task,
                    keeper: self.keeper.clone(),
                    // A tick needs no ack, so leaving it alone is no loss.
                    settled: true,
                };
                bolt.execute(tuple, &mut self.collector)
            }
        };
        self.after_call(index, now, result);
    }

    /// Reports what a call left behind.
    #[inline]
    fn after_call(&mut self, index: usize, now: Time, result: Result) {
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
        let made = self.core.span.in_scope(|| {
            guarded(move || {
                let mut bolt = make();
                match &mut bolt {
                    BoltInstance::Bolt(bolt) => bolt.prepare(&context, handle),
                    BoltInstance::Basic(bolt) => bolt.prepare(&context),
                }
                .map(|()| bolt)
            })
        });
        let error = match made {
            Ok(Ok(bolt)) => {
                self.tasks[index].bolt = Instance::Alive(bolt);
                return;
            }
            Ok(Err(error)) => error_chain(&*error),
            Err(panic) => panic,
        };
        self.core.report(index, now, format!("cannot prepare: {error}"));
        self.tasks[index].bolt.drop_failed(now);
    }

    /// Drops an instance that panicked outside a tuple.
    #[cold]
    fn replace(&mut self, index: usize, now: Time, panic: String) {
        self.core.counts.restarts.add(1);
        self.core.report(index, now, panic);
        self.tasks[index].bolt.drop_failed(now);
    }

    /// Fails the tuple during which an instance panicked, forgets what that call emitted, and drops
    /// the instance; answers when its successor is made.
    #[cold]
    fn replace_after_execute(&mut self, transfer: &mut Transfer, now: Time, panic: String) -> Time {
        let task = self.collector.staging.task;
        let index = self.task_index(task);
        self.collector.staging.mistake = None;
        if let Some(input) = &self.input
            && input.next.tuple < input.block.headers.len()
        {
            self.collector.staging.truncate(self.staged_before);
            self.fail_input(transfer);
        }
        self.replace(index, now, panic);
        // What earlier tuples caused need not wait for the successor.
        let _ = self.route(transfer);
        self.tasks[index].bolt.due_at().unwrap_or(now)
    }
}

impl Input {
    /// Acks the executed tuples that did not fail and are not their bolt's to settle.
    #[inline]
    fn ack(&mut self, transfer: &mut Transfer, counts: &ExecutorCounts, stream_to_input: &[u16]) {
        if self.settled.tuple == self.next.tuple {
            return;
        }
        let headers = &self.block.headers[self.settled.tuple..self.next.tuple];
        let stream = headers[0].stream;
        if self.failed.is_empty() && headers.iter().all(|header| header.stream == stream) {
            for anchor in &self.block.anchors[self.settled.anchor..self.next.anchor] {
                transfer.ack(anchor.root, anchor.edge);
            }
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
fn take_tuple(input: &mut Input, keeper: &Arc<Keeper>) -> Tuple {
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
        settled: false,
    }
}

impl fmt::Debug for BoltExecutor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "bolt executor {:?}", self.core)
    }
}
