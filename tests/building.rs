//! A topology that cannot work is refused when it is built, with all its mistakes at once; one that
//! can is described, and warned about where it deserves a look.

use serde::Deserialize;
use serde_json::json;
use storm_runtime::prelude::*;
use storm_runtime::topology::Register;

mod support {
    pub mod components;
}

use support::components::{Feed, basic, ignore, nothing, number, pass};

/// Builds and expects exactly these mistakes, in any order of their lines.
#[track_caller]
fn check_refused(builder: &TopologyBuilder, expected: &[&str]) {
    let errors = builder.build().expect_err("the topology cannot work");
    let mut found: Vec<String> = errors.0.iter().map(ToString::to_string).collect();
    let mut expected: Vec<&str> = expected.to_vec();
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[track_caller]
fn check_warnings(builder: &TopologyBuilder, expected: &[&str]) {
    let topology = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
    let found: Vec<String> = topology.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}

fn feed() -> impl Fn() -> support::components::FeedSpout + Send + Sync + 'static {
    Feed::new(number).spout()
}

#[test]
fn a_topology_without_a_spout_is_refused() {
    check_refused(
        &TopologyBuilder::new(),
        &["the topology has no spout: add one with TopologyBuilder::spout"],
    );
    let mut builder = TopologyBuilder::new();
    builder.bolt("end", ignore()).shuffle("feed");
    check_refused(
        &builder,
        &[
            "the topology has no spout: add one with TopologyBuilder::spout",
            "bolt end subscribes to component feed, which does not exist: the topology has end",
        ],
    );
}

#[test]
fn a_subscription_to_what_is_not_there_is_refused_with_the_nearest_name() {
    let mut builder = TopologyBuilder::new();
    builder.spout("sentences", feed());
    builder.bolt("split", pass()).shuffle("sentence");
    builder.bolt("count", pass()).fields("split", ["nn"]).shuffle(("split", "defualt"));
    builder.bolt("other", pass()).partial_key("split", ["n", "volume"]).shuffle("xyz");
    builder.bolt("none", pass()).fields("split", Fields::none());
    builder.bolt("end", ignore()).shuffle("split");
    builder
        .bolt("after", ignore())
        .shuffle("end")
        .shuffle("__acker")
        .shuffle(("__system", "__tick"));
    let known = "after, count, end, none, other, sentences, split";
    check_refused(
        &builder,
        &[
            &format!(
                "bolt split subscribes to component sentence, which does not exist: the topology \
                 has {known}; did you mean sentences?"
            ),
            "bolt count groups stream default of split by field \"nn\", which the stream does not \
             have: it has [n]; did you mean n?",
            "bolt count subscribes to stream defualt of split, which split does not declare: it \
             declares default; did you mean default?",
            "bolt other groups stream default of split by field \"volume\", which the stream does \
             not have: it has [n]",
            &format!(
                "bolt other subscribes to component xyz, which does not exist: the topology has \
                 {known}"
            ),
            "bolt none groups stream default of split by no field: name one, or use the global \
             grouping to send all tuples to one task",
            "bolt after subscribes to stream default of end, which end does not declare: it \
             declares none",
            &format!(
                "bolt after subscribes to component __acker, which does not exist: the topology \
                 has {known}"
            ),
            &format!(
                "bolt after subscribes to component __system, which does not exist: the topology \
                 has {known}"
            ),
        ],
    );
}

#[test]
fn a_direct_stream_takes_direct_grouping_and_no_other_stream_does() {
    fn both(declare: &mut Declarer) {
        declare.output(["n"]).direct("to", ["n"]);
    }
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", Feed::new(both).spout());
    builder.bolt("wrong", ignore()).direct("feed");
    builder.bolt("fields", ignore()).fields(("feed", "to"), ["n"]);
    builder.bolt("all", ignore()).all(("feed", "to"));
    builder.bolt("right", ignore()).direct(("feed", "to")).shuffle("feed");
    check_refused(
        &builder,
        &[
            "bolt wrong takes stream default of feed by direct grouping, but the stream is not \
             direct: declare it with Declarer::direct, or use another grouping",
            "bolt fields takes the direct stream to of feed by fields[n] grouping: only direct \
             grouping can, because the emitter names the task",
            "bolt all takes the direct stream to of feed by all grouping: only direct grouping \
             can, because the emitter names the task",
        ],
    );
}

