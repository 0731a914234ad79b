//! The unit in which tuples and acks travel between executors: a recycled batch.
//!
//! ```text
//! headers  | stream source target len anchors | …     8 bytes per tuple
//! values   | value | value | value | …               32 bytes per value, in tuple order
//! anchors  | root edge | root edge | …               16 bytes per anchor, in tuple order
//! wide     | count | …                               only for tuples with 255 anchors or more
//! ```
//!
//! A block of kind [`Kind::Acks`] or [`Kind::Completions`] has anchors alone.
//!
//! **Invariants.** `len` and `anchors` of the headers add up to the lengths of the two other lists.
//! A block is owned by one thread at a time and goes home, emptied, to the thread that made it;
//! its lists keep their capacity, so in steady state nothing is allocated.

use crate::id::TaskId;
use crate::tuple::{Anchor, Schema, StreamSchema, TupleRef, Value};

/// Tuples per block: the batch of a busy link. A block is sent earlier when its producer pauses.
pub(crate) const BLOCK_TUPLES: usize = 64;

/// Marks a tuple whose number of anchors stands in `wide`.
const WIDE: u8 = u8::MAX;

/// What a block carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Kind {
    /// Tuples for a bolt.
    #[default]
    Tuples,
    /// Flagged roots and XORs of edges, for an acker.
    Acks,
    /// Flagged roots that an acker has decided, for a spout.
    Completions,
    /// Nothing any more: on its way home.
    Returned,
}

/// Everything about one tuple but its values and anchors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// Index into the topology's streams.
    pub stream: u16,
    pub source: TaskId,
    /// The receiving task; while staged, what [`Target`](super::staging::Target) encodes.
    pub target: TaskId,
    /// Number of values.
    pub len: u8,
    /// Number of anchors, or [`WIDE`].
    anchors: u8,
}

impl Header {
    /// All of it in one word, to be compared at once.
    #[inline]
    pub fn word(self) -> u64 {
        let Self { stream, source, target, len, anchors } = self;
        u64::from(stream)
            | u64::from(source.0) << 16
            | u64::from(target.0) << 32
            | u64::from(len) << 48
            | u64::from(anchors) << 56
    }
}

/// A batch of tuples or acks, and where it goes and belongs.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub kind: Kind,
    /// Index of the thread that made the block and takes it back.
    pub home: u16,
    /// The link at `home` whose credit this block is.
    pub link: u32,
    /// The executor slot on the receiving thread.
    pub slot: u32,
    pub headers: Vec<Header>,
    pub values: Vec<Value>,
    pub anchors: Vec<Anchor>,
    wide: Vec<u32>,
}

/// A place in a block: how many tuples, values, anchors and wide counts lie before it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Cursor {
    pub tuple: usize,
    pub value: usize,
    pub anchor: usize,
    wide: usize,
}

/// What is left of a block on a walk through its tuples: cheaper than a [`Cursor`] per tuple, because
/// nothing is looked up from the beginning and a stream only when it changes.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    headers: &'a [Header],
    values: &'a [Value],
    anchors: &'a [Anchor],
    wide: &'a [u32],
    schema: &'a Schema,
    /// The last tuple's stream.
    known: Option<(u16, &'a StreamSchema)>,
}

impl<'a> Iterator for Walk<'a> {
    type Item = TupleRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<TupleRef<'a>> {
        let header = self.headers.split_off_first()?;
        let count = match header.anchors {
            WIDE => *self.wide.split_off_first()? as usize,
            count => usize::from(count),
        };
        let stream = match self.known {
            Some((index, stream)) if index == header.stream => stream,
            _ => &self.schema[usize::from(header.stream)],
        };
        self.known = Some((header.stream, stream));
        Some(TupleRef {
            values: self.values.split_off(..usize::from(header.len))?,
            anchors: self.anchors.split_off(..count)?,
            stream,
            source_task: header.source,
        })
    }
}

/// Whether all these tuples are of one stream, looked at without a branch for each.
#[inline]
pub(crate) fn are_of_stream(headers: &[Header], stream: u16) -> bool {
    headers.iter().fold(0, |others, header| others | (header.stream ^ stream)) == 0
}

