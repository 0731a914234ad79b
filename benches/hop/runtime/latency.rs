//! One hop at a fixed open-loop rate: latency from the intended time to the bolt.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use storm_runtime::prelude::*;

use super::super::clock;
use super::super::open_loop::{Course, Recorder};
use super::super::parker;
use super::super::quantile;
use super::super::sample::{Sample, Subject, Window};
use super::workers::RunningPair;
use super::{Running, builder, text};

/// Time for what is under way when the course is over.
const REST: Duration = Duration::from_millis(20);

/// Spout to bolt at `per_second` tuples a second, on `threads` threads which wait as `profile` says.
pub struct OpenLoop {
    pub per_second: u64,
    pub threads: usize,
    pub profile: &'static str,
    /// Bolts in the chain, at least 1.
    pub bolts: usize,
    pub acked: bool,
}

/// Emits tuple `n` when it is due, and records how late it was itself.
struct PacedSpout {
    course: Course,
    next: u64,
    lateness: Histogram<u64>,
    acked: bool,
    results: Arc<Results>,
}

/// Passes on what it gets.
struct PassBolt;

/// Records the latency of what it gets.
struct RecordBolt {
    recorder: Option<Recorder>,
    results: Arc<Results>,
}

#[derive(Default)]
struct Results {
    latency: Mutex<Option<Histogram<u64>>>,
    lateness: Mutex<Option<Histogram<u64>>>,
}

impl Spout for PacedSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text", "intended_ns"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let intended_ns = self.course.schedule.intended_ns(self.next);
        if self.course.is_over(intended_ns) {
            return Ok(out.idle_for(Duration::from_secs(3_600)));
        }
        let now_ns = clock::now_ns();
        if now_ns < intended_ns {
            return Ok(out.idle_for(Duration::from_nanos(intended_ns - now_ns)));
        }
        let values = (text(self.next), intended_ns as i64);
        if self.acked {
            out.emit_with_id(values, self.next);
        } else {
            out.emit(values);
        }
        if self.course.is_measured(intended_ns) {
            self.lateness.saturating_record(now_ns - intended_ns);
        }
        self.next += 1;
        Ok(Next::Emitted)
    }

    fn close(&mut self) {
        keep(&self.results.lateness, std::mem::replace(&mut self.lateness, quantile::histogram()));
    }
}

impl BasicBolt for PassBolt {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text", "intended_ns"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        out.emit(tuple.values());
        Ok(())
    }
}

impl BasicBolt for RecordBolt {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let intended_ns = tuple.i64(1)? as u64;
        if let Some(recorder) = &mut self.recorder {
            recorder.record(intended_ns);
        }
        Ok(())
    }

    fn cleanup(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            keep(&self.results.latency, recorder.into_latency());
        }
    }
}

fn keep(place: &Mutex<Option<Histogram<u64>>>, histogram: Histogram<u64>) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(histogram);
}

fn taken(place: &Mutex<Option<Histogram<u64>>>) -> Histogram<u64> {
    let kept = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    kept.expect("a closed component has left its histogram")
}

impl OpenLoop {
    /// The topology running, for those who want nothing but that.
    pub fn start(&self, course: Course) -> Running {
        Running::start(&self.topology(course, &Arc::default()))
    }

    /// As [`Subject::block`], with the bolts in another worker.
    pub fn block_between_workers(&self, length: Duration) -> Sample {
        let results = Arc::new(Results::default());
        let course = Course::from_now(self.per_second, length);
        let topology = self.topology(course, &results);
        let running = RunningPair::start(&topology, |component| component != "spout");
        let window = Window::open();
        parker::sleep_until(course.end_ns);
        let sample = window.close(0);
        parker::sleep(REST);
        drop(running);
        sample.with_latency(taken(&results.latency)).with_lateness(taken(&results.lateness))
    }

    /// The topology, following `course`.
    fn topology(&self, course: Course, results: &Arc<Results>) -> TopologyBuilder {
        let mut builder = builder(self.threads, self.profile);
        builder.conf("topology.acker.executors", u64::from(self.acked));
        let (acked, spout_results) = (self.acked, results.clone());
        builder.spout("spout", move || PacedSpout {
            course,
            next: 0,
            lateness: quantile::histogram(),
            acked,
            results: spout_results.clone(),
        });
        let mut last = "spout".to_owned();
        for bolt in 1..self.bolts {
            let name = format!("pass-{bolt}");
            builder.bolt(name.as_str(), || PassBolt).shuffle(last.as_str());
            last = name;
        }
        let results = results.clone();
        let record =
            move || RecordBolt { recorder: Some(Recorder::new(course)), results: results.clone() };
        builder.bolt("record", record).shuffle(last.as_str());
        builder
    }
}

impl Subject for OpenLoop {
    fn name(&self) -> String {
        let Self { threads, profile, bolts, .. } = self;
        let acked = if self.acked { ", acked" } else { "" };
        format!("{bolts} bolt, {threads} thread, {profile}{acked}")
    }

    fn block(&mut self, length: Duration) -> Sample {
        let results = Arc::new(Results::default());
        let course = Course::from_now(self.per_second, length);
        let running = Running::start(&self.topology(course, &results));
        let window = Window::open();
        parker::sleep_until(course.end_ns);
        let sample = window.close(0);
        parker::sleep(REST);
        running.end();
        sample.with_latency(taken(&results.latency)).with_lateness(taken(&results.lateness))
    }
}
