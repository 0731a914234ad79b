//! What a topology binary says of its topology.

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value};

use crate::thrift::StormTopology;
use crate::wire::{Limits, WireError, from_bytes};

/// The only version that there is.
const FORMAT: u64 = 1;

/// Most bytes of a description: far more than a frame takes.
const LIMIT_BYTES: usize = 64 << 20;

/// A topology as its binary describes it for a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The topology's name, unless the submitter gives it another.
    pub name: String,
    /// The topology's own configuration.
    pub conf: Map<String, Value>,
    /// The topology, unless something keeps it from being submitted.
    pub topology: Option<StormTopology>,
    /// What keeps it from being submitted, as a closure that no register knows.
    pub unregistered: Vec<String>,
    /// Machine, system and C library that the binary was built for.
    pub target: String,
    /// Version of the runtime that is linked into it.
    pub runtime: String,
}

/// Why a description was not understood.
#[derive(Debug, thiserror::Error)]
pub enum DescribedError {
    /// It is no JSON.
    #[error("the binary's description is no JSON: {why}; is it a topology binary?")]
    NoJson {
        /// What the parser says.
        why: serde_json::Error,
    },
    /// A key is missing or has a wrong form.
    #[error("the binary's description has no proper {key:?}; is it a topology binary?")]
    Key {
        /// Which one.
        key: &'static str,
    },
    /// A newer runtime wrote it.
    #[error(
        "the binary's description has format {found}, and this program knows {FORMAT}: update it"
    )]
    Format {
        /// The format that it has.
        found: u64,
    },
    /// The topology in it is broken.
    #[error("the topology in the binary's description cannot be read: {why}")]
    Topology {
        /// What is wrong with it.
        why: WireError,
    },
    /// There is too much of it.
    #[error("the binary's description has {bytes} bytes, and {LIMIT_BYTES} are allowed")]
    TooLarge {
        /// Bytes that it has.
        bytes: usize,
    },
}

impl Described {
    /// Reads what a topology binary prints when it is asked for what is submitted.
    ///
    /// # Errors
    /// If it is not that, or of a newer runtime.
    pub fn parse(text: &[u8]) -> Result<Self, DescribedError> {
        if text.len() > LIMIT_BYTES {
            return Err(DescribedError::TooLarge { bytes: text.len() });
        }
        let described: Value =
            serde_json::from_slice(text).map_err(|why| DescribedError::NoJson { why })?;
        let wrong = |key| DescribedError::Key { key };
        let format = described["format"].as_u64().ok_or(wrong("format"))?;
        if format != FORMAT {
            return Err(DescribedError::Format { found: format });
        }
        let text = |key: &'static str| {
            described[key].as_str().map(str::to_owned).ok_or(DescribedError::Key { key })
        };
        let unregistered = described["unregistered"].as_array().ok_or(wrong("unregistered"))?;
        let unregistered: Option<Vec<String>> =
            unregistered.iter().map(|one| one.as_str().map(str::to_owned)).collect();
        let topology = match &described["topology_thrift_base64"] {
            Value::Null => None,
            Value::String(encoded) => Some(read_topology(encoded)?),
            _ => return Err(wrong("topology_thrift_base64")),
        };
        Ok(Self {
            name: text("name")?,
            conf: described["conf"].as_object().cloned().ok_or(wrong("conf"))?,
            topology,
            unregistered: unregistered.ok_or(wrong("unregistered"))?,
            target: text("target")?,
            runtime: text("runtime")?,
        })
    }
}

fn read_topology(encoded: &str) -> Result<StormTopology, DescribedError> {
    let bytes = BASE64_STANDARD.decode(encoded);
    let bytes = bytes.map_err(|_| DescribedError::Key { key: "topology_thrift_base64" })?;
    let limits = Limits::default().with_frame_bytes(LIMIT_BYTES);
    from_bytes(&bytes, &limits).map_err(|why| DescribedError::Topology { why })
}
