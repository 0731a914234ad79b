//! `word-count-python` and `word-count-javascript`: word count with a splitter in another language.
//!
//! ```text
//!   lines ──shuffle──▶ split ──fields(word)──▶ rolling-count ──global──▶ top-words ──▶ report
//!                       │ ▲
//!                 stdin ▼ │ stdout
//!                 python3 split.py
//! ```
//!
//! Everything but `split` is that of [`word_count`]. Each task of `split` is a
//! child process, which speaks Storm's multilang protocol with its host by the adapter that lies
//! beside it: `multilang/python/storm.py` or `multilang/javascript/storm.js` of this package.

use std::path::{Path, PathBuf};

use clap::Args;
use storm_runtime::prelude::*;
use storm_runtime::shell::ShellBolt;

use crate::word_count::{self, Board, WordCountArgs};

/// Count the words of a text, split by a program in another language.
#[derive(Args)]
pub struct MultilangArgs {
    #[command(flatten)]
    word_count: WordCountArgs,
    /// How to speak with the splitter: json, msgpack or binary
    #[arg(long, value_name = "NAME", default_value = "binary")]
    serializer: String,
    /// Folder of the splitter and its adapter; `.` are the resources that were submitted with the
    /// topology [default: where this package was built]
    #[arg(long, value_name = "DIR")]
    scripts: Option<PathBuf>,
}

/// Adds the topologies, whose components other than `split` are those of [`word_count`].
pub fn add_to(app: App, board: &Board) -> App {
    let (python, javascript) = (board.clone(), board.clone());
    app.topology("word-count-python", |builder, args| {
        build(builder, args, ["python3", "split.py"], "python")
    })
    .report("word-count-python", move |running, report| {
        word_count::tell(running, &python, report);
    })
    .topology("word-count-javascript", |builder, args| {
        build(builder, args, ["node", "split.js"], "javascript")
    })
    .report("word-count-javascript", move |running, report| {
        word_count::tell(running, &javascript, report);
    })
}

fn build(
    builder: &mut TopologyBuilder,
    args: MultilangArgs,
    command: [&str; 2],
    language: &str,
) -> Result {
    // In a clone of the sources the scripts are there; elsewhere they come with the topology.
    let in_sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("multilang").join(language);
    let default = if in_sources.is_dir() { in_sources } else { PathBuf::from(".") };
    let split = ShellBolt::new(command)
        .directory(args.scripts.unwrap_or(default))
        .serializer(args.serializer)
        .output(["word"]);
    word_count::assemble(builder, args.word_count, split)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use storm_runtime::local::TopologyStats;

    use super::*;

    /// A text that every checkout has.
    const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/word_count.rs");
    /// Long enough for a slow machine; nothing waits for it where the code is right.
    const DEADLINE: Duration = Duration::from_secs(60);

    fn is_installed(program: &str) -> bool {
        let asked = Command::new(program).arg("--version").stdout(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    }

    /// The three most frequent words of [`TEXT`], by a topology.
    fn ranking(topology: &str, more: &[&str]) -> Vec<(String, u64)> {
        let board = Board::default();
        let app = add_to(word_count::add_to(App::new(), &board), &board);
        let args = [&[TEXT, "--top", "3", "--window", "1h"], more].concat();
        let topology = app.build(topology, &args).unwrap();
        let cluster = LocalCluster::new();
        let running = cluster.submit("word-count", &topology).unwrap();
        assert!(running.wait_until_finished(DEADLINE), "{:?}", running.errors());
        let all_ranked = |stats: &TopologyStats| board.counted() == stats.executed("rolling-count");
        assert!(running.wait_until(DEADLINE, all_ranked));
        assert_eq!((running.stats().failed("lines"), running.errors().len()), (0, 0));
        board.ranking()
    }

    #[test]
    fn words_are_counted_as_with_the_splitter_in_rust() {
        let expected = ranking("word-count", &[]);
        for (topology, program) in
            [("word-count-python", "python3"), ("word-count-javascript", "node")]
        {
            if !is_installed(program) {
                println!("skipped: {program} is not installed");
                continue;
            }
            for serializer in ["json", "msgpack", "binary"] {
                assert_eq!(
                    ranking(topology, &["--serializer", serializer]),
                    expected,
                    "{topology}"
                );
            }
        }
    }
}
