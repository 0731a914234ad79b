//! Where Storm 2.8 keeps what: the path of every node. No other file spells one.
//!
//! All stand below the root (`storm.zookeeper.root`, `/storm`). Names from outside are checked when
//! the node is used, so that none climbs out of its folder.

use std::fmt::Write;

use nimbus_client::TopologyId;

use super::path::join;

/// The paths below one root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: String,
}

impl Default for Paths {
    fn default() -> Self {
        Self::new("/storm")
    }
}

/// What the name of an error's node begins with, before its number.
const ERROR_PREFIX: &str = "e";

/// What the name of a component's last error ends with, behind the component.
pub const LAST_ERROR_SUFFIX: &str = "-last-error";

impl Paths {
    /// The paths below a root such as `/storm`; `/` puts them at the top.
    pub fn new(root: &str) -> Self {
        Self { root: root.trim_end_matches('/').to_owned() }
    }

    /// The root itself.
    pub fn root(&self) -> String {
        if self.root.is_empty() { "/".to_owned() } else { self.root.clone() }
    }

    /// The folders that every daemon makes at its start, as a stock one does.
    pub fn folders(&self) -> Vec<String> {
        vec![
            self.assignments(),
            self.storms(),
            self.supervisors(),
            self.workerbeats(),
            self.errors(),
            self.blobs(),
            self.nimbuses(),
            self.logconfigs(),
            self.backpressure(),
        ]
    }

    /// Sequence nodes of those that want to lead.
    pub fn leader_lock(&self) -> String {
        self.folder("leader-lock")
    }

    /// Who leads, in Java's serialization. A stock cluster repeats the root here.
    pub fn leader_info(&self) -> String {
        format!("{0}{0}/leader-info", self.root)
    }

    /// Folder of the nodes of all Nimbuses.
    pub fn nimbuses(&self) -> String {
        self.folder("nimbuses")
    }

    /// `NimbusSummary`, ephemeral, by host.
    pub fn nimbus(&self, host: &str) -> String {
        join(&self.nimbuses(), host)
    }

    /// Folder of the nodes of all supervisors.
    pub fn supervisors(&self) -> String {
        self.folder("supervisors")
    }

    /// `SupervisorInfo`, ephemeral.
    pub fn supervisor(&self, supervisor_id: &str) -> String {
        join(&self.supervisors(), supervisor_id)
    }

    /// Folder of all topologies.
    pub fn storms(&self) -> String {
        self.folder("storms")
    }

    /// `StormBase`.
    pub fn storm(&self, id: &TopologyId) -> String {
        join(&self.storms(), id)
    }

    /// Folder of the assignments of all topologies.
    pub fn assignments(&self) -> String {
        self.folder("assignments")
    }

    /// `Assignment`.
    pub fn assignment(&self, id: &TopologyId) -> String {
        join(&self.assignments(), id)
    }

    /// Folder of the statistics of all topologies.
    pub fn workerbeats(&self) -> String {
        self.folder("workerbeats")
    }

    /// Folder of the statistics of a topology's workers.
    pub fn topology_workerbeats(&self, id: &TopologyId) -> String {
        join(&self.workerbeats(), id)
    }

    /// `ClusterWorkerHeartbeat`, persistent.
    pub fn workerbeat(&self, id: &TopologyId, supervisor_id: &str, port: u16) -> String {
        join(&self.topology_workerbeats(id), format_args!("{supervisor_id}-{port}"))
    }

    /// Folder of the errors of all topologies.
    pub fn errors(&self) -> String {
        self.folder("errors")
    }

    /// Folder of the errors of a topology's components.
    pub fn topology_errors(&self, id: &TopologyId) -> String {
        join(&self.errors(), id)
    }

    /// Folder of a component's errors.
    pub fn component_errors(&self, id: &TopologyId, component: &str) -> String {
        join(&self.topology_errors(id), url_encoded(component))
    }

    /// `ErrorInfo`, ephemeral sequential: the path less its number.
    pub fn error(&self, id: &TopologyId, component: &str) -> String {
        join(&self.component_errors(id, component), ERROR_PREFIX)
    }

    /// `ErrorInfo` of the last error, persistent.
    pub fn last_error(&self, id: &TopologyId, component: &str) -> String {
        format!("{}{LAST_ERROR_SUFFIX}", self.component_errors(id, component))
    }

    /// Folder of the credentials of all topologies.
    pub fn all_credentials(&self) -> String {
        self.folder("credentials")
    }

    /// `Credentials`.
    pub fn credentials(&self, id: &TopologyId) -> String {
        join(&self.all_credentials(), id)
    }

    /// Folder of the log levels of all topologies.
    pub fn logconfigs(&self) -> String {
        self.folder("logconfigs")
    }

    /// `LogConfig`.
    pub fn logconfig(&self, id: &TopologyId) -> String {
        join(&self.logconfigs(), id)
    }

    /// Folder of the profiling requests of all topologies.
    pub fn profilerconfigs(&self) -> String {
        self.folder("profilerconfigs")
    }

    /// Folder of a topology's profiling requests.
    pub fn topology_profilerconfigs(&self, id: &TopologyId) -> String {
        join(&self.profilerconfigs(), id)
    }

    /// `ProfileRequest`, by worker and action.
    pub fn profilerconfig(&self, id: &TopologyId, host: &str, port: u16, action: &str) -> String {
        join(&self.topology_profilerconfigs(id), format_args!("{host}_{port}_{action}"))
    }

    /// Folder of what says which Nimbus holds which blob.
    pub fn blobs(&self) -> String {
        self.folder("blobstore")
    }

