//! Failures on demand, for tests: the n-th mapping call of this thread fails, or `memfd`s, swaps of texts, signal
//! handlers or what is told of pages are refused. While no thread asks for failures, a check is one relaxed load. It
//! changes what system calls report, nothing else.

use super::system::{IN_PIECES, NO_MEMORY, NOT_ALLOWED, set_last_error};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many guards are alive in the process.
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Calls until one fails; 0: none will.
    static COUNTDOWN: Cell<u32> = const { Cell::new(0) };
    /// Whether the one that fails is followed by others that are refused.
    static GOES_ON: Cell<bool> = const { Cell::new(false) };
    /// Whether one was refused since.
    static REFUSED: Cell<bool> = const { Cell::new(false) };
    static REFUSE_MEMFD: Cell<bool> = const { Cell::new(false) };
    static REFUSE_SWAP: Cell<bool> = const { Cell::new(false) };
    static REFUSE_SIGNALS: Cell<bool> = const { Cell::new(false) };
    static REFUSE_SCAN: Cell<bool> = const { Cell::new(false) };
    static REFUSE_WATCH: Cell<bool> = const { Cell::new(false) };
}

/// What a guard has switched on.
#[derive(Clone, Copy, Debug)]
enum What {
    Nth(u32),
    From(u32),
    Memfd,
    Swap,
    Signals,
    Scan,
    Watch,
}

impl What {
    fn set(self, on: bool) {
        match self {
            What::Nth(n) => COUNTDOWN.set(if on { n } else { 0 }),
            What::From(n) => {
                COUNTDOWN.set(if on { n } else { 0 });
                GOES_ON.set(on);
                REFUSED.set(false);
            }
            What::Memfd => REFUSE_MEMFD.set(on),
            What::Swap => REFUSE_SWAP.set(on),
            What::Signals => REFUSE_SIGNALS.set(on),
            What::Scan => REFUSE_SCAN.set(on),
            What::Watch => REFUSE_WATCH.set(on),
        }
    }
}

/// While it lives, failures are on for the thread that made it.
#[derive(Debug)]
pub struct FaultGuard {
    what: What,
    /// It belongs to its thread.
    _not_send: std::marker::PhantomData<*const ()>,
}

impl FaultGuard {
    fn new(what: What) -> Self {
        ACTIVE.fetch_add(1, Ordering::Relaxed);
        what.set(true);
        FaultGuard { what, _not_send: std::marker::PhantomData }
    }

    /// Whether a failure asked for by [`fail_nth`] or [`refuse_from`] has happened.
    pub fn hit(&self) -> bool {
        COUNTDOWN.get() == 0 || REFUSED.get()
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        self.what.set(false);
        if let What::From(_) = self.what {
            // It was only a test.
            super::refusals::forget_flips_refused();
        }
        ACTIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes the `n`-th mapping call of this thread from now on (1 is the next) fail once with `ENOMEM`.
pub fn fail_nth(n: u32) -> FaultGuard {
    FaultGuard::new(What::Nth(n))
}

/// Makes every mapping call of this thread from the `n`-th on fail with `EPERM`, as a sandbox does that closes late.
pub fn refuse_from(n: u32) -> FaultGuard {
    FaultGuard::new(What::From(n))
}

/// Makes every `memfd_create` of this thread fail with `EPERM`, as a sandbox does.
pub fn refuse_memfd() -> FaultGuard {
    FaultGuard::new(What::Memfd)
}

/// Makes every swap of texts by this thread fail with `EFAULT`, as older systems do for a text in pieces.
pub fn refuse_swap() -> FaultGuard {
    FaultGuard::new(What::Swap)
}

/// Makes every `sigaction` of this thread fail with `EPERM`, as a sandbox may do.
pub fn refuse_signals() -> FaultGuard {
    FaultGuard::new(What::Signals)
}

/// Keeps the system from telling this thread what is behind pages, as older ones do not.
pub fn refuse_scan() -> FaultGuard {
    FaultGuard::new(What::Scan)
}

/// Makes every userfaultfd of this thread be refused, as a sandbox does.
pub fn refuse_watch() -> FaultGuard {
    FaultGuard::new(What::Watch)
}

/// Whether this call is to fail; the system's last error is set then.
#[inline]
pub(super) fn fails() -> bool {
    ACTIVE.load(Ordering::Relaxed) != 0 && fails_slowly()
}

#[cold]
fn fails_slowly() -> bool {
    match COUNTDOWN.get() {
        0 => false,
        1 if GOES_ON.get() => {
            REFUSED.set(true);
            set_last_error(NOT_ALLOWED);
            true
        }
        1 => {
            COUNTDOWN.set(0);
            set_last_error(NO_MEMORY);
            true
        }
        n => {
            COUNTDOWN.set(n - 1);
            false
        }
    }
}

/// Whether `memfd_create` is to be refused; the system's last error is set then.
pub(super) fn memfd_refused() -> bool {
    refused(&REFUSE_MEMFD, NOT_ALLOWED)
}

/// Whether to move pages is to be refused; the system's last error is set then.
pub(super) fn swap_refused() -> bool {
    refused(&REFUSE_SWAP, IN_PIECES)
}

/// Whether to install a signal's handler is to be refused; the system's last error is set then.
pub(super) fn signals_refused() -> bool {
    refused(&REFUSE_SIGNALS, NOT_ALLOWED)
}

/// Whether to ask what is behind pages is to be refused; the system's last error is set then.
pub(super) fn scan_refused() -> bool {
    refused(&REFUSE_SCAN, NOT_ALLOWED)
}

/// Whether to have writes noted is to be refused; the system's last error is set then.
pub(super) fn watch_refused() -> bool {
    refused(&REFUSE_WATCH, NOT_ALLOWED)
}

fn refused(switch: &'static std::thread::LocalKey<Cell<bool>>, error: i32) -> bool {
    let refused = ACTIVE.load(Ordering::Relaxed) != 0 && switch.get();
    if refused {
        set_last_error(error);
    }
    refused
}
