//! `wasm_trap_t`: why a guest ended early.

use super::bytes::wasm_name_t;
use super::plumbing::cell::StoreCell;
use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::{wasm_frame_t, wasm_store_t, wasm_trap_t};
use super::plumbing::last::set_last;
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, handle, plain};
use super::plumbing::trap_object::TrapObject;
use super::plumbing::vec;
use super::vecs::{wasm_byte_vec_t, wasm_frame_vec_t};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::Trap;
use std::ffi::c_char;
use std::sync::Arc;

handle!(wasm_trap_t => Object, |object| matches!(object.kind, Kind::Trap(_)));

/// A message: UTF-8, NUL-terminated (the NUL is counted in its size).
pub type wasm_message_t = wasm_name_t;

/// Why a guest trapped, one of `enum stepwell_trap_enum`.
pub type stepwell_trap_code_t = i32;

/// Why a guest trapped. The numbers are stable; more may come.
#[repr(C)]
pub enum stepwell_trap_enum {
    /// A trap of the host's, with its message.
    STEPWELL_TRAP_HOST = 0,
    /// `unreachable` was executed.
    STEPWELL_TRAP_UNREACHABLE = 1,
    /// An access beyond a memory or a data segment.
    STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS = 2,
    /// An access beyond a table or an element segment.
    STEPWELL_TRAP_TABLE_OUT_OF_BOUNDS = 3,
    /// `call_indirect` with an index beyond the table.
    STEPWELL_TRAP_UNDEFINED_ELEMENT = 4,
    /// `call_indirect` met a null reference.
    STEPWELL_TRAP_UNINITIALIZED_ELEMENT = 5,
    /// `call_indirect` met a function of another type.
    STEPWELL_TRAP_INDIRECT_CALL_TYPE_MISMATCH = 6,
    /// An integer was divided by zero.
    STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO = 7,
    /// A division or a truncation overflowed.
    STEPWELL_TRAP_INTEGER_OVERFLOW = 8,
    /// A NaN was truncated to an integer.
    STEPWELL_TRAP_INVALID_CONVERSION = 9,
    /// The guest's stack is used up.
    STEPWELL_TRAP_STACK_OVERFLOW = 10,
    /// A null reference where the instruction needs one that is not.
    STEPWELL_TRAP_NULL_REFERENCE = 11,
    /// The guest was interrupted by its host, or its deadline is over.
    STEPWELL_TRAP_INTERRUPT = 12,
    /// The fuel that the host gave the guest is used up.
    STEPWELL_TRAP_OUT_OF_FUEL = 13,
    /// A reference was cast to a type that it is not of.
    STEPWELL_TRAP_CAST_FAILURE = 14,
    /// An access beyond an array.
    STEPWELL_TRAP_ARRAY_OUT_OF_BOUNDS = 15,
    /// The heap is full, or a new object is larger than it may be.
    STEPWELL_TRAP_HEAP_FULL = 16,
    /// An atomic instruction met an address that is no multiple of its width.
    STEPWELL_TRAP_UNALIGNED_ATOMIC = 17,
    /// A guest was to wait for a change of a memory that is not shared.
    STEPWELL_TRAP_EXPECTED_SHARED_MEMORY = 18,
}

