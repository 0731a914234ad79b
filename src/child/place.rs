//! Where the task stands, from what the host said of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::ChildError;
use super::link::{Link, Source};
use crate::clock::Clock;
use crate::component::{ContextParts, Declarer, TaskContext, Waker};
use crate::conf::{TopologyConf, keys};
use crate::id::{ComponentId, ExecutorId, StreamId, TaskId};
use crate::metrics::Metrics;
use crate::multilang::{Context, Handshake};
use crate::tuple::staging::{OutStream, Staging};
use crate::tuple::{Fields, Keeper, StreamSchema};

/// Name of the topology where the host does not say it.
const UNNAMED: &str = "unnamed";

/// A task, as its executor here would know it.
#[derive(Debug)]
pub(super) struct Place {
    pub context: TaskContext,
    pub clock: Clock,
    pub waker: Waker,
    pub metrics: Metrics,
    /// Of what the component emits, in the order of its own streams.
    pub outputs: Arc<[StreamSchema]>,
    pub out_streams: Arc<[OutStream]>,
    /// Of what it is given; the last one is the stream of ticks.
    pub keeper: Arc<Keeper>,
    /// Whether the component asked for ticks that the host knows nothing of.
    pub makes_ticks: bool,
}

impl Place {
    pub fn of(
        handshake: &Handshake,
        declared: Declarer,
        link: &Link,
        clock: Clock,
    ) -> Result<Self, ChildError> {
        let told = &handshake.context;
        let task = task_id(told.task)?;
        let component = ComponentId::from(told.component.as_str());
        let mut conf = handshake.conf.clone();
        let tick: &str = keys::TICK_TUPLE_FREQ.as_ref();
        let is_set = |key: &str| conf.get(key).is_some_and(|value| !value.is_null());
        let makes_ticks = !is_set(tick) && declared.conf.contains_key(tick);
        let unset: Vec<_> = declared.conf.into_iter().filter(|(key, _)| !is_set(key)).collect();
        conf.extend(unset);
        let topology = conf.get("topology.name").and_then(|name| name.as_str()).unwrap_or(UNNAMED);
        let topology: Arc<str> = topology.into();
        let mut component_to_tasks: BTreeMap<ComponentId, Vec<TaskId>> = BTreeMap::new();
        for (task, component) in &told.task_to_component {
            let tasks = component_to_tasks.entry(component.as_str().into()).or_default();
            tasks.push(task_id(*task)?);
        }
        let siblings = component_to_tasks.entry(component.clone()).or_default();
        let task_index = siblings.iter().position(|one| *one == task).unwrap_or_else(|| {
            siblings.push(task);
            siblings.len() - 1
        });
        let schema = |(stream, fields, direct)| StreamSchema {
            component: component.clone(),
            stream,
            fields,
            direct,
        };
        let outputs = declared.streams.into_iter();
        let outputs: Arc<[StreamSchema]> =
            outputs.map(|output| schema((output.stream, output.fields, output.direct))).collect();
        let out = |(position, output): (usize, &StreamSchema)| OutStream {
            index: position as u16,
            stream: output.stream.clone(),
            fields: output.fields.len() as u8,
            direct: output.direct.then(|| takers(told, &component_to_tasks, &output.stream)),
        };
        let out_streams: Arc<[OutStream]> = outputs.iter().enumerate().map(out).collect();
        let inputs = inputs(told);
        let sources = inputs.iter().filter(|input| !input.component.is_reserved());
        let sources: Arc<_> =
            sources.map(|input| (input.component.clone(), input.stream.clone())).collect();
        let waker = Waker::new(link.signal.clone(), 0);
        let metrics = Metrics::default();
        let context = TaskContext::new(ContextParts {
            topology,
            component,
            executor: ExecutorId { first_task: task, last_task: task },
            task,
            task_index,
            conf: Arc::new(TopologyConf::from_map(conf)?),
            clock: clock.clone(),
            component_to_tasks: Arc::new(component_to_tasks),
            sources,
            streams: outputs.iter().map(|output| output.stream.clone()).collect(),
            waker: waker.clone(),
            metrics: metrics.clone(),
            joints: Arc::default(),
            folders: None,
        });
        let keeper = Arc::new(Keeper { schema: inputs, dropped_tuples: AtomicU64::new(0) });
        Ok(Self { context, clock, waker, metrics, outputs, out_streams, keeper, makes_ticks })
    }

    pub fn staging(&self) -> Staging {
        let mut staging = Staging::new(self.context.component().clone(), self.out_streams.clone());
        staging.task = self.context.task();
        staging
    }

    /// The stream of ticks among those of the keeper.
    pub fn tick_stream(&self) -> u16 {
        (self.keeper.schema.len() - 1) as u16
    }

    /// The stream of a tuple among those of the keeper, if the host has said what it is.
    pub fn input(&self, source: &Source) -> Option<u16> {
        let schema = self.keeper.schema.iter();
        let position = schema
            .rev()
            .position(|one| one.stream == *source.stream && one.component == *source.component);
        position.map(|from_end| (self.keeper.schema.len() - 1 - from_end) as u16)
    }
}

fn task_id(task: i64) -> Result<TaskId, ChildError> {
    let known = u16::try_from(task).ok().filter(|task| (1..=TaskId::MAX).contains(task));
    known.map(TaskId).ok_or_else(|| ChildError::Handshake {
        what: format!("task {task} is none: tasks are 1 to {}", TaskId::MAX),
    })
}

/// The tasks that take a stream.
fn takers(
    told: &Context,
    component_to_tasks: &BTreeMap<ComponentId, Vec<TaskId>>,
    stream: &StreamId,
) -> Arc<[TaskId]> {
    let targets = told.stream_to_targets.get(stream.as_str()).into_iter();
    let components = targets.flat_map(|targets| targets.keys());
    let tasks = components.filter_map(|component| component_to_tasks.get(component.as_str()));
    tasks.flatten().copied().collect()
}

/// The streams that the task takes; that of ticks last.
fn inputs(told: &Context) -> Arc<[StreamSchema]> {
    let schema = |component: &str, stream: &str, fields: Fields| StreamSchema {
        component: component.into(),
        stream: stream.into(),
        fields,
        direct: false,
    };
    let mut inputs = Vec::new();
    for (component, streams) in &told.source_to_fields {
        for (stream, fields) in streams {
            inputs.push(schema(component, stream, fields.iter().map(String::as_str).collect()));
        }
    }
    inputs.push(schema("__system", "__tick", Fields::from(["rate_secs"])));
    inputs.into()
}
