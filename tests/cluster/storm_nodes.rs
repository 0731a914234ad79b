//! Every node that a stock cluster left in ZooKeeper: it is read, and written again it reads the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use nimbus_client::TopologyId;
use nimbus_client::thrift::ErrorInfo;
use storm_runtime::cluster::paths::Paths;
use storm_runtime::cluster::{ClusterState, EmbeddedStore, StateBackend, StateStorage};

use crate::support::base64::base64;
use crate::support::fixtures;

/// The recorded dumps and how many nodes of each class they hold together.
const DUMPS: [&str; 4] = [
    "znodes-1-idle.jsonl",
    "znodes-2-running.jsonl",
    "znodes-3-one-killed.jsonl",
    "znodes-4-all-killed.jsonl",
];

struct Row {
    path: String,
    is_ephemeral: bool,
    data: Vec<u8>,
}

fn rows(dump: &str) -> Vec<Row> {
    fixtures::json_lines("storm", dump)
        .into_iter()
        .map(|(place, row)| Row {
            path: row["path"].as_str().expect("a path").to_owned(),
            is_ephemeral: row["ephemeral"].as_bool().expect("a flag"),
            data: row["data"]
                .as_str()
                .and_then(base64)
                .unwrap_or_else(|| panic!("{place}: data is no base64")),
        })
        .collect()
}

fn session() -> (tempfile::TempDir, Arc<dyn StateStorage>) {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let store = EmbeddedStore::open(folder.path()).expect("the store opens");
    (folder, store.connect().expect("a session opens"))
}

/// The dump as it stands, in a state of its own.
fn copied(rows: &[Row]) -> (tempfile::TempDir, ClusterState) {
    let (folder, session) = session();
    for row in rows.iter().filter(|row| row.path != "/") {
        let mode = match row.is_ephemeral {
            true => storm_runtime::cluster::CreateMode::Ephemeral,
            false => storm_runtime::cluster::CreateMode::Persistent,
        };
        session.create(&row.path, &row.data, mode).expect("folders come first");
    }
    (folder, ClusterState::new(session, Paths::default()))
}

/// The same state again, written by us out of what was read.
fn rewritten(stock: &ClusterState) -> (tempfile::TempDir, ClusterState) {
    let (folder, session) = session();
    let ours = ClusterState::new(session, Paths::default());
    ours.make_folders().expect("folders are made");
    for (host, nimbus) in stock.nimbuses().expect("Storm's nodes are read") {
        ours.put_nimbus(&host, &nimbus).expect("it is written");
    }
    for (id, supervisor) in stock.supervisors(None).expect("Storm's nodes are read") {
        ours.put_supervisor(&id, &supervisor).expect("it is written");
    }
    let leader = stock.leader(None).expect("Storm's node is read").expect("somebody leads");
    ours.put_leader(&leader).expect("it is written");
    for id in stock.topologies(None).expect("Storm's nodes are read") {
        let base = stock.topology(&id, None).expect("it is read").expect("it was listed");
        ours.add_topology(&id, &base.value, None).expect("it is written");
    }
    for (id, assignment) in stock.assignments(None).expect("Storm's nodes are read") {
        ours.put_assignment(&id, &assignment).expect("it is written");
    }
    for id in stock.remains().expect("folders are read") {
        rewrite_remains(stock, &ours, &id);
    }
    (folder, ours)
}

fn rewrite_remains(stock: &ClusterState, ours: &ClusterState, id: &TopologyId) {
    for (worker, heartbeat) in stock.worker_heartbeats(id).expect("Storm's nodes are read") {
        let (supervisor, port) = worker.rsplit_once('-').expect("a supervisor and a port");
        let port = port.parse().expect("a port");
        ours.put_worker_heartbeat(id, supervisor, port, &heartbeat).expect("it is written");
    }
    for component in stock.components_with_errors(id).expect("folders are read") {
        let last = stock.last_error(id, &component).expect("it is read").expect("there was one");
        let mut errors = stock.errors(id, &component).expect("Storm's nodes are read");
        errors.reverse();
        // What was kept as ephemeral went with its worker; the last one stays.
        let all: Vec<ErrorInfo> = if errors.is_empty() { vec![last.clone()] } else { errors };
        assert_eq!(all.last(), Some(&last), "the newest error is the last one");
        for error in &all {
            ours.report_error(id, &component, error).expect("it is written");
        }
    }
}

