//! Bytes of machine code that are not the code generator's: stop sites, the stop stub, what fills gaps, distances of
//! calls.

use crate::abi::StopCell;
use crate::base::{Error, ErrorKind, Result, TextOffset};
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::isa::CallConv;
use std::mem::offset_of;

/// The convention of `extern "C"` functions, as the code generator calls it.
pub const C_CONVENTION: CallConv = CallConv::SystemV;

/// Bytes of a page. There is no other base page.
pub const PAGE_SIZE: usize = 4096;
/// What a page of a page table covers.
pub const PAGE_TABLE_SPAN: usize = 2 << 20;

/// Functions begin at multiples of it.
pub const FUNCTION_ALIGN: u32 = 16;

/// What stands between functions, and fills the last page behind a text: `int3`.
pub const FILL: u8 = 0xcc;

/// Bytes of a trap: `ud2`.
pub const TRAP_BYTES: u32 = 2;

/// Bytes of a stop site: a NOP, or the call it becomes.
pub const SITE_BYTES: u32 = 5;
/// An unarmed site: `nop dword ptr [rax + rax]`.
pub const SITE_NOP: [u8; SITE_BYTES as usize] = [0x0f, 0x1f, 0x44, 0x00, 0x00];
/// The first byte of an armed site: a call.
pub const ARMED_BYTE: u8 = 0xe8;

/// The bytes that arm the site returning to `site`: a call of the stop stub at `stub`. The same at every base.
pub fn armed_site(site: TextOffset, stub: TextOffset) -> [u8; SITE_BYTES as usize] {
    let distance = stub.get().wrapping_sub(site.get()).to_le_bytes();
    [ARMED_BYTE, distance[0], distance[1], distance[2], distance[3]]
}

/// Bytes of the stop stub.
pub const STUB_BYTES: u32 = 12;

/// The stop stub of a text whose stop cell is so many bytes behind the stub's first. It pushes the cell's context,
/// which is 16 bytes with the return address into the guest, and jumps to its handler.
pub fn stop_stub(cell: u32) -> [u8; STUB_BYTES as usize] {
    let distance = |field: usize, behind: u32| (cell + field as u32 - behind).to_le_bytes();
    let mut stub = [0; STUB_BYTES as usize];
    // push qword ptr [rip + context]
    stub[..2].copy_from_slice(&[0xff, 0x35]);
    stub[2..6].copy_from_slice(&distance(offset_of!(StopCell, context), 6));
    // jmp qword ptr [rip + handler]
    stub[6..8].copy_from_slice(&[0xff, 0x25]);
    stub[8..].copy_from_slice(&distance(offset_of!(StopCell, handler), STUB_BYTES));
    stub
}

/// Bytes of a detour.
pub const DETOUR_BYTES: u32 = 6;
/// The first byte of a detour: no function begins with it.
pub const DETOUR_BYTE: u8 = 0xff;

/// The bytes that have the function at `start` go on where the pointer at `cell`, behind its text, leads to. The same
/// at every base.
pub fn detour(start: TextOffset, cell: u32) -> [u8; DETOUR_BYTES as usize] {
    // jmp qword ptr [rip + cell]
    let distance = (cell - start.get() - DETOUR_BYTES).to_le_bytes();
    [DETOUR_BYTE, 0x25, distance[0], distance[1], distance[2], distance[3]]
}

/// How far calls and stop stubs reach, in bytes: 32 bits with a sign.
pub const MAX_DISTANCE: u32 = i32::MAX as u32;

/// Bytes of a call's distance, with which the call ends.
pub const CALL_DISTANCE_BYTES: u32 = 4;

/// Whether a relocation is that of a direct call, at its distance.
pub fn is_call(kind: Reloc, addend: i64) -> bool {
    kind == Reloc::X86CallPCRel4 && addend == -i64::from(CALL_DISTANCE_BYTES)
}

/// What stands at `at` in a text, where a call's relocation is, for the call to go to `target`.
pub fn call_distance(at: u32, target: u32) -> [u8; CALL_DISTANCE_BYTES as usize] {
    target.wrapping_sub(at + CALL_DISTANCE_BYTES).to_le_bytes()
}

/// Whether this processor has what compiled code needs.
///
/// # Errors
/// [`ErrorKind::Unsupported`] without SSE4.1.
pub fn check_processor() -> Result<()> {
    if std::is_x86_feature_detected!("sse4.1") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        "this processor has no SSE4.1, which compiled code needs; run on an x86-64 processor made since 2008",
    ))
}
