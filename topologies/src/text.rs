//! The text whose words are counted: a file, the King James text, or the machine's licences.
//!
//! No text is part of this package. The King James text is what the program `bible` of Debian's
//! package `bible-kjv` prints, a line for each of 31,102 verses.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};
use storm_runtime::app::Hinted;

/// Prints the King James text, found along `PATH`.
const BIBLE: &str = "bible";

/// Has [`BIBLE`] print one verse per line: the first for a try, or all.
const FIRST_VERSE: [&str; 2] = ["-f", "gen1:1"];
const ALL_VERSES: [&str; 2] = ["-f", "gen1:1-rev22:21"];

/// Where Debian keeps the licence texts that every machine has.
const LICENCES: &str = "/usr/share/common-licenses";

/// Where a text comes from. It is what a spout is told, so it can travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A file of lines.
    File(PathBuf),
    /// What `bible` prints.
    KingJames,
    /// All licence texts of the machine, one after the other.
    Licences,
}

impl Source {
    /// The file if one is given, else the best that this machine has; says so on standard error
    /// where that is second best.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn choose(file: Option<PathBuf>) -> Result<Self, Hinted> {
        if let Some(file) = file {
            open(&file)?;
            return Ok(Self::File(std::path::absolute(&file).unwrap_or(file)));
        }
        if bible(FIRST_VERSE).is_ok_and(|verse| is_text(&verse)) {
            return Ok(Self::KingJames);
        }
        // Whoever has no standard error need not be told.
        let _ = writeln!(
            io::stderr(),
            "counting the licences in {LICENCES}, for there is neither a FILE nor the program \
             {BIBLE} of Debian's package bible-kjv"
        );
        Ok(Self::Licences)
    }

    /// The text, from its beginning.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> io::Result<Box<dyn BufRead + Send>> {
        match self {
            Self::File(file) => Ok(Box::new(BufReader::new(File::open(file)?))),
            Self::KingJames => {
                let text = bible(ALL_VERSES)?;
                if !is_text(&text) {
                    return Err(io::Error::other(format!("{BIBLE} ended with {}", text.status)));
                }
                Ok(Box::new(Cursor::new(text.stdout)))
            }
            Self::Licences => Ok(Box::new(Cursor::new(licences()?))),
        }
    }
}

fn open(file: &Path) -> Result<File, Hinted> {
    let readable = File::open(file).and_then(|opened| match opened.metadata()?.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => Ok(opened),
    });
    readable.map_err(|error| {
        Hinted::new(
            format!("cannot read {}: {error}", file.display()),
            "name a text file, or none to count the words of the King James text",
        )
    })
}

fn bible(arguments: [&str; 2]) -> io::Result<Output> {
    Command::new(BIBLE).args(arguments).stdin(Stdio::null()).output()
}

fn is_text(output: &Output) -> bool {
    output.status.success() && !output.stdout.is_empty()
}

fn licences() -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut files: Vec<PathBuf> =
        fs::read_dir(LICENCES)?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| !file.is_symlink()) {
        text.append(&mut fs::read(file)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_refused_with_a_way_out() {
        let error = Source::choose(Some("/nowhere/at-all.txt".into())).unwrap_err();
        assert!(error.to_string().starts_with("cannot read /nowhere/at-all.txt: "), "{error}");
        assert!(error.hint().contains("King James"));
    }

    #[test]
    fn a_folder_is_no_text() {
        assert!(Source::choose(Some("/".into())).is_err());
    }
}
