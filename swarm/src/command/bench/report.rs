//! What a measurement came to: as words and a plot for a terminal, and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::looks::{Between, Quantiles};
use crate::args::Latency;
use crate::output::{Table, grouped};

/// Width of the longest bar of the plot, in characters.
const BAR: f64 = 48.0;

/// What one process used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProcessUse {
    /// Which process.
    pub what: String,
    /// Its id on its machine.
    pub pid: u32,
    /// CPU time by time, 100 for one core.
    pub cpu_percent: f64,
    /// Resident memory at the end.
    pub resident_bytes: u64,
}

/// One second of the measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Second {
    /// Its end, from the begin of the measurement.
    pub at_s: f64,
    /// Quantiles by kind of latency.
    pub latencies: BTreeMap<String, Quantiles>,
}

/// One kind of latency.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kind {
    /// What is measured: `complete` is from the time a tuple was due to its ack, `hop` from one
    /// worker to another.
    pub kind: String,
    /// Samples per second; none where nobody asked.
    pub per_s: Option<f64>,
    /// Its quantiles.
    #[serde(flatten)]
    pub quantiles: Quantiles,
    /// Fraction of all samples up to a latency in microseconds, for the curve.
    pub curve: Vec<(f64, f64)>,
}

/// A latency of the cluster in that of a bare TCP echo.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ratio {
    /// Of their medians.
    pub p50: f64,
    /// Of their 99th percentiles.
    pub p99: f64,
}

impl Kind {
    /// What a histogram of nanoseconds says.
    pub fn of(kind: &str, histogram: &Histogram<u64>, spent: Option<Duration>) -> Self {
        let curve = histogram.iter_quantiles(2);
        let curve =
            curve.map(|step| (step.quantile_iterated_to(), step.value_iterated_to() as f64 / 1e3));
        Self {
            kind: kind.to_owned(),
            per_s: spent.map(|spent| histogram.len() as f64 / spent.as_secs_f64()),
            quantiles: Quantiles::of(histogram),
            curve: curve.collect(),
        }
    }

    fn over(&self, limit: &Self) -> Ratio {
        let (own, limit) = (&self.quantiles, &limit.quantiles);
        Ratio { p50: own.p50_us / limit.p50_us, p99: own.p99_us / limit.p99_us }
    }
}

/// A whole measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Tuples per second that were asked for.
    pub rate: u32,
    /// Worker processes.
    pub workers: u32,
    /// The topology in the binary.
    pub topology: String,
    /// How long was measured, in seconds.
    pub duration_s: f64,
    /// Each kind of latency.
    pub kinds: Vec<Kind>,
    /// The same latencies of a bare TCP echo at the same rate, if they were measured.
    pub limits: Vec<Kind>,
    /// How much more the cluster took than that, by kind.
    pub ratios: BTreeMap<String, Ratio>,
    /// What each process used.
    pub processes: Vec<ProcessUse>,
    /// The course of it.
    pub seconds: Vec<Second>,
}

impl Report {
    /// Puts together what was measured.
    pub fn new(
        asked: &Latency,
        spent: Duration,
        between: &Between,
        seconds: Vec<(f64, BTreeMap<String, Quantiles>)>,
        processes: Vec<ProcessUse>,
    ) -> Self {
        let kinds = between.by_kind.iter();
        let kinds = kinds.map(|(kind, histogram)| Kind::of(kind, histogram, Some(spent)));
        Self {
            rate: asked.rate,
            workers: asked.workers,
            topology: asked.topology.clone(),
            duration_s: spent.as_secs_f64(),
            kinds: kinds.collect(),
            limits: Vec::new(),
            ratios: BTreeMap::new(),
            processes,
            seconds: seconds
                .into_iter()
                .map(|(at_s, latencies)| Second { at_s, latencies })
                .collect(),
        }
    }

    /// The same measurement beside a bare TCP echo.
    pub fn beside(mut self, limits: Vec<Kind>) -> Self {
        for own in &self.kinds {
            if let Some(limit) = limits.iter().find(|limit| limit.kind == own.kind) {
                self.ratios.insert(own.kind.clone(), own.over(limit));
            }
        }
        self.limits = limits;
        self
    }

    /// Each latency with the name under which it is shown.
    pub(super) fn rows(&self) -> impl Iterator<Item = (String, &Kind)> {
        let own = self.kinds.iter().map(|one| (one.kind.clone(), one));
        own.chain(self.limits.iter().map(|one| (format!("bare TCP, {}", one.kind), one)))
    }

