//! Where something stands, in the words of whoever wrote the file.

use std::fmt;
use std::path::{Path, PathBuf};

use super::substitute::Shift;

/// A position in one of the files that were read; line and column are counted from 1, and 0 means
/// unknown. The column is that of the text after substitution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub file: usize,
    pub line: usize,
    pub column: usize,
}

/// A place as it is told: the file as it was named, line and column as they stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The line, counted from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The column in characters, counted from 1; 0 where the whole line is meant.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.file.display())?;
        for number in [self.line, self.column].into_iter().take_while(|number| *number > 0) {
            write!(out, ":{number}")?;
        }
        Ok(())
    }
}

/// A file that was read, as it was written.
#[derive(Debug)]
pub(super) struct Source {
    pub path: PathBuf,
    /// The text before substitution, since that is what its author sees.
    pub text: String,
    /// What substitution moved, by line.
    pub shifts: Vec<Shift>,
}

/// Every file that was read, in the order in which they were.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Source>);

impl Sources {
    /// Keeps a file and answers its number.
    pub fn add(&mut self, source: Source) -> usize {
        self.0.push(source);
        self.0.len() - 1
    }

    pub fn path(&self, file: usize) -> &Path {
        &self.0[file].path
    }

    /// The place of a position in the file as it was written.
    pub fn place(&self, at: Position) -> Place {
        let source = &self.0[at.file];
        let column = source.shifts.iter().filter(|shift| shift.line == at.line);
        let column = column.fold(at.column, |column, shift| shift.undo(column));
        Place { file: source.path.clone(), line: at.line, column }
    }

    /// The line of a position with a mark below its column; none where there is no such line.
    pub fn excerpt(&self, place: &Place, at: Position) -> Option<String> {
        let line = self.0[at.file].text.lines().nth(place.line.checked_sub(1)?)?;
        let before: String = line.chars().take(place.column.checked_sub(1)?).collect();
        let rest = line.get(before.len()..)?;
        let word = rest.split_whitespace().next().unwrap_or_default();
        let marked = word.trim_end_matches([',', '}', ']', ':']).chars().count().max(1);
        // Long lines are cut so that the mark stays in view.
        if before.chars().count() + marked > LONGEST_EXCERPT || line.len() > 4 * LONGEST_EXCERPT {
            return None;
        }
        let number = place.line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs stay tabs, so that the mark stands where the terminal puts the text.
        let indent: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let marks = "^".repeat(marked);
        Some(format!(" {number} | {line}\n {margin} | {indent}{marks}"))
    }
}

/// Longest part of a line that is shown, in characters.
const LONGEST_EXCERPT: usize = 100;
