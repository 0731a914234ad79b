//! From staged emissions to blocks on links: groupings choose, edges are made, trees learn of them.
//!
//! **Budget.** An emission whose stream has one receiving task costs nothing here when it is
//! unanchored, because its block is handed over whole, and one edge and one ack entry when it is
//! anchored. Any other emission is moved once per value and target.
//!
//! **Invariants.** An edge is XORed into its tree before the input that it comes from is acked, on
//! the same way to the same acker; so no tree is complete too early. What was chosen for an
//! emission stays chosen while it waits for room.

use std::fmt;
use std::sync::Arc;

use super::events::Sampler;
use super::pending::{Applied, Message, Pending};
use crate::acker::{Tree, flag};
use crate::clock::Time;
use crate::component::ChooseTasks;
use crate::component::{BelongsTo, ComponentError, error_chain};
use crate::counter::{ExecutorCounts, OutputCounts};
use crate::grouping::{Choice, Grouper};
use crate::id::{ComponentId, RootId, StreamId, TaskId};
use crate::transfer::Transfer;
use crate::tuple::block::{Block, Cursor, Header};
use crate::tuple::codec::{self, Limits, ObjectReaders};
use crate::tuple::staging::{Staging, Target};
use crate::tuple::{Anchor, MessageId, Value};

/// One task that subscribes to a stream, and the link that leads to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receiver {
    pub task: TaskId,
    pub link: u32,
}

/// One bolt's subscription to a stream.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub grouper: Grouper,
    pub receivers: Vec<Receiver>,
}

/// All subscriptions to one output stream.
#[derive(Debug, Default)]
pub(crate) struct Route {
    pub subscriptions: Vec<Subscription>,
    /// The link over which whole blocks may go: one subscription, one receiving task, and that one
    /// alone in its executor.
    pub sole_link: Option<u32>,
    /// Whether there is one subscription and it sends each tuple to one task.
    pub single: bool,
}

/// Sees every emission of an executor before it is sent.
pub(crate) type Tap = Box<dyn FnMut(&ComponentId, &StreamId, &[Value]) + Send>;

/// What looks at every emission; where it is, no block is handed over whole.
#[derive(Default)]
pub(crate) struct Watch {
    pub tap: Option<Tap>,
    pub wire: Option<Wire>,
    pub sampler: Option<Sampler>,
}

impl Watch {
    /// Whether nothing looks.
    fn is_blind(&self) -> bool {
        self.tap.is_none() && self.wire.is_none() && self.sampler.is_none()
    }
}

/// Sends the values of every emission through the codec, as if their receiver were in another
/// worker.
#[derive(Default)]
pub(crate) struct Wire {
    pub readers: Arc<ObjectReaders>,
    /// Kept for the next emission.
    bytes: Vec<u8>,
    decoded: Vec<Value>,
}

impl Wire {
    pub fn new(readers: Arc<ObjectReaders>) -> Self {
        Self { readers, ..Self::default() }
    }

    /// Replaces values by what another worker would have received.
    fn pass(&mut self, values: &mut [Value]) -> Result<(), ComponentError> {
        self.bytes.clear();
        codec::encode(values, &mut self.bytes)?;
        self.decoded.clear();
        codec::decode(&self.bytes, &Limits::default(), &self.readers, &mut self.decoded)?;
        for (value, decoded) in values.iter_mut().zip(self.decoded.drain(..)) {
            *value = decoded;
        }
        Ok(())
    }
}

/// Routes the emissions of one executor.
pub(crate) struct Router {
    /// Schema index of the component's first output stream.
    pub first_stream: u16,
    pub routes: Vec<Route>,
    watch: Option<Box<Watch>>,
    pub component: ComponentId,
    pub streams: Vec<StreamId>,
    /// The staged emission that comes next.
    cursor: Cursor,
    /// Its receivers, and how many of them have it; kept while one has no room.
    receivers: Vec<Receiver>,
    sent: usize,
    chosen: bool,
    /// Why the next emission is refused, until the executor has heard of it.
    refusal: String,
}

/// How routing ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Routed {
    /// Nothing is staged any more.
    All,
    /// A receiver has no room: route again when the executor is ready next.
    Full,
    /// The next emission cannot be sent: [`Router::refuse`] it and route again.
    Refused,
}

/// How emissions become part of trees.
pub(crate) trait Roots {
    /// Gives each anchor whose tree is kept a new edge and XORs it into the tree; `init` is a flag
    /// or 0.
    fn make_edges(&mut self, anchors: &mut [Anchor], init: u64, transfer: &mut Transfer);

