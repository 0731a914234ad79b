//! Tuples and acks from the executors of one thread to those of the same and of other threads.
//!
//! ```text
//!  executor --> link --> block --+--> inbox of an executor on this thread
//!     ^                          |
//!     |                          +--> ring --> inbox of an executor on that thread
//!     +--------- emptied block, the link's credit, comes home <---------+
//! ```
//!
//! A link joins one emitting executor with one receiving executor. Its blocks are its credit: with
//! all of them under way it has no room, the emitter is not run, and so back-pressure reaches the
//! spout. Acks and completions travel in blocks of their own, outside any credit, so that tuples
//! can never hold them back; their number is bounded by the pending trees.
//!
//! **Budget.** In steady state nothing is allocated and no system call is made but to wake a
//! sleeping peer, at most one per peer and cycle. A tuple to another thread costs two cache lines
//! of its block and a share of one ring slot.
//!
//! **Invariants.** Everything here belongs to one thread; only the rings' other ends do not. A
//! thread empties its rings in every cycle, whatever its executors do, so a full ring is always
//! short-lived. Tuples of one link arrive in the order of their emission.
//!
//! **Not here:** which target a tuple gets (`grouping`), and when executors run (`executor`).

#![allow(clippy::vec_box, reason = "a block's box is what travels")]

use std::collections::VecDeque;

use crate::acker::flag;
use crate::id::{RootId, TaskId};
use crate::queue::{Consumer, Producer, Unparker, Wanted};
use crate::tuple::Anchor;
use crate::tuple::block::{BLOCK_TUPLES, Block, Kind};

/// Blocks that a ring between two threads holds; what does not fit waits in the sender's outbox.
pub(crate) const RING_BLOCKS: usize = 256;
/// Acks that are combined before they are sent within a cycle.
const ACKS_PER_BLOCK: usize = 256;
/// Blocks of credit that every link has at least.
const LEAST_CREDIT: usize = 2;
/// Emptied blocks that a busy thread keeps back before it hands them home: no more than make up the
/// smallest credit, or a thread that never rests would keep all of a link's.
const RETURN_BATCH: usize = LEAST_CREDIT;
/// Stands in a block that is no link's credit.
const NO_LINK: u32 = u32::MAX;

/// Where an executor runs: its thread and its slot there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub thread: u16,
    pub slot: u32,
}

/// The emitting end of the way from one executor to one other.
#[derive(Debug)]
struct Link {
    /// Takes the next tuples; never full.
    current: Option<Box<Block>>,
    free: Vec<Box<Block>>,
    allocated: u32,
    limit: u32,
    to: Place,
    emitter_slot: u32,
    arrival: Arrival,
}

/// What is to be done when a block comes home, beside keeping it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Arrival {
    Nothing,
    /// The emitter found no room and waits for a block: it runs.
    Starved,
    /// The emitter is in another worker: the exchange tells it.
    Inbound,
}

/// The rings to and from another thread.
#[derive(Debug)]
pub(crate) struct Peer {
    pub ring_out: Producer<Box<Block>>,
    pub ring_in: Consumer<Box<Block>>,
    pub unparker: Unparker,
    /// Whether a link to the peer is starved: written here, read by the peer, which need not wake
    /// this thread for emptied blocks that nobody waits for.
    pub credit_wanted: Wanted,
    /// The same of the peer: written there, read here.
    pub peer_wants_credit: Wanted,
    /// Starved links to the peer.
    starved: u32,
    outbox: VecDeque<Box<Block>>,
    returns: Vec<Box<Block>>,
}

impl Peer {
    pub fn new(
        ring_out: Producer<Box<Block>>,
        ring_in: Consumer<Box<Block>>,
        unparker: Unparker,
        credit_wanted: Wanted,
        peer_wants_credit: Wanted,
    ) -> Self {
        Self {
            ring_out,
            ring_in,
            unparker,
            credit_wanted,
            peer_wants_credit,
            starved: 0,
            outbox: VecDeque::new(),
            returns: Vec::new(),
        }
    }

