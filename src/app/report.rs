//! What a topology hands to the program that runs it: a report.

use serde_json::{Map, Value as Json};

/// What a topology has to say of its run, beyond what is counted for all topologies.
#[derive(Debug)]
pub struct Report {
    is_final: bool,
    pub(super) progress: String,
    pub(super) lines: Vec<String>,
    pub(super) values: Map<String, Json>,
}

impl Report {
    pub(super) fn new(is_final: bool) -> Self {
        Self { is_final, progress: String::new(), lines: Vec::new(), values: Map::new() }
    }

    /// Whether the run is over: nothing more will be emitted.
    ///
    /// Otherwise only the [`progress`](Self::progress) is shown.
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// A few words for the end of the line that shows a terminal how the run goes.
    pub fn progress(&mut self, words: impl Into<String>) {
        self.progress = words.into();
    }

    /// A line of the summary for people.
    pub fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// A value of the summary for programs, under `report`.
    pub fn value(&mut self, name: &str, value: impl Into<Json>) {
        self.values.insert(name.to_owned(), value.into());
    }
}
