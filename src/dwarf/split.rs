//! The other part of split DWARF: what a compiler puts into files beside the module (`-gsplit-dwarf`), one for each
//! unit (`.dwo`) or all in one package (`.dwp`). They are Wasm or ELF files of sections, as little to be trusted as a
//! module's own.

use super::map::{Budget, Dwarf, Input, Slice};
use crate::base::{Error, ErrorKind, Escaped, Foreign, Result};
use gimli::{DwarfPackage, DwoId, EndianSlice, LittleEndian, SectionId, Unit, UnitHeader, UnitType};
use object::{CompressionFormat, Object as _, ObjectSection as _};
use once_cell::sync::OnceCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use wasmparser::{Encoding, Parser, Payload};

/// The sections that are read, and those in which a package's index has to find what it says that they have.
const SECTIONS: &[SectionId] = &[
    SectionId::DebugAbbrev,
    SectionId::DebugCuIndex,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugMacinfo,
    SectionId::DebugMacro,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// Where the sections of a file are.
type Sections = HashMap<SectionId, Range<usize>>;

/// A file with the other parts of units: a package, or of one unit or several. It is read when it is first asked.
#[derive(Debug)]
pub struct SplitFile {
    bytes: Box<[u8]>,
    sections: Sections,
    units: OnceCell<Units>,
    budget: Budget,
}

/// Which units a file has.
#[derive(Debug, Default)]
struct Units {
    /// By their ids: where they stand in `offsets`, or, in a package, their rows in its index. The index's own table of
    /// ids is not asked: if it is damaged, a question takes as long as the table is.
    by_id: HashMap<u64, usize>,
    /// Where they stand in `.debug_info.dwo`, ascending; in a package each has a section of its own.
    offsets: Vec<usize>,
}

impl SplitFile {
    /// Looks where the sections of a file are; what is in them is read later.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what has no such sections.
    pub fn new(bytes: Box<[u8]>) -> Result<SplitFile> {
        let sections = if bytes.starts_with(b"\0asm") { wasm_sections(&bytes) } else { elf_sections(&bytes) };
        let sections = sections.map_err(|what| {
            Error::new(ErrorKind::Argument, format!("this is neither a DWARF package nor a .dwo file: {what}"))
        })?;
        let size = sections.values().map(|range| range.len() as u64).sum();
        Ok(SplitFile { bytes, sections, units: OnceCell::new(), budget: Budget::of(size) })
    }

    /// Whether it has no unit of any module.
    pub fn is_empty(&self) -> bool {
        !self.sections.contains_key(&SectionId::DebugInfo)
    }

    fn section<'a>(&'a self, id: SectionId) -> Slice<'a> {
        let section = self.sections.get(&id).and_then(|range| self.bytes.get(range.clone()));
        EndianSlice::new(section.unwrap_or_default(), LittleEndian)
    }

    fn is_package(&self) -> bool {
        self.sections.contains_key(&SectionId::DebugCuIndex)
    }

    /// The package with its index, if that can be read.
    fn package(&self) -> Option<DwarfPackage<Slice<'_>>> {
        let load = |id| Ok::<_, gimli::Error>(self.section(id));
        DwarfPackage::load(load, EndianSlice::new(&[], LittleEndian)).ok()
    }

    /// All sections, of what is no package.
    fn dwarf<'a>(&'a self, module: &Dwarf<'a>) -> Option<Dwarf<'a>> {
        let mut dwarf = Dwarf::load(|id| Ok::<_, gimli::Error>(self.section(id))).ok()?;
        dwarf.make_dwo(module);
        Some(dwarf)
    }

    fn input<'a>(&'a self, dwarf: Dwarf<'a>, units: &'a [usize], code: u32) -> Input<'a, 'a> {
        Input { dwarf, budget: &self.budget, units, abbreviations: &[], code }
    }

    fn units<'a>(&'a self, module: &Input<'_, 'a>) -> &'a Units {
        self.units.get_or_init(|| {
            let mut found = Units::default();
            if self.is_package() {
                let Some(package) = self.package() else { return found };
                for row in 1..=package.cu_index.unit_count() {
                    let Ok(dwarf) = package.cu_sections(row, &module.dwarf) else { continue };
                    let Ok(Some(header)) = dwarf.units().next() else { continue };
                    if let Some(id) = unit_id(&self.input(dwarf, &[0], module.code), header) {
                        found.by_id.entry(id.0).or_insert(row as usize);
                    }
                }
            } else if let Some(dwarf) = self.dwarf(&module.dwarf) {
                let mut headers = dwarf.units();
                let input = self.input(dwarf, &[], module.code);
                while let Ok(Some(header)) = headers.next() {
                    let Some(offset) = header.debug_info_offset() else { continue };
                    if let Some(id) = unit_id(&input, header) {
                        found.by_id.entry(id.0).or_insert(found.offsets.len());
                    }
                    found.offsets.push(offset.0);
                }
            }
            found
        })
    }

    /// Whether a unit's other part is in it.
    pub(super) fn has<'a>(&'a self, module: &Input<'_, 'a>, id: DwoId) -> bool {
        self.units(module).by_id.contains_key(&id.0)
    }

    /// A unit's other part, by the one that the module has, read on `budget` or the file's own.
    pub(super) fn find<'a>(
        &'a self,
        module: &Input<'_, 'a>,
        skeleton: &Unit<Slice<'a>>,
        budget: Option<&'a Budget>,
    ) -> Option<(Input<'a, 'a>, Unit<Slice<'a>>)> {
        let units = self.units(module);
        let place = *units.by_id.get(&skeleton.dwo_id?.0)?;
        let (mut input, index) = if self.is_package() {
            let dwarf = self.package()?.cu_sections(u32::try_from(place).ok()?, &module.dwarf).ok()?;
            (self.input(dwarf, &[0], module.code), 0)
        } else {
            (self.input(self.dwarf(&module.dwarf)?, &units.offsets, module.code), place)
        };
        input.budget = budget.unwrap_or(input.budget);
        let mut unit = input.open_unit(index)?;
        unit.copy_relocated_attributes(skeleton);
        Some((input, unit))
    }
}

