//! Compiling, linking and arming a handful of Cranelift functions by hand, for `replaced_frames.rs`.
//! Knows nothing of the engine, and nothing of what the functions do: bytes, tables and trampolines only.

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, Function};
use cranelift_codegen::isa::unwind::UnwindInst;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{
    Context as CompileContext, FinalizedMachExceptionHandler, FinalizedRelocTarget, MachDebugTagPos, isa,
};
use std::sync::Arc;

/// Every register of a stopped guest, as the trampolines save and restore it. `gpr` is in hardware order.
#[repr(C)]
pub struct Context {
    pub gpr: [u64; 16],
    pub rip: u64,
    pub flags: u64,
    /// Not `u128`: the context need not be 16-aligned.
    pub xmm: [[u64; 2]; 16],
}

pub const RAX: usize = 0;
pub const RCX: usize = 1;
pub const RDX: usize = 2;
pub const RBX: usize = 3;
pub const RSP: usize = 4;
pub const RBP: usize = 5;
pub const RSI: usize = 6;
pub const RDI: usize = 7;
pub const R12: usize = 12;
pub const R15: usize = 15;

/// One call of the compiled code, by the offset it returns to.
pub struct CallSite {
    pub ret: u32,
    /// FP - SP at the call; Cranelift gives it for `try_call` only.
    pub frame_offset: Option<u32>,
    /// (tag, offset of the handler)
    pub handlers: Vec<(u32, u32)>,
}

/// One compiled function and what Cranelift says of it.
pub struct Compiled {
    pub base: usize,
    pub bytes: Vec<u8>,
    relocs: Vec<(u32, (u32, u32))>,
    /// FP - SP while the function runs.
    pub frame_to_fp: u32,
    /// Offset from SP of each stack slot.
    pub slots: Vec<u32>,
    /// Callee-saved registers in the prologue: (register, offset from FP).
    pub saved: Vec<(usize, i64)>,
    pub call_sites: Vec<CallSite>,
    /// Patchable calls: (offset returned to, length).
    pub stops: Vec<(u32, u32)>,
    pub traps: Vec<u32>,
    /// (offset, is it `Post`, number of tags)
    pub tags: Vec<(u32, bool, usize)>,
    /// (start, end, source location)
    pub srclocs: Vec<(u32, u32, u32)>,
    five_byte_nop: Vec<u8>,
}

/// The settings under which everything is compiled.
pub fn target() -> Arc<dyn isa::TargetIsa> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("preserve_frame_pointers", "true"),
        // Without it a result that fits no register is refused ("Use a StructReturn argument").
        ("enable_multi_ret_implicit_sret", "true"),
        // The only way to learn where the prologue saved callee-saved registers; costs no code.
        ("unwind_info", "true"),
    ] {
        flags.set(name, value).expect("a setting of this Cranelift");
    }
    let builder = cranelift_native::builder().expect("x86-64");
    builder.finish(settings::Flags::new(flags)).expect("valid flags")
}

/// Compiles `function`; its user names are (0, index of a function) and (1, index of a stub).
pub fn compile(isa: &dyn isa::TargetIsa, function: Function) -> Compiled {
    let mut context = CompileContext::for_function(function);
    context.compile(isa, &mut ControlPlane::default()).unwrap_or_else(|e| panic!("{e:?}"));
    let buffer = &context.compiled_code().expect("just compiled").buffer;
    let relocs = buffer.relocs().iter().map(|reloc| {
        assert_eq!(reloc.kind, cranelift_codegen::binemit::Reloc::X86CallPCRel4, "only near calls leave a function");
        let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = reloc.target else {
            panic!("unexpected relocation target {:?}", reloc.target);
        };
        let name = &context.func.params.user_named_funcs()[name];
        assert_eq!(reloc.addend, -4);
        (reloc.offset, (name.namespace, name.index))
    });
    let layout = buffer.frame_layout().expect("x64 always gives a layout");
    let mut clobbers = 0;
    let mut saved = vec![];
    for (_, inst) in &buffer.unwind_info {
        match inst {
            UnwindInst::DefineNewFrame { offset_downward_to_clobbers, .. } => {
                clobbers = i64::from(*offset_downward_to_clobbers)
            }
            UnwindInst::SaveReg { clobber_offset, reg } => {
                saved.push((usize::from(reg.hw_enc()), i64::from(*clobber_offset) - clobbers));
            }
            _ => {}
        }
    }
    Compiled {
        base: 0,
        bytes: buffer.data().to_vec(),
        relocs: relocs.collect(),
        frame_to_fp: layout.frame_to_fp_offset,
        slots: context.func.sized_stack_slots.keys().map(|slot| layout.stackslots[slot].offset).collect(),
        saved,
        call_sites: buffer
            .call_sites()
            .map(|site| CallSite {
                ret: site.ret_addr,
                frame_offset: site.frame_offset,
                handlers: (site.exception_handlers.iter())
                    .map(|handler| match handler {
                        FinalizedMachExceptionHandler::Tag(tag, at) => (tag.as_u32(), *at),
                        other => panic!("unexpected handler {other:?}"),
                    })
                    .collect(),
            })
            .collect(),
        stops: (buffer.patchable_call_sites()).map(|site| (site.ret_addr, site.len)).collect(),
        traps: buffer.traps().iter().map(|trap| trap.offset).collect(),
        tags: (buffer.debug_tags())
            .map(|list| (list.offset, list.pos == MachDebugTagPos::Post, list.tags.len()))
            .collect(),
        srclocs: (buffer.get_srclocs_sorted().iter()).map(|loc| (loc.start, loc.end, loc.loc.bits())).collect(),
        five_byte_nop: buffer.nop_units[1].clone(),
    }
}

