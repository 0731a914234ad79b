//! A bounded ring from one thread to one other.
//!
//! ```text
//!        head (consumer writes)          tail (producer writes)
//!          v                               v
//!  [ . . . x x x x x x x x x x x x x x x x . . . ]
//! ```
//!
//! **Invariants.** `head <= tail <= head + capacity`, both counting for ever (wrapping). Slots in
//! `head..tail` are initialised and the consumer's, all others uninitialised and the producer's.
//! Each side keeps a copy of the other's index and rereads it only when the copy says full or empty.

use std::fmt;
use std::mem::MaybeUninit;

use crossbeam_utils::CachePadded;

use super::sync::{Arc, AtomicUsize, Ordering, UnsafeCell};

struct Shared<T> {
    /// Next slot to be read: written by the consumer, read by the producer.
    head: CachePadded<AtomicUsize>,
    /// Next slot to be written: written by the producer, read by the consumer.
    tail: CachePadded<AtomicUsize>,
    slots: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a slot is accessed by one side at a time: by the producer before it publishes the slot
// with a release store of `tail`, by the consumer after an acquire load of `tail` and before its
// release store of `head`, which the producer acquires before it writes the slot again.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above; `Producer` and `Consumer` are the only holders and each exists once.
unsafe impl<T: Send> Sync for Shared<T> {}

/// The writing end of a [`ring`].
pub(crate) struct Producer<T> {
    shared: Arc<Shared<T>>,
    tail: usize,
    head_seen: usize,
}

/// The reading end of a [`ring`].
pub(crate) struct Consumer<T> {
    shared: Arc<Shared<T>>,
    head: usize,
    tail_seen: usize,
}

/// A ring for up to `capacity` items.
///
/// # Panics
/// If `capacity` is not a power of two.
pub(crate) fn ring<T: Send>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity.is_power_of_two(), "a ring's capacity of {capacity} is no power of two");
    let shared = Arc::new(Shared {
        head: CachePadded::new(AtomicUsize::new(0)),
        tail: CachePadded::new(AtomicUsize::new(0)),
        slots: (0..capacity).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect(),
    });
    let producer = Producer { shared: shared.clone(), tail: 0, head_seen: 0 };
    (producer, Consumer { shared, head: 0, tail_seen: 0 })
}

impl<T> Shared<T> {
    #[inline]
    fn slot(&self, index: usize) -> &UnsafeCell<MaybeUninit<T>> {
        &self.slots[index & (self.slots.len() - 1)]
    }
}

impl<T> Producer<T> {
    /// Appends an item, or hands it back if the ring is full.
    #[inline]
    #[must_use = "a full ring hands the item back"]
    pub fn push(&mut self, item: T) -> Result<(), T> {
        let capacity = self.shared.slots.len();
        if self.tail.wrapping_sub(self.head_seen) == capacity {
            self.head_seen = self.shared.head.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head_seen) == capacity {
                return Err(item);
            }
        }
        self.shared.slot(self.tail).with_mut(|slot| {
            // SAFETY: `tail - head < capacity`, so the slot is not in `head..tail` and is ours.
            unsafe { (*slot).write(item) };
        });
        self.tail = self.tail.wrapping_add(1);
        self.shared.tail.store(self.tail, Ordering::Release);
        Ok(())
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest item.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail_seen {
            self.tail_seen = self.shared.tail.load(Ordering::Acquire);
            if self.head == self.tail_seen {
                return None;
            }
        }
        let item = self.shared.slot(self.head).with(|slot| {
            // SAFETY: `head < tail`, so the producer initialised the slot and published it, and it
            // is read once, because `head` moves on.
            unsafe { (*slot).assume_init_read() }
        });
        self.head = self.head.wrapping_add(1);
        self.shared.head.store(self.head, Ordering::Release);
        Some(item)
    }

    /// Whether nothing is there to be popped at this moment.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.head == self.shared.tail.load(Ordering::Acquire)
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.load(Ordering::Relaxed);
        while head != tail {
            self.slot(head).with_mut(|slot| {
                // SAFETY: both ends are gone; slots in `head..tail` are initialised.
                unsafe { (*slot).assume_init_drop() };
            });
            head = head.wrapping_add(1);
        }
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Producer {{ pushed: {} }}", self.tail)
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Consumer {{ popped: {} }}", self.head)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_full_ring_hands_the_item_back_and_an_empty_one_has_none() {
        let (mut producer, mut consumer) = ring(2);
        assert_eq!(consumer.pop(), None::<u32>);
        assert_eq!(producer.push(1), Ok(()));
        assert_eq!(producer.push(2), Ok(()));
        assert_eq!(producer.push(3), Err(3));
        assert_eq!(consumer.pop(), Some(1));
        assert_eq!(producer.push(3), Ok(()));
        assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(2), Some(3), None));
        assert!(consumer.is_empty());
    }

    #[test]
    fn items_left_in_the_ring_are_dropped_once_with_it() {
        let item = Arc::new(());
        let (mut producer, mut consumer) = ring(4);
        for _ in 0..4 {
            producer.push(item.clone()).unwrap();
        }
        drop(consumer.pop());
        drop((producer, consumer));
        assert_eq!(Arc::strong_count(&item), 1);
    }

    #[test]
    fn two_threads_pass_every_item_once_and_in_order() {
        let items = if cfg!(miri) { 200 } else { 200_000 };
        let (mut producer, mut consumer) = ring(8);
        let sender = std::thread::spawn(move || {
            for item in 0..items {
                let mut item = Box::new(item);
                while let Err(back) = producer.push(item) {
                    item = back;
                    std::thread::yield_now();
                }
            }
        });
        for expected in 0..items {
            let item = loop {
                match consumer.pop() {
                    Some(item) => break item,
                    None => std::thread::yield_now(),
                }
            };
            assert_eq!(*item, expected);
        }
        sender.join().unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(miri) { 4 } else { 256 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_ring_behaves_as_a_bounded_deque(pushes in prop::collection::vec(any::<bool>(), 0..200)) {
            let (mut producer, mut consumer) = ring(4);
            let mut model = VecDeque::new();
            for (item, push) in pushes.into_iter().enumerate() {
                if push {
                    let fits = model.len() < 4;
                    if fits {
                        model.push_back(item);
                    }
                    prop_assert_eq!(producer.push(item).is_ok(), fits);
                } else {
                    prop_assert_eq!(consumer.pop(), model.pop_front());
                }
                prop_assert_eq!(consumer.is_empty(), model.is_empty());
            }
        }
    }
}
