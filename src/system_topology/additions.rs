//! The components and streams that Storm adds, in its order.

use std::collections::BTreeMap;

use nimbus_client::thrift::{
    Bolt, ComponentCommon, ComponentObject, GlobalStreamId, Grouping, JavaObject, JavaObjectArg,
    NullStruct, StormTopology, StreamInfo,
};
use serde_json::{Map, Value as Json, json};

use super::checks::Problem;
use super::component::{TASKS, all, all_mut, conf_of, json_text, number};
use super::{ACKER, EVENT_LOGGER, METRICS_PREFIX, SYSTEM};

const ACK_INIT: &str = "__ack_init";
const ACK_ACK: &str = "__ack_ack";
const ACK_FAIL: &str = "__ack_fail";
const ACK_RESET_TIMEOUT: &str = "__ack_reset_timeout";
const EVENT_LOG: &str = "__eventlog";
const METRICS: &str = "__metrics";

const TICK_SECS: &str = "topology.tick.tuple.freq.secs";

type Conf = Map<String, Json>;

/// The acker, and the streams and inputs by which all others talk to it.
///
/// It is there with no executors if the topology wants none, so that its streams are known.
pub(super) fn add_acker(topology: &mut StormTopology, conf: &Conf) -> Result<(), Problem> {
    let ackers = executors(conf, "topology.acker.executors")?;
    let timeout_secs = message_timeout_secs(conf)?;
    let by_id = || Grouping::Fields(vec!["id".to_owned()]);
    let mut inputs = BTreeMap::new();
    for id in topology.spouts.keys() {
        inputs.insert(stream_of(id, ACK_INIT), by_id());
    }
    for id in topology.bolts.keys() {
        for stream in [ACK_ACK, ACK_FAIL, ACK_RESET_TIMEOUT] {
            inputs.insert(stream_of(id, stream), by_id());
        }
    }
    for bolt in topology.bolts.values_mut() {
        let streams = &mut bolt.common.streams;
        streams.insert(ACK_ACK.to_owned(), stream(&["id", "ack-val"]));
        streams.insert(ACK_FAIL.to_owned(), stream(&["id"]));
        streams.insert(ACK_RESET_TIMEOUT.to_owned(), stream(&["id"]));
    }
    for (id, spout) in &mut topology.spouts {
        let common = &mut spout.common;
        let mut own = conf_of(id, common)?;
        own.insert(TICK_SECS.to_owned(), json!(timeout_secs));
        common.json_conf = json_text(own);
        common.streams.insert(ACK_INIT.to_owned(), stream(&["id", "init-val", "spout-task"]));
        for answer in [ACK_ACK, ACK_FAIL, ACK_RESET_TIMEOUT] {
            common.inputs.insert(stream_of(ACKER, answer), Grouping::Direct(NullStruct {}));
        }
    }
    let answer = || StreamInfo { direct: true, ..stream(&["id", "time-delta-ms"]) };
    let streams = [ACK_ACK, ACK_FAIL, ACK_RESET_TIMEOUT].map(|id| (id.to_owned(), answer()));
    let own = json!({ TASKS: ackers, TICK_SECS: timeout_secs });
    let acker = bolt("org.apache.storm.daemon.Acker", &[], inputs, streams.into(), ackers, own);
    topology.bolts.insert(ACKER.to_owned(), acker);
    Ok(())
}

/// The event logger and the streams to it, unless it has no executors.
pub(super) fn add_event_logger(topology: &mut StormTopology, conf: &Conf) -> Result<(), Problem> {
    const LOGGERS: &str = "topology.eventlogger.executors";
    // Its default is none; one per worker has to be asked for with null.
    let loggers = if conf.contains_key(LOGGERS) { executors(conf, LOGGERS)? } else { 0 };
    if loggers == 0 {
        return Ok(());
    }
    let by_component = || Grouping::Fields(vec!["component-id".to_owned()]);
    let ids = topology.bolts.keys().chain(topology.spouts.keys());
    let inputs = ids.map(|id| (stream_of(id, EVENT_LOG), by_component())).collect();
    for (_, common) in all_mut(topology) {
        let fields = ["component-id", "message-id", "ts", "values"];
        common.streams.insert(EVENT_LOG.to_owned(), stream(&fields));
    }
    let own = json!({ TASKS: loggers, TICK_SECS: message_timeout_secs(conf)? });
    let class = "org.apache.storm.metric.EventLoggerBolt";
    let logger = bolt(class, &[], inputs, BTreeMap::new(), loggers, own);
    topology.bolts.insert(EVENT_LOGGER.to_owned(), logger);
    Ok(())
}

