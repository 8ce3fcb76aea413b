//! `stepwell_breakpoint_set_t`: breakpoints that are prepared once and set in many stores.

use super::breakpoint::{stepwell_breakpoint_t, wasm_offset};
use super::breakpoint_options::write_numbers;
use super::module;
use super::plumbing::guard::{or_error, or_null, or_value};
use super::plumbing::handles::{stepwell_breakpoint_set_t, stepwell_debugger_t, stepwell_error_t, wasm_module_t};
use super::plumbing::own::{Own, borrow, borrow_mut, handle, string};
use crate::base::{FuncIndex, Result};
use crate::debug::{BreakRequest, BreakpointSet};
use crate::runtime::Module;
use std::ffi::c_char;

handle!(stepwell_breakpoint_set_t => BreakpointSet);

/// A new set of breakpoints, without any. What names and lines mean is looked up when they are added;
/// `stepwell_breakpoint_add_set` has only to patch the code of a store. It may be used by several threads at once as
/// long as nothing is added.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_set_new() -> Own<stepwell_breakpoint_set_t> {
    or_null("stepwell_breakpoint_set_new", || Ok(Own::new(BreakpointSet::new())))
}

/// Deletes the set. What was set by it stays. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_set_delete(set: Own<stepwell_breakpoint_set_t>) {
    // SAFETY: C gives it back.
    unsafe { set.delete("stepwell_breakpoint_set_delete", "set") }
}

/// How many breakpoints it has.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_breakpoint_set_count(set: *const stepwell_breakpoint_set_t) -> usize {
    // SAFETY: C passes a live set or NULL.
    or_value("stepwell_breakpoint_set_count", 0, || Ok(unsafe { borrow(set, "set") }?.len()))
}

/// Adds what is asked for in a module.
///
/// # Safety
/// The pointers are NULL or live.
unsafe fn add(
    set: *mut stepwell_breakpoint_set_t,
    module: *const wasm_module_t,
    request: impl FnOnce(&Module) -> Result<BreakRequest>,
) -> Result<()> {
    // SAFETY: by the contract.
    let (set, module) = unsafe { (borrow_mut(set, "set")?, module::get(module)?) };
    set.add(request(module)?)
}

/// Adds a breakpoint at an instruction of a module, as `stepwell_breakpoint_add` sets one. The module's debug code is
/// compiled for it, if it is not yet. On an error nothing is added.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_set_add(
    set: *mut stepwell_breakpoint_set_t,
    module: *const wasm_module_t,
    offset: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_set_add", || {
        // SAFETY: C passes live objects or NULL.
        unsafe { add(set, module, |module| Ok(BreakRequest::offset(module, wasm_offset(offset)?))) }
    })
}

/// Adds a breakpoint at every function of a module that a name means, as `stepwell_breakpoint_add_at_function` sets
/// one. Otherwise as `stepwell_breakpoint_set_add`.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_set_add_at_function(
    set: *mut stepwell_breakpoint_set_t,
    module: *const wasm_module_t,
    name: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_set_add_at_function", || {
        // SAFETY: C passes live objects or NULL, and a C string or NULL.
        unsafe { add(set, module, |module| Ok(BreakRequest::function(module, string(name, "name")?))) }
    })
}

/// Adds a breakpoint at every place of a line of the source of a module, as `stepwell_breakpoint_add_at_line` sets one.
/// Otherwise as `stepwell_breakpoint_set_add`.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_set_add_at_line(
    set: *mut stepwell_breakpoint_set_t,
    module: *const wasm_module_t,
    file: *const c_char,
    line: u32,
    column: u32,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_set_add_at_line", || {
        let column = (column > 0).then_some(column);
        // SAFETY: C passes live objects or NULL, and a C string or NULL.
        unsafe { add(set, module, |module| Ok(BreakRequest::line(module, string(file, "file")?, line, column))) }
    })
}

/// Adds a breakpoint at the first instruction of a function by its index, as
/// `stepwell_breakpoint_add_at_function_index` sets one. Otherwise as `stepwell_breakpoint_set_add`.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_set_add_at_function_index(
    set: *mut stepwell_breakpoint_set_t,
    module: *const wasm_module_t,
    index: u32,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_set_add_at_function_index", || {
        // SAFETY: C passes live objects or NULL.
        unsafe { add(set, module, |module| Ok(BreakRequest::function_index(module, FuncIndex::new(index)))) }
    })
}

/// Sets all breakpoints of a set, or none, in one edit of the machine code. Their numbers are written to `out` in the
/// order in which they were added; it has room for `stepwell_breakpoint_set_count` of them, or is NULL. An error where
/// a module is of another engine than the debugger's store. Also allowed inside a stop; it takes effect before the
/// guest goes on.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_breakpoint_add_set(
    debugger: *mut stepwell_debugger_t,
    set: *const stepwell_breakpoint_set_t,
    out: *mut stepwell_breakpoint_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_breakpoint_add_set", || {
        // SAFETY: C passes live objects or NULL.
        let (object, set) = unsafe { (borrow(debugger, "debugger")?, borrow(set, "set")?) };
        let ids = object.debugger.break_at_set(&mut *object.cell.enter()?, set)?;
        // SAFETY: C has room for so many.
        unsafe { write_numbers(out, &ids) };
        Ok(())
    })
}