    /// Gives the next anchored emission, of task `source`, its root, if it starts a tree, before
    /// its first edge is made.
    fn begin(&mut self, anchor: &mut Anchor, ids: &mut [MessageId], output: u16, source: TaskId);

    /// [`Roots::begin`] and [`Roots::make_edges`] for a whole block of emissions of one output, to
    /// one task each; `anchors` are none, or of spouts as many as there are headers.
    fn begin_block(
        &mut self,
        anchors: &mut [Anchor],
        headers: &[Header],
        ids: &mut Vec<MessageId>,
        output: u16,
        transfer: &mut Transfer,
    );

    /// The message id that [`Roots::begin`] takes next, if it takes any.
    fn next_id<'a>(&self, ids: &'a [MessageId]) -> Option<&'a MessageId>;

    /// Whether [`Roots::begin`] starts trees, so that their first edges are announced.
    const INIT: u64;
}

/// Emissions of a bolt: they join the trees of their inputs.
#[derive(Debug)]
pub(crate) struct Joining;

impl Roots for Joining {
    const INIT: u64 = 0;

    #[inline]
    fn begin(&mut self, _: &mut Anchor, _: &mut [MessageId], _: u16, _: TaskId) {}

    fn next_id<'a>(&self, _: &'a [MessageId]) -> Option<&'a MessageId> {
        None
    }

    #[inline]
    fn make_edges(&mut self, anchors: &mut [Anchor], init: u64, transfer: &mut Transfer) {
        transfer.make_edges(anchors, init);
    }

    #[inline]
    fn begin_block(
        &mut self,
        anchors: &mut [Anchor],
        _: &[Header],
        _: &mut Vec<MessageId>,
        _: u16,
        transfer: &mut Transfer,
    ) {
        transfer.make_edges(anchors, 0);
    }
}

/// Emissions of a spout: each with a message id starts a tree.
#[derive(Debug)]
pub(crate) struct Starting<'a> {
    /// By task of the executor, from `first_task` on.
    pub pending: &'a mut [Pending],
    pub first_task: TaskId,
    /// Whether `pending` keeps the trees; else an acker does.
    pub keeps_trees: bool,
    pub now: Time,
    /// How many message ids of the staging are used.
    pub used_ids: &'a mut usize,
    /// Messages that no tree can be kept for, to be failed at once.
    pub refused: &'a mut Vec<(TaskId, Message)>,
}

impl Roots for Starting<'_> {
    const INIT: u64 = flag::INIT;

    #[inline]
    fn begin(&mut self, anchor: &mut Anchor, ids: &mut [MessageId], output: u16, source: TaskId) {
        let id = std::mem::take(&mut ids[*self.used_ids]);
        *self.used_ids += 1;
        let message = Message { id, emitted_at_ns: self.now.as_nanos(), output };
        match self.pending[usize::from(source.0 - self.first_task.0)].insert(message, Tree::new) {
            Ok(root) => anchor.root = root.0,
            Err(message) => self.refused.push((source, message)),
        }
    }

    fn next_id<'a>(&self, ids: &'a [MessageId]) -> Option<&'a MessageId> {
        ids.get(*self.used_ids)
    }

    #[inline]
    fn make_edges(&mut self, anchors: &mut [Anchor], init: u64, transfer: &mut Transfer) {
        if !self.keeps_trees {
            transfer.make_edges(anchors, init);
            return;
        }
        for anchor in anchors.iter_mut().filter(|anchor| anchor.root != 0) {
            anchor.edge = transfer.new_edge();
            let message = Anchor { root: anchor.root | init, edge: anchor.edge };
            let index = RootId::of(anchor.root).spout_task().0 - self.first_task.0;
            let applied = self.pending[usize::from(index)].apply(message, self.now);
            // It is open, or it failed or timed out while this emission waited for room.
            debug_assert!(!matches!(applied, Applied::Decided { .. }), "an edge decides no tree");
        }
    }

    #[inline]
    fn begin_block(
        &mut self,
        anchors: &mut [Anchor],
        headers: &[Header],
        ids: &mut Vec<MessageId>,
        output: u16,
        transfer: &mut Transfer,
    ) {
        if !self.keeps_trees {
            for (anchor, header) in anchors.iter_mut().zip(headers) {
                self.begin(anchor, ids, output, header.source);
            }
            transfer.make_edges(anchors, flag::INIT);
            return;
        }
        // Message, root and edge are written together, once.
        let emitted_at_ns = self.now.as_nanos();
        for ((anchor, header), id) in anchors.iter_mut().zip(headers).zip(ids.drain(..)) {
            let message = Message { id, emitted_at_ns, output };
            let edge = transfer.new_edge();
            let pending = &mut self.pending[usize::from(header.source.0 - self.first_task.0)];
            match pending.insert(message, |generation| Tree::with_edge(generation, edge)) {
                Ok(root) => *anchor = Anchor { root: root.0, edge },
                Err(message) => self.refused.push((header.source, message)),
            }
        }
    }
}

