//! The bench's command line: what was typed, and what it means.
//!
//! Pure. `--bench`, which `cargo bench` passes, means nothing here.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::gate::Gate;
use super::pairs::Plan;

/// Clean pairs that a figure needs.
const PAIRS: usize = 7;
const PAIRS_LONG: usize = 11;

/// Length of a block. The short one keeps all rows within ten minutes.
const BLOCK: Duration = Duration::from_millis(400);
const BLOCK_LONG: Duration = Duration::from_secs(4);

/// Length of a block where only the machinery is tried out.
const BLOCK_SMOKE: Duration = Duration::from_millis(5);

/// The text of `--help`.
pub const HELP: &str = "\
Measures topologies and the physical limits they are held to, in interleaved blocks.

Usage: cargo bench --bench hop -- [OPTIONS]

  --only NAME    rows whose name contains NAME; may be repeated
  --list         print the names of the rows and end
  --long         blocks of 4 s and 11 clean pairs instead of 0.4 s and 7
  --smoke        one short pair of every row, to see that it runs; says nothing about speed
  --pairs N      clean pairs a row needs
  --block-ms N   length of a block in milliseconds
  --text FILE    the text of the word-count rows
  --json         print JSON instead of tables
  --record       keep the run in benches/runs/<date>-<machine>/
  --help         print this

Tables go to standard output, progress to standard error. A build without optimisation
always runs as with --smoke.
";

/// What the bench was asked to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args {
    /// Parts of row names; empty for all rows.
    pub only: Vec<String>,
    /// Print row names.
    pub list: bool,
    /// Print the help.
    pub help: bool,
    /// Longer blocks, more pairs.
    pub long: bool,
    /// One short pair.
    pub smoke: bool,
    /// Print JSON.
    pub json: bool,
    /// Keep the run.
    pub record: bool,
    /// Clean pairs, where given.
    pub pairs: Option<usize>,
    /// Block length in milliseconds, where given.
    pub block_ms: Option<u64>,
    /// Text for word count, where given.
    pub text: Option<PathBuf>,
}

/// Why a command line was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgsError {
    /// No such option.
    Unknown(String),
    /// The option wants a value after it.
    MissingValue(String),
    /// The option wants a whole number from 1 on.
    NotANumber(String, String),
}

impl Args {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// On the first argument that is not understood.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, ArgsError> {
        let mut args = Self::default();
        let mut arguments = arguments.into_iter();
        while let Some(option) = arguments.next() {
            let mut value = || arguments.next().ok_or(ArgsError::MissingValue(option.clone()));
            match option.as_str() {
                "--bench" => {}
                "--only" => args.only.push(value()?),
                "--list" => args.list = true,
                "--help" | "-h" => args.help = true,
                "--long" => args.long = true,
                "--smoke" => args.smoke = true,
                "--json" => args.json = true,
                "--record" => args.record = true,
                "--pairs" => args.pairs = Some(number(&option, &value()?)? as usize),
                "--block-ms" => args.block_ms = Some(number(&option, &value()?)?),
                "--text" => args.text = Some(value()?.into()),
                _ => return Err(ArgsError::Unknown(option)),
            }
        }
        Ok(args)
    }

    /// Whether a row was asked for.
    #[must_use]
    pub fn selects(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| row.contains(part.as_str()))
    }

    /// How long and how often to measure.
    #[must_use]
    pub fn plan(&self) -> Plan {
        let (block, pairs) = match (self.smoke, self.long) {
            (true, _) => (BLOCK_SMOKE, 1),
            (false, true) => (BLOCK_LONG, PAIRS_LONG),
            (false, false) => (BLOCK, PAIRS),
        };
        let pairs = self.pairs.unwrap_or(pairs);
        Plan {
            block: self.block_ms.map_or(block, Duration::from_millis),
            pairs,
            retries: match (self.smoke, self.long) {
                (true, _) => 0,
                (false, true) => pairs * 2,
                // A disturbed machine must not stretch the short run beyond its ten minutes.
                (false, false) => pairs,
            },
            stretch_to_row: !self.smoke,
            gate: Gate::default(),
        }
    }
}

fn number(option: &str, value: &str) -> Result<u64, ArgsError> {
    let number = value.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| ArgsError::NotANumber(option.to_owned(), value.to_owned()))
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => write!(f, "cannot read the arguments: no option {option}"),
            Self::MissingValue(option) => {
                write!(f, "cannot read the arguments: {option} wants a value after it")
            }
            Self::NotANumber(option, value) => {
                write!(
                    f,
                    "cannot read the arguments: {option} wants a number from 1 on, not {value}"
                )
            }
        }
    }
}

impl std::error::Error for ArgsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, ArgsError> {
        Args::parse(line.split_ascii_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_cargo_passes_changes_nothing() {
        assert_eq!(parse("--bench"), Ok(Args::default()));
    }

    #[test]
    fn rows_are_selected_by_a_part_of_their_name() {
        let args = parse("--only ring --only hop").expect("valid");
        assert!(args.selects("ring-64") && args.selects("parked-hop-10k"));
        assert!(!args.selects("tcp-bulk"));
        assert!(Args::default().selects("tcp-bulk"));
    }

    #[test]
    fn the_plan_follows_the_length_asked_for() {
        let plan = |line| parse(line).expect("valid").plan();
        assert_eq!((plan("").pairs, plan("").block), (PAIRS, BLOCK));
        assert_eq!((plan("--long").pairs, plan("--long").block), (PAIRS_LONG, BLOCK_LONG));
        assert_eq!((plan("--smoke").pairs, plan("--smoke").retries), (1, 0));
        assert_eq!(plan("--long --pairs 3 --block-ms 70").block, Duration::from_millis(70));
    }

    #[test]
    fn a_refusal_names_the_argument() {
        let said = |line| parse(line).expect_err("refused").to_string();
        assert!(said("--lnog").ends_with("no option --lnog"));
        assert!(said("--only").ends_with("--only wants a value after it"));
        assert!(said("--pairs 0").ends_with("--pairs wants a number from 1 on, not 0"));
    }
}
