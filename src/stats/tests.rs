//! Hours of counting in milliseconds.

use nimbus_client::thrift::{ExecutorSpecificStats, GlobalStreamId};
use proptest::prelude::*;

use super::*;

fn emitted() -> Counted {
    Counted::Emitted(StreamId::default())
}

fn at(secs: u64) -> Time {
    Time::from_nanos(1_000_000_000) + Duration::from_secs(secs)
}

/// Counts so many a second in each of these stretches, sampled every second.
fn steadily(stretches: &[(u64, u64)]) -> Statistics {
    let mut statistics = Statistics::new(at(0));
    let (mut now_secs, mut total) = (0, 0);
    for (secs, per_sec) in stretches {
        for _ in 0..*secs {
            now_secs += 1;
            total += per_sec;
            statistics.sample(at(now_secs), Totals::from([(emitted(), total)]));
        }
    }
    statistics
}

#[track_caller]
fn check(stretches: &[(u64, u64)], expected: [u64; 4]) {
    let statistics = steadily(stretches);
    let found = Window::ALL.map(|window| statistics.count(window, &emitted()));
    assert_eq!(found, expected);
}

#[test]
fn a_window_that_is_not_over_has_everything() {
    check(&[], [0; 4]);
    check(&[(1, 5)], [5; 4]);
    check(&[(600, 10)], [6_000; 4]);
}

#[test]
fn a_steady_rate_fills_each_window_by_its_length() {
    check(&[(1_200, 10)], [6_000, 12_000, 12_000, 12_000]);
    check(&[(20_000, 10)], [6_000, 108_000, 200_000, 200_000]);
    check(&[(100_000, 10)], [6_000, 108_000, 864_000, 1_000_000]);
}

#[test]
fn what_was_counted_before_a_window_has_left_it() {
    check(&[(600, 10), (700, 0)], [0, 6_000, 6_000, 6_000]);
    check(&[(600, 10), (20_000, 0), (60, 1)], [60, 60, 6_060, 6_060]);
}

#[test]
fn samples_may_come_seldom() {
    let mut statistics = Statistics::new(at(0));
    statistics.sample(at(1_200), Totals::from([(emitted(), 1_200)]));
    assert_eq!(statistics.count(Window::TenMinutes, &emitted()), 600);
    statistics.sample(at(10_000), Totals::from([(emitted(), 1_200)]));
    assert_eq!(statistics.count(Window::TenMinutes, &emitted()), 0);
    assert_eq!(statistics.count(Window::ThreeHours, &emitted()), 1_200);
}

#[test]
fn names_of_windows_are_storms_and_an_unknown_one_is_the_whole_time() {
    assert_eq!(Window::ALL.map(Window::name), ["600", "10800", "86400", ":all-time"]);
    assert_eq!(Window::named("10800"), Window::ThreeHours);
    assert_eq!(Window::named("60"), Window::AllTime);
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

proptest! {
    #[test]
    fn a_window_is_right_to_one_part_of_it_and_memory_is_bounded(
        steps in prop::collection::vec((prop_oneof![0_u64..5, 0_u64..400], 0_u64..100), 1..400),
    ) {
        let mut statistics = Statistics::new(at(0));
        let mut history = vec![(0, 0)];
        let (mut now_secs, mut total) = (0, 0);
        for (secs, count) in steps {
            now_secs += secs;
            total += count;
            history.push((now_secs, total));
            statistics.sample(at(now_secs), Totals::from([(emitted(), total)]));
            for pasts in &statistics.pasts {
                prop_assert!(pasts.totals.len() <= PASTS, "{} are kept", pasts.totals.len());
            }
        }
        // Counts fall at the times of samples; the longest time between two is 400 s.
        let since = |secs: u64| {
            let before = history.iter().take_while(|(time, _)| *time <= secs);
            total - before.last().map_or(0, |(_, total)| *total)
        };
        for window in Window::ALL {
            let found = statistics.count(window, &emitted());
            let Some(length) = window.length() else {
                prop_assert_eq!(found, total);
                continue;
            };
            let slack = (length / PARTS).as_secs() + 1 + 400;
            let begin = now_secs.saturating_sub(length.as_secs());
            let most = if begin < slack { total } else { since(begin - slack) };
            let least = since((begin + slack).min(now_secs));
            prop_assert!((least..=most).contains(&found), "{found} in {least} to {most}");
        }
    }
}
