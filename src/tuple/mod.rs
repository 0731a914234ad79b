//! Tuples: values under field names, anchored in the trees of the spout tuples they come from.
//!
//! A [`TupleRef`] is a view into the block in which a tuple travelled; a [`Tuple`] owns its values
//! and may be kept. Authors meet both, and [`Value`]; blocks and staging are the runtime's.
//!
//! **Invariants.** A tuple has as many values as its stream has declared fields, at most
//! [`Fields::MAX`]. A tuple of up to eight values with one anchor never allocates.
//!
//! **Not here:** which task gets a tuple (`grouping`), and how it gets there (`transfer`).

pub(crate) mod block;
pub mod codec;
mod fields;
pub(crate) mod staging;
mod value;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

pub use fields::{Fields, IntoValues};
pub use staging::{EmitError, MessageId};
pub use value::{AsciiText, IntoValue, NotEncodable, SharedObject, Value, ValueRef};

use crate::clock::Time;
use crate::id::{ComponentId, EdgeId, RootId, StreamId, TaskId};

/// One declared stream of one component, and its place in the topology's list of streams.
#[derive(Debug, Clone)]
pub struct StreamSchema {
    /// The component that emits the stream.
    pub component: ComponentId,
    /// The stream's name.
    pub stream: StreamId,
    /// Its fields, in order.
    pub fields: Fields,
    /// Whether the stream is emitted to named tasks only.
    pub direct: bool,
}

/// All streams of a topology; a tuple carries its stream as an index into this list.
pub(crate) type Schema = Arc<[StreamSchema]>;

/// A tuple's place in one tree: the tree's root and the edge on which this copy arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Anchor {
    /// A [`RootId`]; in a message to an acker its flag bits may be set.
    pub root: u64,
    /// An [`EdgeId`], or in a message to an acker the XOR of several.
    pub edge: u64,
}

/// The anchors of one owned tuple; one is the usual number.
pub(crate) type Anchors = SmallVec<[Anchor; 1]>;

/// A tuple as a bolt sees it during one call.
#[derive(Clone, Copy)]
pub struct TupleRef<'a> {
    pub(crate) values: &'a [Value],
    pub(crate) anchors: &'a [Anchor],
    pub(crate) stream: &'a StreamSchema,
    pub(crate) source_task: TaskId,
}

/// A tuple that a bolt owns: to be handed back by `ack` or `fail`, now or later, from any thread.
///
/// Dropped without either it is counted, and its tree times out.
pub struct Tuple {
    pub(crate) values: SmallVec<[Value; 8]>,
    pub(crate) anchors: Anchors,
    pub(crate) stream: u16,
    pub(crate) source_task: TaskId,
    pub(crate) keeper: Arc<Keeper>,
    /// When the executor's cycle began in which the bolt was given the tuple.
    pub(crate) received: Time,
    pub(crate) settled: bool,
}

/// Accounts for the owned tuples of one task.
///
/// One per task and never shared between tasks, so that handing out a tuple touches no cache line
/// of another thread.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub schema: Schema,
    /// Tuples dropped without ack or fail; any thread adds, the counters' reader reads.
    pub dropped_tuples: AtomicU64,
}

/// Why a value could not be read from a tuple.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No such field on the stream.
    #[error("stream {stream} of {component} has no field {field:?}: it has {fields}")]
    NoField {
        /// The component that emitted the tuple.
        component: ComponentId,
        /// The stream it came on.
        stream: StreamId,
        /// What was asked for.
        field: String,
        /// What there is.
        fields: Fields,
    },
    /// The value is of another kind.
    #[error(
        "field {field:?} of stream {stream} of {component} is of kind {found}, wanted is {wanted}"
    )]
    WrongKind {
        /// The component that emitted the tuple.
        component: ComponentId,
        /// The stream it came on.
        stream: StreamId,
        /// The field's name.
        field: String,
        /// The kind that was asked for.
        wanted: &'static str,
        /// The kind that the value has.
        found: &'static str,
    },
}

/// A field by its position or its name; what [`TupleRef::get`] and its kin take.
pub trait FieldIndex: Copy + fmt::Display {
    /// Position of the field among `fields`, if there is one.
    fn position(self, fields: &Fields) -> Option<usize>;
}

