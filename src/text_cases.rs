//! Tests as text: prose, calls and, below a line of dashes, what came of them.
//!
//! ```text
//! # A sentence about what this case shows.
//! call words
//! call words
//! ----
//! output
//! ```
//!
//! A blank line ends a case. With `UPDATE=1` in the environment a test rewrites its file, so that
//! the difference can be read and, if it is meant, be kept.

use std::path::Path;

/// Runs all cases of `tests/data/<file>`, whose text is `text`.
///
/// `run` gets the calls of one case, without its prose, and answers the output.
#[track_caller]
pub(crate) fn check(file: &str, text: &str, run: impl Fn(&[&str]) -> String) {
    let cases: Vec<String> = text.trim_end().split("\n\n").map(|case| retold(case, &run)).collect();
    let actual = cases.join("\n\n") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        std::fs::write(path, actual).expect("a test may rewrite its data");
    } else {
        assert_eq!(actual, text, "{file}: run with UPDATE=1 if the change is meant");
    }
}

/// The case with the output that its calls really have.
fn retold(case: &str, run: &impl Fn(&[&str]) -> String) -> String {
    let told: Vec<&str> = case.lines().take_while(|line| *line != "----").collect();
    let calls: Vec<&str> = told.iter().copied().filter(|line| !line.starts_with('#')).collect();
    let mut whole = told.join("\n") + "\n----\n" + &run(&calls);
    whole.truncate(whole.trim_end().len());
    whole
}
