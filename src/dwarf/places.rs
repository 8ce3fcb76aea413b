//! Where to stop: the places of a source line, of a function by its name, and the tables that say so as data.

use super::inspect::{EntryId, Inspector};
use super::map::{Location, SourceMap};
use super::names::{self, fits};
use super::unit::LineRow;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Escaped, FuncIndex, Result, WasmOffset};
use crate::wasm::{EntityType, ModuleInfo, demangled};
use gimli::constants as c;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// What was asked for as a line, and where that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePlaces {
    /// The line that has the places: the one that was asked for, or the next one that has code.
    pub line: u32,
    /// The column that has them, where one was asked for: that one, or the next of the line, or its last.
    pub column: Option<u32>,
    /// Whether it is not the line that was asked for.
    pub moved: bool,
    /// Where its code begins, ascending: once for each run of its instructions, and for each inlined copy.
    pub places: Vec<LinePlace>,
}

/// A place of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePlace {
    /// The instruction.
    pub offset: WasmOffset,
    /// The file, as the compiler knew it.
    pub file: String,
    /// The function that the source has the line in.
    pub function: Option<String>,
    /// Whether that function is inlined here.
    pub inlined: bool,
}

/// A function that was found by its name, or an inlined copy of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionPlace {
    /// Its name, with namespaces where those are known.
    pub name: String,
    /// What the linker knew it by, where that is another name.
    pub linkage_name: Option<String>,
    /// The function of the module that it is, or is inlined into.
    pub function: FuncIndex,
    /// Its first instruction.
    pub entry: WasmOffset,
    /// Where to stop: behind what sets up its frame, so that its parameters are there.
    pub offset: WasmOffset,
    /// Whether it is an inlined copy.
    pub inlined: bool,
}

/// A function of the module, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionInfo<'a> {
    /// Its index, imports counted.
    pub function: FuncIndex,
    /// Its name as the source has it, with namespaces where those are known; else what the name section or an export
    /// calls it, demangled; of an import without a name, what it is imported as.
    pub name: Option<String>,
    /// What the linker knew it by, where that is another name.
    pub linkage_name: Option<String>,
    /// Its body in the module, declarations of locals included; nothing of an import.
    pub body: Option<Range<WasmOffset>>,
    /// Its first instruction.
    pub entry: Option<WasmOffset>,
    /// The file that it is written in, as the compiler knew it.
    pub file: Option<&'a str>,
    /// The line that it is declared in, from 1; 0 where that is not known.
    pub line: u32,
}

impl SourceMap {
    pub(super) fn offset_at(&self, address: u32) -> WasmOffset {
        // Rows of damaged lines may be beyond the module.
        WasmOffset::new(self.code.start.saturating_add(address))
    }

    /// Every place of a line, or of the next one that has code; `None` where no file of that name has code from there
    /// on. `file` is a path as compilers know it, or the end of one, whole names only. With a column, only what begins
    /// there, or at the next column of the line that something begins at.
    pub fn places_of(&self, binary: &[u8], file: &str, line: u32, column: Option<u32>) -> Option<LinePlaces> {
        let found = self.line_with_code(binary, file, line)?;
        let column = column.filter(|_| found == line).and_then(|wanted| {
            let mut columns = Vec::new();
            for unit in 0..self.units.len() {
                self.sources(binary, unit).columns_of(file, found, &mut columns);
            }
            let next = columns.iter().copied().filter(|column| *column >= wanted).min();
            next.or_else(|| columns.iter().copied().max())
        });
        let place = |offset: WasmOffset| {
            let locations = self.locations(binary, offset);
            let innermost = locations.first();
            LinePlace {
                offset,
                file: innermost.and_then(Location::file).unwrap_or(file).to_owned(),
                function: innermost.and_then(Location::function).map(str::to_owned),
                inlined: locations.len() > 1,
            }
        };
        let places = self.starts_of(binary, file, found, column).into_iter().map(place).collect();
        Some(LinePlaces { line: found, column, moved: found != line, places })
    }

    /// The files that have code, each once, in the order of their paths.
    pub fn files(&self, binary: &[u8]) -> Vec<&str> {
        let units = (0..self.units.len()).map(|unit| self.sources(binary, unit));
        let mut files: Vec<_> = units.flat_map(|unit| unit.files_with_code()).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// The lines of all units, sequence by sequence, each ascending.
    pub fn line_table(&self, binary: &[u8]) -> Vec<LineRow<'_>> {
        let mut rows = Vec::new();
        for unit in 0..self.units.len() {
            self.sources(binary, unit).add_rows(|address| self.offset_at(address), &mut rows);
        }
        rows
    }
}

