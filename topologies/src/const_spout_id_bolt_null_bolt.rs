//! `const-spout-id-bolt-null-bolt`: a bolt in the middle that emits what it gets.
//!
//! ```text
//!   const-spout ──local-or-shuffle──▶ id-bolt ──local-or-shuffle──▶ null-bolt
//! ```
//!
//! It measures two hops, and trees of two edges. In Apache Storm it is
//! `ConstSpoutIdBoltNullBoltTopo`. The spout is that of `const_spout_only` and the last bolt that of
//! `const_spout_null_bolt`, which are to be read first.

use clap::Args;
use storm_runtime::prelude::*;

use crate::const_spout_only::{ConstArgs, add_spout};

/// Emits each tuple as it came.
pub struct IdBolt;

/// What a [`BasicBolt`] emits is *anchored* to its input: the spout's message is acked only when
/// these tuples are done too, and fails when one of them does.
impl BasicBolt for IdBolt {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["str"]);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        out.emit(tuple.values());
        Ok(())
    }
}

/// Emit a constant text through a bolt to a bolt that does nothing.
#[derive(Args)]
pub struct IdBoltArgs {
    #[command(flatten)]
    spout: ConstArgs,
    /// Executors of the identity bolt
    #[arg(long, value_name = "N", default_value_t = 1)]
    id_bolts: usize,
    /// Executors of the null bolt
    #[arg(long, value_name = "N", default_value_t = 1)]
    null_bolts: usize,
}

/// Registers the bolt and adds the topology.
pub fn add_to(app: App) -> App {
    app.register("id-bolt", |(): ()| IdBolt).topology("const-spout-id-bolt-null-bolt", build)
}

fn build(builder: &mut TopologyBuilder, args: IdBoltArgs) -> Result {
    add_spout(builder, &args.spout);
    builder
        .bolt("id-bolt", Named::new("id-bolt"))
        .parallelism(args.id_bolts)
        .local_or_shuffle("const-spout");
    builder
        .bolt("null-bolt", Named::new("null-bolt"))
        .parallelism(args.null_bolts)
        .local_or_shuffle("id-bolt");
    Ok(())
}

#[cfg(test)]
mod tests {
    use storm_runtime::local::{MockSources, complete_topology};

    use super::*;
    use crate::const_spout_only::PAYLOAD;

    #[test]
    fn the_middle_bolt_passes_on_what_it_gets() {
        let topology = crate::app().build("const-spout-id-bolt-null-bolt", &[]).unwrap();
        let sources = MockSources::new().tuples("const-spout", [[PAYLOAD], ["another"]]);
        let completed = complete_topology(&topology, &sources).unwrap();
        let expected = [[Value::from(PAYLOAD)], [Value::from("another")]];
        assert_eq!(completed.tuples("id-bolt"), expected);
        assert_eq!(completed.stats.executed("null-bolt"), 2);
        assert_eq!(completed.stats.acked("const-spout"), 2);
    }
}