    /// Moves what fits into the ring and wakes the peer if it needs it; true if something moved.
    fn flush(&mut self) -> bool {
        let (mut moved, mut urgent) = (false, false);
        while let Some(block) = self.outbox.pop_front() {
            let is_return = block.kind == Kind::Returned;
            if let Err(block) = self.ring_out.push(block) {
                self.outbox.push_front(block);
                // A full ring is the peer's to empty, whatever is in it.
                urgent = true;
                break;
            }
            moved = true;
            urgent |= !is_return;
        }
        if urgent {
            self.unparker.wake();
        } else if moved {
            self.unparker.wake_if(&self.peer_wants_credit);
        }
        moved
    }

    /// Counts a link that became starved, or (`-1`) that is so no longer.
    fn count_starved(&mut self, change: i32) {
        self.starved = self.starved.wrapping_add_signed(change);
        // The parker's fence orders this before the last look at the ring.
        self.credit_wanted.set(self.starved > 0);
    }
}

/// Acks under way to one keeper of trees, combined per root.
#[derive(Debug)]
struct AckStage {
    to: Place,
    block: Box<Block>,
    /// Position in the block of the ack last seen for each class of roots; may be stale.
    class_to_position: Box<[u16; Self::CLASSES]>,
}

impl AckStage {
    const CLASSES: usize = 256;

    /// XORs the ack into the one of the same root, or appends it; true if the block is now full.
    #[inline]
    fn add(&mut self, root: u64, edge: u64) -> bool {
        let class = (root >> 3) as usize % Self::CLASSES;
        let anchors = &mut self.block.anchors;
        let position = usize::from(self.class_to_position[class]);
        if let Some(known) = anchors.get_mut(position)
            && (known.root ^ root) & !RootId::FLAGS == 0
        {
            known.root |= root;
            known.edge ^= edge;
            return false;
        }
        self.class_to_position[class] = anchors.len() as u16;
        anchors.push(Anchor { root, edge });
        anchors.len() >= ACKS_PER_BLOCK
    }
}

/// Decided roots under way to one spout executor.
#[derive(Debug)]
struct CompletionStage {
    to: Place,
    block: Option<Box<Block>>,
}

/// Which executors have something to do.
#[derive(Debug, Default)]
pub(crate) struct ReadySet(Vec<u64>);

impl ReadySet {
    pub fn with_slots(slots: usize) -> Self {
        Self(vec![0; slots.div_ceil(64).max(1)])
    }

    #[inline]
    pub fn insert(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// A bit for each ready slot; those from 63 on share the last one.
    #[inline]
    pub fn folded(&self) -> u64 {
        let (first, others) = self.0.split_first().expect("there is room for a slot");
        *first | u64::from(others.iter().any(|word| *word != 0)) << 63
    }

    /// Takes the lowest ready slot that is not below `from`.
    #[inline]
    pub fn take_from(&mut self, from: u32) -> Option<u32> {
        let mut index = from as usize / 64;
        let mut mask = u64::MAX << (from % 64);
        while let Some(word) = self.0.get_mut(index) {
            let bits = *word & mask;
            if bits != 0 {
                let bit = bits.trailing_zeros();
                *word &= !(1 << bit);
                return Some(index as u32 * 64 + bit);
            }
            index += 1;
            mask = u64::MAX;
        }
        None
    }
}

/// Makes edge ids: random enough that the XOR of a tree does not become 0 by chance.
#[derive(Debug)]
struct EdgeSource(u64);

impl EdgeSource {
    /// The next edge id, never 0 (SplitMix64).
    #[inline]
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        if mixed == 0 { 1 } else { mixed }
    }
}

/// Everything that moves tuples and acks for one thread.
#[derive(Debug)]
pub(crate) struct Transfer {
    thread: u16,
    links: Vec<Link>,
    pub inboxes: Vec<VecDeque<Box<Block>>>,
    pub ready: ReadySet,
    /// By thread; none at this thread's own place.
    peers: Vec<Option<Peer>>,
    acks: Vec<AckStage>,
    completions: Vec<CompletionStage>,
    /// By task: the completion stage of the spout executor that runs it.
    task_to_completion: Vec<u16>,
    /// By task: who keeps the trees of the spout task.
    task_to_keeper: Vec<u16>,
    /// Emptied blocks of acks and completions.
    spare: Vec<Box<Block>>,
    /// Inbound links whose blocks came home; the exchange empties it in every cycle.
    returned: Vec<u32>,
    edges: EdgeSource,
}

