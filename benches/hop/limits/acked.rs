//! The limit of acked processing: a ring out, a ring of XOR acks back, and the spout's ledger.
//!
//! ```text
//!   spout: ledger[root] = edge --ring--> bolt: consume --ring--> spout: ledger[root] ^= xor == 0?
//! ```
//!
//! **Invariant:** at most [`PENDING`] roots are neither acked nor free, so a root's place in the
//! ledger is its number modulo [`PENDING`].

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::ring::{Consumer, Producer, ring};
use super::super::sample::{Sample, Subject, drive};
use super::Message;
use super::ring::CAPACITY;

/// Roots that may wait for their ack at once.
pub const PENDING: usize = 8192;

/// Tuples between two looks at the clock; a multiple of every batch size.
const TUPLES_PER_LOOK: u64 = 4096;

/// What comes back: a root, and the XOR of the edges that were done.
#[derive(Clone, Copy, Default)]
struct Ack {
    root: u64,
    xor: u64,
}

/// One spout thread and one bolt thread with acks between them.
pub struct AckedLoop {
    /// Messages per publication, on both rings.
    batch: u64,
}

/// The spout's side, owned by its thread.
struct AckedSpout {
    out: Producer<Message>,
    acks: Consumer<Ack>,
    ledger: Box<[u64]>,
    edges: EdgeIds,
    emitted: u64,
    pending: usize,
}

/// Random edge ids that are never zero.
struct EdgeIds(u64);

impl AckedLoop {
    /// A loop that publishes in batches of `batch`, which divides 4096.
    #[must_use]
    pub fn new(batch: u64) -> Self {
        assert!(TUPLES_PER_LOOK.is_multiple_of(batch), "batches of {batch} do not fill a look");
        Self { batch }
    }
}

impl Subject for AckedLoop {
    fn name(&self) -> String {
        format!("acked loop batch {}", self.batch)
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (out, mut tuples) = ring::<Message>(CAPACITY);
        let (mut ack, acks) = ring::<Ack>(PENDING);
        let (batch, done) = (self.batch, AtomicBool::new(false));
        let mut spout = AckedSpout::new(out, acks);
        std::thread::scope(|scope| {
            scope.spawn(|| bolt(&mut tuples, &mut ack, batch, &done));
            let sample = drive(length, || {
                let rounds = 0..TUPLES_PER_LOOK / batch;
                rounds.map(|_| spout.round(batch)).sum()
            });
            done.store(true, Ordering::Release);
            sample
        })
    }
}

impl AckedSpout {
    fn new(out: Producer<Message>, acks: Consumer<Ack>) -> Self {
        Self {
            out,
            acks,
            ledger: vec![0; PENDING].into_boxed_slice(),
            edges: EdgeIds(0x9e37_79b9_7f4a_7c15),
            emitted: 0,
            pending: 0,
        }
    }

    /// Emits up to one batch, then takes up to one batch of acks; returns the trees completed.
    fn round(&mut self, batch: u64) -> u64 {
        let mut staged = 0;
        while staged < batch && self.pending < PENDING && self.emit() {
            staged += 1;
        }
        if staged > 0 {
            self.out.publish();
        }
        let (mut taken, mut completed) = (0, 0);
        while taken < batch
            && let Some(ack) = self.acks.pop()
        {
            taken += 1;
            completed += u64::from(self.acked(ack));
        }
        if taken > 0 {
            self.acks.release();
        }
        completed
    }

    #[inline(always)]
    fn emit(&mut self) -> bool {
        let edge = self.edges.next();
        if !self.out.push(Message::build(self.emitted, edge, 0)) {
            return false;
        }
        self.ledger[self.emitted as usize % PENDING] ^= edge;
        self.emitted += 1;
        self.pending += 1;
        true
    }

    /// Whether the ack completes its tree.
    #[inline(always)]
    fn acked(&mut self, ack: Ack) -> bool {
        let open = &mut self.ledger[ack.root as usize % PENDING];
        *open ^= ack.xor;
        let completed = *open == 0;
        self.pending -= usize::from(completed);
        completed
    }
}

fn bolt(tuples: &mut Consumer<Message>, ack: &mut Producer<Ack>, batch: u64, done: &AtomicBool) {
    while tuples.has_more() || !done.load(Ordering::Acquire) {
        let mut taken = 0;
        while taken < batch
            && let Some(message) = tuples.pop()
        {
            let message = black_box(message);
            let sent = ack.push(Ack { root: message.root, xor: message.edge });
            assert!(sent, "the ack ring has room for every pending root");
            taken += 1;
        }
        match taken {
            0 => std::hint::spin_loop(),
            _ => {
                tuples.release();
                ack.publish();
            }
        }
    }
}

impl EdgeIds {
    #[inline(always)]
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}
