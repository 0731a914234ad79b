//! `config`: layers, warnings, errors.

use serde_json::json;

use crate::support::Place;

#[test]
fn each_value_is_shown_with_the_place_where_it_was_set() {
    let place = Place::new();
    place.write("home/.storm/storm.yaml", "ui.port: 1\n\ndrpc.port: 2\nui.host: here\n");
    let more = place.write("conf/more.yaml", "drpc.port: 3\nui.host: there\n");
    let more = more.to_str().unwrap();
    let config = place.run(&["config", "--json", "--config", more, "-c", "ui.host=now"]).json();
    let yaml = place.path("home/.storm/storm.yaml");
    assert_eq!(
        config,
        json!([
            {"key": "drpc.port", "value": 3, "from": format!("{more}:1")},
            {"key": "ui.host", "value": "now", "from": "-c"},
            {"key": "ui.port", "value": 1, "from": format!("{}:1", yaml.display())},
        ])
    );
}

#[test]
fn a_key_is_explained_with_all_layers_that_set_it() {
    let place = Place::new();
    place.write("conf/storm.yaml", "drpc.port: 2\n");
    let dir = place.path("conf");
    let args = ["config", "drpc.port", "--conf-dir", dir.to_str().unwrap(), "-c", "drpc.port=5"];
    let text = place.run(&args).stdout;
    let expected = format!(
        "drpc.port = 5\n  5  -c\n  2  {}/storm.yaml:1\n  3772  default\n  Port on which a DRPC \
         server serves its clients.\n  accepts a port from 1 to 65535\n",
        dir.display()
    );
    assert_eq!(text, expected);
}

#[test]
fn a_slip_is_warned_about_and_the_command_goes_on() {
    let place = Place::new();
    let config = place.run(&["config", "-c", "nimbus.seds=[\"a\"]"]);
    assert_eq!(config.code, Some(0));
    assert_eq!(
        config.stderr,
        "stormdeploy: warning: -c: nimbus.seds is not a known key: did you mean nimbus.seeds?\n"
    );
    assert!(config.stdout.contains("nimbus.seds"), "{}", config.stdout);
}

#[test]
fn a_value_of_a_wrong_form_is_refused_with_file_line_and_unit() {
    let place = Place::new();
    let file = place.write("conf/c.yaml", "\nnimbus.monitor.freq.secs: often\n");
    let refused = place.run(&["config", "--config", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    let (error, hint) = refused.error();
    let expected = format!(
        "cannot use the configuration: {}:2: nimbus.monitor.freq.secs: found \"often\", accepted \
         is an integer of seconds from 1 to 2147483647",
        file.display()
    );
    assert_eq!(error, expected);
    assert_eq!(hint, "stormdeploy config KEY tells what a key accepts");
}

#[test]
fn a_key_that_nobody_knows_is_told_with_the_nearest() {
    let refused = Place::new().run(&["config", "nimbus.thrift.prt"]);
    assert_eq!(refused.code, Some(2));
    let (error, hint) = refused.error();
    assert_eq!(error, "nimbus.thrift.prt is not a known key, and nothing sets it");
    assert_eq!(hint, "did you mean nimbus.thrift.port?");
}

#[test]
fn secrets_are_not_shown() {
    let place = Place::new();
    let set = "storm.zookeeper.auth.password=tell-nobody";
    for args in [
        &["config", "-c", set][..],
        &["config", "storm.zookeeper.auth.password", "-c", set],
        &["config", "--json", "-c", set],
    ] {
        let shown = place.run(args);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains("****") && !shown.stdout.contains("tell-nobody"));
    }
}

#[test]
fn defaults_are_listed_when_they_are_asked_for() {
    let place = Place::new();
    let none = place.run(&["config"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
    let all = place.run(&["config", "--defaults"]).stdout;
    let line = all.lines().find(|line| line.starts_with("nimbus.thrift.port ")).unwrap();
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["nimbus.thrift.port", "6627", "default"]
    );
}
