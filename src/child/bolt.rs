//! A bolt's task in a child.
//!
//! **Invariants.** What a call emitted is written before what it acked. A call that panics, or that
//! emits what cannot be sent, acks nothing: what it would have acked fails. After a panic the
//! tuples that the instance held fail too, since a host that waits for them knows of no panic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smallvec::SmallVec;

use super::ChildError;
use super::link::{Heard, Link, Source, sleep, take_raised};
use super::place::Place;
use crate::bolt::{BasicCollector, BoltHandle, Collector, Settled, Verdict};
use crate::clock::Time;
use crate::component::{BelongsTo, ChooseTasks, Result as CallResult, error_chain, pause};
use crate::executor::{guarded, make_bolt};
use crate::id::{DEFAULT_STREAM, StreamId, TaskId};
use crate::multilang::TupleId;
use crate::queue::Parker;
use crate::topology::{BoltFactory, BoltInstance};
use crate::tuple::block::Cursor;
use crate::tuple::staging::Target;
use crate::tuple::{Anchor, Tuple, TupleRef, Value};

/// Between two reports of metrics.
const METRICS_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct BoltTask {
    make: BoltFactory,
    place: Place,
    link: Arc<Mutex<Link>>,
    handle: BoltHandle,
    collector: Collector,
    bolt: Option<BoltInstance>,
    /// When the next instance is made if there is none, after so many failures in a row.
    due: Time,
    failures: u32,
    call_at: Time,
    is_held: bool,
    next_tick: Time,
    metrics: MetricReports,
}

/// What of the component's metrics was told.
#[derive(Debug)]
pub(super) struct MetricReports {
    name_to_told: BTreeMap<String, i64>,
    next: Time,
}

/// Locks the link; only one thread ever does, so this waits for nobody.
pub(super) fn locked(link: &Mutex<Link>) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

impl BoltTask {
    pub fn new(make: BoltFactory, place: Place, link: Arc<Mutex<Link>>) -> Self {
        let mut collector = Collector::new(place.staging());
        collector.chooser = Some(Asker::boxed(&link, &place));
        let now = place.clock.now();
        let interval = place.context.conf().tick_tuple_freq.filter(|_| place.makes_ticks);
        Self {
            make,
            handle: BoltHandle::new(place.waker.clone()),
            place,
            link,
            collector,
            bolt: None,
            due: now,
            failures: 0,
            call_at: Time::NEVER,
            is_held: false,
            next_tick: interval.map_or(Time::NEVER, |interval| now + interval),
            metrics: MetricReports::new(),
        }
    }

    /// Runs until the host has gone.
    pub fn run(mut self) -> Result<(), ChildError> {
        let parker = locked(&self.link).take_parker();
        loop {
            take_raised(&locked(&self.link).signal);
            let now = self.place.clock.now();
            self.collector.now = now;
            if self.bolt.is_none() && now >= self.due {
                self.make();
            }
            if self.bolt.is_some() {
                self.requests();
                self.timers(now);
            }
            let mut link = locked(&self.link);
            link.hear()?;
            let takes = self.bolt.is_some() && !self.is_held;
            let heard = if takes { link.waiting.pop_front() } else { None };
            let has_ended = link.has_ended(takes);
            link.log();
            self.metrics.tell(&mut link, &self.place, now);
            link.send_much()?;
            drop(link);
            match heard {
                Some(heard) => self.take(heard),
                None if has_ended => break,
                None => self.rest(&parker)?,
            }
        }
        if let Some(bolt) = self.bolt.take() {
            let _ = guarded(move || match bolt {
                BoltInstance::Bolt(mut bolt) => bolt.cleanup(),
                BoltInstance::Basic(mut bolt) => bolt.cleanup(),
            });
        }
        locked(&self.link).say_goodbye();
        Ok(())
    }

    /// Sends what is written and sleeps until there is something to do.
    fn rest(&mut self, parker: &Parker) -> Result<(), ChildError> {
        let mut link = locked(&self.link);
        link.send()?;
        let signal = link.signal.clone();
        drop(link);
        let due = if self.bolt.is_none() { self.due } else { Time::NEVER };
        let next = self.call_at.min(self.next_tick).min(due);
        let timeout = (next != Time::NEVER).then(|| next.since(self.place.clock.now()));
        sleep(parker, &signal, timeout);
        Ok(())
    }

