//! The control socket: one JSON object per line each way.
//!
//! **Runs on** the main thread, but each connection has a thread that reads its lines, at most
//! [`CONNECTIONS`] of them; requests come to the main thread one by one.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::files::StateFolder;
use crate::error::Error;

/// Connections at once: one for each `stormdeploy` that is used at the moment.
const CONNECTIONS: usize = 32;
/// Longest request in bytes.
const LINE_BYTES: u64 = 64 << 10;
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(60);

/// What may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Ask {
    /// How the cluster stands.
    Status,
    /// To have another number of supervisors.
    Scale {
        /// How many.
        supervisors: u16,
    },
    /// To end.
    Stop {
        /// With its workers.
        #[serde(default)]
        workers: bool,
    },
}

/// A request, and where its answer goes.
#[derive(Debug)]
pub struct Asked {
    pub ask: Ask,
    pub answer: Answer,
}

/// Takes the answer to one request.
#[derive(Debug)]
pub struct Answer(SyncSender<Value>);

/// The socket.
#[derive(Debug)]
pub struct Control {
    /// `None` stands for a signal.
    asked: Receiver<Option<Asked>>,
}

impl Control {
    /// Listens; `signals` becomes readable when the process is to end.
    pub fn listen(folder: &StateFolder, mut signals: UnixStream) -> Result<Self, Error> {
        let path = folder.socket();
        let failed = |source| Error::File { path: folder.socket(), source };
        // Left over by a daemon that was killed: the folder's lock says that nobody listens there.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let (ask, asked) = sync_channel(CONNECTIONS);
        let of_signals = ask.clone();
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        named("signals")
            .spawn(move || {
                // The socket is never closed, so that this ends with a signal only.
                let _ = signals.read(&mut [0]);
                let _ = of_signals.send(None);
            })
            .map_err(failed)?;
        named("control").spawn(move || accept(&listener, &ask)).map_err(failed)?;
        Ok(Self { asked })
    }

    /// The next request; `None` when the process is to end.
    pub fn next(&self) -> Option<Asked> {
        self.asked.recv().ok().flatten()
    }
}

impl Answer {
    /// It was done; `told` is added to the answer.
    pub fn done(self, mut told: Map<String, Value>) {
        told.insert("ok".to_owned(), Value::Bool(true));
        // The one who asked may be gone.
        let _ = self.0.send(Value::Object(told));
    }

    /// It was not done.
    pub fn refused(self, error: &str, hint: Option<String>) {
        let _ = self.0.send(refusal(error, hint));
    }
}

fn refusal(error: &str, hint: Option<String>) -> Value {
    match hint {
        Some(hint) => json!({ "ok": false, "error": error, "hint": hint }),
        None => json!({ "ok": false, "error": error }),
    }
}

fn accept(listener: &UnixListener, ask: &SyncSender<Option<Asked>>) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if open.load(Ordering::Acquire) >= CONNECTIONS {
            // Closed at once: whoever it is asks again.
            continue;
        }
        open.fetch_add(1, Ordering::AcqRel);
        let (ask, counted) = (ask.clone(), open.clone());
        let spawned = thread::Builder::new().name("control".to_owned()).spawn(move || {
            // A connection that breaks is the other side's loss.
            let _ = converse(&stream, &ask);
            counted.fetch_sub(1, Ordering::AcqRel);
        });
        if spawned.is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn converse(stream: &UnixStream, ask: &SyncSender<Option<Asked>>) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if Read::take(&mut reader, LINE_BYTES).read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(asked) => {
                let (answer, answered) = sync_channel(1);
                let sent = ask.send(Some(Asked { ask: asked, answer: Answer(answer) }));
                let answered = sent.ok().and_then(|()| answered.recv().ok());
                answered.unwrap_or_else(|| refusal("the cluster is ending", None))
            }
            Err(error) => refusal(
                &format!("the request cannot be understood: {error}"),
                Some(r#"a request is a line like {"do":"status"}"#.to_owned()),
            ),
        };
        (&*stream).write_all(format!("{answer}\n").as_bytes())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_understood_as_they_are_agreed() {
        let parse = |text: &str| serde_json::from_str::<Ask>(text).ok();
        assert_eq!(parse(r#"{"do":"status"}"#), Some(Ask::Status));
        assert_eq!(parse(r#"{"do":"scale","supervisors":5}"#), Some(Ask::Scale { supervisors: 5 }));
        assert_eq!(parse(r#"{"do":"stop","workers":true}"#), Some(Ask::Stop { workers: true }));
        assert_eq!(parse(r#"{"do":"stop"}"#), Some(Ask::Stop { workers: false }));
        assert_eq!(parse(r#"{"do":"explode"}"#), None);
    }
}
