//! Failures on demand, for tests: the n-th mapping call of this thread fails, or `memfd`s are refused. While no
//! thread asks for failures, a check is one relaxed load. It changes what system calls report, nothing else.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many guards are alive in the process.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Calls until one fails; 0: none will.
    static COUNTDOWN: Cell<u32> = const { Cell::new(0) };
    static REFUSE_MEMFD: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, failures are on for the thread that made it.
#[derive(Debug)]
pub struct FaultGuard {
    memfd: bool,
    /// It belongs to its thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl FaultGuard {
    /// Whether the failure asked for by [`fail_nth`] has happened.
    pub fn hit(&self) -> bool {
        COUNTDOWN.get() == 0
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if self.memfd {
            REFUSE_MEMFD.set(false);
        } else {
            COUNTDOWN.set(0);
        }
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes the `n`-th mapping call of this thread from now on (1 is the next) fail once with `ENOMEM`.
pub fn fail_nth(n: u32) -> FaultGuard {
    ACTIVE.fetch_add(1, Ordering::Relaxed);
    COUNTDOWN.set(n);
    FaultGuard { memfd: false, _not_send: std::marker::PhantomData }
}

/// Makes every `memfd_create` of this thread fail with `EPERM`, as a sandbox does.
pub fn refuse_memfd() -> FaultGuard {
    ACTIVE.fetch_add(1, Ordering::Relaxed);
    REFUSE_MEMFD.set(true);
    FaultGuard { memfd: true, _not_send: std::marker::PhantomData }
}

/// Whether this call is to fail; `errno` is set then.
#[inline]
pub(super) fn fails() -> bool {
    ACTIVE.load(Ordering::Relaxed) != 0 && fails_slowly()
}

#[cold]
fn fails_slowly() -> bool {
    match COUNTDOWN.get() {
        0 => false,
        1 => {
            COUNTDOWN.set(0);
            set_errno(libc::ENOMEM);
            true
        }
        n => {
            COUNTDOWN.set(n - 1);
            false
        }
    }
}

/// Whether `memfd_create` is to be refused; `errno` is set then.
pub(super) fn memfd_refused() -> bool {
    let refused = ACTIVE.load(Ordering::Relaxed) != 0 && REFUSE_MEMFD.get();
    if refused {
        set_errno(libc::EPERM);
    }
    refused
}

fn set_errno(value: libc::c_int) {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = value };
}
