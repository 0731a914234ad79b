//! What a spout's and a bolt's executor share: identity, errors, and the replacement of instances
//! that panicked.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::Span;

use super::events::{Events, Sampler};
use crate::bolt::BoltHandle;
use crate::clock::Time;
use crate::component::{
    ComponentError, ErrorLog, ReportedError, Result as CallResult, TaskContext, Waker, error_chain,
    pause,
};
use crate::counter::ExecutorCounts;
use crate::id::{ComponentId, ExecutorId, TaskId};
use crate::spout::Spout;
use crate::topology::{BoltFactory, BoltInstance, SpoutFactory};

/// Identity, counters and error reports of one executor.
pub(crate) struct Core {
    pub id: ExecutorId,
    pub component: ComponentId,
    /// This executor's slot on its thread.
    pub slot: u32,
    pub contexts: Vec<TaskContext>,
    pub counts: Arc<ExecutorCounts>,
    pub errors: Arc<ErrorLog>,
    pub events: Arc<Events>,
    pub waker: Waker,
    /// The executor's links are these, one after the other.
    pub links: std::ops::Range<u32>,
    pub span: Span,
}

impl Core {
    pub fn task(&self, index: usize) -> TaskId {
        TaskId(self.id.first_task.0 + index as u16)
    }

    /// Place of one of the executor's tasks among them.
    pub fn index(&self, task: TaskId) -> usize {
        usize::from(task.0.wrapping_sub(self.id.first_task.0))
    }

    /// What chooses from the executor's emissions at present, if any are wanted.
    pub fn sampler(&self) -> Option<Sampler> {
        self.events.sampler(&self.component, self.id.first_task.0.into())
    }

    /// Counts, keeps and logs an error of the component.
    #[cold]
    pub fn report(&self, index: usize, now: Time, message: String) {
        self.counts.errors.add(1);
        let task = self.task(index);
        let component = self.component.clone();
        let error = ReportedError { component, task, at: now, message: message.clone() };
        if self.errors.report(error) {
            // The span of a single task names it already.
            let task = (self.contexts.len() > 1).then_some(task.0);
            tracing::error!(parent: &self.span, task, "{message}");
        }
    }

    /// Reports all errors that a collector has gathered.
    #[inline]
    pub fn report_all(&self, index: usize, now: Time, reports: &mut Vec<ComponentError>) {
        for error in reports.drain(..) {
            self.report(index, now, error_chain(&*error));
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.component, self.id)
    }
}

/// A component's instance for one task, or the pause until its next one.
pub(crate) enum Instance<T> {
    Alive(T),
    /// To be made at this time, after as many failures in a row.
    Due {
        at: Time,
        failures: u32,
    },
    /// Closed for good.
    Closed,
}

impl<T> Instance<T> {
    /// An instance that is made when its executor runs first.
    pub fn fresh() -> Self {
        Self::Due { at: Time::ZERO, failures: 0 }
    }

    /// The live instance.
    #[inline]
    pub fn alive(&mut self) -> Option<&mut T> {
        match self {
            Self::Alive(instance) => Some(instance),
            _ => None,
        }
    }

    /// When an instance is to be made; none if there is one or never will be.
    pub fn due_at(&self) -> Option<Time> {
        match self {
            Self::Due { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// Drops the instance, which failed at `now`, and puts its successor off.
    pub fn drop_failed(&mut self, now: Time) {
        let failures = match self {
            Self::Due { failures, .. } => *failures + 1,
            _ => 1,
        };
        let old = std::mem::replace(self, Self::Due { at: now + pause(failures), failures });
        // A broken instance may panic once more while it is dropped.
        let _ = catch_unwind(AssertUnwindSafe(move || drop(old)));
    }
}

impl<T> fmt::Debug for Instance<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alive(_) => out.write_str("alive"),
            Self::Due { at, failures } => write!(out, "due {at:?} after {failures} failures"),
            Self::Closed => out.write_str("closed"),
        }
    }
}

/// Makes a bolt and prepares it; what goes wrong becomes the text of an error.
pub(crate) fn make_bolt(
    make: BoltFactory,
    context: TaskContext,
    handle: BoltHandle,
) -> Result<BoltInstance, String> {
    made("prepare", move || {
        let mut bolt = make();
        match &mut bolt {
            BoltInstance::Bolt(bolt) => bolt.prepare(&context, handle),
            BoltInstance::Basic(bolt) => bolt.prepare(&context),
        }
        .map(|()| bolt)
    })
}

/// Makes a spout, opens it, and activates it if the topology is; what goes wrong becomes the text of
/// an error.
pub(crate) fn make_spout(
    make: SpoutFactory,
    context: TaskContext,
    is_active: bool,
) -> Result<Box<dyn Spout>, String> {
    made("open", move || {
        let mut spout = make();
        spout.open(&context)?;
        if is_active {
            spout.activate();
        }
        Ok(spout)
    })
}

fn made<T>(what: &str, make: impl FnOnce() -> CallResult<T>) -> Result<T, String> {
    let error = match guarded(make) {
        Ok(Ok(made)) => return Ok(made),
        Ok(Err(error)) => error_chain(&*error),
        Err(panic) => panic,
    };
    Err(format!("cannot {what}: {error}"))
}

/// Runs an author's code; a panic becomes its message.
#[inline]
pub(crate) fn guarded<R>(call: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| panic_message(&*panic))
}

#[cold]
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a message".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::FIRST_PAUSE;

    #[test]
    fn an_instance_that_panics_even_when_dropped_is_replaced() {
        struct Spiteful;

        impl Drop for Spiteful {
            fn drop(&mut self) {
                panic!("not without a fight");
            }
        }

        let mut instance = Instance::Alive(Spiteful);
        instance.drop_failed(Time::ZERO);
        assert_eq!(instance.due_at(), Some(Time::ZERO + FIRST_PAUSE));
        instance.drop_failed(Time::ZERO);
        assert_eq!(instance.due_at(), Some(Time::ZERO + 2 * FIRST_PAUSE));
    }

    #[test]
    fn a_panic_is_told_with_its_message() {
        assert_eq!(guarded(|| 1), Ok(1));
        assert_eq!(guarded(|| panic!("no {}", 7)), Err::<(), _>("panicked: no 7".to_owned()));
    }
}
