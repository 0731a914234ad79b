//! The repository as files: reading it, its top level, links in its documents, and the arrows
//! between its packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Breach;
use crate::source::{self, Source};

/// What the design puts on the top level.
const REQUIRED: [&str; 9] = [
    "Cargo.toml",
    "README.md",
    "benches",
    "nimbus-client",
    "scripts",
    "src",
    "swarm",
    "tests",
    "topologies",
];
/// What a repository needs besides; names with a leading dot are free.
const ALLOWED: [&str; 4] = ["Cargo.lock", "LICENSE", "docs", "examples"];

/// Folders whose Rust files are recorded or generated.
const NOT_WRITTEN: [&str; 2] = ["tests/fixtures/", "nimbus-client/src/generated/"];

/// Packages that a package must not depend on.
const NO_DEPENDENCY: [(&str, &[&str]); 3] = [
    ("Cargo.toml", &["topologies", "swarm"]),
    ("nimbus-client/Cargo.toml", &["storm-runtime", "topologies", "swarm"]),
    ("swarm/Cargo.toml", &["storm-runtime", "topologies"]),
];

/// All texts of the repository that are not ignored, by path.
pub struct Repository {
    root: PathBuf,
    ignored: Vec<String>,
    texts: Vec<(String, String)>,
}

impl Repository {
    /// Reads this repository.
    pub fn read() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let ignore = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
        let mut ignored = vec![".git".to_owned(), "target".to_owned()];
        ignored.extend(ignore.lines().map(|line| line.trim_matches('/').to_owned()));
        let mut repository = Self { root, ignored, texts: Vec::new() };
        repository.read_folder("");
        repository.texts.sort();
        repository
    }

    fn read_folder(&mut self, folder: &str) {
        for name in self.entries(folder) {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let full = self.root.join(&path);
            if full.is_dir() {
                self.read_folder(&path);
            } else if let Ok(text) = fs::read_to_string(full) {
                // What is not UTF-8 is no text and has no rules.
                self.texts.push((path, text));
            }
        }
    }

    fn entries(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root.join(folder)) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !self.ignored.contains(name))
            .collect()
    }

    /// Path and text of each file, sorted by path.
    pub fn texts(&self) -> &[(String, String)] {
        &self.texts
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        let found = self.texts.iter().find(|(known, _)| known == path);
        found.map(|(_, text)| text.as_str())
    }

    /// Whether there is a file or folder of that path.
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Names on the top level.
    pub fn top_level_entries(&self) -> BTreeSet<String> {
        self.entries("").into_iter().collect()
    }

    /// All Rust files that somebody wrote; those of the fixtures are data.
    pub fn rust(&self) -> Vec<Source> {
        let files = self.texts.iter().filter(|(path, _)| {
            path.ends_with(".rs") && !NOT_WRITTEN.iter().any(|folder| path.starts_with(folder))
        });
        let parse = |(path, text): &(String, String)| {
            Source::parse(path, text).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let mut sources: Vec<Source> = files.map(parse).collect();
        source::mark_tests(&mut sources);
        sources
    }

    /// The Rust files of the runtime.
    pub fn runtime(&self) -> Vec<Source> {
        let mut sources = self.rust();
        sources.retain(|source| source.path.starts_with("src/"));
        sources
    }

    /// Top-level modules of the runtime.
    pub fn modules(&self) -> BTreeSet<String> {
        self.runtime().iter().map(Source::module).filter(|module| !module.is_empty()).collect()
    }
}

/// Entries that do not belong on the top level, and those that are missing.
pub fn top_level(entries: &BTreeSet<String>) -> Vec<Breach> {
    let strange = entries.iter().filter(|name| {
        !name.starts_with('.')
            && !REQUIRED.contains(&name.as_str())
            && !ALLOWED.contains(&name.as_str())
    });
    let missing = REQUIRED.iter().filter(|name| !entries.contains(**name));
    strange
        .map(|name| Breach::of(name, "does not belong on the top level"))
        .chain(missing.map(|name| Breach::of(*name, "is missing on the top level")))
        .collect()
}

