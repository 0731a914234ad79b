//! What a blob may be called.

use std::fmt;
use std::str::FromStr;

/// Longest key, in bytes: with the prefix it is the name of a folder, of at most 255 bytes.
pub const MAX_KEY_BYTES: usize = 255 - "data_".len();

/// The name of a blob, checked: letters, digits and `_ . : -`, space and tab, and neither `.` nor `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobKeyError {
    /// There is nothing, or it is `.` or `..`.
    #[error(
        "'{key}' cannot be a blob's key: give it a name of letters, digits and '_', '-', '.', ':'"
    )]
    NoName {
        /// The text.
        key: String,
    },
    /// A character that Storm refuses.
    #[error(
        "'{key}' cannot be a blob's key because of {character:?}: use letters, digits, spaces and \
         '_', '-', '.', ':'"
    )]
    Character {
        /// The text.
        key: String,
        /// The first character that is refused.
        character: char,
    },
    /// It does not fit into a file's name.
    #[error("a blob's key of {bytes} bytes is too long: use at most {MAX_KEY_BYTES} bytes")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl BlobKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlobKey {
    type Err = BlobKeyError;

    fn from_str(key: &str) -> Result<Self, BlobKeyError> {
        if key.len() > MAX_KEY_BYTES {
            return Err(BlobKeyError::TooLong { bytes: key.len() });
        }
        if matches!(key, "" | "." | "..") {
            return Err(BlobKeyError::NoName { key: key.to_owned() });
        }
        match key.chars().find(|c| !c.is_alphanumeric() && !"_.:- \t".contains(*c)) {
            Some(character) => Err(BlobKeyError::Character { key: key.to_owned(), character }),
            None => Ok(Self(key.to_owned())),
        }
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storms_rules_hold() {
        for good in
            ["a", "word-count-1-1700000000-stormjar.jar", "a:b_c d\te", "...", "größe", "名2"]
        {
            assert_eq!(good.parse::<BlobKey>().map(|key| key.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", ".", "..", "a/b", "../a", "a\0", "a\n", "a\\b", "a*"] {
            assert!(bad.parse::<BlobKey>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_longest_key_fits_and_the_next_does_not() {
        assert!("k".repeat(MAX_KEY_BYTES).parse::<BlobKey>().is_ok());
        let error = "k".repeat(MAX_KEY_BYTES + 1).parse::<BlobKey>().expect_err("too long");
        assert!(error.to_string().contains("at most 250 bytes"), "{error}");
    }
}
