//! Word count: one spout, two split and two count tasks, fields grouping, on one thread.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use storm_runtime::prelude::*;

use super::super::corpus::Corpus;
use super::super::parker;
use super::super::sample::{Sample, Subject, Window, warm_up_and_window};
use super::{Running, builder};

/// Pending lines of the spout where they are acked.
const MAX_PENDING: u64 = 1024;

/// Splits and counts the corpus round and round; a tuple is one word.
pub struct WordTopology {
    pub corpus: Rc<Corpus>,
    pub acked: bool,
}

struct LineSpout {
    lines: Arc<[Value]>,
    next: usize,
    acked: bool,
}

impl Spout for LineSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["line"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let line = &self.lines[self.next];
        if self.acked {
            out.emit_with_id([line], self.next);
        } else {
            out.emit([line]);
        }
        self.next = if self.next + 1 == self.lines.len() { 0 } else { self.next + 1 };
        Ok(Next::Emitted)
    }
}

struct SplitBolt;

impl BasicBolt for SplitBolt {
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

#[derive(Default)]
struct CountBolt {
    word_to_count: HashMap<Box<str>, u64, FixedState>,
}

impl BasicBolt for CountBolt {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let word = tuple.str(0)?;
        match self.word_to_count.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.word_to_count.insert(word.into(), 1);
            }
        }
        Ok(())
    }
}

impl Subject for WordTopology {
    fn name(&self) -> String {
        let acked = if self.acked { "acked" } else { "unacked" };
        format!("word count, {acked}")
    }

    fn block(&mut self, length: Duration) -> Sample {
        let lines: Arc<[Value]> = self.corpus.text().lines().map(Value::from).collect();
        let mut builder = builder(1, "spin");
        let acked = self.acked;
        builder.conf("topology.max.spout.pending", MAX_PENDING);
        builder.conf("topology.acker.executors", u64::from(acked));
        builder.spout("lines", move || LineSpout { lines: lines.clone(), next: 0, acked });
        builder.bolt("split", || SplitBolt).parallelism(2).shuffle("lines");
        builder.bolt("count", CountBolt::default).parallelism(2).fields("split", ["word"]);
        let running = Running::start(&builder);
        let words = || running.topology.stats().executed("count");
        let (warm_up, window) = warm_up_and_window(length);
        parker::sleep(warm_up);
        let before = words();
        let opened = Window::open();
        parker::sleep(window);
        let sample = opened.close(words() - before);
        running.end();
        sample
    }
}
