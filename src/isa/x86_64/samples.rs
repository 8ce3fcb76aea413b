//! Machine code, and looks at it, for tests of other rooms.

use super::PreservedRegister;
use crate::abi::{Activation, StopCell};
use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Computing with floats in another way than guests do: upwards, with zeros for subnormal numbers.
pub(crate) const OTHER_FLOATS: u32 = super::GUEST_FLOATS & !super::FLOAT_FLAGS | 0x4000 | 0x8040;

/// A feature that every processor has which compiled code runs on.
pub(crate) const OLD_FEATURE: &str = "sse3";

/// A function that returns a number.
pub(crate) fn returns(number: u32) -> Vec<u8> {
    // mov eax, number; ret
    let [a, b, c, d] = number.to_le_bytes();
    vec![0xb8, a, b, c, d, 0xc3]
}

/// A function that returns a number in the upper half of 64 bits, with zeros below.
pub(crate) fn returns_above(number: u32) -> Vec<u8> {
    // mov eax, number; shl rax, 32; ret
    let mut code = vec![0xb8];
    code.extend(number.to_le_bytes());
    code.extend([0x48, 0xc1, 0xe0, 0x20, 0xc3]);
    code
}

/// A function of four arguments: it adds 1 to what the second points to, writes the first behind it, and returns the
/// byte of the third's that the fourth is the index of, in the upper half of 64 bits, above the fourth.
pub(crate) fn four_arguments() -> Vec<u8> {
    // inc qword ptr [rsi]; mov [rsi + 8], rdi; movzx eax, byte ptr [rdx + rcx]; shl rax, 32; or rax, rcx; ret
    vec![
        0x48, 0xff, 0x06, 0x48, 0x89, 0x7e, 0x08, 0x0f, 0xb6, 0x04, 0x0a, 0x48, 0xc1, 0xe0, 0x20, 0x48, 0x09, 0xc8,
        0xc3,
    ]
}

/// Whether code begins as functions do that keep a frame pointer.
pub(crate) fn makes_a_frame(code: &[u8]) -> bool {
    // push rbp; mov rbp, rsp
    code.starts_with(&[0x55, 0x48, 0x89, 0xe5])
}

/// Which registers the prologue of this code saves, and where from the frame pointer, read from its instructions: below
/// its head the frame has so many bytes.
pub(crate) fn saved_by(code: &[u8], size: u32) -> Vec<(PreservedRegister, i32)> {
    // sub rsp, size
    let long = [&[0x48, 0x81, 0xec][..], &size.to_le_bytes()].concat();
    let short = [0x48, 0x83, 0xec, size as u8];
    let ends = |at: usize| code[..at].ends_with(&long) || (size < 128 && code[..at].ends_with(&short));
    let Some(mut at) = (0..=code.len()).find(|at| ends(*at)) else { return Vec::new() };
    let mut saved = Vec::new();
    // mov [rsp + offset], register
    while let [prefix @ (0x48 | 0x4c), 0x89, modrm, 0x24, rest @ ..] = &code[at..] {
        let (offset, bytes) = match modrm >> 6 {
            0 => (0, 4),
            1 => (i32::from(rest[0] as i8), 5),
            _ => (i32::from_le_bytes(rest[..4].try_into().unwrap()), 8),
        };
        let register = match modrm >> 3 & 7 | if *prefix == 0x4c { 8 } else { 0 } {
            _ if modrm & 7 != 4 => break,
            3 => PreservedRegister::Rbx,
            12 => PreservedRegister::R12,
            13 => PreservedRegister::R13,
            14 => PreservedRegister::R14,
            15 => PreservedRegister::R15,
            _ => break,
        };
        saved.push((register, offset - size as i32));
        at += bytes;
    }
    saved
}

/// Where the cell is that the stop stub at `at` of this text takes its context and its handler from.
pub(crate) fn cell_of_stub(text: &[u8], at: usize) -> u32 {
    let field = |from: usize, opcode: [u8; 2], field: usize| {
        assert_eq!(text[from..from + 2], opcode);
        let distance = u32::from_le_bytes(text[from + 2..from + 6].try_into().expect("four bytes"));
        from as u32 + 6 + distance - field as u32
    };
    let cell = field(at, [0xff, 0x35], offset_of!(StopCell, context));
    assert_eq!(field(at + 6, [0xff, 0x25], offset_of!(StopCell, handler)), cell);
    cell
}

/// What a callee finds: see [`spy`].
pub(crate) struct Spied {
    /// The first integer argument.
    pub first: usize,
    /// The second.
    pub second: usize,
    /// What would be its frame pointer.
    pub fp: usize,
}

/// rdi, rsi and rsp as a callee finds them, and the activation by which it leaves.
static SPIED: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// A function of any type, which leaves by the activation that [`spy_in`] was told; what it was called with is in
/// [`spied`] then.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn spy() {
    naked_asm!(
        "lea rax, [rip + {spied}]", "mov [rax], rdi", "mov [rax + 8], rsi", "mov [rax + 16], rsp",
        "mov rdi, [rax + 24]", "jmp {unwind}",
        spied = sym SPIED, unwind = sym super::unwind,
    )
}

/// Says by which activation [`spy`] leaves.
pub(crate) fn spy_in(activation: *const Activation) {
    SPIED[3].store(activation as usize, Ordering::Relaxed);
}

/// What [`spy`] has found.
pub(crate) fn spied() -> Spied {
    let [first, second, sp] = [0, 1, 2].map(|i: usize| SPIED[i].load(Ordering::Relaxed));
    Spied { first, second, fp: sp - 8 }
}
