//! What a topology's workers find in their folder, and what becomes of it when it changes.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use nimbus_client::client::NimbusMethods;
use nimbus_client::thrift::{RebalanceOptions, SettableBlobMeta};
use nimbus_client::wire::gunzip;
use serde_json::json;

use crate::cluster::{Cluster, archive};
use crate::running;

/// What the only worker finds under a name.
fn found(cluster: &Cluster, id: &str, name: &str) -> Option<String> {
    let pid = cluster.workers(id).first()?.pid;
    fs::read_to_string(PathBuf::from(format!("/proc/{pid}/cwd")).join(name)).ok()
}

fn create(cluster: &Cluster, key: &str, content: &[u8]) {
    let meta = SettableBlobMeta { acl: Vec::new(), replication_factor: Some(1) };
    let mut content = Cursor::new(content);
    let created = cluster.nimbus().create_blob(key, &meta, &mut content, &mut |_| ());
    created.expect("it is created");
}

fn update(cluster: &Cluster, key: &str, content: &str) {
    let updated = cluster.nimbus().update_blob(key, &mut Cursor::new(content), &mut |_| ());
    updated.expect("it is updated");
}

#[test]
fn workers_find_blobs_whose_new_versions_replace_them_and_may_start_them_anew() {
    let cluster = Cluster::start(1);
    let zip = archive("packed", |_| {});
    for (key, content) in [("table", &b"one"[..]), ("rules", b"first"), ("packed", &zip)] {
        create(&cluster, key, content);
    }
    let map = json!({
        "table": {"localname": "table.txt"}, "rules": {"workerRestart": true},
        "packed": {"localname": "folder", "uncompress": true},
    });
    let conf = json!({"topology.workers": 1, "topology.blobstore.map": map});
    let args = ["--count", "1000000", "--file", "/dev/null"];
    let id = cluster.submit_numbers_with(&args, conf);
    let before = running(&cluster, &id, 1);
    assert_eq!(found(&cluster, &id, "table.txt").as_deref(), Some("one"));
    assert_eq!(found(&cluster, &id, "rules").as_deref(), Some("first"));
    assert_eq!(found(&cluster, &id, "folder/resources/behaviour").as_deref(), Some("packed"));

    update(&cluster, "table", "two");
    cluster.eventually("the new version is found", || {
        (found(&cluster, &id, "table.txt").as_deref() == Some("two")).then_some(())
    });
    assert_eq!(cluster.workers(&id), before, "nobody wanted a new worker for that");

    update(&cluster, "rules", "second");
    let after = cluster.eventually("another worker finds the new version", || {
        let workers = cluster.workers(&id);
        let is_new = workers.len() == 1 && workers != before;
        (is_new && found(&cluster, &id, "rules").as_deref() == Some("second")).then_some(workers)
    });
    let overrides = json!({"topology.max.spout.pending": 77}).to_string();
    let options = RebalanceOptions {
        wait_secs: Some(0),
        num_workers: None,
        num_executors: None,
        topology_resources_overrides: None,
        topology_conf_overrides: Some(overrides),
        principal: None,
    };
    cluster.nimbus().rebalance("numbers", &options).expect("it is rebalanced");
    cluster.eventually("another worker runs with the new conf", || {
        let workers = cluster.workers(&id);
        (workers.len() == 1 && workers != after).then_some(())
    });
    let conf = cluster.path().join("supervisor-0/supervisor/stormdist").join(&id);
    let conf = fs::read(conf.join("stormconf.ser")).expect("it is here");
    let conf =
        String::from_utf8(gunzip(&conf, 1 << 20).expect("it is packed")).expect("it is text");
    assert!(conf.contains("\"topology.max.spout.pending\":77"), "{conf}");
}

#[test]
fn a_blob_that_cannot_be_where_it_is_wanted_is_told_as_an_error_of_the_topology() {
    let cluster = Cluster::start(1);
    create(&cluster, "table", b"one");
    let map = json!({"table": {"localname": "../table"}});
    let args = ["--count", "1", "--file", "/dev/null"];
    let id = cluster.submit_numbers_with(&args, json!({"topology.blobstore.map": map}));
    let error = cluster.eventually("it is told", || cluster.error(&id));
    assert!(error.contains(r#"to be found as "../table""#), "{error}");
    let known = cluster.nimbus().call(|nimbus| nimbus.get_topology_info(id.clone()));
    assert!(known.expect("it is there").errors.contains_key("__system"));
}
