//! Reports of workers come out in summaries, pages and metrics.

use std::collections::BTreeMap;

use nimbus_client::native::{
    LatencyHistogram, ReportedError, TSupervisorGateSyncClient, WorkerReport,
};
use nimbus_client::thrift::*;
use serde_json::json;

use crate::bench::*;

type Windows<T> = BTreeMap<String, BTreeMap<T, i64>>;

fn windows<T: Ord + Clone>(stream: &T, count: i64) -> Windows<T> {
    let of = |window: &str, share| {
        (window.to_owned(), BTreeMap::from([(stream.clone(), count / share)]))
    };
    [of("600", 2), of("10800", 1), of("86400", 1), of(":all-time", 1)].into()
}

fn latencies<T: Ord + Clone>(
    stream: &T,
    ms: f64,
) -> BTreeMap<String, BTreeMap<T, thrift::OrderedFloat<f64>>> {
    ["600", "10800", "86400", ":all-time"]
        .map(|window| (window.to_owned(), BTreeMap::from([(stream.clone(), ms.into())])))
        .into()
}

fn stats(component: &str, count: i64) -> ExecutorStats {
    let stream = "default".to_owned();
    let specific = if component == "words" {
        ExecutorSpecificStats::Spout(SpoutStats {
            acked: windows(&stream, count),
            failed: windows(&stream, 2),
            complete_ms_avg: latencies(&stream, 3.0),
        })
    } else {
        let from = GlobalStreamId::new("words".to_owned(), stream.clone());
        ExecutorSpecificStats::Bolt(BoltStats {
            acked: windows(&from, count),
            failed: windows(&from, 0),
            process_ms_avg: latencies(&from, 2.0),
            executed: windows(&from, count),
            execute_ms_avg: latencies(&from, 1.0),
        })
    };
    ExecutorStats {
        emitted: windows(&stream, count),
        transferred: windows(&stream, count * 2),
        specific,
        rate: 1.0.into(),
    }
}

/// A hop histogram with one value in V2 encoding.
fn histogram(value: u64) -> LatencyHistogram {
    use hdrhistogram::serialization::{Serializer, V2Serializer};
    let mut histogram = hdrhistogram::Histogram::<u64>::new(3).expect("three digits");
    histogram.record(value).expect("resizes");
    let mut hdr_v2 = Vec::new();
    V2Serializer::new().serialize(&histogram, &mut hdr_v2).expect("serializes");
    LatencyHistogram { component_id: "count".to_owned(), kind: "hop".to_owned(), hdr_v2 }
}

fn report(id: &str, info: &TopologyInfo, error: Option<&str>) -> WorkerReport {
    let executors = info.executors.iter();
    let stats = executors.map(|one| (one.executor_info.clone(), stats(&one.component_id, 100)));
    let error = error.map(|error| ReportedError {
        component_id: "count".to_owned(),
        task: 1,
        error: error.to_owned(),
        time_ms: 1_700_000_000_000,
    });
    WorkerReport {
        worker_id: "w".to_owned(),
        topology_id: id.to_owned(),
        port: 6700,
        heartbeat: ClusterWorkerHeartbeat {
            storm_id: id.to_owned(),
            executor_stats: stats.collect(),
            time_secs: 1,
            uptime_secs: 100,
        },
        errors: error.into_iter().collect(),
        histograms: vec![histogram(7)],
        pid: 1,
        resident_bytes: 1 << 20,
        cpu_seconds: 0.5.into(),
        metrics: BTreeMap::new(),
    }
}

struct Reported {
    bench: Bench,
    client: Client,
    id: String,
    supervisor: Supervisor,
}

/// A topology on one worker that reported twice.
fn reported() -> Reported {
    let bench = Bench::new();
    let supervisor = Supervisor::join(&bench, "a", 6700..6701);
    let mut client = bench.client();
    let id = submit(&mut client, "wc", json!({"topology.acker.executors": 1}));
    until("the assignment is pushed", || supervisor.assigned(&id));
    let info = client.get_topology_info(id.clone()).expect("alive");
    let mut gate = bench.gate();
    for error in [None, Some("refused number 3")] {
        let reports = vec![report(&id, &info, error)];
        gate.report_workers(supervisor.id.clone(), reports).expect("taken");
    }
    Reported { bench, client, id, supervisor }
}

