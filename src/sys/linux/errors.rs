//! `errno`: what the last call of this thread that has failed says of why.

/// There is no memory, or no mapping more may be made.
pub(in crate::sys) const NO_MEMORY: i32 = libc::ENOMEM;
/// The system does not allow it.
pub(in crate::sys) const NOT_ALLOWED: i32 = libc::EPERM;
/// It is more than one mapping.
pub(in crate::sys) const IN_PIECES: i32 = libc::EFAULT;

/// Why the last call failed.
pub(super) fn last_error() -> i32 {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

/// Takes it that a call has failed for this reason.
pub(in crate::sys) fn set_last_error(error: i32) {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = error };
}

/// Whether the last call failed because the system does not allow it, whatever memory there is.
pub(in crate::sys) fn refused() -> bool {
    matches!(last_error(), libc::EPERM | libc::EACCES | libc::ENOSYS)
}
