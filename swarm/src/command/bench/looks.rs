//! What workers report of latencies, and what happened between two looks at it. Pure.
//!
//! A report's histograms are summed over the worker's life and count nanoseconds, so the later one
//! less the earlier one is what happened in between, whenever one looks.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use nimbus_client::native::WorkerReport;
use serde::{Deserialize, Serialize};

use super::report::ProcessUse;

/// A worker, a component, and of what the latency is.
type Key = (String, String, String);

/// A histogram that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("worker {worker} reports a histogram of {component} that cannot be read: {why}")]
pub struct LookError {
    worker: String,
    component: String,
    why: String,
}

/// All reports of a topology's workers at one time.
#[derive(Clone, Debug, Default)]
pub struct Look {
    histograms: BTreeMap<Key, Histogram<u64>>,
    workers: BTreeMap<String, Worker>,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    port: i32,
    pid: i32,
    cpu_secs: f64,
    resident_bytes: i64,
    /// When it reported, in seconds since its start.
    told_secs: i32,
}

/// Quantiles of one kind of latency, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Number of samples.
    pub samples: u64,
    /// Half of them are at most this.
    pub p50_us: f64,
    /// Nine of ten.
    pub p90_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// 999 of 1,000.
    pub p999_us: f64,
    /// 9,999 of 10,000; only where there are a hundred samples beyond it.
    pub p9999_us: Option<f64>,
    /// The largest.
    pub max_us: f64,
}

/// Samples from which the 99.99th percentile says something.
const SAMPLES_FOR_P9999: u64 = 1_000_000;

/// What happened between two looks, by kind of latency.
#[derive(Clone, Debug, Default)]
pub struct Between {
    /// Histograms over all workers and components of a kind.
    pub by_kind: BTreeMap<String, Histogram<u64>>,
}

impl Look {
    /// What these reports say.
    ///
    /// # Errors
    /// A histogram that cannot be read.
    pub fn of(reports: &[WorkerReport]) -> Result<Self, LookError> {
        let mut look = Self::default();
        for report in reports {
            let worker = Worker {
                port: report.port,
                pid: report.pid,
                cpu_secs: report.cpu_seconds.0,
                resident_bytes: report.resident_bytes,
                told_secs: report.heartbeat.uptime_secs,
            };
            look.workers.insert(report.worker_id.clone(), worker);
            for one in &report.histograms {
                let read = Deserializer::new().deserialize(&mut one.hdr_v2.as_slice());
                let histogram: Histogram<u64> = read.map_err(|why| LookError {
                    worker: report.worker_id.clone(),
                    component: one.component_id.clone(),
                    why: format!("{why:?}"),
                })?;
                let key = (report.worker_id.clone(), one.component_id.clone(), one.kind.clone());
                look.histograms.insert(key, histogram);
            }
        }
        Ok(look)
    }

    /// What was added since `before`. A worker that is new since then counts as a whole.
    pub fn since(&self, before: &Self) -> Between {
        let mut between = Between::default();
        for (key, now) in &self.histograms {
            let mut added = now.clone();
            let fits = before.histograms.get(key).is_none_or(|old| added.subtract(old).is_ok());
            let added = if fits { added } else { now.clone() };
            let sum = between.by_kind.entry(key.2.clone()).or_insert_with(|| empty(now));
            // Histograms of one kind have one range; a stranger's larger values are cut to it.
            for value in added.iter_recorded() {
                sum.saturating_record_n(value.value_iterated_to(), value.count_at_value());
            }
        }
        between.by_kind.retain(|_, histogram| !histogram.is_empty());
        between
    }

    /// Whether every worker has reported again since `before`, that many seconds later at least.
    pub fn is_later(&self, secs: i32, before: &Self) -> bool {
        self.workers.iter().all(|(id, now)| {
            before.workers.get(id).is_some_and(|old| now.told_secs >= old.told_secs + secs)
        })
    }

    /// What each worker used since `before`.
    pub fn processes_since(&self, before: &Self, spent: Duration) -> Vec<ProcessUse> {
        let used = |(id, now): (&String, &Worker)| {
            let old = before.workers.get(id).map_or(0.0, |old| old.cpu_secs);
            ProcessUse {
                what: format!("worker on port {}", now.port),
                pid: u32::try_from(now.pid).unwrap_or(0),
                cpu_percent: (now.cpu_secs - old).max(0.0) / spent.as_secs_f64() * 100.0,
                resident_bytes: u64::try_from(now.resident_bytes).unwrap_or(0),
            }
        };
        self.workers.iter().map(used).collect()
    }
}

fn empty(like: &Histogram<u64>) -> Histogram<u64> {
    let mut empty = like.clone();
    empty.reset();
    empty.auto(true);
    empty
}

