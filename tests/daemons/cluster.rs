//! A local cluster of the real daemon for one test, and nothing of it left afterwards.

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use nimbus_client::client::{Address, ClientError, ClientOptions, NimbusClient, NimbusMethods};
use nimbus_client::submit::{Archive, Described, Submission, submit};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use storm_runtime::clock::Clock;
use storm_runtime::process::{ProcessId, find_by_arguments};

use crate::topology;

/// How long a condition may take to come true on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const SLOTS: u16 = 2;

/// Ports are given out once per test process, from below those that the system gives to clients.
static NEXT_PORT: AtomicU16 = AtomicU16::new(0);
const FIRST_PORT: u16 = 20_000;
const LAST_PORT: u16 = 32_000;

/// A daemon in a folder of its own.
pub struct Cluster {
    folder: tempfile::TempDir,
    daemon: Option<Child>,
    pub nimbus_port: u16,
    supervisors: u16,
}

impl Cluster {
    /// A cluster that is ready.
    pub fn start(supervisors: u16) -> Self {
        let mut cluster = Self::prepare(supervisors);
        cluster.start_daemon();
        cluster
    }

    /// A folder that says what is wanted.
    pub fn prepare(supervisors: u16) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let first = free_ports(1 + supervisors * (1 + SLOTS));
        let wanted = json!({
            "format": 1,
            "version": "0.1.0",
            "host": "127.0.0.1",
            "nimbus_port": first,
            "supervisor_port": first + 1,
            "slot_port": first + 1 + supervisors,
            "supervisors": supervisors,
            "slots": SLOTS,
            "conf": {
                "supervisor.worker.shutdown.sleep.secs": 1,
                "supervisor.localizer.update.blob.interval.secs": 1,
            },
        });
        fs::write(folder.path().join("wanted.json"), wanted.to_string()).expect("it is written");
        Self { folder, daemon: None, nimbus_port: first, supervisors }
    }

    pub fn start_daemon(&mut self) {
        let daemon = self.command().stdout(Stdio::null()).stderr(Stdio::inherit()).spawn();
        self.daemon = Some(daemon.expect("stormd starts"));
        let pid = self.daemon.as_ref().map(Child::id);
        self.eventually("the daemon is ready", || {
            let told = fs::read(self.folder.path().join("daemon.json")).ok()?;
            let told: Value = serde_json::from_slice(&told).ok()?;
            (told["pid"].as_u64() == pid.map(u64::from)).then_some(())
        });
    }

    /// Runs a second daemon on the same folder, which must end by itself.
    pub fn refused(&self) -> Output {
        self.command().output().expect("stormd runs")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stormd"));
        command.arg("local").arg("--state").arg(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Ends the daemon as a machine that runs out of memory would.
    pub fn kill_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.kill().expect("it can be killed");
        daemon.wait().expect("it was a child");
    }

    /// Asks the daemon to end with its workers, and waits for it.
    pub fn stop(&mut self) {
        assert_eq!(self.ask(&json!({"do": "stop", "workers": true}))["ok"], true);
        let mut daemon = self.daemon.take().expect("it runs");
        assert!(daemon.wait().expect("it was a child").success());
    }

    /// One request at the control socket.
    pub fn ask(&self, request: &Value) -> Value {
        let socket = UnixStream::connect(self.folder.path().join("control.sock"));
        let socket = socket.expect("the daemon listens");
        writeln!(&socket, "{request}").expect("it takes a line");
        let mut line = String::new();
        BufReader::new(&socket).read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).expect("it answers JSON")
    }

    pub fn nimbus(&self) -> NimbusClient {
        let seeds = vec![Address::new("127.0.0.1", self.nimbus_port)];
        NimbusClient::new(seeds, ClientOptions::default())
    }

    /// Submits the scripted topology and answers its id.
    pub fn submit(&self, name: &str, workers: u16, archive: &[u8]) -> String {
        self.try_submit(name, workers, archive).expect("it is submitted");
        let topology = self.nimbus().topology(name).expect("it can be asked for");
        topology.expect("it is listed").id
    }

    /// Uploads an archive and submits a topology with it, or answers what Nimbus said against it.
    pub fn try_submit(&self, name: &str, workers: u16, archive: &[u8]) -> Result<(), ClientError> {
        let mut nimbus = self.nimbus();
        let location = nimbus
            .upload_file(&mut Cursor::new(archive), &mut |_| ())
            .expect("the archive is uploaded");
        let conf = json!({ "topology.workers": workers, "topology.message.timeout.secs": 1 });
        nimbus.call(|nimbus| {
            let (name, location) = (name.to_owned(), location.clone());
            nimbus.submit_topology(name, location, conf.to_string(), topology::words())
        })
    }

    /// Submits a topology of the example `numbers` as a user does, and answers its id.
    pub fn submit_numbers(&self, args: &[&str]) -> String {
        submit_numbers(&mut self.nimbus(), args, json!({}))
    }

    /// The same with keys of the topology's conf.
    pub fn submit_numbers_with(&self, args: &[&str], conf: Value) -> String {
        submit_numbers(&mut self.nimbus(), args, conf)
    }

    /// The newest error of a topology.
    pub fn error(&self, id: &str) -> Option<String> {
        let info = self.nimbus().call(|nimbus| nimbus.get_topology_info(id.to_owned()));
        let errors = info.expect("it is there").errors.into_values().flatten();
        errors.map(|error| error.error).next()
    }

    /// Processes of a topology's workers.
    pub fn workers(&self, id: &str) -> Vec<ProcessId> {
        let of = |k| {
            let local_dir = self.folder.path().join(format!("supervisor-{k}"));
            let local_dir = fs::canonicalize(local_dir).unwrap_or_default();
            workers_of(&local_dir, id)
        };
        let mut workers: Vec<ProcessId> = (0..self.supervisors).flat_map(of).collect();
        workers.sort();
        workers
    }

    /// Ports of slots that have a worker, by supervisor.
    pub fn used(&self) -> Vec<Vec<u64>> {
        let status = self.ask(&json!({"do": "status"}));
        let supervisors = status["supervisors"].as_array().expect("a list").clone();
        let ports = |one: &Value| -> Vec<u64> {
            one["used"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
        };
        supervisors.iter().map(ports).collect()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Polls a condition, since other processes decide when it comes true.
    #[track_caller]
    pub fn eventually<T>(&self, what: &str, condition: impl FnMut() -> Option<T>) -> T {
        eventually(what, || self.logs(), condition)
    }

    fn logs(&self) -> String {
        let logs = self.folder.path().join("logs");
        last_lines(["nimbus.log", "supervisor-0.log", "supervisor-1.log"].map(|log| logs.join(log)))
    }
}

impl Drop for Cluster {
    /// Ends the daemon and every process that carries the folder's path, whatever has happened.
    fn drop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let folder = fs::canonicalize(self.folder.path()).unwrap_or_default();
        for k in 0..self.supervisors + 2 {
            kill_all(&folder.join(format!("supervisor-{k}")));
        }
    }
}