impl Block {
    /// An empty block with room for [`BLOCK_TUPLES`] tuples of one value with one anchor.
    pub fn boxed() -> Box<Self> {
        Box::new(Self {
            headers: Vec::with_capacity(BLOCK_TUPLES),
            values: Vec::with_capacity(BLOCK_TUPLES),
            anchors: Vec::with_capacity(BLOCK_TUPLES),
            ..Self::default()
        })
    }

    /// An empty block with room for that many acks or completions.
    pub fn boxed_for_acks(acks: usize) -> Box<Self> {
        Box::new(Self { anchors: Vec::with_capacity(acks), ..Self::default() })
    }

    /// Whether there is neither a tuple nor an ack in it.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty() && self.anchors.is_empty()
    }

    /// Whether another tuple should go into another block.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.headers.len() >= BLOCK_TUPLES
    }

    /// Empties the block; its lists keep their capacity.
    #[inline]
    pub fn clear(&mut self) {
        self.headers.clear();
        Value::drop_all(&mut self.values);
        self.anchors.clear();
        self.wide.clear();
    }

    /// Exchanges the lists of two emptied blocks, whatever else they are.
    #[inline]
    pub fn swap_lists(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.headers, &mut other.headers);
        std::mem::swap(&mut self.values, &mut other.values);
        std::mem::swap(&mut self.anchors, &mut other.anchors);
        std::mem::swap(&mut self.wide, &mut other.wide);
    }

    /// Forgets everything after `mark`.
    pub fn truncate(&mut self, mark: Cursor) {
        self.headers.truncate(mark.tuple);
        self.values.truncate(mark.value);
        self.anchors.truncate(mark.anchor);
        self.wide.truncate(mark.wide);
    }

    /// Closes a tuple whose values and anchors were appended before.
    #[inline]
    pub fn push_header(
        &mut self,
        stream: u16,
        source: TaskId,
        target: TaskId,
        len: u8,
        anchors: usize,
    ) {
        let anchors = match u8::try_from(anchors) {
            Ok(count) if count < WIDE => count,
            _ => {
                self.wide.push(anchors as u32);
                WIDE
            }
        };
        self.headers.push(Header { stream, source, target, len, anchors });
    }

    /// Closes so many tuples, which agree in everything but their values and anchors.
    #[inline]
    pub fn push_headers(
        &mut self,
        stream: u16,
        source: TaskId,
        target: TaskId,
        len: u8,
        anchors: usize,
        tuples: usize,
    ) {
        if let Some(others) = tuples.checked_sub(1) {
            self.push_header(stream, source, target, len, anchors);
            let header = self.headers[self.headers.len() - 1];
            self.headers.resize(self.headers.len() + others, header);
            if header.anchors == WIDE {
                self.wide.resize(self.wide.len() + others, anchors as u32);
            }
        }
    }

    /// Number of anchors of the tuple at `cursor`.
    #[inline]
    pub fn anchor_count(&self, cursor: Cursor) -> usize {
        match self.headers[cursor.tuple].anchors {
            WIDE => self.wide[cursor.wide] as usize,
            count => usize::from(count),
        }
    }

    /// The anchors of the tuple at `cursor`.
    #[inline]
    pub fn anchors_at(&self, cursor: Cursor) -> &[Anchor] {
        &self.anchors[cursor.anchor..cursor.anchor + self.anchor_count(cursor)]
    }

    /// The place after the tuple at `cursor`.
    #[inline]
    pub fn after(&self, cursor: Cursor) -> Cursor {
        let header = &self.headers[cursor.tuple];
        Cursor {
            tuple: cursor.tuple + 1,
            value: cursor.value + usize::from(header.len),
            anchor: cursor.anchor + self.anchor_count(cursor),
            wide: cursor.wide + usize::from(header.anchors == WIDE),
        }
    }

    /// The place after so many tuples with the header of the one at `cursor`, which has fewer than
    /// 255 anchors.
    #[inline]
    pub fn after_equal(&self, cursor: Cursor, tuples: usize) -> Cursor {
        let header = &self.headers[cursor.tuple];
        debug_assert_ne!(header.anchors, WIDE, "counts that differ");
        Cursor {
            tuple: cursor.tuple + tuples,
            value: cursor.value + tuples * usize::from(header.len),
            anchor: cursor.anchor + tuples * usize::from(header.anchors),
            wide: cursor.wide,
        }
    }

    /// The place of the tuple with that index.
    #[cold]
    pub fn cursor_at(&self, tuple: usize) -> Cursor {
        let mut cursor = Cursor::default();
        while cursor.tuple < tuple {
            cursor = self.after(cursor);
        }
        cursor
    }

    /// The tuples from `cursor` on, one after the other.
    #[inline]
    pub fn walk<'a>(&'a self, cursor: Cursor, schema: &'a Schema) -> Walk<'a> {
        Walk {
            headers: &self.headers[cursor.tuple..],
            values: &self.values[cursor.value..],
            anchors: &self.anchors[cursor.anchor..],
            wide: &self.wide[cursor.wide..],
            schema,
            known: None,
        }
    }

    /// The place that a walk through this block has reached.
    #[inline]
    pub fn reached(&self, walk: &Walk<'_>) -> Cursor {
        Cursor {
            tuple: self.headers.len() - walk.headers.len(),
            value: self.values.len() - walk.values.len(),
            anchor: self.anchors.len() - walk.anchors.len(),
            wide: self.wide.len() - walk.wide.len(),
        }
    }

    /// The tuple between `cursor` and the place after it, as a bolt sees it.
    #[inline]
    pub fn view<'a>(&'a self, cursor: Cursor, after: Cursor, schema: &'a Schema) -> TupleRef<'a> {
        let header = &self.headers[cursor.tuple];
        TupleRef {
            values: &self.values[cursor.value..after.value],
            anchors: &self.anchors[cursor.anchor..after.anchor],
            stream: &schema[usize::from(header.stream)],
            source_task: header.source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(block: &mut Block, values: &[i32], anchors: usize) {
        block.values.extend(values.iter().map(|value| Value::from(*value)));
        block.anchors.extend((0..anchors as u64).map(|root| Anchor { root: root << 3, edge: 1 }));
        block.push_header(0, TaskId(1), TaskId(2), values.len() as u8, anchors);
    }

    #[test]
    fn a_header_is_eight_bytes() {
        assert_eq!(size_of::<Header>(), 8);
    }

    #[test]
    fn a_cursor_and_a_walk_pass_tuples_of_any_width_and_any_number_of_anchors() {
        let shapes: &[(&[i32], usize)] =
            &[(&[1], 1), (&[], 0), (&[2, 3], 254), (&[4], 255), (&[5], 70_000), (&[6], 2)];
        let mut block = Block::default();
        for (values, anchors) in shapes {
            push(&mut block, values, *anchors);
        }
        let schema = [StreamSchema {
            component: "split".into(),
            stream: "default".into(),
            fields: crate::tuple::Fields::from(["word"]),
            direct: false,
        }];
        let schema: Schema = schema.into();
        let mut cursor = Cursor::default();
        let mut walk = block.walk(cursor, &schema);
        for (values, anchors) in shapes {
            assert_eq!(block.anchors_at(cursor).len(), *anchors);
            let tuple = walk.next().unwrap();
            assert_eq!((tuple.values.len(), tuple.anchors.len()), (values.len(), *anchors));
            let start = cursor.value;
            cursor = block.after(cursor);
            assert_eq!(cursor.value - start, values.len());
            assert_eq!(block.reached(&walk), cursor);
            assert_eq!(block.reached(&block.walk(cursor, &schema)), cursor);
        }
        assert!(walk.next().is_none());
        assert_eq!(cursor.tuple, block.headers.len());
        assert_eq!(cursor.value, block.values.len());
        assert_eq!(cursor.anchor, block.anchors.len());
    }

    #[test]
    fn truncating_to_a_mark_forgets_what_came_after_it() {
        let mut block = Block::default();
        push(&mut block, &[1], 300);
        let mark = block.after(Cursor::default());
        push(&mut block, &[2, 3], 400);
        block.truncate(mark);
        assert_eq!(block.after(Cursor::default()), mark);
        assert_eq!((block.headers.len(), block.values.len(), block.anchors.len()), (1, 1, 300));
        block.truncate(Cursor::default());
        assert!(block.is_empty());
    }
}
