//! What each event does in each state.

use std::time::Duration;

use nimbus_client::TopologyId;

use super::state::{Dying, Live, Relaunch, State};
use super::{Effect, End, LocalAssignment, Missing, Report, Slot, Timeouts, WorkerNumber};
use crate::clock::Time;

/// After that long a worker that does not end is reported.
const ENDLESS: Duration = Duration::from_secs(120);

/// The wait after the second failure in a row; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

impl Slot {
    /// Starts on what is wanted; nothing is here and nothing is held.
    fn begin(&mut self, out: &mut Vec<Effect>) -> State {
        (self.failures, self.missing) = (0, None);
        match &self.wanted {
            None => State::Empty,
            Some(assignment) => {
                out.push(Effect::Localize { topology: assignment.topology.clone() });
                State::WaitingForBlobLocalization { assignment: assignment.clone(), retry: None }
            }
        }
    }

    fn launch(
        &mut self,
        assignment: LocalAssignment,
        worker_timeout: Duration,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        self.last_worker += 1;
        let worker = WorkerNumber(self.last_worker);
        out.push(Effect::Launch { worker, assignment: assignment.clone() });
        let deadline = now + self.timeouts.start.max(worker_timeout);
        State::WaitingForWorkerStart { live: Live { assignment, worker, worker_timeout }, deadline }
    }

    /// Asks a worker to end, and with force after a while.
    fn terminate(&self, live: Live, now: Time, out: &mut Vec<Effect>) -> Dying {
        out.push(Effect::Terminate { worker: live.worker });
        Dying { live, since: now, kill_at: now + self.timeouts.kill_grace, told: false }
    }

    pub(super) fn assign(
        &mut self,
        wanted: Option<LocalAssignment>,
        state: State,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        if wanted == self.wanted {
            return state;
        }
        let before = std::mem::replace(&mut self.wanted, wanted);
        let goes_on = |slot: &Self, topology: &TopologyId| {
            slot.wanted.as_ref().is_some_and(|wanted| wanted.topology == *topology)
        };
        match state {
            State::Empty => self.begin(out),
            State::WaitingForBlobLocalization { assignment, retry } => {
                self.retarget(assignment, out, |assignment| State::WaitingForBlobLocalization {
                    assignment,
                    retry,
                })
            }
            State::WaitingForBlobUpdate { assignment, retry } => {
                self.retarget(assignment, out, |assignment| State::WaitingForBlobUpdate {
                    assignment,
                    retry,
                })
            }
            State::WaitingForWorkerStart { live, .. } | State::Running { live, .. } => {
                let dying = self.terminate(live, now, out);
                self.kill(dying, out)
            }
            State::Kill { dying, ready } => {
                let former = before.map(|former| former.topology);
                let ready = ready.filter(|(topology, _)| goes_on(self, topology));
                if former.as_ref().is_some_and(|former| goes_on(self, former)) {
                    return State::Kill { dying, ready };
                }
                if let Some(topology) = former
                    && topology != dying.live.assignment.topology
                {
                    out.push(Effect::Release { topology });
                }
                self.kill(dying, out)
            }
            State::KillAndRelaunch(Relaunch::Ending(dying)) | State::KillBlobUpdate(dying) => {
                self.kill(dying, out)
            }
            State::KillAndRelaunch(Relaunch::Waiting { assignment, .. }) => {
                if !goes_on(self, &assignment.topology) {
                    out.push(Effect::Release { topology: assignment.topology });
                }
                self.begin(out)
            }
        }
    }

    /// What is wanted in place of what was waited for, while no worker is here.
    fn retarget(
        &mut self,
        former: LocalAssignment,
        out: &mut Vec<Effect>,
        same_topology: impl FnOnce(LocalAssignment) -> State,
    ) -> State {
        match &self.wanted {
            Some(wanted) if wanted.topology == former.topology => same_topology(wanted.clone()),
            _ => {
                out.push(Effect::Release { topology: former.topology });
                self.begin(out)
            }
        }
    }

    /// Waits for a worker to end, and has files for the next one fetched meanwhile.
    fn kill(&self, dying: Dying, out: &mut Vec<Effect>) -> State {
        if let Some(next) = &self.wanted {
            out.push(Effect::Localize { topology: next.topology.clone() });
        }
        State::Kill { dying, ready: None }
    }

