//! Statistics as heartbeats carry them.

use std::collections::BTreeMap;

use nimbus_client::thrift::{
    BoltStats, ExecutorSpecificStats, ExecutorStats, GlobalStreamId, SpoutStats,
};
use nimbus_client::wire::OrderedFloat;

use super::{Counted, InputStream, Statistics, Window};

/// An executor's statistics in all windows; the rate at which tuples are sampled is 1, for all.
///
/// A stream on which nothing was counted yet is left out, and so are the windows of an executor that
/// has counted nothing, as in Storm.
pub fn executor_stats(statistics: &Statistics, is_spout: bool) -> ExecutorStats {
    let table = |select: Select<'_, String>| table(statistics, select, count);
    let specific = if is_spout {
        ExecutorSpecificStats::Spout(SpoutStats {
            acked: table(&|counted| match counted {
                Counted::Completed(stream) => Some(stream.to_string()),
                _ => None,
            }),
            failed: table(&|counted| match counted {
                Counted::Lost(stream) => Some(stream.to_string()),
                _ => None,
            }),
            complete_ms_avg: averages(statistics, &|counted| match counted {
                Counted::Completed(stream) => {
                    Some((stream.to_string(), Counted::CompleteNs(stream.clone())))
                }
                _ => None,
            }),
        })
    } else {
        ExecutorSpecificStats::Bolt(bolt_stats(statistics))
    };
    ExecutorStats {
        emitted: table(&|counted| match counted {
            Counted::Emitted(stream) => Some(stream.to_string()),
            _ => None,
        }),
        transferred: table(&|counted| match counted {
            Counted::Transferred(stream) => Some(stream.to_string()),
            _ => None,
        }),
        specific,
        rate: OrderedFloat(1.0),
    }
}

fn bolt_stats(statistics: &Statistics) -> BoltStats {
    let table = |select: Select<'_, GlobalStreamId>| table(statistics, select, count);
    BoltStats {
        acked: table(&|counted| match counted {
            Counted::Acked(from) => Some(from.into()),
            _ => None,
        }),
        failed: table(&|counted| match counted {
            Counted::Failed(from) => Some(from.into()),
            _ => None,
        }),
        process_ms_avg: averages(statistics, &|counted| match counted {
            Counted::Acked(from) => Some((from.into(), Counted::ProcessNs(from.clone()))),
            _ => None,
        }),
        executed: table(&|counted| match counted {
            Counted::Executed(from) => Some(from.into()),
            _ => None,
        }),
        execute_ms_avg: averages(statistics, &|counted| match counted {
            Counted::Executed(from) => Some((from.into(), Counted::ExecuteNs(from.clone()))),
            _ => None,
        }),
    }
}

/// Window → stream → value.
type Table<Stream, Value> = BTreeMap<String, BTreeMap<Stream, Value>>;

/// The stream of what belongs into a table.
type Select<'a, Stream> = &'a dyn Fn(&Counted) -> Option<Stream>;

fn count(statistics: &Statistics, window: Window, counted: &Counted) -> i64 {
    i64::try_from(statistics.count(window, counted)).unwrap_or(i64::MAX)
}

fn table<Stream: Ord, Value>(
    statistics: &Statistics,
    select: Select<'_, Stream>,
    value: impl Fn(&Statistics, Window, &Counted) -> Value,
) -> Table<Stream, Value> {
    let mut table = Table::new();
    for counted in statistics.counted() {
        if select(counted).is_none() {
            continue;
        }
        for window in Window::ALL {
            let stream = select(counted).expect("it was selected before");
            let streams = table.entry(window.name().to_owned()).or_default();
            streams.insert(stream, value(statistics, window, counted));
        }
    }
    table
}

/// Average milliseconds; `select` gives the stream and the time that belongs to a count.
fn averages<Stream: Ord>(
    statistics: &Statistics,
    select: &dyn Fn(&Counted) -> Option<(Stream, Counted)>,
) -> Table<Stream, OrderedFloat<f64>> {
    let stream = |counted: &Counted| select(counted).map(|(stream, _)| stream);
    table(statistics, &stream, |statistics, window, counted| {
        let (_, time) = select(counted).expect("it was selected before");
        let number = statistics.count(window, counted);
        let total_ns = statistics.count(window, &time);
        let average_ms = if number == 0 { 0.0 } else { total_ns as f64 / number as f64 / 1e6 };
        OrderedFloat(average_ms)
    })
}

impl From<&InputStream> for GlobalStreamId {
    fn from(from: &InputStream) -> Self {
        Self { component_id: from.component.to_string(), stream_id: from.stream.to_string() }
    }
}
