//! What one compilation unit says: its lines, and its functions with what is inlined in them. It owns what it says, and
//! knows nothing of the sections it came from.

use super::map::{Budget, Input, Location, Slice, widest_first};
use crate::base::WasmOffset;
use gimli::{
    AttributeValue, ColumnType, DebugInfoOffset, DebuggingInformationEntry, FileEntry, LineProgramHeader, Unit,
    UnitOffset, constants as c,
};
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString};
use std::ops::Range;

/// So many functions are inlined into each other at most.
const MAX_INLINED: usize = 64;
/// So many bytes of a path or a name are kept at most.
const MAX_TEXT: usize = 4096;
/// So many rows of a function are looked at for the end of its prologue.
const MAX_PROLOGUE: usize = 8;
/// So many entries are gone through to find a name.
const MAX_ORIGINS: usize = 16;

/// A text of [`UnitSources::texts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct TextId(u32);

/// A place in a file; line and column 0 where they are not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    file: Option<TextId>,
    line: u32,
    column: u32,
}

/// From this address on, up to the next row's, code is of this place.
#[derive(Clone, Copy, Debug)]
struct Row {
    address: u32,
    place: Place,
    /// Whether a line's code begins here.
    statement: bool,
    /// Whether a function's own code begins here, behind what sets its frame up.
    prologue_end: bool,
}

/// Rows without a gap.
#[derive(Debug)]
struct Sequence {
    begin: u32,
    end: u32,
    rows: Range<usize>,
}

/// A function, or one that is inlined.
#[derive(Debug)]
struct Scope {
    /// Where its entry stands in its unit.
    entry: usize,
    name: Option<TextId>,
    /// Where it is inlined; `None` for a function of its own.
    call: Option<Place>,
    /// Ascending, and none touches another.
    ranges: Range<usize>,
    /// The scopes inside it stand behind it, up to this one.
    end: usize,
}

/// A row of the line table: from its offset on, up to the next row's, instructions are of this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow<'a> {
    /// The first instruction.
    pub offset: WasmOffset,
    /// The file's path, as the compiler was given it.
    pub file: Option<&'a str>,
    /// The line, from 1; 0 for what is in no line.
    pub line: u32,
    /// The column, from 1; 0 where it is not known.
    pub column: u32,
    /// Whether a statement begins here: only there a debugger stops for the line.
    pub is_statement: bool,
    /// Whether a function's own code begins here.
    pub prologue_end: bool,
    /// Whether this is the end of a sequence: it has no code, and nothing of it but the offset counts.
    pub end_of_sequence: bool,
}

/// A row of the code that was asked for.
pub(super) struct RowWithin {
    /// The addresses of its code, of which there is some.
    pub(super) code: (u32, u32),
    /// A number that the unit has for its file.
    pub(super) file: u32,
    pub(super) line: u32,
    /// Whether a line's code begins here.
    pub(super) statement: bool,
    /// The functions that it is in, outermost first, by numbers that the unit has for them and their inlined copies.
    pub(super) scopes: Vec<usize>,
}

/// What a unit says.
#[derive(Debug, Default)]
pub(super) struct UnitSources {
    texts: Vec<CString>,
    rows: Vec<Row>,
    /// By their beginnings.
    sequences: Vec<Sequence>,
    scopes: Vec<Scope>,
    ranges: Vec<(u32, u32)>,
    /// Functions of their own: a range and a scope, by their beginnings.
    functions: Vec<((u32, u32), usize)>,
}

impl UnitSources {
    fn text(&self, id: TextId) -> &CStr {
        &self.texts[id.0 as usize]
    }

    /// The rows around an address, and which of them has it.
    fn row(&self, address: u32) -> Option<&Row> {
        let last = self.sequences.partition_point(|sequence| sequence.begin <= address).checked_sub(1)?;
        let sequence = self.sequences.get(last).filter(|sequence| address < sequence.end)?;
        let rows = &self.rows[sequence.rows.clone()];
        rows.get(rows.partition_point(|row| row.address <= address).checked_sub(1)?)
    }

