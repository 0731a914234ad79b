//! A topology: components, their streams, who subscribes to whom, and the tasks that run them.
//!
//! [`TopologyBuilder`] collects, [`TopologyBuilder::build`] checks everything and answers either a
//! [`Topology`] or all mistakes at once.
//!
//! **Invariants.** A [`Topology`] can run: every input names an existing stream, every grouping
//! field exists, there is a spout. The ackers are in it as the component `__acker`. Task numbers
//! follow the sorted component names, so that every worker and Nimbus agree on them.
//!
//! **Not here:** where executors run (`executor::placement`), how a grouping chooses (`grouping`).

mod builder;
mod error;
mod factory;
mod system;
mod tasks;
pub mod thrift;
mod validate;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use builder::{BoltDeclarer, Source, SpoutDeclarer, TopologyBuilder};
pub use error::{TopologyError, TopologyErrors, Warning};
pub(crate) use factory::BoltInstance;
pub use factory::{
    AnyComponent, AnyGrouping, FromArgs, GroupingFromArgs, IntoBolt, IntoGrouping, IntoSpout,
    Named, OfBolt, OfSpout, Register,
};
pub(crate) use factory::{BoltFactory, Maker, SpoutFactory};
pub(crate) use tasks::{TaskPlan, executor_ranges};
pub(crate) use thrift::{FLUX_SHELL_BOLT, FLUX_SHELL_SPOUT, SHELL_BOLT, SHELL_SPOUT};
pub(crate) use validate::is_feedback;

use serde_json::Value as Json;

use crate::component::{DeclaredStream, GroupingForm};
use crate::conf::TopologyConf;
use crate::id::{ComponentId, StreamId};
use crate::tuple::codec::ObjectReaders;
use crate::tuple::{Fields, Schema, StreamSchema, Value};

/// Name of the system component that keeps the tuple trees.
pub(crate) const ACKER: &str = "__acker";
/// Name of the system component that emits ticks; it has no tasks.
const SYSTEM: &str = "__system";
/// Stream of ticks.
const TICK: &str = "__tick";

/// A checked topology, ready to run. Cheap to clone.
#[derive(Clone)]
pub struct Topology(Arc<Parts>);

struct Parts {
    components: BTreeMap<ComponentId, Component>,
    conf: Arc<TopologyConf>,
    warnings: Vec<Warning>,
    schema: Schema,
    object_readers: Arc<ObjectReaders>,
}

/// One component of a checked topology.
#[derive(Clone)]
pub(crate) struct Component {
    pub id: ComponentId,
    pub role: Role,
    /// The registered name and arguments that it was made of; none if a closure makes it.
    pub named: Option<Named>,
    pub outputs: Vec<DeclaredStream>,
    pub inputs: Vec<Input>,
    /// Number of executors.
    pub executors: usize,
    /// Number of tasks, at least that of executors.
    pub tasks: usize,
    pub conf: Arc<TopologyConf>,
}

/// What a component does, and how its instances are made.
#[derive(Clone)]
pub(crate) enum Role {
    Spout(SpoutFactory),
    Bolt(BoltFactory),
    Acker,
}

/// One subscription of a bolt.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub from: ComponentId,
    pub stream: StreamId,
    pub grouping: Grouping,
}

/// How a stream's tuples are shared out among the tasks of a subscriber.
#[derive(Clone)]
pub enum Grouping {
    /// Evenly, to one task.
    Shuffle,
    /// To the task that the fields' values choose, as Apache Storm would.
    Fields(Fields),
    /// To one of the two tasks that the fields' values choose, whichever got less so far.
    PartialKey(Fields),
    /// To every task.
    All,
    /// To the lowest task.
    Global,
    /// To one task, whichever; as shuffle.
    None,
    /// To the task that the emitter names.
    Direct,
    /// As shuffle, among tasks of the same worker if there are any.
    LocalOrShuffle,
    /// As the author's own code chooses.
    Custom(CustomFactory),
}

/// Makes an author's own grouping, one for each emitting executor.
#[derive(Clone)]
pub struct CustomFactory(pub(crate) AnyGrouping);

impl CustomFactory {
    pub(crate) fn make(&self) -> Box<dyn CustomGrouping> {
        let make = self.0.make.as_ref();
        make.expect("a checked topology has looked up its registered groupings")()
    }
}

/// A grouping of the author's own.
pub trait CustomGrouping: Send {
    /// Called once, before the first choice, with the number of target tasks.
    fn prepare(&mut self, stream: &StreamSchema, targets: usize) {
        let _ = (stream, targets);
    }

    /// Appends the indices of the chosen tasks, each below the number of targets; others are
    /// passed over.
    fn choose(&mut self, values: &[Value], chosen: &mut Vec<usize>);
}

impl Grouping {
    /// The grouping as Storm's own components are told of it.
    pub(crate) fn form(&self) -> GroupingForm {
        let (kind, fields) = match self {
            Self::Shuffle => ("SHUFFLE", None),
            Self::Fields(fields) => ("FIELDS", Some(fields.clone())),
            // Grouping by no field at all, as in Storm.
            Self::Global => ("FIELDS", Some(Fields::none())),
            Self::All => ("ALL", None),
            Self::None => ("NONE", None),
            Self::Direct => ("DIRECT", None),
            Self::LocalOrShuffle => ("LOCAL_OR_SHUFFLE", None),
            Self::PartialKey(_) | Self::Custom(_) => ("CUSTOM_OBJECT", None),
        };
        GroupingForm { kind, fields }
    }
}

