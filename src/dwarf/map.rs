//! Source positions: what a module's DWARF sections (`.debug_*`) say of an instruction: file, line, column, and the
//! functions that were inlined there. Read on demand, a compilation unit at a time; what a unit says is then kept. Of
//! split DWARF the module has lines and addresses; functions are in files that the host gives, never in files that the
//! module names.
//!
//! Nobody has validated these sections: they are read with a budget of work and memory, in proportion to their size.
//! What is damaged, contradicts itself, or does not fit into the budget has no positions; it is never an error.
//!
//! DWARF counts Wasm addresses from the start of the code section's contents.

use super::names_of_unit::UnitNames;
use super::split::{SplitFile, SplitFiles};
use super::unit::{self, UnitSources};
use crate::base::{Escaped, WasmOffset};
use crate::wasm::ModuleInfo;
use gimli::{
    DebugAbbrev, DebugAbbrevOffset, DebugInfoOffset, DwoId, EndianSlice, LittleEndian, Section, SectionId, Unit,
    UnitHeader,
};
use once_cell::sync::OnceCell;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::CStr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

pub(super) type Slice<'a> = EndianSlice<'a, LittleEndian>;
pub(super) type Dwarf<'a> = gimli::Dwarf<Slice<'a>>;

/// Work allowed for each byte of the sections: reading everything once takes less than two.
const WORK_PER_BYTE: u64 = 4;
/// Work allowed whatever the size.
const LEAST_WORK: u64 = 1 << 16;
/// So many overlapping units are looked at for one address; in what compilers write, none overlap.
const MAX_OVERLAP: usize = 4;

/// An address of code as DWARF counts it: from the start of the code section's contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CodeAddress(u32);

impl CodeAddress {
    pub(super) const fn new(address: u32) -> Self {
        CodeAddress(address)
    }

    pub(super) const fn get(self) -> u32 {
        self.0
    }
}

/// A place in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    pub(super) function: Option<&'a CStr>,
    pub(super) file: Option<&'a CStr>,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl<'a> Location<'a> {
    /// The function's name as the source has it, without namespaces.
    pub fn function(&self) -> Option<&'a str> {
        self.function.and_then(|name| name.to_str().ok())
    }

    /// The same for C: UTF-8.
    pub fn function_c(&self) -> Option<&'a CStr> {
        self.function
    }

    /// The file's path as the compiler was given it, with the directory where that was relative.
    pub fn file(&self) -> Option<&'a str> {
        self.file.and_then(|path| path.to_str().ok())
    }

    /// The same for C: UTF-8.
    pub fn file_c(&self) -> Option<&'a CStr> {
        self.file
    }

    /// The line, from 1; 0 where it is not known.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column, from 1; 0 where it is not known.
    pub fn column(&self) -> u32 {
        self.column
    }
}

/// `FILE:LINE:COLUMN`, without what is not known.
impl std::fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", Escaped(self.file().unwrap_or("<unknown file>")))?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
        }
        Ok(())
    }
}

/// How much more may be read.
#[derive(Debug)]
pub(super) struct Budget(AtomicU64);

impl Budget {
    /// What sections of this size are worth.
    pub(super) fn of(size: u64) -> Budget {
        Budget(AtomicU64::new(size.saturating_mul(WORK_PER_BYTE).saturating_add(LEAST_WORK)))
    }

    /// Makes it what it was for sections of this size.
    pub(super) fn refill(&self, size: u64) {
        self.0.store(Budget::of(size).0.into_inner(), Ordering::Relaxed);
    }

    /// Spends; `None` where that is more than is left, and then nothing is.
    pub(super) fn spend(&self, work: u64) -> Option<()> {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(work));
        if taken.is_err() {
            self.0.store(0, Ordering::Relaxed);
        }
        taken.ok().map(drop)
    }
}

/// Sections to read from, and how much may be read of them.
pub(super) struct Input<'m, 'a> {
    pub(super) dwarf: Dwarf<'a>,
    pub(super) budget: &'m Budget,
    /// Where its units stand in `.debug_info`, ascending.
    pub(super) units: &'m [usize],
    /// Where tables of abbreviations start, ascending.
    pub(super) abbreviations: &'m [usize],
    /// How many bytes the contents of the module's code section have.
    pub(super) code: u32,
}

