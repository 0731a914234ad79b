//! Every method answers, and says why when it refuses.

use std::collections::{BTreeMap, BTreeSet};

use nimbus_client::client::{ClientError, NimbusMethods};
use nimbus_client::native::{self, TSupervisorGateSyncClient};
use nimbus_client::thrift::{self as storm, *};
use serde_json::{Value, json};

use crate::bench::*;

const NOT_ALIVE: &str = "NotAliveException";
const FAULT: &str = "TApplicationException";

#[test]
fn every_method_answers() {
    let bench = Bench::new();
    let supervisor = Supervisor::join(&bench, "a", 6700..6704);
    let mut client = bench.client();
    let name = || "wc".to_owned();
    let id = submit(&mut client, "wc", json!({"topology.workers": 2}));
    until("the assignment is pushed", || supervisor.assigned(&id));

    readers(&mut client, &id, &supervisor.id);
    blobs(&mut client);
    running(&mut client, &id, &supervisor.id);
    bench.gate().report_workers(supervisor.id.clone(), Vec::new()).expect("taken");
    bench.gate().worker_reports(id.clone()).expect("alive");

    let options = SubmitOptions {
        initial_status: TopologyInitialStatus::INACTIVE,
        creds: Some(Credentials::new(BTreeMap::new(), None)),
    };
    client
        .submit_topology_with_opts(
            "idle".to_owned(),
            String::new(),
            "{}".to_owned(),
            topology(1),
            options,
        )
        .expect("submitted");
    let idle = client.get_topology_summary_by_name("idle".to_owned()).expect("alive");
    assert_eq!(idle.status, "INACTIVE");
    client.rebalance(name(), rebalance(60)).expect("begun");
    client.kill_topology(name()).expect("killed");
    let now = KillOptions { wait_secs: Some(0) };
    client.kill_topology_with_opts("idle".to_owned(), now).expect("killed");

    let text = bench.metrics();
    let called: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("nimbus_thrift_calls_total{method=\"")?.split('"').next()
        })
        .collect();
    let of = |methods: &'static [nimbus_client::catalogue::Method], service| {
        methods.iter().filter(move |one| one.service == service).map(|one| one.name)
    };
    let all: BTreeSet<&str> =
        of(storm::METHODS, "Nimbus").chain(of(native::METHODS, "SupervisorGate")).collect();
    assert_eq!(all.difference(&called).collect::<Vec<_>>(), Vec::<&&str>::new());
    assert_eq!(all.len(), 57);
}

