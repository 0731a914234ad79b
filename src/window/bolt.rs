//! The windowed bolt: an author's [`WindowBolt`] behind a window, as a [`Bolt`].
//!
//! ```text
//!              ┌───────────────────── Windowed ─────────────────────┐
//!   tuple ────▶│ Held ──▶ due? ──▶ WindowBolt::execute ──▶ emissions │────▶ anchored to the window
//!   its time ─▶│  │ left the last window ───────────────────────────│────▶ ack
//!              └──┴──────────────────────────────────────────────────┘
//! ```
//!
//! **Invariants**
//! - A tuple is acked when it has left its last window, not earlier; so the message timeout must
//!   outlast the window, which [`Windowed`] checks when it is prepared.
//! - A call that fails, by an error, a panic or an emission that was not declared, emits nothing,
//!   and fails every tuple that is held, so that spouts send them again. The windows and the
//!   watermark start anew. In Storm the worker dies of it, loses its windows, and the same tuples
//!   time out; here nobody waits for that.
//! - It asks to be called at a time only when something is to be done then.
//!
//! **Runs on** the thread of the bolt's executor.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::held::{Held, Stamp};
use super::lent::{LateTuple, Window, WindowCollector};
use super::settings::{Asked, Timestamps};
use super::spec::Extent;
use crate::bolt::{Bolt, BoltHandle, Collector, Verdict};
use crate::clock::Time;
use crate::component::{Declarer, Result, TaskContext};
use crate::id::StreamId;
use crate::metrics::Metric;
use crate::tuple::block::BLOCK_TUPLES;
use crate::tuple::{Anchor, Tuple, TupleRef, Value};

/// The metric that counts late tuples.
pub const LATE_TUPLES_METRIC: &str = "late-tuples";

/// A processor of windows of tuples; put behind a window by [`Windowed`]. Storm's
/// `IWindowedBolt`.
///
/// Emissions are anchored to all tuples of the window. Tuples are acked when they leave their last
/// window. One instance serves one task, on one thread at a time.
pub trait WindowBolt: Send {
    /// Declares output streams and configuration; called on an instance of its own when the
    /// topology is built. A bolt that emits nothing leaves it out.
    fn declare(&self, declare: &mut Declarer) {
        let _ = declare;
    }

    /// Called once, before the first window.
    ///
    /// # Errors
    /// Reported; a new instance is made and prepared after a pause.
    fn prepare(&mut self, context: &TaskContext) -> Result {
        let _ = context;
        Ok(())
    }

    /// Processes one window. It is never empty, and ticks are in none.
    ///
    /// # Errors
    /// Reported. Every tuple that waits in a window fails, and windows start anew, watermark
    /// included; the instance lives on. So what it keeps from window to window should follow from
    /// the windows' tuples alone.
    fn execute(&mut self, window: &Window<'_>, out: &mut WindowCollector<'_>) -> Result;

    /// Called at an orderly end; a killed process does not call it.
    fn cleanup(&mut self) {}
}

/// A [`WindowBolt`] and its window: what `TopologyBuilder::bolt` takes.
///
/// | calls | windows |
/// |---|---|
/// | [`tumbling`](Self::tumbling), [`tumbling_count`](Self::tumbling_count) | end to end |
/// | [`length`](Self::length) or [`length_count`](Self::length_count), with [`slide`](Self::slide) or [`slide_count`](Self::slide_count) | overlapping, in either measure |
/// | a length alone | sliding with every tuple |
///
/// Windows go by processing time, the time at which a tuple comes to the bolt, unless tuples have a
/// time of their own ([`timestamp_field`](Self::timestamp_field)); then [`lag`](Self::lag),
/// [`watermark_every`](Self::watermark_every) and [`late_tuples_on`](Self::late_tuples_on) matter.
/// What no call says is read from `topology.bolts.window.*` and its kin, as in Storm.
///
/// ```
/// use std::time::Duration;
/// use storm_runtime::local::{MockSources, complete_topology};
/// use storm_runtime::prelude::*;
///
/// struct Numbers;
///
/// impl Spout for Numbers {
///     fn declare(&self, declare: &mut Declarer) {
///         declare.output(["number"]);
///     }
///
///     fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
///         Ok(Next::Idle)
///     }
/// }
///
/// struct Sum;
///
/// impl WindowBolt for Sum {
///     fn declare(&self, declare: &mut Declarer) {
///         declare.output(["sum"]);
///     }
///
///     fn execute(&mut self, window: &Window<'_>, out: &mut WindowCollector<'_>) -> Result {
///         let mut sum = 0;
///         for tuple in window.tuples() {
///             sum += tuple.i64("number")?;
///         }
///         out.emit([sum]);
///         Ok(())
///     }
/// }
///
/// let mut builder = TopologyBuilder::new();
/// builder.spout("numbers", || Numbers);
/// builder.bolt("pairs", || Windowed::new(Sum).tumbling_count(2)).shuffle("numbers");
/// let last_five_seconds = || {
///     Windowed::new(Sum).length(Duration::from_secs(5)).slide(Duration::from_secs(1))
/// };
/// builder.bolt("recent", last_five_seconds).shuffle("numbers");
/// let topology = builder.build()?;
///
/// let sources = MockSources::new().tuples("numbers", [[1_i64], [2], [3], [4]]);
/// let completed = complete_topology(&topology, &sources)?;
/// assert_eq!(completed.tuples("pairs"), [[Value::from(3_i64)], [Value::from(7_i64)]]);
/// assert_eq!(completed.tuples("recent")[0], [Value::from(10_i64)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Its `prepare` answers [`WindowError`](super::WindowError) if the window cannot be, above all
/// if length and slide together exceed the message timeout or `topology.max.spout.pending`.
pub struct Windowed<B> {
    bolt: B,
    asked: Asked,
    /// From `prepare` on.
    running: Option<Running>,
}

