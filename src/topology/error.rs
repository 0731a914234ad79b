//! What can be wrong with a topology, each with its place and the way out.

use std::fmt;

use crate::conf::ConfError;
use crate::id::{ComponentId, StreamId, TaskId};
use crate::tuple::Fields;
use crate::tuple::codec::DuplicateReader;

/// Everything that is wrong with a topology, found at once.
#[derive(Debug)]
pub struct TopologyErrors(pub Vec<TopologyError>);

impl fmt::Display for TopologyErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            [only] => only.fmt(out),
            errors => {
                write!(out, "the topology has {} mistakes:", errors.len())?;
                errors.iter().try_for_each(|error| write!(out, "\n- {error}"))
            }
        }
    }
}

impl std::error::Error for TopologyErrors {}

/// One thing that keeps a topology from running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TopologyError {
    /// Nothing would ever be emitted.
    #[error("the topology has no spout: add one with TopologyBuilder::spout")]
    NoSpout,
    /// Two components share a name.
    #[error("component {component} is declared twice: give the second another name")]
    DuplicateComponent {
        /// The name.
        component: ComponentId,
    },
    /// The name belongs to Storm or to this runtime.
    #[error("component {component} has a reserved name: names must not begin with __ or $")]
    ReservedComponent {
        /// The name.
        component: ComponentId,
    },
    /// The stream's name belongs to Storm or to this runtime.
    #[error(
        "component {component} declares stream {stream}, a reserved name: names must not begin \
         with __ or $"
    )]
    ReservedStream {
        /// The declaring component.
        component: ComponentId,
        /// The name.
        stream: StreamId,
    },
    /// One component declares a stream twice.
    #[error("component {component} declares stream {stream} twice: declare it once")]
    DuplicateStream {
        /// The declaring component.
        component: ComponentId,
        /// The stream.
        stream: StreamId,
    },
    /// A stream has two fields of one name.
    #[error(
        "stream {stream} of component {component} declares field {field:?} twice: rename one of them"
    )]
    DuplicateField {
        /// The declaring component.
        component: ComponentId,
        /// The stream.
        stream: StreamId,
        /// The field.
        field: String,
    },
    /// A stream has more fields than a tuple can carry.
    #[error(
        "stream {stream} of component {component} declares {count} fields: at most {} are possible, \
         put some of them into a list or map",
        Fields::MAX
    )]
    TooManyFields {
        /// The declaring component.
        component: ComponentId,
        /// The stream.
        stream: StreamId,
        /// Number of declared fields.
        count: usize,
    },
    /// A subscription to a component that is not there.
    #[error(
        "bolt {component} subscribes to component {from}, which does not exist: the topology has \
         {known}{}",
        did_you_mean(nearest)
    )]
    UnknownComponent {
        /// The subscribing bolt.
        component: ComponentId,
        /// What it names.
        from: ComponentId,
        /// What there is.
        known: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A subscription to a stream that is not there.
    #[error(
        "bolt {component} subscribes to stream {stream} of {from}, which {from} does not declare: \
         it declares {known}{}",
        did_you_mean(nearest)
    )]
    UnknownStream {
        /// The subscribing bolt.
        component: ComponentId,
        /// The component it subscribes to.
        from: ComponentId,
        /// What it names.
        stream: StreamId,
        /// What there is.
        known: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A grouping by a field that the stream does not have.
    #[error(
        "bolt {component} groups stream {stream} of {from} by field {field:?}, which the stream \
         does not have: it has {known}{}",
        did_you_mean(nearest)
    )]
    UnknownField {
        /// The subscribing bolt.
        component: ComponentId,
        /// The component it subscribes to.
        from: ComponentId,
        /// The stream.
        stream: StreamId,
        /// What it names.
        field: String,
        /// What there is.
        known: Fields,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A fields grouping by nothing.
    #[error(
        "bolt {component} groups stream {stream} of {from} by no field: name one, or use the \
         global grouping to send all tuples to one task"
    )]
    NoGroupingField {
        /// The subscribing bolt.
        component: ComponentId,
        /// The component it subscribes to.
        from: ComponentId,
        /// The stream.
        stream: StreamId,
    },
    /// A direct grouping on a stream that is not direct.
    #[error(
        "bolt {component} takes stream {stream} of {from} by direct grouping, but the stream is \
         not direct: declare it with Declarer::direct, or use another grouping"
    )]
    NotDirect {
        /// The subscribing bolt.
        component: ComponentId,
        /// The component it subscribes to.
        from: ComponentId,
        /// The stream.
        stream: StreamId,
    },
    /// A direct stream taken by another grouping.
    #[error(
        "bolt {component} takes the direct stream {stream} of {from} by {grouping} grouping: only \
         direct grouping can, because the emitter names the task"
    )]
    OnlyDirect {
        /// The subscribing bolt.
        component: ComponentId,
        /// The component it subscribes to.
        from: ComponentId,
        /// The stream.
        stream: StreamId,
        /// The grouping that was asked for.
        grouping: String,
    },
    /// No executors or no tasks.
    #[error("component {component} has {what} 0: it needs at least 1")]
    Zero {
        /// The component.
        component: ComponentId,
        /// What is 0: parallelism or tasks.
        what: &'static str,
    },
    /// More tasks than task numbers.
    #[error(
        "the topology has {count} tasks: at most {} are possible, lower parallelism or tasks of \
         its components",
        TaskId::MAX
    )]
    TooManyTasks {
        /// Tasks in all, ackers included.
        count: usize,
    },
    /// More streams than stream numbers.
    #[error("the topology has {count} streams: at most {max} are possible, merge some of them")]
    TooManyStreams {
        /// Streams in all.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A component by a name that is not registered.
    #[error(
        "component {component} is of the registered kind {name:?}, which is not registered: \
         registered are {known}{}",
        did_you_mean(nearest)
    )]
    NotRegistered {
        /// The component.
        component: ComponentId,
        /// The name.
        name: String,
        /// What is registered.
        known: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A grouping by a name that is not registered.
    #[error(
        "bolt {component} groups the tuples of {from} by the registered grouping {name:?}, which is \
         not registered: registered are {known}{}",
        did_you_mean(nearest)
    )]
    GroupingNotRegistered {
        /// The subscribing bolt.
        component: ComponentId,
        /// The component it subscribes to.
        from: ComponentId,
        /// The name.
        name: String,
        /// What is registered.
        known: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// A component's arguments do not fit its constructor.
    #[error("component {component}: the arguments of {name:?} cannot be read: {source}")]
    Arguments {
        /// The component.
        component: ComponentId,
        /// The registered name.
        name: String,
        /// Why.
        source: crate::component::ComponentError,
    },
    /// A spout's constructor is registered where a bolt is wanted, or the other way round.
    #[error(
        "component {component} is declared as a {wanted}, but {name:?} is registered as a {found}"
    )]
    WrongRole {
        /// The component.
        component: ComponentId,
        /// The registered name.
        name: String,
        /// What the builder was asked for.
        wanted: &'static str,
        /// What is registered.
        found: &'static str,
    },
    /// Two readers of shared objects share a type name.
    #[error(transparent)]
    ObjectReader(#[from] DuplicateReader),
    /// A configuration value that cannot be used.
    #[error("{}{error}", of_component(component))]
    Conf {
        /// The component whose own configuration it is; none for the topology's.
        component: Option<ComponentId>,
        /// What is wrong.
        error: ConfError,
    },
}

/// Something that is allowed but deserves a look.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Tuples can come back to a component that they passed.
    Cycle {
        /// The components of the cycle, in flow order.
        components: Vec<ComponentId>,
    },
    /// A bolt that nothing is sent to.
    NoInput {
        /// The bolt.
        component: ComponentId,
    },
    /// A configuration key that nobody knows.
    Conf {
        /// The warning's text.
        text: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle { components } => {
                let names: Vec<&str> = components.iter().map(ComponentId::as_str).collect();
                write!(
                    out,
                    "the topology has a cycle: {} -> {}; its queues are not bounded, so set \
                     topology.max.spout.pending",
                    names.join(" -> "),
                    names[0]
                )
            }
            Self::NoInput { component } => {
                write!(out, "bolt {component} subscribes to nothing and will get only ticks")
            }
            Self::Conf { text } => out.write_str(text),
        }
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(String::new(), |name| format!("; did you mean {name}?"))
}

fn of_component(component: &Option<ComponentId>) -> String {
    component.as_ref().map_or(String::new(), |component| format!("component {component}: "))
}
