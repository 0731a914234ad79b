//! Makes a topology of what a file says and of what is registered.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

use super::arguments::{Beans, Placed};
use super::definition::{At, Definition, Object, StreamDefinition, Vertex, nearest_ignoring_case};
use super::error::Mistake;
use super::place::Position;
use super::shell::{is_shell, shell};
use crate::component::ComponentError;
use crate::conf::{Conf, nearest};
use crate::topology::{
    CustomFactory, Grouping, IntoGrouping, Named, Register, Topology, TopologyBuilder,
    TopologyError,
};
use crate::tuple::Fields;

/// Storm's name of partial-key grouping, which Flux writes as a custom one.
const PARTIAL_KEY: &str = "org.apache.storm.grouping.PartialKeyGrouping";

/// Types of groupings: Storm's, and partial key under its own name.
const GROUPINGS: [&str; 9] = [
    "SHUFFLE",
    "FIELDS",
    "ALL",
    "GLOBAL",
    "NONE",
    "DIRECT",
    "LOCAL_OR_SHUFFLE",
    "CUSTOM",
    "PARTIAL_KEY",
];

/// A mistake, and its place where it has one.
type MaybePlaced = (Option<Position>, Mistake);

/// The topology; `conf` is set over what the file sets, and `directory` is where the children of
/// shell components run, if it does not travel.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn build(
    definition: &Definition,
    register: &Register,
    conf: &Conf,
    directory: Option<&Path>,
) -> Result<Topology, Vec<MaybePlaced>> {
    let beans = Beans::new(&definition.components);
    let mut maker = Maker { definition, register, beans, directory, mistakes: Vec::new() };
    let builder = maker.builder(conf);
    if !maker.mistakes.is_empty() {
        let placed = maker.mistakes.into_iter().map(|(at, mistake)| (Some(at), mistake));
        return Err(placed.collect());
    }
    builder.build().map_err(|errors| {
        let placed = errors
            .0
            .into_iter()
            .map(|error| (place_of(definition, &error), Mistake::Topology(Box::new(error))));
        placed.collect()
    })
}

/// What is allowed but deserves a look.
pub(super) fn remarks(definition: &Definition) -> Vec<Placed> {
    let mut seen = BTreeMap::new();
    let mut again = Vec::new();
    for stream in &definition.streams {
        let StreamDefinition { from, to, stream: id, .. } = &stream.value;
        let edge = (from.value.as_str(), to.value.as_str(), id.as_deref().unwrap_or("default"));
        if seen.insert(edge, ()).is_some() {
            let (from, to) = (from.value.clone(), to.value.clone());
            again.push((stream.at, Mistake::Again { from, to }));
        }
    }
    again
}

struct Maker<'a> {
    definition: &'a Definition,
    register: &'a Register,
    beans: Beans<'a>,
    directory: Option<&'a Path>,
    mistakes: Vec<Placed>,
}

impl<'a> Maker<'a> {
    fn builder(&mut self, conf: &Conf) -> TopologyBuilder {
        let mut builder = TopologyBuilder::with_register(self.register.clone());
        let definition = self.definition;
        for (key, value) in definition.conf().iter().chain(conf.as_map()) {
            builder.conf(key, value.clone());
        }
        // Also those that nobody refers to.
        let broken = self.beans.check();
        self.mistakes.extend(broken);
        self.check_ids();
        for spout in &definition.spouts {
            if let Some((named, own)) = self.vertex(&spout.value) {
                let Vertex { id, parallelism, tasks, .. } = &spout.value;
                let draft = builder.spout(id.as_str(), named).parallelism(*parallelism);
                let draft = tasks.iter().fold(draft, |draft, tasks| draft.tasks(*tasks));
                own.into_iter().fold(draft, |draft, (key, value)| draft.conf(&key, value));
            }
        }
        for bolt in &definition.bolts {
            let groupings = self.inputs(&bolt.value.id);
            if let Some((named, own)) = self.vertex(&bolt.value) {
                let Vertex { id, parallelism, tasks, .. } = &bolt.value;
                let draft = builder.bolt(id.as_str(), named).parallelism(*parallelism);
                let draft = tasks.iter().fold(draft, |draft, tasks| draft.tasks(*tasks));
                let draft =
                    own.into_iter().fold(draft, |draft, (key, value)| draft.conf(&key, value));
                groupings.into_iter().fold(draft, |draft, (from, stream, grouping)| {
                    draft.grouping((from, stream), grouping)
                });
            }
        }
        builder
    }