    fn contains(&self, scope: &Scope, address: u32) -> bool {
        let ranges = &self.ranges[scope.ranges.clone()];
        let last = ranges.partition_point(|(begin, _)| *begin <= address).checked_sub(1);
        last.is_some_and(|last| address < ranges[last].1)
    }

    /// The scopes that an address is in, outermost first, by their indices.
    fn scopes_at(&self, address: u32) -> Vec<usize> {
        let mut chain = Vec::new();
        let last = self.functions.partition_point(|((begin, _), _)| *begin <= address);
        let Some(&((_, end), function)) = last.checked_sub(1).and_then(|last| self.functions.get(last)) else {
            return chain;
        };
        if address >= end {
            return chain;
        }
        chain.push(function);
        let (mut at, mut end) = (function + 1, self.scopes[function].end);
        while at < end {
            let scope = &self.scopes[at];
            if scope.call.is_some() && self.contains(scope, address) {
                chain.push(at);
                (at, end) = (at + 1, scope.end);
            } else {
                at = scope.end;
            }
        }
        chain
    }

    /// What an address is in, innermost first.
    pub(super) fn locations(&self, address: u32) -> Vec<Location<'_>> {
        let mut place = self.row(address).map(|row| row.place);
        let mut locations = Vec::new();
        let mut push = |function: Option<TextId>, place: Option<Place>| {
            let place = place.unwrap_or_default();
            locations.push(Location {
                function: function.map(|id| self.text(id)),
                file: place.file.map(|id| self.text(id)),
                line: place.line,
                column: place.column,
            });
        };
        let scopes = self.scopes_at(address);
        if scopes.is_empty() && place.is_some() {
            push(None, place);
        }
        for scope in scopes.into_iter().rev() {
            let scope = &self.scopes[scope];
            push(scope.name, place);
            place = scope.call;
        }
        locations
    }

    /// The files that are meant by a path or its end.
    fn files(&self, wanted: &str) -> HashSet<TextId> {
        let wanted = wanted.strip_prefix("./").unwrap_or(wanted);
        let meant = |path: &CString| {
            let front = path.to_str().ok().and_then(|path| path.strip_suffix(wanted));
            front.is_some_and(|front| front.is_empty() || front.ends_with(['/', '\\']))
        };
        let ids = (0..self.texts.len()).filter(|id| meant(&self.texts[*id]));
        ids.map(|id| TextId(id as u32)).collect()
    }

    /// The rows of one sequence without those that no instruction has: several at one address, of which the last
    /// counts.
    fn rows_of(&self, sequence: &Sequence) -> impl Iterator<Item = &Row> {
        let rows = &self.rows[sequence.rows.clone()];
        let next = rows.iter().skip(1).map(|row| row.address).chain([sequence.end]);
        rows.iter().zip(next).filter(|(row, next)| row.address < *next).map(|(row, _)| row)
    }

    /// The first line from `line` on that has code.
    pub(super) fn line_at_or_behind(&self, file: &str, line: u32) -> Option<u32> {
        let files = self.files(file);
        if files.is_empty() {
            return None;
        }
        let rows = self.sequences.iter().flat_map(|sequence| self.rows_of(sequence));
        let meant =
            |row: &&Row| row.statement && row.place.line > 0 && row.place.file.is_some_and(|f| files.contains(&f));
        rows.filter(meant).map(|row| row.place.line).filter(|at| *at >= line).min()
    }

    /// The columns of a line at which statements begin.
    pub(super) fn columns_of(&self, file: &str, line: u32, columns: &mut Vec<u32>) {
        let files = self.files(file);
        let rows = self.sequences.iter().flat_map(|sequence| self.rows_of(sequence));
        let meant = |row: &&Row| {
            let place = &row.place;
            row.statement && place.line == line && place.column > 0 && place.file.is_some_and(|f| files.contains(&f))
        };
        columns.extend(rows.filter(meant).map(|row| row.place.column));
    }

    /// The files that rows are of.
    pub(super) fn files_with_code(&self) -> Vec<&str> {
        let used: HashSet<TextId> = self.rows.iter().filter_map(|row| row.place.file).collect();
        used.into_iter().filter_map(|id| self.text(id).to_str().ok()).collect()
    }

    /// Adds all rows, each sequence with its end.
    pub(super) fn add_rows<'s>(&'s self, offset: impl Fn(u32) -> WasmOffset, rows: &mut Vec<LineRow<'s>>) {
        for sequence in &self.sequences {
            rows.extend(self.rows[sequence.rows.clone()].iter().map(|row| LineRow {
                offset: offset(row.address),
                file: row.place.file.and_then(|id| self.text(id).to_str().ok()),
                line: row.place.line,
                column: row.place.column,
                is_statement: row.statement,
                prologue_end: row.prologue_end,
                end_of_sequence: false,
            }));
            rows.push(LineRow {
                offset: offset(sequence.end),
                file: None,
                line: 0,
                column: 0,
                is_statement: false,
                prologue_end: false,
                end_of_sequence: true,
            });
        }
    }

    /// The rows that code from one address up to another has, ascending, each cut to that.
    pub(super) fn rows_within(&self, (begin, end): (u32, u32), mut add: impl FnMut(RowWithin)) {
        let last = self.sequences.partition_point(|sequence| sequence.begin < end);
        for sequence in self.sequences[..last].iter().filter(|sequence| sequence.end > begin) {
            let rows = &self.rows[sequence.rows.clone()];
            let first = rows.partition_point(|row| row.address <= begin).saturating_sub(1);
            let mut statement = false;
            for (at, row) in rows.iter().enumerate().skip(first).take_while(|(_, row)| row.address < end) {
                let next = rows.get(at + 1).map_or(sequence.end, |next| next.address);
                if next == row.address {
                    // Of several at one address the last counts. That a statement begins there may be said before.
                    statement = row.statement && rows[at + 1].place == row.place;
                    continue;
                }
                add(RowWithin {
                    code: (row.address.max(begin), next.min(end)),
                    file: row.place.file.map_or(u32::MAX, |file| file.0),
                    line: row.place.line,
                    statement: row.address >= begin && (row.statement || statement),
                    scopes: self.scopes_at(row.address.max(begin)),
                });
                statement = false;
            }
        }
    }

    /// Where a function goes on behind what sets up its frame: where the compiler says so, else at its second line;
    /// then behind what is in no line.
    pub(super) fn prologue_end(&self, (begin, end): (u32, u32)) -> Option<u32> {
        let last = self.sequences.partition_point(|sequence| sequence.begin <= begin).checked_sub(1)?;
        let sequence = self.sequences.get(last).filter(|sequence| begin < sequence.end)?;
        let rows: Vec<&Row> = self.rows_of(sequence).filter(|row| (begin..end).contains(&row.address)).collect();
        let first = rows.first()?;
        // A function's own code begins within its first lines; further behind, what is marked is another's, inlined.
        let marked = rows.iter().take(MAX_PROLOGUE).position(|row| row.prologue_end);
        let second = || rows.iter().position(|row| row.place.line != first.place.line);
        let at = marked.or_else(second)?;
        rows[at..].iter().find(|row| row.place.line > 0).map(|row| row.address)
    }

    /// The entries of the functions that an address is in, outermost first.
    pub(super) fn entries_at(&self, address: u32) -> Vec<usize> {
        self.scopes_at(address).into_iter().map(|scope| self.scopes[scope].entry).collect()
    }

    /// Where a line's code begins: at the first statement of each run of its rows without a gap, and where, inside such
    /// a run, a function that is inlined begins or ends that the run has not been in.
    pub(super) fn starts_of(&self, file: &str, line: u32, column: Option<u32>, starts: &mut Vec<u32>) {
        let files = self.files(file);
        if files.is_empty() {
            return;
        }
        for sequence in &self.sequences {
            let mut run: Vec<Option<usize>> = Vec::new();
            for row in self.rows_of(sequence) {
                let meant = row.place.line == line && column.is_none_or(|column| row.place.column == column);
                if !meant || !row.place.file.is_some_and(|file| files.contains(&file)) {
                    run.clear();
                } else if row.statement {
                    let scope = self.scopes_at(row.address).last().copied();
                    if !run.contains(&scope) {
                        run.push(scope);
                        starts.push(row.address);
                    }
                }
            }
        }
    }
}

