//! `const-spout-null-bolt`: a constant spout, and a bolt that throws everything away.
//!
//! ```text
//!   const-spout ──local-or-shuffle──▶ null-bolt
//! ```
//!
//! It measures how fast tuples get from one component to another. In Apache Storm it is
//! `ConstSpoutNullBoltTopo`. The spout is that of `const_spout_only`, which is to be read first.

use clap::Args;
use storm_runtime::prelude::*;

use crate::const_spout_only::{ConstArgs, add_spout};

/// Takes tuples and does nothing with them.
pub struct NullBolt;

/// A [`BasicBolt`] acks each tuple when `execute` answers `Ok`, and fails it when it answers `Err`.
/// It emits nothing, so it has nothing to declare.
impl BasicBolt for NullBolt {
    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        Ok(())
    }
}

/// Emit a constant text to a bolt that does nothing.
#[derive(Args)]
pub struct NullBoltArgs {
    #[command(flatten)]
    spout: ConstArgs,
    /// Executors of the bolt
    #[arg(long, value_name = "N", default_value_t = 1)]
    bolts: usize,
}

/// Registers the bolt and adds the topology.
pub fn add_to(app: App) -> App {
    app.register("null-bolt", |(): ()| NullBolt).topology("const-spout-null-bolt", build)
}

/// A bolt subscribes to a stream by a *grouping*, which says how the tuples are shared out among
/// its tasks. This one prefers tasks in the same process, and there shares out evenly.
fn build(builder: &mut TopologyBuilder, args: NullBoltArgs) -> Result {
    add_spout(builder, &args.spout);
    builder
        .bolt("null-bolt", Named::new("null-bolt"))
        .parallelism(args.bolts)
        .local_or_shuffle("const-spout");
    Ok(())
}

#[cfg(test)]
mod tests {
    use storm_runtime::local::{MockSources, complete_topology};

    use crate::const_spout_only::PAYLOAD;

    #[test]
    fn every_tuple_is_taken_and_acked() {
        let topology = crate::app().build("const-spout-null-bolt", &["--bolts", "2"]).unwrap();
        let sources = MockSources::new().tuples("const-spout", [[PAYLOAD]; 10]);
        let completed = complete_topology(&topology, &sources).unwrap();
        assert_eq!(completed.stats.executed("null-bolt"), 10);
        assert_eq!(completed.stats.acked("const-spout"), 10);
    }
}
