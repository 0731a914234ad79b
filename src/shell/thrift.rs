//! Tests: shell components travel as Storm has them, and come back.

use nimbus_client::thrift::{ComponentObject, ShellComponent};

use super::*;
use crate::bolt::{BasicBolt, BasicCollector};
use crate::component::Result;
use crate::topology::{Topology, TopologyBuilder};
use crate::tuple::TupleRef;

struct Ignore;

impl BasicBolt for Ignore {
    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        Ok(())
    }
}

fn topology(split: ShellBolt) -> Topology {
    let mut builder = TopologyBuilder::new();
    builder.spout("lines", ShellSpout::new(["node", "lines.js"]).output(["line"]));
    builder.bolt("split", split).shuffle("lines").parallelism(2);
    builder.build().expect("it is sound")
}

fn split() -> ShellBolt {
    let split = ShellBolt::new(["python3", "split.py"]).output(["word", "n"]);
    split.direct_stream("odd", ["word"]).serializer("binary")
}

#[track_caller]
fn check_that_it_travels(split: ShellBolt) -> ComponentObject {
    let topology = topology(split);
    let submitted = topology.to_thrift().expect("shell components travel");
    let mut known = Register::new();
    register(&mut known);
    let conf = topology.conf().as_map();
    let back = Topology::from_thrift(&submitted, conf, &known).expect("it can be built");
    assert_eq!(format!("{back:?}"), format!("{topology:?}"));
    assert_eq!(back.to_thrift().expect("shell components travel"), submitted);
    let shell = &back.components()["split"].conf.shell;
    assert_eq!(shell.serializer, "binary");
    submitted.bolts["split"].bolt_object.clone()
}

#[test]
fn two_words_travel_as_storm_has_them() {
    let (command, script) = ("python3".to_owned(), "split.py".to_owned());
    let expected = ComponentObject::Shell(ShellComponent::new(command, script));
    assert_eq!(check_that_it_travels(split()), expected);
}

#[test]
fn more_than_two_words_travel_by_the_name_of_a_registered_component() {
    let three = ShellBolt::new(["python3", "-O", "split.py"]).output(["word", "n"]);
    let three = three.serializer("binary").env("A", "b").directory("sub");
    let ComponentObject::JavaObject(object) = check_that_it_travels(three) else {
        panic!("a shell component has but two words");
    };
    assert_eq!(object.full_class_name, SHELL_BOLT);
}

#[test]
fn a_shell_bolt_is_a_bolt_like_any_other() {
    let mut builder = TopologyBuilder::new();
    builder.spout("lines", ShellSpout::new(["x"]).output(["line"]));
    builder.bolt("split", split()).shuffle("lines");
    builder.bolt("end", || Ignore).fields("split", ["word"]).direct(("split", "odd"));
    let topology = builder.build().expect("it is sound").to_string();
    assert!(topology.contains("bolt split: 1 executors, 1 tasks; emits default"), "{topology}");
}