/// Links to files that are not there, in the README and in `docs/`.
pub fn dead_links(texts: &[(String, String)], exists: impl Fn(&str) -> bool) -> Vec<Breach> {
    let is_document =
        |path: &str| path.ends_with(".md") && (path == "README.md" || path.starts_with("docs/"));
    let mut breaches = Vec::new();
    for (path, text) in texts.iter().filter(|(path, _)| is_document(path)) {
        for (line, link) in links(text) {
            let file = link.split(['#', '?']).next().unwrap_or_default();
            if link.contains("://") || link.starts_with("mailto:") || file.is_empty() {
                continue;
            }
            let folder = Path::new(path).parent().unwrap_or(Path::new(""));
            let target = folder.join(file);
            if !exists(&target.to_string_lossy()) {
                breaches.push(Breach::at(path, line, format!("the link to {link} leads nowhere")));
            }
        }
    }
    breaches
}

/// Targets of Markdown links with their lines, code left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        // Every second piece between backticks is code.
        let prose: String = line.split('`').step_by(2).collect();
        let inline = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let reference = prose
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]:"))
            .map(|(_, target)| target.trim());
        links.extend(inline.chain(reference).map(|link| (at + 1, link.to_owned())));
    }
    links
}

/// Manifests with a dependency that points up or sideways.
pub fn upward_packages(texts: &[(String, String)]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (path, text) in texts {
        let Some((_, forbidden)) = NO_DEPENDENCY.iter().find(|(manifest, _)| manifest == path)
        else {
            continue;
        };
        for (at, line) in text.lines().enumerate() {
            let key = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if forbidden.contains(&key) {
                breaches.push(Breach::at(path, at + 1, format!("must not depend on {key}")));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, text: &str) -> Vec<(String, String)> {
        vec![(path.to_owned(), text.to_owned())]
    }

    #[test]
    fn the_top_level_lacks_nothing_and_has_nothing_strange() {
        let mut entries: BTreeSet<String> = REQUIRED.map(str::to_owned).into();
        entries.extend(["LICENSE", ".ci", ".gitignore", "docs"].map(str::to_owned));
        assert_eq!(top_level(&entries), []);
        entries.remove("src");
        entries.insert("notes.txt".to_owned());
        let told: Vec<String> = top_level(&entries).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["notes.txt: does not belong on the top level", "src: is missing on the top level"]
        );
    }

    #[test]
    fn a_link_is_looked_for_beside_its_document() {
        let text = "See [a](b.md#part), [web](https://x.y/z), [here](#part).\n[ref]: ../src/c.rs\n";
        let seen = std::cell::RefCell::new(Vec::new());
        let breaches = dead_links(&one("docs/a.md", text), |path| {
            seen.borrow_mut().push(path.to_owned());
            path == "docs/b.md"
        });
        assert_eq!(seen.into_inner(), ["docs/b.md", "docs/../src/c.rs"]);
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].place, "docs/a.md:2");
    }

    #[test]
    fn code_in_a_document_has_no_links() {
        let text = "`[a](gone)`\n```\n[b](gone)\n```\n[c](gone)\n";
        let breaches = dead_links(&one("README.md", text), |_| false);
        assert_eq!(breaches.len(), 1);
        assert_eq!(breaches[0].place, "README.md:5");
    }

    #[test]
    fn packages_must_not_depend_upwards() {
        let dependency = "[dependencies]\nstorm-runtime.workspace = true\n";
        assert_eq!(upward_packages(&one("swarm/Cargo.toml", dependency)).len(), 1);
        assert_eq!(upward_packages(&one("nimbus-client/Cargo.toml", dependency)).len(), 1);
        assert_eq!(upward_packages(&one("topologies/Cargo.toml", dependency)), []);
        let dev = "members = [\"topologies\"]\n[dev-dependencies]\ntopologies = \"1\"\n";
        assert_eq!(upward_packages(&one("Cargo.toml", dev)).len(), 1);
    }
}
