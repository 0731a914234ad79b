//! What a topology binary says about a topology: `<binary> describe <topology> … --format submit`.

use std::path::{Path, PathBuf};

use nimbus_client::thrift::StormTopology;
use nimbus_client::wire::{Limits, WireError, from_bytes};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::clock::Deadline;
use crate::program::{self, ProgramError};

/// The format that is understood.
const FORMAT: u32 = 1;
/// Most that a description may have, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// A topology as its binary describes it.
#[derive(Clone, Debug)]
pub struct Description {
    /// The name that the binary gives it.
    pub name: String,
    /// Its own configuration.
    pub conf: Map<String, Value>,
    /// The topology.
    pub topology: StormTopology,
    /// The machine for which the binary was built.
    pub target: String,
}

#[derive(Deserialize)]
struct Head {
    format: u32,
}

#[derive(Deserialize)]
struct Document {
    name: String,
    conf: Map<String, Value>,
    topology_thrift_base64: String,
    #[serde(default)]
    unregistered: Vec<String>,
    #[serde(default)]
    target: String,
}

/// Why a binary's topology cannot be submitted.
#[derive(Debug, thiserror::Error)]
pub enum DescribeError {
    /// The binary does not run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The binary refuses.
    #[error("{} does not describe the topology: {why}", binary.display())]
    Refused {
        /// The binary.
        binary: PathBuf,
        /// Its own words, or how it ended.
        why: String,
        /// Its own advice.
        hint: Option<String>,
    },
    /// What the binary prints is no description.
    #[error("{} prints something else than a description: {why}", binary.display())]
    NotADescription {
        /// The binary.
        binary: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The description is of another format.
    #[error("{} describes in format {found}, this program knows format {FORMAT}", binary.display())]
    OtherFormat {
        /// The binary.
        binary: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Components that no worker could make.
    #[error("these components are closures that are not registered: {}", components.join(", "))]
    Unregistered {
        /// Their ids.
        components: Vec<String>,
    },
    /// The topology itself cannot be read.
    #[error("{} prints a topology that cannot be read: {source}", binary.display())]
    Topology {
        /// The binary.
        binary: PathBuf,
        /// Why.
        source: WireError,
    },
}

impl DescribeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Program(ProgramError::NotStarted { .. }) => {
                "name a topology binary that was built for this machine".to_owned()
            }
            Self::Program(_) => "--timeout 2m gives it more time".to_owned(),
            Self::Refused { hint: Some(hint), .. } => hint.clone(),
            Self::Refused { binary, .. } | Self::NotADescription { binary, .. } => {
                format!("{} list shows the topologies of a topology binary", binary.display())
            }
            Self::OtherFormat { .. } | Self::Topology { .. } => {
                "build the binary and stormdeploy from one version".to_owned()
            }
            Self::Unregistered { .. } => {
                "give each a name in the binary's main: App::new().register::<Split>(\"split\")"
                    .to_owned()
            }
        }
    }
}

/// Lets a binary describe a topology.
///
/// # Errors
/// A binary that does not, and a topology that no worker could run.
pub fn describe(
    binary: &Path,
    words: &[String],
    deadline: Deadline,
) -> Result<Description, DescribeError> {
    let mut arguments = vec!["describe".to_owned()];
    arguments.extend(words.iter().cloned());
    arguments.extend(["--format".to_owned(), "submit".to_owned()]);
    // A name without a folder means this folder, not PATH.
    let path = std::path::absolute(binary).unwrap_or_else(|_| binary.to_owned());
    let said = program::run(&path, &arguments, deadline, MAX_BYTES)?;
    if !said.status.success() {
        let (why, hint) = own_words(&said.stderr);
        let why = if why.is_empty() { program::ended_with(said.status) } else { why };
        return Err(DescribeError::Refused { binary: binary.to_owned(), why, hint });
    }
    read(binary, &said.stdout)
}

/// The line of the error, without the program's name, and the hint.
fn own_words(stderr: &str) -> (String, Option<String>) {
    let mut lines = stderr.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    let why = first.split_once(": ").map_or(first, |(_, why)| why).to_owned();
    let hint = lines.find_map(|line| line.strip_prefix("hint: ")).map(str::to_owned);
    (why, hint)
}

