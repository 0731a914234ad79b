//! Collects what an author says of a topology.

use serde_json::Value as Json;
use smol_str::SmolStr;

use super::factory::{AnyComponent, IntoBolt, IntoGrouping, IntoSpout, Register};
use super::validate::check;
use super::{CustomFactory, Grouping, Input, Topology, TopologyErrors};
use crate::conf::Conf;
use crate::id::{ComponentId, StreamId};
use crate::tuple::Fields;
use crate::tuple::codec::ObjectReader;

/// Collects the components of a topology; [`build`](Self::build) checks them.
///
/// ```
/// use storm_runtime::prelude::*;
///
/// struct Numbers(i64);
///
/// impl Spout for Numbers {
///     fn declare(&self, declare: &mut Declarer) {
///         declare.output(["number"]);
///     }
///
///     fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
///         self.0 += 1;
///         out.emit_with_id([self.0], self.0);
///         Ok(Next::Emitted)
///     }
/// }
///
/// struct Print;
///
/// impl BasicBolt for Print {
///     fn execute(&mut self, tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
///         println!("{}", tuple.i64("number")?);
///         Ok(())
///     }
/// }
///
/// let mut builder = TopologyBuilder::new();
/// builder.spout("numbers", || Numbers(0));
/// builder.bolt("print", || Print).parallelism(2).shuffle("numbers");
/// let topology = builder.build()?;
/// # Ok::<(), TopologyErrors>(())
/// ```
#[derive(Default)]
pub struct TopologyBuilder {
    pub(super) drafts: Vec<Draft>,
    pub(super) conf: Conf,
    pub(super) register: Register,
    pub(super) object_readers: Vec<(SmolStr, ObjectReader)>,
}

/// A component as the author declared it.
pub(super) struct Draft {
    pub id: ComponentId,
    pub spout: bool,
    pub maker: AnyComponent,
    pub parallelism: usize,
    pub tasks: Option<usize>,
    pub conf: Conf,
    pub inputs: Vec<Input>,
}

/// Names a stream to subscribe to: `"split"` for a component's default stream, or
/// `("split", "side")`.
pub struct Source {
    component: ComponentId,
    stream: StreamId,
}

impl From<&str> for Source {
    fn from(component: &str) -> Self {
        Self { component: component.into(), stream: StreamId::default() }
    }
}

impl From<(&str, &str)> for Source {
    fn from((component, stream): (&str, &str)) -> Self {
        Self { component: component.into(), stream: stream.into() }
    }
}

impl TopologyBuilder {
    /// An empty topology.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty topology whose named components are looked up in `register`.
    pub fn with_register(register: Register) -> Self {
        Self { register, ..Self::default() }
    }

    /// Adds a spout: a closure that makes one instance per task, or a [`Named`](super::Named) one.
    pub fn spout<Kind>(
        &mut self,
        id: impl Into<ComponentId>,
        spout: impl IntoSpout<Kind>,
    ) -> SpoutDeclarer<'_> {
        SpoutDeclarer { draft: self.draft(id.into(), true, spout.into_component()) }
    }

    /// Adds a bolt: a closure that makes one instance per task, or a [`Named`](super::Named) one.
    pub fn bolt<Kind>(
        &mut self,
        id: impl Into<ComponentId>,
        bolt: impl IntoBolt<Kind>,
    ) -> BoltDeclarer<'_> {
        BoltDeclarer { draft: self.draft(id.into(), false, bolt.into_component()) }
    }

    /// Sets a configuration key of the whole topology.
    pub fn conf(&mut self, key: &str, value: impl Into<Json>) -> &mut Self {
        self.conf.insert(key, value);
        self
    }

    /// Has shared objects of a type be read by `reader` where they come from another worker; see
    /// [`SharedObject`](crate::tuple::SharedObject).
    ///
    /// With `topology.testing.always.try.serialize` every tuple is encoded and read again also
    /// within one worker, so that a test finds what has no codec or no reader.
    pub fn object_reader(
        &mut self,
        type_name: impl Into<SmolStr>,
        reader: ObjectReader,
    ) -> &mut Self {
        self.object_readers.push((type_name.into(), reader));
        self
    }

    /// Checks everything and answers the topology, or all that is wrong with it.
    ///
    /// Instances of the components are made to ask for their declarations, and dropped.
    ///
    /// # Errors
    /// [`TopologyErrors`].
    pub fn build(&self) -> Result<Topology, TopologyErrors> {
        check(self)
    }

    fn draft(&mut self, id: ComponentId, spout: bool, maker: AnyComponent) -> &mut Draft {
        self.drafts.push(Draft {
            id,
            spout,
            maker,
            parallelism: 1,
            tasks: None,
            conf: Conf::new(),
            inputs: Vec::new(),
        });
        self.drafts.last_mut().expect("a draft was pushed")
    }
}

