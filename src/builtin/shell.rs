//! Storm's shell spout and shell bolt, as Flux names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FLUX_SHELL_BOLT, FLUX_SHELL_SPOUT};
use crate::shell::{ShellBolt, ShellSpout};
use crate::topology::Register;

pub(super) fn add_to(register: &mut Register) {
    register.add(FLUX_SHELL_SPOUT, |args: ShellArgs| spout(&args));
    register.add(FLUX_SHELL_BOLT, |args: ShellArgs| bolt(&args));
}

macro_rules! made {
    ($make:ident, $type:ident) => {
        fn $make(args: &ShellArgs) -> $type {
            let mut made = $type::new(args.command.iter().cloned());
            for (name, ShellStream { fields, direct }) in &args.streams {
                made = match direct {
                    true => made.direct_stream(name, fields.iter().cloned()),
                    false => made.output_stream(name, fields.iter().cloned()),
                };
            }
            for (name, value) in &args.env {
                made = made.env(name, value);
            }
            match std::env::current_dir() {
                // Of the worker, in which this is made.
                Ok(folder) if !args.change_directory => made.directory(folder),
                _ => made,
            }
        }
    };
}

made!(spout, ShellSpout);
made!(bolt, ShellBolt);

/// What a shell component is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellArgs {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The streams that it declares, by name.
    #[serde(default)]
    pub streams: BTreeMap<String, ShellStream>,
    /// Variables of the child's environment, beside what it inherits.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Whether the child runs in the folder of resources, else where its worker runs.
    #[serde(default = "yes")]
    pub change_directory: bool,
}

/// One stream of a shell component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellStream {
    /// Its fields.
    pub fields: Vec<String>,
    /// Whether it is emitted to tasks by number.
    #[serde(default)]
    pub direct: bool,
}

impl ShellArgs {
    /// A command without streams.
    pub fn new(command: Vec<String>) -> Self {
        Self { command, streams: BTreeMap::new(), env: BTreeMap::new(), change_directory: true }
    }
}

fn yes() -> bool {
    true
}