/// One bolt for each metrics consumer that is registered; a class that comes again gets `#2` and on.
pub(super) fn add_metrics_consumers(
    topology: &mut StormTopology,
    conf: &Conf,
) -> Result<(), Problem> {
    let registered = match conf.get("topology.metrics.consumer.register") {
        None | Some(Json::Null) => return Ok(()),
        Some(Json::Array(registered)) => registered,
        Some(found) => return Err(Problem::NoConsumer { found: found.to_string() }),
    };
    let shuffle = || Grouping::Shuffle(NullStruct {});
    let ids = all(topology).map(|(id, _)| id).chain([SYSTEM]);
    let inputs: BTreeMap<GlobalStreamId, Grouping> =
        ids.map(|id| (stream_of(id, METRICS), shuffle())).collect();
    let mut class_to_count: BTreeMap<&str, usize> = BTreeMap::new();
    for found in registered {
        let consumer = found.as_object();
        let class = consumer.and_then(|consumer| consumer.get("class")).and_then(Json::as_str);
        let (Some(consumer), Some(class)) = (consumer, class) else {
            return Err(Problem::NoConsumer { found: found.to_string() });
        };
        let count = class_to_count.entry(class).or_default();
        *count += 1;
        let id = match count {
            1 => format!("{METRICS_PREFIX}{class}"),
            count => format!("{METRICS_PREFIX}{class}#{count}"),
        };
        let executors = number(&id, consumer, "parallelism.hint")?.unwrap_or(1);
        let own = json!({ TASKS: executors });
        let arguments = [class, &found.to_string()];
        let consumer = bolt(
            "org.apache.storm.metric.MetricsConsumerBolt",
            &arguments,
            inputs.clone(),
            BTreeMap::new(),
            executors,
            own,
        );
        topology.bolts.insert(id, consumer);
    }
    Ok(())
}

/// The component that stands for a worker itself.
pub(super) fn add_system(topology: &mut StormTopology) {
    let streams = BTreeMap::from([
        ("__tick".to_owned(), stream(&["rate_secs"])),
        ("__flush".to_owned(), stream(&[])),
        ("__metrics_tick".to_owned(), stream(&["interval"])),
    ]);
    let class = "org.apache.storm.metric.SystemBolt";
    let system = bolt(class, &[], BTreeMap::new(), streams, 0, json!({ TASKS: 0 }));
    topology.bolts.insert(SYSTEM.to_owned(), system);
}

/// The streams that every component has, system components included.
pub(super) fn add_streams_of_all(topology: &mut StormTopology) {
    for (_, common) in all_mut(topology) {
        common.streams.insert(METRICS.to_owned(), stream(&["task-info", "data-points"]));
        common.streams.insert(SYSTEM.to_owned(), stream(&["event"]));
    }
}

/// A number of executors that is one per worker if it is null.
fn executors(conf: &Conf, key: &str) -> Result<i32, Problem> {
    let whose = "the topology";
    Ok(match number(whose, conf, key)? {
        Some(executors) => executors.max(0),
        None => number(whose, conf, "topology.workers")?.unwrap_or(1).max(0),
    })
}

fn message_timeout_secs(conf: &Conf) -> Result<i32, Problem> {
    Ok(number("the topology", conf, "topology.message.timeout.secs")?.unwrap_or(30))
}

fn bolt(
    class: &str,
    arguments: &[&str],
    inputs: BTreeMap<GlobalStreamId, Grouping>,
    streams: BTreeMap<String, StreamInfo>,
    executors: i32,
    own: Json,
) -> Bolt {
    let arguments = arguments.iter().map(|text| JavaObjectArg::StringArg((*text).to_owned()));
    let object = JavaObject { full_class_name: class.to_owned(), args_list: arguments.collect() };
    let common = ComponentCommon {
        inputs,
        streams,
        parallelism_hint: Some(executors),
        json_conf: Some(own.to_string()),
    };
    Bolt { bolt_object: ComponentObject::JavaObject(object), common }
}

fn stream_of(component: &str, stream: &str) -> GlobalStreamId {
    GlobalStreamId { component_id: component.to_owned(), stream_id: stream.to_owned() }
}

fn stream(fields: &[&str]) -> StreamInfo {
    let output_fields = fields.iter().map(|field| (*field).to_owned()).collect();
    StreamInfo { output_fields, direct: false }
}
