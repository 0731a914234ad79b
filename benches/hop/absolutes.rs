//! Figures that have no limit to be a ratio of: what an idle topology costs, how fast a process
//! starts, what an overloaded bolt does to memory.

use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};
use storm_runtime::clock::Time;
use storm_runtime::prelude::*;

use super::clock;
use super::machine::{self, Reading};
use super::open_loop::Course;
use super::parker;
use super::report;
use super::runtime::latency::OpenLoop;
use super::runtime::{Running, builder, text};
use super::start;

/// Argument that makes this program the process whose start is measured.
pub const PROBE: &str = "--start-probe";

/// What that process prints when its first tuple was acked.
const FIRST_ACK: &str = "first tuple acked";

/// One figure with the bound that it is held to.
pub struct Absolute {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub at_most: f64,
}

/// Measures all of them; `long` takes a minute for the overload instead of five seconds.
///
/// # Errors
/// When the probe process cannot be started.
pub fn all(long: bool, smoke: bool) -> io::Result<Vec<Absolute>> {
    let (idle_s, overload_s) = match (smoke, long) {
        (true, _) => (2, 1),
        (false, true) => (30, 60),
        (false, false) => (10, 5),
    };
    let mut figures = idle(Duration::from_secs(idle_s));
    figures.extend(start(if smoke { 1 } else { 9 })?);
    figures.extend(overload(Duration::from_secs(overload_s)));
    Ok(figures)
}

/// The figures as a table.
pub fn table(figures: &[Absolute]) -> String {
    let rows = figures.iter().map(|figure| {
        let held = if figure.value <= figure.at_most { "ok" } else { "MISSED" };
        vec![
            figure.name.to_owned(),
            format!("{:.3} {}", figure.value, figure.unit),
            format!("<= {} {}", figure.at_most, figure.unit),
            held.to_owned(),
        ]
    });
    report::table(&["row", "value", "target", ""], rows.collect())
}

/// The figures for programs.
pub fn json(figures: &[Absolute]) -> Json {
    let figure = |figure: &Absolute| {
        json!({
            "name": figure.name,
            "value": figure.value,
            "unit": figure.unit,
            "at_most": figure.at_most,
        })
    };
    figures.iter().map(figure).collect()
}

/// Four tasks and one tuple a second.
fn idle(length: Duration) -> Vec<Absolute> {
    let topology =
        OpenLoop { per_second: 1, threads: 1, profile: "parked", bolts: 3, acked: false };
    let course = Course::from_now(1, length + Duration::from_secs(2));
    let running = topology.start(course);
    parker::sleep(Duration::from_secs(1));
    let before = Reading::take();
    parker::sleep(length);
    let usage = before.until_now();
    running.end();
    let figure = |name, value, unit, at_most| Absolute { name, value, unit, at_most };
    vec![
        figure("idle, one tuple a second: own CPU", usage.own_cpu_percent(), "% of a core", 0.05),
        figure("idle, context switches", usage.switches_per_second(), "a second", 6.0),
    ]
}

/// This program, started anew with [`PROBE`].
fn start(times: usize) -> io::Result<Vec<Absolute>> {
    let program = std::env::current_exe()?;
    let command = || {
        let mut command = Command::new(&program);
        command.arg(PROBE);
        command
    };
    let starts = start::starts(command, FIRST_ACK, times)?;
    Ok(vec![
        Absolute {
            name: "process start to first tuple acked",
            value: starts.elapsed_ms.median,
            unit: "ms",
            at_most: 16.0,
        },
        Absolute {
            name: "resident memory then",
            value: starts.peak_kib.median / 1024.0,
            unit: "MB",
            at_most: 8.0,
        },
    ])
}

/// Emits one tuple a second and says when the first one was acked.
struct FirstSpout {
    next: u64,
}

