//! What a windowed bolt was asked for, by calls or by configuration, checked once.
//!
//! **Invariants**
//! - A call wins over the key for the same thing; for the length, and likewise for the slide, one
//!   call silences the keys of both measures.
//! - [`Settings`] that exist can run in their topology.
//!
//! **Not here**: where a component's configuration comes from (`conf`).

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use super::spec::{Extent, Part, SpecError, WindowSpec};
use crate::component::{Declarer, Result, TaskContext};
use crate::conf::{WindowConf, keys};
use crate::id::StreamId;
use crate::tuple::{Fields, TupleRef};

/// Name of the only field of a stream for late tuples. Storm's `LATE_TUPLE_FIELD`.
pub const LATE_TUPLE_FIELD: &str = "late_tuple";

/// Shortest interval between two watermarks. The key's unit.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// Reads a tuple's own time, in milliseconds.
pub(super) type Extractor = Box<dyn Fn(TupleRef<'_>) -> Result<i64> + Send>;

/// What the author's calls said; `None` leaves it to the configuration.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub length: Option<Extent>,
    pub slide: Option<Extent>,
    pub timestamps: Option<Timestamps>,
    pub lag: Option<Duration>,
    pub watermark_interval: Option<Duration>,
    pub late_stream: Option<StreamId>,
}

/// Where a tuple's own time stands.
pub(super) enum Timestamps {
    Field(String),
    Extractor(Extractor),
}

/// How a windowed bolt runs.
pub(super) struct Settings {
    pub spec: WindowSpec,
    /// `None` for windows over processing time.
    pub event_time: Option<EventTime>,
}

/// What windows over event time need beside their spec.
pub(super) struct EventTime {
    pub timestamps: Timestamps,
    pub lag: Duration,
    /// [`SHORTEST_INTERVAL`] or more.
    pub watermark_interval: Duration,
    /// A stream that the component declares.
    pub late_stream: Option<StreamId>,
}

/// Why a windowed bolt cannot run; its `prepare` answers it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WindowError {
    /// Neither a call nor a key says how long windows are.
    #[error(
        "the window has no length: call length or length_count, or set {} or {}",
        keys::WINDOW_LENGTH.name, keys::WINDOW_LENGTH_COUNT.name
    )]
    NoLength,
    /// The configuration has the same number in both measures. (Storm takes the count.)
    #[error(
        "the window {part} is configured both as {count_key} and as {time_key}: set one of them"
    )]
    TwoMeasures {
        /// The number that is there twice.
        part: Part,
        /// Key of its count.
        count_key: &'static str,
        /// Key of its time.
        time_key: &'static str,
    },
    /// Length and slide make no window, or not in this topology.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Watermarks would follow each other faster than time is counted.
    #[error("the watermark interval {given:?} is too short: give at least {SHORTEST_INTERVAL:?}")]
    WatermarkIntervalTooShort {
        /// What was asked for.
        given: Duration,
    },
    /// In processing time no tuple is late.
    #[error(
        "late tuples are to go to stream {stream}, but windows over processing time know none: \
         name the field with the tuples' own time, or leave the stream out"
    )]
    LateStreamWithoutTimestamps {
        /// The stream.
        stream: StreamId,
    },
    /// The stream was named by configuration, which cannot declare it.
    #[error(
        "late tuples are to go to stream {stream}, which the bolt does not declare: declare it \
         with the field {LATE_TUPLE_FIELD}, or name it by late_tuples_on, which does so"
    )]
    LateStreamUndeclared {
        /// The stream.
        stream: StreamId,
    },
}

impl Asked {
    /// Declares the stream for late tuples, and as configuration what the calls said.
    pub fn declare(&self, declare: &mut Declarer) {
        if let Some(stream) = &self.late_stream {
            declare.output_to(stream, Fields::from([LATE_TUPLE_FIELD]));
            declare.conf(keys::LATE_TUPLE_STREAM.name, stream.as_str());
        }
        let extents = [
            (self.length, keys::WINDOW_LENGTH_COUNT, keys::WINDOW_LENGTH),
            (self.slide, keys::SLIDING_INTERVAL_COUNT, keys::SLIDING_INTERVAL),
        ];
        for (extent, count_key, time_key) in extents {
            match extent {
                Some(Extent::Count(count)) => declare.conf(count_key.name, count),
                Some(Extent::Time(time)) => declare.conf(time_key.name, millis(time)),
                None => continue,
            };
        }
        if let Some(Timestamps::Field(field)) = &self.timestamps {
            declare.conf(keys::TIMESTAMP_FIELD.name, field.as_str());
        }
        for (span, key) in [
            (self.lag, keys::TIMESTAMP_MAX_LAG),
            (self.watermark_interval, keys::WATERMARK_INTERVAL),
        ] {
            if let Some(span) = span {
                declare.conf(key.name, millis(span));
            }
        }
    }

