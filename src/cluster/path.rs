//! What a node's path may look like: ZooKeeper's rules, checked before anything is stored or sent.

use std::fmt::Display;

use super::StateError;

/// Why a text is no path of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// It does not begin with `/`.
    #[error("it does not begin with '/'")]
    NotAbsolute,
    /// It ends with `/` and is not the root.
    #[error("it ends with '/'")]
    TrailingSlash,
    /// Two slashes follow each other.
    #[error("a name in it is empty")]
    EmptyName,
    /// A name is `.` or `..`.
    #[error("a name in it is '.' or '..'")]
    DotName,
    /// A character that ZooKeeper refuses.
    #[error("it contains the character {0:?}")]
    Character(char),
}

/// Checks the path of a node that exists or is to be made.
pub fn check(path: &str) -> Result<(), StateError> {
    match fault(path) {
        None => Ok(()),
        Some(fault) => Err(StateError::InvalidPath { path: path.to_owned(), fault }),
    }
}

/// Checks the path to which a sequence number is appended: its last name may be empty.
pub fn check_sequential(path: &str) -> Result<(), StateError> {
    match fault(&format!("{path}0")) {
        None => Ok(()),
        Some(fault) => Err(StateError::InvalidPath { path: path.to_owned(), fault }),
    }
}

/// A node's folder and its name in it; the root has neither.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    match (parent, name) {
        ("", "") => None,
        ("", name) => Some(("/", name)),
        (parent, name) => Some((parent, name)),
    }
}

/// The path of a node in a folder.
pub fn join(folder: &str, name: impl Display) -> String {
    if folder == "/" { format!("/{name}") } else { format!("{folder}/{name}") }
}

fn fault(path: &str) -> Option<PathFault> {
    let Some(rest) = path.strip_prefix('/') else {
        return Some(PathFault::NotAbsolute);
    };
    if rest.is_empty() {
        return None;
    }
    if let Some(character) = rest.chars().find(|character| is_refused(*character)) {
        return Some(PathFault::Character(character));
    }
    if rest.ends_with('/') {
        return Some(PathFault::TrailingSlash);
    }
    rest.split('/').find_map(|name| match name {
        "" => Some(PathFault::EmptyName),
        "." | ".." => Some(PathFault::DotName),
        _ => None,
    })
}

/// Control characters, the private use area, and the specials at the end of the basic plane.
fn is_refused(character: char) -> bool {
    matches!(character,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_fault(path: &str, expected: Option<PathFault>) {
        assert_eq!(fault(path), expected, "{path:?}");
    }

    #[test]
    fn zookeepers_rules_hold() {
        for good in ["/", "/a", "/a/b", "/...", "/a.b", "/ü/名", "/a b", "/127.0.0.1:6627:0-1"] {
            check_fault(good, None);
        }
        check_fault("", Some(PathFault::NotAbsolute));
        check_fault("a", Some(PathFault::NotAbsolute));
        check_fault("/a/", Some(PathFault::TrailingSlash));
        check_fault("//a", Some(PathFault::EmptyName));
        check_fault("/a//b", Some(PathFault::EmptyName));
        check_fault("/a/./b", Some(PathFault::DotName));
        check_fault("/..", Some(PathFault::DotName));
        check_fault("/a\0", Some(PathFault::Character('\0')));
        check_fault("/a\u{85}", Some(PathFault::Character('\u{85}')));
        check_fault("/a\u{f000}", Some(PathFault::Character('\u{f000}')));
        check_fault("/a\u{ffff}", Some(PathFault::Character('\u{ffff}')));
    }

    #[test]
    fn a_sequential_node_may_be_named_by_its_number_alone() {
        assert!(check_sequential("/a/").is_ok());
        assert!(check_sequential("/a//").is_err());
        assert!(check("/a/").is_err());
    }

    #[test]
    fn a_path_splits_into_folder_and_name() {
        assert_eq!(split("/"), None);
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(join("/", "a"), "/a");
        assert_eq!(join("/a", "b"), "/a/b");
    }
}
