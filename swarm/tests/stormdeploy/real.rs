//! A whole cluster of the real programs, where they were built beside ours:
//! `cargo build --workspace --features storm-runtime/daemons`.

use std::process::Command;

use serde_json::Value;

use crate::support::{Outcome, Place, runs, until};

/// A cluster of its own, taken down when the test ends.
struct Cluster(Place);

impl Cluster {
    /// `None`, told as skipped, if the programs were not built.
    fn new() -> Option<Self> {
        let place = Place::new().with_built(&["stormd", "topologies"]);
        if place.is_none() {
            println!(
                "skipped: stormd and topologies are not built: cargo build --workspace --features \
                 storm-runtime/daemons"
            );
        }
        place.map(Self)
    }

    fn status(&self) -> Value {
        self.0.run(&["status", "--json"]).json()
    }

    fn daemon(&self) -> u64 {
        self.status()["local"]["pid"].as_u64().expect("a number")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.0.command(&["down", "--timeout", "60s"]).output();
    }
}

#[track_caller]
fn done(outcome: Outcome) -> Outcome {
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome
}

#[test]
fn a_cluster_comes_up_scales_survives_the_killing_of_its_daemon_and_goes_down() {
    let Some(cluster) = Cluster::new() else { return };
    done(cluster.0.up(&["--supervisors", "3"]));
    assert_eq!(cluster.status()["supervisors"].as_array().unwrap().len(), 3);
    done(cluster.0.up(&["--supervisors", "5"]));
    assert_eq!(cluster.status()["supervisors"].as_array().unwrap().len(), 5);

    let binary = cluster.0.path("bin/topologies");
    let binary = binary.to_str().expect("it is text");
    // Inactive and not waited for: what is shown here is the cluster's, not the worker's.
    done(cluster.0.run(&["submit", binary, "--inactive", "--no-wait", "--", "word-count"]));
    let refused = cluster.0.run(&["submit", binary, "--no-wait", "--", "word-count"]);
    assert!(refused.error().0.contains("word-count"), "{}", refused.stderr);

    let daemon = cluster.daemon();
    Command::new("kill").args(["-9", &daemon.to_string()]).status().expect("there is kill");
    until("the end of the daemon", || !runs(daemon));
    assert_eq!(cluster.0.run(&["status"]).code, Some(1));
    done(cluster.0.run(&["up"]));
    assert_ne!(cluster.daemon(), daemon);
    let status = cluster.status();
    assert_eq!(status["supervisors"].as_array().unwrap().len(), 5);
    assert_eq!(status["topologies"][0]["name"], "word-count");
    assert_eq!(status["topologies"][0]["status"], "INACTIVE");

    done(cluster.0.run(&["activate", "word-count"]));
    // Its worker starts, reports, and is seen to work.
    until("the first acked messages", || {
        let look = cluster.0.run(&["monitor", "word-count", "-n", "1", "-i", "200ms", "--json"]);
        let look: Value = serde_json::from_str(&look.stdout).unwrap_or_default();
        look["components"][0]["acked"].as_f64().is_some_and(|acked| acked > 0.0)
    });
    done(cluster.0.run(&["kill", "word-count", "-w", "0", "--until-gone"]));
    assert_eq!(cluster.0.run(&["list", "--json"]).json(), Value::Array(Vec::new()));
    let daemon = cluster.daemon();
    done(cluster.0.run(&["down"]));
    assert!(!runs(daemon));
}

#[test]
fn a_topology_in_yaml_of_built_in_components_needs_no_binary() {
    let Some(cluster) = Cluster::new() else { return };
    let yaml = concat!(env!("CARGO_MANIFEST_DIR"), "/../topologies/flux/word-count.yaml");
    let picture = done(cluster.0.run(&["submit", "--flux", yaml, "--dry-run"])).stdout;
    assert!(picture.starts_with("word-count: 1 spout, 2 bolts, 4 executors"), "{picture}");
    let json = done(cluster.0.run(&["submit", "--flux", yaml, "--dry-run", "--json"])).json();
    assert_eq!(json["components"].as_array().map(Vec::len), Some(4), "{json}");

    let wrong = cluster.0.path("wrong.yaml");
    std::fs::write(&wrong, "name: wrong\nspuots: []\n").expect("it can be written");
    let refused = cluster.0.run(&["submit", "--flux", wrong.to_str().expect("it is text")]);
    assert_eq!(refused.code, Some(1));
    let told = "wrong.yaml:2:1: a topology has no key \"spuots\"";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean spouts?"), "{}", refused.stderr);

    done(cluster.0.up(&["--supervisors", "1"]));
    done(cluster.0.run(&["submit", "--flux", yaml, "--name", "yaml"]));
    until("the first counted words", || {
        let logs = cluster.0.run(&["logs", "yaml"]);
        logs.stdout.contains("source: count:")
    });
    done(cluster.0.run(&["kill", "yaml", "-w", "0", "--until-gone"]));

    // A child in another language, whose files travel with the topology.
    if !Command::new("python3").arg("--version").output().is_ok_and(|said| said.status.success()) {
        println!("skipped: there is no python3");
        return;
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let yaml = format!("{root}/topologies/flux/split-in-python.yaml");
    let scripts = format!("{root}/topologies/multilang/python");
    let text = format!("text={root}/LICENSE");
    let submit = ["submit", "--flux", &yaml, "--resources", &scripts, "--set", &text];
    done(cluster.0.run(&submit));
    until("the words that the child split", || {
        cluster.0.run(&["logs", "split-in-python"]).stdout.contains("default, [license, ")
    });
    done(cluster.0.run(&["kill", "split-in-python", "-w", "0", "--until-gone"]));
}
