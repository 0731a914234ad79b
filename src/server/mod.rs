//! The Thrift server frame that Nimbus and supervisors share: framed binary Thrift over TCP.
//!
//! ```text
//!            accept (cap, eviction)          one frame at a time            blocking threads
//!  client ──────────────► connection ───────────────────────► authorize ───► Processor
//!            4-byte length, deadlines,            principal, method,           reply bytes
//!            bounded growth                       counters
//! ```
//!
//! A [`Server`] takes a [`Processor`], which turns one message into one reply; [`serve`](Server::start)
//! does the rest: it reads frames, asks the one [`Authorizer`] about every call, runs the call on
//! one of a bounded number of threads, counts it, and writes the answer.
//!
//! **Invariants.** Nothing is reserved because a peer announced it: memory of a frame grows as its
//! bytes arrive, under a limit per frame and one for all connections. Every wait for a peer has a
//! deadline. A frame that cannot be served is answered with a sentence, never with silence; bytes
//! that are no Thrift are closed at once. A call whose connection is gone still ends.
//!
//! **Runs on** the tokio runtime that is handed in; calls on that runtime's blocking threads.
//!
//! **Not here.** What the methods do; SASL and TLS.

mod authorize;
mod budget;
mod connection;
mod counters;
mod error;
mod frame;
mod http;
mod limits;
mod listen;
mod log_once;
mod message;
mod peer;
mod principal;
mod processor;
mod registry;
mod users;

pub use authorize::{Authorizer, MachineUsers, Refused};
pub use counters::{LATENCY_BUCKETS, MethodCount, MethodCounters};
pub use error::ServerError;
pub use http::{HttpServer, MetricsText};
pub use limits::{FRAME_LIMIT, Limits, raise_file_limit};
pub use listen::{Server, ServerHandle};
pub use message::{Fault, FaultKind, Message, MessageKind};
pub use principal::Principal;
pub use processor::{Caller, Processor, Reply, thrift_reply};
pub use users::user_name;

#[cfg(test)]
mod tests;
