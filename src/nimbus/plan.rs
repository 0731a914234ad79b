//! What Nimbus has to know of a topology's structure: components, their tasks and executors; pure.
//!
//! **Invariants.** Tasks and executors are those that the workers of the topology find as well: they
//! come from the one [numbering](crate::system_topology::Numbering) of its system topology.

use std::collections::BTreeMap;

use nimbus_client::thrift as storm;
use serde_json::{Map, Value};

use crate::assignment::{Amounts, CPU_PERCENT, OFF_HEAP_MB, ON_HEAP_MB};
use crate::id::{ComponentId, ExecutorId};
use crate::system_topology::{InvalidTopology, Numbering, system_topology};

/// Storm's keys of resources, the names under which they are added up, and their defaults.
const RESOURCES: [(&str, &str, f64); 3] = [
    ("topology.component.resources.onheap.memory.mb", ON_HEAP_MB, 128.0),
    ("topology.component.resources.offheap.memory.mb", OFF_HEAP_MB, 0.0),
    ("topology.component.cpu.pcore.percent", CPU_PERCENT, 10.0),
];

/// A topology as Nimbus schedules and shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its components, those of the system among them.
    pub components: BTreeMap<ComponentId, Planned>,
    /// Whose each task is.
    pub numbering: Numbering,
    /// The version of Storm that its client wrote.
    pub storm_version: Option<String>,
}

/// One component.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Whether it is a spout.
    pub is_spout: bool,
    /// How many tasks it has.
    pub tasks: usize,
    /// What one of its executors needs.
    pub resources: Amounts,
}

impl Default for Plan {
    /// Of a topology that cannot be read.
    fn default() -> Self {
        let numbering = Numbering { components: Vec::new() };
        Self { components: BTreeMap::new(), numbering, storm_version: None }
    }
}

impl Plan {
    /// Plans a normalised topology; `conf` is the topology's on top of the cluster's.
    ///
    /// # Errors
    /// Everything that is wrong with the topology.
    pub fn of(
        user: &storm::StormTopology,
        conf: &Map<String, Value>,
    ) -> Result<Self, InvalidTopology> {
        let system = system_topology(user, conf)?;
        let numbering = Numbering::of(&system)?;
        let mut components = BTreeMap::new();
        for numbered in &numbering.components {
            let spout = user.spouts.get(numbered.id.as_str()).map(|spec| &spec.common);
            let common = spout.or(user.bolts.get(numbered.id.as_str()).map(|bolt| &bolt.common));
            let own = common.map(component_conf).unwrap_or_default();
            let planned = Planned {
                is_spout: numbered.is_spout,
                tasks: numbered.tasks.into(),
                resources: resources(&own, conf),
            };
            components.insert(numbered.id.clone(), planned);
        }
        Ok(Self { components, numbering, storm_version: user.storm_version.clone() })
    }

    /// The component that an executor runs.
    pub fn component_of(&self, executor: ExecutorId) -> Option<&ComponentId> {
        self.numbering.component_of(executor.first_task).map(|numbered| &numbered.id)
    }
}

/// A component's own conf; what is no object counts as empty.
pub fn component_conf(common: &storm::ComponentCommon) -> Map<String, Value> {
    let text = common.json_conf.as_deref().unwrap_or("{}");
    serde_json::from_str(text).unwrap_or_default()
}

/// A count in a conf, whether it is a number or a text.
pub fn count(value: Option<&Value>) -> Option<usize> {
    let number = match value? {
        Value::Number(number) => number.as_u64().or(number.as_f64().map(|real| real as u64))?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    usize::try_from(number).ok()
}

fn resources(own: &Map<String, Value>, conf: &Map<String, Value>) -> Amounts {
    let amount = |key: &str, default: f64| {
        own.get(key).or_else(|| conf.get(key)).and_then(Value::as_f64).unwrap_or(default)
    };
    let named = RESOURCES.iter();
    Amounts(named.map(|(key, name, default)| ((*name).to_owned(), amount(key, *default))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_needs_what_its_own_conf_says_else_the_topologys_else_storms() {
        let object = |value: Value| value.as_object().expect("an object").clone();
        let own = object(serde_json::json!({"topology.component.cpu.pcore.percent": 50}));
        let conf = object(serde_json::json!({
            "topology.component.cpu.pcore.percent": 20,
            "topology.component.resources.onheap.memory.mb": 256.0,
        }));
        let amounts = resources(&own, &conf);
        let found = [CPU_PERCENT, ON_HEAP_MB, OFF_HEAP_MB].map(|name| amounts.of(name));
        assert_eq!(found, [50.0, 256.0, 0.0]);
    }
}
