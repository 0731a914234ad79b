//! A Nimbus that answers from a list of topologies and writes down what it was told.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};
use nimbus_client::native::{LatencyHistogram, WorkerReport};
use nimbus_client::thrift::{
    BoltStats, ClusterSummary, ClusterWorkerHeartbeat, ErrorInfo, ExecutorInfo,
    ExecutorSpecificStats, ExecutorStats, ExecutorSummary, GlobalStreamId, NimbusSummary,
    NotAliveException, SpoutStats, SupervisorSummary, TopologyInfo, TopologySummary,
};
use nimbus_client::wire::{Limits, OrderedFloat, TSerializable, frame, message_header, to_bytes};

/// A Nimbus on a port of its own, for as long as the test runs.
pub struct Nimbus {
    pub port: u16,
    known: Arc<Mutex<Known>>,
}

/// What it knows.
#[derive(Default)]
pub struct Known {
    /// Names of topologies, with their status.
    pub topologies: BTreeMap<String, String>,
    /// Methods that were called and their first argument, without those that only look.
    pub told: Vec<String>,
    /// Bytes that were uploaded.
    pub uploaded: Vec<u8>,
    /// The last whole call of `submitTopologyWithOpts`.
    pub submitted: Vec<u8>,
    /// Ends the connection instead of answering the next submission.
    pub drop_submission: bool,
    /// How many supervisors there are.
    pub supervisors: usize,
    /// How often a topology was looked at: its counters grow by a hundred each time.
    looks: i64,
    reports: i32,
}

impl Nimbus {
    pub fn start(topologies: &[&str]) -> Self {
        Self::start_on(0, topologies)
    }

    pub fn start_on(port: u16, topologies: &[&str]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let known = Arc::new(Mutex::new(Known { supervisors: 1, ..Known::default() }));
        for name in topologies {
            lock(&known).topologies.insert((*name).to_owned(), "ACTIVE".to_owned());
        }
        let of_server = known.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = of_server.clone();
                // A client that goes away ends its connection.
                thread::spawn(move || serve(stream, port, &known));
            }
        });
        Self { port, known }
    }

    pub fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    pub fn option(&self) -> String {
        format!("--nimbus=127.0.0.1:{}", self.port)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut stream: TcpStream, port: u16, known: &Mutex<Known>) -> Option<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut message = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut message).ok()?;
        let limits = Limits::default();
        let (header, taken) = message_header(&message, &limits).expect("a call has a header");
        let fields = answer(&header.method, &message[taken..], port, &mut lock(known))?;
        let mut reply = vec![0x80, 0x01, 0x00, 0x02];
        reply.extend((header.method.len() as u32).to_be_bytes());
        reply.extend(header.method.as_bytes());
        reply.extend(header.sequence_number.to_be_bytes());
        reply.extend(fields);
        reply.push(0);
        stream.write_all(&frame(&reply, &limits).expect("it is small")).ok()?;
    }
}

/// The fields of the reply, `None` to end the connection.
fn answer(method: &str, arguments: &[u8], port: u16, known: &mut Known) -> Option<Vec<u8>> {
    let first = first_text(arguments);
    if !method.starts_with("get")
        && !method.starts_with("is")
        && !["uploadChunk", "workerReports"].contains(&method)
    {
        known.told.push(format!("{method} {first}").trim_end().to_owned());
    }
    let success = |kind: u8, bytes: Vec<u8>| Some([vec![kind, 0, 0], bytes].concat());
    let done = || Some(Vec::new());
    match method {
        "getLeader" => success(12, bytes(&leader(port))),
        "getClusterInfo" => success(12, bytes(&cluster(port, known))),
        "getTopologySummaries" => {
            let all: Vec<Vec<u8>> = summaries(known).iter().map(bytes).collect();
            let mut list = vec![12];
            list.extend((all.len() as u32).to_be_bytes());
            success(15, [list, all.concat()].concat())
        }
        "getTopologySummaryByName"
        | "getTopologyInfoByName"
        | "killTopologyWithOpts"
        | "activate"
        | "deactivate"
        | "rebalance"
            if !known.topologies.contains_key(&first) =>
        {
            let error = NotAliveException::new(format!("{first} is not alive"));
            Some([vec![12, 0, 1], bytes(&error)].concat())
        }
        "workerReports" => {
            // A topology that is not active does nothing.
            let name = first.rsplitn(3, '-').last().unwrap_or_default();
            if known.topologies.get(name).is_none_or(|status| status == "ACTIVE") {
                known.looks += 1;
            }
            known.reports += 1;
            let report = bytes(&report(&first, known.looks, known.reports));
            success(15, [&[12, 0, 0, 0, 1][..], &report].concat())
        }
        "getTopologySummaryByName" => {
            let all = summaries(known);
            let one = all.iter().find(|one| one.name == first).expect("it was looked for");
            success(12, bytes(one))
        }
        "getTopologyInfoByName" => {
            known.looks += 1;
            success(12, bytes(&info(&first, known)))
        }
        "isTopologyNameAllowed" => {
            success(2, vec![u8::from(!known.topologies.contains_key(&first))])
        }
        "beginFileUpload" => {
            known.uploaded.clear();
            success(11, text("/inbox/stormjar-1.jar"))
        }
        "uploadChunk" => {
            // The second field: a kind, an id, a length, and the chunk.
            let chunk = &arguments[7 + first.len() + 7..];
            known.uploaded.extend(&chunk[..chunk.len() - 1]);
            done()
        }
        "submitTopologyWithOpts" => {
            known.submitted = arguments.to_owned();
            known.topologies.insert(first, "ACTIVE".to_owned());
            if std::mem::take(&mut known.drop_submission) { None } else { done() }
        }
        "killTopologyWithOpts" => {
            known.topologies.remove(&first);
            done()
        }
        "activate" | "deactivate" => {
            let status = if method == "activate" { "ACTIVE" } else { "INACTIVE" };
            known.topologies.insert(first, status.to_owned());
            done()
        }
        _ => done(),
    }
}

