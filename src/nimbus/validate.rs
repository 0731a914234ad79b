//! What is wrong with a topology that somebody submits; pure.
//!
//! All mistakes are told at once. What is checked here is what Storm does not check, and whether this
//! engine can run a component at all; the structure is `system_topology`'s to check.

use std::collections::BTreeSet;

use nimbus_client::conf::{check, keys};
use nimbus_client::thrift as storm;
use serde_json::{Map, Value};

use super::error::NimbusError;
use super::plan::count;
use crate::conf::WORKER_SECRET;
use crate::system_topology::parallelism_hint;
use crate::topology::Register;
use crate::topology::thrift::PARTIAL_KEY;

/// Keys of a topology's conf that Nimbus itself sets or drops; their form is not checked.
const OWN_KEYS: [&str; 2] = ["storm.id", WORKER_SECRET];

/// Checks a topology as it comes from a client.
///
/// # Errors
/// All that is wrong with it, as Storm's `InvalidTopologyException`.
pub fn topology(topology: &storm::StormTopology) -> Result<(), NimbusError> {
    let mut wrong = Vec::new();
    if topology.spouts.is_empty() {
        wrong.push("it has no spout: add at least one".to_owned());
    }
    if !topology.state_spouts.is_empty() {
        wrong.push("it has state spouts, which nothing runs: make them spouts".to_owned());
    }
    let spouts = topology.spouts.iter().map(|(id, spec)| (id, &spec.spout_object, &spec.common));
    let bolts = topology.bolts.iter().map(|(id, bolt)| (id, &bolt.bolt_object, &bolt.common));
    for (id, object, common) in spouts.chain(bolts) {
        component(id, object, common, &mut wrong);
    }
    conclude("topology", wrong)
}

