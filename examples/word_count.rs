//! Word count, as short as it gets; the package `topologies` has it at length.
//!
//! `cargo run --example word_count -- run word-count --duration 2s`

use std::collections::HashMap;
use std::process::ExitCode;

use storm_runtime::prelude::*;

const SENTENCES: [&str; 3] =
    ["the cow jumped over the moon", "an apple a day", "four score and seven years ago"];

/// Emits the sentences again and again; each one's number is its message id.
#[derive(Default)]
struct Sentences {
    emitted: u64,
}

impl Spout for Sentences {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["sentence"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let sentence = SENTENCES[self.emitted as usize % SENTENCES.len()];
        out.emit_with_id([sentence], self.emitted);
        self.emitted += 1;
        Ok(Next::Emitted)
    }
}

/// Emits each word of a sentence.
struct Split;

impl BasicBolt for Split {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["word"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        tuple.str("sentence")?.split(' ').for_each(|word| out.emit([word]));
        Ok(())
    }
}

/// Counts the words that it gets, and prints them at the end.
#[derive(Default)]
struct Count {
    word_to_count: HashMap<String, u64>,
}

impl BasicBolt for Count {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        *self.word_to_count.entry(tuple.str("word")?.to_owned()).or_default() += 1;
        Ok(())
    }

    fn cleanup(&mut self) {
        for (word, count) in &self.word_to_count {
            storm_runtime::app::print(format_args!("{word} {count}"));
        }
    }
}

fn main() -> ExitCode {
    App::new()
        .topology("word-count", |builder, ()| {
            builder.conf("topology.max.spout.pending", 1_000);
            builder.spout("sentences", Sentences::default);
            builder.bolt("split", || Split).parallelism(2).shuffle("sentences");
            // Equal words go to the same task, which so has all of their count.
            builder.bolt("count", Count::default).parallelism(2).fields("split", ["word"]);
            Ok(())
        })
        .main()
}