/// What the typed view says of a state, as text.
fn view(state: &ClusterState) -> Vec<String> {
    let mut lines = vec![
        format!("nimbuses {:?}", state.nimbuses().expect("they are read")),
        format!("supervisors {:?}", state.supervisors(None).expect("they are read")),
        format!("assignments {:?}", state.assignments(None).expect("they are read")),
        format!("leader {:?}", state.leader(None).expect("it is read")),
    ];
    for id in state.topologies(None).expect("they are read") {
        let base = state.topology(&id, None).expect("it is read").map(|read| read.value);
        lines.push(format!("{id} {base:?}"));
    }
    for id in state.remains().expect("they are read") {
        lines.push(format!("{id} {:?}", state.worker_heartbeats(&id).expect("they are read")));
        for component in state.components_with_errors(&id).expect("they are read") {
            let last = state.last_error(&id, &component).expect("it is read");
            lines.push(format!("{id} {component} {last:?}"));
        }
    }
    lines
}

#[test]
fn every_node_of_a_stock_cluster_reads_the_same_after_we_wrote_it() {
    for dump in DUMPS {
        let rows = rows(dump);
        let (_stock_folder, stock) = copied(&rows);
        let (_our_folder, ours) = rewritten(&stock);
        assert_eq!(view(&ours), view(&stock), "{dump}");
    }
}

/// Nodes stand where Storm puts them, as ephemeral as Storm's, and folders hold the same byte.
#[test]
fn our_nodes_stand_where_a_stock_clusters_stand() {
    for dump in DUMPS {
        let rows = rows(dump);
        let (_stock_folder, stock) = copied(&rows);
        let (_our_folder, ours) = rewritten(&stock);
        let paths = stock.paths().clone();
        let is_ours = |path: &str| {
            // Blobs and the election of a leader are not kept by the typed view, and old errors of
            // a component may have been deleted before they were recorded.
            ![paths.blobs(), paths.blob_sequences(), paths.leader_lock()]
                .iter()
                .any(|folder| path.starts_with(&format!("{folder}/")) || path == folder)
                && !path.contains("/e0000")
        };
        let expected: BTreeSet<(String, bool, bool)> = rows
            .iter()
            .filter(|row| is_ours(&row.path))
            .map(|row| (row.path.clone(), row.is_ephemeral, row.data == [7]))
            .collect();
        let mut found = BTreeSet::new();
        list(&**ours.storage(), "/", &mut found);
        found.retain(|(path, ..)| is_ours(path));
        let missing: Vec<_> = expected.difference(&found).collect();
        // Folders that Curator made on the way, with nothing in them, hold our byte here.
        let unexpected: Vec<_> = missing
            .iter()
            .filter(|(path, ephemeral, _)| !found.contains(&(path.clone(), *ephemeral, true)))
            .collect();
        assert!(unexpected.is_empty(), "{dump}: {unexpected:?}");
        let names: BTreeSet<_> = expected.iter().map(|(path, ..)| path).collect();
        let more: Vec<_> = found.iter().filter(|(path, ..)| !names.contains(path)).collect();
        assert!(more.is_empty(), "{dump}: {more:?}");
    }
}

fn list(session: &dyn StateStorage, path: &str, found: &mut BTreeSet<(String, bool, bool)>) {
    let (data, stat) = session.get(path, None).expect("it was listed");
    found.insert((path.to_owned(), stat.is_ephemeral, data == [7]));
    for name in session.children(path, None).expect("it was listed") {
        list(session, &format!("{}/{name}", path.trim_end_matches('/')), found);
    }
}

/// The dumps hold what the other tests mean to see.
#[test]
fn the_recorded_dumps_hold_every_kind_of_node() {
    let running = rows("znodes-2-running.jsonl");
    let paths = Paths::default();
    for folder in [
        paths.nimbuses(),
        paths.supervisors(),
        paths.storms(),
        paths.assignments(),
        paths.workerbeats(),
        paths.errors(),
    ] {
        let prefix = format!("{folder}/");
        assert!(running.iter().any(|row| row.path.starts_with(&prefix)), "nothing in {folder}");
    }
}