/// What a windowed bolt has when it is prepared.
struct Running {
    held: Held,
    /// When it asked to be called, [`Time::NEVER`] if it did not.
    call_at: Time,
    /// Anchors of the present window; kept for its capacity.
    anchors: Vec<Anchor>,
    late_tuples: Metric,
    span: Span,
}

impl<B: WindowBolt> Windowed<B> {
    /// A bolt whose window is still to be said.
    pub fn new(bolt: B) -> Self {
        Self { bolt, asked: Asked::default(), running: None }
    }

    /// Windows of so much time, in whole milliseconds.
    #[must_use]
    pub fn length(mut self, length: Duration) -> Self {
        self.asked.length = Some(Extent::Time(length));
        self
    }

    /// Windows of so many tuples.
    #[must_use]
    pub fn length_count(mut self, tuples: usize) -> Self {
        self.asked.length = Some(Extent::Count(tuples));
        self
    }

    /// A window each time so much time has passed, in whole milliseconds.
    #[must_use]
    pub fn slide(mut self, slide: Duration) -> Self {
        self.asked.slide = Some(Extent::Time(slide));
        self
    }

    /// A window each time so many tuples have come.
    #[must_use]
    pub fn slide_count(mut self, tuples: usize) -> Self {
        self.asked.slide = Some(Extent::Count(tuples));
        self
    }

    /// Windows of so much time, end to end.
    #[must_use]
    pub fn tumbling(self, length: Duration) -> Self {
        self.length(length).slide(length)
    }

    /// Windows of so many tuples, end to end.
    #[must_use]
    pub fn tumbling_count(self, tuples: usize) -> Self {
        self.length_count(tuples).slide_count(tuples)
    }

    /// Windows go by the tuples' own time, an integer of milliseconds since 1970 in this field.
    ///
    /// A tuple without it fails, and the error is reported.
    #[must_use]
    pub fn timestamp_field(mut self, field: impl Into<String>) -> Self {
        self.asked.timestamps = Some(Timestamps::Field(field.into()));
        self
    }

    /// Windows go by the tuples' own time, in milliseconds since 1970, as `extract` reads it.
    ///
    /// A tuple for which it answers an error fails, and the error is reported.
    #[must_use]
    pub fn timestamp(
        mut self,
        extract: impl Fn(TupleRef<'_>) -> Result<i64> + Send + 'static,
    ) -> Self {
        self.asked.timestamps = Some(Timestamps::Extractor(Box::new(extract)));
        self
    }

    /// How far a tuple's own time may lie behind the latest of its stream; 0 unless said.
    #[must_use]
    pub fn lag(mut self, lag: Duration) -> Self {
        self.asked.lag = Some(lag);
        self
    }

    /// How often the watermark advances, 1 ms or more; 1 s unless said.
    ///
    /// The watermark is the lowest of all input streams' latest times, less the lag. A stream that
    /// is silent from the start holds it, and so all windows, back.
    #[must_use]
    pub fn watermark_every(mut self, interval: Duration) -> Self {
        self.asked.watermark_interval = Some(interval);
        self
    }

    /// Declares a stream with the one field `late_tuple`, and emits there what comes below the
    /// watermark, as a [`LateTuple`] anchored to the late tuple itself.
    ///
    /// Without it late tuples are logged. Either way they are acked, and counted in the metric
    /// [`LATE_TUPLES_METRIC`].
    #[must_use]
    pub fn late_tuples_on(mut self, stream: impl Into<StreamId>) -> Self {
        self.asked.late_stream = Some(stream.into());
        self
    }
}

impl<B: WindowBolt> Bolt for Windowed<B> {
    fn declare(&self, declare: &mut Declarer) {
        self.bolt.declare(declare);
        self.asked.declare(declare);
    }

