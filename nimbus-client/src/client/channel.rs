//! One connection, and one call after the other on it.

use std::io::Cursor;
use std::marker::PhantomData;
use std::time::Duration;

use ::thrift::TThriftClient;
use ::thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TInputProtocol, TOutputProtocol,
};

use super::classify::classify;
use super::deadline::Deadline;
use super::socket::{FramedSocket, SocketFailure};
use super::{Address, ClientError, Drpc, DrpcInvocations, Nimbus, Service, Supervisor};
use crate::wire::{Limits, MessageKind, message_header};
use crate::{native, thrift};

/// A connection to a daemon that speaks `S`.
///
/// The methods of the service come from the generated traits, as
/// [`NimbusMethods`](super::NimbusMethods); they are called inside of a closure that is given to
/// [`Client::call`](super::Client::call).
pub struct Channel<S> {
    socket: FramedSocket,
    address: Address,
    limits: Limits,
    sequence_number: i32,
    output: TBinaryOutputProtocol<Vec<u8>>,
    input: TBinaryInputProtocol<Cursor<Vec<u8>>>,
    exchange: Exchange,
    service: PhantomData<fn() -> S>,
}

/// What has become of the call that is being made.
#[derive(Debug)]
pub(super) struct Exchange {
    pub within: Duration,
    deadline: Deadline,
    /// The name of the method, once the call was encoded.
    pub method: String,
    /// Whether the whole call was handed to the system.
    pub sent: bool,
    /// What kind of answer came.
    pub reply: Option<MessageKind>,
    /// Why no answer came.
    pub failure: Option<Failure>,
}

#[derive(Debug)]
pub(super) enum Failure {
    RequestTooLarge { bytes: usize },
    NoHeader(String),
    Socket(SocketFailure),
}

impl Exchange {
    fn begin(within: Duration, deadline: Deadline) -> Self {
        let method = String::new();
        Self { within, deadline, method, sent: false, reply: None, failure: None }
    }
}

impl<S: Service> Channel<S> {
    pub(super) fn connect(
        address: &Address,
        within: Duration,
        limits: Limits,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            socket: FramedSocket::connect::<S>(address, within)?,
            address: address.clone(),
            limits,
            sequence_number: 0,
            output: TBinaryOutputProtocol::new(Vec::new(), true),
            input: TBinaryInputProtocol::new(Cursor::default(), true),
            exchange: Exchange::begin(within, Deadline::after(within)),
            service: PhantomData,
        })
    }

    pub(super) fn is_stale(&self) -> bool {
        self.socket.is_stale()
    }

    /// The method that was called last.
    pub(super) fn method(&self) -> &str {
        &self.exchange.method
    }

    /// Makes one call, whose answer is there by the deadline.
    pub(super) fn call<T>(
        &mut self,
        within: Duration,
        deadline: Deadline,
        call: &mut impl FnMut(&mut Self) -> ::thrift::Result<T>,
    ) -> Result<T, ClientError> {
        self.exchange = Exchange::begin(within, deadline.or_earlier(Deadline::after(within)));
        self.output.transport.clear();
        let result = call(self);
        let exchange = &mut self.exchange;
        result.map_err(|error| classify::<S>(error, exchange, &self.address, &self.limits))
    }

    /// Sends the call that was encoded and receives its answer.
    fn exchange(&mut self) {
        let message = std::mem::take(&mut self.output.transport);
        let reply = self.travel(&message).unwrap_or_else(|failure| {
            self.exchange.failure = Some(failure);
            // The generated code finds nothing to read, and its error gives way to the failure.
            Vec::new()
        });
        let configuration = self.limits.configuration(reply.len());
        self.input = TBinaryInputProtocol::with_config(Cursor::new(reply), true, configuration);
    }

    fn travel(&mut self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let no_header = |error: crate::wire::WireError| Failure::NoHeader(error.to_string());
        let any_size = Limits { frame_bytes: usize::MAX, ..self.limits };
        self.exchange.method = message_header(message, &any_size).map_err(no_header)?.0.method;
        let frame = crate::wire::frame(message, &self.limits)
            .map_err(|_| Failure::RequestTooLarge { bytes: message.len() })?;
        let Exchange { deadline, .. } = self.exchange;
        self.socket.send(&frame, deadline).map_err(Failure::Socket)?;
        self.exchange.sent = true;
        let limit = self.limits.frame_bytes;
        let reply = self.socket.receive(limit, deadline).map_err(Failure::Socket)?;
        let (header, _) = message_header(&reply, &self.limits).map_err(no_header)?;
        self.exchange.reply = Some(header.kind);
        Ok(reply)
    }
}

impl<S: Service> TThriftClient for Channel<S> {
    fn o_prot_mut(&mut self) -> &mut dyn TOutputProtocol {
        &mut self.output
    }

    /// Generated code first writes a whole call and then asks for its answer: here it travels.
    fn i_prot_mut(&mut self) -> &mut dyn TInputProtocol {
        if !self.output.transport.is_empty() {
            self.exchange();
        }
        &mut self.input
    }

    fn sequence_number(&self) -> i32 {
        self.sequence_number
    }

    fn increment_sequence_number(&mut self) -> i32 {
        self.sequence_number = self.sequence_number.wrapping_add(1);
        self.sequence_number
    }
}

impl thrift::TNimbusSyncClientMarker for Channel<Nimbus> {}
impl native::TSupervisorGateSyncClientMarker for Channel<Nimbus> {}
impl thrift::TSupervisorSyncClientMarker for Channel<Supervisor> {}
impl native::TWorkerGateSyncClientMarker for Channel<Supervisor> {}
impl thrift::TDistributedRPCSyncClientMarker for Channel<Drpc> {}
impl thrift::TDistributedRPCInvocationsSyncClientMarker for Channel<DrpcInvocations> {}
