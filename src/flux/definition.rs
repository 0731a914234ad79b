//! What a file of Flux says, read from its YAML.
//!
//! **Invariants.** Every mistake of a file is told, not only the first; what has one is left out.
//! A key with nothing behind it counts as absent.

use serde_json::{Map, Value as Json};

use super::error::Mistake;
use super::node::{Entry, Node, Yaml};
use super::place::Position;
use crate::conf::nearest;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub value: T,
    pub at: Position,
}

/// One file, or several once their includes were merged.
#[derive(Debug, Default)]
pub(super) struct Definition {
    pub name: Option<At<String>>,
    pub config: Vec<At<(String, Json)>>,
    pub components: Vec<At<Bean>>,
    pub includes: Vec<At<Include>>,
    pub spouts: Vec<At<Vertex>>,
    pub bolts: Vec<At<Vertex>>,
    pub streams: Vec<At<StreamDefinition>>,
}

/// An object that others refer to.
#[derive(Clone, Debug)]
pub(super) struct Bean {
    pub id: String,
    pub object: Object,
}

/// A class and what an instance is made of.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub class: At<String>,
    /// The file in which the arguments stand.
    pub file: usize,
    pub constructor: Vec<Node>,
    pub properties: Vec<Property>,
    pub methods: Vec<Method>,
}

/// One property of an object.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub name: String,
    pub value: Node,
}

/// A call of a method after an object was made.
#[derive(Clone, Debug)]
pub(super) struct Method {
    pub name: At<String>,
    pub args: Vec<Node>,
}

/// A spout or a bolt.
#[derive(Clone, Debug)]
pub(super) struct Vertex {
    pub id: String,
    pub object: Object,
    pub parallelism: usize,
    pub tasks: Option<usize>,
    /// Its own configuration, resources among them.
    pub config: Vec<At<(String, Json)>>,
}

/// Another file whose contents count as this one's.
#[derive(Clone, Debug)]
pub(super) struct Include {
    pub file: String,
    pub resource: bool,
    pub overrides: bool,
}

/// An edge of the topology.
#[derive(Clone, Debug)]
pub(super) struct StreamDefinition {
    pub from: At<String>,
    pub to: At<String>,
    pub stream: Option<String>,
    pub grouping: At<String>,
    pub args: Vec<String>,
    pub custom: Option<Object>,
}

const TOPOLOGY: [&str; 9] = [
    "name",
    "config",
    "components",
    "includes",
    "spouts",
    "bolts",
    "streams",
    "workerHooks",
    "topologySource",
];
/// Begin of keys that anybody may use for what is only anchored there.
const FREE: &str = "x-";
const OBJECT: [&str; 6] =
    ["className", "constructorArgs", "properties", "configMethods", "factory", "factoryArgs"];
const VERTEX: [&str; 6] =
    ["parallelism", "numTasks", "onHeapMemoryLoad", "offHeapMemoryLoad", "cpuLoad", "config"];

/// What VERTEX sets for the scheduler, and the key that says it.
const LOADS: [(&str, &str); 3] = [
    ("onHeapMemoryLoad", "topology.component.resources.onheap.memory.mb"),
    ("offHeapMemoryLoad", "topology.component.resources.offheap.memory.mb"),
    ("cpuLoad", "topology.component.cpu.pcore.percent"),
];

/// Reads one file; `file` is its number.
pub(super) fn read(root: &Node, file: usize) -> (Definition, Vec<(Position, Mistake)>) {
    let mut reader = Reader { file, mistakes: Vec::new() };
    let definition = reader.topology(root);
    (definition, reader.mistakes)
}

struct Reader {
    file: usize,
    mistakes: Vec<(Position, Mistake)>,
}

/// An object of YAML whose keys are known.
#[derive(Clone, Copy)]
struct Keys<'n> {
    node: &'n Node,
    entries: &'n [Entry],
    of: &'static str,
}

impl<'n> Keys<'n> {
    fn get(&self, key: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|node| !matches!(node.value, Yaml::Null))
    }
}

impl Reader {
    fn at(&self, node: &Node) -> Position {
        Position { file: self.file, line: node.line, column: node.column }
    }

    fn at_key(&self, entry: &Entry) -> Position {
        Position { file: self.file, line: entry.line, column: entry.column }
    }

