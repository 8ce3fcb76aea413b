//! When the language behind guarded callbacks ends before the process does. Its callbacks must not be called then, and threads that it
//! ends inside of one cannot be unwound through a guest. It ends on one thread, whose callbacks still work.
//!
//! Plain callbacks are C's, and are not concerned.

use super::func::stepwell_finalizer_t;
use crate::sys::threads;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// The thread that the language ends on; 0 while it lives.
static ENDING: AtomicU32 = AtomicU32::new(0);

/// The address of its finalizer; 0 for none.
static FINALIZER: AtomicUsize = AtomicUsize::new(0);

/// Whether the language has ended for this thread.
pub(super) fn over() -> bool {
    let ending = ENDING.load(Ordering::Acquire);
    ending != 0 && ending != threads::id()
}

/// Whether it is a finalizer of the language's, and that has ended for this thread.
pub(super) fn over_for(finalizer: unsafe extern "C" fn(*mut c_void)) -> bool {
    over() && FINALIZER.load(Ordering::Relaxed) == finalizer as usize
}

/// Keeps this thread where it is until the process ends, if the language has ended for it.
pub(super) fn stay_if_over() {
    while over() {
        std::thread::park();
    }
}

/// Says that it ends, on this thread.
pub(super) fn end(finalizer: stepwell_finalizer_t) {
    FINALIZER.store(finalizer.map_or(0, |finalizer| finalizer as usize), Ordering::Relaxed);
    ENDING.store(threads::id(), Ordering::Release);
}
