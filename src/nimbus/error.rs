//! Why Nimbus refuses a call, and which of Storm's exceptions says so.

use nimbus_client::thrift as storm;
use nimbus_client::wire::{ApplicationError, ApplicationErrorKind, ThriftError};

use super::lifecycle;
use super::rebalance::InvalidRebalance;
use crate::blobstore::BlobError;
use crate::cluster::ClusterError;
use crate::server;

/// Why Nimbus refuses a call. Each text is a sentence for the user with a next step.
#[derive(Debug, thiserror::Error)]
pub enum NimbusError {
    /// Storm's `NotAliveException`.
    #[error("{name} is not alive")]
    NotAlive {
        /// The name or id that was asked for.
        name: String,
    },
    /// Storm's `NotAliveException` for something inside the cluster that does not exist.
    #[error("{what}")]
    Missing {
        /// What is missing, and what there is.
        what: String,
    },
    /// Storm's `AlreadyAliveException`.
    #[error("{name} is already alive")]
    AlreadyAlive {
        /// The topology's name.
        name: String,
    },
    /// Storm's `InvalidTopologyException`.
    #[error("{why}")]
    Invalid {
        /// All that is wrong.
        why: String,
    },
    /// Storm's `InvalidTopologyException` for a rebalance.
    #[error(transparent)]
    Rebalance(#[from] InvalidRebalance),
    /// A wish that does not fit the topology's status; Storm's `InvalidTopologyException` where a
    /// method has it.
    #[error(transparent)]
    Lifecycle(#[from] lifecycle::Refused),
    /// Storm's `AuthorizationException`.
    #[error(transparent)]
    Refused(#[from] server::Refused),
    /// Storm's exceptions of the blob store.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// Storm's `IllegalStateException`: a blob that cannot go.
    #[error("the blob {key} belongs to {id}, which is alive: kill the topology first")]
    InUse {
        /// The blob's key.
        key: String,
        /// The topology.
        id: String,
    },
    /// What this engine has not got.
    #[error("{what}")]
    Unsupported {
        /// What was asked for, and what to do instead.
        what: String,
    },
    /// Too many uploads at once, say.
    #[error("{what}")]
    Busy {
        /// What there is too much of, and what to do.
        what: String,
    },
    /// The shared state failed.
    #[error("the cluster's shared state failed: {0}")]
    State(#[from] ClusterError),
    /// What stands in the store or in a blob cannot be read.
    #[error("{what} of {id} cannot be read: {why}: kill the topology and submit it again")]
    Unreadable {
        /// Which piece.
        what: &'static str,
        /// Whose.
        id: String,
        /// Why.
        why: String,
    },
}

/// The exceptions that a method declares beside `TApplicationException`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declares {
    /// None at all.
    Nothing,
    /// `AuthorizationException`.
    Authorization,
    /// Also `NotAliveException`.
    Alive,
    /// Also `NotAliveException` and `InvalidTopologyException`.
    AliveAndValid,
    /// Also `AlreadyAliveException` and `InvalidTopologyException`.
    Submit,
    /// Also `KeyNotFoundException`.
    Key,
    /// Also `KeyAlreadyExistsException`.
    NewKey,
    /// Also `KeyNotFoundException` and `IllegalStateException`.
    KeyState,
}

impl Declares {
    fn not_alive(self) -> bool {
        matches!(self, Self::Alive | Self::AliveAndValid)
    }

    fn invalid(self) -> bool {
        matches!(self, Self::AliveAndValid | Self::Submit)
    }
}

impl NimbusError {
    /// Something that is wrong with a topology.
    pub fn invalid(why: impl Into<String>) -> Self {
        Self::Invalid { why: why.into() }
    }

    /// A topology that is not there.
    pub fn not_alive(name: impl Into<String>) -> Self {
        Self::NotAlive { name: name.into() }
    }

    /// As the answer of a method with these exceptions: one of them, or an application error that
    /// carries the same sentence.
    pub fn thrown(self, declares: Declares) -> ThriftError {
        let msg = self.to_string();
        let user: Box<dyn std::error::Error + Send + Sync> = match self {
            Self::NotAlive { .. } | Self::Missing { .. } if declares.not_alive() => {
                Box::new(storm::NotAliveException::new(msg))
            }
            Self::AlreadyAlive { .. } if declares == Declares::Submit => {
                Box::new(storm::AlreadyAliveException::new(msg))
            }
            Self::Invalid { .. } | Self::Rebalance(_) | Self::Lifecycle(_)
                if declares.invalid() =>
            {
                Box::new(storm::InvalidTopologyException::new(msg))
            }
            Self::InUse { .. } if declares == Declares::KeyState => {
                Box::new(storm::IllegalStateException::new(msg))
            }
            Self::Refused(_) if declares != Declares::Nothing => {
                Box::new(storm::AuthorizationException::new(msg))
            }
            Self::Blob(error) => match blob_exception(&error, declares, &msg) {
                Some(exception) => exception,
                None => return application(msg),
            },
            _ => return application(msg),
        };
        ThriftError::User(user)
    }
}

fn application(sentence: String) -> ThriftError {
    let kind = ApplicationErrorKind::InternalError;
    ThriftError::Application(ApplicationError::new(kind, sentence))
}

/// Storm's exception for a failure of the blob store, if the method declares it.
fn blob_exception(
    error: &BlobError,
    declares: Declares,
    msg: &str,
) -> Option<Box<dyn std::error::Error + Send + Sync>> {
    let msg = msg.to_owned();
    let has_key = matches!(declares, Declares::Key | Declares::KeyState);
    Some(match error {
        // No blob has a key that is none.
        BlobError::NotFound { .. } | BlobError::Key(_) if has_key => {
            Box::new(storm::KeyNotFoundException::new(msg))
        }
        BlobError::AlreadyExists { .. } if declares == Declares::NewKey => {
            Box::new(storm::KeyAlreadyExistsException::new(msg))
        }
        BlobError::NotAllowed { .. } | BlobError::UserTwice { .. }
            if declares != Declares::Nothing =>
        {
            Box::new(storm::AuthorizationException::new(msg))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_thrown_as_what_the_method_declares_and_keeps_its_sentence() {
        let thrown = NimbusError::not_alive("wc").thrown(Declares::Alive);
        let ThriftError::User(user) = thrown else { panic!("an exception of Storm's") };
        let exception = user.downcast_ref::<storm::NotAliveException>().expect("not alive");
        assert_eq!(exception.msg, "wc is not alive");
        let thrown = NimbusError::not_alive("wc").thrown(Declares::Nothing);
        let ThriftError::Application(fault) = thrown else { panic!("an application error") };
        assert!(fault.message.starts_with("wc is not alive"), "{}", fault.message);
    }
}
