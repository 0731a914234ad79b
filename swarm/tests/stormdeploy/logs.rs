//! `logs`: merged, filtered, followed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::support::{Place, end};

fn place() -> Place {
    let place = Place::new();
    place.write("state/logs/nimbus.log.1", "2026-01-01T00:00:01Z one\n");
    place.write("state/logs/nimbus.log", "2026-01-01T00:00:03Z three ERROR\n  at a place\n");
    place.write("state/logs/supervisor-0.log", "2026-01-01T00:00:02Z two\n");
    let worker = "state/logs/workers-artifacts/wc-1-1700000000/6700/worker.log";
    place.write(worker, "2026-01-01T00:00:04Z four ERROR\n");
    place
}

#[track_caller]
fn check(args: &[&str], expected: &str) {
    let shown = place().run(args);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(shown.stdout, expected);
}

#[test]
fn one_log_is_shown_with_what_was_rotated_away() {
    let lines = "2026-01-01T00:00:01Z one\n2026-01-01T00:00:03Z three ERROR\n  at a place\n";
    check(&["logs", "nimbus"], lines);
    check(&["logs", "wc"], "2026-01-01T00:00:04Z four ERROR\n");
}

#[test]
fn all_logs_are_merged_by_time_with_a_prefix() {
    check(
        &["logs", "--all"],
        "nimbus               | 2026-01-01T00:00:01Z one\n\
         supervisor-0         | 2026-01-01T00:00:02Z two\n\
         nimbus               | 2026-01-01T00:00:03Z three ERROR\n\
         nimbus               |   at a place\n\
         wc-1-1700000000:6700 | 2026-01-01T00:00:04Z four ERROR\n",
    );
}

#[test]
fn lines_are_chosen_by_expression_and_by_age() {
    check(
        &["logs", "nimbus", "--grep", "ERR|one"],
        "2026-01-01T00:00:01Z one\n2026-01-01T00:00:03Z three ERROR\n",
    );
    check(&["logs", "nimbus", "--since", "1ms"], "");
    check(
        &["logs", "wc", "--json"],
        "{\"line\":\"2026-01-01T00:00:04Z four ERROR\",\"source\":\"wc-1-1700000000:6700\",\
         \"time\":\"2026-01-01T00:00:04.000000Z\"}\n",
    );
}

#[test]
fn what_has_no_log_is_told_with_what_has() {
    let place = place();
    let (error, hint) = place.run(&["logs", "nimbsu"]).error();
    assert!(error.starts_with("there is no log of nimbsu in "), "{error}");
    assert_eq!(hint, "did you mean nimbus?");
    let (_, hint) = place.run(&["logs", "something-else"]).error();
    assert_eq!(hint, "there are logs of nimbus, supervisor-0, wc-1-1700000000");
    let refused = place.run(&["logs", "nimbus", "--grep", "("]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.error().0.starts_with("--grep (: "), "{}", refused.stderr);
}

#[test]
fn following_shows_new_lines_across_rotation_until_time_is_over() {
    let place = place();
    let mut command = place.command(&["logs", "nimbus", "--follow", "--timeout", "60s"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut next = || lines.next().expect("a line follows").expect("it can be read");
    for _ in 0..3 {
        next();
    }
    let log = place.path("state/logs/nimbus.log");
    let append = |text: &str| {
        let file = fs::File::options().append(true).create(true).open(&log);
        file.and_then(|mut file| file.write_all(text.as_bytes())).expect("it can be written");
    };
    append("four\n");
    assert_eq!(next(), "nimbus | four");
    append("fi");
    append("ve\n");
    let rotated = |number: u32| place.path(&format!("state/logs/nimbus.log.{number}"));
    fs::rename(rotated(1), rotated(2)).unwrap();
    fs::rename(&log, rotated(1)).unwrap();
    append("six\n");
    assert_eq!(next(), "nimbus | five");
    assert_eq!(next(), "nimbus | six");
    end(child);
    let over = place.run(&["logs", "nimbus", "--follow", "--timeout", "200ms"]);
    assert_eq!(over.code, Some(0), "the time that was given is over, and that is no failure");
}
