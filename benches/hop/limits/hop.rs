//! The limits of latency: one tuple from its intended time to the bolt, at a fixed open-loop rate.
//!
//! ```text
//!   bare hop:  generator --ring--> [futex] --> consumer records now - intended
//!   inline:    generator --dyn call-----------> bolt records now - intended
//! ```
//!
//! **Invariant:** the rate does not depend on the consumer; a tuple that leaves late is charged for
//! it. The lateness of the generator is recorded beside.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::clock;
use super::super::open_loop::{Course, Recorder};
use super::super::parker::{self, Parker};
use super::super::payload::checked;
use super::super::ring::{Consumer, Producer, ring};
use super::super::sample::{Sample, Subject, Window};
use super::Message;
use super::inline::Small;
use super::ring::CAPACITY;

/// How a thread waits for its next tuple, or for the next intended time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It burns its core.
    Spin,
    /// It sleeps in a futex.
    Park,
}

/// One hop between two threads.
pub struct BareHop {
    per_second: u64,
    consumer: Wait,
    generator: Wait,
}

/// No hop: generator and bolt on one thread.
pub struct InlineLatency {
    per_second: u64,
    generator: Wait,
}

/// What both ends of a hop see.
#[derive(Default)]
struct Link {
    parker: Parker,
    /// Set by the generator after its last tuple was published.
    done: AtomicBool,
}

/// Takes a value and the time that it was intended for.
trait TimedBolt {
    fn execute(&mut self, value: Small, intended_ns: u64);
}

impl BareHop {
    /// A hop at `per_second` tuples a second; `consumer` says how the bolt's thread waits.
    #[must_use]
    pub fn new(per_second: u64, consumer: Wait) -> Self {
        Self { per_second, consumer, generator: Wait::Spin }
    }

    /// The same hop, whose generator waits for intended times in this way. Default: it spins.
    #[must_use]
    pub fn generator(mut self, generator: Wait) -> Self {
        self.generator = generator;
        self
    }
}

impl InlineLatency {
    /// No hop at `per_second` tuples a second.
    #[must_use]
    pub fn new(per_second: u64) -> Self {
        Self { per_second, generator: Wait::Spin }
    }

    /// The same, waiting for intended times in this way. Default: it spins.
    #[must_use]
    pub fn generator(mut self, generator: Wait) -> Self {
        self.generator = generator;
        self
    }
}

impl Subject for BareHop {
    fn name(&self) -> String {
        let pace = match self.generator {
            Wait::Spin => "",
            Wait::Park => ", sleeping generator",
        };
        match self.consumer {
            Wait::Spin => format!("bare spinning hop{pace}"),
            Wait::Park => format!("bare parked hop{pace}"),
        }
    }

    fn block(&mut self, length: Duration) -> Sample {
        let (mut producer, mut consumer) = ring::<Message>(CAPACITY);
        let link = Link::default();
        let course = Course::from_now(self.per_second, length);
        let mut recorder = Recorder::new(course);
        let (wait, pace) = (self.consumer, self.generator);
        let sample = std::thread::scope(|scope| {
            scope.spawn(|| consume(&mut consumer, &link, wait, &mut recorder));
            let sample = generate(course, pace, |n, intended_ns| {
                send(&mut producer, Message::build(n, 0, intended_ns));
                if wait == Wait::Park {
                    link.parker.wake();
                }
            });
            link.done.store(true, Ordering::Release);
            link.parker.wake();
            sample
        });
        sample.with_latency(recorder.into_latency())
    }
}

impl Subject for InlineLatency {
    fn name(&self) -> String {
        match self.generator {
            Wait::Spin => "inline without hop".to_owned(),
            Wait::Park => "inline without hop, sleeping".to_owned(),
        }
    }

    fn block(&mut self, length: Duration) -> Sample {
        let course = Course::from_now(self.per_second, length);
        let mut recorder = Recorder::new(course);
        let sample = {
            let bolt: &mut dyn TimedBolt = black_box(&mut recorder);
            generate(course, self.generator, |n, intended_ns| {
                bolt.execute(Small::text(checked(n)), intended_ns);
            })
        };
        sample.with_latency(recorder.into_latency())
    }
}

impl TimedBolt for Recorder {
    fn execute(&mut self, value: Small, intended_ns: u64) {
        black_box(&value);
        self.record(intended_ns);
    }
}

/// Emits every tuple of the course when it is due; returns the window with the own lateness.
pub(super) fn generate(course: Course, pace: Wait, mut emit: impl FnMut(u64, u64)) -> Sample {
    let mut lateness = Recorder::new(course);
    let mut window = Window::open();
    let mut measured = 0;
    for n in 0.. {
        let intended_ns = course.schedule.intended_ns(n);
        if course.is_over(intended_ns) {
            break;
        }
        if course.is_measured(intended_ns) {
            if measured == 0 {
                window = Window::open();
            }
            measured += 1;
        }
        match pace {
            Wait::Spin => clock::spin_until(intended_ns),
            Wait::Park => parker::sleep_until(intended_ns),
        };
        emit(n, intended_ns);
        lateness.record(intended_ns);
    }
    window.close(measured).with_lateness(lateness.into_latency())
}

fn send(producer: &mut Producer<Message>, message: Message) {
    while !producer.push(message) {
        std::hint::spin_loop();
    }
    producer.publish();
}

fn consume(consumer: &mut Consumer<Message>, link: &Link, wait: Wait, recorder: &mut Recorder) {
    loop {
        while let Some(message) = consumer.pop() {
            black_box(message.text);
            recorder.record(message.intended_ns);
            consumer.release();
        }
        // The flag is read before the last look, so that nothing published before it is missed.
        if link.done.load(Ordering::Acquire) && !consumer.has_more() {
            return;
        }
        match wait {
            // Without the pause instruction, which made the median hop a third longer.
            Wait::Spin => {}
            Wait::Park => {
                link.parker.park_unless(|| consumer.has_more() || link.done.load(Ordering::Acquire))
            }
        }
    }
}
