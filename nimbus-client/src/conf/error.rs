//! What can be wrong with a conf: errors, which refuse it, and warnings, which do not.

use std::fmt;

use serde_json::Value;

/// Longest part of a wrong value that a message quotes, in characters.
const QUOTED_CHARS: usize = 80;

/// One value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfError {
    /// The value is not of the form the key asks for.
    #[error("{key}: found {found}, accepted is {accepted}")]
    WrongType {
        /// The key.
        key: String,
        /// The value as JSON, cut when it is long.
        found: String,
        /// What is accepted, in words.
        accepted: String,
    },
    /// The value has the right form but lies outside of what is accepted.
    #[error("{key}: found {found}, which is out of range: accepted is {accepted}")]
    OutOfRange {
        /// The key.
        key: String,
        /// The value as JSON, cut when it is long.
        found: String,
        /// What is accepted, in words.
        accepted: String,
    },
}

impl ConfError {
    /// A value of another form than the key asks for.
    pub fn wrong_type(key: &str, found: &Value, accepted: String) -> Self {
        Self::WrongType { key: key.to_owned(), found: quote(found), accepted }
    }

    /// A value of the right form outside of what is accepted.
    pub fn out_of_range(key: &str, found: &Value, accepted: String) -> Self {
        Self::OutOfRange { key: key.to_owned(), found: quote(found), accepted }
    }

    /// The key whose value is wrong.
    pub fn key(&self) -> &str {
        match self {
            Self::WrongType { key, .. } | Self::OutOfRange { key, .. } => key,
        }
    }
}

fn quote(value: &Value) -> String {
    let json = value.to_string();
    match json.char_indices().nth(QUOTED_CHARS) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json,
    }
}

/// All errors of one conf, at least one, in the order in which the keys are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfErrors(pub Vec<ConfError>);

impl fmt::Display for ConfErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfErrors {}

/// Something in a conf that is legal and probably not meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfWarning {
    /// A key that nobody knows, close to one that is known.
    Misspelt {
        /// The key as it is written.
        key: String,
        /// The known key next to it.
        nearest: &'static str,
    },
    /// A key that nobody knows in a namespace of Storm's, close to none.
    Unknown {
        /// The key as it is written.
        key: String,
    },
    /// A topology sets a key that only daemons and clients read; it is not heard.
    NotPerTopology {
        /// The key.
        key: &'static str,
    },
    /// A component sets a key that only the topology may set; it is not heard.
    NotPerComponent {
        /// The key.
        key: &'static str,
    },
}

impl fmt::Display for ConfWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misspelt { key, nearest } => {
                write!(f, "{key} is not a known key: did you mean {nearest}?")
            }
            Self::Unknown { key } => write!(f, "{key} is not a known key: nothing reads it"),
            Self::NotPerTopology { key } => {
                write!(f, "{key} is not heard from a topology: set it in the cluster's storm.yaml")
            }
            Self::NotPerComponent { key } => {
                write!(f, "{key} is not heard from a component: set it in the topology's conf")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_key_the_value_and_what_is_accepted() {
        let error =
            ConfError::wrong_type("topology.workers", &"many".into(), "a number".to_owned());
        assert_eq!(error.to_string(), r#"topology.workers: found "many", accepted is a number"#);
        assert_eq!(error.key(), "topology.workers");
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let long = "ü".repeat(500);
        let ConfError::WrongType { found, .. } =
            ConfError::wrong_type("k", &long.into(), String::new())
        else {
            unreachable!("wrong_type makes that variant")
        };
        assert_eq!(found.chars().count(), QUOTED_CHARS + 1);
    }

    #[test]
    fn several_errors_are_told_in_one_line() {
        let error = |key| ConfError::out_of_range(key, &0.into(), "1".to_owned());
        let text = ConfErrors(vec![error("a"), error("b")]).to_string();
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("a: found 0") && text.contains("; b: found 0"), "{text}");
    }
}
