//! x86-64, with the calling convention of the System V ABI.

mod code;
mod disassembly;
mod entry;
mod fault;
mod features;
mod floats;
mod frames;
pub mod relaxed;
#[cfg(test)]
pub(crate) mod samples;
mod unwind;

pub use code::{
    ARMED_BYTE, C_CONVENTION, CALL_DISTANCE_BYTES, DETOUR_BYTE, DETOUR_BYTES, FILL, FUNCTION_ALIGN, MAX_DISTANCE,
    PAGE_SIZE, PAGE_TABLE_SPAN, SITE_BYTES, SITE_NOP, STUB_BYTES, TRAP_BYTES, armed_site, call_distance,
    check_processor, detour, is_call, stop_stub,
};
pub use disassembly::disassemble;
pub use entry::{HostToWasm, ResumeJump, StopContext, enter, land, stop_handler, unwind};
pub(crate) use entry::{builtin_shim, preserving_shim};
pub use fault::{call_from_fault, fault_place, is_write_fault, set_single_step, stop_at_fault};
pub use features::{LEVELS, NEEDED_FEATURES, feature_name};
pub use floats::{FLOAT_FLAGS, GUEST_FLOATS, float_control, set_float_control};
pub use frames::{
    ARGUMENT_REGISTERS, FRAME_HEAD, PreservedRegister, RESULT_REGISTERS, STACK_ALIGN, caller_of, return_place,
};
pub use unwind::{DWARF_RETURN_ADDRESS, ENTRY_RULES, frame_rules, unwound_parts};

/// Has the processor fetch what is at an address, whatever is there.
#[inline(always)]
pub fn prefetch(at: *const u8) {
    // SAFETY: it faults nowhere, and changes nothing.
    unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast()) };
}

/// `EM_X86_64`: the machine's number in ELF files.
pub const ELF_MACHINE: u16 = 62;
/// The machine, as the crate that writes ELF files calls it.
pub const ARCHITECTURE: object::Architecture = object::Architecture::X86_64;
