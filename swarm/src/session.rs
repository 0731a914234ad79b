//! What the options common to all commands come to: the high arguments.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nimbus_client::client::{Address, AddressError};
use nimbus_client::conf::{LayerErrors, Layered, Place, find_storm_yaml, keys};

use crate::args::{Global, PROGRAM, Target};
use crate::clock::Deadline;
use crate::contexts::{ContextError, Contexts};
use crate::output::Output;
use crate::process::Process;
use crate::state::{StateDir, StateError};

/// What the program finds around itself when it starts.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The user's home.
    pub home: Option<PathBuf>,
    /// Folder of this program.
    pub beside: Option<PathBuf>,
    /// Folders in which programs are looked for.
    pub search: Vec<PathBuf>,
}

impl Surroundings {
    /// Looks around.
    pub fn look() -> Self {
        let exe = std::env::current_exe().ok();
        let exe = exe.map(|exe| std::fs::canonicalize(&exe).unwrap_or(exe));
        let search = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect());
        Self {
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            beside: exe.and_then(|exe| exe.parent().map(Path::to_owned)),
            search: search.unwrap_or_default(),
        }
    }
}

/// The common options, looked at together and ready to use.
#[derive(Debug)]
pub struct Session {
    /// The configuration without a topology's own.
    pub conf: Layered,
    /// The state directory of the local cluster.
    pub state: StateDir,
    /// Where data and remarks go.
    pub output: Output,
    /// What was found around the program.
    pub surroundings: Surroundings,
    nimbus: Option<Address>,
    context: Option<(String, Address)>,
    target: Option<Target>,
    timeout: Option<Duration>,
}

/// Why the common options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The configuration is wrong.
    #[error("cannot use the configuration: {0}")]
    Conf(#[from] LayerErrors),
    /// A context is wrong.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// `nimbus.seeds` names no address.
    #[error("cannot use nimbus.seeds from {place}: {source}")]
    Seeds {
        /// Where it was set.
        place: Place,
        /// What is wrong.
        source: AddressError,
    },
    /// Nothing says where Nimbus is.
    #[error("there is no cluster to talk to: nothing runs in {}", state.display())]
    NoCluster {
        /// The state directory that was looked into.
        state: PathBuf,
    },
    /// The local cluster was started, and its daemon is gone.
    #[error("the local cluster in {} does not run{}", state.display(), told(daemon))]
    Gone {
        /// The state directory.
        state: PathBuf,
        /// The daemon that is gone, if it was not ended in good order.
        daemon: Option<Process>,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no home, so the state directory must be named.
    #[error("cannot tell where the state directory is: there is no home directory")]
    NoHome,
}

fn told(daemon: &Option<Process>) -> String {
    daemon.map_or(String::new(), |daemon| format!(": its daemon (pid {}) is gone", daemon.pid))
}

impl SessionError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Conf(_) => format!("{PROGRAM} config KEY tells what a key accepts"),
            Self::Context(error) => error.hint(),
            Self::Seeds { .. } => "nimbus.seeds is a list of hosts".to_owned(),
            Self::NoCluster { .. } => {
                format!("{PROGRAM} up starts one; --nimbus HOST:PORT names another")
            }
            Self::Gone { .. } => format!("{PROGRAM} up starts it again; topologies are kept"),
            Self::State(error) => error.hint(),
            Self::NoHome => "name it: --state DIR".to_owned(),
        }
    }
}

/// Where Nimbus is to be found, and who says so.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// Addresses to try, in this order.
    pub addresses: Vec<Address>,
    /// What named them, in words.
    pub from: String,
}