// The header's numbers are the engine's.
const _: () = {
    use crate::abi::TrapCode;
    use stepwell_trap_enum as c;
    assert!(c::STEPWELL_TRAP_UNREACHABLE as i32 == TrapCode::Unreachable as i32);
    assert!(c::STEPWELL_TRAP_MEMORY_OUT_OF_BOUNDS as i32 == TrapCode::MemoryOutOfBounds as i32);
    assert!(c::STEPWELL_TRAP_TABLE_OUT_OF_BOUNDS as i32 == TrapCode::TableOutOfBounds as i32);
    assert!(c::STEPWELL_TRAP_UNDEFINED_ELEMENT as i32 == TrapCode::UndefinedElement as i32);
    assert!(c::STEPWELL_TRAP_UNINITIALIZED_ELEMENT as i32 == TrapCode::UninitializedElement as i32);
    assert!(c::STEPWELL_TRAP_INDIRECT_CALL_TYPE_MISMATCH as i32 == TrapCode::IndirectCallTypeMismatch as i32);
    assert!(c::STEPWELL_TRAP_INTEGER_DIVISION_BY_ZERO as i32 == TrapCode::IntegerDivisionByZero as i32);
    assert!(c::STEPWELL_TRAP_INTEGER_OVERFLOW as i32 == TrapCode::IntegerOverflow as i32);
    assert!(c::STEPWELL_TRAP_INVALID_CONVERSION as i32 == TrapCode::InvalidConversion as i32);
    assert!(c::STEPWELL_TRAP_STACK_OVERFLOW as i32 == TrapCode::StackOverflow as i32);
    assert!(c::STEPWELL_TRAP_NULL_REFERENCE as i32 == TrapCode::NullReference as i32);
    assert!(c::STEPWELL_TRAP_INTERRUPT as i32 == TrapCode::Interrupt as i32);
    assert!(c::STEPWELL_TRAP_OUT_OF_FUEL as i32 == TrapCode::OutOfFuel as i32);
    assert!(c::STEPWELL_TRAP_CAST_FAILURE as i32 == TrapCode::CastFailure as i32);
    assert!(c::STEPWELL_TRAP_ARRAY_OUT_OF_BOUNDS as i32 == TrapCode::ArrayOutOfBounds as i32);
    assert!(c::STEPWELL_TRAP_HEAP_FULL as i32 == TrapCode::HeapFull as i32);
    assert!(c::STEPWELL_TRAP_UNALIGNED_ATOMIC as i32 == TrapCode::UnalignedAtomic as i32);
    assert!(c::STEPWELL_TRAP_EXPECTED_SHARED_MEMORY as i32 == TrapCode::ExpectedSharedMemory as i32);
};

/// A handle of the trap that tells C of an error. Where the cause is not in the guest, `stepwell_last_error()` tells it
/// too.
pub(super) fn trap_of(cell: &Arc<StoreCell>, error: Error) -> Own<wasm_trap_t> {
    let trap = TrapObject::from_error(cell, &error);
    if trap.kind != ErrorKind::Trap {
        set_last(trap.to_error());
    }
    Own::new(Object::new(cell, Arc::new(trap)))
}

/// Sorts the outcome of a call: traps to `trap_out`, where there is one; everything else is the error.
///
/// # Safety
/// `trap_out` is NULL or C's.
pub(super) unsafe fn trap_or_error<T>(
    cell: &Arc<StoreCell>,
    outcome: Result<T>,
    trap_out: Out<Own<wasm_trap_t>>,
) -> Result<Option<T>> {
    let Some(out) = trap_out.optional() else { return outcome.map(Some) };
    let (trap, outcome) = match outcome {
        Err(error) if error.kind() == ErrorKind::Trap => (trap_of(cell, error), Ok(None)),
        outcome => (Own::null(), outcome.map(Some)),
    };
    // SAFETY: by the contract.
    unsafe { out.write(trap) };
    outcome
}

