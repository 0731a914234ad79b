//! What Nimbus and supervisors keep in the shared state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nimbus_client::TopologyId;
use nimbus_client::thrift::{
    Assignment, ClusterWorkerHeartbeat, Credentials, ErrorInfo, LogConfig, NimbusSummary,
    StormBase, SupervisorInfo, TopologyStatus,
};
use storm_runtime::cluster::paths::Paths;
use storm_runtime::cluster::{
    ClusterError, ClusterState, EmbeddedStore, Expected, KEPT_ERRORS, LeaderInfo, StateBackend,
    StateError, Watcher,
};

struct Place {
    store: EmbeddedStore,
    state: ClusterState,
    _folder: tempfile::TempDir,
}

fn place() -> Place {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    let state = another(&store);
    state.make_folders().expect("folders are made");
    Place { store, state, _folder: folder }
}

fn another(store: &EmbeddedStore) -> ClusterState {
    ClusterState::new(store.connect().expect("a session opens"), Paths::default())
}

fn id() -> TopologyId {
    "word-count-1-1700000000".parse().expect("an id")
}

fn base(status: TopologyStatus) -> StormBase {
    StormBase::new(
        "word-count".into(),
        status,
        2,
        None,
        1_700_000_000,
        None,
        None,
        None,
        None,
        None,
        None,
    )
}

fn error(text: &str) -> ErrorInfo {
    ErrorInfo::new(text.to_owned(), 1_700_000_000, "host".to_owned(), 6700)
}

#[test]
fn a_topology_is_added_once_with_all_that_belongs_to_it() {
    let Place { state, _folder, .. } = place();
    let credentials = Credentials::new(BTreeMap::from([("user".into(), "word".into())]), None);
    state.add_topology(&id(), &base(TopologyStatus::ACTIVE), Some(&credentials)).expect("free");
    let again = state.add_topology(&id(), &base(TopologyStatus::ACTIVE), Some(&credentials));
    assert!(matches!(&again, Err(ClusterError::State(StateError::NodeExists { .. }))), "{again:?}");
    assert_eq!(state.topologies(None).expect("they are read"), [id()]);
    let read = state.credentials(&id(), None).expect("they are read").expect("they are there");
    assert_eq!((read.value, read.version), (credentials, 0));
    assert!(state.worker_heartbeats(&id()).expect("they are read").is_empty());
}

#[test]
fn a_change_on_old_knowledge_is_refused() {
    let Place { state, _folder, .. } = place();
    state.add_topology(&id(), &base(TopologyStatus::ACTIVE), None).expect("a free id");
    let read = state.topology(&id(), None).expect("it is read").expect("it is there");
    let seen = Expected::Version(read.version);
    let version = state
        .set_topology(&id(), &base(TopologyStatus::INACTIVE), seen)
        .expect("nobody changed it");
    assert_eq!(version, 1);
    let late = state.set_topology(&id(), &base(TopologyStatus::KILLED), seen);
    assert!(late.as_ref().is_err_and(ClusterError::is_bad_version), "{late:?}");
    let read = state.topology(&id(), None).expect("it is read").expect("it is there");
    assert_eq!(read.value.status, TopologyStatus::INACTIVE);
}

#[test]
fn a_removed_topology_leaves_only_what_its_workers_wrote() {
    let Place { state, _folder, .. } = place();
    state.add_topology(&id(), &base(TopologyStatus::ACTIVE), None).expect("a free id");
    let assignment = Assignment::new("/".into(), None, None, None, None, None, None);
    state.put_assignment(&id(), &assignment).expect("it is written");
    state.put_log_config(&id(), &LogConfig::new(None)).expect("it is written");
    let beat = ClusterWorkerHeartbeat::new(id().to_string(), BTreeMap::new(), 1, 2);
    state.put_worker_heartbeat(&id(), "sup", 6700, &beat).expect("it is written");
    state.report_error(&id(), "split", &error("broken")).expect("it is written");

    state.remove_topology(&id()).expect("it is removed");
    state.remove_topology(&id()).expect("it is gone already");
    assert!(state.topologies(None).expect("they are read").is_empty());
    assert!(state.assignments(None).expect("they are read").is_empty());
    assert!(state.log_config(&id(), None).expect("it is read").is_none());
    assert_eq!(state.remains().expect("they are read"), [id()]);
    let beats = state.worker_heartbeats(&id()).expect("they are read");
    assert_eq!(beats, BTreeMap::from([("sup-6700".to_owned(), beat)]));

    state.remove_remains(&id()).expect("they are removed");
    assert!(state.remains().expect("they are read").is_empty());
    assert!(state.last_error(&id(), "split").expect("it is read").is_none());
}

