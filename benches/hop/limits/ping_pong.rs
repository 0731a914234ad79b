//! The limit of two threads: one cache line that goes there and back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::clock;
use super::super::quantile;
use super::super::sample::{Sample, Subject, Window};
use super::super::stats;

/// Round trips between two looks at the clock.
const TRIPS_PER_LOOK: u64 = 64;

/// What the first thread writes when it ends the game.
const OVER: u64 = u64::MAX;

/// A number on a cache line of its own, written by one thread and awaited by the other.
#[repr(align(128))]
#[derive(Default)]
struct Line(AtomicU64);

/// The cache-line ping-pong as a row: latency of one round trip.
///
/// Its histogram holds means of 64 trips, since reading the clock costs a good part of one trip.
pub struct PingPong;

/// The median round trip in nanoseconds of a game of `length`.
#[must_use]
pub fn round_trip_ns(length: Duration) -> f64 {
    let mut looks = Vec::with_capacity(1 << 16);
    play(length, |trip_ns| looks.push(trip_ns));
    // The first half is the second thread's start.
    stats::median(looks.split_off(looks.len() / 2))
}

fn play(length: Duration, mut each_look: impl FnMut(f64)) {
    let (there, back) = (Line::default(), Line::default());
    std::thread::scope(|scope| {
        scope.spawn(|| answer(&there, &back));
        let deadline_ns = clock::now_ns() + clock::ns(length);
        let (mut n, mut before_ns) = (0, clock::now_ns());
        while before_ns < deadline_ns {
            for _ in 0..TRIPS_PER_LOOK {
                n += 1;
                there.0.store(n, Ordering::Release);
                while back.0.load(Ordering::Acquire) != n {
                    std::hint::spin_loop();
                }
            }
            let now = clock::now_ns();
            each_look((now - before_ns) as f64 / TRIPS_PER_LOOK as f64);
            before_ns = now;
        }
        there.0.store(OVER, Ordering::Release);
    });
}

fn answer(there: &Line, back: &Line) {
    let mut answered = 0;
    loop {
        let n = there.0.load(Ordering::Acquire);
        if n == OVER {
            return;
        }
        if n != answered {
            back.0.store(n, Ordering::Release);
            answered = n;
        } else {
            std::hint::spin_loop();
        }
    }
}

impl Subject for PingPong {
    fn name(&self) -> String {
        "cache-line round trip".to_owned()
    }

    fn block(&mut self, length: Duration) -> Sample {
        let mut latency = quantile::histogram();
        let window = Window::open();
        play(length, |trip_ns| latency.saturating_record(trip_ns as u64));
        window.close(0).with_latency(latency)
    }
}
