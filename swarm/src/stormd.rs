//! The daemon's program: finding it, refusing another version, starting it.

use std::fs::OpenOptions;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::clock::Deadline;
use crate::process::{Worker, find_program, listener};
use crate::program;
use crate::session::Surroundings;
use crate::state::{PortUse, StateDir, Wanted};

/// Name of the daemon's program.
const NAME: &str = "stormd";
/// Our version, which the daemon must have too.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Most that `stormd version --json` prints, in bytes.
const MAX_VERSION_BYTES: u64 = 64 << 10;

/// Why no daemon can be started.
#[derive(Debug, thiserror::Error)]
pub enum StormdError {
    /// It is nowhere.
    #[error("cannot find the daemon's program {NAME}: it is neither in {} nor in PATH", beside.display())]
    NotFound {
        /// Where it was looked for first.
        beside: PathBuf,
    },
    /// It cannot be asked for its version.
    #[error("cannot ask {} for its version: {why}", path.display())]
    NoVersion {
        /// The program.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is of another version.
    #[error("{} is version {found}, but this program is version {VERSION}", path.display())]
    OtherVersion {
        /// The program.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// A port is taken.
    #[error(
        "port {} for {} is in use{}",
        port.port, port.what, who.as_ref().map_or(String::new(), |who| format!(" by {who}"))
    )]
    PortInUse {
        /// The port.
        port: PortUse,
        /// Who listens there, if that can be seen.
        who: Option<String>,
    },
    /// A port cannot be listened on.
    #[error("cannot listen on port {} for {}: {source}", port.port, port.what)]
    PortUnusable {
        /// The port.
        port: PortUse,
        /// Why.
        source: io::Error,
    },
    /// The ports do not fit.
    #[error(
        "{} supervisors of {} slots do not fit: their ports run into each other or beyond 65535",
        wanted.supervisors, wanted.slots
    )]
    Ports {
        /// What was asked for.
        wanted: Box<Wanted>,
    },
    /// It cannot be started.
    #[error("cannot start {}: {source}", path.display())]
    NotStarted {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StormdError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { .. } => {
                "cargo build --release --features daemons builds it; put it beside stormdeploy"
                    .to_owned()
            }
            Self::NoVersion { path, .. } => format!("see what {} version says", path.display()),
            Self::OtherVersion { .. } => {
                "install stormdeploy and stormd of one version beside each other".to_owned()
            }
            Self::PortInUse { port, .. } | Self::PortUnusable { port, .. } => {
                format!("end what listens there, or choose another: {} PORT", port.option)
            }
            Self::Ports { .. } => {
                "ask for fewer, or set --nimbus-port, --supervisor-port and --slot-port apart"
                    .to_owned()
            }
            Self::NotStarted { .. } => "see whether the file may be executed".to_owned(),
        }
    }
}

