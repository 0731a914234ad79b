//! From what the generated code says to what the caller should know.

use std::error::Error;

use super::channel::{Exchange, Failure};
use super::socket::SocketFailure;
use super::{Address, ClientError, Service};
use crate::thrift::{
    AlreadyAliveException, AuthorizationException, DRPCExecutionException, IllegalStateException,
    InvalidTopologyException, KeyAlreadyExistsException, KeyNotFoundException, NotAliveException,
};
use crate::wire::{ApplicationErrorKind, Limits, MessageKind, reason};

/// Why a call on a channel failed.
pub(super) fn classify<S: Service>(
    error: ::thrift::Error,
    exchange: &mut Exchange,
    address: &Address,
    limits: &Limits,
) -> ClientError {
    let address = address.clone();
    let method = exchange.method.clone();
    if let Some(failure) = exchange.failure.take() {
        return failed::<S>(failure, exchange, address, limits);
    }
    match error {
        ::thrift::Error::User(exception) => thrown(exception, address, method),
        ::thrift::Error::Application(error) => match (exchange.reply, error.kind) {
            (Some(MessageKind::Exception), kind) => {
                ClientError::Server { address, method, kind, message: error.message }
            }
            (_, ApplicationErrorKind::MissingResult) => ClientError::NoResult { address, method },
            _ => ClientError::Garbled { address, method, why: error.message },
        },
        error => ClientError::Garbled { address, method, why: reason(&error).to_string() },
    }
}

fn failed<S: Service>(
    failure: Failure,
    exchange: &Exchange,
    address: Address,
    limits: &Limits,
) -> ClientError {
    let method = exchange.method.clone();
    let (sent, limit, key) = (exchange.sent, limits.frame_bytes, S::FRAME_KEY);
    match failure {
        Failure::RequestTooLarge { bytes } => {
            ClientError::RequestTooLarge { method, bytes, limit, key }
        }
        Failure::NoHeader(why) => ClientError::Garbled { address, method, why },
        Failure::Socket(SocketFailure::TooLarge { bytes }) => {
            ClientError::ReplyTooLarge { method, bytes, limit, key }
        }
        Failure::Socket(SocketFailure::NotThrift(why)) => {
            ClientError::Garbled { address, method, why: why.to_owned() }
        }
        Failure::Socket(SocketFailure::TimedOut) => {
            ClientError::TimedOut { address, method, after: exchange.within, sent }
        }
        Failure::Socket(SocketFailure::Ended(why)) => {
            ClientError::Disconnected { address, method, why, sent }
        }
    }
}

/// An exception that the method declares.
fn thrown(
    exception: Box<dyn Error + Sync + Send>,
    address: Address,
    method: String,
) -> ClientError {
    macro_rules! named {
        ($($exception:ident => $variant:ident,)+) => {
            $(if let Some(exception) = exception.downcast_ref::<$exception>() {
                return ClientError::$variant { message: exception.msg.clone() };
            })+
        };
    }
    named! {
        NotAliveException => NotAlive,
        AlreadyAliveException => AlreadyAlive,
        InvalidTopologyException => InvalidTopology,
        AuthorizationException => Authorization,
        KeyNotFoundException => KeyNotFound,
        KeyAlreadyExistsException => KeyAlreadyExists,
        IllegalStateException => IllegalState,
    }
    match exception.downcast::<DRPCExecutionException>() {
        Ok(failed) => ClientError::Drpc { kind: failed.type_, message: failed.msg },
        Err(unknown) => ClientError::Garbled { address, method, why: unknown.to_string() },
    }
}