/// The error of a trap that a callback gave to us.
///
/// # Safety
/// It is an owned, live trap.
pub(super) unsafe fn take_error(trap: Own<wasm_trap_t>) -> Error {
    // SAFETY: by the contract.
    match unsafe { trap.require("trap") } {
        Ok(object) => match &object.kind {
            Kind::Trap(trap) => trap.to_error(),
            _ => unreachable!("checked by `require`"),
        },
        Err(error) => error,
    }
}

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live trap.
pub(super) unsafe fn get<'a>(pointer: *const wasm_trap_t) -> Result<(&'a Object, &'a TrapObject)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "trap") }?;
    match &object.kind {
        Kind::Trap(trap) => Ok((object, trap)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// A new trap with a message, for a host function to return. The message's NUL at its end may be missing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_new(store: *mut wasm_store_t, message: *const wasm_message_t) -> Own<wasm_trap_t> {
    or_null("wasm_trap_new", || {
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?;
        // SAFETY: C passes a valid message or NULL.
        let message = unsafe { plain(message, "message")?.as_message() };
        let trap = TrapObject::from_error(cell, &Trap::new(message).into());
        Ok(Own::new(Object::new(cell, Arc::new(trap))))
    })
}

/// Writes the trap's message to `out`, NUL-terminated (the NUL is counted in its size).
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_message(trap: *const wasm_trap_t, out: Out<wasm_message_t>) {
    or_abort("wasm_trap_message", || {
        // SAFETY: C passes a live trap or NULL.
        let (_, trap) = unsafe { get(trap) }?;
        // SAFETY: `out` is C's.
        unsafe { out.check("out")?.write(wasm_byte_vec_t::text_nul(trap.message.text())) };
        Ok(())
    });
}

/// The innermost Wasm frame of a trap, or NULL if there is none.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_origin(trap: *const wasm_trap_t) -> Own<wasm_frame_t> {
    or_null("wasm_trap_origin", || {
        // SAFETY: C passes a live trap or NULL.
        let (object, trap) = unsafe { get(trap) }?;
        let frame = trap.frames(&object.cell).next();
        Ok(frame.map_or(Own::null(), Own::new))
    })
}

/// Writes the Wasm frames of a trap to `out`, innermost first; of very many the innermost 1,024.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_trap_trace(trap: *const wasm_trap_t, out: Out<wasm_frame_vec_t>) {
    or_abort("wasm_trap_trace", || {
        // SAFETY: C passes a live trap or NULL.
        let (object, trap) = unsafe { get(trap) }?;
        let out = out.check("out")?;
        let frames: Vec<_> =
            trap.frames(&object.cell).map(|frame| Own::<wasm_frame_t>::new(frame).into_raw()).collect();
        // SAFETY: `out` is C's.
        unsafe { out.write(vec::from_elements(frames)) };
        Ok(())
    });
}

/// Why the guest trapped, one of `enum stepwell_trap_enum`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_code(trap: *const wasm_trap_t) -> stepwell_trap_code_t {
    or_abort("stepwell_trap_code", || {
        // SAFETY: C passes a live trap or NULL.
        let (_, trap) = unsafe { get(trap) }?;
        Ok(trap
            .trap
            .as_ref()
            .and_then(Trap::code)
            .map_or(stepwell_trap_enum::STEPWELL_TRAP_HOST as i32, |code| code as i32))
    })
}

/// Whether the trap is the end of a program that asked for it by WASI's `proc_exit`; its exit status is then written to
/// `status_out`, which may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_exit_status(trap: *const wasm_trap_t, status_out: *mut i32) -> bool {
    or_null("stepwell_trap_exit_status", || {
        // SAFETY: C passes a live trap or NULL.
        let (_, trap) = unsafe { get(trap) }?;
        let Some(status) = trap.trap.as_ref().and_then(Trap::exit_status) else { return Ok(false) };
        if !status_out.is_null() {
            // SAFETY: the pointer is C's, for one `int32_t`.
            unsafe { status_out.write(status) };
        }
        Ok(true)
    })
}

/// The trap's message, as `wasm_trap_message` copies it; a reader who goes by the NUL misses what is behind one inside.
/// Borrowed: valid while a handle of the trap is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_message(trap: *const wasm_trap_t) -> *const c_char {
    // SAFETY: C passes a live trap or NULL.
    or_null("stepwell_trap_message", || Ok(unsafe { get(trap) }?.1.message.as_ptr()))
}

/// The trap's message and its frames, one a line with module, function and offset. Borrowed: valid while a handle of
/// the trap is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_backtrace(trap: *const wasm_trap_t) -> *const c_char {
    // SAFETY: C passes a live trap or NULL.
    or_null("stepwell_trap_backtrace", || Ok(unsafe { get(trap) }?.1.backtrace().as_ptr()))
}
