//! Takes the folder `resources/` out of a zip.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use zip::ZipArchive;
use zip::read::ZipFile;

use super::{ArchiveError, EntryFault, MANIFEST, RuntimeManifest};

/// The folder of an archive that is unpacked.
pub const RESOURCES: &str = "resources/";

const EXECUTABLE: u32 = 0o755;
const PLAIN: u32 = 0o644;

/// The bits of a Unix mode that tell the kind of a file, and the two kinds that are taken.
const KIND_BITS: u32 = 0o170_000;
const FILE_KIND: u32 = 0o100_000;
const FOLDER_KIND: u32 = 0o040_000;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Entries, those outside of `resources/` among them.
    pub entries: usize,
    /// Bytes that `resources/` takes unpacked.
    pub bytes: u64,
}

impl Default for Caps {
    /// 10,000 entries and 2 GiB.
    fn default() -> Self {
        Self { entries: 10_000, bytes: 2 << 30 }
    }
}

/// Unpacks `resources/` of an archive into `target`, which must not be there yet.
///
/// Without a folder `resources/` in the archive, `target` is empty afterwards.
///
/// # Errors
/// [`ArchiveError`]; then `target` is not there.
pub fn unpack_resources(archive: &Path, target: &Path, caps: Caps) -> Result<(), ArchiveError> {
    unpack_whole(archive, RESOURCES, target, caps)
}

/// Unpacks all of an archive into `target`, which must not be there yet.
///
/// # Errors
/// [`ArchiveError`]; then `target` is not there.
pub fn unpack_all(archive: &Path, target: &Path, caps: Caps) -> Result<(), ArchiveError> {
    unpack_whole(archive, "", target, caps)
}

/// Unpacks what is below `prefix`, all of it or nothing.
fn unpack_whole(
    archive: &Path,
    prefix: &str,
    target: &Path,
    caps: Caps,
) -> Result<(), ArchiveError> {
    let mut staged = target.as_os_str().to_owned();
    staged.push(".partial");
    let staged = PathBuf::from(staged);
    // Left over by a process that was killed while it unpacked.
    let _ = fs::remove_dir_all(&staged);
    let done = unpack(archive, prefix, &staged, caps)
        .and_then(|()| fs::rename(&staged, target).map_err(writing(target)));
    if done.is_err() {
        let _ = fs::remove_dir_all(&staged);
    }
    done
}

fn unpack(path: &Path, prefix: &str, target: &Path, caps: Caps) -> Result<(), ArchiveError> {
    let unreadable = |source| ArchiveError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| unreadable(error.into()))?;
    let mut archive = ZipArchive::new(io::BufReader::new(file)).map_err(unreadable)?;
    if archive.len() > caps.entries {
        return Err(ArchiveError::Entries { entries: archive.len(), cap: caps.entries });
    }
    let binary = binary_of(&mut archive)?;
    fs::create_dir_all(target).map_err(writing(target))?;
    let mut left_bytes = caps.bytes;
    for number in 0..archive.len() {
        // Raw, since the content of an encrypted entry cannot be asked for.
        let entry = archive.by_index_raw(number).map_err(unreadable)?;
        let name = entry.name().map_err(unreadable)?;
        let Some(name) = name.strip_prefix(prefix).map(str::to_owned) else { continue };
        if name.is_empty() {
            continue;
        }
        let fault = |reason| ArchiveError::Entry { entry: format!("{prefix}{name}"), reason };
        if entry.encrypted() {
            return Err(fault(EntryFault::Encrypted));
        }
        drop(entry);
        let entry = archive.by_index(number).map_err(unreadable)?;
        let bytes = entry.size();
        left_bytes =
            left_bytes.checked_sub(bytes).ok_or(ArchiveError::Bytes { cap: caps.bytes })?;
        let is_binary = binary.as_deref() == Some(name.as_str());
        write_entry(entry, (prefix, &name), target, is_binary)?;
    }
    Ok(())
}

