//! Bolts that tell of what they get: in the log, or on standard output.

use std::io::{self, Write};

use crate::bolt::{BasicBolt, BasicCollector};
use crate::component::{Result, TaskContext};
use crate::topology::Register;
use crate::tuple::TupleRef;

pub(super) fn add_to(register: &mut Register) {
    register.add("org.apache.storm.flux.wrappers.bolts.LogInfoBolt", |(): ()| LogInfo::default());
    register.add("org.apache.storm.flux.examples.TestPrintBolt", |(): ()| Print);
    register.add("storm.print", |(): ()| Print);
}

/// Logs each tuple at level info, with its component and task.
#[derive(Default)]
struct LogInfo {
    task: String,
}

impl BasicBolt for LogInfo {
    fn prepare(&mut self, context: &TaskContext) -> Result {
        self.task = format!("{}:{}", context.component(), context.task());
        Ok(())
    }

    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let Self { task } = self;
        tracing::info!(
            "{task} source: {}:{}, stream: {}, {:?}",
            tuple.source_component(),
            tuple.source_task(),
            tuple.source_stream(),
            tuple.values()
        );
        Ok(())
    }
}

/// Prints each tuple's values on standard output, parted by tabs.
struct Print;

impl BasicBolt for Print {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        let values: Vec<String> = tuple.values().iter().map(ToString::to_string).collect();
        // Where nobody reads, nobody misses the line; and one write keeps lines whole.
        let _ = io::stdout().write_all(format!("{}\n", values.join("\t")).as_bytes());
        Ok(())
    }
}
