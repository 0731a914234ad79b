//! Word count whose lines are split by adapters for other languages: those below `topologies/multilang`
//! in each framing, and Storm's own, unchanged.
//!
//! Storm's are tested where `STORM_MULTILANG_DIR` names a folder that has them, as
//! `scripts/stock-multilang` makes it and `scripts/test multilang` does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use storm_runtime::prelude::*;
use storm_runtime::shell::ShellBolt;
use tempfile::TempDir;

/// Long enough for a slow machine; nothing waits for it where the code is right.
const DEADLINE: Duration = Duration::from_secs(60);

const LINES: [&str; 4] =
    ["the cow jumped over the moon", "an apple a day", "", "café naïve 日本 the 😀"];
const REPEATS: usize = 500;

/// Emits the lines, each with an id.
#[derive(Default)]
struct Lines(usize);

impl Spout for Lines {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["line"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.0 == REPEATS * LINES.len() {
            return Ok(Next::Finished);
        }
        out.emit_with_id([LINES[self.0 % LINES.len()]], self.0 as u64);
        self.0 += 1;
        Ok(Next::Emitted)
    }
}

type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

struct Count(Counts);

impl BasicBolt for Count {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(tuple.str("word")?.to_owned()).or_default() += 1;
        Ok(())
    }
}

/// Counts words that two tasks of a splitter emit, and holds them to what they should be.
#[track_caller]
fn check(split: ShellBolt) {
    let counts = Counts::default();
    let shown = counts.clone();
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.max.spout.pending", 200);
    builder.spout("lines", Lines::default);
    builder.bolt("split", split.output(["word"])).parallelism(2).shuffle("lines");
    builder.bolt("count", move || Count(counts.clone())).fields("split", ["word"]);
    let cluster = LocalCluster::new();
    let running = cluster.submit("words", &builder.build().expect("it is sound")).expect("it runs");
    let is_finished = running.wait_until_finished(DEADLINE);
    assert!(is_finished, "{:?}: {:?}", running.stats(), running.errors());

    let mut expected = BTreeMap::new();
    for word in LINES.iter().flat_map(|line| line.split_whitespace()) {
        *expected.entry(word.to_owned()).or_default() += REPEATS;
    }
    assert_eq!(*shown.lock().unwrap_or_else(PoisonError::into_inner), expected);
    let stats = running.stats();
    assert_eq!(stats.acked("lines"), (REPEATS * LINES.len()) as u64);
    assert_eq!((stats.failed("lines"), stats.pending(), running.errors().len()), (0, 0, 0));
}

fn is_installed(program: &str) -> bool {
    let asked = Command::new(program).arg("--version").stdout(Stdio::null()).status();
    let is_installed = asked.is_ok_and(|status| status.success());
    if !is_installed {
        println!("skipped: {program} is not installed");
    }
    is_installed
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with a splitter beside an adapter.
fn folder(adapter: &Path, splitter: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (file, name) in [(adapter, adapter.file_name()), (splitter, splitter.file_name())] {
        let name = name.expect("a file has a name");
        fs::copy(file, folder.path().join(name)).expect("it can be copied");
    }
    folder
}

#[track_caller]
fn check_ours(program: &str, language: &str, adapter: &str, splitter: &str) {
    if !is_installed(program) {
        return;
    }
    let sources = here("topologies/multilang").join(language);
    let folder = folder(&sources.join(adapter), &here("tests/multilang").join(splitter));
    for serializer in ["json", "msgpack", "binary"] {
        check(ShellBolt::new([program, splitter]).directory(folder.path()).serializer(serializer));
    }
}

/// With Storm's own adapter, which speaks JSON whatever is offered.
#[track_caller]
fn check_stock(program: &str, adapter: &str, splitter: &str) {
    let Some(stock) = std::env::var_os("STORM_MULTILANG_DIR") else {
        println!("skipped: STORM_MULTILANG_DIR names no folder with Storm's {adapter}");
        return;
    };
    if !is_installed(program) {
        return;
    }
    let adapter = PathBuf::from(stock).join(adapter);
    let folder = folder(&adapter, &here("tests/multilang").join(splitter));
    for serializer in ["org.apache.storm.multilang.JsonSerializer", "binary"] {
        check(ShellBolt::new([program, splitter]).directory(folder.path()).serializer(serializer));
    }
}

#[test]
fn our_python_adapter_splits_in_each_framing() {
    check_ours("python3", "python", "storm.py", "split.py");
}

#[test]
fn our_javascript_adapter_splits_in_each_framing() {
    check_ours("node", "javascript", "storm.js", "split.js");
}

#[test]
fn storms_python_adapter_splits() {
    check_stock("python3", "storm.py", "split.py");
}

#[test]
fn storms_javascript_adapter_splits() {
    check_stock("node", "storm.js", "split.js");
}

#[test]
fn storms_ruby_adapter_splits() {
    check_stock("ruby", "storm.rb", "split.rb");
}
