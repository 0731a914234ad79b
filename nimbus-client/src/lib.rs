//! A client for Storm's Nimbus, DRPC servers and supervisors.
//!
//! What exists so far are the two names of a topology, the [`TopologyName`] that its author chooses
//! and the [`TopologyId`] that Nimbus gives it, and Storm's configuration ([`conf`]).

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod conf;
mod topology;

pub use topology::{TopologyId, TopologyIdError, TopologyName, TopologyNameError};
