//! Synchronous signals: SIGSEGV, SIGBUS, SIGFPE and SIGILL raised by guest code become traps; all others go to
//! whatever the host had installed. The handler looks at the fault and rewrites the context, nothing else:
//! no lock, no allocation. What follows runs on the guest's stack after the handler has returned.
//!
//! A host may install handlers of its own later, in front of ours. Where that is found, ours is installed again in
//! front of them: at another *level*, which is one more function with room of its own for what was
//! there before it, so that what they had seen in their place (and hand on to, or put back) is still
//! there and leads on to what was before it.

use super::watching;
use crate::base::{Error, ErrorKind, Pc, Result};
use crate::isa::{call_from_fault, fault_place};
use crate::sys::faults;
use region::Protection;
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where to go on after a fault, on the faulting thread's own stack.
#[derive(Debug)]
pub struct Landing {
    /// Called as `function(pc, fp, detail)`. It never returns to the fault.
    pub function: unsafe extern "C" fn(pc: usize, fp: usize, detail: usize) -> !,
    /// The third argument.
    pub detail: usize,
}

/// Decides, inside the signal handler, whether a fault of the instruction there is the guest's. Must be
/// async-signal-safe.
pub type Classify = unsafe fn(Pc) -> Option<Landing>;

const SIGNALS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];

/// A signal's handler at a level.
type Handler = unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);
/// Ours, at each level. A host that takes our place more often than that keeps it.
const HANDLERS: [Handler; 8] =
    [handler::<0>, handler::<1>, handler::<2>, handler::<3>, handler::<4>, handler::<5>, handler::<6>, handler::<7>];

/// What the host had installed, by level and position in [`SIGNALS`]. Written under [`INSTALLED`] before our handler of
/// that level can run.
struct Previous(UnsafeCell<[[MaybeUninit<libc::sigaction>; SIGNALS.len()]; HANDLERS.len()]>);
// SAFETY: each element is written once, before the handler that reads it is installed.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous(UnsafeCell::new([[MaybeUninit::uninit(); SIGNALS.len()]; HANDLERS.len()]));
/// Whether a host's handler that is for one signal only (`SA_RESETHAND`) has had it.
static USED_UP: [[AtomicBool; SIGNALS.len()]; HANDLERS.len()] =
    [const { [const { AtomicBool::new(false) }; SIGNALS.len()] }; HANDLERS.len()];
static CLASSIFY: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
/// What is installed of each signal.
static INSTALLED: Mutex<[Installed; SIGNALS.len()]> =
    Mutex::new([const { Installed { levels: 0, given_back: false } }; SIGNALS.len()]);

/// What is installed of a signal.
#[derive(Clone, Copy)]
struct Installed {
    /// How many levels are taken.
    levels: usize,
    /// The newest has been given back: nobody has had our handler of that level in the meantime.
    given_back: bool,
}

/// Installs the handlers for the process, where they are not. A host that has installed handlers since the last call
/// has ours in front of its own then.
///
/// # Errors
/// When the system refuses a handler. Those that are installed stay, and hand on what is no guest's.
pub fn install(classify: Classify) -> Result<()> {
    if faults::signals_refused() {
        return Err(Error::last_os_error("sigaction"));
    }
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    CLASSIFY.store(classify as *mut (), Ordering::Release);
    let mut taken = Vec::new();
    for (i, signal) in SIGNALS.into_iter().enumerate() {
        // SAFETY: what was there is noted before ours is set, so that the handler always finds it; the action is fully
        // initialised (zero is valid for what is not set).
        unsafe {
            let mut there: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &mut there) != 0 {
                return Err(give_back(&mut *installed, &taken));
            }
            let Installed { levels, given_back } = installed[i];
            if HANDLERS[..levels].iter().any(|handler| *handler as usize == there.sa_sigaction) {
                continue;
            }
            // After an attempt that failed, what was there before is still noted, and mostly still there.
            let known = levels.checked_sub(1).filter(|newest| {
                let before = (*PREVIOUS.0.get())[*newest][i].as_ptr();
                given_back && ((*before).sa_sigaction, (*before).sa_flags) == (there.sa_sigaction, there.sa_flags)
            });
            let level = known.unwrap_or(levels);
            let Some(handler) = HANDLERS.get(level) else {
                let message = format!("the host has taken signal {signal} too often; it keeps it");
                return Err(Error::new(ErrorKind::System, message));
            };
            if known.is_none() {
                (*PREVIOUS.0.get())[level][i].write(there);
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = *handler as usize;
            // SA_NODEFER: a fault in a host's chained handler must reach that handler again, not kill the process.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigemptyset(&mut action.sa_mask);
            if libc::sigaction(signal, &action, std::ptr::null_mut()) != 0 {
                return Err(give_back(&mut *installed, &taken));
            }
            installed[i] = Installed { levels: level + 1, given_back: false };
            taken.push((i, level));
        }
    }
    Ok(())
}

