//! Windowed bolts inside running topologies, on a simulated clock.
//!
//! A case is a window, letters that arrive at given milliseconds, and what came of them:
//! `time (start, end] tuples | new … | expired …` when the bolt was called, and `time acked …` or
//! `time failed …` when the spout heard of its letters.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use storm_runtime::clock::{Time, unix_time_ms};
use storm_runtime::local::{MockSources, RunningTopology, complete_topology};
use storm_runtime::prelude::*;
use storm_runtime::window::{LATE_TUPLES_METRIC, LateTuple};

/// Cycles at one simulated time after which a topology counts as stuck.
const CYCLES: usize = 10_000;

/// What happened, with its time in milliseconds.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn line(&self, at: Time, text: &str) {
        self.0.lock().unwrap().push(format!("{} {text}", ms(at)));
    }

    /// Sorts a word into the last line if that is of the same kind and time.
    fn word(&self, at: Time, what: &str, word: &str) {
        let mut lines = self.0.lock().unwrap();
        let kind = format!("{} {what}", ms(at));
        match lines.last_mut().filter(|last| last.starts_with(&kind)) {
            Some(last) => {
                let mut words: Vec<&str> = last[kind.len()..].split_whitespace().collect();
                words.push(word);
                words.sort_unstable();
                *last = format!("{kind} {}", words.join(" "));
            }
            None => lines.push(format!("{kind} {word}")),
        }
    }

    #[track_caller]
    fn check(&self, expected: &[&str]) {
        assert_eq!(*self.0.lock().unwrap(), expected);
    }
}

fn ms(at: Time) -> u128 {
    at.since(Time::ZERO).as_millis()
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Emits letters at their times, each with a time of its own.
struct Letters {
    left: VecDeque<(u64, String, i64)>,
    journal: Journal,
    /// Emits a failed letter again.
    replays: bool,
}

impl Letters {
    /// `a@1200` arrives at 1200 ms, and its own time is 1200 too unless `a@1200:700` says so.
    fn parse(letters: &str, journal: &Journal) -> Self {
        let letter = |word: &str| {
            let (name, times) = word.split_once('@').expect("a letter has a time");
            let (at, own) = times.split_once(':').unwrap_or((times, times));
            (at.parse().unwrap(), name.to_owned(), own.parse().unwrap())
        };
        let left = letters.split_whitespace().map(letter).collect();
        Self { left, journal: journal.clone(), replays: false }
    }
}

impl Spout for Letters {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["name", "ts"]);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let Some((at_ms, name, own_ms)) = self.left.front() else {
            return Ok(Next::IdleUntil(Time::NEVER));
        };
        let at = Time::ZERO + Duration::from_millis(*at_ms);
        if out.now() < at {
            return Ok(Next::IdleUntil(at));
        }
        out.emit_with_id((name.as_str(), *own_ms), format!("{name}:{own_ms}"));
        self.left.pop_front();
        Ok(Next::Emitted)
    }

    fn ack(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        self.journal.word(out.now(), "acked", &name_of(&id));
        Ok(())
    }

    fn fail(&mut self, id: MessageId, out: &mut SpoutCollector) -> Result {
        self.journal.word(out.now(), "failed", &name_of(&id));
        if self.replays {
            let value = id.to_value();
            let (name, own_ms) = value.as_str().unwrap().split_once(':').unwrap();
            // What fails by poison is sent again without it.
            let name = name.trim_end_matches(['!', '#']);
            out.emit_with_id((name, own_ms.parse::<i64>()?), format!("{name}:{own_ms}"));
        }
        Ok(())
    }
}

fn name_of(id: &MessageId) -> String {
    let value = id.to_value();
    value.as_str().unwrap().split(':').next().unwrap().to_owned()
}

/// Writes each window down and emits its letters joined.
///
/// A letter that ends with `!` makes it fail, one with `#` makes it panic, one with `?` makes it
/// emit what it did not declare.
struct Report(Journal);

