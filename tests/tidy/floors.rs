//! Who may use whom inside the runtime.

use crate::Breach;
use crate::source::Source;
use crate::table::Floors;

/// The data plane, and what it must not even name.
const DATA_PLANE: [&str; 5] = ["queue", "grouping", "transfer", "executor", "acker"];
const WALLED_OFF: [&str; 5] = ["cluster", "nimbus_client", "zookeeper", "thrift", "tokio"];

/// First floor that may talk to Nimbus.
const DAEMON_FLOOR: usize = 7;
/// A module's file or folder that translates to its types, wherever the module stands.
const THRIFT: [&str; 2] = ["thrift", "thrift.rs"];
/// Whole modules below that know its types: clients share the configuration keys, and the shared
/// state and the blob store hold Storm's structs, and the system topology is one.
const KNOW_THRIFT: [&str; 4] =
    ["src/conf/", "src/cluster/", "src/blobstore/", "src/system_topology/"];

/// The folder that may hold `unsafe`.
const UNSAFE: &str = "src/queue/";

/// Uses of a module on the same or a higher floor. Tests may use their own floor.
pub fn upward_uses(floors: &Floors, sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for source in sources {
        let module = source.module();
        // The root names all modules; a module that the table lacks is another rule's.
        let Some(floor) = floors.get(&module) else {
            continue;
        };
        for used in source.uses.iter().filter(|used| used.target != module) {
            let what = match floors.get(&used.target) {
                None => format!(
                    "`{}` is no module of the table: name the module that an item lives in",
                    used.target
                ),
                Some(target) if target < floor || (used.in_test && target == floor) => continue,
                Some(target) => format!(
                    "`{module}` (floor {floor}) uses `{}` (floor {target}): only lower floors may be used",
                    used.target
                ),
            };
            breaches.push(Breach::at(&source.path, used.line, what));
        }
    }
    breaches
}

/// Names behind a wall, and `unsafe` outside of its folder.
pub fn broken_walls(floors: &Floors, sources: &[Source]) -> Vec<Breach> {
    sources
        .iter()
        .flat_map(|source| {
            let module = source.module();
            let floor = floors.get(&module);
            source.names.iter().filter_map(move |(name, line)| {
                let what = wall(source, &module, floor, name)?;
                Some(Breach::at(&source.path, *line, what))
            })
        })
        .collect()
}

fn wall(source: &Source, module: &str, floor: Option<usize>, name: &str) -> Option<String> {
    let names = |wall: &str| name == wall || name.starts_with(&format!("{wall}_"));
    if DATA_PLANE.contains(&module)
        && let Some(wall) = WALLED_OFF.iter().find(|wall| names(wall))
    {
        return Some(format!("`{module}` is data plane and must not name `{wall}`"));
    }
    if name == "nimbus_client"
        && floor.is_some_and(|floor| floor < DAEMON_FLOOR)
        && !source.path.split('/').any(|part| THRIFT.contains(&part))
        && !KNOW_THRIFT.iter().any(|place| source.path.starts_with(place))
    {
        let places = KNOW_THRIFT.join(", ");
        return Some(format!(
            "below the daemons only a module's own `thrift` and {places} name `nimbus_client`"
        ));
    }
    if name == "unsafe" && !source.path.starts_with(UNSAFE) {
        return Some(format!("`unsafe` stands only below {UNSAFE}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "//! | floor | module | what |
//! |---|---|---|
//! | 0 | `id` | |
//! | 2 | `queue`, `acker` | |
//! | 3 | `topology`, `cluster` | |
//! | 7 | `worker` | |
";

    type Rule = fn(&Floors, &[Source]) -> Vec<Breach>;

    #[track_caller]
    fn check(rule: Rule, path: &str, text: &str, expected: &[&str]) {
        let floors = Floors::parse(TABLE).expect("well formed");
        let source = Source::parse(path, text).expect("parses");
        let breaches = rule(&floors, &[source]);
        assert_eq!(breaches.len(), expected.len(), "{breaches:#?}");
        for (breach, part) in breaches.iter().zip(expected) {
            assert!(breach.what.contains(part), "{breach}");
        }
    }

    #[test]
    fn lower_floors_and_the_own_module_may_be_used() {
        check(
            upward_uses,
            "src/queue/ring.rs",
            "use crate::id::A; use crate::queue::B; use super::C;",
            &[],
        );
        check(upward_uses, "src/lib.rs", "pub use crate::worker::Worker;", &[]);
    }

    #[test]
    fn an_upward_use_is_a_breach() {
        let told = "`queue` (floor 2) uses `worker` (floor 7)";
        check(upward_uses, "src/queue/ring.rs", "use crate::worker::W;", &[told]);
        check(upward_uses, "src/queue/ring.rs", "use super::super::worker::W;", &[told]);
        check(upward_uses, "src/queue/mod.rs", "fn f() { log!(crate::worker::w()) }", &[told]);
        check(
            upward_uses,
            "src/queue/mod.rs",
            "#[cfg(test)] mod tests { use crate::worker::W; }",
            &[told],
        );
    }

    #[test]
    fn a_neighbour_may_be_used_by_tests_only() {
        check(upward_uses, "src/queue/mod.rs", "use crate::acker::A;", &["uses `acker` (floor 2)"]);
        check(
            upward_uses,
            "src/queue/mod.rs",
            "#[cfg(test)] mod tests { use crate::acker::A; }",
            &[],
        );
    }

    #[test]
    fn a_detour_by_the_root_is_a_breach() {
        check(upward_uses, "src/queue/mod.rs", "use crate::Worker;", &["`Worker` is no module"]);
        check(upward_uses, "src/queue/mod.rs", "use crate::*;", &["`*` is no module"]);
    }

    #[test]
    fn the_data_plane_names_nothing_of_the_control_plane() {
        for name in WALLED_OFF {
            check(broken_walls, "src/acker/mod.rs", &format!("use {name}::X;"), &["must not name"]);
        }
        check(broken_walls, "src/acker/mod.rs", "use tokio_util::X;", &["must not name `tokio`"]);
        check(broken_walls, "src/acker/mod.rs", "/// Not a thrift union.\nfn clustered() {}", &[]);
        check(broken_walls, "src/worker/mod.rs", "use tokio::X;", &[]);
    }

    #[test]
    fn nimbus_client_has_few_places_below_the_daemons() {
        let told = "only a module's own `thrift` and src/conf/, src/cluster/";
        check(broken_walls, "src/topology/spec.rs", "use nimbus_client::X;", &[told]);
        check(broken_walls, "src/topology/thrifty.rs", "use nimbus_client::X;", &[told]);
        check(broken_walls, "src/topology/thrift.rs", "use nimbus_client::X;", &[]);
        check(broken_walls, "src/topology/thrift/read.rs", "use nimbus_client::X;", &[]);
        check(broken_walls, "src/cluster/paths.rs", "use nimbus_client::X;", &[]);
        check(broken_walls, "src/conf/mod.rs", "use nimbus_client::conf::X;", &[]);
        check(broken_walls, "src/worker/mod.rs", "use nimbus_client::X;", &[]);
    }

    #[test]
    fn unsafe_has_one_folder() {
        check(broken_walls, "src/queue/ring.rs", "fn f() { unsafe { g() } }", &[]);
        check(broken_walls, "src/id.rs", "unsafe impl Send for X {}", &["`unsafe` stands only"]);
        check(
            broken_walls,
            "src/id.rs",
            "fn f() { m!(unsafe { g() }) }",
            &["`unsafe` stands only"],
        );
        check(broken_walls, "src/id.rs", "#![deny(unsafe_code)]", &[]);
    }
}
