//! Descriptors that the host gives us by number.

use crate::base::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd};

/// A descriptor of ours for what the host has under this number.
///
/// # Errors
/// [`ErrorKind::System`](crate::base::ErrorKind::System) where nothing is open under it.
pub fn duplicate(number: i32) -> Result<OwnedFd> {
    // SAFETY: plain numbers; one that is not open is an error.
    let ours = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if ours < 0 {
        return Err(Error::last_os_error("duplicating a descriptor"));
    }
    // SAFETY: it was just made, for us.
    Ok(unsafe { OwnedFd::from_raw_fd(ours) })
}
