//! Whether a topology's binary can run on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::elf::{Elf, Machine};
use super::libraries::{Libraries, expand};

/// Libraries looked into at most: more are linked by no program that is meant seriously.
const LIBRARY_CAP: usize = 500;

/// Why a binary cannot run here.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// The archive's manifest names it and it is not there.
    #[error("the archive has no file {path}, which its manifest names as the topology's binary", path = path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It cannot be read, or is a broken ELF file.
    #[error("the binary {path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// It is no program of this system.
    #[error("{name} is no Linux executable; build the topology for {here}")]
    NoExecutable {
        /// Its name.
        name: String,
        /// The machine that it should be built for.
        here: String,
    },
    /// It was built for another machine.
    #[error("{name} was built for {built_for}, and this machine is {here}; build it for {here}")]
    Machine {
        /// Its name.
        name: String,
        /// Its machine.
        built_for: String,
        /// This machine.
        here: String,
    },
    /// The loader that it names is not there.
    #[error(
        "{name} wants the loader {loader}, which this machine lacks; link it statically, or against this machine's C library"
    )]
    Loader {
        /// Its name.
        name: String,
        /// The loader's path.
        loader: String,
    },
    /// A shared library is not there.
    #[error(
        "{wanted_by} wants the shared library {library}, which this machine lacks; install it on all machines of the cluster, put it beside the binary in the archive, or link it statically"
    )]
    Library {
        /// Who wants it: the binary, or one of its libraries.
        wanted_by: String,
        /// The library's name.
        library: String,
    },
    /// A shared library is too old.
    #[error("{wanted_by} wants {version} of {library}, and {found} offers {newest} at most; build it on a machine with an older {library}, or link it statically", found = found.display())]
    Version {
        /// Who wants it: the binary, or one of its libraries.
        wanted_by: String,
        /// What it wants.
        version: String,
        /// Of which library.
        library: String,
        /// The library that was found.
        found: PathBuf,
        /// The newest one that it offers.
        newest: String,
    },
}

/// An executable among unpacked resources.
#[derive(Debug)]
pub struct Binary {
    path: PathBuf,
    /// `None` for a script, which its interpreter has to judge.
    elf: Option<Elf>,
}

impl Binary {
    /// Reads what the loader would.
    ///
    /// # Errors
    /// [`BinaryError::Missing`], [`BinaryError::Unreadable`].
    pub fn read(path: &Path) -> Result<Self, BinaryError> {
        match Elf::read(path) {
            Ok(elf) => Ok(Self { path: path.to_owned(), elf }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(BinaryError::Missing { path: path.to_owned() })
            }
            Err(source) => Err(BinaryError::Unreadable { path: path.to_owned(), source }),
        }
    }

    /// Checks that this machine has all that the binary wants: the same kind of machine, its
    /// loader, its shared libraries and theirs, each in the versions that are wanted.
    ///
    /// `search` are folders that its `LD_LIBRARY_PATH` will name.
    ///
    /// # Errors
    /// [`BinaryError`], by the name of what is missing.
    pub fn check(&self, search: &[PathBuf]) -> Result<(), BinaryError> {
        let own = Machine::own();
        let name = file_name(&self.path);
        let Some(elf) = &self.elf else {
            return match is_script(&self.path) {
                true => Ok(()),
                false => Err(BinaryError::NoExecutable { name, here: own.name() }),
            };
        };
        if elf.machine != own {
            let built_for = elf.machine.name();
            return Err(BinaryError::Machine { name, built_for, here: own.name() });
        }
        if let Some(loader) = &elf.interpreter
            && !Path::new(loader).exists()
        {
            return Err(BinaryError::Loader { name, loader: loader.clone() });
        }
        check_libraries(elf, &self.path, search)
    }
}

/// Walks the libraries of the binary, and theirs.
fn check_libraries(elf: &Elf, path: &Path, search: &[PathBuf]) -> Result<(), BinaryError> {
    let libraries = Libraries::of_machine();
    let mut search = [expand(&elf.search, path), search.to_vec()].concat();
    let mut library_to_offer: BTreeMap<String, (PathBuf, BTreeSet<String>)> = BTreeMap::new();
    let mut unchecked = vec![(elf.clone(), file_name(path))];
    while let Some((elf, wanted_by)) = unchecked.pop() {
        for library in &elf.needed {
            if library_to_offer.contains_key(library) || library_to_offer.len() >= LIBRARY_CAP {
                continue;
            }
            let Some((at, theirs)) = find(&libraries, library, &search, elf.machine) else {
                return Err(BinaryError::Library { wanted_by, library: library.clone() });
            };
            search.extend(expand(&theirs.search, &at));
            let offer = (at, theirs.offered_versions.clone());
            library_to_offer.insert(library.clone(), offer);
            unchecked.push((theirs, library.clone()));
        }
        for (library, wanted) in &elf.wanted_versions {
            let Some((found, offered)) = library_to_offer.get(library) else { continue };
            // A library that tells no versions at all is taken as it is, as the loader does.
            let lacking = wanted.iter().find(|wanted| !offered.contains(*wanted));
            if let Some(version) = lacking.filter(|_| !offered.is_empty()) {
                return Err(BinaryError::Version {
                    wanted_by,
                    version: version.clone(),
                    library: library.clone(),
                    found: found.clone(),
                    newest: newest_like(version, offered),
                });
            }
        }
    }
    Ok(())
}

