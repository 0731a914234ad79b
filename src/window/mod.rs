//! Windows over streams of tuples: which tuples each window holds, when it is due, what has left it.
//!
//! ```text
//! bolt      Windowed: author's calls, keys (settings), late stream, emissions (lent), acks
//!             │ tuple, time (held)                              ▲ windows that are due
//! ────────────┼─────────────────────── pure ────────────────────┼───────────────────────
//! spec ──▶ ProcessingWindow   add(event, now)   on_time(now) ─────┐
//!     └──▶ EventWindow        add(event, ts)    on_watermark(w) ──┤
//!                                  ▲                   ▲          ├─▶ next_activation ─▶ execute
//!          WatermarkTracker   observe ─▶ OnTime     advance       └─▶ take_left ─▶ ack
//! ```
//!
//! An author writes a [`WindowBolt`] and puts it behind a window with [`Windowed`]. Everything below
//! the line works without a topology; an *event* there is whatever the caller puts in, a tuple as a
//! rule; the word is Storm's.
//!
//! **Invariants**
//! - Below the line nothing reads a clock, does I/O or logs. Equal calls give equal answers.
//! - Each event goes in once, is lent to every window that holds it, and is reported as left once.
//!   It is never cloned.
//! - Windows are Storm's: length and slide by count or by time, bounds `(end - length, end]`, no
//!   activation for an empty window. Where we differ the module in question says so.
//!
//! **Runs on** the thread of the executor whose bolt has the window; unshared.
//!
//! **Not here**: windows that outlive their process.

mod activation;
mod bolt;
mod buffer;
mod event;
mod held;
mod lent;
mod lows;
#[cfg(test)]
mod model;
mod processing;
mod settings;
mod spec;
mod watermark;

pub use activation::{Activation, Events};
pub use bolt::{LATE_TUPLES_METRIC, WindowBolt, Windowed};
pub use event::EventWindow;
pub use lent::{LateTuple, Window, WindowCollector};
pub use processing::ProcessingWindow;
pub use settings::{LATE_TUPLE_FIELD, WindowError};
pub use spec::{Extent, MAX_COUNT, MAX_TIME, Part, SpecError, WindowSpec};
pub use watermark::{Arrival, DEFAULT_LAG, DEFAULT_WATERMARK_INTERVAL, WatermarkTracker};

#[cfg(test)]
mod tests {
    //! The text ring: each case is prose, calls and, below the line, what came of them.
    //!
    //! The first word of a case is the kind of window; then come the calls. `arrive` and `interval`
    //! go through a watermark tracker, `watermark` sets the watermark by hand.

    use std::fmt::Write;
    use std::time::Duration;

    use super::*;
    use crate::text_cases;

    /// Either kind of window, over named events.
    enum Subject {
        Processing(ProcessingWindow<String>),
        Event(EventWindow<String>, WatermarkTracker),
    }

    #[test]
    fn windows_over_arrival_time_behave_as_the_cases_say() {
        check("processing.txt", include_str!("../../tests/data/window/processing.txt"));
    }

    #[test]
    fn windows_over_event_time_behave_as_the_cases_say() {
        check("event.txt", include_str!("../../tests/data/window/event.txt"));
    }

    #[track_caller]
    fn check(file: &str, text: &str) {
        text_cases::check(&format!("window/{file}"), text, run_case);
    }

    /// What the calls of one case lead to.
    fn run_case(calls: &[&str]) -> String {
        let mut out = String::new();
        let mut subject = None;
        for line in calls {
            let words: Vec<&str> = line.split_whitespace().collect();
            match &mut subject {
                None => subject = Some(parse_subject(&words)),
                Some(subject) => subject.call(&words, &mut out),
            }
        }
        out
    }

