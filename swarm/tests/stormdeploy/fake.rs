//! A daemon that speaks the control socket and does nothing else.
//!
//! The program starts a script called `stormd`, and that starts this test binary again with one test
//! selected, which is no test but the daemon. Workers are shells whose arguments look like a
//! worker's.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::nimbus::Nimbus;
use crate::support::{Place, read_json};

/// Where the daemon finds its state directory; unset in a run of the tests.
const STATE: &str = "FAKE_STORMD_STATE";
/// How the daemon behaves.
const MODE: &str = "FAKE_STORMD_MODE";

/// Puts a fake `stormd` of that version and behaviour beside the program.
///
/// | mode | behaviour |
/// |---|---|
/// | `good` | becomes ready, and does what it is told |
/// | `dies` | says why and ends before it is ready |
/// | `half` | its last supervisor never becomes ready |
/// | `deaf` | becomes ready, and neither obeys `stop` nor SIGTERM |
pub fn install(place: &Place, version: &str, mode: &str) {
    let exe = std::env::current_exe().expect("this binary has a path");
    let script = format!(
        "#!/bin/sh\n\
         case $1 in\n\
         version) echo '{{\"name\":\"stormd\",\"version\":\"{version}\"}}' ;;\n\
         local)\n\
         test {mode} = deaf && trap '' TERM\n\
         {STATE}=\"$3\" {MODE}={mode} exec '{exe}' fake::the_daemon_itself --exact --nocapture ;;\n\
         *) echo no such command >&2; exit 2 ;;\n\
         esac\n",
        exe = exe.display()
    );
    let path = place.write("bin/stormd", &script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

#[test]
fn the_daemon_itself() {
    let Some(state) = std::env::var_os(STATE) else { return };
    let mode = std::env::var_os(MODE).expect("it is set beside the other");
    Daemon::new(PathBuf::from(state), mode.to_string_lossy().into_owned()).run();
}

struct Daemon {
    state: PathBuf,
    mode: String,
    wanted: Value,
    workers: Vec<Child>,
    nimbus: Option<Nimbus>,
}

impl Daemon {
    fn new(state: PathBuf, mode: String) -> Self {
        let wanted = read_json(&state.join("wanted.json"));
        Self { state, mode, wanted, workers: Vec::new(), nimbus: None }
    }

    fn run(mut self) {
        let lock = File::create(self.state.join("lock")).expect("the lock can be made");
        lock.try_lock().expect("no other daemon holds it");
        if self.mode == "dies" {
            eprintln!("opening the store\ncannot open the store: it is broken");
            std::process::exit(3);
        }
        let socket = self.state.join("control.sock");
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).expect("the socket can be made");
        let pid = std::process::id();
        let daemon = json!({
            "pid": pid, "start_time": start_time(pid), "version": env!("CARGO_PKG_VERSION"),
            "nimbus_port": self.wanted["nimbus_port"],
        });
        fs::write(self.state.join("daemon.json"), daemon.to_string()).expect("it can be written");
        self.start_workers();
        let port = self.wanted["nimbus_port"].as_u64().expect("a number") as u16;
        self.nimbus = Some(Nimbus::start_on(port, &["wc"]));
        self.register();
        for stream in listener.incoming() {
            let mut stream = stream.expect("somebody connects");
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).expect("a line");
            let Ok(request) = serde_json::from_str::<Value>(&line) else { continue };
            let answer = self.answer(&request);
            // Whoever asked may have gone.
            let _ = writeln!(stream, "{answer}");
            if request["do"] == "stop" && self.mode != "deaf" {
                return;
            }
        }
    }

    /// Nimbus lists as many supervisors as there are.
    fn register(&self) {
        let many = self.wanted["supervisors"].as_u64().expect("a number");
        if let Some(nimbus) = &self.nimbus {
            nimbus.known().supervisors = many as usize;
        }
    }

    fn answer(&mut self, request: &Value) -> Value {
        match request["do"].as_str() {
            Some("status") => self.status(),
            Some("scale") => {
                self.wanted["supervisors"] = request["supervisors"].clone();
                self.register();
                json!({"ok": true})
            }
            Some("stop") if self.mode == "deaf" => {
                json!({"ok": false, "error": "not now", "hint": "later"})
            }
            Some("stop") => {
                for worker in &mut self.workers {
                    let _ = worker.kill();
                    let _ = worker.wait();
                }
                json!({"ok": true})
            }
            _ => json!({"ok": false, "error": "no such request", "hint": "status, scale, stop"}),
        }
    }

    fn status(&self) -> Value {
        let number = |name: &str| self.wanted[name].as_u64().expect("a number");
        let many = number("supervisors");
        let supervisors: Vec<Value> = (0..many)
            .map(|k| {
                let first = number("slot_port") + k * number("slots");
                let slots: Vec<u64> = (first..first + number("slots")).collect();
                let ready = self.mode != "half" || k + 1 < many;
                json!({"index": k, "id": format!("fake-{k}"), "thrift_port": number("supervisor_port") + k,
                       "slots": slots, "used": [], "ready": ready})
            })
            .collect();
        json!({"ok": true, "pid": std::process::id(), "version": env!("CARGO_PKG_VERSION"),
               "nimbus": {"host": "127.0.0.1", "port": number("nimbus_port"), "ready": true},
               "supervisors": supervisors, "metrics": Value::Null})
    }

    /// Two workers, unless there are some already: then these are adopted.
    fn start_workers(&mut self) {
        if self.state.join("worker").exists() {
            return;
        }
        fs::write(self.state.join("worker"), "while :; do sleep 0.1; done\n").expect("written");
        for port in ["1", "2"] {
            self.workers.push(worker(&self.state, port));
        }
    }
}

/// A shell whose arguments are those of a worker: its first one is the script that it runs.
fn worker(state: &Path, port: &str) -> Child {
    let local = state.join("supervisor-0");
    let mut command = Command::new("/bin/sh");
    command
        .arg0("topology")
        .args(["worker", "--local-dir"])
        .arg(local)
        .args(["word-count-1-1700000000", "fake-0", "6628", port, "a-worker"])
        .current_dir(state)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    command.spawn().expect("there is a shell")
}

/// Field 22 of a process's statistics.
fn start_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in brackets");
    rest.split_whitespace().nth(19).and_then(|field| field.parse().ok()).expect("a number")
}

/// Process ids of the workers beneath a state directory.
pub fn workers(state: &Path) -> Vec<u64> {
    let local = state.join("supervisor-0").to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").expect("Linux has it").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == local.as_bytes())
    })
    .collect()
}