impl WindowBolt for Report {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["letters"]);
    }

    fn execute(&mut self, window: &Window<'_>, out: &mut WindowCollector<'_>) -> Result {
        let bounds = match window.start_ms() {
            Some(start_ms) => format!("({start_ms}, {}]", window.end_ms()),
            None => format!("to {}", window.end_ms()),
        };
        let all = join(window.tuples());
        let (new, expired) = (join(window.new_tuples()), join(window.expired_tuples()));
        self.0.line(out.now(), &format!("{bounds} {all} | new {new} | expired {expired}"));
        assert_eq!(window.len(), window.tuples().len());
        out.emit([all.as_str()]);
        if all.contains('!') {
            return Err("poisoned".into());
        }
        if all.contains('?') {
            out.emit_to("nowhere", [1]);
        }
        assert!(!all.contains('#'), "poisoned badly");
        Ok(())
    }
}

fn join<'a>(tuples: impl Iterator<Item = TupleRef<'a>>) -> String {
    let names: Vec<&str> = tuples.map(|tuple| tuple.str("name").unwrap()).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(" ") }
}

/// Writes down what it gets, and fails what has an `x` in it.
struct Sink(Journal);

impl BasicBolt for Sink {
    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        let letters = match tuple.object::<LateTuple>(0) {
            Ok(late) => {
                format!("{} of {}", late.view().str("name")?, late.view().source_component())
            }
            Err(_) => tuple.str(0)?.to_owned(),
        };
        self.0.word(out.now(), "received", &letters);
        if letters.contains('x') { Err("an x".into()) } else { Ok(()) }
    }
}

type Windows = fn(Windowed<Report>) -> Windowed<Report>;

/// A builder with a spout for each text of letters, and the windowed bolt `report` behind them.
fn builder(windows: Windows, letters: &[&str], journal: &Journal) -> TopologyBuilder {
    let mut builder = TopologyBuilder::new();
    let report = journal.clone();
    let mut bolt = builder.bolt("report", move || windows(Windowed::new(Report(report.clone()))));
    for at in 0..letters.len() {
        bolt = bolt.shuffle(spout_name(at));
    }
    for (at, letters) in letters.iter().enumerate() {
        let (letters, journal) = ((*letters).to_owned(), journal.clone());
        builder.spout(spout_name(at), move || Letters::parse(&letters, &journal));
    }
    builder
}

fn spout_name(at: usize) -> &'static str {
    ["letters", "others", "silence"][at]
}

fn run(builder: &TopologyBuilder, time: Duration) -> (LocalCluster, RunningTopology) {
    let cluster = LocalCluster::simulated(7);
    let running = cluster.submit("windows", &builder.build().expect("a topology")).unwrap();
    assert!(cluster.advance(time, CYCLES), "the topology never rests");
    (cluster, running)
}

