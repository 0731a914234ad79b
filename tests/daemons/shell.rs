//! Topologies without a binary: what is not built in is a child process, whose script travels in the
//! archive, and the stock worker runs it all.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use nimbus_client::client::{ClientError, NimbusMethods};
use nimbus_client::thrift::{
    Bolt, ComponentCommon, ComponentObject, GlobalStreamId, Grouping, NullStruct, ShellComponent,
    SpoutSpec, StormTopology, StreamInfo,
};
use serde_json::json;

use crate::cluster::Cluster;
use crate::{kill, running, topology};

/// A spout of numbers, written for a shell: each message is a line and a line `end`.
const NUMBERS: &str = r#"
read -r line
dir=${line#*\"pidDir\":\"}
: > "${dir%%\"*}/$$"
printf '{"pid": %s}\nend\n' $$
n=0
while read -r line; do
  case $line in
    *'"command":"next"'*)
      n=$((n + 1))
      printf '{"command": "emit", "tuple": [%s], "id": "%s", "need_task_ids": false}\nend\n' $n $n
      sleep 0.01 ;;
    *'"command"'*) ;;
    *) continue ;;
  esac
  printf '{"command": "sync"}\nend\n'
done
"#;

/// A bolt that writes each number as a line into the file that its environment names.
const WRITE: &str = r#"
read -r line
dir=${line#*\"pidDir\":\"}
: > "${dir%%\"*}/$$"
printf '{"pid": %s}\nend\n' $$
while read -r line; do
  case $line in
    *__heartbeat*) printf '{"command": "sync"}\nend\n' ;;
    *'"tuple":['*)
      tuple=${line#*\"tuple\":\[}
      printf '%s\n' "${tuple%%]*}" >> "$NUMBERS"
      id=${line#*\"id\":\"}
      printf '{"command": "ack", "id": "%s"}\nend\n' "${id%%\"*}" ;;
  esac
done
"#;

fn numbers() -> StormTopology {
    let shell = |script: &str| {
        ComponentObject::Shell(ShellComponent::new("sh".to_owned(), script.to_owned()))
    };
    let number = StreamInfo::new(vec!["number".to_owned()], false);
    let outputs = BTreeMap::from([("default".to_owned(), number)]);
    let from = GlobalStreamId::new("numbers".to_owned(), "default".to_owned());
    let inputs = BTreeMap::from([(from, Grouping::Shuffle(NullStruct::new()))]);
    let spout = ComponentCommon::new(BTreeMap::new(), outputs, 1, None);
    let bolt = ComponentCommon::new(inputs, BTreeMap::new(), 2, None);
    StormTopology {
        spouts: [("numbers".to_owned(), SpoutSpec::new(shell("numbers.sh"), spout))].into(),
        bolts: [("write".to_owned(), Bolt::new(shell("write.sh"), bolt))].into(),
        ..topology::words()
    }
}

/// An archive as a user makes it with `zip`, without anything of ours in it.
fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, script) in [("numbers.sh", NUMBERS), ("write.sh", WRITE)] {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("resources/{name}"), options).expect("an entry begins");
        zip.write_all(script.as_bytes()).expect("it is written");
    }
    zip.finish().expect("the archive ends").into_inner()
}

fn submit(cluster: &Cluster, topology: &StormTopology, file: &Path) -> Result<String, ClientError> {
    let mut nimbus = cluster.nimbus();
    let location = nimbus.upload_file(&mut Cursor::new(archive()), &mut |_| ())?;
    let conf = json!({
        "topology.environment": { "NUMBERS": file },
        "topology.message.timeout.secs": 5,
        "topology.max.spout.pending": 100,
    });
    nimbus.call(|nimbus| {
        let (name, location) = ("numbers".to_owned(), location.clone());
        nimbus.submit_topology(name, location, conf.to_string(), topology.clone())
    })?;
    Ok(nimbus.topology("numbers")?.expect("it is listed").id)
}

/// Processes that run in a topology's resources, as children of shell components do.
fn children(cluster: &Cluster, id: &str) -> Vec<u32> {
    let resources = Path::new("stormdist").join(id).join("resources");
    let cluster = fs::canonicalize(cluster.path()).expect("it is there");
    let runs_there = |pid: &u32| {
        let folder: Option<PathBuf> = fs::read_link(format!("/proc/{pid}/cwd")).ok();
        folder.is_some_and(|folder| folder.starts_with(&cluster) && folder.ends_with(&resources))
    };
    let processes = fs::read_dir("/proc").expect("Linux has it").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(runs_there).collect()
}

#[test]
fn a_topology_of_scripts_alone_runs_and_leaves_no_child_whatever_is_killed() {
    let mut cluster = Cluster::start(1);
    let file = cluster.path().join("numbers");
    let id = submit(&cluster, &numbers(), &file).expect("it is taken");
    let count = || fs::read_to_string(&file).unwrap_or_default().lines().count();
    let grows = |cluster: &Cluster| {
        let goal = count() + 50;
        cluster.eventually("numbers arrive", || (count() >= goal).then_some(()));
    };
    grows(&cluster);
    let before = children(&cluster, &id);
    assert!(before.len() >= 3, "a spout and two bolts have children: {before:?}");
    let gone = |cluster: &Cluster, before: &[u32]| {
        cluster.eventually("its children end with it", || {
            let left = children(cluster, &id);
            (!left.iter().any(|pid| before.contains(pid))).then_some(())
        });
    };

    kill(running(&cluster, &id, 1)[0]);
    gone(&cluster, &before);
    grows(&cluster);

    let before = children(&cluster, &id);
    let worker = running(&cluster, &id, 1)[0];
    cluster.kill_daemon();
    kill(worker);
    gone(&cluster, &before);
    cluster.start_daemon();
    running(&cluster, &id, 1);
    grows(&cluster);
    assert_eq!(cluster.error(&id).filter(|error| !error.contains("signal 9")), None);

    cluster.nimbus().kill("numbers", Some(0)).expect("it is killed");
    cluster.eventually("its worker is gone", || cluster.workers(&id).is_empty().then_some(()));
    cluster.eventually("no child is left", || children(&cluster, &id).is_empty().then_some(()));
}

#[test]
fn a_class_that_is_neither_built_in_nor_brought_along_is_refused_by_name() {
    let cluster = Cluster::start(1);
    let refused = submit(&cluster, &topology::words(), Path::new("numbers"));
    let error = refused.expect_err("nobody can make them").to_string();
    let told = "the topology brings no binary, and not all of it is built in: component words is a \
                words; component take is a take; submit it with the binary that registers these";
    assert!(error.contains(told), "{error}");
    assert!(cluster.nimbus().topology("numbers").expect("it can be asked for").is_none());
}
