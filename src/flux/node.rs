//! YAML as a tree of values that know where they stand.
//!
//! **Invariants.** Depth, nodes, aliases and what aliases repeat are bounded while a text is read,
//! so that the tree is never much larger than a file may be. A key stands in an object once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use serde_saphyr::{Location, Spanned};

use super::error::Mistake;

/// Deepest nesting.
pub(super) const MAX_DEPTH: usize = 64;
/// Most scalars, lists and objects of a file together.
pub(super) const MAX_NODES: usize = 100_000;
/// Most of them that aliases may repeat.
const MAX_REPEATED: usize = 100_000;

/// A value and its line and column.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub value: Yaml,
    pub line: usize,
    pub column: usize,
}

/// What YAML can say.
#[derive(Debug, Clone)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub line: usize,
    pub column: usize,
    pub value: Node,
}

impl Yaml {
    /// The kind of value, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        }
    }
}

impl Node {
    /// The same without places.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Yaml::Null => Json::Null,
            Yaml::Bool(truth) => (*truth).into(),
            Yaml::Number(number) => number.clone().into(),
            Yaml::Text(text) => text.as_str().into(),
            Yaml::List(list) => list.iter().map(Self::to_json).collect(),
            Yaml::Map(entries) => {
                let pairs = entries.iter().map(|one| (one.key.clone(), one.value.to_json()));
                Json::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }
}

/// Reads a text, which holds one document.
///
/// # Errors
/// Line and column, where they are known, and what is wrong.
pub(super) fn parse(text: &str) -> Result<Node, (usize, usize, Mistake)> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_REPEATED,
        },
        // As the YAML of Storm's parser has it.
        legacy_octal_numbers: true,
    };
    let parsed: Result<Option<Node>, _> = serde_saphyr::from_str_with_options(text, options);
    match parsed {
        Ok(Some(node)) => Ok(node),
        Ok(None) => Err((0, 0, Mistake::Empty)),
        Err(error) => {
            let at = error.location();
            let (line, column) = at.map_or((0, 0), |at| position(&at));
            let why = error.without_snippet().to_string();
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            Err((line, column, Mistake::NotYaml { why: bare(&why).to_owned() }))
        }
    }
}

/// The parser's words without the position, which is told anyway, and without advice for programs.
fn bare(why: &str) -> &str {
    let why = why.rsplit_once(" at line ").map_or(why, |(before, _)| before);
    why.split(", set ").next().unwrap_or(why).trim_end_matches([',', ':'])
}

fn position(at: &Location) -> (usize, usize) {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    (number(at.line()), number(at.column()))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Yaml>::deserialize(deserializer)?;
        // An alias is told where its anchor stands: there is what would have to be changed.
        let (line, column) = position(&spanned.defined);
        Ok(Self { value: spanned.value, line, column })
    }
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Yaml, E> {
        Ok(Yaml::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Yaml, E> {
        Ok(Yaml::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Yaml, E> {
        let number = Number::from_f64(number);
        number.map(Yaml::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Yaml, E> {
        Ok(Yaml::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = access.next_element()? {
            list.push(node);
        }
        Ok(Yaml::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<Spanned<String>>()? {
            let (line, column) = position(&key.defined);
            let value = access.next_value()?;
            entries.push(Entry { key: key.value, line, column, value });
        }
        Ok(Yaml::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_where_they_stand() {
        let node = parse("a: 1\nb:\n  - yes\n  - {c: 'x'}\n").expect("it is YAML");
        let Yaml::Map(entries) = &node.value else { panic!("{node:?}") };
        assert_eq!((entries[1].line, entries[1].column), (2, 1));
        let Yaml::List(list) = &entries[1].value.value else { panic!("{node:?}") };
        assert_eq!((list[0].line, list[0].column), (3, 5));
        let Yaml::Map(inner) = &list[1].value else { panic!("{node:?}") };
        assert_eq!((inner[0].value.line, inner[0].value.column), (4, 9));
        assert_eq!(node.to_json(), serde_json::json!({"a": 1, "b": [true, {"c": "x"}]}));
    }

    #[test]
    fn merges_and_aliases_are_told_where_their_anchor_stands() {
        let node = parse("x: &x {a: 1}\ny:\n  <<: *x\n  b: 2\n").expect("it is YAML");
        assert_eq!(node.to_json()["y"], serde_json::json!({"a": 1, "b": 2}));
        let Yaml::Map(entries) = &node.value else { panic!("{node:?}") };
        let Yaml::Map(merged) = &entries[1].value.value else { panic!("{node:?}") };
        let a = merged.iter().find(|entry| entry.key == "a").expect("it was merged");
        assert_eq!(a.value.line, 1);
    }

    #[track_caller]
    fn check_refused(text: &str, line: usize, part: &str) {
        let (at, _, mistake) = parse(text).expect_err("it is refused");
        assert!(mistake.to_string().contains(part), "{mistake}");
        assert_eq!(at, line, "{mistake}");
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_line() {
        check_refused("a: 1\nb: [\n", 2, "");
        check_refused("a: 1\na: 2\n", 2, "duplicate");
        check_refused("", 0, "empty");
        check_refused("a: *nowhere\n", 1, "");
    }

    #[test]
    fn bombs_are_refused_quickly() {
        check_refused(&"[".repeat(100_000), 1, "");
        let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert!(parse(&laughs).is_err());
        assert!(parse(&"- x\n".repeat(MAX_NODES + 1)).is_err());
    }
}
