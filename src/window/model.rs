//! Both kinds of window against a plain model that remembers every event and looks at all of them.
//!
//! **Invariants**
//! - The model knows no positions, no deadlines to skip and nothing to forget; where Storm's rule
//!   is a definition it repeats the definition.
//!
//! **Runs on** the test harness.
//!
//! **Not here**: named examples, see `tests/data/window`.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;

use super::spec::millis;
use super::{
    Activation, Arrival, EventWindow, Extent, ProcessingWindow, WatermarkTracker, WindowSpec,
};

/// One activation: where it ends, its events, the new ones, the expired ones.
type Shown = (i64, Vec<usize>, Vec<usize>, Vec<usize>);

/// All events ever, each known by its index, and what became of them.
#[derive(Default)]
struct Model {
    timestamps: Vec<i64>,
    gone: HashSet<usize>,
    /// Members of the last window.
    previous: Vec<usize>,
    shown: Vec<Shown>,
}

impl Model {
    /// Events up to `end_ms`, in order of arrival.
    fn up_to(&self, end_ms: i64) -> Vec<usize> {
        let all = 0..self.timestamps.len();
        all.filter(|event| self.timestamps[*event] <= end_ms).collect()
    }

    /// Evaluates the window that ends with `end_ms` and answers whether it holds an event.
    fn evaluate(&mut self, length: Extent, end_ms: i64) -> bool {
        let mut members = self.up_to(end_ms);
        match length {
            Extent::Time(length) => {
                members.retain(|event| end_ms - millis(length) < self.timestamps[*event]);
            }
            Extent::Count(length) => {
                members.drain(..members.len().saturating_sub(length));
            }
        }
        let expired = self.up_to(end_ms);
        let expired = expired.into_iter().filter(|event| !members.contains(event));
        self.show(end_ms, members.clone(), expired.collect())
    }

    /// Evaluates a window by count and slide by count under event time, by Storm's definition.
    fn evaluate_quota(&mut self, length: usize, slide: usize, end_ms: i64) -> bool {
        let mut members = self.up_to(end_ms);
        members.retain(|event| !self.gone.contains(event));
        let quota = self.previous.len() + slide;
        let expired = members.drain(..quota.saturating_sub(length)).collect();
        members.truncate(length.min(quota));
        self.show(end_ms, members, expired)
    }

    fn show(&mut self, end_ms: i64, members: Vec<usize>, mut expired: Vec<usize>) -> bool {
        expired.retain(|event| self.gone.insert(*event));
        let mut new = members.clone();
        new.retain(|event| !self.previous.contains(event));
        self.previous.clone_from(&members);
        if members.is_empty() {
            return false;
        }
        self.shown.push((end_ms, members, new, expired));
        true
    }
}

/// What a real window showed and let go, checked for what must hold in any case.
#[derive(Default)]
struct Record {
    shown: Vec<Shown>,
    left: HashSet<usize>,
}

impl Record {
    fn show(&mut self, length: Extent, activation: &Activation<'_, usize>) {
        let shown: Shown = (
            activation.end_ms(),
            activation.events().copied().collect(),
            activation.new_events().copied().collect(),
            activation.expired_events().copied().collect(),
        );
        assert_eq!(activation.events().len(), shown.1.len());
        assert_eq!(activation.len(), shown.1.len());
        assert_eq!(activation.new_events().len(), shown.2.len());
        let start_ms = match length {
            Extent::Time(length) => Some(shown.0 - millis(length)),
            Extent::Count(_) => None,
        };
        assert_eq!(activation.start_ms(), start_ms);
        for event in &shown.1 {
            assert!(!self.left.contains(event), "{event} had left every window");
        }
        self.shown.push(shown);
    }

    fn leave<'a>(&mut self, left: impl Iterator<Item = &'a usize>) {
        for event in left {
            assert!(self.left.insert(*event), "{event} left twice");
        }
    }

    /// The same windows as the model's, and no event kept longer than Storm keeps it.
    #[track_caller]
    fn check(&self, model: &Model, buffered: usize) {
        assert_eq!(self.shown, model.shown);
        assert!(model.gone.is_subset(&self.left));
        assert_eq!(self.left.len() + buffered, model.timestamps.len());
    }
}

fn any_extent() -> impl Strategy<Value = Extent> {
    prop_oneof![
        (1usize..8).prop_map(Extent::Count),
        (1u64..40).prop_map(|ms| Extent::Time(Duration::from_millis(ms))),
    ]
}

fn any_spec() -> impl Strategy<Value = WindowSpec> {
    (any_extent(), any_extent())
        .prop_map(|(length, slide)| WindowSpec::sliding(length, slide).unwrap())
}