impl Between {
    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }

    /// Samples of all kinds.
    pub fn samples(&self) -> u64 {
        self.by_kind.values().map(Histogram::len).sum()
    }

    /// Quantiles of each kind.
    pub fn quantiles(&self) -> BTreeMap<String, Quantiles> {
        self.by_kind
            .iter()
            .map(|(kind, histogram)| (kind.clone(), Quantiles::of(histogram)))
            .collect()
    }
}

impl Quantiles {
    /// Quantiles of a histogram of nanoseconds.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        let enough = histogram.len() >= SAMPLES_FOR_P9999;
        Self {
            samples: histogram.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: enough.then(|| at(0.9999)),
            max_us: histogram.max() as f64 / 1000.0,
        }
    }

    /// Names and values, the smallest first.
    pub fn rows(&self) -> Vec<(&'static str, f64)> {
        let mut rows = vec![
            ("p50", self.p50_us),
            ("p90", self.p90_us),
            ("p99", self.p99_us),
            ("p99.9", self.p999_us),
        ];
        rows.extend(self.p9999_us.map(|value| ("p99.99", value)));
        rows.push(("max", self.max_us));
        rows
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use hdrhistogram::serialization::{Serializer, V2Serializer};
    use nimbus_client::native::LatencyHistogram;
    use nimbus_client::thrift::ClusterWorkerHeartbeat;
    use nimbus_client::wire::OrderedFloat;

    use super::*;

    fn report(worker: &str, values: &[u64], cpu_secs: f64) -> WorkerReport {
        let mut histogram: Histogram<u64> = Histogram::new(3).unwrap();
        values.iter().for_each(|value| histogram.record(*value).unwrap());
        let mut hdr = Vec::new();
        V2Serializer::new().serialize(&histogram, &mut hdr).unwrap();
        let heartbeat = ClusterWorkerHeartbeat::new("t-1-1".to_owned(), BTreeMap::new(), 1, 1);
        let histograms =
            vec![LatencyHistogram::new("spout".to_owned(), "complete".to_owned(), hdr)];
        WorkerReport::new(
            worker.to_owned(),
            "t-1-1".to_owned(),
            6700,
            heartbeat,
            vec![],
            histograms,
            7,
            1 << 20,
            OrderedFloat(cpu_secs),
            BTreeMap::new(),
        )
    }

    #[test]
    fn what_happened_between_two_looks_is_the_difference_over_all_workers() {
        let before = Look::of(&[report("a", &[1000, 2000], 1.0)]).unwrap();
        let after =
            Look::of(&[report("a", &[1000, 2000, 8000], 2.0), report("b", &[4000], 0.5)]).unwrap();
        let between = after.since(&before);
        assert_eq!(between.samples(), 2);
        let quantiles = between.quantiles()["complete"];
        assert_eq!(quantiles.samples, 2);
        assert!((quantiles.p50_us - 4.0).abs() < 0.1 && (quantiles.max_us - 8.0).abs() < 0.1);
        assert_eq!(quantiles.p9999_us, None);
        let processes = after.processes_since(&before, Duration::from_secs(2));
        assert_eq!(processes.iter().map(|one| one.cpu_percent).collect::<Vec<_>>(), [50.0, 25.0]);
        assert!(before.since(&before).is_empty());
    }

    #[test]
    fn a_look_is_later_when_every_worker_has_told_later() {
        let told = |worker: &str, secs| {
            let mut report = report(worker, &[1], 0.0);
            report.heartbeat.uptime_secs = secs;
            report
        };
        let before = Look::of(&[told("a", 5), told("b", 9)]).unwrap();
        let after = |a, b| Look::of(&[told("a", a), told("b", b)]).unwrap();
        assert!(after(7, 11).is_later(2, &before));
        assert!(!after(7, 10).is_later(2, &before));
        assert!(!Look::of(&[told("c", 100)]).unwrap().is_later(2, &before));
    }

    #[test]
    fn a_histogram_that_was_begun_anew_counts_as_a_whole() {
        let before = Look::of(&[report("a", &[1000, 1000], 1.0)]).unwrap();
        let after = Look::of(&[report("a", &[5000], 1.0)]).unwrap();
        assert_eq!(after.since(&before).samples(), 1);
    }

    #[test]
    fn bytes_that_are_no_histogram_are_told_with_worker_and_component() {
        let mut broken = report("a", &[1], 0.0);
        broken.histograms[0].hdr_v2 = vec![1, 2, 3];
        let told = Look::of(&[broken]).expect_err("broken").to_string();
        assert!(
            told.starts_with("worker a reports a histogram of spout that cannot be read"),
            "{told}"
        );
    }
}