/// Gives signals back to whom they were of, each by its position and level; the error to tell. Where the system refuses
/// that, our handler stays, and hands them on.
#[cold]
fn give_back(installed: &mut [Installed], taken: &[(usize, usize)]) -> Error {
    let error = Error::last_os_error("sigaction");
    for (i, level) in taken {
        // SAFETY: what was there before a signal was taken was noted.
        let refused = unsafe {
            let before = (*PREVIOUS.0.get())[*level][*i].as_ptr();
            libc::sigaction(SIGNALS[*i], before, std::ptr::null_mut()) != 0
        };
        installed[*i].given_back = !refused;
    }
    error
}

/// Makes sure that the handlers are still ours, if they ever were: see [`install`].
pub fn install_again() -> Result<()> {
    let classify = CLASSIFY.load(Ordering::Acquire);
    if classify.is_null() {
        return Ok(());
    }
    // SAFETY: made from a `Classify`.
    install(unsafe { std::mem::transmute::<*mut (), Classify>(classify) })
}

unsafe extern "C" fn handler<const LEVEL: usize>(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel, or a host's handler that hands on, passes a valid siginfo and ucontext; errno is this
    // thread's.
    unsafe {
        let errno = *libc::__errno_location();
        if !try_guest(signal, info, context) {
            chain(LEVEL, signal, info, context);
        }
        *libc::__errno_location() = errno;
    }
}

/// Rewrites the context to land in the runtime, if the fault is the guest's.
unsafe fn try_guest(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) -> bool {
    // SAFETY: see `handler`; the pointer in CLASSIFY was made from a `Classify`.
    unsafe {
        // A signal sent by a process is no fault, whatever the program counter is.
        if (*info).si_code <= 0 {
            return false;
        }
        if signal == libc::SIGSEGV && watching::look(info, context) {
            return true;
        }
        let (pc, fp) = fault_place(context);
        let classify: Classify = std::mem::transmute(CLASSIFY.load(Ordering::Acquire));
        let Some(landing) = classify(Pc::new(pc)) else {
            return false;
        };
        // Guest code keeps nothing below its stack pointer.
        call_from_fault(context, landing.function as usize, [pc, fp, landing.detail]);
        true
    }
}

/// Hands the signal to what the host had installed before the handler of this level.
unsafe fn chain(level: usize, signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(i) = SIGNALS.iter().position(|known| *known == signal) else {
        return;
    };
    // SAFETY: see `Previous`; the previous action is called as the kernel would have called it.
    unsafe {
        let previous = (*PREVIOUS.0.get())[level][i].as_ptr();
        let sent = (*info).si_code <= 0;
        let once = (*previous).sa_flags & libc::SA_RESETHAND != 0;
        let used_up = once && USED_UP[level][i].swap(true, Ordering::Relaxed);
        match (*previous).sa_sigaction {
            // A signal that was sent is ignored; a fault cannot be.
            libc::SIG_IGN if sent => {}
            function if matches!(function, libc::SIG_DFL | libc::SIG_IGN) || used_up => {
                // Back to the default; for a fault the instruction runs again and ends the process as it would have
                // without us. A signal that was sent is sent again.
                let mut default: libc::sigaction = std::mem::zeroed();
                default.sa_sigaction = libc::SIG_DFL;
                if libc::sigaction(signal, &default, std::ptr::null_mut()) != 0 && !sent {
                    // Run again, it would come here again.
                    libc::_exit(128 + signal);
                }
                if sent {
                    libc::raise(signal);
                }
            }
            _ => call_handler(previous, signal, info, context),
        }
    }
}

/// Calls a handler that the host had installed, as the kernel would have called it.
///
/// # Safety
/// For a signal's handler, with what that was given; the action is valid, and its handler a function.
pub(super) unsafe fn call_handler(
    action: *const libc::sigaction,
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the caller's promise; the flags say of which type the function is.
    unsafe {
        let function = (*action).sa_sigaction;
        if (*action).sa_flags & libc::SA_SIGINFO != 0 {
            let function: unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                std::mem::transmute(function);
            function(signal, info, context);
        } else {
            let function: unsafe extern "C" fn(i32) = std::mem::transmute(function);
            function(signal);
        }
    }
}

/// Bytes of a thread's alternate stack: room for the kernel's frame (with all vector state), our handler, and a handler
/// of the host behind it.
const ALTERNATE_BYTES: usize = 64 << 10;

