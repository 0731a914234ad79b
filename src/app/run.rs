//! Runs a topology in this process until something ends it, drains it, and prints the summary.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::args::RunOptions;
use super::report::Report;
use super::signals::{Signals, Wake};
use super::summary::{EndedBy, Summary};
use super::words::{count, rate, time};
use super::{AppError, Made, terminal};
use crate::clock::{Clock, Time};
use crate::local::{LocalCluster, RunningTopology, TopologyStats};

/// How often the progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Pauses between two looks whether the spouts have finished, at least and at most.
const LOOK_PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(100)];

/// How much longer a run may seem than it was, because it was looked late: one part in so many.
const LOOKS_PER_RUN: u32 = 50;

/// Time that components have to close at least, also where there is none to drain.
const SHORTEST_CLOSE: Duration = Duration::from_secs(1);

/// How often it is looked whether the topology has drained.
const DRAIN_INTERVAL: Duration = Duration::from_millis(1);

pub(super) fn run(program: &str, made: &Made<'_>, options: &RunOptions) -> Result<(), AppError> {
    terminal::start_logging(options.log);
    if options.json {
        terminal::reserve_stdout();
    }
    let signals = Signals::listen().map_err(AppError::Signals)?;
    let cluster = LocalCluster::new();
    let running = cluster
        .submit(&made.name, &made.topology)
        .map_err(|source| AppError::Submit { name: made.name.clone(), source })?;
    let mut watch = Watch { made, running: &running, signals, clock: Clock::system() };
    let mut ended_by = watch.until_end(options.duration);
    tracing::info!(topology = made.name, "draining");
    running.deactivate();
    let drained = watch.drain(options.drain, &mut ended_by);
    tracing::info!(topology = made.name, "drained: {drained}");
    terminal::clear_progress();
    // Nothing is said to somebody who has gone.
    let text = (ended_by != EndedBy::ReaderGone).then(|| watch.sum_up(options, ended_by, drained));
    // Before the summary, since components may print something at their end.
    close(program, cluster, &made.name, options.drain);
    if !drained && text.is_some() {
        let what = format!("{} was closed before it had drained", made.name);
        terminal::remark(program, what);
    }
    terminal::write_data(text.unwrap_or_default().as_bytes())?;
    Ok(())
}

/// Closes the components, and leaves those behind that take too long; the process ends anyway.
fn close(program: &str, cluster: LocalCluster, name: &str, deadline: Duration) {
    tracing::info!(topology = name, "closing");
    let (done, closed) = sync_channel(1);
    let topology = name.to_owned();
    let closing = std::thread::Builder::new().name("closing".to_owned()).spawn(move || {
        cluster.kill(&topology, Duration::ZERO);
        // Nobody waits any more if this fails.
        let _ = done.send(());
    });
    if closing.is_ok() && closed.recv_timeout(deadline.max(SHORTEST_CLOSE)).is_err() {
        terminal::remark(program, format!("{name} did not close in time, so it is left as it is"));
        return;
    }
    tracing::info!(topology = name, "closed");
}

/// Waits while a topology runs.
struct Watch<'a> {
    made: &'a Made<'a>,
    running: &'a RunningTopology,
    signals: Signals,
    clock: Clock,
}

impl Watch<'_> {
    fn until_end(&mut self, duration: Option<Duration>) -> EndedBy {
        let start = self.clock.now();
        let end = duration.map_or(Time::NEVER, |duration| start + duration);
        let [shortest, longest] = LOOK_PAUSES;
        let mut next_look = start + shortest;
        let mut progress = terminal::is_watched().then(|| Progress::starting(start));
        loop {
            let next_progress = progress.as_ref().map_or(Time::NEVER, |progress| progress.next);
            let now = self.clock.now();
            let next = end.min(next_look).min(next_progress);
            match self.signals.wait(Some(next.since(now))) {
                Wake::Signal => return EndedBy::Signal,
                Wake::ReaderGone => return EndedBy::ReaderGone,
                Wake::TimedOut => {}
            }
            let now = self.clock.now();
            if now >= end {
                return EndedBy::Duration;
            }
            if now >= next_look {
                let have_finished = self.running.have_spouts_finished();
                if have_finished && self.running.wait_until_finished(shortest) {
                    return EndedBy::Finished;
                }
                let pause = (now.since(start) / LOOKS_PER_RUN).clamp(shortest, longest);
                next_look = now + if have_finished { shortest } else { pause };
            }
            if let Some(progress) = &mut progress
                && now >= progress.next
            {
                progress.show(self, now);
            }
        }
    }

    /// Waits until nothing is pending; a signal or a reader that goes cuts it short.
    fn drain(&mut self, deadline: Duration, ended_by: &mut EndedBy) -> bool {
        if *ended_by == EndedBy::ReaderGone {
            return false;
        }
        let end = self.clock.now() + deadline;
        loop {
            if self.running.stats().is_drained() {
                return true;
            }
            let left = end.since(self.clock.now());
            match self.signals.wait(Some(left.min(DRAIN_INTERVAL))) {
                Wake::TimedOut if !left.is_zero() => {}
                Wake::TimedOut => return false,
                Wake::Signal => {
                    *ended_by = EndedBy::Signal;
                    return false;
                }
                Wake::ReaderGone => {
                    *ended_by = EndedBy::ReaderGone;
                    return false;
                }
            }
        }
    }

    /// The summary in the form that is asked for.
    fn sum_up(&self, options: &RunOptions, ended_by: EndedBy, drained: bool) -> String {
        // Read before the report, which may take its time.
        let stats = self.running.stats();
        let mut report = Report::new(true);
        if let Some(make) = &self.made.report {
            make(self.running, &mut report);
        }
        let summary = Summary {
            name: &self.made.name,
            topology: &self.made.topology,
            stats: &stats,
            ended_by,
            drained,
            errors: &self.running.errors(),
            throttled_errors: self.running.throttled_errors(),
            report: &report,
        };
        match options.json {
            true => format!("{:#}\n", summary.to_json()),
            false => summary.to_text(),
        }
    }
}

/// The line that shows a terminal how the run goes.
struct Progress {
    start: Time,
    last: Time,
    last_executed: u64,
    next: Time,
}

impl Progress {
    fn starting(start: Time) -> Self {
        Self { start, last: start, last_executed: 0, next: start + PROGRESS_INTERVAL }
    }

    fn show(&mut self, watch: &Watch<'_>, now: Time) {
        let stats = watch.running.stats();
        let executed = total(&stats);
        let mut line = format!(
            "{}  {:.0} s  {}/s  {} in all",
            watch.made.name,
            now.since(self.start).as_secs_f64(),
            rate(executed - self.last_executed, now.since(self.last)),
            count(executed),
        );
        if let Some(p99) = stats.complete_latency().percentile(99.0) {
            line += &format!("  p99 {}", time(p99));
        }
        let mut report = Report::new(false);
        if let Some(make) = &watch.made.report {
            make(watch.running, &mut report);
            line += &format!("  {}", report.progress);
        }
        terminal::show_progress(&line);
        (self.last, self.last_executed) = (now, executed);
        // What was late is not caught up with.
        self.next = now + PROGRESS_INTERVAL;
    }
}

/// Tuples that the bolts executed; where there are none, that the spouts emitted.
fn total(stats: &TopologyStats) -> u64 {
    let author = || stats.executors.iter().filter(|one| !one.component.is_reserved());
    match author().map(|executor| executor.executed()).sum() {
        0 => author().flat_map(|one| one.outputs.values()).map(|output| output.emitted).sum(),
        executed => executed,
    }
}
