//! The registers of a thread that a signal has stopped, in the context that the system gives the handler: Linux's.

use std::ffi::c_void;

/// The direction flag.
const DIRECTION: i64 = 0x400;

/// Where the thread has been stopped: its program counter and its frame pointer.
///
/// # Safety
/// `context` is what the signal's handler was given.
pub unsafe fn fault_place(context: *const c_void) -> (usize, usize) {
    // SAFETY: the caller's promise.
    let registers = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    (registers[libc::REG_RIP as usize] as usize, registers[libc::REG_RBP as usize] as usize)
}

/// Has the thread go on in `function`, which does not return, with these arguments, as if the instruction at which it
/// was stopped had called it.
///
/// # Safety
/// `context` is what the signal's handler was given, and the thread was stopped in code that keeps nothing below its
/// stack pointer.
pub unsafe fn call_from_fault(context: *mut c_void, function: usize, arguments: [usize; 3]) {
    // SAFETY: the caller's promise.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        // The stack is 16-aligned before the return address, which is zero so that unwinders stop.
        let sp = (registers[libc::REG_RSP as usize] as usize & !15) - 8;
        (sp as *mut usize).write(0);
        registers[libc::REG_RSP as usize] = sp as i64;
        registers[libc::REG_RIP as usize] = function as i64;
        for (register, argument) in [libc::REG_RDI, libc::REG_RSI, libc::REG_RDX].into_iter().zip(arguments) {
            registers[register as usize] = argument as i64;
        }
        // It must be clear on entry to a function.
        registers[libc::REG_EFL as usize] &= !DIRECTION;
    }
}
