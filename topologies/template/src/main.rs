//! A small topology: a spout, a ten-line bolt, and a bolt that prints.
//!
//! ```text
//!   sentences ──shuffle──▶ split ──shuffle──▶ print
//! ```
//!
//! `cargo run -- run hello` runs it, `cargo run -- describe hello` prints what it is made of, and
//! `cargo run -- help` tells the rest.

use std::process::ExitCode;

use storm_runtime::app::print;
use storm_runtime::prelude::*;

const SENTENCES: [&str; 3] =
    ["the cow jumped over the moon", "an apple a day", "four score and seven years ago"];

/// Emits some sentences, and then nothing more but those that failed.
#[derive(Default)]
struct Sentences {
    emitted: usize,
}

impl Spout for Sentences {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["sentence"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let Some(sentence) = SENTENCES.get(self.emitted) else {
            return Ok(Next::Finished);
        };
        out.emit_with_id([*sentence], self.emitted);
        self.emitted += 1;
        Ok(Next::Emitted)
    }

    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        let index = id.as_u64().ok_or("the message id is no number")? as usize;
        out.emit_with_id([SENTENCES[index]], index);
        Ok(())
    }
}

/// The ten-line bolt: emits each word of a sentence, and acks the sentence when it is through.
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

/// Prints each word.
struct Print;

impl BasicBolt for Print {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        print(tuple.str("word")?);
        Ok(())
    }
}

fn build(builder: &mut TopologyBuilder, (): ()) -> Result {
    builder.spout("sentences", Named::new("sentences"));
    builder.bolt("split", Named::new("split")).parallelism(2).shuffle("sentences");
    builder.bolt("print", Named::new("print")).shuffle("split");
    Ok(())
}

fn app() -> App {
    App::new()
        .version(env!("CARGO_PKG_VERSION"))
        .register("sentences", |(): ()| Sentences::default())
        .register("split", |(): ()| Split)
        .register("print", |(): ()| Print)
        .topology("hello", build)
}

fn main() -> ExitCode {
    app().main()
}

#[cfg(test)]
mod tests {
    use storm_runtime::local::{MockSources, complete_topology};

    use super::*;

    #[test]
    fn a_sentence_becomes_words() {
        let topology = app().build("hello", &[]).unwrap();
        let sources = MockSources::new().tuples("sentences", [["hello storm"]]);
        let completed = complete_topology(&topology, &sources).unwrap();
        assert_eq!(completed.tuples("split"), [[Value::from("hello")], [Value::from("storm")]]);
    }
}
