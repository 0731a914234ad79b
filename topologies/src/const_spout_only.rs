//! `const-spout-only`: one spout that always emits the same, and nobody who listens.
//!
//! ```text
//!   const-spout
//! ```
//!
//! It measures how fast a spout can emit. In Apache Storm it is `ConstSpoutOnlyTopo`.
//!
//! This is the smallest topology there can be, and a good place to start reading. A topology is a
//! graph of *components*. A *spout* is a component that emits tuples from outside: here from
//! nowhere. The next file, `const_spout_null_bolt`, adds a *bolt* that takes them.

use clap::Args;
use serde::{Deserialize, Serialize};
use storm_runtime::prelude::*;

/// What every tuple of the constant spout carries: sixteen bytes.
pub const PAYLOAD: &str = "a 16-byte string";

/// Messages of one spout task that may be pending, unless `-c topology.max.spout.pending` says
/// otherwise; enough to keep two threads busy, few enough to stay in the cache.
pub const MAX_PENDING: u32 = 4096;

/// Emits the same text for ever.
pub struct ConstSpout {
    args: SpoutArgs,
    emitted: u64,
}

/// What a [`ConstSpout`] is made of. It is serializable, since a component's arguments travel to
/// the process that runs it.
#[derive(Clone, Serialize, Deserialize)]
pub struct SpoutArgs {
    /// Whether to ask for an answer to each tuple.
    pub acked: bool,
}

impl ConstSpout {
    /// A spout that has emitted nothing yet.
    pub fn new(args: SpoutArgs) -> Self {
        Self { args, emitted: 0 }
    }
}

impl Spout for ConstSpout {
    /// Every component declares the streams that it emits: here the default one, with one field.
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["str"]);
    }

    /// The runtime calls this again and again, as long as there is room for more. The value is
    /// built anew in every call, as a spout with something to say would do.
    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        if self.args.acked {
            // With an id the runtime follows what becomes of the tuple, and calls `ack` or `fail`
            // in the end; this spout has nothing to do then.
            out.emit_with_id([PAYLOAD], self.emitted);
            self.emitted += 1;
        } else {
            out.emit([PAYLOAD]);
        }
        Ok(Next::Emitted)
    }
}

/// Emit a constant text to nobody, as fast as it goes.
#[derive(Args)]
pub struct ConstArgs {
    /// Emit without asking for acks
    #[arg(long)]
    pub unacked: bool,
    /// Executors of the spout
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub spouts: usize,
}

/// Registers the spout, so that topologies can name it, and adds the topology.
pub fn add_to(app: App) -> App {
    app.register("const-spout", ConstSpout::new).topology("const-spout-only", build)
}

fn build(builder: &mut TopologyBuilder, args: ConstArgs) -> Result {
    add_spout(builder, &args);
    Ok(())
}

/// Adds the constant spout to a topology; the next two topologies use it as well.
pub fn add_spout(builder: &mut TopologyBuilder, args: &ConstArgs) {
    builder.conf("topology.max.spout.pending", MAX_PENDING);
    let spout = Named::new("const-spout").args(SpoutArgs { acked: !args.unacked });
    builder.spout("const-spout", spout).parallelism(args.spouts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_sixteen_bytes() {
        assert_eq!(PAYLOAD.len(), 16);
    }

    #[test]
    fn messages_that_nobody_takes_are_acked_at_once() {
        let topology = add_to(App::new()).build("const-spout-only", &[]).unwrap();
        let cluster = LocalCluster::simulated(1);
        let running = cluster.submit("const-spout-only", &topology).unwrap();
        let _ = cluster.run_until_idle(100);
        assert!(running.drain(std::time::Duration::ZERO));
        let stats = running.stats();
        assert!(stats.emitted("const-spout") > 0);
        assert_eq!(stats.acked("const-spout"), stats.emitted("const-spout"));
    }
}
