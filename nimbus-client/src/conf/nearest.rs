//! Finding the name that somebody meant.

use super::keys;

/// The known key that `written` was probably meant to be.
pub fn known_key(written: &str) -> Option<&'static str> {
    let read = keys::all().map(|key| key.name);
    nearest(written, read.chain(keys::UNREAD.iter().copied()))
}

/// The name that `written` was probably meant to be.
///
/// Near means at most three edits, and no more than half of a short name, or one edit in eight
/// characters of a long one. Of two names equally near, the first by the alphabet wins.
pub fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (written.len() / 8).max(3).min(written.len().div_ceil(2));
    names
        .filter(|name| name.len().abs_diff(written.len()) <= limit)
        .map(|name| (edit_distance(written, name), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Single characters to insert, remove or replace to turn `from` into `to`.
fn edit_distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, c) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(c != *other);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
        assert_eq!(edit_distance("flaw", "lawn"), 2);
    }

    #[test]
    fn a_slip_finds_the_key_and_a_stranger_finds_none() {
        assert_eq!(known_key("topology.max.spout.pendng"), Some("topology.max.spout.pending"));
        assert_eq!(known_key("topology.worker"), Some("topology.workers"));
        assert_eq!(known_key("topology_max_spout_pending"), Some("topology.max.spout.pending"));
        assert_eq!(known_key("topology.my.own.thing"), None);
    }
}
