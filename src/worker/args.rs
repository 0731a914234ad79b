//! How a supervisor starts a worker: `worker --local-dir DIR`, and Storm's five arguments.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use nimbus_client::TopologyId;

/// Names of arguments are prefixed, as all of the runtime's are.
mod id {
    pub const LOCAL_DIR: &str = "worker.local-dir";
    pub const TOPOLOGY: &str = "worker.topology";
    pub const SUPERVISOR: &str = "worker.supervisor";
    pub const SUPERVISOR_PORT: &str = "worker.supervisor-port";
    pub const PORT: &str = "worker.port";
    pub const WORKER: &str = "worker.worker";
}

/// What a supervisor tells a worker on its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerArgs {
    /// The supervisor's `storm.local.dir`.
    pub local_dir: PathBuf,
    /// The topology.
    pub topology: TopologyId,
    /// The supervisor.
    pub supervisor: String,
    /// Where the supervisor listens on this machine.
    pub supervisor_port: u16,
    /// The slot's port, on which this worker listens for tuples.
    pub port: u16,
    /// The name of this worker.
    pub worker: String,
}

impl WorkerArgs {
    /// The command that these arguments belong to.
    pub fn command() -> Command {
        let one =
            |id: &'static str, name: &'static str| Arg::new(id).value_name(name).required(true);
        Command::new("worker")
            .about("Run some executors of a submitted topology; a supervisor starts this")
            .disable_help_subcommand(true)
            .arg(
                Arg::new(id::LOCAL_DIR)
                    .long("local-dir")
                    .value_name("DIR")
                    .required(true)
                    .value_parser(value_parser!(PathBuf))
                    .help("The supervisor's storm.local.dir"),
            )
            .args([
                one(id::TOPOLOGY, "TOPOLOGY-ID").value_parser(value_parser!(TopologyId)),
                one(id::SUPERVISOR, "SUPERVISOR-ID"),
                one(id::SUPERVISOR_PORT, "SUPERVISOR-PORT")
                    .value_parser(value_parser!(u16).range(1..)),
                one(id::PORT, "SLOT-PORT").value_parser(value_parser!(u16).range(1..)),
                one(id::WORKER, "WORKER-ID"),
            ])
    }

    /// The arguments that were understood by [`command`](Self::command).
    pub fn from_matches(matches: &ArgMatches) -> Self {
        fn given<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> T {
            matches.get_one::<T>(id).cloned().expect("the command asks for it")
        }
        Self {
            local_dir: given(matches, id::LOCAL_DIR),
            topology: given(matches, id::TOPOLOGY),
            supervisor: given(matches, id::SUPERVISOR),
            supervisor_port: given(matches, id::SUPERVISOR_PORT),
            port: given(matches, id::PORT),
            worker: given(matches, id::WORKER),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storms_five_arguments_follow_the_local_folder() {
        let typed = "worker --local-dir /d wc-1-1700000000 node 6628 6700 w1".split(' ');
        let matches = WorkerArgs::command().try_get_matches_from(typed).expect("understood");
        let args = WorkerArgs::from_matches(&matches);
        assert_eq!(args.topology.to_string(), "wc-1-1700000000");
        assert_eq!((args.supervisor_port, args.port), (6628, 6700));
        assert_eq!((args.supervisor.as_str(), args.worker.as_str()), ("node", "w1"));
    }

    #[test]
    fn what_is_no_topology_or_port_is_refused() {
        for typed in ["worker --local-dir /d wc node 6628 6700 w1", "worker wc-1-17 node 0 0 w1"] {
            assert!(WorkerArgs::command().try_get_matches_from(typed.split(' ')).is_err());
        }
    }
}
