//! A run kept for comparison: `benches/runs/<date>-<machine>/` with `README.md`, `raw.csv` and
//! `summary.txt`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::pairs::{Block, Outcome};
use super::quantile::Quantile;
use super::summary::Role;

const SECONDS_PER_DAY: u64 = 86_400;

const CSV_HEADER: &str = "row,pair,block,name,verdict,tuples,elapsed_ns,per_second,p50_ns,p99_ns,\
    p99.9_ns,p99.99_ns,max_ns,allocations,allocated_bytes,refused,own_cpu_ns,others_ns,steal_ns,\
    voluntary_switches,involuntary_switches,ping_pong_before_ns,ping_pong_after_ns,gaps_before,\
    gaps_before_lost,gaps_after,gaps_after_lost\n";

/// Where and with what a run was made.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// Day of the run, `YYYY-MM-DD`, in UTC.
    pub date: String,
    /// The command that repeats the run.
    pub command: String,
    /// Commit of the tree, with `-dirty` where files differ from it.
    pub commit: String,
    /// Compiler version.
    pub rustc: String,
    /// Processor model.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// Kernel release.
    pub kernel: String,
}

impl Circumstances {
    /// Asks the machine. What cannot be told is `unknown`.
    #[expect(clippy::disallowed_methods, reason = "a kept run bears the day on which it was made")]
    #[must_use]
    pub fn of_this_run(arguments: &[String]) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            date: date(now.as_secs()),
            command: format!("cargo bench --bench hop -- {}", arguments.join(" ")),
            commit: commit(),
            rustc: said_by("rustc", &["--version"]),
            cpu: cpu_model(&cpuinfo),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: or_unknown(&kernel),
        }
    }

    fn machine(&self) -> String {
        format!("{}-{}-cores", slug(&self.cpu), self.cores)
    }

    fn readme(&self) -> String {
        let Self { date, command, commit, rustc, cpu, cores, kernel } = self;
        format!(
            "# Run of {date}\n\n\
             | | |\n|---|---|\n\
             | command | `{}` |\n\
             | commit | {commit} |\n\
             | rustc | {rustc} |\n\
             | CPU | {cpu}, {cores} cores |\n\
             | kernel | {kernel} |\n\n\
             `summary.txt` is what the run printed; `raw.csv` has every block, disturbed ones too.\n",
            command.trim_end()
        )
    }
}

/// Writes the run below `runs` into a folder of its own and returns that folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write(
    runs: &Path,
    circumstances: &Circumstances,
    outcomes: &[Outcome],
    summary: &str,
) -> io::Result<PathBuf> {
    let folder = unused(runs, &format!("{}-{}", circumstances.date, circumstances.machine()));
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("README.md"), circumstances.readme())?;
    fs::write(folder.join("raw.csv"), csv(outcomes))?;
    fs::write(folder.join("summary.txt"), summary)?;
    Ok(folder)
}

/// Every block of every pair, one a line.
#[must_use]
pub fn csv(outcomes: &[Outcome]) -> String {
    let mut text = CSV_HEADER.to_owned();
    for outcome in outcomes {
        for (number, pair) in outcome.pairs.iter().enumerate() {
            let subject = pair.subject.as_ref().map(|block| (Role::Subject, block));
            for (role, block) in std::iter::once((Role::Limit, &pair.limit)).chain(subject) {
                let name = match role {
                    Role::Limit => Some(&outcome.limit),
                    Role::Subject => outcome.subject.as_ref(),
                };
                let name = name.map_or("", String::as_str);
                let (row, verdict) = (&outcome.row, &pair.verdict);
                write!(text, "{row},{},{role:?},\"{name}\",{verdict},", number + 1)
                    .expect("writing to a string does not fail");
                text += &cells(block);
                text.push('\n');
            }
        }
    }
    text
}

