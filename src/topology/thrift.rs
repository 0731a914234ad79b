//! A topology as Storm's Thrift types have it, and back.
//!
//! A component travels as a `java_object`: its registered name, and its constructor's arguments as
//! one text of JSON. A worker makes its components from that and from what its own binary has
//! registered; the code that built the topology never runs there. A partial-key grouping travels by
//! the name that it has in Storm, a grouping of the author's own as a component does.
//!
//! Field names, ids and types: `storm.thrift` of Storm 2.8, structs `StormTopology`,
//! `ComponentCommon`, `Grouping`, `JavaObject`.
//!
//! **Not here:** the system components that Nimbus adds.

use std::collections::BTreeMap;

use nimbus_client::thrift::{
    Bolt, ComponentCommon, ComponentObject, GlobalStreamId, Grouping as Wire, JavaObject,
    JavaObjectArg, NullStruct, ShellComponent, SpoutSpec, StormTopology, StreamInfo,
};
use serde_json::{Map, Value as Json, json};

use super::factory::AnyGrouping;
use super::{
    Component, CustomFactory, Grouping, Input, Named, Register, Role, Topology, TopologyBuilder,
    TopologyErrors,
};
use crate::component::DeclaredStream;
use crate::conf::keys;
use crate::id::{ComponentId, StreamId};
use crate::tuple::Fields;

/// Storm's name of partial-key grouping.
pub(crate) const PARTIAL_KEY: &str = "org.apache.storm.grouping.PartialKeyGrouping";

/// Registered name of a bolt that a child process runs; its arguments are what describes it.
pub(crate) const SHELL_BOLT: &str = "$shell-bolt";
/// Storm's spout that runs a child, as Flux names it.
pub(crate) const FLUX_SHELL_SPOUT: &str = "org.apache.storm.flux.wrappers.spouts.FluxShellSpout";
/// Storm's bolt that runs a child, as Flux names it.
pub(crate) const FLUX_SHELL_BOLT: &str = "org.apache.storm.flux.wrappers.bolts.FluxShellBolt";
/// Registered name of a spout that a child process runs.
pub(crate) const SHELL_SPOUT: &str = "$shell-spout";

/// What keeps a topology in the process that built it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unportable {
    /// A closure makes the component.
    #[error(
        "component {component} is made by a closure, which cannot travel to another process: \
         register it with App::register and declare it as Named"
    )]
    Component {
        /// The component.
        component: ComponentId,
    },
    /// A closure makes the grouping.
    #[error(
        "the grouping by which {component} takes {from}:{stream} is made by a closure, which cannot \
         travel to another process: register it with App::register_grouping and give it as Named"
    )]
    Grouping {
        /// The subscribing bolt.
        component: ComponentId,
        /// The component it subscribes to.
        from: ComponentId,
        /// The stream.
        stream: StreamId,
    },
}

/// A topology from another process that cannot run here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThriftTopologyError {
    /// A component of a kind that this engine does not run.
    #[error("component {component} is {kind}, which this worker cannot run: {hint}")]
    Kind {
        /// The component.
        component: String,
        /// What it is.
        kind: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A subscription by serialized Java code.
    #[error(
        "bolt {component} takes {from}:{stream} by a grouping that is serialized Java code, which \
         only a Java virtual machine can run: run this topology on Apache Storm"
    )]
    JavaGrouping {
        /// The subscribing bolt.
        component: String,
        /// The component it subscribes to.
        from: String,
        /// The stream.
        stream: String,
    },
    /// A component's configuration is no JSON object.
    #[error("the configuration of component {component} is no JSON object: {source}")]
    Conf {
        /// The component.
        component: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A component's arguments are no JSON.
    #[error("the arguments of component {component} are no JSON: {source}")]
    Args {
        /// The component.
        component: String,
        /// Why.
        source: serde_json::Error,
    },
    /// This binary's component declares other streams than the submitted topology has.
    #[error(
        "component {component} declares other streams here than when it was submitted: this worker \
         runs another build of the topology, so submit it again"
    )]
    OtherBuild {
        /// The component.
        component: String,
    },
    /// It cannot be built.
    #[error(transparent)]
    Build(#[from] TopologyErrors),
}

