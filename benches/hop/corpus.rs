//! The text whose words are counted: a file, the King James text, or the machine's licences.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian keeps the licence texts that every machine has.
const LICENCES: &str = "/usr/share/common-licenses";

/// The whole King James text, as the program of Debian's package `bible-kjv` names it.
const WHOLE_BIBLE: [&str; 2] = ["-f", "gen1:1-rev22:21"];

/// A text that is read when it is first asked for.
pub struct Corpus {
    file: Option<PathBuf>,
    text: OnceCell<String>,
}

impl Corpus {
    /// The text of `file`; without one, the best that the machine has.
    #[must_use]
    pub fn new(file: Option<PathBuf>) -> Self {
        Self { file, text: OnceCell::new() }
    }

    /// The text, never empty. Says on standard error which one it is, once.
    ///
    /// # Panics
    /// Where the named file cannot be read, or there is no text at all.
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| {
            let (text, from) = match &self.file {
                Some(file) => (read(file), file.display().to_string()),
                None => bible().unwrap_or_else(licences),
            };
            assert!(!text.trim().is_empty(), "the text to count, {from}, is empty");
            eprintln!("hop: counting words of {from}: {} lines", text.lines().count());
            text
        })
    }
}

fn bible() -> Option<(String, String)> {
    let output = Command::new("bible").args(WHOLE_BIBLE).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.is_empty()).then(|| (text, "the King James text".to_owned()))
}

fn licences() -> (String, String) {
    let entries = fs::read_dir(LICENCES).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    let text = files.iter().filter_map(|file| fs::read_to_string(file).ok()).collect();
    (text, format!("the licences in {LICENCES}"))
}

fn read(file: &Path) -> String {
    match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => panic!("cannot read {}: {error}", file.display()),
    }
}
