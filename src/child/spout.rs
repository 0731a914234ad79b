//! A spout's task in a child.
//!
//! The host has the pending messages: it counts them, times them out, and says what became of them.
//! So an instance that takes the place of one that panicked hears of the old one's messages when the
//! host does.
//!
//! **Invariants.** Every `next`, `activate` and `deactivate` is answered by one `sync`, and so are
//! `ack` and `fail` where the framing is not binary, whatever the spout does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::ChildError;
use super::bolt::{Asker, MetricReports, locked};
use super::link::{Heard, Link, sleep, take_raised};
use super::place::Place;
use crate::clock::Time;
use crate::component::{Result as CallResult, error_chain, pause};
use crate::executor::{guarded, make_spout};
use crate::multilang::Framing;
use crate::queue::Parker;
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::SpoutFactory;
use crate::tuple::MessageId;
use crate::tuple::block::Cursor;
use crate::tuple::staging::Target;

/// How long a `next` waits for a spout that has nothing: long enough that an idle spout costs
/// little, and far below what delays anything else.
const IDLE_PAUSE: Duration = Duration::from_millis(1);

pub(super) struct SpoutTask {
    make: SpoutFactory,
    place: Place,
    link: Arc<Mutex<Link>>,
    collector: SpoutCollector,
    spout: Option<Box<dyn Spout>>,
    /// When the next instance is made if there is none, after so many failures in a row.
    due: Time,
    failures: u32,
    is_active: bool,
    /// Of messages that could not be sent.
    refused: Vec<MessageId>,
    metrics: MetricReports,
}

impl SpoutTask {
    pub fn new(make: SpoutFactory, place: Place, link: Arc<Mutex<Link>>) -> Self {
        let due = place.clock.now();
        let mut collector = SpoutCollector::new(place.staging(), true);
        collector.chooser = Some(Asker::boxed(&link, &place));
        Self {
            make,
            collector,
            place,
            link,
            spout: None,
            due,
            failures: 0,
            is_active: false,
            refused: Vec::new(),
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
            if self.spout.is_none() && now >= self.due {
                self.make();
            }
            let mut link = locked(&self.link);
            link.hear()?;
            let heard = link.waiting.pop_front();
            let has_ended = link.has_ended(true);
            link.log();
            self.metrics.tell(&mut link, &self.place, now);
            link.send_much()?;
            drop(link);
            match heard {
                Some(heard) => self.take(heard, &parker),
                None if has_ended => break,
                None => {
                    let mut link = locked(&self.link);
                    link.send()?;
                    let signal = link.signal.clone();
                    drop(link);
                    sleep(&parker, &signal, None);
                }
            }
        }
        if let Some(mut spout) = self.spout.take() {
            let _ = guarded(move || spout.close());
        }
        locked(&self.link).say_goodbye();
        Ok(())
    }

    fn make(&mut self) {
        let (make, context, is_active) =
            (self.make.clone(), self.place.context.clone(), self.is_active);
        match make_spout(make, context, is_active) {
            Ok(spout) => self.spout = Some(spout),
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

    fn take(&mut self, heard: Heard, parker: &Parker) {
        let is_binary = locked(&self.link).framing == Framing::Binary;
        match heard {
            Heard::Next { calls } => self.next(calls, parker),
            Heard::Activate | Heard::Deactivate => {
                self.is_active = matches!(heard, Heard::Activate);
                let is_active = self.is_active;
                self.call(|spout, _| {
                    if is_active {
                        spout.activate()
                    } else {
                        spout.deactivate()
                    }
                    Ok(())
                });
            }
            Heard::Ack(id) => {
                let id = locked(&self.link).own_id(&id);
                self.call(|spout, out| spout.ack(id, out));
                if is_binary {
                    return;
                }
            }
            Heard::Fail(id) => {
                let id = locked(&self.link).own_id(&id);
                self.call(|spout, out| spout.fail(id, out));
                if is_binary {
                    return;
                }
            }
            Heard::Tuple { .. } => {
                let what = "the host speaks as to a bolt, and this component is a spout";
                locked(&self.link).error(what);
                return;
            }
        }
        locked(&self.link).writer.sync();
    }

    /// Has the spout emit, at most so many times, until it has nothing more.
    fn next(&mut self, calls: u32, parker: &Parker) {
        self.collector.credit = calls as usize;
        for id in std::mem::take(&mut self.refused) {
            self.call(|spout, out| spout.fail(id, out));
        }
        let mut has_emitted = false;
        let mut until = Time::NEVER;
        for _ in 0..calls {
            let answered = self.call(|spout, out| spout.next_tuple(out));
            has_emitted |= answered.1;
            match answered.0 {
                Some(Next::Emitted) => {}
                Some(Next::IdleUntil(time)) => {
                    until = time;
                    break;
                }
                Some(Next::Idle | Next::Finished) | None => break,
            }
        }
        if !has_emitted {
            let signal = locked(&self.link).signal.clone();
            if !self.place.waker.take_woken() {
                let left = until.since(self.place.clock.now());
                sleep(parker, &signal, Some(left.min(IDLE_PAUSE)));
            }
        }
    }

    /// Calls the spout, if there is one, and writes what comes of it: what it answered, and whether
    /// it emitted.
    fn call<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Spout, &mut SpoutCollector) -> CallResult<T>,
    ) -> (Option<T>, bool) {
        let Some(spout) = &mut self.spout else { return (None, false) };
        let collector = &mut self.collector;
        let answered = match guarded(|| call(&mut **spout, collector)) {
            Ok(Ok(answered)) => {
                self.failures = 0;
                Ok(answered)
            }
            Ok(Err(error)) => Err(error_chain(&*error)),
            Err(panic) => {
                self.collector.staging.clear();
                let broken = self.spout.take();
                // A broken instance may panic once more while it is dropped.
                let _ = guarded(move || drop(broken));
                self.put_off();
                Err(panic)
            }
        };
        locked(&self.link).log();
        let has_emitted = self.emit();
        let mut link = locked(&self.link);
        if let Some(mistake) = self.collector.staging.mistake.take() {
            link.error(&mistake.to_string());
        }
        for report in self.collector.reports.drain(..) {
            link.error(&error_chain(&*report));
        }
        match answered {
            Ok(answered) => (Some(answered), has_emitted),
            Err(text) => {
                link.error(&text);
                (None, has_emitted)
            }
        }
    }

    /// Writes what is staged; what cannot be sent is reported, and fails with the next call.
    fn emit(&mut self) -> bool {
        let staging = &mut self.collector.staging;
        let has_emitted = !staging.is_empty();
        let mut ids = staging.message_ids.iter();
        let mut link = locked(&self.link);
        let walk = staging.block.walk(Cursor::default(), &self.place.outputs);
        for (header, tuple) in staging.block.headers.iter().zip(walk) {
            let id = if tuple.anchors.is_empty() { None } else { ids.next() };
            let task = match Target::decode(header.target) {
                Target::Grouped => None,
                Target::Direct(task) => Some(task),
                // It was sent when its tasks were asked for.
                Target::Listed => continue,
            };
            let name = id.map(|id| link.name_of(id));
            if let Err(text) = link.emit(tuple, task, name.as_ref()) {
                link.error(&text);
                self.refused.extend(name.map(|name| link.own_id(&name)));
            }
        }
        staging.clear();
        has_emitted
    }
}
