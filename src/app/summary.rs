//! What a run came to, for people and for programs. Pure: values in, text or JSON out.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::describe::role;
use super::report::Report;
use super::words::{count, rate, time};
use crate::component::ReportedError;
use crate::counter::Latencies;
use crate::local::{ExecutorStats, TopologyStats};
use crate::topology::{Component, Topology};

/// Version of the JSON object: a change that a reader must know of raises it; a new key does not.
const FORMAT: u32 = 1;

/// Samples from which the 99.99th percentile says something.
const SAMPLES_FOR_P9999: u64 = 1_000_000;

/// Errors that the text shows; the JSON object has all that were kept.
const ERRORS_SHOWN: usize = 5;

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum EndedBy {
    Duration,
    Signal,
    /// All spouts have finished and all is processed.
    Finished,
    /// Nobody reads the output any more, so there is nobody to tell.
    ReaderGone,
}

/// All that is known of a run.
pub(super) struct Summary<'a> {
    pub name: &'a str,
    pub topology: &'a Topology,
    pub stats: &'a TopologyStats,
    pub ended_by: EndedBy,
    pub drained: bool,
    pub errors: &'a [ReportedError],
    pub throttled_errors: u64,
    pub report: &'a Report,
}

/// Counts of one component, over all its executors.
#[derive(Default)]
struct ComponentCounts {
    emitted: u64,
    transferred: u64,
    executed: u64,
    acked: u64,
    failed: u64,
    timed_out: u64,
    errors: u64,
    restarts: u64,
    dropped: u64,
}

impl ComponentCounts {
    fn of<'a>(executors: impl Iterator<Item = &'a ExecutorStats>) -> Self {
        let mut sum = Self::default();
        for executor in executors {
            for output in executor.outputs.values() {
                sum.emitted += output.emitted;
                sum.transferred += output.transferred;
                sum.acked += output.acked;
                sum.failed += output.failed;
            }
            // A tick is answered too, but it is no tuple of the topology's.
            let tuples = executor.inputs.iter().filter(|((from, _), _)| !from.is_reserved());
            for (_, input) in tuples {
                sum.acked += input.acked;
                sum.failed += input.failed;
            }
            sum.executed += executor.executed();
            sum.timed_out += executor.timed_out;
            sum.errors += executor.errors;
            sum.restarts += executor.restarts;
            sum.dropped += executor.dropped;
        }
        sum
    }
}

