//! Synchronous signals: SIGSEGV, SIGBUS, SIGFPE and SIGILL raised by guest code become traps; all others go to
//! whatever the host had installed. The handler looks at the fault and rewrites the context, nothing else:
//! no lock, no allocation. What follows runs on the guest's stack after the handler has returned.

use super::faults;
use crate::base::{Error, Pc, Result};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// A fault as a signal reported it.
#[derive(Debug)]
pub struct Fault {
    /// The instruction that faulted.
    pub pc: Pc,
    /// The frame pointer at that instruction.
    pub fp: usize,
    /// The address it touched, for memory faults.
    pub address: Option<usize>,
}

/// Where to go on after a fault, on the faulting thread's own stack.
#[derive(Debug)]
pub struct Landing {
    /// Called as `function(pc, fp, detail)`. It never returns to the fault.
    pub function: unsafe extern "C" fn(pc: usize, fp: usize, detail: usize) -> !,
    /// The third argument.
    pub detail: usize,
}

/// Decides, inside the signal handler, whether a fault is the guest's. Must be async-signal-safe.
pub type Classify = unsafe fn(&Fault) -> Option<Landing>;

const SIGNALS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];

/// What the host had installed, by position in [`SIGNALS`]. Written under [`INSTALLED`] before our handler can run.
struct Previous(UnsafeCell<[MaybeUninit<libc::sigaction>; SIGNALS.len()]>);
// SAFETY: each element is written once, before the handler that reads it is installed.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous(UnsafeCell::new([MaybeUninit::uninit(); SIGNALS.len()]));
static CLASSIFY: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static INSTALLED: Mutex<bool> = Mutex::new(false);

/// Installs the handlers, once per process; later calls change nothing.
///
/// # Errors
/// When the system refuses a handler.
pub fn install(classify: Classify) -> Result<()> {
    if faults::signals_refused() {
        return Err(Error::last_os_error("sigaction"));
    }
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    CLASSIFY.store(classify as *mut (), Ordering::Release);
    for (i, signal) in SIGNALS.into_iter().enumerate() {
        // SAFETY: the previous action is read before ours is set, so that the handler always finds it; the action is fully
        // initialised (zero is valid for what is not set).
        unsafe {
            let mut now: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &mut now) != 0 {
                return Err(give_back(i));
            }
            // Ours may be there already, from an attempt that the system neither let us end nor take back: then what was before it is known.
            if now.sa_sigaction == handler as *const () as usize {
                continue;
            }
            (*PREVIOUS.0.get())[i].write(now);
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            // SA_NODEFER: a fault in a host's chained handler must reach that handler again, not kill the process.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
            libc::sigemptyset(&mut action.sa_mask);
            if libc::sigaction(signal, &action, std::ptr::null_mut()) != 0 {
                return Err(give_back(i));
            }
        }
    }
    *installed = true;
    Ok(())
}

/// Gives the first `count` signals back to whom they were of; the error to tell. Where the system refuses that, our handler stays, and hands
/// them on.
#[cold]
fn give_back(count: usize) -> Error {
    let error = Error::last_os_error("sigaction");
    for (i, signal) in SIGNALS.into_iter().enumerate().take(count) {
        // SAFETY: the previous actions of signals before the one that failed were noted.
        unsafe { libc::sigaction(signal, (*PREVIOUS.0.get())[i].as_ptr(), std::ptr::null_mut()) };
    }
    error
}

