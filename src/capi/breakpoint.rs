//! `stepwell_breakpoint_t`: a breakpoint of a debugger, by its number. It stands at as many places as what was asked
//! for has.

use super::debugger::DebuggerObject;
use super::module;
use super::plumbing::guard::{or_error, or_null, or_value};
use super::plumbing::handles::{stepwell_debugger_t, stepwell_error_t, wasm_module_t};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, borrow, string};
use super::source::{stepwell_source_t, write_source};
use crate::base::{Error, ErrorKind, FuncIndex, Result, WasmOffset};
use crate::debug::{BreakPlace, BreakRequest, Breakpoint, BreakpointId};
use crate::runtime::Module;
use std::ffi::c_char;

/// A breakpoint's number: unique in its debugger, never 0, never reused.
pub type stepwell_breakpoint_t = u32;

/// Sets a breakpoint and writes its number to `out`, unless that is NULL.
///
/// # Safety
/// The pointer is NULL or live, `out` is C's.
unsafe fn set(
    debugger: *mut stepwell_debugger_t,
    out: *mut stepwell_breakpoint_t,
    request: BreakRequest,
) -> Result<()> {
    // SAFETY: by the contract.
    let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
    let breakpoint = debugger.add_breakpoint(&mut *cell.enter()?, request)?;
    if let Some(out) = Out::plain(out).optional() {
        // SAFETY: by the contract.
        unsafe { out.write(breakpoint.id.get()) };
    }
    Ok(())
}

/// An offset in a module, as C has it.
pub(super) fn wasm_offset(offset: usize) -> Result<WasmOffset> {
    let fits = u32::try_from(offset).map(WasmOffset::new);
    fits.map_err(|_| Error::new(ErrorKind::Argument, format!("`offset` is {offset}; a module has less than 4 GiB")))
}

/// Sets a breakpoint at the instruction at `offset` bytes from the start of `module`, or the next one that can be
/// reached in the same function: `stepwell_breakpoint_offset` says where. An offset outside every function's body is an
/// error. The module need not be instantiated yet. The breakpoint's number is written to `out`, which may be NULL. Also
/// allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    offset: usize,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add", || {
        let offset = wasm_offset(offset)?;
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe {
            borrow(debugger, "debugger")?;
            set(debugger, out, BreakRequest::offset(module::get(module)?, offset))
        }
    })
}

/// The module, or none for NULL: any.
///
/// # Safety
/// The pointer is NULL or live.
pub(super) unsafe fn module_or_any<'a>(module: *const wasm_module_t) -> Result<Option<&'a Module>> {
    // SAFETY: by the contract.
    if module.is_null() { Ok(None) } else { unsafe { module::get(module) }.map(Some) }
}

/// Sets a breakpoint at every function that a name means: by its name in the source, whole or from the start of any of
/// its parts on (`area` and `Shape::area` mean `geo::Shape::area`), by the name that the linker knew it by, by its name
/// in the name section, or as an export. It stands at the first instruction of each, inlined copies too:
/// `stepwell_breakpoint_place_count` tells how many places that are. Where the name is that of an import alone (`field`
/// or `module.field`), it stands at each call of it.
///
/// With `module` NULL it is for all modules of the store, and for those that come later. Then it is no error that none
/// has such a function yet; of a module that was given it is, and the message has what is spelt like the name.
/// Otherwise as `stepwell_breakpoint_add`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add_at_function(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    name: *const c_char,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add_at_function", || {
        // SAFETY: C passes live objects or NULL, a C string or NULL, and `out` is C's.
        unsafe {
            let name = string(name, "name")?;
            borrow(debugger, "debugger")?;
            set(debugger, out, BreakRequest::function(module_or_any(module)?, name))
        }
    })
}

/// Sets a breakpoint at every place of a line of the source: in each function that has it, inlined copies too. Of a
/// function's first line it stands behind what sets up the frame. Without code for the line, the next one that has some
/// is meant: `stepwell_breakpoint_source` tells which. `file` is a path as the compiler knew it, or the end of one, of
/// whole names: `"main.c"`, `"src/main.c"`. With `column` not 0, only what begins there, or at the next column of the
/// line.
///
/// With `module` NULL it is for all modules of the store, and for those that come later. Then it is no error that none
/// has such a line yet; of a module that was given it is. Otherwise as `stepwell_breakpoint_add`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add_at_line(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    file: *const c_char,
    line: u32,
    column: u32,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add_at_line", || {
        let column = (column > 0).then_some(column);
        // SAFETY: C passes live objects or NULL, a C string or NULL, and `out` is C's.
        unsafe {
            borrow(debugger, "debugger")?;
            set(debugger, out, BreakRequest::line(module_or_any(module)?, string(file, "file")?, line, column))
        }
    })
}

/// Sets a breakpoint at the first instruction of a function by its index, imports counted; of one that is imported, at
/// each call of it in the module. Otherwise as `stepwell_breakpoint_add`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add_at_function_index(
    debugger: *mut stepwell_debugger_t,
    module: *const wasm_module_t,
    index: u32,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add_at_function_index", || {
        // SAFETY: C passes live objects or NULL, and `out` is C's.
        unsafe {
            borrow(debugger, "debugger")?;
            set(debugger, out, BreakRequest::function_index(module::get(module)?, FuncIndex::new(index)))
        }
    })
}