    /// Folder of the Nimbuses that hold a blob.
    pub fn blob(&self, key: &str) -> String {
        join(&self.blobs(), key)
    }

    /// Says that a Nimbus (`host:port:tls port`) holds a version of a blob; ephemeral, empty.
    pub fn blob_holder(&self, key: &str, nimbus: &str, sequence: i32) -> String {
        join(&self.blob(key), format_args!("{nimbus}-{sequence}"))
    }

    /// Folder of the highest sequence numbers of all blobs.
    pub fn blob_sequences(&self) -> String {
        self.folder("blobstoremaxkeysequencenumber")
    }

    /// The highest sequence number of a blob: four bytes, big-endian.
    pub fn blob_sequence(&self, key: &str) -> String {
        join(&self.blob_sequences(), key)
    }

    /// Folder of the back-pressure of 1.x; made, never filled.
    pub fn backpressure(&self) -> String {
        self.folder("backpressure")
    }

    /// Folder of a topology's back-pressure of 1.x.
    pub fn topology_backpressure(&self, id: &TopologyId) -> String {
        join(&self.backpressure(), id)
    }

    /// Folder of a service's keys for a topology; the service is `NIMBUS`, `DRPC` or `SUPERVISOR`.
    pub fn secret_keys(&self, service: &str, id: &TopologyId) -> String {
        format!("{}/{service}/{id}", self.folder("secretkeys"))
    }

    /// `PrivateWorkerKey`, by version.
    pub fn secret_key(&self, service: &str, id: &TopologyId, version: i64) -> String {
        join(&self.secret_keys(service, id), version)
    }

    fn folder(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }
}

/// The number of an error's node, by its name; nothing if it is none.
pub fn error_number(name: &str) -> Option<i64> {
    name.strip_prefix(ERROR_PREFIX)?.parse().ok()
}

/// The component whose folder of errors has this name; nothing if Storm would not have made it.
pub fn component_of(folder: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(folder.len());
    let mut rest = folder.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A text as Java's `URLEncoder` writes it in UTF-8.
fn url_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            byte => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> TopologyId {
        "kinds-1-1795265305".parse().expect("an id")
    }

    #[test]
    fn paths_are_those_of_a_stock_cluster() {
        let paths = Paths::default();
        let supervisor = "b8c4cf87-c61e-47cb-b791-45aa36aebe71-127.0.0.1";
        for (path, expected) in [
            (paths.root(), "/storm"),
            (paths.leader_info(), "/storm/storm/leader-info"),
            (paths.nimbus("127.0.0.1"), "/storm/nimbuses/127.0.0.1"),
            (
                paths.supervisor(supervisor),
                "/storm/supervisors/b8c4cf87-c61e-47cb-b791-45aa36aebe71-127.0.0.1",
            ),
            (paths.storm(&id()), "/storm/storms/kinds-1-1795265305"),
            (paths.assignment(&id()), "/storm/assignments/kinds-1-1795265305"),
            (
                paths.workerbeat(&id(), supervisor, 6700),
                "/storm/workerbeats/kinds-1-1795265305/b8c4cf87-c61e-47cb-b791-45aa36aebe71-127.0.0.1-6700",
            ),
            (paths.error(&id(), "fwd"), "/storm/errors/kinds-1-1795265305/fwd/e"),
            (paths.last_error(&id(), "fwd"), "/storm/errors/kinds-1-1795265305/fwd-last-error"),
            (paths.credentials(&id()), "/storm/credentials/kinds-1-1795265305"),
            (paths.logconfig(&id()), "/storm/logconfigs/kinds-1-1795265305"),
            (
                paths.profilerconfig(&id(), "127.0.0.1", 6700, "JSTACK_DUMP"),
                "/storm/profilerconfigs/kinds-1-1795265305/127.0.0.1_6700_JSTACK_DUMP",
            ),
            (
                paths.blob_holder("kinds-1-1795265305-stormjar.jar", "127.0.0.1:6627:0", 1),
                "/storm/blobstore/kinds-1-1795265305-stormjar.jar/127.0.0.1:6627:0-1",
            ),
            (paths.blob_sequence("a"), "/storm/blobstoremaxkeysequencenumber/a"),
            (paths.secret_key("NIMBUS", &id(), 3), "/storm/secretkeys/NIMBUS/kinds-1-1795265305/3"),
        ] {
            assert_eq!(path, expected);
        }
    }

    #[test]
    fn another_root_moves_everything() {
        assert_eq!(Paths::new("/a/b/").storm(&id()), "/a/b/storms/kinds-1-1795265305");
        assert_eq!(Paths::new("/a").leader_info(), "/a/a/leader-info");
        assert_eq!(Paths::new("/").storms(), "/storms");
        assert_eq!(Paths::new("/").root(), "/");
    }

    #[test]
    fn a_component_is_encoded_as_java_does_and_back() {
        for (component, encoded) in [
            ("fwd", "fwd"),
            ("__acker", "__acker"),
            ("a b", "a+b"),
            ("a/b", "a%2Fb"),
            ("$mastercoord-bg0", "%24mastercoord-bg0"),
            ("A*.-_z9", "A*.-_z9"),
            ("ü~+%", "%C3%BC%7E%2B%25"),
        ] {
            assert_eq!(url_encoded(component), encoded);
            assert_eq!(component_of(encoded).as_deref(), Some(component));
        }
        assert_eq!(component_of("%2"), None);
        assert_eq!(component_of("%zz"), None);
        assert_eq!(component_of("%ff"), None);
    }

    #[test]
    fn an_errors_number_is_read_from_its_name() {
        assert_eq!(error_number("e0000000012"), Some(12));
        assert_eq!(error_number("last"), None);
    }
}