/// Name of the topology's binary, which is executable whatever its entry says.
fn binary_of<R: io::Read + io::Seek>(
    archive: &mut ZipArchive<R>,
) -> Result<Option<String>, ArchiveError> {
    const MANIFEST_BYTES: u64 = 64 << 10;
    let Ok(entry) = archive.by_name(&format!("{RESOURCES}{MANIFEST}")) else { return Ok(None) };
    let mut text = Vec::new();
    let read = entry.take(MANIFEST_BYTES).read_to_end(&mut text);
    read.map_err(|source| ArchiveError::Write { path: MANIFEST.into(), source })?;
    RuntimeManifest::parse(&text).map(|manifest| Some(manifest.binary))
}

fn write_entry<R: io::Read>(
    mut entry: ZipFile<'_, R>,
    (prefix, name): (&str, &str),
    target: &Path,
    is_binary: bool,
) -> Result<(), ArchiveError> {
    let fault = |reason| ArchiveError::Entry { entry: format!("{prefix}{name}"), reason };
    let kind = entry.unix_mode().map_or(0, |mode| mode & KIND_BITS);
    let (name, is_folder) = match name.strip_suffix('/') {
        Some(folder) => (folder, true),
        None => (name, false),
    };
    let wanted_kind = if is_folder { FOLDER_KIND } else { FILE_KIND };
    if kind != 0 && kind != wanted_kind {
        return Err(fault(EntryFault::NoFile));
    }
    check_path(name)?;
    let path = target.join(name);
    if is_folder {
        return fs::create_dir_all(&path).map_err(writing(&path));
    }
    let folder = path.parent().expect("it lies in the target");
    fs::create_dir_all(folder).map_err(writing(folder))?;
    let is_executable = is_binary || entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
    let mode = if is_executable { EXECUTABLE } else { PLAIN };
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(fault(EntryFault::Twice));
        }
        Err(source) => return Err(ArchiveError::Write { path, source }),
    };
    let announced_bytes = entry.size();
    let copied = io::copy(&mut entry.by_ref().take(announced_bytes), &mut file);
    // The one byte more tells whether there is one, and has the checksum compared.
    let rest = copied.and_then(|bytes| Ok((bytes, entry.read(&mut [0])?)));
    match rest {
        Ok((bytes, 0)) if bytes == announced_bytes => Ok(()),
        Ok(_) => Err(fault(EntryFault::Length)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(fault(EntryFault::Length)),
        Err(source) => Err(ArchiveError::Write { path, source }),
    }
}

/// Refuses a path that could lead anywhere but below the folder that it is joined to.
pub(super) fn check_path(path: &str) -> Result<(), ArchiveError> {
    let reason = if path.starts_with('/') {
        EntryFault::Absolute
    } else if path.contains(['\\', '\0']) {
        EntryFault::StrangeByte
    } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        EntryFault::Upwards
    } else {
        return Ok(());
    };
    Err(ArchiveError::Entry { entry: path.to_owned(), reason })
}

