//! What files say, and what comes of them: cases as text, fuzzing, and bounds.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value as Json;

use super::{Filter, Flux, FluxOptions};
use crate::bolt::{BasicBolt, BasicCollector};
use crate::component::{Declarer, Result};
use crate::conf::Conf;
use crate::spout::{Next, Spout, SpoutCollector};
use crate::text_cases;
use crate::topology::{Register, Topology};
use crate::tuple::TupleRef;

/// Declares a field that is its arguments, so that they are seen.
struct Shown(String);

impl BasicBolt for Shown {
    fn declare(&self, declare: &mut Declarer) {
        declare.output([self.0.as_str()]);
    }

    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        Ok(())
    }
}

struct Numbers;

impl Spout for Numbers {
    fn declare(&self, declare: &mut Declarer) {
        declare.output(["number"]).direct("by-task", ["number"]);
    }

    fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
        Ok(Next::Finished)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read by being shown")]
struct Window {
    seconds: f64,
    #[serde(default)]
    label: String,
}

fn register() -> Register {
    let mut register = crate::builtin::register();
    register.add("numbers", |(): ()| Numbers);
    register.add("any", |args: Json| Shown(args.to_string()));
    register.add("window", |args: Window| Shown(format!("{args:?}")));
    register.add("path", |args: String| Shown(args));
    register.add("pair", |args: (String, i64)| Shown(format!("{args:?}")));
    register
}

/// Reads files that are parted by lines `=== name`, the first of which is `topology.yaml`; lines that
/// begin with `--` are options.
fn read(lines: &[&str]) -> (tempfile::TempDir, Result<(Flux, Topology), super::FluxErrors>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut options = FluxOptions::default();
    let mut files = vec![("topology.yaml".to_owned(), String::new())];
    for line in lines {
        if let Some(set) = line.strip_prefix("--set ") {
            let (name, value) = set.split_once('=').expect("a name and a value");
            options.filter.properties.insert(name.to_owned(), value.to_owned());
        } else if let Some(set) = line.strip_prefix("--env ") {
            let (name, value) = set.split_once('=').expect("a name and a value");
            let environment = options.filter.environment.get_or_insert_default();
            environment.insert(name.to_owned(), value.to_owned());
        } else if let Some(name) = line.strip_prefix("=== ") {
            files.push((name.to_owned(), String::new()));
        } else {
            let (_, text) = files.last_mut().expect("there is one");
            text.push_str(line);
            text.push('\n');
        }
    }
    for (name, text) in &files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }
    let read = Flux::read(&folder.path().join("topology.yaml"), &options);
    let built = read.and_then(|flux| {
        let topology = flux.build(&register(), &Conf::new())?;
        Ok((flux, topology))
    });
    (folder, built)
}

/// What comes of a case.
fn told(lines: &[&str]) -> String {
    let (folder, read) = read(lines);
    let text = match read {
        Ok((flux, topology)) => {
            let mut text = format!("{}\n", flux.name());
            for remark in flux.remarks() {
                text += &format!("remark {remark}\n");
            }
            for (key, value) in topology.conf().as_map() {
                text += &format!("conf {key} = {value}\n");
            }
            for component in topology.components().values() {
                for (key, value) in topology.own_conf(component) {
                    text += &format!("conf of {} {key} = {value}\n", component.id);
                }
            }
            let lines = topology.to_string();
            let lines = lines.lines().filter(|line| !line.starts_with("acker"));
            text + &lines.collect::<Vec<_>>().join("\n")
        }
        Err(errors) => errors.to_string(),
    };
    text.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn files_say_what_the_cases_show() {
    text_cases::check("flux.txt", include_str!("../../tests/data/flux.txt"), told);
}

#[test]
fn mistakes_are_told_with_their_place_and_what_was_meant() {
    let text = include_str!("../../tests/data/flux_mistakes.txt");
    text_cases::check("flux_mistakes.txt", text, told);
}

#[test]
fn a_file_that_is_too_large_or_no_text_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("large.yaml");
    std::fs::write(&path, vec![b'#'; super::load::MAX_BYTES + 1]).expect("it can be written");
    let options = FluxOptions::default();
    let told = Flux::read(&path, &options).expect_err("too large").to_string();
    assert!(
        told.ends_with("large.yaml has more than 1048576 bytes, which no topology needs"),
        "{told}"
    );
    std::fs::write(&path, b"name: \xff").expect("it can be written");
    assert!(
        Flux::read(&path, &options).expect_err("no text").to_string().ends_with("is not UTF-8")
    );
    let nowhere = Flux::read(&folder.path().join("no.yaml"), &options).expect_err("nowhere");
    assert!(nowhere.to_string().contains("no.yaml cannot be read: No such file"), "{nowhere}");
}

