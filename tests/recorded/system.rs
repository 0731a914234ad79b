//! The topologies `kinds` and `polyglot`: as submitted, as normalised, compiled and numbered.

use std::collections::BTreeMap;

use nimbus_client::thrift::{ComponentCommon, StormTopology, TopologyInfo, TopologyPageInfo};
use nimbus_client::wire::TSerializable;
use serde_json::{Map, Value as Json};
use storm_runtime::assignment::Assignment;
use storm_runtime::nimbus::base::TopologyBase;
use storm_runtime::system_topology::{Numbering, normalised, system_topology};
use thrift::protocol::{TBinaryInputProtocol, TInputProtocol, TType};

use crate::{fields_of, messages, nodes};

/// The conf of a cluster's topology, with that of the cluster below it.
fn merged_conf() -> Map<String, Json> {
    let pages: Vec<TopologyPageInfo> =
        messages("nimbus-ui-thrift.jsonl", "getTopologyPageInfo", "reply");
    let text = pages[0].topology_conf.as_deref().expect("a page has the conf");
    serde_json::from_str(text).expect("JSON")
}

fn only<T: TSerializable>(method: &str) -> T {
    let mut all = messages("nimbus-ui-thrift.jsonl", method, "reply");
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Confs of components with their keys sorted, and system components by what everybody can read of
/// them: their code is Java's.
fn comparable(mut topology: StormTopology) -> StormTopology {
    let sorted = |common: &mut ComponentCommon| {
        let conf: Option<Json> =
            common.json_conf.as_deref().map(|text| serde_json::from_str(text).expect("JSON"));
        common.json_conf = conf.map(|conf| conf.to_string());
    };
    topology.spouts.values_mut().for_each(|spout| sorted(&mut spout.common));
    let code = topology.bolts["end"].bolt_object.clone();
    for (id, bolt) in &mut topology.bolts {
        sorted(&mut bolt.common);
        if id.starts_with("__") {
            bolt.bolt_object = code.clone();
        }
    }
    topology
}

#[test]
fn a_user_topology_gets_what_a_stock_nimbus_adds() {
    let user: StormTopology = only("getUserTopology");
    let compiled: StormTopology = only("getTopology");
    let ours = system_topology(&user, &merged_conf()).expect("a topology that ran");
    assert_eq!(comparable(ours), comparable(compiled));
}

#[test]
fn a_submitted_topology_is_normalised_as_a_stock_nimbus_does_it() {
    let submitted = fields_of("nimbus-thrift.jsonl", "submitTopology", "call");
    let kinds = submitted.iter().find_map(|fields| {
        let mut rest = &fields[..];
        let mut input = TBinaryInputProtocol::new(&mut rest, true);
        input.read_struct_begin().ok()?;
        let mut name = String::new();
        loop {
            let field = input.read_field_begin().ok()?;
            match (field.field_type, field.id) {
                (TType::Stop, _) => return None,
                (_, Some(1)) => name = input.read_string().ok()?,
                (_, Some(4)) if name == "kinds" => {
                    return StormTopology::read_from_in_protocol(&mut input).ok();
                }
                (kind, _) => input.skip(kind).ok()?,
            }
        }
    });
    let kinds = kinds.expect("kinds was submitted");
    let ours = normalised(&kinds, &merged_conf()).expect("a topology that ran");
    assert_eq!(comparable(ours), comparable(only("getUserTopology")));
}

#[test]
fn tasks_are_numbered_and_cut_as_in_a_stock_cluster() {
    let system = system_topology(&only("getUserTopology"), &merged_conf()).expect("it ran");
    let numbering = Numbering::of(&system).expect("a topology that ran");

    let bases: Vec<nimbus_client::thrift::StormBase> = nodes("/storm/storms/kinds");
    let base = TopologyBase::try_from(&bases[0]).expect("a stock base");
    assert_eq!(numbering.start_executors(), base.component_to_executors);

    let executors = numbering.executors(&base.component_to_executors);
    let assignments: Vec<nimbus_client::thrift::Assignment> = nodes("/storm/assignments/kinds");
    let assignment = Assignment::try_from(&assignments[0]).expect("a stock assignment");
    assert!(executors.keys().eq(assignment.executor_to_slot.keys()));

    let info: TopologyInfo =
        messages("nimbus-ui-thrift.jsonl", "getTopologyInfo", "reply").remove(0);
    let told: BTreeMap<String, String> = info
        .executors
        .iter()
        .map(|one| {
            let executor = &one.executor_info;
            let range = format!("[{}-{}]", executor.task_start, executor.task_end);
            (range, one.component_id.clone())
        })
        .collect();
    let ours = executors.iter().map(|(executor, id)| (executor.to_string(), id.to_string()));
    assert_eq!(ours.collect::<BTreeMap<_, _>>(), told);
}
