//! The event log: sampled emissions as lines of a file beside the worker's log, as Storm's event
//! loggers write them.
//!
//! ```text
//!   time,component,task,message id,[value, value, …]
//! ```
//!
//! The time is in UTC as RFC 3339 tells it. The message id stands for emissions of spouts that have
//! one. Control characters are escaped, so that an event is one line.
//!
//! **Runs on** a thread of its own, from the first order to the end of the process.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use nimbus_client::thrift::DebugOptions;

use super::WorkerError;
use crate::clock::{Clock, Time, utc};
use crate::conf::TopologyConf;
use crate::executor::events::{Event, EventSink, EventSource, Sampling, event_channel};
use crate::logs::{Bounds, RotatingFile};

/// Bytes of events that are written at once.
const AT_ONCE_BYTES: usize = 64 << 10;
/// Bytes that the values of one event may take; the rest is left out.
const VALUES_BYTES: usize = 16 << 10;
/// Between two complaints about the same.
const COMPLAINTS: Duration = Duration::from_secs(10);

/// What Nimbus wants to be sampled: its key for the whole topology is the topology's id.
pub(super) fn sampling(topology: &str, wanted: &BTreeMap<String, DebugOptions>) -> Sampling {
    let percent = |debug: &DebugOptions| match debug.enable {
        Some(true) => debug.samplingpct.map_or(0.0, |percent| percent.0),
        _ => 0.0,
    };
    let others = wanted.get(topology).map_or(0.0, percent);
    let own = wanted.iter().filter(|(key, one)| *key != topology && percent(one) != others);
    let component_to_percent = own.map(|(key, one)| (key.as_str().into(), percent(one))).collect();
    Sampling { component_to_percent, others }
}

/// Starts to write events to a file.
///
/// # Errors
/// The file cannot be made, or the system gives no thread.
pub(super) fn start(path: &Path, conf: &TopologyConf) -> Result<EventSink, WorkerError> {
    let file_bytes = u64::from(conf.event_log_file_mib) << 20;
    let bounds = Bounds { file_bytes, files: conf.event_log_files };
    let file = RotatingFile::open(path, bounds)?;
    let (sink, source) = event_channel();
    super::spawn("events", move || write(&source, &file))?;
    Ok(sink)
}

fn write(source: &EventSource, file: &RotatingFile) {
    let clock = Clock::system();
    let mut complained = None;
    let mut text = String::new();
    while let Ok(event) = source.events.recv() {
        text.clear();
        line(&event, &mut text);
        while text.len() < AT_ONCE_BYTES
            && let Ok(event) = source.events.try_recv()
        {
            line(&event, &mut text);
        }
        let written = file.append(text.as_bytes());
        let now = clock.now();
        if complained.is_some_and(|at: Time| now.since(at) < COMPLAINTS) {
            continue;
        }
        if let Err(error) = written {
            complained = Some(now);
            tracing::warn!("events are lost: cannot write {}: {error}", file.path().display());
        }
        match source.take_lost() {
            0 => {}
            lost => {
                complained = Some(now);
                tracing::warn!(lost, "events are lost: they come faster than they are written");
            }
        }
    }
}

fn line(event: &Event, text: &mut String) {
    let Event { at_ms, component, task, message_id, values } = event;
    let written = write!(text, "{},{component},{task},", utc(*at_ms)).and_then(|()| {
        if let Some(id) = message_id {
            write!(OneLine::new(text), "{}", id.to_value())?;
        }
        text.push_str(",[");
        let mut out = OneLine::new(text);
        for (position, value) in values.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(out, "{comma}{value}")?;
        }
        Ok(())
    });
    // Only a value that is cut off stops the writing.
    text.push_str(if written.is_ok() { "]\n" } else { "…\n" });
}

/// Escapes control characters, and takes so many bytes and no more.
struct OneLine<'a> {
    text: &'a mut String,
    room: usize,
}

impl<'a> OneLine<'a> {
    fn new(text: &'a mut String) -> Self {
        Self { text, room: VALUES_BYTES }
    }
}

impl fmt::Write for OneLine<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        for char in part.chars() {
            if self.room < char.len_utf8() {
                return Err(fmt::Error);
            }
            self.room -= char.len_utf8();
            match char.is_control() {
                true => self.text.extend(char.escape_default()),
                false => self.text.push(char),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use nimbus_client::wire::OrderedFloat;

    use super::*;
    use crate::id::TaskId;
    use crate::tuple::{MessageId, Value};

    fn event(message_id: Option<MessageId>, values: Vec<Value>) -> Event {
        let (component, task) = ("words".into(), TaskId(3));
        Event { at_ms: 1_795_298_000_123, component, task, message_id, values }
    }

    #[track_caller]
    fn check(event: &Event, expected: &str) {
        let mut text = String::new();
        line(event, &mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn an_event_is_a_line() {
        let values = vec!["storm".into(), 3.into(), 1.5.into(), Value::null()];
        check(
            &event(Some(7_i64.into()), values),
            "2026-11-21T21:53:20.123Z,words,3,7,[storm, 3, 1.5, null]\n",
        );
        check(&event(None, vec!["a\nb".into()]), "2026-11-21T21:53:20.123Z,words,3,,[a\\nb]\n");
        check(&event(None, Vec::new()), "2026-11-21T21:53:20.123Z,words,3,,[]\n");
    }

    #[test]
    fn a_long_value_is_cut_off() {
        let mut text = String::new();
        line(&event(None, vec!["ä".repeat(VALUES_BYTES).into(), 1.into()]), &mut text);
        assert!(text.len() < VALUES_BYTES + 100 && text.ends_with("ä…\n"), "{} bytes", text.len());
    }

    #[test]
    fn what_is_off_is_not_sampled_whatever_its_percentage() {
        let options = |enable, percent| DebugOptions {
            enable: Some(enable),
            samplingpct: Some(OrderedFloat(percent)),
        };
        let wanted = [("wc-1-2", options(true, 5.0)), ("split", options(false, 50.0))];
        let wanted = wanted.map(|(key, one)| (key.to_owned(), one)).into();
        let own = BTreeMap::from([("split".into(), 0.0)]);
        assert_eq!(
            sampling("wc-1-2", &wanted),
            Sampling { component_to_percent: own, others: 5.0 }
        );
        assert_eq!(sampling("wc-1-2", &BTreeMap::new()), Sampling::default());
        let off = BTreeMap::from([("split".to_owned(), options(false, 50.0))]);
        assert_eq!(sampling("wc-1-2", &off), Sampling::default());
    }
}
