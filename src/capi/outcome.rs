//! `stepwell_outcome_t`: what a callback writes to say how it ended. It is preset to "lost", so a callback that an
//! exception has left before it wrote is told from one that has returned.

use super::host_func::succeeded;
use super::plumbing::abort::watched_guarded;
use super::plumbing::ending;
use super::plumbing::handles::wasm_trap_t;
use super::plumbing::own::Own;
use crate::base::Result;
use crate::runtime::Trap;

/// How a callback ended. The library presets it to "not done", and a callback that leaves it so has failed, whatever
/// became of it: for bindings of languages whose exceptions may leave a callback at any point.
#[repr(C)]
pub struct stepwell_outcome_t {
    /// Not 0 once the callback has come to its end. Written last.
    pub done: u32,
    /// A trap that is given away and ends the guest's call, or NULL.
    pub trap: *mut wasm_trap_t,
    /// What the callback answers, where it is asked for something.
    pub value: u64,
}

impl stepwell_outcome_t {
    /// What a callback answers; an error if it did not.
    pub(super) fn of(what: &str, call: impl FnOnce(*mut stepwell_outcome_t)) -> Result<u64> {
        let mut outcome = stepwell_outcome_t { done: 0, trap: std::ptr::null_mut(), value: 0 };
        if !ending::over() {
            watched_guarded("a callback", || call(&mut outcome));
        }
        // SAFETY: it is NULL as it was preset, or the callback gives it to us.
        unsafe { succeeded(Own::from_raw(outcome.trap)) }?;
        if outcome.done == 0 {
            return Err(Trap::new(format!("the {what} was left before it came to its end")).into());
        }
        Ok(outcome.value)
    }
}
