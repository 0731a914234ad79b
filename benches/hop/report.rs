//! The table of figures, the table of latencies, and the same as JSON.
//!
//! Pure: outcomes in, text out. Colour carries nothing; columns are aligned by spaces.

use std::fmt::Write;

use serde_json::{Value, json};

use super::pairs::Outcome;
use super::quantile::Quantile;
use super::sample::Metric;
use super::summary::{self, Distribution, FigureLine, Role};

const FIGURE_COLUMNS: [&str; 13] = [
    "row", "figure", "limit", "", "subject", "", "ratio", "min", "max", "target", "", "pairs",
    "allocs",
];

const LATENCY_COLUMNS: [&str; 9] =
    ["row", "measured", "n", "p50", "p99", "p99.9", "p99.99", "max", "gen p99.9"];

const NOISE_COLUMNS: [&str; 9] = [
    "row",
    "block of",
    "ping-pong",
    "others",
    "switches/s",
    "taken away/s",
    "own cpu",
    "gaps lost",
    "longest gap",
];

/// Columns that hold words and are aligned to the left.
const WORDS: [&str; 6] = ["row", "figure", "limit", "subject", "measured", "block of"];

/// All tables for a reader, each under a line that says what it shows.
#[must_use]
pub fn text(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let figures = outcomes.iter().flat_map(figure_rows).collect();
    let latencies: Vec<_> = outcomes.iter().flat_map(latency_rows).collect();
    let noise = outcomes.iter().flat_map(noise_rows).collect();
    text += "Figures: median of the per-pair ratios, subject by limit\n\n";
    text += &table(&FIGURE_COLUMNS, figures);
    if !latencies.is_empty() {
        text += "\nLatency from the intended time, histograms of all usable blocks merged\n\n";
        text += &table(&LATENCY_COLUMNS, latencies);
    }
    text += "\nMachine during the usable blocks, medians\n\n";
    text += &table(&NOISE_COLUMNS, noise);
    text
}

/// Everything that the tables show, for programs; times in nanoseconds.
#[must_use]
pub fn json(outcomes: &[Outcome]) -> Value {
    outcomes.iter().map(outcome_json).collect()
}

/// A rate with three or four significant digits: `12.3 M/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    let (scaled, unit) = match per_second {
        r if r >= 1e9 => (r / 1e9, "G/s"),
        r if r >= 1e6 => (r / 1e6, "M/s"),
        r if r >= 1e3 => (r / 1e3, "k/s"),
        r => (r, "/s"),
    };
    format!("{scaled:.*} {unit}", if scaled < 10.0 { 2 } else { 1 })
}

/// A time with three or four significant digits: `4.35 µs`.
#[must_use]
pub fn time(ns: f64) -> String {
    let (scaled, unit) = match ns {
        t if t >= 1e9 => (t / 1e9, "s"),
        t if t >= 1e6 => (t / 1e6, "ms"),
        t if t >= 1e3 => (t / 1e3, "µs"),
        t => return format!("{t:.0} ns"),
    };
    format!("{scaled:.*} {unit}", if scaled < 10.0 { 2 } else { 1 })
}

/// Lines of cells under a header, each column as wide as its widest cell.
#[must_use]
pub fn table(columns: &[&str], rows: Vec<Vec<String>>) -> String {
    let header = columns.iter().map(|&column| column.to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let mut laid_out = String::new();
        for ((cell, &width), column) in line.iter().zip(&widths).zip(columns) {
            let written = match WORDS.contains(column) {
                true => write!(laid_out, "{cell:<width$}  "),
                false => write!(laid_out, "{cell:>width$}  "),
            };
            written.expect("writing to a string does not fail");
        }
        text += laid_out.trim_end();
        text.push('\n');
    }
    text
}

fn figure_rows(outcome: &Outcome) -> Vec<Vec<String>> {
    let lines = summary::figures(outcome);
    lines.iter().map(|line| figure_row(outcome, line)).collect()
}

fn figure_row(outcome: &Outcome, line: &FigureLine) -> Vec<String> {
    let shown = |value: Option<f64>| or_dash(value.map(|v| value_text(line.figure.metric, v)));
    let ratio = |read: fn(&super::stats::Spread) -> f64| {
        or_dash(line.ratio.as_ref().map(|spread| format!("{:.3}", read(spread))))
    };
    vec![
        outcome.row.clone(),
        line.figure.metric.to_string(),
        outcome.limit.clone(),
        shown(line.limit),
        or_dash(outcome.subject.clone()),
        shown(line.subject),
        ratio(|r| r.median),
        ratio(|r| r.min),
        ratio(|r| r.max),
        or_dash(line.figure.target.map(|target| target.to_string())),
        line.mark.to_string(),
        format!("{} of {}", outcome.clean(), outcome.pairs.len()),
        allocations(outcome),
    ]
}

fn latency_rows(outcome: &Outcome) -> Vec<Vec<String>> {
    let row = |(role, name): (Role, &String)| {
        let distribution = summary::distribution(outcome, role)?;
        let mut cells = vec![outcome.row.clone(), name.clone()];
        cells.push(distribution.latency.len().to_string());
        let ns = |ns: u64| time(ns as f64);
        cells.extend(Quantile::ALL.map(|q| or_dash(q.of(&distribution.latency).map(ns))));
        cells.push(or_dash(distribution.lateness_p999_ns.map(ns)));
        Some(cells)
    };
    sides(outcome).filter_map(row).collect()
}

