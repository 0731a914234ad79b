//! A bare ring for one producer thread and one consumer thread: the limit that a hop is held to.
//!
//! ```text
//!   slots   [.. released | taken | published | staged | free ..]
//!   read by  producer      consumer            producer
//! ```
//!
//! Each side keeps a copy of the other's position and reads the shared one only when the copy says
//! full or empty. Values are staged and published in batches of the caller's choice.
//!
//! **Invariants:** positions only grow and wrap with `usize`; `published - released` is at most the
//! capacity; a slot is written by the producer only while it is neither published nor unreleased.
//! **Not here:** waiting. Full and empty are answers.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Keeps what two threads write on cache lines of their own, prefetched neighbour included.
#[repr(align(128))]
#[derive(Default)]
struct Apart<T>(T);

struct Shared<T> {
    /// Written by the producer: values before this position may be read.
    published: Apart<AtomicUsize>,
    /// Written by the consumer: slots before this position may be overwritten.
    released: Apart<AtomicUsize>,
    slots: Box<[UnsafeCell<T>]>,
}

/// The writing end, owned by one thread.
pub struct Producer<T> {
    shared: Arc<Shared<T>>,
    slots: *const UnsafeCell<T>,
    mask: usize,
    next: usize,
    seen_released: usize,
}

/// The reading end, owned by one thread.
pub struct Consumer<T> {
    shared: Arc<Shared<T>>,
    slots: *const UnsafeCell<T>,
    mask: usize,
    next: usize,
    seen_published: usize,
}

// SAFETY: slots are handed from one thread to the other by release stores and acquire loads of the
// two positions, and the value type may move between threads.
unsafe impl<T: Send> Sync for Shared<T> {}

// SAFETY: the raw pointer leads into the slots that `shared` keeps alive; this end is one thread's.
unsafe impl<T: Send> Send for Producer<T> {}

// SAFETY: as for the producer.
unsafe impl<T: Send> Send for Consumer<T> {}

/// Both ends of a ring of `capacity` values, a power of two. All slots are touched here.
#[must_use]
pub fn ring<T: Copy + Default + Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity.is_power_of_two(), "a ring's capacity is a power of two, not {capacity}");
    let shared = Arc::new(Shared {
        published: Apart::default(),
        released: Apart::default(),
        slots: (0..capacity).map(|_| UnsafeCell::new(T::default())).collect(),
    });
    let (slots, mask) = (shared.slots.as_ptr(), capacity - 1);
    let producer = Producer { shared: Arc::clone(&shared), slots, mask, next: 0, seen_released: 0 };
    let consumer = Consumer { shared, slots, mask, next: 0, seen_published: 0 };
    (producer, consumer)
}

impl<T: Copy> Producer<T> {
    /// Stages a value, or answers false where the ring is full.
    #[inline]
    #[must_use]
    pub fn push(&mut self, value: T) -> bool {
        if self.next.wrapping_sub(self.seen_released) > self.mask {
            self.seen_released = self.shared.released.0.load(Ordering::Acquire);
            if self.next.wrapping_sub(self.seen_released) > self.mask {
                return false;
            }
        }
        // SAFETY: the index is below the capacity by the mask, and the slot is free: the consumer
        // released it before the acquiring load above and will not read it until it is published.
        unsafe { *UnsafeCell::raw_get(self.slots.add(self.next & self.mask)) = value };
        self.next = self.next.wrapping_add(1);
        true
    }

    /// Lets the consumer see everything that was staged.
    #[inline]
    pub fn publish(&mut self) {
        self.shared.published.0.store(self.next, Ordering::Release);
    }
}

impl<T: Copy> Consumer<T> {
    /// Takes the oldest value, or nothing where the ring is empty.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.next == self.seen_published && !self.has_more() {
            return None;
        }
        // SAFETY: the index is below the capacity by the mask, and the slot was published before
        // the acquiring load in `has_more`; the producer keeps off it until it is released.
        let value = unsafe { *UnsafeCell::raw_get(self.slots.add(self.next & self.mask)) };
        self.next = self.next.wrapping_add(1);
        Some(value)
    }

    /// Whether a value waits, by the producer's own position.
    #[inline]
    pub fn has_more(&mut self) -> bool {
        self.seen_published = self.shared.published.0.load(Ordering::Acquire);
        self.next != self.seen_published
    }

    /// Hands the slots of everything taken back to the producer.
    #[inline]
    pub fn release(&mut self) {
        self.shared.released.0.store(self.next, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_refuses_until_a_slot_is_released() {
        let (mut producer, mut consumer) = ring::<u64>(4);
        assert!((0..4).all(|n| producer.push(n)));
        assert!(!producer.push(4));
        producer.publish();
        assert_eq!(consumer.pop(), Some(0));
        assert!(!producer.push(4));
        consumer.release();
        assert!(producer.push(4));
        assert!(!producer.push(5));
    }

    #[test]
    fn a_staged_value_is_not_seen_before_it_is_published() {
        let (mut producer, mut consumer) = ring::<u64>(4);
        assert!(producer.push(7));
        assert_eq!(consumer.pop(), None);
        producer.publish();
        assert_eq!(consumer.pop(), Some(7));
        assert_eq!(consumer.pop(), None);
    }

    #[test]
    fn values_cross_threads_once_and_in_order() {
        const LAST: u64 = 50_000;
        let (mut producer, mut consumer) = ring::<u64>(8);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for n in 0..LAST {
                    while !producer.push(n) {
                        std::thread::yield_now();
                    }
                    producer.publish();
                }
            });
            for n in 0..LAST {
                let value = loop {
                    match consumer.pop() {
                        Some(value) => break value,
                        None => std::thread::yield_now(),
                    }
                };
                assert_eq!(value, n);
                consumer.release();
            }
        });
    }
}
