//! Ctrl-C: it pauses the guest that runs.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};
use stepwell::debug::Pauser;

/// Who pauses the guest; null while none can be paused. What it has pointed to is never freed: a handler may be about
/// to use it. There is one for each run of the guest.
static PAUSER: AtomicPtr<Pauser> = AtomicPtr::new(null_mut());

extern "C" fn interrupted(_: libc::c_int) {
    // SAFETY: it is null, or points to what is never freed.
    if let Some(pauser) = unsafe { PAUSER.load(Ordering::Acquire).as_ref() } {
        pauser.pause();
    }
}

/// From now on Ctrl-C pauses the guest that this is the pauser of.
pub fn pauses(pauser: Pauser) {
    PAUSER.store(Box::into_raw(Box::new(pauser)), Ordering::Release);
    // SAFETY: the handler does what a signal handler may: it reads an atomic, and pauses, which takes no lock and
    // allocates nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = interrupted as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigemptyset(&mut action.sa_mask);
        libc::sigaction(libc::SIGINT, &action, null_mut());
    }
}
