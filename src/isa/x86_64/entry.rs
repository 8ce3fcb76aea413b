//! The few lines of machine code by hand: entering and leaving guest code, builtin shims, the stop trampoline.
//! Nothing here knows what a store or a module is beyond the layouts of `abi`.

use super::PreservedRegister;
use crate::abi::{Activation, VMContext, VMFuncRef, ValRaw};
use std::arch::naked_asm;
use std::ffi::c_void;

/// A host-to-Wasm trampoline; see `abi` for its convention.
pub type HostToWasm = unsafe extern "C" fn(callee: *const VMFuncRef, caller: *mut VMContext, values: *mut ValRaw);

const _: () = assert!(std::mem::offset_of!(Activation, entry_sp) == 0);

/// Calls `trampoline(callee, caller, values)` so that [`unwind`] can leave it: true when it returned, false when it
/// was left. The activation's `entry_sp` is written; linking the activation is the caller's business.
///
/// # Safety
/// `trampoline` must be one for `callee`'s signature, `values` must hold the larger of its parameters and results,
/// and the activation must stay where it is until this returns.
#[inline]
pub unsafe fn enter(
    activation: *mut Activation,
    trampoline: HostToWasm,
    callee: *const VMFuncRef,
    caller: *mut VMContext,
    values: *mut ValRaw,
) -> bool {
    // SAFETY: handed on to the caller.
    unsafe { enter_raw(callee, caller, values, trampoline, activation) }
}

/// Saves what System V has a callee save, notes the stack pointer, calls.
#[unsafe(naked)]
unsafe extern "C" fn enter_raw(
    callee: *const VMFuncRef,
    caller: *mut VMContext,
    values: *mut ValRaw,
    trampoline: HostToWasm,
    activation: *mut Activation,
) -> bool {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        ".cfi_offset rbx, -24",
        "push r12",
        ".cfi_offset r12, -32",
        "push r13",
        ".cfi_offset r13, -40",
        "push r14",
        ".cfi_offset r14, -48",
        "push r15",
        ".cfi_offset r15, -56",
        "sub rsp, 8",
        "mov [r8], rsp",
        "call rcx",
        "mov eax, 1",
        "add rsp, 8",
        "pop r15",
        ".cfi_restore r15",
        "pop r14",
        ".cfi_restore r14",
        "pop r13",
        ".cfi_restore r13",
        "pop r12",
        ".cfi_restore r12",
        "pop rbx",
        ".cfi_restore rbx",
        "pop rbp",
        ".cfi_restore rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Leaves every frame below the entry of `activation`, whose [`enter`] returns false.
///
/// # Safety
/// The entry must be live on this thread's stack, the newest that is not yet left, and no frame between it and here may
/// have a destructor or a lock pending: only guest frames, trampolines, and plain `extern "C"` functions.
#[unsafe(naked)]
pub unsafe extern "C" fn unwind(activation: *const Activation) -> ! {
    naked_asm!(
        "mov rsp, [rdi]",
        "xor eax, eax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Goes on where a function catches an exception that has come out of a call of its: at `pc`, with this stack pointer
/// and frame pointer. The code there has the exception in the register in which the code generator's `tail`
/// convention has the first word of an exception, and counts on no other. All frames further in are gone.
///
/// # Safety
/// The frame is live on this thread, in the newest entry that is not yet left, and that is its function's landing; for
/// the frames further in, as for [`unwind`].
#[unsafe(naked)]
pub unsafe extern "C" fn land(exception: *const c_void, pc: usize, sp: usize, fp: usize) -> ! {
    naked_asm!("mov rax, rdi", "mov rsp, rdx", "mov rbp, rcx", "jmp rsi")
}

/// What every stop cell's context starts with.
#[repr(C)]
pub struct StopContext {
    /// Called on the guest's thread and stack, with every register of the guest saved: `pc` is the return address into
    /// the guest (the byte behind the site), `fp` the guest's frame pointer. Returning null resumes the guest,
    /// returning a jump resumes it elsewhere; it may also [`unwind`]. It must not panic.
    pub on_stop: unsafe extern "C" fn(context: *mut StopContext, pc: usize, fp: usize) -> *const ResumeJump,
}

/// How a guest that stands at a stop goes on elsewhere: a function is entered as if the caller of the stopped frame had
/// called it instead. Its arguments on the stack are those of the frame, which it has to take away as that would have.
/// Of its arguments in registers it gets two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct ResumeJump {
    /// The function, in the Wasm convention.
    pub pc: usize,
    /// The frame pointer of the stopped frame.
    pub fp: usize,
    /// What that would be if its function had not made the frame lower, to have more room for arguments above it: there
    /// the other function makes its own.
    pub head: usize,
    /// The first integer argument.
    pub first: usize,
    /// The second.
    pub second: usize,
    /// Where the frame has saved what its caller had in each of [`PreservedRegister::ALL`]; null where it has not, and
    /// the register is as it was.
    pub saved: [*const usize; PreservedRegister::ALL.len()],
}

const _: () = assert!(std::mem::offset_of!(ResumeJump, saved) == 40);

/// The address for [`StopCell::handler`](crate::abi::StopCell::handler).
pub fn stop_handler() -> *const c_void {
    stop_trampoline as *const c_void
}

/// Where a guest goes whose instruction has faulted and is to be stopped at: on its stack are the context and, above
/// it, the address of the instruction.
pub(super) fn fault_handler() -> usize {
    fault_trampoline as *const () as usize
}

/// Keeps the flags, which mean something at any instruction but a site, and stops as a site does.
#[unsafe(naked)]
unsafe extern "C" fn fault_trampoline() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_def_cfa_offset 16",
        "pushfq",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "call 2f",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "popfq",
        ".cfi_adjust_cfa_offset -8",
        // Drop the context; the instruction's address is next.
        "lea rsp, [rsp + 8]",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        // Above this return address are what keeps the stack aligned, the flags, and the context.
        "2: push qword ptr [rsp + 24]",
        "jmp {stop}",
        ".cfi_endproc",
        stop = sym stop_trampoline
    )
}

