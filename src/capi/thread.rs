//! `stepwell_stack_t`: stacks of the host's own making, on which coroutines call guests.

use super::plumbing::guard::{or_error, or_last_error};
use super::plumbing::handles::{stepwell_error_t, stepwell_stack_t};
use super::plumbing::own::{Out, Own, borrow, handle, null};
use crate::base::{Error, ErrorKind};
use crate::runtime::HostStack;
use std::ffi::c_void;

handle!(stepwell_stack_t => HostStack);

/// A stack of `bytes` bytes, at least 16 KiB, whose lowest is at `base`; guard pages are not counted. The memory stays
/// the host's.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stack_new(
    base: *const c_void,
    bytes: usize,
    out: Out<Own<stepwell_stack_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_stack_new", || {
        let out = out.check("out")?;
        if base.is_null() {
            return Err(null("base"));
        }
        let base = base.addr();
        let stack = HostStack::new(base..base.saturating_add(bytes))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(stack)) };
        Ok(())
    })
}

/// Deletes what `stepwell_stack_new` made, not the memory. NULL does nothing.
///
/// Refused while a thread is on the stack, or a guest waits on it: the handle stays valid, and `stepwell_last_error()`
/// says so.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_stack_delete(stack: Own<stepwell_stack_t>) {
    or_last_error("stepwell_stack_delete", || {
        if stack.is_null() {
            return Ok(());
        }
        // SAFETY: C passes a live stack.
        if unsafe { borrow(stack.as_ptr(), "stack") }?.in_use() {
            let message = "a thread is on the stack, or a guest waits on it; the handle stays valid";
            return Err(Error::new(ErrorKind::State, message));
        }
        // SAFETY: C gives it back.
        unsafe { stack.delete("stepwell_stack_delete", "stack") };
        Ok(())
    });
}

/// Says that this thread is on a stack of the host's from now on, or, with NULL, on its own again. Call it at each
/// switch between coroutines, before or after it, with no guest called in between. Guests then end where the stack
/// does, and a coroutine may be left inside a host function that a guest has called, while others call guests of other
/// stores. Such a coroutine goes on on the same thread, and is run to its end.
///
/// An error, and nothing has changed, when another thread is on the stack, or a guest waits on it that another thread
/// has called.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_thread_stack_set(stack: *const stepwell_stack_t) -> Own<stepwell_error_t> {
    or_error("stepwell_thread_stack_set", || {
        // SAFETY: C passes a live stack or NULL.
        let stack = if stack.is_null() { None } else { Some(unsafe { borrow(stack, "stack") }?) };
        HostStack::switch(stack)
    })
}
