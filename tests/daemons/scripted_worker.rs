//! A topology binary for the daemons' tests: a worker that reports and takes orders, and runs
//! nothing.
//!
//! What it does beyond that stands in `resources/behaviour` of its archive: `crash` ends it with an
//! exit code of 3 and a last word.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use nimbus_client::client::{
    Address, ClientError, ClientOptions, SupervisorClient, WorkerGateMethods,
};
use nimbus_client::native::WorkerReport;
use nimbus_client::thrift::{
    Assignment, BoltStats, ClusterWorkerHeartbeat, ExecutorInfo, ExecutorSpecificStats,
    ExecutorStats,
};

/// Between two reports.
const PERIOD_MS: i32 = 100;

struct Worker {
    topology: String,
    supervisor: String,
    port: i32,
    id: String,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let [_, part, flag, _local_dir, topology, supervisor, thrift_port, port, id] = &args[..] else {
        eprintln!("scripted_worker: these are not a worker's arguments: {args:?}");
        return ExitCode::from(2);
    };
    assert_eq!((part.as_str(), flag.as_str()), ("worker", "--local-dir"));
    println!("worker {id} begins");
    if std::fs::read_to_string("resources/behaviour").is_ok_and(|text| text == "crash") {
        println!("there is no table of words");
        return ExitCode::from(3);
    }
    let worker = Worker {
        topology: topology.clone(),
        supervisor: supervisor.clone(),
        port: port.parse().expect("a port"),
        id: id.clone(),
    };
    let address = Address::new("127.0.0.1", thrift_port.parse().expect("a port"));
    let mut gate = SupervisorClient::new(address, ClientOptions::default().without_retries());
    loop {
        match worker.serve(&mut gate) {
            Err(ClientError::NotAlive { .. }) => return ExitCode::SUCCESS,
            // The supervisor is away; it may come back.
            _ => pause(),
        }
    }
}

fn pause() {
    let (_keep, never) = sync_channel::<()>(1);
    // Nothing is ever sent.
    let _ = never.recv_timeout(Duration::from_millis(PERIOD_MS as u64));
}

impl Worker {
    /// Reports and takes orders until that fails.
    fn serve(&self, gate: &mut SupervisorClient) -> Result<(), ClientError> {
        let mut seen = 0;
        loop {
            let orders =
                gate.call(|gate| gate.orders(self.topology.clone(), self.port, seen, PERIOD_MS))?;
            seen = orders.version;
            let executors = self.executors(orders.assignment.as_ref());
            gate.call(|gate| gate.report(self.report(&executors)))?;
        }
    }

    fn executors(&self, assignment: Option<&Assignment>) -> Vec<ExecutorInfo> {
        let all = assignment.and_then(|assignment| assignment.executor_node_port.as_ref());
        let ours = all.into_iter().flatten().filter(|(_, slot)| {
            slot.node == self.supervisor && slot.port.contains(&i64::from(self.port))
        });
        ours.map(|(executor, _)| ExecutorInfo::new(executor[0] as i32, executor[1] as i32))
            .collect()
    }

    fn report(&self, executors: &[ExecutorInfo]) -> WorkerReport {
        let stats = || {
            let (acked, failed, executed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
            let bolt = BoltStats::new(acked, failed, BTreeMap::new(), executed, BTreeMap::new());
            let specific = ExecutorSpecificStats::Bolt(bolt);
            ExecutorStats::new(BTreeMap::new(), BTreeMap::new(), specific, 1.0.into())
        };
        let stats = executors.iter().map(|executor| (executor.clone(), stats())).collect();
        WorkerReport {
            worker_id: self.id.clone(),
            topology_id: self.topology.clone(),
            port: self.port,
            heartbeat: ClusterWorkerHeartbeat::new(self.topology.clone(), stats, 0, 1),
            errors: vec![],
            histograms: vec![],
            pid: std::process::id() as i32,
            resident_bytes: 0,
            cpu_seconds: 0.0.into(),
            metrics: BTreeMap::new(),
        }
    }
}
