//! Nimbus and supervisors as processes of their own over a real ZooKeeper server, each configured by
//! a `storm.yaml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nimbus_client::client::{Address, ClientOptions, NimbusClient, NimbusMethods};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use storm_runtime::process::{ProcessId, find_by_arguments};

use crate::cluster::{eventually, free_ports, kill_all, last_lines, submit_numbers, workers_of};
use crate::kill;
use crate::support::zookeeper::{Server, skip};

const STORMD: &str = env!("CARGO_BIN_EXE_stormd");
const SUPERVISORS: [&str; 2] = ["supervisor-0", "supervisor-1"];
const NIMBUS: &str = "nimbus";
const SLOTS: u16 = 2;

/// A daemon with a folder, a `storm.yaml` and a log of its own.
struct Daemon {
    folder: PathBuf,
    part: &'static str,
    process: Option<Child>,
}

impl Daemon {
    fn new(folder: PathBuf, part: &'static str, yaml: &str) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        let yaml = format!("storm.local.dir: {}\n{yaml}", folder.display());
        fs::write(folder.join("storm.yaml"), yaml).expect("it is written");
        let mut daemon = Self { folder, part, process: None };
        daemon.start();
        daemon
    }

    fn start(&mut self) {
        self.process = Some(self.command().spawn().expect("stormd starts"));
    }

    fn command(&self) -> Command {
        let mut command = Command::new(STORMD);
        command.args([self.part, "--config"]).arg(self.folder.join("storm.yaml"));
        command.arg("--log-dir").arg(self.logs());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    fn log(&self) -> PathBuf {
        self.logs().join(format!("{}.log", self.part))
    }

    fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("it can be killed");
        process.wait().expect("it was a child");
    }

    /// Asks it to end, and waits.
    fn stop(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        let pid = Pid::from_raw(process.id() as i32).expect("a pid");
        kill_process(pid, Signal::TERM).expect("it can be asked");
        process.wait().expect("it was a child")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        kill_all(&self.folder);
    }
}

/// A whole cluster; nothing of it is left when it is dropped.
struct Ensemble {
    nimbus: Daemon,
    supervisors: Vec<Daemon>,
    nimbus_port: u16,
    zookeeper: Server,
    folder: tempfile::TempDir,
}

impl Ensemble {
    fn start(zookeeper: Server) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let nimbus_port = free_ports(1 + SUPERVISORS.len() as u16 * (1 + SLOTS));
        let yaml = format!(
            "storm.zookeeper.servers: [\"127.0.0.1\"]\nstorm.zookeeper.port: {}\n\
             storm.zookeeper.root: /test/storm\nstorm.zookeeper.session.timeout: 4000\n\
             storm.local.hostname: 127.0.0.1\nnimbus.seeds: [\"127.0.0.1\"]\n\
             nimbus.thrift.port: {nimbus_port}\nsupervisor.worker.shutdown.sleep.secs: 1\n",
            zookeeper.port
        );
        let nimbus = Daemon::new(folder.path().join(NIMBUS), NIMBUS, &yaml);
        let supervisor = |(name, port): (&&str, u16)| {
            let (first, last) = (port + 1, port + SLOTS);
            let yaml = format!(
                "{yaml}supervisor.thrift.port: {port}\n\
                 supervisor.slots.ports: [{first}, {last}]\n"
            );
            Daemon::new(folder.path().join(name), "supervisor", &yaml)
        };
        let ports = (nimbus_port + 1..).step_by(usize::from(1 + SLOTS));
        let supervisors = SUPERVISORS.iter().zip(ports).map(supervisor).collect();
        let ensemble = Self { nimbus, supervisors, nimbus_port, zookeeper, folder };
        ensemble.eventually("Nimbus knows its supervisors", || {
            let known = ensemble.nimbus().cluster().ok()?.supervisors;
            (known.len() == SUPERVISORS.len()).then_some(())
        });
        ensemble
    }

    fn nimbus(&self) -> NimbusClient {
        let seeds = vec![Address::new("127.0.0.1", self.nimbus_port)];
        NimbusClient::new(seeds, ClientOptions::default())
    }

    #[track_caller]
    fn eventually<T>(&self, what: &str, condition: impl FnMut() -> Option<T>) -> T {
        let logs = || last_lines(self.supervisors.iter().chain([&self.nimbus]).map(Daemon::log));
        eventually(what, logs, condition)
    }

    /// Workers of a topology, of one supervisor after the other.
    fn workers(&self, id: &str) -> Vec<ProcessId> {
        self.supervisors.iter().flat_map(|one| workers_of(&one.folder, id)).collect()
    }

    #[track_caller]
    fn one_worker_each(&self, id: &str) -> Vec<ProcessId> {
        self.eventually("each supervisor has a worker", || {
            let of = |one: &Daemon| workers_of(&one.folder, id).len();
            let is_one = self.supervisors.iter().all(|one| of(one) == 1);
            is_one.then(|| self.workers(id))
        })
    }

    /// How many of a topology's tuples were acked since it was started.
    fn acked(&self, id: &str) -> i64 {
        let all_time = ":all-time".to_owned();
        let mut nimbus = self.nimbus();
        let page = nimbus
            .call(|nimbus| nimbus.get_topology_page_info(id.to_owned(), all_time.clone(), false));
        let acked =
            page.expect("it answers").topology_stats.and_then(|stats| stats.window_to_acked);
        acked.unwrap_or_default().get(&all_time).copied().unwrap_or_default()
    }
}

