//! The tuples that a windowed bolt holds: which windows they are in, and when it must be called.
//!
//! ```text
//!   tuple ──▶ stamp ──▶ add ──▶ windows ──▶ next_activation ──▶ take_left
//!               │                  ▲
//!               ▼ late             │ the watermark, or the time
//!          late stream          on_time ◀── wake_at
//! ```
//!
//! **Invariants**
//! - Each held tuple is settled once, through [`Event::settle`], or dropped with its bolt.
//! - Processing time is counted in milliseconds since 1970, as Storm counts it: the calendar is
//!   read once, at the start, and from then on the executor's clock is added. So windows line up
//!   with other systems' times, and a calendar that is set back or forth moves none of them. On a
//!   simulated clock it is the milliseconds since that clock's start.
//! - Watermarks come at multiples of their interval after the start, and only where one would rise.
//!
//! **Not here**: the calls of the author's bolt (`bolt`).

use std::cell::Cell;
use std::collections::vec_deque;
use std::fmt;
use std::time::Duration;

use super::activation::Activation;
use super::event::EventWindow;
use super::processing::ProcessingWindow;
use super::settings::{EventTime, Settings};
use super::spec::WindowSpec;
use super::watermark::{Arrival, WatermarkTracker};
use crate::bolt::{Collector, Verdict};
use crate::clock::{Clock, Time, unix_time_ms};
use crate::component::{Result, TaskContext};
use crate::id::{ComponentId, StreamId};
use crate::tuple::Tuple;

/// A tuple that waits in a window for its ack.
pub(super) struct Event {
    pub tuple: Tuple,
    settled: Cell<bool>,
}

/// What the time of a tuple that came in means for it.
#[must_use]
pub(super) enum Stamp {
    /// It goes into the windows with this time, in milliseconds.
    OnTime(i64),
    /// It came too late for them.
    Late,
}

/// The windows of one task.
pub(super) struct Held {
    spec: WindowSpec,
    time: OverTime,
}

enum OverTime {
    Processing { windows: ProcessingWindow<Event>, calendar: Calendar },
    Event(OverEventTime),
}

/// Windows over the tuples' own time, and what drives them.
struct OverEventTime {
    windows: EventWindow<Event>,
    tracker: WatermarkTracker,
    settings: EventTime,
    sources: Sources,
    /// Multiples of the interval are counted from here.
    started: Time,
    /// When the watermark rises next, [`Time::NEVER`] if nothing came that raises it.
    watermark_at: Time,
}

/// Milliseconds since 1970 along a clock that does not know the year.
#[derive(Clone, Copy)]
struct Calendar {
    offset_ms: i64,
    started: Time,
}

/// The input streams of a component, found by a tuple's stream number.
struct Sources {
    streams: Box<[(ComponentId, StreamId)]>,
    /// Numbers seen so far and their positions in `streams`; few, so a scan finds them.
    known: Vec<(u16, usize)>,
}

impl Event {
    /// Acks or fails the tuple.
    pub fn settle(&self, verdict: Verdict, out: &mut Collector) {
        self.settled.set(true);
        let Tuple { stream, received, anchors, .. } = &self.tuple;
        out.settle(verdict, *stream, *received, anchors.clone());
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // A tuple that is dropped unsettled is counted.
        self.tuple.settled |= self.settled.get();
    }
}

impl Held {
    /// No tuples yet; time begins now.
    pub fn new(settings: Settings, context: &TaskContext) -> Self {
        let (spec, started) = (settings.spec, context.clock().now());
        let time = match settings.event_time {
            None => {
                let calendar = Calendar::new(context.clock(), started);
                let windows = ProcessingWindow::new(spec, calendar.ms(started));
                OverTime::Processing { windows, calendar }
            }
            Some(settings) => OverTime::Event(OverEventTime {
                windows: EventWindow::new(spec),
                tracker: WatermarkTracker::new(context.sources().len(), settings.lag),
                settings,
                sources: Sources { streams: context.sources().into(), known: Vec::new() },
                started,
                watermark_at: Time::NEVER,
            }),
        };
        Self { spec, time }
    }

    /// Where late tuples go; none if they are only counted.
    pub fn late_stream(&self) -> Option<&StreamId> {
        match &self.time {
            OverTime::Processing { .. } => None,
            OverTime::Event(event_time) => event_time.settings.late_stream.as_ref(),
        }
    }

    /// Finds the time of a tuple that came in just now.
    ///
    /// # Errors
    /// The tuple's own time cannot be read.
    pub fn stamp(&mut self, tuple: &Tuple, now: Time) -> Result<Stamp> {
        match &mut self.time {
            OverTime::Processing { calendar, .. } => Ok(Stamp::OnTime(calendar.ms(now))),
            OverTime::Event(event_time) => event_time.stamp(tuple, now),
        }
    }

    /// Takes a tuple into the windows.
    pub fn add(&mut self, tuple: Tuple, ts_ms: i64) {
        let event = Event { tuple, settled: Cell::new(false) };
        match &mut self.time {
            OverTime::Processing { windows, .. } => windows.add(event, ts_ms),
            OverTime::Event(event_time) => event_time.windows.add(event, ts_ms),
        }
    }

