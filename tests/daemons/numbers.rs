//! A topology binary for the daemons' tests: numbers go from a spout to a bolt that writes each
//! into a file, and come again until they are acked.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use storm_runtime::prelude::*;

/// Between two numbers, so that the topology is killed while it runs.
const PERIOD: Duration = Duration::from_millis(2);

/// What the topology is given.
#[derive(clap::Args)]
struct Given {
    /// How many numbers.
    #[arg(long)]
    count: u64,
    /// Where they are written.
    #[arg(long)]
    file: String,
}

/// Emits the numbers below `count`, and those again that fail.
struct Numbers {
    count: u64,
    next: u64,
    failed: VecDeque<u64>,
}

impl Spout for Numbers {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["number"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let number = match self.failed.pop_front() {
            Some(number) => number,
            None if self.next < self.count => {
                self.next += 1;
                self.next - 1
            }
            None => return Ok(Next::Finished),
        };
        out.emit_with_id([number as i64], number as i64);
        Ok(out.idle_for(PERIOD))
    }

    fn fail(&mut self, id: MessageId, _out: &mut SpoutCollector) -> Result {
        let number = id.as_i64().expect("a number was given");
        self.failed.push_back(number as u64);
        Ok(())
    }
}

/// Writes each number as a line.
struct Write {
    file: File,
}

impl BasicBolt for Write {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        // One write, so that no line is cut when the process is killed.
        let line = format!("{}\n", tuple.i64("number")?);
        self.file.write_all(line.as_bytes())?;
        Ok(())
    }
}

fn main() -> ExitCode {
    App::new()
        .register("numbers", |count: u64| Numbers { count, next: 0, failed: VecDeque::new() })
        .register("write", |file: String| Write {
            file: OpenOptions::new().create(true).append(true).open(file).expect("it opens"),
        })
        .topology("numbers", |builder, given: Given| {
            builder.conf("topology.workers", 2);
            builder.conf("topology.message.timeout.secs", 2);
            builder.conf("topology.max.spout.pending", 500);
            builder.spout("numbers", Named::new("numbers").args(given.count));
            builder
                .bolt("write", Named::new("write").args(given.file))
                .parallelism(3)
                .shuffle("numbers");
            Ok(())
        })
        .main()
}
