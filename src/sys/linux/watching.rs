//! Faults at pages of guests' memories that are watched: what has faulted is stopped at, or done once with the page
//! accessible, behind which a signal (SIGTRAP) comes. The handlers change the protection of pages and the context,
//! nothing else: no lock, no allocation.

use super::exhausted::call_failed;
use super::signals::{call_handler, unblock};
use crate::base::{Error, ErrorKind, Pc, Result};
use crate::isa::{StopContext, fault_place, is_write_fault, set_single_step, stop_at_fault};
use crate::sys::faults;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// A fault at a page.
#[derive(Clone, Copy, Debug)]
pub struct PageFault {
    /// The instruction.
    pub pc: Pc,
    /// The first byte that could not be accessed.
    pub address: usize,
    /// Whether it was to be written, perhaps after it was read.
    pub is_write: bool,
}

/// What is to be done about a fault.
#[derive(Debug)]
pub enum OnFault {
    /// It is none of a watched page.
    NotOurs,
    /// The instruction is run, for which the page is accessible now; behind it [`Watcher::stepped`] is called.
    Step,
    /// The thread stops at the instruction, as at a site with this context.
    Stop(*mut StopContext),
}

/// Who knows what is watched. Both are called in signal handlers, on the thread that runs the guest, and must be
/// async-signal-safe.
#[derive(Debug)]
pub struct Watcher {
    /// Says what is to be done about a fault.
    pub fault: unsafe fn(&PageFault) -> OnFault,
    /// The instruction was run. False if none was to be.
    pub stepped: unsafe fn() -> bool,
}

static WATCHER: AtomicPtr<Watcher> = AtomicPtr::new(std::ptr::null_mut());

/// What the host had installed for SIGTRAP. Written before ours is installed, once.
struct Previous(UnsafeCell<MaybeUninit<libc::sigaction>>);

// SAFETY: written once, before the handler that reads it is installed.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous(UnsafeCell::new(MaybeUninit::uninit()));
static INSTALLED: Mutex<bool> = Mutex::new(false);

/// Installs what is told of faults, and a handler for SIGTRAP, which stays: signals that are not ours go to the handler
/// that the host had.
///
/// # Errors
/// When the system refuses the handler; [`ErrorKind::State`] where the host has since installed another.
pub fn install(watcher: &'static Watcher) -> Result<()> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: plain system calls; zero is valid for what is not set. What was there is noted before ours is installed.
    unsafe {
        let mut there: libc::sigaction = std::mem::zeroed();
        if faults::signals_refused() || libc::sigaction(libc::SIGTRAP, std::ptr::null(), &mut there) != 0 {
            return Err(Error::last_os_error("sigaction"));
        }
        if there.sa_sigaction == trapped as *const () as usize {
            return Ok(());
        }
        if *installed {
            let message = "the host has taken SIGTRAP, which watchpoints on memories need";
            return Err(Error::new(ErrorKind::State, message));
        }
        (*PREVIOUS.0.get()).write(there);
        WATCHER.store(std::ptr::from_ref(watcher).cast_mut(), Ordering::Release);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = trapped as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        libc::sigemptyset(&mut action.sa_mask);
        if libc::sigaction(libc::SIGTRAP, &action, std::ptr::null_mut()) != 0 {
            return Err(Error::last_os_error("sigaction"));
        }
    }
    *installed = true;
    Ok(())
}

thread_local! {
    static PREPARED: Cell<bool> = const { Cell::new(false) };
}

/// Has this thread get the signal: one that has it blocked would be ended by it. Cheap after the first call.
///
/// # Errors
/// When the system refuses it.
pub fn prepare_thread() -> Result<()> {
    if !PREPARED.get() {
        unblock(&[libc::SIGTRAP])?;
        PREPARED.set(true);
    }
    Ok(())
}

/// What may be done with pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All.
    Everything,
    /// To read them.
    Reading,
    /// Nothing.
    Nothing,
}

/// Says what may be done with whole pages that are accessible; false where the system refuses. Async-signal-safe.
///
/// # Safety
/// The pages belong to the caller. Whoever accesses them otherwise meanwhile is to get a fault.
pub unsafe fn allow(pages: Range<usize>, allowed: Allowed) -> bool {
    let protection = match allowed {
        Allowed::Everything => libc::PROT_READ | libc::PROT_WRITE,
        Allowed::Reading => libc::PROT_READ,
        Allowed::Nothing => libc::PROT_NONE,
    };
    // SAFETY: the caller's promise.
    !faults::fails() && unsafe { libc::mprotect(pages.start as *mut libc::c_void, pages.len(), protection) } == 0
}

/// The error for what [`allow`] was refused.
#[cold]
pub fn not_allowed() -> Error {
    call_failed("mprotect", 0)
}

/// Looks whether a fault (SIGSEGV) is one at a watched page, and rewrites the context then.
///
/// # Safety
/// For the signal's handler, with what that was given, for a fault that no process has sent.
pub(super) unsafe fn look(info: *mut libc::siginfo_t, context: *mut libc::c_void) -> bool {
    // SAFETY: what is stored there is a `Watcher` for ever; the caller's promise.
    unsafe {
        let Some(watcher) = WATCHER.load(Ordering::Acquire).as_ref() else { return false };
        let (pc, _) = fault_place(context);
        let fault =
            PageFault { pc: Pc::new(pc), address: (*info).si_addr() as usize, is_write: is_write_fault(context) };
        match (watcher.fault)(&fault) {
            OnFault::NotOurs => return false,
            OnFault::Step => set_single_step(context, true),
            OnFault::Stop(stop) => stop_at_fault(context, stop),
        }
        true
    }
}

unsafe extern "C" fn trapped(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes valid ones; errno is this thread's; see `PREVIOUS`.
    unsafe {
        let errno = *libc::__errno_location();
        let ours = WATCHER.load(Ordering::Acquire).as_ref().is_some_and(|watcher| (watcher.stepped)());
        if ours {
            set_single_step(context, false);
        } else {
            let previous = (*PREVIOUS.0.get()).as_ptr();
            match (*previous).sa_sigaction {
                libc::SIG_IGN => {}
                libc::SIG_DFL => {
                    // As it would have been without us.
                    let mut default: libc::sigaction = std::mem::zeroed();
                    default.sa_sigaction = libc::SIG_DFL;
                    libc::sigaction(signal, &default, std::ptr::null_mut());
                    libc::raise(signal);
                }
                _ => call_handler(previous, signal, info, context),
            }
        }
        *libc::__errno_location() = errno;
    }
}