    /// Completes what was asked for by the task's configuration, and checks everything.
    ///
    /// # Errors
    /// [`WindowError`].
    pub fn settle(self, context: &TaskContext) -> Result<Settings, WindowError> {
        let conf = context.conf();
        let spec = self.spec(&conf.window)?;
        let max_pending = conf.max_spout_pending.map(|pending| pending as usize);
        spec.check_limits(conf.expiry(), max_pending)?;
        let event_time = self.event_time(&conf.window, context.streams())?;
        Ok(Settings { spec, event_time })
    }

    fn spec(&self, conf: &WindowConf) -> Result<WindowSpec, WindowError> {
        let length = match self.length {
            Some(length) => length,
            None => one_measure(
                Part::Length,
                (conf.length_tuples, keys::WINDOW_LENGTH_COUNT.name),
                (conf.length, keys::WINDOW_LENGTH.name),
            )?
            .ok_or(WindowError::NoLength)?,
        };
        let slide = match self.slide {
            Some(slide) => Some(slide),
            None => one_measure(
                Part::Slide,
                (conf.sliding_interval_tuples, keys::SLIDING_INTERVAL_COUNT.name),
                (conf.sliding_interval, keys::SLIDING_INTERVAL.name),
            )?,
        };
        Ok(match slide {
            Some(slide) => WindowSpec::sliding(length, slide)?,
            None => WindowSpec::per_event(length)?,
        })
    }

    /// `None` for windows over processing time; `declared` are the component's streams.
    fn event_time(
        self,
        conf: &WindowConf,
        declared: &[StreamId],
    ) -> Result<Option<EventTime>, WindowError> {
        let late_stream =
            self.late_stream.or_else(|| conf.late_tuple_stream.as_deref().map(StreamId::from));
        let field = || conf.timestamp_field.clone().map(Timestamps::Field);
        let Some(timestamps) = self.timestamps.or_else(field) else {
            return match late_stream {
                Some(stream) => Err(WindowError::LateStreamWithoutTimestamps { stream }),
                None => Ok(None),
            };
        };
        if let Some(stream) = late_stream.as_ref().filter(|late| !declared.contains(late)) {
            return Err(WindowError::LateStreamUndeclared { stream: stream.clone() });
        }
        let watermark_interval = self.watermark_interval.unwrap_or(conf.watermark_interval);
        if watermark_interval < SHORTEST_INTERVAL {
            return Err(WindowError::WatermarkIntervalTooShort { given: watermark_interval });
        }
        let lag = self.lag.unwrap_or(conf.max_lag);
        Ok(Some(EventTime { timestamps, lag, watermark_interval, late_stream }))
    }
}

impl Timestamps {
    /// The tuple's own time, in milliseconds.
    ///
    /// # Errors
    /// There is none that can be read.
    pub fn read(&self, tuple: TupleRef<'_>) -> Result<i64> {
        match self {
            Self::Field(field) => Ok(tuple.i64(field.as_str())?),
            Self::Extractor(extract) => extract(tuple),
        }
    }
}

impl fmt::Debug for Timestamps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => write!(out, "in field {field}"),
            Self::Extractor(_) => out.write_str("by the author's own code"),
        }
    }
}

/// What is configured in at most one of two measures.
fn one_measure(
    part: Part,
    (count, count_key): (Option<u32>, &'static str),
    (time, time_key): (Option<Duration>, &'static str),
) -> Result<Option<Extent>, WindowError> {
    match (count, time) {
        (Some(_), Some(_)) => Err(WindowError::TwoMeasures { part, count_key, time_key }),
        (Some(count), None) => Ok(Some(Extent::Count(count as usize))),
        (None, time) => Ok(time.map(Extent::Time)),
    }
}

/// Whole milliseconds as configuration says them; a fraction is told when the bolt is prepared.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