impl FieldIndex for usize {
    #[inline]
    fn position(self, fields: &Fields) -> Option<usize> {
        (self < fields.len()).then_some(self)
    }
}

impl FieldIndex for &str {
    #[inline]
    fn position(self, fields: &Fields) -> Option<usize> {
        fields.position(self)
    }
}

impl<'a> TupleRef<'a> {
    /// All values, in the order of the stream's fields.
    #[inline]
    pub fn values(self) -> &'a [Value] {
        self.values
    }

    /// The value of a field, by position or name.
    ///
    /// # Errors
    /// [`ValueError::NoField`].
    #[inline]
    pub fn get(self, field: impl FieldIndex) -> Result<&'a Value, ValueError> {
        match field.position(&self.stream.fields).and_then(|index| self.values.get(index)) {
            Some(value) => Ok(value),
            None => Err(self.no_field(field)),
        }
    }

    /// The text in a field, by position or name.
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no text in it.
    #[inline]
    pub fn str(self, field: impl FieldIndex) -> Result<&'a str, ValueError> {
        self.typed(field, "string", Value::as_str)
    }

    /// The integer of either width in a field, by position or name.
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no integer in it.
    #[inline]
    pub fn i64(self, field: impl FieldIndex) -> Result<i64, ValueError> {
        self.typed(field, "i32 or i64", Value::as_i64)
    }

    /// The number of any kind in a field, by position or name.
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no number in it.
    #[inline]
    pub fn f64(self, field: impl FieldIndex) -> Result<f64, ValueError> {
        self.typed(field, "a number", Value::as_f64)
    }

    /// The boolean in a field, by position or name.
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no boolean in it.
    pub fn bool(self, field: impl FieldIndex) -> Result<bool, ValueError> {
        self.typed(field, "bool", Value::as_bool)
    }

    /// The bytes in a field, by position or name.
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no bytes in it.
    pub fn bytes(self, field: impl FieldIndex) -> Result<&'a [u8], ValueError> {
        self.typed(field, "bytes", Value::as_bytes)
    }

    /// The shared object of type `T` in a field, by position or name.
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no such object in it.
    pub fn object<T: SharedObject>(self, field: impl FieldIndex) -> Result<&'a T, ValueError> {
        self.typed(field, std::any::type_name::<T>(), Value::as_object)
    }

    /// The stream's fields.
    pub fn fields(self) -> &'a Fields {
        &self.stream.fields
    }

    /// The component that emitted the tuple.
    pub fn source_component(self) -> &'a ComponentId {
        &self.stream.component
    }

    /// The stream on which the tuple came.
    pub fn source_stream(self) -> &'a StreamId {
        &self.stream.stream
    }

    /// The task that emitted the tuple; for a tick it is the receiving task itself.
    pub fn source_task(self) -> TaskId {
        self.source_task
    }

    /// Whether this is a tick: a tuple of component `__system` on stream `__tick`.
    pub fn is_tick(self) -> bool {
        self.stream.component == "__system" && self.stream.stream == "__tick"
    }

    /// The trees that the tuple belongs to; none if nobody waits for it.
    pub fn roots(self) -> impl ExactSizeIterator<Item = RootId> + 'a {
        self.anchors.iter().map(|anchor| RootId(anchor.root))
    }

    /// The edges on which this copy arrived, in the order of [`TupleRef::roots`].
    pub fn edges(self) -> impl ExactSizeIterator<Item = EdgeId> + 'a {
        self.anchors.iter().map(|anchor| EdgeId(anchor.edge))
    }

    #[inline]
    fn typed<T>(
        self,
        field: impl FieldIndex,
        wanted: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, ValueError> {
        let value = self.get(field)?;
        match read(value) {
            Some(found) => Ok(found),
            None => Err(self.wrong_kind(field, wanted, value)),
        }
    }

    #[cold]
    fn no_field(self, field: impl FieldIndex) -> ValueError {
        ValueError::NoField {
            component: self.stream.component.clone(),
            stream: self.stream.stream.clone(),
            field: field.to_string(),
            fields: self.stream.fields.clone(),
        }
    }

    #[cold]
    fn wrong_kind(self, field: impl FieldIndex, wanted: &'static str, value: &Value) -> ValueError {
        ValueError::WrongKind {
            component: self.stream.component.clone(),
            stream: self.stream.stream.clone(),
            field: field.to_string(),
            wanted,
            found: value.kind(),
        }
    }
}

