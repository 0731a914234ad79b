//! What children say for the log and for the metrics.

use crate::component::TaskContext;
use crate::multilang::LogLevel;
use crate::tuple::Value;

/// Logs a line of a child's; the executor's span says whose it is.
pub(super) fn line(context: &TaskContext, level: LogLevel, text: &str) {
    let task = context.task().0;
    match level {
        LogLevel::Trace => tracing::trace!(task, "{text}"),
        LogLevel::Debug => tracing::debug!(task, "{text}"),
        LogLevel::Info => tracing::info!(task, "{text}"),
        LogLevel::Warn => tracing::warn!(task, "{text}"),
        LogLevel::Error => tracing::error!(task, "{text}"),
    }
}

/// Counts a metric of the component up: by a number, or by one if there is none, as the counters do
/// that Storm lets children update.
pub(super) fn metric(context: &TaskContext, name: &str, params: &Value) {
    match params.is_null() {
        true => context.metric(name).add(1),
        false => match params.as_i64() {
            Some(amount) => context.metric(name).add(amount),
            None => tracing::debug!("the metric {name} takes a number, not {params:?}"),
        },
    }
}
