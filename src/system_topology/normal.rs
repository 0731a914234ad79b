//! Normalisation: each component's conf says how many tasks it has.

use nimbus_client::thrift::StormTopology;
use serde_json::{Map, Value as Json, json};

use super::checks::InvalidTopology;
use super::component::{TASKS, all_mut, conf_of, json_text, number, parallelism_hint};

/// The topology with `topology.tasks` in the conf of each component.
///
/// That is what the component or, below it, `conf` says, else its number of executors, and at most
/// `topology.max.task.parallelism`.
///
/// # Errors
/// A component's conf is no JSON object, or one of these keys is no number.
pub fn normalised(
    user: &StormTopology,
    conf: &Map<String, Json>,
) -> Result<StormTopology, InvalidTopology> {
    const MOST: &str = "topology.max.task.parallelism";
    let mut topology = user.clone();
    let mut problems = Vec::new();
    for (id, common) in all_mut(&mut topology) {
        let normalised = || {
            let mut own = conf_of(id, common)?;
            // A component that sets a key to null unsets it, as in Storm.
            let either = |key| {
                let from = if own.contains_key(key) { &own } else { conf };
                number(id, from, key)
            };
            let tasks = either(TASKS)?.unwrap_or_else(|| parallelism_hint(common));
            let tasks = either(MOST)?.map_or(tasks, |most| tasks.min(most));
            own.insert(TASKS.to_owned(), json!(tasks));
            Ok(json_text(own))
        };
        match normalised() {
            Ok(json_conf) => common.json_conf = json_conf,
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(topology) } else { Err(InvalidTopology(problems)) }
}