#[test]
fn a_declaration_that_contradicts_itself_is_refused() {
    fn twice(declare: &mut Declarer) {
        declare
            .output(["n", "m", "n"])
            .output(["n"])
            .output_to("side", ["x"])
            .direct("side", ["x"]);
    }
    fn reserved(declare: &mut Declarer) {
        declare.output_to("__metrics", ["n"]).output_to("$checkpoint", ["n"]);
    }
    fn huge(declare: &mut Declarer) {
        declare.output((0..256).map(|field| format!("f{field}")).collect::<Vec<_>>());
        declare.output_to("large", (0..255).map(|field| format!("f{field}")).collect::<Vec<_>>());
    }
    let mut builder = TopologyBuilder::new();
    builder.spout("twice", Feed::new(twice).spout());
    builder.spout("reserved", Feed::new(reserved).spout());
    builder.spout("huge", Feed::new(huge).spout());
    check_refused(
        &builder,
        &[
            "stream default of component twice declares field \"n\" twice: rename one of them",
            "component twice declares stream default twice: declare it once",
            "component twice declares stream side twice: declare it once",
            "component reserved declares stream __metrics, a reserved name: names must not begin \
             with __ or $",
            "component reserved declares stream $checkpoint, a reserved name: names must not begin \
             with __ or $",
            "stream default of component huge declares 256 fields: at most 255 are possible, put \
             some of them into a list or map",
        ],
    );
}

#[test]
fn names_are_unique_and_not_reserved() {
    let mut builder = TopologyBuilder::new();
    builder.spout("one", feed());
    builder.bolt("one", pass()).shuffle("one");
    builder.bolt("__acker", ignore()).shuffle("one");
    builder.bolt("$mine", ignore()).shuffle("one");
    check_refused(
        &builder,
        &[
            "component one is declared twice: give the second another name",
            "component __acker has a reserved name: names must not begin with __ or $",
            "component $mine has a reserved name: names must not begin with __ or $",
        ],
    );
}

#[test]
fn a_component_has_an_executor_and_a_task() {
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", feed()).parallelism(0);
    builder.bolt("end", ignore()).tasks(0).shuffle("feed");
    builder.bolt("many", ignore()).tasks(32_768).shuffle("feed");
    check_refused(
        &builder,
        &[
            "component feed has parallelism 0: it needs at least 1",
            "component end has tasks 0: it needs at least 1",
            "the topology has 32769 tasks: at most 32767 are possible, lower parallelism or tasks \
             of its components",
        ],
    );
}

#[test]
fn a_wrong_configuration_names_its_component_and_key() {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.message.timeout.secs", "soon").conf("topology.workers", 0);
    builder.spout("feed", feed()).conf("topology.max.spout.pending", 0);
    fn ticking(declare: &mut Declarer) {
        declare.conf("topology.tick.tuple.freq.secs", -1);
    }
    builder.bolt("end", basic(ticking, |_, _| Ok(()))).shuffle("feed");
    check_refused(
        &builder,
        &[
            "topology.message.timeout.secs: found \"soon\", accepted is an integer of seconds from \
             1 to 2147483647",
            "topology.workers: found 0, which is out of range: accepted is an integer from 1 to \
             2147483647",
            "component feed: topology.max.spout.pending: found 0, which is out of range: accepted \
             is an integer from 1 to 2147483647",
            "component end: topology.tick.tuple.freq.secs: found -1, which is out of range: \
             accepted is a number of seconds from 0 to 2147483647",
        ],
    );
}

#[test]
fn the_builders_setting_for_a_component_wins_over_its_own() {
    fn wrong(declare: &mut Declarer) {
        declare.conf("topology.tick.tuple.freq.secs", "often");
    }
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", feed());
    let end = builder.bolt("end", basic(wrong, |_, _| Ok(())));
    end.conf("topology.tick.tuple.freq.secs", 5).shuffle("feed");
    check_warnings(&builder, &[]);
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    by: i64,
}

fn register() -> Register {
    let mut register = Register::new();
    register.add("numbers", |(): ()| Feed::new(number).spout()());
    register.add("step", |step: Step| {
        basic(number, move |tuple, out| {
            out.emit([tuple.i64(0)? + step.by]);
            Ok(())
        })()
    });
    register
}

#[test]
fn a_named_component_must_be_registered_in_its_role_with_arguments_that_fit() {
    let mut builder = TopologyBuilder::with_register(register());
    builder.spout("feed", Named::new("number"));
    builder.spout("spare", Named::new("nobody-knows"));
    builder.bolt("step", Named::new("step").args(json!({"by": "two"}))).shuffle("feed");
    builder.bolt("more", Named::new("step").args(json!({"buy": 1}))).shuffle("step");
    builder.bolt("wrong", Named::new("numbers")).shuffle("feed");
    builder.spout("swapped", Named::new("step").args(json!({"by": 1})));
    check_refused(
        &builder,
        &[
            "component feed is of the registered kind \"number\", which is not registered: \
             registered are numbers, step; did you mean numbers?",
            "component spare is of the registered kind \"nobody-knows\", which is not registered: \
             registered are numbers, step",
            "component step: the arguments of \"step\" cannot be read: invalid type: string \
             \"two\", expected i64",
            "component more: the arguments of \"step\" cannot be read: unknown field `buy`, \
             expected `by`",
            "component wrong is declared as a bolt, but \"numbers\" is registered as a spout",
            "component swapped is declared as a spout, but \"step\" is registered as a bolt",
        ],
    );
    let mut empty = TopologyBuilder::new();
    empty.spout("feed", Named::new("numbers"));
    check_refused(
        &empty,
        &["component feed is of the registered kind \"numbers\", which is not registered: \
           registered are none"],
    );
}

