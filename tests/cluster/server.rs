//! A real ZooKeeper server on loopback, started from Debian's package `zookeeper`.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use storm_runtime::clock::{Clock, Time};
use storm_runtime::cluster::{
    CreateMode, SessionState, StateBackend, StateError, StateStorage, Watcher, ZooKeeperStore,
};

use crate::conformance;

const JAR: &str = "/usr/share/java/zookeeper.jar";
const MAIN: &str = "org.apache.zookeeper.server.ZooKeeperServerMain";
const SESSION_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a server may take to start, and a session to be noticed as over.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with its data in a folder of its own; killed when it is dropped.
struct Server {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    /// A server, or the reason why there is none on this machine.
    fn start() -> Result<Self, &'static str> {
        if !Path::new(JAR).exists() {
            return Err("Debian's package zookeeper is not installed");
        }
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let port = free_port();
        let process = run(&folder, port).map_err(|_| "there is no java in PATH")?;
        let server = Self { process, port, folder };
        server.await_ready();
        Ok(server)
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn restart(&mut self) {
        self.process = run(&self.folder, self.port).expect("it started before");
        self.await_ready();
    }

    fn store(&self) -> ZooKeeperStore {
        let servers = format!("127.0.0.1:{}", self.port);
        ZooKeeperStore::new(&servers, SESSION_TIMEOUT).expect("a thread starts")
    }

    /// Asks with the four letters `ruok` until the answer is `imok`.
    fn await_ready(&self) {
        let clock = Clock::system();
        let deadline = clock.now() + PATIENCE;
        while !self.is_ok() {
            assert!(clock.now() < deadline, "the server on port {} does not start", self.port);
            // A watcher that nobody tells anything is a wait with a deadline.
            Watcher::new().wait(Duration::from_millis(50));
        }
    }

    fn is_ok(&self) -> bool {
        let ask = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"ruok")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer)
        };
        ask().is_ok_and(|answer| answer == "imok")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(folder: &tempfile::TempDir, port: u16) -> std::io::Result<Child> {
    let conf = folder.path().join("zoo.cfg");
    let text = format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\ntickTime=1000\n\
         admin.enableServer=false\n4lw.commands.whitelist=ruok\nmaxClientCnxns=0\n",
        folder.path().join("data").display()
    );
    fs::write(&conf, text)?;
    Command::new("java")
        .args(["-Xmx128m", "-cp", JAR, MAIN])
        .arg(conf)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
    listener.local_addr().expect("it is bound").port()
}

/// Past the test harness, which would swallow what a passing test prints.
fn skip(why: &str) {
    writeln!(std::io::stdout(), "\nskipped: {why}").expect("standard output takes a line");
}

#[test]
fn a_real_zookeeper_conforms() {
    match Server::start() {
        Ok(server) => conformance::check_all(&server.store()),
        Err(why) => skip(why),
    }
}

#[test]
fn a_server_that_is_gone_suspends_the_session_and_one_that_is_back_resumes_it() {
    let mut server = match Server::start() {
        Ok(server) => server,
        Err(why) => return skip(why),
    };
    let store = server.store();
    let session = store.connect().expect("a session opens");
    let watcher = Watcher::new();
    session.watch_state(&watcher);
    session.create("/kept", b"1", CreateMode::Persistent).expect("a free name");
    server.stop();
    await_state(&*session, &watcher, SessionState::Suspended);
    let lost = session.get("/kept", None).expect_err("no server answers");
    assert!(
        matches!(lost, StateError::ConnectionLoss { .. } | StateError::SessionExpired),
        "{lost:?}"
    );
    server.restart();
    let fresh = store.connect().expect("a session opens");
    assert_eq!(fresh.get("/kept", None).expect("it is there").0, b"1");
}

#[test]
fn an_ensemble_that_does_not_answer_is_told_by_its_address() {
    let servers = format!("127.0.0.1:{}", free_port());
    let store = ZooKeeperStore::new(&servers, Duration::from_secs(1)).expect("a thread starts");
    let error = store.connect().map(|_| ()).expect_err("nobody listens there");
    assert!(matches!(error, StateError::Unreachable { .. }) && error.is_retriable(), "{error:?}");
    assert!(error.to_string().contains(&servers), "{error}");
}

fn await_state(session: &dyn StateStorage, watcher: &Watcher, expected: SessionState) {
    let deadline: Time = Clock::system().now() + PATIENCE;
    while session.state() != expected {
        assert!(Clock::system().now() < deadline, "the session stays {:?}", session.state());
        watcher.wait(Duration::from_millis(100));
    }
}