/// Where everything runs, as one thread's transfer needs to know it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    /// Where trees are kept: ackers in the order of their tasks, then spout executors that do it
    /// themselves, and the exchange for the spouts of other workers.
    pub keepers: Vec<Place>,
    /// Spout executors with their tasks, and for each the keeper of its trees.
    pub spouts: Vec<(Place, Vec<TaskId>, usize)>,
}

impl Transfer {
    pub fn new(
        thread: u16,
        slots: usize,
        peers: Vec<Option<Peer>>,
        directory: &Directory,
        seed: u64,
    ) -> Self {
        let tasks = directory.spouts.iter().flat_map(|(_, tasks, _)| tasks);
        let size = tasks.map(|task| usize::from(task.0) + 1).max().unwrap_or(0);
        let mut task_to_completion = vec![u16::MAX; size];
        let mut task_to_keeper = vec![u16::MAX; size];
        for (index, (_, tasks, keeper)) in directory.spouts.iter().enumerate() {
            for task in tasks {
                task_to_completion[usize::from(task.0)] = index as u16;
                task_to_keeper[usize::from(task.0)] = *keeper as u16;
            }
        }
        let ack_stage = |to: &Place| AckStage {
            to: *to,
            block: Block::boxed_for_acks(ACKS_PER_BLOCK),
            class_to_position: Box::new([0; AckStage::CLASSES]),
        };
        let completion = |to: Place| CompletionStage { to, block: None };
        Self {
            thread,
            links: Vec::new(),
            inboxes: (0..slots).map(|_| VecDeque::new()).collect(),
            ready: ReadySet::with_slots(slots),
            peers,
            acks: directory.keepers.iter().map(ack_stage).collect(),
            completions: directory.spouts.iter().map(|(to, ..)| completion(*to)).collect(),
            task_to_completion,
            task_to_keeper,
            spare: Vec::new(),
            returned: Vec::new(),
            edges: EdgeSource(seed),
        }
    }

    /// The thread whose tuples and acks this moves.
    pub fn thread(&self) -> u16 {
        self.thread
    }

    /// Adds a link with `limit` blocks of credit, 0 for no limit.
    pub fn add_link(&mut self, emitter_slot: u32, to: Place, limit: u32) -> u32 {
        let limit = if limit == 0 { u32::MAX } else { limit };
        self.links.push(Link {
            current: None,
            free: Vec::new(),
            allocated: 0,
            limit,
            to,
            emitter_slot,
            arrival: Arrival::Nothing,
        });
        self.links.len() as u32 - 1
    }

    /// Adds a link on which tuples of an executor in another worker come in; the exchange sees to
    /// it that they are not too many.
    pub fn add_inbound_link(&mut self, exchange_slot: u32, to: Place) -> u32 {
        let link = self.add_link(exchange_slot, to, 0);
        self.links[link as usize].arrival = Arrival::Inbound;
        link
    }

    /// An empty block of an inbound link.
    #[inline]
    pub fn inbound_block(&mut self, link: u32) -> Box<Block> {
        let state = &mut self.links[link as usize];
        Self::take_credit(state, self.thread, link).expect("an inbound link has no limit")
    }

    /// Sends a block on over its inbound link, or takes it back if nothing is in it.
    #[inline]
    pub fn send_inbound(&mut self, link: u32, mut block: Box<Block>) {
        let state = &mut self.links[link as usize];
        if block.headers.is_empty() {
            block.clear();
            state.free.push(block);
            self.returned.push(link);
            return;
        }
        let to = state.to;
        self.deliver(to, block);
    }

