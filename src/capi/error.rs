//! `stepwell_error_t`: what went wrong, why and where; and the last error of functions that can only return NULL.

use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::stepwell_error_t;
use super::plumbing::last::{clear_last, last};
use super::plumbing::own::{Own, borrow};
use crate::debug::error_columns;
use crate::runtime::Trap;
use std::ffi::c_char;

/// An error's code, one of `enum stepwell_error_enum`.
pub type stepwell_error_code_t = i32;

/// What kind of failure an error reports. The numbers are stable and never reused; more may come.
#[repr(C)]
pub enum stepwell_error_enum {
    /// The bytes are no valid Wasm module; or no serialized module, or a damaged one.
    STEPWELL_ERROR_INVALID_MODULE = 1,
    /// The module uses a proposal that is not there or not enabled, or was serialized by an engine of another version,
    /// configuration or kind of machine; the message names it.
    STEPWELL_ERROR_UNSUPPORTED = 2,
    /// An import is missing or has another type than the module asks for.
    STEPWELL_ERROR_LINK = 3,
    /// A limit was reached: of the configuration, of a type, or of the implementation.
    STEPWELL_ERROR_LIMIT = 4,
    /// The operating system refused memory, a mapping or a file.
    STEPWELL_ERROR_SYSTEM = 5,
    /// An argument does not fit: NULL, a wrong type, a wrong count, an object of another store.
    STEPWELL_ERROR_ARGUMENT = 6,
    /// The call is not allowed in this state, for instance attaching a debugger while a guest runs in the store.
    STEPWELL_ERROR_STATE = 7,
    /// An earlier panic or failure left the store unusable; its objects can only be deleted.
    STEPWELL_ERROR_POISONED = 8,
    /// The library or a callback panicked; the store it happened in is poisoned.
    STEPWELL_ERROR_PANIC = 9,
    /// The guest trapped.
    STEPWELL_ERROR_TRAP = 10,
    /// A host function failed with an error of its own.
    STEPWELL_ERROR_HOST = 11,
    /// The work was cancelled by its caller.
    STEPWELL_ERROR_CANCELLED = 12,
}

// The header's numbers are the engine's.
const _: () = {
    use crate::base::ErrorKind;
    use stepwell_error_enum as c;
    assert!(c::STEPWELL_ERROR_INVALID_MODULE as i32 == ErrorKind::InvalidModule as i32);
    assert!(c::STEPWELL_ERROR_UNSUPPORTED as i32 == ErrorKind::Unsupported as i32);
    assert!(c::STEPWELL_ERROR_LINK as i32 == ErrorKind::Link as i32);
    assert!(c::STEPWELL_ERROR_LIMIT as i32 == ErrorKind::Limit as i32);
    assert!(c::STEPWELL_ERROR_SYSTEM as i32 == ErrorKind::System as i32);
    assert!(c::STEPWELL_ERROR_ARGUMENT as i32 == ErrorKind::Argument as i32);
    assert!(c::STEPWELL_ERROR_STATE as i32 == ErrorKind::State as i32);
    assert!(c::STEPWELL_ERROR_POISONED as i32 == ErrorKind::Poisoned as i32);
    assert!(c::STEPWELL_ERROR_PANIC as i32 == ErrorKind::Panic as i32);
    assert!(c::STEPWELL_ERROR_TRAP as i32 == ErrorKind::Trap as i32);
    assert!(c::STEPWELL_ERROR_HOST as i32 == ErrorKind::Host as i32);
    assert!(c::STEPWELL_ERROR_CANCELLED as i32 == ErrorKind::Cancelled as i32);
};

/// Deletes an error. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_error_delete(error: Own<stepwell_error_t>) {
    // SAFETY: C gives the error back.
    unsafe { error.delete("stepwell_error_delete", "error") }
}

/// The error's code, one of `enum stepwell_error_enum`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_error_code(error: *const stepwell_error_t) -> stepwell_error_code_t {
    // SAFETY: C passes a live error or NULL.
    or_abort("stepwell_error_code", || Ok(unsafe { borrow(error, "error") }?.error.kind() as i32))
}

/// What was wrong, with the offset, if there is one. Borrowed: valid while the error is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_error_message(error: *const stepwell_error_t) -> *const c_char {
    // SAFETY: C passes a live error or NULL.
    or_null("stepwell_error_message", || Ok(unsafe { borrow(error, "error") }?.text().as_ptr()))
}

/// The offset in the Wasm binary that the error belongs to, written to `offset_out`, which may be NULL; false if it
/// belongs to none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_error_offset(error: *const stepwell_error_t, offset_out: *mut usize) -> bool {
    or_null("stepwell_error_offset", || {
        // SAFETY: C passes a live error or NULL.
        let Some(offset) = unsafe { borrow(error, "error") }?.error.offset() else { return Ok(false) };
        if !offset_out.is_null() {
            // SAFETY: the pointer is C's, for one `size_t`.
            unsafe { offset_out.write(offset.get() as usize) };
        }
        Ok(true)
    })
}

/// Where in the text of an expression the error is, if it is of one: the columns of the sign, the name or the constant,
/// in characters, from 1. `first_out` gets the first, `behind_out` the one behind the last; both may be NULL. False if
/// it is of no expression.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_error_columns(
    error: *const stepwell_error_t,
    first_out: *mut usize,
    behind_out: *mut usize,
) -> bool {
    or_null("stepwell_error_columns", || {
        // SAFETY: C passes a live error or NULL.
        let Some(columns) = error_columns(&unsafe { borrow(error, "error") }?.error) else { return Ok(false) };
        for (out, column) in [(first_out, columns.start), (behind_out, columns.end)] {
            if !out.is_null() {
                // SAFETY: the pointer is C's, for one `size_t`.
                unsafe { out.write(column) };
            }
        }
        Ok(true)
    })
}

/// Whether the error is the end of a program that asked for it by WASI's `proc_exit` (of a call without `trap_out`);
/// its exit status is then written to `status_out`, which may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_error_exit_status(error: *const stepwell_error_t, status_out: *mut i32) -> bool {
    or_null("stepwell_error_exit_status", || {
        // SAFETY: C passes a live error or NULL.
        let trap = unsafe { borrow(error, "error") }?.error.payload::<Trap>();
        let Some(status) = trap.and_then(Trap::exit_status) else { return Ok(false) };
        if !status_out.is_null() {
            // SAFETY: the pointer is C's, for one `int32_t`.
            unsafe { status_out.write(status) };
        }
        Ok(true)
    })
}

/// Why the last call on this thread that failed by returning NULL, false or a trap without a cause in the guest
/// failed; NULL if none did. Borrowed: valid until the next failing call on this thread. A call that succeeds leaves
/// it alone.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_last_error() -> *const stepwell_error_t {
    last()
}

/// Forgets the last error of this thread.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_last_error_clear() {
    clear_last();
}
