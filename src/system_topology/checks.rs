//! What is wrong with a topology, in Storm's sentences.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use nimbus_client::thrift::{ComponentCommon, GlobalStreamId, Grouping, StormTopology};

use super::component::{TASKS, all, conf_of, number, parallelism_hint};

/// A topology that cannot run: Storm's `InvalidTopologyException`, with all problems at once.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct InvalidTopology(pub Vec<Problem>);

impl fmt::Display for InvalidTopology {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            write!(out, "{}{problem}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl From<Problem> for InvalidTopology {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// One thing that is wrong with a topology.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// Ids that begin with two underscores are Storm's.
    #[error("{id} is not a valid component id.")]
    SystemComponent {
        /// The id.
        id: String,
    },
    /// Ids that begin with two underscores are Storm's.
    #[error("{id} is not a valid stream id.")]
    SystemStream {
        /// The id.
        id: String,
    },
    /// A spout and a bolt have the same id.
    #[error("Duplicate component ids: [{ids}]")]
    Duplicates {
        /// The ids, by commas.
        ids: String,
    },
    /// Nothing flows into a spout.
    #[error("May not declare inputs for a spout: {spout}")]
    SpoutInputs {
        /// The spout.
        spout: String,
    },
    /// Tasks need an executor that runs them.
    #[error(
        "Number of executors must be greater than 0 when number of tasks is greater than 0: {component}"
    )]
    NoExecutors {
        /// The component.
        component: String,
    },
    /// A component's conf is no JSON object.
    #[error("the conf of component {component} is no JSON object: {why}")]
    ComponentConf {
        /// The component.
        component: String,
        /// What the parser says.
        why: String,
    },
    /// A number is wanted.
    #[error("{key} of {whose} is {found}: expected a whole number")]
    NoNumber {
        /// The component, or the topology.
        whose: String,
        /// The key of its conf.
        key: String,
        /// What stands there.
        found: String,
    },
    /// A metrics consumer without a class.
    #[error("topology.metrics.consumer.register has {found}: expected a map with the key class")]
    NoConsumer {
        /// What stands there.
        found: String,
    },
    /// There is no such component.
    #[error("Component: [{component}] subscribes from non-existent component [{source_component}]")]
    UnknownComponent {
        /// The subscriber.
        component: String,
        /// The component that does not exist.
        source_component: String,
    },
    /// There is no such stream.
    #[error(
        "Component: [{component}] subscribes from non-existent stream: [{stream}] of component \
         [{source_component}]"
    )]
    UnknownStream {
        /// The subscriber.
        component: String,
        /// The stream that does not exist.
        stream: String,
        /// The component that it is said to be of.
        source_component: String,
    },
    /// A grouping by fields that the stream does not have.
    #[error(
        "Component: [{component}] subscribes from stream: [{stream}] of component \
         [{source_component}] + with non-existent fields: [{fields}]"
    )]
    UnknownFields {
        /// The subscriber.
        component: String,
        /// The stream.
        stream: String,
        /// The component that the stream is of.
        source_component: String,
        /// The fields that do not exist, by commas.
        fields: String,
    },
    /// Messages between workers have no larger numbers.
    #[error("the topology has {tasks} tasks: at most {most} can be numbered")]
    TooManyTasks {
        /// How many it has.
        tasks: i64,
        /// How many are possible.
        most: u16,
    },
}

fn is_system(id: &str) -> bool {
    id.starts_with("__")
}

fn conclude(problems: Vec<Problem>) -> Result<(), InvalidTopology> {
    if problems.is_empty() { Ok(()) } else { Err(InvalidTopology(problems)) }
}

/// Checks what can be said of each component alone, before anything is added.
pub(super) fn check_alone(topology: &StormTopology) -> Result<(), InvalidTopology> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for (id, common) in all(topology) {
        if is_system(id) {
            problems.push(Problem::SystemComponent { id: id.to_owned() });
        }
        let streams = common.streams.keys().filter(|stream| is_system(stream));
        problems.extend(streams.map(|id| Problem::SystemStream { id: id.clone() }));
        if !seen.insert(id) {
            twice.insert(id);
        }
        match conf_of(id, common).and_then(|conf| number(id, &conf, TASKS)) {
            Ok(Some(tasks)) if tasks > 0 && parallelism_hint(common) <= 0 => {
                problems.push(Problem::NoExecutors { component: id.to_owned() });
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    if !twice.is_empty() {
        let ids = Vec::from_iter(twice).join(", ");
        problems.push(Problem::Duplicates { ids });
    }
    let spouts = topology.spouts.iter().map(|(id, spout)| (id, &spout.common));
    let states = topology.state_spouts.iter().map(|(id, spout)| (id, &spout.common));
    for (id, _) in spouts.chain(states).filter(|(_, common)| !common.inputs.is_empty()) {
        problems.push(Problem::SpoutInputs { spout: id.clone() });
    }
    conclude(problems)
}

/// Checks that all inputs exist, those of system components included.
///
/// Storm looks for a grouping's fields in all streams of the source; here they must be in the one
/// that is subscribed to, or its worker could not group by them.
pub(super) fn check_structure(topology: &StormTopology) -> Result<(), InvalidTopology> {
    let sources: BTreeMap<&str, &ComponentCommon> = all(topology).collect();
    let mut problems = Vec::new();
    for (id, common) in all(topology) {
        for (input, grouping) in &common.inputs {
            let source = sources.get(input.component_id.as_str()).copied();
            problems.extend(problem_of_input(id, input, grouping, source));
        }
    }
    conclude(problems)
}

fn problem_of_input(
    id: &str,
    input: &GlobalStreamId,
    grouping: &Grouping,
    source: Option<&ComponentCommon>,
) -> Option<Problem> {
    let component = id.to_owned();
    let source_component = input.component_id.clone();
    let Some(source) = source else {
        return Some(Problem::UnknownComponent { component, source_component });
    };
    let stream = input.stream_id.clone();
    let Some(info) = source.streams.get(&stream) else {
        return Some(Problem::UnknownStream { component, stream, source_component });
    };
    let Grouping::Fields(fields) = grouping else { return None };
    let unknown = fields.iter().filter(|field| !info.output_fields.contains(*field));
    let unknown: Vec<&str> = unknown.map(String::as_str).collect();
    let fields = unknown.join(", ");
    (!unknown.is_empty()).then_some(Problem::UnknownFields {
        component,
        stream,
        source_component,
        fields,
    })
}
