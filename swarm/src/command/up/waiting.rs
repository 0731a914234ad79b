//! Waiting for the parts of a cluster, each told when it is ready.

use std::process::Child;

use super::{ANSWER, UpError, range};
use crate::clock::{Deadline, PAUSE};
use crate::control::{self, Status};
use crate::program::ended_with;
use crate::progress::{Progress, Step};
use crate::state::StateDir;

/// Waits for named conditions: the daemon answers, Nimbus is ready, supervisor k is ready.
pub(super) struct Waiting<'a> {
    state: &'a StateDir,
    /// Where further steps may be told.
    pub progress: Progress,
    daemon: Option<Step>,
    nimbus: Option<Step>,
    supervisors: Vec<Option<Step>>,
}

impl<'a> Waiting<'a> {
    pub fn new(state: &'a StateDir, progress: Progress, daemon: Step, supervisors: u16) -> Self {
        Self {
            state,
            daemon: Some(daemon),
            nimbus: Some(progress.step("nimbus", "waiting for it")),
            supervisors: (0..supervisors)
                .map(|k| Some(progress.step(&format!("supervisor {k}"), "waiting for it")))
                .collect(),
            progress,
        }
    }

    pub fn wait(
        &mut self,
        mut child: Option<&mut Child>,
        deadline: Deadline,
    ) -> Result<Status, UpError> {
        let met = deadline.poll(PAUSE, || {
            if let Some(status) = child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                let how = ended_with(status);
                return Err(UpError::Died { how, log: self.state.daemon_log() });
            }
            // Nobody listens until the daemon has got that far.
            Ok(control::status(self.state, deadline.part(ANSWER))
                .ok()
                .filter(|status| self.look(status)))
        })?;
        met.ok_or_else(|| UpError::NotReady { what: self.missing(), waited: deadline.limit() })
    }

    /// Marks what is ready; whether everything is.
    fn look(&mut self, status: &Status) -> bool {
        if let Some(step) = self.daemon.take() {
            step.done(&format!("runs, pid {}", status.pid));
        }
        if status.nimbus.ready
            && let Some(step) = self.nimbus.take()
        {
            step.done(&format!("ready on {}:{}", status.nimbus.host, status.nimbus.port));
        }
        for supervisor in status.supervisors.iter().filter(|supervisor| supervisor.ready) {
            let slot = self.supervisors.get_mut(usize::from(supervisor.index));
            if let Some(step) = slot.and_then(Option::take) {
                let slots = range(&supervisor.slots);
                step.done(&format!("ready on {}, slots {slots}", supervisor.thrift_port));
            }
        }
        let all = status.supervisors.len() == self.supervisors.len();
        all && self.nimbus.is_none() && self.supervisors.iter().all(Option::is_none)
    }

    fn missing(&self) -> String {
        let supervisor = self.supervisors.iter().position(Option::is_some);
        match (&self.daemon, &self.nimbus, supervisor) {
            (Some(_), _, _) => "the daemon".to_owned(),
            (_, Some(_), _) => "Nimbus".to_owned(),
            (_, _, Some(k)) => format!("supervisor {k}"),
            (None, None, None) => "the number of supervisors".to_owned(),
        }
    }
}