    /// Takes note of the time, which may make windows due.
    pub fn on_time(&mut self, now: Time) {
        match &mut self.time {
            OverTime::Processing { windows, calendar } => windows.on_time(calendar.ms(now)),
            OverTime::Event(event_time) => event_time.on_time(now),
        }
    }

    /// When [`on_time`](Self::on_time) should be called, provided that no window is due now.
    pub fn wake_at(&self) -> Time {
        match &self.time {
            OverTime::Processing { windows, calendar } => {
                windows.next_deadline_ms().map_or(Time::NEVER, |at_ms| calendar.time(at_ms))
            }
            OverTime::Event(event_time) => event_time.watermark_at,
        }
    }

    /// The next window that is due.
    pub fn next_activation(&mut self) -> Option<Activation<'_, Event>> {
        match &mut self.time {
            OverTime::Processing { windows, .. } => windows.next_activation(),
            OverTime::Event(event_time) => event_time.windows.next_activation(),
        }
    }

    /// The tuples that can be in no later window: to be acked.
    pub fn take_left(&mut self) -> vec_deque::Iter<'_, Event> {
        match &mut self.time {
            OverTime::Processing { windows, .. } => windows.take_left(),
            OverTime::Event(event_time) => event_time.windows.take_left(),
        }
    }

    /// Gives all tuples up, hands each one that is not acked to `settle`, and starts anew as after
    /// [`new`](Self::new), with the same grid of times.
    pub fn start_anew(&mut self, settle: impl FnMut(Event)) {
        match &mut self.time {
            OverTime::Processing { windows, calendar } => {
                let fresh = ProcessingWindow::new(self.spec, calendar.ms(calendar.started));
                std::mem::replace(windows, fresh).into_untold().for_each(settle);
            }
            OverTime::Event(event_time) => {
                let sources = event_time.sources.streams.len();
                event_time.tracker = WatermarkTracker::new(sources, event_time.settings.lag);
                event_time.watermark_at = Time::NEVER;
                let windows = &mut event_time.windows;
                let old = std::mem::replace(windows, EventWindow::new(self.spec));
                old.into_untold().for_each(settle);
            }
        }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spec, held) = match &self.time {
            OverTime::Processing { windows, .. } => (self.spec, windows.len()),
            OverTime::Event(event_time) => (self.spec, event_time.windows.len()),
        };
        write!(out, "{held} tuples in windows of {:?} every {:?}", spec.length(), spec.slide())
    }
}

impl OverEventTime {
    fn stamp(&mut self, tuple: &Tuple, now: Time) -> Result<Stamp> {
        let ts_ms = self.settings.timestamps.read(tuple.view())?;
        let arrival = self.tracker.observe(self.sources.position(tuple), ts_ms);
        if self.watermark_at == Time::NEVER && self.tracker.can_advance() {
            self.watermark_at = next_multiple(self.started, self.settings.watermark_interval, now);
        }
        Ok(match arrival {
            Arrival::OnTime => Stamp::OnTime(ts_ms),
            Arrival::Late => Stamp::Late,
        })
    }

    fn on_time(&mut self, now: Time) {
        if now < self.watermark_at {
            return;
        }
        self.watermark_at = Time::NEVER;
        if let Some(watermark_ms) = self.tracker.advance() {
            self.windows.on_watermark(watermark_ms);
        }
    }
}

impl Calendar {
    fn new(clock: &Clock, started: Time) -> Self {
        let unix_ms = if clock.is_simulated() { None } else { i64::try_from(unix_time_ms()).ok() };
        let offset_ms = unix_ms.map_or(0, |unix_ms| unix_ms - millis(started));
        Self { offset_ms, started }
    }

    fn ms(self, at: Time) -> i64 {
        millis(at) + self.offset_ms
    }

    /// When the millisecond begins.
    fn time(self, at_ms: i64) -> Time {
        let since_origin_ms = u64::try_from(at_ms - self.offset_ms).unwrap_or(0);
        Time::ZERO + Duration::from_millis(since_origin_ms)
    }
}

impl Sources {
    fn position(&mut self, tuple: &Tuple) -> usize {
        let known = self.known.iter().find(|(stream, _)| *stream == tuple.stream);
        if let Some((_, position)) = known {
            return *position;
        }
        let (component, stream) = (tuple.source_component(), tuple.source_stream());
        let of_tuple =
            |source: &(ComponentId, StreamId)| source.0 == *component && source.1 == *stream;
        let position = self.streams.iter().position(of_tuple);
        let position = position.expect("tuples come on subscribed streams only");
        self.known.push((tuple.stream, position));
        position
    }
}

/// Whole milliseconds since the clock's origin.
fn millis(at: Time) -> i64 {
    // A u64 of nanoseconds is less than 2⁴⁵ milliseconds.
    (at.as_nanos() / 1_000_000) as i64
}

/// The first `start` + k · `interval`, k ≥ 1, after `now`.
fn next_multiple(start: Time, interval: Duration, now: Time) -> Time {
    let passed_ns = now.since(start).as_nanos();
    let into_interval_ns = passed_ns % interval.as_nanos();
    let begun = start + Duration::from_nanos((passed_ns - into_interval_ns) as u64);
    begun + interval
}
