//! Why the program could not do what it was asked for: one line, and what to do about it.

use std::io;

use crate::command::{
    BenchError, ConfigError, DownError, LogsError, SubmitError, TopologyError, UpError,
};
use crate::control::ControlError;
use crate::nimbus::NimbusError;
use crate::session::SessionError;
use crate::state::StateError;

/// What a command fails with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Data cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// The common options cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The daemon says no, or nothing.
    #[error("cannot ask the cluster: {0}")]
    Control(#[from] ControlError),
    /// `up` failed.
    #[error(transparent)]
    Up(#[from] UpError),
    /// `down` failed.
    #[error(transparent)]
    Down(#[from] DownError),
    /// Nimbus says no, or nothing.
    #[error(transparent)]
    Nimbus(#[from] NimbusError),
    /// A command about a topology failed.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// `submit` failed.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// `bench` failed.
    #[error(transparent)]
    Bench(#[from] BenchError),
    /// `logs` failed.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// `config` failed.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Error {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Output(_) => None,
            Self::Session(error) => Some(error.hint()),
            Self::State(error) => Some(error.hint()),
            Self::Control(error) => Some(error.hint()),
            Self::Up(error) => Some(error.hint()),
            Self::Down(error) => Some(error.hint()),
            Self::Nimbus(error) => Some(error.hint()),
            Self::Topology(error) => Some(error.hint()),
            Self::Submit(error) => Some(error.hint()),
            Self::Bench(error) => Some(error.hint()),
            Self::Logs(error) => Some(error.hint()),
            Self::Config(error) => Some(error.hint()),
        }
    }

    /// Whether the reader of our output has gone, which is its good right.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Whether the arguments are wrong rather than the world.
    pub fn is_about_arguments(&self) -> bool {
        match self {
            Self::Logs(error) => error.is_about_arguments(),
            Self::Topology(error) => error.is_about_arguments(),
            Self::Session(SessionError::Conf(_)) | Self::Config(_) => true,
            _ => false,
        }
    }
}