    /// Whether each stream has two ends, and each component one id.
    fn check_ids(&mut self) {
        let Definition { spouts, bolts, streams, .. } = self.definition;
        for bolt in bolts {
            if let Some(spout) = spouts.iter().find(|spout| spout.value.id == bolt.value.id) {
                let (id, line) = (bolt.value.id.clone(), spout.at.line);
                self.mistakes.push((bolt.at, Mistake::Duplicate { id, line }));
            }
        }
        let spout_ids = spouts.iter().map(|one| one.value.id.as_str());
        let bolt_ids: Vec<&str> = bolts.iter().map(|one| one.value.id.as_str()).collect();
        let all: Vec<&str> = spout_ids.clone().chain(bolt_ids.iter().copied()).collect();
        let unknown = |id: &At<String>, among: &[&str]| {
            let nearest = nearest(&id.value, among.iter().copied()).map(str::to_owned);
            let (id, at) = (id.value.clone(), id.at);
            (at, Mistake::UnknownId { id, known: known(&all), nearest })
        };
        for stream in streams.iter().map(|stream| &stream.value) {
            let StreamDefinition { from, to, .. } = stream;
            if !all.contains(&from.value.as_str()) {
                self.mistakes.push(unknown(from, &all));
            }
            if spout_ids.clone().any(|id| id == to.value) {
                self.mistakes.push((to.at, Mistake::ToSpout { id: to.value.clone() }));
            } else if !bolt_ids.contains(&to.value.as_str()) {
                self.mistakes.push(unknown(to, &bolt_ids));
                // A bolt that is there has its groupings looked at on its own account.
                let grouping = self.grouping(stream);
                self.mistakes.extend(grouping.err());
            }
        }
    }

    /// The registered component that a spout or bolt is, and its own configuration.
    fn vertex(&mut self, vertex: &'a Vertex) -> Option<(Named, Vec<(String, Json)>)> {
        let made = self.component(&vertex.object);
        let own = vertex.config.iter().map(|one| one.value.clone());
        match made {
            // What the file says of the component counts over what its object says of itself.
            Ok((named, conf)) => Some((named, conf.into_iter().chain(own).collect())),
            Err(mistake) => {
                self.mistakes.push(mistake);
                None
            }
        }
    }

    fn component(&mut self, object: &'a Object) -> Result<(Named, Vec<(String, Json)>), Placed> {
        let class = &object.class;
        if self.register.names().all(|name| name != class.value) {
            let names: Vec<&str> = self.register.names().collect();
            return Err((class.at, unknown_class(&class.value, &names)));
        }
        if is_shell(&class.value) {
            return shell(object, &mut self.beans, self.directory);
        }
        self.refuse_methods(object)?;
        let forms = self.beans.forms(object)?;
        let named = self.fitting(object, forms, |named| {
            self.register.resolve(named).map(|made| made.map(drop))
        })?;
        Ok((named, Vec::new()))
    }

    fn refuse_methods(&self, object: &Object) -> Result<(), Placed> {
        object.methods.first().map_or(Ok(()), |method| {
            let class = object.class.value.clone();
            Err((method.name.at, Mistake::NoMethods { class }))
        })
    }

    /// The first form of the arguments that the constructor takes.
    fn fitting(
        &self,
        object: &Object,
        forms: Vec<Json>,
        resolve: impl Fn(&Named) -> Option<Result<(), ComponentError>>,
    ) -> Result<Named, Placed> {
        let mut refused = None;
        for form in forms {
            let named = Named::new(object.class.value.as_str()).args(form);
            match resolve(&named) {
                Some(Err(why)) => {
                    // The likeliest form says best what is wrong.
                    refused.get_or_insert(why);
                }
                _ => return Ok(named),
            }
        }
        let class = object.class.value.clone();
        let why = refused.expect("there is a form");
        Err((object.class.at, Mistake::Arguments { class, why }))
    }

    /// The streams that a bolt takes.
    fn inputs(&mut self, bolt: &str) -> Vec<(&'a str, &'a str, Grouping)> {
        let definition = self.definition;
        let mut inputs = Vec::new();
        for stream in definition.streams.iter().filter(|stream| stream.value.to.value == bolt) {
            let StreamDefinition { from, stream: id, .. } = &stream.value;
            match self.grouping(&stream.value) {
                Ok(grouping) => {
                    let id = id.as_deref().unwrap_or("default");
                    inputs.push((from.value.as_str(), id, grouping));
                }
                Err(mistake) => self.mistakes.push(mistake),
            }
        }
        inputs
    }

    fn grouping(&mut self, stream: &'a StreamDefinition) -> Result<Grouping, Placed> {
        let kind = &stream.grouping;
        let lacks = |needs| {
            let grouping = kind.value.clone();
            (kind.at, Mistake::Grouping { grouping, needs })
        };
        let fields = || -> Fields { stream.args.iter().map(String::as_str).collect() };
        Ok(match kind.value.as_str() {
            "SHUFFLE" => Grouping::Shuffle,
            "ALL" => Grouping::All,
            "GLOBAL" => Grouping::Global,
            "NONE" => Grouping::None,
            "DIRECT" => Grouping::Direct,
            "LOCAL_OR_SHUFFLE" => Grouping::LocalOrShuffle,
            "FIELDS" | "PARTIAL_KEY" if stream.args.is_empty() => {
                return Err(lacks("args, a list of the fields that it groups by"));
            }
            "FIELDS" => Grouping::Fields(fields()),
            "PARTIAL_KEY" => Grouping::PartialKey(fields()),
            "CUSTOM" => match &stream.custom {
                Some(custom) => self.custom(custom)?,
                None => return Err(lacks("customClass, an object with a className")),
            },
            _ => {
                let name = kind.value.clone();
                let nearest = nearest_ignoring_case(&name, &GROUPINGS);
                let known = known(&GROUPINGS);
                return Err((kind.at, Mistake::UnknownGrouping { name, known, nearest }));
            }
        })
    }

