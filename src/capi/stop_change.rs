//! Changing what the guest goes on with after a stop: locals, operands, the next instruction, an early return.

use super::plumbing::guard::or_error;
use super::plumbing::handles::{stepwell_error_t, stepwell_frame_t, stepwell_stop_t};
use super::plumbing::own::{Own, null};
use super::stop::{with_frame_to_change, with_stop_to_change};
use super::val::{from_c, list_from_c, wasm_val_t};
use super::vecs::wasm_val_vec_t;
use crate::base::{Result, WasmOffset};
use crate::debug::Stop;
use crate::runtime::Val;

/// Gives a local of a frame, parameters first, another value, with which the guest goes on: a frame that waits for a
/// call, once that has returned, or where it catches an exception that has left it. The caller keeps `value`. An error,
/// and nothing changed, beyond the last local, where the value is not of the type that the module declares, of the
/// frame of a stop within which this one is told, and at a trap or an exception.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_local_set(
    frame: *const stepwell_frame_t,
    index: usize,
    value: *const wasm_val_t,
) -> Own<stepwell_error_t> {
    // SAFETY: C passes a value or NULL.
    or_error("stepwell_frame_local_set", || unsafe {
        change(frame, value, |stop, number, value| stop.set_local(number, index, value))
    })
}

/// Gives an operand on the stack of a frame, its bottom first, another value, with which the guest goes on. The caller
/// keeps `value`. An error as by `stepwell_frame_local_set`, and for what the call that the frame waits for has taken,
/// which is on top; a reference must be of the type of the one that is there, or of a subtype, since that is all that
/// is known of an operand.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_operand_set(
    frame: *const stepwell_frame_t,
    index: usize,
    value: *const wasm_val_t,
) -> Own<stepwell_error_t> {
    // SAFETY: C passes a value or NULL.
    or_error("stepwell_frame_operand_set", || unsafe {
        change(frame, value, |stop, number, value| stop.set_operand(number, index, value))
    })
}

/// Changes a frame, by its number, with a value of C's.
///
/// # Safety
/// `value` is NULL or a valid value.
unsafe fn change(
    frame: *const stepwell_frame_t,
    value: *const wasm_val_t,
    change: impl FnOnce(&mut Stop<'_>, usize, Val) -> Result<()>,
) -> Result<()> {
    // SAFETY: by the contract.
    let value = unsafe { value.as_ref() }.ok_or_else(|| null("value"))?;
    with_frame_to_change(frame, |cell, stop, number| {
        // SAFETY: as above.
        let value = unsafe { from_c(cell, &mut *stop, value, "value") }?;
        change(stop, number, value)
    })
}

/// Has the innermost frame go on with the instruction at an offset of its function, in bytes from the start of the
/// module, with the locals and operands that it has. That instruction is not run yet, and not stopped at once more. An
/// error, and nothing changed, where no instruction that can be reached is there, or one that needs other operands,
/// where references to functions or objects are among the operands, in a function with locals that may not be null or
/// with `catch` blocks as they were before 3.0, and at a trap or an exception.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stop_jump(stop: *mut stepwell_stop_t, offset: usize) -> Own<stepwell_error_t> {
    or_error("stepwell_stop_jump", || {
        with_stop_to_change(stop, |_, stop| {
            // What does not fit is no offset of any module.
            stop.jump(WasmOffset::new(u32::try_from(offset).unwrap_or(u32::MAX)))
        })
    })
}

/// Has the innermost frame return `values` to its caller; the caller of this keeps them. It stands at the instruction
/// by which it does so. An error, and nothing changed, where they are not of the function's types, where neither its
/// end nor a `return` can be reached, and at a trap or an exception. NULL counts as no values.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stop_return_early(
    stop: *mut stepwell_stop_t,
    values: *const wasm_val_vec_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_stop_return_early", || {
        with_stop_to_change(stop, |cell, stop| {
            // SAFETY: C passes a vector or NULL.
            let values = unsafe { list_from_c(cell, &mut *stop, values, "values") }?;
            stop.return_early(&values)
        })
    })
}

/// Has a frame return `values` to its caller; the caller of this keeps them. Of the innermost it is
/// `stepwell_stop_return_early`. The frames within another one are left, as an exception leaves them: it is the
/// innermost from here on, and stands at the instruction by which it returns. Frames are numbers, and so this one is
/// number 0 then; ask `stepwell_stop_frame` for those that you go on to use. An error, and nothing changed, as of
/// `stepwell_stop_return_early`, where a host function is among what would be left, and in a breakpoint's condition.
/// NULL counts as no values.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_return_early(
    frame: *const stepwell_frame_t,
    values: *const wasm_val_vec_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_frame_return_early", || {
        with_frame_to_change(frame, |cell, stop, number| {
            // SAFETY: C passes a vector or NULL.
            let values = unsafe { list_from_c(cell, &mut *stop, values, "values") }?;
            stop.return_early_from(number, &values)
        })
    })
}