    fn make(&mut self) {
        let (make, context, handle) =
            (self.make.clone(), self.place.context.clone(), self.handle.clone());
        match make_bolt(make, context, handle) {
            Ok(bolt) => (self.bolt, self.is_held) = (Some(bolt), false),
            Err(error) => {
                self.put_off();
                locked(&self.link).error(&error);
            }
        }
    }

    fn put_off(&mut self) {
        self.failures = self.failures.saturating_add(1);
        self.due = self.place.clock.now() + pause(self.failures);
    }

    /// Does what handles asked for, and tells the bolt that it was woken.
    fn requests(&mut self) {
        let mut has_asked = false;
        while let Some(request) = self.handle.take() {
            self.collector.apply(request);
            has_asked = true;
        }
        if has_asked {
            self.finish_call(Ok(()));
        }
        let signal = locked(&self.link).signal.clone();
        let mut is_woken = self.place.waker.take_woken();
        if let Some(poller) = signal.unparker.poller() {
            while poller.take_slot().is_some() {
                is_woken = true;
            }
        }
        if is_woken {
            self.call_woken();
        }
    }

    fn timers(&mut self, now: Time) {
        if now >= self.call_at {
            self.call_at = Time::NEVER;
            self.call_woken();
        }
        if now >= self.next_tick
            && let Some(interval) = self.place.context.conf().tick_tuple_freq
        {
            self.next_tick = now + interval;
            let values = [match interval.subsec_nanos() {
                0 => Value::from(interval.as_secs() as i32),
                _ => Value::from(interval.as_secs_f64()),
            }];
            self.execute(
                None,
                self.place.tick_stream(),
                self.place.context.task(),
                SmallVec::from_iter(values),
            );
        }
    }

    fn call_woken(&mut self) {
        let Some(BoltInstance::Bolt(bolt)) = &mut self.bolt else { return };
        let collector = &mut self.collector;
        match guarded(|| bolt.woken(collector)) {
            Ok(result) => {
                self.finish_call(result);
            }
            Err(panic) => self.replace(panic),
        }
    }

    fn take(&mut self, heard: Heard) {
        let Heard::Tuple { id, source, values } = heard else {
            locked(&self.link).error("the host speaks as to a spout, and this component is a bolt");
            return;
        };
        match self.place.input(&source) {
            Some(stream) if self.has_its_fields(stream, values.len()) => {
                let task = self.source_task(&source);
                self.execute(Some(id), stream, task, values);
            }
            _ => self.refuse(&id, &source, values.len()),
        }
    }

    fn has_its_fields(&self, stream: u16, values: usize) -> bool {
        let is_tick = stream == self.place.tick_stream();
        is_tick || self.place.keeper.schema[usize::from(stream)].fields.len() == values
    }

    /// A tick comes from the task itself, here as everywhere.
    fn source_task(&self, source: &Source) -> TaskId {
        u16::try_from(source.task).map_or(self.place.context.task(), TaskId)
    }

    #[cold]
    fn refuse(&mut self, id: &TupleId, source: &Source, values: usize) {
        let mut link = locked(&self.link);
        link.error(&format!(
            "a tuple of {values} values came on stream {} of {}, which the handshake has not told of \
             or told to have other fields",
            source.stream, source.component
        ));
        link.fail(id);
    }