    fn tell(&mut self, at: Position, mistake: Mistake) {
        self.mistakes.push((at, mistake));
    }

    fn kind(&mut self, node: &Node, what: impl Into<String>, wanted: &'static str) {
        let hint = match (&node.value, wanted) {
            (Yaml::Number(_) | Yaml::Bool(_), "a text") => ": put it into quotes",
            _ => "",
        };
        let (what, found) = (what.into(), node.value.kind());
        self.tell(self.at(node), Mistake::Kind { what, wanted, found, hint });
    }

    /// The entries of an object, whose keys are all among the known ones or told.
    fn keys<'n>(
        &mut self,
        node: &'n Node,
        of: &'static str,
        known: &[&[&str]],
    ) -> Option<Keys<'n>> {
        let Yaml::Map(entries) = &node.value else {
            self.kind(node, of, "an object of keys and values");
            return None;
        };
        let known: Vec<&str> = known.iter().flat_map(|keys| keys.iter().copied()).collect();
        let is_known = |key: &str| known.contains(&key) || key.starts_with(FREE);
        for entry in entries.iter().filter(|entry| !is_known(&entry.key)) {
            let nearest = nearest_ignoring_case(&entry.key, &known);
            let (key, known) = (entry.key.clone(), known.join(", "));
            let mistake = Mistake::UnknownKey { key, of, known, nearest };
            self.tell(self.at_key(entry), mistake);
        }
        Some(Keys { node, entries, of })
    }

    fn topology(&mut self, root: &Node) -> Definition {
        let Some(keys) = self.keys(root, "a topology", &[&TOPOLOGY]) else {
            return Definition::default();
        };
        self.refuse(
            keys,
            "topologySource",
            "names a Java class that builds a topology, and there is no Java here: write its spouts, \
             bolts and streams here, or submit a topology binary",
        );
        if keys
            .get("workerHooks")
            .is_some_and(|node| !matches!(&node.value, Yaml::List(list) if list.is_empty()))
        {
            self.refuse(
                keys,
                "workerHooks",
                "are Java objects that a worker calls at its start and end: take them away, and do \
                 their work in a component's open or prepare, close or cleanup",
            );
        }
        let read = Definition {
            name: self.text(keys, "name"),
            config: self.config(keys),
            components: self.each(keys, "components", Self::bean),
            includes: self.each(keys, "includes", Self::include),
            spouts: self.each(keys, "spouts", |reader, node| reader.vertex(node, "a spout")),
            bolts: self.each(keys, "bolts", |reader, node| reader.vertex(node, "a bolt")),
            streams: self.each(keys, "streams", Self::stream),
        };
        self.once(&read.components, |one| &one.id);
        self.once(&read.spouts, |one| &one.id);
        self.once(&read.bolts, |one| &one.id);
        read
    }

    fn refuse(&mut self, keys: Keys<'_>, key: &'static str, why: &'static str) {
        if keys.get(key).is_some()
            && let Some(entry) = keys.entries.iter().find(|entry| entry.key == key)
        {
            self.tell(self.at_key(entry), Mistake::OnlyJava { key, why });
        }
    }

    /// Tells of every second element of an id.
    fn once<T>(&mut self, all: &[At<T>], id: fn(&T) -> &str) {
        for (index, one) in all.iter().enumerate() {
            if let Some(first) =
                all[..index].iter().find(|other| id(&other.value) == id(&one.value))
            {
                let (id, first) = (id(&one.value).to_owned(), first.at);
                self.tell(one.at, Mistake::Duplicate { id, line: first.line });
            }
        }
    }

    /// The elements of a list, without those that have mistakes.
    fn each<T>(
        &mut self,
        keys: Keys<'_>,
        key: &str,
        read: impl Fn(&mut Self, &Node) -> Option<T>,
    ) -> Vec<At<T>> {
        let list = self.list(keys, key);
        let read =
            list.iter().filter_map(|node| Some(At { value: read(self, node)?, at: self.at(node) }));
        read.collect()
    }

    fn list<'n>(&mut self, keys: Keys<'n>, key: &str) -> &'n [Node] {
        match keys.get(key).map(|node| (node, &node.value)) {
            None => &[],
            Some((_, Yaml::List(list))) => list,
            Some((node, _)) => {
                self.kind(node, key, "a list");
                &[]
            }
        }
    }

    fn text(&mut self, keys: Keys<'_>, key: &str) -> Option<At<String>> {
        let node = keys.get(key)?;
        let at = self.at(node);
        match &node.value {
            Yaml::Text(text) => Some(At { value: text.clone(), at }),
            // As Storm reads it where a text is wanted.
            Yaml::Number(number) if number.is_i64() => Some(At { value: number.to_string(), at }),
            _ => {
                self.kind(node, key, "a text");
                None
            }
        }
    }

    fn needed(&mut self, keys: Keys<'_>, key: &'static str) -> Option<At<String>> {
        if keys.get(key).is_none() {
            self.tell(self.at(keys.node), Mistake::MissingKey { key, of: keys.of });
        }
        self.text(keys, key)
    }

    fn truth(&mut self, keys: Keys<'_>, key: &str) -> bool {
        match keys.get(key).map(|node| (node, &node.value)) {
            None => false,
            Some((_, Yaml::Bool(truth))) => *truth,
            Some((node, _)) => {
                self.kind(node, key, "true or false");
                false
            }
        }
    }

    /// A count from `least` on; as in Storm, -1 is as good as nothing.
    fn count(&mut self, keys: Keys<'_>, key: &str, least: i64) -> Option<usize> {
        let node = keys.get(key)?;
        let number = match &node.value {
            Yaml::Number(number) => number.as_i64(),
            _ => None,
        };
        let Some(number) = number else {
            self.kind(node, key, "a whole number");
            return None;
        };
        let most = i64::from(i32::MAX);
        match number {
            -1 => None,
            number if (least..=most).contains(&number) => usize::try_from(number).ok(),
            found => {
                self.tell(
                    self.at(node),
                    Mistake::Range { what: key.to_owned(), found, least, most },
                );
                None
            }
        }
    }

    fn config(&mut self, keys: Keys<'_>) -> Vec<At<(String, Json)>> {
        match keys.get("config").map(|node| (node, &node.value)) {
            None => Vec::new(),
            Some((_, Yaml::Map(entries))) => entries
                .iter()
                .map(|one| At {
                    value: (one.key.clone(), one.value.to_json()),
                    at: self.at_key(one),
                })
                .collect(),
            Some((node, _)) => {
                self.kind(node, "config", "an object of keys and values");
                Vec::new()
            }
        }
    }

    fn bean(&mut self, node: &Node) -> Option<Bean> {
        let keys = self.keys(node, "a component", &[&["id"], &OBJECT])?;
        let id = self.needed(keys, "id");
        let object = self.object(keys)?;
        Some(Bean { id: id?.value, object })
    }

    fn vertex(&mut self, node: &Node, of: &'static str) -> Option<Vertex> {
        let keys = self.keys(node, of, &[&["id"], &OBJECT, &VERTEX])?;
        let id = self.needed(keys, "id");
        let object = self.object(keys);
        let mut config = Vec::new();
        for (key, name) in LOADS {
            if let Some(load) = self.count(keys, key, 0) {
                config.push(At { value: (name.to_owned(), load.into()), at: self.at(node) });
            }
        }
        config.extend(self.config(keys));
        Some(Vertex {
            parallelism: self.count(keys, "parallelism", 1).unwrap_or(1),
            tasks: self.count(keys, "numTasks", 1),
            id: id?.value,
            object: object?,
            config,
        })
    }

    fn object(&mut self, keys: Keys<'_>) -> Option<Object> {
        for key in ["factory", "factoryArgs"] {
            self.refuse(
                keys,
                key,
                "calls a static method of a Java class, and there is none here: give what it makes as \
                 constructorArgs or properties",
            );
        }
        let class = self.needed(keys, "className");
        let properties = self.each(keys, "properties", Self::property);
        let methods = self.each(keys, "configMethods", Self::method);
        Some(Object {
            class: class?,
            file: self.file,
            constructor: self.list(keys, "constructorArgs").to_vec(),
            properties: properties.into_iter().map(|property| property.value).collect(),
            methods: methods.into_iter().map(|method| method.value).collect(),
        })
    }

    fn property(&mut self, node: &Node) -> Option<Property> {
        let keys = self.keys(node, "a property", &[&["name", "value", "ref", "reflist"]])?;
        let name = self.needed(keys, "name")?;
        let is_reference = |key: &str| keys.get(key).is_some();
        let references = ["ref", "reflist"].into_iter().filter(|key| is_reference(key));
        let references: Vec<&str> = references.collect();
        let value = match (keys.get("value"), &*references) {
            // A property that is null is set to nothing.
            (value, []) => {
                let nothing = Node { value: Yaml::Null, line: node.line, column: node.column };
                value.cloned().unwrap_or(nothing)
            }
            (None, [_]) => {
                let entries = keys.entries.iter().filter(|entry| entry.key != "name");
                Node { value: Yaml::Map(entries.cloned().collect()), ..node.clone() }
            }
            _ => {
                self.tell(self.at(node), Mistake::ValueAndRef);
                return None;
            }
        };
        Some(Property { name: name.value, value })
    }

    fn method(&mut self, node: &Node) -> Option<Method> {
        let keys = self.keys(node, "a configMethod", &[&["name", "args"]])?;
        let name = self.needed(keys, "name")?;
        Some(Method { name, args: self.list(keys, "args").to_vec() })
    }

    fn include(&mut self, node: &Node) -> Option<Include> {
        let keys = self.keys(node, "an include", &[&["file", "resource", "override"]])?;
        let (resource, overrides) = (self.truth(keys, "resource"), self.truth(keys, "override"));
        Some(Include { file: self.needed(keys, "file")?.value, resource, overrides })
    }

    fn stream(&mut self, node: &Node) -> Option<StreamDefinition> {
        let keys = self.keys(node, "a stream", &[&["id", "name", "from", "to", "grouping"]])?;
        let (from, to) = (self.needed(keys, "from"), self.needed(keys, "to"));
        let Some(grouping) = keys.get("grouping") else {
            self.tell(self.at(node), Mistake::MissingKey { key: "grouping", of: "a stream" });
            return None;
        };
        let known: &[&[&str]] = &[&["type", "args", "streamId", "customClass"]];
        let keys = self.keys(grouping, "a grouping", known)?;
        let kind = self.needed(keys, "type");
        let args = self.each(keys, "args", Self::field);
        let custom = keys.get("customClass").and_then(|node| {
            let keys = self.keys(node, "a customClass", &[&["id"], &OBJECT])?;
            self.object(keys)
        });
        Some(StreamDefinition {
            stream: self.text(keys, "streamId").map(|stream| stream.value),
            args: args.into_iter().map(|arg| arg.value).collect(),
            custom,
            from: from?,
            to: to?,
            grouping: kind?,
        })
    }

    fn field(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Yaml::Text(text) => Some(text.clone()),
            _ => {
                self.kind(node, "a field", "a text");
                None
            }
        }
    }
}