impl<'a> Input<'_, 'a> {
    /// A unit with its abbreviations and the header of its lines, if there is work left for it.
    pub(super) fn open(&self, header: UnitHeader<Slice<'a>>) -> Option<Unit<Slice<'a>>> {
        // A table ends where the next one starts, so that none is read twice under different offsets.
        let start = header.debug_abbrev_offset().0;
        let next = self.abbreviations.partition_point(|table| *table <= start);
        let bytes = self.dwarf.debug_abbrev.reader().slice();
        let end = self.abbreviations.get(next).copied().unwrap_or(bytes.len());
        let table = bytes.get(start..end)?;
        self.budget.spend(table.len() as u64 / 4 + 16)?;
        let table = DebugAbbrev::new(table, LittleEndian).abbreviations(DebugAbbrevOffset(0)).ok()?;
        let unit = Unit::new_with_abbreviations(&self.dwarf, header, Arc::new(table)).ok()?;
        let lines = unit.line_program.as_ref().map_or(0, |program| program.header().header_length());
        self.budget.spend(lines as u64 / 4)?;
        Some(unit)
    }

    /// The unit of an index, opened.
    pub(super) fn open_unit(&self, index: usize) -> Option<Unit<Slice<'a>>> {
        self.open(self.dwarf.unit_header(DebugInfoOffset(*self.units.get(index)?)).ok()?)
    }

    /// The index of the unit in which an offset of `.debug_info` is.
    pub(super) fn unit_of_info(&self, offset: usize) -> Option<usize> {
        self.units.partition_point(|unit| *unit <= offset).checked_sub(1)
    }

    /// A range that code can have: not empty, in the code section, and not at its very start. That is where linkers put
    /// what they have left out, and there the number of functions stands.
    pub(super) fn live(&self, begin: u64, end: u64) -> Option<(u32, u32)> {
        (0 < begin && begin < end && end <= u64::from(self.code)).then_some((begin as u32, end as u32))
    }
}

/// A range of addresses, and a unit that has code there. Of a function that several units have, linkers keep the first
/// one's: that is last in order, and found first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnitRange {
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) unit: Reverse<u32>,
}

/// A compilation unit.
#[derive(Debug)]
pub(super) struct UnitEntry {
    /// Of split DWARF: by this its other part is found.
    pub(super) id: Option<DwoId>,
    /// The file that this is in, as the compiler called it.
    pub(super) file: Option<Box<str>>,
    /// What the module says of it, once it was needed.
    pub(super) sources: OnceCell<UnitSources>,
    /// The same with its other part, once that was needed and there.
    pub(super) split: OnceCell<UnitSources>,
    /// The names of its functions, variables and types, once one was asked for.
    pub(super) names: OnceCell<UnitNames>,
    /// The same of its other part.
    pub(super) split_names: OnceCell<UnitNames>,
    /// How many files were asked for it.
    pub(super) asked: AtomicUsize,
}

/// What is known of a module's source positions: which units there are, and where. The module's bytes are passed to
/// each function anew, and have to be the same.
#[derive(Debug)]
pub struct SourceMap {
    pub(super) sections: HashMap<SectionId, Range<usize>>,
    /// How many bytes they have.
    pub(super) size: u64,
    pub(super) code: Range<u32>,
    /// Where the units stand in `.debug_info`, ascending.
    pub(super) offsets: Box<[usize]>,
    /// The units, in this order.
    pub(super) units: Box<[UnitEntry]>,
    /// By their beginnings.
    pub(super) ranges: Box<[UnitRange]>,
    /// Units that do not say where they have code.
    pub(super) anywhere: Box<[u32]>,
    /// Where tables of abbreviations start, ascending.
    pub(super) abbreviations: Box<[usize]>,
    pub(super) budget: Budget,
    /// What one question about variables may cost, beyond what is kept.
    pub(super) question: Budget,
    /// Where the other parts of units may be. There are only ever more of them.
    pub(super) files: SplitFiles,
}

impl SourceMap {
    /// Finds the units of a module. Without DWARF there are none.
    pub fn new(info: &ModuleInfo, binary: &[u8]) -> SourceMap {
        let mut sections = HashMap::new();
        for (name, range) in info.custom.iter().filter(|(name, _)| name.starts_with(".debug_")) {
            if let Some(id) = SECTIONS.iter().find(|id| id.name() == name) {
                sections.entry(*id).or_insert_with(|| range.clone());
            }
        }
        let size: u64 = sections.values().map(|range| range.len() as u64).sum();
        let end = info.bodies.last().map_or(0, |body| body.bytes.end as u32);
        let mut map = SourceMap {
            sections,
            size,
            code: info.code_start.get()..end.max(info.code_start.get()),
            offsets: Box::default(),
            units: Box::default(),
            ranges: Box::default(),
            anywhere: Box::default(),
            abbreviations: Box::default(),
            budget: Budget::of(size),
            question: Budget::of(size),
            files: SplitFiles::default(),
        };
        if map.sections.contains_key(&SectionId::DebugInfo) {
            map.find_units(binary);
        }
        map
    }