impl<'a> Inspector<'a> {
    /// The functions that a name means: by its name in the source, whole or from the start of any of its parts on
    /// (`area` and `Shape::area` mean `geo::Shape::area`), by its linkage name, by its name in the name section, or as
    /// an export. All of them, in the order of the module, inlined copies too. `info` is the module's, `binary` its
    /// bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is none, with what is spelt like it.
    pub fn functions(&self, info: &ModuleInfo, name: &str) -> Result<Vec<FunctionPlace>> {
        self.begin();
        let mut found: BTreeMap<(WasmOffset, bool, String), FunctionPlace> = BTreeMap::new();
        let mut whole = HashSet::new();
        for (unit, names) in self.all_names() {
            for named in names.functions() {
                let linkage = named.linkage.as_deref();
                if !(fits(&named.name, name) || without_arguments(&named.name).is_some_and(|short| fits(short, name)))
                    && linkage != Some(name)
                {
                    continue;
                }
                let first = self.map.offset_at(named.code.0);
                let Some(function) = function_at(info, first) else { continue };
                let start = self.first_instruction(info, function).unwrap_or(first).max(first);
                let offset = match named.inlined {
                    true => start,
                    false => {
                        whole.insert(function);
                        let sources = self.map.sources(self.binary, unit as usize);
                        let behind = sources.prologue_end(named.code).map(|address| self.map.offset_at(address));
                        behind.unwrap_or(start).max(start)
                    }
                };
                let linkage_name = named.linkage.filter(|linkage| *linkage != named.name);
                let inlined = named.inlined;
                let place = FunctionPlace {
                    name: named.name,
                    linkage_name,
                    function: info.func_index(function),
                    entry: start,
                    offset,
                    inlined,
                };
                found.entry((start, inlined, place.name.clone())).or_insert(place);
            }
        }
        for index in 0..info.bodies.len() {
            let function = DefinedFuncIndex::from_usize(index);
            if whole.contains(&function) {
                continue;
            }
            let func = info.func_index(function);
            let Some(known) = wasm_names(info, func).find(|known| means(known, name)) else { continue };
            let Some(entry) = self.first_instruction(info, function) else { continue };
            let offset = self.behind_prologue(info, function).unwrap_or(entry).max(entry);
            let readable = demangled(known).filter(|readable| readable != known);
            let linkage_name = readable.as_ref().map(|_| known.to_owned());
            let name = readable.unwrap_or_else(|| known.to_owned());
            let place = FunctionPlace { name, linkage_name, function: func, entry, offset, inlined: false };
            found.entry((entry, false, place.name.clone())).or_insert(place);
        }
        if found.is_empty() {
            let names = self.function_names(info);
            let hint = names::suggestion(name, names.iter().map(String::as_str));
            let message = format!("the module has no function `{}` that it defines{hint}", Escaped(name));
            return Err(Error::new(ErrorKind::Argument, message));
        }
        Ok(found.into_values().collect())
    }