    impl Subject {
        fn call(&mut self, words: &[&str], out: &mut String) {
            match (&mut *self, words) {
                (Self::Processing(window), ["add", now, names @ ..]) => {
                    for name in names {
                        window.add((*name).to_owned(), parse_ms(now));
                    }
                }
                (Self::Processing(window), ["time", now]) => window.on_time(parse_ms(now)),
                (Self::Event(window, _), ["add", ts, names @ ..]) => {
                    for name in names {
                        window.add((*name).to_owned(), parse_ms(ts));
                    }
                }
                (Self::Event(window, _), ["watermark", ts]) => window.on_watermark(parse_ms(ts)),
                (Self::Event(window, tracker), ["arrive", stream, ts, name]) => {
                    match tracker.observe(stream.parse().unwrap(), parse_ms(ts)) {
                        Arrival::OnTime => window.add((*name).to_owned(), parse_ms(ts)),
                        Arrival::Late => writeln!(out, "late {name}").unwrap(),
                    }
                }
                (Self::Event(window, tracker), ["interval"]) => match tracker.advance() {
                    Some(watermark_ms) => {
                        writeln!(out, "watermark {watermark_ms}").unwrap();
                        window.on_watermark(watermark_ms);
                    }
                    None => writeln!(out, "watermark stays").unwrap(),
                },
                (Self::Processing(window), ["deadline"]) => {
                    writeln!(out, "deadline {:?}", window.next_deadline_ms()).unwrap();
                }
                _ => panic!("no such call: {words:?}"),
            }
            self.drain(out);
        }

        fn drain(&mut self, out: &mut String) {
            loop {
                let activation = match self {
                    Self::Processing(window) => window.next_activation(),
                    Self::Event(window, _) => window.next_activation(),
                };
                let Some(activation) = activation else { break };
                match activation.start_ms() {
                    Some(start_ms) => write!(out, "({start_ms}, {}]", activation.end_ms()).unwrap(),
                    None => write!(out, "to {}", activation.end_ms()).unwrap(),
                }
                let events = list(activation.events());
                let new = list(activation.new_events());
                let expired = list(activation.expired_events());
                writeln!(out, " {events} | new {new} | expired {expired}").unwrap();
            }
            let left = match self {
                Self::Processing(window) => list(window.take_left()),
                Self::Event(window, _) => list(window.take_left()),
            };
            if left != "-" {
                writeln!(out, "left {left}").unwrap();
            }
        }
    }

    fn list<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
        if names.len() == 0 {
            return "-".to_owned();
        }
        names.cloned().collect::<Vec<_>>().join(" ")
    }

    fn parse_subject(words: &[&str]) -> Subject {
        let value = |key: &str| {
            let pairs = words.iter().filter_map(|word| word.split_once('='));
            pairs.rev().find_map(|(name, value)| (name == key).then_some(value))
        };
        let length = parse_extent(value("length").expect("a window has a length"));
        let spec = match value("slide") {
            Some(slide) => WindowSpec::sliding(length, parse_extent(slide)),
            None => WindowSpec::per_event(length),
        };
        match words[0] {
            "processing" => Subject::Processing(ProcessingWindow::new(spec.unwrap(), 0)),
            "event" => {
                let streams = value("streams").map_or(1, |streams| streams.parse().unwrap());
                let lag_ms = value("lag").map_or(0, parse_ms).unsigned_abs();
                let tracker = WatermarkTracker::new(streams, Duration::from_millis(lag_ms));
                Subject::Event(EventWindow::new(spec.unwrap()), tracker)
            }
            kind => panic!("no such window: {kind}"),
        }
    }

    fn parse_extent(text: &str) -> Extent {
        match text.parse() {
            Ok(count) => Extent::Count(count),
            Err(_) => Extent::Time(Duration::from_millis(parse_ms(text).unsigned_abs())),
        }
    }

    /// A number is milliseconds, and so is `3ms`; `3s` is 3000.
    fn parse_ms(text: &str) -> i64 {
        match text.strip_suffix("ms") {
            Some(ms) => ms.parse().unwrap(),
            None => match text.strip_suffix('s') {
                Some(s) => s.parse::<i64>().unwrap() * 1_000,
                None => text.parse().unwrap(),
            },
        }
    }
}
