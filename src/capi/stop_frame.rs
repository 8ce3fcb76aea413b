//! `stepwell_frame_t`: a frame of a stop. (`wasm_frame_t` is a frame of a trap that is over.)

use super::bytes::{lend_name, wasm_name_t};
use super::plumbing::cell::StoreCell;
use super::plumbing::guard::{or_null, or_value};
use super::plumbing::handles::{stepwell_frame_t, wasm_instance_t, wasm_module_t};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own, null};
use super::source::{stepwell_source_t, write_source};
use super::stop::with_frame;
use super::val::{to_c, wasm_val_t};
use super::vecs::wasm_byte_vec_t;
use crate::base::{LocalIndex, Result};
use crate::debug::Frame;
use crate::runtime::Val;
use std::ffi::c_char;
use std::sync::Arc;

/// The index of the frame's function in its module, imports counted; `UINT32_MAX` if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_func_index(frame: *const stepwell_frame_t) -> u32 {
    or_value("stepwell_frame_func_index", u32::MAX, || with_frame(frame, |_, frame| Ok(frame.func().get())))
}

/// The name of the frame's function; NULL if it has none. Borrowed: valid until the stop callback returns, and as
/// `stepwell_module_name`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_func_name(
    frame: *const stepwell_frame_t,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_frame_func_name", || {
        // SAFETY: `size_out` is C's.
        with_frame(frame, |_, frame| Ok(unsafe { lend_name(frame.module(), frame.func_name(), size_out) }))
    })
}

/// The byte offset, from the start of the module, of the instruction about to run; in a caller, of the call that is
/// under way; after a trap, of the instruction that trapped. `SIZE_MAX` if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_offset(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_offset", usize::MAX, || with_frame(frame, |_, frame| Ok(frame.offset().index())))
}

/// A number that is the same for one activation of the function at every stop, and for those that take its place by
/// tail calls; a caller's is higher. 0 if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_id(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_id", 0, || with_frame(frame, |_, frame| Ok(frame.id())))
}

/// Whether the frame called the host, which called the next inner frame: host frames stand between.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_called_through_host(frame: *const stepwell_frame_t) -> bool {
    or_null("stepwell_frame_called_through_host", || with_frame(frame, |_, frame| Ok(frame.called_through_host())))
}

/// Writes the name of the host function that the frame waits for to `out`, as far as it has one: the symbol of its
/// callback, demangled, or what WASI's functions are imported as (`wasi_snapshot_preview1.fd_write`). A symbol is found
/// only where the callback itself is exported for dynamic linking: by a library, or by a program that was linked with
/// `-rdynamic`. It is the name of what the guest has called; what that calls in turn is not looked at.
///
/// False, and nothing written, where it has none, where the frame waits for no host function, where the guest has found
/// it in a table (which may have been changed meanwhile), for a frame in production code whose instance is not known,
/// and if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_host_symbol(frame: *const stepwell_frame_t, out: Out<wasm_name_t>) -> bool {
    or_null("stepwell_frame_host_symbol", || {
        let out = out.check("out")?;
        let Some(name) = with_frame(frame, |_, frame| Ok(frame.host_symbol()))? else { return Ok(false) };
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::bytes(name.as_bytes())) };
        Ok(true)
    })
}

/// The frame's module; NULL if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_module(frame: *const stepwell_frame_t) -> Own<wasm_module_t> {
    or_null("stepwell_frame_module", || {
        with_frame(frame, |cell, frame| Ok(Own::new(Object::new(cell, frame.module().clone()))))
    })
}

/// The frame's instance, through which its globals, memories and tables are reached. NULL if the stop is over; and,
/// with an error in `stepwell_last_error()`, for a frame that runs in production code, where the store has several
/// instances of its module.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_instance(frame: *const stepwell_frame_t) -> Own<wasm_instance_t> {
    or_null("stepwell_frame_instance", || {
        with_frame(frame, |cell, frame| Ok(Own::new(Object::new(cell, frame.known_instance()?))))
    })
}

/// Whether the frame runs in production code, for it was entered before the debugger was attached; it does so until it
/// returns. Its function, its instruction and its source are known. What is in its locals and operands is not: whoever
/// asks for that gets nothing, and an error in `stepwell_last_error()`. False if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_is_production(frame: *const stepwell_frame_t) -> bool {
    or_null("stepwell_frame_is_production", || with_frame(frame, |_, frame| Ok(frame.is_production())))
}

/// How many places the frame's instruction has in the source: as `stepwell_module_source_count`. 0 if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_source_count(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_source_count", 0, || with_frame(frame, |_, frame| Ok(frame.locations().len())))
}

