//! Storm's shell spout and shell bolt, as Flux names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FLUX_SHELL_BOLT, FLUX_SHELL_SPOUT};
use crate::bolt::{Bolt, BoltHandle, Collector};
use crate::component::{Declarer, Result, TaskContext};
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::Register;
use crate::tuple::Tuple;

pub(super) fn add_to(register: &mut Register) {
    register.add(FLUX_SHELL_SPOUT, |args: ShellArgs| NotYet::<true>(args));
    register.add(FLUX_SHELL_BOLT, |args: ShellArgs| NotYet::<false>(args));
}

/// Why nothing runs.
const NOT_YET: &str =
    "this build does not run shell components yet: run the topology on Apache Storm";

/// Declares what a shell component would, and refuses to run.
struct NotYet<const SPOUT: bool>(ShellArgs);

impl ShellArgs {
    fn declare(&self, declare: &mut Declarer) {
        for (name, ShellStream { fields, direct }) in &self.streams {
            let fields: crate::tuple::Fields = fields.iter().map(String::as_str).collect();
            match direct {
                true => declare.direct(name.as_str(), fields),
                false => declare.output_to(name.as_str(), fields),
            };
        }
    }
}

impl Spout for NotYet<true> {
    fn declare(&self, declare: &mut Declarer) {
        self.0.declare(declare);
    }

    fn open(&mut self, _context: &TaskContext) -> Result {
        Err(NOT_YET.into())
    }

    fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
        Ok(Next::Idle)
    }
}

impl Bolt for NotYet<false> {
    fn declare(&self, declare: &mut Declarer) {
        self.0.declare(declare);
    }

    fn prepare(&mut self, _context: &TaskContext, _handle: BoltHandle) -> Result {
        Err(NOT_YET.into())
    }

    fn execute(&mut self, _tuple: Tuple, _out: &mut Collector) -> Result {
        Ok(())
    }
}

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
