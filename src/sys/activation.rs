//! The newest entry into guest code on this thread, whichever store it belongs to.

use crate::abi::Activation;
use std::cell::Cell;
use std::ptr::null_mut;

thread_local! {
    // No destructor and a constant start, so that a signal handler can read it.
    static CURRENT: Cell<*mut Activation> = const { Cell::new(null_mut()) };
}

/// The newest entry on this thread, or null. Async-signal-safe on a thread that has called [`set`] before; on others it
/// may make the thread's storage on first use, as any access to a shared library's thread-local data does.
#[inline]
pub fn current() -> *mut Activation {
    CURRENT.get()
}

/// Makes `activation` the newest entry. It must be taken back before it goes out of scope.
#[inline]
pub fn set(activation: *mut Activation) {
    CURRENT.set(activation);
}
