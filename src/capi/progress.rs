//! Callbacks that are told how far work has come, and may end it.

use super::outcome::stepwell_outcome_t;
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

/// Told how many functions of how many are compiled. It returns whether to go on. It is called by one thread at a time,
/// but not always by the one that asked, and may not call Stepwell.
pub type stepwell_progress_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, done: usize, total: usize) -> bool>;

/// As `stepwell_progress_callback_t`; it is to go on if the outcome's value is not 0.
pub type stepwell_guarded_progress_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, done: usize, total: usize, outcome: *mut stepwell_outcome_t)>;

/// A C callback with its environment, which threads call in turn.
pub(super) struct Progress {
    callback: ProgressCallback,
    env: Mutex<*mut c_void>,
}

/// Both kinds of it; either may be missing.
enum ProgressCallback {
    Plain(stepwell_progress_callback_t),
    Guarded(stepwell_guarded_progress_callback_t),
}

// SAFETY: the environment is C's, and its contract says that any thread passes it on; the lock lets one do so at a
// time.
unsafe impl Sync for Progress {}

impl Progress {
    pub(super) fn new(callback: stepwell_progress_callback_t, env: *mut c_void) -> Progress {
        Progress { callback: ProgressCallback::Plain(callback), env: Mutex::new(env) }
    }

    pub(super) fn guarded(callback: stepwell_guarded_progress_callback_t, env: *mut c_void) -> Progress {
        Progress { callback: ProgressCallback::Guarded(callback), env: Mutex::new(env) }
    }

    pub(super) fn tell(&self, done: usize, total: usize) -> bool {
        let env = self.env.lock().unwrap_or_else(PoisonError::into_inner);
        match self.callback {
            // SAFETY: C gave both for this call, which has not returned.
            ProgressCallback::Plain(Some(callback)) => unsafe { callback(*env, done, total) },
            ProgressCallback::Guarded(Some(callback)) => {
                // SAFETY: as above.
                let call = |out| unsafe { callback(*env, done, total, out) };
                stepwell_outcome_t::of("progress callback", call).is_ok_and(|go_on| go_on != 0)
            }
            ProgressCallback::Plain(None) | ProgressCallback::Guarded(None) => true,
        }
    }
}