/// Files that were given, in this order. None is ever taken away, so that what is read from one may be held as long as
/// the list.
#[derive(Debug, Default)]
pub(super) struct SplitFiles(OnceCell<Box<Given>>);

#[derive(Debug)]
struct Given {
    file: Arc<SplitFile>,
    next: SplitFiles,
}

impl SplitFiles {
    pub(super) fn push(&self, file: Arc<SplitFile>) {
        let mut given = Box::new(Given { file, next: SplitFiles::default() });
        let mut at = self;
        // Somebody else may have come first; then this comes behind.
        while let Err(back) = at.0.set(given) {
            given = back;
            while let Some(next) = at.0.get() {
                at = &next.next;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SplitFile> {
        std::iter::successors(self.0.get(), |given| given.next.0.get()).map(|given| &*given.file)
    }
}

/// One after the other: a long list has no stack to be dropped in itself.
impl Drop for SplitFiles {
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(mut given) = next {
            next = given.next.0.take();
        }
    }
}

/// A unit's id: in its head since DWARF 5, before among its attributes.
fn unit_id<'a>(input: &Input<'_, 'a>, header: UnitHeader<Slice<'a>>) -> Option<DwoId> {
    match header.type_() {
        UnitType::SplitCompilation(id) => Some(id),
        UnitType::Compilation => input.open(header)?.dwo_id,
        _ => None,
    }
}

/// Adds a section if it is one to be read, and the first of its name.
fn add(sections: &mut Sections, name: &str, range: Range<usize>) {
    if let Some(id) = SECTIONS.iter().find(|id| id.dwo_name() == Some(name)) {
        sections.entry(*id).or_insert(range);
    }
}

/// What is wrong with a file that has no units, but something else.
const NO_UNITS: &str = "it has no section .debug_info.dwo";

/// The sections of a Wasm file; what is wrong with it otherwise. Where units are so plain that all of them is in the
/// module, compilers write files without any, which have nothing else either.
fn wasm_sections(bytes: &[u8]) -> std::result::Result<Sections, String> {
    let mut sections = Sections::new();
    let mut code = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| format!("it is a damaged Wasm file ({})", Escaped(error.message())))? {
            Payload::CustomSection(section) => {
                let start = section.data_offset() as usize;
                add(&mut sections, section.name(), start..start + section.data().len());
            }
            Payload::Version { encoding, .. } => code |= encoding != Encoding::Module,
            Payload::TypeSection(_) | Payload::FunctionSection(_) | Payload::CodeSectionStart { .. } => code = true,
            _ => {}
        }
    }
    if code && !sections.contains_key(&SectionId::DebugInfo) { Err(NO_UNITS.to_owned()) } else { Ok(sections) }
}

/// The sections of an ELF file; what is wrong with it otherwise.
fn elf_sections(bytes: &[u8]) -> std::result::Result<Sections, String> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(Foreign(bytes).to_string());
    }
    let damaged = |error: object::Error| format!("it is a damaged ELF file ({error})");
    let mut sections = Sections::new();
    for section in object::File::parse(bytes).map_err(damaged)?.sections() {
        let (Ok(name), Ok(data)) = (section.name(), section.compressed_file_range()) else { continue };
        let range = usize::try_from(data.offset).ok().zip(usize::try_from(data.uncompressed_size).ok());
        let Some((start, end)) = range.and_then(|(start, size)| Some((start, start.checked_add(size)?))) else {
            continue;
        };
        if data.format == CompressionFormat::None {
            add(&mut sections, name, start..end);
        } else if name == ".debug_info.dwo" {
            return Err("its sections are compressed (`objcopy --decompress-debug-sections` mends that)".to_owned());
        }
    }
    if !sections.contains_key(&SectionId::DebugInfo) {
        return Err(NO_UNITS.to_owned());
    }
    Ok(sections)
}
