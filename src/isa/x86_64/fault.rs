//! The registers of a thread that a signal has stopped, in the context that the system gives the handler: Linux's.

use super::entry::{StopContext, fault_handler};
use std::ffi::c_void;

/// The direction flag.
const DIRECTION: i64 = 0x400;

/// The trap flag: behind one instruction the thread gets a signal.
const TRAP: i64 = 0x100;

/// The bit of a page fault's code that says that something was to be written.
const WRITE: i64 = 2;

/// Whether an instruction that has faulted at a page was to write there, perhaps after reading.
///
/// # Safety
/// `context` is what the handler of such a fault was given.
pub unsafe fn is_write_fault(context: *const c_void) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_ERR as usize] & WRITE != 0 }
}

/// Has the thread get a signal behind the next instruction, or not any more.
///
/// # Safety
/// `context` is what the signal's handler was given.
pub unsafe fn set_single_step(context: *mut c_void, on: bool) {
    // SAFETY: the caller's promise.
    let flags = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs[libc::REG_EFL as usize] };
    if on { *flags |= TRAP } else { *flags &= !TRAP }
}

/// Has the thread stop at the instruction that has faulted, as if an armed site stood before it: the context's
/// `on_stop` is called, and may have the instruction run again.
///
/// # Safety
/// `context` is what the signal's handler was given, and the thread was stopped in the body of a guest's function,
/// whose stack is aligned as at a site, and which keeps nothing below its stack pointer. The stop's context is live.
pub unsafe fn stop_at_fault(context: *mut c_void, stop: *mut StopContext) {
    // SAFETY: the caller's promise.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        let sp = registers[libc::REG_RSP as usize] as usize;
        (sp as *mut usize).sub(1).write(registers[libc::REG_RIP as usize] as usize);
        (sp as *mut usize).sub(2).write(stop as usize);
        registers[libc::REG_RSP as usize] = (sp - 16) as i64;
        registers[libc::REG_RIP as usize] = fault_handler() as i64;
        registers[libc::REG_EFL as usize] &= !TRAP;
    }
}

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
        registers[libc::REG_EFL as usize] &= !(DIRECTION | TRAP);
    }
}
