//! The limit of two threads at full speed: a ring of cache lines, published in batches.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::ring::{Consumer, Producer, ring};
use super::super::sample::{Sample, Subject, drive};
use super::Message;

/// Slots of the ring.
pub const CAPACITY: usize = 4096;

/// Messages between two looks at the clock; a multiple of every batch size.
const MESSAGES_PER_LOOK: u64 = 4096;

/// One thread fills a ring as fast as another empties it.
pub struct RingOut {
    /// Messages per publication and, at most, per release.
    batch: u64,
}

impl RingOut {
    /// A ring published in batches of `batch`, which divides 4096.
    #[must_use]
    pub fn new(batch: u64) -> Self {
        assert!(MESSAGES_PER_LOOK.is_multiple_of(batch), "batches of {batch} do not fill the ring");
        Self { batch }
    }
}

impl Subject for RingOut {
    fn name(&self) -> String {
        format!("ring batch {}", self.batch)
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (mut producer, mut consumer) = ring::<Message>(CAPACITY);
        let (batch, done) = (self.batch, AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| consume(&mut consumer, batch, &done));
            let mut sent = 0;
            let sample = drive(length, || {
                produce(&mut producer, batch, &mut sent);
                MESSAGES_PER_LOOK
            });
            done.store(true, Ordering::Release);
            sample
        })
    }
}

fn produce(producer: &mut Producer<Message>, batch: u64, sent: &mut u64) {
    for _ in 0..MESSAGES_PER_LOOK / batch {
        for _ in 0..batch {
            let message = Message::build(*sent, 0, 0);
            while !producer.push(message) {
                std::hint::spin_loop();
            }
            *sent += 1;
        }
        producer.publish();
    }
}

fn consume(consumer: &mut Consumer<Message>, batch: u64, done: &AtomicBool) {
    while consumer.has_more() || !done.load(Ordering::Acquire) {
        let mut taken = 0;
        while taken < batch
            && let Some(message) = consumer.pop()
        {
            black_box(message);
            taken += 1;
        }
        match taken {
            0 => std::hint::spin_loop(),
            _ => consumer.release(),
        }
    }
}
