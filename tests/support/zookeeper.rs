//! A real ZooKeeper server on loopback, started from Debian's package `zookeeper`.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use storm_runtime::clock::Clock;
use storm_runtime::cluster::Watcher;

const JAR: &str = "/usr/share/java/zookeeper.jar";
const MAIN: &str = "org.apache.zookeeper.server.ZooKeeperServerMain";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with its data in a folder of its own; killed when it is dropped.
pub struct Server {
    process: Child,
    pub port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    /// A server, or the reason why there is none on this machine.
    pub fn start() -> Result<Self, &'static str> {
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

    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    pub fn restart(&mut self) {
        self.process = run(&self.folder, self.port).expect("it started before");
        self.await_ready();
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

pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback is there");
    listener.local_addr().expect("it is bound").port()
}

/// Says why a test cannot run here, past the test harness, which would swallow what a passing test
/// prints.
pub fn skip(why: &str) {
    writeln!(std::io::stdout(), "\nskipped: {why}").expect("standard output takes a line");
}
