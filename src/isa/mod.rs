//! The machine: all that is of one kind of processor. No other room names a register, an instruction or a byte of one;
//! a test looks for them (`tests/layering/`).
//!
//! There is a folder for each kind, and one of them is compiled. What the other rooms use of it is listed below, and
//! that list is what a port has to write: another folder with the same names. Apart from them, a port needs what
//! `sys/mod.rs` lists, where its system is another.
//!
//! # Machine code
//!
//! | name | what it must be | who uses it |
//! |---|---|---|
//! | [`check_processor`] | nothing, or an error that says what this processor lacks of what compiled code needs | `compile/` |
//! | [`NEEDED_FEATURES`] | what compiled code needs, as the code generator calls it | `compile/` |
//! | [`LEVELS`], [`feature_name`] | sets of features that have a name; what the code generator calls a feature that people spell in some way | `compile/` |
//! | [`PAGE_SIZE`] | a multiple of each size of page that such a machine may have: texts, cell pages and memories are laid out in it | `image/`, `compile/`, `sys/` |
//! | [`PAGE_TABLE_SPAN`] | mappings whose addresses differ by a multiple of it are moved a page of a page table at a time | `sys/` |
//! | [`FUNCTION_ALIGN`] | where functions may begin; the code generator asks for no more | `compile/` |
//! | [`FILL`] | the byte that stands between functions and behind a text: instructions of it trap | `image/`, `compile/`, `sys/` |
//! | [`TRAP_BYTES`] | bytes of the instruction by which compiled code traps | `compile/` |
//! | [`SITE_BYTES`], [`SITE_NOP`] | a stop site that is not armed: an instruction that does nothing, as long as a call | `image/`, `compile/`, `code/` |
//! | [`armed_site`] | the bytes of the same site, armed: a call of the stop stub, the same at every base | `code/` |
//! | [`ARMED_BYTE`] | the first byte of an armed site; no site that is not armed begins with it | `code/` |
//! | [`STUB_BYTES`], [`stop_stub`] | the code that armed sites call: it keeps every register and goes to [`stop_handler`] with the cell's context | `compile/` |
//! | [`DETOUR_BYTES`], [`detour`] | what a function begins with that is to go on elsewhere: a jump to where a pointer behind its text leads, which changes no register that arguments are in; the same at every base | `code/` |
//! | [`DETOUR_BYTE`] | the first byte of a detour; no function begins with it otherwise | `code/` |
//! | [`relaxed`] | the machine's own way with relaxed vector instructions, where it has one | `compile/` |
//! | [`MAX_DISTANCE`] | so far a call reaches: texts are smaller, with their cell page | `compile/` |
//! | [`C_CONVENTION`] | the convention of `extern "C"` functions, as the code generator calls it | `compile/` |
//! | [`disassemble`] | a function as text, instruction by instruction: see [`Decoded`]; or none, without the feature `disassembler` | `runtime/` |
//! | [`is_call`], [`CALL_DISTANCE_BYTES`], [`call_distance`] | the one relocation that the code generator leaves: what it is called, and what is written there | `compile/` |
//!
//! # Frames
//!
//! | name | what it must be | who uses it |
//! |---|---|---|
//! | [`FRAME_HEAD`] | bytes of a frame's return address and its caller's frame pointer, which end the frame | `compile/` |
//! | [`caller_of`] | both, read from a frame | `runtime/` |
//! | [`return_place`] | where a frame has the first of them; a builtin's shim notes what would be its own frame pointer, had it a frame | `runtime/` |
//! | [`STACK_ALIGN`] | what arguments on the stack are rounded up to | `compile/` |
//! | [`ARGUMENT_REGISTERS`], [`RESULT_REGISTERS`] | how many of the Wasm convention there are | `compile/` |
//! | [`PreservedRegister`] | the registers that calls preserve besides the frame pointer: `ALL` of them, in the order in which frames have them, and `numbered` as the code generator does; [`SavedRegisters`] says which of them a function has saved | `image/`, `compile/`, `runtime/` |
//! | [`DWARF_RETURN_ADDRESS`], [`ENTRY_RULES`] | DWARF's number of the return address, and what is so at a function's first instruction | `isa/` |
//! | [`unwound_parts`], [`frame_rules`] | which parts of a function have a prologue of their own, and what changes where in one | `isa/` |
//!
//! From the last four, [`eh_frame`] makes what unwinders are told of compiled code.
//!
//! # Ways in and out
//!
//! | name | what it must be | who uses it |
//! |---|---|---|
//! | [`enter`], [`HostToWasm`] | calls a trampoline such that it can be left | `runtime/` |
//! | [`unwind`] | leaves all frames of such a call | `runtime/` |
//! | [`land`] | leaves all frames up to one, which goes on where it catches an exception | `runtime/` |
//! | `builtin_shim` | the entry of a builtin, which notes the frame of its caller | `runtime/` |
//! | `preserving_shim` | the same of what takes no argument and leaves every register as it was | `runtime/` |
//! | [`stop_handler`], [`StopContext`] | where stop stubs lead: it saves what a call may change, and asks the context what is next | `runtime/` |
//! | [`ResumeJump`] | the answer that replaces the stopped frame | `runtime/` |
//! | [`fault_place`] | where a signal has stopped a thread: program counter and frame pointer | `sys/` |
//! | [`is_write_fault`] | whether what has faulted at a page was to write | `sys/` |
//! | [`set_single_step`] | has a signal come behind the next instruction, or not | `sys/` |
//! | [`stop_at_fault`] | has the thread stop at the instruction that has faulted, as at a site | `sys/` |
//! | [`call_from_fault`] | has the thread go on in a function instead, as if what has faulted had called it | `sys/` |
//!
//! # The rest
//!
//! | name | what it must be | who uses it |
//! |---|---|---|
//! | [`float_control`], [`set_float_control`] | the register that says how floats are computed with | `sys/` |
//! | [`GUEST_FLOATS`], [`FLOAT_FLAGS`] | what guests compute with; those bits that say what has happened, and decide nothing | `sys/` |
//! | [`prefetch`] | has the processor fetch what is at an address into its cache; nothing, where it cannot | `runtime/` |
//! | [`ELF_MACHINE`], [`ARCHITECTURE`] | the machine's number in ELF files, and its name in the crate that writes them | `image/`, `sys/` |
//!
//! # A stop, byte by byte
//!
//! On x86-64, at the site of a debug text that returns to 0x25, with the stop stub at 0x90:
//!
//! 1. The site is the bytes from 0x20 on. While it is not armed they are [`SITE_NOP`], `0f 1f 44 00 00`, and the guest
//!    runs through them.
//! 2. To arm it, `code/` writes [`armed_site`] there: `e8 6b 00 00 00`, a call of what is 0x6b behind 0x25.
//! 3. The guest comes to it and calls [`stop_stub`], which pushes the context that is in the cell page behind the text,
//!    and jumps to the handler that is there: [`stop_handler`]. On the stack are now the context and the return
//!    address, 0x25 behind the text's base.
//! 4. The handler saves all registers that a call may change, and calls [`StopContext::on_stop`] with the context, that
//!    address and the guest's frame pointer.
//! 5. If `on_stop` returns null, the handler puts all registers back, drops the context and returns: the guest goes on
//!    at 0x25.
//! 6. If it returns a [`ResumeJump`], the frame that was stopped is dropped instead. Registers that it had saved for
//!    its caller are read from where they are, its caller's frame pointer is put back, and the handler jumps: the
//!    function there returns to that caller.
//! 7. If a guest is to end, `on_stop` does not return, but calls [`unwind`].

