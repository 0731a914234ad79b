//! Which workers are dead, judged by what Nimbus itself heard and when; pure.
//!
//! A worker is dead when it was not heard for `task_timeout`, or never within `launch_timeout` after
//! it was ordered. There are two exceptions, because moving everything at once does more harm than
//! waiting:
//!
//! - Nobody at all is heard: then it is Nimbus that is cut off. Nothing moves, and when the first
//!   voice is back, everybody gets a whole timeout to be heard again.
//! - All workers, of two or more supervisors, are silent while their supervisors are heard: then
//!   what ails them is common to all places, and their supervisors are starting them anew.
//!
//! **Not here:** what supervisors do about a silent worker of theirs (`supervisor::slot`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::assignment::WorkerSlot;
use crate::clock::Time;
use crate::id::SupervisorId;

/// How long silence may last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Since a worker was last heard: `nimbus.task.timeout.secs`.
    pub task_timeout: Duration,
    /// Since a worker was ordered: `nimbus.task.launch.secs`.
    pub launch_timeout: Duration,
}

/// A worker that should be running.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssignedWorker {
    /// Its slot.
    pub slot: WorkerSlot,
    /// When it was ordered; [`Time::ZERO`] if that was before anything that the clock knows.
    pub ordered: Time,
    /// When Nimbus last heard of it.
    pub heard: Option<Time>,
}

/// Whether Nimbus hears anybody; kept from one judgement to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hearing {
    /// Since then.
    Since(Time),
    /// Nobody.
    Deaf,
}

/// Who is dead.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// The slots of dead workers.
    pub dead: BTreeSet<WorkerSlot>,
    /// Why workers that are silent too long are not among them.
    pub held: Option<Held>,
}

/// Why silent workers are not taken for dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// No supervisor and no worker is heard.
    NobodyHeard,
    /// All workers are silent, though their supervisors are heard.
    AllWorkersSilent {
        /// How many those are.
        workers: usize,
    },
}

impl fmt::Display for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NobodyHeard => write!(
                out,
                "no supervisor and no worker is heard: taking Nimbus for cut off, moving nothing"
            ),
            Self::AllWorkersSilent { workers } => write!(
                out,
                "all {workers} workers are silent at once while their supervisors are heard: \
                 leaving them to their supervisors, moving nothing"
            ),
        }
    }
}

impl Hearing {
    /// Judges all workers that should be running, as of `now`.
    pub fn judge(
        self,
        now: Time,
        timeouts: &Timeouts,
        supervisor_to_heard: &BTreeMap<SupervisorId, Time>,
        workers: &[AssignedWorker],
    ) -> (Self, Verdict) {
        let is_heard = |heard: &Time| now.since(*heard) < timeouts.task_timeout;
        let anybody = supervisor_to_heard.values().any(is_heard)
            || workers.iter().filter_map(|worker| worker.heard.as_ref()).any(is_heard);
        let since = match self {
            Self::Since(since) => since,
            Self::Deaf if anybody => now,
            Self::Deaf => return (Self::Deaf, Verdict::held(Held::NobodyHeard)),
        };
        let grace_ends = since + timeouts.task_timeout;
        if !anybody && !workers.is_empty() && grace_ends <= now {
            return (Self::Deaf, Verdict::held(Held::NobodyHeard));
        }
        let dead: BTreeSet<WorkerSlot> = workers
            .iter()
            .filter(|worker| worker.deadline(timeouts).max(grace_ends) <= now)
            .map(|worker| worker.slot.clone())
            .collect();
        let silenced: BTreeSet<&SupervisorId> = dead.iter().map(|slot| &slot.supervisor).collect();
        let are_heard =
            silenced.iter().all(|id| supervisor_to_heard.get(*id).is_some_and(is_heard));
        let verdict = if dead.len() == workers.len() && silenced.len() > 1 && are_heard {
            Verdict::held(Held::AllWorkersSilent { workers: workers.len() })
        } else {
            Verdict { dead, held: None }
        };
        (Self::Since(since), verdict)
    }
}

impl Verdict {
    fn held(held: Held) -> Self {
        Self { dead: BTreeSet::new(), held: Some(held) }
    }
}

impl AssignedWorker {
    /// From then on it is dead; what was heard before it was ordered came from its predecessor.
    fn deadline(&self, timeouts: &Timeouts) -> Time {
        match self.heard.filter(|heard| self.ordered <= *heard) {
            Some(heard) => heard + timeouts.task_timeout,
            None => self.ordered + timeouts.launch_timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    //! A case tells who is heard at which second; `judge` prints who is dead then.

    use std::fmt::Write;

    use super::*;
    use crate::assignment::text;
    use crate::text_cases;

    const TIMEOUTS: Timeouts = Timeouts {
        task_timeout: Duration::from_secs(30),
        launch_timeout: Duration::from_secs(120),
    };

    #[test]
    fn workers_are_judged_as_the_cases_say() {
        let cases = include_str!("../../tests/data/liveness.txt");
        text_cases::check("liveness.txt", cases, run);
    }

    fn run(calls: &[&str]) -> String {
        let mut out = String::new();
        let mut hearing = Hearing::Since(Time::ZERO);
        let mut supervisors = BTreeMap::new();
        let mut workers: Vec<AssignedWorker> = Vec::new();
        for call in calls {
            let words: Vec<&str> = call.split_whitespace().collect();
            let second = words[0].parse().expect("a second");
            let now = Time::ZERO + Duration::from_secs(second);
            match words[1] {
                "order" => {
                    for slot in words[2..].iter().flat_map(|slots| text::slot_list(slots)) {
                        workers.retain(|worker| worker.slot != slot);
                        workers.push(AssignedWorker { slot, ordered: now, heard: None });
                    }
                }
                "hear" => {
                    for slots in &words[2..] {
                        let (id, _) = slots.split_once(':').expect("supervisor:ports");
                        supervisors.insert(SupervisorId::from(id), now);
                        let heard = text::slot_list(slots);
                        let heard = workers.iter_mut().filter(|one| heard.contains(&one.slot));
                        heard.for_each(|worker| worker.heard = Some(now));
                    }
                }
                "judge" => {
                    let (next, verdict) = hearing.judge(now, &TIMEOUTS, &supervisors, &workers);
                    hearing = next;
                    let dead: Vec<String> = verdict.dead.iter().map(ToString::to_string).collect();
                    let dead = if dead.is_empty() { "nobody".to_owned() } else { dead.join(" ") };
                    let held = verdict.held.map(|held| format!("; {held}")).unwrap_or_default();
                    writeln!(out, "{second} dead: {dead}{held}").unwrap();
                }
                _ => panic!("no such call: {call}"),
            }
        }
        out
    }
}