/// Reached by a jump from a stop stub: on the stack are the context and, above it, the return address into the
/// guest. Saves every register that the Rust code behind `on_stop` may change (the callee-saved ones are saved by
/// it), and restores them. The guest uses no upper halves of vector registers, and no flags across a call.
#[unsafe(naked)]
unsafe extern "C" fn stop_trampoline() {
    naked_asm!(
        ".cfi_startproc",
        // The stack at a stop site is 16-aligned; return address and context keep it so.
        ".cfi_def_cfa_offset 16",
        "push rax",
        ".cfi_adjust_cfa_offset 8",
        "push rcx",
        ".cfi_adjust_cfa_offset 8",
        "push rdx",
        ".cfi_adjust_cfa_offset 8",
        "push rsi",
        ".cfi_adjust_cfa_offset 8",
        "push rdi",
        ".cfi_adjust_cfa_offset 8",
        "push r8",
        ".cfi_adjust_cfa_offset 8",
        "push r9",
        ".cfi_adjust_cfa_offset 8",
        "push r10",
        ".cfi_adjust_cfa_offset 8",
        "push r11",
        ".cfi_adjust_cfa_offset 8",
        "sub rsp, 264",
        ".cfi_adjust_cfa_offset 264",
        "movups [rsp], xmm0",
        "movups [rsp + 16], xmm1",
        "movups [rsp + 32], xmm2",
        "movups [rsp + 48], xmm3",
        "movups [rsp + 64], xmm4",
        "movups [rsp + 80], xmm5",
        "movups [rsp + 96], xmm6",
        "movups [rsp + 112], xmm7",
        "movups [rsp + 128], xmm8",
        "movups [rsp + 144], xmm9",
        "movups [rsp + 160], xmm10",
        "movups [rsp + 176], xmm11",
        "movups [rsp + 192], xmm12",
        "movups [rsp + 208], xmm13",
        "movups [rsp + 224], xmm14",
        "movups [rsp + 240], xmm15",
        "mov rdi, [rsp + 336]",
        "mov rsi, [rsp + 344]",
        "mov rdx, rbp",
        "cld",
        "call [rdi]",
        "test rax, rax",
        "jne 2f",
        ".cfi_remember_state",
        "movups xmm0, [rsp]",
        "movups xmm1, [rsp + 16]",
        "movups xmm2, [rsp + 32]",
        "movups xmm3, [rsp + 48]",
        "movups xmm4, [rsp + 64]",
        "movups xmm5, [rsp + 80]",
        "movups xmm6, [rsp + 96]",
        "movups xmm7, [rsp + 112]",
        "movups xmm8, [rsp + 128]",
        "movups xmm9, [rsp + 144]",
        "movups xmm10, [rsp + 160]",
        "movups xmm11, [rsp + 176]",
        "movups xmm12, [rsp + 192]",
        "movups xmm13, [rsp + 208]",
        "movups xmm14, [rsp + 224]",
        "movups xmm15, [rsp + 240]",
        "add rsp, 264",
        ".cfi_adjust_cfa_offset -264",
        "pop r11",
        ".cfi_adjust_cfa_offset -8",
        "pop r10",
        ".cfi_adjust_cfa_offset -8",
        "pop r9",
        ".cfi_adjust_cfa_offset -8",
        "pop r8",
        ".cfi_adjust_cfa_offset -8",
        "pop rdi",
        ".cfi_adjust_cfa_offset -8",
        "pop rsi",
        ".cfi_adjust_cfa_offset -8",
        "pop rdx",
        ".cfi_adjust_cfa_offset -8",
        "pop rcx",
        ".cfi_adjust_cfa_offset -8",
        "pop rax",
        ".cfi_adjust_cfa_offset -8",
        // Drop the context; the return address is next.
        "lea rsp, [rsp + 8]",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_restore_state",
        // Elsewhere. The callee-saved registers are the guest's, since `on_stop` has returned.
        "2: mov rcx, [rax + 40]",
        "test rcx, rcx",
        "je 3f",
        "mov rbx, [rcx]",
        "3: mov rcx, [rax + 48]",
        "test rcx, rcx",
        "je 4f",
        "mov r12, [rcx]",
        "4: mov rcx, [rax + 56]",
        "test rcx, rcx",
        "je 5f",
        "mov r13, [rcx]",
        "5: mov rcx, [rax + 64]",
        "test rcx, rcx",
        "je 6f",
        "mov r14, [rcx]",
        "6: mov rcx, [rax + 72]",
        "test rcx, rcx",
        "je 7f",
        "mov r15, [rcx]",
        // The frame goes: its caller's frame pointer is back, and the return address is next, as far below what the
        // caller has as it was when the function was called.
        "7: mov rcx, [rax + 8]",
        "mov rbp, [rcx]",
        "mov rdx, [rcx + 8]",
        "mov rcx, [rax + 16]",
        "mov [rcx + 8], rdx",
        "lea rsp, [rcx + 8]",
        ".cfi_def_cfa rsp, 8",
        "mov rdi, [rax + 24]",
        "mov rsi, [rax + 32]",
        "jmp [rax]",
        ".cfi_endproc",
    )
}

