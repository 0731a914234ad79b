//! The ten-line bolt, in the smallest program around it.
//!
//! `cargo run --example ten_line_bolt -- run words`

use std::process::ExitCode;
use std::time::Duration;

use storm_runtime::app::print;
use storm_runtime::prelude::*;

/// The ten lines: what it takes, what it emits, and what it does with a tuple.
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

/// Emits a sentence each second.
struct Sentences;

impl Spout for Sentences {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["sentence"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        out.emit(["the cow jumped over the moon"]);
        Ok(out.idle_for(Duration::from_secs(1)))
    }
}

/// Prints each word.
struct Print;

impl BasicBolt for Print {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        print(tuple.str("word")?);
        Ok(())
    }
}

fn main() -> ExitCode {
    App::new()
        .topology("words", |builder, ()| {
            builder.spout("sentences", || Sentences);
            builder.bolt("split", || Split).shuffle("sentences");
            builder.bolt("print", || Print).shuffle("split");
            Ok(())
        })
        .main()
}
