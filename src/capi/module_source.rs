//! Where a module's instructions are in the source.

use super::module::get;
use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::wasm_module_t;
use super::plumbing::own::{Out, string};
use super::source::{stepwell_source_t, write_source};
use crate::base::WasmOffset;
use std::ffi::c_char;

/// An offset in a module, as C has it; one beyond 4 GiB is in none.
fn offset_of(offset: usize) -> WasmOffset {
    WasmOffset::new(u32::try_from(offset).unwrap_or(u32::MAX))
}

/// How many places the instruction at `offset` (from the start of the module) has in the source: one for its function, and one for
/// each function that the compiler inlined there; 0 where the module's DWARF, if it has any, does not say. The first call of this
/// or a like function reads the DWARF; instantiating never does.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_source_count(module: *const wasm_module_t, offset: usize) -> usize {
    or_abort("stepwell_module_source_count", || {
        // SAFETY: C passes a live module or NULL.
        Ok(unsafe { get(module) }?.locations(offset_of(offset)).len())
    })
}

/// Writes where in the source the instruction at `offset` is to `out`: with `index` 0 the place itself, in the innermost inlined
/// function; with 1 where that was inlined, and so on, last in the function that the module has. False, and nothing written, beyond
/// that, or where it is not known.
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

/// The first line of the source from `line` on that has code; 0 where there is none. `file` is a path as the compiler knew it, or the
/// end of one: `"main.c"`, `"src/main.c"`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_module_source_line(
    module: *const wasm_module_t,
    file: *const c_char,
    line: u32,
) -> u32 {
    let mut found = 0;
    or_null("stepwell_module_source_line", || {
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, file) = unsafe { (get(module)?, string(file, "file")?) };
        found = module.line_with_code(file, line).unwrap_or(0);
        Ok(found > 0)
    });
    found
}

/// Finds the code of a line of the source: writes the offset (from the start of the module) at which it begins to `offset_out`. A
/// line may have code in several places, by inlining, unrolling and moving: `index` counts all of them, ascending; false, and nothing
/// written, beyond the last. To stop wherever the line runs, set a breakpoint at each. Without code for `line`, the next line of the
/// file that has some is meant: `stepwell_module_source_line` says which. `file` is a path as the compiler knew it, or the end of one.
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