/// Runs letters through windows for 20 s, which is before anything times out.
#[track_caller]
fn check(windows: Windows, letters: &[&str], expected: &[&str]) {
    let journal = Journal::default();
    let (_cluster, running) = run(&builder(windows, letters, &journal), secs(20));
    journal.check(expected);
    let errors = running.errors();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn a_window_tumbles_by_count_and_then_acks_all_of_it() {
    check(
        |bolt| bolt.tumbling_count(2),
        &["a@100 b@200 c@300 d@400 e@500"],
        &[
            "200 to 200 a b | new a b | expired -",
            "200 acked a b",
            "400 to 400 c d | new c d | expired a b",
            "400 acked c d",
        ],
    );
}

#[test]
fn a_window_slides_by_count_and_acks_what_no_later_window_needs() {
    check(
        |bolt| bolt.length_count(3).slide_count(2),
        &["a@100 b@200 c@300 d@400 e@500"],
        &[
            "200 to 200 a b | new a b | expired -",
            "200 acked a",
            "400 to 400 b c d | new c d | expired a",
            "400 acked b c",
        ],
    );
}

#[test]
fn a_length_alone_slides_with_every_tuple() {
    check(
        |bolt| bolt.length_count(2),
        &["a@100 b@200 c@300"],
        &[
            "100 to 100 a | new a | expired -",
            "200 to 200 a b | new b | expired -",
            "200 acked a",
            "300 to 300 b c | new c | expired a",
            "300 acked b",
        ],
    );
}

#[test]
fn a_window_tumbles_by_time_though_no_tuple_comes_to_end_it() {
    check(
        |bolt| bolt.tumbling(secs(5)),
        &["a@100 b@4999 c@5000 d@14000"],
        &[
            "5000 (-1, 4999] a b | new a b | expired -",
            "5000 acked a b",
            "10000 (4999, 9999] c | new c | expired a b",
            "10000 acked c",
            "15000 (9999, 14999] d | new d | expired c",
            "15000 acked d",
        ],
    );
}

#[test]
fn a_window_slides_by_time() {
    check(
        |bolt| bolt.length(secs(2)).slide(secs(1)),
        &["a@500 b@1500 c@4500"],
        &[
            "1000 (-1001, 999] a | new a | expired -",
            "2000 (-1, 1999] a b | new b | expired -",
            "2000 acked a",
            "3000 (999, 2999] b | new - | expired a",
            "3000 acked b",
            "5000 (2999, 4999] c | new c | expired -",
            "6000 (3999, 5999] c | new - | expired -",
            "6000 acked c",
        ],
    );
}

#[test]
fn a_window_of_a_time_slides_by_count_and_acks_when_the_time_is_over() {
    check(
        |bolt| bolt.length(secs(2)).slide_count(2),
        &["a@100 b@200 c@1000 d@9000"],
        &[
            "200 (-1800, 200] a b | new a b | expired -",
            "2100 acked a",
            "2200 acked b",
            "3000 acked c",
            "9000 (7000, 9000] d | new d | expired a b c",
            "11000 acked d",
        ],
    );
}

#[test]
fn a_window_of_a_count_slides_by_time() {
    check(
        |bolt| bolt.length_count(2).slide(secs(5)),
        &["a@100 b@200 c@300 d@5500"],
        &[
            "300 acked a",
            "5000 to 4999 b c | new b c | expired a",
            "5500 acked b",
            "10000 to 9999 c d | new d | expired b",
            "15000 to 14999 c d | new - | expired -",
            "20000 to 19999 c d | new - | expired -",
        ],
    );
}

#[test]
fn windows_over_event_time_put_what_came_out_of_order_where_it_belongs() {
    check(
        |bolt| bolt.tumbling(secs(10)).timestamp_field("ts").lag(secs(2)),
        &["b@100:9000 a@200:8000 c@300:11000 d@1500:12500 e@2500:23000"],
        &[
            "2000 (0, 10000] b a | new b a | expired -",
            "2000 acked a b",
            "3000 (10000, 20000] c d | new c d | expired b a",
            "3000 acked c d",
        ],
    );
}

#[test]
fn a_watermark_that_passes_many_windows_brings_each_of_them_in_turn() {
    check(
        |bolt| bolt.length(secs(2)).slide(secs(1)).timestamp_field("ts"),
        &["a@100:500 b@200:1500 c@300:7500"],
        &[
            "1000 (-1000, 1000] a | new a | expired -",
            "1000 (0, 2000] a b | new b | expired -",
            "1000 (1000, 3000] b | new - | expired a",
            "1000 acked a b",
        ],
    );
}

#[test]
fn count_windows_over_event_time_wait_for_the_watermark() {
    check(
        |bolt| bolt.tumbling_count(2).timestamp(|tuple| Ok(tuple.i64("ts")? * 1_000)),
        &["a@100:5 b@200:4 c@300:6 d@1400:9"],
        &[
            "1000 to 5000 a b | new a b | expired -",
            "2000 to 9000 c d | new c d | expired a b",
            "2000 acked a b",
        ],
    );
}

#[test]
fn watermarks_come_at_their_interval_and_only_when_one_rises() {
    check(
        |bolt| {
            let bolt = bolt.tumbling(secs(1)).timestamp_field("ts");
            bolt.watermark_every(Duration::from_millis(300))
        },
        &["a@100:500 b@310:1500 c@1300:2500"],
        &[
            "600 (0, 1000] a | new a | expired -",
            "600 acked a",
            "1500 (1000, 2000] b | new b | expired a",
            "1500 acked b",
        ],
    );
}

#[test]
fn the_slowest_of_several_streams_sets_the_watermark() {
    check(
        |bolt| bolt.tumbling(secs(10)).timestamp_field("ts"),
        &["a@100:5000 b@200:30000", "c@3100:6000 d@5100:12000"],
        &["6000 (0, 10000] a c | new a c | expired -", "6000 acked a c"],
    );
}

#[test]
fn a_stream_that_never_speaks_holds_all_windows_back() {
    check(
        |bolt| bolt.tumbling(secs(10)).timestamp_field("ts"),
        &["a@100:5000 b@200:30000", "c@3100:60000", ""],
        &[],
    );
}

#[test]
fn late_tuples_go_to_their_stream_and_are_acked_with_what_becomes_of_them_there() {
    let journal = Journal::default();
    let letters = "a@100:9000 late@1100:8999 on-time@1200:9000 x-late@2300:1";
    let mut builder = builder(
        |bolt| bolt.tumbling(secs(10)).timestamp_field("ts").late_tuples_on("late"),
        &[letters],
        &journal,
    );
    let sink = journal.clone();
    builder.bolt("sink", move || Sink(sink.clone())).shuffle(("report", "late"));
    let (_cluster, running) = run(&builder, secs(20));
    journal.check(&[
        "1100 received late of letters",
        "1100 acked late",
        "2300 received x-late of letters",
        "2300 failed x-late",
    ]);
    assert_eq!(running.metrics()[&("report".into(), LATE_TUPLES_METRIC.to_owned())], 2);
}

#[test]
fn late_tuples_without_a_stream_are_counted_and_acked() {
    let journal = Journal::default();
    let windows: Windows = |bolt| bolt.tumbling(secs(10)).timestamp_field("ts");
    let (_cluster, running) = run(&builder(windows, &["a@100:9000 b@1100:1"], &journal), secs(20));
    journal.check(&["1100 acked b"]);
    assert_eq!(running.metrics()[&("report".into(), LATE_TUPLES_METRIC.to_owned())], 1);
}

#[test]
fn a_tuple_without_a_readable_time_fails_alone() {
    let journal = Journal::default();
    let windows: Windows = |bolt| {
        bolt.tumbling_count(1).timestamp(|tuple| match tuple.i64("ts")? {
            13 => Err("no such time".into()),
            ts => Ok(ts),
        })
    };
    let letters = "a@100:500 b@200:13 c@300:700";
    let (_cluster, running) = run(&builder(windows, &[letters], &journal), secs(20));
    journal.check(&[
        "200 failed b",
        "1000 to 500 a | new a | expired -",
        "1000 to 700 c | new c | expired a",
        "1000 acked a",
    ]);
    assert_eq!(running.errors()[0].message, "no such time");
}

#[test]
fn a_panic_over_a_tuples_time_fails_what_is_held_with_it() {
    let journal = Journal::default();
    let windows: Windows = |bolt| {
        bolt.tumbling_count(9).timestamp(|tuple| {
            let ts = tuple.i64("ts")?;
            assert_ne!(ts, 13, "an unlucky time");
            Ok(ts)
        })
    };
    let (_cluster, running) = run(&builder(windows, &["a@100:500 b@200:13"], &journal), secs(20));
    journal.check(&["200 failed a b"]);
    assert_eq!(running.stats().component("report").next().unwrap().restarts, 1);
}

#[test]
fn keys_configure_windows_and_calls_win_over_them() {
    let journal = Journal::default();
    let mut builder = builder(|bolt| bolt.slide(secs(2)), &["a@100:1500 b@200:2600"], &journal);
    builder.conf("topology.bolts.window.length.duration.ms", 1_000);
    builder.conf("topology.bolts.window.sliding.interval.count", 100);
    builder.conf("topology.bolts.tuple.timestamp.field.name", "ts");
    builder.conf("topology.bolts.tuple.timestamp.max.lag.ms", 500);
    builder.conf("topology.bolts.watermark.event.interval.ms", 250);
    let (_cluster, running) = run(&builder, secs(20));
    journal.check(&["250 (1000, 2000] a | new a | expired -", "250 acked a b"]);
    assert!(running.errors().is_empty());
}

/// Answers why the windowed bolt could not be prepared.
fn refusal(windows: Windows, conf: &[(&str, serde_json::Value)]) -> String {
    let journal = Journal::default();
    let mut builder = builder(windows, &["a@100"], &journal);
    for (key, value) in conf {
        builder.conf(key, value.clone());
    }
    let (_cluster, running) = run(&builder, secs(1));
    journal.check(&[]);
    let message = running.errors().first().expect("a refusal").message.clone();
    message.strip_prefix("cannot prepare: ").expect("told by prepare").to_owned()
}

#[test]
fn a_window_that_cannot_be_is_refused_with_the_way_out() {
    assert_eq!(
        refusal(|bolt| bolt, &[]),
        "the window has no length: call length or length_count, or set \
         topology.bolts.window.length.duration.ms or topology.bolts.window.length.count"
    );
    assert_eq!(
        refusal(
            |bolt| bolt,
            &[
                ("topology.bolts.window.length.duration.ms", 5.into()),
                ("topology.bolts.window.length.count", 5.into()),
            ]
        ),
        "the window length is configured both as topology.bolts.window.length.count and as \
         topology.bolts.window.length.duration.ms: set one of them"
    );
    assert_eq!(
        refusal(|bolt| bolt.length(secs(25)).slide(secs(10)), &[]),
        "the window holds a tuple for up to 35s but tuples time out after 30s: raise \
         topology.message.timeout.secs or shorten the window"
    );
    assert_eq!(
        refusal(|bolt| bolt.tumbling_count(10), &[("topology.max.spout.pending", 19.into())]),
        "the window holds up to 20 tuples but a spout task may have only 19 pending: raise \
         topology.max.spout.pending or shrink the window"
    );
    assert_eq!(
        refusal(|bolt| bolt.tumbling(Duration::from_micros(1_500)), &[]),
        "the window length 1.5ms has a fraction of a millisecond: give whole milliseconds"
    );
    assert_eq!(
        refusal(|bolt| bolt.tumbling_count(1).late_tuples_on("late"), &[]),
        "late tuples are to go to stream late, but windows over processing time know none: name \
         the field with the tuples' own time, or leave the stream out"
    );
    assert_eq!(
        refusal(
            |bolt| bolt.tumbling_count(1).timestamp_field("ts"),
            &[("topology.bolts.late.tuple.stream", "late".into())]
        ),
        "late tuples are to go to stream late, which the bolt does not declare: declare it with \
         the field late_tuple, or name it by late_tuples_on, which does so"
    );
}

#[test]
fn what_the_keys_cannot_hold_is_refused_when_the_topology_is_built() {
    let journal = Journal::default();
    let refused = |windows: Windows| builder(windows, &["a@100"], &journal).build().unwrap_err();
    let told = refused(|bolt| bolt.tumbling_count(0)).to_string();
    assert!(told.contains("topology.bolts.window.length.count"), "{told}");
    let told = refused(|bolt| {
        let bolt = bolt.tumbling_count(1).timestamp_field("ts");
        bolt.watermark_every(Duration::from_micros(999))
    });
    assert!(told.to_string().contains("topology.bolts.watermark.event.interval.ms"), "{told}");
}

#[test]
fn without_timeouts_a_window_may_be_as_long_as_it_likes() {
    let journal = Journal::default();
    let mut builder = builder(|bolt| bolt.tumbling(secs(100)), &["a@100"], &journal);
    builder.conf("topology.enable.message.timeouts", false);
    let (_cluster, _running) = run(&builder, secs(100));
    journal.check(&["100000 (-1, 99999] a | new a | expired -", "100000 acked a"]);
}

#[test]
fn a_tuple_that_times_out_in_its_window_stays_in_it_and_its_ack_is_late() {
    let journal = Journal::default();
    let builder = builder(|bolt| bolt.tumbling_count(2), &["a@0 b@70000"], &journal);
    let (_cluster, running) = run(&builder, secs(80));
    let mut lines = journal.0.lock().unwrap().clone();
    let failed = lines.remove(0);
    assert!(failed.ends_with("failed a"), "{failed}");
    assert_eq!(lines, ["70000 to 70000 a b | new a b | expired -", "70000 acked b"]);
    assert_eq!(running.stats().failed("letters"), 1);
}

#[test]
fn emissions_are_anchored_to_every_tuple_of_their_window() {
    let journal = Journal::default();
    let letters = "a@100 b@200 c@300 x@400 d@500";
    let mut builder = builder(|bolt| bolt.length_count(3).slide_count(2), &[letters], &journal);
    let sink = journal.clone();
    builder.bolt("sink", move || Sink(sink.clone())).shuffle("report");
    let (_cluster, running) = run(&builder, secs(20));
    journal.check(&[
        "200 to 200 a b | new a b | expired -",
        "200 received a b",
        "200 acked a",
        "400 to 400 b c x | new c x | expired a",
        "400 received b c x",
        "400 failed b c x",
    ]);
    assert_eq!(running.stats().pending(), 1);
}

#[test]
fn a_window_whose_bolt_fails_fails_all_its_tuples_and_starts_anew() {
    let journal = Journal::default();
    let letters = "a@100 b@200 c!@300 d@400 e@500 f@600";
    let mut builder = builder(|bolt| bolt.length_count(3).slide_count(1), &[letters], &journal);
    let sink = journal.clone();
    builder.bolt("sink", move || Sink(sink.clone())).shuffle("report");
    let (_cluster, running) = run(&builder, secs(20));
    journal.check(&[
        "100 to 100 a | new a | expired -",
        "100 received a",
        "200 to 200 a b | new b | expired -",
        "200 received a b",
        "300 to 300 a b c! | new c! | expired -",
        "300 failed a b c!",
        "400 to 400 d | new d | expired -",
        "400 received d",
        "500 to 500 d e | new e | expired -",
        "500 received d e",
        "600 to 600 d e f | new f | expired -",
        "600 received d e f",
        "600 acked d",
    ]);
    assert_eq!(running.errors()[0].message, "poisoned");
    assert_eq!(running.stats().component("report").next().unwrap().dropped, 0);
}

#[test]
fn an_emission_that_was_not_declared_fails_the_window_too() {
    let journal = Journal::default();
    let windows: Windows = |bolt| bolt.tumbling_count(2);
    let (_cluster, running) = run(&builder(windows, &["a@100 b?@200"], &journal), secs(20));
    journal.check(&["200 to 200 a b? | new a b? | expired -", "200 failed a b?"]);
    assert!(running.errors()[0].message.contains("stream nowhere"));
}

/// With its tuples sent again, what a failed call had is processed after all, and only that.
#[track_caller]
fn check_replay(windows: Windows, letters: &str, expected: &[&str], restarts: u64) {
    let journal = Journal::default();
    let mut builder = builder(windows, &[], &journal);
    let (text, journal_of_spout) = (letters.to_owned(), journal.clone());
    builder.spout("letters", move || Letters {
        replays: true,
        ..Letters::parse(&text, &journal_of_spout)
    });
    let report = journal.clone();
    builder
        .bolt("replayed", move || windows(Windowed::new(Report(report.clone()))))
        .shuffle("letters");
    let (_cluster, running) = run(&builder, secs(20));
    journal.check(expected);
    let stats = running.stats();
    let executor = stats.component("replayed").next().unwrap();
    assert_eq!((executor.restarts, executor.dropped, executor.errors), (restarts, 0, 1));
    assert_eq!((stats.pending(), stats.component("letters").next().unwrap().late), (0, 0));
}

#[test]
fn replayed_tuples_are_not_late_after_a_failed_window_over_event_time() {
    check_replay(
        |bolt| bolt.tumbling(secs(10)).timestamp_field("ts"),
        "a@100:5000 b!@200:6000 c@300:10000",
        &[
            "1000 (0, 10000] a b! c | new a b! c | expired -",
            "1000 failed a b! c",
            "2000 (0, 10000] a b c | new a b c | expired -",
            "2000 acked a b c",
        ],
        0,
    );
}

#[test]
fn a_panic_fails_the_window_at_once_and_a_new_instance_goes_on() {
    check_replay(
        |bolt| bolt.tumbling_count(2),
        "a@100 b#@200",
        &[
            "200 to 200 a b# | new a b# | expired -",
            "200 failed a b#",
            "210 to 210 b a | new b a | expired -",
            "210 acked a b",
        ],
        1,
    );
}

#[test]
fn a_panic_while_the_time_is_served_fails_the_window_at_once_too() {
    check_replay(
        |bolt| bolt.tumbling(secs(1)),
        "a@100 b#@200",
        &[
            "1000 (-1, 999] a b# | new a b# | expired -",
            "1000 failed a b#",
            "2010 (1009, 2009] a b | new a b | expired -",
            "2010 acked a b",
        ],
        1,
    );
}

#[test]
fn ticks_are_in_no_window() {
    let journal = Journal::default();
    let mut builder = builder(|bolt| bolt.tumbling_count(2), &["a@500 b@2500"], &journal);
    builder.conf("topology.tick.tuple.freq.secs", 1);
    let (_cluster, _running) = run(&builder, secs(20));
    journal.check(&["2500 to 2500 a b | new a b | expired -", "2500 acked a b"]);
}

#[test]
fn tasks_of_one_executor_keep_windows_and_times_apart() {
    let journal = Journal::default();
    let mut builder = TopologyBuilder::new();
    let (letters, report) = (journal.clone(), journal.clone());
    builder.spout("letters", move || Letters::parse("a@100 b@1200 c@1300", &letters));
    builder
        .bolt("report", move || {
            Windowed::new(Report(report.clone())).length(secs(2)).slide_count(1)
        })
        .tasks(2)
        .parallelism(1)
        .fields("letters", ["name"]);
    let (_cluster, running) = run(&builder, secs(20));
    assert_eq!(running.stats().executed("report"), 3);
    let lines = journal.0.lock().unwrap().clone();
    let acked: Vec<&String> = lines.iter().filter(|line| line.contains("acked")).collect();
    assert_eq!(acked, ["2100 acked a", "3200 acked b", "3300 acked c"]);
}

#[test]
fn more_windows_at_once_than_a_block_of_emissions_come_in_several_turns() {
    let journal = Journal::default();
    let windows: Windows = |bolt| bolt.tumbling(secs(1)).timestamp_field("ts");
    let letters: Vec<String> = (1..=1_000).map(|at| format!("n@100:{at}000")).collect();
    let mut builder = builder(windows, &[&letters.join(" ")], &journal);
    let sink = journal.clone();
    builder.bolt("sink", move || Sink(sink.clone())).shuffle("report");
    let (_cluster, running) = run(&builder, secs(20));
    let stats = running.stats();
    assert_eq!((stats.emitted("report"), stats.executed("sink")), (1_000, 1_000));
    assert_eq!((stats.acked("letters"), stats.pending()), (1_000, 0));
}

#[test]
fn a_completed_topology_has_had_its_windows_of_time() {
    let journal = Journal::default();
    let builder = builder(|bolt| bolt.tumbling(secs(1)), &[""], &journal);
    let sources = MockSources::new().tuples("letters", [("a", 1_i64), ("b", 2)]);
    let completed = complete_topology(&builder.build().unwrap(), &sources).unwrap();
    assert_eq!(completed.tuples("report"), [[Value::from("a b")]]);
    assert_eq!(completed.stats.acked("letters"), 2);
}

#[test]
fn on_the_hosts_clock_windows_of_processing_time_lie_in_calendar_time() {
    struct Ends(Arc<Mutex<Vec<i64>>>);

    impl WindowBolt for Ends {
        fn execute(&mut self, window: &Window<'_>, _out: &mut WindowCollector<'_>) -> Result {
            self.0.lock().unwrap().push(window.end_ms());
            Ok(())
        }
    }

    let (before_ms, ends_ms) = (unix_time_ms(), Arc::<Mutex<Vec<i64>>>::default());
    let mut builder = TopologyBuilder::new();
    builder.spout("letters", || Letters::parse("a@0", &Journal::default()));
    let ends = ends_ms.clone();
    let bolt = move || Windowed::new(Ends(ends.clone())).tumbling(Duration::from_millis(5));
    builder.bolt("ends", bolt).shuffle("letters");
    let cluster = LocalCluster::new();
    let running = cluster.submit("windows", &builder.build().unwrap()).unwrap();
    assert!(running.wait_until(secs(10), |stats| stats.acked("letters") == 1));
    let end_ms = ends_ms.lock().unwrap()[0];
    assert!((before_ms as i64..=unix_time_ms() as i64).contains(&end_ms), "{end_ms}");
}
