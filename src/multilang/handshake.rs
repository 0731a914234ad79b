//! The first two messages: what a child is told of itself, and its answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Framing;

/// What a host tells its child first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Handshake {
    /// The whole configuration of the topology, as the component sees it.
    pub conf: serde_json::Map<String, Json>,
    /// A folder in which the child creates an empty file named by its process id.
    #[serde(rename = "pidDir")]
    pub pid_dir: String,
    /// Where the task stands.
    pub context: Context,
    /// Names of the framings that the host would like, best first. A host that is not ours sends no
    /// such list, not even an empty one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framings: Option<Vec<String>>,
}

impl Handshake {
    /// Whether the host is ours, and does what Storm gets wrong.
    pub fn is_ours(&self) -> bool {
        self.framings.is_some()
    }

    /// The first framing offered that we know.
    pub fn offered(&self) -> Option<Framing> {
        self.framings.iter().flatten().find_map(|name| Framing::named(name))
    }
}

/// Where a task stands in its topology. Keys that are absent count as empty.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// The task's number.
    #[serde(rename = "taskid")]
    pub task: i64,
    /// The component's id.
    #[serde(rename = "componentid")]
    pub component: String,
    /// All tasks of the topology; their numbers are texts on the wire.
    #[serde(rename = "task->component")]
    pub task_to_component: BTreeMap<i64, String>,
    /// The component's streams.
    pub streams: Vec<String>,
    /// Fields of the component's streams.
    #[serde(rename = "stream->outputfields")]
    pub stream_to_fields: BTreeMap<String, Vec<String>>,
    /// Who takes the component's streams: stream → component → grouping.
    #[serde(rename = "stream->target->grouping")]
    pub stream_to_targets: BTreeMap<String, BTreeMap<String, GroupingInfo>>,
    /// What the component takes: component → stream → grouping.
    #[serde(rename = "source->stream->grouping")]
    pub source_to_groupings: BTreeMap<String, BTreeMap<String, GroupingInfo>>,
    /// Fields of what the component takes: component → stream → fields.
    #[serde(rename = "source->stream->fields")]
    pub source_to_fields: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// A grouping as a child is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GroupingInfo {
    /// `FIELDS`, `SHUFFLE`, `ALL`, `NONE`, `DIRECT`, `CUSTOM_OBJECT`, `CUSTOM_SERIALIZED` or
    /// `LOCAL_OR_SHUFFLE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The fields of `FIELDS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
}

/// What a child answers to the handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pid {
    /// The child's process id.
    pub pid: i64,
    /// Name of the framing in which it goes on, one of those that were offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framing: Option<String>,
}
