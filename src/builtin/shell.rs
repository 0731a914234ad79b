//! Storm's shell spout and shell bolt, as Flux names them.

use std::collections::BTreeMap;
use std::path::PathBuf;

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
            match (&args.directory, std::env::current_dir()) {
                (Some(folder), _) => made.directory(folder),
                // Of the worker, in which this is made.
                (None, Ok(folder)) if !args.change_directory => made.directory(folder),
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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Whether the child runs in the folder of resources, else where its worker runs.
    #[serde(default = "yes", skip_serializing_if = "is_usual")]
    pub change_directory: bool,
    /// Where the child runs, whatever else is said: of a topology that does not travel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
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
        Self {
            command,
            streams: BTreeMap::new(),
            env: BTreeMap::new(),
            change_directory: true,
            directory: None,
        }
    }
}

fn yes() -> bool {
    true
}

fn is_usual(change_directory: &bool) -> bool {
    *change_directory
}
