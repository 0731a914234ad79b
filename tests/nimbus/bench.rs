//! A Nimbus with its folders, clients, played supervisors, and small topologies.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nimbus_client::client::{Address, ClientOptions, NimbusClient};
use nimbus_client::native::SupervisorGateSyncClient;
use nimbus_client::thrift::*;
use serde_json::{Map, Value, json};
use storm_runtime::clock::Clock;
use storm_runtime::cluster::paths::Paths;
use storm_runtime::cluster::{ClusterState, EmbeddedStore, StateBackend};
use storm_runtime::nimbus::{Nimbus, NimbusHandle};
use storm_runtime::server::{
    Caller, Limits, MachineUsers, Message, Processor, Reply, Server, ServerHandle, thrift_reply,
};
use tempfile::TempDir;
use thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol};
use thrift::transport::{TFramedReadTransport, TFramedWriteTransport};

/// How long a test waits for a condition.
pub const PATIENCE: Duration = Duration::from_secs(30);

type Input = TBinaryInputProtocol<TFramedReadTransport<TcpStream>>;
type Output = TBinaryOutputProtocol<TFramedWriteTransport<TcpStream>>;

/// A client of Storm's methods.
pub type Client = NimbusSyncClient<Input, Output>;
/// A client of this engine's own.
pub type Gate = SupervisorGateSyncClient<Input, Output>;

/// A cluster's folder, and the Nimbus that runs in it, if one does.
pub struct Bench {
    /// Deleted with the bench.
    _folder: TempDir,
    pub store: EmbeddedStore,
    conf: Map<String, Value>,
    nimbus: Option<NimbusHandle>,
}

impl Bench {
    /// A Nimbus with short intervals.
    pub fn new() -> Self {
        Self::with(json!({}))
    }

    /// A Nimbus with these keys besides.
    pub fn with(conf: Value) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = EmbeddedStore::open(&folder.path().join("state")).expect("a store");
        let mut all = Map::new();
        all.insert("nimbus.thrift.port".to_owned(), 6627.into());
        all.insert("nimbus.monitor.freq.secs".to_owned(), 1.into());
        let local = folder.path().join("nimbus").to_string_lossy().into_owned();
        all.insert("storm.local.dir".to_owned(), local.into());
        all.extend(conf.as_object().expect("an object").clone());
        all.insert("nimbus.thrift.port".to_owned(), free_port().into());
        let mut bench = Self { _folder: folder, store, conf: all, nimbus: None };
        bench.start();
        bench
    }

    /// Starts Nimbus again where it was.
    pub fn start(&mut self) {
        let storage: Arc<dyn StateBackend> = Arc::new(self.store.clone());
        let nimbus = Nimbus::start(self.conf.clone(), storage).expect("nimbus starts");
        self.nimbus = Some(nimbus);
    }

    /// Stops Nimbus.
    pub fn stop(&mut self) {
        self.nimbus.take().expect("nimbus runs").stop();
    }

    pub fn address(&self) -> SocketAddr {
        self.nimbus.as_ref().expect("nimbus runs").address()
    }

    pub fn metrics(&self) -> String {
        use std::io::{Read, Write};
        let address = self.nimbus.as_ref().expect("nimbus runs").metrics_address();
        let mut stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").expect("asked");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    }

    pub fn client(&self) -> Client {
        let (input, output) = protocols(self.address());
        NimbusSyncClient::new(input, output)
    }

    /// The client that our own tools use.
    pub fn nimbus(&self) -> NimbusClient {
        let address = Address::new("127.0.0.1", self.address().port());
        NimbusClient::new(vec![address], ClientOptions::default())
    }

    pub fn gate(&self) -> Gate {
        let (input, output) = protocols(self.address());
        SupervisorGateSyncClient::new(input, output)
    }

    /// The shared state, in a session of its own.
    pub fn state(&self) -> ClusterState {
        ClusterState::new(self.store.connect().expect("a session"), Paths::default())
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    listener.local_addr().expect("bound").port()
}

fn protocols(address: SocketAddr) -> (Input, Output) {
    let stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_nodelay(true).expect("set");
    let input = TFramedReadTransport::new(stream.try_clone().expect("cloned"));
    (
        TBinaryInputProtocol::new(input, true),
        TBinaryOutputProtocol::new(TFramedWriteTransport::new(stream), true),
    )
}

/// Waits until something is there.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let clock = Clock::system();
    let began = clock.now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock.now().since(began) < PATIENCE, "{what} does not come true");
        // A look costs a call, so that this does not spin.
        std::thread::yield_now();
    }
}

/// A played supervisor: it is there, and takes what Nimbus pushes.
pub struct Supervisor {
    pub id: String,
    pub pushed: Arc<Mutex<Vec<SupervisorAssignments>>>,
    state: ClusterState,
    info: SupervisorInfo,
    _server: ServerHandle,
    _runtime: tokio::runtime::Runtime,
}

