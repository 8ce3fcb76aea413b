//! Where a module's instructions are in the source.

use super::bytes::lend_name;
use super::module::get;
use super::plumbing::guard::{or_abort, or_error, or_null, or_value};
use super::plumbing::handles::{stepwell_error_t, wasm_module_t};
use super::plumbing::own::{Out, Own, null, plain, string};
use super::source::{stepwell_source_t, write_source};
use super::vecs::wasm_byte_vec_t;
use crate::base::{Result, WasmOffset};
use std::ffi::c_char;

/// An offset in a module, as C has it; one beyond 4 GiB is in none.
pub(super) fn offset_of(offset: usize) -> WasmOffset {
    WasmOffset::new(u32::try_from(offset).unwrap_or(u32::MAX))
}

/// How many places the instruction at `offset` (from the start of the module) has in the source: one for its function,
/// and one for each function that the compiler inlined there; 0 where the module's DWARF, if it has any, does not say.
/// The first call of this or a like function reads the DWARF; instantiating never does.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_source_count(module: *const wasm_module_t, offset: usize) -> usize {
    or_abort("stepwell_module_source_count", || {
        // SAFETY: C passes a live module or NULL.
        Ok(unsafe { get(module) }?.locations(offset_of(offset)).len())
    })
}

/// Writes where in the source the instruction at `offset` is to `out`: with `index` 0 the place itself, in the
/// innermost inlined function; with 1 where that was inlined, and so on, last in the function that the module has.
/// False, and nothing written, beyond that, or where it is not known.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_source(
    module: *const wasm_module_t,
    offset: usize,
    index: usize,
    out: *mut stepwell_source_t,
) -> bool {
    or_null("stepwell_module_source", || {
        // SAFETY: C passes a live module or NULL, and `out` is C's.
        unsafe { write_source(&get(module)?.locations(offset_of(offset)), index, out) }
    })
}

/// The first line of the source from `line` on that has code; 0 where there is none. `file` is a path as the compiler
/// knew it, or the end of one: `"main.c"`, `"src/main.c"`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_source_line(
    module: *const wasm_module_t,
    file: *const c_char,
    line: u32,
) -> u32 {
    or_value("stepwell_module_source_line", 0, || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, file) = unsafe { (get(module)?, string(file, "file")?) };
        Ok(module.line_with_code(file, line).unwrap_or(0))
    })
}

/// Finds the code of a line of the source: writes the offset (from the start of the module) at which it begins to
/// `offset_out`. A line may have code in several places, by inlining, unrolling and moving: `index` counts all of them,
/// ascending; false, and nothing written, beyond the last. To stop wherever the line runs, set a breakpoint at each.
/// Without code for `line`, the next line of the file that has some is meant: `stepwell_module_source_line` says which.
/// `file` is a path as the compiler knew it, or the end of one.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_source_find(
    module: *const wasm_module_t,
    file: *const c_char,
    line: u32,
    index: usize,
    offset_out: *mut usize,
) -> bool {
    or_null("stepwell_module_source_find", || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, file) = unsafe { (get(module)?, string(file, "file")?) };
        let out = Out::plain(offset_out).check("offset_out")?;
        let Some(offset) = module.offsets_of_line(file, line).get(index).copied() else { return Ok(false) };
        // SAFETY: the pointer is C's.
        unsafe { out.write(offset.index()) };
        Ok(true)
    })
}

/// A place of a line of the source.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_line_place_t {
    /// The instruction at which the line's code begins, in bytes from the start of the module.
    pub offset: usize,
    /// What it is in the source.
    pub source: stepwell_source_t,
    /// Whether the function is inlined there.
    pub is_inlined: bool,
}

/// A row of a module's line table: from its offset on, up to the next row's, instructions are of this line.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_line_t {
    /// The instruction, in bytes from the start of the module.
    pub offset: usize,
    /// The file's path as the compiler was given it; NULL where it is not known. Borrowed, as `stepwell_module_name`.
    pub file: *const c_char,
    /// The line, from 1; 0 for what is in no line.
    pub line: u32,
    /// The column, from 1; 0 where it is not known.
    pub column: u32,
    /// Whether a statement begins here: only there a debugger stops for the line.
    pub is_statement: bool,
    /// Whether a function's own code begins here, behind what sets up its frame.
    pub is_prologue_end: bool,
    /// Whether a sequence of code ends here: the row has no code, and nothing of it but the offset counts.
    pub is_end: bool,
}

/// Writes every place at which a line of the source has code to `out`, ascending, as `stepwell_module_source_find`
/// finds them: the first ones, if there are more than `capacity`. Each has its function and its column, and its line,
/// which is the next one with code where the line has none. With a `column` that is not 0, only what begins at it, or
/// at the next column of the line that something begins at. Returns how many places there are; with a `capacity` of 0,
/// `out` may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_line_places(
    module: *const wasm_module_t,
    file: *const c_char,
    line: u32,
    column: u32,
    out: *mut stepwell_line_place_t,
    capacity: usize,
) -> usize {
    or_value("stepwell_module_line_places", 0, || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, file) = unsafe { (get(module)?, string(file, "file")?) };
        let found = module.line_places(file, line, (column != 0).then_some(column));
        let places = found.map(|found| found.places).unwrap_or_default();
        let rows = places.iter().map(|place| {
            let locations = module.locations(place.offset);
            let source = stepwell_source_t::of(locations.first());
            stepwell_line_place_t { offset: place.offset.index(), source, is_inlined: place.inlined }
        });
        // SAFETY: C has room for `capacity` there, or passes NULL.
        unsafe { write_rows(rows, out, capacity) }
    })
}