impl Topology {
    /// The topology as it is submitted, without system components.
    ///
    /// # Errors
    /// All components and groupings that closures make.
    pub fn to_thrift(&self) -> Result<StormTopology, Vec<Unportable>> {
        let mut problems = Vec::new();
        let (mut spouts, mut bolts) = (BTreeMap::new(), BTreeMap::new());
        for component in self.components().values() {
            // Nimbus adds the system's own.
            if component.id.is_reserved() {
                continue;
            }
            let Some(named) = &component.named else {
                problems.push(Unportable::Component { component: component.id.clone() });
                continue;
            };
            let object = component_object(named);
            let common = self.common(component, &mut problems);
            let id = component.id.as_str().to_owned();
            match component.role {
                Role::Spout(_) => _ = spouts.insert(id, SpoutSpec::new(object, common)),
                _ => _ = bolts.insert(id, Bolt::new(object, common)),
            }
        }
        match problems.is_empty() {
            true => Ok(StormTopology {
                spouts,
                bolts,
                state_spouts: BTreeMap::new(),
                worker_hooks: None,
                dependency_jars: None,
                dependency_artifacts: None,
                storm_version: None,
                jdk_version: None,
                component_to_shared_memory: None,
                shared_memory: None,
            }),
            false => Err(problems),
        }
    }

    /// The topology that was submitted, its components made by `register`; `conf` is the
    /// topology's, over which each component sets its own.
    ///
    /// # Errors
    /// [`ThriftTopologyError`].
    pub fn from_thrift(
        submitted: &StormTopology,
        conf: &Map<String, Json>,
        register: &Register,
    ) -> Result<Self, ThriftTopologyError> {
        let mut builder = TopologyBuilder::with_register(register.clone());
        for (key, value) in conf {
            builder.conf(key, value.clone());
        }
        for (id, spout) in &submitted.spouts {
            let named = named(id, SHELL_SPOUT, &spout.spout_object, &spout.common)?;
            let draft = builder.spout(id.as_str(), named).parallelism(executors(&spout.common));
            own_conf(id, &spout.common)?
                .into_iter()
                .fold(draft, |draft, (key, value)| draft.conf(&key, value));
        }
        for (id, bolt) in &submitted.bolts {
            let named = named(id, SHELL_BOLT, &bolt.bolt_object, &bolt.common)?;
            let draft = builder.bolt(id.as_str(), named).parallelism(executors(&bolt.common));
            let mut draft = own_conf(id, &bolt.common)?
                .into_iter()
                .fold(draft, |draft, (key, value)| draft.conf(&key, value));
            for (source, wire) in &bolt.common.inputs {
                let from = (source.component_id.as_str(), source.stream_id.as_str());
                draft = draft.grouping(from, grouping(id, source, wire)?);
            }
        }
        let topology = builder.build()?;
        let commons = submitted.spouts.iter().map(|(id, spout)| (id, &spout.common));
        let commons = commons.chain(submitted.bolts.iter().map(|(id, bolt)| (id, &bolt.common)));
        for (id, common) in commons {
            let component = &topology.components()[id.as_str()];
            if streams(&component.outputs) != common.streams {
                return Err(ThriftTopologyError::OtherBuild { component: id.clone() });
            }
        }
        Ok(topology)
    }

    fn common(&self, component: &Component, problems: &mut Vec<Unportable>) -> ComponentCommon {
        let mut inputs = BTreeMap::new();
        for input in &component.inputs {
            let Input { from, stream, grouping } = input;
            match wire(grouping) {
                Some(wire) => {
                    let (from, stream) = (from.as_str().to_owned(), stream.as_str().to_owned());
                    inputs.insert(GlobalStreamId::new(from, stream), wire);
                }
                None => problems.push(Unportable::Grouping {
                    component: component.id.clone(),
                    from: from.clone(),
                    stream: stream.clone(),
                }),
            }
        }
        let mut conf = self.own_conf(component);
        if component.tasks != component.executors {
            conf.insert(keys::TASKS.name.to_owned(), component.tasks.into());
        }
        let conf = (!conf.is_empty()).then(|| Json::Object(conf).to_string());
        ComponentCommon::new(inputs, streams(&component.outputs), component.executors as i32, conf)
    }
}

