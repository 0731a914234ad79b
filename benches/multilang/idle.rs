//! What many shell bolts cost that have nothing to do: this process and all their children.

use std::fs;
use std::time::Duration;

use storm_runtime::prelude::*;

use super::python::{Adapter, Scripts};
use super::topology::pass;

/// Time for all children to start, and in which they are watched: three heartbeats.
const SETTLE: Duration = Duration::from_secs(12);
const WATCHED: Duration = Duration::from_secs(30);

/// Emits nothing, and says so once.
struct Silent;

impl Spout for Silent {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text"]);
    }

    fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
        Ok(Next::Finished)
    }
}

/// Percent of a core that this process and all that it started use.
pub fn percent_of_a_core(scripts: &Scripts, bolts: usize) -> f64 {
    let mut builder = TopologyBuilder::new();
    builder.spout("silent", || Silent);
    builder.bolt("echo", scripts.echo(Adapter::Ours, "json")).parallelism(bolts).shuffle("silent");
    let cluster = LocalCluster::new();
    let topology = builder.build().expect("it is sound");
    let running = cluster.submit("idle", &topology).expect("it starts");
    pass(SETTLE);
    let children = descendants();
    assert!(children.len() >= bolts, "{} children: {:?}", children.len(), running.errors());
    let used =
        || -> u64 { children.iter().copied().chain([std::process::id()]).map(used_ns).sum() };
    let before = used();
    let took = pass(WATCHED);
    let used = used() - before;
    cluster.kill("idle", Duration::ZERO);
    100.0 * used as f64 / took.as_nanos() as f64
}

/// Nanoseconds that all threads of a process have run.
fn used_ns(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let used = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    threads.filter_map(|thread| used(thread.path())).sum()
}

fn descendants() -> Vec<u32> {
    let mut found = vec![std::process::id()];
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        next += 1;
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
    }
    found.split_off(1)
}