impl Spout for FirstSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text", "intended_ns"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.next > 0 {
            return Ok(out.idle_for(Duration::from_secs(1)));
        }
        out.emit_with_id((text(self.next), 0i64), self.next);
        self.next += 1;
        Ok(Next::Emitted)
    }

    fn ack(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
        let mut output = io::stdout().lock();
        writeln!(output, "{FIRST_ACK}")?;
        output.flush()?;
        Ok(())
    }
}

/// The part of the process whose start is measured; runs until it is killed, a minute at most.
pub fn probe() {
    let mut builder = builder(1, "parked");
    builder.spout("spout", || FirstSpout { next: 0 });
    builder.bolt("null", || super::runtime::components::NullBolt).shuffle("spout");
    let running = Running::start(&builder);
    parker::sleep(Duration::from_secs(60));
    running.end();
}

/// Emits twice what the bolt can do, as far as it is let, and counts what it may not.
struct FloodSpout {
    shared: Arc<Flood>,
    start_ns: u64,
    next: u64,
}

#[derive(Default)]
struct Flood {
    over: AtomicBool,
    emitted: AtomicU64,
    acked: AtomicU64,
    failed: AtomicU64,
    offered: AtomicU64,
}

/// Tuples offered per second: twice what a bolt of 1 µs can do.
const OFFERED_PER_SECOND: u64 = 2_000_000;

impl Spout for FloodSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.shared.over.load(Ordering::Relaxed) {
            return Ok(Next::IdleUntil(Time::NEVER));
        }
        let now_ns = clock::now_ns();
        let due = (now_ns - self.start_ns) / (1_000_000_000 / OFFERED_PER_SECOND);
        self.shared.offered.store(due, Ordering::Relaxed);
        if self.next >= due {
            return Ok(out.idle_for(Duration::from_micros(1)));
        }
        out.emit_with_id([text(self.next)], self.next);
        self.next += 1;
        self.shared.emitted.store(self.next, Ordering::Relaxed);
        Ok(Next::Emitted)
    }

    fn ack(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.shared.acked.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn fail(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.shared.failed.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// Takes 1 µs for each tuple.
struct SlowBolt;

impl BasicBolt for SlowBolt {
    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        clock::spin_until(clock::now_ns() + 1_000);
        Ok(())
    }
}

fn overload(length: Duration) -> Vec<Absolute> {
    let shared = Arc::new(Flood::default());
    let mut builder = builder(2, "spin-then-park");
    let spout_shared = shared.clone();
    builder.spout("spout", move || FloodSpout {
        shared: spout_shared.clone(),
        start_ns: clock::now_ns(),
        next: 0,
    });
    builder.bolt("slow", || SlowBolt).shuffle("spout");
    let running = Running::start(&builder);
    parker::sleep(length / 5);
    let before_kib = machine::resident().now_kib;
    parker::sleep(length * 4 / 5);
    let after_kib = machine::resident().now_kib;
    shared.over.store(true, Ordering::Relaxed);
    let over_ns = clock::now_ns();
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let done = || count(&shared.acked) + count(&shared.failed) >= count(&shared.emitted);
    while !done() && clock::now_ns() < over_ns + 10_000_000_000 {
        parker::sleep(Duration::from_micros(100));
    }
    let drained_ms = (clock::now_ns() - over_ns) as f64 / 1e6;
    let lost = count(&shared.emitted) - count(&shared.acked);
    running.end();
    eprintln!(
        "hop: overload: {} tuples offered, {} admitted, {} acked",
        count(&shared.offered),
        count(&shared.emitted),
        count(&shared.acked)
    );
    let figure = |name, value, unit, at_most| Absolute { name, value, unit, at_most };
    vec![
        figure("overload: memory, end by start", after_kib as f64 / before_kib as f64, "", 1.05),
        figure("overload: last admitted tuple acked after", drained_ms, "ms", 10.0),
        figure("overload: admitted and not acked", lost as f64, "tuples", 0.0),
    ]
}