    /// The measurement for a terminal.
    pub fn in_words(&self) -> String {
        let mut text = format!(
            "{}: {} tuples/s asked for, {} workers, {:.0} s\n\n",
            self.topology,
            grouped(self.rate.into()),
            self.workers,
            self.duration_s
        );
        let mut table = Table::new(&[
            "latency", "samples", "per s", "p50", "p90", "p99", "p99.9", "p99.99", "max",
        ]);
        for (name, one) in self.rows() {
            let q = &one.quantiles;
            let row = [q.p50_us, q.p90_us, q.p99_us, q.p999_us].map(in_unit);
            let per_s = one.per_s.map_or("-".to_owned(), |per_s| grouped(per_s.round() as u64));
            let counts = [grouped(q.samples), per_s];
            let rest = [q.p9999_us.map_or("-".to_owned(), in_unit), in_unit(q.max_us)];
            table.row([name].into_iter().chain(counts).chain(row).chain(rest));
        }
        text += &table.render();
        for (kind, ratio) in &self.ratios {
            let Ratio { p50, p99 } = ratio;
            text += &format!(
                "\n{kind}: p50 {p50:.2} times, p99 {p99:.2} times that of a bare TCP echo"
            );
        }
        if !self.ratios.is_empty() {
            text += "\n";
        }
        for one in &self.kinds {
            text +=
                &format!("\n{}, on a logarithmic scale\n{}", one.kind, bars(&one.quantiles.rows()));
        }
        let mut table = Table::new(&["process", "pid", "cpu", "memory MiB"]);
        for one in &self.processes {
            let memory = one.resident_bytes as f64 / f64::from(1 << 20);
            table.row([
                one.what.clone(),
                one.pid.to_string(),
                format!("{:.1}%", one.cpu_percent),
                format!("{memory:.1}"),
            ]);
        }
        text + "\n" + &table.render()
    }
}

/// Microseconds in the unit in which they read well.
pub(super) fn in_unit(us: f64) -> String {
    match us {
        us if us < 1000.0 => format!("{us:.1} us"),
        us if us < 1_000_000.0 => format!("{:.2} ms", us / 1000.0),
        us => format!("{:.2} s", us / 1_000_000.0),
    }
}

/// A bar for each value, as long as its logarithm between the smallest and the largest.
fn bars(rows: &[(&'static str, f64)]) -> String {
    let logs: Vec<f64> = rows.iter().map(|(_, value)| value.max(0.001).ln()).collect();
    let low = logs.iter().copied().fold(f64::INFINITY, f64::min);
    let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = (high - low).max(f64::EPSILON);
    let mut text = String::new();
    for ((name, value), log) in rows.iter().zip(logs) {
        let length = 1.0 + (BAR - 1.0) * (log - low) / span;
        let bar = "█".repeat(length.round() as usize);
        text += &format!("  {name:<7} {bar} {}\n", in_unit(*value));
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn report() -> Report {
        let mut histogram: Histogram<u64> = Histogram::new(3).unwrap();
        (1..=1000).for_each(|us| histogram.record(us * 1000).unwrap());
        let between = Between { by_kind: BTreeMap::from([("complete".to_owned(), histogram)]) };
        let asked = Latency {
            rate: 100,
            duration: Duration::from_secs(10),
            warm_up: Duration::ZERO,
            limit: Duration::ZERO,
            workers: 2,
            binary: None,
            topology: "low-throughput".to_owned(),
            html: None,
        };
        let process = ProcessUse {
            what: "worker on port 6700".to_owned(),
            pid: 7,
            cpu_percent: 12.34,
            resident_bytes: 3 << 20,
        };
        let seconds = (1..=3).map(|at| (f64::from(at), between.quantiles())).collect();
        Report::new(&asked, Duration::from_secs(10), &between, seconds, vec![process])
    }

    #[test]
    fn a_report_tells_quantiles_rate_processes_and_has_a_plot() {
        let text = report().in_words();
        let row = text.lines().find(|line| line.starts_with("complete ")).unwrap();
        for part in ["1,000", "100", "500.", "990.", "999.", "1.00 ms"] {
            assert!(row.contains(part), "{row} has no {part}");
        }
        assert!(text.contains("worker on port 6700    7  12.3%         3.0"), "{text}");
        assert!(text.contains("  p50     █"), "{text}");
        let longest =
            text.lines().filter(|line| line.starts_with("  ")).map(|l| l.matches('█').count());
        assert_eq!(longest.max(), Some(BAR as usize));
    }

    #[test]
    fn a_limit_stands_beside_the_latency_of_its_kind() {
        let mut limits = report().kinds;
        limits[0].quantiles.p50_us /= 2.0;
        limits[0].quantiles.p99_us /= 4.0;
        let report = report().beside(limits);
        let text = report.in_words();
        assert!(text.lines().any(|line| line.starts_with("bare TCP, complete ")), "{text}");
        let told = "complete: p50 2.00 times, p99 4.00 times that of a bare TCP echo\n";
        assert!(text.contains(told), "{text}");
        let document = serde_json::to_value(&report).unwrap();
        assert_eq!(document["ratios"]["complete"]["p99"], 4.0);
        assert_eq!(document["limits"][0]["samples"], 1000);
        let page = super::super::page::page(&report);
        assert!(page.contains("bare TCP, complete") && page.contains("2.00 times"), "{page}");
    }

    #[test]
    fn microseconds_are_told_in_the_unit_that_reads_well() {
        assert_eq!(in_unit(12.34), "12.3 us");
        assert_eq!(in_unit(1234.0), "1.23 ms");
        assert_eq!(in_unit(2_500_000.0), "2.50 s");
    }

    #[test]
    fn the_document_has_what_the_table_has() {
        let document = serde_json::to_value(report()).unwrap();
        assert_eq!(document["kinds"][0]["kind"], "complete");
        assert_eq!(document["kinds"][0]["samples"], 1000);
        assert_eq!(document["processes"][0]["pid"], 7);
        assert_eq!(document["seconds"].as_array().unwrap().len(), 3);
    }
}
