//! Telling how far something is: moving lines on a terminal, a line per step elsewhere.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::clock::{Deadline, in_words};
use crate::output::Output;

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// Several steps that are under way at the same time.
#[derive(Debug)]
pub struct Progress {
    output: Output,
    lines: Option<MultiProgress>,
}

/// One step; when it is dropped before it is done, its line goes away.
#[derive(Debug)]
pub struct Step {
    output: Output,
    name: String,
    began: Deadline,
    line: Option<ProgressBar>,
}

impl Progress {
    /// Progress on standard error, as lively as that is.
    pub fn new(output: Output) -> Self {
        Self { output, lines: output.lively.then(MultiProgress::new) }
    }

    /// Begins a step.
    pub fn step(&self, name: &str, doing: &str) -> Step {
        let line = self.lines.as_ref().map(|lines| {
            let style = ProgressStyle::with_template("{spinner} {prefix} {msg}");
            let line = lines.add(ProgressBar::new_spinner());
            line.set_style(style.expect("the template is right"));
            line.set_prefix(format!("{name:<14}"));
            line.set_message(doing.to_owned());
            line.enable_steady_tick(TURN);
            line
        });
        let began = Deadline::after(Duration::MAX);
        Step { output: self.output, name: name.to_owned(), began, line }
    }

    /// Begins a step that counts bytes.
    pub fn bytes(&self, name: &str, total: u64) -> Step {
        let mut step = self.step(name, "");
        if let (Some(lines), Some(spinner)) = (&self.lines, step.line.take()) {
            spinner.finish_and_clear();
            let template = "{spinner} {prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}";
            let line = lines.add(ProgressBar::new(total));
            line.set_style(ProgressStyle::with_template(template).expect("the template is right"));
            line.set_prefix(format!("{name:<14}"));
            step.line = Some(line);
        }
        step
    }
}

impl Step {
    /// Says how far it is, where that can be seen.
    pub fn at(&self, position: u64) {
        if let Some(line) = &self.line {
            line.set_position(position);
        }
    }

    /// Says that it is done, and with what.
    pub fn done(mut self, result: &str) {
        let told = format!("{:<14}  {result} ({})", self.name, in_words(self.began.spent()));
        match self.line.take() {
            Some(line) => {
                line.set_style(
                    ProgressStyle::with_template("✓ {msg}").expect("the template is right"),
                );
                line.finish_with_message(told);
            }
            None => self.output.remark(&told),
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}