/// Removes a breakpoint. Also allowed inside a stop; it takes effect before the guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_remove(
    debugger: *mut stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_remove", || {
        // SAFETY: C passes a live debugger or NULL.
        let object = unsafe { borrow(debugger, "debugger") }?;
        object.debugger.remove(&mut *object.cell.enter()?, BreakpointId::new(breakpoint))
    })
}

/// A breakpoint by its number.
///
/// # Safety
/// The pointer is NULL or live.
pub(super) unsafe fn find(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> Result<Breakpoint> {
    // SAFETY: by the contract.
    let DebuggerObject { cell, debugger } = unsafe { borrow(debugger, "debugger") }?;
    let found = debugger.breakpoint(&*cell.enter_to_look()?, BreakpointId::new(breakpoint))?;
    found.ok_or_else(|| Error::new(ErrorKind::Argument, format!("the debugger has no breakpoint {breakpoint}")))
}

/// Where a breakpoint stands: the byte offset of its instruction from the start of its module, of its first place.
/// `SIZE_MAX` if it has no place yet, or if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_offset(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> usize {
    or_value("stepwell_breakpoint_offset", usize::MAX, || {
        // SAFETY: C passes a live debugger or NULL.
        Ok(unsafe { find(debugger, breakpoint) }?.offset().map_or(usize::MAX, WasmOffset::index))
    })
}

/// The index of the function a breakpoint stands in, imports counted, of its first place. `UINT32_MAX` if it has no
/// place yet, or if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_func_index(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> u32 {
    or_value("stepwell_breakpoint_func_index", u32::MAX, || {
        // SAFETY: C passes a live debugger or NULL.
        Ok(unsafe { find(debugger, breakpoint) }?.func().map_or(u32::MAX, FuncIndex::get))
    })
}

/// Writes where in the source a breakpoint stands to `out`, of its first place, as `stepwell_module_source` does for an
/// instruction: with `index` 0 the place itself, whose line is the one that the breakpoint really is at. False, and
/// nothing written, beyond the last, where it is not known, or if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_source(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    index: usize,
    out: *mut stepwell_source_t,
) -> bool {
    or_null("stepwell_breakpoint_source", || {
        // SAFETY: C passes a live debugger or NULL, and `out` is C's.
        unsafe { place_source(find(debugger, breakpoint)?.places.first(), index, out) }
    })
}

/// How many places a breakpoint stands at: 1 where it was asked for by offset or index, as many as there are for a name
/// or a line. Of one that is for any module there may be more later, and none yet. 0, too, if there is no such
/// breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_place_count(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
) -> usize {
    // SAFETY: C passes a live debugger or NULL.
    or_value("stepwell_breakpoint_place_count", 0, || Ok(unsafe { find(debugger, breakpoint) }?.places.len()))
}

/// The byte offset of a place's instruction from the start of its module: places of one module ascend, and modules are
/// in the order in which the store has got them. `SIZE_MAX` beyond the last place, or if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_place_offset(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    place: usize,
) -> usize {
    or_value("stepwell_breakpoint_place_offset", usize::MAX, || {
        // SAFETY: C passes a live debugger or NULL.
        let breakpoint = unsafe { find(debugger, breakpoint) }?;
        Ok(breakpoint.places.get(place).map_or(usize::MAX, |place| place.offset.index()))
    })
}

/// The index of the function a place is in, imports counted. `UINT32_MAX` beyond the last place, or if there is no such
/// breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_place_func_index(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    place: usize,
) -> u32 {
    or_value("stepwell_breakpoint_place_func_index", u32::MAX, || {
        // SAFETY: C passes a live debugger or NULL.
        let breakpoint = unsafe { find(debugger, breakpoint) }?;
        Ok(breakpoint.places.get(place).map_or(u32::MAX, |place| place.func.get()))
    })
}

/// The module a place is in; NULL beyond the last place, or if there is no such breakpoint.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_place_module(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    place: usize,
) -> Own<wasm_module_t> {
    or_null("stepwell_breakpoint_place_module", || {
        // SAFETY: C passes a live debugger or NULL.
        let (found, object) = unsafe { (find(debugger, breakpoint)?, borrow(debugger, "debugger")?) };
        let module = found.places.get(place).map(|place| place.module.clone());
        Ok(module.map_or_else(Own::null, |module| Own::new(Object::new(&object.cell, module))))
    })
}

/// Writes where in the source a place is to `out`, as `stepwell_breakpoint_source` does for the first.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_place_source(
    debugger: *const stepwell_debugger_t,
    breakpoint: stepwell_breakpoint_t,
    place: usize,
    index: usize,
    out: *mut stepwell_source_t,
) -> bool {
    or_null("stepwell_breakpoint_place_source", || {
        // SAFETY: C passes a live debugger or NULL, and `out` is C's.
        unsafe { place_source(find(debugger, breakpoint)?.places.get(place), index, out) }
    })
}

/// Writes where in the source a place is, if there is one.
///
/// # Safety
/// `out` is NULL or C's.
unsafe fn place_source(place: Option<&BreakPlace>, index: usize, out: *mut stepwell_source_t) -> Result<bool> {
    let locations = place.map_or_else(Vec::new, |place| place.module.locations(place.offset));
    // SAFETY: by the contract.
    unsafe { write_source(&locations, index, out) }
}