    /// Whether the module has DWARF that says anything.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// The sections.
    fn dwarf<'a>(&self, binary: &'a [u8]) -> Dwarf<'a> {
        let section = |id| {
            let bytes = self.sections.get(&id).and_then(|range| binary.get(range.clone())).unwrap_or_default();
            Ok::<_, gimli::Error>(EndianSlice::new(bytes, LittleEndian))
        };
        Dwarf::load(section).unwrap_or_default()
    }

    /// What the module has to read from, to be kept.
    fn input<'a>(&self, binary: &'a [u8]) -> Input<'_, 'a> {
        self.input_for(binary, &self.budget)
    }

    /// The same on another budget.
    pub(super) fn input_for<'m, 'a>(&'m self, binary: &'a [u8], budget: &'m Budget) -> Input<'m, 'a> {
        Input {
            dwarf: self.dwarf(binary),
            budget,
            units: &self.offsets,
            abbreviations: &self.abbreviations,
            code: self.code.end - self.code.start,
        }
    }

    /// Reads the units' first entries.
    fn find_units(&mut self, binary: &[u8]) {
        let mut found = Vec::new();
        let mut headers = self.dwarf(binary).units();
        while let Ok(Some(header)) = headers.next() {
            found.push(header);
        }
        let mut tables: Vec<usize> = found.iter().map(|header| header.debug_abbrev_offset().0).collect();
        tables.sort_unstable();
        tables.dedup();
        self.abbreviations = tables.into();
        let input = self.input(binary);
        let (mut offsets, mut units, mut ranges, mut anywhere) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for header in found {
            let Some(offset) = header.debug_info_offset() else { continue };
            let Some(unit) = input.open(header) else { continue };
            let index = units.len() as u32;
            offsets.push(offset.0);
            // With 0 all of the unit is here, though its head says that it is split.
            let id = unit.dwo_id.filter(|id| id.0 != 0);
            units.push(UnitEntry {
                id,
                file: id.and_then(|_| unit::split_name(&input, &unit)),
                sources: OnceCell::new(),
                split: OnceCell::new(),
                names: OnceCell::new(),
                split_names: OnceCell::new(),
                asked: AtomicUsize::new(0),
            });
            let Some(said) = unit::unit_ranges(&input, &unit) else { continue };
            if said.is_empty() {
                anywhere.push(index);
            }
            ranges.extend(said.into_iter().map(|(begin, end)| UnitRange { begin, end, unit: Reverse(index) }));
        }
        ranges.sort_unstable();
        self.offsets = offsets.into();
        self.units = units.into();
        self.ranges = ranges.into();
        self.anywhere = anywhere.into();
    }

    /// Has units that are split look for their other parts in a file, too.
    pub fn add(&self, file: Arc<SplitFile>) {
        self.files.push(file);
    }

    /// How many units are split.
    pub fn split_units(&self) -> usize {
        self.units.iter().filter(|unit| unit.id.is_some()).count()
    }

    /// How many of them have their other parts in a file.
    pub fn units_in(&self, file: &SplitFile, binary: &[u8]) -> usize {
        let input = self.input(binary);
        self.units.iter().filter(|unit| unit.id.is_some_and(|id| file.has(&input, id))).count()
    }

    /// Those that have them in no file that was given: the names that the compiler gave their files, where they are
    /// said.
    pub fn missing_units(&self, binary: &[u8]) -> Vec<Option<&str>> {
        let input = self.input(binary);
        let missing = |id| !self.files.iter().any(|file| file.has(&input, id));
        self.units.iter().filter(|unit| unit.id.is_some_and(missing)).map(|unit| unit.file.as_deref()).collect()
    }

    /// What the module says of a unit, read when it is first needed.
    pub(super) fn own_sources(&self, binary: &[u8], index: usize) -> &UnitSources {
        self.units[index].sources.get_or_init(|| unit::read(&self.input(binary), index).unwrap_or_default())
    }

    /// What a unit's other part says, with the module's lines; `None` where there is none.
    fn split_sources(&self, binary: &[u8], index: usize) -> Option<&UnitSources> {
        let unit = &self.units[index];
        if let (None, Some(id)) = (unit.split.get(), unit.id) {
            // A file in which it is not, or too damaged to be read, is not asked again.
            let (asked, mut count) = (unit.asked.load(Ordering::Relaxed), 0);
            let input = self.input(binary);
            let read = |file: &SplitFile| {
                let find = |skeleton: &_| file.find(&input, skeleton, None);
                file.has(&input, id).then(|| unit::read_split(&input, index, find))?
            };
            match self.files.iter().inspect(|_| count += 1).skip(asked).find_map(read) {
                Some(said) => return Some(unit.split.get_or_init(|| said)),
                None => unit.asked.fetch_max(count, Ordering::Relaxed),
            };
        }
        unit.split.get()
    }

    /// All that is known of a unit.
    pub(super) fn sources(&self, binary: &[u8], index: usize) -> &UnitSources {
        self.split_sources(binary, index).unwrap_or_else(|| self.own_sources(binary, index))
    }

    /// What a unit knows of an address. Where its other part is damaged, the module may still know the function.
    fn locations_in(&self, binary: &[u8], index: usize, address: u32) -> Vec<Location<'_>> {
        let split = self.split_sources(binary, index).map(|sources| sources.locations(address));
        let known = split.filter(|locations| locations.iter().any(|location| location.function.is_some()));
        known.unwrap_or_else(|| self.own_sources(binary, index).locations(address))
    }

    /// Where in the source an instruction is: the innermost inlined function first, then those it is inlined into.
    /// Empty where that is not known.
    pub fn locations(&self, binary: &[u8], offset: WasmOffset) -> Vec<Location<'_>> {
        let Some(address) = offset.get().checked_sub(self.code.start) else { return Vec::new() };
        if offset.get() >= self.code.end {
            return Vec::new();
        }
        let last = self.ranges.partition_point(|range| range.begin <= address);
        let around = self.ranges[..last].iter().rev().take(MAX_OVERLAP).filter(|range| address < range.end);
        around
            .map(|range| range.unit.0)
            .chain(self.anywhere.iter().copied())
            .map(|unit| self.locations_in(binary, unit as usize, address))
            .find(|locations| !locations.is_empty())
            .unwrap_or_default()
    }

    /// The unit that says most precisely that it has code at an address.
    pub(super) fn unit_at(&self, address: u32) -> Option<usize> {
        let last = self.ranges.partition_point(|range| range.begin <= address);
        let mut around = self.ranges[..last].iter().rev().take(MAX_OVERLAP).filter(|range| address < range.end);
        around.next().map(|range| range.unit.0 as usize)
    }

    /// The entries of the functions around an instruction, outermost first, with its address, the unit, and which part
    /// of it they are in.
    pub(super) fn scopes_at(&self, binary: &[u8], offset: WasmOffset) -> Option<(CodeAddress, u32, bool, Vec<usize>)> {
        let address = offset.get().checked_sub(self.code.start).filter(|_| offset.get() < self.code.end)?;
        let last = self.ranges.partition_point(|range| range.begin <= address);
        let around = self.ranges[..last].iter().rev().take(MAX_OVERLAP).filter(|range| address < range.end);
        let units = around.map(|range| range.unit.0).chain(self.anywhere.iter().copied());
        let said = |unit: u32| {
            let split = self.split_sources(binary, unit as usize).map(|sources| (true, sources.entries_at(address)));
            let own = || (false, self.own_sources(binary, unit as usize).entries_at(address));
            let (split, entries) = split.filter(|(_, entries)| !entries.is_empty()).unwrap_or_else(own);
            (!entries.is_empty()).then_some((CodeAddress::new(address), unit, split, entries))
        };
        units.filter_map(said).next()
    }

    /// The first line from `line` on that has code. `file` is a path as compilers know it, or the end of one, whole
    /// names only.
    pub fn line_with_code(&self, binary: &[u8], file: &str, line: u32) -> Option<u32> {
        let units = (0..self.units.len()).map(|unit| self.sources(binary, unit));
        units.filter_map(|unit| unit.line_at_or_behind(file, line)).min()
    }

    /// Where the code of a line starts, ascending: of the line given, or of the next one that has code. There are as
    /// many places as the compiler has put it at: one for each run of its instructions, and for each function in which
    /// it is, inlined ones too.
    pub fn offsets_of(&self, binary: &[u8], file: &str, line: u32) -> Vec<WasmOffset> {
        let line = self.line_with_code(binary, file, line);
        line.map_or_else(Vec::new, |line| self.starts_of(binary, file, line, None))
    }

    /// Where the code of exactly this line starts, ascending; with a column, of what begins there.
    pub(super) fn starts_of(&self, binary: &[u8], file: &str, line: u32, column: Option<u32>) -> Vec<WasmOffset> {
        let mut starts = Vec::new();
        for unit in 0..self.units.len() {
            self.sources(binary, unit).starts_of(file, line, column, &mut starts);
        }
        starts.sort_unstable();
        starts.dedup();
        starts.into_iter().map(|address| self.offset_at(address)).collect()
    }
}

/// The sections that are read.
const SECTIONS: &[SectionId] = &[
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugLoc,
    SectionId::DebugLocLists,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
];

/// Sorts ranges so that of several with one beginning the widest is first.
pub(super) fn widest_first(range: &(u32, u32)) -> (u32, Reverse<u32>) {
    (range.0, Reverse(range.1))
}