/// The lines of the file that the topology writes.
fn written(file: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_topology_lives_on_while_supervisor_nimbus_and_zookeeper_are_killed_one_after_another() {
    const COUNT: usize = 4_000;
    let zookeeper = match Server::start() {
        Ok(server) => server,
        Err(why) => return skip(why),
    };
    let mut cluster = Ensemble::start(zookeeper);
    let file = cluster.folder.path().join("numbers");
    let path = file.to_string_lossy().into_owned();
    let args = ["--count", &COUNT.to_string(), "--file", &path];
    let id = submit_numbers(&mut cluster.nimbus(), &args, json!({}));
    let workers = cluster.one_worker_each(&id);
    let grows = |cluster: &Ensemble| {
        let goal = COUNT.min(written(&file).len() + 50);
        cluster.eventually("numbers arrive", || (written(&file).len() >= goal).then_some(()));
    };
    grows(&cluster);
    cluster.eventually("Nimbus is told of acks", || (cluster.acked(&id) > 0).then_some(()));

    cluster.supervisors[0].kill();
    grows(&cluster);
    cluster.supervisors[0].start();
    cluster.nimbus.kill();
    grows(&cluster);
    cluster.nimbus.start();
    cluster.eventually("Nimbus lists it again", || {
        let listed = cluster.nimbus().topology("numbers").ok()??;
        (listed.id == id).then_some(())
    });
    cluster.zookeeper.stop();
    grows(&cluster);
    cluster.zookeeper.restart();
    grows(&cluster);
    assert_eq!(cluster.workers(&id), workers, "both workers live on through all of it");

    // The supervisor that was killed watches the worker that it adopted.
    kill(workers[0]);
    let after = cluster.one_worker_each(&id);
    assert!(after[0] != workers[0] && after[1] == workers[1], "{after:?} after {workers:?}");
    cluster.eventually("all numbers arrive", || (written(&file).len() == COUNT).then_some(()));
    cluster.eventually("Nimbus is told of acks", || (cluster.acked(&id) > 0).then_some(()));

    // What is decided now passes through the ZooKeeper that was restarted.
    cluster.nimbus().kill("numbers", Some(0)).expect("it is killed");
    cluster.eventually("its workers are gone", || cluster.workers(&id).is_empty().then_some(()));
    let id = submit_numbers(&mut cluster.nimbus(), &args, json!({}));
    cluster.one_worker_each(&id);
    cluster.nimbus().kill("numbers", Some(0)).expect("it is killed");
    cluster.eventually("its workers are gone", || cluster.workers(&id).is_empty().then_some(()));
    for daemon in cluster.supervisors.iter_mut().chain([&mut cluster.nimbus]) {
        assert!(daemon.stop().success(), "{} ends when it is asked", daemon.part);
    }
    let folders = cluster.supervisors.iter().map(|one| one.folder.to_string_lossy().into_owned());
    let left: Vec<_> = folders.flat_map(|folder| find_by_arguments(&[&folder])).collect();
    assert!(left.is_empty(), "no process is left: {left:?}");
}

#[test]
fn a_supervisor_without_servers_or_in_a_folder_in_use_is_refused_with_what_to_do() {
    let zookeeper = match Server::start() {
        Ok(server) => server,
        Err(why) => return skip(why),
    };
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |daemon: &Daemon| {
        let output = daemon.command().output().expect("stormd runs");
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let mut alone = Daemon::new(folder.path().join("alone"), "supervisor", "");
    assert!(!alone.process.take().expect("it was started").wait().expect("a child").success());
    let told = refused(&alone);
    assert!(told.starts_with("stormd: a supervisor shares its state with Nimbus"), "{told}");
    assert!(told.contains("\nhint: set storm.zookeeper.servers"), "{told}");

    let port = free_ports(2);
    let yaml = format!(
        "storm.zookeeper.servers: [\"127.0.0.1\"]\nstorm.zookeeper.port: {}\n\
         supervisor.thrift.port: {port}\nsupervisor.slots.ports: [{}]\n",
        zookeeper.port,
        port + 1
    );
    let first = Daemon::new(folder.path().join("used"), "supervisor", &yaml);
    eventually(
        "the first one runs",
        || last_lines([first.log()]),
        || last_lines([first.log()]).contains("started the supervisor").then_some(()),
    );
    let told = refused(&first);
    assert!(told.starts_with("stormd: another supervisor works in "), "{told}");
    assert!(told.contains("\nhint: end it, or set another storm.local.dir"), "{told}");
}