/// Emissions to one task each; counted when it is dropped, also by a panic.
struct Tally<'a> {
    counts: &'a OutputCounts,
    sent: u64,
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.counts.emitted.add(self.sent);
        self.counts.transferred.add(self.sent);
    }
}

impl Router {
    pub fn new(
        component: ComponentId,
        first_stream: u16,
        streams: Vec<StreamId>,
        routes: Vec<Route>,
        watch: Option<Box<Watch>>,
    ) -> Self {
        Self {
            first_stream,
            routes,
            watch,
            component,
            streams,
            cursor: Cursor::default(),
            receivers: Vec::new(),
            sent: 0,
            chosen: false,
            refusal: String::new(),
        }
    }

    /// Has emissions chosen by `sampler` from now on, or none.
    pub fn sample(&mut self, sampler: Option<Sampler>) {
        let mut watch = self.watch.take().unwrap_or_default();
        watch.sampler = sampler;
        self.watch = Some(watch).filter(|watch| !watch.is_blind());
    }

    /// Routes what is staged, as far as there is room.
    #[inline]
    pub fn route<R: Roots>(
        &mut self,
        staging: &mut Staging,
        transfer: &mut Transfer,
        counts: &ExecutorCounts,
        roots: &mut R,
    ) -> Routed {
        if staging.is_empty() {
            return Routed::All;
        }
        let block = &staging.block;
        // A spout's tuples have an anchor each or none; a block with some of both is no fast case.
        let even =
            R::INIT == 0 || block.anchors.is_empty() || block.anchors.len() == block.headers.len();
        if staging.uniform && even && self.cursor.tuple == 0 && !self.chosen && self.watch.is_none()
        {
            let output = block.headers[0].stream - self.first_stream;
            if let Some(link) = self.routes[usize::from(output)].sole_link {
                return self.hand_over(link, output, staging, transfer, counts, roots);
            }
            if self.routes[usize::from(output)].single {
                self.scatter(output, staging, transfer, counts, roots);
            }
        }
        self.route_each(staging, transfer, counts, roots)
    }

    /// Hands the staged block over as it is.
    fn hand_over<R: Roots>(
        &mut self,
        link: u32,
        output: u16,
        staging: &mut Staging,
        transfer: &mut Transfer,
        counts: &ExecutorCounts,
        roots: &mut R,
    ) -> Routed {
        if !transfer.has_credit(link) {
            counts.full.add(1);
            return Routed::Full;
        }
        let count = staging.len() as u64;
        let block = &mut *staging.block;
        let ids = &mut staging.message_ids;
        roots.begin_block(&mut block.anchors, &block.headers, ids, output, transfer);
        let sent = transfer.send_block(link, &mut staging.block);
        debug_assert!(sent, "the credit was there");
        staging.clear();
        let counted = &counts.outputs[usize::from(output)];
        counted.emitted.add(count);
        counted.transferred.add(count);
        Routed::All
    }

