//! The components that throughput topologies are made of.

use std::hint::black_box;

use storm_runtime::prelude::*;

use super::text;

/// Emits one new 16-byte string per call, as fast as it is called.
pub struct ConstSpout {
    pub emitted: u64,
    pub acked: bool,
}

impl Spout for ConstSpout {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text"]);
    }

    #[inline]
    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let text = text(self.emitted);
        if self.acked {
            out.emit_with_id([text], self.emitted);
        } else {
            out.emit([text]);
        }
        self.emitted += 1;
        Ok(Next::Emitted)
    }
}

/// Emits what it gets.
pub struct IdentityBolt;

impl BasicBolt for IdentityBolt {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["text"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        out.emit([&tuple.values()[0]]);
        Ok(())
    }
}

/// Looks at what it gets.
pub struct NullBolt;

impl BasicBolt for NullBolt {
    fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        black_box(&tuple.values()[0]);
        Ok(())
    }
}
