//! One YAML file of keys and values, read within bounds, each value with its line.
//!
//! **Invariants.** Nothing is reserved for what a file only announces: its size is checked first,
//! and depth, nodes and aliases are bounded while it is read. A key stands in a file once.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde_json::Value;
use serde_saphyr::Spanned;

use super::layers::LayerError;

/// Largest file that is read, in bytes; Storm's own `defaults.yaml` has 16 thousand.
const MAX_BYTES: u64 = 1 << 20;
/// Deepest nesting.
const MAX_DEPTH: usize = 64;
/// Most scalars, lists and objects together.
const MAX_NODES: usize = 100_000;

/// A value and the line on which it stands, counted from 1.
pub(super) type Line = (Value, u32);

/// Reads a file whole.
pub(super) fn read_file(path: &Path) -> Result<String, LayerError> {
    let unreadable = |source| LayerError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(LayerError::TooLarge { path: path.to_owned(), limit_bytes: MAX_BYTES });
    }
    let not_text = |_| LayerError::NotUtf8 { path: path.to_owned() };
    String::from_utf8(bytes).map_err(not_text)
}

/// The keys of a file; an empty file has none.
pub(super) fn parse(path: &Path, text: &str) -> Result<BTreeMap<String, Line>, LayerError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
        },
    };
    let parsed: Result<Option<BTreeMap<String, Spanned<Value>>>, _> =
        serde_saphyr::from_str_with_options(text, options);
    match parsed {
        Ok(keys) => {
            let keys = keys.unwrap_or_default();
            let line =
                |value: &Spanned<Value>| u32::try_from(value.referenced.line()).unwrap_or(u32::MAX);
            Ok(keys
                .into_iter()
                .map(|(key, value)| (key, (value.value.clone(), line(&value))))
                .collect())
        }
        Err(error) => {
            let line = error.location().map(|at| u32::try_from(at.line()).unwrap_or(u32::MAX));
            let why = error.without_snippet().to_string();
            let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
            Err(LayerError::NotYaml { path: path.to_owned(), line, why })
        }
    }
}