fn writing(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::Write { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// Entries as name, mode and content.
    fn archive(folder: &Path, entries: &[(&str, u32, &[u8])]) -> PathBuf {
        let path = folder.join("stormjar.jar");
        let mut zip = ZipWriter::new(File::create(&path).expect("created"));
        for (name, mode, content) in entries {
            let options = SimpleFileOptions::default().unix_permissions(*mode);
            if mode & KIND_BITS == 0o120_000 {
                let to = str::from_utf8(content).expect("text");
                zip.add_symlink(*name, to, options).expect("added");
            } else {
                zip.start_file(*name, options).expect("added");
                zip.write_all(content).expect("written");
            }
        }
        zip.finish().expect("finished");
        path
    }

    #[track_caller]
    fn check_refused(entries: &[(&str, u32, &[u8])], caps: Caps, told: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let jar = archive(folder.path(), entries);
        let target = folder.path().join("dist/resources");
        fs::create_dir(folder.path().join("dist")).expect("made");
        let error = unpack_resources(&jar, &target, caps).expect_err("refused").to_string();
        assert!(error.contains(told), "{error}");
        let left = fs::read_dir(folder.path().join("dist")).expect("it is there");
        assert_eq!(left.count(), 0, "something was left behind");
    }

    #[test]
    fn resources_are_unpacked_and_the_binary_can_be_executed() {
        let folder = tempfile::tempdir().expect("a folder");
        let manifest = br#"{"format":1,"binary":"topology","target":"","runtime":"0.1.0"}"#;
        let jar = archive(
            folder.path(),
            &[
                ("META-INF/MANIFEST.MF", 0o644, b"Manifest-Version: 1.0\n"),
                ("resources/", 0o755, b""),
                ("resources/storm-runtime.json", 0o644, manifest),
                ("resources/topology", 0o644, b"binary"),
                ("resources/words/de.txt", 0o644, &b"Natur ".repeat(10_000)),
                ("resources/run.sh", 0o755, b"#!/bin/sh"),
            ],
        );
        let target = folder.path().join("resources");
        unpack_resources(&jar, &target, Caps::default()).expect("it unpacks");
        let mode = |name: &str| {
            fs::metadata(target.join(name)).expect("it is there").permissions().mode() & 0o777
        };
        assert_eq!(mode("topology") & 0o111, 0o111 & mode("run.sh"));
        assert_eq!(mode("words/de.txt") & 0o111, 0);
        let words = fs::read(target.join("words/de.txt")).expect("read");
        assert_eq!(words.len(), 60_000);
        assert!(!target.join("MANIFEST.MF").exists());
        let manifest = RuntimeManifest::read(&target).expect("understood").expect("there");
        assert_eq!(manifest.binary, "topology");
    }

    #[test]
    fn an_archive_without_resources_gives_an_empty_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let jar = archive(folder.path(), &[("org/apache/X.class", 0o644, b"")]);
        let target = folder.path().join("resources");
        unpack_resources(&jar, &target, Caps::default()).expect("it unpacks");
        assert_eq!(fs::read_dir(&target).expect("it is there").count(), 0);
        assert_eq!(RuntimeManifest::read(&target).expect("nothing to read"), None);
    }

    #[test]
    fn entries_that_lead_elsewhere_are_refused() {
        let caps = Caps::default();
        check_refused(&[("resources/../../x", 0o644, b"x")], caps, "'..'");
        check_refused(&[("resources//etc/x", 0o644, b"x")], caps, "its path is absolute");
        check_refused(&[("resources/a\\..\\x", 0o644, b"x")], caps, "backslash");
        check_refused(&[("resources/a/./x", 0o644, b"x")], caps, "'.'");
        let link = ("resources/link", 0o120_777, &b"/etc"[..]);
        check_refused(&[link], caps, "neither a file nor a folder");
        let below = ("resources/link/x", 0o644, &b"x"[..]);
        check_refused(&[link, below], caps, "neither a file nor a folder");
    }

    #[test]
    fn more_than_allowed_is_refused_before_it_is_written() {
        let two = [("resources/a", 0o644, &b"12345"[..]), ("resources/b", 0o644, &b"12345"[..])];
        check_refused(&two, Caps { entries: 1, bytes: 100 }, "2 entries, 1 are allowed");
        check_refused(&two, Caps { entries: 2, bytes: 9 }, "more than 9 bytes");
    }

    #[test]
    fn a_file_that_is_no_zip_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let jar = folder.path().join("stormjar.jar");
        fs::write(&jar, b"PK\x03\x04 cut off").expect("written");
        let target = folder.path().join("resources");
        let error = unpack_resources(&jar, &target, Caps::default()).expect_err("refused");
        assert!(error.to_string().contains("is no readable zip archive"), "{error}");
    }

    #[test]
    fn an_entry_that_announces_too_few_bytes_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let jar = archive(folder.path(), &[("resources/a", 0o644, &[b'x'; 3_000])]);
        let mut bytes = fs::read(&jar).expect("read");
        let announced = 3_000_u32.to_le_bytes();
        let at: Vec<usize> =
            (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == announced).collect();
        assert!(!at.is_empty());
        for at in at {
            bytes[at..at + 4].copy_from_slice(&10_u32.to_le_bytes());
        }
        fs::write(&jar, bytes).expect("written");
        let target = folder.path().join("resources");
        assert!(unpack_resources(&jar, &target, Caps::default()).is_err());
        assert!(!target.exists());
    }
}
