//! What the conf says of a shell component.

use std::time::Duration;

use serde_json::Value as Json;

use crate::component::TaskContext;
use crate::multilang::Serializer;

/// What a supervisor grants its workers unless it is told otherwise.
const WORKER_TIMEOUT: Duration = Duration::from_secs(30);
const WORKER_TIMEOUT_KEY: &str = "supervisor.worker.timeout.secs";

/// Settings of one component.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub serializer: Serializer,
    pub max_pending: u32,
    pub timeout: Duration,
    pub max_message_bytes: usize,
}

/// The serializer is none that there is.
#[derive(Debug, thiserror::Error)]
#[error(
    "topology.multilang.serializer is {0}, which is none: use json, msgpack or binary, or a class whose \
     name ends in JsonSerializer or MessagePackSerializer"
)]
pub(super) struct UnknownSerializer(String);

impl Settings {
    pub fn of(context: &TaskContext) -> Result<Self, UnknownSerializer> {
        let conf = &context.conf().shell;
        let serializer = Serializer::named(&conf.serializer)
            .ok_or_else(|| UnknownSerializer(conf.serializer.clone()))?;
        let of_workers = context.conf().get(WORKER_TIMEOUT_KEY).and_then(Json::as_u64);
        let of_workers = of_workers.filter(|secs| *secs > 0).map(Duration::from_secs);
        Ok(Self {
            serializer,
            max_pending: conf.max_pending_tuples,
            timeout: conf.subprocess_timeout.or(of_workers).unwrap_or(WORKER_TIMEOUT),
            max_message_bytes: conf.max_message_bytes as usize,
        })
    }
}
