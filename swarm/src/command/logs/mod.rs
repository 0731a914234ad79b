//! `logs`: lines of the local cluster's logs, merged by time, filtered, and followed across
//! rotation.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use serde_json::json;

use self::line::{Line, Time};
use self::source::{Found, Source};
use crate::args::{Logs, PROGRAM};
use crate::clock;
use crate::error::Error;
use crate::session::Session;

mod line;
mod source;

pub use source::last_lines_of;

/// How often files are looked at while they are followed.
const LOOK: Duration = Duration::from_millis(100);
/// How many looks pass before new files are looked for.
const LOOKS_PER_SEARCH: u32 = 10;

/// Why no log is shown.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The expression of `--grep` is none.
    #[error("--grep {given}: {why}")]
    Grep {
        /// What was given.
        given: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such log.
    #[error("there is no log of {what} in {}", logs.display())]
    Nothing {
        /// What was asked for.
        what: String,
        /// The folder of logs.
        logs: PathBuf,
        /// What there are logs of.
        known: Vec<String>,
    },
    /// Nothing was sampled.
    #[error("no emissions of {what} were written down in {}", logs.display())]
    NoEvents {
        /// What was asked for.
        what: String,
        /// The folder of logs.
        logs: PathBuf,
    },
    /// A log cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl LogsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Grep { .. } => "a regular expression, such as 'ERROR|WARN'".to_owned(),
            Self::Nothing { known, logs, .. } if known.is_empty() => {
                format!("{} is empty; --state DIR names another cluster's state", logs.display())
            }
            Self::Nothing { known, what, .. } => {
                let names = known.iter().map(String::as_str);
                match nimbus_client::conf::nearest(what, names) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there are logs of {}", known.join(", ")),
                }
            }
            Self::NoEvents { what, .. } => {
                format!("{PROGRAM} debug {what} --percent 10 has a tenth of them written down")
            }
            Self::Unreadable { .. } => {
                format!("see who owns the file, or try {PROGRAM} logs --all")
            }
        }
    }

    /// Whether the arguments are wrong rather than the world.
    pub fn is_about_arguments(&self) -> bool {
        matches!(self, Self::Grep { .. })
    }
}

/// What a line must be like to be shown, and how it is shown.
struct Filter {
    grep: Option<Regex>,
    since: Option<Time>,
    json: bool,
    colour: bool,
}

/// Prints logs.
pub fn logs(session: &Session, asked: &Logs) -> Result<(), Error> {
    let filter = filter(session, asked)?;
    let logs = session.state.logs();
    let file = if asked.events { source::EVENTS } else { source::LOG };
    let search = || source::find(&logs, asked.what.as_deref(), file);
    let found = search();
    if found.is_empty() {
        let what = asked.what.clone().unwrap_or_else(|| "anything".to_owned());
        if asked.events && !source::find(&logs, asked.what.as_deref(), source::LOG).is_empty() {
            return Err(LogsError::NoEvents { what, logs }.into());
        }
        let known = source::known(&logs);
        return Err(LogsError::Nothing { what, logs, known }.into());
    }
    let mut sources = open(&found)?;
    let prefixed = asked.all || sources.len() > 1 || asked.follow;
    let width = found.iter().map(|one| one.label.chars().count()).max().unwrap_or(0);
    let mut show = Show { filter, width: prefixed.then_some(width) };
    show.merged(&mut sources)?;
    if !asked.follow {
        return Ok(());
    }
    let deadline = session.deadline_if_set();
    let mut looks = 0;
    while deadline.is_none_or(|deadline| !deadline.is_over()) {
        clock::rest(LOOK);
        looks += 1;
        if looks % LOOKS_PER_SEARCH == 0 {
            let new = search().into_iter().filter(|one| sources.iter().all(|s| !s.is(one)));
            sources.extend(open(&new.collect::<Vec<_>>())?);
        }
        show.new_lines(&mut sources)?;
    }
    Ok(())
}

fn filter(session: &Session, asked: &Logs) -> Result<Filter, LogsError> {
    let grep = asked.grep.as_ref().map(|given| {
        Regex::new(given).map_err(|error| {
            let why = error.to_string();
            let why = why.lines().last().unwrap_or_default();
            let why = why.trim_start_matches("error: ").to_owned();
            LogsError::Grep { given: given.clone(), why }
        })
    });
    let since = asked.since.map(|span| Time::of(clock::time_of_day()).before(span));
    let output = session.output;
    Ok(Filter { grep: grep.transpose()?, since, json: output.json, colour: output.colour })
}

fn open(found: &[Found]) -> Result<Vec<Source>, LogsError> {
    let open = |one: &Found| {
        Source::open(one).map_err(|source| LogsError::Unreadable { path: one.path.clone(), source })
    };
    found.iter().map(open).collect()
}

struct Show {
    filter: Filter,
    /// Width of the prefix, `None` without one.
    width: Option<usize>,
}

impl Show {
    /// Everything that stands in the sources now, the oldest line of all first.
    fn merged(&mut self, sources: &mut [Source]) -> Result<(), Error> {
        let mut out = BufWriter::new(io::stdout().lock());
        let mut heads: Vec<Option<Line>> = sources.iter_mut().map(Source::next_line).collect();
        // Lines without a time of their own have that of the line before, so they stay behind it.
        while let Some(at) = (0..heads.len())
            .filter(|at| heads[*at].is_some())
            .min_by_key(|at| heads[*at].as_ref().map(|line| line.time))
        {
            if let Some(line) = heads[at].take() {
                self.line(&mut out, &sources[at], &line)?;
            }
            heads[at] = sources[at].next_line();
        }
        Ok(out.flush()?)
    }

    /// What was written since the last look.
    fn new_lines(&mut self, sources: &mut [Source]) -> Result<(), Error> {
        for source in sources.iter_mut() {
            source.follow_rotation();
        }
        self.merged(sources)
    }

    fn line(&self, out: &mut impl Write, source: &Source, line: &Line) -> io::Result<()> {
        let filter = &self.filter;
        if filter.since.is_some_and(|since| line.time.is_none_or(|time| time < since)) {
            return Ok(());
        }
        if filter.grep.as_ref().is_some_and(|grep| !grep.is_match(&line.text)) {
            return Ok(());
        }
        if filter.json {
            let time = line.time.map(|time| time.to_string());
            let document = json!({"source": source.label(), "time": time, "line": line.text});
            return writeln!(out, "{document}");
        }
        if let Some(width) = self.width {
            write!(out, "{:<width$} | ", source.label())?;
        }
        match &filter.grep {
            Some(grep) if filter.colour => {
                writeln!(out, "{}", grep.replace_all(&line.text, "\u{1b}[1;31m$0\u{1b}[0m"))
            }
            _ => writeln!(out, "{}", line.text),
        }
    }
}
