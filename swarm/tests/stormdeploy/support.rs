//! Running the program with a state directory, a home and ports of its own.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that anything here may take.
pub const LIMIT: Duration = Duration::from_secs(180);

/// What a run of the program came to.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// The data, which is JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The one line of the error and the hint.
    #[track_caller]
    pub fn error(&self) -> (String, String) {
        assert_ne!(self.code, Some(0), "{}", self.stdout);
        assert_eq!(self.stdout, "", "an error is no data");
        let at = self.stderr.find("stormdeploy: ").unwrap_or_else(|| panic!("{}", self.stderr));
        let (line, rest) = self.stderr[at..].split_once('\n').expect("a line");
        let hint = rest.trim().strip_prefix("hint: ").unwrap_or_else(|| panic!("{}", self.stderr));
        (line.trim_start_matches("stormdeploy: ").to_owned(), hint.to_owned())
    }
}

/// A place of its own for one test, with a copy of the program beside which a daemon may stand.
pub struct Place {
    folder: tempfile::TempDir,
    /// First of the ports that this test uses: one for Nimbus, then supervisors, then slots.
    pub port: u16,
}

impl Place {
    /// A place without a daemon.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["bin", "home", "conf"] {
            fs::create_dir(folder.path().join(name)).expect("it can be made");
        }
        let program = folder.path().join("bin/stormdeploy");
        let built = env!("CARGO_BIN_EXE_stormdeploy");
        if fs::hard_link(built, &program).is_err() {
            fs::copy(built, &program).expect("it can be copied");
        }
        Self { folder, port: free_ports() }
    }

    /// Puts programs beside ours that were built beside it; `None` if one was not.
    pub fn with_built(self, names: &[&str]) -> Option<Self> {
        let built = Path::new(env!("CARGO_BIN_EXE_stormdeploy")).parent().expect("a folder");
        for name in names {
            let place = self.path("bin").join(name);
            if fs::hard_link(built.join(name), &place).is_err() {
                fs::copy(built.join(name), &place).ok()?;
            }
        }
        Some(self)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        // As the program sees it, whatever links lead to the temporary folder.
        fs::canonicalize(self.folder.path()).expect("it is there").join("state")
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        fs::write(&path, text).expect("it can be written");
        path
    }

    /// The program with these arguments, and nothing of the machine's own configuration.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("bin/stormdeploy"));
        command
            .args(args)
            .env_clear()
            .env("HOME", self.path("home"))
            .env("PATH", "/usr/bin:/bin")
            .env("STORMDEPLOY_STATE", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Outcome {
        outcome(&mut self.command(args))
    }

    /// `up` on the ports of this place.
    pub fn up(&self, args: &[&str]) -> Outcome {
        let [nimbus, supervisor, slot] = self.port_options();
        let mut all = vec!["up", &nimbus, &supervisor, &slot];
        all.extend(args);
        self.run(&all)
    }

    pub fn port_options(&self) -> [String; 3] {
        let port = self.port;
        [
            format!("--nimbus-port={port}"),
            format!("--supervisor-port={}", port + 1),
            format!("--slot-port={}", port + 20),
        ]
    }
}

pub fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the program speaks UTF-8");
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Waits for a condition.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    #[expect(clippy::disallowed_methods, reason = "tests of real processes have a deadline")]
    let now = Instant::now;
    let start = now();
    while !condition() {
        assert!(now().duration_since(start) < LIMIT, "{what} did not happen within {LIMIT:?}");
        std::thread::yield_now();
    }
}

/// Whether a process runs; one that nobody has collected does not.
pub fn runs(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Ends a child that a test started.
pub fn end(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The first of a hundred ports that were free a moment ago, below those that the system hands out.
fn free_ports() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    const FIRST: u16 = 10_000;
    const STEP: u16 = 100;
    const STEPS: u16 = 220;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two runs of the tests at once should not begin at the same place.
    let begin = (std::process::id() % u32::from(STEPS)) as u16;
    for _ in 0..STEPS {
        let at = (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % STEPS;
        let first = FIRST + at * STEP;
        if (first..first + STEP).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
    panic!("no hundred free ports in a row");
}

/// Reads a file of JSON.
#[track_caller]
pub fn read_json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).expect("it is JSON")
}
