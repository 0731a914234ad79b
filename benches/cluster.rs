//! What a local cluster costs: to start it, to submit to it, to keep it, to ask it.
//!
//! ```text
//! cargo build --release --workspace --features daemons
//! cargo bench --features daemons --bench cluster
//! ```
//!
//! The first rows start the programs `stormdeploy`, `stormd` and `topologies` that stand beside each
//! other in the release folder; the last one asks a Nimbus in this process over TCP. Each row is the
//! median of several runs, with the smallest and the largest, next to what it may be.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nimbus_client::client::{Address, ClientOptions, NimbusClient, NimbusMethods};
use nimbus_client::thrift::{
    ComponentCommon, ComponentObject, ShellComponent, SpoutSpec, StormTopology,
};
use serde_json::{Map, json};
use storm_runtime::clock::{Clock, Time};
use storm_runtime::cluster::{EmbeddedStore, StateBackend};
use storm_runtime::nimbus::Nimbus;

/// Runs of each row that starts programs.
const RUNS: usize = 5;
/// Topologies that a list is asked of.
const TOPOLOGIES: usize = 1_000;
/// How long the idle cluster is watched.
const IDLE: Duration = Duration::from_secs(10);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|arg| arg == "--test") || !std::env::args().any(|arg| arg == "--bench")
    {
        println!("cluster: started as a test, nothing is measured");
        return ExitCode::SUCCESS;
    }
    let Some(programs) = Programs::find() else {
        eprintln!(
            "cluster: stormdeploy, stormd and topologies are not in the release folder\n\nhint: \
             cargo build --release --workspace --features daemons"
        );
        return ExitCode::FAILURE;
    };
    println!("{:44} {:>10} {:>10} {:>10} {:>10}", "", "median", "min", "max", "aim");
    let (mut up, mut first_ack) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let cluster = Cluster::up(&programs);
        up.push(cluster.up.as_secs_f64() * 1e3);
        first_ack.push(cluster.first_ack("1000").as_secs_f64() * 1e3);
    }
    row("start of a cluster with 3 supervisors, ms", &mut up, 2_000.0);
    row("submit to the first acked tuple, ms", &mut first_ack, 1_000.0);
    let cluster = Cluster::up(&programs);
    cluster.first_ack("1");
    let (mut cpu, mut resident) = cluster.idle();
    row("idle with a quiet topology, % of one core", &mut cpu, 1.0);
    row("the same, resident in all processes, MB", &mut resident, 100.0);
    drop(cluster);
    row("list of 1,000 topologies, ms", &mut list(), 50.0);
    ExitCode::SUCCESS
}

fn row(what: &str, values: &mut [f64], aim: f64) {
    values.sort_by(f64::total_cmp);
    let (min, median, max) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    println!("{what:44} {median:>10.2} {min:>10.2} {max:>10.2} {aim:>10.0}");
}

struct Programs {
    stormdeploy: PathBuf,
    topologies: PathBuf,
}

impl Programs {
    /// Beside the folder `deps` that this program is in.
    fn find() -> Option<Self> {
        let own = std::env::current_exe().ok()?;
        let folder = own.parent()?.parent()?;
        let found = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        found("stormd")?;
        Some(Self { stormdeploy: found("stormdeploy")?, topologies: found("topologies")? })
    }
}

/// A cluster that is ended and removed when it is dropped.
struct Cluster<'a> {
    programs: &'a Programs,
    folder: tempfile::TempDir,
    clock: Clock,
    up: Duration,
}