#[test]
fn named_components_that_fit_run_like_any_other() {
    let mut builder = TopologyBuilder::with_register(register());
    builder.spout("feed", Named::new("numbers"));
    builder.bolt("step", Named::new("step").args(json!({"by": 5}))).shuffle("feed");
    let topology = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
    let sources = storm_runtime::local::MockSources::new().tuples("feed", [[1i64], [2]]);
    let completed = storm_runtime::local::complete_topology(&topology, &sources).expect("it ends");
    assert_eq!(completed.tuples("step"), [[Value::from(6i64)], [Value::from(7i64)]]);
}

#[test]
fn all_mistakes_are_told_in_one_text() {
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", feed()).parallelism(0);
    builder.bolt("end", ignore()).shuffle("fed");
    let errors = builder.build().expect_err("it has mistakes");
    assert_eq!(
        errors.to_string(),
        "the topology has 2 mistakes:\n\
         - component feed has parallelism 0: it needs at least 1\n\
         - bolt end subscribes to component fed, which does not exist: the topology has end, feed; \
         did you mean feed?"
    );
}

#[test]
fn a_cycle_is_allowed_and_warned_about_by_name() {
    let mut builder = TopologyBuilder::new();
    builder.spout("feed", feed());
    builder.bolt("a", pass()).shuffle("feed").shuffle("c");
    builder.bolt("b", pass()).shuffle("a");
    builder.bolt("c", pass()).shuffle("b");
    builder.bolt("self", pass()).shuffle("feed").shuffle("self");
    builder.bolt("end", ignore()).shuffle("c");
    check_warnings(
        &builder,
        &[
            "the topology has a cycle: a -> b -> c -> a; its queues are not bounded, so set \
             topology.max.spout.pending",
            "the topology has a cycle: self -> self; its queues are not bounded, so set \
             topology.max.spout.pending",
        ],
    );
}

#[test]
fn what_is_probably_not_meant_is_warned_about() {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.max.spout.pendng", 5).conf("my.own.key", true);
    builder.spout("feed", feed());
    builder.bolt("alone", ignore()).conf("topology.workers", 3);
    check_warnings(
        &builder,
        &[
            "topology.max.spout.pendng is not a known key: did you mean \
             topology.max.spout.pending?",
            "topology.workers is not heard from a component: set it in the topology's conf",
            "bolt alone subscribes to nothing and will get only ticks",
        ],
    );
}

#[test]
fn a_topology_describes_itself_in_one_line_per_component() {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.acker.executors", 2);
    builder.spout("feed", feed()).parallelism(2);
    builder.bolt("end", ignore()).parallelism(3).tasks(7).fields("feed", ["n"]);
    builder.bolt("few", basic(nothing, |_, _| Ok(()))).parallelism(5).tasks(2).all("feed");
    let topology = builder.build().expect("sound");
    assert_eq!(
        topology.to_string(),
        "spout feed: 2 executors, 2 tasks; emits default [n]\n\
         bolt end: 3 executors, 7 tasks; takes feed:default by fields[n]\n\
         bolt few: 2 executors, 2 tasks; takes feed:default by all\n\
         acker __acker: 2 executors, 2 tasks; takes the acks of all components\n"
    );
}

#[test]
fn the_most_tasks_of_a_component_can_be_limited() {
    let mut builder = TopologyBuilder::new();
    builder.conf("topology.max.task.parallelism", 3);
    builder.spout("feed", feed()).parallelism(2);
    builder.bolt("end", ignore()).parallelism(8).tasks(20).shuffle("feed");
    let wide = builder.bolt("wide", ignore()).parallelism(8);
    wide.conf("topology.max.task.parallelism", 5).shuffle("feed");
    let text = builder.build().expect("sound").to_string();
    assert!(text.contains("spout feed: 2 executors, 2 tasks"), "{text}");
    assert!(text.contains("bolt end: 3 executors, 3 tasks"), "{text}");
    assert!(text.contains("bolt wide: 5 executors, 5 tasks"), "{text}");
}