#[test]
fn references_that_multiply_are_refused_before_they_fill_the_memory() {
    let mut text = "name: laughs\ncomponents:\n  - {id: c0, className: x, constructorArgs: [[1, 2, 3, 4, 5]]}\n".to_owned();
    for level in 1..30 {
        let refs = format!("{{ref: c{}}}", level - 1);
        let refs = vec![refs; 8].join(", ");
        text += &format!("  - {{id: c{level}, className: x, constructorArgs: [{refs}]}}\n");
    }
    text += "spouts:\n  - {id: s, className: numbers}\n";
    let flux = Flux::parse(Path::new("t.yaml"), text, &FluxOptions::default()).expect("it is Flux");
    let told = flux.build(&register(), &Conf::new()).expect_err("too much").to_string();
    assert!(told.contains("references repeat components more than"), "{told}");
}

#[test]
fn the_filter_and_the_environment_are_not_read_where_they_are_not_given() {
    assert!(Filter::default().environment.is_none());
}

/// A small generator of numbers, so that what fails is found again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Bytes that mean something in YAML or in Flux.
const PIECES: [&str; 24] = [
    "{", "}", "[", "]", ":", ": ", "- ", "\n", "  ", "&a ", "*a", "<<: *a\n", "'", "\"", "|", ">",
    "#", "!!int ", "ref: x", "null", "-1", "${x}", "\u{0}", "é",
];

#[test]
fn whatever_stands_in_a_file_is_built_or_refused_with_words() {
    let cases = [
        include_str!("../../tests/data/flux.txt"),
        include_str!("../../tests/data/flux_mistakes.txt"),
    ];
    let seeds: Vec<String> = cases
        .iter()
        .flat_map(|text| text.split("\n\n"))
        .map(|case| case.split("\n----").next().unwrap_or_default())
        .map(|case| {
            case.lines().filter(|line| !line.starts_with(['#', '='])).collect::<Vec<_>>().join("\n")
        })
        .collect();
    let register = register();
    let (mut random, mut built) = (Random(7), 0);
    for round in 0..3_000 {
        let mut text = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(4) {
            let at = (0..=random.below(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at));
            let at = at.unwrap_or(0);
            match random.below(3) {
                0 => text.insert_str(at, PIECES[random.below(PIECES.len())]),
                1 => {
                    let end = text[at..]
                        .char_indices()
                        .nth(random.below(8))
                        .map_or(text.len(), |(i, _)| at + i);
                    text.replace_range(at..end, "");
                }
                _ => {
                    let line = text.lines().nth(random.below(20)).unwrap_or_default().to_owned();
                    text.insert_str(at, &format!("\n{line}\n"));
                }
            }
        }
        let read = Flux::parse(Path::new("fuzz.yaml"), text.clone(), &FluxOptions::default());
        match read.and_then(|flux| flux.build(&register, &Conf::new())) {
            Ok(_) => built += 1,
            Err(errors) => assert!(!errors.to_string().is_empty(), "round {round}: {text}"),
        }
    }
    assert!(built > 0, "some are still topologies");
}
