//! Contexts: addresses of Nimbus by name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nimbus_client::client::{Address, AddressError};
use serde::Deserialize;

/// Largest file of contexts, in bytes.
const MAX_CONTEXTS_BYTES: u64 = 1 << 20;

/// Named addresses of Nimbus, from a file:
///
/// ```yaml
/// current: staging
/// contexts:
///   staging: { nimbus: storm.example.org }
///   production: { nimbus: "nimbus.example.org:6627" }
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contexts {
    /// The context that counts when none is named.
    current: Option<String>,
    #[serde(default)]
    contexts: BTreeMap<String, Context>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    nimbus: String,
}

/// Why a context gives no address.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The file cannot be used.
    #[error("cannot read the contexts in {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no context of that name.
    #[error("there is no context {name} in {}", path.display())]
    Unknown {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The context's address is none.
    #[error("the context {name} in {}: {source}", path.display())]
    NoAddress {
        /// The context.
        name: String,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: AddressError,
    },
}

impl ContextError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { known, name, .. } if !known.is_empty() => {
                let near = nimbus_client::conf::nearest(name, known.iter().map(String::as_str));
                match near {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there are {}", known.join(", ")),
                }
            }
            _ => "the file has the form `contexts: {NAME: {nimbus: \"host:port\"}}`".to_owned(),
        }
    }
}

impl Contexts {
    /// The address of the named context, else of the current one, else none.
    ///
    /// # Errors
    /// A file that cannot be used, and a name that is not in it. No file is fine without a name.
    pub fn resolve(
        path: &Path,
        name: Option<&str>,
    ) -> Result<Option<(String, Address)>, ContextError> {
        let contexts = match Self::read(path) {
            Ok(contexts) => contexts,
            Err(None) if name.is_none() => return Ok(None),
            Err(None) => Self::default(),
            Err(Some(why)) => return Err(ContextError::Unreadable { path: path.to_owned(), why }),
        };
        let Some(name) = name.or(contexts.current.as_deref()) else { return Ok(None) };
        let Some(context) = contexts.contexts.get(name) else {
            let known = contexts.contexts.keys().cloned().collect();
            return Err(ContextError::Unknown {
                name: name.to_owned(),
                path: path.to_owned(),
                known,
            });
        };
        match context.nimbus.parse() {
            Ok(address) => Ok(Some((name.to_owned(), address))),
            Err(source) => Err(ContextError::NoAddress {
                name: name.to_owned(),
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// `Err(None)` when there is no file.
    fn read(path: &Path) -> Result<Self, Option<String>> {
        use std::io::Read;
        let mut text = String::new();
        match std::fs::File::open(path) {
            Ok(file) => file.take(MAX_CONTEXTS_BYTES).read_to_string(&mut text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(None),
            Err(error) => Err(error),
        }
        .map_err(|error| Some(error.to_string()))?;
        let parsed: Result<Option<Self>, _> = serde_saphyr::from_str(&text);
        parsed.map(Option::unwrap_or_default).map_err(|error| {
            let told = error.without_snippet().to_string();
            Some(told.split_whitespace().collect::<Vec<_>>().join(" "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("it can be written");
        file
    }

    #[test]
    fn a_context_is_the_named_one_or_else_the_current_one() {
        let file =
            file("current: b\ncontexts:\n  a: { nimbus: one }\n  b: { nimbus: \"two:7\" }\n");
        let told = |name| {
            let (name, address) = Contexts::resolve(file.path(), name).unwrap().unwrap();
            format!("{name} {address}")
        };
        assert_eq!(told(Some("a")), "a one:6627");
        assert_eq!(told(None), "b two:7");
    }

    #[test]
    fn no_file_is_no_context_unless_one_is_named() {
        let gone = Path::new("/no/such/contexts.yaml");
        assert!(Contexts::resolve(gone, None).unwrap().is_none());
        assert!(matches!(Contexts::resolve(gone, Some("a")), Err(ContextError::Unknown { .. })));
        assert!(Contexts::resolve(file("").path(), None).unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_with_a_context_is_told_with_a_hint() {
        let file = file("contexts:\n  production: { nimbus: \"x:y\" }\n");
        let error = Contexts::resolve(file.path(), Some("prodution")).expect_err("misspelt");
        assert_eq!(error.hint(), "did you mean production?");
        let error = Contexts::resolve(file.path(), Some("production")).expect_err("no address");
        assert!(error.to_string().contains("'x:y' is no address"), "{error}");
        let broken = self::file("context:\n  a: 1\n");
        let error = Contexts::resolve(broken.path(), None).expect_err("unknown field");
        assert!(error.to_string().contains("cannot read the contexts in"), "{error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
}
