//! Why a call has no result.

use std::fmt;
use std::io;
use std::time::Duration;

use super::Address;
use crate::thrift::DRPCExceptionType;
use crate::wire::ApplicationErrorKind;

/// Why a call has no result.
///
/// What a server says is kept in `message`; Storm's exceptions keep their names.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Storm's `NotAliveException`.
    #[error("no such topology is alive: {message}; list the topologies to see which are")]
    NotAlive {
        /// What the server says.
        message: String,
    },
    /// Storm's `AlreadyAliveException`.
    #[error("a topology of this name is alive: {message}; kill it first, or take another name")]
    AlreadyAlive {
        /// What the server says.
        message: String,
    },
    /// Storm's `InvalidTopologyException`.
    #[error("the topology is refused: {message}")]
    InvalidTopology {
        /// What the server says.
        message: String,
    },
    /// Storm's `AuthorizationException`.
    #[error("this is not allowed: {message}; ask whoever administers the cluster")]
    Authorization {
        /// What the server says.
        message: String,
    },
    /// Storm's `KeyNotFoundException`.
    #[error("no blob has this key: {message}; list the blobs to see which there are")]
    KeyNotFound {
        /// What the server says.
        message: String,
    },
    /// Storm's `KeyAlreadyExistsException`.
    #[error("a blob of this key exists: {message}; update it, or delete it first")]
    KeyAlreadyExists {
        /// What the server says.
        message: String,
    },
    /// Storm's `IllegalStateException`.
    #[error("this cannot be done now: {message}")]
    IllegalState {
        /// What the server says.
        message: String,
    },
    /// Storm's `DRPCExecutionException`.
    #[error("the DRPC call failed: {message}")]
    Drpc {
        /// Why, if the server says it in a word.
        kind: Option<DRPCExceptionType>,
        /// What the server says.
        message: String,
    },
    /// The server failed in a way that the method does not declare.
    #[error("{address} could not answer {method}: {message} ({kind:?}); its log may say more")]
    Server {
        /// Who.
        address: Address,
        /// What was called.
        method: String,
        /// Thrift's word for it.
        kind: ApplicationErrorKind,
        /// What the server says.
        message: String,
    },
    /// The server has no result to give; a stock Nimbus says so when it is not the leader yet.
    #[error("{address} has no result for {method} yet: try again later")]
    NoResult {
        /// Who.
        address: Address,
        /// What was called.
        method: String,
    },

    /// Nothing listens there.
    #[error(
        "nothing listens on {address}: connection refused: start {daemon} there, or name the \
         address where it is"
    )]
    Refused {
        /// Where.
        address: Address,
        /// What should listen.
        daemon: &'static str,
    },
    /// The host's name has no number.
    #[error("the host of {address} is not known: {source}; correct the name")]
    UnknownHost {
        /// Where.
        address: Address,
        /// What the resolver says.
        source: io::Error,
    },
    /// There is no way there.
    #[error("{address} cannot be reached: {source}")]
    Unreachable {
        /// Where.
        address: Address,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody answered to the attempt to connect.
    #[error(
        "{address} did not take the connection within {after:?}: is it up, or behind a firewall?"
    )]
    ConnectTimedOut {
        /// Where.
        address: Address,
        /// How long was waited.
        after: Duration,
    },
    /// No seed knows a leader.
    #[error(
        "no leader was found among the seeds: {}; start Nimbus, or correct nimbus.seeds",
        listed(tried)
    )]
    NoLeader {
        /// Each seed and why it did not help.
        tried: Vec<SeedFailure>,
    },
    /// A seed named a leader, and there is no way from here to it.
    #[error("{seed} says that the leader is {leader}, which cannot be reached from here: {why}")]
    LeaderUnreachable {
        /// Who named it.
        seed: Address,
        /// Whom it named.
        leader: Address,
        /// Why not.
        why: Box<ClientError>,
    },

    /// The answer did not come in time.
    #[error("{address} did not answer {method} within {after:?}")]
    TimedOut {
        /// Who.
        address: Address,
        /// What was called.
        method: String,
        /// How long was waited.
        after: Duration,
        /// Whether the whole call was handed over.
        sent: bool,
    },
    /// The connection ended before the answer.
    #[error("the connection to {address} ended during {method}: {why}")]
    Disconnected {
        /// Who.
        address: Address,
        /// What was called.
        method: String,
        /// What the system says.
        why: io::Error,
        /// Whether the whole call was handed over.
        sent: bool,
    },
    /// The answer was no answer to this call.
    #[error("{address} answered {method} with something else: {why}")]
    Garbled {
        /// Who.
        address: Address,
        /// What was called.
        method: String,
        /// What is wrong with it.
        why: String,
    },
    /// The call does not fit into a frame; it was not sent.
    #[error(
        "{method} takes {bytes} bytes and a frame may have {limit}: raise {key} here and on the \
         server, or make it smaller"
    )]
    RequestTooLarge {
        /// What was called.
        method: String,
        /// Bytes that the call takes.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
        /// The key that says so.
        key: &'static str,
    },
    /// The answer does not fit into a frame.
    #[error(
        "the answer to {method} takes {bytes} bytes and a frame may have {limit}: raise {key} here"
    )]
    ReplyTooLarge {
        /// What was called.
        method: String,
        /// Bytes that the answer takes.
        bytes: usize,
        /// Bytes that are allowed.
        limit: usize,
        /// The key that says so.
        key: &'static str,
    },
    /// The bytes that were to be sent could not be read.
    #[error("what is to be uploaded cannot be read: {source}")]
    Unreadable {
        /// What the reader says.
        source: io::Error,
    },
    /// What was downloaded could not be written.
    #[error("what was downloaded cannot be written: {source}")]
    Unwritable {
        /// What the writer says.
        source: io::Error,
    },
}