/// The first file with the library's name that is for the same machine.
fn find(
    libraries: &Libraries,
    name: &str,
    search: &[PathBuf],
    machine: Machine,
) -> Option<(PathBuf, Elf)> {
    libraries.find(name, search).into_iter().find_map(|path| {
        let elf = Elf::read(&path).ok().flatten()?;
        (elf.machine == machine).then_some((path, elf))
    })
}

/// The newest of the versions whose name begins like `wanted`, as `GLIBC_2.36` does like
/// `GLIBC_2.39`.
fn newest_like(wanted: &str, offered: &BTreeSet<String>) -> String {
    let family = wanted.split('_').next().unwrap_or(wanted);
    let numbers = |version: &str| -> Option<Vec<u32>> {
        let number = version.strip_prefix(family)?.strip_prefix('_')?;
        number.split('.').map(|part| part.parse().ok()).collect()
    };
    let newest = offered.iter().filter_map(|version| Some((numbers(version)?, version))).max();
    newest.map_or("nothing like it".to_owned(), |(_, version)| version.clone())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn is_script(path: &Path) -> bool {
    let mut begin = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *b"#!"
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// This test's own binary, with some bytes exchanged.
    fn changed(change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("topology");
        let mut bytes = fs::read(own()).expect("it is read");
        change(&mut bytes);
        fs::write(&path, bytes).expect("it is written");
        (folder, path)
    }

    fn own() -> PathBuf {
        std::env::current_exe().expect("it is known")
    }

    #[track_caller]
    fn check_refused(path: &Path, told: &str) {
        let checked = Binary::read(path).and_then(|binary| binary.check(&[]));
        let error = checked.expect_err("refused").to_string();
        assert!(error.contains(told), "{error}");
    }

    fn replace_all(bytes: &mut [u8], from: &[u8], to: &[u8]) {
        let mut at = 0;
        while let Some(found) = bytes[at..].windows(from.len()).position(|part| part == from) {
            bytes[at + found..at + found + to.len()].copy_from_slice(to);
            at += found + from.len();
        }
    }

    #[test]
    fn a_binary_of_this_machine_can_run() {
        Binary::read(&own()).and_then(|binary| binary.check(&[])).expect("it does run");
    }

    #[test]
    fn a_binary_of_another_machine_is_refused_with_both_names() {
        const MACHINE_AT: usize = 18;
        let other = if cfg!(target_arch = "aarch64") { 62_u16 } else { 183 };
        let (_folder, path) = changed(|bytes| {
            bytes[MACHINE_AT..MACHINE_AT + 2].copy_from_slice(&other.to_ne_bytes());
        });
        check_refused(&path, "topology was built for ");
        check_refused(&path, std::env::consts::ARCH);
    }

    #[test]
    fn a_missing_library_is_named() {
        let (_folder, path) = changed(|bytes| replace_all(bytes, b"libc.so.6", b"libx.so.7"));
        check_refused(&path, "topology wants the shared library libx.so.7");
    }

    #[test]
    fn a_library_that_is_too_old_is_named_with_what_it_offers() {
        let offered = BTreeSet::from(["GLIBC_2.9", "GLIBC_2.36", "GLIBC_PRIVATE"].map(Into::into));
        assert_eq!(newest_like("GLIBC_2.39", &offered), "GLIBC_2.36");
        assert_eq!(newest_like("CXXABI_1.3", &offered), "nothing like it");
        let elf = Elf::read(&own()).expect("read").expect("an ELF file");
        let wanted =
            elf.wanted_versions.values().flatten().find(|name| name.starts_with("GLIBC_2."));
        let wanted = wanted.expect("it is linked against a C library").clone();
        let newer = wanted.replace("GLIBC_2.", "GLIBC_9.");
        let (_folder, path) =
            changed(|bytes| replace_all(bytes, wanted.as_bytes(), newer.as_bytes()));
        check_refused(&path, &format!("wants {newer} of "));
    }

    #[test]
    fn a_cut_binary_and_a_text_are_refused_and_a_script_is_not() {
        let (_folder, path) = changed(|bytes| bytes.truncate(1_000));
        check_refused(&path, "cannot be read");
        let (_folder, path) = changed(|bytes| *bytes = b"hello".to_vec());
        check_refused(&path, "topology is no Linux executable");
        let (_folder, path) = changed(|bytes| *bytes = b"#!/bin/sh\n".to_vec());
        Binary::read(&path).and_then(|binary| binary.check(&[])).expect("a shell is here");
        check_refused(Path::new("/no/such/topology"), "the archive has no file");
    }
}
