//! `stepwell_frame_t`: a frame of a stop. (`wasm_frame_t` is a frame of a trap that is over.)

use super::bytes::{wasm_name_t, write_name};
use super::plumbing::cell::StoreCell;
use super::plumbing::guard::or_null;
use super::plumbing::handles::{stepwell_frame_t, wasm_instance_t, wasm_module_t};
use super::plumbing::object::Object;
use super::plumbing::own::{Out, Own};
use super::plumbing::vec;
use super::source::{stepwell_source_t, write_source};
use super::stop::{or_value, with_frame};
use super::val::{to_c, wasm_val_t};
use super::vecs::wasm_val_vec_t;
use crate::base::{LocalIndex, Result};
use crate::runtime::Val;
use std::sync::Arc;

/// The index of the frame's function in its module, imports counted; `UINT32_MAX` if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_func_index(frame: *const stepwell_frame_t) -> u32 {
    or_value("stepwell_frame_func_index", u32::MAX, || with_frame(frame, |_, frame| Ok(frame.func().get())))
}

/// Writes the name of the frame's function to `out`, not NUL-terminated; false, and nothing written, if it has none.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_func_name(frame: *const stepwell_frame_t, out: Out<wasm_name_t>) -> bool {
    or_null("stepwell_frame_func_name", || {
        // SAFETY: `out` is C's.
        with_frame(frame, |_, frame| unsafe { write_name(frame.func_name(), out) })
    })
}

/// The byte offset, from the start of the module, of the instruction about to run; in a caller, of the call that is under
/// way; after a trap, of the instruction that trapped. `SIZE_MAX` if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_offset(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_offset", usize::MAX, || with_frame(frame, |_, frame| Ok(frame.offset().index())))
}

/// A number that is the same for one activation of the function at every stop; 0 if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_id(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_id", 0, || with_frame(frame, |_, frame| Ok(frame.frame_pointer())))
}

/// Whether the frame called the host, which called the next inner frame: host frames stand between.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_called_through_host(frame: *const stepwell_frame_t) -> bool {
    or_null("stepwell_frame_called_through_host", || with_frame(frame, |_, frame| Ok(frame.called_through_host())))
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

/// The frame's instance, through which its globals, memories and tables are reached; NULL if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_instance(frame: *const stepwell_frame_t) -> Own<wasm_instance_t> {
    or_null("stepwell_frame_instance", || {
        with_frame(frame, |cell, frame| Ok(Own::new(Object::new(cell, frame.instance()))))
    })
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

/// Writes a value, if there is one.
///
/// # Safety
/// `out` is NULL or C's.
unsafe fn write_val(cell: &Arc<StoreCell>, val: Option<Val>, out: Out<wasm_val_t>) -> Result<bool> {
    let out = out.check("out")?;
    let Some(val) = val else { return Ok(false) };
    // SAFETY: by the contract.
    unsafe { out.write(to_c(cell, &mut *cell.enter()?, val)) };
    Ok(true)
}

/// Writes values.
///
/// # Safety
/// `out` is NULL or C's.
unsafe fn write_vals(cell: &Arc<StoreCell>, vals: Vec<Val>, out: Out<wasm_val_vec_t>) -> Result<bool> {
    let out = out.check("out")?;
    let mut store = cell.enter()?;
    let vals: Vec<wasm_val_t> = vals.into_iter().map(|val| to_c(cell, &mut *store, val)).collect();
    // SAFETY: by the contract.
    unsafe { out.write(vec::from_elements(vals)) };
    Ok(true)
}

/// How many locals the function has, parameters counted; 0 if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_local_count(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_local_count", 0, || with_frame(frame, |_, frame| Ok(frame.local_count())))
}

/// Writes the value of a local, parameters first, to `out`; false, and nothing written, beyond the last.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_local(
    frame: *const stepwell_frame_t,
    index: usize,
    out: Out<wasm_val_t>,
) -> bool {
    or_null("stepwell_frame_local", || {
        // SAFETY: `out` is C's.
        with_frame(frame, |cell, frame| unsafe { write_val(cell, frame.local(index), out) })
    })
}

/// Writes the values of all locals, parameters first, to `out`; false, and nothing written, if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_locals(frame: *const stepwell_frame_t, out: Out<wasm_val_vec_t>) -> bool {
    or_null("stepwell_frame_locals", || {
        // SAFETY: `out` is C's.
        with_frame(frame, |cell, frame| unsafe { write_vals(cell, frame.locals(), out) })
    })
}

/// Writes a local's name to `out`, not NUL-terminated; false, and nothing written, if the module's name section has none.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_local_name(
    frame: *const stepwell_frame_t,
    index: usize,
    out: Out<wasm_name_t>,
) -> bool {
    or_null("stepwell_frame_local_name", || {
        with_frame(frame, |_, frame| {
            let name = u32::try_from(index).ok().and_then(|index| frame.local_name(LocalIndex::new(index)));
            // SAFETY: `out` is C's.
            unsafe { write_name(name, out) }
        })
    })
}

/// How many operands are on the frame's stack; 0 if the stop is over. In a caller, the call's arguments are still counted.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_operand_count(frame: *const stepwell_frame_t) -> usize {
    or_value("stepwell_frame_operand_count", 0, || with_frame(frame, |_, frame| Ok(frame.operand_count())))
}

/// Writes an operand, 0 the bottom of the stack, to `out`; false, and nothing written, beyond its top.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_operand(
    frame: *const stepwell_frame_t,
    index: usize,
    out: Out<wasm_val_t>,
) -> bool {
    or_null("stepwell_frame_operand", || {
        // SAFETY: `out` is C's.
        with_frame(frame, |cell, frame| unsafe { write_val(cell, frame.operands().get(index).copied(), out) })
    })
}

/// Writes all operands, bottom of the stack first, to `out`; false, and nothing written, if the stop is over.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_frame_operands(frame: *const stepwell_frame_t, out: Out<wasm_val_vec_t>) -> bool {
    or_null("stepwell_frame_operands", || {
        // SAFETY: `out` is C's.
        with_frame(frame, |cell, frame| unsafe { write_vals(cell, frame.operands(), out) })
    })
}
