//! The queue between two threads: what a block costs to pass on, and a sleeper to wake.
//!
//! A hop is a boxed block through a ring and back through another, as blocks travel in the runtime;
//! with 64 tuples to the block its price is shared by as many.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use storm_runtime::clock::Clock;
use storm_runtime::measured::{Consumer, Producer, parker, ring};

/// Blocks that a ring between two threads of the runtime holds.
const CAPACITY: usize = 256;

/// A block of so many tuples of 64 bytes.
type Block<const TUPLES: usize> = Box<[[u64; 8]; TUPLES]>;

/// Looks so often for the other side before giving up the core.
const SPINS: u32 = 10_000;

fn same_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring on one thread");
    group.throughput(Throughput::Elements(1));
    group.bench_function("push and pop", |bencher| {
        let (mut producer, mut consumer) = ring(CAPACITY);
        bencher.iter(|| {
            producer.push(black_box(1_u64)).expect("there is room");
            black_box(consumer.pop())
        });
    });
    group.finish();
}

fn two_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring between two threads");
    group.throughput(Throughput::Elements(1));
    group.bench_function("blocks of 1 tuple", hop::<1>);
    group.throughput(Throughput::Elements(64));
    group.bench_function("blocks of 64 tuples", hop::<64>);
    group.finish();
}

/// Sends blocks to a thread that reads them and sends them back, as many under way as there is
/// room for.
fn hop<const TUPLES: usize>(bencher: &mut Bencher<'_>) {
    let (mut there, from_here) = ring::<Block<TUPLES>>(CAPACITY);
    let (back, mut from_there) = ring::<Block<TUPLES>>(CAPACITY);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let reader = std::thread::spawn(move || read_blocks(from_here, back, &stopped));
    let mut home: Vec<Block<TUPLES>> = (0..CAPACITY).map(|_| Box::new([[0; 8]; TUPLES])).collect();
    let clock = Clock::system();
    bencher.iter_custom(|blocks| {
        let start = clock.now();
        let (mut sent, mut returned) = (0, 0);
        let mut spins = 0;
        while returned < blocks {
            let before = (sent, returned);
            while sent < blocks
                && let Some(mut block) = home.pop()
            {
                block.iter_mut().for_each(|tuple| tuple[0] = sent);
                there.push(block).expect("there is a place for every block");
                sent += 1;
            }
            while let Some(block) = from_there.pop() {
                home.push(block);
                returned += 1;
            }
            spins = if before == (sent, returned) { spins + 1 } else { 0 };
            pause(spins);
        }
        clock.now().since(start)
    });
    stop.store(true, Ordering::Relaxed);
    reader.join().expect("the reader ends");
}

fn read_blocks<const TUPLES: usize>(
    mut from: Consumer<Block<TUPLES>>,
    mut back: Producer<Block<TUPLES>>,
    stopped: &AtomicBool,
) {
    let mut spins = 0;
    while !stopped.load(Ordering::Relaxed) {
        match from.pop() {
            Some(block) => {
                black_box(block.iter().fold(0, |sum: u64, tuple| sum.wrapping_add(tuple[0])));
                back.push(block).expect("there is a place for every block");
                spins = 0;
            }
            None => {
                spins += 1;
                pause(spins);
            }
        }
    }
}

/// Waits a moment for the other thread, which may need this core.
fn pause(spins: u32) {
    if SPINS < spins {
        std::thread::yield_now();
    } else if 0 < spins {
        std::hint::spin_loop();
    }
}

fn wake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parker");
    group.bench_function("wake a thread that is awake", |bencher| {
        let (_parker, unparker) = parker();
        bencher.iter(|| unparker.wake());
    });
    group.bench_function("wake a sleeper and be woken by it", |bencher| {
        let (here, to_here) = parker();
        let (there, to_there) = parker();
        let ball = Arc::new(AtomicU64::new(0));
        let thrown = ball.clone();
        // Odd numbers go there, even ones come back, the last one ends the game.
        let sleeper = std::thread::spawn(move || {
            loop {
                let number = thrown.load(Ordering::Acquire);
                if number == u64::MAX {
                    return;
                }
                if number.is_multiple_of(2) {
                    there.park(None, || thrown.load(Ordering::Acquire).is_multiple_of(2));
                } else {
                    thrown.store(number + 1, Ordering::Release);
                    to_here.wake();
                }
            }
        });
        bencher.iter(|| {
            let number = ball.load(Ordering::Acquire) + 1;
            ball.store(number, Ordering::Release);
            to_there.wake();
            while ball.load(Ordering::Acquire) == number {
                here.park(None, || ball.load(Ordering::Acquire) == number);
            }
        });
        ball.store(u64::MAX, Ordering::Release);
        to_there.wake();
        sleeper.join().expect("the sleeper ends");
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = same_thread, two_threads, wake
}
criterion_main!(benches);
