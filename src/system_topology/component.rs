//! What all kinds of components have, and numbers in confs.

use nimbus_client::thrift::{ComponentCommon, StormTopology};
use serde_json::{Map, Value as Json};

use super::checks::Problem;

/// How many tasks a component has, set in its own conf by normalisation.
pub(super) const TASKS: &str = "topology.tasks";

/// All components: bolts, spouts and, since the type has them, state spouts.
pub(super) fn all(topology: &StormTopology) -> impl Iterator<Item = (&str, &ComponentCommon)> {
    let spouts = topology.spouts.iter().map(|(id, spout)| (id.as_str(), &spout.common));
    let bolts = topology.bolts.iter().map(|(id, bolt)| (id.as_str(), &bolt.common));
    let states = topology.state_spouts.iter().map(|(id, spout)| (id.as_str(), &spout.common));
    bolts.chain(spouts).chain(states)
}

/// All components, to be changed.
pub(super) fn all_mut(
    topology: &mut StormTopology,
) -> impl Iterator<Item = (&str, &mut ComponentCommon)> {
    let spouts = topology.spouts.iter_mut().map(|(id, spout)| (id.as_str(), &mut spout.common));
    let bolts = topology.bolts.iter_mut().map(|(id, bolt)| (id.as_str(), &mut bolt.common));
    let states = topology.state_spouts.iter_mut();
    let states = states.map(|(id, spout)| (id.as_str(), &mut spout.common));
    bolts.chain(spouts).chain(states)
}

/// How many executors a component is started with: 1 unless it says so.
pub fn parallelism_hint(common: &ComponentCommon) -> i32 {
    common.parallelism_hint.unwrap_or(1)
}

/// A component's own conf.
pub(super) fn conf_of(id: &str, common: &ComponentCommon) -> Result<Map<String, Json>, Problem> {
    let text = common.json_conf.as_deref().unwrap_or("{}");
    serde_json::from_str(text)
        .map_err(|why| Problem::ComponentConf { component: id.to_owned(), why: why.to_string() })
}

/// A conf as a component carries it.
pub(super) fn json_text(conf: Map<String, Json>) -> Option<String> {
    Some(Json::Object(conf).to_string())
}

/// A number in a conf: none if it is absent or null. A text of digits is a number, as in Storm.
pub(super) fn number(
    whose: &str,
    conf: &Map<String, Json>,
    key: &str,
) -> Result<Option<i32>, Problem> {
    let found = match conf.get(key) {
        None | Some(Json::Null) => return Ok(None),
        Some(found) => found,
    };
    let number = match found {
        Json::Number(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.map(Some).ok_or_else(|| Problem::NoNumber {
        whose: whose.to_owned(),
        key: key.to_owned(),
        found: found.to_string(),
    })
}