    /// Sends each staged emission to the one task that its grouping chooses, until one has no room:
    /// then that emission is left chosen, for [`Router::route_each`] to go on with.
    fn scatter<R: Roots>(
        &mut self,
        output: u16,
        staging: &mut Staging,
        transfer: &mut Transfer,
        counts: &ExecutorCounts,
        roots: &mut R,
    ) {
        let [subscription] = &mut *self.routes[usize::from(output)].subscriptions else { return };
        let staged = &mut *staging.block;
        let mut tally = Tally { counts: &counts.outputs[usize::from(output)], sent: 0 };
        while self.cursor.tuple < staged.headers.len() {
            let header = staged.headers[self.cursor.tuple];
            let after = staged.after(self.cursor);
            let anchors = &mut staged.anchors[self.cursor.anchor..after.anchor];
            for anchor in &mut *anchors {
                roots.begin(anchor, &mut staging.message_ids, output, header.source);
            }
            let values = &mut staged.values[self.cursor.value..after.value];
            // An author's object may panic when it is hashed; what is done by now is complete.
            let target = subscription.grouper.choose_one(values);
            let receiver = subscription.receivers[target];
            let Some(mut block) = transfer.room(receiver.link) else {
                self.receivers.clear();
                self.receivers.push(receiver);
                (self.sent, self.chosen) = (0, true);
                tally.sent += 1;
                return;
            };
            let mut count = 0;
            if !anchors.is_empty() {
                roots.make_edges(anchors, R::INIT, transfer);
                block = transfer.room(receiver.link).expect("there was room before");
                let before = block.anchors.len();
                block.anchors.extend(anchors.iter().filter(|anchor| anchor.root != 0));
                count = block.anchors.len() - before;
            }
            match values {
                [one] => block.values.push(std::mem::take(one)),
                many => block.values.extend(many.iter_mut().map(std::mem::take)),
            }
            block.push_header(header.stream, header.source, receiver.task, header.len, count);
            if block.is_full() {
                transfer.send(receiver.link);
            }
            self.cursor = after;
            tally.sent += 1;
        }
    }

    fn route_each<R: Roots>(
        &mut self,
        staging: &mut Staging,
        transfer: &mut Transfer,
        counts: &ExecutorCounts,
        roots: &mut R,
    ) -> Routed {
        while self.cursor.tuple < staging.len() {
            let anchors = staging.block.anchor_count(self.cursor);
            let anchors = self.cursor.anchor..self.cursor.anchor + anchors;
            if !self.chosen && !self.choose(staging, counts, roots, anchors.clone()) {
                return Routed::Refused;
            }
            while self.sent < self.receivers.len() {
                let receiver = self.receivers[self.sent];
                if transfer.room(receiver.link).is_none() {
                    counts.full.add(1);
                    return Routed::Full;
                }
                roots.make_edges(&mut staging.block.anchors[anchors.clone()], 0, transfer);
                self.send(receiver, staging, transfer, anchors.clone());
                self.sent += 1;
            }
            if R::INIT != 0 {
                for anchor in &staging.block.anchors[anchors] {
                    if anchor.root != 0 {
                        transfer.ack(anchor.root | R::INIT, 0);
                    }
                }
            }
            self.cursor = staging.block.after(self.cursor);
            self.chosen = false;
        }
        self.cursor = Cursor::default();
        staging.clear();
        Routed::All
    }

    /// Chooses the receivers of the next emission; false if it cannot be sent to any.
    fn choose<R: Roots>(
        &mut self,
        staging: &mut Staging,
        counts: &ExecutorCounts,
        roots: &mut R,
        anchors: std::ops::Range<usize>,
    ) -> bool {
        let header = staging.block.headers[self.cursor.tuple];
        let output = header.stream - self.first_stream;
        if self.watch.is_some() {
            let next_id = roots.next_id(&staging.message_ids).filter(|_| !anchors.is_empty());
            self.draw(header, next_id, &staging.block);
        }
        for anchor in &mut staging.block.anchors[anchors] {
            roots.begin(anchor, &mut staging.message_ids, output, header.source);
        }
        let start = self.cursor.value;
        let values = &staging.block.values[start..start + usize::from(header.len)];
        self.receivers.clear();
        let route = &mut self.routes[usize::from(output)];
        match Target::decode(header.target) {
            Target::Grouped => route.choose(values, &mut self.receivers),
            Target::Direct(task) => route.named(task, &mut self.receivers),
            Target::Listed => {
                let count = usize::from(staging.listed.remove(0).0);
                for task in staging.listed.drain(..count) {
                    route.named(task, &mut self.receivers);
                }
            }
        }
        if self.watch.is_some() && !self.look(staging, output) {
            return false;
        }
        let counted = &counts.outputs[usize::from(output)];
        counted.emitted.add(1);
        counted.transferred.add(self.receivers.len() as u64);
        self.sent = 0;
        self.chosen = true;
        true
    }

    /// Lets the sampler, if there is one, choose or leave the next emission.
    #[cold]
    fn draw(&mut self, header: Header, message_id: Option<&MessageId>, staged: &Block) {
        let Some(sampler) = self.watch.as_mut().and_then(|watch| watch.sampler.as_mut()) else {
            return;
        };
        let start = self.cursor.value;
        let values = &staged.values[start..start + usize::from(header.len)];
        sampler.look(&self.component, header.source, message_id, values);
    }