/// The ranges of an entry that code can have.
pub(super) fn ranges<'a>(
    input: &Input<'_, 'a>,
    unit: &Unit<Slice<'a>>,
    entry: &DebuggingInformationEntry<Slice<'a>>,
    found: &mut Vec<(u32, u32)>,
) -> Option<()> {
    let (mut begin, mut end, mut size) = (None, None, None);
    for attribute in entry.attrs() {
        let value = attribute.value();
        match attribute.name() {
            c::DW_AT_low_pc => begin = input.dwarf.attr_address(unit, value).ok()?,
            c::DW_AT_high_pc => match value {
                AttributeValue::Udata(bytes) => size = Some(bytes),
                value => end = input.dwarf.attr_address(unit, value).ok()?,
            },
            c::DW_AT_ranges => {
                let Ok(Some(mut list)) = input.dwarf.attr_ranges(unit, value) else { continue };
                while let Ok(Some(raw)) = list.next_raw() {
                    input.budget.spend(2)?;
                    if let Ok(Some(range)) = list.convert_raw(raw) {
                        found.extend(input.live(range.begin, range.end));
                    }
                }
                return Some(());
            }
            _ => {}
        }
    }
    if let Some(begin) = begin
        && let Some(end) = end.or_else(|| begin.checked_add(size?))
    {
        input.budget.spend(1)?;
        found.extend(input.live(begin, end));
    }
    Some(())
}

