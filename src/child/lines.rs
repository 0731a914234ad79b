//! Log lines on their way to the host.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::component::ThreadSignal;
use crate::multilang::LogLevel;

/// Lines that may wait; further ones are counted and left out.
const MOST_LINES: usize = 1000;

/// The lines that any thread has logged and that are not sent; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Whom to wake for a line; set once the handshake is done.
    reader: OnceLock<Arc<ThreadSignal>>,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub lines: Vec<(LogLevel, String)>,
    /// Lines that found no room.
    pub left_out: u64,
}

impl Lines {
    /// Sends the log lines of the whole process here, if nobody else has set up logging.
    pub fn collect(&self, up_to: LevelFilter) {
        let layer = LineLayer(self.clone()).with_filter(up_to);
        let _ = tracing_subscriber::registry().with(layer).try_init();
    }

    /// Has `reader` woken for each line from now on.
    pub fn wake(&self, reader: Arc<ThreadSignal>) {
        let _ = self.0.reader.set(reader);
    }

    pub fn take(&self) -> Waiting {
        std::mem::take(&mut self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn is_empty(&self) -> bool {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.lines.is_empty() && waiting.left_out == 0
    }

    pub fn push(&self, level: LogLevel, line: String) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.lines.len() < MOST_LINES {
            true => waiting.lines.push((level, line)),
            false => waiting.left_out += 1,
        }
        drop(waiting);
        if let Some(reader) = self.0.reader.get() {
            reader.raise();
        }
    }
}

/// Turns events into lines.
struct LineLayer(Lines);

impl<S: Subscriber> Layer<S> for LineLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::TRACE => LogLevel::Trace,
            Level::DEBUG => LogLevel::Debug,
            Level::INFO => LogLevel::Info,
            Level::WARN => LogLevel::Warn,
            Level::ERROR => LogLevel::Error,
        };
        let mut line = Line::default();
        event.record(&mut line);
        self.0.push(level, line.message + &line.fields);
    }
}

/// One event as text: its message, then its fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
