//! A conf goes in as pairs, and typed fields, errors or warnings come out.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check(pairs: Value) -> TopologyConf {
    TopologyConf::from_map(pairs.as_object().expect("an object").clone())
        .unwrap_or_else(|errors| panic!("{errors}"))
}

#[track_caller]
fn check_refused(pairs: Value) -> Vec<String> {
    match TopologyConf::from_map(pairs.as_object().expect("an object").clone()) {
        Ok(_) => panic!("{pairs} was accepted"),
        Err(errors) => errors.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn nothing_set_gives_storms_defaults() {
    let conf = TopologyConf::default();
    assert_eq!(conf.workers, 1);
    assert_eq!(conf.acker_executors, 1);
    assert_eq!(conf.message_timeout, Duration::from_secs(30));
    assert_eq!(conf.expiry(), Some(Duration::from_secs(30)));
    assert_eq!(conf.max_spout_pending, None);
    assert_eq!(conf.tick_tuple_freq, None);
    assert_eq!(conf.executor_receive_buffer_tuples, None);
    assert_eq!(conf.producer_batch_tuples, None);
    assert_eq!(conf.worker_threads, None);
    assert_eq!(conf.wait_profile, WaitProfile::Parked);
    assert_eq!(conf.spout_wait.poll, Duration::from_millis(1));
    assert_eq!(conf.component_thread, ComponentThread::Shared);
    assert_eq!(conf.error_throttle_interval, Duration::from_secs(10));
    assert_eq!(conf.max_error_report_per_interval, 5);
    assert_eq!(conf.window.watermark_interval, Duration::from_secs(1));
    assert_eq!(conf.window.max_lag, Duration::ZERO);
    assert!(!conf.debug && !conf.testing_always_try_serialize && !conf.disable_loadaware_messaging);
    assert!(conf.warnings().is_empty());
}

#[test]
fn null_means_not_set() {
    let everything: Conf = keys::TOPOLOGY.iter().map(|key| (key.name, Value::Null)).collect();
    let conf = TopologyConf::try_from(everything).expect("null is accepted everywhere");
    assert_eq!(conf.workers, 1);
    assert_eq!(conf.acker_executors, 1);
    assert_eq!(conf.message_timeout, Duration::from_secs(30));
}

#[test]
fn ackers_follow_workers_until_they_are_set() {
    assert_eq!(check(json!({"topology.workers": 4})).acker_executors, 4);
    let none = check(json!({"topology.workers": 4, "topology.acker.executors": 0}));
    assert_eq!(none.acker_executors, 0);
}

#[test]
fn a_number_may_be_an_integer_a_float_or_a_text() {
    for seven in [json!(7), json!(7.0), json!("7"), json!("7.0")] {
        assert_eq!(check(json!({"topology.max.spout.pending": seven})).max_spout_pending, Some(7));
    }
    let half = check(json!({"topology.spout.wait.progressive.level3.sleep.millis": 0.5}));
    assert_eq!(half.spout_wait.poll, Duration::from_micros(500));
}

#[test]
fn a_value_of_another_kind_is_refused_with_what_is_accepted() {
    for wrong in
        [json!(true), json!("seven"), json!("NaN"), json!("inf"), json!([7]), json!({}), json!(1.5)]
    {
        let errors = check_refused(json!({"topology.workers": wrong}));
        assert_eq!(
            errors,
            [format!(
                "topology.workers: found {wrong}, accepted is an integer from 1 to 2147483647"
            )]
        );
    }
    let errors = check_refused(json!({"topology.debug": "true"}));
    assert_eq!(errors, [r#"topology.debug: found "true", accepted is true or false"#]);
}

#[test]
fn the_bounds_of_a_count_are_those_the_message_tells() {
    let key = "topology.max.spout.pending";
    let edge = i64::from(i32::MAX);
    assert_eq!(check(json!({key: 1})).max_spout_pending, Some(1));
    assert_eq!(check(json!({key: edge})).max_spout_pending, Some(i32::MAX as u32));
    for outside in [0, -1, edge + 1, i64::MAX] {
        let errors = check_refused(json!({key: outside}));
        assert_eq!(
            errors,
            [format!(
                "{key}: found {outside}, which is out of range: accepted is an integer from 1 to {edge}"
            )]
        );
    }
}

#[test]
fn all_errors_are_told_at_once_and_each_once() {
    let errors = check_refused(json!({
        "topology.workers": 0,
        "topology.message.timeout.secs": "soon",
        "topology.stats.sample.rate": 1.5,
        "topology.worker.wait.profile": "lazy",
        "topology.component.thread": "my group",
        "topology.bolt.wait.strategy": "org.example.Mine",
        "topology.name": "",
        "topology.enable.message.timeouts": 1,
    }));
    assert_eq!(errors.len(), 8, "{errors:#?}");
    assert!(errors.iter().any(|error| error.contains("parked, spin-then-park or spin")));
    assert!(
        errors.iter().any(|error| error.contains("WaitStrategyProgressive or WaitStrategyPark"))
    );
}

#[test]
fn every_key_of_the_table_is_checked() {
    for key in keys::TOPOLOGY {
        let errors = check_refused(json!({key.name: {"no": "key takes an object"}}));
        assert_eq!(errors.len(), 1, "{errors:#?}");
        assert!(errors[0].starts_with(key.name), "{errors:#?}");
        assert!(errors[0].contains(&key.kind.accepted()), "{errors:#?}");
    }
}

#[test]
fn a_batch_fills_at_most_half_the_receive_buffer() {
    let buffer = "topology.executor.receive.buffer.size";
    let batch = "topology.producer.batch.size";
    assert_eq!(check(json!({buffer: 64, batch: 32})).producer_batch_tuples, Some(32));
    assert_eq!(check(json!({buffer: 1, batch: 1})).producer_batch_tuples, Some(1));
    let errors = check_refused(json!({buffer: 64, batch: 33}));
    assert_eq!(
        errors,
        ["topology.producer.batch.size: found 33, which is out of range: accepted is at most 32, \
          half of topology.executor.receive.buffer.size = 64"]
    );
}

#[test]
fn timeouts_that_are_switched_off_never_expire() {
    assert_eq!(check(json!({"topology.enable.message.timeouts": false})).expiry(), None);
}

#[test]
fn a_tick_interval_of_zero_is_no_ticks() {
    let key = "topology.tick.tuple.freq.secs";
    assert_eq!(check(json!({key: 0})).tick_tuple_freq, None);
    assert_eq!(check(json!({key: 2})).tick_tuple_freq, Some(Duration::from_secs(2)));
}

#[test]
fn storms_wait_strategies_become_profiles() {
    let progressive = "org.apache.storm.policy.WaitStrategyProgressive";
    for (pairs, profile) in [
        (json!({"topology.bolt.wait.strategy": progressive}), WaitProfile::Parked),
        (json!({"topology.bolt.wait.strategy": "WaitStrategyPark"}), WaitProfile::Parked),
        (
            json!({"topology.bolt.wait.strategy": "WaitStrategyPark", "topology.bolt.wait.park.microsec": 0}),
            WaitProfile::Spin,
        ),
        (json!({"topology.bolt.wait.park.microsec": 0}), WaitProfile::Parked),
        (json!({"topology.bolt.wait.progressive.level1.count": 100}), WaitProfile::SpinThenPark),
        (json!({"topology.bolt.wait.progressive.level2.count": 0}), WaitProfile::Parked),
        (json!({"topology.spout.wait.progressive.level3.sleep.millis": 0}), WaitProfile::Spin),
        (
            json!({"topology.backpressure.wait.progressive.level2.count": 5}),
            WaitProfile::SpinThenPark,
        ),
        (
            json!({"topology.spout.wait.strategy": "org.apache.storm.spout.SleepSpoutWaitStrategy"}),
            WaitProfile::Parked,
        ),
    ] {
        assert_eq!(check(pairs.clone()).wait_profile, profile, "{pairs}");
    }
}

#[test]
fn our_own_profile_wins_over_storms_strategies() {
    let conf = check(json!({
        "topology.worker.wait.profile": "parked",
        "topology.bolt.wait.progressive.level3.sleep.millis": 0,
    }));
    assert_eq!(conf.wait_profile, WaitProfile::Parked);
    assert_eq!(conf.bolt_wait.profile, WaitProfile::Spin);
    assert_eq!(
        check(json!({"topology.worker.wait.profile": "spin"})).wait_profile,
        WaitProfile::Spin
    );
}

#[test]
fn an_idle_spout_is_polled_at_the_pace_of_its_strategy() {
    let park = check(json!({
        "topology.spout.wait.strategy": "WaitStrategyPark",
        "topology.spout.wait.park.microsec": 250,
    }));
    assert_eq!(park.spout_wait.poll, Duration::from_micros(250));
    let sleep = check(json!({"topology.spout.wait.progressive.level3.sleep.millis": 5}));
    assert_eq!(sleep.spout_wait.poll, Duration::from_millis(5));
}

#[test]
fn a_component_names_its_thread() {
    let thread = |word: &str| check(json!({"topology.component.thread": word})).component_thread;
    assert_eq!(thread("shared"), ComponentThread::Shared);
    assert_eq!(thread("own"), ComponentThread::Own);
    assert_eq!(thread("disk-1"), ComponentThread::Group("disk-1".to_owned()));
}

#[test]
fn window_keys_carry_their_units() {
    let window = check(json!({
        "topology.bolts.window.length.duration.ms": 9000,
        "topology.bolts.window.sliding.interval.count": 10,
        "topology.bolts.tuple.timestamp.field.name": "ts",
        "topology.bolts.tuple.timestamp.max.lag.ms": 500,
        "topology.bolts.watermark.event.interval.ms": 100,
        "topology.bolts.late.tuple.stream": "late",
    }))
    .window;
    let expected = WindowConf {
        length_tuples: None,
        length: Some(Duration::from_secs(9)),
        sliding_interval_tuples: Some(10),
        sliding_interval: None,
        timestamp_field: Some("ts".to_owned()),
        max_lag: Duration::from_millis(500),
        watermark_interval: Duration::from_millis(100),
        late_tuple_stream: Some("late".to_owned()),
    };
    assert_eq!(window, expected);
}

#[test]
fn unknown_keys_are_kept_and_slips_are_warned_about() {
    let conf = check(json!({
        "topology.max.spout.pendin": 5,
        "topology.users": ["a"],
        "topology.of.my.own": 1,
        "orders.max": {"deep": [1, 2]},
    }));
    assert_eq!(conf.get("orders.max"), Some(&json!({"deep": [1, 2]})));
    assert_eq!(conf.get("topology.max.spout.pendin"), Some(&json!(5)));
    assert_eq!(conf.get(keys::WORKERS), None);
    let slip = ConfWarning::Misspelt {
        key: "topology.max.spout.pendin".to_owned(),
        nearest: "topology.max.spout.pending",
    };
    assert_eq!(conf.warnings(), std::slice::from_ref(&slip));
    assert_eq!(
        slip.to_string(),
        "topology.max.spout.pendin is not a known key: did you mean topology.max.spout.pending?"
    );
}

#[test]
fn a_components_conf_lies_over_the_topologys() {
    let topology =
        check(json!({"topology.max.spout.pending": 10, "topology.debug": true, "own": 1}));
    let component = json!({
        "topology.max.spout.pending": 3,
        "topology.tick.tuple.freq.secs": 1,
        "topology.message.timeout.secs": 1,
        "topology.max.spout.pendings": 1,
        "own": 2,
    });
    let conf = topology.for_component(component.as_object().unwrap()).expect("usable");
    assert_eq!(conf.max_spout_pending, Some(3));
    assert_eq!(conf.tick_tuple_freq, Some(Duration::from_secs(1)));
    assert!(conf.debug);
    assert_eq!(conf.get("own"), Some(&json!(2)));
    assert_eq!(conf.message_timeout, Duration::from_secs(30));
    assert_eq!(conf.get(keys::MESSAGE_TIMEOUT), None);
    assert_eq!(conf.warnings().len(), 2, "{:?}", conf.warnings());
    assert!(
        conf.warnings()
            .contains(&ConfWarning::NotPerComponent { key: "topology.message.timeout.secs" })
    );
    assert_eq!(topology.max_spout_pending, Some(10));
}

#[test]
fn a_components_wrong_value_is_refused() {
    let component = json!({"topology.tasks": -1, "topology.tick.tuple.freq.secs": "often"});
    let errors = TopologyConf::default().for_component(component.as_object().unwrap());
    assert_eq!(errors.expect_err("both are wrong").0.len(), 2);
}

#[test]
fn a_conf_is_built_by_name_or_by_key_and_the_last_value_counts() {
    let base = Conf::new().set("topology.workers", 1).set(keys::DEBUG, true);
    let over: Conf = [("topology.workers", 3)].into_iter().collect();
    let mut conf = base.overlaid_by(over);
    assert_eq!(conf.get(keys::WORKERS), Some(&json!(3)));
    assert_eq!(conf.insert(keys::WORKERS, 2), Some(json!(3)));
    assert!(!conf.is_empty() && Conf::new().is_empty());
    let parsed = TopologyConf::try_from(conf.clone()).expect("usable");
    assert_eq!((parsed.workers, parsed.debug), (2, true));
    assert_eq!(parsed.as_map(), conf.as_map());
    assert_eq!(Conf::from(conf.clone().into_map()), conf);
}

#[test]
fn the_documentation_shows_the_tables_of_keys() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
    let text = std::fs::read_to_string(path).expect("the page is there");
    let (before, rest) = text.split_once("| key |").expect("the page has the topologies' table");
    let (_, between) = rest.split_once("|\n\n").expect("a text follows the table");
    let (between, _) = between.split_once("| key |").expect("the page has the cluster's table");
    let expected = format!(
        "{before}{}\n{between}{}",
        keys::markdown(keys::TOPOLOGY),
        keys::markdown(keys::CLUSTER)
    );
    #[expect(clippy::disallowed_methods, reason = "a test that can rewrite what it checks")]
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    if update {
        std::fs::write(path, &expected).expect("the page can be written");
    } else {
        assert_eq!(text, expected, "UPDATE=1 rewrites docs/configuration.md");
    }
}
