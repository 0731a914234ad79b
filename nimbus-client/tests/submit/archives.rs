//! What archives hold.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};

use nimbus_client::submit::{Archive, ArchiveError, PackedArchive};
use tempfile::TempDir;
use zip::ZipArchive;

use crate::binaries::own_binary;

/// Name, mode and content of each entry, in order.
fn entries(archive: &mut PackedArchive) -> Vec<(String, u32, Vec<u8>)> {
    let mut zip = ZipArchive::new(archive.file()).expect("it is a zip");
    let entries = (0..zip.len()).map(|number| {
        let mut entry = zip.by_index(number).expect("it has so many entries");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("it can be unpacked");
        let name = entry.name().expect("a text").into_owned();
        (name, entry.unix_mode().expect("a mode") & 0o777, content)
    });
    entries.collect()
}

#[test]
fn an_archive_holds_the_binary_and_says_which_it_is() {
    let binary = own_binary();
    let archive = Archive::new().with_binary(&binary).expect("it runs here").with_runtime("9.8.7");
    let target = archive.binary().expect("it was added").target();
    let mut packed = archive.pack().expect("there is room");
    assert!(packed.bytes() < fs::metadata(&binary).expect("it is there").len());
    let entries = entries(&mut packed);
    let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(
        names,
        ["META-INF/MANIFEST.MF", "resources/storm-runtime.json", "resources/topology"]
    );
    assert_eq!(entries[0].2, b"Manifest-Version: 1.0\r\n\r\n");
    let manifest: serde_json::Value = serde_json::from_slice(&entries[1].2).expect("it is JSON");
    let expected = serde_json::json!({
        "format": 1, "binary": "topology", "target": target, "runtime": "9.8.7",
    });
    assert_eq!(manifest, expected);
    assert_eq!(entries[2].1, 0o755);
    assert!(entries[2].2 == fs::read(&binary).expect("it can be read"), "the binary is another");
}

#[test]
fn an_archive_may_be_packed_without_compression() {
    let archive = Archive::new().with_binary(&own_binary()).expect("it runs here");
    let compressed = entries(&mut archive.pack().expect("there is room"));
    let mut stored = archive.without_compression().pack().expect("there is room");
    assert!(stored.bytes() > fs::metadata(own_binary()).expect("it is there").len());
    assert!(entries(&mut stored) == compressed, "the same content");
}

#[test]
fn an_archive_without_a_binary_is_a_jar_all_the_same() {
    let mut packed = Archive::new().pack().expect("there is room");
    assert_eq!(entries(&mut packed).len(), 1);
}

#[test]
fn resources_are_packed_with_their_folders_and_their_modes() {
    let folder = TempDir::new().expect("there is room");
    fs::create_dir(folder.path().join("lib")).expect("the folder takes it");
    fs::write(folder.path().join("split.py"), "print()").expect("the folder takes it");
    fs::write(folder.path().join("lib/words.txt"), "a b").expect("the folder takes it");
    let executable = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder.path().join("split.py"), executable).expect("it is ours");
    let archive = Archive::new().with_resources(folder.path()).expect("they can be read");
    let entries = entries(&mut archive.pack().expect("there is room"));
    assert_eq!(
        entries[1..],
        [
            ("resources/lib/words.txt".to_owned(), 0o644, b"a b".to_vec()),
            ("resources/split.py".to_owned(), 0o755, b"print()".to_vec()),
        ]
    );
}

#[test]
fn the_same_content_gives_the_same_archive() {
    let folder = TempDir::new().expect("there is room");
    for name in ["b", "a", "c"] {
        fs::write(folder.path().join(name), name).expect("the folder takes it");
    }
    let pack = || {
        let archive = Archive::new().with_resources(folder.path()).expect("they can be read");
        let mut packed = archive.pack().expect("there is room");
        let mut bytes = Vec::new();
        std::io::Seek::rewind(packed.file()).expect("it is a file");
        packed.file().read_to_end(&mut bytes).expect("it can be read");
        bytes
    };
    assert!(pack() == pack());
}

#[track_caller]
fn check_resources(prepare: impl FnOnce(&TempDir), told: &str) {
    let folder = TempDir::new().expect("there is room");
    prepare(&folder);
    let packed = Archive::new().with_limit_bytes(10).with_resources(folder.path());
    let error = packed.and_then(|archive| archive.pack()).expect_err("it is refused").to_string();
    assert!(error.contains(told), "{error}");
}

#[test]
fn what_does_not_belong_into_an_archive_is_refused_by_its_name() {
    check_resources(
        |folder| symlink("/etc/passwd", folder.path().join("link")).expect("a link is made"),
        "/link is neither a file nor a folder",
    );
    check_resources(
        |folder| drop(File::create(folder.path().join("topology"))),
        "/topology cannot be packed under its name",
    );
    check_resources(
        |folder| fs::write(folder.path().join("large"), [0; 11]).expect("the folder takes it"),
        "the archive would hold more than 10 bytes, with ",
    );
    check_resources(
        |folder| fs::remove_dir(folder.path()).expect("it is empty"),
        "cannot be packed: No such file or directory",
    );
}

#[test]
fn a_limit_of_exactly_the_content_is_enough() {
    let folder = TempDir::new().expect("there is room");
    fs::write(folder.path().join("a"), [0; 10]).expect("the folder takes it");
    let archive = Archive::new().with_resources(folder.path()).expect("they can be read");
    archive.clone().with_limit_bytes(10).pack().expect("they are just so many");
    let error = archive.with_limit_bytes(9).pack().expect_err("they are one too many");
    assert!(matches!(error, ArchiveError::TooLarge { limit: 9, .. }), "{error}");
}