/// A component as it travels: by its command if two words say all of it, as Storm has it, else by its
/// registered name.
fn component_object(named: &Named) -> ComponentObject {
    let words = match named.name.as_str() {
        SHELL_BOLT | SHELL_SPOUT => &named.args["argv"],
        FLUX_SHELL_BOLT | FLUX_SHELL_SPOUT => &named.args["command"],
        _ => &Json::Null,
    };
    let more = ["env", "directory", "change_directory"];
    let says_more = more.iter().any(|key| named.args.get(key).is_some());
    let word = |position: usize| words[position].as_str().map(str::to_owned);
    match (word(0), word(1), word(2)) {
        (Some(command), Some(script), None) if !says_more => {
            ComponentObject::Shell(ShellComponent::new(command, script))
        }
        _ => ComponentObject::JavaObject(java_object(named)),
    }
}

fn java_object(named: &Named) -> JavaObject {
    let args = JavaObjectArg::StringArg(named.args.to_string());
    JavaObject::new(named.name.clone(), vec![args])
}

fn streams(outputs: &[DeclaredStream]) -> BTreeMap<String, StreamInfo> {
    let info = |output: &DeclaredStream| {
        let fields = output.fields.iter().map(str::to_owned).collect();
        (output.stream.as_str().to_owned(), StreamInfo::new(fields, output.direct))
    };
    outputs.iter().map(info).collect()
}

/// A grouping as it travels; none if a closure makes it.
fn wire(grouping: &Grouping) -> Option<Wire> {
    let owned = |fields: &Fields| fields.iter().map(str::to_owned).collect();
    Some(match grouping {
        Grouping::Shuffle => Wire::Shuffle(NullStruct {}),
        Grouping::Fields(fields) => Wire::Fields(owned(fields)),
        Grouping::PartialKey(fields) => {
            let args = fields.iter().map(|field| JavaObjectArg::StringArg(field.to_owned()));
            Wire::CustomObject(JavaObject::new(PARTIAL_KEY.to_owned(), args.collect()))
        }
        Grouping::All => Wire::All(NullStruct {}),
        // Storm's own form: grouping by no field at all.
        Grouping::Global => Wire::Fields(Vec::new()),
        Grouping::None => Wire::None(NullStruct {}),
        Grouping::Direct => Wire::Direct(NullStruct {}),
        Grouping::LocalOrShuffle => Wire::LocalOrShuffle(NullStruct {}),
        Grouping::Custom(CustomFactory(AnyGrouping { named, .. })) => {
            Wire::CustomObject(java_object(named.as_ref()?))
        }
    })
}

fn grouping(
    component: &str,
    source: &GlobalStreamId,
    wire: &Wire,
) -> Result<Grouping, ThriftTopologyError> {
    Ok(match wire {
        Wire::Shuffle(_) => Grouping::Shuffle,
        Wire::Fields(fields) if fields.is_empty() => Grouping::Global,
        Wire::Fields(fields) => Grouping::Fields(fields.iter().map(String::as_str).collect()),
        Wire::All(_) => Grouping::All,
        Wire::None(_) => Grouping::None,
        Wire::Direct(_) => Grouping::Direct,
        Wire::LocalOrShuffle(_) => Grouping::LocalOrShuffle,
        Wire::CustomObject(object) if object.full_class_name == PARTIAL_KEY => {
            Grouping::PartialKey(object.args_list.iter().filter_map(text).collect())
        }
        Wire::CustomObject(object) => {
            let named = Some(registered(component, object)?);
            Grouping::Custom(CustomFactory(AnyGrouping { make: None, named }))
        }
        Wire::CustomSerialized(_) => {
            return Err(ThriftTopologyError::JavaGrouping {
                component: component.to_owned(),
                from: source.component_id.clone(),
                stream: source.stream_id.clone(),
            });
        }
    })
}

fn text(arg: &JavaObjectArg) -> Option<&str> {
    match arg {
        JavaObjectArg::StringArg(text) => Some(text),
        _ => None,
    }
}

