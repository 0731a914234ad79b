//! The two names of a topology.
//!
//! **Invariants.** Names and ids that exist are valid, so nothing that receives one checks it again.
//! An id prints as it was parsed.

use std::fmt;
use std::str::FromStr;

/// The name under which a topology is submitted, chosen by its author; unique among those alive.
///
/// Storm refuses an empty name and the characters `/`, `.`, `:` and `\` when a topology is
/// submitted. Nimbus then stores the topology under keys that begin with the name, and a key takes
/// only letters, digits, `_`, `-`, space and tab. Both checks are made here, at once; what is a
/// letter or digit beyond ASCII is left to Nimbus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopologyName(String);

/// Why a text is no topology's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyNameError {
    /// There is nothing.
    #[error("a topology's name is empty: give it at least one character")]
    Empty,
    /// A character that Storm refuses.
    #[error(
        "'{name}' cannot be a topology's name because of {character:?}: \
         use letters, digits, '_', '-' and spaces"
    )]
    Character {
        /// The whole text.
        name: String,
        /// The first character that is refused.
        character: char,
    },
}

impl TopologyName {
    /// Checks a name.
    ///
    /// # Errors
    /// The text is empty or has a character that Storm refuses.
    pub fn new(name: impl Into<String>) -> Result<Self, TopologyNameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(TopologyNameError::Empty);
        }
        match name.chars().find(|character| !is_accepted(*character)) {
            Some(character) => Err(TopologyNameError::Character { name, character }),
            None => Ok(Self(name)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_accepted(character: char) -> bool {
    if character.is_ascii() {
        character.is_ascii_alphanumeric() || "_- \t".contains(character)
    } else {
        !character.is_control() && !character.is_whitespace()
    }
}

impl fmt::Display for TopologyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopologyName {
    type Err = TopologyNameError;

    fn from_str(name: &str) -> Result<Self, TopologyNameError> {
        Self::new(name)
    }
}

/// What Nimbus calls one submission of a topology: `name-counter-seconds`.
///
/// The counter goes up with each submission since Nimbus started; the seconds are the time of the
/// submission since 1970. Both are there for reading; only the whole id is unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopologyId {
    name: TopologyName,
    counter: u64,
    submitted_at_secs: u64,
}

/// Why a text is no topology's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopologyIdError {
    /// It does not have the form.
    #[error(
        "'{id}' is no topology's id: it has the form name-counter-seconds, as word-count-3-1700000000"
    )]
    Form {
        /// The whole text.
        id: String,
    },
    /// The part before the numbers is no name.
    #[error("'{id}' is no topology's id: {source}")]
    Name {
        /// The whole text.
        id: String,
        /// What is wrong with the name.
        source: TopologyNameError,
    },
}

impl TopologyId {
    /// Puts an id together.
    pub fn new(name: TopologyName, counter: u64, submitted_at_secs: u64) -> Self {
        Self { name, counter, submitted_at_secs }
    }

    /// The name that the author chose.
    pub fn name(&self) -> &TopologyName {
        &self.name
    }

    /// Which submission it was since Nimbus started, from 1 on.
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// When it was submitted, in seconds since 1970.
    pub fn submitted_at_secs(&self) -> u64 {
        self.submitted_at_secs
    }
}

impl fmt::Display for TopologyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.name, self.counter, self.submitted_at_secs)
    }
}

impl FromStr for TopologyId {
    type Err = TopologyIdError;

    fn from_str(id: &str) -> Result<Self, TopologyIdError> {
        let form = || TopologyIdError::Form { id: id.to_owned() };
        // A name may have hyphens too, so the numbers are taken from the end.
        let mut parts = id.rsplitn(3, '-');
        let submitted_at_secs = parts.next().and_then(number).ok_or_else(form)?;
        let counter = parts.next().and_then(number).ok_or_else(form)?;
        let name = parts.next().ok_or_else(form)?;
        let name = TopologyName::new(name)
            .map_err(|source| TopologyIdError::Name { id: id.to_owned(), source })?;
        Ok(Self::new(name, counter, submitted_at_secs))
    }
}

/// A number as it is printed: without sign and leading zeros.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_id(id: &str, name: &str, counter: u64, submitted_at_secs: u64) {
        let parsed: TopologyId = id.parse().expect("an id");
        assert_eq!(parsed.name().as_str(), name);
        assert_eq!((parsed.counter(), parsed.submitted_at_secs()), (counter, submitted_at_secs));
        assert_eq!(parsed.to_string(), id);
    }

    #[test]
    fn a_name_of_accepted_characters_is_taken_as_it_is() {
        for name in ["wc", "word-count_2", "two words", "-", "9", "Wörter"] {
            assert_eq!(TopologyName::new(name).expect(name).to_string(), name);
        }
    }

    #[test]
    fn what_storm_refuses_is_refused_with_the_character() {
        for character in ['/', '.', ':', '\\', '\n', '\0', '$', '\u{a0}', '\u{85}'] {
            let name = format!("a{character}b.");
            let error = TopologyName::new(name.clone()).expect_err("refused");
            assert_eq!(error, TopologyNameError::Character { name, character });
        }
        assert_eq!(TopologyName::new(""), Err(TopologyNameError::Empty));
    }

    #[test]
    fn an_error_says_what_to_use_instead() {
        let error = "a.b".parse::<TopologyName>().expect_err("refused");
        assert_eq!(
            error.to_string(),
            "'a.b' cannot be a topology's name because of '.': use letters, digits, '_', '-' and spaces"
        );
    }

    #[test]
    fn an_id_is_read_from_its_end() {
        check_id("wc-1-1700000000", "wc", 1, 1_700_000_000);
        check_id("word-count-2-3-4", "word-count-2", 3, 4);
        check_id("--0-0", "-", 0, 0);
    }

    #[test]
    fn what_has_not_the_form_of_an_id_is_refused() {
        for id in [
            "",
            "wc",
            "wc-1",
            "wc-x-1",
            "wc-1-x",
            "wc-1-",
            "wc-01-2",
            "wc-+1-2",
            "wc-1-99999999999999999999",
        ] {
            let error = id.parse::<TopologyId>().expect_err(id);
            assert_eq!(error, TopologyIdError::Form { id: id.to_owned() });
        }
        let error = "a/b-1-2".parse::<TopologyId>().expect_err("refused");
        assert!(matches!(error, TopologyIdError::Name { .. }), "{error}");
        let error = "-1-2".parse::<TopologyId>().expect_err("refused");
        assert!(error.to_string().contains("name is empty"), "{error}");
    }
}
