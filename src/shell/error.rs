//! Why a child was ended, or could not be started.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::liveness::MOST_TIMEOUTS;
use crate::component::WatchError;
use crate::multilang::{MultilangError, NotSendable, TupleId};

/// What goes wrong with the child of a shell component; the message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShellError {
    /// There is no command.
    #[error(
        "a shell component has no command: give it the words of one, as [\"python3\", \"split.py\"]"
    )]
    NoCommand,
    /// There is no such program.
    #[error(
        "cannot start {command} in {directory}: there is no program {program} (searched: {searched}); \
         install it on every machine that runs the topology, or put it beside the component",
        directory = directory.display()
    )]
    NotFound {
        /// The words of the command.
        command: CommandLine,
        /// Where it was to run.
        directory: PathBuf,
        /// The first word.
        program: String,
        /// Where it was looked for.
        searched: String,
    },
    /// The file is no program.
    #[error(
        "cannot start {command} in {directory}: {program} is not executable; make it so (chmod +x), or \
         name its interpreter first", directory = directory.display(), program = program.display()
    )]
    NotExecutable {
        /// The words of the command.
        command: CommandLine,
        /// Where it was to run.
        directory: PathBuf,
        /// The file.
        program: PathBuf,
    },
    /// The system does not start it.
    #[error("cannot start {command} in {directory}: {source}", directory = directory.display())]
    Start {
        /// The words of the command.
        command: CommandLine,
        /// Where it was to run.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its pipes cannot be watched.
    #[error("cannot talk to {command}: {source}")]
    Watch {
        /// The words of the command.
        command: CommandLine,
        /// Why.
        source: WatchError,
    },
    /// It was started and had to be ended, or ended by itself.
    #[error("{command} in {directory} {fault}; {end}", directory = directory.display())]
    Fault {
        /// The words of the command.
        command: CommandLine,
        /// Where it ran.
        directory: PathBuf,
        /// Why it was ended.
        fault: Box<Fault>,
        /// How it ended.
        end: End,
    },
}

/// What a child did wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// It closed its output, most likely because it ended.
    #[error("closed its output")]
    Closed,
    /// It closed its input.
    #[error("closed its input")]
    ClosedInput,
    /// Its pipe cannot be read.
    #[error("cannot be read: {0}")]
    Read(io::Error),
    /// It said something that is no message.
    #[error("said what is no message: {0}")]
    Message(#[from] MultilangError),
    /// The first message was not its pid.
    #[error("did not answer the handshake with its pid but with {0}")]
    NoPid(&'static str),
    /// It chose a framing that it was not offered.
    #[error("chose the framing {0:?}, which it was not offered")]
    Framing(String),
    /// It settled a tuple that it does not hold.
    #[error("{verb} the tuple of id {id}, which it does not hold: settle each tuple once")]
    UnknownId {
        /// What it did with the tuple.
        verb: &'static str,
        /// The id that it gave.
        id: TupleId,
    },
    /// An emission cannot be made.
    #[error("made an emission that cannot be: {0}")]
    Emission(String),
    /// It named a task that is none.
    #[error("emitted to task {0}, which is no task")]
    Task(i64),
    /// A bolt's command came from a spout, or the other way round, or nobody knows it.
    #[error("gave the command {0:?}, which is none of its kind of component")]
    Command(String),
    /// Not a word in its handshake.
    #[error(
        "did not answer the handshake within {} s and used no processor; a longer \
         topology.subprocess.timeout.secs gives it more time", .0.as_secs()
    )]
    SilentAtStart(Duration),
    /// Not a word, and no sign of life.
    #[error(
        "said nothing, took nothing from its pipe and used no processor for {} s; a longer \
         topology.subprocess.timeout.secs gives it more time", .0.as_secs()
    )]
    Silent(Duration),
    /// Busy, and not a word.
    #[error("was busy without a word for {} s", (*.0 * MOST_TIMEOUTS).as_secs())]
    Spinning(Duration),
    /// It does not read what it needs.
    #[error("cannot be told: {0}")]
    NotSendable(#[from] NotSendable),
}

/// The words of a command, as somebody would type them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine(pub Vec<String>);

impl fmt::Display for CommandLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |word: &str| {
            !word.is_empty()
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:+,@%".contains(c))
        };
        out.write_str("`")?;
        for (position, word) in self.0.iter().enumerate() {
            let space = if position == 0 { "" } else { " " };
            match is_plain(word) {
                true => write!(out, "{space}{word}")?,
                false => write!(out, "{space}'{}'", word.replace('\'', r"'\''"))?,
            }
        }
        out.write_str("`")
    }
}

/// How a child ended, and what it had to say of it.
#[derive(Debug, Clone, Default)]
pub struct End {
    /// Its exit status or signal; none if it could not be had.
    pub status: Option<ExitStatus>,
    /// Whether we ended it.
    pub was_killed: bool,
    /// The last lines of its standard error.
    pub last_lines: VecDeque<String>,
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.was_killed) {
            (_, true) => out.write_str("it was ended")?,
            (Some(status), _) => write!(out, "it ended with {status}")?,
            (None, _) => out.write_str("how it ended is not known")?,
        }
        match self.last_lines.len() {
            0 => out.write_str("; it wrote nothing to its standard error"),
            _ => {
                out.write_str("; its last lines of standard error:")?;
                self.last_lines.iter().try_for_each(|line| write!(out, "\n  {line}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_command_directory_status_and_last_lines() {
        use std::os::unix::process::ExitStatusExt;
        let words = ["sh", "-c", "it's over"].map(str::to_owned);
        let error = ShellError::Fault {
            command: CommandLine(words.to_vec()),
            directory: "/tmp".into(),
            fault: Box::new(Fault::Closed),
            end: End {
                status: Some(ExitStatus::from_raw(3 << 8)),
                was_killed: false,
                last_lines: ["Traceback".to_owned(), "KeyError: 7".to_owned()].into(),
            },
        };
        assert_eq!(
            error.to_string(),
            "`sh -c 'it'\\''s over'` in /tmp closed its output; it ended with exit status: 3; its last \
             lines of standard error:\n  Traceback\n  KeyError: 7"
        );
    }
}
