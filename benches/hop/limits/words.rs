//! The limit of word count: one thread splits a text and counts its words in a hash map.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::super::corpus::Corpus;
use super::super::sample::{Sample, Subject, drive};

/// Lines between two looks at the clock.
const LINES_PER_LOOK: usize = 64;

/// Splits and counts the corpus round and round; a tuple is one word.
pub struct WordCount {
    corpus: Rc<Corpus>,
}

/// How often each word occurred. A key is owned from its first occurrence on.
#[derive(Default)]
struct Counts(HashMap<Box<str>, u64, FixedState>);

impl WordCount {
    /// Counts the words of `corpus`, which is read at the first block.
    #[must_use]
    pub fn new(corpus: Rc<Corpus>) -> Self {
        Self { corpus }
    }
}

impl Counts {
    /// Counts every word of the line and returns how many there were.
    #[inline]
    fn add(&mut self, line: &str) -> u64 {
        let mut words = 0;
        for word in line.split_ascii_whitespace() {
            match self.0.get_mut(word) {
                Some(count) => *count += 1,
                None => {
                    self.0.insert(word.into(), 1);
                }
            }
            words += 1;
        }
        words
    }
}

impl Subject for WordCount {
    fn name(&self) -> String {
        "hand-written word count".to_owned()
    }

    fn block(&mut self, length: Duration) -> Sample {
        let mut counts = Counts::default();
        let text = self.corpus.text();
        let mut lines = text.lines().cycle();
        // Every word is known before the window opens, however short the block.
        text.lines().for_each(|line| {
            counts.add(line);
        });
        let sample = drive(length, || {
            let lines = lines.by_ref().take(LINES_PER_LOOK);
            lines.map(|line| counts.add(line)).sum()
        });
        black_box(&counts.0);
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_across_lines() {
        let mut counts = Counts::default();
        assert_eq!(counts.add("in the beginning  was the word"), 6);
        assert_eq!(counts.add(""), 0);
        assert_eq!(counts.add("the end"), 2);
        assert_eq!(counts.0.get("the"), Some(&3));
        assert_eq!(counts.0.len(), 6);
    }
}
