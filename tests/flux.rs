//! Topologies in YAML as their users meet them: `stormd run --flux`, `describe --flux`, `--dry-run`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

/// The example that every checkout has.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies/flux/word-count.yaml");

/// Counts the words of a file, and prints each count.
const LINES: &str = "\
name: lines
config: {topology.max.spout.pending: 100}
spouts:
  - {id: lines, className: storm.lines, properties: [{name: file, value: \"${text}\"}]}
bolts:
  - {id: split, className: storm.split, parallelism: 2, properties: [{name: lowerCase, value: true}]}
  - {id: count, className: org.apache.storm.testing.TestWordCounter, parallelism: 2}
  - {id: print, className: storm.print}
streams:
  - {from: lines, to: split, grouping: {type: SHUFFLE}}
  - {from: split, to: count, grouping: {type: FIELDS, args: [word]}}
  - {from: count, to: print, grouping: {type: GLOBAL}}
";

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn stormd(folder: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormd"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env("WHERE", "here");
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program prints UTF-8");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

#[track_caller]
fn done(folder: &Path, args: &[&str]) -> String {
    let said = stormd(folder, args);
    assert_eq!(said.code, Some(0), "{args:?}\n{}\n{}", said.out, said.err);
    said.out
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("lines.yaml"), LINES).expect("it can be written");
    let text = "To be, or not to be:\nthat is the question.\n";
    std::fs::write(folder.path().join("text.txt"), text).expect("it can be written");
    folder
}

#[test]
fn a_file_of_built_in_components_runs_in_process_and_counts_every_word() {
    let folder = folder();
    let args = ["run", "--flux", "lines.yaml", "--set", "text=text.txt"];
    let out = done(folder.path(), &args);
    let mut counts: Vec<&str> = out.lines().take_while(|line| line.contains('\t')).collect();
    counts.sort_unstable();
    let expected = [
        "be\t1",
        "be\t2",
        "is\t1",
        "not\t1",
        "or\t1",
        "question\t1",
        "that\t1",
        "the\t1",
        "to\t1",
        "to\t2",
    ];
    assert_eq!(counts, expected);
    assert!(out.contains("lines ran for"), "{out}");
}

#[test]
fn the_picture_and_its_json_are_printed_instead_of_running() {
    let folder = folder();
    let picture = done(folder.path(), &["run", "--flux", EXAMPLE, "--dry-run", "--width", "60"]);
    assert!(
        picture.starts_with("word-count: 1 spout, 2 bolts, 4 executors, 4 tasks\n"),
        "{picture}"
    );
    assert!(picture.contains("│ fields(word)"), "{picture}");
    let json = done(folder.path(), &["run", "--flux", EXAMPLE, "-d", "--json"]);
    let json: Json = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!((&json["format"], &json["topology"]), (&1.into(), &"word-count".into()));
    assert_eq!(done(folder.path(), &["run", "--flux", EXAMPLE, "-d", "-q"]), "");
}

#[test]
fn what_is_submitted_names_the_built_in_classes_as_storm_does() {
    let folder = folder();
    let text = done(folder.path(), &["describe", "--flux", EXAMPLE, "--format", "submit"]);
    let described = nimbus_client::submit::Described::parse(text.as_bytes()).expect("it is read");
    assert_eq!((described.name.as_str(), &described.unregistered), ("word-count", &Vec::new()));
    let topology = described.topology.expect("it can be submitted");
    let nimbus_client::thrift::ComponentObject::JavaObject(object) =
        &topology.bolts["count"].bolt_object
    else {
        panic!("it is no class");
    };
    assert_eq!(object.full_class_name, "org.apache.storm.testing.TestWordCounter");
}

#[test]
fn a_mistake_is_told_with_file_line_column_and_the_nearest_name() {
    let folder = folder();
    let text = LINES.replace("type: SHUFFLE", "type: SHUFLE");
    std::fs::write(folder.path().join("wrong.yaml"), text).expect("it can be written");
    let said = stormd(folder.path(), &["describe", "--flux", "wrong.yaml"]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    let told = "wrong.yaml:10:47: there is no grouping \"SHUFLE\": it may be SHUFFLE, FIELDS, ALL, \
                GLOBAL, NONE, DIRECT, LOCAL_OR_SHUFFLE, CUSTOM, PARTIAL_KEY; did you mean SHUFFLE?";
    assert!(said.err.contains(told), "{}", said.err);
    assert!(said.err.contains("\n    | "), "the line stands below, with a mark: {}", said.err);
}

#[test]
fn properties_come_from_a_file_single_ones_count_over_them_and_the_environment_is_asked_for() {
    let folder = folder();
    let yaml = "name: ${name}\nconfig: {where: \"${ENV-WHERE}\", text: \"${text}\"}\n\
                spouts:\n  - {id: s, className: org.apache.storm.testing.TestWordSpout}\n";
    std::fs::write(folder.path().join("a.yaml"), yaml).expect("it can be written");
    let properties = "name = of-file\ntext: \\u0041\\\n  B\n";
    std::fs::write(folder.path().join("dev.properties"), properties).expect("it can be written");
    let describe = |more: &[&str]| {
        let args = ["describe", "--flux", "a.yaml", "-f", "dev.properties", "--json"];
        let args: Vec<&str> = args.iter().chain(more).copied().collect();
        let json = done(folder.path(), &args);
        serde_json::from_str::<Json>(&json).expect("it is JSON")
    };
    let one = describe(&[]);
    assert_eq!((&one["topology"], &one["conf"]["text"]), (&"of-file".into(), &"AB".into()));
    assert_eq!(one["conf"]["where"], "${ENV-WHERE}");
    let other = describe(&["--set", "name=set", "-e", "-c", "text=typed"]);
    assert_eq!((&other["topology"], &other["conf"]["where"]), (&"set".into(), &"here".into()));
    assert_eq!(other["conf"]["text"], "typed", "-c counts over the file");
}

/// Each of Storm's test components behind one that it understands, and all of them printed.
const TESTING: &str = "\
name: testing
components:
  - {id: fields, className: org.apache.storm.tuple.Fields, constructorArgs: [[source, event]]}
spouts:
  - {id: events, className: org.apache.storm.testing.TestEventLogSpout, constructorArgs: [5]}
  - {id: keys, className: storm.lines, properties: [{name: file, value: keys.txt}]}
  - {id: lines, className: storm.lines, properties: [{name: file, value: text.txt}]}
bolts:
  - {id: same, className: org.apache.storm.testing.IdentityBolt, constructorArgs: [{ref: fields}], parallelism: 3}
  - {id: order, className: org.apache.storm.testing.TestEventOrderCheckBolt}
  - {id: all, className: org.apache.storm.testing.TestGlobalCount}
  - {id: conf, className: org.apache.storm.testing.TestConfBolt, constructorArgs: [{a.key: [1, x]}]}
  - {id: split, className: storm.split}
  - {id: count, className: org.apache.storm.testing.TestWordCounter}
  - {id: sum, className: org.apache.storm.testing.TestAggregatesCounter}
  - {id: print, className: storm.print}
streams:
  - from: events
    to: same
    grouping:
      type: CUSTOM
      customClass: {className: org.apache.storm.testing.NGrouping, constructorArgs: [1]}
  - {from: same, to: order, grouping: {type: FIELDS, args: [source]}}
  - {from: same, to: all, grouping: {type: GLOBAL}}
  - {from: keys, to: conf, grouping: {type: SHUFFLE}}
  - {from: lines, to: split, grouping: {type: SHUFFLE}}
  - {from: split, to: count, grouping: {type: SHUFFLE}}
  - {from: count, to: sum, grouping: {type: GLOBAL}}
  - {from: order, to: print, grouping: {type: ALL}}
  - {from: all, to: print, grouping: {type: ALL}}
  - {from: conf, to: print, grouping: {type: ALL}}
  - {from: sum, to: print, grouping: {type: ALL}}
";

#[test]
fn storms_test_components_do_what_they_do_there() {
    let folder = folder();
    std::fs::write(folder.path().join("testing.yaml"), TESTING).expect("it can be written");
    std::fs::write(folder.path().join("keys.txt"), "a.key\nno.key\n").expect("it can be written");
    let out = done(folder.path(), &["run", "--flux", "testing.yaml"]);
    let mut lines: Vec<&str> = out.lines().take_while(|line| !line.contains(" ran for ")).collect();
    lines.sort_unstable();
    // Five events in their order, ten words one after another, and two keys.
    let mut expected = vec!["1", "2", "3", "4", "5"];
    expected.extend(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    expected.extend(["a.key\t[1, \"x\"]", "no.key\tnull"]);
    expected.sort_unstable();
    assert_eq!(lines, expected, "{out}");
}

/// Prints the words of a line as a child in Python, in the folder of resources beside the file.
const SPLIT: &str = "\
import storm
class Split(storm.BasicBolt):
    def process(self, tup):
        for word in tup.values[0].split():
            storm.emit([word])
Split().run()
";

#[test]
fn a_child_in_python_runs_in_the_folder_of_resources_beside_the_file() {
    let python = Command::new("python3").arg("--version").output();
    if !python.is_ok_and(|output| output.status.success()) {
        println!("skipped: there is no python3");
        return;
    }
    let folder = folder();
    let resources = folder.path().join("resources");
    std::fs::create_dir(&resources).expect("it can be made");
    std::fs::write(resources.join("split.py"), SPLIT).expect("it can be written");
    let adapter = concat!(env!("CARGO_MANIFEST_DIR"), "/topologies/multilang/python/storm.py");
    std::fs::copy(adapter, resources.join("storm.py")).expect("it can be copied");
    let shell = "className: org.apache.storm.flux.wrappers.bolts.FluxShellBolt, \
                 constructorArgs: [[python3, split.py], [word]]}";
    let split = LINES.lines().find(|line| line.contains("storm.split")).expect("there is one");
    let text = LINES.replace(split, &format!("  - {{id: split, {shell}"));
    std::fs::write(folder.path().join("shell.yaml"), text).expect("it can be written");
    let out = done(folder.path(), &["run", "--flux", "shell.yaml", "--set", "text=text.txt"]);
    let counts = out.lines().take_while(|line| line.contains('\t'));
    assert_eq!(counts.filter(|line| line.starts_with("be")).count(), 2, "{out}");
    let args = ["describe", "--flux", "shell.yaml", "--set", "text=text.txt", "--format", "submit"];
    let described = nimbus_client::submit::Described::parse(done(folder.path(), &args).as_bytes());
    let topology = described.expect("it is read").topology.expect("it can be submitted");
    let object = &topology.bolts["split"].bolt_object;
    assert!(matches!(object, nimbus_client::thrift::ComponentObject::Shell(_)), "as Storm has it");
}

#[test]
fn without_a_file_the_arguments_are_wrong() {
    let folder = folder();
    let said = stormd(folder.path(), &["run"]);
    assert_eq!(said.code, Some(2));
    assert_eq!(
        said.err,
        "stormd: the file of a topology is missing\n\nhint: stormd run --flux FILE\n"
    );
    assert_eq!(stormd(folder.path(), &["run", "--set", "a=b"]).code, Some(2));
    let nowhere = stormd(folder.path(), &["run", "--flux", "nowhere.yaml"]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.err.contains("nowhere.yaml cannot be read: No such file"), "{}", nowhere.err);
}
