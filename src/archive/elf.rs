//! What an ELF file asks of the machine, and what a library offers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, ReadCache, ReadRef};

/// An executable or a shared library, as far as its loader is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// Number of the machine, and whether it is a 64-bit one with its low byte first.
    pub machine: Machine,
    /// The program that loads it; none if it is linked statically.
    pub interpreter: Option<String>,
    /// Libraries that it is linked against, by the names that it has for them.
    pub needed: Vec<String>,
    /// Folders in which the libraries are looked for before all others.
    pub search: Vec<String>,
    /// Versions that it wants of each library.
    pub wanted_versions: BTreeMap<String, BTreeSet<String>>,
    /// Versions that it offers to others.
    pub offered_versions: BTreeSet<String>,
}

/// A kind of machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    number: u16,
    is_64_bit: bool,
    is_little_endian: bool,
}

impl Machine {
    /// The machine that this program was built for.
    pub fn own() -> Self {
        let number = match std::env::consts::ARCH {
            "x86_64" => elf::EM_X86_64,
            "x86" => elf::EM_386,
            "aarch64" => elf::EM_AARCH64,
            "arm" => elf::EM_ARM,
            "riscv64" => elf::EM_RISCV,
            "powerpc64" => elf::EM_PPC64,
            "s390x" => elf::EM_S390,
            "loongarch64" => elf::EM_LOONGARCH,
            _ => elf::EM_NONE,
        };
        Self {
            number,
            is_64_bit: cfg!(target_pointer_width = "64"),
            is_little_endian: cfg!(target_endian = "little"),
        }
    }

    /// Its usual name.
    pub fn name(self) -> String {
        let name = match self.number {
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
        let bits = if self.is_64_bit { "64-bit" } else { "32-bit" };
        let order = if self.is_little_endian { "" } else { " big-endian" };
        format!("{name} ({bits}{order})")
    }
}

impl Elf {
    /// Reads a file; `None` if it is no ELF file.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        let mut magic = [0; 5];
        if file.read(&mut magic)? < magic.len() || magic[..4] != elf::ELFMAG {
            return Ok(None);
        }
        let data = ReadCache::new(file);
        let read = match magic[4] {
            elf::ELFCLASS64 => read::<FileHeader64<Endianness>, _>(&data),
            _ => read::<FileHeader32<Endianness>, _>(&data),
        };
        read.map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

fn read<'data, H, R>(data: R) -> object::Result<Elf>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let mut elf = Elf {
        machine: Machine {
            number: header.e_machine(endian),
            is_64_bit: header.is_class_64(),
            is_little_endian: header.is_little_endian(),
        },
        ..Elf::default()
    };
    for segment in header.program_headers(endian, data)? {
        if let Some(interpreter) = segment.interpreter(endian, data)? {
            elf.interpreter = Some(text(interpreter));
        }
    }
    let sections = header.sections(endian, data)?;
    if let Some((entries, link)) = sections.dynamic(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        for entry in entries {
            let string = || entry.string(endian, strings).map(text);
            match entry.tag32(endian).map(i64::from) {
                Some(elf::DT_NEEDED) => elf.needed.push(string()?),
                Some(elf::DT_RPATH | elf::DT_RUNPATH) => {
                    elf.search.extend(string()?.split(':').map(str::to_owned));
                }
                Some(elf::DT_NULL) => break,
                _ => {}
            }
        }
    }
    if let Some((mut wanted, link)) = sections.gnu_verneed(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        while let Some((library, mut versions)) = wanted.next()? {
            let of = elf.wanted_versions.entry(text(library.file(endian, strings)?)).or_default();
            while let Some(version) = versions.next()? {
                if version.vna_flags.get(endian) & elf::VER_FLG_WEAK != 0 {
                    continue;
                }
                of.insert(text(version.name(endian, strings)?));
            }
        }
    }
    if let Some((mut offered, link)) = sections.gnu_verdef(endian, data)? {
        let strings = sections.strings(endian, data, link)?;
        while let Some((_, mut names)) = offered.next()? {
            // The first name is the version's own, those after it are of its parents.
            if let Some(version) = names.next()? {
                elf.offered_versions.insert(text(version.name(endian, strings)?));
            }
        }
    }
    Ok(elf)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
