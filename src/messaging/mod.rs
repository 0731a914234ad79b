//! What workers of one topology say to each other, and how they find together.
//!
//! ```text
//!  exchange ──▶ batch, frame ──▶ connection ──▶ frame, batch ──▶ exchange of the peer
//!      ▲
//!      └── line ◀── connector: greeting, hello
//! ```
//!
//! **Invariants.** Bytes from outside are bounded before anything is allocated for them, and
//! nothing of a connection is looked at before both sides have proved that they know the topology's
//! secret. Two workers have one connection, which both directions share.
//!
//! **Not here:** who sends what to whom (`transfer`, `executor::exchange`).

pub(crate) mod batch;
pub(crate) mod connector;
pub(crate) mod frame;
mod greeting;
pub(crate) mod hello;
pub(crate) mod line;
