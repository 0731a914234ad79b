//! How long files and functions may be, and that each file says what it is.

use crate::Breach;
use crate::source::Source;

const FILE_AIM: usize = 400;
const FILE_LIMIT: usize = 800;
const FUNCTION_AIM: usize = 40;
const FUNCTION_LIMIT: usize = 80;

/// Names listed in the summary of what is above the aim, longest first.
const SUMMARY_NAMES: usize = 8;

/// A file, or a function as `file::name`, that may exceed its limit.
pub struct Exception {
    /// Which one.
    pub place: &'static str,
    /// Lines that it may have.
    pub lines: usize,
    /// Why it is better long.
    pub reason: &'static str,
}

/// What may be longer than the limits, each with its reason.
pub const EXCEPTIONS: &[Exception] = &[];

/// Files and functions above their limit, and a summary of those above the aim.
///
/// An exception that nothing needs any more is a breach as well.
pub fn too_long(sources: &[Source], exceptions: &[Exception]) -> (Vec<Breach>, String) {
    let mut files = Vec::new();
    let mut functions = Vec::new();
    for source in sources.iter().filter(|source| !source.is_test) {
        files.push((source.path.clone(), source.code_lines));
        for function in &source.functions {
            functions.push((format!("{}::{}", source.path, function.name), function.lines));
        }
    }
    let mut breaches = over("file", &files, FILE_LIMIT, exceptions);
    breaches.extend(over("function", &functions, FUNCTION_LIMIT, exceptions));
    let longer = |place: &str, lines: usize| {
        let limit = if place.contains("::") { FUNCTION_LIMIT } else { FILE_LIMIT };
        lines > limit
    };
    for exception in exceptions {
        let mut all = files.iter().chain(&functions);
        if !all.any(|(place, lines)| place == exception.place && longer(place, *lines)) {
            let what = format!("needs no exception any more ({})", exception.reason);
            breaches.push(Breach::of(exception.place, what));
        }
    }
    let summary = format!(
        "tidy: {}; {}",
        above("files", files, FILE_AIM),
        above("functions", functions, FUNCTION_AIM)
    );
    (breaches, summary)
}

fn over(
    kind: &str,
    sizes: &[(String, usize)],
    limit: usize,
    exceptions: &[Exception],
) -> Vec<Breach> {
    sizes
        .iter()
        .filter_map(|(place, lines)| {
            let exception = exceptions.iter().find(|exception| exception.place == place);
            let limit = exception.map_or(limit, |exception| exception.lines);
            (*lines > limit).then(|| {
                Breach::of(place, format!("a {kind} of {lines} lines, {limit} are allowed"))
            })
        })
        .collect()
}

fn above(kind: &str, mut sizes: Vec<(String, usize)>, aim: usize) -> String {
    sizes.retain(|(_, lines)| *lines > aim);
    sizes.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut text = format!("{} {kind} above {aim} lines", sizes.len());
    let listed = sizes.iter().take(SUMMARY_NAMES);
    for (at, (place, lines)) in listed.enumerate() {
        text += if at == 0 { ": " } else { ", " };
        text += &format!("{place} {lines}");
    }
    if sizes.len() > SUMMARY_NAMES {
        text += ", …";
    }
    text
}

/// Files that do not begin with `//!`.
pub fn without_header(sources: &[Source]) -> Vec<Breach> {
    sources
        .iter()
        .filter(|source| !source.has_header)
        .map(|source| Breach::of(&source.path, "a file begins with `//!` and what it is"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, lines: usize) -> Source {
        Source::parse(path, &"//! x\n".repeat(lines)).expect("parses")
    }

    fn function(path: &str, lines: usize) -> Source {
        let text = format!("//! x\nfn f() {{\n{}}}\n", "g();\n".repeat(lines - 2));
        Source::parse(path, &text).expect("parses")
    }

    #[test]
    fn the_limit_itself_is_allowed_and_one_line_more_is_not() {
        assert!(too_long(&[file("a.rs", 800), function("b.rs", 80)], &[]).0.is_empty());
        let (breaches, _) = too_long(&[file("a.rs", 801), function("b.rs", 81)], &[]);
        let told: Vec<String> = breaches.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a.rs: a file of 801 lines, 800 are allowed",
                "b.rs::f: a function of 81 lines, 80 are allowed"
            ]
        );
    }

    #[test]
    fn tests_are_not_counted() {
        let long_tests =
            format!("//! x\n#[cfg(test)]\nmod tests {{\n{}}}", "fn f() {}\n".repeat(900));
        let inline = Source::parse("src/a.rs", &long_tests).expect("parses");
        assert!(too_long(&[inline, file("tests/b.rs", 900)], &[]).0.is_empty());
    }

    #[test]
    fn an_exception_raises_the_limit_and_must_be_needed() {
        let exception = |place| Exception { place, lines: 900, reason: "a table" };
        assert!(too_long(&[file("a.rs", 900)], &[exception("a.rs")]).0.is_empty());
        assert_eq!(too_long(&[file("a.rs", 901)], &[exception("a.rs")]).0.len(), 1);
        let (breaches, _) =
            too_long(&[file("a.rs", 10)], &[exception("a.rs"), exception("gone.rs")]);
        assert_eq!(breaches.len(), 2);
        assert!(breaches[0].what.contains("needs no exception"), "{}", breaches[0]);
    }

    #[test]
    fn what_is_above_the_aim_is_summed_up() {
        let (_, summary) =
            too_long(&[file("a.rs", 401), file("b.rs", 500), function("c.rs", 41)], &[]);
        assert_eq!(
            summary,
            "tidy: 2 files above 400 lines: b.rs 500, a.rs 401; 1 functions above 40 lines: c.rs::f 41"
        );
    }

    #[test]
    fn a_file_without_a_header_is_a_breach() {
        let bare = Source::parse("a.rs", "fn f() {}").expect("parses");
        assert_eq!(without_header(&[bare, file("b.rs", 1)]).len(), 1);
    }
}
