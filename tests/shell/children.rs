//! Folders with children to be started, and topologies around them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use storm_runtime::prelude::*;
use storm_runtime::shell::{ShellBolt, ShellSpout};
use tempfile::TempDir;

use crate::components::{Feed, Record, number};

/// Long enough for a slow machine; nothing waits for it where the code is right.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The interpreter of the children.
pub const PYTHON: &str = "python3";

/// How every child in Python speaks.
const PRELUDE: &str = r#"
import json, os, signal, sys, time

def read():
    text = ""
    while True:
        line = sys.stdin.readline()
        if not line:
            sys.exit(0)
        if line == "end\n":
            return json.loads(text)
        text += line

def send(message):
    sys.stdout.write(json.dumps(message) + "\nend\n")
    sys.stdout.flush()

def greet():
    hello = read()
    open(os.path.join(hello["pidDir"], str(os.getpid())), "w").close()
    send({"pid": os.getpid()})
    return hello

def tuples():
    while True:
        message = read()
        if message["stream"] == "__heartbeat":
            send({"command": "sync"})
        else:
            yield message

def emit(tuple, **more):
    send(dict({"command": "emit", "tuple": tuple, "need_task_ids": False}, **more))

def ack(id):
    send({"command": "ack", "id": id})
"#;

/// A folder with one child.
pub struct Children {
    folder: TempDir,
}

impl Children {
    /// A child in Python with the helpers of this file.
    pub fn python(body: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("child.py"), format!("{PRELUDE}\n{body}"))
            .expect("it can be written");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A bolt that the child runs, with one field on the default stream.
    pub fn bolt(&self) -> ShellBolt {
        ShellBolt::new([PYTHON, "child.py"]).directory(self.folder()).output(["n"])
    }

    /// A spout that the child runs, with one field on the default stream.
    pub fn spout(&self) -> ShellSpout {
        ShellSpout::new([PYTHON, "child.py"]).directory(self.folder()).output(["n"])
    }
}

/// A fed spout, a shell bolt and a bolt that keeps what comes of it.
pub struct Rig {
    pub feed: Feed,
    pub record: Record,
    pub running: RunningTopology,
    pub cluster: LocalCluster,
}

impl Rig {
    /// With a bolt that takes what is fed.
    pub fn of_bolt(bolt: ShellBolt) -> Self {
        Self::built(bolt, |_| {})
    }

    /// With more said of the topology.
    pub fn built(bolt: ShellBolt, more: impl FnOnce(&mut TopologyBuilder)) -> Self {
        let (feed, record) = (Feed::new(number), Record::default());
        let mut builder = TopologyBuilder::new();
        builder.conf("topology.error.throttle.interval.secs", 0);
        builder.spout("feed", feed.spout());
        builder.bolt("shell", bolt).shuffle("feed");
        builder.bolt("record", record.bolt()).shuffle("shell");
        more(&mut builder);
        let cluster = LocalCluster::new();
        let topology = builder.build().expect("it is sound");
        let running = cluster.submit("shell", &topology).expect("it starts");
        Self { feed, record, running, cluster }
    }

    #[track_caller]
    pub fn wait(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let came_true = self.running.wait_until(DEADLINE, |_| condition(self));
        let errors: Vec<String> =
            self.running.errors().into_iter().map(|error| error.message).collect();
        assert!(came_true, "{what}; errors: {errors:#?}");
    }

    /// The errors so far, one text.
    pub fn errors(&self) -> String {
        let errors = self.running.errors().into_iter().map(|error| error.message);
        errors.collect::<Vec<_>>().join("\n")
    }
}
