//! The archive of a topology: a zip that is a valid jar at the same time.
//!
//! | entry | what |
//! |---|---|
//! | `META-INF/MANIFEST.MF` | makes a jar of it |
//! | `resources/storm-runtime.json` | which of the resources is the binary |
//! | `resources/topology` | the binary, if there is one |
//! | `resources/…` | files of the author's: scripts of shell components, for instance |

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{BinaryError, BinaryFacts};

/// Name of the binary below `resources/`.
const BINARY: &str = "topology";

/// Name of the file that tells of the binary, below `resources/`.
const MANIFEST: &str = "storm-runtime.json";

/// Version of what stands in that file.
const FORMAT: u32 = 1;

const EXECUTABLE: u32 = 0o755;
const PLAIN: u32 = 0o644;

/// zlib's fastest: a binary shrinks to half, and packing is not what a submission waits for.
const COMPRESSION_LEVEL: i64 = 1;

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read.
    #[error("{path} cannot be packed: {source}", path = path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something among the resources is neither a file nor a folder.
    #[error(
        "{path} is neither a file nor a folder, and cannot be packed: replace it by what it means",
        path = path.display()
    )]
    NoFile {
        /// Which one.
        path: PathBuf,
    },
    /// A resource has a name that the archive itself needs, or that is no text.
    #[error("{path} cannot be packed under its name: give it another one", path = path.display())]
    Name {
        /// Which one.
        path: PathBuf,
    },
    /// There is too much of it.
    #[error(
        "the archive would hold more than {limit} bytes, with {path}: leave out what the topology \
         does not need, or strip the binary",
        path = path.display()
    )]
    TooLarge {
        /// The file that was too much.
        path: PathBuf,
        /// Bytes that are allowed, before they are compressed.
        limit: u64,
    },
    /// There are too many of them.
    #[error("the folder {path} has more than {limit} files: leave out what is not needed", path = path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// Files that are allowed.
        limit: usize,
    },
    /// The archive cannot be written.
    #[error("the archive cannot be written into a temporary file: {source}; is the disk full?")]
    Unwritable {
        /// What the system says.
        source: io::Error,
    },
}

/// What an archive is to hold.
#[derive(Clone, Debug)]
pub struct Archive {
    binary: Option<(PathBuf, BinaryFacts)>,
    /// Path of each resource, by its name below `resources/`.
    resources: Vec<(String, PathBuf)>,
    runtime: String,
    compression: CompressionMethod,
    limit_bytes: u64,
    limit_files: usize,
}

impl Default for Archive {
    fn default() -> Self {
        Self::new()
    }
}

impl Archive {
    /// An archive without a binary, for topologies of built-in and shell components; at most 2 GiB
    /// and 10,000 files, which is what supervisors unpack.
    pub fn new() -> Self {
        Self {
            binary: None,
            resources: Vec::new(),
            runtime: env!("CARGO_PKG_VERSION").to_owned(),
            compression: CompressionMethod::Deflated,
            limit_bytes: 2 << 30,
            limit_files: 9_990,
        }
    }

    /// Another limit of what the archive holds, in bytes before they are compressed.
    pub fn with_limit_bytes(self, limit_bytes: u64) -> Self {
        Self { limit_bytes, ..self }
    }

    /// Packs without compressing: for a Nimbus so near that more bytes travel sooner than fewer are
    /// packed.
    pub fn without_compression(self) -> Self {
        Self { compression: CompressionMethod::Stored, ..self }
    }

    /// The version of the runtime that is linked into the binary, for messages of the cluster.
    pub fn with_runtime(self, runtime: impl Into<String>) -> Self {
        Self { runtime: runtime.into(), ..self }
    }

    /// Adds the topology's binary.
    ///
    /// # Errors
    /// If no machine that topologies run on can run it.
    pub fn with_binary(self, path: &Path) -> Result<Self, BinaryError> {
        let facts = BinaryFacts::read(path)?;
        Ok(Self { binary: Some((path.to_owned(), facts)), ..self })
    }

