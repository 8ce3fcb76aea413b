//! Where a module's instructions are in the source.

use super::bytes::lend_name;
use super::module::get;
use super::plumbing::guard::{or_abort, or_error, or_null, or_value};
use super::plumbing::handles::{stepwell_error_t, wasm_module_t};
use super::plumbing::own::{Out, Own, plain, string};
use super::source::{stepwell_source_t, write_source};
use super::vecs::wasm_byte_vec_t;
use crate::base::WasmOffset;
use std::ffi::c_char;

/// An offset in a module, as C has it; one beyond 4 GiB is in none.
fn offset_of(offset: usize) -> WasmOffset {
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