    /// Takes a block of an inbound link back that was not sent.
    pub fn drop_inbound(&mut self, link: u32, mut block: Box<Block>) {
        block.clear();
        self.links[link as usize].free.push(block);
    }

    /// The inbound links whose blocks came home since this was asked; each block counts once.
    #[inline]
    pub fn take_returned(&mut self, links: &mut Vec<u32>) {
        links.append(&mut self.returned);
    }

    /// Has another thread wake this one for the blocks of an inbound link, or (`-1`) not any more.
    pub fn await_returns(&mut self, thread: u16, change: i32) {
        self.peer(thread).count_starved(change);
    }

    /// The block that takes a link's next tuple; none if the link has no credit left, and then the
    /// emitter becomes ready when a block comes home.
    #[inline]
    pub fn room(&mut self, link: u32) -> Option<&mut Block> {
        let state = &mut self.links[link as usize];
        if state.current.is_none() {
            state.current = Self::take_credit(state, self.thread, link);
            if state.current.is_none() {
                self.starve(link);
            }
        }
        self.links[link as usize].current.as_deref_mut()
    }

    /// Notes that a link's emitter waits for a block to come home.
    #[cold]
    fn starve(&mut self, link: u32) {
        let state = &mut self.links[link as usize];
        if state.arrival == Arrival::Nothing {
            state.arrival = Arrival::Starved;
            let to = state.to.thread;
            if to != self.thread {
                self.peer(to).count_starved(1);
            }
        }
    }

    /// Sends the link's current block if it is full.
    #[inline]
    pub fn filled(&mut self, link: u32) {
        if self.links[link as usize].current.as_ref().is_some_and(|block| block.is_full()) {
            self.send(link);
        }
    }

    /// Sends a whole block of tuples over a link, and leaves an empty one in its place; false if
    /// the link has no credit left.
    #[inline]
    pub fn send_block(&mut self, link: u32, block: &mut Box<Block>) -> bool {
        self.send(link);
        let state = &mut self.links[link as usize];
        let Some(credit) = Self::take_credit(state, self.thread, link) else {
            self.starve(link);
            return false;
        };
        let mut full = std::mem::replace(block, credit);
        full.home = self.thread;
        full.link = link;
        full.slot = state.to.slot;
        let to = state.to;
        self.deliver(to, full);
        true
    }

    /// Whether a whole block could be sent over a link now.
    #[inline]
    pub fn has_credit(&mut self, link: u32) -> bool {
        let state = &mut self.links[link as usize];
        let held = usize::from(state.current.as_ref().is_some_and(|block| !block.is_empty()));
        let fits = state.free.len()
            + (state.limit - state.allocated) as usize
            + usize::from(state.current.is_some())
            > held;
        if !fits {
            self.starve(link);
        }
        fits
    }

    #[inline]
    fn take_credit(state: &mut Link, thread: u16, link: u32) -> Option<Box<Block>> {
        if let Some(block) = state.current.take().or_else(|| state.free.pop()) {
            return Some(block);
        }
        if state.allocated == state.limit {
            return None;
        }
        state.allocated += 1;
        let mut block = Block::boxed();
        block.home = thread;
        block.link = link;
        block.slot = state.to.slot;
        Some(block)
    }

    /// Hands the lists of an emptied block on to the next block of its link, if both are of this
    /// thread: whoever fills that one writes where the processor's nearest cache has just been read,
    /// though this block may not come home for long.
    #[inline]
    pub fn reuse_lists(&mut self, block: &mut Block) {
        if block.home == self.thread
            && let Some(link) = self.links.get_mut(block.link as usize)
            && let Some(next) = link.free.last_mut()
        {
            block.swap_lists(next);
        }
    }

    /// Sends what a link has collected.
    #[inline]
    pub fn send(&mut self, link: u32) {
        let state = &mut self.links[link as usize];
        if let Some(block) = state.current.take_if(|block| !block.is_empty()) {
            let to = state.to;
            self.deliver(to, block);
        }
    }

    #[inline]
    fn deliver(&mut self, to: Place, block: Box<Block>) {
        if to.thread == self.thread {
            self.inboxes[to.slot as usize].push_back(block);
            self.ready.insert(to.slot);
        } else {
            self.peer(to.thread).outbox.push_back(block);
        }
    }

