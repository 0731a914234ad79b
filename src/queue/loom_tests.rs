//! Every interleaving of ring and parker, at a capacity small enough to reach the edges.

use loom::thread;

use super::{Parker, Wanted, ring};

#[test]
fn a_ring_passes_every_item_once_and_in_order() {
    loom::model(|| {
        let (mut producer, mut consumer) = ring(2);
        let sender = thread::spawn(move || {
            for item in 0..3 {
                let mut item = Box::new(item);
                while let Err(back) = producer.push(item) {
                    item = back;
                    thread::yield_now();
                }
            }
        });
        for expected in 0..3 {
            let item = loop {
                match consumer.pop() {
                    Some(item) => break item,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(*item, expected);
        }
        sender.join().unwrap();
    });
}

#[test]
fn an_abandoned_ring_drops_what_is_left_in_it() {
    loom::model(|| {
        let (mut producer, mut consumer) = ring(2);
        let sender = thread::spawn(move || {
            let _ = producer.push(Box::new(1));
            let _ = producer.push(Box::new(2));
        });
        drop(consumer.pop());
        drop(consumer);
        sender.join().unwrap();
    });
}

/// If the sleeper could miss the wake-up, the model would find it parked for ever.
#[test]
fn no_wake_up_is_lost() {
    loom::model(|| {
        let (mut producer, mut consumer) = ring(2);
        let (parker, unparker) = Parker::new();
        let waker = thread::spawn(move || {
            for item in 0..2 {
                producer.push(item).unwrap();
                unparker.wake();
            }
        });
        for expected in 0..2 {
            let item = loop {
                match consumer.pop() {
                    Some(item) => break item,
                    None => parker.park(None, || consumer.is_empty()),
                }
            };
            assert_eq!(item, expected);
        }
        waker.join().unwrap();
    });
}

#[test]
fn two_wakers_cannot_cancel_each_other_out() {
    loom::model(|| {
        let (mut one, mut from_one) = ring(2);
        let (mut two, mut from_two) = ring(2);
        let (parker, unparker) = Parker::new();
        let other = unparker.clone();
        let first = thread::spawn(move || {
            one.push(1).unwrap();
            unparker.wake();
        });
        let second = thread::spawn(move || {
            two.push(2).unwrap();
            other.wake();
        });
        let mut sum = 0;
        while sum < 3 {
            let before = sum;
            sum += from_one.pop().unwrap_or(0) + from_two.pop().unwrap_or(0);
            if sum == before {
                parker.park(None, || from_one.is_empty() && from_two.is_empty());
            }
        }
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// A sleeper that wants nothing may be left asleep; one that wants the item must get it.
#[test]
fn what_a_sleeper_wants_wakes_it() {
    loom::model(|| {
        let (mut producer, mut consumer) = ring(2);
        let (parker, unparker) = Parker::new();
        let wanted = Wanted::new();
        let seen = wanted.clone();
        let waker = thread::spawn(move || {
            producer.push(1).unwrap();
            unparker.wake_if(&seen);
        });
        let item = loop {
            match consumer.pop() {
                Some(item) => break item,
                None => {
                    wanted.set(true);
                    parker.park(None, || consumer.is_empty());
                }
            }
        };
        assert_eq!(item, 1);
        waker.join().unwrap();
    });
}
