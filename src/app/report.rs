//! What a topology hands to the program that runs it: a report, and the news that its input ended.

use serde_json::{Map, Value as Json};

use crate::component::{Metric, TaskContext};

/// Metric by which a spout tells that its input has an end; counts the tasks that reached it.
pub(super) const INPUT_END: &str = "input-end";

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

/// By which a spout's task tells that its input has an end, and when it got there.
///
/// Taken in `open`, so that the program knows from the start that this spout will end. When all
/// tasks of all spouts have [`reached`](Self::reached) their end the program ends the run. A spout
/// that replays failed messages has reached its end when everything is acked.
#[derive(Debug)]
pub struct InputEnd {
    tasks_done: Metric,
    is_reached: bool,
}

impl InputEnd {
    /// The end of this task's input, not reached yet.
    pub fn of(context: &TaskContext) -> Self {
        Self { tasks_done: context.metric(INPUT_END), is_reached: false }
    }

    /// Nothing more will be emitted; a second call changes nothing.
    pub fn reached(&mut self) {
        if !std::mem::replace(&mut self.is_reached, true) {
            self.tasks_done.add(1);
        }
    }
}