fn bytes<T: TSerializable>(value: &T) -> Vec<u8> {
    to_bytes(value).expect("it is small")
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
}

/// The first argument, if it is a text.
fn first_text(arguments: &[u8]) -> String {
    let Some(rest) = arguments.strip_prefix(&[11, 0, 1]) else { return String::new() };
    let length = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
    String::from_utf8_lossy(&rest[4..4 + length]).into_owned()
}

fn leader(port: u16) -> NimbusSummary {
    NimbusSummary::new("127.0.0.1".to_owned(), port.into(), 60, true, "2.8.3".to_owned(), None)
}

fn cluster(port: u16, known: &Known) -> ClusterSummary {
    let supervisor = SupervisorSummary {
        host: "127.0.0.1".to_owned(),
        uptime_secs: 60,
        num_workers: 4,
        num_used_workers: 1,
        supervisor_id: "sup-1".to_owned(),
        version: Some("2.8.3".to_owned()),
        total_resources: None,
        used_mem: None,
        used_cpu: None,
        fragmented_mem: None,
        fragmented_cpu: None,
        blacklisted: None,
        used_generic_resources: None,
    };
    ClusterSummary::new(vec![supervisor; known.supervisors], summaries(known), vec![leader(port)])
}

fn summaries(known: &Known) -> Vec<TopologySummary> {
    let one = |(name, status): (&String, &String)| TopologySummary {
        id: format!("{name}-1-1700000000"),
        name: name.clone(),
        num_tasks: 4,
        num_executors: 2,
        num_workers: 1,
        uptime_secs: 185,
        status: status.clone(),
        owner: Some("ada".to_owned()),
        storm_version: None,
        topology_version: None,
        sched_status: None,
        replication_count: None,
        requested_memonheap: None,
        requested_memoffheap: None,
        requested_cpu: None,
        assigned_memonheap: None,
        assigned_memoffheap: None,
        assigned_cpu: None,
        requested_generic_resources: None,
        assigned_generic_resources: None,
    };
    known.topologies.iter().map(one).collect()
}

fn info(name: &str, known: &Known) -> TopologyInfo {
    let errors = vec![ErrorInfo::new(
        "the disk is on fire\n  at src/count.rs:7".to_owned(),
        1_700_000_000,
        "127.0.0.1".to_owned(),
        6700,
    )];
    TopologyInfo {
        id: format!("{name}-1-1700000000"),
        name: name.to_owned(),
        uptime_secs: 185,
        executors: executors(known.looks * 100),
        status: known.topologies[name].clone(),
        errors: BTreeMap::from([("count".to_owned(), errors)]),
        component_debug: None,
        storm_version: None,
        sched_status: None,
        owner: None,
        replication_count: None,
        requested_memonheap: None,
        requested_memoffheap: None,
        requested_cpu: None,
        assigned_memonheap: None,
        assigned_memoffheap: None,
        assigned_cpu: None,
    }
}

/// One worker, whose tuples took 1 ms to `looks` ms, and which used 10 ms of CPU for each look; it
/// reports every two seconds.
fn report(id: &str, looks: i64, reports: i32) -> WorkerReport {
    let mut histogram: Histogram<u64> = Histogram::new(3).expect("three digits are fine");
    for at in 1..=looks as u64 * 100 {
        histogram.record(at * 10_000).expect("it grows by itself");
    }
    let mut hdr_v2 = Vec::new();
    V2Serializer::new().serialize(&histogram, &mut hdr_v2).expect("a Vec takes it");
    let histogram = LatencyHistogram::new("lines".to_owned(), "complete".to_owned(), hdr_v2);
    WorkerReport::new(
        "worker-1".to_owned(),
        id.to_owned(),
        6700,
        ClusterWorkerHeartbeat::new(id.to_owned(), BTreeMap::new(), 1, reports * 2),
        Vec::new(),
        vec![histogram],
        4711,
        5 << 20,
        OrderedFloat(looks as f64 / 100.0),
        BTreeMap::new(),
    )
}

fn executors(count: i64) -> Vec<ExecutorSummary> {
    fn all_time<K: Ord, V>(key: K, value: V) -> BTreeMap<String, BTreeMap<K, V>> {
        BTreeMap::from([(":all-time".to_owned(), BTreeMap::from([(key, value)]))])
    }
    let default = || "default".to_owned();
    let emitted = || all_time(default(), count);
    let spout = SpoutStats::new(
        all_time(default(), count),
        all_time(default(), 0),
        all_time(default(), OrderedFloat(2.5)),
    );
    let input = || GlobalStreamId::new("lines".to_owned(), default());
    let bolt = BoltStats::new(
        all_time(input(), count),
        all_time(input(), 0),
        all_time(input(), OrderedFloat(0.5)),
        all_time(input(), count),
        all_time(input(), OrderedFloat(0.5)),
    );
    let executor = |component: &str, task, specific| {
        let stats = ExecutorStats::new(emitted(), emitted(), specific, OrderedFloat(1.0));
        let tasks = ExecutorInfo::new(task, task + 1);
        ExecutorSummary::new(tasks, component.to_owned(), "127.0.0.1".to_owned(), 6700, 185, stats)
    };
    vec![
        executor("lines", 1, ExecutorSpecificStats::Spout(spout)),
        executor("count", 3, ExecutorSpecificStats::Bolt(bolt)),
    ]
}