    /// Adds all files of a folder and of the folders in it.
    ///
    /// # Errors
    /// If the folder cannot be read, or holds something that does not belong in an archive.
    pub fn with_resources(mut self, folder: &Path) -> Result<Self, ArchiveError> {
        let mut unread = vec![(String::new(), folder.to_owned())];
        while let Some((prefix, path)) = unread.pop() {
            let unreadable = |source| ArchiveError::Unreadable { path: path.clone(), source };
            for entry in fs::read_dir(&path).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                let path = entry.path();
                let wrong_name = || ArchiveError::Name { path: path.clone() };
                let name = entry.file_name().into_string().map_err(|_| wrong_name())?;
                let name = format!("{prefix}{name}");
                if name == BINARY || name == MANIFEST || name.contains('\\') {
                    return Err(wrong_name());
                }
                let kind = entry.file_type().map_err(unreadable)?;
                if kind.is_dir() {
                    unread.push((format!("{name}/"), path));
                } else if kind.is_file() {
                    self.resources.push((name, path));
                } else {
                    return Err(ArchiveError::NoFile { path });
                }
                if self.resources.len() + unread.len() > self.limit_files {
                    let path = folder.to_owned();
                    return Err(ArchiveError::TooMany { path, limit: self.limit_files });
                }
            }
        }
        // Equal resources give equal archives, whatever the order in which the system lists them.
        self.resources.sort();
        Ok(self)
    }

    /// What the binary is and wants, if there is one.
    pub fn binary(&self) -> Option<&BinaryFacts> {
        self.binary.as_ref().map(|(_, facts)| facts)
    }

    /// Writes the archive into a temporary file that goes away with the process.
    ///
    /// # Errors
    /// If something cannot be read or written, or is more than the limit.
    pub fn pack(&self) -> Result<PackedArchive, ArchiveError> {
        let unwritable = |source| ArchiveError::Unwritable { source };
        let file = tempfile::tempfile().map_err(unwritable)?;
        let mut packer = Packer {
            zip: ZipWriter::new(BufWriter::new(file)),
            compression: self.compression,
            left_bytes: self.limit_bytes,
            limit_bytes: self.limit_bytes,
        };
        packer.text("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\r\n\r\n")?;
        if let Some((path, facts)) = &self.binary {
            let manifest = json!({
                "format": FORMAT,
                "binary": BINARY,
                "target": facts.target(),
                "runtime": self.runtime,
            });
            let manifest = format!("{manifest}\n");
            packer.text(&format!("resources/{MANIFEST}"), manifest.as_bytes())?;
            packer.file(&format!("resources/{BINARY}"), path, EXECUTABLE)?;
        }
        for (name, path) in &self.resources {
            packer.file(&format!("resources/{name}"), path, mode(path))?;
        }
        packer.finish()
    }
}

/// Executable or not; nothing else of a file's mode is anybody's business.
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let is_executable = |data: fs::Metadata| data.permissions().mode() & 0o111 != 0;
    if fs::metadata(path).is_ok_and(is_executable) { EXECUTABLE } else { PLAIN }
}

struct Packer {
    zip: ZipWriter<BufWriter<File>>,
    compression: CompressionMethod,
    left_bytes: u64,
    limit_bytes: u64,
}

impl Packer {
    fn begin(&mut self, name: &str, mode: u32, bytes: u64) -> Result<(), ArchiveError> {
        let is_compressed = self.compression != CompressionMethod::Stored;
        let options = SimpleFileOptions::default()
            .compression_method(self.compression)
            .compression_level(is_compressed.then_some(COMPRESSION_LEVEL))
            .last_modified_time(DateTime::default())
            .unix_permissions(mode)
            .large_file(bytes >= u64::from(u32::MAX));
        self.zip.start_file(name, options).map_err(unwritable)
    }

    fn text(&mut self, name: &str, text: &[u8]) -> Result<(), ArchiveError> {
        self.begin(name, PLAIN, text.len() as u64)?;
        self.zip.write_all(text).map_err(|source| ArchiveError::Unwritable { source })
    }

    fn file(&mut self, name: &str, path: &Path, mode: u32) -> Result<(), ArchiveError> {
        let unreadable = |source| ArchiveError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        self.begin(name, mode, bytes)?;
        // The file may grow while it is read, so what is read is what counts.
        let mut source = BufReader::new(file).take(self.left_bytes + 1);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = source.read(&mut buffer).map_err(unreadable)?;
            if read == 0 {
                return Ok(());
            }
            let (path, limit) = (path.to_owned(), self.limit_bytes);
            let left = self.left_bytes.checked_sub(read as u64);
            self.left_bytes = left.ok_or(ArchiveError::TooLarge { path, limit })?;
            let written = self.zip.write_all(&buffer[..read]);
            written.map_err(|source| ArchiveError::Unwritable { source })?;
        }
    }

    fn finish(self) -> Result<PackedArchive, ArchiveError> {
        let written = self.zip.finish().map_err(unwritable)?;
        let unwritable = |source| ArchiveError::Unwritable { source };
        let mut file = written.into_inner().map_err(|error| unwritable(error.into_error()))?;
        let bytes = file.seek(SeekFrom::End(0)).map_err(unwritable)?;
        Ok(PackedArchive { file, bytes })
    }
}

fn unwritable(error: zip::result::ZipError) -> ArchiveError {
    ArchiveError::Unwritable { source: error.into() }
}

/// An archive that can be uploaded.
#[derive(Debug)]
pub struct PackedArchive {
    file: File,
    bytes: u64,
}

impl PackedArchive {
    /// An archive that somebody else packed, as a jar.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        let unreadable = |source| ArchiveError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        Ok(Self { file, bytes })
    }

    /// Bytes that will be uploaded.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The archive, to be read from its beginning.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }
}
