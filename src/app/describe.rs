//! A topology as JSON, for programs.
//!
//! The object's `format` is a version: a change that a reader must know of raises it; a new key
//! does not.

use serde_json::{Map, Value as Json, json};

use crate::conf::TopologyConf;
use crate::topology::{Component, Grouping, Input, Role, Topology};

/// Version of the format.
const FORMAT: u32 = 1;

pub(super) fn to_json(name: &str, topology: &Topology) -> Json {
    let components = topology.components().values();
    let components: Vec<Json> = components.map(|one| component(one, topology.conf())).collect();
    let warnings: Vec<String> = topology.warnings().iter().map(ToString::to_string).collect();
    json!({
        "format": FORMAT,
        "topology": name,
        "conf": topology.conf().as_map(),
        "components": components,
        "warnings": warnings,
    })
}

/// A component's role, as every format names it.
pub(super) fn role(role: &Role) -> &'static str {
    match role {
        Role::Spout(_) => "spout",
        Role::Bolt(_) => "bolt",
        Role::Acker => "acker",
    }
}

fn component(component: &Component, of_topology: &TopologyConf) -> Json {
    let outputs = component.outputs.iter().map(|output| {
        let fields: Vec<&str> = output.fields.iter().collect();
        json!({ "stream": output.stream.as_str(), "fields": fields, "direct": output.direct })
    });
    json!({
        "id": component.id.as_str(),
        "role": role(&component.role),
        "executors": component.executors,
        "tasks": component.tasks,
        "conf": own_conf(&component.conf, of_topology),
        "outputs": outputs.collect::<Vec<_>>(),
        "inputs": component.inputs.iter().map(input).collect::<Vec<_>>(),
    })
}

/// What a component sets otherwise than its topology.
fn own_conf(own: &TopologyConf, of_topology: &TopologyConf) -> Map<String, Json> {
    let all = own.as_map().iter();
    let own = all.filter(|(key, value)| of_topology.get(key) != Some(*value));
    own.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn input(input: &Input) -> Json {
    let (kind, fields) = match &input.grouping {
        Grouping::Shuffle => ("shuffle", None),
        Grouping::Fields(fields) => ("fields", Some(fields)),
        Grouping::PartialKey(fields) => ("partial-key", Some(fields)),
        Grouping::All => ("all", None),
        Grouping::Global => ("global", None),
        Grouping::None => ("none", None),
        Grouping::Direct => ("direct", None),
        Grouping::LocalOrShuffle => ("local-or-shuffle", None),
        Grouping::Custom(_) => ("custom", None),
    };
    let mut object = json!({
        "component": input.from.as_str(),
        "stream": input.stream.as_str(),
        "grouping": kind,
    });
    if let Some(fields) = fields {
        object["fields"] = fields.iter().collect();
    }
    object
}
