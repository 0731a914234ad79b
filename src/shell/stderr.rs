//! What a child writes to its standard error: each line goes to the log, the last ones are kept for
//! the report of its end; pure but for the log.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::Span;

use crate::clock::Time;

/// Lines that are kept.
const KEPT_LINES: usize = 12;
/// Bytes of a line that are kept; the rest of it is left out.
const LINE_BYTES: usize = 2_000;
/// Lines that are logged per second; of a flood the rest is only counted.
const LOGGED_PER_SECOND: usize = 200;

/// Takes bytes and makes lines of them.
#[derive(Debug)]
pub(super) struct Lines {
    span: Span,
    task: u16,
    partial: Vec<u8>,
    kept: VecDeque<String>,
    second: Time,
    logged: usize,
    left_out: usize,
}

impl Lines {
    /// `span` says whose lines they are.
    pub fn new(span: Span, task: u16) -> Self {
        Self {
            span,
            task,
            partial: Vec::new(),
            kept: VecDeque::new(),
            second: Time::ZERO,
            logged: 0,
            left_out: 0,
        }
    }

    /// Takes what was read.
    pub fn push(&mut self, bytes: &[u8], now: Time) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            let room = LINE_BYTES.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(&text[..text.len().min(room)]);
            if is_whole {
                self.end_line(now);
            }
        }
    }

    /// Takes the rest, which no line end follows.
    pub fn finish(&mut self, now: Time) {
        if !self.partial.is_empty() {
            self.end_line(now);
        }
        self.tell_left_out();
    }

    /// The last lines.
    pub fn take_kept(&mut self) -> VecDeque<String> {
        std::mem::take(&mut self.kept)
    }

    fn end_line(&mut self, now: Time) {
        let text = String::from_utf8_lossy(&self.partial);
        let text = text.trim_end_matches('\r').replace(|c: char| c.is_control() && c != '\t', "?");
        self.partial.clear();
        if now.since(self.second) >= Duration::from_secs(1) {
            self.tell_left_out();
            (self.second, self.logged) = (now, 0);
        }
        match self.logged < LOGGED_PER_SECOND {
            true => {
                self.logged += 1;
                tracing::info!(parent: &self.span, task = self.task, "stderr: {text}");
            }
            false => self.left_out += 1,
        }
        if self.kept.len() == KEPT_LINES {
            self.kept.pop_front();
        }
        self.kept.push_back(text);
    }

    fn tell_left_out(&mut self) {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            tracing::warn!(parent: &self.span, task = self.task,
                "stderr: {left_out} more lines within a second");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_none_is_longer_than_the_limit() {
        let mut lines = Lines::new(Span::none(), 1);
        for number in 0..100 {
            lines.push(format!("line {number}\r\nhalf ").as_bytes(), Time::ZERO);
        }
        lines.push(&[b'x'; 10_000], Time::ZERO);
        lines.push(b"\x1b[31m", Time::ZERO);
        lines.finish(Time::ZERO);
        let kept = lines.take_kept();
        assert_eq!(kept.len(), KEPT_LINES);
        assert_eq!(kept[KEPT_LINES - 2], "half line 99");
        assert_eq!(kept[KEPT_LINES - 1].len(), LINE_BYTES);
        assert_eq!(lines.left_out, 0, "they were told");
    }
}