/// The registered name and arguments that a component is made of.
fn named(
    component: &str,
    shell: &str,
    object: &ComponentObject,
    common: &ComponentCommon,
) -> Result<Named, ThriftTopologyError> {
    let (kind, hint) = match object {
        ComponentObject::JavaObject(object) => return registered(component, object),
        ComponentObject::Shell(ShellComponent { execution_command, script }) => {
            let words = [execution_command, script].into_iter().flatten();
            let argv: Vec<&String> = words.filter(|word| !word.is_empty()).collect();
            let output = |(stream, info): (&String, &StreamInfo)| json!({ "stream": stream, "fields": info.output_fields, "direct": info.direct });
            let outputs: Vec<Json> = common.streams.iter().map(output).collect();
            return Ok(Named::new(shell).args(json!({ "argv": argv, "outputs": outputs })));
        }
        ComponentObject::SerializedJava(_) => (
            "serialized Java code",
            "run this topology on Apache Storm, or write the component in Rust or as a shell \
             component",
        ),
    };
    Err(ThriftTopologyError::Kind { component: component.to_owned(), kind, hint })
}

fn registered(component: &str, object: &JavaObject) -> Result<Named, ThriftTopologyError> {
    let args = match object.args_list.as_slice() {
        [] => Ok(Json::Null),
        [JavaObjectArg::StringArg(json)] => serde_json::from_str(json),
        // Arguments of somebody who knows Storm's own form: a list of them.
        several => Ok(several.iter().map(plain).collect()),
    };
    let args = args.map_err(|source| {
        let component = component.to_owned();
        ThriftTopologyError::Args { component, source }
    })?;
    Ok(Named::new(object.full_class_name.clone()).args(args))
}

fn plain(arg: &JavaObjectArg) -> Json {
    match arg {
        JavaObjectArg::IntArg(number) => (*number).into(),
        JavaObjectArg::LongArg(number) => (*number).into(),
        JavaObjectArg::StringArg(text) => text.as_str().into(),
        JavaObjectArg::BoolArg(truth) => (*truth).into(),
        JavaObjectArg::BinaryArg(bytes) => bytes.as_slice().into(),
        JavaObjectArg::DoubleArg(number) => number.into_inner().into(),
    }
}

fn executors(common: &ComponentCommon) -> usize {
    common.parallelism_hint.map_or(1, |hint| usize::try_from(hint).unwrap_or(0))
}