/// Checks a topology that brings no binary: what `built_in` has not registered, no worker can make.
///
/// # Errors
/// All classes that are not built in.
pub fn stock(topology: &storm::StormTopology, built_in: &Register) -> Result<(), NimbusError> {
    let components: BTreeSet<&str> = built_in.names().collect();
    let groupings: BTreeSet<&str> = built_in.grouping_names().collect();
    let mut wrong = Vec::new();
    let spouts = topology.spouts.iter().map(|(id, spec)| (id, &spec.spout_object));
    let bolts = topology.bolts.iter().map(|(id, bolt)| (id, &bolt.bolt_object));
    for (id, object) in spouts.chain(bolts) {
        if let storm::ComponentObject::JavaObject(object) = object
            && !components.contains(object.full_class_name.as_str())
        {
            wrong.push(format!("component {id} is a {}", object.full_class_name));
        }
    }
    for (id, bolt) in &topology.bolts {
        for grouping in bolt.common.inputs.values() {
            if let storm::Grouping::CustomObject(object) = grouping
                && object.full_class_name != PARTIAL_KEY
                && !groupings.contains(object.full_class_name.as_str())
            {
                wrong.push(format!("{id} groups by a {}", object.full_class_name));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(NimbusError::invalid(format!(
        "the topology brings no binary, and not all of it is built in: {}; submit it with the binary \
         that registers these, or make them shell or built-in components",
        wrong.join("; ")
    )))
}

/// Checks the values of known keys of a topology's conf.
///
/// # Errors
/// All values that do not have the form of their keys.
pub fn conf(conf: &Map<String, Value>) -> Result<(), NimbusError> {
    let values = conf.iter().filter(|(key, _)| !OWN_KEYS.contains(&key.as_str()));
    let checked = values.filter_map(|(key, value)| check(keys::find(key)?, value).err());
    conclude("conf", checked.map(|error| error.to_string()).collect())
}

fn conclude(what: &str, wrong: Vec<String>) -> Result<(), NimbusError> {
    if wrong.is_empty() {
        return Ok(());
    }
    Err(NimbusError::invalid(format!("the {what} cannot be taken: {}", wrong.join("; "))))
}

fn component(
    id: &str,
    object: &storm::ComponentObject,
    common: &storm::ComponentCommon,
    wrong: &mut Vec<String>,
) {
    if id.is_empty() || id.starts_with("__") || id.starts_with('$') {
        wrong.push(format!(
            "{id:?} cannot name a component: names are not empty and do not begin with __ or $"
        ));
    }
    if let storm::ComponentObject::SerializedJava(_) = object {
        wrong.push(format!(
            "component {id} is a serialized Java object, which this engine cannot run: make it a \
             shell or a registered native component, or submit to a cluster on the Apache engine"
        ));
    }
    if parallelism_hint(common) < 1 {
        wrong.push(format!("component {id} has a parallelism below 1: give it at least 1"));
    }
    if count(super::plan::component_conf(common).get("topology.tasks")) == Some(0) {
        wrong.push(format!("component {id} has no task: set its topology.tasks above 0"));
    }
    for (stream, info) in &common.streams {
        let fields: BTreeSet<&String> = info.output_fields.iter().collect();
        if fields.len() != info.output_fields.len() {
            wrong.push(format!("stream {stream} of {id} declares a field twice"));
        }
    }
    for (from, grouping) in &common.inputs {
        if let storm::Grouping::CustomSerialized(_) = grouping {
            wrong.push(format!(
                "{id} groups {} by a serialized Java object, which this engine cannot run: use a \
                 built-in grouping",
                from.component_id
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn common() -> storm::ComponentCommon {
        let info = storm::StreamInfo { output_fields: vec!["word".to_owned()], direct: false };
        storm::ComponentCommon {
            inputs: BTreeMap::new(),
            streams: BTreeMap::from([("default".to_owned(), info)]),
            parallelism_hint: Some(1),
            json_conf: None,
        }
    }

    fn shell() -> storm::ComponentObject {
        storm::ComponentObject::Shell(storm::ShellComponent::default())
    }

    fn sound() -> storm::StormTopology {
        let mut bolt = storm::Bolt { bolt_object: shell(), common: common() };
        let from = storm::GlobalStreamId::new("src".to_owned(), "default".to_owned());
        bolt.common.inputs.insert(from, storm::Grouping::Fields(vec!["word".to_owned()]));
        storm::StormTopology {
            spouts: BTreeMap::from([(
                "src".to_owned(),
                storm::SpoutSpec { spout_object: shell(), common: common() },
            )]),
            bolts: BTreeMap::from([("count".to_owned(), bolt)]),
            state_spouts: BTreeMap::new(),
            worker_hooks: None,
            dependency_jars: None,
            dependency_artifacts: None,
            storm_version: None,
            jdk_version: None,
            component_to_shared_memory: None,
            shared_memory: None,
        }
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut storm::StormTopology), told: &str) {
        let mut spoiled = sound();
        spoil(&mut spoiled);
        let error = topology(&spoiled).expect_err("refused").to_string();
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn a_sound_topology_is_taken() {
        topology(&sound()).expect("taken");
    }

    #[test]
    fn each_mistake_is_told_by_name() {
        check(|t| t.spouts.clear(), "it has no spout");
        check(
            |t| {
                t.spouts.get_mut("src").unwrap().spout_object =
                    storm::ComponentObject::SerializedJava(vec![])
            },
            "component src is a serialized Java object",
        );
        check(
            |t| t.bolts.get_mut("count").unwrap().common.parallelism_hint = Some(0),
            "component count has a parallelism below 1",
        );
        check(
            |t| {
                let bolt = t.bolts.remove("count").unwrap();
                t.bolts.insert("__count".to_owned(), bolt);
            },
            "\"__count\" cannot name a component",
        );
    }

    #[test]
    fn without_a_binary_every_class_that_is_not_built_in_is_told_by_name() {
        let built_in = Register::new();
        stock(&sound(), &built_in).expect("shell components need no binary");
        let mut spoiled = sound();
        let object = |name: &str| storm::JavaObject::new(name.to_owned(), vec![]);
        spoiled.spouts.get_mut("src").unwrap().spout_object =
            storm::ComponentObject::JavaObject(object("org.acme.Words"));
        let inputs = &mut spoiled.bolts.get_mut("count").unwrap().common.inputs;
        let side = storm::GlobalStreamId::new("src".to_owned(), "side".to_owned());
        inputs.insert(side.clone(), storm::Grouping::CustomObject(object(PARTIAL_KEY)));
        let error = stock(&spoiled, &built_in).expect_err("refused").to_string();
        assert!(error.contains("built in: component src is a org.acme.Words; submit"), "{error}");
        let inputs = &mut spoiled.bolts.get_mut("count").unwrap().common.inputs;
        inputs.insert(side, storm::Grouping::CustomObject(object("org.acme.Near")));
        let error = stock(&spoiled, &built_in).expect_err("refused").to_string();
        assert!(error.contains("org.acme.Words; count groups by a org.acme.Near; s"), "{error}");
    }

    #[test]
    fn values_of_a_wrong_form_are_told_all_at_once() {
        let spoiled = serde_json::json!({"topology.workers": 0, "topology.debug": 7, "mine": 7});
        let error = conf(spoiled.as_object().unwrap()).expect_err("refused").to_string();
        assert!(error.contains("topology.workers") && error.contains("topology.debug"), "{error}");
        assert!(!error.contains("mine"), "{error}");
    }
}
