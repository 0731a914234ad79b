//! `bench latency`: how long tuples take through a cluster at a fixed rate.
//!
//! ```text
//! submit ─▶ first ack ─▶ warm-up ─▶ drain ─▶ look ─▶ a look each second ─▶ drain ─▶ look ─▶ kill
//!                                            └── what lies between these is told ──┘
//! ```
//!
//! Workers report at different moments, so what both ends of a hop count only agrees while nothing
//! moves: the topology is deactivated for the first and for the last look.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use self::looks::{Look, LookError, Quantiles};
use self::report::Report;
use super::submit::{acked, submit_within};
use crate::args::{Bench, Flux, Latency, PROGRAM, Submit, What};
use crate::clock::{Deadline, in_words, rest};
use crate::control;
use crate::error::Error;
use crate::nimbus::Nimbus;
use crate::process::{Process, find_program, usage};
use crate::progress::Progress;
use crate::session::Session;

mod limit;
mod looks;
mod page;
mod report;

/// What everything but warm-up and measurement takes at most.
const AROUND: Duration = Duration::from_secs(120);
/// Time between two looks; workers report as often.
const LOOK: Duration = Duration::from_secs(1);
/// Longest that reports are waited for after the topology was deactivated.
const DRAIN: Duration = Duration::from_secs(15);
/// After so many seconds a worker's report tells of nothing that happened before.
const FRESH_SECS: i32 = 2;
/// Pause between two questions whether a message was acked.
const PAUSE: Duration = Duration::from_millis(20);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// There is no topology binary.
    #[error("cannot find the topology binary `topologies` beside {PROGRAM}")]
    NoBinary,
    /// Nothing was acked.
    #[error("no tuple was acked within {}", in_words(*.waited))]
    NothingAcked {
        /// How long was waited.
        waited: Duration,
    },
    /// The workers told nothing of latencies.
    #[error("the workers reported no latency in {}", in_words(*.duration))]
    NoSamples {
        /// How long was measured.
        duration: Duration,
    },
    /// A worker's histogram cannot be read.
    #[error(transparent)]
    Look(#[from] LookError),
    /// The page cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Page {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BenchError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NoBinary => {
                "name one: --binary target/release/topologies, which cargo build --release makes"
                    .to_owned()
            }
            Self::NothingAcked { .. } => format!("{PROGRAM} logs and {PROGRAM} errors tell why"),
            Self::NoSamples { .. } | Self::Look(_) => {
                "only workers of the native engine measure latencies; use workers of this version"
                    .to_owned()
            }
            Self::Page { .. } => "name a file that you may write".to_owned(),
        }
    }
}

/// Measures.
pub fn bench(session: &Session, asked: &Bench) -> Result<(), Error> {
    let asked = match &asked.what {
        What::Latency(asked) => asked,
        What::TcpEcho => return limit::echo(),
        What::TcpLoad(asked) => return limit::load(asked),
    };
    let deadline = session.deadline(AROUND + asked.warm_up + asked.duration);
    let beside = session.surroundings.beside.as_deref();
    let binary = asked.binary.clone().or_else(|| find_program("topologies", beside, &[]));
    let submit = Submit {
        binary: Some(binary.ok_or(BenchError::NoBinary)?),
        topology: vec![asked.topology.clone(), "--rate".to_owned(), asked.rate.to_string()],
        // A name of its own, so that two measurements do not meet.
        name: Some(format!("bench-latency-{}", std::process::id())),
        workers: Some(asked.workers),
        resources: None,
        inactive: false,
        no_wait: false,
        dry_run: false,
        no_detail: false,
        flux: Flux::default(),
    };
    let submitted = submit_within(session, &submit, deadline)?;
    let mut nimbus = Nimbus::connect(session, deadline)?;
    let measured = measure(session, asked, &mut nimbus, &submitted.name, &submitted.id, deadline);
    // Whatever became of the measurement, the topology goes.
    let killed =
        nimbus.kill(&submitted.name, nimbus_client::thrift::KillOptions { wait_secs: Some(0) });
    let mut report = measured?;
    killed?;
    // On other machines it would be the limit of something else.
    if !asked.limit.is_zero() && !session.is_remote() {
        report = beside_limit(session, asked, report);
    }
    if let Some(path) = &asked.html {
        let written = std::fs::write(path, page::page(&report));
        written.map_err(|source| BenchError::Page { path: path.clone(), source })?;
        session.output.remark(&format!("wrote {}", path.display()));
    }
    if session.output.json {
        return Ok(session.output.document(&report)?);
    }
    Ok(session.output.data(&report.in_words())?)
}

