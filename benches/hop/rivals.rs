//! Queues of others under the same load as the bare ring, to judge the ring by.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use super::limits::Message;
use super::limits::ring::CAPACITY;
use super::sample::{Sample, Subject, drive};

/// Messages between two looks at the clock.
const MESSAGES_PER_LOOK: u64 = 4096;

/// Crossbeam's bounded queue, one message at a time.
pub struct QueueOut;

impl Subject for QueueOut {
    fn name(&self) -> String {
        "crossbeam ArrayQueue".to_owned()
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (queue, done) = (ArrayQueue::new(CAPACITY), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| consume(&queue, &done));
            let mut sent = 0;
            let sample = drive(length, || {
                for _ in 0..MESSAGES_PER_LOOK {
                    while queue.push(Message::build(sent, 0, 0)).is_err() {
                        std::hint::spin_loop();
                    }
                    sent += 1;
                }
                MESSAGES_PER_LOOK
            });
            done.store(true, Ordering::Release);
            sample
        })
    }
}

fn consume(queue: &ArrayQueue<Message>, done: &AtomicBool) {
    while !done.load(Ordering::Acquire) {
        match queue.pop() {
            Some(message) => {
                black_box(message);
            }
            None => std::hint::spin_loop(),
        }
    }
}
