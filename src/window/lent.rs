//! What a windowed bolt sees and uses during one call: the window and the collector.
//!
//! **Invariants**
//! - Both are lent for one call; nothing in them outlives it.
//! - Every emission is anchored to all tuples of the window, each tree once.

use std::fmt;
use std::sync::Arc;

use super::activation::{Activation, Events};
use super::held::Event;
use crate::bolt::Collector;
use crate::clock::Time;
use crate::component::ComponentError;
use crate::id::TaskId;
use crate::tuple::staging::Target;
use crate::tuple::{Anchor, IntoValues, SharedObject, StreamSchema, Tuple, TupleRef, Value};

/// A window that is due, with at least one tuple in it. Storm's `TupleWindow`.
///
/// All lists are in order of arrival.
pub struct Window<'w>(pub(super) Activation<'w, Event>);

impl<'w> Window<'w> {
    /// All tuples of the window.
    pub fn tuples(&self) -> impl ExactSizeIterator<Item = TupleRef<'w>> + Clone + use<'w> {
        self.0.events().map(view)
    }

    /// Those that were not in the window before; possibly none.
    pub fn new_tuples(&self) -> impl ExactSizeIterator<Item = TupleRef<'w>> + Clone + use<'w> {
        self.0.new_events().map(view)
    }

    /// Those that have left since the last window; emissions are not anchored to them.
    ///
    /// As in Storm, some may never have been in a window, and what left while a window was empty
    /// is listed nowhere.
    pub fn expired_tuples(&self) -> impl ExactSizeIterator<Item = TupleRef<'w>> + Clone + use<'w> {
        self.0.expired_events().map(view)
    }

    /// Number of tuples in the window, 1 or more.
    #[expect(clippy::len_without_is_empty, reason = "a window is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Where a window with a length in time begins, exclusive; `None` if its length is a count.
    ///
    /// In event time it is counted as the tuples' own timestamps are. In processing time it is
    /// milliseconds since 1970, or since the start of a simulated clock.
    pub fn start_ms(&self) -> Option<i64> {
        self.0.start_ms()
    }

    /// Where the window ends, inclusive, counted as [`start_ms`](Self::start_ms).
    pub fn end_ms(&self) -> i64 {
        self.0.end_ms()
    }
}

impl fmt::Debug for Window<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.start_ms() {
            Some(start_ms) => write!(out, "({start_ms}, {}] ", self.end_ms())?,
            None => write!(out, "to {} ", self.end_ms())?,
        }
        out.debug_list().entries(self.tuples()).finish()
    }
}

fn view(event: &Event) -> TupleRef<'_> {
    event.tuple.view()
}

/// Takes the emissions of a [`WindowBolt`](super::WindowBolt) during one call, each anchored to all
/// tuples of the window.
///
/// # Cost
/// An emission carries an anchor for every tree that the window's tuples belong to, 16 bytes each,
/// and every one of them is acked along its way. Emit one tuple with a list rather than one for
/// each of many results, if the window is long and acked.
pub struct WindowCollector<'a> {
    out: &'a mut Collector,
    events: Events<'a, Event>,
    /// Filled by the first emission.
    anchors: &'a mut Vec<Anchor>,
    anchored: bool,
}

impl<'a> WindowCollector<'a> {
    pub(super) fn new(
        out: &'a mut Collector,
        window: &Window<'a>,
        anchors: &'a mut Vec<Anchor>,
    ) -> Self {
        Self { out, events: window.0.events(), anchors, anchored: false }
    }

    /// Emits on the default stream.
    pub fn emit(&mut self, values: impl IntoValues) {
        self.anchor();
        self.out.staging.emit(self.anchors, values);
    }

    /// Emits on a named stream.
    pub fn emit_to(&mut self, stream: &str, values: impl IntoValues) {
        self.anchor();
        self.out.staging.emit_to(stream, Target::Grouped, self.anchors, values);
    }

    /// Emits on a direct stream to one task.
    pub fn emit_direct(&mut self, task: TaskId, stream: &str, values: impl IntoValues) {
        self.anchor();
        self.out.staging.emit_to(stream, Target::Direct(task), self.anchors, values);
    }

    /// Reports an error of this component without failing the window.
    pub fn report_error(&mut self, error: impl Into<ComponentError>) {
        self.out.report_error(error);
    }

    /// The time at which this cycle of the executor began.
    pub fn now(&self) -> Time {
        self.out.now()
    }

    fn anchor(&mut self) {
        if !self.anchored {
            self.anchored = true;
            self.anchors.clear();
            for event in self.events.clone() {
                self.anchors.extend_from_slice(&event.tuple.anchors);
            }
            self.anchors.sort_unstable_by_key(|anchor| anchor.root);
            self.anchors.dedup_by_key(|anchor| anchor.root);
        }
    }
}

impl fmt::Debug for WindowCollector<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "collector of a window of {} tuples", self.events.len())
    }
}

/// A tuple that came too late for its windows: the value of field `late_tuple`.
///
/// Read it with `tuple.object::<LateTuple>("late_tuple")`. It stays within its worker.
#[derive(Clone)]
pub struct LateTuple {
    schema: Arc<[StreamSchema]>,
    stream: u16,
    values: Box<[Value]>,
    source_task: TaskId,
}

impl LateTuple {
    pub(super) fn of(tuple: &Tuple) -> Self {
        Self {
            schema: tuple.keeper.schema.clone(),
            stream: tuple.stream,
            values: tuple.values().into(),
            source_task: tuple.source_task,
        }
    }

    /// The tuple as it came to the windowed bolt, with its source, and without anchors.
    pub fn view(&self) -> TupleRef<'_> {
        TupleRef {
            values: &self.values,
            anchors: &[],
            stream: &self.schema[usize::from(self.stream)],
            source_task: self.source_task,
        }
    }
}

impl SharedObject for LateTuple {
    fn type_name(&self) -> &'static str {
        "storm_runtime::window::LateTuple"
    }

    /// By identity, as it is for a tuple in Storm.
    fn java_hash(&self) -> i32 {
        std::ptr::from_ref(self).addr() as i32
    }
}

impl fmt::Debug for LateTuple {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(out)
    }
}