fn cells(block: &Block) -> String {
    let (sample, facts) = (&block.sample, &block.facts);
    let quantile = |q: Quantile| sample.latency.as_ref().and_then(|latency| q.of(latency));
    let quantiles = Quantile::ALL.map(|q| quantile(q).map_or(String::new(), |ns| ns.to_string()));
    [
        sample.tuples.to_string(),
        sample.elapsed.as_nanos().to_string(),
        format!("{:.1}", sample.per_second()),
        quantiles.join(","),
        sample.allocated.allocations.to_string(),
        sample.allocated.bytes.to_string(),
        sample.refused.to_string(),
        facts.usage.own.cpu.as_nanos().to_string(),
        facts.usage.others.as_nanos().to_string(),
        facts.usage.steal.as_nanos().to_string(),
        facts.usage.own.voluntary_switches.to_string(),
        facts.usage.own.involuntary_switches.to_string(),
        format!("{:.1}", facts.ping_pong_before_ns),
        format!("{:.1}", facts.ping_pong_after_ns),
        facts.gaps_before.count.to_string(),
        format!("{:.5}", facts.gaps_before.lost),
        facts.gaps_after.count.to_string(),
        format!("{:.5}", facts.gaps_after.lost),
    ]
    .join(",")
}

/// The first of `name`, `name-2`, `name-3` … that does not exist: a kept run is never overwritten.
fn unused(runs: &Path, name: &str) -> PathBuf {
    let numbered = (2..).map(|n| runs.join(format!("{name}-{n}")));
    let mut candidates = std::iter::once(runs.join(name)).chain(numbered);
    candidates.find(|folder| !folder.exists()).expect("numbers do not run out")
}

/// The day of a Unix time, in the Gregorian calendar.
fn date(unix_seconds: u64) -> String {
    // Days are counted from 1 March of year 0, so that a leap day ends its year.
    let days = unix_seconds / SECONDS_PER_DAY + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn cpu_model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    or_unknown(line.and_then(|line| line.split_once(':')).map_or("", |(_, model)| model))
}

/// Lower-case letters and digits, with one hyphen for everything else.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

fn commit() -> String {
    let commit = said_by("git", &["rev-parse", "--short=12", "HEAD"]);
    let changes = said_by("git", &["status", "--porcelain"]);
    match changes == "unknown" {
        true => commit,
        false => commit + "-dirty",
    }
}

/// What a program prints, or `unknown` where it fails or says nothing.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.ok().filter(|output| output.status.success());
    or_unknown(&output.map_or(String::new(), |o| String::from_utf8_lossy(&o.stdout).into_owned()))
}

fn or_unknown(text: &str) -> String {
    match text.trim() {
        "" => "unknown".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_calendar_over_leap_years() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_735_689_599, "2024-12-31"),
            (1_735_689_600, "2025-01-01"),
        ] {
            assert_eq!(date(seconds), expected);
        }
    }

    #[test]
    fn a_machine_is_named_by_its_processor() {
        assert_eq!(cpu_model("processor : 0\nmodel name\t: AMD EPYC 9B45\n"), "AMD EPYC 9B45");
        assert_eq!(slug("Intel(R) Xeon(R) CPU @ 2.50GHz"), "intel-r-xeon-r-cpu-2-50ghz");
        assert_eq!(cpu_model(""), "unknown");
    }

    #[test]
    fn every_line_of_the_raw_numbers_has_the_header_s_columns() {
        use super::super::gate::{Facts, Verdict};
        use super::super::pairs::Pair;
        use super::super::sample::Window;

        let block = || Block { sample: Window::open().close(1), facts: Facts::default() };
        let outcome = Outcome {
            row: "row".to_owned(),
            limit: "limit".to_owned(),
            subject: Some("subject".to_owned()),
            figures: Vec::new(),
            wanted: 1,
            pairs: vec![Pair { limit: block(), subject: Some(block()), verdict: Verdict::Clean }],
        };
        let text = csv(&[outcome]);
        let columns: Vec<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(columns, [columns[0]; 3]);
    }
}
