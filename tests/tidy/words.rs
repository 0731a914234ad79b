//! Words that do not belong here: other systems' names for Storm's things, names that say nothing,
//! and words about how the work was done.

use crate::Breach;
use crate::source::Source;

/// Words that no identifier contains, and Storm's word for the thing.
const FOREIGN: [(&str, &str); 6] = [
    ("job", "topology"),
    ("jobs", "topologies"),
    ("pipeline", "topology"),
    ("pipelines", "topologies"),
    ("partitioner", "grouper"),
    ("partitioners", "groupers"),
];

/// Names of files and modules that say nothing about what is inside.
const EMPTY: [&str; 6] = ["util", "utils", "common", "misc", "helper", "helpers"];

/// Words about the workplace, in pieces lest this file breaks its own rule.
const WORKPLACE: [&str; 4] = [
    concat!("this ses", "sion"),
    concat!("before-", "stop"),
    concat!("sub", "agent"),
    concat!("far", "m-"),
];
const NUMBERED: &str = concat!("iss", "ue ");

/// Identifiers and modules with a word that is not Storm's.
pub fn foreign_names(sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        for (name, line) in &source.names {
            let words = words_of(name);
            let known = FOREIGN.iter().find(|(word, _)| words.iter().any(|w| w == word));
            if let Some((word, ours)) = known {
                let what = format!("`{name}` says {word}: our word is {ours}");
                breaches.push(Breach::at(&source.path, *line, what));
            }
        }
        let path = source.path.trim_end_matches(".rs");
        if let Some(empty) = path.split('/').find(|part| EMPTY.contains(part)) {
            let what = format!("`{empty}` says nothing: name a module by what is inside");
            breaches.push(Breach::of(&source.path, what));
        }
    }
    breaches
}

/// The words of an identifier in snake case or camel case, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        if c != '_' {
            let last = words.last_mut().expect("there is always a word");
            last.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase();
    }
    words
}

/// Words about the workplace, in any text of the repository.
pub fn workplace_words(texts: &[(String, String)]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| is_ours(path)) {
        for (at, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            let word = WORKPLACE.iter().find(|word| contains_word(&lower, word));
            let numbered = says_number(&lower).then_some(&NUMBERED);
            if let Some(word) = word.or(numbered) {
                let what = format!("'{}' is about the workplace, not the project", word.trim());
                breaches.push(Breach::at(path, at + 1, what));
            }
        }
    }
    breaches
}

fn is_ours(path: &str) -> bool {
    path != "Cargo.lock" && !path.starts_with("tests/fixtures/")
}

/// Whether `word` occurs other than as the end of a longer one.
fn contains_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric()))
}

/// Whether the line refers to something by a ticket's number.
fn says_number(line: &str) -> bool {
    line.match_indices(NUMBERED).any(|(at, found)| {
        let rest = line[at + found.len()..].trim_start_matches('#');
        rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name(path: &str, text: &str, expected: usize) {
        let source = Source::parse(path, text).expect("parses");
        let breaches = foreign_names(&[source]);
        assert_eq!(breaches.len(), expected, "{breaches:#?}");
    }

    #[track_caller]
    fn check_text(path: &str, text: &str, expected: usize) {
        let breaches = workplace_words(&[(path.to_owned(), text.to_owned())]);
        assert_eq!(breaches.len(), expected, "{breaches:#?}");
    }

    #[test]
    fn a_foreign_word_is_found_inside_an_identifier() {
        check_name("src/a.rs", "struct JobState;", 1);
        check_name("src/a.rs", "fn start_pipeline() {}", 1);
        check_name("src/a.rs", "fn f(keyPartitioner: u8) {}", 1);
        check_name("src/a.rs", "fn jobless() {} /* a job */", 0);
    }

    #[test]
    fn a_module_has_a_telling_name() {
        check_name("src/utils/mod.rs", "", 1);
        check_name("src/a/common.rs", "", 1);
        check_name("src/a/uncommon.rs", "", 0);
    }

    #[test]
    fn words_about_the_workplace_are_found_in_any_text() {
        for word in WORKPLACE {
            check_text("docs/a.md", &format!("x\nAs {} says", word.to_uppercase()), 1);
        }
        check_text("docs/a.md", &format!("see {NUMBERED}12"), 1);
        check_text("docs/a.md", &format!("see {NUMBERED}#12"), 1);
        check_text("docs/a.md", &format!("an {NUMBERED}with numbers; ZooKeeper sessions"), 0);
        check_text("Cargo.lock", WORKPLACE[3], 0);
        check_text("tests/fixtures/storm/a.jsonl", WORKPLACE[2], 0);
    }
}
