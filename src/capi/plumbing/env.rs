//! A callback's environment, with what frees it.

use super::ending;
use std::ffi::c_void;

/// Frees a callback's environment. It may not call into a store.
pub type stepwell_finalizer_t = Option<unsafe extern "C" fn(env: *mut c_void)>;

/// A callback's environment; its finalizer runs when this is dropped, which is once.
pub(in crate::capi) struct Env {
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
}

// SAFETY: the environment is the host's, who says by registering it that it may follow its store to other threads.
unsafe impl Send for Env {}

// SAFETY: as above; a store is used by one thread at a time.
unsafe impl Sync for Env {}

impl Env {
    /// An environment, owned from here on.
    pub(in crate::capi) fn new(env: *mut c_void, finalizer: stepwell_finalizer_t) -> Env {
        Env { env, finalizer }
    }

    /// What the callback gets. (A method, so that closures keep the whole environment, and not a copy of its pointer.)
    pub(in crate::capi) fn get(&self) -> *mut c_void {
        self.env
    }
}

impl Drop for Env {
    fn drop(&mut self) {
        if let Some(finalizer) = self.finalizer
            && !ending::over_for(finalizer as usize)
        {
            // SAFETY: C registered the pair, and this is the one time it runs.
            unsafe { finalizer(self.env) };
        }
    }
}
