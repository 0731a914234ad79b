//! Each line of a case is a second, an event, and what comes of it.

use std::fmt::Write;
use std::time::Duration;

use nimbus_client::TopologyId;

use super::*;
use crate::assignment::text;
use crate::process::Ending;
use crate::text_cases;

#[test]
fn slots_behave_as_the_cases_say() {
    text_cases::check("slot.txt", include_str!("../../../tests/data/slot.txt"), run);
}

fn run(calls: &[&str]) -> String {
    let mut out = String::new();
    let mut slot = Slot::new(Timeouts::default());
    for call in calls {
        let words: Vec<&str> = call.split_whitespace().collect();
        let now = Time::ZERO + Duration::from_secs(words[0].parse().expect("a second"));
        let effects = match words[1..] {
            ["adopt", topology, ref executors @ ..] => {
                slot = Slot::adopted(Timeouts::default(), local(topology, executors), None, now);
                Vec::new()
            }
            // Ticks as whoever drives a slot would, up to that second.
            ["until"] => {
                while let Some(due) = slot.next_deadline().filter(|due| *due <= now) {
                    let effects = slot.on(Event::Tick, due);
                    write_line(
                        &mut out,
                        &slot,
                        &format!("{:?} tick", due.since(Time::ZERO)),
                        &effects,
                    );
                }
                continue;
            }
            ref words => slot.on(read_event(words), now),
        };
        write_line(&mut out, &slot, call, &effects);
    }
    out
}

fn write_line(out: &mut String, slot: &Slot, call: &str, effects: &[Effect]) {
    let told: Vec<String> = effects.iter().map(tell).collect();
    let colon = if told.is_empty() { "" } else { ": " };
    writeln!(out, "{call} → {}{colon}{}", slot.state_name(), told.join(", ")).unwrap();
}

fn tell(effect: &Effect) -> String {
    match effect {
        Effect::Localize { topology } => format!("localize {topology}"),
        Effect::UpdateBlobs { topology } => format!("update {topology}"),
        Effect::Release { topology } => format!("release {topology}"),
        Effect::Launch { worker, assignment } => {
            let executors = assignment.executors.iter().map(|one| format!(" {one}"));
            format!("launch {worker} {}{}", assignment.topology, executors.collect::<String>())
        }
        Effect::Terminate { worker } => format!("terminate {worker}"),
        Effect::Kill { worker } => format!("kill {worker}"),
        Effect::CleanUp { worker } => format!("clean up {worker}"),
        Effect::Report(report) => format!("report '{report}'"),
    }
}

fn read_event(words: &[&str]) -> Event {
    let worker = |number: &str| WorkerNumber(number.parse().expect("a worker's number"));
    match *words {
        ["assign"] => Event::Assign(None),
        ["assign", topology, ref executors @ ..] => Event::Assign(Some(local(topology, executors))),
        ["localized", topology] => {
            Event::Localized { topology: id(topology), worker_timeout: None }
        }
        ["localized", topology, secs] => {
            let secs = secs.parse().expect("seconds");
            let worker_timeout = Some(Duration::from_secs(secs));
            Event::Localized { topology: id(topology), worker_timeout }
        }
        [how @ ("failed" | "refused"), topology, ref why @ ..] => {
            let (topology, why) = (id(topology), why.join(" "));
            Event::LocalizationFailed { topology, why, refused: how == "refused" }
        }
        ["heard", number] => Event::Heartbeat { worker: worker(number) },
        ["exited", number, code] => {
            let end = End::Process(Ending::Exited(code.parse().expect("a code")));
            Event::Ended { worker: worker(number), end }
        }
        ["signalled", number, signal] => {
            let end = End::Process(Ending::Signalled(signal.parse().expect("a signal")));
            Event::Ended { worker: worker(number), end }
        }
        ["not-started", number, ref why @ ..] => {
            Event::Ended { worker: worker(number), end: End::NotStarted { why: why.join(" ") } }
        }
        ["blob-changed", topology] => Event::BlobChanged { topology: id(topology) },
        ["restart", topology] => Event::Restart { topology: id(topology) },
        ["tick"] => Event::Tick,
        _ => panic!("no such event: {words:?}"),
    }
}

fn id(name: &str) -> TopologyId {
    name.parse().expect("a topology's id")
}

fn local(topology: &str, executors: &[&str]) -> LocalAssignment {
    let executors = executors.iter().map(|one| text::executor(one)).collect();
    LocalAssignment { topology: id(topology), executors }
}
