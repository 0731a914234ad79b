//! `up`: (wanted, observed) → one step, carried out, then waited for.
//!
//! ```text
//! nothing runs            → start the daemon, which adopts workers that still run
//! a daemon is starting    → wait for it
//! a daemon runs           → scale it, if the number of supervisors differs
//! a daemon runs otherwise → refuse: ports, slots and configuration change by `down` and `up`
//! ```

use std::path::PathBuf;
use std::time::Duration;

use nimbus_client::conf::{Key, Place, keys};
use serde::Serialize;

use crate::args::{PROGRAM, Up};
use crate::clock::{Deadline, PAUSE, in_words};
use crate::control::{self, Status};
use crate::error::Error;
use crate::nimbus::Nimbus;
use crate::output::Table;
use crate::process::workers_in;
use crate::progress::Progress;
use crate::session::Session;
use crate::state::{FORMAT, StateDir, Wanted, last_lines};
use crate::stormd::{Stormd, StormdError, VERSION, check_ports};

mod waiting;

use waiting::Waiting;

/// What the whole takes at most, unless another time is set.
const LIMIT: Duration = Duration::from_secs(60);
/// What a daemon takes to answer a question.
const ANSWER: Duration = Duration::from_secs(5);
/// Lines of the daemon's log that are shown when it fails.
const TAIL_LINES: usize = 15;

/// Why there is no cluster as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The daemon cannot be started.
    #[error("cannot start the cluster: {0}")]
    Stormd(#[from] StormdError),
    /// It ended before the cluster was ready.
    #[error("cannot start the cluster: the daemon ended with {how}, see {}", log.display())]
    Died {
        /// How it ended.
        how: String,
        /// Its log.
        log: PathBuf,
    },
    /// Something was not ready in time.
    #[error("{what} did not get ready within {}", in_words(*.waited))]
    NotReady {
        /// What was waited for.
        what: String,
        /// How long.
        waited: Duration,
    },
    /// What runs is of another version.
    #[error("the cluster that runs (pid {pid}) is of version {found}, this program of {VERSION}")]
    OtherVersion {
        /// Its daemon.
        pid: u32,
        /// Its version.
        found: String,
    },
    /// What runs differs in something that cannot change.
    #[error("the cluster that runs has {difference}")]
    Fixed {
        /// What it has, and what was asked for.
        difference: String,
    },
}

impl UpError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Stormd(error) => error.hint(),
            Self::Died { .. } => format!("{PROGRAM} logs daemon shows all of its log"),
            Self::NotReady { .. } => {
                format!("{PROGRAM} logs --all tells why; --timeout 2m waits longer")
            }
            Self::OtherVersion { found, .. } => {
                format!("{PROGRAM} down, then {PROGRAM} up; or use {PROGRAM} {found}")
            }
            Self::Fixed { .. } => {
                format!("{PROGRAM} down, then {PROGRAM} up with what you want; topologies are kept")
            }
        }
    }
}

/// What there is before anything is done.
#[derive(Debug)]
enum Observed {
    Nothing,
    Starting,
    Running(Status),
}

/// What has to be done.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    Start,
    Wait,
    Scale,
    Nothing,
}

#[derive(Serialize)]
struct Report<'a> {
    state: PathBuf,
    started: bool,
    #[serde(flatten)]
    status: &'a Status,
}

/// Starts or changes the local cluster.
pub fn up(mut session: Session, asked: &Up) -> Result<(), Error> {
    let deadline = session.deadline(LIMIT);
    session.state.prepare()?;
    let _lock = session.state.lock_for_change()?;
    let before = session.state.wanted()?;
    let wanted = wanted(&session, asked, before.as_ref());
    let ports = wanted.ports();
    let ports = ports.ok_or_else(|| StormdError::Ports { wanted: Box::new(wanted.clone()) });
    let ports = ports.map_err(UpError::from)?;
    let stormd = Stormd::find(&session.surroundings, deadline).map_err(UpError::from)?;

    let observed = observe(&session.state, deadline)?;
    let action = plan(&wanted, before.as_ref(), &observed)?;
    let progress = Progress::new(session.output);
    let daemon = progress.step("daemon", "starting");
    let mut child = None;
    match action {
        Action::Start => {
            let workers = workers_in(session.state.path());
            if !workers.is_empty() {
                let many = workers.len();
                session.output.remark(&format!("adopting {many} workers that still run"));
            }
            check_ports(&wanted.host, &ports, &workers).map_err(UpError::from)?;
            session.state.set_wanted(&wanted)?;
            child = Some(stormd.start(&session.state).map_err(UpError::from)?);
        }
        Action::Scale => {
            let known = before.as_ref().and_then(Wanted::ports).unwrap_or_default();
            let new: Vec<_> = ports.into_iter().filter(|port| !known.contains(port)).collect();
            check_ports(&wanted.host, &new, &[]).map_err(UpError::from)?;
            session.state.set_wanted(&wanted)?;
            control::scale(&session.state, wanted.supervisors, deadline)?;
        }
        Action::Wait | Action::Nothing => {}
    }
    let mut waiting = Waiting::new(&session.state, progress, daemon, wanted.supervisors);
    let status = match waiting.wait(child.as_mut(), deadline) {
        Ok(status) => status,
        Err(error) => {
            drop(waiting);
            show_tail(&session);
            return Err(error.into());
        }
    };
    registered(&session, waiting.progress, wanted.supervisors, deadline)?;
    report(&session, &status, action == Action::Start)
}

