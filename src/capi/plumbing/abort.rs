//! Ending the process, saying why: where undefined behaviour would be the other way.

use super::ending;
use crate::sys::floats::note_host;

/// Ends the process, saying why.
pub(in crate::capi) fn abort(message: &str) -> ! {
    eprintln!("stepwell: {message}");
    std::process::abort()
}

/// Ends the process, saying why, where what it watches is left by anything but its return.
struct Watched {
    what: &'static str,
    /// Before that.
    left: fn(),
}

impl Drop for Watched {
    fn drop(&mut self) {
        (self.left)();
        abort(&format!(
            "{} was left by an exception, `pthread_exit`, `pthread_cancel` or another way of unwinding, which cannot \
             go through a guest's frames; it has to return (see docs/hosts.md)",
            self.what
        ))
    }
}

/// Calls a callback of C's, which has to return.
pub(in crate::capi) fn watched<R>(what: &'static str, call: impl FnOnce() -> R) -> R {
    watched_by(|| (), what, call)
}

/// The same for a guest: what the callback has set of the floats is the host's from then on.
pub(in crate::capi) fn watched_for_guest<R>(what: &'static str, call: impl FnOnce() -> R) -> R {
    let returned = watched(what, call);
    note_host();
    returned
}

/// Calls a guarded callback of C's, which has to return while its language lives.
pub(in crate::capi) fn watched_guarded<R>(what: &'static str, call: impl FnOnce() -> R) -> R {
    watched_by(ending::stay_if_over, what, call)
}

fn watched_by<R>(left: fn(), what: &'static str, call: impl FnOnce() -> R) -> R {
    let watch = Watched { what, left };
    let returned = call();
    std::mem::forget(watch);
    returned
}