    pub(super) fn localized(
        &mut self,
        topology: &TopologyId,
        worker_timeout: Option<Duration>,
        state: State,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        let worker_timeout =
            worker_timeout.unwrap_or(self.timeouts.worker).max(self.timeouts.worker);
        match state {
            State::WaitingForBlobLocalization { assignment, .. }
            | State::WaitingForBlobUpdate { assignment, .. }
                if assignment.topology == *topology =>
            {
                self.missing = None;
                self.launch(assignment, worker_timeout, now, out)
            }
            State::Kill { dying, .. }
                if self.wanted.as_ref().is_some_and(|wanted| wanted.topology == *topology) =>
            {
                State::Kill { dying, ready: Some((topology.clone(), worker_timeout)) }
            }
            other => other,
        }
    }

    pub(super) fn localization_failed(
        &mut self,
        (topology, why, refused): (TopologyId, String, bool),
        state: State,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        match state {
            State::WaitingForBlobLocalization { assignment, .. }
                if assignment.topology == topology =>
            {
                let retry = Some(now + self.miss(topology, why, refused, out));
                State::WaitingForBlobLocalization { assignment, retry }
            }
            State::WaitingForBlobUpdate { assignment, .. } if assignment.topology == topology => {
                let retry = Some(now + self.miss(topology, why, refused, out));
                State::WaitingForBlobUpdate { assignment, retry }
            }
            // Asked for again when the worker before is gone.
            other => other,
        }
    }

    /// After what time files that are not here are asked for again; the reason is told once.
    fn miss(
        &mut self,
        topology: TopologyId,
        why: String,
        refused: bool,
        out: &mut Vec<Effect>,
    ) -> Duration {
        let before = self.missing.take().filter(|missing| missing.why == why);
        let times = before.as_ref().map_or(0, |missing| missing.times);
        let Timeouts { localize_retry, longest_localize_retry, .. } = self.timeouts;
        let wait = match refused {
            true => (localize_retry * (1 << times.min(16))).min(longest_localize_retry),
            false => localize_retry,
        };
        if before.is_none() {
            let why = why.clone();
            out.push(Effect::Report(Report::NoFiles { topology, why, wait }));
        }
        self.missing = Some(Missing { why, times: times.saturating_add(1) });
        wait
    }

    pub(super) fn heartbeat(&mut self, worker: WorkerNumber, state: State, now: Time) -> State {
        match state {
            State::WaitingForWorkerStart { live, .. } if live.worker == worker => {
                State::Running { live, since: now, heard: now }
            }
            State::Running { live, since, .. } if live.worker == worker => {
                if now.since(since) >= self.timeouts.stable {
                    self.failures = 0;
                }
                State::Running { live, since, heard: now }
            }
            other => other,
        }
    }

    pub(super) fn ended(
        &mut self,
        worker: WorkerNumber,
        end: End,
        state: State,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        if state.worker() != Some(worker) {
            return state;
        }
        out.push(Effect::CleanUp { worker });
        match state {
            State::WaitingForWorkerStart { live, .. } | State::Running { live, .. } => {
                self.failures += 1;
                self.relaunch(live, Some(end), now, out)
            }
            State::KillAndRelaunch(Relaunch::Ending(dying)) => {
                self.relaunch(dying.live, None, now, out)
            }
            State::KillBlobUpdate(dying) => {
                let assignment = dying.live.assignment;
                out.push(Effect::UpdateBlobs { topology: assignment.topology.clone() });
                State::WaitingForBlobUpdate { assignment, retry: None }
            }
            State::Kill { dying, ready } => {
                let own = dying.live.assignment.topology;
                if self.wanted.as_ref().is_none_or(|wanted| wanted.topology != own) {
                    out.push(Effect::Release { topology: own });
                }
                match (self.wanted.clone(), ready) {
                    (Some(assignment), Some((_, worker_timeout))) => {
                        self.failures = 0;
                        self.launch(assignment, worker_timeout, now, out)
                    }
                    // What is asked for already is asked for again, lest its answer came too early.
                    _ => self.begin(out),
                }
            }
            State::Empty
            | State::WaitingForBlobLocalization { .. }
            | State::WaitingForBlobUpdate { .. }
            | State::KillAndRelaunch(Relaunch::Waiting { .. }) => {
                unreachable!("a state with a worker")
            }
        }
    }

    /// Starts the next worker in place of one that is gone, after a wait if that happens again and
    /// again.
    fn relaunch(
        &mut self,
        live: Live,
        end: Option<End>,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        let Live { assignment, worker, worker_timeout } = live;
        let wait = self.backoff();
        if let Some(end) = end {
            let (topology, failures) = (assignment.topology.clone(), self.failures);
            out.push(Effect::Report(Report::Ended { topology, worker, end, failures, wait }));
        }
        if wait.is_zero() {
            return self.launch(assignment, worker_timeout, now, out);
        }
        let at = now + wait;
        State::KillAndRelaunch(Relaunch::Waiting { assignment, worker_timeout, at })
    }

