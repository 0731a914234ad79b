//! `monitor`: what a topology's components do per second, looked at again and again.

use std::time::Duration;

use serde_json::json;

use super::rates::{Kind, Look, Rates};
use crate::args::Monitor;
use crate::clock::{Deadline, rest};
use crate::error::Error;
use crate::nimbus::Nimbus;
use crate::output::{Table, grouped};
use crate::session::Session;

/// What one question takes at most.
const ANSWER: Duration = Duration::from_secs(30);
/// Goes to the start of the line that many lines up, and clears what follows.
const UP_AND_CLEAR: [&str; 2] = ["\u{1b}[", "F\u{1b}[J"];

/// Shows rates.
pub fn monitor(session: &Session, asked: &Monitor) -> Result<(), Error> {
    let end = session.deadline_if_set();
    let mut nimbus = Nimbus::connect(session, Deadline::after(ANSWER))?;
    let mut before = Look::of(&nimbus.topology(&asked.name)?);
    let mut since = Deadline::after(Duration::MAX);
    let mut shown = 0;
    let mut lines = 0;
    while asked.count.is_none_or(|count| shown < count) {
        rest(end.map_or(asked.interval, |end| asked.interval.min(end.left())));
        let info = nimbus.topology(&asked.name)?;
        let secs = since.spent().as_secs_f64();
        since = Deadline::after(Duration::MAX);
        let now = Look::of(&info);
        let rates = now.rates_since(&before, secs, asked.system);
        before = now;
        if session.output.json {
            session.output.line(&json!({
                "topology": info.name, "id": info.id, "status": info.status,
                "interval_secs": secs, "components": rates,
            }))?;
        } else {
            let head = format!(
                "{} ({}), {}",
                info.name,
                info.status,
                super::topologies::uptime(info.uptime_secs)
            );
            let text = format!("{head}\n{}", table(&rates).render());
            let back = if session.output.colour && lines > 0 {
                format!("{}{lines}{}", UP_AND_CLEAR[0], UP_AND_CLEAR[1])
            } else {
                String::new()
            };
            lines = text.lines().count();
            let gap = if session.output.colour || shown == 0 { "" } else { "\n" };
            session.output.data(&format!("{back}{gap}{text}"))?;
        }
        shown += 1;
        if end.is_some_and(|end| end.is_over()) {
            break;
        }
    }
    Ok(())
}

fn table(rates: &[Rates]) -> Table {
    let head = [
        "component",
        "kind",
        "executors",
        "tasks",
        "emitted/s",
        "transferred/s",
        "executed/s",
        "acked/s",
        "failed/s",
        "latency ms",
    ];
    let mut table = Table::new(&head);
    for one in rates {
        let kind = match one.kind {
            Kind::Spout => "spout",
            Kind::Bolt => "bolt",
            Kind::Unknown => "-",
        };
        let executed = if one.kind == Kind::Spout { "-".to_owned() } else { rate(one.executed) };
        table.row([
            one.component.clone(),
            kind.to_owned(),
            one.executors.to_string(),
            one.tasks.to_string(),
            rate(one.emitted),
            rate(one.transferred),
            executed,
            rate(one.acked),
            rate(one.failed),
            one.latency_ms.map_or("-".to_owned(), |ms| format!("{ms:.3}")),
        ]);
    }
    table
}

/// Whole numbers from ten on; below, a digit more shows that something moves.
fn rate(per_sec: f64) -> String {
    if per_sec > 0.0 && per_sec < 10.0 {
        format!("{per_sec:.1}")
    } else {
        grouped(per_sec.round().max(0.0) as u64)
    }
}
