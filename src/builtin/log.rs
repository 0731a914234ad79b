//! Bolts that tell of what they get: in the log, or on standard output.

use std::io::{self, Write};

use crate::bolt::{BasicBolt, BasicCollector};
use crate::component::Result;
use crate::topology::Register;
use crate::tuple::TupleRef;

pub(super) fn add_to(register: &mut Register) {
    register.add("org.apache.storm.flux.wrappers.bolts.LogInfoBolt", |(): ()| LogInfo);
    register.add("org.apache.storm.flux.examples.TestPrintBolt", |(): ()| Print);
    register.add("storm.print", |(): ()| Print);
}

/// Logs each tuple at level info; the log says itself which component and task that is.
struct LogInfo;

impl BasicBolt for LogInfo {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        tracing::info!(
            "source: {}:{}, stream: {}, [{}]",
            tuple.source_component(),
            tuple.source_task(),
            tuple.source_stream(),
            texts(tuple).join(", ")
        );
        Ok(())
    }
}

/// Prints each tuple's values on standard output, parted by tabs.
struct Print;

impl BasicBolt for Print {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        // Where nobody reads, nobody misses the line; and one write keeps lines whole.
        let _ = io::stdout().write_all(format!("{}\n", texts(tuple).join("\t")).as_bytes());
        Ok(())
    }
}

fn texts(tuple: TupleRef<'_>) -> Vec<String> {
    tuple.values().iter().map(ToString::to_string).collect()
}
