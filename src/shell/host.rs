//! The life of a task's child, one after another.
//!
//! ```text
//!            start                     pid            fault, or its end
//!   DUE ───────────────▶ GREETING ──────────▶ ALIVE ───────────────────▶ ENDING
//!    ▲  cannot start ┘       └──────────────────────────────────────────▶  │
//!    └─────────────────────── back-off, the cause is reported ─────────────┘
//! ```
//!
//! **Invariants.** Never waits. A fault is reported once the child is gone, with how it ended.
//!
//! **Runs on** the executor's thread.

use std::sync::Arc;
use std::time::Duration;

use super::backoff::BackOff;
use super::child::Child;
use super::error::{Fault, ShellError};
use super::greeting::PidFolder;
use super::process::Process;
use super::settings::Settings;
use super::spec::Spec;
use crate::clock::Time;
use crate::component::{ComponentError, TaskContext, Waker};

/// How long a child that closed its output may take to end by itself, so that its own exit status
/// is told.
const ENDING: Duration = Duration::from_millis(300);
/// How long a child may take after an orderly end of its input.
const CLOSING: Duration = Duration::from_millis(500);

/// Starts children for a task and keeps one alive.
#[derive(Debug)]
pub(super) struct Host {
    spec: Arc<Spec>,
    pub context: TaskContext,
    /// Of the executor.
    pub waker: Waker,
    pub settings: Settings,
    pids: PidFolder,
    back_off: BackOff,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// A child is to be started at this time.
    Due(Time),
    /// There is one; it may not have told its pid yet.
    Alive(Box<Child>),
    /// It is about to end.
    Ending { process: Process, fault: Fault, started: Time },
}

impl Host {
    /// Of a task; nothing is started yet.
    ///
    /// # Errors
    /// If the conf is wrong or there is no folder for the child's file.
    pub fn new(spec: Arc<Spec>, context: &TaskContext) -> Result<Self, ComponentError> {
        Ok(Self {
            spec,
            context: context.clone(),
            waker: context.waker(),
            settings: Settings::of(context)?,
            pids: PidFolder::of(context)?,
            back_off: BackOff::default(),
            phase: Phase::Due(Time::ZERO),
        })
    }

    /// Goes on as far as it can without the child's messages; answers when to be called again, and
    /// an error to report.
    pub fn advance(&mut self, now: Time) -> (Time, Option<ShellError>) {
        match &mut self.phase {
            Phase::Alive(_) => (Time::NEVER, None),
            Phase::Due(at) if now < *at => (*at, None),
            Phase::Due(_) => match self.start(now) {
                Ok(()) => (Time::NEVER, None),
                Err(error) => (self.put_off(now, now), Some(error)),
            },
            Phase::Ending { process, started, .. } => {
                let Some(end) = process.remains() else { return (Time::NEVER, None) };
                let started = *started;
                let due = self.back_off.next(started, now);
                let was = std::mem::replace(&mut self.phase, Phase::Due(due));
                let Phase::Ending { fault, .. } = was else { unreachable!("it was ending") };
                let command = self.spec.line();
                let directory = self.spec.directory(self.context.resources());
                (due, Some(ShellError::Fault { command, directory, fault: Box::new(fault), end }))
            }
        }
    }

    fn start(&mut self, now: Time) -> Result<(), ShellError> {
        let child = Child::start(&self.spec, &self.settings, &self.context, &self.pids, now)?;
        self.phase = Phase::Alive(Box::new(child));
        Ok(())
    }

    fn put_off(&mut self, started: Time, now: Time) -> Time {
        let due = self.back_off.next(started, now);
        self.phase = Phase::Due(due);
        due
    }

    /// The child, if there is one.
    #[inline]
    pub fn child(&mut self) -> Option<&mut Child> {
        match &mut self.phase {
            Phase::Alive(child) => Some(child),
            _ => None,
        }
    }

    /// The child and the settings, if there is a child.
    #[inline]
    pub fn alive(&mut self) -> Option<(&mut Child, &Settings, &TaskContext)> {
        match &mut self.phase {
            Phase::Alive(child) => Some((child, &self.settings, &self.context)),
            _ => None,
        }
    }

    /// Ends the child because of a fault. What ended by itself has a moment for it.
    pub fn end(&mut self, fault: Fault) {
        let Phase::Alive(_) = &self.phase else { return };
        let Phase::Alive(child) = std::mem::replace(&mut self.phase, Phase::Due(Time::NEVER))
        else {
            return;
        };
        self.forget_pid(&child);
        let grace = match fault {
            Fault::Closed | Fault::ClosedInput => ENDING,
            _ => Duration::ZERO,
        };
        let Child { mut process, started, .. } = *child;
        process.end(grace);
        self.phase = Phase::Ending { process, fault, started };
    }

    /// Ends the child in good order: its input ends, and it has a moment.
    pub fn close(&mut self) {
        if let Phase::Alive(child) = std::mem::replace(&mut self.phase, Phase::Due(Time::NEVER)) {
            self.forget_pid(&child);
            let Child { mut process, out, .. } = *child;
            drop(out);
            process.end(CLOSING);
        }
    }

    fn forget_pid(&self, child: &Child) {
        if let Some(pid) = child.pid {
            let _ = std::fs::remove_file(self.pids.path().join(pid.to_string()));
        }
    }
}