    /// Has the bolt process one tuple; a tick of our own has no id.
    fn execute(
        &mut self,
        id: Option<TupleId>,
        stream: u16,
        source_task: TaskId,
        values: SmallVec<[Value; 8]>,
    ) {
        let is_tick = stream == self.place.tick_stream();
        let anchor = id.clone().filter(|_| !is_tick).map(|id| locked(&self.link).hold(id));
        match &mut self.bolt {
            None => {}
            Some(BoltInstance::Basic(bolt)) => {
                let tuple = TupleRef {
                    values: &values,
                    anchors: anchor.as_slice(),
                    stream: &self.place.keeper.schema[usize::from(stream)],
                    source_task,
                };
                let Collector { staging, reports, now, .. } = &mut self.collector;
                let mut out =
                    BasicCollector { staging, anchors: anchor.as_slice(), reports, now: *now };
                let result = guarded(|| bolt.execute(tuple, &mut out));
                self.finish_basic(id, anchor, result);
            }
            Some(BoltInstance::Bolt(bolt)) => {
                let tuple = Tuple {
                    values,
                    anchors: anchor.into_iter().collect(),
                    stream,
                    source_task,
                    keeper: self.place.keeper.clone(),
                    received: self.collector.now,
                    // A tick is settled below, so leaving it alone is no loss.
                    settled: is_tick,
                };
                let collector = &mut self.collector;
                let is_sound = match guarded(|| bolt.execute(tuple, collector)) {
                    Ok(result) => self.finish_call(result),
                    Err(panic) => {
                        self.replace(panic);
                        false
                    }
                };
                if let Some(id) = id.filter(|_| is_tick) {
                    let writer = &mut locked(&self.link).writer;
                    // It is the host's own id.
                    let _ = if is_sound { writer.ack(&id) } else { writer.fail(&id) };
                }
            }
        }
    }

    /// Writes what a call of a basic bolt comes to: its emissions and an ack, or an error and a fail.
    fn finish_basic(
        &mut self,
        id: Option<TupleId>,
        anchor: Option<Anchor>,
        result: Result<CallResult, String>,
    ) {
        // What it logged and reported was before what it comes to.
        let mut link = locked(&self.link);
        link.log();
        for report in self.collector.reports.drain(..) {
            link.error(&error_chain(&*report));
        }
        drop(link);
        let mistake = self.collector.staging.mistake.take();
        let outcome = match result {
            Ok(Ok(())) => mistake.map_or(Ok(()), |mistake| Err(mistake.to_string())),
            Ok(Err(error)) => Err(error_chain(&*error)),
            Err(panic) => {
                self.bolt = None;
                self.put_off();
                Err(panic)
            }
        };
        let outcome = outcome.and_then(|()| self.answer(id.as_ref(), anchor));
        self.collector.staging.clear();
        let mut link = locked(&self.link);
        match (outcome, &id) {
            (Ok(()), _) => self.failures = 0,
            (Err(text), Some(id)) => {
                link.error(&text);
                link.fail(id);
            }
            (Err(text), None) => link.error(&text),
        }
        if let Some(anchor) = anchor {
            link.release(anchor.root);
        }
    }

    /// Writes the emissions of a call and the ack of its tuple, as shortly as may be.
    fn answer(&mut self, id: Option<&TupleId>, anchor: Option<Anchor>) -> Result<(), String> {
        let block = &self.collector.staging.block;
        if let (Some(id), Some(_), [header]) = (id, anchor, &block.headers[..])
            && Target::decode(header.target) == Target::Grouped
            && self.place.outputs[usize::from(header.stream)].stream == DEFAULT_STREAM
        {
            let answered = locked(&self.link).writer.answered(id, Some(&block.values));
            return answered.map_err(|error| error.to_string());
        }
        self.emit()?;
        match id {
            Some(id) => {
                locked(&self.link).writer.answered(id, None).map_err(|error| error.to_string())
            }
            None => Ok(()),
        }
    }

    /// Writes what a call left behind, and heeds when it wants to be called again; whether all that it
    /// emitted could be sent.
    fn finish_call(&mut self, result: CallResult) -> bool {
        if let Some(at) = self.collector.call_at.take() {
            self.call_at = at;
        }
        if let Some(is_held) = self.collector.hold.take() {
            self.is_held = is_held;
        }
        locked(&self.link).log();
        let emitted = self.emit();
        self.collector.staging.clear();
        let mut link = locked(&self.link);
        let is_sound = emitted.is_ok();
        if let Err(text) = emitted {
            link.error(&text);
            turn_into_fails(&mut self.collector.settled);
        }
        if let Some(mistake) = self.collector.staging.mistake.take() {
            link.error(&mistake.to_string());
        }
        if let Err(error) = &result {
            link.error(&error_chain(&**error));
        }
        for report in self.collector.reports.drain(..) {
            link.error(&error_chain(&*report));
        }
        settle(&mut link, &mut self.collector.settled);
        self.failures = 0;
        is_sound && result.is_ok()
    }

