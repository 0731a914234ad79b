//! Measures whole topologies and, interleaved in the same run, the physical limits they are held
//! to. `cargo bench --bench hop -- --help` lists the options.
//!
//! ```text
//!   rows ── which subject, which limit, which ratio
//!    └─ pairs ── limit, subject, limit, subject …, each pair judged by the gate
//!        ├─ sample ── the contract of limits and subjects; what one block measured
//!        ├─ absolutes ── idle cost, start, overload: figures without a limit
//!        ├─ runtime ── the topologies under test
//!        ├─ limits, rivals ── what can be measured without the runtime
//!        └─ machine, gate ── what else the machine did meanwhile, and whether that spoils a pair
//!   summary ── ratios, medians, merged histograms
//!    └─ report, record ── tables, JSON, and the kept run
//!   clock, schedule, open_loop, payload, allocations, parker, ring, quantile, stats, corpus,
//!   start ── tools
//! ```

#![cfg_attr(
    test,
    allow(
        dead_code,
        unused_imports,
        reason = "cargo builds a bench without harness with cfg(test) and strips its tests; \
                  the test target that includes this file strips nothing but never calls `main`"
    )
)]

mod absolutes;
mod allocations;
mod args;
mod clock;
mod corpus;
mod gate;
mod limits;
mod machine;
mod open_loop;
mod pairs;
mod parker;
mod payload;
mod quantile;
mod record;
mod report;
mod ring;
mod rivals;
mod rows;
mod runtime;
mod sample;
mod schedule;
mod start;
mod stats;
mod summary;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use allocations::Counting;
use args::Args;
use corpus::Corpus;
use pairs::{Outcome, Row};
use record::Circumstances;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Where kept runs lie.
const RUNS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/runs");

/// Name by which `--only` selects the figures that are no ratio.
const ABSOLUTES: &str = "absolutes";

/// Exit code of a command line that was not understood.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.iter().any(|argument| argument == absolutes::PROBE) {
        absolutes::probe();
        return ExitCode::SUCCESS;
    }
    let mut args = match Args::parse(arguments.iter().cloned()) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("hop: {error}\n\nhint: cargo bench --bench hop -- --help");
            return ExitCode::from(USAGE);
        }
    };
    args.smoke |= cfg!(debug_assertions);
    match run(&args, &arguments) {
        // A reader that has seen enough and closed the pipe is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("hop: cannot finish the run: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn run(args: &Args, arguments: &[String]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    if args.help {
        return output.write_all(args::HELP.as_bytes());
    }
    let mut rows = rows::all(&Rc::new(Corpus::new(args.text.clone())));
    rows.retain(|row| args.selects(&row.name));
    if args.list {
        let names = rows.iter().map(|row| row.name.as_str());
        let names = names.chain(args.selects(ABSOLUTES).then_some(ABSOLUTES));
        return names.into_iter().try_for_each(|name| writeln!(output, "{name}"));
    }
    parker::tighten_timer_slack();
    clock::calibrate();
    let outcomes: Vec<Outcome> = rows.iter_mut().map(|row| measure(row, args)).collect();
    let absolutes = match args.selects(ABSOLUTES) {
        true => absolutes::all(args.long, args.smoke)?,
        false => Vec::new(),
    };
    let mut summary = report::text(&outcomes);
    if !absolutes.is_empty() {
        summary += "\nFigures with no limit to be a ratio of\n\n";
        summary += &absolutes::table(&absolutes);
    }
    match args.json {
        true => {
            let rows = report::json(&outcomes);
            let all = serde_json::json!({"rows": rows, "absolutes": absolutes::json(&absolutes)});
            writeln!(output, "{all:#}")?;
        }
        false => output.write_all(summary.as_bytes())?,
    }
    if args.record {
        let circumstances = Circumstances::of_this_run(arguments);
        let folder = record::write(Path::new(RUNS), &circumstances, &outcomes, &summary)?;
        eprintln!("hop: kept the run in {}", folder.display());
    }
    Ok(())
}

fn measure(row: &mut Row, args: &Args) -> Outcome {
    pairs::run(row, &args.plan(), |outcome| {
        let Some(last) = outcome.pairs.last() else {
            return;
        };
        eprintln!(
            "hop: {}: {} of {} clean pairs; {}",
            outcome.row,
            outcome.clean(),
            outcome.wanted,
            last.verdict
        );
    })
}
