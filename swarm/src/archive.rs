//! The archive of a topology: a zip that is a valid jar and holds the binary under `resources/`.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::stormd::VERSION;

/// First entry of every jar.
const MANIFEST: &str = "Manifest-Version: 1.0\r\nCreated-By: stormdeploy\r\n\r\n";
/// The level at which a binary shrinks to less than half in little time.
const LEVEL: i64 = 1;

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
#[error("cannot pack {}: {source}", binary.display())]
pub struct ArchiveError {
    /// The binary.
    binary: PathBuf,
    /// Why.
    source: io::Error,
}

/// Packs a binary into a file that goes away with the program; gives it with its length in bytes.
///
/// # Errors
/// A binary that cannot be read, and no space for the archive.
pub fn pack(binary: &Path, target: &str, compress: bool) -> Result<(File, u64), ArchiveError> {
    write(binary, target, compress)
        .map_err(|source| ArchiveError { binary: binary.to_owned(), source })
}

fn write(binary: &Path, target: &str, compress: bool) -> io::Result<(File, u64)> {
    let mut source = File::open(binary)?;
    let bytes = source.metadata()?.len();
    let mut archive = ZipWriter::new(tempfile::tempfile()?);
    let text = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    archive.start_file("META-INF/MANIFEST.MF", text)?;
    archive.write_all(MANIFEST.as_bytes())?;
    archive.start_file("resources/storm-runtime.json", text)?;
    let told = json!({"format": 1, "binary": "topology", "target": target, "runtime": VERSION});
    archive.write_all(format!("{told}\n").as_bytes())?;
    let program = if compress {
        text.compression_method(CompressionMethod::Deflated).compression_level(Some(LEVEL))
    } else {
        text
    };
    let program = program.unix_permissions(0o755).large_file(bytes >= u32::MAX.into());
    archive.start_file("resources/topology", program)?;
    io::copy(&mut source, &mut archive)?;
    let mut file = archive.finish()?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_archive_holds_the_binary_its_description_and_a_jars_manifest() {
        let binary = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(binary.path(), b"\x7fELF".repeat(1000)).expect("it can be written");
        for compress in [false, true] {
            let (file, bytes) =
                pack(binary.path(), "x86_64-linux-gnu", compress).expect("it is packed");
            assert_eq!(file.metadata().unwrap().len(), bytes);
            assert_eq!(bytes < 4000, compress);
            let mut archive = zip::ZipArchive::new(file).expect("it is a zip");
            let names: Vec<String> =
                archive.file_names().map(|name| name.expect("it is text").into_owned()).collect();
            let expected =
                ["META-INF/MANIFEST.MF", "resources/storm-runtime.json", "resources/topology"];
            assert_eq!(names, expected);
            let program = archive.by_name("resources/topology").unwrap();
            assert_eq!(program.unix_mode().unwrap() & 0o777, 0o755);
            assert_eq!(program.size(), 4000);
            drop(program);
            let mut told = String::new();
            archive
                .by_name("resources/storm-runtime.json")
                .unwrap()
                .read_to_string(&mut told)
                .unwrap();
            let told: serde_json::Value = serde_json::from_str(&told).unwrap();
            assert_eq!(told["target"], "x86_64-linux-gnu");
        }
    }

    #[test]
    fn a_binary_that_is_gone_is_named() {
        let error = pack(Path::new("/no/binary"), "", false).expect_err("it is gone");
        assert!(error.to_string().starts_with("cannot pack /no/binary: "), "{error}");
    }
}