/// Waits for the last condition: Nimbus itself lists the supervisors.
fn registered(
    session: &Session,
    progress: Progress,
    supervisors: u16,
    deadline: Deadline,
) -> Result<(), Error> {
    let step = progress.step("cluster", "waiting for Nimbus to list the supervisors");
    let many = usize::from(supervisors);
    let mut nimbus = Nimbus::local(session, deadline)?;
    let mut last = None;
    let listed = deadline.poll(PAUSE, || {
        match nimbus.cluster() {
            Ok(cluster) => return Ok(Some(cluster.supervisors.len()).filter(|n| *n >= many)),
            Err(error) => last = Some(error),
        }
        Ok::<_, Error>(None)
    })?;
    match (listed, last) {
        (Some(_), _) => step.done(&format!("Nimbus lists {supervisors} supervisors")),
        (None, Some(error)) => return Err(error.into()),
        (None, None) => {
            let what = "Nimbus' list of supervisors".to_owned();
            return Err(UpError::NotReady { what, waited: deadline.limit() }.into());
        }
    }
    Ok(())
}

/// What is asked for now, over what was asked for before, over the configuration.
fn wanted(session: &Session, asked: &Up, before: Option<&Wanted>) -> Wanted {
    let base = before.cloned().unwrap_or_default();
    let mut reader = session.conf.reader();
    let is_set = |key: Key| session.conf.get(key).is_some_and(|set| set.place != Place::Default);
    let mut port = |asked: Option<u16>, key: Key, before: u16| {
        let configured = is_set(key).then(|| reader.port(&key));
        asked.or(configured).unwrap_or(before)
    };
    let nimbus_port = port(asked.nimbus_port, keys::NIMBUS_THRIFT_PORT, base.nimbus_port);
    let supervisor_port =
        port(asked.supervisor_port, keys::SUPERVISOR_THRIFT_PORT, base.supervisor_port);
    let slots = is_set(keys::SUPERVISOR_SLOTS_PORTS)
        .then(|| session.conf.reader().ports(&keys::SUPERVISOR_SLOTS_PORTS))
        .filter(|ports| !ports.is_empty());
    let first = slots.as_ref().and_then(|ports| ports.iter().min().copied());
    let many = slots.as_ref().and_then(|ports| u16::try_from(ports.len()).ok());
    let mut conf = base.conf;
    conf.extend(session.conf.to_map());
    Wanted {
        format: FORMAT,
        version: VERSION.to_owned(),
        host: base.host,
        nimbus_port,
        supervisor_port,
        slot_port: asked.slot_port.or(first).unwrap_or(base.slot_port),
        supervisors: asked.supervisors.unwrap_or(base.supervisors),
        slots: asked.slots.or(many).unwrap_or(base.slots),
        conf,
    }
}

fn observe(state: &StateDir, deadline: Deadline) -> Result<Observed, Error> {
    if !state.is_held() {
        return Ok(Observed::Nothing);
    }
    match control::status(state, deadline.part(ANSWER)) {
        Ok(status) => Ok(Observed::Running(status)),
        // A daemon that was ready and does not answer is a fault; one that never was is starting.
        Err(error) => match state.daemon()? {
            Some(daemon) if daemon.process.is_alive() => Err(error.into()),
            _ => Ok(Observed::Starting),
        },
    }
}

fn plan(wanted: &Wanted, before: Option<&Wanted>, observed: &Observed) -> Result<Action, UpError> {
    let difference = || before.and_then(|before| wanted.fixed_difference(before));
    match observed {
        Observed::Nothing => Ok(Action::Start),
        Observed::Running(status) if status.version != VERSION => {
            Err(UpError::OtherVersion { pid: status.pid, found: status.version.clone() })
        }
        Observed::Starting | Observed::Running(_) if difference().is_some() => {
            Err(UpError::Fixed { difference: difference().unwrap_or_default() })
        }
        Observed::Starting => Ok(Action::Wait),
        Observed::Running(status)
            if status.supervisors.len() == usize::from(wanted.supervisors) =>
        {
            Ok(Action::Nothing)
        }
        Observed::Running(_) => Ok(Action::Scale),
    }
}