/// Submits a topology of the example `numbers` as a user does, and answers its id.
pub fn submit_numbers(nimbus: &mut NimbusClient, args: &[&str], conf: Value) -> String {
    let binary = example("numbers");
    let mut describe = Command::new(&binary);
    describe.args(["describe", "numbers"]).args(args).args(["--format", "submit"]);
    let told = describe.output().expect("it describes itself");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let described = Described::parse(&told.stdout).expect("it is understood");
    let mut submission = Submission::of(described).expect("it can be submitted");
    submission.conf.extend(conf.as_object().expect("an object").clone());
    let archive = Archive::new().with_binary(&binary).expect("it is a binary");
    let mut archive = archive.pack().expect("it is packed");
    let submitted = submit(nimbus, &submission, &mut archive, &mut |_| {});
    submitted.expect("it is taken").id.expect("Nimbus tells its id")
}

/// Polls a condition, since other processes decide when it comes true; `logs` are shown if it does
/// not.
#[track_caller]
pub fn eventually<T>(
    what: &str,
    logs: impl FnOnce() -> String,
    mut condition: impl FnMut() -> Option<T>,
) -> T {
    let clock = Clock::system();
    let until = clock.now() + PATIENCE;
    let (_keep, never) = sync_channel::<()>(1);
    loop {
        if let Some(value) = condition() {
            return value;
        }
        if clock.now() >= until {
            panic!("not within {PATIENCE:?}: {what}\n{}", logs());
        }
        // Nothing is ever sent.
        let _ = never.recv_timeout(Duration::from_millis(20));
    }
}