fn own_conf(
    component: &str,
    common: &ComponentCommon,
) -> Result<Map<String, Json>, ThriftTopologyError> {
    match common.json_conf.as_deref() {
        None | Some("") => Ok(Map::new()),
        Some(json) => serde_json::from_str(json).map_err(|source| {
            let component = component.to_owned();
            ThriftTopologyError::Conf { component, source }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bolt::{BasicBolt, BasicCollector};
    use crate::component::{Declarer, Result};
    use crate::spout::{Next, Spout, SpoutCollector};
    use crate::topology::CustomGrouping;
    use crate::tuple::{TupleRef, Value};

    #[derive(Clone)]
    struct Words(Vec<String>);

    impl Spout for Words {
        fn declare(&self, declare: &mut Declarer) {
            declare.output(["word", "number"]);
            declare.direct("side", ["word"]);
        }

        fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
            out.emit([Value::from(self.0.join(" ").as_str()), 1.into()]);
            Ok(Next::Finished)
        }
    }

    struct Ignore;

    impl BasicBolt for Ignore {
        fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
            Ok(())
        }
    }

    struct First;

    impl CustomGrouping for First {
        fn choose(&mut self, _values: &[Value], chosen: &mut Vec<usize>) {
            chosen.push(0);
        }
    }

    fn register() -> Register {
        let mut register = Register::new();
        register.add("words", Words);
        register.add("ignore", |(): ()| Ignore);
        register.add_grouping("first", |(): ()| First);
        register
    }

    fn topology() -> Topology {
        let mut builder = TopologyBuilder::with_register(register());
        builder.conf("topology.workers", 3);
        builder.conf("topology.acker.executors", 1);
        builder.spout("words", Named::new("words").args(["a", "b"])).parallelism(2).tasks(5);
        let ignore = || Named::new("ignore");
        builder
            .bolt("all", ignore())
            .conf("topology.tick.tuple.freq.secs", 2)
            .all("words")
            .direct(("words", "side"));
        builder.bolt("fields", ignore()).fields("words", ["number", "word"]).parallelism(3);
        builder.bolt("partial", ignore()).partial_key("words", ["word"]);
        builder.bolt("global", ignore()).global("words");
        builder.bolt("none", ignore()).none("words");
        builder.bolt("local", ignore()).local_or_shuffle("words");
        builder.bolt("shuffle", ignore()).shuffle("words");
        builder.bolt("first", ignore()).custom("words", Named::new("first"));
        builder.build().expect("the topology is sound")
    }

    #[test]
    fn a_topology_comes_back_from_thrift_as_it_was() {
        let topology = topology();
        let submitted = topology.to_thrift().expect("everything is registered");
        let conf = topology.conf().as_map();
        let back = Topology::from_thrift(&submitted, conf, &register()).expect("it can be built");
        assert_eq!(format!("{back:?}"), format!("{topology:?}"));
        assert_eq!(back.to_thrift().expect("everything is registered"), submitted);
        let tick = &back.components()["all"].conf.tick_tuple_freq;
        assert_eq!(tick.map(|tick| tick.as_secs()), Some(2));
    }

    #[test]
    fn a_component_travels_by_name_with_its_arguments_as_json() {
        let submitted = topology().to_thrift().expect("everything is registered");
        let spout = &submitted.spouts["words"];
        let expected = JavaObject::new(
            "words".to_owned(),
            vec![JavaObjectArg::StringArg(r#"["a","b"]"#.to_owned())],
        );
        assert_eq!(spout.spout_object, ComponentObject::JavaObject(expected));
        assert_eq!(spout.common.parallelism_hint, Some(2));
        assert_eq!(spout.common.json_conf.as_deref(), Some(r#"{"topology.tasks":5}"#));
        assert!(!submitted.bolts.contains_key("__acker"));
    }

    #[test]
    fn closures_are_refused_by_the_name_of_their_component() {
        let mut builder = TopologyBuilder::with_register(register());
        builder.spout("words", || Words(Vec::new()));
        builder.bolt("ignore", Named::new("ignore")).custom("words", || First);
        let topology = builder.build().expect("it runs in this process");
        let problems = topology.to_thrift().expect_err("two closures");
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(texts[0].starts_with("the grouping by which ignore takes words:default"));
        assert!(texts[1].starts_with("component words is made by a closure"), "{texts:?}");
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut StormTopology), expected: &str) {
        let topology = topology();
        let mut submitted = topology.to_thrift().expect("everything is registered");
        change(&mut submitted);
        let error = Topology::from_thrift(&submitted, topology.conf().as_map(), &register());
        let error = error.expect_err("it cannot run").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_this_worker_cannot_run_is_refused_by_name() {
        refused(
            |topology| {
                topology.bolts.get_mut("all").unwrap().bolt_object =
                    ComponentObject::SerializedJava(vec![1]);
            },
            "component all is serialized Java code",
        );
        refused(
            |topology| {
                let bolt = topology.bolts.get_mut("none").unwrap();
                bolt.common.inputs.values_mut().for_each(|input| {
                    *input = Wire::CustomSerialized(vec![1]);
                });
            },
            "bolt none takes words:default by a grouping that is serialized Java code",
        );
        refused(
            |topology| {
                let first = topology.bolts.get_mut("first").unwrap();
                first.common.inputs.values_mut().for_each(|input| {
                    *input = Wire::CustomObject(JavaObject::new("frist".to_owned(), Vec::new()));
                });
            },
            "did you mean first?",
        );
        refused(
            |topology| {
                let words = topology.spouts.get_mut("words").unwrap();
                words.common.streams.remove("side");
            },
            "component words declares other streams here",
        );
        refused(
            |topology| {
                topology.bolts.get_mut("all").unwrap().common.json_conf = Some("[1]".to_owned());
            },
            "the configuration of component all is no JSON object",
        );
    }
}