/// Measures the limit; a report without one is better than none.
fn beside_limit(session: &Session, asked: &Latency, report: Report) -> Report {
    let step = Progress::new(session.output).step("limit", "a bare TCP echo");
    let program = std::env::current_exe().map_err(limit::LimitError::from);
    match program.and_then(|program| limit::measure(&program, asked)) {
        Ok(limits) => {
            step.done("a bare TCP echo at the same rate");
            report.beside(limits)
        }
        Err(error) => {
            session.output.remark(&format!("no limit was measured: {error}"));
            report
        }
    }
}

fn measure(
    session: &Session,
    asked: &Latency,
    nimbus: &mut Nimbus,
    name: &str,
    id: &str,
    deadline: Deadline,
) -> Result<Report, Error> {
    let progress = Progress::new(session.output);
    let step = progress.step("warm-up", "waiting for the first ack");
    let first = deadline
        .poll(PAUSE, || Ok::<_, Error>((acked(&nimbus.topology(name)?) > 0).then_some(())))?;
    first.ok_or_else(|| BenchError::NothingAcked { waited: deadline.limit() })?;
    rest(asked.warm_up);
    step.done("the first tuples are acked");

    let step = progress.step("measure", &format!("{} tuples/s", asked.rate));
    nimbus.deactivate(name)?;
    let first = drained(nimbus, id)?;
    let daemon = daemon(session);
    let daemon_before = daemon.and_then(usage);
    nimbus.activate(name)?;
    let begin = Deadline::after(asked.duration);
    let mut last = first.clone();
    let mut seconds = Vec::new();
    while !begin.is_over() {
        rest(LOOK.min(begin.left()));
        let now = look(nimbus, id)?;
        let by_kind: BTreeMap<String, Quantiles> = now.since(&last).quantiles();
        seconds.push((begin.spent().as_secs_f64(), by_kind));
        last = now;
    }
    nimbus.deactivate(name)?;
    let spent = begin.spent();
    let daemon_after = daemon.and_then(usage);
    let mut processes = last.processes_since(&first, spent);
    let between = drained(nimbus, id)?.since(&first);
    if between.is_empty() {
        return Err(BenchError::NoSamples { duration: spent }.into());
    }
    step.done(&format!("{} samples", between.samples()));
    if let (Some(process), Some(before), Some(after)) = (daemon, daemon_before, daemon_after) {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() / spent.as_secs_f64();
        processes.push(report::ProcessUse {
            what: "daemon".to_owned(),
            pid: process.pid,
            cpu_percent: cpu * 100.0,
            resident_bytes: after.resident_bytes,
        });
    }
    Ok(Report::new(asked, spent, &between, seconds, processes))
}

fn look(nimbus: &mut Nimbus, id: &str) -> Result<Look, Error> {
    Ok(Look::of(&nimbus.worker_reports(id)?).map_err(BenchError::from)?)
}

/// A look after every worker has told all that happened before, if none is silent.
fn drained(nimbus: &mut Nimbus, id: &str) -> Result<Look, Error> {
    let begin = look(nimbus, id)?;
    let limit = Deadline::after(DRAIN);
    let mut before = begin.clone();
    loop {
        rest(LOOK);
        let now = look(nimbus, id)?;
        let is_calm = now.is_later(FRESH_SECS, &begin) && now.since(&before).is_empty();
        if is_calm || limit.is_over() {
            return Ok(now);
        }
        before = now;
    }
}

/// The local cluster's background process, if that is where the cluster is.
fn daemon(session: &Session) -> Option<Process> {
    if session.is_remote() {
        return None;
    }
    let status = control::status(&session.state, Deadline::after(LOOK)).ok()?;
    Process::of(status.pid)
}
