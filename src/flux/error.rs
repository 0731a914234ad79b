//! What can be wrong with a topology in YAML, with its place and the way out.

use std::fmt;
use std::io;

use nimbus_client::TopologyNameError;

use super::place::Place;
use crate::component::ComponentError;
use crate::topology::TopologyError;

/// Everything that is wrong with a topology in YAML, in the order of its text.
#[derive(Debug)]
pub struct FluxErrors(pub Vec<FluxError>);

impl fmt::Display for FluxErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            [only] => only.fmt(out),
            errors => {
                write!(out, "the topology has {} mistakes:", errors.len())?;
                errors.iter().try_for_each(|error| write!(out, "\n{error}"))
            }
        }
    }
}

impl std::error::Error for FluxErrors {}

/// One mistake, or one remark, and where it stands.
///
/// Printed as `file:line:column: what is wrong`, and below it the line with a mark.
#[derive(Debug)]
pub struct FluxError {
    /// Where; none where the topology as a whole is meant.
    pub place: Option<Place>,
    /// What is wrong.
    pub mistake: Mistake,
    /// The line and a mark below it, where that helps.
    pub excerpt: Option<String>,
}

impl fmt::Display for FluxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(out, "{place}: ")?;
        }
        self.mistake.fmt(out)?;
        self.excerpt.iter().try_for_each(|excerpt| write!(out, "\n{excerpt}"))
    }
}

