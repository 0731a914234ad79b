//! A client for Storm's Nimbus, DRPC servers and supervisors.
//!
//! | module | what |
//! |---|---|
//! | [`thrift`] | Storm's types and services, generated from `idl/storm.thrift` |
//! | [`native`] | what the engine's own processes tell each other besides, from `idl/native.thrift` |
//! | [`wire`] | bytes to values and back under limits; frames, calls, cluster state |
//! | [`client`] | clients of Nimbus, supervisors and DRPC servers |
//! | `submit` | packing a topology and submitting it (feature `submit`) |
//! | [`conf`] | Storm's configuration |
//! | [`catalogue`] | tables of all types and methods |
//!
//! A topology has two names: the [`TopologyName`] that its author chooses and the [`TopologyId`]
//! that Nimbus gives it.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod client;
pub mod conf;
#[cfg(feature = "submit")]
pub mod submit;
pub mod wire;

/// Storm's types and services, in the names of its IDL.
///
/// A service `X` gives `XSyncClient`, a trait `XSyncHandler` for servers and `XSyncProcessor`, which
/// [`wire::answer`] drives. Enums are numbers, since a newer peer may know more of their names.
#[path = "generated/storm.rs"]
#[rustfmt::skip]
#[allow(missing_docs, clippy::all)]
pub mod thrift;

/// What workers, supervisors and Nimbus of this engine tell each other beyond Storm's protocol.
#[path = "generated/native.rs"]
#[rustfmt::skip]
#[allow(missing_docs, clippy::all)]
pub mod native;

mod topology;

pub use topology::{TopologyId, TopologyIdError, TopologyName, TopologyNameError};
