//! The one table of configuration keys: name, form, default, scope, meaning.
//!
//! [`Reader`](super::Reader) and [`Layered`](super::Layered) read by it, error messages quote it,
//! and [`markdown`] prints it, so that code and documentation cannot disagree.
//!
//! **Invariants.** Names, forms and defaults of Storm's keys are those of Apache Storm 2.8
//! (`conf/defaults.yaml`); where ours differ, the meaning says so. [`TOPOLOGY`], [`CLUSTER`] and
//! [`UNREAD`] are sorted by name and share none.

use std::fmt::Write;

use super::key::{Fallback, Key, Kind, Origin, Scope, SizeUnit, Unit};

const COUNT: Kind = Kind::Count { min: 0 };
const POSITIVE: Kind = Kind::Count { min: 1 };
const MILLIS: Kind = span(Unit::Millis, 0);
const POSITIVE_MILLIS: Kind = span(Unit::Millis, 1);
const SECS: Kind = span(Unit::Secs, 0);
const POSITIVE_SECS: Kind = span(Unit::Secs, 1);
const PORT: Kind = Kind::Port { min: 1 };
const BYTES: Kind = Kind::Size { unit: SizeUnit::Bytes };
const MIB: Kind = Kind::Size { unit: SizeUnit::Mib };

const fn span(unit: Unit, min: u32) -> Kind {
    Kind::Span { unit, min, whole: true }
}

/// Declares each key as a constant and lists all of them, so that none can be left out.
macro_rules! keys {
    (
        #[doc = $list_doc:literal]
        $list:ident;
        $($ident:ident = $name:literal, $kind:expr, $default:expr, $scope:ident, $origin:ident, $meaning:literal;)+
    ) => {
        $(
            #[doc = concat!("`", $name, "`: ", $meaning)]
            pub const $ident: Key = Key {
                name: $name,
                kind: $kind,
                default: $default,
                scope: Scope::$scope,
                origin: Origin::$origin,
                meaning: $meaning,
            };
        )+

        #[doc = $list_doc]
        pub const $list: &[Key] = &[$($ident),+];
    };
}

mod cluster;
mod topology;
mod unread;

pub use cluster::*;
pub use topology::*;
pub use unread::UNREAD;

/// The key of that name, if something reads it.
pub fn find(name: &str) -> Option<&'static Key> {
    let in_table = |keys: &'static [Key]| {
        keys.binary_search_by(|key| key.name.cmp(name)).ok().map(|at| &keys[at])
    };
    in_table(TOPOLOGY).or_else(|| in_table(CLUSTER))
}

/// Every key that something reads, those of topologies first.
pub fn all() -> impl Iterator<Item = &'static Key> {
    TOPOLOGY.iter().chain(CLUSTER)
}

/// Whether the name is one of Storm's or ours, read or not.
pub fn is_known(name: &str) -> bool {
    find(name).is_some() || UNREAD.binary_search(&name).is_ok()
}

/// Whether the name begins as Storm's own do, so that a stranger there is likely a slip.
pub fn is_in_storms_namespace(name: &str) -> bool {
    const FIRST: [&str; 8] =
        ["storm", "nimbus", "supervisor", "worker", "drpc", "ui", "logviewer", "task"];
    name.split_once('.').is_some_and(|(first, _)| FIRST.contains(&first))
}

/// A table of keys in Markdown, one row each.
pub fn markdown(keys: &[Key]) -> String {
    let mut table =
        String::from("| key | accepts | default | set by | meaning |\n|---|---|---|---|---|\n");
    for key in keys {
        let default = match key.default {
            Fallback::Unset => "unset".to_owned(),
            Fallback::Text(text) => format!("`{text}`"),
            Fallback::Flag(flag) => flag.to_string(),
            Fallback::Whole(number) => number.to_string(),
            Fallback::Real(number) => number.to_string(),
            Fallback::Texts(_) | Fallback::Wholes(_) => {
                format!("`{}`", key.default.to_value().unwrap_or_default())
            }
        };
        let scope = match key.scope {
            Scope::Cluster => "cluster",
            Scope::Topology => "topology",
            Scope::Component => "topology, component",
        };
        let ours = if key.origin == Origin::Ours { " *Not a key of Storm's.*" } else { "" };
        let accepted = key.kind.accepted();
        writeln!(
            table,
            "| `{}` | {accepted} | {default} | {scope} | {}{ours} |",
            key.name, key.meaning
        )
        .expect("writing to a String cannot fail");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique_because_they_are_searched_by_halving() {
        for table in [TOPOLOGY, CLUSTER] {
            for pair in table.windows(2) {
                assert!(pair[0].name < pair[1].name, "{} {}", pair[0].name, pair[1].name);
            }
        }
        for pair in UNREAD.windows(2) {
            assert!(pair[0] < pair[1], "{} {}", pair[0], pair[1]);
        }
        let read_after_all: Vec<_> = UNREAD.iter().filter(|name| find(name).is_some()).collect();
        assert!(read_after_all.is_empty(), "{read_after_all:?}");
    }

    #[test]
    fn every_default_has_the_form_of_its_key() {
        for key in all() {
            if let Some(value) = key.default.to_value() {
                assert!(super::super::check(key, &value).is_ok(), "{}", key.name);
            }
        }
    }

    #[test]
    fn the_scope_of_a_key_is_told_by_its_table() {
        assert!(TOPOLOGY.iter().all(|key| key.scope != Scope::Cluster));
        assert!(CLUSTER.iter().all(|key| key.scope == Scope::Cluster));
        assert!(TOPOLOGY.iter().all(|key| key.name.starts_with("topology.")));
    }

    #[test]
    fn a_key_that_counts_time_or_bytes_names_its_unit_once() {
        for key in all() {
            for (ending, unit) in
                [(".secs", "seconds"), (".millis", "milliseconds"), (".ms", "milliseconds")]
            {
                if key.name.ends_with(ending) {
                    assert_eq!(key.kind.unit(), Some(unit), "{}", key.name);
                }
            }
        }
    }

    #[test]
    fn the_printed_table_has_a_row_for_every_key() {
        let table = markdown(TOPOLOGY);
        assert_eq!(table.lines().count(), TOPOLOGY.len() + 2);
        assert!(
            table.contains(
                "| `topology.workers` | an integer from 1 to 2147483647 | 1 | topology |"
            )
        );
        assert!(
            table.contains("from 0 to 2147483647 | unset | topology, component | Interval of tick")
        );
        assert!(markdown(CLUSTER).contains(
            "| `nimbus.seeds` | a list of texts that are not empty | `[\"localhost\"]` | cluster |"
        ));
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        assert_eq!(find("topology.debug"), Some(&DEBUG));
        assert_eq!(find("nimbus.thrift.port"), Some(&NIMBUS_THRIFT_PORT));
        assert_eq!(find("topology.debugg"), None);
        assert!(is_known("topology.users"));
        assert!(!is_known("topology.user"));
    }
}