/// This thread's alternate stack, unmapped when the thread ends.
struct Alternate(region::Allocation);

impl Drop for Alternate {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours; if it is still the thread's alternate stack, that is taken back before it goes.
        unsafe {
            let mut now: libc::stack_t = std::mem::zeroed();
            if libc::sigaltstack(std::ptr::null(), &mut now) == 0 && now.ss_sp == self.0.as_mut_ptr() {
                let off = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
                libc::sigaltstack(&off, std::ptr::null_mut());
            }
        }
    }
}

/// How many of a thread's entries, from the first on, look whether the host has taken a handler's place, and which of
/// the later ones do: it takes a system call.
const LOOK_FIRST: u32 = 256;
const LOOK_EACH: u32 = 512;

thread_local! {
    /// How often this thread has been prepared.
    static ENTRIES: Cell<u32> = const { Cell::new(0) };
    static PREPARED: Cell<bool> = const { Cell::new(false) };
    static ALTERNATE: Cell<Option<Alternate>> = const { Cell::new(None) };
}

/// Makes sure that this thread has an alternate signal stack of useful size: a fault in guest code may come with little
/// stack left. A stack the host has set up is kept if it is large enough. The signals of faults are let through: of a
/// thread that has them blocked, a fault ends the process, whatever handler there is. Cheap after the first call.
///
/// # Errors
/// When the system refuses the memory, or to let signals through.
#[inline]
pub fn prepare_thread() -> Result<()> {
    let entries = ENTRIES.get();
    ENTRIES.set(entries.wrapping_add(1));
    if entries < LOOK_FIRST || entries.is_multiple_of(LOOK_EACH) {
        look_after_handlers();
    }
    if PREPARED.get() { Ok(()) } else { prepare_now() }
}

/// Puts our handlers in front again, if the host has taken the place of the first: who takes one mostly takes all.
#[cold]
fn look_after_handlers() {
    // SAFETY: the action is only read; zero is valid for what is not written.
    let there = unsafe {
        let mut there: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(SIGNALS[0], std::ptr::null(), &mut there) == 0).then_some(there.sa_sigaction)
    };
    if there.is_some_and(|there| !HANDLERS.iter().any(|handler| *handler as usize == there)) {
        // What the system refuses, or the host has won, stays as it is: it was told when the engine was made.
        let _ = install_again();
    }
}

#[cold]
fn prepare_now() -> Result<()> {
    // SAFETY: plain system calls on this thread's own state; the new mapping is owned by ALTERNATE.
    unsafe {
        let mut now: libc::stack_t = std::mem::zeroed();
        if libc::sigaltstack(std::ptr::null(), &mut now) != 0 {
            return Err(Error::last_os_error("sigaltstack"));
        }
        if now.ss_flags & libc::SS_DISABLE != 0 || now.ss_size < ALTERNATE_BYTES / 4 {
            let mut stack = region::alloc(ALTERNATE_BYTES, Protection::READ_WRITE)
                .map_err(|_| Error::last_os_error("mmap of a signal stack"))?;
            let new = libc::stack_t { ss_sp: stack.as_mut_ptr(), ss_flags: 0, ss_size: ALTERNATE_BYTES };
            if libc::sigaltstack(&new, std::ptr::null_mut()) != 0 {
                return Err(Error::last_os_error("sigaltstack"));
            }
            ALTERNATE.set(Some(Alternate(stack)));
        }
    }
    unblock(&SIGNALS)?;
    PREPARED.set(true);
    Ok(())
}

/// Does `work` with SIGPIPE kept from this thread, and from those that are started meanwhile for as long as they live.
/// A pipe whose reader has gone is an error of writing to it then.
pub fn without_pipe_signal<R>(work: impl FnOnce() -> R) -> R {
    struct Before(libc::sigset_t);
    impl Drop for Before {
        fn drop(&mut self) {
            // SAFETY: a plain system call on this thread's own state; the mask is the one that it has had.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
        }
    }
    // SAFETY: plain system calls on this thread's own state. They refuse nothing of what they are given here.
    let _before = unsafe {
        let mut pipe: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut pipe);
        libc::sigaddset(&mut pipe, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &pipe, &mut before);
        Before(before)
    };
    work()
}

/// Lets signals through to this thread.
pub(super) fn unblock(signals: &[i32]) -> Result<()> {
    // SAFETY: plain system calls on this thread's own state.
    let refused = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut())
    };
    if refused != 0 {
        let error = std::io::Error::from_raw_os_error(refused);
        return Err(Error::new(ErrorKind::System, format!("pthread_sigmask failed: {error}")));
    }
    Ok(())
}