impl Session {
    /// Reads the configuration and puts the options together.
    ///
    /// # Errors
    /// What cannot be read or contradicts itself.
    pub fn open(global: &Global, surroundings: Surroundings) -> Result<Self, SessionError> {
        let output = Output::new(global.json);
        let home = surroundings.home.as_deref();
        let mut conf = Layered::new();
        if let Some(path) = find_storm_yaml(global.conf_dir.as_deref(), home) {
            conf.read_file(&path)?;
        }
        if let Some(path) = &global.config {
            conf.read_file(path)?;
        }
        for assignment in &global.set {
            conf.assign(assignment)?;
        }
        for (place, warning) in conf.warnings() {
            output.remark(&format!("{PROGRAM}: warning: {place}: {warning}"));
        }
        let beneath_home = |path: &str| home.map(|home| home.join(path));
        let contexts = global.contexts.clone();
        let contexts = contexts.or_else(|| beneath_home(".config/stormdeploy/contexts.yaml"));
        let context = match contexts {
            // The address that was typed is enough; a file that nobody asked for may be broken.
            Some(path) if global.nimbus.is_none() => {
                Contexts::resolve(&path, global.context.as_deref())?
            }
            _ => None,
        };
        let state = global.state.clone().or_else(|| beneath_home(".local/state/stormdeploy"));
        Ok(Self {
            conf,
            state: StateDir::new(&state.ok_or(SessionError::NoHome)?),
            output,
            surroundings,
            nimbus: global.nimbus.clone(),
            context,
            target: global.target,
            timeout: global.timeout,
        })
    }

    /// The deadline of a command: what was asked for, else what the command needs at most.
    pub fn deadline(&self, otherwise: Duration) -> Deadline {
        Deadline::after(self.timeout.unwrap_or(otherwise))
    }

    /// A deadline only if one was asked for.
    pub fn deadline_if_set(&self) -> Option<Deadline> {
        self.timeout.map(Deadline::after)
    }

    /// Whether the command is about a cluster elsewhere rather than the local one.
    pub fn is_remote(&self) -> bool {
        let named = self.nimbus.is_some() || self.context.is_some();
        self.target != Some(Target::Local) && (named || self.configured_seeds().is_some())
    }

    /// Where Nimbus is: as typed, else by context, else by configuration, else the local cluster.
    ///
    /// # Errors
    /// Addresses that are none, and nothing that names any.
    pub fn seeds(&self) -> Result<Seeds, SessionError> {
        if let Some(address) = &self.nimbus {
            return Ok(Seeds { addresses: vec![address.clone()], from: "--nimbus".to_owned() });
        }
        let is_local = self.target == Some(Target::Local);
        if let Some((name, address)) = self.context.as_ref().filter(|_| !is_local) {
            let from = format!("context {name}");
            return Ok(Seeds { addresses: vec![address.clone()], from });
        }
        if let Some((hosts, place)) = self.configured_seeds().filter(|_| !is_local) {
            let port = self.conf.reader().port(&keys::NIMBUS_THRIFT_PORT);
            let addresses: Result<Vec<_>, _> =
                hosts.iter().map(|host| Address::parse(host, port)).collect();
            let addresses =
                addresses.map_err(|source| SessionError::Seeds { place: place.clone(), source })?;
            return Ok(Seeds { addresses, from: format!("nimbus.seeds, {place}") });
        }
        self.local_seeds()
    }

    /// Where Nimbus of the local cluster is.
    ///
    /// # Errors
    /// No local cluster was ever started.
    pub fn local_seeds(&self) -> Result<Seeds, SessionError> {
        let local = self.state.wanted()?;
        let Some(wanted) = local else {
            return Err(SessionError::NoCluster { state: self.state.path().to_owned() });
        };
        let port = self.state.daemon()?.map_or(wanted.nimbus_port, |daemon| daemon.nimbus_port);
        let address = Address { host: wanted.host, port };
        let from = format!("local cluster in {}", self.state.path().display());
        Ok(Seeds { addresses: vec![address], from })
    }

    /// Seeds that somebody set; the default names this machine and says nothing.
    fn configured_seeds(&self) -> Option<(Vec<String>, Place)> {
        let setting = self.conf.get(keys::NIMBUS_SEEDS)?;
        let hosts = self.conf.reader().texts_if_set(&keys::NIMBUS_SEEDS)?;
        (setting.place != Place::Default && !hosts.is_empty()).then_some((hosts, setting.place))
    }
}
