//! The control part of the register MXCSR: how floats are computed with.

use std::arch::asm;

/// What guests compute with: all exceptions masked, to nearest, subnormal numbers kept.
pub const GUEST_FLOATS: u32 = 0x1f80;
/// Flags that say what has happened. They decide nothing.
pub const FLOAT_FLAGS: u32 = 0x3f;

/// The register.
#[inline]
pub fn float_control() -> u32 {
    let mut word = 0u32;
    // SAFETY: writes four bytes.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
    word
}

/// Sets it. Much slower than to read it.
///
/// # Safety
/// The word is one that the register has had, or [`GUEST_FLOATS`], and what is compiled around this computes with no
/// floats.
#[cold]
#[inline(never)]
pub unsafe fn set_float_control(word: u32) {
    // SAFETY: the caller's promise.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags, readonly)) };
}
