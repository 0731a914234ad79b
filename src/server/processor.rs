//! What a service gives to the server frame: one message in, one answer out.

use std::sync::Arc;

use thrift::TConfiguration;
use thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol};
use thrift::server::TProcessor;

use super::authorize::{Authorizer, Refused};
use super::message::{Fault, FaultKind, Message, MessageKind};
use super::principal::Principal;
use serde_json::{Map, Value};

/// Depth of structs within structs that a message may have.
const DEPTH: usize = 64;

/// Who calls, for handlers that ask about more than the method.
#[derive(Clone)]
pub struct Caller {
    /// Who it is.
    pub principal: Arc<Principal>,
    /// The method's name.
    pub operation: String,
    pub(super) authorizer: Arc<dyn Authorizer>,
}

impl Caller {
    /// A caller inside this process, whom nobody refuses.
    pub fn new(principal: Principal, operation: &str, authorizer: Arc<dyn Authorizer>) -> Self {
        Self { principal: Arc::new(principal), operation: operation.to_owned(), authorizer }
    }

    /// Asks the one authorizer about this call on a topology with this conf.
    ///
    /// # Errors
    /// The caller may not.
    pub fn authorize(&self, conf: &Map<String, Value>) -> Result<(), Refused> {
        self.authorizer.authorize(&self.principal, &self.operation, conf)
    }
}

/// An answer, and whether it is an error for the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The message without its length; empty for a call that is not answered.
    pub bytes: Vec<u8>,
    /// Whether the call failed or was refused.
    pub is_error: bool,
}

/// A service: it turns the bytes of one call into the bytes of its answer.
///
/// `call` runs on a thread that may block, many at once. It must answer every message; it may
/// panic, which the peer is told as an internal error.
pub trait Processor: Send + Sync + 'static {
    /// Names of all methods, for the counters.
    fn methods(&self) -> &[&'static str];

    /// The field under which a method declares Storm's `AuthorizationException`, if it does.
    fn refusal_field(&self, method: &str) -> Option<i16>;

    /// Carries out one call. `frame` is the whole message, `message` its head.
    fn call(&self, caller: &Caller, message: &Message, frame: &[u8]) -> Reply;
}

/// Runs generated code on a frame and makes an answer of whatever comes of it.
///
/// A frame that cannot be read is answered with what is wrong with it; the connection stays usable,
/// since frames have lengths.
pub fn thrift_reply(processor: &dyn TProcessor, message: &Message, frame: &[u8]) -> Reply {
    let mut bytes = Vec::new();
    let limit = Some(frame.len().max(1));
    let conf = TConfiguration::builder()
        .max_message_size(limit)
        .max_frame_size(limit)
        .max_string_size(limit)
        .max_container_size(limit)
        .max_recursion_depth(Some(DEPTH))
        .build();
    let result = conf.and_then(|conf| {
        let mut input = TBinaryInputProtocol::with_config(frame, false, conf);
        let mut output = TBinaryOutputProtocol::new(&mut bytes, true);
        processor.process(&mut input, &mut output)
    });
    let answer = result.is_ok().then(|| Message::parse(&bytes)).flatten();
    match answer {
        Some(answer) => {
            let is_error = answer.kind == MessageKind::Exception || !is_success(&bytes, &answer);
            Reply { bytes, is_error }
        }
        None if result.is_ok() && message.kind == MessageKind::Oneway => {
            Reply { bytes: Vec::new(), is_error: false }
        }
        None => {
            let why =
                result.err().map_or_else(|| "no answer".to_owned(), |error| error.to_string());
            let sentence = format!(
                "the arguments of {} cannot be read: {why}: use Apache Storm 2.8's types",
                message.method
            );
            let fault = Fault::new(FaultKind::Protocol, sentence);
            Reply { bytes: message.fault(&fault), is_error: true }
        }
    }
}

/// Whether a reply's struct is empty or has field 0, the result, and no declared exception.
fn is_success(bytes: &[u8], answer: &Message) -> bool {
    match bytes.get(answer.body_at..) {
        Some([0, ..]) | Some([_, 0, 0, ..]) => true,
        Some(_) | None => false,
    }
}
