//! `${name}` in the text of a file, before it is YAML.
//!
//! | written | put in its place |
//! |---|---|
//! | `${name}` | the property of that name |
//! | `${name[1]}` | the second element of the property, which is a list such as `["a", "b"]` |
//! | `${ENV-NAME}` | the environment variable `NAME`, where that was asked for |
//!
//! As in Storm the text is replaced, not a value: `${hosts}` without quotes may become a list. What
//! has no replacement stays as it is, and is told. Unlike Storm's, a line may hold several, lines of
//! comment hold none, and a replacement cannot have a line break, so that lines keep their numbers.
//!
//! Replacing is pure: properties and environment are arguments.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::{FluxErrors, Mistake};
use super::load::{of_file, read_file};
use super::properties::parse_properties;

/// Begin of the names that mean the environment.
const ENVIRONMENT: &str = "ENV-";

/// What names are replaced by.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Properties, of a file or set one by one.
    pub properties: BTreeMap<String, String>,
    /// The environment; none where it is not to be used.
    pub environment: Option<BTreeMap<String, String>>,
}

/// A replacement that moved the rest of its line, in characters, columns counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub line: usize,
    /// First column of what was written, on the line as it is after the replacements before it.
    pub at: usize,
    pub written: usize,
    pub put: usize,
}

impl Shift {
    /// The column before this replacement, of a column after it.
    pub fn undo(&self, column: usize) -> usize {
        match column {
            _ if column < self.at => column,
            _ if column < self.at + self.put => self.at,
            _ => column - self.put + self.written,
        }
    }
}

/// A text after substitution.
#[derive(Debug, Default)]
pub(super) struct Substituted {
    pub text: String,
    /// In the order in which they are to be undone: the last of a line first.
    pub shifts: Vec<Shift>,
    /// Line and column of what was not replaced, and why.
    pub remarks: Vec<(usize, usize, Mistake)>,
    /// Line and column of what cannot be.
    pub mistakes: Vec<(usize, usize, Mistake)>,
}

impl Filter {
    /// Adds the properties of a file, which count over those that are known.
    ///
    /// # Errors
    /// The file cannot be read, or is no text.
    pub fn read(&mut self, path: &Path) -> Result<(), FluxErrors> {
        let text = read_file(path).map_err(|mistake| of_file(path, mistake))?;
        self.properties.extend(parse_properties(&text));
        Ok(())
    }

    /// Replaces what can be replaced; `limit_bytes` bounds what comes of it.
    pub(super) fn apply(&self, text: &str, limit_bytes: usize) -> Substituted {
        let mut done = Substituted::default();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            if line.trim_start().starts_with('#') {
                done.text.push_str(line);
            } else {
                self.apply_to_line(line, index + 1, &mut done);
            }
            if done.text.len() > limit_bytes {
                done.mistakes.push((index + 1, 0, Mistake::Grown { limit_bytes }));
                break;
            }
        }
        done.shifts.reverse();
        done
    }

    fn apply_to_line(&self, line: &str, number: usize, done: &mut Substituted) {
        let start = done.text.len();
        let mut rest = line;
        while let Some((before, name, after)) = next_name(rest) {
            done.text.push_str(before);
            let column = done.text[start..].chars().count() + 1;
            let written = &rest[before.len()..rest.len() - after.len()];
            match self.value(name) {
                Ok(value) if value.contains(['\n', '\r']) => {
                    let mistake = Mistake::LineBreak { name: name.to_owned() };
                    done.mistakes.push((number, column, mistake));
                }
                Ok(value) => {
                    done.text.push_str(value);
                    let (written, put) = (written.chars().count(), value.chars().count());
                    done.shifts.push(Shift { line: number, at: column, written, put });
                }
                Err(remark) => {
                    done.text.push_str(written);
                    done.remarks.push((number, column, remark));
                }
            }
            rest = after;
        }
        done.text.push_str(rest);
    }

    fn value(&self, name: &str) -> Result<&str, Mistake> {
        if let Some(variable) = name.strip_prefix(ENVIRONMENT) {
            if let Some(environment) = &self.environment {
                let value = environment.get(variable).map(String::as_str);
                return value.ok_or_else(|| Mistake::NoVariable { name: variable.to_owned() });
            }
            if !self.properties.contains_key(name) {
                return Err(Mistake::NoEnvironment { name: variable.to_owned() });
            }
        }
        if let Some(value) = self.properties.get(name) {
            return Ok(value);
        }
        if let Some((list, index)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            let property = self.properties.get(list);
            let element = property.and_then(|list| element(list, index.parse().ok()?));
            if let Some(element) = element {
                return Ok(element);
            }
        }
        let names = self.properties.keys().map(String::as_str);
        let nearest = crate::conf::nearest(name, names).map(str::to_owned);
        Err(Mistake::NoProperty { name: name.to_owned(), nearest })
    }
}

/// The text before the next `${name}`, the name, and the text behind it.
fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// An element of a list that is written as `["a", "b"]`.
fn element(list: &str, index: usize) -> Option<&str> {
    let inner = list.trim().strip_prefix('[')?.strip_suffix(']')?;
    let element = inner.split(',').nth(index)?.trim();
    let quoted = ['"', '\'']
        .iter()
        .find_map(|quote| element.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote)));
    Some(quoted.unwrap_or(element))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter() -> Filter {
        let pairs = [("name", "orders"), ("hosts", "[\"a\", 'b', c]"), ("broken", "a\nb")];
        let properties = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = BTreeMap::from([("HOME".to_owned(), "/root".to_owned())]);
        Filter { properties: properties.into(), environment: Some(environment) }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) -> Substituted {
        let done = filter().apply(text, 1000);
        assert_eq!(done.text, expected);
        done
    }

    #[test]
    fn names_elements_and_variables_are_replaced_several_in_a_line() {
        check("a: ${name} ${name}\n", "a: orders orders\n");
        check("a: ${hosts}", "a: [\"a\", 'b', c]");
        check("a: ${hosts[0]}-${hosts[1]}-${hosts[2]}", "a: a-b-c");
        check("a: ${ENV-HOME}/x", "a: /root/x");
        check("# ${nowhere}\n", "# ${nowhere}\n");
        check("a: ${name", "a: ${name");
    }

    #[test]
    fn what_has_no_replacement_stays_and_is_told_with_the_nearest_name() {
        let done =
            check("a: ${nam} ${hosts[7]} ${ENV-NOWHERE}", "a: ${nam} ${hosts[7]} ${ENV-NOWHERE}");
        let told: Vec<(usize, usize)> = done.remarks.iter().map(|told| (told.0, told.1)).collect();
        assert_eq!(told, [(1, 4), (1, 11), (1, 23)]);
        assert!(done.remarks[0].2.to_string().contains("did you mean name?"));
    }

    #[test]
    fn a_column_behind_a_replacement_is_found_again() {
        let done = check("a: ${name} ${name} b", "a: orders orders b");
        let undo = |column| done.shifts.iter().fold(column, |column, shift| shift.undo(column));
        assert_eq!(undo(1), 1);
        assert_eq!(undo(6), 4, "within the first");
        assert_eq!(undo(11), 12, "the second");
        assert_eq!(undo(18), 20, "behind both");
    }

    #[test]
    fn a_line_break_and_growth_without_end_are_refused() {
        assert_eq!(filter().apply("a: ${broken}", 1000).mistakes.len(), 1);
        let text = "${hosts}\n".repeat(1000);
        let done = filter().apply(&text, 100);
        assert!(done.text.len() < 200);
        assert_eq!(done.mistakes.len(), 1);
    }
}