/// A linked text: stubs that jump to `stubs`, then the functions, mapped read and execute.
pub struct Text {
    base: usize,
    len: usize,
    pub functions: Vec<Compiled>,
}

impl Text {
    /// Links the functions in order; every stop point starts as a NOP.
    pub fn link(mut functions: Vec<Compiled>, stubs: &[usize]) -> Text {
        let mut bytes = vec![];
        for stub in stubs {
            bytes.extend([0xff, 0x25, 0, 0, 0, 0]); // jmp [rip + 0]
            bytes.extend(stub.to_le_bytes());
            bytes.extend([0xcc; 2]);
        }
        let mut starts = vec![];
        for function in &functions {
            bytes.resize(bytes.len().next_multiple_of(16), 0xcc);
            starts.push(bytes.len());
            bytes.extend(&function.bytes);
        }
        for (function, start) in functions.iter_mut().zip(&starts) {
            for &(offset, (space, index)) in &function.relocs {
                let target = match space {
                    0 => starts[index as usize],
                    _ => 16 * index as usize,
                };
                let place = start + offset as usize;
                let distance = i32::try_from(target as i64 - 4 - place as i64).expect("near");
                bytes[place..place + 4].copy_from_slice(&distance.to_le_bytes());
                function.bytes[offset as usize..offset as usize + 4].copy_from_slice(&distance.to_le_bytes());
            }
        }
        let len = bytes.len().next_multiple_of(4096);
        // SAFETY: a fresh anonymous mapping, written within its length below.
        let base = unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), base.cast::<u8>(), bytes.len());
            base as usize
        };
        for (function, start) in functions.iter_mut().zip(&starts) {
            function.base = base + start;
        }
        let text = Text { base, len, functions };
        text.arm(false);
        text
    }

    /// Turns every stop point of every function into a call, or back into a NOP.
    pub fn arm(&self, armed: bool) {
        self.protect(libc::PROT_READ | libc::PROT_WRITE);
        for function in &self.functions {
            for &(ret, len) in &function.stops {
                let at = (ret - len) as usize;
                let new = match armed {
                    true => &function.bytes[at..ret as usize],
                    false => &function.five_byte_nop[..],
                };
                assert_eq!(new.len(), len as usize);
                // SAFETY: the site lies in this mapping, which is writable and not executed now.
                unsafe {
                    let site = (function.base + at) as *mut u8;
                    std::ptr::copy_nonoverlapping(new.as_ptr(), site, new.len());
                }
            }
        }
        self.protect(libc::PROT_READ | libc::PROT_EXEC);
    }

    fn protect(&self, protection: i32) {
        // SAFETY: our own mapping; no guest runs on this thread, the only one that knows the text.
        assert_eq!(0, unsafe { libc::mprotect(self.base as *mut _, self.len, protection) });
    }

    /// The function around `pc`, which may be a return address.
    pub fn find(&self, pc: u64) -> Option<&Compiled> {
        self.functions.iter().find(|f| {
            let offset = (pc as usize).wrapping_sub(f.base);
            offset <= f.bytes.len() && offset > 0
        })
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        // SAFETY: made by `link`, unmapped once, and no guest frame outlives the text.
        unsafe { libc::munmap(self.base as *mut _, self.len) };
    }
}

