//! A supervisor: owns the slots of a machine and keeps a worker process in each that is assigned.
//!
//! ```text
//!   shared state ◀── state_watch ──▶ board ──▶ gate ──▶ workers        orders
//!                         │                     │ ▲────── workers        reports
//!                         ▼                     ▼ └────── Nimbus         assignments
//!                       slots (one driver) ◀────┘──▶ uplink ──▶ Nimbus   reports, heartbeats
//!                         │  slot (pure)
//!                         └──▶ localizer, workers
//! ```
//!
//! **Invariants.** Workers outlive their supervisor: it finds them again, whenever it was killed.
//! A process is only signalled when its pid and the time of its start are those of a worker of
//! this supervisor. Without anything to do it sleeps, but for its sign of life.
//!
//! **Not here:** which executor runs where, which Nimbus decides; what a worker does.

mod blobs;
mod board;
mod gate;
mod layout;
mod local_state;
mod localizer;
mod metrics;
mod settings;
pub mod slot;
mod slots;
mod start;
mod state_watch;
mod uplink;
mod workers;

pub use local_state::LocalStateError;
pub use localizer::LocalizeError;
pub use start::{Supervisor, SupervisorError, SupervisorHandle, SupervisorView};
pub use workers::{LaunchError, Programs};