    fn prepare(&mut self, context: &TaskContext, _handle: BoltHandle) -> Result {
        let settings = std::mem::take(&mut self.asked).settle(context)?;
        self.bolt.prepare(context)?;
        self.running = Some(Running {
            held: Held::new(settings, context),
            call_at: Time::NEVER,
            anchors: Vec::new(),
            late_tuples: context.metric(LATE_TUPLES_METRIC),
            // The executor prepares its bolts within its span.
            span: Span::current(),
        });
        Ok(())
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        if tuple.is_tick() {
            return Ok(());
        }
        let running = self.running.as_mut().expect("a bolt is prepared first");
        let stamp = || running.held.stamp(&tuple, out.now());
        match catch_unwind(AssertUnwindSafe(stamp)) {
            Ok(Ok(Stamp::OnTime(ts_ms))) => running.held.add(tuple, ts_ms),
            Ok(Ok(Stamp::Late)) => running.turn_away(tuple, out),
            Ok(Err(error)) => {
                out.fail(tuple);
                return Err(error);
            }
            Err(panic) => {
                out.fail(tuple);
                return running.give_up(Err(panic), out);
            }
        }
        self.activate(out)
    }

    fn woken(&mut self, out: &mut Collector) -> Result {
        let running = self.running.as_mut().expect("a bolt is prepared first");
        if out.now() < running.call_at {
            return Ok(());
        }
        running.call_at = Time::NEVER;
        running.held.on_time(out.now());
        self.activate(out)
    }

    fn cleanup(&mut self) {
        self.bolt.cleanup();
    }
}

impl<B: WindowBolt> Windowed<B> {
    /// Executes the windows that are due, and acks what has left them.
    fn activate(&mut self, out: &mut Collector) -> Result {
        let running = self.running.as_mut().expect("a bolt is prepared first");
        // Turning a late tuple away may have made one, which is no window's fault.
        let mistaken = out.staging.mistake.is_some();
        let mut paused = false;
        while let Some(activation) = running.held.next_activation() {
            let staged = out.staging.len();
            let window = Window(activation);
            let mut collector = WindowCollector::new(out, &window, &mut running.anchors);
            let execute = || self.bolt.execute(&window, &mut collector);
            let result = catch_unwind(AssertUnwindSafe(execute));
            if !matches!(result, Ok(Ok(()))) || (out.staging.mistake.is_some() && !mistaken) {
                out.staging.truncate(staged);
                return running.give_up(result, out);
            }
            if BLOCK_TUPLES <= out.staging.len() {
                paused = true;
                break;
            }
        }
        for event in running.held.take_left() {
            event.settle(Verdict::Ack, out);
        }
        let at = if paused { out.now() } else { running.held.wake_at() };
        running.call_at(at, out);
        Ok(())
    }
}

impl Running {
    /// Fails every tuple that is held, after a call that failed, and has its result take effect.
    #[cold]
    fn give_up(&mut self, result: std::thread::Result<Result>, out: &mut Collector) -> Result {
        self.held.start_anew(|event| event.settle(Verdict::Fail, out));
        self.call_at(Time::NEVER, out);
        result.unwrap_or_else(|panic| {
            out.staging.mistake = None;
            resume_unwind(panic)
        })
    }

    /// Emits or logs a late tuple, and acks it.
    #[cold]
    fn turn_away(&mut self, tuple: Tuple, out: &mut Collector) {
        self.late_tuples.add(1);
        match self.held.late_stream() {
            Some(stream) => {
                let late = Value::object(Arc::new(LateTuple::of(&tuple)));
                out.emit_to(stream.as_str(), &tuple, [late]);
            }
            None => tracing::info!(parent: &self.span, "passing over a late tuple: {tuple:?}"),
        }
        out.ack(tuple);
    }

    fn call_at(&mut self, at: Time, out: &mut Collector) {
        if self.call_at != at {
            self.call_at = at;
            out.call_at(at);
        }
    }
}

impl<B> fmt::Debug for Windowed<B> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.running {
            Some(running) => write!(out, "{:?}", running.held),
            None => write!(out, "windowed as asked for: {:?}", self.asked),
        }
    }
}
