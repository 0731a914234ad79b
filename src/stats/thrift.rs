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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Time;
    use crate::id::StreamId;
    use crate::stats::Totals;

    fn at(secs: u64) -> Time {
        Time::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn heartbeats_carry_counts_and_averages_by_window_and_stream() {
        let from = InputStream { component: "src".into(), stream: "side".into() };
        let mut statistics = Statistics::new(at(0));
        let slow = Totals::from([
            (Counted::Emitted("out".into()), 3),
            (Counted::Transferred("out".into()), 6),
            (Counted::Executed(from.clone()), 10),
            (Counted::ExecuteNs(from.clone()), 10 * 4_000_000),
            (Counted::Acked(from.clone()), 5),
            (Counted::ProcessNs(from.clone()), 5 * 8_000_000),
            (Counted::Failed(from.clone()), 0),
        ]);
        statistics.sample(at(40), slow.clone());
        statistics.sample(at(900), slow.clone());
        let mut then = slow;
        *then.get_mut(&Counted::Executed(from.clone())).unwrap() += 10;
        *then.get_mut(&Counted::ExecuteNs(from.clone())).unwrap() += 10 * 2_000_000;
        statistics.sample(at(1_000), then);

        let stats = executor_stats(&statistics, false);
        assert_eq!(stats.emitted[":all-time"]["out"], 3);
        assert_eq!(stats.emitted["600"]["out"], 0);
        assert_eq!(stats.transferred["10800"]["out"], 6);
        assert_eq!(stats.rate.0, 1.0);
        let ExecutorSpecificStats::Bolt(bolt) = stats.specific else { panic!("a bolt") };
        let from = GlobalStreamId::from(&from);
        assert_eq!(bolt.executed["600"][&from], 10);
        assert_eq!(bolt.execute_ms_avg["600"][&from].0, 2.0);
        assert_eq!(bolt.execute_ms_avg[":all-time"][&from].0, 3.0);
        assert_eq!(bolt.process_ms_avg["600"][&from].0, 0.0);
        assert_eq!(bolt.process_ms_avg[":all-time"][&from].0, 8.0);
        assert!(bolt.failed.is_empty(), "what was never counted is left out");
    }

    #[test]
    fn a_spout_that_has_done_nothing_yet_has_no_windows() {
        let stats = executor_stats(&Statistics::new(at(0)), true);
        assert!(stats.emitted.is_empty() && stats.transferred.is_empty());
        let ExecutorSpecificStats::Spout(spout) = stats.specific else { panic!("a spout") };
        assert!(spout.acked.is_empty() && spout.complete_ms_avg.is_empty());
    }

    #[test]
    fn a_spouts_latency_is_averaged_over_completed_messages() {
        let stream = StreamId::default;
        let mut statistics = Statistics::new(at(0));
        let totals = Totals::from([
            (Counted::Completed(stream()), 4),
            (Counted::CompleteNs(stream()), 10_000_000),
            (Counted::Lost(stream()), 1),
        ]);
        statistics.sample(at(1), totals);
        let ExecutorSpecificStats::Spout(spout) = executor_stats(&statistics, true).specific else {
            panic!("a spout")
        };
        assert_eq!(spout.acked["86400"]["default"], 4);
        assert_eq!(spout.failed["86400"]["default"], 1);
        assert_eq!(spout.complete_ms_avg["86400"]["default"].0, 2.5);
    }
}
