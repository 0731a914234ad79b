//! The topology that is submitted: a spout and a bolt, which nobody runs.

use std::collections::BTreeMap;

use nimbus_client::thrift::{
    Bolt, ComponentCommon, ComponentObject, GlobalStreamId, Grouping, JavaObject, NullStruct,
    SpoutSpec, StormTopology, StreamInfo,
};

/// Words and a bolt that takes them, two executors each.
pub fn words() -> StormTopology {
    let object = |name: &str| ComponentObject::JavaObject(JavaObject::new(name.to_owned(), vec![]));
    let common = |inputs| {
        let word = StreamInfo::new(vec!["word".to_owned()], false);
        let streams = BTreeMap::from([("default".to_owned(), word)]);
        ComponentCommon::new(inputs, streams, 2, Some("{}".to_owned()))
    };
    let from_words = GlobalStreamId::new("words".to_owned(), "default".to_owned());
    let shuffle = Grouping::Shuffle(NullStruct::new());
    let spout = SpoutSpec::new(object("words"), common(BTreeMap::new()));
    let bolt = Bolt::new(object("take"), common([(from_words, shuffle)].into()));
    StormTopology {
        spouts: [("words".to_owned(), spout)].into(),
        bolts: [("take".to_owned(), bolt)].into(),
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