fn noise_rows(outcome: &Outcome) -> Vec<Vec<String>> {
    let row = |(role, name): (Role, &String)| {
        let median =
            |read: fn(&super::pairs::Block) -> f64| summary::median_of(outcome, role, read);
        let per_second = |n: u64, of: &super::pairs::Block| {
            n as f64 / of.facts.usage.elapsed.as_secs_f64().max(1e-9)
        };
        let others = summary::median_of(outcome, role, |b| {
            100.0 * b.facts.usage.others.as_secs_f64() / b.facts.usage.elapsed.as_secs_f64()
        });
        let taken_away = summary::median_of(outcome, role, |b| {
            per_second(b.facts.usage.own.involuntary_switches, b)
        });
        vec![
            outcome.row.clone(),
            name.clone(),
            time(median(|b| b.facts.ping_pong_before_ns)),
            format!("{others:.1} %"),
            format!("{:.1}", median(|b| b.facts.usage.switches_per_second())),
            format!("{taken_away:.1}"),
            format!("{:.1} %", median(|b| b.facts.usage.own_cpu_percent())),
            format!("{:.2} %", median(|b| 100.0 * b.facts.gaps_before.lost)),
            time(median(|b| b.facts.gaps_before.longest.as_nanos() as f64)),
        ]
    };
    sides(outcome).map(row).collect()
}

fn sides(outcome: &Outcome) -> impl Iterator<Item = (Role, &String)> {
    let subject = outcome.subject.as_ref().map(|name| (Role::Subject, name));
    std::iter::once((Role::Limit, &outcome.limit)).chain(subject)
}

fn allocations(outcome: &Outcome) -> String {
    let role = if outcome.subject.is_some() { Role::Subject } else { Role::Limit };
    let per_tuple = summary::median_of(outcome, role, |b| b.sample.allocations_per_tuple());
    let any = summary::blocks(outcome, role).any(|b| b.sample.allocated.allocations > 0);
    match (any, per_tuple) {
        (false, _) => "0".to_owned(),
        (true, few) if few < 1e-4 => "<0.0001".to_owned(),
        (true, per_tuple) => format!("{per_tuple:.4}"),
    }
}

fn value_text(metric: Metric, value: f64) -> String {
    match metric {
        Metric::PerSecond => rate(value),
        Metric::Latency(_) => time(value),
    }
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

fn outcome_json(outcome: &Outcome) -> Value {
    let figures: Value = summary::figures(outcome).iter().map(figure_json).collect();
    let side = |(role, name): (Role, &String)| {
        let rate = summary::median_of(outcome, role, |b| b.sample.per_second());
        let allocations = summary::median_of(outcome, role, |b| b.sample.allocations_per_tuple());
        let ping_pong_ns = summary::median_of(outcome, role, |b| b.facts.ping_pong_before_ns);
        json!({
            "name": name,
            "per_second": rate,
            "allocations_per_tuple": allocations,
            "ping_pong_ns": ping_pong_ns,
            "latency_ns": summary::distribution(outcome, role).map(|d| distribution_json(&d)),
        })
    };
    json!({
        "row": outcome.row,
        "pairs": outcome.pairs.len(),
        "clean": outcome.clean(),
        "figures": figures,
        "measured": sides(outcome).map(side).collect::<Value>(),
    })
}

fn figure_json(line: &FigureLine) -> Value {
    json!({
        "figure": line.figure.metric.to_string(),
        "limit": line.limit,
        "subject": line.subject,
        "ratio": line.ratio.map(|r| json!({ "median": r.median, "min": r.min, "max": r.max })),
        "target": line.figure.target.map(|target| target.to_string()),
        "result": line.mark.to_string(),
    })
}

fn distribution_json(distribution: &Distribution) -> Value {
    let mut json = json!({
        "n": distribution.latency.len(),
        "generator_p99.9": distribution.lateness_p999_ns,
    });
    for quantile in Quantile::ALL {
        json[quantile.to_string()] = quantile.of(&distribution.latency).into();
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_wear_their_unit() {
        assert_eq!(rate(12_345_678.0), "12.3 M/s");
        assert_eq!(rate(1_234.0), "1.23 k/s");
        assert_eq!(rate(7.0), "7.00 /s");
        assert_eq!(time(850.0), "850 ns");
        assert_eq!(time(4_346.0), "4.35 µs");
        assert_eq!(time(12_000_000.0), "12.0 ms");
        assert_eq!(time(1.5e9), "1.50 s");
    }

    #[test]
    fn words_are_aligned_left_and_numbers_right() {
        let cells = |a: &str, b: &str| vec![a.to_owned(), b.to_owned()];
        let text = table(&["row", "n"], vec![cells("a", "1000"), cells("bcd-e", "4.3 µs")]);
        assert_eq!(text, "row         n\na        1000\nbcd-e  4.3 µs\n");
    }
}
