//! Testing under a simulated clock: a message times out after half a minute, and nobody waits.
//!
//! `cargo run --example simulated`

use std::error::Error;
use std::time::Duration;

use storm_runtime::local::{MockSources, complete_topology};
use storm_runtime::prelude::*;

/// Emits one message, and again whenever it failed.
#[derive(Default)]
struct Once {
    emitted: bool,
}

impl Spout for Once {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["question"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if !std::mem::replace(&mut self.emitted, true) {
            out.emit_with_id(["anybody there?"], "the question");
        }
        Ok(Next::Finished)
    }

    /// After this the runtime asks again.
    fn fail(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
        self.emitted = false;
        Ok(())
    }
}

/// Keeps the first tuple without an answer, and acks all others.
#[derive(Default)]
struct Forgetful {
    kept: Option<Tuple>,
}

impl Bolt for Forgetful {
    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        match self.kept {
            None => self.kept = Some(tuple),
            Some(_) => out.ack(tuple),
        }
        Ok(())
    }
}

/// Shouts.
struct Shout;

impl BasicBolt for Shout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["shout"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        out.emit([tuple.str("question")?.to_uppercase()]);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    time_passes_when_it_is_told_to()?;
    tuples_in_and_tuples_out()
}

fn time_passes_when_it_is_told_to() -> Result<(), Box<dyn Error>> {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.message.timeout.secs", 30);
    builder.spout("once", Once::default);
    builder.bolt("forgetful", Forgetful::default).shuffle("once");
    let topology = builder.build()?;

    // The number sets the order in which executors run: the same number, the same run.
    let cluster = LocalCluster::simulated(42);
    let running = cluster.submit("timeout", &topology)?;

    assert!(cluster.pass(Duration::from_secs(29)));
    assert_eq!(running.stats().failed("once"), 0);

    // A message fails between its timeout and an eighth more.
    assert!(cluster.pass(Duration::from_secs(5)));
    let stats = running.stats();
    assert_eq!((stats.failed("once"), stats.acked("once"), stats.is_finished()), (1, 1, true));
    println!("after {:?} of simulated time the message was emitted again and acked", cluster.now());
    Ok(())
}

fn tuples_in_and_tuples_out() -> Result<(), Box<dyn Error>> {
    let mut builder = TopologyBuilder::new();
    builder.spout("once", Once::default);
    builder.bolt("shout", || Shout).shuffle("once");

    // The spout is replaced by what the test wants to put in.
    let sources = MockSources::new().tuples("once", [["hello"], ["hello?"]]);
    let completed = complete_topology(&builder.build()?, &sources)?;
    assert_eq!(completed.tuples("shout"), [[Value::from("HELLO")], [Value::from("HELLO?")]]);
    println!("shouted: {:?}", completed.tuples("shout"));
    Ok(())
}
