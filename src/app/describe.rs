//! A topology as JSON, for programs.
//!
//! The object's `format` is a version: a change that a reader must know of raises it; a new key
//! does not.

use base64::prelude::{BASE64_STANDARD, Engine};
use nimbus_client::wire::to_bytes;
use serde_json::{Value as Json, json};

use crate::topology::{Component, Grouping, Input, Role, Topology};

/// Version of the format.
const FORMAT: u32 = 1;

pub(super) fn to_json(name: &str, topology: &Topology) -> Json {
    let components = topology.components().values();
    let components: Vec<Json> = components.map(|one| component(one, topology)).collect();
    let warnings: Vec<String> = topology.warnings().iter().map(ToString::to_string).collect();
    json!({
        "format": FORMAT,
        "topology": name,
        "conf": topology.conf().as_map(),
        "components": components,
        "warnings": warnings,
    })
}

/// What `stormdeploy submit` sends to Nimbus, apart from this binary itself. `unregistered` says what
/// keeps the topology from being submitted; where it is not empty there is no topology.
pub(super) fn to_submit(name: &str, topology: &Topology) -> Json {
    let submitted = topology.to_thrift().map(|topology| {
        let bytes = to_bytes(&topology).expect("what is in memory is below 2 GiB");
        BASE64_STANDARD.encode(bytes)
    });
    let unregistered: Vec<String> = match &submitted {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    };
    json!({
        "format": FORMAT,
        "name": name,
        "conf": topology.conf().as_map(),
        "topology_thrift_base64": submitted.ok(),
        "unregistered": unregistered,
        "target": target(),
        "runtime": env!("CARGO_PKG_VERSION"),
    })
}

/// The machines that this binary runs on, as archives name them.
fn target() -> String {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    format!("{}-{}-{libc}", std::env::consts::ARCH, std::env::consts::OS)
}

/// A component's role, as every format names it.
pub(super) fn role(role: &Role) -> &'static str {
    match role {
        Role::Spout(_) => "spout",
        Role::Bolt(_) => "bolt",
        Role::Acker => "acker",
    }
}

fn component(component: &Component, topology: &Topology) -> Json {
    let outputs = component.outputs.iter().map(|output| {
        let fields: Vec<&str> = output.fields.iter().collect();
        json!({ "stream": output.stream.as_str(), "fields": fields, "direct": output.direct })
    });
    json!({
        "id": component.id.as_str(),
        "role": role(&component.role),
        "class": component.named.as_ref().map(|named| named.name.as_str()),
        "executors": component.executors,
        "tasks": component.tasks,
        "conf": topology.own_conf(component),
        "outputs": outputs.collect::<Vec<_>>(),
        "inputs": component.inputs.iter().map(input).collect::<Vec<_>>(),
    })
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
