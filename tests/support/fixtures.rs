//! Recorded files: where they are, that they are there, and that nobody changed them.
//!
//! **Invariants**
//! - What is absent or empty fails the test that asks for it; nothing is skipped.
//! - Bundled files are read only if they have the checksum in their folder's `SHA256SUMS`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// Names another folder of recorded files, in the layout of `tests/fixtures`.
const FOLDER_VARIABLE: &str = "FIXTURES_DIR";

/// The rows of a file of JSON lines, each with its place for messages (`path:line`).
///
/// `folder` and `name` are relative to `$FIXTURES_DIR`, or to `tests/fixtures` if it is not set.
///
/// # Panics
/// If the file is absent, empty, not JSON lines, or bundled and not what its checksum says.
pub fn json_lines(folder: &str, name: &str) -> Vec<(String, Json)> {
    let (root, bundled) = match env::var_os(FOLDER_VARIABLE) {
        Some(root) => (PathBuf::from(root), false),
        None => (bundled_folder(), true),
    };
    let folder = root.join(folder);
    let path = folder.join(name);
    let content = fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "recorded file {} cannot be read ({error}); {FOLDER_VARIABLE} {}",
            path.display(),
            if bundled { "is not set" } else { "names the folder it is looked for in" },
        )
    });
    if bundled {
        verify_checksum(&folder, name, &content);
    }
    let content = String::from_utf8(content)
        .unwrap_or_else(|error| panic!("{} is not UTF-8: {error}", path.display()));
    let rows: Vec<_> = content
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(i, line)| {
            let place = format!("{}:{}", path.display(), i + 1);
            let row = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{place} is not a line of JSON: {error}"));
            (place, row)
        })
        .collect();
    assert!(!rows.is_empty(), "recorded file {} has no rows", path.display());
    rows
}

/// `tests/fixtures` of the repository, for the tests of whichever package.
fn bundled_folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = package.ancestors().map(|folder| folder.join("tests/fixtures"));
    let found = folders.into_iter().find(|folder| folder.is_dir());
    found.unwrap_or_else(|| panic!("no folder above {} has tests/fixtures", package.display()))
}

fn verify_checksum(folder: &Path, name: &str, content: &[u8]) {
    let path = folder.join("SHA256SUMS");
    let sums = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    let expected = sums
        .lines()
        .filter_map(|line| line.split_once("  "))
        .find_map(|(sum, file)| (file == name).then_some(sum))
        .unwrap_or_else(|| panic!("{} has no line for {name}", path.display()));
    let found = sha256(content);
    assert_eq!(
        found,
        expected,
        "{} is not the recorded file: its SHA-256 differs from the one in SHA256SUMS",
        folder.join(name).display()
    );
}

/// SHA-256 (FIPS 180-4) in lower-case hexadecimal.
fn sha256(message: &[u8]) -> String {
    // Both tables hold the first 32 fraction bits of roots of the first primes.
    let mut primes = (2_u64..).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d > 0));
    let primes: [u64; 64] = std::array::from_fn(|_| primes.next().expect("primes never end"));
    let round_constants = primes.map(|prime| root_fraction_bits(prime, 3));
    let mut state: [u32; 8] = std::array::from_fn(|i| root_fraction_bits(primes[i], 2));

    let mut padded = message.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((message.len() as u64 * 8).to_be_bytes());
    for block in padded.as_chunks::<64>().0 {
        compress(&mut state, block, &round_constants);
    }
    state.iter().map(|word| format!("{word:08x}")).collect()
}

/// The first 32 bits after the point of a prime's square root (`degree` 2) or cube root (3).
fn root_fraction_bits(prime: u64, degree: u32) -> u32 {
    let scaled = u128::from(prime) << (32 * degree);
    let mut root = 0_u128;
    for bit in (0..40).rev() {
        let candidate = root | 1 << bit;
        if candidate.pow(degree) <= scaled {
            root = candidate;
        }
    }
    root as u32
}

fn compress(state: &mut [u32; 8], block: &[u8; 64], round_constants: &[u32; 64]) {
    let mut schedule = [0_u32; 64];
    for (word, bytes) in schedule.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    for i in 16..64 {
        let (near, far) = (schedule[i - 2], schedule[i - 15]);
        let far = far.rotate_right(7) ^ far.rotate_right(18) ^ (far >> 3);
        let near = near.rotate_right(17) ^ near.rotate_right(19) ^ (near >> 10);
        schedule[i] =
            schedule[i - 16].wrapping_add(far).wrapping_add(schedule[i - 7]).wrapping_add(near);
    }
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in schedule.iter().zip(round_constants) {
        let mixed_e = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let mixed_a = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let chosen = (e & f) ^ (!e & g);
        let majority = (a & b) ^ (a & c) ^ (b & c);
        let added = h
            .wrapping_add(mixed_e)
            .wrapping_add(chosen)
            .wrapping_add(*constant)
            .wrapping_add(*word);
        (h, g, f, e) = (g, f, e, d.wrapping_add(added));
        (d, c, b, a) = (c, b, a, added.wrapping_add(mixed_a).wrapping_add(majority));
    }
    for (word, added) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(added);
    }
}

#[test]
fn checksums_are_sha_256() {
    assert_eq!(sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(
        sha256(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
}
