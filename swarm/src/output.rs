//! Where words go: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

/// How this run speaks.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Data is JSON.
    pub json: bool,
    /// Standard output is a terminal, so colour may help; it never carries meaning alone.
    pub colour: bool,
    /// Standard error is a terminal, so progress may move.
    pub lively: bool,
}

impl Output {
    /// Looks at where the two streams lead.
    pub fn new(json: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = io::stdout().is_terminal() && !plain && !json;
        Self { json, colour, lively: io::stderr().is_terminal() }
    }

    /// Characters in a line of the terminal that standard output is, if it is one.
    pub fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|width| *width > 0)
    }

    /// Prints data.
    ///
    /// # Errors
    /// What keeps standard output from being written.
    pub fn data(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Prints data as one JSON document.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn document(&self, data: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(data).map_err(io::Error::from)?;
        self.data(&format!("{text}\n"))
    }

    /// Prints data as one line of JSON.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn line(&self, data: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_string(data).map_err(io::Error::from)?;
        self.data(&format!("{text}\n"))
    }

    /// Says something that is no data.
    pub fn remark(&self, text: &str) {
        // Nobody is left to be told when standard error is gone.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// Rows in columns: texts to the left, numbers to the right, two spaces between.
#[derive(Clone, Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(head: &[&str]) -> Self {
        Self { head: head.iter().map(|word| (*word).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row, one cell per heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, one line per row.
    pub fn render(&self) -> String {
        let cell = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let columns = self.head.len();
        let width = |at: usize| {
            let cells = self.rows.iter().map(|row| cell(row, at).chars().count());
            cells.chain([self.head[at].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let right = |at: usize| {
            let mut filled =
                self.rows.iter().map(|row| cell(row, at)).filter(|c| c != "-").peekable();
            filled.peek().is_some() && filled.all(|c| is_number(&c))
        };
        let rights: Vec<bool> = (0..columns).map(right).collect();
        let mut text = String::new();
        for row in std::iter::once(&self.head).chain(&self.rows) {
            let mut line = String::new();
            for at in 0..columns {
                let word = cell(row, at);
                let gap = " ".repeat(widths[at] - word.chars().count());
                let (before, after) =
                    if rights[at] { (gap, String::new()) } else { (String::new(), gap) };
                line += &format!("{before}{word}{after}  ");
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '%'))
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut told = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let mut table = Table::new(&["name", "tasks"]);
        table.row(["a".to_owned(), "12".to_owned()]);
        table.row(["longer".to_owned(), "-".to_owned()]);
        assert_eq!(table.render(), "name    tasks\na          12\nlonger      -\n");
    }

    #[test]
    fn thousands_are_apart() {
        for (number, told) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), told);
        }
    }
}
