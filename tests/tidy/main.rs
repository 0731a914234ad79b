//! Holds the sources to what the documentation promises about them.
//!
//! | file | rules |
//! |---|---|
//! | `table.rs` | reads the table of modules in the doc of `src/lib.rs` |
//! | `source.rs` | reads one Rust file: what it uses, its functions, what in it is a test |
//! | `floors.rs` | a module uses lower floors only; the walls around the data plane; `unsafe` |
//! | `sizes.rs` | lines per file and per function; a header on each file |
//! | `words.rs` | words that are not ours |
//! | `tree.rs` | what stands in the repository, links in documents, arrows between packages |
//!
//! Each rule is a function from texts to breaches, tested on small inputs below it, and applied to
//! this repository here.

use std::fmt;
use std::io::Write;

mod floors;
mod sizes;
mod source;
mod table;
mod tree;
mod words;

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
pub struct Breach {
    /// File, and line where there is one.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Breach {
    /// A breach of a whole file.
    pub fn of(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// A breach in a line of a file.
    pub fn at(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self::of(format!("{file}:{line}"), what)
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

#[track_caller]
fn hold(breaches: Vec<Breach>) {
    let lines: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn modules_use_lower_floors_only() {
    let repository = tree::Repository::read();
    let floors = table::Floors::of(&repository);
    hold(floors::upward_uses(&floors, &repository.runtime()));
}

#[test]
fn the_table_of_modules_names_what_is_there() {
    let repository = tree::Repository::read();
    let floors = table::Floors::of(&repository);
    hold(table::differences(&floors, &repository.modules()));
}

#[test]
fn the_walls_stand() {
    let repository = tree::Repository::read();
    let floors = table::Floors::of(&repository);
    hold(floors::broken_walls(&floors, &repository.runtime()));
}

#[test]
fn files_and_functions_are_short() {
    let repository = tree::Repository::read();
    let sources = repository.rust();
    let (breaches, above_aim) = sizes::too_long(&sources, sizes::EXCEPTIONS);
    // Past the test harness, which would swallow what a passing test prints.
    writeln!(std::io::stdout(), "{above_aim}").expect("standard output takes a line");
    hold(breaches);
}

#[test]
fn every_file_says_what_it_is() {
    hold(sizes::without_header(&tree::Repository::read().rust()));
}

#[test]
fn words_are_ours() {
    let repository = tree::Repository::read();
    let mut breaches = words::foreign_names(&repository.rust());
    breaches.extend(words::workplace_words(repository.texts()));
    hold(breaches);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let repository = tree::Repository::read();
    hold(tree::dead_links(repository.texts(), |path| repository.exists(path)));
}

#[test]
fn the_top_level_is_the_one_that_the_design_names() {
    let repository = tree::Repository::read();
    hold(tree::top_level(&repository.top_level_entries()));
}

#[test]
fn packages_depend_downwards() {
    hold(tree::upward_packages(tree::Repository::read().texts()));
}