mod saved;
mod unwinding;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
use x86_64 as machine;

/// A part of a function's machine code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Which bytes of the function it is.
    pub bytes: std::ops::Range<usize>,
    /// The instruction; none for what is not one.
    pub text: Option<String>,
}

pub use machine::{
    ARCHITECTURE, ARGUMENT_REGISTERS, ARMED_BYTE, C_CONVENTION, CALL_DISTANCE_BYTES, DETOUR_BYTE, DETOUR_BYTES,
    ELF_MACHINE, FILL, FLOAT_FLAGS, FRAME_HEAD, FUNCTION_ALIGN, GUEST_FLOATS, HostToWasm, LEVELS, MAX_DISTANCE,
    NEEDED_FEATURES, PAGE_SIZE, PAGE_TABLE_SPAN, PreservedRegister, RESULT_REGISTERS, ResumeJump, SITE_BYTES, SITE_NOP,
    STACK_ALIGN, STUB_BYTES, StopContext, TRAP_BYTES, armed_site, call_distance, call_from_fault, caller_of,
    check_processor, detour, disassemble, enter, fault_place, feature_name, float_control, is_call, is_write_fault,
    land, prefetch, relaxed, return_place, set_float_control, set_single_step, stop_at_fault, stop_handler, stop_stub,
    unwind,
};
use machine::{DWARF_RETURN_ADDRESS, ENTRY_RULES, frame_rules, unwound_parts};
pub(crate) use machine::{builtin_shim, preserving_shim};
pub use saved::SavedRegisters;
pub use unwinding::{FrameRule, eh_frame};

/// Code and checks that tests of other rooms need of the machine.
#[cfg(test)]
pub(crate) use machine::samples;

/// Does nothing; for all the compiler knows, it reads and writes memory.
#[inline(always)]
pub fn opaque() {
    // SAFETY: no instruction.
    unsafe { std::arch::asm!("", options(nostack, preserves_flags)) };
}