/// A call: an event or not, milliseconds since the last call, and whether the caller takes what is
/// due before the next one.
fn any_calls() -> impl Strategy<Value = Vec<(bool, i64, bool)>> {
    let gap_ms = prop_oneof![8 => 0i64..4, 3 => 0i64..40, 1 => 0i64..300];
    prop::collection::vec((prop::bool::weighted(0.8), gap_ms, any::<bool>()), 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_over_arrival_time_are_those_of_the_model(
        spec in any_spec(),
        start_ms in -50i64..50,
        calls in any_calls(),
    ) {
        let mut window = ProcessingWindow::new(spec, start_ms);
        let mut record = Record::default();
        let mut model = Model::default();
        let mut next_ms = start_ms;
        let mut seen = 0;
        let mut now_ms = start_ms;
        for (is_event, gap_ms, takes) in calls {
            now_ms += gap_ms;
            if let Extent::Time(slide) = spec.slide() {
                while next_ms + millis(slide) <= now_ms {
                    next_ms += millis(slide);
                    model.evaluate(spec.length(), next_ms - 1);
                }
            }
            if is_event {
                window.add(model.timestamps.len(), now_ms);
                model.timestamps.push(now_ms);
                seen += 1;
                if spec.slide() == Extent::Count(seen) {
                    seen = 0;
                    model.evaluate(spec.length(), now_ms);
                }
            } else {
                window.on_time(now_ms);
            }
            if takes {
                while let Some(activation) = window.next_activation() {
                    record.show(spec.length(), &activation);
                }
                record.leave(window.take_left());
                let deadline_ms = window.next_deadline_ms();
                prop_assert!(deadline_ms.is_none_or(|deadline_ms| now_ms < deadline_ms));
            } else if let Some(activation) = window.next_activation() {
                record.show(spec.length(), &activation);
            }
        }
        while let Some(activation) = window.next_activation() {
            record.show(spec.length(), &activation);
        }
        record.leave(window.take_left());
        record.check(&model, window.len());
    }

    #[test]
    fn nothing_happens_between_the_deadlines_a_window_names(
        spec in any_spec(),
        calls in any_calls(),
    ) {
        let mut window = ProcessingWindow::new(spec, 0);
        let mut now_ms = 0;
        for (is_event, gap_ms, _) in calls {
            let until_ms = now_ms + gap_ms;
            while now_ms < until_ms {
                now_ms += 1;
                let is_due = window.next_deadline_ms().is_some_and(|due_ms| due_ms <= now_ms);
                window.on_time(now_ms);
                let mut acts = false;
                while window.next_activation().is_some() {
                    acts = true;
                }
                acts |= window.take_left().len() != 0;
                prop_assert!(is_due || !acts, "at {now_ms} ms");
            }
            if is_event {
                window.add((), now_ms);
            }
            while window.next_activation().is_some() {}
            window.take_left().for_each(drop);
        }
    }

    #[test]
    fn windows_over_event_time_are_those_of_the_model(
        spec in any_spec(),
        lag_ms in 0u64..30,
        disorder_ms in 0i64..40,
        calls in any_calls(),
        shifts in prop::collection::vec(0i64..40, 80),
    ) {
        let mut window = EventWindow::new(spec);
        let mut tracker = WatermarkTracker::new(1, Duration::from_millis(lag_ms));
        let mut record = Record::default();
        let mut model = Model::default();
        let mut next_ms = 0;
        let mut now_ms = 0;
        for ((is_event, gap_ms, asks), shift_ms) in calls.into_iter().zip(shifts) {
            now_ms += gap_ms;
            let ts_ms = now_ms - shift_ms.min(disorder_ms);
            if is_event && tracker.observe(0, ts_ms) == Arrival::OnTime {
                window.add(model.timestamps.len(), ts_ms);
                model.timestamps.push(ts_ms);
            }
            let Some(watermark_ms) = asks.then(|| tracker.advance()).flatten() else {
                continue;
            };
            match spec.slide() {
                Extent::Time(slide) => {
                    let mut end_ms = next_ms;
                    while end_ms <= watermark_ms {
                        let found = model.evaluate(spec.length(), end_ms);
                        end_ms += millis(slide);
                        if found {
                            next_ms = end_ms;
                        }
                    }
                }
                Extent::Count(slide) => {
                    let counted = model.up_to(watermark_ms).into_iter();
                    let counted: Vec<i64> = counted
                        .map(|event| model.timestamps[event])
                        .filter(|ts_ms| next_ms < *ts_ms)
                        .collect();
                    for round in 1..=counted.len() / slide {
                        next_ms = *counted[..round * slide].iter().max().unwrap();
                        match spec.length() {
                            Extent::Count(length) => model.evaluate_quota(length, slide, next_ms),
                            length => model.evaluate(length, next_ms),
                        };
                    }
                }
            }
            window.on_watermark(watermark_ms);
            while let Some(activation) = window.next_activation() {
                record.show(spec.length(), &activation);
            }
            record.leave(window.take_left());
        }
        record.check(&model, window.len());
    }

    #[test]
    fn whatever_the_timestamps_every_event_leaves_at_most_once(
        spec in any_spec(),
        calls in prop::collection::vec((prop_oneof![any::<i64>(), -99i64..99], any::<bool>()), 0..60),
    ) {
        let mut window = EventWindow::new(spec);
        let mut record = Record::default();
        for (event, (ts_ms, is_event)) in calls.iter().enumerate() {
            if *is_event {
                window.add(event, *ts_ms);
            } else {
                window.on_watermark(*ts_ms);
            }
            let mut rounds = 0;
            while let Some(activation) = window.next_activation()
                && rounds < 50
            {
                rounds += 1;
                for event in activation.events() {
                    prop_assert!(!record.left.contains(event));
                }
            }
            record.leave(window.take_left());
        }
        let events = calls.iter().filter(|(_, is_event)| *is_event).count();
        prop_assert_eq!(record.left.len() + window.len(), events);
    }
}