impl std::error::Error for FluxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.mistake)
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// A file cannot be read.
    #[error("{file} cannot be read: {source}")]
    Unreadable {
        /// Which one.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file has more than any topology needs.
    #[error("{file} has more than {limit_bytes} bytes, which no topology needs")]
    TooLarge {
        /// Which one.
        file: String,
        /// The limit.
        limit_bytes: usize,
    },
    /// A file is no text.
    #[error("{file} is not UTF-8")]
    NotUtf8 {
        /// Which one.
        file: String,
    },
    /// A file includes itself.
    #[error("{file} includes itself: {path}; take one of these includes away")]
    IncludeCycle {
        /// Which one.
        file: String,
        /// The files from it to itself.
        path: String,
    },
    /// There are too many includes.
    #[error("more than {limit} files are included: put some of them together")]
    TooManyIncludes {
        /// How many may be.
        limit: usize,
    },
    /// A resource is none.
    #[error(
        "{file} is looked for in the folder of resources, which it leaves: name a file below it, or \
         write resource: false"
    )]
    OutsideResources {
        /// What was written.
        file: String,
    },
    /// Substitution makes a text too large.
    #[error("the text has more than {limit_bytes} bytes after substitution")]
    Grown {
        /// The limit.
        limit_bytes: usize,
    },
    /// A replacement has several lines.
    #[error(
        "${{{name}}} has a line break, which a line of YAML cannot take: write it into the file"
    )]
    LineBreak {
        /// Its name.
        name: String,
    },
    /// A variable is not set.
    #[error("${{ENV-{name}}} is not replaced: the environment has no variable {name}")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// The environment is not used.
    #[error("${{ENV-{name}}} is not replaced: --env-filter would replace it by the environment's")]
    NoEnvironment {
        /// The variable.
        name: String,
    },
    /// A property is not set.
    #[error(
        "${{{name}}} is not replaced: no property has that name, set one with --set {name}=VALUE or \
         in a file with --filter FILE{}",
        did_you_mean(nearest)
    )]
    NoProperty {
        /// Its name.
        name: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// There is nothing in it.
    #[error("the file is empty: a topology needs a name, spouts, bolts and streams")]
    Empty,
    /// It is no YAML, or more of it than is read.
    #[error("this is no YAML that is read: {why}")]
    NotYaml {
        /// The parser's words.
        why: String,
    },
    /// A key that means nothing here.
    #[error("{of} has no key {key:?}: it may have {known}{}", did_you_mean(nearest))]
    UnknownKey {
        /// The key.
        key: String,
        /// What it stands in, with its article.
        of: &'static str,
        /// The keys that there are.
        known: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// Something must be said.
    #[error("{of} needs {key}")]
    MissingKey {
        /// The key.
        key: &'static str,
        /// What lacks it, with its article.
        of: &'static str,
    },
    /// A value of another kind.
    #[error("{what} must be {wanted}, and this is {found}{hint}")]
    Kind {
        /// What it is the value of.
        what: String,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
        /// What to do, where that is no matter of course.
        hint: &'static str,
    },
    /// A number that is too small or too large.
    #[error("{what} is {found}: it must be from {least} to {most}")]
    Range {
        /// What it is.
        what: String,
        /// What was written.
        found: i64,
        /// The smallest that can be.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// Two things share an id.
    #[error("{id} is declared twice, first in line {line}: give this one another id")]
    Duplicate {
        /// The id.
        id: String,
        /// The line of the other one.
        line: usize,
    },
    /// What only Java can do.
    #[error("{key} {why}")]
    OnlyJava {
        /// The key.
        key: &'static str,
        /// Why, and what to do.
        why: &'static str,
    },
    /// A grouping of no known type.
    #[error("there is no grouping {name:?}: it may be {known}{}", did_you_mean(nearest))]
    UnknownGrouping {
        /// What was written.
        name: String,
        /// The types that there are.
        known: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// A grouping lacks what it needs.
    #[error("{grouping} grouping needs {needs}")]
    Grouping {
        /// Its type.
        grouping: String,
        /// What it lacks.
        needs: &'static str,
    },
    /// A stream from or to nowhere.
    #[error("there is no spout or bolt {id:?}: there are {known}{}", did_you_mean(nearest))]
    UnknownId {
        /// What was written.
        id: String,
        /// The ids that there are.
        known: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// A stream into a spout.
    #[error("{id} is a spout, which takes no tuples: a stream goes to a bolt")]
    ToSpout {
        /// The spout.
        id: String,
    },
    /// A stream that is there already.
    #[error("{to} takes this stream of {from} twice: as in Storm, this last grouping counts")]
    Again {
        /// The emitter.
        from: String,
        /// The bolt.
        to: String,
    },
    /// A class that nobody registered.
    #[error("{class} is not registered: {hint}")]
    UnknownClass {
        /// The class.
        class: String,
        /// What to do, or what was probably meant.
        hint: String,
    },
    /// A component's arguments are not what it takes.
    #[error("the arguments of {class} cannot be used: {why}")]
    Arguments {
        /// The class.
        class: String,
        /// Why.
        why: ComponentError,
    },
    /// Two kinds of arguments that do not go together.
    #[error(
        "{class} has constructorArgs that are not one object, and properties: give both as one \
         object, or properties alone"
    )]
    Mixed {
        /// The class.
        class: String,
    },
    /// Methods of a component that has none.
    #[error(
        "{class} has no configMethods, which are methods of Java objects: give what they say as \
         properties or constructorArgs"
    )]
    NoMethods {
        /// The class.
        class: String,
    },
    /// A method that is not there.
    #[error("{class} has no method {name:?}: it has {known}{}", did_you_mean(nearest))]
    UnknownMethod {
        /// The class.
        class: String,
        /// What was written.
        name: String,
        /// The methods that there are.
        known: String,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// A method's arguments.
    #[error("{method} takes {takes}")]
    MethodArguments {
        /// The method, or what else is called with arguments.
        method: String,
        /// What it takes.
        takes: &'static str,
    },
    /// A reference to nothing.
    #[error("there is no component {id:?} to refer to{}", did_you_mean(nearest))]
    UnknownRef {
        /// What was written.
        id: String,
        /// The component that was probably meant.
        nearest: Option<String>,
    },
    /// A component that refers to itself.
    #[error("component {id} refers to itself: {path}")]
    RefCycle {
        /// The component.
        id: String,
        /// The components from it to itself.
        path: String,
    },
    /// References multiply what they refer to.
    #[error("references repeat components more than {limit} times over: write fewer of them")]
    Repeated {
        /// Values that may come of it.
        limit: usize,
    },
    /// A property has a value and a reference.
    #[error("a property has a value or a ref, not both")]
    ValueAndRef,
    /// The topology's name.
    #[error(transparent)]
    Name(#[from] TopologyNameError),
    /// There is no name.
    #[error("the topology has no name: begin the file with name: and a name")]
    NoName,
    /// What the topology's own checks say.
    #[error(transparent)]
    Topology(Box<TopologyError>),
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or(String::new(), |name| format!("; did you mean {name}?"))
}