    fn custom(&mut self, object: &'a Object) -> Result<Grouping, Placed> {
        self.refuse_methods(object)?;
        let class = &object.class;
        let forms = self.beans.forms(object)?;
        if class.value == PARTIAL_KEY {
            // Storm's constructor takes one object of fields, which is a list here.
            let mut lists = forms.into_iter().filter_map(|form| {
                let list = form.as_array()?.iter().map(|one| one.as_str().map(str::to_owned));
                list.collect::<Option<Vec<String>>>()
            });
            let fields = lists.find(|fields| !fields.is_empty());
            let takes = "the fields that it groups by, as one list of texts";
            let method = class.value.clone();
            let fields = fields.ok_or((class.at, Mistake::MethodArguments { method, takes }))?;
            return Ok(Grouping::PartialKey(fields.iter().map(String::as_str).collect()));
        }
        let names: Vec<&str> = self.register.grouping_names().collect();
        if !names.contains(&class.value.as_str()) {
            return Err((class.at, unknown_class(&class.value, &names)));
        }
        let named = self.fitting(object, forms, |named| {
            self.register.resolve_grouping(named).map(|made| made.map(drop))
        })?;
        Ok(Grouping::Custom(CustomFactory(named.into_grouping())))
    }
}

/// A class that nobody registered, and what to do about it.
fn unknown_class(class: &str, names: &[&str]) -> Mistake {
    let simple = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let simple_names: Vec<String> = names.iter().map(|name| simple(name)).collect();
    let written: Vec<&str> = simple_names.iter().map(String::as_str).collect();
    let nearest = nearest_ignoring_case(&simple(class), &written);
    let nearest = nearest.and_then(|found| names.iter().find(|name| simple(name) == found));
    if let Some(nearest) = nearest {
        return Mistake::UnknownClass {
            class: class.to_owned(),
            hint: format!("did you mean {nearest}?"),
        };
    }
    let is_built_in =
        |name: &&str| name.starts_with("org.apache.storm.") || name.starts_with("storm.");
    let own: Vec<&str> = names.iter().copied().filter(|name| !is_built_in(name)).collect();
    let java = if class.contains('.') { "a Java class cannot run here; " } else { "" };
    let registered = match &*own {
        [] => String::new(),
        own => format!("registered are {}; ", known(own)),
    };
    let hint = format!(
        "{java}{registered}docs/flux.md lists what is built in, and a topology binary registers more \
         with App::register"
    );
    Mistake::UnknownClass { class: class.to_owned(), hint }
}

/// Names in a row, not too many of them.
fn known(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names.len() {
        0 => "none".to_owned(),
        count if count > SHOWN => {
            format!("{} and {} more", names[..SHOWN].join(", "), count - SHOWN)
        }
        _ => names.join(", "),
    }
}

/// Where the cause of a topology's mistake stands.
fn place_of(definition: &Definition, error: &TopologyError) -> Option<Position> {
    use TopologyError as Error;
    let vertices = || definition.spouts.iter().chain(&definition.bolts);
    let vertex = |id: &str| vertices().find(|one| one.value.id == id).map(|one| one.at);
    let stream = |from: &str, to: &str, id: &str| {
        let of = |one: &&At<StreamDefinition>| {
            let stream = one.value.stream.as_deref().unwrap_or("default");
            one.value.from.value == from && one.value.to.value == to && stream == id
        };
        definition.streams.iter().rfind(of).map(|one| one.value.grouping.at)
    };
    match error {
        Error::UnknownStream { component, from, stream: id, .. }
        | Error::UnknownField { component, from, stream: id, .. }
        | Error::NoGroupingField { component, from, stream: id }
        | Error::NotDirect { component, from, stream: id }
        | Error::OnlyDirect { component, from, stream: id, .. } => {
            stream(from.as_str(), component.as_str(), id.as_str())
        }
        Error::Arguments { component, .. }
        | Error::WrongRole { component, .. }
        | Error::NotRegistered { component, .. } => {
            let found = vertices().find(|one| one.value.id == component.as_str());
            found.map(|one| one.value.object.class.at)
        }
        Error::DuplicateComponent { component }
        | Error::ReservedComponent { component }
        | Error::ReservedStream { component, .. }
        | Error::DuplicateStream { component, .. }
        | Error::DuplicateField { component, .. }
        | Error::TooManyFields { component, .. }
        | Error::Zero { component, .. } => vertex(component.as_str()),
        Error::Conf { component: None, error } => {
            definition.config.iter().find(|one| one.value.0 == error.key()).map(|one| one.at)
        }
        Error::Conf { component: Some(component), error } => {
            let found = vertices().find(|one| one.value.id == component.as_str())?;
            let key = found.value.config.iter().find(|one| one.value.0 == error.key());
            Some(key.map_or(found.at, |one| one.at))
        }
        _ => None,
    }
}