fn read(binary: &Path, text: &[u8]) -> Result<Description, DescribeError> {
    let binary = || binary.to_owned();
    let wrong = |error: serde_json::Error| DescribeError::NotADescription {
        binary: binary(),
        why: error.to_string(),
    };
    let head: Head = serde_json::from_slice(text).map_err(wrong)?;
    if head.format != FORMAT {
        return Err(DescribeError::OtherFormat { binary: binary(), found: head.format });
    }
    let document: Document = serde_json::from_slice(text).map_err(wrong)?;
    if !document.unregistered.is_empty() {
        return Err(DescribeError::Unregistered { components: document.unregistered });
    }
    let bytes = from_base64(&document.topology_thrift_base64).ok_or_else(|| {
        let why = "topology_thrift_base64 is not base64".to_owned();
        DescribeError::NotADescription { binary: binary(), why }
    })?;
    let limits = Limits::default().with_frame_bytes(bytes.len());
    let topology = from_bytes(&bytes, &limits)
        .map_err(|source| DescribeError::Topology { binary: binary(), source })?;
    let Document { name, conf, target, .. } = document;
    Ok(Description { name, conf, topology, target })
}

/// Standard base64 with padding, `None` for anything else.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.chunks(4) {
        let mut bits = 0u32;
        for at in 0..4 {
            let value = match group.get(at) {
                Some(c @ b'A'..=b'Z') => c - b'A',
                Some(c @ b'a'..=b'z') => c - b'a' + 26,
                Some(c @ b'0'..=b'9') => c - b'0' + 52,
                Some(b'+') => 62,
                Some(b'/') => 63,
                None => 0,
                Some(_) => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        let [_, a, b, c] = bits.to_be_bytes();
        match group.len() {
            4 => bytes.extend([a, b, c]),
            3 => bytes.extend([a, b]),
            2 => bytes.push(a),
            _ => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str) -> Result<Description, DescribeError> {
        read(Path::new("orders"), text.as_bytes())
    }

    #[test]
    fn base64_is_read_with_and_without_padding() {
        for (text, bytes) in [
            ("", &b""[..]),
            ("TQ==", b"M"),
            ("TWE=", b"Ma"),
            ("TWFu", b"Man"),
            ("+/+/", b"\xfb\xff\xbf"),
        ] {
            assert_eq!(from_base64(text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["T", "TQ=a", "T Q=", "TWFuT"] {
            assert_eq!(from_base64(text), None, "{text}");
        }
    }

    #[test]
    fn a_description_gives_name_conf_and_topology() {
        // A topology without components: three empty maps and the end.
        let empty = "DQABCwwAAAAADQACCwwAAAAADQADCwwAAAAAAA==";
        let text = format!(
            r#"{{"format":1,"name":"orders","conf":{{"topology.workers":2}},"topology_thrift_base64":"{empty}","unregistered":[],"target":"x86_64-linux-gnu"}}"#
        );
        let description = check(&text).unwrap();
        assert_eq!(
            (description.name.as_str(), description.target.as_str()),
            ("orders", "x86_64-linux-gnu")
        );
        assert_eq!(description.conf["topology.workers"], 2);
        assert!(description.topology.spouts.is_empty());
    }

    #[test]
    fn what_no_worker_could_run_is_refused_by_name() {
        let text = r#"{"format":1,"name":"o","conf":{},"topology_thrift_base64":"","unregistered":["split","count"]}"#;
        let error = check(text).expect_err("unregistered");
        assert_eq!(
            error.to_string(),
            "these components are closures that are not registered: split, count"
        );
        assert!(error.hint().contains("register::<"));
    }

    #[test]
    fn another_format_and_other_words_are_told_apart() {
        let error = check(r#"{"format":2,"new":"things"}"#).expect_err("another format");
        assert_eq!(error.to_string(), "orders describes in format 2, this program knows format 1");
        let error = check("hello").expect_err("no JSON");
        assert!(error.to_string().contains("something else than a description"), "{error}");
        let text = r#"{"format":1,"name":"o","conf":{},"topology_thrift_base64":"AAAA"}"#;
        assert!(matches!(check(text), Err(DescribeError::Topology { .. })));
    }

    #[test]
    fn the_binarys_own_error_and_hint_are_passed_on() {
        let told = own_words("orders: no topology 'wc'\n\nhint: orders list\n");
        assert_eq!(told, ("no topology 'wc'".to_owned(), Some("orders list".to_owned())));
        assert_eq!(own_words(""), (String::new(), None));
    }
}
