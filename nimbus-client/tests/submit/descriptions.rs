//! What topology binaries say of themselves.

use nimbus_client::submit::{Described, DescribedError, Submission, SubmitError};
use serde_json::{Value, json};

fn description() -> Value {
    json!({
        "format": 1,
        "name": "words",
        "conf": {"topology.workers": 2},
        // A StormTopology of three empty maps.
        "topology_thrift_base64": "DQABCwwAAAAADQACCwwAAAAADQADCwwAAAAAAA==",
        "unregistered": [],
        "target": "x86_64-linux-gnu",
        "runtime": "0.1.0",
    })
}

fn parse(description: &Value) -> Result<Described, DescribedError> {
    Described::parse(description.to_string().as_bytes())
}

#[test]
fn a_description_is_read() {
    let described = parse(&description()).expect("it is one");
    assert_eq!((described.name.as_str(), described.target.as_str()), ("words", "x86_64-linux-gnu"));
    assert_eq!(described.conf["topology.workers"], 2);
    assert!(described.topology.as_ref().expect("it is there").spouts.is_empty());
    let submission = Submission::of(described).expect("it can be submitted");
    assert!(submission.active);
    assert_eq!(submission.name.as_str(), "words");
}

#[test]
fn more_keys_than_are_known_are_no_error() {
    let mut more = description();
    more["hint"] = json!("none");
    parse(&more).expect("a newer runtime may say more");
}

#[track_caller]
fn check(key: &str, value: Value, told: &str) {
    let mut wrong = description();
    wrong[key] = value;
    let error = parse(&wrong).expect_err(key).to_string();
    assert!(error.contains(told), "{error}");
}

#[test]
fn what_is_wrong_is_told_by_its_key() {
    check("format", json!(2), "has format 2, and this program knows 1: update it");
    for key in ["format", "name", "conf", "topology_thrift_base64", "unregistered", "target"] {
        check(key, json!(true), &format!("has no proper {key:?}"));
    }
    check("topology_thrift_base64", json!("!"), "has no proper");
    check("topology_thrift_base64", json!("AAAA"), "StormTopology.spouts");
    let error = Described::parse(b"usage: words").expect_err("that is no JSON").to_string();
    assert!(error.ends_with("is it a topology binary?"), "{error}");
}

#[test]
fn closures_that_no_register_knows_are_told() {
    let mut closures = description();
    closures["topology_thrift_base64"] = Value::Null;
    closures["unregistered"] = json!(["split is a closure", "count is a closure"]);
    let error = Submission::of(parse(&closures).expect("it is one")).expect_err("it is refused");
    assert!(matches!(error, SubmitError::Unregistered { .. }), "{error:?}");
    let told = error.to_string();
    assert!(told.contains("split is a closure; count is a closure"), "{told}");
}

#[test]
fn a_name_that_storm_refuses_is_told() {
    let mut named = description();
    named["name"] = json!("a/b");
    let error = Submission::of(parse(&named).expect("it is one")).expect_err("it is refused");
    assert!(matches!(error, SubmitError::Name(_)), "{error:?}");
}
