//! Hours of counting in milliseconds.

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