/// Declares `$shim`, the entry of a builtin as compiled code calls it: it notes the calling guest frame in the store
/// context behind the vmctx in rdi, and jumps on to the `extern "C"` function `$target`.
macro_rules! builtin_shim {
    ($shim:ident => $target:path) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $shim() {
            ::std::arch::naked_asm!(
                ".cfi_startproc",
                "mov rax, [rdi + {store}]",
                "mov r10, [rsp]",
                "mov [rax + {fp}], rbp",
                "mov [rax + {pc}], r10",
                "lea r10, [rsp - 8]",
                "mov [rax + {head}], r10",
                "jmp {target}",
                ".cfi_endproc",
                store = const $crate::abi::VMContext::STORE as usize,
                fp = const $crate::abi::VMStoreContext::EXIT_FP as usize,
                pc = const $crate::abi::VMStoreContext::EXIT_PC as usize,
                head = const $crate::abi::VMStoreContext::EXIT_HEAD as usize,
                target = sym $target,
            )
        }
    };
}
pub(crate) use builtin_shim;

/// Declares `$shim`, the entry of what compiled code calls without an argument, and after which every register is as it
/// was: it saves those that a call may change, and calls the `extern "C"` function `$target` with the return address
/// into the guest, the guest's frame pointer, and what would be the function's own, had it a frame. The guest uses no
/// upper halves of vector registers, and no flags across a call.
macro_rules! preserving_shim {
    ($shim:ident => $target:path) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $shim() {
            ::std::arch::naked_asm!(
                ".cfi_startproc",
                "push rax",
                ".cfi_adjust_cfa_offset 8",
                "push rcx",
                ".cfi_adjust_cfa_offset 8",
                "push rdx",
                ".cfi_adjust_cfa_offset 8",
                "push rsi",
                ".cfi_adjust_cfa_offset 8",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "push r8",
                ".cfi_adjust_cfa_offset 8",
                "push r9",
                ".cfi_adjust_cfa_offset 8",
                "push r10",
                ".cfi_adjust_cfa_offset 8",
                "push r11",
                ".cfi_adjust_cfa_offset 8",
                "sub rsp, 256",
                ".cfi_adjust_cfa_offset 256",
                "movups [rsp], xmm0",
                "movups [rsp + 16], xmm1",
                "movups [rsp + 32], xmm2",
                "movups [rsp + 48], xmm3",
                "movups [rsp + 64], xmm4",
                "movups [rsp + 80], xmm5",
                "movups [rsp + 96], xmm6",
                "movups [rsp + 112], xmm7",
                "movups [rsp + 128], xmm8",
                "movups [rsp + 144], xmm9",
                "movups [rsp + 160], xmm10",
                "movups [rsp + 176], xmm11",
                "movups [rsp + 192], xmm12",
                "movups [rsp + 208], xmm13",
                "movups [rsp + 224], xmm14",
                "movups [rsp + 240], xmm15",
                "mov rdi, [rsp + 328]",
                "mov rsi, rbp",
                "lea rdx, [rsp + 320]",
                "call {target}",
                "movups xmm0, [rsp]",
                "movups xmm1, [rsp + 16]",
                "movups xmm2, [rsp + 32]",
                "movups xmm3, [rsp + 48]",
                "movups xmm4, [rsp + 64]",
                "movups xmm5, [rsp + 80]",
                "movups xmm6, [rsp + 96]",
                "movups xmm7, [rsp + 112]",
                "movups xmm8, [rsp + 128]",
                "movups xmm9, [rsp + 144]",
                "movups xmm10, [rsp + 160]",
                "movups xmm11, [rsp + 176]",
                "movups xmm12, [rsp + 192]",
                "movups xmm13, [rsp + 208]",
                "movups xmm14, [rsp + 224]",
                "movups xmm15, [rsp + 240]",
                "add rsp, 256",
                ".cfi_adjust_cfa_offset -256",
                "pop r11",
                ".cfi_adjust_cfa_offset -8",
                "pop r10",
                ".cfi_adjust_cfa_offset -8",
                "pop r9",
                ".cfi_adjust_cfa_offset -8",
                "pop r8",
                ".cfi_adjust_cfa_offset -8",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "pop rsi",
                ".cfi_adjust_cfa_offset -8",
                "pop rdx",
                ".cfi_adjust_cfa_offset -8",
                "pop rcx",
                ".cfi_adjust_cfa_offset -8",
                "pop rax",
                ".cfi_adjust_cfa_offset -8",
                "ret",
                ".cfi_endproc",
                target = sym $target,
            )
        }
    };
}
pub(crate) use preserving_shim;

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;

    fn activation() -> Activation {
        Activation {
            entry_sp: 0,
            previous: null_mut(),
            store: null_mut(),
            saved_exit_fp: 0,
            saved_exit_pc: 0,
            saved_exit_head: 0,
            host_floats: 0,
            call: null_mut(),
        }
    }

    unsafe extern "C" fn returns(_: *const VMFuncRef, _: *mut VMContext, values: *mut ValRaw) {
        // SAFETY: the test passes one value.
        unsafe { (*values).i64 = 7 };
    }

    unsafe extern "C" fn leaves(callee: *const VMFuncRef, _: *mut VMContext, _: *mut ValRaw) {
        // SAFETY: the test passes its live activation in the callee's place.
        unsafe { unwind(callee.cast::<Activation>()) }
    }

    /// Spoils what a callee must save, then leaves: the entry must restore it.
    #[unsafe(naked)]
    unsafe extern "C" fn spoils(_: *const VMFuncRef, _: *mut VMContext, _: *mut ValRaw) {
        naked_asm!(
            "mov rbx, -1", "mov r12, -1", "mov r13, -1", "mov r14, -1", "mov r15, -1", "mov rbp, -1",
            "push rdi", "jmp {unwind}", unwind = sym unwind
        )
    }

    #[test]
    fn returns_and_unwinds() {
        let mut act = activation();
        let mut values = [ValRaw::default()];
        let at: *mut Activation = &mut act;
        // SAFETY: the trampolines above ask for no more than is given.
        unsafe {
            assert!(enter(at, returns, std::ptr::null(), null_mut(), values.as_mut_ptr()));
            assert_eq!(values[0].i64, 7);
            for _ in 0..1000 {
                assert!(!enter(at, leaves, at.cast(), null_mut(), values.as_mut_ptr()));
                assert!(!enter(at, spoils, at.cast(), null_mut(), values.as_mut_ptr()));
            }
        }
        assert_eq!(act.previous, null_mut());
    }

    #[repr(C)]
    struct Counter {
        head: StopContext,
        stops: u64,
        pc: usize,
    }

    unsafe extern "C" fn count(context: *mut StopContext, pc: usize, _fp: usize) -> *const ResumeJump {
        // SAFETY: the test's context is a `Counter`.
        unsafe {
            let counter = &mut *context.cast::<Counter>();
            counter.stops += 1;
            counter.pc = pc;
        }
        // Spoil every register the convention lets a callee spoil.
        // SAFETY: all are declared.
        unsafe {
            std::arch::asm!(
                "mov rax, -1", "mov rcx, -1", "mov rdx, -1", "mov rsi, -1", "mov rdi, -1", "mov r8, -1", "mov r9, -1",
                "mov r10, -1", "mov r11, -1", "pcmpeqd xmm0, xmm0", "pcmpeqd xmm7, xmm7", "pcmpeqd xmm15, xmm15",
                out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _, out("r8") _, out("r9") _,
                out("r10") _, out("r11") _, out("xmm0") _, out("xmm7") _, out("xmm15") _,
            );
        }
        std::ptr::null()
    }

    /// Stands for a guest: fills registers, stops as an armed site does, checks them. Returns 0 if all held.
    #[unsafe(naked)]
    unsafe extern "C" fn guest(context: *mut Counter) -> u64 {
        naked_asm!(
            "push rbp", "mov rbp, rsp",
            "mov rax, 1", "mov rcx, 2", "mov rdx, 3", "mov rsi, 4", "mov r8, 5", "mov r9, 6", "mov r10, 7", "mov r11, 8",
            "movq xmm0, rax", "movq xmm7, r11", "movq xmm15, r10",
            "call 2f",
            "xor rax, 1", "xor rcx, 2", "xor rdx, 3", "xor rsi, 4", "xor r8, 5", "xor r9, 6",
            "or rax, rcx", "or rax, rdx", "or rax, rsi", "or rax, r8", "or rax, r9",
            "movq rcx, xmm7", "xor rcx, r11", "or rax, rcx",
            "movq rcx, xmm15", "xor rcx, r10", "or rax, rcx",
            "movq rcx, xmm0", "xor rcx, 1", "or rax, rcx",
            "pop rbp", "ret",
            "2: push rdi", "jmp {stop}", stop = sym stop_trampoline
        )
    }

    #[test]
    fn a_stop_preserves_every_register() {
        let mut counter = Counter { head: StopContext { on_stop: count }, stops: 0, pc: 0 };
        for n in 1..100 {
            // SAFETY: the guest above keeps to the contract of stop stubs.
            assert_eq!(unsafe { guest(&mut counter) }, 0);
            assert_eq!(counter.stops, n);
        }
        let guest_at = guest as *const () as usize;
        assert!((guest_at..guest_at + 200).contains(&counter.pc));
    }

    /// What [`caller`] gives and finds, and where its callee is replaced.
    #[repr(C)]
    struct Swap {
        head: StopContext,
        jump: ResumeJump,
        /// What the replacing function got: two arguments, and the one on the stack.
        got: [usize; 3],
        /// rbx, r12-r15, and how far the stack pointer is from where it was.
        found: [usize; 6],
    }

    /// Keeps numbers in every callee-saved register and calls [`victim`] with two words on the stack, which it takes
    /// away.
    #[unsafe(naked)]
    unsafe extern "C" fn caller(swap: *mut Swap) {
        naked_asm!(
            "push rbp", "mov rbp, rsp", "push rbx", "push r12", "push r13", "push r14", "push r15", "push rdi",
            "mov rbx, 101", "mov r12, 102", "mov r13, 103", "mov r14, 104", "mov r15, 105",
            "push 0", "push 77",
            "call {victim}",
            "mov rdi, [rbp - 48]",
            "mov [rdi + {found}], rbx", "mov [rdi + {found} + 8], r12", "mov [rdi + {found} + 16], r13",
            "mov [rdi + {found} + 24], r14", "mov [rdi + {found} + 32], r15",
            "mov rax, rbp", "sub rax, rsp", "mov [rdi + {found} + 40], rax",
            "lea rsp, [rbp - 40]", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp", "ret",
            victim = sym victim, found = const std::mem::offset_of!(Swap, found),
        )
    }

    /// Stands for a debug function: saves and spoils three registers, and stops.
    #[unsafe(naked)]
    unsafe extern "C" fn victim(swap: *mut Swap) {
        naked_asm!(
            "push rbp", "mov rbp, rsp", "push r15", "push r13", "push rbx", "sub rsp, 24",
            "mov rbx, -1", "mov r13, -1", "mov r15, -1",
            "call 2f",
            "ud2",
            "2: push rdi", "jmp {stop}", stop = sym stop_trampoline,
        )
    }

    /// Takes its place.
    #[unsafe(naked)]
    unsafe extern "C" fn heir(swap: *mut Swap, second: usize) {
        naked_asm!(
            "push rbp", "mov rbp, rsp",
            "mov [rdi + {got}], rdi", "mov [rdi + {got} + 8], rsi", "mov rax, [rbp + 16]", "mov [rdi + {got} + 16], rax",
            "pop rbp", "ret 16",
            got = const std::mem::offset_of!(Swap, got),
        )
    }

    unsafe extern "C" fn swap(context: *mut StopContext, _pc: usize, fp: usize) -> *const ResumeJump {
        let swap = context.cast::<Swap>();
        let saved = |at: usize| (fp - at) as *const usize;
        let (null, first) = (std::ptr::null(), swap as usize);
        let jump = ResumeJump {
            pc: heir as *const () as usize,
            fp,
            head: fp,
            first,
            second: 9,
            saved: [saved(24), null, saved(16), null, saved(8)],
        };
        // SAFETY: the test's context is a `Swap`; the assembly spoils what the convention lets a callee spoil.
        unsafe {
            (*swap).jump = jump;
            std::arch::asm!(
                "mov r12, -2", "mov r13, -2", "mov r14, -2", "mov r15, -2", "mov rax, -2",
                out("r12") _, out("r13") _, out("r14") _, out("r15") _, out("rax") _,
                options(nostack)
            );
            &raw const (*swap).jump
        }
    }

    #[test]
    fn a_frame_is_replaced_and_its_caller_notices_nothing() {
        let jump = ResumeJump { pc: 0, fp: 0, head: 0, first: 0, second: 0, saved: [std::ptr::null(); 5] };
        let mut state = Swap { head: StopContext { on_stop: swap }, jump, got: [0; 3], found: [0; 6] };
        let at = &raw mut state;
        for _ in 0..10 {
            // SAFETY: the functions above keep to the contracts of stop stubs and of jumps.
            unsafe {
                caller(at);
                assert_eq!((*at).got, [at as usize, 9, 77]);
                assert_eq!((*at).found, [101, 102, 103, 104, 105, 48]);
                ((*at).got, (*at).found) = ([0; 3], [0; 6]);
            }
        }
    }
}
