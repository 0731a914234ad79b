//! Where this machine's loader finds a library.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const CACHE: &str = "/etc/ld.so.cache";

/// What the part of the cache begins with that all loaders since 1999 write.
const CACHE_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const CACHE_HEADER_BYTES: usize = 48;
const CACHE_ENTRY_BYTES: usize = 24;

/// Folders that loaders look into without being told. Musl's reads no cache.
const USUAL: [&str; 5] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib"];

/// The libraries of this machine.
#[derive(Debug)]
pub(super) struct Libraries {
    name_to_paths: BTreeMap<String, Vec<PathBuf>>,
}

impl Libraries {
    /// Those that the loader's cache knows. Without a cache only the usual folders are looked into.
    pub fn of_machine() -> Self {
        let cache = fs::read(CACHE).unwrap_or_default();
        Self { name_to_paths: parse_cache(&cache) }
    }

    /// Files that have a library's name, those in `search` first.
    pub fn find(&self, name: &str, search: &[PathBuf]) -> Vec<PathBuf> {
        if name.contains('/') {
            return vec![name.into()];
        }
        let usual = USUAL.iter().flat_map(|folder| {
            let triple = format!("{folder}/{}-linux-gnu", std::env::consts::ARCH);
            [PathBuf::from(folder), triple.into()]
        });
        let cached = self.name_to_paths.get(name).into_iter().flatten().cloned();
        let beside = |folder: &PathBuf| folder.join(name);
        let all = search.iter().map(beside).chain(cached).chain(usual.map(|at| at.join(name)));
        all.filter(|path| path.is_file()).collect()
    }
}

fn parse_cache(cache: &[u8]) -> BTreeMap<String, Vec<PathBuf>> {
    let mut name_to_paths: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    // Old loaders' entries may stand before; offsets count from the magic.
    let start = cache.windows(CACHE_MAGIC.len()).position(|window| window == CACHE_MAGIC);
    let Some(cache) = start.map(|start| &cache[start..]) else { return name_to_paths };
    let number = |at: usize| {
        let bytes = cache.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_ne_bytes(bytes) as usize)
    };
    let string = |at: usize| {
        let bytes = cache.get(at..)?;
        let end = bytes.iter().position(|byte| *byte == 0)?;
        str::from_utf8(&bytes[..end]).ok()
    };
    let entries = number(CACHE_MAGIC.len()).unwrap_or(0);
    for entry in 0..entries {
        let at = CACHE_HEADER_BYTES + entry * CACHE_ENTRY_BYTES;
        // Past the flags: where the name and where the path begin.
        let (Some(name), Some(path)) = (number(at + 4), number(at + 8)) else { break };
        if let (Some(name), Some(path)) = (string(name), string(path)) {
            name_to_paths.entry(name.to_owned()).or_default().push(path.into());
        }
    }
    name_to_paths
}

/// Puts the folder of the binary for `$ORIGIN` in its own search path.
pub(super) fn expand(search: &[String], binary: &Path) -> Vec<PathBuf> {
    let origin = binary.parent().unwrap_or(Path::new("/")).to_string_lossy();
    let expand = |folder: &String| {
        PathBuf::from(folder.replace("${ORIGIN}", &origin).replace("$ORIGIN", &origin))
    };
    search.iter().filter(|folder| !folder.is_empty()).map(expand).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_read_and_a_cut_one_as_far_as_it_goes() {
        let mut cache = CACHE_MAGIC.to_vec();
        cache.extend(2_u32.to_ne_bytes());
        cache.resize(CACHE_HEADER_BYTES, 0);
        let strings = CACHE_HEADER_BYTES + 2 * CACHE_ENTRY_BYTES;
        for (name, path) in [(0, 5), (0, 15)] {
            cache.extend(3_u32.to_ne_bytes());
            cache.extend((strings as u32 + name).to_ne_bytes());
            cache.extend((strings as u32 + path).to_ne_bytes());
            cache.extend([0; 12]);
        }
        cache.extend(b"a.so\0/lib/a.so\0\0/lib64/a.so\0");
        let mut parsed = parse_cache(&cache);
        assert_eq!(parsed.remove("a.so"), Some(vec!["/lib/a.so".into(), "".into()]));
        for cut in 0..cache.len() {
            parse_cache(&cache[..cut]);
        }
    }

    #[test]
    fn the_origin_is_the_folder_of_the_binary() {
        let search = ["$ORIGIN/lib".to_owned(), String::new(), "/opt".to_owned()];
        let expanded = expand(&search, Path::new("/dist/resources/topology"));
        assert_eq!(expanded, [PathBuf::from("/dist/resources/lib"), "/opt".into()]);
    }
}
