//! What a supervisor has downloaded for a topology.

use std::fs;
use std::path::PathBuf;

use nimbus_client::thrift::StormTopology;
use nimbus_client::wire::{Limits, gunzip, state_from_bytes};
use serde_json::{Map, Value as Json};

use super::{WorkerArgs, WorkerError};
use crate::conf::WORKER_SECRET;

/// Bytes that either file may unpack to: Nimbus takes no larger topology.
const LIMIT_BYTES: usize = 64 << 20;

/// A submitted topology and its configuration.
pub(super) struct Code {
    pub topology: StormTopology,
    pub conf: Map<String, Json>,
    /// What the topology's workers know each other by.
    pub secret: String,
}

impl Code {
    /// Reads `stormcode.ser` and `stormconf.ser`.
    pub fn read(args: &WorkerArgs) -> Result<Self, WorkerError> {
        let folder = args.local_dir.join("supervisor/stormdist").join(args.topology.to_string());
        let (code, conf) = (folder.join("stormcode.ser"), folder.join("stormconf.ser"));
        let limits = Limits::default().with_frame_bytes(LIMIT_BYTES);
        let topology = state_from_bytes(&read(&code)?, &limits)
            .map_err(|source| WorkerError::Code { path: code, source })?;
        let json = gunzip(&read(&conf)?, LIMIT_BYTES)
            .map_err(|source| WorkerError::Code { path: conf.clone(), source })?;
        let conf = serde_json::from_slice(&json)
            .map_err(|source| WorkerError::Conf { path: conf, source })?;
        let conf: Map<String, Json> = conf;
        let Some(secret) = conf.get(WORKER_SECRET).and_then(Json::as_str) else {
            return Err(WorkerError::Secret { topology: args.topology.clone() });
        };
        Ok(Self { topology, secret: secret.to_owned(), conf })
    }
}

fn read(path: &PathBuf) -> Result<Vec<u8>, WorkerError> {
    fs::read(path).map_err(|source| WorkerError::Read { path: path.clone(), source })
}
