//! `file-read-word-count`: counts the words of a text that is read again and again.
//!
//! ```text
//!   spout ──local-or-shuffle──▶ splitter ──fields(word)──▶ counter
//! ```
//!
//! It measures how fast words are counted. In Apache Storm it is `FileReadWordCountTopo`, with the
//! same components. The text is read into memory first, so that no disk is measured; words are what
//! stands between blanks, so that no cleverness is measured either. For counting words in earnest
//! see `word_count`.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::PathBuf;

use clap::Args;
use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use storm_runtime::prelude::*;

use crate::const_spout_only::MAX_PENDING;
use crate::text::Source;

/// Emits the lines of a text, and after the last one the first again.
pub struct FileReadSpout {
    args: SpoutArgs,
    /// A long value is shared, not copied, when it is cloned.
    lines: Vec<Value>,
    emitted: usize,
}

/// What a [`FileReadSpout`] is made of.
#[derive(Clone, Serialize, Deserialize)]
pub struct SpoutArgs {
    source: Source,
    acked: bool,
}

impl FileReadSpout {
    fn new(args: SpoutArgs) -> Self {
        Self { args, lines: Vec::new(), emitted: 0 }
    }
}

impl Spout for FileReadSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["sentence"]);
    }

    /// Called once in the process that runs the spout: the place for files and connections.
    fn open(&mut self, _context: &TaskContext) -> Result {
        for line in self.args.source.read()?.lines() {
            self.lines.push(line?.into());
        }
        if self.lines.is_empty() {
            return Err("the text is empty".into());
        }
        Ok(())
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let line = self.lines[self.emitted % self.lines.len()].clone();
        if self.args.acked {
            out.emit_with_id([line], self.emitted);
        } else {
            out.emit([line]);
        }
        self.emitted += 1;
        Ok(Next::Emitted)
    }
}

/// Emits each word of a sentence.
pub struct SplitSentence;

impl BasicBolt for SplitSentence {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        for word in tuple.str(0)?.split_ascii_whitespace() {
            out.emit([word]);
        }
        Ok(())
    }
}

/// Counts words, and emits each with its count so far.
#[derive(Default)]
pub struct Count {
    word_to_count: HashMap<String, i64, RandomState>,
}

impl BasicBolt for Count {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word", "count"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let word = tuple.str(0)?;
        let count = match self.word_to_count.get_mut(word) {
            Some(count) => {
                *count += 1;
                *count
            }
            // Only a new word allocates.
            None => *self.word_to_count.entry(word.to_owned()).or_insert(1),
        };
        out.emit((tuple.get(0)?, count));
        Ok(())
    }
}

/// Count the words of a text again and again, as fast as it goes.
#[derive(Args)]
pub struct FileReadArgs {
    /// Text to read [default: the King James text of Debian's package bible-kjv]
    file: Option<PathBuf>,
    /// Emit without asking for acks
    #[arg(long)]
    unacked: bool,
    /// Executors of the spout
    #[arg(long, value_name = "N", default_value_t = 1)]
    spouts: usize,
    /// Executors of the splitter
    #[arg(long, value_name = "N", default_value_t = 2)]
    splitters: usize,
    /// Executors of the counter
    #[arg(long, value_name = "N", default_value_t = 2)]
    counters: usize,
}

/// Registers the components and adds the topology.
pub fn add_to(app: App) -> App {
    app.register("file-read-spout", FileReadSpout::new)
        .register("split-sentence", |(): ()| SplitSentence)
        .register("count", |(): ()| Count::default())
        .topology("file-read-word-count", build)
}

fn build(builder: &mut TopologyBuilder, args: FileReadArgs) -> Result {
    let spout = SpoutArgs { source: Source::choose(args.file)?, acked: !args.unacked };
    builder.conf("topology.max.spout.pending", MAX_PENDING);
    builder.spout("spout", Named::new("file-read-spout").args(spout)).parallelism(args.spouts);
    builder
        .bolt("splitter", Named::new("split-sentence"))
        .parallelism(args.splitters)
        .local_or_shuffle("spout");
    builder
        .bolt("counter", Named::new("count"))
        .parallelism(args.counters)
        .fields("splitter", ["word"]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use storm_runtime::local::{MockSources, complete_topology};

    use super::*;

    #[test]
    fn every_word_is_counted_where_it_was_counted_before() {
        let topology =
            crate::app().build("file-read-word-count", &["Cargo.toml", "--counters", "3"]).unwrap();
        let sentences = [["the cow jumped over the moon"], ["the moon"]];
        let sources = MockSources::new().tuples("spout", sentences);
        let completed = complete_topology(&topology, &sources).unwrap();
        assert_eq!(completed.tuples("splitter").len(), 8);
        let mut counts = HashMap::new();
        for tuple in completed.tuples("counter") {
            let count = counts.entry(tuple[0].as_str().unwrap()).or_insert(0);
            *count = tuple[1].as_i64().unwrap().max(*count);
        }
        let expected = [("the", 3), ("cow", 1), ("jumped", 1), ("over", 1), ("moon", 2)];
        assert_eq!(counts, expected.into());
        assert_eq!(completed.stats.acked("spout"), 2);
    }
}