unsafe extern "C" fn handler(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo and ucontext; errno is this thread's.
    unsafe {
        let errno = *libc::__errno_location();
        if !try_guest(signal, info, context) {
            chain(signal, info, context);
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
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let memory = signal == libc::SIGSEGV || signal == libc::SIGBUS;
        let fault = Fault {
            pc: Pc::new(registers[libc::REG_RIP as usize] as usize),
            fp: registers[libc::REG_RBP as usize] as usize,
            address: memory.then(|| (*info).si_addr() as usize),
        };
        let classify: Classify = std::mem::transmute(CLASSIFY.load(Ordering::Acquire));
        let Some(landing) = classify(&fault) else {
            return false;
        };
        // As if the faulting instruction had called the landing: stack 16-aligned before the return address, which is
        // zero so that unwinders stop. Guest code keeps nothing below its stack pointer.
        let sp = (registers[libc::REG_RSP as usize] as usize & !15) - 8;
        (sp as *mut usize).write(0);
        registers[libc::REG_RSP as usize] = sp as i64;
        registers[libc::REG_RIP as usize] = landing.function as usize as i64;
        registers[libc::REG_RDI as usize] = fault.pc.get() as i64;
        registers[libc::REG_RSI as usize] = fault.fp as i64;
        registers[libc::REG_RDX as usize] = landing.detail as i64;
        // The direction flag must be clear on entry to a function.
        registers[libc::REG_EFL as usize] &= !0x400;
        true
    }
}

/// Hands the signal to what the host had installed.
unsafe fn chain(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(i) = SIGNALS.iter().position(|known| *known == signal) else {
        return;
    };
    // SAFETY: see `Previous`; the previous action is called as the kernel would have called it.
    unsafe {
        let previous = (*PREVIOUS.0.get())[i].as_ptr();
        match (*previous).sa_sigaction {
            libc::SIG_DFL => {
                // Back to the default; for a fault the instruction runs again and ends the process as it would have
                // without us. A signal that was sent is sent again.
                if libc::sigaction(signal, previous, std::ptr::null_mut()) != 0 && (*info).si_code > 0 {
                    // Run again, it would come here again.
                    libc::_exit(128 + signal);
                }
                if (*info).si_code <= 0 {
                    libc::raise(signal);
                }
            }
            libc::SIG_IGN => {}
            function if (*previous).sa_flags & libc::SA_SIGINFO != 0 => {
                let function: unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
                    std::mem::transmute(function);
                function(signal, info, context);
            }
            function => {
                let function: unsafe extern "C" fn(i32) = std::mem::transmute(function);
                function(signal);
            }
        }
    }
}

/// Bytes of a thread's alternate stack: room for the kernel's frame (with all vector state), our handler, and a handler of
/// the host behind it.
const ALTERNATE_BYTES: usize = 64 << 10;

/// This thread's alternate stack, unmapped when the thread ends.
struct Alternate {
    base: *mut libc::c_void,
}

impl Drop for Alternate {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours; if it is still the thread's alternate stack, that is taken back first.
        unsafe {
            let mut now: libc::stack_t = std::mem::zeroed();
            if libc::sigaltstack(std::ptr::null(), &mut now) == 0 && now.ss_sp == self.base {
                let off = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
                libc::sigaltstack(&off, std::ptr::null_mut());
            }
            libc::munmap(self.base, ALTERNATE_BYTES);
        }
    }
}

thread_local! {
    static PREPARED: Cell<bool> = const { Cell::new(false) };
    static ALTERNATE: Cell<Option<Alternate>> = const { Cell::new(None) };
}

/// Makes sure that this thread has an alternate signal stack of useful size: a fault in guest code may come with little
/// stack left. A stack the host has set up is kept if it is large enough. Cheap after the first call.
///
/// # Errors
/// When the system refuses the memory.
#[inline]
pub fn prepare_thread() -> Result<()> {
    if PREPARED.get() { Ok(()) } else { prepare_now() }
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
            let base = libc::mmap(
                std::ptr::null_mut(),
                ALTERNATE_BYTES,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            if base == libc::MAP_FAILED {
                return Err(Error::last_os_error("mmap of a signal stack"));
            }
            let new = libc::stack_t { ss_sp: base, ss_flags: 0, ss_size: ALTERNATE_BYTES };
            if libc::sigaltstack(&new, std::ptr::null_mut()) != 0 {
                let error = Error::last_os_error("sigaltstack");
                libc::munmap(base, ALTERNATE_BYTES);
                return Err(error);
            }
            ALTERNATE.set(Some(Alternate { base }));
        }
    }
    PREPARED.set(true);
    Ok(())
}