/// Writes where in the source the frame's instruction is to `out`: as `stepwell_module_source`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_source(
    frame: *const stepwell_frame_t,
    index: usize,
    out: *mut stepwell_source_t,
) -> bool {
    or_null("stepwell_frame_source", || {
        // SAFETY: `out` is C's.
        with_frame(frame, |_, frame| unsafe { write_source(&frame.locations(), index, out) })
    })
}

/// Writes the first `capacity` values of a frame to an array of C's, and returns how many there are.
///
/// # Safety
/// `out` is NULL, or C has room for `capacity` values there.
unsafe fn write_vals(
    frame: *const stepwell_frame_t,
    vals: impl FnOnce(&Frame<'_>) -> Vec<Val>,
    out: Out<wasm_val_t>,
    capacity: usize,
) -> Result<usize> {
    check_room(&out, capacity)?;
    with_frame(frame, |cell, frame| {
        frame.check_values()?;
        // SAFETY: handed on to the caller.
        unsafe { write_list(cell, &vals(frame), &out, capacity) }
    })
}

/// Refuses NULL where there is to be room for something.
fn check_room(out: &Out<wasm_val_t>, capacity: usize) -> Result<()> {
    if capacity > 0 && out.is_null() { Err(null("out")) } else { Ok(()) }
}

/// Writes the first `capacity` of some values to an array of C's, and returns how many there are.
///
/// # Safety
/// As [`write_vals`].
pub(super) unsafe fn write_list(
    cell: &Arc<StoreCell>,
    vals: &[Val],
    out: &Out<wasm_val_t>,
    capacity: usize,
) -> Result<usize> {
    check_room(out, capacity)?;
    let mut store = cell.enter()?;
    for (i, val) in vals.iter().take(capacity).enumerate() {
        // SAFETY: by the contract.
        unsafe { out.at(i).write(to_c(cell, &mut *store, *val)) };
    }
    Ok(vals.len())
}

/// How many locals the function has, parameters counted; 0 if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_local_count(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_local_count", 0, || with_frame(frame, |_, frame| Ok(frame.local_count())))
}

/// Writes the value of one local, parameters first, to `out`; false, and nothing written, beyond the last, and in
/// production code.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_local(
    frame: *const stepwell_frame_t,
    index: usize,
    out: Out<wasm_val_t>,
) -> bool {
    or_null("stepwell_frame_local", || {
        let out = out.check("out")?;
        with_frame(frame, |cell, frame| {
            frame.check_values()?;
            let Some(val) = frame.local(index) else { return Ok(false) };
            // SAFETY: `out` is C's.
            unsafe { out.write(to_c(cell, &mut *cell.enter()?, val)) };
            Ok(true)
        })
    })
}

/// Writes the values of the function's locals, parameters first, to `out`, which has room for `capacity` of them: the
/// first ones, if there are more. Returns how many there are; 0 if the stop is over, and in production code. What is
/// written is the caller's: give each that may be a reference or a `v128` to `wasm_val_delete`. With a `capacity` of 0,
/// `out` may be NULL.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_locals(
    frame: *const stepwell_frame_t,
    out: Out<wasm_val_t>,
    capacity: usize,
) -> usize {
    // SAFETY: C has room for `capacity` values at `out`, or passes NULL.
    or_value("stepwell_frame_locals", 0, || unsafe { write_vals(frame, |frame| frame.locals(), out, capacity) })
}

/// A local's name; NULL if the module's name section has none. Borrowed: valid until the stop callback returns, and as
/// `stepwell_module_name`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_local_name(
    frame: *const stepwell_frame_t,
    index: usize,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_frame_local_name", || {
        with_frame(frame, |_, frame| {
            let name = u32::try_from(index).ok().and_then(|index| frame.local_name(LocalIndex::new(index)));
            // SAFETY: `size_out` is C's.
            Ok(unsafe { lend_name(frame.module(), name, size_out) })
        })
    })
}

/// How many operands are on the frame's stack; 0 if the stop is over, and in production code. In a caller, the call's
/// arguments are still counted.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_operand_count(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_operand_count", 0, || {
        with_frame(frame, |_, frame| frame.check_values().map(|()| frame.operand_count()))
    })
}

/// Writes the operands on the frame's stack, its bottom first, to `out`, which has room for `capacity` of them:
/// otherwise as `stepwell_frame_locals`.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_operands(
    frame: *const stepwell_frame_t,
    out: Out<wasm_val_t>,
    capacity: usize,
) -> usize {
    // SAFETY: C has room for `capacity` values at `out`, or passes NULL.
    or_value("stepwell_frame_operands", 0, || unsafe { write_vals(frame, |frame| frame.operands(), out, capacity) })
}
