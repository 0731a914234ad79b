//! Which files are binaries that topologies may have. This test's own binary is one.

use std::fs;
use std::path::{Path, PathBuf};

use nimbus_client::submit::{BinaryError, BinaryFacts};
use tempfile::TempDir;

/// Offsets in the header of an ELF file.
const CLASS: usize = 4;
const KIND: usize = 16;
const MACHINE: usize = 18;

pub fn own_binary() -> PathBuf {
    std::env::current_exe().expect("a test has a binary")
}

/// A copy of this test's binary with other bytes at an offset.
fn patched(folder: &TempDir, at: usize, bytes: &[u8]) -> PathBuf {
    let mut binary = fs::read(own_binary()).expect("it can be read");
    binary[at..at + bytes.len()].copy_from_slice(bytes);
    let path = folder.path().join("words");
    fs::write(&path, binary).expect("the folder takes it");
    path
}

#[track_caller]
fn check(path: &Path, told: &str) {
    let error = BinaryFacts::read(path).expect_err("no cluster runs it").to_string();
    assert!(error.contains(told), "{error}");
    assert!(error.contains(path.to_str().expect("a text")), "{error}");
}

#[test]
fn a_binary_of_this_machine_is_read() {
    let facts = BinaryFacts::read(&own_binary()).expect("it runs here");
    assert_eq!(facts.machine, std::env::consts::ARCH);
    assert!(facts.target().starts_with(&format!("{}-linux-", facts.machine)));
    if facts.libc == "gnu" {
        assert!(facts.needed.iter().any(|library| library == "libc.so.6"), "{facts:?}");
        assert!(facts.interpreter.is_some_and(|loader| loader.contains("ld-linux")));
    }
}

#[test]
fn a_binary_of_another_machine_is_refused_by_name() {
    let folder = TempDir::new().expect("there is room");
    for (number, name) in [(3_u8, "x86 (64 bits)"), (40, "arm"), (243, "riscv (64 bits)")] {
        check(&patched(&folder, MACHINE, &[number, 0]), &format!("was built for {name}"));
    }
}

#[test]
fn a_binary_of_another_machine_than_the_clusters_is_refused_by_both_names() {
    let folder = TempDir::new().expect("there is room");
    let path = patched(&folder, MACHINE, &[183, 0]);
    let facts = BinaryFacts::read(&path).expect("topologies run on aarch64");
    assert_eq!(facts.machine, "aarch64");
    facts.check_machine(&path, "aarch64").expect("that is its machine");
    let error = facts.check_machine(&path, "x86_64").expect_err("that is another one");
    assert_eq!(
        error.to_string(),
        format!(
            "{} was built for aarch64, and the cluster's machines are x86_64: build it with \
             cargo build --target x86_64-unknown-linux-gnu",
            path.display()
        )
    );
}

#[test]
fn what_is_no_executable_is_refused() {
    let folder = TempDir::new().expect("there is room");
    let text = folder.path().join("words.rs");
    fs::write(&text, "fn main() {}").expect("the folder takes it");
    check(&text, "is no Linux executable");
    check(folder.path(), "is no Linux executable");
    // An object file, which is to be linked yet.
    check(&patched(&folder, KIND, &[1, 0]), "is no Linux executable");
    check(&folder.path().join("gone"), "cannot be read: No such file");
}

#[test]
fn a_binary_that_is_cut_off_is_broken_at_every_length() {
    let folder = TempDir::new().expect("there is room");
    let binary = fs::read(own_binary()).expect("it can be read");
    let path = folder.path().join("words");
    for length in [5, 16, 63, 64, 100, 1000, binary.len() / 2] {
        fs::write(&path, &binary[..length]).expect("the folder takes it");
        assert!(BinaryFacts::read(&path).is_err(), "{length}");
    }
}

#[test]
fn bytes_of_the_header_in_disorder_do_no_harm() {
    let folder = TempDir::new().expect("there is room");
    for at in CLASS..64 {
        for byte in [0, 0xff] {
            // An error or not: what counts is that there is an answer.
            let answer = BinaryFacts::read(&patched_header(&folder, at, byte));
            assert!(!matches!(answer, Err(BinaryError::Unreadable { .. })), "{at}");
        }
    }
}

/// As [`patched`], of the first bytes alone, which are quick to write.
fn patched_header(folder: &TempDir, at: usize, byte: u8) -> PathBuf {
    let mut binary = fs::read(own_binary()).expect("it can be read");
    binary.truncate(16 << 10);
    binary[at] = byte;
    let path = folder.path().join("words");
    fs::write(&path, binary).expect("the folder takes it");
    path
}
