//! What the loader would ask of the machine that runs a binary.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, ReadCache, ReadRef};

/// What an executable is and wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinaryFacts {
    /// The machine, as `x86_64`.
    pub machine: &'static str,
    /// The C library that it is linked against: `gnu`, `musl`, or `static` for none.
    pub libc: &'static str,
    /// The program that loads it; none if it is linked statically.
    pub interpreter: Option<String>,
    /// Shared libraries that it wants, by name.
    pub needed: Vec<String>,
}

/// Why a file is no binary that a cluster can run.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// It is not there, or may not be read.
    #[error("the topology's binary {path} cannot be read: {source}", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is no program for Linux.
    #[error("{path} is no Linux executable: name the binary that cargo built", path = path.display())]
    NoExecutable {
        /// Which file.
        path: PathBuf,
    },
    /// It is cut off, or no linker made it.
    #[error("{path} is a broken executable: {why}; build it again", path = path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: object::Error,
    },
    /// It is for a kind of machine that no cluster of ours has.
    #[error(
        "{path} was built for {found}, and topologies run on x86_64 and aarch64: build it with \
         cargo build --target x86_64-unknown-linux-gnu",
        path = path.display()
    )]
    UnknownMachine {
        /// Which file.
        path: PathBuf,
        /// What it was built for.
        found: String,
    },
    /// It is for another kind of machine than the cluster's.
    #[error(
        "{path} was built for {found}, and the cluster's machines are {wanted}: build it with \
         cargo build --target {wanted}-unknown-linux-gnu",
        path = path.display()
    )]
    OtherMachine {
        /// Which file.
        path: PathBuf,
        /// What it was built for.
        found: &'static str,
        /// What the cluster has.
        wanted: String,
    },
}

impl BinaryFacts {
    /// Reads the headers of a file.
    ///
    /// # Errors
    /// If it is no 64-bit Linux executable for a machine that topologies run on.
    pub fn read(path: &Path) -> Result<Self, BinaryError> {
        let unreadable = |source| BinaryError::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?;
        let data = ReadCache::new(file);
        let magic: &[u8] = match size.is_file() {
            true => (&data).read_bytes_at(0, 5).unwrap_or_default(),
            false => &[],
        };
        let facts = match magic {
            [0x7f, b'E', b'L', b'F', elf::ELFCLASS64] => {
                facts::<FileHeader64<Endianness>, _>(&data)
            }
            [0x7f, b'E', b'L', b'F', _] => facts::<FileHeader32<Endianness>, _>(&data),
            _ => return Err(BinaryError::NoExecutable { path: path.to_owned() }),
        };
        match facts.map_err(|why| BinaryError::Broken { path: path.to_owned(), why })? {
            Read::Facts(facts) => Ok(facts),
            Read::NoExecutable => Err(BinaryError::NoExecutable { path: path.to_owned() }),
            Read::OtherMachine(found) => {
                Err(BinaryError::UnknownMachine { path: path.to_owned(), found })
            }
        }
    }

    /// Checks that machines of the kind `wanted` can run this, which was read from `path`.
    ///
    /// # Errors
    /// [`BinaryError::OtherMachine`] if they cannot.
    pub fn check_machine(&self, path: &Path, wanted: &str) -> Result<(), BinaryError> {
        if self.machine == wanted {
            return Ok(());
        }
        let wanted = wanted.to_owned();
        Err(BinaryError::OtherMachine { path: path.to_owned(), found: self.machine, wanted })
    }

    /// Machine, system and C library in one word, as `x86_64-linux-gnu`.
    pub fn target(&self) -> String {
        format!("{}-linux-{}", self.machine, self.libc)
    }
}

enum Read {
    Facts(BinaryFacts),
    NoExecutable,
    OtherMachine(String),
}

fn facts<'data, H, R>(data: R) -> object::Result<Read>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    if !matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN)
        || header.e_entry(endian).into() == 0
    {
        return Ok(Read::NoExecutable);
    }
    let machine = match header.e_machine(endian) {
        elf::EM_X86_64 if header.is_class_64() => "x86_64",
        elf::EM_AARCH64 if header.is_class_64() && header.is_little_endian() => "aarch64",
        number => return Ok(Read::OtherMachine(machine_name(number, header.is_class_64()))),
    };
    let mut interpreter = None;
    for segment in header.program_headers(endian, data)? {
        interpreter = interpreter.or(segment.interpreter(endian, data)?.map(text));
    }
    let libc = match &interpreter {
        None => "static",
        Some(loader) if loader.contains("musl") => "musl",
        Some(_) => "gnu",
    };
    let needed = needed::<H, R>(header, endian, data)?;
    Ok(Read::Facts(BinaryFacts { machine, libc, interpreter, needed }))
}

fn needed<'data, H, R>(header: &'data H, endian: Endianness, data: R) -> object::Result<Vec<String>>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let sections = header.sections(endian, data)?;
    let mut needed = Vec::new();
    if let Some((entries, link)) = sections.dynamic(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        for entry in entries {
            match entry.tag32(endian).map(i64::from) {
                Some(elf::DT_NEEDED) => needed.push(text(entry.string(endian, strings)?)),
                Some(elf::DT_NULL) => break,
                _ => {}
            }
        }
    }
    Ok(needed)
}

fn machine_name(number: u16, is_64_bit: bool) -> String {
    let name = match number {
        elf::EM_X86_64 => "x86_64",
        elf::EM_386 => "x86",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_ARM => "arm",
        elf::EM_RISCV => "riscv",
        elf::EM_PPC64 => "powerpc64",
        elf::EM_S390 => "s390x",
        elf::EM_LOONGARCH => "loongarch",
        other => return format!("machine number {other}"),
    };
    format!("{name} ({} bits)", if is_64_bit { 64 } else { 32 })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