impl Summary<'_> {
    /// The summary for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for line in &self.report.lines {
            let _ = writeln!(text, "{line}");
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "{} ran for {}, until {}", self.name, self.uptime(), self.end());
        text.push('\n');
        text += &self.table();
        text.push('\n');
        let _ = writeln!(text, "complete latency: {}", self.latency());
        let pending = self.stats.pending();
        if !self.drained && pending > 0 {
            let _ = writeln!(text, "pending at the end: {}", count(pending));
        }
        self.write_errors(&mut text);
        text
    }

    fn uptime(&self) -> String {
        format!("{:.3} s", self.stats.uptime.as_secs_f64())
    }

    fn end(&self) -> &'static str {
        match self.ended_by {
            EndedBy::Duration => "its time was up",
            EndedBy::Signal => "it was interrupted",
            EndedBy::Finished => "it had finished",
            EndedBy::ReaderGone => "nobody read its output",
        }
    }

    /// The author's components in flow order, with their counts.
    fn components(&self) -> Vec<(&Component, ComponentCounts)> {
        let mut ids = Vec::new();
        for executor in &self.stats.executors {
            if !executor.component.is_reserved() && !ids.contains(&&executor.component) {
                ids.push(&executor.component);
            }
        }
        let known = self.topology.components();
        let counted = ids.into_iter().filter_map(|id| {
            Some((known.get(id)?, ComponentCounts::of(self.stats.component(id.as_str()))))
        });
        counted.collect()
    }

    fn table(&self) -> String {
        let head = ["component", "tasks", "emitted", "executed", "acked", "failed", "per second"];
        let mut rows = vec![head.map(str::to_owned)];
        for (component, counts) in self.components() {
            let is_spout = role(&component.role) == "spout";
            let events = if is_spout { counts.emitted } else { counts.executed };
            rows.push([
                component.id.to_string(),
                component.tasks.to_string(),
                count(counts.emitted),
                if is_spout { String::new() } else { count(counts.executed) },
                count(counts.acked),
                count(counts.failed),
                rate(events, self.stats.uptime),
            ]);
        }
        let width = |column: usize| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let mut text = String::new();
        for row in &rows {
            let _ = write!(text, "{:width$}", row[0], width = widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                let _ = write!(text, "  {cell:>width$}");
            }
            text.push('\n');
        }
        text
    }

    /// Whether a message's tree is followed at all.
    fn is_tracked(&self) -> bool {
        self.topology.conf().acker_executors > 0
    }

    fn latency(&self) -> String {
        let latencies = self.stats.complete_latency();
        if !self.is_tracked() {
            return "not measured, for there are no ackers".to_owned();
        }
        let messages = latencies.count();
        if messages == 0 {
            return "not measured, for no message was acked".to_owned();
        }
        let mut text = String::new();
        for (name, value) in percentiles(&latencies) {
            let _ = write!(text, "{name} {}, ", time(value));
        }
        format!("{text}max {} ({} messages)", time(latencies.max()), count(messages))
    }

    fn write_errors(&self, text: &mut String) {
        let counted: u64 = self.stats.executors.iter().map(|executor| executor.errors).sum();
        if counted == 0 {
            return;
        }
        let _ = writeln!(text, "errors: {}", count(counted));
        for error in self.errors.iter().take(ERRORS_SHOWN) {
            let _ = writeln!(text, "  {}:{} {}", error.component, error.task, error.message);
        }
    }

    /// The summary for programs.
    pub fn to_json(&self) -> Json {
        let seconds = self.stats.uptime.as_secs_f64();
        let per_second = |events: u64| if seconds > 0.0 { events as f64 / seconds } else { 0.0 };
        let components: Vec<Json> = self
            .components()
            .into_iter()
            .map(|(component, counts)| {
                json!({
                    "id": component.id.as_str(),
                    "role": role(&component.role),
                    "executors": component.executors,
                    "tasks": component.tasks,
                    "emitted": counts.emitted,
                    "transferred": counts.transferred,
                    "executed": counts.executed,
                    "acked": counts.acked,
                    "failed": counts.failed,
                    "timed_out": counts.timed_out,
                    "dropped": counts.dropped,
                    "errors": counts.errors,
                    "restarts": counts.restarts,
                    "emitted_per_s": per_second(counts.emitted),
                    "executed_per_s": per_second(counts.executed),
                    "acked_per_s": per_second(counts.acked),
                })
            })
            .collect();
        let errors = self.errors.iter().map(|error| {
            json!({
                "component": error.component.as_str(),
                "task": error.task.0,
                "message": error.message,
            })
        });
        json!({
            "format": FORMAT,
            "topology": self.name,
            "seconds": seconds,
            "ended_by": match self.ended_by {
                EndedBy::Duration => "duration",
                EndedBy::Signal => "signal",
                EndedBy::Finished => "finished",
                EndedBy::ReaderGone => "reader-gone",
            },
            "drained": self.drained,
            "pending": self.stats.pending(),
            "components": components,
            "complete_latency_ns": self.latency_json(),
            "errors": errors.collect::<Vec<_>>(),
            "throttled_errors": self.throttled_errors,
            "report": self.report.values,
        })
    }

    /// Null where nothing was measured.
    fn latency_json(&self) -> Json {
        let latencies = self.stats.complete_latency();
        if !self.is_tracked() || latencies.count() == 0 {
            return Json::Null;
        }
        let nanos = |time: Duration| Json::from(time.as_nanos() as u64);
        let mut object = Map::new();
        object.insert("count".to_owned(), latencies.count().into());
        object.insert("mean".to_owned(), nanos(latencies.mean()));
        for (name, value) in percentiles(&latencies) {
            object.insert(name.to_owned(), nanos(value));
        }
        object.insert("max".to_owned(), nanos(latencies.max()));
        object.into()
    }
}

/// The percentiles that so many samples support.
fn percentiles(latencies: &Latencies) -> impl Iterator<Item = (&'static str, Duration)> {
    let many = latencies.count() >= SAMPLES_FOR_P9999;
    let percents = [("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("p99.99", 99.99)];
    let supported = percents.into_iter().take(if many { 4 } else { 3 });
    supported.filter_map(|(name, percent)| Some((name, latencies.percentile(percent)?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::LatencyCounts;

    #[test]
    fn the_far_tail_needs_a_million_samples() {
        let counts = LatencyCounts::default();
        counts.record(3_000, SAMPLES_FOR_P9999 - 1);
        let names = |latencies: &Latencies| percentiles(latencies).map(|(name, _)| name).last();
        assert_eq!(names(&counts.read()), Some("p99.9"));
        counts.record(3_000, 1);
        assert_eq!(names(&counts.read()), Some("p99.99"));
    }
}