/// Brings the ranges from `first` on into order, and makes one of those that meet: a list may have thousands, and many
/// entries the same list, so each is to be found without going through all.
fn merge(ranges: &mut Vec<(u32, u32)>, first: usize) {
    ranges[first..].sort_unstable();
    let mut kept = first;
    for at in first..ranges.len() {
        let (begin, end) = ranges[at];
        if kept > first && begin <= ranges[kept - 1].1 {
            ranges[kept - 1].1 = end.max(ranges[kept - 1].1);
        } else {
            ranges[kept] = (begin, end);
            kept += 1;
        }
    }
    ranges.truncate(kept);
}

/// The ranges a unit says it has; none where it says nothing.
pub(super) fn unit_ranges<'a>(input: &Input<'_, 'a>, unit: &Unit<Slice<'a>>) -> Option<Vec<(u32, u32)>> {
    let mut entries = unit.entries();
    let root = entries.next_dfs().ok()??;
    input.budget.spend(root.attrs().len() as u64)?;
    let mut found = Vec::new();
    ranges(input, unit, root, &mut found)?;
    Some(found)
}

/// The file in which a unit's other part is, as the compiler called it.
pub(super) fn split_name<'a>(input: &Input<'_, 'a>, unit: &Unit<Slice<'a>>) -> Option<Box<str>> {
    let name = string(input, unit, unit.dwo_name().ok()??)?;
    (name.len() <= MAX_TEXT).then(|| name.into())
}

/// Reads what a unit says; what is damaged or beyond the budget is left out.
pub(super) fn read(input: &Input<'_, '_>, index: usize) -> Option<UnitSources> {
    let unit = input.open_unit(index)?;
    Some(Reader::new((input, &unit), (input, &unit)).read())
}

/// Reads a unit that is split: its lines are the module's, its functions those of its other part, which `find` finds.
/// `None` where there is none, or no function in it.
pub(super) fn read_split<'a>(
    input: &Input<'_, 'a>,
    index: usize,
    find: impl FnOnce(&Unit<Slice<'a>>) -> Option<(Input<'a, 'a>, Unit<Slice<'a>>)>,
) -> Option<UnitSources> {
    let skeleton = input.open_unit(index)?;
    let (other, unit) = find(&skeleton)?;
    let mut reader = Reader::new((input, &skeleton), (&other, &unit));
    let _ = reader.functions();
    if reader.out.scopes.is_empty() {
        return None;
    }
    let _ = reader.read_lines();
    Some(reader.out)
}