/// `6700-6703`, or each port where they do not follow each other.
pub(super) fn range(ports: &[u16]) -> String {
    let follow = ports.windows(2).all(|pair| u32::from(pair[0]) + 1 == u32::from(pair[1]));
    match ports {
        [] => "-".to_owned(),
        [one] => one.to_string(),
        [first, .., last] if follow => format!("{first}-{last}"),
        _ => ports.iter().map(u16::to_string).collect::<Vec<_>>().join(","),
    }
}

fn show_tail(session: &Session) {
    let lines = last_lines(&session.state.daemon_log(), TAIL_LINES);
    if !lines.is_empty() {
        session.output.remark("the end of the daemon's log:");
        for line in lines {
            session.output.remark(&format!("  {line}"));
        }
        session.output.remark("");
    }
}

fn report(session: &Session, status: &Status, started: bool) -> Result<(), Error> {
    if session.output.json {
        let state = session.state.path().to_owned();
        return Ok(session.output.document(&Report { state, started, status })?);
    }
    session.output.data(&table(status).render())?;
    // Where another cluster is configured, the next commands must be told to stay here.
    let here = if session.is_remote() { " --target local" } else { "" };
    session.output.remark(&format!(
        "\nnext:\n  {PROGRAM}{here} submit target/release/topologies -- word-count\n  \
         {PROGRAM}{here} status\n  {PROGRAM} down"
    ));
    Ok(())
}

/// The components of a local cluster.
pub(super) fn table(status: &Status) -> Table {
    let mut table = Table::new(&["component", "state", "thrift", "slots", "used"]);
    let state = |ready: bool| if ready { "ready" } else { "starting" }.to_owned();
    let nimbus = &status.nimbus;
    let address = format!("{}:{}", nimbus.host, nimbus.port);
    table.row(["nimbus".to_owned(), state(nimbus.ready), address, "-".to_owned(), "-".to_owned()]);
    for supervisor in &status.supervisors {
        table.row([
            format!("supervisor-{}", supervisor.index),
            state(supervisor.ready),
            format!("{}:{}", nimbus.host, supervisor.thrift_port),
            range(&supervisor.slots),
            format!("{}/{}", supervisor.used.len(), supervisor.slots.len()),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use crate::control::{NimbusStatus, SupervisorStatus};

    use super::*;

    fn status(supervisors: u16, version: &str) -> Observed {
        let supervisor = |index| SupervisorStatus {
            index,
            id: format!("s{index}"),
            thrift_port: 6628 + index,
            slots: vec![],
            used: vec![],
            ready: true,
        };
        Observed::Running(Status {
            pid: 1,
            version: version.to_owned(),
            nimbus: NimbusStatus { host: "127.0.0.1".to_owned(), port: 6627, ready: true },
            supervisors: (0..supervisors).map(supervisor).collect(),
            metrics: None,
        })
    }

    #[track_caller]
    fn check(supervisors: u16, slots: u16, observed: &Observed, told: &str) {
        let before = Wanted { supervisors: 3, ..Wanted::default() };
        let wanted = Wanted { supervisors, slots, ..Wanted::default() };
        let result = match plan(&wanted, Some(&before), observed) {
            Ok(action) => format!("{action:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(result, told);
    }

    #[test]
    fn what_is_to_be_done_follows_from_what_is_wanted_and_what_there_is() {
        check(3, 4, &Observed::Nothing, "Start");
        check(3, 8, &Observed::Nothing, "Start");
        check(3, 4, &Observed::Starting, "Wait");
        check(3, 4, &status(3, VERSION), "Nothing");
        check(5, 4, &status(3, VERSION), "Scale");
        check(1, 4, &status(3, VERSION), "Scale");
        let fixed = "the cluster that runs has slots per supervisor: 4, not 8";
        check(3, 8, &status(3, VERSION), fixed);
        check(3, 8, &Observed::Starting, fixed);
        let other =
            format!("the cluster that runs (pid 1) is of version 0.0.9, this program of {VERSION}");
        check(3, 4, &status(3, "0.0.9"), &other);
    }

    #[test]
    fn ports_that_follow_each_other_are_a_range() {
        for (ports, told) in [
            (&[][..], "-"),
            (&[6700], "6700"),
            (&[6700, 6701, 6702], "6700-6702"),
            (&[6700, 6702], "6700,6702"),
            (&[65_535, 1], "65535,1"),
        ] {
            assert_eq!(range(ports), told);
        }
    }
}