#[test]
fn the_newest_errors_are_kept_and_survive_their_session_and_the_process() {
    let Place { store, state, _folder: folder } = place();
    let reporter = another(&store);
    let component = "a/b c";
    for number in 0..KEPT_ERRORS + 3 {
        reporter.report_error(&id(), component, &error(&number.to_string())).expect("written");
    }
    state.report_error(&id(), "__acker", &error("other")).expect("it is written");
    let texts: Vec<String> = state
        .errors(&id(), component)
        .expect("they are read")
        .into_iter()
        .map(|error| error.error)
        .collect();
    let expected: Vec<String> = (3..KEPT_ERRORS + 3).rev().map(|n| n.to_string()).collect();
    assert_eq!(texts, expected);
    assert_eq!(state.components_with_errors(&id()).expect("they are read"), ["__acker", component]);

    reporter.storage().close();
    drop((reporter, state, store));
    let store = EmbeddedStore::open(folder.path()).expect("the store opens again");
    let state = another(&store);
    assert_eq!(state.errors(&id(), component).expect("they are read").len(), KEPT_ERRORS);
    let last = state.last_error(&id(), component).expect("it is read").expect("it stays");
    assert_eq!(last, error("12"));
}

#[test]
fn who_is_gone_is_no_longer_listed() {
    let Place { store, state, _folder } = place();
    let daemon = another(&store);
    let nimbus = NimbusSummary::new("host".into(), 6627, 5, false, "2.8.3".into(), None);
    daemon.put_nimbus("host", &nimbus).expect("it is written");
    let mut info =
        SupervisorInfo::new(1, "host".into(), None, None, None, None, None, None, None, None);
    daemon.put_supervisor("sup", &info).expect("it is written");
    info.time_secs = 2;
    daemon.put_supervisor("sup", &info).expect("it is written again");
    let watcher = Watcher::new();
    let found = state.supervisors(Some(&watcher)).expect("they are read");
    assert_eq!(found, BTreeMap::from([("sup".to_owned(), info.clone())]));
    assert_eq!(state.supervisor("sup").expect("it is read"), Some(info));
    assert_eq!(state.nimbuses().expect("they are read")["host"], nimbus);

    daemon.storage().close();
    assert!(watcher.wait(Duration::from_secs(20)).touches(&state.paths().supervisors()));
    assert!(state.supervisors(None).expect("they are read").is_empty());
    assert!(state.nimbuses().expect("they are read").is_empty());
}

#[test]
fn a_watch_on_what_is_not_there_yet_fires() {
    let Place { store, state, _folder } = place();
    let watcher = Watcher::new();
    assert!(state.log_config(&id(), Some(&watcher)).expect("a look").is_none());
    another(&store).put_log_config(&id(), &LogConfig::new(None)).expect("it is written");
    assert!(watcher.wait(Duration::from_secs(20)).touches(&state.paths().logconfig(&id())));
    assert!(state.log_config(&id(), Some(&watcher)).expect("a look").is_some());
}

#[test]
fn the_leader_is_written_as_a_stock_nimbus_does() {
    let Place { state, _folder, .. } = place();
    assert_eq!(state.leader(None).expect("a look"), None);
    let leader = LeaderInfo { host: "127.0.0.1".into(), port: 6627, tls_port: 0, is_leader: false };
    state.put_leader(&leader).expect("it is written");
    assert_eq!(state.leader(None).expect("it is read"), Some(leader));
}

#[test]
fn a_node_with_something_else_in_it_is_told_by_its_path() {
    let Place { state, _folder, .. } = place();
    let path = state.paths().storm(&id());
    let storage = Arc::clone(state.storage());
    storage
        .put(&path, b"no topology", storm_runtime::cluster::Durability::Durable)
        .expect("written");
    let text = state.topology(&id(), None).expect_err("no StormBase").to_string();
    assert!(text.contains(&path) && text.contains("StormBase"), "{text}");
    storage
        .put(&state.paths().leader_info(), b"x", storm_runtime::cluster::Durability::Durable)
        .expect("written");
    assert!(matches!(state.leader(None), Err(ClusterError::Leader { .. })));
}

#[test]
fn a_blob_is_known_by_those_that_hold_it() {
    let Place { store, state, _folder } = place();
    let (key, other) = ("word-count-1-1700000000-stormjar.jar", another(&store));
    state.put_blob_holder(key, "127.0.0.1:6627:0", 1).expect("it is written");
    state.put_blob_holder(key, "127.0.0.1:6627:0", 2).expect("it is written again");
    other.put_blob_holder(key, "10.0.0.2:6627:0", 2).expect("it is written");
    let holders = state.blob_holders(key).expect("they are read");
    assert_eq!(holders, [("10.0.0.2:6627:0".to_owned(), 2), ("127.0.0.1:6627:0".to_owned(), 2)]);
    let sequence = state.paths().blob_sequence(key);
    assert_eq!(state.storage().get(&sequence, None).expect("it is there").0, [0, 0, 0, 2]);
    other.storage().close();
    assert_eq!(state.blob_holders(key).expect("they are read").len(), 1);
    state.remove_blob(key).expect("it is forgotten");
    state.remove_blob(key).expect("it is forgotten already");
    assert!(state.blob_holders(key).expect("they are read").is_empty());
}
