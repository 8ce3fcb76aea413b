//! The lines of one function, as a step through it needs them: read once, then asked for one instruction after the
//! other. What is inlined into the function is a part of it here; which copy a row is of is told apart.

use super::map::SourceMap;
use crate::base::{DefinedFuncIndex, WasmOffset};
use crate::wasm::{ModuleInfo, behind_structure, is_loop};
use std::collections::HashMap;
use std::ops::Range;

/// Which function the source has a row in: the function itself, or an inlined copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowScope(u32);

/// The line that a row is of: two rows of one line of one copy have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowLine {
    file: u32,
    line: u32,
    scope: RowScope,
}

impl RowLine {
    /// Whether it is a line of the source: compilers give code that belongs to none the line 0.
    pub(crate) fn is_some(self) -> bool {
        self.line > 0
    }

    /// Which function it is in.
    pub(crate) fn scope(self) -> RowScope {
        self.scope
    }
}

/// A run of instructions of one line.
#[derive(Clone, Debug)]
pub(crate) struct FunctionRow {
    /// Its instructions.
    pub(crate) code: Range<WasmOffset>,
    /// The line.
    pub(crate) line: RowLine,
    /// Whether a statement begins here.
    statement: bool,
    /// The first instruction that does something. Those before it only mark where blocks begin and end: a branch to the
    /// row comes out at any of them, or here.
    first: WasmOffset,
}

impl FunctionRow {
    /// Whether a statement begins at this instruction, which is one of the row's.
    pub(crate) fn begins_at(&self, wasm: WasmOffset) -> bool {
        self.statement && wasm <= self.first
    }
}

/// The lines of a function.
#[derive(Debug)]
pub(crate) struct FunctionLines {
    /// Ascending, and none touches another's instructions.
    rows: Box<[FunctionRow]>,
    /// The scopes that rows are in, each with those around it, outermost first.
    scopes: Vec<Vec<usize>>,
    /// Where the function's own code begins, behind what sets up its frame.
    body: WasmOffset,
    /// The first instruction, if no branch leads back to it.
    entry: Option<WasmOffset>,
}

impl FunctionLines {
    /// Whether no row is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where the function's own code begins, behind what sets up its frame.
    pub(crate) fn body(&self) -> WasmOffset {
        self.body
    }

    /// Whether who comes to this instruction has just been called: it is the function's first, and no branch leads to
    /// it.
    pub(crate) fn is_entered_at(&self, wasm: WasmOffset) -> bool {
        self.entry == Some(wasm)
    }

    /// The row that an instruction is in.
    pub(crate) fn row_at(&self, wasm: WasmOffset) -> Option<&FunctionRow> {
        let behind = self.rows.partition_point(|row| row.code.end <= wasm);
        self.rows.get(behind).filter(|row| row.code.start <= wasm)
    }

    /// Whether two instructions are of the same line, in the same copy of its function.
    pub(crate) fn is_one_line(&self, one: WasmOffset, other: WasmOffset) -> bool {
        let line = |wasm| self.row_at(wasm).map(|row| row.line).filter(|line| line.is_some());
        line(one).is_some() && line(one) == line(other)
    }

    /// Whether a scope is inlined into another one, at whatever depth.
    pub(crate) fn is_inside(&self, inner: RowScope, outer: RowScope) -> bool {
        let (inner, outer) = (&self.scopes[inner.0 as usize], &self.scopes[outer.0 as usize]);
        inner.len() > outer.len() && inner.starts_with(outer)
    }

    /// Where statements of a line begin, of the file that an instruction is of; ascending.
    pub(crate) fn starts_of(&self, near: WasmOffset, line: u32) -> Vec<WasmOffset> {
        let behind = self.rows.partition_point(|row| row.code.start <= near);
        let known = self.rows[..behind].iter().rev().chain(&self.rows[behind..]).find(|row| row.line.is_some());
        let Some(file) = known.map(|row| row.line.file) else { return Vec::new() };
        let meant = |row: &&FunctionRow| row.statement && row.line.line == line && row.line.file == file;
        let offsets = |row: &FunctionRow| (row.code.start.get()..=row.first.get()).map(WasmOffset::new);
        self.rows.iter().filter(meant).flat_map(offsets).collect()
    }

    /// The first and the last line at which a statement begins, of any file; none of no line.
    pub(crate) fn bounds(&self) -> Option<(u32, u32)> {
        let lines = || self.rows.iter().filter(|row| row.statement && row.line.is_some()).map(|row| row.line.line);
        Some((lines().min()?, lines().max()?))
    }
}

impl SourceMap {
    /// The lines of a function. `info` is the module's, `binary` its bytes.
    pub(crate) fn function_lines(&self, info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex) -> FunctionLines {
        let body = WasmOffset::new(0);
        let mut lines = FunctionLines { rows: Box::default(), scopes: Vec::new(), body, entry: None };
        let Some(bytes) = info.bodies.get(func.index()).map(|body| body.bytes.clone()) else { return lines };
        let small = |at: usize| u32::try_from(at).ok();
        let (Some(start), Some(end)) = (small(bytes.start), small(bytes.end)) else { return lines };
        let (Some(begin), Some(behind)) = (start.checked_sub(self.code.start), end.checked_sub(self.code.start)) else {
            return lines;
        };
        // Declarations of locals are before the first instruction.
        let entry = self.inspector(binary).entry_of(info, func).unwrap_or(WasmOffset::new(start));
        lines.entry = Some(entry).filter(|entry| !is_loop(binary, *entry));
        let mut rows = Vec::new();
        let mut known: HashMap<Vec<usize>, u32> = HashMap::new();
        let units = self.unit_at(begin).into_iter().chain(self.anywhere.iter().map(|unit| *unit as usize));
        for unit in units {
            self.sources(binary, unit).rows_within((begin, behind), |row| {
                let next = known.len() as u32;
                let scope = RowScope(*known.entry(row.scopes).or_insert_with_key(|scopes| {
                    lines.scopes.push(scopes.clone());
                    next
                }));
                let code = self.offset_at(row.code.0)..self.offset_at(row.code.1);
                let first = code.start;
                let line = RowLine { file: row.file, line: row.line, scope };
                rows.push(FunctionRow { code, line, statement: row.statement, first });
            });
            if rows.iter().any(|row| row.line.is_some()) {
                let behind = self.sources(binary, unit).prologue_end((begin, behind));
                lines.body = behind.map_or(lines.body, |address| self.offset_at(address));
                break;
            }
            (rows, known, lines.scopes) = Default::default();
        }
        if rows.is_empty() {
            return lines;
        }
        // What is damaged may say the same code twice.
        rows.sort_by_key(|row| row.code.start);
        let mut covered = WasmOffset::new(0);
        rows.retain_mut(|row| {
            row.code.start = row.code.start.max(covered);
            covered = covered.max(row.code.end);
            row.code.start < row.code.end
        });
        lines.body = lines.body.max(entry);
        for row in &mut rows {
            row.first = behind_structure(binary, row.code.start.max(entry)..row.code.end).max(row.code.start);
        }
        lines.rows = rows.into();
        lines
    }
}