    /// Shows the next emission to what watches; false if it cannot be sent.
    #[cold]
    fn look(&mut self, staging: &mut Staging, output: u16) -> bool {
        let Some(watch) = &mut self.watch else { return true };
        let stream = &self.streams[usize::from(output)];
        let end = staging.block.after(self.cursor).value;
        let values = &mut staging.block.values[self.cursor.value..end];
        if let Some(tap) = &mut watch.tap {
            tap(&self.component, stream, values);
        }
        let Some(wire) = &mut watch.wire else { return true };
        let passed = wire.pass(values);
        if let Err(error) = &passed {
            self.refusal = format!(
                "{} emitted to stream {stream} what cannot travel to another worker: {}",
                self.component,
                error_chain(&**error)
            );
        }
        passed.is_ok()
    }

    /// Gives up the next emission, and answers the task that made it and why it is refused.
    #[cold]
    pub fn refuse(
        &mut self,
        staging: &Staging,
        transfer: &mut Transfer,
        counts: &ExecutorCounts,
    ) -> (TaskId, String) {
        let task = staging.block.headers[self.cursor.tuple].source;
        self.give_up(staging, transfer, counts);
        (task, std::mem::take(&mut self.refusal))
    }

    /// Fails the trees of the next emission, which nobody gets, and steps over it.
    #[cold]
    pub fn give_up(&mut self, staging: &Staging, transfer: &mut Transfer, counts: &ExecutorCounts) {
        let anchors = staging.block.anchors_at(self.cursor);
        // What was refused a root has none to fail.
        for anchor in anchors.iter().filter(|anchor| anchor.root != 0) {
            transfer.fail(anchor.root);
        }
        let output = staging.block.headers[self.cursor.tuple].stream - self.first_stream;
        counts.outputs[usize::from(output)].emitted.add(1);
        self.cursor = staging.block.after(self.cursor);
        self.chosen = false;
    }

    /// Sends the next emission, whose edges are made, to one receiver, whose link has room.
    #[inline]
    fn send(
        &self,
        receiver: Receiver,
        staging: &mut Staging,
        transfer: &mut Transfer,
        anchors: std::ops::Range<usize>,
    ) {
        let header = staging.block.headers[self.cursor.tuple];
        let staged = &mut *staging.block;
        let block = transfer.room(receiver.link).expect("the caller found room");
        let values = self.cursor.value..self.cursor.value + usize::from(header.len);
        if self.sent + 1 == self.receivers.len() {
            block.values.extend(staged.values[values].iter_mut().map(std::mem::take));
        } else {
            block.values.extend_from_slice(&staged.values[values]);
        }
        let before = block.anchors.len();
        let tracked = staged.anchors[anchors].iter().filter(|anchor| anchor.root != 0);
        block.anchors.extend(tracked);
        let count = block.anchors.len() - before;
        block.push_header(header.stream, header.source, receiver.task, header.len, count);
        transfer.filled(receiver.link);
    }
}

impl Route {
    #[inline]
    fn choose(&mut self, values: &[Value], receivers: &mut Vec<Receiver>) {
        for subscription in &mut self.subscriptions {
            let all = &subscription.receivers;
            match subscription.grouper.choose(values) {
                Choice::One(target) => receivers.push(all[target]),
                Choice::Some(targets) => receivers.extend(targets.iter().map(|one| all[*one])),
                Choice::All => receivers.extend(all),
                Choice::Nobody => {}
            }
        }
    }

    /// The receiver with that task, if it subscribes to the stream.
    fn named(&self, task: TaskId, receivers: &mut Vec<Receiver>) {
        let mut all = self.subscriptions.iter().flat_map(|subscription| &subscription.receivers);
        receivers.extend(all.find(|receiver| receiver.task == task));
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Router").field("routes", &self.routes).finish_non_exhaustive()
    }
}

/// Chooses tasks at once, for `emit_for_tasks`; its groupings are its own.
#[derive(Debug)]
pub(crate) struct Chooser(pub Vec<Route>);

impl ChooseTasks for Chooser {
    fn choose(
        &mut self,
        position: usize,
        values: &[Value],
        _: BelongsTo<'_>,
        tasks: &mut Vec<TaskId>,
    ) {
        let mut receivers = Vec::new();
        self.0[position].choose(values, &mut receivers);
        tasks.extend(receivers.iter().map(|receiver| receiver.task));
    }
}
