//! The table of modules in the doc of `src/lib.rs`: `| floor | module | what lives there |`.

use std::collections::{BTreeMap, BTreeSet};

use crate::Breach;
use crate::tree::Repository;

/// Where the table stands.
pub const PLACE: &str = "src/lib.rs";

/// Floor of each module.
#[derive(Debug, PartialEq, Eq)]
pub struct Floors(BTreeMap<String, usize>);

impl Floors {
    /// The floors of this repository.
    pub fn of(repository: &Repository) -> Self {
        let root = repository.text(PLACE).expect("the runtime has a root");
        Self::parse(root).unwrap_or_else(|breach| panic!("{breach}"))
    }

    /// Reads the table out of the inner doc comment of a source text.
    pub fn parse(root: &str) -> Result<Self, Breach> {
        let mut floors = BTreeMap::new();
        let rows = root
            .lines()
            .filter_map(|line| line.trim().strip_prefix("//!"))
            .map(str::trim)
            .skip_while(|line| !line.starts_with("| floor | module |"))
            .take_while(|line| line.starts_with('|'))
            .skip(2);
        for row in rows {
            let mut cells = row.trim_matches('|').split('|').map(str::trim);
            let floor = cells.next().unwrap_or_default();
            let Ok(floor) = floor.parse() else {
                return Err(Breach::of(PLACE, format!("'{floor}' is no floor: {row}")));
            };
            for module in cells.next().unwrap_or_default().split(',') {
                let name = module.trim().trim_matches('`').trim_end_matches('/');
                if floors.insert(name.to_owned(), floor).is_some() {
                    return Err(Breach::of(PLACE, format!("{name} stands on two floors")));
                }
            }
        }
        if floors.is_empty() {
            return Err(Breach::of(PLACE, "its doc has no table `| floor | module |`"));
        }
        Ok(Self(floors))
    }

    /// The floor of a top-level module, `None` if the table lacks it.
    pub fn get(&self, module: &str) -> Option<usize> {
        self.0.get(module).copied()
    }
}

/// Modules that are missing in the table, and listed ones that are gone.
pub fn differences(floors: &Floors, modules: &BTreeSet<String>) -> Vec<Breach> {
    let missing = modules.iter().filter(|module| floors.get(module).is_none());
    let gone = floors.0.keys().filter(|module| !modules.contains(*module));
    missing
        .map(|module| Breach::of(PLACE, format!("the table lacks the module `{module}`")))
        .chain(gone.map(|module| Breach::of(PLACE, format!("`{module}` is listed but gone"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "//! A runtime.
//!
//! | floor | module | what lives there |
//! |---|---|---|
//! | 0 | `id`, `clock` | names; time |
//! | 9 | `bin/` | arguments |
//!
//! | floor | module | another table |
";

    #[test]
    fn a_table_gives_each_module_its_floor() {
        let floors = Floors::parse(ROOT).expect("well formed");
        assert_eq!(
            ["id", "clock", "bin", "names"].map(|module| floors.get(module)),
            [Some(0), Some(0), Some(9), None]
        );
    }

    #[test]
    fn a_table_that_cannot_be_read_is_a_breach() {
        let broken = |text: &str| Floors::parse(text).expect_err("refused").what;
        assert!(broken("//! no table").contains("has no table"));
        assert!(broken(&ROOT.replace("| 0 |", "| zero |")).contains("'zero' is no floor"));
        assert!(broken(&ROOT.replace("bin/", "id")).contains("id stands on two floors"));
    }

    #[test]
    fn missing_and_gone_modules_are_told() {
        let floors = Floors::parse(ROOT).expect("well formed");
        let modules = ["bin", "id", "queue"].map(str::to_owned).into();
        let told: Vec<String> =
            differences(&floors, &modules).into_iter().map(|breach| breach.what).collect();
        assert_eq!(told, ["the table lacks the module `queue`", "`clock` is listed but gone"]);
    }
}
