//! Components that every binary has: Storm's own under their Java names, and a few of ours.
//!
//! A topology in YAML names them as it would in Storm; `stormd` runs topologies that have no others.
//! docs/flux.md lists them with their arguments.
//!
//! **Not here:** how a file of YAML names them (`flux`).

mod lines;
mod log;
mod shell;
mod testing;
mod words;

pub use shell::{ShellArgs, ShellStream};

use crate::topology::Register;

/// Storm's spout that runs a child, as Flux names it.
pub const FLUX_SHELL_SPOUT: &str = crate::topology::FLUX_SHELL_SPOUT;
/// Storm's bolt that runs a child, as Flux names it.
pub const FLUX_SHELL_BOLT: &str = crate::topology::FLUX_SHELL_BOLT;

/// The built-in components, and nothing else.
pub fn register() -> Register {
    let mut register = Register::new();
    shell::add_to(&mut register);
    log::add_to(&mut register);
    testing::add_to(&mut register);
    words::add_to(&mut register);
    lines::add_to(&mut register);
    register
}
