//! Reads a file and what it includes, and puts them together.
//!
//! An include is looked for beside the file that names it, then in the current folder, where Storm
//! looks; a resource in the folder of resources, which stands for Storm's class path. Unlike
//! Storm's, included files may include others; no file may include itself.
//!
//! **Invariants.** Files are counted and bounded before they are read.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use super::definition::{At, Definition, Include, read};
use super::error::{FluxError, FluxErrors, Mistake};
use super::node::parse;
use super::place::{Place, Position, Source, Sources};
use super::substitute::Filter;

/// Largest file, in bytes, before and after substitution.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// Most files that are included, one within the other or beside it.
const MAX_INCLUDES: usize = 64;

/// The text of a file.
///
/// # Errors
/// It cannot be read, is no text, or has more than `MAX_BYTES`.
pub(super) fn read_file(path: &Path) -> Result<String, Mistake> {
    let name = || path.display().to_string();
    let unreadable = |source| Mistake::Unreadable { file: name(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_BYTES {
        return Err(Mistake::TooLarge { file: name(), limit_bytes: MAX_BYTES });
    }
    String::from_utf8(bytes).map_err(|_| Mistake::NotUtf8 { file: name() })
}

/// Reads files one after the other, and keeps what is wrong with them.
pub(super) struct Loader<'a> {
    pub filter: &'a Filter,
    pub resources: Option<&'a Path>,
    pub sources: Sources,
    pub mistakes: Vec<(Option<Position>, Mistake)>,
    pub remarks: Vec<(Option<Position>, Mistake)>,
    includes: usize,
}

impl<'a> Loader<'a> {
    pub fn new(filter: &'a Filter, resources: Option<&'a Path>) -> Self {
        Self {
            filter,
            resources,
            sources: Sources::default(),
            mistakes: Vec::new(),
            remarks: Vec::new(),
            includes: 0,
        }
    }

    /// The definition in a text and in all that it includes; `above` are the files around it.
    pub fn load(&mut self, path: &Path, text: String, above: &mut Vec<PathBuf>) -> Definition {
        let done = self.filter.apply(&text, MAX_BYTES);
        let file = self.sources.add(Source { path: path.to_owned(), text, shifts: done.shifts });
        let at = |(line, column, mistake)| (Some(Position { file, line, column }), mistake);
        self.remarks.extend(done.remarks.into_iter().map(at));
        let broken = !done.mistakes.is_empty();
        self.mistakes.extend(done.mistakes.into_iter().map(at));
        if broken {
            return Definition::default();
        }
        let root = match parse(&done.text) {
            Ok(root) => root,
            Err(mistake) => {
                self.mistakes.push(at(mistake));
                return Definition::default();
            }
        };
        let (mut definition, mistakes) = read(&root, file);
        self.mistakes.extend(mistakes.into_iter().map(|(at, mistake)| (Some(at), mistake)));
        above.push(path.to_owned());
        for include in std::mem::take(&mut definition.includes) {
            if let Some(included) = self.include(&include, above) {
                definition.merge(included, include.value.overrides);
            }
        }
        above.pop();
        definition
    }

    fn include(&mut self, include: &At<Include>, above: &mut Vec<PathBuf>) -> Option<Definition> {
        self.includes += 1;
        let read = match self.includes {
            count if count > MAX_INCLUDES => Err(Mistake::TooManyIncludes { limit: MAX_INCLUDES }),
            _ => self.find(include, above).and_then(|path| Ok((read_file(&path)?, path))),
        };
        match read {
            Ok((text, path)) => Some(self.load(&path, text, above)),
            // The first too many is told, the others are the same mistake.
            Err(_) if self.includes > MAX_INCLUDES + 1 => None,
            Err(mistake) => {
                self.mistakes.push((Some(include.at), mistake));
                None
            }
        }
    }

    fn find(&self, include: &At<Include>, above: &[PathBuf]) -> Result<PathBuf, Mistake> {
        let Include { file, resource, .. } = &include.value;
        let path = match resource {
            true => resource_path(file, self.resources)?,
            false => {
                let beside =
                    self.sources.path(include.at.file).parent().map(|folder| folder.join(file));
                let here = PathBuf::from(file);
                beside.filter(|path| path.is_file() || !here.is_file()).unwrap_or(here)
            }
        };
        let same = |one: &Path| one.canonicalize().ok();
        let own = same(&path);
        if let Some(first) = above.iter().position(|one| own.is_some() && same(one) == own) {
            let names = above[first..].iter().chain([&path]);
            let names: Vec<String> = names.map(|one| one.display().to_string()).collect();
            return Err(Mistake::IncludeCycle { file: names[0].clone(), path: names.join(" > ") });
        }
        Ok(path)
    }
}

/// Where a resource is; it must not leave the folder of resources.
///
/// # Errors
/// It leaves it.
pub(super) fn resource_path(file: &str, resources: Option<&Path>) -> Result<PathBuf, Mistake> {
    let below = file.trim_start_matches('/');
    let stays = Path::new(below).components().all(|part| matches!(part, Component::Normal(_)));
    if !stays || below.is_empty() {
        return Err(Mistake::OutsideResources { file: file.to_owned() });
    }
    Ok(resources.unwrap_or(Path::new(super::RESOURCES)).join(below))
}

/// Mistakes in the order of the text, with their places and lines.
pub(super) fn told(
    sources: &Sources,
    mistakes: Vec<(Option<Position>, Mistake)>,
) -> Vec<FluxError> {
    let mut mistakes = mistakes;
    mistakes
        .sort_by_key(|(at, _)| at.map_or((usize::MAX, 0, 0), |at| (at.file, at.line, at.column)));
    let told = mistakes.into_iter().map(|(at, mistake)| {
        let place = at.map(|at| sources.place(at));
        let excerpt = place.as_ref().zip(at).and_then(|(place, at)| sources.excerpt(place, at));
        FluxError { place, mistake, excerpt }
    });
    told.collect()
}

/// One mistake about a whole file.
pub(super) fn of_file(path: &Path, mistake: Mistake) -> FluxErrors {
    let place = match &mistake {
        // The message names it already.
        Mistake::Unreadable { .. } | Mistake::TooLarge { .. } | Mistake::NotUtf8 { .. } => None,
        _ => Some(Place { file: path.to_owned(), line: 0, column: 0 }),
    };
    FluxErrors(vec![FluxError { place, mistake, excerpt: None }])
}