    /// Functions of the module by their indices, imports counted, as far as there are any.
    pub fn function_list(&self, info: &ModuleInfo, range: Range<u32>) -> Vec<FunctionInfo<'a>> {
        let end = range.end.min(u32::try_from(info.funcs.len()).unwrap_or(u32::MAX));
        (range.start..end).map(|index| self.function_info(info, FuncIndex::new(index))).collect()
    }

    fn function_info(&self, info: &ModuleInfo, function: FuncIndex) -> FunctionInfo<'a> {
        self.begin();
        let known = wasm_names(info, function).next();
        let readable = known.and_then(demangled).filter(|readable| Some(&**readable) != known);
        let linkage_name = readable.as_ref().and(known).map(str::to_owned);
        let name = readable.or_else(|| known.map(str::to_owned));
        let mut found = FunctionInfo { function, name, linkage_name, body: None, entry: None, file: None, line: 0 };
        let Some(defined) = info.defined(function) else {
            let mut imports = info.imports.iter().filter(|import| matches!(import.ty, EntityType::Func(_)));
            if let (None, Some(import)) = (&found.name, imports.nth(function.index())) {
                found.name = Some(format!("{}.{}", import.module, import.name));
            }
            return found;
        };
        let offset = |at: usize| WasmOffset::new(u32::try_from(at).unwrap_or(u32::MAX));
        found.body = info.bodies.get(defined.index()).map(|body| offset(body.bytes.start)..offset(body.bytes.end));
        found.entry = self.first_instruction(info, defined);
        let Some(entry) = found.entry else { return found };
        let place = self.map.locations(self.binary, entry).pop();
        found.file = place.and_then(|place| place.file());
        found.line = place.map_or(0, |place| place.line());
        // What is damaged has no such names.
        let Some((_, unit, split, scopes)) = self.map.scopes_at(self.binary, entry) else { return found };
        let Some(id) = scopes.first().map(|offset| EntryId { unit, split, offset: *offset }) else { return found };
        let line = self.attribute(id, c::DW_AT_decl_line).ok().flatten().and_then(|(_, line)| line.udata_value());
        found.line = line.and_then(|line| u32::try_from(line).ok()).unwrap_or(found.line);
        if let Some(name) = self.qualified_name(id) {
            let linkage = self.attribute(id, c::DW_AT_linkage_name).ok().flatten();
            let linkage = linkage.and_then(|(opened, value)| self.text(&opened, value));
            found.linkage_name = linkage.or(found.linkage_name).filter(|linkage| *linkage != name);
            found.name = Some(name);
        }
        found
    }

    /// The names of all functions that the module defines, as [`functions`](Self::functions) takes them, each once.
    pub fn function_names(&self, info: &ModuleInfo) -> Vec<String> {
        let mut known: Vec<String> = self
            .all_names()
            .flat_map(|(_, names)| names.functions().map(|named| named.name).collect::<Vec<_>>())
            .collect();
        for index in 0..info.bodies.len() {
            let func = info.func_index(DefinedFuncIndex::from_usize(index));
            known.extend(wasm_names(info, func).map(|name| demangled(name).unwrap_or_else(|| name.to_owned())));
        }
        known.sort_unstable();
        known.dedup();
        known
    }

    /// The names that are spelt most like one, nearest first; no more than five.
    pub fn suggest_functions(&self, info: &ModuleInfo, name: &str) -> Vec<String> {
        self.begin();
        names::suggestions(name, self.function_names(info).into_iter())
    }

    /// Where to stop for what begins at an offset: there; but where a function begins, behind what sets up its frame.
    pub fn behind_entry(&self, info: &ModuleInfo, offset: WasmOffset) -> WasmOffset {
        let Some(function) = function_at(info, offset) else { return offset };
        let Some(entry) = self.first_instruction(info, function) else { return offset };
        if offset > entry {
            return offset;
        }
        self.behind_prologue(info, function).unwrap_or(entry).max(entry)
    }

    /// A function's first instruction.
    pub(super) fn entry_of(&self, info: &ModuleInfo, function: DefinedFuncIndex) -> Option<WasmOffset> {
        self.first_instruction(info, function)
    }

    fn first_instruction(&self, info: &ModuleInfo, function: DefinedFuncIndex) -> Option<WasmOffset> {
        let body = info.body(function, self.binary).ok()?;
        let position = body.get_operators_reader().ok()?.original_position();
        u32::try_from(position).ok().map(WasmOffset::new)
    }

    /// Where a function goes on behind what sets up its frame, by the lines that it has.
    fn behind_prologue(&self, info: &ModuleInfo, function: DefinedFuncIndex) -> Option<WasmOffset> {
        let bytes = &info.bodies.get(function.index())?.bytes;
        let (begin, end) = (u32::try_from(bytes.start).ok()?, u32::try_from(bytes.end).ok()?);
        let code = (begin.checked_sub(self.map.code.start)?, end.checked_sub(self.map.code.start)?);
        let unit = self.map.unit_at(code.0)?;
        let address = self.map.sources(self.binary, unit).prologue_end(code)?;
        Some(self.map.offset_at(address))
    }
}

/// The function that an instruction is in.
fn function_at(info: &ModuleInfo, offset: WasmOffset) -> Option<DefinedFuncIndex> {
    let behind = info.bodies.partition_point(|body| body.bytes.start <= offset.index());
    let at = behind.checked_sub(1)?;
    (offset.index() < info.bodies[at].bytes.end).then(|| DefinedFuncIndex::from_usize(at))
}

/// What the name section and the exports call a function.
fn wasm_names(info: &ModuleInfo, func: FuncIndex) -> impl Iterator<Item = &str> {
    let exported = info.exports.iter().filter(move |export| export.index == crate::wasm::EntityIndex::Func(func));
    info.func_name(func).into_iter().chain(exported.map(|export| &*export.name))
}

/// Whether a name of the module, as it is or demangled, is meant.
fn means(known: &str, wanted: &str) -> bool {
    if known == wanted {
        return true;
    }
    let Some(readable) = demangled(known) else { return fits(known, wanted) };
    fits(&readable, wanted) || without_arguments(&readable).is_some_and(|short| fits(short, wanted))
}

/// A function's name without its parameters and what it was made with: `geo::first(int)` and `geo::first<int>`.
fn without_arguments(name: &str) -> Option<&str> {
    let end = name.char_indices().skip(1).find(|(at, c)| {
        // Operators have such signs in their names.
        matches!(c, '(' | '<') && !name[..*at].ends_with("operator") && !name[..*at].ends_with("::")
    });
    end.map(|(at, _)| &name[..at])
}
