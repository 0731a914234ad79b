//! What a class is made of, as JSON: constructor arguments, properties and references.
//!
//! A registered component takes one value, which serde reads. These are the forms that the same
//! arguments may have; the first that its constructor takes is used:
//!
//! | written | forms |
//! |---|---|
//! | nothing | nothing, then an object without keys |
//! | `constructorArgs` with one object | the object, then a list with it |
//! | `constructorArgs` with one other value | a list with it, then the value |
//! | `constructorArgs` with several values | the list of them |
//! | `properties`, or with one object in `constructorArgs` | one object with all of them |
//!
//! A component that others refer to is a value: that of its one argument, a list of several, or the
//! object of its properties; its class is only its name.
//!
//! **Invariants.** What references repeat is counted before it is copied.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::definition::{At, Bean, Object};
use super::error::Mistake;
use super::node::{Node, Yaml};
use super::place::Position;
use crate::conf::nearest;

/// Most values that all references may come to.
const MAX_VALUES: usize = 200_000;

/// The components that are referred to, made as they are asked for.
pub(super) struct Beans<'a> {
    beans: &'a [At<Bean>],
    made: BTreeMap<&'a str, (Json, usize)>,
    /// The components whose arguments are being made, from the outermost on.
    making: Vec<&'a str>,
    values: usize,
}

/// A mistake and where it stands.
pub(super) type Placed = (Position, Mistake);

impl<'a> Beans<'a> {
    pub fn new(beans: &'a [At<Bean>]) -> Self {
        Self { beans, made: BTreeMap::new(), making: Vec::new(), values: 0 }
    }

    /// What is wrong with components, whether or not anybody refers to them.
    pub fn check(&mut self) -> Vec<Placed> {
        let beans = self.beans;
        beans.iter().filter_map(|bean| self.refer(&bean.value.id, bean.at).err()).collect()
    }

    /// The forms that the arguments of an object may have, the likeliest first.
    ///
    /// # Errors
    /// A reference that leads nowhere, or arguments that do not go together.
    pub fn forms(&mut self, object: &'a Object) -> Result<Vec<Json>, Placed> {
        let mut args = self.resolve_all(&object.constructor, object.file)?;
        if object.properties.is_empty() {
            return Ok(match args.len() {
                0 => vec![Json::Null, Json::Object(Map::new())],
                1 if args[0].is_object() => vec![args[0].clone(), args.into()],
                1 => vec![args.clone().into(), args.swap_remove(0)],
                _ => vec![args.into()],
            });
        }
        Ok(vec![self.with_properties(args, object)?])
    }

    fn with_properties(&mut self, args: Vec<Json>, object: &'a Object) -> Result<Json, Placed> {
        let mut all = match <[Json; 1]>::try_from(args) {
            Ok([Json::Object(map)]) => map,
            Err(args) if args.is_empty() => Map::new(),
            _ => {
                let class = object.class.value.clone();
                return Err((object.class.at, Mistake::Mixed { class }));
            }
        };
        for property in &object.properties {
            let value = self.resolve(&property.value, object.file)?;
            all.insert(property.name.clone(), value);
        }
        Ok(Json::Object(all))
    }

    /// Values with what they refer to.
    ///
    /// # Errors
    /// A reference that leads nowhere.
    pub fn resolve_all(&mut self, nodes: &'a [Node], file: usize) -> Result<Vec<Json>, Placed> {
        nodes.iter().map(|node| self.resolve(node, file)).collect()
    }

    fn resolve(&mut self, node: &'a Node, file: usize) -> Result<Json, Placed> {
        let at = |node: &Node| Position { file, line: node.line, column: node.column };
        self.count(1, at(node))?;
        match &node.value {
            Yaml::List(list) => Ok(self.resolve_all(list, file)?.into()),
            Yaml::Map(entries) => match &**entries {
                [one] if one.key == "ref" => match &one.value.value {
                    Yaml::Text(id) => self.refer(id, at(&one.value)),
                    other => Err((at(&one.value), no_id("ref", other))),
                },
                [one] if one.key == "reflist" => match &one.value.value {
                    Yaml::List(ids) => {
                        let each = ids.iter().map(|id| match &id.value {
                            Yaml::Text(text) => self.refer(text, at(id)),
                            other => Err((at(id), no_id("an id of a reflist", other))),
                        });
                        each.collect()
                    }
                    other => {
                        let (what, found) = ("reflist".to_owned(), other.kind());
                        let wanted = "a list of ids of components";
                        Err((at(&one.value), Mistake::Kind { what, wanted, found, hint: "" }))
                    }
                },
                entries => {
                    let pairs = entries
                        .iter()
                        .map(|one| Ok((one.key.clone(), self.resolve(&one.value, file)?)));
                    Ok(Json::Object(pairs.collect::<Result<_, Placed>>()?))
                }
            },
            _ => Ok(node.to_json()),
        }
    }

    fn count(&mut self, more: usize, at: Position) -> Result<(), Placed> {
        self.values += more;
        match self.values {
            values if values > MAX_VALUES => Err((at, Mistake::Repeated { limit: MAX_VALUES })),
            _ => Ok(()),
        }
    }

    fn refer(&mut self, id: &str, at: Position) -> Result<Json, Placed> {
        if let Some(size) = self.made.get(id).map(|(_, size)| *size) {
            self.count(size, at)?;
            return Ok(self.made[id].0.clone());
        }
        let Some(bean) = self.beans.iter().find(|bean| bean.value.id == id) else {
            let ids = self.beans.iter().map(|bean| bean.value.id.as_str());
            let nearest = nearest(id, ids).map(str::to_owned);
            return Err((at, Mistake::UnknownRef { id: id.to_owned(), nearest }));
        };
        let own = bean.value.id.as_str();
        if let Some(first) = self.making.iter().position(|one| *one == own) {
            let path = self.making[first..].iter().copied().chain([own]).collect::<Vec<_>>();
            let mistake = Mistake::RefCycle { id: own.to_owned(), path: path.join(" > ") };
            return Err((at, mistake));
        }
        self.making.push(own);
        let before = self.values;
        let value = self.value(&bean.value.object);
        self.making.pop();
        let value = value?;
        self.made.insert(own, (value.clone(), self.values - before));
        Ok(value)
    }

    /// What a component is that is referred to.
    fn value(&mut self, object: &'a Object) -> Result<Json, Placed> {
        if let Some(method) = object.methods.first() {
            let class = object.class.value.clone();
            return Err((method.name.at, Mistake::NoMethods { class }));
        }
        let mut args = self.resolve_all(&object.constructor, object.file)?;
        match (&*object.properties, args.len()) {
            ([], 0) => Ok(Json::Object(Map::new())),
            ([], 1) => Ok(args.swap_remove(0)),
            ([], _) => Ok(args.into()),
            _ => self.with_properties(args, object),
        }
    }
}

fn no_id(what: &str, found: &Yaml) -> Mistake {
    let wanted = "a text, the id of a component";
    Mistake::Kind { what: what.to_owned(), wanted, found: found.kind(), hint: "" }
}