unsafe extern "C" {
    /// Host to guest: fills rbx and r12-r15 with `poison[0..5]`, calls `code` with `argument` in rdi,
    /// writes those registers to `poison[5..10]`, and gives back rax. Its stack pointer goes to `*saved_sp`.
    pub fn machine_enter(code: usize, argument: *mut u64, poison: *mut u64, saved_sp: *mut u64) -> u64;
    /// Where a trap goes: entered with the saved stack pointer in rsp and a status in rax.
    pub fn machine_leave();
    /// The stop point's target: saves everything, reports, continues as the context then says.
    pub fn machine_stop();
    /// The guest's `throw`: as `machine_stop`, another report.
    pub fn machine_throw();
    /// The return address of a callee whose caller is to be replaced.
    pub fn machine_returned();
}

core::arch::global_asm!(
    ".globl machine_enter, machine_leave",
    "machine_enter:",
    "push rbp",
    "mov rbp, rsp",
    "push rbx",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rdx",
    "mov [rcx], rsp",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rbx, [rdx]",
    "mov r12, [rdx + 8]",
    "mov r13, [rdx + 16]",
    "mov r14, [rdx + 24]",
    "mov r15, [rdx + 32]",
    "call rax",
    "pop rdx",
    "mov [rdx + 40], rbx",
    "mov [rdx + 48], r12",
    "mov [rdx + 56], r13",
    "mov [rdx + 64], r14",
    "mov [rdx + 72], r15",
    "2:",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
    "machine_leave:", // the guest's registers are lost here, the host's are on its own stack
    "pop rdx",
    "jmp 2b",
);

// Three trampolines alike: save a `Context` below the stack pointer, call the report, restore. Nothing but
// rsp arithmetic by `lea` happens before the flags are saved, and nothing above rsp is written: at a return
// thunk the callee's stack results stand there.
macro_rules! trampoline {
    ($name:literal, $report:path) => {
        core::arch::global_asm!(
            concat!(".globl ", $name), concat!($name, ":"),
            "lea rsp, [rsp - 400]",
            "mov [rsp], rax", "mov [rsp + 8], rcx", "mov [rsp + 16], rdx", "mov [rsp + 24], rbx",
            "mov [rsp + 40], rbp", "mov [rsp + 48], rsi", "mov [rsp + 56], rdi",
            "mov [rsp + 64], r8", "mov [rsp + 72], r9", "mov [rsp + 80], r10", "mov [rsp + 88], r11",
            "mov [rsp + 96], r12", "mov [rsp + 104], r13", "mov [rsp + 112], r14", "mov [rsp + 120], r15",
            "lea rax, [rsp + 400]", "mov [rsp + 32], rax",
            "pushfq", "pop qword ptr [rsp + 136]",
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "movups [rsp + 144 + 16*\\n], xmm\\n",
            ".endr",
            "mov rdi, rsp", "mov rbx, rsp", "and rsp, -16", "cld",
            "call {report}",
            "mov rsp, rbx",
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "movups xmm\\n, [rsp + 144 + 16*\\n]",
            ".endr",
            // The target goes just below the new stack pointer, where nothing is live.
            "mov rax, [rsp + 128]", "mov rcx, [rsp + 32]", "mov [rcx - 8], rax",
            "push qword ptr [rsp + 136]", "popfq",
            "mov rax, [rsp]", "mov rcx, [rsp + 8]", "mov rdx, [rsp + 16]", "mov rbx, [rsp + 24]",
            "mov rbp, [rsp + 40]", "mov rsi, [rsp + 48]", "mov rdi, [rsp + 56]",
            "mov r8, [rsp + 64]", "mov r9, [rsp + 72]", "mov r10, [rsp + 80]", "mov r11, [rsp + 88]",
            "mov r12, [rsp + 96]", "mov r13, [rsp + 104]", "mov r14, [rsp + 112]", "mov r15, [rsp + 120]",
            "mov rsp, [rsp + 32]",
            "jmp qword ptr [rsp - 8]",
            report = sym $report,
        );
    };
}
trampoline!("machine_stop", crate::on_stop);
trampoline!("machine_throw", crate::on_throw);
trampoline!("machine_returned", crate::on_returned);