macro_rules! component_settings {
    ($type:ident) => {
        impl $type<'_> {
            /// Number of executors, 1 unless said otherwise.
            pub fn parallelism(self, executors: usize) -> Self {
                self.draft.parallelism = executors;
                self
            }

            /// Number of tasks, as many as executors unless said otherwise. With more, an
            /// executor runs several; with fewer, there are as many executors as tasks.
            pub fn tasks(self, tasks: usize) -> Self {
                self.draft.tasks = Some(tasks);
                self
            }

            /// Sets a configuration key for this component alone.
            pub fn conf(self, key: &str, value: impl Into<Json>) -> Self {
                self.draft.conf.insert(key, value);
                self
            }
        }
    };
}

/// Settles the details of a spout that was just added.
pub struct SpoutDeclarer<'a> {
    draft: &'a mut Draft,
}

/// Settles the details of a bolt that was just added, its subscriptions above all.
pub struct BoltDeclarer<'a> {
    draft: &'a mut Draft,
}

component_settings!(SpoutDeclarer);
component_settings!(BoltDeclarer);

impl BoltDeclarer<'_> {
    /// Takes tuples evenly shared out among the tasks.
    pub fn shuffle(self, from: impl Into<Source>) -> Self {
        self.grouping(from, Grouping::Shuffle)
    }

    /// Takes all tuples with equal values in these fields in one task.
    pub fn fields(self, from: impl Into<Source>, fields: impl Into<Fields>) -> Self {
        self.grouping(from, Grouping::Fields(fields.into()))
    }

    /// Takes tuples with equal values in these fields in one of two tasks, whichever got less.
    pub fn partial_key(self, from: impl Into<Source>, fields: impl Into<Fields>) -> Self {
        self.grouping(from, Grouping::PartialKey(fields.into()))
    }

    /// Takes every tuple in every task.
    pub fn all(self, from: impl Into<Source>) -> Self {
        self.grouping(from, Grouping::All)
    }

    /// Takes all tuples in the lowest task.
    pub fn global(self, from: impl Into<Source>) -> Self {
        self.grouping(from, Grouping::Global)
    }

    /// Takes tuples in whichever task.
    pub fn none(self, from: impl Into<Source>) -> Self {
        self.grouping(from, Grouping::None)
    }

    /// Takes the tuples that the emitter sends to a task by number.
    pub fn direct(self, from: impl Into<Source>) -> Self {
        self.grouping(from, Grouping::Direct)
    }

    /// Takes tuples evenly shared out among the tasks of the emitter's worker, or among all tasks
    /// where it has none.
    pub fn local_or_shuffle(self, from: impl Into<Source>) -> Self {
        self.grouping(from, Grouping::LocalOrShuffle)
    }

    /// Takes tuples as the author's own grouping chooses; one is made per emitting executor.
    ///
    /// `grouping` is a closure that makes it, or a [`Named`](super::Named) one.
    pub fn custom<Kind>(self, from: impl Into<Source>, grouping: impl IntoGrouping<Kind>) -> Self {
        let factory = CustomFactory(grouping.into_grouping());
        self.grouping(from, Grouping::Custom(factory))
    }

    /// Takes a stream by any grouping; as in Storm, the last one declared for a stream counts.
    pub fn grouping(self, from: impl Into<Source>, grouping: Grouping) -> Self {
        let Source { component, stream } = from.into();
        self.draft.inputs.retain(|input| input.from != component || input.stream != stream);
        self.draft.inputs.push(Input { from: component, stream, grouping });
        self
    }
}
