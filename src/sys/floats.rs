//! How floats are computed with: the control part of the register MXCSR. WebAssembly rounds to nearest, keeps subnormal numbers, and never
//! raises a floating-point exception (specification section 4.3.3); a host may have set something else for itself. The two change places at
//! the border, where they differ: reading the register is cheap, writing it is not.

use crate::abi::Activation;
use std::arch::asm;

/// What guests compute with: all exceptions masked, to nearest, subnormal numbers kept.
const GUEST: u32 = 0x1f80;
/// Flags that say what has happened. They decide nothing.
const STICKY: u32 = 0x3f;

#[inline]
fn get() -> u32 {
    let mut word = 0u32;
    // SAFETY: writes four bytes.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
    word
}

#[cold]
#[inline(never)]
fn set(word: u32) {
    // SAFETY: the word is one that the register has had, or the one that processes begin with. What is compiled around this computes with
    // no floats.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags, readonly)) };
}

/// Switches to the guest's way; what the host had, if that is another, else 0.
#[inline]
pub fn enter_guest() -> u32 {
    let host = get();
    if host & !STICKY == GUEST {
        return 0;
    }
    set(GUEST);
    host
}

/// Back to what [`enter_guest`] has said.
#[inline]
pub fn leave_guest(host: u32) {
    if host != 0 {
        set(host);
    }
}

/// The host's way, for as long as this is there: in what a guest calls of the host. Behind it, the guest's is back; what the host has set
/// meanwhile is the host's from then on.
pub struct HostFloats(*mut Activation);

impl HostFloats {
    /// Of the host that has entered the guest by this activation.
    ///
    /// # Safety
    /// The activation is live, and outlives this.
    #[inline]
    pub unsafe fn of(activation: *mut Activation) -> HostFloats {
        // SAFETY: the caller's promise.
        leave_guest(unsafe { (*activation).host_floats });
        HostFloats(activation)
    }
}

impl Drop for HostFloats {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the promise of `of`.
        unsafe { (*self.0).host_floats = enter_guest() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_change_places_and_flags_do_not_matter() {
        let before = get();
        assert_eq!(enter_guest(), 0, "the host has not set anything");
        // Upwards, subnormal numbers are zero.
        let host = GUEST & !STICKY | 0x4000 | 0x8040;
        set(host | 1);
        let said = enter_guest();
        assert_eq!((said, get()), (host | 1, GUEST));
        let mut act = Activation {
            entry_sp: 0,
            previous: std::ptr::null_mut(),
            store: std::ptr::null_mut(),
            saved_exit_fp: 0,
            saved_exit_pc: 0,
            host_floats: said,
        };
        // SAFETY: it is there.
        drop(unsafe { HostFloats::of(&raw mut act) });
        assert_eq!((get() & !STICKY, act.host_floats), (GUEST, said));
        act.host_floats = 0;
        // SAFETY: it is there.
        let inside = unsafe { HostFloats::of(&raw mut act) };
        assert_eq!(get() & !STICKY, GUEST);
        set(host);
        drop(inside);
        assert_eq!((get() & !STICKY, act.host_floats), (GUEST, host));
        leave_guest(host);
        assert_eq!(get(), host);
        set(before);
    }
}
