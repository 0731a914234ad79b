//! Asking a program about a topology: `<binary> describe <topology> … --format submit`, or
//! `stormd describe --flux <file> …` for one in YAML of built-in components.

use std::path::PathBuf;

use nimbus_client::submit::{Described, DescribedError};

use crate::clock::Deadline;
use crate::program::{self, ProgramError, Said};

/// Most that a description may have, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Why a binary does not describe a topology.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The binary does not run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The binary refuses.
    #[error("{} does not describe the topology: {why}", binary.display())]
    Refused {
        /// The binary.
        binary: PathBuf,
        /// Its own words, or how it ended.
        why: String,
        /// Its own advice.
        hint: Option<String>,
    },
    /// A file of YAML is no topology.
    #[error("{why}")]
    Flux {
        /// Every mistake, with file, line and column.
        why: String,
        /// The program's own advice.
        hint: Option<String>,
    },
    /// What the binary prints is not understood.
    #[error(transparent)]
    Described(#[from] DescribedError),
}

impl DescribeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Program(ProgramError::NotStarted { .. }) => {
                "name a topology binary that was built for this machine".to_owned()
            }
            Self::Program(_) => "--timeout 2m gives it more time".to_owned(),
            Self::Refused { hint: Some(hint), .. } | Self::Flux { hint: Some(hint), .. } => {
                hint.clone()
            }
            Self::Flux { .. } => {
                "docs/flux.md has every key, and the classes that are built in".to_owned()
            }
            Self::Refused { binary, .. } => {
                format!("{} list shows the topologies of a topology binary", binary.display())
            }
            Self::Described(_) => "build the binary and stormdeploy from one version".to_owned(),
        }
    }
}

/// A program that knows a topology, and the words that name it.
#[derive(Debug)]
pub struct Asked {
    /// The topology binary, or the daemon's program for a topology of built-in components.
    pub program: PathBuf,
    /// Name and arguments, or `--flux` and what goes with it.
    pub words: Vec<String>,
    /// Whether it is a file of YAML.
    pub is_flux: bool,
}

impl Asked {
    /// Lets the program describe the topology; answers also what it remarked.
    ///
    /// # Errors
    /// A program that does not run, refuses, or says something else.
    pub fn describe(&self, deadline: Deadline) -> Result<(Described, Vec<String>), DescribeError> {
        let format = ["--format".to_owned(), "submit".to_owned()];
        let said = self.run("describe", &format, deadline)?;
        Ok((Described::parse(&said.stdout)?, remarks(&said.stderr)))
    }

    /// Lets the program draw the topology, or with `--json` tell what it is.
    ///
    /// # Errors
    /// As [`describe`](Self::describe).
    pub fn draw(
        &self,
        options: &[String],
        deadline: Deadline,
    ) -> Result<(Vec<u8>, Vec<String>), DescribeError> {
        let dry_run = ["--dry-run".to_owned()];
        let options: Vec<String> = dry_run.iter().chain(options).cloned().collect();
        let said = self.run("run", &options, deadline)?;
        Ok((said.stdout, remarks(&said.stderr)))
    }

    fn run(
        &self,
        part: &str,
        options: &[String],
        deadline: Deadline,
    ) -> Result<Said, DescribeError> {
        let arguments = [part].map(str::to_owned).into_iter();
        let arguments = arguments.chain(self.words.iter().cloned()).chain(options.iter().cloned());
        let arguments: Vec<String> = arguments.collect();
        // A name without a folder means this folder, not PATH.
        let path = std::path::absolute(&self.program).unwrap_or_else(|_| self.program.clone());
        let said = program::run(&path, &arguments, deadline, MAX_BYTES)?;
        if said.status.success() {
            return Ok(said);
        }
        let (why, hint) = own_words(&said.stderr);
        let why = if why.is_empty() { program::ended_with(said.status) } else { why };
        Err(match self.is_flux {
            true => DescribeError::Flux { why, hint },
            false => {
                let why = why.lines().next().unwrap_or_default().to_owned();
                DescribeError::Refused { binary: self.program.clone(), why, hint }
            }
        })
    }
}

/// The error without the program's name, and the hint.
fn own_words(stderr: &str) -> (String, Option<String>) {
    let (error, hint) = match stderr.split_once("\nhint: ") {
        Some((error, hint)) => (error, hint.lines().next().map(str::to_owned)),
        None => (stderr, None),
    };
    let error = error.trim();
    let why = error.split_once(": ").map_or(error, |(_, why)| why).to_owned();
    (why, hint)
}

/// Lines that a program says beside what it was asked for, without its name.
fn remarks(stderr: &str) -> Vec<String> {
    let lines = stderr.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.strip_prefix("stormd: ").unwrap_or(line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binarys_own_error_and_hint_are_passed_on() {
        let told = own_words("orders: no topology 'wc'\n\nhint: orders list\n");
        assert_eq!(told, ("no topology 'wc'".to_owned(), Some("orders list".to_owned())));
        assert_eq!(own_words(""), (String::new(), None));
        let told = own_words("stormd: a.yaml:2:1: there is no x\n 2 | x: 1\n   | ^\n");
        assert_eq!(told, ("a.yaml:2:1: there is no x\n 2 | x: 1\n   | ^".to_owned(), None));
    }
}
