//! A client of one address.

use std::fmt;
use std::time::Duration;

use super::deadline::{Deadline, pause};
use super::repeat::is_harmless_twice;
use super::{
    Address, Channel, ClientError, ClientOptions, Drpc, DrpcInvocations, Service, Supervisor,
};
use crate::wire::{Limits, ThriftResult};

/// A client of a supervisor, for its assignments and for the reports of this engine's workers.
pub type SupervisorClient = Client<Supervisor>;

/// A client of a DRPC server, for callers.
pub type DrpcClient = Client<Drpc>;

/// A client of a DRPC server, for those who answer.
pub type DrpcInvocationsClient = Client<DrpcInvocations>;

/// A client of the daemon at one address. It connects when it is used, and again when it must.
pub struct Client<S> {
    address: Address,
    options: ClientOptions,
    channel: Option<Channel<S>>,
}

impl<S: Service> Client<S> {
    /// A client of whoever listens at `address`; nothing is connected yet.
    pub fn new(address: Address, options: ClientOptions) -> Self {
        Self { address, options, channel: None }
    }

    /// Whose client this is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Makes a call, and makes it again as the options allow if that can do no harm.
    ///
    /// # Errors
    /// What the server answers, or why there is no answer.
    pub fn call<T>(
        &mut self,
        call: impl FnMut(&mut Channel<S>) -> ThriftResult<T>,
    ) -> Result<T, ClientError> {
        self.call_within(self.options.call, call)
    }

    /// As [`call`](Self::call), with another deadline for each single answer: for calls that wait
    /// at the server.
    ///
    /// # Errors
    /// What the server answers, or why there is no answer.
    pub fn call_within<T>(
        &mut self,
        within: Duration,
        mut call: impl FnMut(&mut Channel<S>) -> ThriftResult<T>,
    ) -> Result<T, ClientError> {
        let options = self.options.clone();
        repeated(&options, |deadline| self.attempt(within, deadline, &mut call))
    }

    /// Makes a call once. Gives with an error whether the call may be made again.
    pub(super) fn attempt<T>(
        &mut self,
        within: Duration,
        deadline: Deadline,
        call: &mut impl FnMut(&mut Channel<S>) -> ThriftResult<T>,
    ) -> Result<T, Attempt> {
        let mut channel = self.connected().map_err(Attempt::harmless)?;
        let result = channel.call(within, deadline, call);
        let result = result.map_err(|error| {
            let harmless = !error.may_have_taken_effect() || is_harmless_twice(channel.method());
            Attempt { error, harmless }
        });
        // After an answer that this call wanted, the connection is at the beginning of the next.
        if result.as_ref().map_or_else(|attempt| attempt.error.is_answer(), |_| true) {
            self.channel = Some(channel);
        }
        result
    }

    /// Connects now, if there is no connection.
    pub(super) fn connect(&mut self) -> Result<(), ClientError> {
        self.channel = Some(self.connected()?);
        Ok(())
    }

    /// The connection that there is, or a new one.
    fn connected(&mut self) -> Result<Channel<S>, ClientError> {
        if let Some(channel) = self.channel.take().filter(|channel| !channel.is_stale()) {
            return Ok(channel);
        }
        let limits = Limits::default().with_frame_bytes(self.options.frame_bytes);
        Channel::connect(&self.address, self.options.connect, limits)
    }
}

impl<S> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("address", &self.address).finish_non_exhaustive()
    }
}

/// An attempt that failed.
pub(super) struct Attempt {
    pub error: ClientError,
    /// Whether another attempt does no harm.
    pub harmless: bool,
}

impl Attempt {
    pub fn harmless(error: ClientError) -> Self {
        Self { error, harmless: true }
    }

    /// Whether nothing of the call reached the server.
    pub fn never_arrived(&self) -> bool {
        self.error.is_retriable() && !self.error.may_have_taken_effect()
    }
}

/// Makes attempts until one succeeds, cannot help, might do harm, or would be too late.
pub(super) fn repeated<T>(
    options: &ClientOptions,
    mut attempt: impl FnMut(Deadline) -> Result<T, Attempt>,
) -> Result<T, ClientError> {
    let deadline = Deadline::after(options.total);
    let mut number = 0;
    loop {
        let failed = match attempt(deadline) {
            Ok(result) => return Ok(result),
            Err(failed) => failed,
        };
        let span = options.retry.pause(number);
        let in_time = deadline.left().is_some_and(|left| span < left);
        let again = failed.harmless && failed.error.is_retriable();
        if !again || number >= options.retry.times || !in_time {
            return Err(failed.error);
        }
        pause(span);
        number += 1;
    }
}