/// The daemon's program, of our own version.
#[derive(Debug)]
pub struct Stormd {
    path: PathBuf,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

impl Stormd {
    /// Finds it beside this program, then in PATH, and asks for its version.
    ///
    /// # Errors
    /// None is found, or the one found is of another version.
    pub fn find(around: &Surroundings, deadline: Deadline) -> Result<Self, StormdError> {
        let beside = around.beside.clone().unwrap_or_default();
        let found = find_program(NAME, around.beside.as_deref(), &around.search);
        let path = found.ok_or(StormdError::NotFound { beside })?;
        let no_version = |why: String| StormdError::NoVersion { path: path.clone(), why };
        let arguments = ["version".to_owned(), "--json".to_owned()];
        let said = program::run(&path, &arguments, deadline, MAX_VERSION_BYTES);
        let said = said.map_err(|error| no_version(error.to_string()))?;
        if !said.status.success() {
            let first = said.stderr.lines().next().unwrap_or_default().to_owned();
            let ended = program::ended_with(said.status);
            return Err(no_version(format!("{ended}: {first}")));
        }
        let version: Version = serde_json::from_slice(&said.stdout)
            .map_err(|error| no_version(format!("its answer is not understood: {error}")))?;
        if version.version != VERSION {
            return Err(StormdError::OtherVersion { path, found: version.version });
        }
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it in the background, its words going to the state directory's log.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn start(&self, state: &StateDir) -> Result<Child, StormdError> {
        let not_started = |source| StormdError::NotStarted { path: self.path.clone(), source };
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let log = options.open(state.daemon_log()).map_err(not_started)?;
        let errors = log.try_clone().map_err(not_started)?;
        let mut command = Command::new(&self.path);
        command.arg("local").arg("--state").arg(state.path()).current_dir(state.path());
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        // Its own group: the terminal's Ctrl-C is not meant for it.
        command.process_group(0).spawn().map_err(not_started)
    }
}

/// Whether every port can be had that is not used by `workers`, which are adopted.
///
/// # Errors
/// The first port that cannot, and by whom it is used.
pub fn check_ports(host: &str, ports: &[PortUse], workers: &[Worker]) -> Result<(), StormdError> {
    let adopted: Vec<&str> = workers.iter().map(|worker| worker.port.as_str()).collect();
    for port in ports {
        match TcpListener::bind((host, port.port)) {
            Ok(_) => {}
            Err(_) if adopted.contains(&port.port.to_string().as_str()) => {}
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let who = listener(port.port)
                    .map(|(process, name)| format!("{name} (pid {})", process.pid));
                return Err(StormdError::PortInUse { port: port.clone(), who });
            }
            Err(source) => return Err(StormdError::PortUnusable { port: port.clone(), source }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(script: &str) -> Result<Stormd, StormdError> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(NAME);
        std::fs::write(&path, script).expect("it can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let around = Surroundings { beside: Some(folder.path().to_owned()), ..Default::default() };
        Stormd::find(&around, Deadline::after(Duration::from_secs(20)))
    }

    #[test]
    fn a_daemon_of_our_version_is_taken_and_another_is_not() {
        check(&format!("#!/bin/sh\necho '{{\"version\": \"{VERSION}\"}}'\n")).expect("ours");
        let error = check("#!/bin/sh\necho '{\"version\": \"9.9.9\"}'\n").expect_err("not ours");
        assert!(error.to_string().contains("is version 9.9.9"), "{error}");
    }

    #[test]
    fn a_daemon_that_cannot_tell_its_version_is_refused_with_its_words() {
        let error = check("#!/bin/sh\necho no such option >&2\nexit 2\n").expect_err("refused");
        assert!(error.to_string().ends_with("exit code 2: no such option"), "{error}");
        let error = check("#!/bin/sh\necho hello\n").expect_err("refused");
        assert!(error.to_string().contains("its answer is not understood"), "{error}");
    }

    #[test]
    fn no_daemon_at_all_is_told_with_the_way_to_build_it() {
        let around = Surroundings { beside: Some("/no".into()), ..Default::default() };
        let error = Stormd::find(&around, Deadline::after(Duration::ZERO)).expect_err("none");
        assert!(error.hint().contains("cargo build"), "{}", error.hint());
    }

    #[test]
    fn a_port_in_use_is_named_with_its_process_unless_it_is_an_adopted_workers() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = taken.local_addr().unwrap().port();
        let one = PortUse { port, what: "Nimbus".to_owned(), option: "--nimbus-port" };
        let error = check_ports("127.0.0.1", std::slice::from_ref(&one), &[]).expect_err("taken");
        let told = error.to_string();
        assert!(told.starts_with(&format!("port {port} for Nimbus is in use by ")), "{told}");
        assert!(told.contains(&format!("(pid {})", std::process::id())), "{told}");
        assert!(error.hint().ends_with("--nimbus-port PORT"), "{}", error.hint());

        let process = crate::process::Process::of(std::process::id()).unwrap();
        let worker = Worker { process, topology_id: "t".to_owned(), port: port.to_string() };
        check_ports("127.0.0.1", &[one], &[worker]).expect("it is ours");
    }
}
