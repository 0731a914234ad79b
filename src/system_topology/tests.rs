//! What is added, checked and numbered; the recorded topologies of a stock cluster stand in
//! `tests/recorded`.

use std::collections::BTreeMap;

use nimbus_client::thrift::{
    Bolt, ComponentCommon, ComponentObject, GlobalStreamId, Grouping, JavaObject, NullStruct,
    ShellComponent, SpoutSpec, StreamInfo,
};
use serde_json::json;

use super::*;
use crate::bolt::{BasicBolt, BasicCollector};
use crate::component::{Declarer, Result};
use crate::id::ComponentId;
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::{Named, Register, TaskPlan, Topology, TopologyBuilder};
use crate::tuple::TupleRef;

fn object() -> ComponentObject {
    ComponentObject::JavaObject(JavaObject {
        full_class_name: "x".to_owned(),
        args_list: Vec::new(),
    })
}

fn common(inputs: &[(&str, &str, Grouping)], streams: &[(&str, &[&str])]) -> ComponentCommon {
    let inputs = inputs.iter().map(|(component, stream, grouping)| {
        let from = GlobalStreamId {
            component_id: (*component).to_owned(),
            stream_id: (*stream).to_owned(),
        };
        (from, grouping.clone())
    });
    let streams = streams.iter().map(|(id, fields)| {
        let output_fields = fields.iter().map(|field| (*field).to_owned()).collect();
        ((*id).to_owned(), StreamInfo { output_fields, direct: false })
    });
    ComponentCommon {
        inputs: inputs.collect(),
        streams: streams.collect(),
        parallelism_hint: None,
        json_conf: None,
    }
}

