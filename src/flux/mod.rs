//! Topologies in YAML, as Storm's Flux writes them.
//!
//! ```text
//!   file ─▶ load ─▶ substitute ─▶ node ─▶ definition ─▶ build ─▶ Topology
//!            ▲        ${…}        YAML     what it says    │
//!            └── includes                                  └─ register, arguments, shell
//! ```
//!
//! [`Flux::read`] reads a file and its includes, [`Flux::build`] makes a topology of it, whose
//! components a [`Register`] knows by their class names. docs/flux.md has every key.
//!
//! **Invariants.** Every mistake is told at once, with file, line and column as its author sees
//! them. Whatever a file holds, what is made of it is bounded: bytes, depth, values, what aliases
//! and references repeat, files that are included. Nothing is read but the files that are named.
//!
//! **Not here:** the environment and the command line (`app`), the components (`builtin`).

mod arguments;
mod build;
mod definition;
mod error;
mod load;
mod node;
mod place;
mod properties;
mod shell;
mod substitute;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use nimbus_client::TopologyName;

pub use error::{FluxError, FluxErrors, Mistake};
pub use place::Place;
pub use properties::parse_properties;
pub use substitute::Filter;

use crate::conf::Conf;
use crate::topology::{Register, Topology};
use definition::Definition;
use load::{Loader, of_file, read_file, resource_path, told};
use place::Sources;

/// Name of the folder beside a file in which its resources are looked for.
pub const RESOURCES: &str = "resources";

/// How a file is read.
#[derive(Clone, Debug, Default)]
pub struct FluxOptions {
    /// What `${…}` is replaced by.
    pub filter: Filter,
    /// The folder of resources; without it the folder `resources` beside the file, if there is one.
    pub resources: Option<PathBuf>,
    /// Whether the file itself is looked for among the resources.
    pub is_resource: bool,
}

/// A topology as a file of YAML describes it.
#[derive(Debug)]
pub struct Flux {
    definition: Definition,
    name: String,
    sources: Sources,
    remarks: Vec<FluxError>,
    resources: Option<PathBuf>,
}

impl Flux {
    /// Reads a file and what it includes.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(path: &Path, options: &FluxOptions) -> Result<Self, FluxErrors> {
        let path = match options.is_resource {
            true => resource_path(&path.to_string_lossy(), options.resources.as_deref())
                .map_err(|mistake| of_file(path, mistake))?,
            false => path.to_owned(),
        };
        let text = read_file(&path).map_err(|mistake| of_file(&path, mistake))?;
        Self::parse(&path, text, options)
    }

    /// Reads a text as if it stood in a file at `path`, and what it includes.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn parse(path: &Path, text: String, options: &FluxOptions) -> Result<Self, FluxErrors> {
        let resources = options.resources.clone().or_else(|| {
            let beside = path.parent()?.join(RESOURCES);
            beside.is_dir().then_some(beside)
        });
        let mut loader = Loader::new(&options.filter, resources.as_deref());
        let definition = loader.load(path, text, &mut Vec::new());
        let Loader { sources, mut mistakes, mut remarks, .. } = loader;
        let mut name = String::new();
        match &definition.name {
            Some(given) => match TopologyName::new(given.value.as_str()) {
                Ok(accepted) => name = accepted.as_str().to_owned(),
                Err(error) => mistakes.push((Some(given.at), Mistake::Name(error))),
            },
            // A file that cannot be read has not said its name either.
            None if mistakes.is_empty() => mistakes.push((None, Mistake::NoName)),
            None => {}
        }
        if !mistakes.is_empty() {
            return Err(FluxErrors(told(&sources, mistakes)));
        }
        let again = build::remarks(&definition);
        remarks.extend(again.into_iter().map(|(at, remark)| (Some(at), remark)));
        let remarks = told(&sources, remarks);
        Ok(Self { definition, name, sources, remarks, resources })
    }

    /// The topology's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is allowed but deserves a look, such as a `${…}` that was not replaced.
    pub fn remarks(&self) -> &[FluxError] {
        &self.remarks
    }

    /// The folder of what the components' children need, if there is one.
    pub fn resources(&self) -> Option<&Path> {
        self.resources.as_deref()
    }

    /// The topology, its components made by `register`; `conf` counts over what the file sets.
    ///
    /// It may travel: the children of its shell components run where their worker has the topology's
    /// resources.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn build(&self, register: &Register, conf: &Conf) -> Result<Topology, FluxErrors> {
        self.build_in(None, register, conf)
    }

    /// As [`build`](Self::build), to be run in this process: the children of shell components run in
    /// the folder of resources, if there is one.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn build_here(&self, register: &Register, conf: &Conf) -> Result<Topology, FluxErrors> {
        // A child is started in it, so that it must mean the same from everywhere.
        let resources = self.resources.as_ref().and_then(|folder| std::path::absolute(folder).ok());
        self.build_in(resources.as_deref(), register, conf)
    }

    fn build_in(
        &self,
        directory: Option<&Path>,
        register: &Register,
        conf: &Conf,
    ) -> Result<Topology, FluxErrors> {
        build::build(&self.definition, register, conf, directory)
            .map_err(|mistakes| FluxErrors(told(&self.sources, mistakes)))
    }
}
