//! Talking to the daemon of a local cluster through its control socket: one JSON object per line
//! each way.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clock::Deadline;
use crate::state::StateDir;

/// Largest answer, in bytes: far above what a thousand supervisors need.
const MAX_ANSWER_BYTES: u64 = 8 << 20;

/// What a daemon says about its cluster.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Status {
    /// The daemon's process id.
    pub pid: u32,
    /// The version of its program.
    pub version: String,
    /// Its Nimbus.
    pub nimbus: NimbusStatus,
    /// Its supervisors, by index.
    pub supervisors: Vec<SupervisorStatus>,
    /// Where it serves its metrics, if it does.
    #[serde(default)]
    pub metrics: Option<String>,
}

/// Nimbus as the daemon sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NimbusStatus {
    /// Address.
    pub host: String,
    /// Thrift port.
    pub port: u16,
    /// Whether it serves.
    pub ready: bool,
}

/// A supervisor as the daemon sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SupervisorStatus {
    /// Its number.
    pub index: u16,
    /// Its id.
    pub id: String,
    /// Thrift port.
    pub thrift_port: u16,
    /// Ports of its slots.
    pub slots: Vec<u16>,
    /// Ports of the slots that have a worker.
    #[serde(default)]
    pub used: Vec<u16>,
    /// Whether it serves and is known to Nimbus.
    pub ready: bool,
}

/// Why the daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens at the socket.
    #[error("the daemon does not answer at {}: {source}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What came back is no answer.
    #[error("the daemon at {} answers with something else than expected: {source}", socket.display())]
    NotAnAnswer {
        /// The socket.
        socket: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The daemon says no.
    #[error("{error}")]
    Refused {
        /// Its reason.
        error: String,
        /// Its advice.
        hint: Option<String>,
    },
}

impl ControlError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Refused { hint: Some(hint), .. } => hint.clone(),
            Self::Refused { hint: None, .. } => "stormdeploy logs nimbus tells more".to_owned(),
            Self::Unreachable { .. } | Self::NotAnAnswer { .. } => {
                "stormdeploy down ends it, stormdeploy up starts it again; topologies are kept"
                    .to_owned()
            }
        }
    }
}

/// Refused or done.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    #[serde(default)]
    error: String,
    hint: Option<String>,
}

/// Asks what there is.
///
/// # Errors
/// Nobody who answers in time, or no answer that can be understood.
pub fn status(state: &StateDir, deadline: Deadline) -> Result<Status, ControlError> {
    let answer = ask(state, &json!({"do": "status"}), deadline)?;
    let socket = state.socket();
    serde_json::from_value(answer).map_err(|source| ControlError::NotAnAnswer { socket, source })
}

/// Asks for another number of supervisors.
///
/// # Errors
/// As [`status`], and the daemon's refusal.
pub fn scale(state: &StateDir, supervisors: u16, deadline: Deadline) -> Result<(), ControlError> {
    ask(state, &json!({"do": "scale", "supervisors": supervisors}), deadline).map(drop)
}

/// Asks the daemon to end, its workers with it. May have taken effect even when it fails.
///
/// # Errors
/// As [`status`], and the daemon's refusal.
pub fn stop(state: &StateDir, deadline: Deadline) -> Result<(), ControlError> {
    ask(state, &json!({"do": "stop", "workers": true}), deadline).map(drop)
}

fn ask(state: &StateDir, request: &Value, deadline: Deadline) -> Result<Value, ControlError> {
    let socket = state.socket();
    let line = exchange(state, request, deadline)
        .map_err(|source| ControlError::Unreachable { socket: socket.clone(), source })?;
    let not_an_answer = |source| ControlError::NotAnAnswer { socket: socket.clone(), source };
    let value: Value = serde_json::from_str(&line).map_err(not_an_answer)?;
    let answer = Answer::deserialize(&value).map_err(not_an_answer)?;
    if answer.ok {
        Ok(value)
    } else {
        Err(ControlError::Refused { error: answer.error, hint: answer.hint })
    }
}

fn exchange(state: &StateDir, request: &Value, deadline: Deadline) -> io::Result<String> {
    let no_time = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    let left = |deadline: Deadline| Some(deadline.left()).filter(|left| !left.is_zero());
    let mut stream = UnixStream::connect(state.socket())?;
    stream.set_write_timeout(Some(left(deadline).ok_or_else(no_time)?))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    let mut reader = BufReader::new(Read::take(&stream, MAX_ANSWER_BYTES));
    while !line.ends_with('\n') {
        stream.set_read_timeout(Some(left(deadline).ok_or_else(no_time)?))?;
        match reader.read_line(&mut line) {
            Ok(0) if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(no_time()),
            Err(error) => return Err(error),
        }
    }
    Ok(line)
}
