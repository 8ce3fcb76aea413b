//! When the language behind guarded callbacks ends before the process does. Its callbacks must not be called then, and
//! threads that it ends inside of one cannot be unwound through a guest. It ends on one thread, whose callbacks still
//! work.
//!
//! Plain callbacks are C's, and are not concerned.

use crate::sys::threads;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The thread that the language ends on; 0 while it lives.
static ENDING: AtomicU32 = AtomicU32::new(0);

/// The address of its finalizer; 0 for none.
static FINALIZER: AtomicUsize = AtomicUsize::new(0);

/// Whether the language has ended for this thread.
pub(in crate::capi) fn over() -> bool {
    let ending = ENDING.load(Ordering::Acquire);
    ending != 0 && ending != threads::id()
}

/// Whether this is the address of the language's finalizer, and that has ended for this thread.
pub(in crate::capi) fn over_for(finalizer: usize) -> bool {
    over() && FINALIZER.load(Ordering::Relaxed) == finalizer
}

/// Keeps this thread where it is until the process ends, if the language has ended for it.
pub(in crate::capi) fn stay_if_over() {
    while over() {
        std::thread::park();
    }
}

/// Says that it ends, on this thread, with the address of its finalizer, or 0.
pub(in crate::capi) fn end(finalizer: usize) {
    FINALIZER.store(finalizer, Ordering::Relaxed);
    ENDING.store(threads::id(), Ordering::Release);
}
