//! What is wrong with a topology that somebody submits; pure.
//!
//! All mistakes are told at once. What is checked here is what Nimbus can see: names, structure, and
//! whether this engine can run a component at all.

use std::collections::{BTreeMap, BTreeSet};

use nimbus_client::conf::{check, keys};
use nimbus_client::thrift as storm;
use serde_json::{Map, Value};

use super::error::NimbusError;
use super::plan::{count, parallelism};

/// Keys of a topology's conf that Nimbus itself sets or drops; their form is not checked.
const OWN_KEYS: [&str; 2] = ["storm.id", "storm.zookeeper.topology.auth.payload"];

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
    for id in topology.spouts.keys().filter(|id| topology.bolts.contains_key(*id)) {
        wrong.push(format!("{id} is a spout and a bolt: rename one"));
    }
    let spouts = topology.spouts.iter().map(|(id, spec)| (id, &spec.spout_object, &spec.common));
    let bolts = topology.bolts.iter().map(|(id, bolt)| (id, &bolt.bolt_object, &bolt.common));
    let outputs: BTreeMap<&str, &storm::ComponentCommon> =
        spouts.clone().chain(bolts.clone()).map(|(id, _, common)| (id.as_str(), common)).collect();
    for (id, object, common) in spouts.clone().chain(bolts) {
        component(id, object, common, &mut wrong);
        inputs(id, common, &outputs, &mut wrong);
    }
    for (id, _, common) in spouts {
        if !common.inputs.is_empty() {
            wrong.push(format!("spout {id} has inputs: spouts have none"));
        }
    }
    conclude("topology", wrong)
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
    if parallelism(common) == 0 || common.parallelism_hint.is_some_and(|hint| hint < 0) {
        wrong.push(format!("component {id} has a parallelism below 1: give it at least 1"));
    }
    let own = common.json_conf.as_deref().unwrap_or("{}");
    match serde_json::from_str::<Map<String, Value>>(own) {
        Ok(own) if own.contains_key("topology.tasks") => {
            if count(own.get("topology.tasks")).is_none_or(|tasks| tasks == 0) {
                wrong.push(format!("component {id} has no task: set its topology.tasks above 0"));
            }
        }
        Ok(_) => {}
        Err(error) => wrong.push(format!("the conf of component {id} is no JSON object: {error}")),
    }
    for (stream, info) in &common.streams {
        if stream.starts_with("__") {
            wrong
                .push(format!("stream {stream} of {id} has a reserved name: do not begin with __"));
        }
        let fields: BTreeSet<&String> = info.output_fields.iter().collect();
        if fields.len() != info.output_fields.len() {
            wrong.push(format!("stream {stream} of {id} declares a field twice"));
        }
    }
}

fn inputs(
    id: &str,
    common: &storm::ComponentCommon,
    outputs: &BTreeMap<&str, &storm::ComponentCommon>,
    wrong: &mut Vec<String>,
) {
    for (from, grouping) in &common.inputs {
        let (source, stream) = (&from.component_id, &from.stream_id);
        let Some(emitter) = outputs.get(source.as_str()) else {
            wrong.push(format!("{id} subscribes to {source}, which does not exist"));
            continue;
        };
        let Some(info) = emitter.streams.get(stream) else {
            wrong.push(format!(
                "{id} subscribes to stream {stream} of {source}, which declares none of that name"
            ));
            continue;
        };
        match grouping {
            storm::Grouping::Fields(fields) => {
                for field in fields.iter().filter(|field| !info.output_fields.contains(field)) {
                    wrong.push(format!(
                        "{id} groups by {field}, which stream {stream} of {source} does not have: \
                         its fields are {}",
                        info.output_fields.join(", ")
                    ));
                }
            }
            storm::Grouping::CustomSerialized(_) => wrong.push(format!(
                "{id} groups {source} by a serialized Java object, which this engine cannot run: \
                 use a built-in grouping"
            )),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
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
        check(|t| t.spouts.clear(), "count subscribes to src, which does not exist");
        check(
            |t| {
                t.spouts.get_mut("src").unwrap().spout_object =
                    storm::ComponentObject::SerializedJava(vec![])
            },
            "component src is a serialized Java object",
        );
        check(
            |t| t.spouts.get_mut("src").unwrap().common.streams.clear(),
            "stream default of src, which declares none",
        );
        check(
            |t| {
                let info = storm::StreamInfo { output_fields: vec!["n".to_owned()], direct: false };
                t.spouts.get_mut("src").unwrap().common.streams.insert("default".to_owned(), info);
            },
            "count groups by word, which stream default of src does not have: its fields are n",
        );
        check(
            |t| t.bolts.get_mut("count").unwrap().common.parallelism_hint = Some(0),
            "component count has a parallelism below 1",
        );
        check(
            |t| t.bolts.get_mut("count").unwrap().common.json_conf = Some("[".to_owned()),
            "the conf of component count is no JSON object",
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
    fn values_of_a_wrong_form_are_told_all_at_once() {
        let spoiled = serde_json::json!({"topology.workers": 0, "topology.debug": 7, "mine": 7});
        let error = conf(spoiled.as_object().unwrap()).expect_err("refused").to_string();
        assert!(error.contains("topology.workers") && error.contains("topology.debug"), "{error}");
        assert!(!error.contains("mine"), "{error}");
    }
}