/// The name that was probably meant, whatever its case.
pub(super) fn nearest_ignoring_case(written: &str, names: &[&str]) -> Option<String> {
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let found = nearest(&written.to_lowercase(), lower.iter().map(String::as_str))?;
    let at = lower.iter().position(|name| name == found)?;
    Some(names[at].to_owned())
}

impl Definition {
    /// Takes over what an included file says; where both say something, the include counts if it
    /// overrides.
    pub fn merge(&mut self, included: Self, overrides: bool) {
        if self.name.is_none() || (overrides && included.name.is_some()) {
            self.name = included.name;
        }
        merge(&mut self.config, included.config, overrides, |one| one.0.as_str());
        merge(&mut self.components, included.components, overrides, |one| one.id.as_str());
        merge(&mut self.spouts, included.spouts, overrides, |one| one.id.as_str());
        merge(&mut self.bolts, included.bolts, overrides, |one| one.id.as_str());
        self.streams.extend(included.streams);
    }

    /// The topology's configuration as one object.
    pub fn conf(&self) -> Map<String, Json> {
        self.config.iter().map(|one| one.value.clone()).collect()
    }
}

fn merge<T>(own: &mut Vec<At<T>>, included: Vec<At<T>>, overrides: bool, id: fn(&T) -> &str) {
    for other in included {
        match own.iter_mut().find(|one| id(&one.value) == id(&other.value)) {
            Some(one) if overrides => *one = other,
            Some(_) => {}
            None => own.push(other),
        }
    }
}