#[test]
fn a_topologys_page_adds_its_executors_up() {
    let Reported { bench: _bench, mut client, id, supervisor: _supervisor } = reported();
    let page = client.get_topology_page_info(id.clone(), "600".to_owned(), false).expect("alive");
    let spouts = page.id_to_spout_agg_stats.expect("spouts");
    let words = spouts["words"].common_stats.clone().expect("sums");
    assert_eq!((words.emitted, words.transferred, words.acked), (Some(100), Some(200), Some(100)));
    assert_eq!((words.failed, words.num_executors, words.num_tasks), (Some(2), Some(2), Some(2)));
    let bolts = page.id_to_bolt_agg_stats.expect("bolts");
    assert_eq!(bolts.keys().collect::<Vec<_>>(), ["count"], "system components were not wanted");
    let Some(SpecificAggregateStats::Bolt(count)) = &bolts["count"].specific_stats else {
        panic!("count is a bolt");
    };
    assert_eq!((count.executed, count.execute_latency_ms), (Some(100), Some(1.0.into())));
    assert_eq!(count.capacity, Some((50.0 * 1.0 / 100_000.0).into()));
    let error = bolts["count"].last_error.clone().expect("an error");
    assert_eq!((error.error.as_str(), error.port), ("refused number 3", Some(6700)));
    let all = page.topology_stats.expect("sums");
    assert_eq!(all.window_to_acked.expect("acks")[":all-time"], 200);
    assert_eq!(all.window_to_complete_latencies_ms.expect("latencies")["600"].0, 3.0);
    let with_system = client.get_topology_page_info(id, "600".to_owned(), true).expect("alive");
    let bolts = with_system.id_to_bolt_agg_stats.expect("bolts");
    assert_eq!(bolts.keys().collect::<Vec<_>>(), ["__acker", "count"]);
    let workers = with_system.workers.expect("workers");
    assert_eq!((workers.len(), workers[0].uptime_secs), (1, Some(100)));
}

#[test]
fn a_components_page_has_its_streams_windows_and_executors() {
    let Reported { bench: _bench, mut client, id, supervisor: _supervisor } = reported();
    let page = client
        .get_component_page_info(id.clone(), "count".to_owned(), ":all-time".to_owned(), true)
        .expect("there");
    assert_eq!(page.window_to_stats.expect("windows").len(), 4);
    let inputs = page.gsid_to_input_stats.expect("inputs");
    let (from, sums) = inputs.first_key_value().expect("one input");
    assert_eq!((from.component_id.as_str(), inputs.len()), ("words", 1));
    assert!(matches!(
        &sums.specific_stats,
        Some(SpecificAggregateStats::Bolt(bolt)) if bolt.executed == Some(200)
    ));
    assert_eq!(page.exec_stats.expect("executors").len(), 2);
    assert_eq!(page.errors.expect("errors").len(), 1);
    let page = client
        .get_component_page_info(id, "words".to_owned(), "600".to_owned(), true)
        .expect("there");
    let outputs = page.sid_to_output_stats.expect("outputs");
    assert_eq!(outputs["default"].common_stats.clone().expect("sums").emitted, Some(100));
}

#[test]
fn the_last_reports_are_answered_with_latencies_since_the_worker_began() {
    let Reported { bench, id, supervisor: _supervisor, .. } = reported();
    let reports = bench.gate().worker_reports(id).expect("alive");
    assert_eq!(reports.len(), 1);
    let bytes = &reports[0].histograms[0].hdr_v2;
    let mut read = hdrhistogram::serialization::Deserializer::new();
    let sum: hdrhistogram::Histogram<u64> =
        read.deserialize(&mut bytes.as_slice()).expect("readable");
    assert_eq!(sum.len(), 2, "each report had one value");
    check_refused(
        bench.gate().worker_reports("wc-9-9".to_owned()),
        "NotAliveException",
        "wc-9-9 is not alive",
    );
}

#[test]
fn a_report_for_a_slot_that_is_not_assigned_is_passed_over() {
    let Reported { bench, mut client, id, supervisor } = reported();
    let info = client.get_topology_info(id.clone()).expect("alive");
    let elsewhere = WorkerReport { port: 6709, ..report(&id, &info, None) };
    let gone = WorkerReport { topology_id: "gone-1-1".to_owned(), ..report(&id, &info, None) };
    bench.gate().report_workers(supervisor.id.clone(), vec![elsewhere, gone]).expect("taken");
    assert_eq!(bench.gate().worker_reports(id).expect("alive").len(), 1);
}

#[test]
fn metrics_have_counters_of_nimbus_of_components_and_of_methods() {
    let Reported { bench, supervisor: _supervisor, .. } = reported();
    let text = bench.metrics();
    for line in [
        "nimbus_num_topologies 1",
        "nimbus_num_supervisors 1",
        "nimbus_topologies_submitted_total 1",
        "nimbus_worker_reports_total 2",
        "storm_topology_emit_count_total{topology=\"wc\",component=\"words\"} 200",
        "storm_topology_execute_count_total{topology=\"wc\",component=\"count\"} 200",
        "storm_worker_memory_resident_bytes{topology=\"wc\",port=\"6700\"} 1048576",
        "nimbus_thrift_calls_total{method=\"submitTopology\"} 1",
        "nimbus_thrift_call_seconds_count{method=\"submitTopology\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
}