    /// Drops an instance that panicked; what it held and what it has just acked fails.
    #[cold]
    fn replace(&mut self, panic: String) {
        self.collector.staging.clear();
        self.collector.staging.mistake = None;
        (self.collector.call_at, self.collector.hold) = (None, None);
        (self.call_at, self.is_held) = (Time::NEVER, false);
        let mut link = locked(&self.link);
        link.error(&panic);
        turn_into_fails(&mut self.collector.settled);
        settle(&mut link, &mut self.collector.settled);
        for id in link.release_all() {
            link.fail(&id);
        }
        drop(link);
        let broken = self.bolt.take();
        // A broken instance may panic once more while it is dropped.
        let _ = guarded(move || drop(broken));
        self.put_off();
    }

    /// Writes what is staged.
    fn emit(&self) -> Result<(), String> {
        let staging = &self.collector.staging;
        let mut link = locked(&self.link);
        let walk = staging.block.walk(Cursor::default(), &self.place.outputs);
        for (header, tuple) in staging.block.headers.iter().zip(walk) {
            let task = match Target::decode(header.target) {
                Target::Grouped => None,
                Target::Direct(task) => Some(task),
                // It was sent when its tasks were asked for.
                Target::Listed => continue,
            };
            link.emit(tuple, task, None)?;
        }
        Ok(())
    }
}

/// Nothing that came of the call is sent, so nothing of it may count as done.
fn turn_into_fails(settled: &mut [Settled]) {
    for settled in settled {
        if settled.verdict == Verdict::Ack {
            settled.verdict = Verdict::Fail;
        }
    }
}

/// Lets acks and fails take effect; Storm's protocol knows no reset of a timeout.
fn settle(link: &mut Link, settled: &mut Vec<Settled>) {
    for Settled { verdict, anchors, .. } in settled.drain(..) {
        if verdict == Verdict::ResetTimeout {
            continue;
        }
        for anchor in anchors {
            let Some(id) = link.release(anchor.root) else { continue };
            match verdict {
                // It is the host's own id.
                Verdict::Ack => drop(link.writer.answered(&id, None)),
                _ => link.fail(&id),
            }
        }
    }
}

/// Asks the host for the tasks of an emission, which it makes at once.
#[derive(Debug)]
pub(super) struct Asker {
    link: Arc<Mutex<Link>>,
    streams: Vec<StreamId>,
}

impl Asker {
    pub fn boxed(link: &Arc<Mutex<Link>>, place: &Place) -> Box<Self> {
        let streams = place.outputs.iter().map(|output| output.stream.clone()).collect();
        Box::new(Self { link: link.clone(), streams })
    }
}

impl ChooseTasks for Asker {
    fn choose(
        &mut self,
        position: usize,
        values: &[Value],
        belongs_to: BelongsTo<'_>,
        tasks: &mut Vec<TaskId>,
    ) {
        let mut link = locked(&self.link);
        match link.emit_for_tasks(self.streams[position].as_str(), belongs_to, values) {
            Ok(told) => {
                tasks.extend(told.into_iter().filter_map(|task| task.try_into().ok().map(TaskId)));
            }
            Err(error) => link.error(&error.to_string()),
        }
    }
}

impl MetricReports {
    pub fn new() -> Self {
        Self { name_to_told: BTreeMap::new(), next: Time::ZERO }
    }

    /// Tells a host of ours by how much the component's metrics have changed, once in a while.
    pub fn tell(&mut self, link: &mut Link, place: &Place, now: Time) {
        if now < self.next || !link.is_ours {
            return;
        }
        self.next = now + METRICS_INTERVAL;
        for ((_, name), total) in place.metrics.read() {
            let told = self.name_to_told.entry(name.clone()).or_default();
            let change = total - *told;
            if change != 0 && link.writer.metrics(&name, &change.into()).is_ok() {
                *told = total;
            }
        }
    }
}