/// Processes of a topology's workers that a supervisor with this folder started.
pub fn workers_of(local_dir: &Path, id: &str) -> Vec<ProcessId> {
    // The one that makes the session is on its way to become the worker.
    let is_worker = |process: &ProcessId| {
        let line = fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        !line.split(|byte| *byte == 0).any(|arg| arg == b"launch")
    };
    let found = find_by_arguments(&["worker", &local_dir.to_string_lossy(), id]);
    found.into_iter().filter(is_worker).collect()
}

/// Ends every process that carries a folder's path among its arguments.
pub fn kill_all(folder: &Path) {
    for process in find_by_arguments(&[&folder.to_string_lossy()]) {
        if let Some(pid) = Pid::from_raw(process.pid as i32) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// The last lines of some logs.
pub fn last_lines(logs: impl IntoIterator<Item = PathBuf>) -> String {
    let mut text = String::new();
    for path in logs {
        let lines = fs::read_to_string(&path).unwrap_or_default();
        let last: Vec<&str> = lines.lines().rev().take(40).collect();
        text.push_str(&format!("--- {}\n", path.display()));
        last.into_iter().rev().for_each(|line| text.push_str(&format!("{line}\n")));
    }
    text
}

/// An archive with the scripted worker as its binary; `change` may alter the binary.
pub fn archive(behaviour: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut binary = fs::read(example("scripted_worker")).expect("cargo has built the example");
    change(&mut binary);
    let manifest = r#"{"format":1,"binary":"topology","target":"","runtime":"0.1.0"}"#;
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    let entries: [(&str, &[u8]); 4] = [
        ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n"),
        ("resources/storm-runtime.json", manifest.as_bytes()),
        ("resources/topology", &binary),
        ("resources/behaviour", behaviour.as_bytes()),
    ];
    for (name, content) in entries {
        zip.start_file(name, options).expect("an entry begins");
        zip.write_all(content).expect("it is written");
    }
    zip.finish().expect("the archive ends").into_inner()
}

/// An example beside the tests. Cargo builds them when it runs all tests, not when it runs these
/// alone, so it is asked once more.
pub fn example(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--features", "daemons"]);
        cargo.args(["--example", "scripted_worker", "--example", "numbers"]);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.expect("cargo runs").success(), "cargo builds what is submitted");
    });
    let own = std::env::current_exe().expect("it is known");
    let target = own.parent().and_then(Path::parent).expect("it lies in target/<profile>/deps");
    target.join("examples").join(name)
}

/// The first of that many ports in a row that nobody listens on.
pub fn free_ports(count: u16) -> u16 {
    let span = LAST_PORT - FIRST_PORT;
    // Another test process begins elsewhere.
    let start = (std::process::id() % u32::from(span)) as u16;
    for _ in 0..1_000 {
        let offset = NEXT_PORT.fetch_add(count, Ordering::Relaxed);
        let first = FIRST_PORT + (start + offset) % (span - count);
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("no {count} ports in a row are free");
}