/// Writes the paths of the files of the source that have code to `out`, as compilers knew them, in the order of the
/// alphabet: the first ones, if there are more than `capacity`. Returns how many there are. The strings are borrowed,
/// as `stepwell_module_name`; with a `capacity` of 0, `out` may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_source_files(
    module: *const wasm_module_t,
    out: *mut *const c_char,
    capacity: usize,
) -> usize {
    or_value("stepwell_module_source_files", 0, || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let files = module.source_files();
        let rows = files.iter().map(|file| module.name_with_nul(file));
        // SAFETY: C has room for `capacity` there, or passes NULL.
        unsafe { write_rows(rows, out, capacity) }
    })
}

/// Writes the line table of the module's DWARF to `out`, sequence by sequence, each ascending: the first rows, if there
/// are more than `capacity`. Returns how many there are; with a `capacity` of 0, `out` may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_line_table(
    module: *const wasm_module_t,
    out: *mut stepwell_line_t,
    capacity: usize,
) -> usize {
    or_value("stepwell_module_line_table", 0, || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        // Rows of one file stand together, mostly.
        let mut last: (Option<&str>, *const c_char) = (None, std::ptr::null());
        let table = module.line_table();
        let rows = table.iter().map(|row| {
            if row.file != last.0 {
                last = (row.file, row.file.map_or(std::ptr::null(), |file| module.name_with_nul(file)));
            }
            stepwell_line_t {
                offset: row.offset.index(),
                file: last.1,
                line: row.line,
                column: row.column,
                is_statement: row.is_statement,
                is_prologue_end: row.prologue_end,
                is_end: row.end_of_sequence,
            }
        });
        // SAFETY: C has room for `capacity` there, or passes NULL.
        unsafe { write_rows(rows, out, capacity) }
    })
}

/// Writes rows to an array of C's, as many as fit, and says how many there are.
///
/// # Safety
/// `out` is NULL, or C has room for `capacity` of them there.
pub(super) unsafe fn write_rows<T>(
    rows: impl ExactSizeIterator<Item = T>,
    out: *mut T,
    capacity: usize,
) -> Result<usize> {
    if capacity > 0 && out.is_null() {
        return Err(null("out"));
    }
    let count = rows.len();
    for (i, row) in rows.take(capacity).enumerate() {
        // SAFETY: by the contract.
        unsafe { Out::plain(out).at(i).write(row) };
    }
    Ok(count)
}

/// Gives the module a file of its split DWARF, which is what a compiler puts beside the module with `-gsplit-dwarf`: a
/// package (`.dwp`, as `llvm-dwp` makes it), or what was written for one unit (`.dwo`), as a Wasm or ELF file. The
/// module itself then has lines only, or little more. Positions that are asked for from now on, in backtraces as well,
/// have the functions' names and what is inlined from there. Several files may be given, at any time. The bytes are
/// copied, and read when a position is first asked for.
///
/// All handles and instances of the module have it. A serialized module does not: give it again. The library never
/// opens a file that a module names.
///
/// An error with `STEPWELL_ERROR_ARGUMENT` if the bytes are no such file. What is damaged inside is no error, but has
/// no positions. Of a file that has none of the module's units nothing is used: the engine's log says so, and
/// `stepwell_module_split_dwarf_missing` tells.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_module_split_dwarf_add(
    module: *mut wasm_module_t,
    file: *const wasm_byte_vec_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_module_split_dwarf_add", || {
        // SAFETY: C passes live objects or NULL.
        unsafe { get(module)?.add_split_dwarf(plain(file, "file")?.as_bytes()) }
    })
}

/// How many compilation units of the module have split DWARF whose other part is in no file that was given: 0 for a
/// module without split DWARF, or with all of its files.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_split_dwarf_missing(module: *const wasm_module_t) -> usize {
    or_abort("stepwell_module_split_dwarf_missing", || {
        // SAFETY: C passes a live module or NULL.
        Ok(unsafe { get(module) }?.missing_split_units().len())
    })
}

/// What the compiler called the file with a missing unit's other part, for example `"build/main.dwo"`: empty where the
/// module does not say. `index` counts the units that `stepwell_module_split_dwarf_missing` does; NULL beyond the last.
/// Several units may be in one file. A module that is not trusted may name any file of the host's: open only what you
/// would open anyway. Borrowed, as `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_split_dwarf_missing_name(
    module: *const wasm_module_t,
    index: usize,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_module_split_dwarf_missing_name", || {
        // SAFETY: C passes a live module or NULL.
        let module = unsafe { get(module) }?;
        let name = module.missing_split_units().get(index).map(|name| name.unwrap_or_default());
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(module, name, size_out) })
    })
}