    fn peer(&mut self, thread: u16) -> &mut Peer {
        self.peers[usize::from(thread)].as_mut().expect("every other thread is a peer")
    }

    /// Takes the oldest block that came for an executor.
    #[inline]
    pub fn next_block(&mut self, slot: u32) -> Option<Box<Block>> {
        self.inboxes[slot as usize].pop_front()
    }

    /// Empties a block and sends it home.
    #[inline]
    pub fn finish(&mut self, mut block: Box<Block>) {
        block.clear();
        block.kind = Kind::Returned;
        if block.home == self.thread {
            self.come_home(block);
        } else {
            self.peer(block.home).returns.push(block);
        }
    }

    #[inline]
    fn come_home(&mut self, mut block: Box<Block>) {
        block.kind = Kind::Tuples;
        match self.links.get_mut(block.link as usize) {
            Some(link) => {
                let number = block.link;
                link.free.push(block);
                if link.arrival != Arrival::Nothing {
                    self.tell_emitter(number);
                }
            }
            None => self.spare.push(block),
        }
    }

    /// Lets a link's emitter know that a block came home.
    #[inline(never)]
    fn tell_emitter(&mut self, number: u32) {
        let link = &mut self.links[number as usize];
        if link.arrival == Arrival::Inbound {
            self.returned.push(number);
            return;
        }
        link.arrival = Arrival::Nothing;
        self.ready.insert(link.emitter_slot);
        let to = link.to.thread;
        if to != self.thread {
            self.peer(to).count_starved(-1);
        }
    }

    /// XORs an edge into a tree, on its way to the tree's keeper.
    #[inline]
    pub fn ack(&mut self, root: u64, edge: u64) {
        self.ack_all(&[Anchor { root, edge }]);
    }

    /// XORs each anchor's edge into its tree.
    #[inline]
    pub fn ack_all(&mut self, anchors: &[Anchor]) {
        let mut left = anchors;
        while let Some(first) = left.first() {
            let run = self.run_of(first, left);
            let (same, rest) = left.split_at(run);
            left = rest;
            let Some(keeper) = self.keeper_of(first) else { continue };
            for anchor in same {
                if self.acks[keeper].add(anchor.root, anchor.edge) {
                    self.send_acks(keeper);
                }
            }
        }
    }

    /// An edge id, never 0.
    #[inline]
    pub fn new_edge(&mut self) -> u64 {
        self.edges.next()
    }

    /// Gives each anchor whose tree is kept a new edge and XORs it into the tree; `init` is a flag or 0.
    #[inline]
    pub fn make_edges(&mut self, anchors: &mut [Anchor], init: u64) {
        let mut start = 0;
        while let Some(first) = anchors.get(start) {
            let end = start + self.run_of(first, &anchors[start..]);
            let keeper = self.keeper_of(first);
            for anchor in &mut anchors[start..end] {
                let Some(keeper) = keeper else { break };
                anchor.edge = self.edges.next();
                if self.acks[keeper].add(anchor.root | init, anchor.edge) {
                    self.send_acks(keeper);
                }
            }
            start = end;
        }
    }

    /// How many anchors from the first on are of one spout task, whose trees have one keeper.
    #[inline]
    fn run_of(&self, first: &Anchor, anchors: &[Anchor]) -> usize {
        let same = |anchor: &Anchor| (anchor.root ^ first.root) >> RootId::TASK_SHIFT == 0;
        anchors.iter().position(|anchor| !same(anchor)).unwrap_or(anchors.len())
    }

    #[inline]
    fn keeper_of(&self, anchor: &Anchor) -> Option<usize> {
        let task = RootId::of(anchor.root).spout_task();
        let keeper = usize::from(*self.task_to_keeper.get(usize::from(task.0))?);
        (keeper < self.acks.len()).then_some(keeper)
    }

    /// Fails a tree.
    pub fn fail(&mut self, root: u64) {
        self.ack(root | flag::FAIL, 0);
    }

