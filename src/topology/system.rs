//! System components that have tasks in the numbering, and nothing to execute in this engine.
//!
//! Nimbus adds an event logger and a bolt for each metrics consumer where a topology's configuration
//! asks for them, and numbers their tasks. A worker has to number the same; it writes events and
//! metrics itself, so these bolts get no tuple.
//!
//! **Not here:** what Nimbus adds to the Thrift topology (`system_topology`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::factory::BoltInstance;
use super::{Component, Role};
use crate::bolt::{BasicBolt, BasicCollector};
use crate::component::Result;
use crate::conf::TopologyConf;
use crate::id::ComponentId;
use crate::tuple::TupleRef;

const EVENT_LOGGER: &str = "__eventlogger";
const METRICS_PREFIX: &str = "__metrics_";

/// Takes nothing.
struct Silent;

impl BasicBolt for Silent {
    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        Ok(())
    }
}

/// The components that a topology's configuration asks for, each with its executors.
pub(super) fn silent(conf: &Arc<TopologyConf>) -> Vec<Component> {
    let mut id_to_executors = BTreeMap::new();
    if conf.event_logger_executors > 0 {
        id_to_executors.insert(EVENT_LOGGER.to_owned(), conf.event_logger_executors as usize);
    }
    let mut class_to_count: BTreeMap<&str, usize> = BTreeMap::new();
    let registered = conf.get("topology.metrics.consumer.register").and_then(Json::as_array);
    for consumer in registered.into_iter().flatten() {
        // Nimbus refuses what names no class.
        let Some(class) = consumer.get("class").and_then(Json::as_str) else { continue };
        let count = class_to_count.entry(class).or_default();
        *count += 1;
        let id = match count {
            1 => format!("{METRICS_PREFIX}{class}"),
            count => format!("{METRICS_PREFIX}{class}#{count}"),
        };
        let executors = consumer.get("parallelism.hint").and_then(Json::as_u64).unwrap_or(1);
        id_to_executors.insert(id, executors.min(u64::from(u16::MAX)) as usize);
    }
    let component = |(id, executors): (String, usize)| Component {
        id: ComponentId::from(id.as_str()),
        role: Role::Bolt(Arc::new(|| BoltInstance::Basic(Box::new(Silent)))),
        named: None,
        outputs: Vec::new(),
        inputs: Vec::new(),
        executors,
        tasks: executors,
        conf: conf.clone(),
    };
    id_to_executors.into_iter().filter(|(_, executors)| *executors > 0).map(component).collect()
}