/// Shows source, stream and values under their field names.
impl fmt::Debug for TupleRef<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{} ", self.stream.component, self.stream.stream)?;
        out.debug_map().entries(self.stream.fields.iter().zip(self.values)).finish()
    }
}

impl Tuple {
    /// The tuple as a view, with which values are read.
    #[inline]
    pub fn view(&self) -> TupleRef<'_> {
        TupleRef {
            values: &self.values,
            anchors: &self.anchors,
            stream: &self.keeper.schema[usize::from(self.stream)],
            source_task: self.source_task,
        }
    }

    /// All values, in the order of the stream's fields.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// As [`TupleRef::get`].
    ///
    /// # Errors
    /// [`ValueError::NoField`].
    pub fn get(&self, field: impl FieldIndex) -> Result<&Value, ValueError> {
        self.view().get(field)
    }

    /// As [`TupleRef::str`].
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no text in it.
    pub fn str(&self, field: impl FieldIndex) -> Result<&str, ValueError> {
        self.view().str(field)
    }

    /// As [`TupleRef::i64`].
    ///
    /// # Errors
    /// [`ValueError`]: no such field, or no integer in it.
    pub fn i64(&self, field: impl FieldIndex) -> Result<i64, ValueError> {
        self.view().i64(field)
    }

    /// The component that emitted the tuple.
    pub fn source_component(&self) -> &ComponentId {
        self.view().source_component()
    }

    /// The stream on which the tuple came.
    pub fn source_stream(&self) -> &StreamId {
        self.view().source_stream()
    }

    /// Whether this is a tick.
    pub fn is_tick(&self) -> bool {
        self.view().is_tick()
    }

    /// Takes the anchors out, so that dropping the rest is no loss.
    pub(crate) fn settle(mut self) -> Anchors {
        self.settled = true;
        std::mem::take(&mut self.anchors)
    }
}

impl Drop for Tuple {
    #[inline]
    fn drop(&mut self) {
        if !self.settled {
            self.keeper.dropped_tuples.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Tuple {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.view().fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        [StreamSchema {
            component: "split".into(),
            stream: StreamId::default(),
            fields: Fields::from(["word", "count"]),
            direct: false,
        }]
        .into()
    }

    fn tuple(keeper: &Arc<Keeper>) -> Tuple {
        Tuple {
            values: [Value::from("storm"), Value::from(3)].into_iter().collect(),
            anchors: Anchors::new(),
            stream: 0,
            source_task: TaskId(1),
            keeper: keeper.clone(),
            received: Time::ZERO,
            settled: false,
        }
    }

    #[test]
    fn values_are_read_by_position_and_by_name() {
        let keeper = Arc::new(Keeper { schema: schema(), dropped_tuples: AtomicU64::new(0) });
        let tuple = tuple(&keeper);
        assert_eq!(tuple.str("word"), Ok("storm"));
        assert_eq!(tuple.i64(1), Ok(3));
        assert_eq!(format!("{tuple:?}"), r#"split:default {"word": "storm", "count": 3i32}"#);
    }

    #[test]
    fn an_unreadable_value_says_what_there_is() {
        let keeper = Arc::new(Keeper { schema: schema(), dropped_tuples: AtomicU64::new(0) });
        let tuple = tuple(&keeper);
        let text = |error: ValueError| error.to_string();
        assert_eq!(
            text(tuple.str("sentence").unwrap_err()),
            "stream default of split has no field \"sentence\": it has [word, count]"
        );
        assert_eq!(
            text(tuple.i64("word").unwrap_err()),
            "field \"word\" of stream default of split is of kind string, wanted is i32 or i64"
        );
    }

    #[test]
    fn a_tuple_dropped_without_ack_or_fail_is_counted_and_a_settled_one_is_not() {
        let keeper = Arc::new(Keeper { schema: schema(), dropped_tuples: AtomicU64::new(0) });
        drop(tuple(&keeper));
        drop(tuple(&keeper).settle());
        assert_eq!(keeper.dropped_tuples.load(Ordering::Relaxed), 1);
    }
}
