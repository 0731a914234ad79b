//! Clients of Nimbus, supervisors and DRPC servers: blocking, over framed binary Thrift.
//!
//! ```text
//! NimbusClient   finds the leader among seeds ─┐
//! Client<S>      one address, retries ─────────┴─► Channel<S>  one connection, every method of S
//! ```
//!
//! A call is a closure on a [`Channel`], which has the methods of its service as the generated code
//! names them, so that it can be made again on another connection:
//!
//! ```no_run
//! use nimbus_client::client::{Address, ClientError, ClientOptions, NimbusClient, NimbusMethods};
//!
//! let seeds = vec![Address::new("127.0.0.1", 6627)];
//! let mut nimbus = NimbusClient::new(seeds, ClientOptions::default());
//! let cluster = nimbus.call(|storm| storm.get_cluster_info())?;
//! println!("{} supervisors", cluster.supervisors.len());
//! # Ok::<(), ClientError>(())
//! ```
//!
//! **Invariants**
//! - Every wait has a deadline: connecting, each call, and a call with all its repetitions.
//! - A call that may have taken effect is repeated only if the table in `repeat` says that
//!   repeating it is harmless.
//! - A connection on which anything unexpected was seen is not used again.
//!
//! **Runs on** the caller's thread. A client is `Send` and serves one thread at a time.
//!
//! **Not here:** TLS and SASL.

mod address;
mod channel;
mod classify;
pub(crate) mod deadline;
mod error;
mod nimbus;
mod options;
mod repeat;
mod service;
mod single;
mod socket;
mod transfer;

pub use self::address::{Address, AddressError};
pub use self::channel::Channel;
pub use self::error::{ClientError, SeedFailure};
pub use self::nimbus::NimbusClient;
pub use self::options::{ClientOptions, Retry};
pub use self::service::{Drpc, DrpcInvocations, Nimbus, Service, Supervisor};
pub use self::single::{Client, DrpcClient, DrpcInvocationsClient, SupervisorClient};
pub use self::transfer::{BLOB_CHUNK_BYTES, FILE_CHUNK_BYTES, OnProgress, Progress};

pub use crate::native::TSupervisorGateSyncClient as SupervisorGateMethods;
pub use crate::native::TWorkerGateSyncClient as WorkerGateMethods;
pub use crate::thrift::TDistributedRPCInvocationsSyncClient as DrpcInvocationsMethods;
pub use crate::thrift::TDistributedRPCSyncClient as DrpcMethods;
pub use crate::thrift::TNimbusSyncClient as NimbusMethods;
pub use crate::thrift::TSupervisorSyncClient as SupervisorMethods;
