//! How floats are computed with. WebAssembly rounds to nearest, keeps subnormal numbers, and never raises a
//! floating-point exception (specification section 4.3.3); a host may have set something else for itself. The two
//! change places at the border, where they differ: reading how it is is cheap, changing it is not.

use crate::abi::Activation;
use crate::isa::{FLOAT_FLAGS, GUEST_FLOATS, float_control, set_float_control};
use crate::sys::activation;

/// Switches to the guest's way; what the host had, if that is another, else 0.
#[inline]
pub fn enter_guest() -> u32 {
    let host = float_control();
    if host & !FLOAT_FLAGS == GUEST_FLOATS {
        return 0;
    }
    // SAFETY: nothing is computed here.
    unsafe { set_float_control(GUEST_FLOATS) };
    host
}

/// Back to what [`enter_guest`] has said.
#[inline]
pub fn leave_guest(host: u32) {
    if host != 0 {
        // SAFETY: this is how it was in the host, and nothing is computed here.
        unsafe { set_float_control(host) };
    }
}

/// The host's way, for as long as this is there: in what a guest calls of the host. Behind it, the guest's is back;
/// what the host has set meanwhile is the host's from then on.
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

/// The same around a host function that leaves the floats as it finds them, as all of Rust's have to: nothing is read
/// behind it, which takes longer than all else that calling one does. Who has called something that is not Rust's says
/// so by [`note_host`].
pub struct KeptFloats(*mut Activation);

impl KeptFloats {
    /// Of the host that has entered the guest by this activation.
    ///
    /// # Safety
    /// The activation is live, and outlives this.
    #[inline]
    pub unsafe fn of(activation: *mut Activation) -> KeptFloats {
        // SAFETY: the caller's promise.
        leave_guest(unsafe { (*activation).host_floats });
        KeptFloats(activation)
    }
}

impl Drop for KeptFloats {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the promise of `of`; nothing is computed here.
        unsafe {
            if (*self.0).host_floats != 0 {
                set_float_control(GUEST_FLOATS);
            }
        }
    }
}

/// What the floats are now is the host's way from then on, if a guest has called here.
pub fn note_host() {
    let activation = activation::current();
    let host = float_control();
    // SAFETY: the newest entry of this thread is live.
    if let Some(activation) = unsafe { activation.as_mut() } {
        activation.host_floats = if host & !FLOAT_FLAGS == GUEST_FLOATS { 0 } else { host };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::samples::OTHER_FLOATS;

    fn set(word: u32) {
        // SAFETY: the register takes these, and nothing is computed here.
        unsafe { set_float_control(word) };
    }

    #[test]
    fn the_two_change_places_and_flags_do_not_matter() {
        let before = float_control();
        assert_eq!(enter_guest(), 0, "the host has not set anything");
        let host = OTHER_FLOATS;
        set(host | 1);
        let said = enter_guest();
        assert_eq!((said, float_control()), (host | 1, GUEST_FLOATS));
        let mut act = Activation {
            entry_sp: 0,
            previous: std::ptr::null_mut(),
            store: std::ptr::null_mut(),
            saved_exit_fp: 0,
            saved_exit_pc: 0,
            saved_exit_head: 0,
            host_floats: said,
            call: std::ptr::null_mut(),
        };
        // SAFETY: it is there.
        drop(unsafe { HostFloats::of(&raw mut act) });
        assert_eq!((float_control() & !FLOAT_FLAGS, act.host_floats), (GUEST_FLOATS, said));
        act.host_floats = 0;
        // SAFETY: it is there.
        let inside = unsafe { HostFloats::of(&raw mut act) };
        assert_eq!(float_control() & !FLOAT_FLAGS, GUEST_FLOATS);
        set(host);
        drop(inside);
        assert_eq!((float_control() & !FLOAT_FLAGS, act.host_floats), (GUEST_FLOATS, host));
        leave_guest(host);
        assert_eq!(float_control(), host);
        set(before);
    }
}
