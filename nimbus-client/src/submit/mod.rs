//! Submitting a topology: packing its archive, uploading it, and handing the topology to Nimbus.
//!
//! ```text
//! topology binary ── describe ─▶ Described ─┐
//!        └────────── Archive::pack ─────────┴─▶ submit ─▶ name allowed? ─▶ upload ─▶ submitTopologyWithOpts
//! ```
//!
//! ```no_run
//! use nimbus_client::client::{Address, ClientOptions, NimbusClient};
//! use nimbus_client::submit::{Archive, Described, Submission, submit};
//! # fn described() -> Vec<u8> { Vec::new() }
//!
//! let described = Described::parse(&described())?;
//! let mut archive = Archive::new().with_binary("target/release/words".as_ref())?.pack()?;
//! let submission = Submission::of(described)?;
//! let mut nimbus = NimbusClient::new(vec![Address::new("nimbus", 6627)], ClientOptions::default());
//! let submitted = submit(&mut nimbus, &submission, &mut archive, &mut |_| {})?;
//! println!("{:?}", submitted.id);
//! # Ok::<(), nimbus_client::submit::SubmitError>(())
//! ```
//!
//! **Invariants**
//! - What can be known to fail is refused before anything is sent.
//! - The submission itself is sent once. If its answer is lost, Nimbus is asked whether the topology
//!   lives.
//!
//! **Not here:** whether the cluster's machines have the libraries that a binary wants. They look
//! when they unpack it.

mod archive;
mod binary;
mod described;
mod error;
mod submission;

pub use self::archive::{Archive, ArchiveError, PackedArchive};
pub use self::binary::{BinaryError, BinaryFacts};
pub use self::described::{Described, DescribedError};
pub use self::error::SubmitError;
pub use self::submission::{Submission, SubmitStep, Submitted, submit};