impl Supervisor {
    /// Joins the cluster with slots from a port on.
    pub fn join(bench: &Bench, name: &str, ports: std::ops::Range<i64>) -> Self {
        let id = format!("{name}-127.0.0.1");
        let pushed = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let server = Server {
            processor: Arc::new(Taker(Arc::clone(&pushed))),
            authorizer: Arc::new(MachineUsers::new()),
            conf: Arc::new(Map::new()),
            limits: Limits::default(),
            port_key: "supervisor.thrift.port",
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = server.start(runtime.handle(), any).expect("started");
        let info = SupervisorInfo {
            time_secs: 1,
            hostname: "127.0.0.1".to_owned(),
            assignment_id: Some(id.clone()),
            used_ports: Some(Vec::new()),
            meta: Some(ports.collect()),
            scheduler_meta: None,
            uptime_secs: Some(1),
            version: Some("2.8.3".to_owned()),
            resources_map: Some(BTreeMap::from([("memory.mb".to_owned(), 4096.0.into())])),
            server_port: Some(i32::from(server.address().port())),
        };
        let mut supervisor =
            Self { id, pushed, state: bench.state(), info, _server: server, _runtime: runtime };
        supervisor.beat();
        supervisor
    }

    /// Says that it is still there.
    pub fn beat(&mut self) {
        self.info.time_secs += 1;
        self.state.put_supervisor(&self.id, &self.info).expect("said");
    }

    /// Goes away.
    pub fn leave(self) {
        self.state.storage().close();
    }

    /// The newest assignment that was pushed for a topology.
    pub fn assigned(&self, id: &str) -> Option<Assignment> {
        let pushed = self.pushed.lock().expect("no holder panics");
        pushed.last()?.storm_assignment.as_ref()?.get(id).cloned()
    }
}

struct Taker(Arc<Mutex<Vec<SupervisorAssignments>>>);

impl Processor for Taker {
    fn methods(&self) -> &[&'static str] {
        &["sendSupervisorAssignments"]
    }

    fn refusal_field(&self, _: &str) -> Option<i16> {
        None
    }

    fn call(&self, _: &Caller, message: &Message, frame: &[u8]) -> Reply {
        thrift_reply(&SupervisorSyncProcessor::new(Pushed(Arc::clone(&self.0))), message, frame)
    }
}

struct Pushed(Arc<Mutex<Vec<SupervisorAssignments>>>);

impl SupervisorSyncHandler for Pushed {
    fn handle_send_supervisor_assignments(
        &self,
        assignments: SupervisorAssignments,
    ) -> thrift::Result<()> {
        self.0.lock().expect("no holder panics").push(assignments);
        Ok(())
    }

    fn handle_get_local_assignment_for_storm(&self, _: String) -> thrift::Result<Assignment> {
        Err("not played".into())
    }

    fn handle_send_supervisor_worker_heartbeat(
        &self,
        _: SupervisorWorkerHeartbeat,
    ) -> thrift::Result<()> {
        Ok(())
    }
}

/// Words → counts, both shells, each in `executors` executors.
pub fn topology(executors: i32) -> StormTopology {
    let common = |inputs| ComponentCommon {
        inputs,
        streams: BTreeMap::from([(
            "default".to_owned(),
            StreamInfo { output_fields: vec!["word".to_owned()], direct: false },
        )]),
        parallelism_hint: Some(executors),
        json_conf: None,
    };
    let shell = || {
        ComponentObject::Shell(ShellComponent {
            execution_command: Some("python3".to_owned()),
            script: Some("words.py".to_owned()),
        })
    };
    let from = GlobalStreamId::new("words".to_owned(), "default".to_owned());
    let inputs = BTreeMap::from([(from, Grouping::Fields(vec!["word".to_owned()]))]);
    StormTopology {
        spouts: BTreeMap::from([(
            "words".to_owned(),
            SpoutSpec { spout_object: shell(), common: common(BTreeMap::new()) },
        )]),
        bolts: BTreeMap::from([(
            "count".to_owned(),
            Bolt { bolt_object: shell(), common: common(inputs) },
        )]),
        state_spouts: BTreeMap::new(),
        worker_hooks: None,
        dependency_jars: None,
        dependency_artifacts: None,
        storm_version: Some("2.8.3".to_owned()),
        jdk_version: None,
        component_to_shared_memory: None,
        shared_memory: None,
    }
}

/// A rebalance that waits so many seconds and changes nothing.
pub fn rebalance(wait_secs: i32) -> RebalanceOptions {
    RebalanceOptions {
        wait_secs: Some(wait_secs),
        num_workers: None,
        num_executors: None,
        topology_resources_overrides: None,
        topology_conf_overrides: None,
        principal: None,
    }
}

/// Submits [`topology`] with 2 executors each under a name, with a conf, and answers its id.
pub fn submit(client: &mut Client, name: &str, conf: Value) -> String {
    client
        .submit_topology(name.to_owned(), String::new(), conf.to_string(), topology(2))
        .expect("submitted");
    client.get_topology_summary_by_name(name.to_owned()).expect("alive").id
}

/// Ports of the slots of an assignment.
pub fn ports(assignment: &Assignment) -> BTreeSet<i64> {
    let nodes = assignment.executor_node_port.iter().flatten();
    nodes.flat_map(|(_, node)| node.port.iter().copied()).collect()
}

/// The sentence of a refusal, and the name of the exception that carries it.
pub fn refusal<T: std::fmt::Debug>(answer: thrift::Result<T>) -> (&'static str, String) {
    match answer.expect_err("refused") {
        thrift::Error::Application(fault) => ("TApplicationException", fault.message),
        thrift::Error::User(user) => {
            macro_rules! named {
                ($($name:ident),+) => {
                    $(if let Some(exception) = user.downcast_ref::<$name>() {
                        return (stringify!($name), exception.msg.clone());
                    })+
                };
            }
            named!(
                NotAliveException,
                AlreadyAliveException,
                InvalidTopologyException,
                AuthorizationException,
                KeyNotFoundException,
                KeyAlreadyExistsException,
                IllegalStateException
            );
            panic!("no exception of Nimbus: {user}")
        }
        other => panic!("the connection failed: {other}"),
    }
}

/// Checks how a call is refused.
#[track_caller]
pub fn check_refused<T: std::fmt::Debug>(answer: thrift::Result<T>, exception: &str, part: &str) {
    let (found, sentence) = refusal(answer);
    assert_eq!(found, exception, "{sentence}");
    assert!(sentence.contains(part), "{sentence}");
}