/// Spout `src` with `default(n)`, bolt `end` that takes it by shuffle.
fn small() -> StormTopology {
    let shuffle = Grouping::Shuffle(NullStruct {});
    let spout = SpoutSpec { spout_object: object(), common: common(&[], &[("default", &["n"])]) };
    let bolt = Bolt { bolt_object: object(), common: common(&[("src", "default", shuffle)], &[]) };
    StormTopology {
        spouts: BTreeMap::from([("src".to_owned(), spout)]),
        bolts: BTreeMap::from([("end".to_owned(), bolt)]),
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

fn conf(json: Json) -> Map<String, Json> {
    json.as_object().expect("a conf").clone()
}

fn end(topology: &mut StormTopology) -> &mut ComponentCommon {
    &mut topology.bolts.get_mut("end").expect("there is one").common
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut StormTopology), sentence: &str) {
    let mut topology = small();
    change(&mut topology);
    let refused = system_topology(&topology, &conf(json!({}))).expect_err("it cannot run");
    assert_eq!(refused.to_string(), sentence);
}

#[test]
fn a_topology_that_cannot_run_is_refused_in_storms_sentences() {
    let spout = |topology: &StormTopology| topology.spouts["src"].clone();
    check_refused(
        |topology| drop(topology.spouts.insert("__mine".to_owned(), spout(topology))),
        "__mine is not a valid component id.",
    );
    check_refused(
        |topology| {
            let info = StreamInfo { output_fields: Vec::new(), direct: false };
            end(topology).streams.insert("__mine".to_owned(), info);
        },
        "__mine is not a valid stream id.",
    );
    check_refused(
        |topology| drop(topology.spouts.insert("end".to_owned(), spout(topology))),
        "Duplicate component ids: [end]",
    );
    check_refused(
        |topology| {
            let inputs = end(topology).inputs.clone();
            topology.spouts.get_mut("src").unwrap().common.inputs = inputs;
        },
        "May not declare inputs for a spout: src",
    );
    check_refused(
        |topology| {
            end(topology).json_conf = Some(r#"{"topology.tasks": 2}"#.to_owned());
            end(topology).parallelism_hint = Some(0);
        },
        "Number of executors must be greater than 0 when number of tasks is greater than 0: end",
    );
    check_refused(
        |topology| end(topology).json_conf = Some(r#"{"topology.tasks": "many"}"#.to_owned()),
        r#"topology.tasks of end is "many": expected a whole number"#,
    );
}

#[test]
fn an_input_that_does_not_exist_is_refused_in_storms_sentences() {
    let fields = |names: &[&str]| Grouping::Fields(names.iter().map(|n| (*n).to_owned()).collect());
    check_refused(
        |topology| *end(topology) = common(&[("scr", "default", fields(&["n"]))], &[]),
        "Component: [end] subscribes from non-existent component [scr]",
    );
    check_refused(
        |topology| *end(topology) = common(&[("src", "side", fields(&["n"]))], &[]),
        "Component: [end] subscribes from non-existent stream: [side] of component [src]",
    );
    check_refused(
        |topology| *end(topology) = common(&[("src", "default", fields(&["n", "v", "w"]))], &[]),
        "Component: [end] subscribes from stream: [default] of component [src] + with non-existent \
         fields: [v, w]",
    );
    check_refused(
        |topology| {
            let inputs = [("a", "default", fields(&[])), ("b", "default", fields(&[]))];
            *end(topology) = common(&inputs, &[]);
        },
        "Component: [end] subscribes from non-existent component [a]; \
         Component: [end] subscribes from non-existent component [b]",
    );
}

#[track_caller]
fn check_tasks(component: Json, parallelism_hint: i32, of_topology: Json, expected: i64) {
    let mut topology = small();
    end(&mut topology).json_conf = Some(component.to_string());
    end(&mut topology).parallelism_hint = Some(parallelism_hint);
    let normal = normalised(&topology, &conf(of_topology)).expect("it can be normalised");
    let own: Json = serde_json::from_str(normal.bolts["end"].common.json_conf.as_ref().unwrap())
        .expect("a conf");
    assert_eq!(own["topology.tasks"], expected);
}

#[test]
fn tasks_are_what_the_component_says_or_its_executors_and_at_most_so_many() {
    check_tasks(json!({}), 3, json!({}), 3);
    check_tasks(json!({"topology.tasks": 5}), 3, json!({"topology.tasks": 7}), 5);
    check_tasks(json!({}), 3, json!({"topology.tasks": 7}), 7);
    check_tasks(json!({"topology.tasks": 5}), 3, json!({"topology.max.task.parallelism": 2}), 2);
    check_tasks(json!({"topology.tasks": 5}), 3, json!({"topology.max.task.parallelism": null}), 5);
    let own = json!({"topology.max.task.parallelism": 4});
    check_tasks(own, 6, json!({"topology.max.task.parallelism": 2}), 4);
}

/// Components with their first task, number of tasks and executors they start with.
fn numbered(user: &StormTopology, of_topology: Json) -> Vec<String> {
    let conf = conf(of_topology);
    let normal = normalised(user, &conf).expect("it can be normalised");
    let system = system_topology(&normal, &conf).expect("it can run");
    let numbering = Numbering::of(&system).expect("it can be numbered");
    let components = numbering.components.iter();
    components
        .map(|one| {
            format!("{} {}+{} in {}", one.id, one.first_task, one.tasks, one.start_executors)
        })
        .collect()
}

#[test]
fn every_system_component_has_its_place_in_the_numbering() {
    let of_topology = json!({"topology.workers": 2});
    assert_eq!(
        numbered(&small(), of_topology),
        ["__acker 1+2 in 2", "__system 3+0 in 0", "end 3+1 in 1", "src 4+1 in 1"]
    );
    let of_topology = json!({
        "topology.workers": 2,
        "topology.acker.executors": 0,
        "topology.eventlogger.executors": null,
        "topology.metrics.consumer.register": [
            {"class": "a.Log"}, {"class": "b.Log", "parallelism.hint": 2}, {"class": "a.Log"},
        ],
    });
    assert_eq!(
        numbered(&small(), of_topology),
        [
            "__acker 1+0 in 0",
            "__eventlogger 1+2 in 2",
            "__metrics_a.Log 3+1 in 1",
            "__metrics_a.Log#2 4+1 in 1",
            "__metrics_b.Log 5+2 in 2",
            "__system 7+0 in 0",
            "end 7+1 in 1",
            "src 8+1 in 1",
        ]
    );
}

#[test]
fn component_ids_are_sorted_as_java_sorts_them() {
    let mut user = small();
    let spout = user.spouts["src"].clone();
    // The last one is above the others as a number, and below them as Java's two units.
    for id in ["$a", "A", "_a", "a", "1", "\u{ff5e}", "\u{10000}"] {
        user.spouts.insert(id.to_owned(), spout.clone());
    }
    let of_topology = json!({"topology.acker.executors": 0});
    let ids: Vec<String> = numbered(&user, of_topology)
        .into_iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    let expected =
        ["$a", "1", "A", "__acker", "__system", "_a", "a", "end", "src", "\u{10000}", "\u{ff5e}"];
    assert_eq!(ids, expected);
}

#[test]
fn executors_are_bounded_by_tasks_and_a_component_without_any_does_not_run() {
    let mut user = small();
    end(&mut user).json_conf = Some(r#"{"topology.tasks": 3}"#.to_owned());
    let conf = conf(json!({"topology.acker.executors": 1}));
    let system = system_topology(&normalised(&user, &conf).unwrap(), &conf).unwrap();
    let numbering = Numbering::of(&system).unwrap();
    let executors = |counts: &[(&str, usize)]| {
        let counts = counts.iter().map(|(id, count)| (ComponentId::from(*id), *count)).collect();
        let executors = numbering.executors(&counts).into_iter();
        executors.map(|(executor, id)| format!("{executor} {id}")).collect::<Vec<_>>()
    };
    assert_eq!(executors(&[("end", 2), ("src", 9)]), ["[2-3] end", "[4-4] end", "[5-5] src"]);
    assert_eq!(executors(&[("__acker", 1), ("__system", 1), ("end", 0)]), ["[1-1] __acker"]);
}

#[test]
fn more_tasks_than_numbers_are_refused() {
    let mut user = small();
    end(&mut user).json_conf = Some(r#"{"topology.tasks": 32767}"#.to_owned());
    let conf = conf(json!({"topology.acker.executors": 0}));
    let system = system_topology(&normalised(&user, &conf).unwrap(), &conf).unwrap();
    let refused = Numbering::of(&system).unwrap_err();
    let told = "the topology has 32768 tasks: at most 32767 can be numbered";
    assert_eq!(refused.to_string(), told);
}

#[test]
fn shell_components_get_the_same_additions() {
    let mut user = small();
    let shell = ShellComponent { execution_command: None, script: None };
    user.bolts.get_mut("end").unwrap().bolt_object = ComponentObject::Shell(shell);
    let system = system_topology(&user, &conf(json!({}))).expect("it can run");
    assert!(system.bolts["end"].common.streams.contains_key("__ack_ack"));
}

struct Source;

impl Spout for Source {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["n"]);
    }

    fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
        Ok(Next::Finished)
    }
}

struct Sink;

impl BasicBolt for Sink {
    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        Ok(())
    }
}

#[test]
fn nimbus_numbers_tasks_as_the_workers_do() {
    let mut register = Register::new();
    register.add("source", |(): ()| Source);
    register.add("sink", |(): ()| Sink);
    for of_topology in [
        json!({}),
        json!({"topology.workers": 3}),
        json!({"topology.workers": 3, "topology.acker.executors": 2}),
        json!({"topology.acker.executors": 0}),
        json!({"topology.max.task.parallelism": 2}),
        json!({"topology.workers": 2, "topology.eventlogger.executors": null}),
        json!({"topology.eventlogger.executors": 3, "topology.metrics.consumer.register": [
            {"class": "a.Log"}, {"class": "b.Log", "parallelism.hint": 2}, {"class": "a.Log"},
        ]}),
    ] {
        let mut builder = TopologyBuilder::with_register(register.clone());
        for (key, value) in conf(of_topology.clone()) {
            builder.conf(&key, value);
        }
        builder.spout("src", Named::new("source")).parallelism(2).tasks(5);
        builder.bolt("End", Named::new("sink")).shuffle("src").parallelism(3);
        builder.bolt("_end", Named::new("sink")).shuffle("src").parallelism(1).tasks(3);
        let of_topology = conf(of_topology);
        let user = builder.build().expect("it is sound").to_thrift().expect("all is registered");
        let normal = normalised(&user, &of_topology).expect("it can be normalised");
        let system = system_topology(&normal, &of_topology).expect("it can run");
        let numbering = Numbering::of(&system).expect("it can be numbered");
        let nimbus = numbering.executors(&numbering.start_executors());

        let worker = Topology::from_thrift(&normal, &of_topology, &register).expect("it is sound");
        let workers = TaskPlan::new(&worker).executors;
        assert_eq!(nimbus, workers.into_iter().collect(), "{of_topology:?}");
    }
}