impl fmt::Debug for Grouping {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shuffle => out.write_str("shuffle"),
            Self::Fields(fields) => write!(out, "fields{fields}"),
            Self::PartialKey(fields) => write!(out, "partial-key{fields}"),
            Self::All => out.write_str("all"),
            Self::Global => out.write_str("global"),
            Self::None => out.write_str("none"),
            Self::Direct => out.write_str("direct"),
            Self::LocalOrShuffle => out.write_str("local-or-shuffle"),
            Self::Custom(_) => out.write_str("custom"),
        }
    }
}

impl Topology {
    fn new(
        components: BTreeMap<ComponentId, Component>,
        conf: Arc<TopologyConf>,
        warnings: Vec<Warning>,
        object_readers: Arc<ObjectReaders>,
    ) -> Self {
        let schema = schema(&components);
        Self(Arc::new(Parts { components, conf, warnings, schema, object_readers }))
    }

    /// The configuration.
    pub fn conf(&self) -> &Arc<TopologyConf> {
        &self.0.conf
    }

    /// What is allowed but deserves a look, such as a cycle.
    pub fn warnings(&self) -> &[Warning] {
        &self.0.warnings
    }

    /// Names of all components, sorted, system components among them.
    pub fn component_ids(&self) -> impl Iterator<Item = &ComponentId> {
        self.0.components.keys()
    }

    /// Names of the spouts, sorted.
    pub fn spout_ids(&self) -> impl Iterator<Item = &ComponentId> {
        let spouts = self.0.components.values();
        spouts.filter(|one| matches!(one.role, Role::Spout(_))).map(|spout| &spout.id)
    }

    /// All streams; a tuple carries an index into this list.
    pub(crate) fn schema(&self) -> &Schema {
        &self.0.schema
    }

    /// Index of a stream in the schema.
    pub(crate) fn stream_index(&self, component: &str, stream: &str) -> Option<u16> {
        let found = |known: &StreamSchema| known.component == component && known.stream == stream;
        self.0.schema.iter().position(found).map(|index| index as u16)
    }

    /// Index of the stream of ticks in the schema.
    pub(crate) fn tick_stream(&self) -> u16 {
        self.stream_index(SYSTEM, TICK).expect("every schema has the stream of ticks")
    }

    /// The readers of shared objects that come from another worker.
    pub(crate) fn object_readers(&self) -> &Arc<ObjectReaders> {
        &self.0.object_readers
    }

    /// How many steps each component is away from the nearest spout; ackers come last.
    pub(crate) fn depths(&self) -> BTreeMap<ComponentId, usize> {
        let components = &self.0.components;
        let mut depths: BTreeMap<ComponentId, usize> = components
            .values()
            .map(|component| match component.role {
                Role::Spout(_) => (component.id.clone(), 0),
                Role::Bolt(_) => (component.id.clone(), usize::MAX - 1),
                Role::Acker => (component.id.clone(), usize::MAX),
            })
            .collect();
        for _ in 0..components.len() {
            for component in components.values() {
                let nearest = component.inputs.iter().map(|input| depths[&input.from]).min();
                if let Some(nearest) = nearest {
                    let depth = depths.get_mut(&component.id).expect("every component has a depth");
                    *depth = (*depth).min(nearest.saturating_add(1));
                }
            }
        }
        depths
    }

    /// What a component sets otherwise than its topology.
    pub(crate) fn own_conf(&self, component: &Component) -> serde_json::Map<String, Json> {
        let all = component.conf.as_map().iter();
        let own = all.filter(|(key, value)| self.conf().get(key.as_str()) != Some(*value));
        own.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(crate) fn components(&self) -> &BTreeMap<ComponentId, Component> {
        &self.0.components
    }

    /// The same topology with some spouts' instances made by other factories.
    pub(crate) fn with_spouts(&self, replaced: &BTreeMap<ComponentId, SpoutFactory>) -> Self {
        let mut components = self.0.components.clone();
        for (id, factory) in replaced {
            if let Some(component) = components.get_mut(id) {
                component.role = Role::Spout(factory.clone());
            }
        }
        let (conf, warnings) = (self.0.conf.clone(), self.0.warnings.clone());
        Self::new(components, conf, warnings, self.0.object_readers.clone())
    }
}

fn schema(components: &BTreeMap<ComponentId, Component>) -> Schema {
    let declared = components.values().flat_map(|component| {
        component.outputs.iter().map(|output| StreamSchema {
            component: component.id.clone(),
            stream: output.stream.clone(),
            fields: output.fields.clone(),
            direct: output.direct,
        })
    });
    let tick = StreamSchema {
        component: SYSTEM.into(),
        stream: TICK.into(),
        fields: Fields::from(["rate_secs"]),
        direct: false,
    };
    declared.chain([tick]).collect()
}

/// One line per component, in flow order: its executors and tasks, its streams and its inputs.
impl fmt::Display for Topology {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let depths = self.depths();
        let mut components: Vec<&Component> = self.0.components.values().collect();
        components.sort_by_key(|component| depths[&component.id]);
        for component in components {
            let role = match component.role {
                Role::Spout(_) => "spout",
                Role::Bolt(_) => "bolt",
                Role::Acker => "acker",
            };
            let Component { id, executors, tasks, .. } = component;
            write!(out, "{role} {id}: {executors} executors, {tasks} tasks")?;
            for output in &component.outputs {
                let direct = if output.direct { " direct" } else { "" };
                write!(out, "; emits{direct} {} {}", output.stream, output.fields)?;
            }
            for input in &component.inputs {
                write!(out, "; takes {}:{} by {:?}", input.from, input.stream, input.grouping)?;
            }
            if matches!(component.role, Role::Acker) {
                out.write_str("; takes the acks of all components")?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Topology {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