/// A seed that named no leader.
#[derive(Debug)]
pub struct SeedFailure {
    /// The seed.
    pub seed: Address,
    /// Why it named none.
    pub why: ClientError,
}

impl fmt::Display for SeedFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            ClientError::Refused { .. } => write!(f, "{} refuses connections", self.seed),
            why => write!(f, "{}: {why}", self.seed),
        }
    }
}

fn listed(tried: &[SeedFailure]) -> String {
    if tried.is_empty() {
        return "there are none".to_owned();
    }
    let tried: Vec<String> = tried.iter().map(ToString::to_string).collect();
    tried.join("; ")
}

impl ClientError {
    /// Whether the same call may succeed later without anybody changing anything about it.
    ///
    /// Ask [`may_have_taken_effect`](Self::may_have_taken_effect) too before calling again.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::ConnectTimedOut { .. }
            | Self::NoLeader { .. }
            | Self::TimedOut { .. }
            | Self::Disconnected { .. }
            | Self::NoResult { .. } => true,
            Self::LeaderUnreachable { why, .. } => why.is_retriable(),
            Self::Server { .. }
            | Self::NotAlive { .. }
            | Self::AlreadyAlive { .. }
            | Self::InvalidTopology { .. }
            | Self::Authorization { .. }
            | Self::KeyNotFound { .. }
            | Self::KeyAlreadyExists { .. }
            | Self::IllegalState { .. }
            | Self::Drpc { .. }
            | Self::Garbled { .. }
            | Self::RequestTooLarge { .. }
            | Self::ReplyTooLarge { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. } => false,
        }
    }

    /// Whether the server may have done what was asked although no result came back.
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::TimedOut { sent, .. } | Self::Disconnected { sent, .. } => *sent,
            // The server was at work when it failed, or its answer was lost here.
            Self::Server { kind, .. } => {
                matches!(kind, ApplicationErrorKind::InternalError | ApplicationErrorKind::Unknown)
            }
            Self::NoResult { .. }
            | Self::Garbled { .. }
            | Self::ReplyTooLarge { .. }
            | Self::Drpc { .. } => true,
            Self::NotAlive { .. }
            | Self::AlreadyAlive { .. }
            | Self::InvalidTopology { .. }
            | Self::Authorization { .. }
            | Self::KeyNotFound { .. }
            | Self::KeyAlreadyExists { .. }
            | Self::IllegalState { .. }
            | Self::Refused { .. }
            | Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::ConnectTimedOut { .. }
            | Self::NoLeader { .. }
            | Self::LeaderUnreachable { .. }
            | Self::RequestTooLarge { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. } => false,
        }
    }

    /// Whether the server answered, so that the connection is as good as before.
    pub(super) fn is_answer(&self) -> bool {
        matches!(
            self,
            Self::NotAlive { .. }
                | Self::AlreadyAlive { .. }
                | Self::InvalidTopology { .. }
                | Self::Authorization { .. }
                | Self::KeyNotFound { .. }
                | Self::KeyAlreadyExists { .. }
                | Self::IllegalState { .. }
                | Self::Drpc { .. }
                | Self::NoResult { .. }
                | Self::Server { .. }
                | Self::RequestTooLarge { .. }
        )
    }
}