/// What a UI asks.
fn readers(client: &mut Client, id: &str, supervisor: &str) {
    let (id, name) = (|| id.to_owned(), || "wc".to_owned());
    assert!(client.get_leader().expect("answered").is_leader);
    let conf: Value =
        serde_json::from_str(&client.get_nimbus_conf().expect("answered")).expect("JSON");
    assert_eq!(conf["nimbus.seeds"], json!(["localhost"]), "defaults are told as well");
    assert_eq!(client.get_cluster_info().expect("answered").supervisors.len(), 1);
    let page = client.get_supervisor_page_info(supervisor.to_owned(), String::new(), true);
    assert_eq!(page.expect("there").worker_summaries.expect("workers").len(), 2);
    let owners = client.get_owner_resource_summaries(String::new()).expect("answered");
    assert_eq!((owners.len(), owners[0].total_executors), (1, Some(6)));
    assert_eq!(client.get_topology_summaries().expect("answered").len(), 1);
    assert_eq!(client.get_topology_summary_by_name(name()).expect("alive").id, id());
    assert_eq!(client.get_topology_summary(id()).expect("alive").name, "wc");
    assert_eq!(client.get_topology_info(id()).expect("alive").executors.len(), 6);
    assert_eq!(client.get_topology_info_by_name(name()).expect("alive").executors.len(), 6);
    let none = || GetInfoOptions { num_err_choice: Some(NumErrorsChoice::NONE) };
    client.get_topology_info_with_opts(id(), none()).expect("alive");
    client.get_topology_info_by_name_with_opts(name(), none()).expect("alive");
    let page = client.get_topology_page_info(id(), "600".to_owned(), true).expect("alive");
    assert_eq!(page.workers.expect("workers").len(), 2);
    let page = client.get_component_page_info(id(), "count".to_owned(), "600".to_owned(), true);
    assert_eq!(page.expect("there").num_executors, Some(2));
    let conf: Value =
        serde_json::from_str(&client.get_topology_conf(id()).expect("alive")).expect("JSON");
    assert_eq!((&conf["storm.id"], &conf["topology.workers"]), (&json!(id()), &json!(2)));
    let system = client.get_topology(id()).expect("alive");
    assert_eq!(system.bolts.keys().collect::<Vec<_>>(), ["__acker", "__system", "count"]);
    let user = client.get_user_topology(id()).expect("alive");
    let own = user.bolts["count"].common.json_conf.as_deref();
    assert_eq!(own, Some(r#"{"topology.tasks":2}"#));
    let history = client.get_topology_history(String::new()).expect("answered");
    assert_eq!(history.topo_ids, Some(vec![id()]));
    assert!(!client.is_topology_name_allowed(name()).expect("answered"));
    assert!(client.is_topology_name_allowed("other".to_owned()).expect("answered"));
    assert!(!client.is_topology_name_allowed("a/b".to_owned()).expect("answered"));
}

/// Files and blobs.
fn blobs(client: &mut Client) {
    let location = client.begin_file_upload().expect("begun");
    client.upload_chunk(location.clone(), b"archive".to_vec()).expect("taken");
    client.finish_file_upload(location).expect("finished");
    check_refused(client.download_chunk("x".to_owned()), FAULT, "no file download x");

    let key = || "a-blob".to_owned();
    let meta = || SettableBlobMeta { acl: Vec::new(), replication_factor: Some(1) };
    let session = client.begin_create_blob(key(), meta()).expect("begun");
    client.upload_blob_chunk(session.clone(), b"one".to_vec()).expect("taken");
    client.finish_blob_upload(session).expect("finished");
    client.create_state_in_zookeeper(key()).expect("answered");
    check_refused(client.begin_create_blob(key(), meta()), "KeyAlreadyExistsException", "a-blob");
    let first = client.get_blob_meta(key()).expect("there");
    let session = client.begin_update_blob(key()).expect("begun");
    client.upload_blob_chunk(session.clone(), b"two!".to_vec()).expect("taken");
    client.finish_blob_upload(session).expect("finished");
    assert_ne!(client.get_blob_meta(key()).expect("there").version, first.version);
    let session = client.begin_update_blob(key()).expect("begun");
    client.cancel_blob_upload(session.clone()).expect("cancelled");
    check_refused(client.upload_blob_chunk(session, Vec::new()), FAULT, "no session");
    let download = client.begin_blob_download(key()).expect("begun");
    assert_eq!(download.data_size, Some(4));
    assert_eq!(client.download_blob_chunk(download.session.clone()).expect("bytes"), b"two!");
    assert_eq!(client.download_blob_chunk(download.session).expect("the end"), b"");
    client.set_blob_meta(key(), meta()).expect("set");
    let page = client.list_blobs(String::new()).expect("a page");
    assert!(page.keys.contains(&key()), "{:?}", page.keys);
    assert!(client.list_blobs(page.session).expect("a page").keys.is_empty());
    assert_eq!(client.get_blob_replication(key()).expect("there"), 1);
    assert_eq!(client.update_blob_replication(key(), 3).expect("there"), 1);
    assert!(client.is_remote_blob_exists(key()).expect("answered"));
    client.delete_blob(key()).expect("deleted");
    assert!(!client.is_remote_blob_exists(key()).expect("answered"));
    check_refused(client.get_blob_meta(key()), "KeyNotFoundException", "a-blob");
    check_refused(client.delete_blob("a/b".to_owned()), "KeyNotFoundException", "a/b");
    let code = client.list_blobs(String::new()).expect("a page").keys.remove(0);
    check_refused(client.delete_blob(code), "IllegalStateException", "which is alive");
}

/// What is done to a topology while it runs, and what supervisors and workers say.
fn running(client: &mut Client, id: &str, supervisor: &str) {
    let (id, name) = (|| id.to_owned(), || "wc".to_owned());
    client.deactivate(name()).expect("deactivated");
    client.activate(name()).expect("activated");
    let creds = Credentials::new(BTreeMap::from([("k".to_owned(), "v".to_owned())]), None);
    client.upload_new_credentials(name(), creds).expect("taken");
    let level = LogLevel {
        action: LogLevelAction::UPDATE,
        target_log_level: Some("DEBUG".to_owned()),
        reset_log_level_timeout_secs: Some(1),
        reset_log_level_timeout_epoch: None,
        reset_log_level: Some("INFO".to_owned()),
    };
    let levels = BTreeMap::from([("ROOT".to_owned(), level)]);
    client.set_log_config(name(), LogConfig { named_logger_level: Some(levels) }).expect("set");
    let config = client.get_log_config(id()).expect("there");
    assert!(
        config.named_logger_level.expect("levels")["ROOT"].reset_log_level_timeout_epoch.is_some()
    );
    until("the level runs out", || {
        let config = client.get_log_config(id()).expect("there");
        config.named_logger_level.expect("levels").is_empty().then_some(())
    });
    client.debug(name(), "count".to_owned(), true, 25.0.into()).expect("set");
    let info = client.get_topology_info(id()).expect("alive");
    assert_eq!(info.component_debug.expect("sampling")["count"].samplingpct, Some(25.0.into()));
    let request = ProfileRequest {
        node_info: NodeInfo::new(supervisor.to_owned(), BTreeSet::from([6700])),
        action: ProfileAction::JSTACK_DUMP,
        time_stamp: None,
    };
    check_refused(client.set_worker_profiler(id(), request), FAULT, "no JVM to profile");
    let action = ProfileAction::JSTACK_DUMP;
    let pending = client.get_component_pending_profile_actions(id(), "count".to_owned(), action);
    assert_eq!(pending.expect("answered"), []);
    let assigned = client.get_supervisor_assignments(supervisor.to_owned()).expect("answered");
    assert_eq!(assigned.storm_assignment.expect("assignments").len(), 1);
    let heartbeat = || SupervisorWorkerHeartbeat::new(id(), Vec::new(), 1);
    client.send_supervisor_worker_heartbeat(heartbeat()).expect("taken");
    let all = SupervisorWorkerHeartbeats::new(supervisor.to_owned(), vec![heartbeat()]);
    client.send_supervisor_worker_heartbeats(all).expect("taken");
    let metrics = WorkerMetrics::new(id(), 6700, "h".to_owned(), WorkerMetricList::new(None));
    client.process_worker_metrics(metrics).expect("taken");
}

#[test]
fn what_does_not_exist_is_refused_by_name() {
    let bench = Bench::new();
    let _supervisor = Supervisor::join(&bench, "a", 6700..6701);
    let mut client = bench.client();
    let id = submit(&mut client, "wc", json!({}));
    let no = || "no-such".to_owned();
    check_refused(client.kill_topology(no()), NOT_ALIVE, "no-such is not alive");
    check_refused(client.activate(no()), NOT_ALIVE, "no-such is not alive");
    check_refused(client.get_topology_info(no()), NOT_ALIVE, "no-such is not alive");
    check_refused(client.get_topology_conf("wc-9-9".to_owned()), NOT_ALIVE, "wc-9-9 is not alive");
    check_refused(client.rebalance(no(), rebalance(0)), NOT_ALIVE, "no-such");
    check_refused(client.get_log_config(no()), FAULT, "no-such is not alive");
    until("the supervisor is known", || {
        (client.get_cluster_info().expect("asked").supervisors.len() == 1).then_some(())
    });
    check_refused(
        client.get_supervisor_page_info(String::new(), "no-host".to_owned(), true),
        NOT_ALIVE,
        "no supervisor on host no-host; supervisors that are there: a-127.0.0.1 on 127.0.0.1",
    );
    check_refused(
        client.get_component_page_info(id.clone(), no(), "600".to_owned(), true),
        NOT_ALIVE,
        "has no component no-such; its components are __acker, __system, count, words",
    );
    check_refused(client.debug("wc".to_owned(), no(), true, 1.0.into()), NOT_ALIVE, "no component");
    let many = RebalanceOptions {
        num_executors: Some(BTreeMap::from([("no-such".to_owned(), 2)])),
        ..rebalance(0)
    };
    let wrong = "InvalidTopologyException";
    check_refused(client.rebalance("wc".to_owned(), many), wrong, "Invalid component no-such");
}

#[test]
fn a_bad_submission_is_refused_with_what_is_wrong_and_leaves_nothing() {
    let bench = Bench::with(json!({"nimbus.executors.perTopology": 10}));
    let mut client = bench.client();
    let mut check = |name: &str,
                     location: &str,
                     conf: &str,
                     topology: StormTopology,
                     part: &str| {
        let answer =
            client.submit_topology(name.to_owned(), location.to_owned(), conf.to_owned(), topology);
        check_refused(answer, "InvalidTopologyException", part);
    };
    check("a/b", "", "{}", topology(1), "because of '/'");
    check("wc", "", "[]", topology(1), "no JSON object");
    check("wc", "", "{", topology(1), "no JSON");
    check("wc", "", r#"{"topology.workers": 0}"#, topology(1), "topology.workers");
    check("wc", "/etc/passwd", "{}", topology(1), "'/etc/passwd' is no finished upload");
    check("wc", "", "{}", topology(5), "asks for 11 executors and nimbus.executors.perTopology");
    let blob = r#"{"topology.blobstore.map": {"missing": {}}}"#;
    check("wc", "", blob, topology(1), "the blob missing, which does not exist");
    let mut java = topology(1);
    let words = java.spouts.get_mut("words").expect("the spout");
    words.spout_object = ComponentObject::SerializedJava(vec![0xac, 0xed]);
    check("wc", "", "{}", java, "component words is a serialized Java object");
    let mut lost = topology(1);
    lost.spouts.get_mut("words").expect("the spout").common.streams.clear();
    check("wc", "", "{}", lost, "non-existent stream: [default] of component [words]");
    assert!(client.list_blobs(String::new()).expect("answered").keys.is_empty());
    assert!(client.get_topology_summaries().expect("answered").is_empty());
    client
        .submit_topology("wc".to_owned(), String::new(), "{}".to_owned(), topology(1))
        .expect("the name was not taken by a refused submission");
}

#[test]
fn our_own_client_submits_an_archive_and_reads_it_back() {
    let bench = Bench::new();
    let mut nimbus = bench.nimbus();
    let archive: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    let mut source = std::io::Cursor::new(archive.clone());
    let location = nimbus.upload_file(&mut source, &mut |_| {}).expect("uploaded");
    nimbus
        .call(|storm| {
            storm.submit_topology("wc".to_owned(), location.clone(), "{}".to_owned(), topology(1))
        })
        .expect("submitted");
    let summary = nimbus.topology("wc").expect("asked").expect("alive");
    let mut read = Vec::new();
    let key = format!("{}-stormjar.jar", summary.id);
    nimbus.read_blob(&key, &mut read, &mut |_| {}).expect("read");
    assert!(read == archive, "the archive is stored as it was uploaded");
    assert!(nimbus.topology("other").expect("asked").is_none());
    nimbus.kill("wc", Some(0)).expect("killed");
    let error = nimbus.kill("other", None).expect_err("refused");
    assert!(matches!(&error, ClientError::NotAlive { .. }), "{error}");
}

#[test]
fn topologies_whose_blobs_are_lost_are_listed_and_can_be_killed() {
    let bench = Bench::new();
    let state = bench.state();
    let mut client = bench.client();
    let id = submit(&mut client, "wc", json!({}));
    let base = state.topology(&id.parse().expect("an id"), None).expect("read").expect("there");
    for number in 0..100 {
        let base = StormBase { name: format!("t{number}"), ..base.value.clone() };
        let id = format!("t{number}-1-1").parse().expect("an id");
        state.add_topology(&id, &base, None).expect("stored");
    }
    let mut bench = bench;
    bench.stop();
    bench.start();
    let mut client = bench.client();
    let all = client.get_topology_summaries().expect("answered");
    assert_eq!(all.len(), 101);
    let lost = all.iter().find(|one| one.name == "t7").expect("listed");
    let status = lost.sched_status.clone().expect("why it does not run");
    assert!(status.contains("there is no blob 't7-1-1-stormcode.ser'"), "{status}");
    let now = KillOptions { wait_secs: Some(0) };
    client.kill_topology_with_opts("t7".to_owned(), now).expect("what cannot run can be killed");
}
