//! What a shell bolt costs: an echo bolt in Python in each framing, beside a plain loop over pipes in
//! the same Python.
//!
//! ```text
//! cargo bench --bench multilang -- [--rounds N] [--seconds N] [--only NAME]
//! ```
//!
//! A round runs every row once, one after another, so that a slow moment of the machine meets all of
//! them; a figure is the median of the rounds. Throughput: a spout that always has a tuple, an echo
//! bolt, a bolt that counts; every tuple is tracked and acked. Latency: 1,000 tuples a second, from
//! `emit` in the spout to `execute` behind the echo; for the plain loop from the write of one tuple to
//! the end of the read. `python3` is the one on the PATH. Storm's own adapter is fetched by
//! `scripts/stock-multilang`, which needs Maven and is left out where there is none.

mod idle;
mod loops;
mod python;
mod topology;

use std::process::ExitCode;
use std::time::Duration;

use python::{Adapter, Scripts};

/// What is measured, if nothing else is said.
const ROUNDS: usize = 5;
/// How long a throughput is watched.
const SECONDS: u64 = 2;
/// Shell bolts that have nothing to do.
const IDLE_BOLTS: usize = 32;

/// The rows of one round; each is one number.
struct Row {
    name: String,
    unit: &'static str,
    run: Box<dyn Fn() -> f64>,
    figures: Vec<f64>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--test") || !args.iter().any(|arg| arg == "--bench") {
        println!("multilang: started as a test, nothing is measured");
        return ExitCode::SUCCESS;
    }
    let value = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let rounds = value("--rounds").and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let seconds = value("--seconds").and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let only = value("--only").unwrap_or_default();
    let scripts = Scripts::write();
    let mut rows = rows(&scripts, Duration::from_secs(seconds));
    rows.retain(|row| row.name.contains(&only));
    for round in 1..=rounds {
        for row in &mut rows {
            eprintln!("round {round} of {rounds}: {}", row.name);
            row.figures.push((row.run)());
        }
    }
    println!("{:52} {:>12} {:>12} {:>12}", "", "median", "min", "max");
    for row in &mut rows {
        row.figures.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (row.figures.first(), row.figures.last()) else { continue };
        let median = row.figures[row.figures.len() / 2];
        println!("{:52} {median:>12.1} {min:>12.1} {max:>12.1} {}", row.name, row.unit);
    }
    if "idle".contains(&only) {
        let percent = idle::percent_of_a_core(&scripts, IDLE_BOLTS);
        println!("{:52} {percent:>12.3} % of a core", format!("{IDLE_BOLTS} idle shell bolts"));
    }
    ExitCode::SUCCESS
}

fn rows(scripts: &Scripts, length: Duration) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = |name: String, unit, run: Box<dyn Fn() -> f64>| {
        rows.push(Row { name, unit, run, figures: Vec::new() });
    };
    for batch in [1, 16, 128] {
        let scripts = scripts.clone();
        row(
            format!("throughput: plain loop, batches of {batch}"),
            "tuples/s",
            Box::new(move || loops::throughput(&scripts, batch, length)),
        );
    }
    let adapters: Vec<(Adapter, &'static str)> = vec![
        (Adapter::Stock, "json"),
        (Adapter::Ours, "json"),
        (Adapter::Ours, "msgpack"),
        (Adapter::Ours, "binary"),
    ];
    let adapters = adapters.into_iter().filter(|(adapter, _)| scripts.has(*adapter));
    for (adapter, framing) in adapters.clone() {
        let scripts = scripts.clone();
        row(
            format!("throughput: {framing}, {adapter} adapter"),
            "tuples/s",
            Box::new(move || topology::throughput(&scripts, adapter, framing, length)),
        );
    }
    let plain = scripts.clone();
    row(
        "p50 at 1,000/s: plain loop".to_owned(),
        "us",
        Box::new(move || loops::latency_us(&plain, length)),
    );
    for (adapter, framing) in adapters {
        let scripts = scripts.clone();
        row(
            format!("p50 at 1,000/s: {framing}, {adapter} adapter"),
            "us",
            Box::new(move || topology::latency_us(&scripts, adapter, framing, length)),
        );
    }
    rows
}