    /// Starts a tree's timeout anew.
    pub fn reset_timeout(&mut self, root: u64) {
        self.ack(root | flag::RESET, 0);
    }

    /// Sends the acks collected for the acker in this slot, if it is on this thread.
    #[inline]
    pub fn send_acks_to_slot(&mut self, slot: u32) {
        let place = Place { thread: self.thread, slot };
        if let Some(keeper) = self.acks.iter().position(|stage| stage.to == place) {
            self.send_acks(keeper);
        }
    }

    #[inline]
    fn send_acks(&mut self, keeper: usize) {
        let stage = &mut self.acks[keeper];
        if stage.block.anchors.is_empty() {
            return;
        }
        let to = stage.to;
        let fresh = Self::spare_block(&mut self.spare);
        let mut block = std::mem::replace(&mut self.acks[keeper].block, fresh);
        block.kind = Kind::Acks;
        block.home = self.thread;
        block.link = NO_LINK;
        block.slot = to.slot;
        self.deliver(to, block);
    }

    #[inline]
    fn spare_block(spare: &mut Vec<Box<Block>>) -> Box<Block> {
        spare.pop().unwrap_or_else(|| Block::boxed_for_acks(ACKS_PER_BLOCK))
    }

    /// Tells a root's spout what its acker has decided; `verdict` is 0 or a [`flag`].
    #[inline]
    pub fn complete(&mut self, root: RootId, verdict: u64) {
        let index = self.task_to_completion[usize::from(root.spout_task().0)];
        let Some(stage) = self.completions.get_mut(usize::from(index)) else { return };
        let block = stage.block.get_or_insert_with(|| Self::spare_block(&mut self.spare));
        block.anchors.push(Anchor { root: root.0 | verdict, edge: 0 });
    }

    /// Sends the collected completions.
    #[inline]
    pub fn send_completions(&mut self) {
        for index in 0..self.completions.len() {
            let to = self.completions[index].to;
            let Some(mut block) = self.completions[index].block.take() else { continue };
            block.kind = Kind::Completions;
            block.home = self.thread;
            block.link = NO_LINK;
            block.slot = to.slot;
            self.deliver(to, block);
        }
    }

    /// Takes everything that came from other threads; true if there was something.
    #[inline]
    pub fn receive(&mut self) -> bool {
        let mut received = false;
        for thread in 0..self.peers.len() {
            while let Some(block) = self.peers[thread].as_mut().and_then(|peer| peer.ring_in.pop())
            {
                received = true;
                if block.kind == Kind::Returned {
                    self.come_home(block);
                } else {
                    let slot = block.slot;
                    self.inboxes[slot as usize].push_back(block);
                    self.ready.insert(slot);
                }
            }
        }
        received
    }

    /// Ends a cycle: sends acks, and blocks to other threads, and hands emptied blocks back, at the
    /// latest when nothing here is ready. True if something went out.
    #[inline]
    pub fn flush(&mut self) -> bool {
        for keeper in 0..self.acks.len() {
            self.send_acks(keeper);
        }
        let resting = self.ready.is_empty();
        let mut sent = false;
        for peer in self.peers.iter_mut().flatten() {
            if resting || peer.returns.len() >= RETURN_BATCH {
                peer.outbox.extend(peer.returns.drain(..));
            }
            if !peer.outbox.is_empty() {
                sent |= peer.flush();
            }
        }
        sent
    }

    /// Whether nothing has come and nothing waits to go; asked once more before sleeping.
    pub fn is_idle(&self) -> bool {
        self.ready.is_empty()
            && self.peers.iter().flatten().all(|peer| {
                peer.ring_in.is_empty() && peer.outbox.is_empty() && peer.returns.is_empty()
            })
    }
}

/// Blocks of credit for a queue of that many tuples: at least two, so that one is filled while the
/// other is emptied.
pub(crate) fn blocks_of(tuples: usize) -> u32 {
    tuples.div_ceil(BLOCK_TUPLES).clamp(LEAST_CREDIT, u32::MAX as usize - 1) as u32
}
