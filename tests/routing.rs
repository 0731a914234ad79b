//! Keys go to the tasks to which a running Apache Storm sent them.
//!
//! The recorded rows are in `tests/fixtures/storm`, or in `$FIXTURES_DIR/storm` if that is set.

use std::io::{self, Write};

use serde_json::Value as Json;
use storm_runtime::grouping::java;
use storm_runtime::grouping::partial_key::PartialKey;
use storm_runtime::tuple::ValueRef;

mod support {
    pub mod base64;
    pub mod fixtures;
    pub mod typed_value;
}

use support::{fixtures, typed_value};

#[test]
fn fields_grouping_chooses_the_task_that_storm_chose() {
    let rows = fixtures::json_lines("storm", "fields-grouping.jsonl");
    let (mut choices, mut disagreements) = (0, Vec::new());
    for (place, row) in &rows {
        let key = array(&row["key"], place);
        let values: Vec<_> = key.iter().map(|value| typed_value::parse(value, place)).collect();
        let selected: Vec<_> = (0..values.len()).collect();
        let hash = java::hash_values(&values, &selected);
        let task_index = row["task_index"].as_object();
        let task_index = task_index.unwrap_or_else(|| panic!("{place} has no task_index"));
        assert!(!task_index.is_empty(), "{place} has an empty task_index");
        for (tasks, expected) in task_index {
            let tasks = tasks.parse().unwrap_or_else(|_| panic!("{place}: {tasks} tasks"));
            let chosen = java::choose_task_index(hash, tasks);
            if chosen as u64 != number(expected, place) {
                disagreements
                    .push(format!("{place}: {values:?} of {tasks}: {expected}, not {chosen}"));
            }
            choices += 1;
        }
    }
    report("fields grouping", rows.len(), choices, &disagreements);
}

#[test]
fn partial_key_grouping_chooses_the_tasks_that_storm_chose() {
    let rows = fixtures::json_lines("storm", "partial-key-grouping.jsonl");
    let (mut choices, mut disagreements) = (0, Vec::new());
    for (place, row) in &rows {
        let tasks = number(&row["tasks"], place) as usize;
        let first_task_id = number(&row["first_task_id"], place);
        let emits = array(&row["emits"], place);
        assert!(!emits.is_empty(), "{place} has no emits");
        let mut chooser = PartialKey::new(tasks, None);
        for (i, emit) in emits.iter().enumerate() {
            let [key, expected] = array(emit, place) else {
                panic!("{place}: emit {i} is not a key and a task id: {emit}");
            };
            let key = typed_value::parse(key, place);
            let chosen = chooser.choose(std::slice::from_ref(&key)).expect("there is a key");
            let chosen = first_task_id + chosen as u64;
            if chosen != number(expected, place) {
                disagreements.push(format!(
                    "{place}: emit {i}, {key:?} of {tasks}: {expected}, not {chosen}"
                ));
            }
            choices += 1;
        }
    }
    report("partial-key grouping", rows.len(), choices, &disagreements);
}

#[test]
fn doubles_have_the_text_that_storms_java_gave_them() {
    let rows = fixtures::json_lines("storm", "fields-grouping.jsonl");
    let (mut texts, mut disagreements) = (0, Vec::new());
    for (place, row) in &rows {
        for recorded in array(&row["key"], place) {
            if let ValueRef::F64(number) = typed_value::parse(recorded, place).view() {
                let mut text = String::new();
                java::double_text(number, &mut text);
                if recorded["value"] != text {
                    disagreements.push(format!("{place}: {recorded}, not {text}"));
                }
                texts += 1;
            }
        }
    }
    report("texts of doubles", rows.len(), texts, &disagreements);
}

/// Fails on any disagreement, else says on the terminal what was checked, captured or not.
#[track_caller]
fn report(what: &str, rows: usize, checks: usize, disagreements: &[String]) {
    assert!(
        disagreements.is_empty(),
        "{what}: {} of {checks} checks in {rows} rows disagree with Storm:\n{}",
        disagreements.len(),
        disagreements.join("\n")
    );
    writeln!(io::stderr(), "{what}: {rows} rows, {checks} checks, all agree with Storm")
        .expect("standard error takes a line");
}

fn array<'a>(json: &'a Json, place: &str) -> &'a [Json] {
    json.as_array().unwrap_or_else(|| panic!("{place}: not an array: {json}"))
}

fn number(json: &Json, place: &str) -> u64 {
    json.as_u64().unwrap_or_else(|| panic!("{place}: not a count or id: {json}"))
}
