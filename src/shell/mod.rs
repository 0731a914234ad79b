//! Spouts and bolts in other languages: a child process for each task, with which Storm's multilang
//! protocol is spoken over its standard input and output (`docs/multilang.md`).
//!
//! ```text
//!   bolt, spout ── host ── child ── outbox ──▶ stdin    one thread: the executor's, woken by the
//!                                ◀── reader ◀─ stdout   pipes as by anything else
//!                             minder ◀──────── stderr   a thread that sleeps
//! ```
//!
//! **Invariants.** An executor never waits for a child. A child that fails takes nothing with it but
//! the tuples that it held. What a child sends is bounded before it is stored. No child outlives the
//! process that started it, as far as the system helps (`process`).
//!
//! **Runs on** the executor's thread, and a thread per child for its standard error.
//!
//! **Not here:** how messages are written and read (`multilang`).

mod backoff;
mod bolt;
mod child;
mod error;
mod greeting;
mod host;
mod liveness;
mod log;
mod outbox;
mod pending;
mod process;
mod settings;
mod spec;
mod spout;
mod stderr;
#[cfg(test)]
mod thrift;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value as Json;

pub use bolt::ShellBolt;
pub use error::{CommandLine, End, Fault, ShellError};
pub use spout::ShellSpout;

use spec::{Output, Spec};

use crate::id::DEFAULT_STREAM;
use crate::topology::{
    AnyComponent, IntoBolt, IntoSpout, Named, Register, SHELL_BOLT, SHELL_SPOUT,
};

macro_rules! described {
    ($type:ident) => {
        impl $type {
            /// A component that this command runs: a program, found as a shell would, and its
            /// arguments.
            pub fn new<W: Into<String>>(argv: impl IntoIterator<Item = W>) -> Self {
                let argv = argv.into_iter().map(Into::into).collect();
                Self { spec: Arc::new(Spec { argv, ..Spec::default() }), task: None }
            }

            /// Declares the default stream with these fields.
            #[must_use]
            pub fn output<F: Into<String>>(self, fields: impl IntoIterator<Item = F>) -> Self {
                self.stream(DEFAULT_STREAM.to_owned(), fields, false)
            }

            /// Declares a named stream with these fields.
            #[must_use]
            pub fn output_stream<F: Into<String>>(
                self,
                stream: impl Into<String>,
                fields: impl IntoIterator<Item = F>,
            ) -> Self {
                self.stream(stream.into(), fields, false)
            }

            /// Declares a named stream that is emitted to tasks by number.
            #[must_use]
            pub fn direct_stream<F: Into<String>>(
                self,
                stream: impl Into<String>,
                fields: impl IntoIterator<Item = F>,
            ) -> Self {
                self.stream(stream.into(), fields, true)
            }

            /// Sets a variable of the child's environment; `PATH` is appended to this process' own.
            #[must_use]
            pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.spec_mut().env.insert(name.into(), value.into());
                self
            }

            /// Where the child runs. A relative path is seen from the resources that were submitted
            /// with the topology, or from where this process is if there are none; those are also
            /// where it runs if nothing is said.
            #[must_use]
            pub fn directory(mut self, path: impl Into<PathBuf>) -> Self {
                self.spec_mut().directory = Some(path.into());
                self
            }

            /// The framing to speak in: `json`, `msgpack`, `binary`, or what else
            /// `topology.multilang.serializer` takes. A child that does not know the framing goes on
            /// in JSON.
            #[must_use]
            pub fn serializer(self, name: impl Into<String>) -> Self {
                self.conf("topology.multilang.serializer", name.into())
            }

            /// Sets a configuration key for this component; the builder's own setting wins.
            #[must_use]
            pub fn conf(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
                self.spec_mut().conf.insert(key.into(), value.into());
                self
            }

            fn stream<F: Into<String>>(
                mut self,
                stream: String,
                fields: impl IntoIterator<Item = F>,
                direct: bool,
            ) -> Self {
                let fields = fields.into_iter().map(Into::into).collect();
                self.spec_mut().outputs.push(Output { stream, fields, direct });
                self
            }

            fn spec_mut(&mut self) -> &mut Spec {
                Arc::make_mut(&mut self.spec)
            }
        }
    };
}

/// Another task's, which has no child yet.
macro_rules! cloned {
    ($type:ident) => {
        impl Clone for $type {
            fn clone(&self) -> Self {
                Self { spec: self.spec.clone(), task: None }
            }
        }
    };
}

cloned!(ShellBolt);
cloned!(ShellSpout);
described!(ShellBolt);
described!(ShellSpout);

/// Tells the implementations of [`IntoBolt`] and [`IntoSpout`] apart.
#[doc(hidden)]
pub struct OfShell;

impl IntoBolt<OfShell> for ShellBolt {
    fn into_component(self) -> AnyComponent {
        let named = Named::new(SHELL_BOLT).args(&*self.spec);
        bolt_of(self.spec).with_name(named)
    }
}

impl IntoSpout<OfShell> for ShellSpout {
    fn into_component(self) -> AnyComponent {
        let named = Named::new(SHELL_SPOUT).args(&*self.spec);
        spout_of(self.spec).with_name(named)
    }
}

fn bolt_of(spec: Arc<Spec>) -> AnyComponent {
    let make = move || bolt::Task::new(spec.clone());
    IntoBolt::<crate::topology::OfBolt>::into_component(make)
}

fn spout_of(spec: Arc<Spec>) -> AnyComponent {
    let make = move || spout::Task::new(spec.clone());
    IntoSpout::<crate::topology::OfSpout>::into_component(make)
}

/// Has a register know shell components, which a submitted topology has by their commands.
pub(crate) fn register(register: &mut Register) {
    register.add(SHELL_BOLT, |spec: Spec| bolt::Task::new(Arc::new(spec)));
    register.add(SHELL_SPOUT, |spec: Spec| spout::Task::new(Arc::new(spec)));
}