    /// Nothing for a first failure, then a second, two, four … up to the longest wait.
    fn backoff(&self) -> Duration {
        match self.failures {
            0 | 1 => Duration::ZERO,
            failures => {
                let doublings = (failures - 2).min(16);
                (FIRST_BACKOFF * (1 << doublings)).min(self.timeouts.longest_backoff)
            }
        }
    }

    pub(super) fn blob_changed(
        &mut self,
        topology: &TopologyId,
        state: State,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        match state {
            State::WaitingForWorkerStart { live, .. } | State::Running { live, .. }
                if live.assignment.topology == *topology =>
            {
                State::KillBlobUpdate(self.terminate(live, now, out))
            }
            State::KillAndRelaunch(Relaunch::Ending(dying))
                if dying.live.assignment.topology == *topology =>
            {
                State::KillBlobUpdate(dying)
            }
            State::KillAndRelaunch(Relaunch::Waiting { assignment, .. })
                if assignment.topology == *topology =>
            {
                self.failures = 0;
                out.push(Effect::UpdateBlobs { topology: topology.clone() });
                State::WaitingForBlobUpdate { assignment, retry: None }
            }
            State::WaitingForBlobUpdate { assignment, .. } if assignment.topology == *topology => {
                out.push(Effect::UpdateBlobs { topology: topology.clone() });
                State::WaitingForBlobUpdate { assignment, retry: None }
            }
            other => other,
        }
    }

    pub(super) fn restart(
        &mut self,
        topology: &TopologyId,
        state: State,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        match state {
            State::WaitingForWorkerStart { live, .. } | State::Running { live, .. }
                if live.assignment.topology == *topology =>
            {
                self.failures = 0;
                State::KillAndRelaunch(Relaunch::Ending(self.terminate(live, now, out)))
            }
            other => other,
        }
    }

    pub(super) fn tick(&mut self, state: State, now: Time, out: &mut Vec<Effect>) -> State {
        if state.deadline().is_none_or(|deadline| now < deadline) {
            return state;
        }
        match state {
            State::WaitingForBlobLocalization { assignment, .. } => {
                out.push(Effect::Localize { topology: assignment.topology.clone() });
                State::WaitingForBlobLocalization { assignment, retry: None }
            }
            State::WaitingForBlobUpdate { assignment, .. } => {
                out.push(Effect::UpdateBlobs { topology: assignment.topology.clone() });
                State::WaitingForBlobUpdate { assignment, retry: None }
            }
            State::WaitingForWorkerStart { live, .. } => {
                let silence = self.timeouts.start.max(live.worker_timeout);
                self.silent(live, silence, true, now, out)
            }
            State::Running { live, heard, .. } => {
                self.silent(live, now.since(heard), false, now, out)
            }
            State::Kill { dying, ready } => {
                State::Kill { dying: self.insist(dying, now, out), ready }
            }
            State::KillBlobUpdate(dying) => State::KillBlobUpdate(self.insist(dying, now, out)),
            State::KillAndRelaunch(Relaunch::Ending(dying)) => {
                State::KillAndRelaunch(Relaunch::Ending(self.insist(dying, now, out)))
            }
            State::KillAndRelaunch(Relaunch::Waiting { assignment, worker_timeout, .. }) => {
                self.launch(assignment, worker_timeout, now, out)
            }
            State::Empty => State::Empty,
        }
    }

    fn silent(
        &mut self,
        live: Live,
        silence: Duration,
        starting: bool,
        now: Time,
        out: &mut Vec<Effect>,
    ) -> State {
        self.failures += 1;
        let (topology, worker) = (live.assignment.topology.clone(), live.worker);
        out.push(Effect::Report(Report::Silent { topology, worker, silence, starting }));
        State::KillAndRelaunch(Relaunch::Ending(self.terminate(live, now, out)))
    }

    /// Ends with force what did not end when asked, again and again.
    fn insist(&self, mut dying: Dying, now: Time, out: &mut Vec<Effect>) -> Dying {
        out.push(Effect::Kill { worker: dying.live.worker });
        // Never at once again, whatever the grace is.
        dying.kill_at = now + self.timeouts.kill_grace.max(Duration::from_secs(1));
        if !dying.told && now.since(dying.since) >= ENDLESS {
            dying.told = true;
            let (topology, worker) = (dying.live.assignment.topology.clone(), dying.live.worker);
            let since = now.since(dying.since);
            out.push(Effect::Report(Report::DoesNotEnd { topology, worker, since }));
        }
        dying
    }
}
