//! The services that a channel can speak.

use crate::conf::keys;

/// A service, or several on one port.
pub trait Service: 'static {
    /// What its daemon is called in messages.
    const DAEMON: &'static str;
    /// The key of the largest message that its daemon takes.
    const FRAME_KEY: &'static str;
}

/// Nimbus, with what this engine's Nimbus takes from supervisors besides.
#[derive(Clone, Copy, Debug)]
pub enum Nimbus {}

/// A supervisor, with what this engine's supervisor takes from workers besides.
#[derive(Clone, Copy, Debug)]
pub enum Supervisor {}

/// A DRPC server, as callers see it.
#[derive(Clone, Copy, Debug)]
pub enum Drpc {}

/// A DRPC server, as workers see it.
#[derive(Clone, Copy, Debug)]
pub enum DrpcInvocations {}

impl Service for Nimbus {
    const DAEMON: &'static str = "Nimbus";
    const FRAME_KEY: &'static str = keys::NIMBUS_MAX_BUFFER_SIZE.name;
}

impl Service for Supervisor {
    const DAEMON: &'static str = "the supervisor";
    const FRAME_KEY: &'static str = keys::SUPERVISOR_MAX_BUFFER_SIZE.name;
}

impl Service for Drpc {
    const DAEMON: &'static str = "the DRPC server";
    const FRAME_KEY: &'static str = keys::DRPC_MAX_BUFFER_SIZE.name;
}

impl Service for DrpcInvocations {
    const DAEMON: &'static str = "the DRPC server";
    const FRAME_KEY: &'static str = keys::DRPC_MAX_BUFFER_SIZE.name;
}