/// A string that an attribute means.
pub(super) fn string<'a>(
    input: &Input<'_, 'a>,
    unit: &Unit<Slice<'a>>,
    value: AttributeValue<Slice<'a>>,
) -> Option<String> {
    let bytes = input.dwarf.attr_string(unit, value).ok()?;
    input.budget.spend(bytes.len() as u64 / 16)?;
    Some(bytes.to_string_lossy().into_owned())
}

/// Reads a unit.
struct Reader<'m, 'a> {
    /// What has its lines.
    lines: &'m Input<'m, 'a>,
    lines_unit: &'m Unit<Slice<'a>>,
    /// What has its functions: the same, or its other part.
    input: &'m Input<'m, 'a>,
    unit: &'m Unit<Slice<'a>>,
    out: UnitSources,
    /// Files by their numbers in the header of lines.
    files: HashMap<u64, Option<TextId>>,
    paths: HashMap<String, TextId>,
    /// Names by the entry that was asked for them.
    names: HashMap<usize, Option<TextId>>,
    /// Other units that names came from.
    others: HashMap<usize, Option<Unit<Slice<'a>>>>,
}

impl<'m, 'a> Reader<'m, 'a> {
    fn new(
        (lines, lines_unit): (&'m Input<'m, 'a>, &'m Unit<Slice<'a>>),
        (input, unit): (&'m Input<'m, 'a>, &'m Unit<Slice<'a>>),
    ) -> Self {
        Reader {
            lines,
            lines_unit,
            input,
            unit,
            out: UnitSources::default(),
            files: HashMap::new(),
            paths: HashMap::new(),
            names: HashMap::new(),
            others: HashMap::new(),
        }
    }

    /// Each part as far as it can be read.
    fn read(mut self) -> UnitSources {
        let _ = self.read_lines();
        let _ = self.functions();
        self.out
    }

    /// Keeps a text, for people to read: not too long, and without what terminals take for commands.
    fn keep(&mut self, budget: &Budget, text: &str) -> Option<TextId> {
        let text = &text[..text.floor_char_boundary(MAX_TEXT)];
        let text = text.replace(char::is_control, "\u{fffd}");
        budget.spend(text.len() as u64 / 8 + 1)?;
        let id = TextId(u32::try_from(self.out.texts.len()).ok()?);
        self.out.texts.push(CString::new(text).ok()?);
        Some(id)
    }

    /// A file by its number.
    fn file(&mut self, header: &LineProgramHeader<Slice<'a>>, number: u64) -> Option<TextId> {
        if let Some(known) = self.files.get(&number) {
            return *known;
        }
        let id = header.file(number).and_then(|file| self.path(header, file)).and_then(|path| {
            if let Some(known) = self.paths.get(&path) {
                return Some(*known);
            }
            let id = self.keep(self.lines.budget, &path)?;
            self.paths.insert(path, id);
            Some(id)
        });
        self.lines.budget.spend(1)?;
        self.files.insert(number, id);
        id
    }

    /// A file's path, from its name and the directories it is in.
    fn path(&self, header: &LineProgramHeader<Slice<'a>>, file: &FileEntry<Slice<'a>>) -> Option<String> {
        let text = |value| string(self.lines, self.lines_unit, value);
        let mut path = text(file.path_name())?;
        let directory = file.directory(header).and_then(text);
        let top = self.lines_unit.comp_dir.and_then(|name| text(AttributeValue::String(name)));
        for front in [directory, top].into_iter().flatten() {
            if is_absolute(&path) {
                break;
            }
            // The directory of a file may be the unit's own, which is then not its own parent.
            let front = front.trim_end_matches('/');
            if !matches!(front, "" | ".") && path.strip_prefix(front).is_none_or(|rest| !rest.starts_with('/')) {
                path = format!("{front}/{path}");
            }
        }
        Some(path)
    }

    /// Reads the lines.
    fn read_lines(&mut self) -> Option<()> {
        let program = self.lines_unit.line_program.clone()?;
        self.lines.budget.spend(program.header().raw_program_buf().len() as u64)?;
        let mut rows = program.rows();
        let mut first = 0;
        while let Ok(Some((header, row))) = rows.next_row() {
            if row.end_sequence() {
                self.end_sequence(first, row.address());
                first = self.out.rows.len();
                continue;
            }
            // An address beyond 32 bits is nothing's; the whole sequence is then left out.
            let address = u32::try_from(row.address()).unwrap_or(0);
            let line = row.line().map_or(0, |line| u32::try_from(line.get()).unwrap_or(0));
            let column = match row.column() {
                ColumnType::Column(column) if line > 0 => u32::try_from(column.get()).unwrap_or(0),
                _ => 0,
            };
            let place = Place { file: self.file(header, row.file_index()), line, column };
            self.out.rows.push(Row { address, place, statement: row.is_stmt(), prologue_end: row.prologue_end() });
        }
        self.out.rows.truncate(first);
        self.out.sequences.sort_by_key(|sequence| widest_first(&(sequence.begin, sequence.end)));
        Some(())
    }

    /// Ends a sequence of rows, and forgets it if it is not of live code.
    fn end_sequence(&mut self, first: usize, end: u64) {
        let rows = &mut self.out.rows[first..];
        rows.sort_by_key(|row| row.address);
        match rows.first().and_then(|row| self.lines.live(u64::from(row.address), end)) {
            Some((begin, end)) => {
                let rows = first..self.out.rows.len();
                self.out.sequences.push(Sequence { begin, end, rows });
            }
            None => self.out.rows.truncate(first),
        }
    }

    /// Reads the functions and what is inlined in them.
    fn functions(&mut self) -> Option<()> {
        let mut result = Some(());
        let mut open: Vec<(isize, usize)> = Vec::new();
        if self.entries(&mut open).is_none() {
            result = None;
        }
        let count = self.out.scopes.len();
        for (_, scope) in open {
            self.out.scopes[scope].end = count;
        }
        self.out.functions.sort_by_key(|(range, _)| widest_first(range));
        result
    }

    /// Goes through the entries. `open` has the scopes that are not at their end, with their depths.
    fn entries(&mut self, open: &mut Vec<(isize, usize)>) -> Option<()> {
        let unit = self.unit;
        self.input.budget.spend(unit.header.unit_length() as u64)?;
        let mut raw = unit.entries_raw(None).ok()?;
        let mut entry = DebuggingInformationEntry::null();
        while !raw.is_empty() {
            let (depth, offset) = (raw.next_depth(), raw.next_offset().0);
            let Some(abbreviation) = raw.read_abbreviation().ok()? else { continue };
            self.input.budget.spend(abbreviation.attributes().len() as u64 / 4)?;
            while open.last().is_some_and(|(of, _)| *of >= depth) {
                let (_, scope) = open.pop()?;
                self.out.scopes[scope].end = self.out.scopes.len();
            }
            let inlined = match abbreviation.tag() {
                c::DW_TAG_subprogram => false,
                c::DW_TAG_inlined_subroutine if !open.is_empty() && open.len() < MAX_INLINED => true,
                _ => {
                    raw.skip_attributes(abbreviation.attributes()).ok()?;
                    continue;
                }
            };
            raw.read_attributes(abbreviation.attributes(), &mut entry.attrs).ok()?;
            let first = self.out.ranges.len();
            ranges(self.input, unit, &entry, &mut self.out.ranges)?;
            merge(&mut self.out.ranges, first);
            if self.out.ranges.len() == first {
                continue; // a declaration, or what was inlined everywhere, or left out by the linker
            }
            self.input.budget.spend(4)?;
            let scope = self.out.scopes.len();
            let ranges = first..self.out.ranges.len();
            let name = self.name(&entry);
            let call = inlined.then(|| self.call(&entry));
            if !inlined {
                self.out.functions.extend(self.out.ranges[ranges.clone()].iter().map(|range| (*range, scope)));
            }
            self.out.scopes.push(Scope { entry: offset, name, call, ranges, end: scope + 1 });
            open.push((depth, scope));
        }
        Some(())
    }

    /// Where something is inlined.
    fn call(&mut self, entry: &DebuggingInformationEntry<Slice<'a>>) -> Place {
        let number = |name| entry.attr(name).and_then(|attribute| attribute.udata_value()).unwrap_or(0);
        let small = |name| u32::try_from(number(name)).unwrap_or(0);
        let file = match entry.attr_value(c::DW_AT_call_file) {
            Some(AttributeValue::FileIndex(index)) => Some(index),
            Some(value) => value.udata_value(),
            None => None,
        };
        let unit = self.lines_unit;
        let header = unit.line_program.as_ref().map(|program| program.header());
        let file = header.zip(file).and_then(|(header, number)| self.file(header, number));
        let line = small(c::DW_AT_call_line);
        Place { file, line, column: if line > 0 { small(c::DW_AT_call_column) } else { 0 } }
    }

    /// An entry's name: its own, or that of what it was made from.
    fn name(&mut self, entry: &DebuggingInformationEntry<Slice<'a>>) -> Option<TextId> {
        let unit = self.unit;
        match Naming::of(entry) {
            Naming::Name(value) => {
                let name = string(self.input, unit, value)?;
                self.keep(self.input.budget, &name)
            }
            Naming::Here(offset) => {
                let at = offset.to_debug_info_offset(&unit.header)?;
                self.name_at(at.0)
            }
            Naming::There(offset) => self.name_at(offset.0),
            Naming::None => None,
        }
    }

    /// The name of the entry at an offset of `.debug_info`.
    fn name_at(&mut self, asked: usize) -> Option<TextId> {
        if let Some(known) = self.names.get(&asked) {
            return *known;
        }
        self.input.budget.spend(2)?;
        let name = self.find_name(asked);
        let id = name.and_then(|name| self.keep(self.input.budget, &name));
        self.names.insert(asked, id);
        id
    }

    fn find_name(&mut self, mut at: usize) -> Option<String> {
        for _ in 0..MAX_ORIGINS {
            let input = self.input;
            let unit = match DebugInfoOffset(at).to_unit_offset(&self.unit.header) {
                Some(_) => self.unit,
                None => {
                    let index = input.unit_of_info(at)?;
                    self.others.entry(index).or_insert_with(|| input.open_unit(index)).as_ref()?
                }
            };
            let entry = unit.entry(DebugInfoOffset(at).to_unit_offset(&unit.header)?).ok()?;
            self.input.budget.spend(entry.attrs().len() as u64)?;
            match Naming::of(&entry) {
                Naming::Name(value) => return string(input, unit, value),
                Naming::Here(offset) => at = offset.to_debug_info_offset(&unit.header)?.0,
                Naming::There(offset) => at = offset.0,
                Naming::None => return None,
            }
        }
        None
    }
}

/// Where an entry's name is.
enum Naming<'a> {
    Name(AttributeValue<Slice<'a>>),
    Here(UnitOffset),
    There(DebugInfoOffset),
    None,
}

impl<'a> Naming<'a> {
    fn of(entry: &DebuggingInformationEntry<Slice<'a>>) -> Naming<'a> {
        let origin = || entry.attr_value(c::DW_AT_abstract_origin).or_else(|| entry.attr_value(c::DW_AT_specification));
        if let Some(name) = entry.attr_value(c::DW_AT_name) {
            return Naming::Name(name);
        }
        match origin() {
            Some(AttributeValue::UnitRef(offset)) => Naming::Here(offset),
            Some(AttributeValue::DebugInfoRef(offset)) => Naming::There(offset),
            _ => match entry.attr_value(c::DW_AT_linkage_name) {
                Some(name) => Naming::Name(name),
                None => Naming::None,
            },
        }
    }
}

/// Whether a path starts at a root, of whatever system it was compiled on.
fn is_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    path.starts_with(['/', '\\']) || (bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':')
}
