//! What a server grants to its peers, and the limit of open files that this needs.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Largest frame in bytes unless the conf says otherwise: 16 MiB.
///
/// Storm's 1 MiB is too small for large topologies, which is a long-standing complaint about it;
/// memory is only taken as bytes arrive, so that a generous limit costs nothing.
pub const FRAME_LIMIT: usize = 16 << 20;

/// Open files kept for everything but connections: store, blobs, pipes of children, logs.
const FILES_KEPT: u64 = 256;

/// What a server grants to its peers.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Largest frame in bytes, its four bytes of length not counted.
    pub frame_bytes: usize,
    /// The configuration key that sets `frame_bytes`, which a refused peer is told.
    pub frame_key: &'static str,
    /// Bytes of frames above 64 KiB that all connections together may hold.
    pub all_frames_bytes: usize,
    /// Connections open at once; above that the longest idle one is closed for a new one.
    pub connections: usize,
    /// Calls carried out at once, each on a thread of its own.
    pub threads: usize,
    /// Calls that may wait for a thread; further ones are answered with "busy".
    pub queue: usize,
    /// How long a connection may be silent before its first frame.
    pub first_frame: Duration,
    /// How long a connection may be silent between frames.
    pub idle: Duration,
    /// How long the rest of a frame's length may take after its first byte.
    pub header: Duration,
    /// How long a frame's body, or an answer, may take; see also `slowest_bytes_per_sec`.
    pub body: Duration,
    /// Slowest peer that is waited for beyond `body`: large frames get more time.
    pub slowest_bytes_per_sec: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: FRAME_LIMIT,
            frame_key: "nimbus.thrift.max_buffer_size",
            all_frames_bytes: 256 << 20,
            connections: 16_384,
            threads: 64,
            queue: 1024,
            first_frame: Duration::from_secs(60),
            idle: Duration::from_secs(600),
            header: Duration::from_secs(5),
            body: Duration::from_secs(20),
            slowest_bytes_per_sec: 16 << 10,
        }
    }
}

impl Limits {
    /// How long `bytes` of a frame or an answer may take.
    pub(super) fn transfer(&self, bytes: usize) -> Duration {
        self.body + Duration::from_secs((bytes / self.slowest_bytes_per_sec.max(1)) as u64)
    }
}

/// Raises this process's limit of open files so that `connections` fit, logs the outcome, and
/// answers how many connections do fit.
pub fn raise_file_limit(connections: usize) -> usize {
    let wanted = connections as u64 + FILES_KEPT;
    let before = getrlimit(Resource::Nofile);
    let hard = before.maximum.unwrap_or(u64::MAX);
    let soft = before.current.unwrap_or(u64::MAX);
    if soft < wanted {
        // Root may raise the hard limit too; whoever may not gets as far as it reaches.
        for maximum in [hard.max(wanted), hard] {
            let limit = Rlimit { current: Some(wanted.min(maximum)), maximum: Some(maximum) };
            if setrlimit(Resource::Nofile, limit).is_ok() {
                break;
            }
        }
    }
    let now = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fitting = usize::try_from(now.saturating_sub(FILES_KEPT)).unwrap_or(usize::MAX);
    let granted = connections.min(fitting.max(16));
    if granted < connections {
        tracing::warn!(
            "this process may open {now} files, so {granted} connections are accepted at once and \
             not {connections}: raise the limit (ulimit -Hn) for more"
        );
    } else {
        tracing::info!(
            "this process may open {now} files ({soft} at its start), enough for {connections} connections"
        );
    }
    granted
}
