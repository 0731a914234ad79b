//! Messages: their header, and a server's answer to one.

use ::thrift::protocol::{
    TBinaryOutputProtocol, TInputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol,
};
use ::thrift::server::TProcessor;
use ::thrift::{ApplicationError, ApplicationErrorKind};

use super::{Limits, WireError};

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A call that wants an answer.
    Call,
    /// The answer to a call: a result, or an exception that the method declares.
    Reply,
    /// The answer to a call that failed in a way that its method does not declare.
    Exception,
    /// A call that wants no answer; Storm has none.
    OneWay,
}

/// The header of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageHeader {
    /// The name of the method on the wire, as the peer sent it.
    pub method: String,
    /// What the message is.
    pub kind: MessageKind,
    /// The number by which the caller matches call and answer.
    pub sequence_number: i32,
}

impl From<TMessageIdentifier> for MessageHeader {
    fn from(header: TMessageIdentifier) -> Self {
        let kind = match header.message_type {
            TMessageType::Call => MessageKind::Call,
            TMessageType::Reply => MessageKind::Reply,
            TMessageType::Exception => MessageKind::Exception,
            TMessageType::OneWay => MessageKind::OneWay,
        };
        Self { method: header.name, kind, sequence_number: header.sequence_number }
    }
}

/// Reads the header of `message` and how many bytes it takes; the fields are left alone.
///
/// # Errors
/// If there are more bytes than the limit, or if they do not begin with a header.
pub fn message_header(
    message: &[u8],
    limits: &Limits,
) -> Result<(MessageHeader, usize), WireError> {
    let mut rest = message;
    let header = limits.reader(&mut rest)?.read_message_begin();
    let header = header.map_err(WireError::unreadable::<MessageHeader>)?;
    Ok((header.into(), message.len() - rest.len()))
}

/// Lets `processor` answer one message and gives the answer, without its length; nothing at all if
/// the message wants no answer.
///
/// What cannot be decoded, a method that `processor` does not have and an error that its method does
/// not declare are answered with Thrift's `TApplicationException`, after which the connection is as
/// good as before.
///
/// # Errors
/// If the bytes have no readable header, so that there is no number to answer to: the server closes
/// the connection.
pub fn answer<P: TProcessor + ?Sized>(
    processor: &P,
    message: &[u8],
    limits: &Limits,
) -> Result<Vec<u8>, WireError> {
    let (header, _) = message_header(message, limits)?;
    let mut bytes = Vec::new();
    let mut output = TBinaryOutputProtocol::new(&mut bytes, true);
    let done = match header.kind {
        MessageKind::Call | MessageKind::OneWay => {
            let mut rest = message;
            processor.process(&mut limits.reader(&mut rest)?, &mut output)
        }
        MessageKind::Reply | MessageKind::Exception => {
            let why = "a server takes calls, and this is an answer";
            let error = ApplicationError::new(ApplicationErrorKind::InvalidMessageType, why);
            write_exception(&header.method, header.sequence_number, &error, &mut output)
        }
    };
    done.map_err(WireError::unwritable::<MessageHeader>)?;
    if header.kind == MessageKind::OneWay {
        bytes.clear();
    }
    Ok(bytes)
}

/// A message with its length before it.
///
/// # Errors
/// If the message is larger than the limit.
pub fn frame(message: &[u8], limits: &Limits) -> Result<Vec<u8>, WireError> {
    let too_large = || WireError::TooLarge { bytes: message.len(), limit: limits.frame_bytes };
    let length = i32::try_from(message.len()).map_err(|_| too_large())?;
    if message.len() > limits.frame_bytes {
        return Err(too_large());
    }
    let mut frame = Vec::with_capacity(4 + message.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    Ok(frame)
}

/// Writes the exception that answers a call which could not be carried out; the generated
/// processors end with this.
pub(crate) fn finish_call(
    call: &TMessageIdentifier,
    done: ::thrift::Result<()>,
    output: &mut dyn TOutputProtocol,
) -> ::thrift::Result<()> {
    let Err(error) = done else {
        return Ok(());
    };
    let error = match error {
        ::thrift::Error::Application(error) => error,
        ::thrift::Error::Protocol(error) => undecodable(&call.name, &error.message),
        ::thrift::Error::Transport(error) => undecodable(&call.name, &error.message),
        ::thrift::Error::User(error) => {
            ApplicationError::new(ApplicationErrorKind::InternalError, error.to_string())
        }
    };
    write_exception(&call.name, call.sequence_number, &error, output)
}

fn undecodable(method: &str, why: &str) -> ApplicationError {
    let message = format!("the arguments of {method} cannot be decoded: {why}");
    ApplicationError::new(ApplicationErrorKind::ProtocolError, message)
}

fn write_exception(
    method: &str,
    sequence_number: i32,
    error: &ApplicationError,
    output: &mut dyn TOutputProtocol,
) -> ::thrift::Result<()> {
    let header = TMessageIdentifier::new(method, TMessageType::Exception, sequence_number);
    output.write_message_begin(&header)?;
    ::thrift::Error::write_application_error_to_out_protocol(error, output)?;
    output.write_message_end()?;
    output.flush()
}