impl<'a> Cluster<'a> {
    fn up(programs: &'a Programs) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Clock::system();
        let mut cluster = Self { programs, folder, clock, up: Duration::ZERO };
        let (nimbus, supervisors, slots) = (free_ports(1), free_ports(3), free_ports(12));
        let ports = [nimbus, supervisors, slots].map(|port| port.to_string());
        let began = cluster.clock.now();
        cluster.stormdeploy(&[
            "up",
            "--supervisors",
            "3",
            "--nimbus-port",
            &ports[0],
            "--supervisor-port",
            &ports[1],
            "--slot-port",
            &ports[2],
        ]);
        cluster.up = cluster.clock.now().since(began);
        cluster
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn stormdeploy(&self, args: &[&str]) {
        let mut command = Command::new(&self.programs.stormdeploy);
        command.arg("--state").arg(self.state()).args(args);
        let output = command.stdin(Stdio::null()).output().expect("stormdeploy starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "stormdeploy {args:?}: {said}");
    }

    /// Submits the latency topology; from then to its first acked tuple.
    fn first_ack(&self, rate: &str) -> Duration {
        let began = self.clock.now();
        let binary = self.programs.topologies.to_string_lossy().into_owned();
        self.stormdeploy(&["submit", &binary, "--no-wait", "--", "low-throughput", "--rate", rate]);
        let logs = self.state().join("logs/workers-artifacts");
        while !has_acked(&logs) {
            let waited = self.clock.now().since(began);
            assert!(waited < PATIENCE, "no tuple is acked, see {}", logs.display());
            std::thread::park_timeout(Duration::from_millis(2));
        }
        self.clock.now().since(began)
    }

    /// Processor time per second in percent, and megabytes, of all processes of the cluster.
    fn idle(&self) -> (Vec<f64>, Vec<f64>) {
        // The workers have just started.
        wait(&self.clock, self.clock.now() + Duration::from_secs(3));
        let processes = processes(&self.state());
        let (mut cpu, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let before = ticks(&processes);
            wait(&self.clock, self.clock.now() + IDLE);
            let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
            let used = (ticks(&processes) - before) as f64 / ticks_per_second;
            cpu.push(used / IDLE.as_secs_f64() * 100.0);
            resident.push(pages(&processes) as f64 * rustix::param::page_size() as f64 / 1e6);
        }
        (cpu, resident)
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        let mut command = Command::new(&self.programs.stormdeploy);
        let _ = command.arg("--state").arg(self.state()).arg("down").output();
    }
}

/// The first of so many neighbouring ports that nobody listens on.
fn free_ports(count: u16) -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let any = || TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr());
    (0..100)
        .map(|_| any().expect("a free port").port())
        .find(|first| (0..count).all(|next| first.checked_add(next).is_some_and(is_free)))
        .expect("neighbouring free ports")
}

/// Whether a worker's log tells of the first acked tuple.
fn has_acked(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => has_acked(&path),
        false => fs::read_to_string(path).is_ok_and(|log| log.contains("first tuple acked")),
    })
}

/// The processes whose command line names the cluster's folder.
fn processes(state: &Path) -> Vec<PathBuf> {
    let state = state.to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").expect("Linux").flatten().map(|entry| entry.path());
    let of_cluster = |path: &PathBuf| {
        fs::read(path.join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&state))
    };
    entries.filter(of_cluster).collect()
}

fn ticks(processes: &[PathBuf]) -> u64 {
    sum(processes, |fields| fields[11] + fields[12])
}

fn pages(processes: &[PathBuf]) -> u64 {
    sum(processes, |fields| fields[21])
}

/// Adds up something of `/proc/PID/stat`, whose fields count from the third one.
fn sum(processes: &[PathBuf], of: impl Fn(&[u64]) -> u64) -> u64 {
    let one = |process: &PathBuf| {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        let fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
        let fields: Vec<u64> = fields.map(|field| field.parse().unwrap_or(0)).collect();
        Some(of(&fields))
    };
    processes.iter().filter_map(one).sum()
}

fn wait(clock: &Clock, until: Time) {
    while clock.now() < until {
        std::thread::park_timeout(until.since(clock.now()));
    }
}

/// Milliseconds that a client waits for the summaries of very many topologies.
fn list() -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = EmbeddedStore::open(&folder.path().join("state")).expect("a store");
    let local = folder.path().join("nimbus");
    let conf = json!({ "nimbus.thrift.port": free_ports(1), "storm.local.dir": local });
    let conf: Map<_, _> = conf.as_object().expect("an object").clone();
    let storage: Arc<dyn StateBackend> = Arc::new(store);
    let nimbus = Nimbus::start(conf, storage).expect("nimbus starts");
    let address = Address::new("127.0.0.1", nimbus.address().port());
    let mut client = NimbusClient::new(vec![address], ClientOptions::default());
    for number in 0..TOPOLOGIES {
        let name = format!("topology-{number}");
        let submitted = client.call(|nimbus| {
            nimbus.submit_topology(name.clone(), String::new(), "{}".to_owned(), topology())
        });
        submitted.expect("it is taken");
    }
    let clock = Clock::system();
    let times = (0..21).map(|_| {
        let began = clock.now();
        let topologies = client.topologies().expect("an answer");
        assert_eq!(topologies.len(), TOPOLOGIES);
        clock.now().since(began).as_secs_f64() * 1e3
    });
    let times = times.collect();
    nimbus.stop();
    times
}

fn topology() -> StormTopology {
    let shell = ShellComponent::new("python3".to_owned(), "quiet.py".to_owned());
    let spout = ComponentObject::Shell(shell);
    let common = ComponentCommon::new(BTreeMap::new(), BTreeMap::new(), 1, None);
    StormTopology {
        spouts: BTreeMap::from([("quiet".to_owned(), SpoutSpec::new(spout, common))]),
        bolts: BTreeMap::new(),
        state_spouts: BTreeMap::new(),
        worker_hooks: None,
        dependency_jars: None,
        dependency_artifacts: None,
        storm_version: None,
        jdk_version: None,
        component_to_shared_memory: None,
        shared_memory: None,
    }
}
